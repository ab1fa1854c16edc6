"""What holds for every stack: of each stack file, example and variant, with any credentials."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from components import names
from components.config.credentials import PROXY_ROLES
from components.config.engine import ENGINES
from components.config.types import DATABASE_PRIVILEGES
from components.guards.remembered import READ_OUTPUTS
from components.proxysql.live import native_password_hash
from render.case import Case, canary, case
from render.recorder import Recording, Resource, Secret, Unknown, plain
from tests.program import pod_security
from tests.program.cases import (
    IN_BACKGROUND,
    LEGACY,
    REPORTS,
    SECURE,
    STATS_READER,
    all_cases,
    by_id,
    canaries,
    cnf,
    configured,
    engines,
    is_proxied,
    recorded,
    shop,
    shown,
    trees,
    with_existing,
)

pytestmark = pytest.mark.broad

CASES = [case.id for case in all_cases()]
PROXIED = [case.id for case in all_cases() if is_proxied(case)]
SERVERS = ("MariaDB", "PerconaXtraDBCluster")
"""The kinds of the engines' own objects."""
ALL_CASES = pytest.mark.parametrize("name", CASES)
ALL_PROXIED = pytest.mark.parametrize("name", PROXIED)
ALL_WITH_APPS = pytest.mark.parametrize(
    "name",
    [case.id for case in all_cases() if any(tree.get("apps") for tree in trees(case).values())],
)


def leaves(value: Any, path: str = "", secret: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """(path, leaf, whether it is marked secret) of every leaf; a key counts as a leaf."""
    if isinstance(value, Secret):
        yield from leaves(value.value, path, True)
    elif isinstance(value, dict):
        for key, below in cast(dict[str, Any], value).items():
            yield f"{path}.{key}", key, secret
            yield from leaves(below, f"{path}.{key}", secret)
    elif isinstance(value, list):
        for index, below in enumerate(cast(list[Any], value)):
            yield from leaves(below, f"{path}[{index}]", secret)
    else:
        yield path, value, secret


def metadata(resource: Resource) -> dict[str, Any]:
    return resource.inputs.get("metadata", {})


def objects(recording: Recording) -> list[Resource]:
    """The Kubernetes objects that the stack makes."""
    return [r for r in recording.resources if r.type.startswith("kubernetes:") and not r.read]


def providers(recording: Recording) -> dict[str, Resource]:
    """The Kubernetes providers by name."""
    return {r.name: r for r in recording.resources if r.type == "pulumi:providers:kubernetes"}


def pod_spec(stateful_set: Resource) -> dict[str, Any]:
    return stateful_set.inputs["spec"]["template"]["spec"]


def pod_labels(stateful_set: Resource) -> dict[str, str]:
    return stateful_set.inputs["spec"]["template"]["metadata"]["labels"]


def ancestry(recording: Recording) -> dict[str, set[str]]:
    """URN to all URNs that it waits for, directly or not."""
    direct = {r.urn: set(r.depends_on) for r in recording.resources}
    closed: dict[str, set[str]] = {}

    def close(urn: str) -> set[str]:
        if urn not in closed:
            below = direct.get(urn, set[str]())
            closed[urn] = below.union(*(close(other) for other in below))
        return closed[urn]

    return {urn: close(urn) for urn in direct}


def options(resource: Resource) -> Any:
    """What a registration says beside its inputs; dependencies in no order."""
    fields = {k: v for k, v in vars(resource).items() if k not in ("inputs", "depends_on")}
    return {**fields, "depends_on": sorted(resource.depends_on)}


def as_shown(recording: Recording) -> dict[str, Any]:
    return {r.urn: (shown(r), options(r)) for r in recording.resources}


@ALL_CASES
def test_there_are_proxies_where_the_config_asks_for_them(name: str) -> None:
    """So that no test below passes for want of a StatefulSet."""
    assert bool(recorded(name).of_kind("StatefulSet")) == (name in PROXIED)


# --- preview and up ---


@ALL_CASES
def test_a_preview_shows_what_up_does(name: str) -> None:
    preview, up = recorded(name, preview=True), recorded(name)
    assert as_shown(preview) == as_shown(up)
    assert configured(preview) == configured(up)


@ALL_CASES
def test_a_preview_knows_everything_outside_secrets(name: str) -> None:
    recording = recorded(name, preview=True)
    for resource in recording.resources:
        unknown = {p for p, leaf, _ in leaves(resource.inputs) if isinstance(leaf, Unknown)}
        assert unknown <= ({".stringData"} if resource.kind == "Secret" else set()), resource.urn
    assert not any(isinstance(leaf, Unknown) for _, leaf, _ in leaves(configured(recording)))


@ALL_CASES
def test_a_second_run_is_the_same(name: str) -> None:
    again = by_id()[name].run()
    assert {r.urn: r.inputs for r in again.resources} == {
        r.urn: r.inputs for r in recorded(name).resources
    }
    assert as_shown(again) == as_shown(recorded(name))


# --- secrets (R 11) ---


@ALL_CASES
def test_no_secret_outside_secrets(name: str) -> None:
    recording = recorded(name)
    hidden = canaries(by_id()[name], recording)
    for resource in recording.resources:
        holds_secrets = resource.kind in ("Secret", "RandomPassword")
        for path, leaf, secret in leaves(resource.inputs):
            if not (secret and holds_secrets):
                found = [what for text, what in hidden.items() if text in str(leaf)]
                assert not found, f"{found} in {resource.urn} at {path}"
        assert not any(text in str(options(resource)) for text in hidden), resource.urn
    assert not any(text in str(plain(recording.outputs)) for text in hidden)


@ALL_CASES
def test_every_password_does_arrive_where_it_belongs(name: str) -> None:
    """Otherwise the search above would look for the wrong texts."""
    recording, case = recorded(name), by_id()[name]
    inside = json.dumps([plain(r.inputs) for r in recording.of_kind("Secret")])
    generated = [
        text
        for text, what in canaries(case, recording).items()
        if what == "password" and text.startswith("CANARYgenerated")
    ]
    assert all(text in inside for text in generated)
    if "root" not in str(case.config.get("credentials")):
        assert generated
    reader = (STATS_READER,) if name.startswith("stats-readers") else ()
    if name.endswith("+existing") and name in PROXIED:
        clustered = "'clustering': 'off'" not in str(case.config)
        for role in (*(PROXY_ROLES if clustered else PROXY_ROLES[:-1]), *reader):
            assert canary("existing", f"given-{role.replace('_', '-')}", "pw") in inside
    if name.endswith("+inline"):
        for role in ("root", *PROXY_ROLES, *reader):
            assert canary("inline", f"credentials.{role}.password") in inside


@ALL_CASES
def test_outputs_that_hold_secrets_are_encrypted(name: str) -> None:
    for resource in recorded(name).resources:
        if resource.kind == "RandomPassword":
            assert {"result", "bcryptHash"} <= set(resource.secret_outputs)
        if resource.type == "kubernetes:core/v1:Secret":
            assert {"data", "stringData"} <= set(resource.secret_outputs)


def test_no_config_map_is_made_but_of_a_dashboard() -> None:
    made = [r for name in CASES for r in recorded(name).of_kind("ConfigMap")]
    assert {metadata(r)["labels"]["app.kubernetes.io/name"] for r in made} == {"dashboard"}
    assert all(metadata(r)["name"].endswith("-dashboard") for r in made)


# --- objects and their names ---


@ALL_CASES
def test_no_two_objects_have_the_same_name(name: str) -> None:
    keys = [
        (r.kind, metadata(r).get("namespace"), metadata(r)["name"]) for r in objects(recorded(name))
    ]
    assert len(set(keys)) == len(keys)
    urns = [r.urn for r in recorded(name).resources]
    assert len(set(urns)) == len(urns)


@ALL_CASES
def test_every_object_uses_an_explicit_provider(name: str) -> None:
    """`kubernetes` makes objects; `reader`, which makes nothing, reads existing Secrets."""
    recording = recorded(name)
    made_by = providers(recording)
    read = {r.urn for r in recording.resources if r.read and r.type.startswith("kubernetes:")}
    assert made_by.keys() == ({"kubernetes", "reader"} if read else {"kubernetes"})
    for resource in recording.resources:
        if resource.type.startswith("kubernetes:"):
            provider = made_by["reader" if resource.read else "kubernetes"]
            assert resource.provider.startswith(provider.urn + "::"), resource.urn
    assert made_by["kubernetes"].inputs["enableSecretMutable"] == "true"
    assert made_by["kubernetes"].inputs["enableConfigMapMutable"] == "true"


@ALL_CASES
def test_nothing_is_made_before_all_that_was_read_is_accepted(name: str) -> None:
    recording = recorded(name)
    read = {r.urn for r in recording.resources if r.read}
    assert recording.called == [READ_OUTPUTS]
    assert set(providers(recording)["kubernetes"].depends_on) == read


@ALL_CASES
def test_a_read_says_what_a_refresh_would(name: str) -> None:
    """Else each refresh shows it as changed: tests/engine/test_refresh.py."""
    for resource in recorded(name).resources:
        if resource.read:
            assert resource.inputs.keys() == {"apiVersion", "kind", "metadata"}
            assert resource.inputs["metadata"].keys() == {"name", "namespace"}


@ALL_CASES
def test_objects_are_labelled(name: str) -> None:
    for resource in objects(recorded(name)):
        if resource.kind != "Namespace":
            labels = metadata(resource)["labels"]
            assert labels["app.kubernetes.io/part-of"] == "mysql-ha"
            assert {"app.kubernetes.io/name", "app.kubernetes.io/instance"} <= labels.keys()


@ALL_CASES
def test_every_object_has_a_namespace(name: str) -> None:
    for resource in objects(recorded(name)):
        assert ("namespace" in metadata(resource)) == (resource.kind != "Namespace")


def test_objects_wait_for_a_namespace_that_the_stack_makes() -> None:
    recording = recorded("own-namespace")
    (namespace,) = recording.of_kind("Namespace")
    waits = ancestry(recording)
    for resource in objects(recording):
        if resource is not namespace:
            assert namespace.urn in waits[resource.urn], resource.urn


def test_a_namespace_is_kept() -> None:
    (namespace,) = recorded("own-namespace").of_kind("Namespace")
    assert (namespace.protect, namespace.retain_on_delete) == (True, True)
    assert metadata(namespace)["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


@ALL_CASES
def test_no_namespace_by_default(name: str) -> None:
    if name.partition("+")[0] != "own-namespace":
        assert not recorded(name).of_kind("Namespace")


# --- selectors and references ---


@ALL_PROXIED
def test_selectors_match_the_pods(name: str) -> None:
    recording = recorded(name)
    for workload, least in (
        *((one, 3) for one in recording.of_kind("StatefulSet")),
        *((one, 2) for one in recording.of_kind("Deployment")),
    ):
        labels = pod_labels(workload)
        home = metadata(workload)["namespace"]
        selectors = [workload.inputs["spec"]["selector"]["matchLabels"]]
        for kind in ("Service", "PodDisruptionBudget"):
            for other in recording.of_kind(kind):
                mine = metadata(other)["labels"] == labels_of_ours(labels)
                if mine and metadata(other)["namespace"] == home:
                    selector = other.inputs["spec"]["selector"]
                    selectors.append(selector.get("matchLabels", selector))
        selectors += match_labels(pod_spec(workload))
        assert len(selectors) >= least
        for selector in selectors:
            assert selector
            assert selector.items() <= labels.items()


def labels_of_ours(labels: Mapping[str, str]) -> dict[str, str]:
    """Of a Pod's labels those that the objects beside it have too."""
    return {key: value for key, value in labels.items() if key.startswith("app.kubernetes.io/")}


def match_labels(value: Any) -> list[dict[str, str]]:
    """Every `matchLabels` in an affinity or a spread constraint."""
    found: list[dict[str, str]] = []
    if isinstance(value, dict):
        for key, below in cast(dict[str, Any], value).items():
            found += [below] if key == "matchLabels" else match_labels(below)
    elif isinstance(value, list):
        for below in cast(list[Any], value):
            found += match_labels(below)
    return found


@ALL_CASES
def test_database_pods_keep_away_from_each_other(name: str) -> None:
    for mariadb in recorded(name).of_kind("MariaDB"):
        for selector in match_labels(mariadb.inputs["spec"]):
            assert selector == names.mariadb_selector(metadata(mariadb)["name"])


@ALL_CASES
def test_spread_follows_the_config(name: str) -> None:
    for resource in recorded(name).of_kind("MariaDB"):
        constrained = "topologySpreadConstraints" in resource.inputs["spec"]
        assert constrained == ("podDisruptionBudget" in resource.inputs["spec"])


def of_lost_nodes(pod_spec: dict[str, Any]) -> dict[str, int]:
    """Seconds that a Pod tolerates the taints of a lost node, by taint."""
    return {
        toleration["key"]: toleration["tolerationSeconds"]
        for toleration in pod_spec.get("tolerations", [])
        if toleration["key"].startswith("node.kubernetes.io/")
    }


@ALL_PROXIED
def test_proxies_leave_a_lost_node(name: str) -> None:
    for stateful_set in recorded(name).of_kind("StatefulSet"):
        seconds = of_lost_nodes(pod_spec(stateful_set))
        assert seconds.keys() == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
        assert set(seconds.values()) == {120 if "placed" in name else 30}


@ALL_CASES
def test_servers_follow_the_config_when_a_node_is_lost(name: str) -> None:
    """Without it nothing is said, so that the cluster's own default holds."""
    for kind in SERVERS:
        for database in recorded(name).of_kind(kind):
            spec = database.inputs["spec"].get("pxc", database.inputs["spec"])
            assert set(of_lost_nodes(spec).values()) == ({120} if "placed" in name else set())


@ALL_PROXIED
def test_references_of_the_stateful_set_exist(name: str) -> None:
    recording = recorded(name)
    for stateful_set in recording.of_kind("StatefulSet"):
        home = metadata(stateful_set)["namespace"]
        service = recording.one("Service", stateful_set.inputs["spec"]["serviceName"])
        assert metadata(service)["namespace"] == home
        assert service.inputs["spec"]["clusterIP"] == "None"
        assert service.inputs["spec"]["publishNotReadyAddresses"] is True
        database = metadata(stateful_set)["labels"]["app.kubernetes.io/instance"]
        secrets = {
            metadata(r)["name"]
            for r in recording.of_kind("Secret")
            if not r.read and metadata(r)["namespace"] == home
        }
        # The operators' own.
        secrets |= {names.mariadb_ca_bundle(database), names.pxc_ssl_internal(database)}
        # cert-manager's, and the one that the stack names.
        secrets |= {r.inputs["spec"]["secretName"] for r in recording.of_kind("Certificate")}
        secrets.add(trees(by_id()[name])[database].get("proxy", {}).get("tls", {}).get("secret"))
        used = {
            v["secret"]["secretName"] for v in pod_spec(stateful_set)["volumes"] if "secret" in v
        }
        assert used <= secrets


@ALL_PROXIED
def test_mounts_and_ports_are_declared(name: str) -> None:
    recording = recorded(name)
    for workload in (*recording.of_kind("StatefulSet"), *recording.of_kind("Deployment")):
        spec = pod_spec(workload)
        (container,) = spec["containers"]
        volumes = [volume["name"] for volume in spec["volumes"]]
        claims = workload.inputs["spec"].get("volumeClaimTemplates", [])
        volumes += [claim["metadata"]["name"] for claim in claims]
        assert sorted(mount["name"] for mount in container["volumeMounts"]) == sorted(volumes)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert len(set(ports.values())) == len(ports)
        for probe in ("readinessProbe", "livenessProbe"):
            asked = container[probe].get("tcpSocket") or container[probe]["httpGet"]
            assert asked["port"] in ports
        component = pod_labels(workload)["app.kubernetes.io/name"]
        for service in recording.of_kind("Service"):
            if metadata(service)["labels"]["app.kubernetes.io/name"] == component:
                ours = {port["targetPort"] for port in service.inputs["spec"]["ports"]}
                assert ours <= ports.keys()


@ALL_PROXIED
def test_order_of_creation(name: str) -> None:
    """Proxies after the servers and the monitor's account, and each object after its Secrets."""
    recording = recorded(name)
    waits = ancestry(recording)
    for database in recording.of_kind("MariaDB"):
        instance = metadata(database)["name"]
        mine = [
            r
            for r in objects(recording)
            if metadata(r).get("labels", {}).get("app.kubernetes.io/instance") == instance
        ]
        by_kind = {kind: [r.urn for r in mine if r.kind == kind] for kind in {r.kind for r in mine}}
        credentials = [
            r.urn
            for r in mine
            if r.kind == "Secret"
            and metadata(r)["labels"]["app.kubernetes.io/name"] == "credentials"
        ]
        for urn in by_kind.get("MariaDB", []):
            assert set(credentials) <= waits[urn]
        users = {r.inputs["spec"]["name"]: r.urn for r in mine if r.kind == "User"}
        exporters = users.pop("mysql_ha_exporter", None)
        for urn in (*users.values(), *by_kind.get("Database", [])):
            assert set(credentials) | {database.urn} <= waits[urn]
        if exporters:  # before the operator would make it itself
            assert exporters in waits[database.urn]
            users["mysql_ha_exporter"] = exporters
        for grant in (r for r in mine if r.kind == "Grant"):
            assert users[grant.inputs["spec"]["username"]] in waits[grant.urn]
        # The proxies have nothing to do with the heartbeat.
        heartbeats = {*of_app(recording, "Grant", "heartbeat")}
        grants = {
            r.urn for r in mine if r.kind == "Grant" and metadata(r)["name"] not in heartbeats
        }
        for urn in by_kind.get("StatefulSet", []):
            assert {database.urn, *grants} <= waits[urn]


def of_app(recording: Recording, kind: str, component: str) -> dict[str, Resource]:
    """Objects of a kind with the label of a component, by name."""
    return {
        metadata(r)["name"]: r
        for r in objects(recording)
        if r.kind == kind and metadata(r)["labels"]["app.kubernetes.io/name"] == component
    }


@ALL_WITH_APPS
def test_a_password_reaches_the_servers_then_the_proxies_then_the_app(name: str) -> None:
    """So that no Secret names a login that somebody on its way does not know yet."""
    recording = recorded(name)
    waits = ancestry(recording)
    databases = {metadata(r)["name"]: r for kind in SERVERS for r in recording.of_kind(kind)}
    by_name = secrets(recording)
    bindings = of_app(recording, "Secret", "app")
    assert bindings
    for binding in bindings.values():
        database = metadata(binding)["labels"]["app.kubernetes.io/instance"]
        app = metadata(binding)["name"].removeprefix(f"{database}-app-")
        account = by_name[f"{database}-account-{app}"]
        proxies = by_name.get(f"{database}-proxysql-users")
        assert bool(proxies) == bool(tier(recording, database))
        if databases[database].kind == "MariaDB":
            made = [
                r
                for r in recording.resources
                if r.kind == "User"
                and r.inputs["spec"]["passwordSecretKeyRef"]["name"] == metadata(account)["name"]
            ]
            assert made
            logins = {r.inputs["spec"]["name"] for r in made}
            grants = [
                r
                for r in recording.of_kind("Grant")
                if r.inputs["spec"]["username"] in logins
                and r.inputs["spec"]["mariaDbRef"]["name"] == database
            ]
            assert bool(grants) is is_active(recording, database, app)
            for user in made:
                assert {account.urn, databases[database].urn} <= waits[user.urn]
            made += grants
        else:
            made = [databases[database]]
            assert account.urn in waits[databases[database].urn]
        told = {r.urn for r in made} | ({proxies.urn} if proxies else set[str]())
        assert told <= waits[binding.urn]
        if proxies:
            assert {r.urn for r in made} <= waits[proxies.urn]


def is_active(recording: Recording, database: str, app: str) -> bool:
    """Whether an app's accounts have its own passwords in the servers, and their privileges."""
    return f"{database}-app-{app}.locked" not in {r.name for r in recording.resources}


def secrets(recording: Recording) -> dict[str, Resource]:
    """The Secrets that the stack makes, by name; no two of a case have the same."""
    return {metadata(r)["name"]: r for r in objects(recording) if r.kind == "Secret"}


def tier(recording: Recording, database: str) -> list[Resource]:
    """The StatefulSet of a database's proxies, if there is one."""
    return [
        r
        for r in recording.of_kind("StatefulSet")
        if metadata(r)["labels"]["app.kubernetes.io/instance"] == database
    ]


# --- protection and disruption ---


@ALL_CASES
def test_protection_follows_the_size(name: str) -> None:
    recording = recorded(name)
    sizes = _sizes(by_id()[name])
    for resource in recording.resources:
        if resource.kind in (*SERVERS, "RandomPassword", "Secret") and not resource.read:
            # What the servers learn once; the other passwords can be made anew. Percona's operator
            # carries a new password of root to them.
            database = next(n for n in sizes if resource.name.startswith(n))
            once = ("-root", "-replication", "-secrets")
            if engines(by_id()[name])[database] == "percona":
                once = ("-secrets",)
            precious = resource.kind in SERVERS or resource.name.endswith(once)
            assert resource.protect == (precious and sizes[database] != "dev"), resource.urn
        if resource.kind == "RandomPassword":
            assert {"length", "special"} <= set(resource.ignore_changes)
            assert plain(resource.inputs["length"]) == 32
            assert plain(resource.inputs["special"]) is False


def _sizes(case: Case) -> dict[str, str]:
    """Database name to size."""
    return {name: tree.get("size", "dev") for name, tree in trees(case).items()}


@ALL_CASES
def test_disruption_budgets_follow_the_size(name: str) -> None:
    recording, sizes = recorded(name), _sizes(by_id()[name])
    proxied = {metadata(r)["name"] for r in recording.of_kind("StatefulSet")}
    budgets = {metadata(r)["name"]: r for r in recording.of_kind("PodDisruptionBudget")}
    engine = engines(by_id()[name])
    expected = {ENGINES[engine[n]].proxies(n) for n, s in sizes.items() if s != "dev"} & proxied
    assert budgets.keys() == expected
    for budget in budgets.values():
        assert budget.inputs["spec"]["maxUnavailable"] == 1
    for database in recording.of_kind("MariaDB"):
        size = sizes[metadata(database)["name"]]
        budget = database.inputs["spec"].get("podDisruptionBudget")
        assert budget == (None if size == "dev" else {"maxUnavailable": 1})


def test_a_single_proxy_may_have_a_disruption_budget() -> None:
    """`maxUnavailable: 1` never blocks a drain."""
    budget = run_edited({"proxy": {"replicas": 1}}).one("PodDisruptionBudget")
    assert budget.inputs["spec"]["maxUnavailable"] == 1
    assert "minAvailable" not in budget.inputs["spec"]


@ALL_CASES
def test_the_engine_waits_long_enough_for_the_servers(name: str) -> None:
    for database in recorded(name).of_kind("MariaDB"):
        assert metadata(database)["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
        assert database.timeouts["create"] == database.timeouts["update"] != ""


# --- the monitor's account (R 25) ---


@ALL_PROXIED
def test_the_monitor_is_a_least_privilege_account(name: str) -> None:
    recording = recorded(name)
    for grant in of_app(recording, "Grant", "proxysql-monitor").values():
        assert set(grant.inputs["spec"]["privileges"]) <= {
            "USAGE",
            "SLAVE MONITOR",
            "REPLICATION MASTER ADMIN",
        }
    for user in of_app(recording, "User", "proxysql-monitor").values():
        assert user.inputs["spec"]["maxUserConnections"] > 4
    for user in recording.of_kind("User"):
        assert user.inputs["spec"]["name"] not in ("root", "admin", "stats", "monitor")


# --- what goes when an account goes ---


@ALL_CASES
def test_sql_objects_are_deleted_in_the_background(name: str) -> None:
    """In the foreground the operator's finalizer may never end (components/sql_objects.py)."""
    for kind in ("Database", "User", "Grant"):
        for resource in recorded(name).of_kind(kind):
            assert metadata(resource)["annotations"].items() >= IN_BACKGROUND.items(), resource.urn


@ALL_CASES
def test_a_grant_goes_before_what_it_is_about(name: str) -> None:
    """Pulumi deletes in the reverse order, and what is revoked should still be there."""
    recording = recorded(name)
    before = ancestry(recording)
    accounts, schemas = (
        {
            (r.inputs["spec"]["mariaDbRef"]["name"], r.inputs["spec"]["name"]): r.urn
            for r in recording.of_kind(kind)
        }
        for kind in ("User", "Database")
    )
    for grant in recording.of_kind("Grant"):
        spec = grant.inputs["spec"]
        database = spec["mariaDbRef"]["name"]
        assert accounts[database, spec["username"]] in before[grant.urn]
        if spec["database"] != "*":
            assert schemas[database, spec["database"].replace("\\_", "_")] in before[grant.urn]


# --- the accounts of apps ---


@ALL_WITH_APPS
def test_an_app_may_do_nothing_beyond_its_databases(name: str) -> None:
    """No privilege is global, none can be passed on, and no other database's name fits."""
    recording = recorded(name)
    for grant in of_app(recording, "Grant", "account").values():
        spec = grant.inputs["spec"]
        assert spec.keys() == {
            *("mariaDbRef", "username", "host", "database", "table", "privileges"),
            "cleanupPolicy",
        }
        assert "*" not in spec["database"]
        assert not re.search(r"(?<!\\)[_%]", spec["database"]), "a wildcard of GRANT"
        assert spec["table"] == "*"
        assert spec["cleanupPolicy"] == "Delete"
        assert set(spec["privileges"]) <= DATABASE_PRIVILEGES | {"ALL PRIVILEGES"}
    for cluster in recording.of_kind("PerconaXtraDBCluster"):
        for user in cluster.inputs["spec"].get("users", []):
            assert "withGrantOption" not in user
            # With privileges and no database the operator would grant them on all of them.
            assert bool(user.get("dbs")) == bool(user.get("grants"))
            assert "*" not in str(user.get("dbs"))


@ALL_WITH_APPS
def test_every_reference_of_an_account_leads_to_its_password(name: str) -> None:
    """The Secret of the same app, under the key of the same login."""
    recording = recorded(name)
    texts = {n: plain(r.inputs)["stringData"] for n, r in secrets(recording).items()}
    for secret_name, binding in of_app(recording, "Secret", "app").items():
        database = metadata(binding)["labels"]["app.kubernetes.io/instance"]
        entries = texts[secret_name]
        (reference,) = [
            reference
            for user, reference in references(recording, database)
            if user == entries["username"]
        ]
        assert reference["name"] == secret_name.replace("-app-", "-account-", 1)
        stored = texts[reference["name"]]
        app = secret_name.removeprefix(f"{database}-app-")
        active = is_active(recording, database, app)
        assert (stored[reference["key"]] == entries["password"]) is active
        # Both logins of a rotated app are there, with passwords of their own.
        assert len(set(stored.values())) == (len(stored) if active else 1)
        if stateful_sets := tier(recording, database):
            plugin = "percona" not in engines(by_id()[name])[database]
            rows = {row["username"]: row for row in cnf(recording, stateful_sets[0])["mysql_users"]}
            password = rows[entries["username"]]["password"]
            known = native_password_hash(entries["password"]) if plugin else entries["password"]
            assert password == known


def references(recording: Recording, database: str) -> list[tuple[str, dict[str, str]]]:
    """(user, where its password is) of every account that an operator makes."""
    found = [
        (r.inputs["spec"]["name"], r.inputs["spec"]["passwordSecretKeyRef"])
        for r in recording.of_kind("User")
        if r.inputs["spec"]["mariaDbRef"]["name"] == database
    ]
    for cluster in recording.of_kind("PerconaXtraDBCluster"):
        if metadata(cluster)["name"] == database:
            users = cluster.inputs["spec"].get("users", [])
            found += [(user["name"], user["passwordSecretRef"]) for user in users]
    return found


# --- the Pods of the proxy tier ---


@ALL_PROXIED
def test_pods_meet_pod_security_restricted(name: str) -> None:
    """R 37."""
    for stateful_set in recorded(name).of_kind("StatefulSet"):
        spec = pod_spec(stateful_set)
        assert pod_security.violations(spec) == []
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsUser"] == 999
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "env" not in container
            assert "envFrom" not in container


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("given", [False, True])
def test_pods_name_no_ids_where_the_cluster_assigns_them(engine: str, *, given: bool) -> None:
    """As OpenShift does."""
    security = {} if given else {"security": {"set_user_ids": False}}
    proxy = {"proxy": {"managed_by": "mysql-ha"}}
    recording = case("ids", {"size": "small", "engine": engine, **proxy, **security}).run()
    keys = {
        leaf.rpartition(".")[2]
        for resource in recording.resources
        for leaf, _, _ in leaves(resource.inputs)
    }
    assert ("runAsUser" in keys, "runAsGroup" in keys, "fsGroup" in keys) == (given,) * 3
    (stateful_set,) = recording.of_kind("StatefulSet")
    assert pod_security.violations(pod_spec(stateful_set)) == []


@ALL_PROXIED
def test_it_starts_from_the_file_alone(name: str) -> None:
    """R 2, 3, 4, 6: a fresh start, no resurrected data, no subPath, no LOAD after the start."""
    for stateful_set in recorded(name).of_kind("StatefulSet"):
        spec = pod_spec(stateful_set)
        (container,) = spec["containers"]
        arguments = container["args"]
        # With a certificate a shell makes links first; test_proxy_tls.py runs it.
        assert container["command"][:-1] == [] or container["command"][:2] == ["sh", "-c"]
        assert container["command"][-1] == "proxysql"
        assert {"-f", "--initial"} <= set(arguments)
        assert "--reload" not in arguments
        assert arguments[arguments.index("-c") + 1] == "/etc/proxysql/proxysql.cnf"
        data = arguments[arguments.index("-D") + 1]
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert not any("subPath" in mount for mount in mounts.values())
        for path in ("/etc/proxysql", "/etc/proxysql-users"):
            (volume,) = [v for v in spec["volumes"] if v["name"] == mounts[path]["name"]]
            assert "secret" in volume
            assert volume["secret"]["defaultMode"] == 0o440
            assert mounts[path]["readOnly"] is True
        empty = [v for v in spec["volumes"] if v["name"] == mounts[data]["name"]]
        claimed = "volumeClaimTemplates" in stateful_set.inputs["spec"]
        assert claimed or "sizeLimit" in empty[0]["emptyDir"]
        assert "postStart" not in container["lifecycle"]


@ALL_PROXIED
def test_probes_neither_depend_on_servers_nor_show_a_password(name: str) -> None:
    """R 35; canaries in argv are found by test_no_secret_outside_secrets."""
    for stateful_set in recorded(name).of_kind("StatefulSet"):
        (container,) = pod_spec(stateful_set)["containers"]
        for probe in ("readinessProbe", "livenessProbe"):
            assert set(container[probe]) & {"exec", "tcpSocket", "httpGet"} == {"tcpSocket"}
        command = " ".join(container["startupProbe"]["exec"]["command"])
        assert "self-check.sql" in command
        assert "/etc/proxysql-users/in-use.sql" in command
        assert "--defaults-extra-file=/etc/proxysql/admin.cnf" in command
        assert " -p" not in command
        assert "--password" not in command


@ALL_PROXIED
def test_the_grace_period_covers_the_drain(name: str) -> None:
    """R 34."""
    recording, config = recorded(name), by_id()[name].config
    drain = config.get("proxy", {}).get("drain", {})
    removal, timeout = drain.get("endpoint_removal", 8), drain.get("timeout", 45)
    for stateful_set in recording.of_kind("StatefulSet"):
        spec = pod_spec(stateful_set)
        command = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
        assert f"sleep {removal};" in command
        assert "PROXYSQL PAUSE" in command
        assert "SHUTDOWN" not in command
        assert f"end=$(($(date +%s) + {timeout}));" in command
        assert spec["terminationGracePeriodSeconds"] > removal + timeout


@pytest.mark.parametrize(
    ("client", "took"),
    [
        ("echo 0", 0),  # no session is left
        ("echo 3", 3),  # sessions that never end
        ("sleep 2; echo 3", 3),  # and a slow answer: the deadline is a time, no count
        ("exit 1", 3),  # an admin interface that does not answer
    ],
)
def test_the_drain_ends_in_time(client: str, took: int, tmp_path: Path) -> None:
    """R 34, in a real shell whose clock goes on when something sleeps."""
    drain = {"proxy": {"drain": {"endpoint_removal": 0, "timeout": 3}}}
    (container,) = pod_spec(run_edited(drain).one("StatefulSet"))["containers"]
    clock = tmp_path / "clock"
    clock.write_text("0\n")
    programs = {
        "mariadb": f'echo "$@" >> {tmp_path}/calls\ncase "$*" in *PAUSE) exit ;; esac\n{client}',
        "date": f"cat {clock}",
        "sleep": f"echo $(($(cat {clock}) + $1)) > {clock}",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(command, env=environment, timeout=60)
    assert took <= int(clock.read_text()) <= took + (2 if took else 0)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].endswith("-e PROXYSQL PAUSE")
    assert all("Client_Connections_connected" in call for call in calls[1:])


@ALL_PROXIED
def test_rolling_updates_are_careful(name: str) -> None:
    """R 38."""
    for stateful_set in recorded(name).of_kind("StatefulSet"):
        spec = stateful_set.inputs["spec"]
        # Longer than the interval of the script that loads logins.
        rows = cnf(recorded(name), stateful_set)["scheduler"]
        (interval,) = {r["interval_ms"] for r in rows if r["arg1"].endswith("/reload.sh")}
        assert spec["minReadySeconds"] * 1000 > interval
        assert spec["podManagementPolicy"] == "Parallel"
        assert "updateStrategy" not in spec, "RollingUpdate is the default"


@ALL_PROXIED
def test_the_client_service_shows_the_client_port_only(name: str) -> None:
    """R 17."""
    recording = recorded(name)
    for stateful_set in recording.of_kind("StatefulSet"):
        service = recording.one("Service", metadata(stateful_set)["name"])
        (port,) = service.inputs["spec"]["ports"]
        assert port["targetPort"].startswith("mysql")


def test_the_client_service_says_who_reaches_it_and_how() -> None:
    recording = recorded("replication-users")
    proxies = metadata(recording.one("StatefulSet"))["name"]
    spec = recording.one("Service", proxies).inputs["spec"]
    assert spec["externalTrafficPolicy"] == "Local"
    assert spec["loadBalancerSourceRanges"] == ["10.0.0.0/8", "fd00::/8"]
    assert spec["loadBalancerClass"] == "example.com/internal"


@ALL_PROXIED
def test_the_admin_interface_is_exposed_only_on_demand(name: str) -> None:
    recording, config = recorded(name), by_id()[name].config
    asked = config.get("proxy", {}).get("service", {}).get("expose_admin", False)
    exposed = [
        r
        for r in of_app(recording, "Service", "proxysql").values()
        if r.inputs["spec"].get("clusterIP") != "None"
        and any(not port["targetPort"].startswith("mysql") for port in r.inputs["spec"]["ports"])
    ]
    assert bool(exposed) == asked


# --- several databases ---


@pytest.mark.parametrize("name", ["orders", "stock"])
def test_a_database_is_the_same_alone_and_among_others(name: str) -> None:
    several = by_id()["several"]
    shared = {key: value for key, value in several.config.items() if key != "databases"}
    own = several.config["databases"][name]
    alone = Case(
        id="several",
        config={
            **shared,
            **own,
            "name": name,
            "proxy": {**shared["proxy"], **own.get("proxy", {})},
        },
        secret_keys=several.secret_keys,
    ).run()
    assert alone.error is None
    among = as_shown(recorded("several"))
    assert as_shown(alone).items() <= among.items()


def test_databases_own_everything_but_the_provider() -> None:
    recording = recorded("several")
    stacks = {r.name: r.urn for r in recording.of_kind("DatabaseStack")}
    assert set(stacks) == {"orders", "stock"}
    owned = [r for r in recording.resources if "DatabaseStack" in r.urn]
    assert {r.name for r in recording.resources if r not in owned} == {"kubernetes"}
    for resource in owned:
        assert sum(resource.name.startswith(name) for name in stacks) == 1


SHARED: list[dict[str, Any]] = [
    {"create_namespace": True, "namespace": "shop", "databases": {"one": {}, "two": {}}},
    {
        "namespace": "shop",
        "databases": {"one": {"create_namespace": True}, "two": {"size": "small"}},
    },
]


@pytest.mark.parametrize("config", SHARED, ids=["both-make-it", "one-makes-it"])
def test_databases_share_a_namespace_that_the_stack_makes(config: dict[str, Any]) -> None:
    recording = case("shared", config).run()
    assert recording.error is None
    (namespace,) = recording.of_kind("Namespace")
    waits = ancestry(recording)
    for resource in objects(recording):
        assert resource is namespace or namespace.urn in waits[resource.urn], resource.urn


def test_only_databases_of_a_namespace_wait_for_it() -> None:
    config = {"databases": {"one": {"create_namespace": True, "namespace": "shop"}, "two": {}}}
    recording = case("apart", config).run()
    (namespace,) = recording.of_kind("Namespace")
    waits = ancestry(recording)
    for resource in objects(recording):
        if metadata(resource).get("namespace") == "default":
            assert namespace.urn not in waits[resource.urn], resource.urn


# --- edits ---

BASE: dict[str, Any] = {
    "size": "small",
    "proxy": {"users": [{"username": "app", "existing_secret": {"name": "app", "key": "pw"}}]},
}


def edited(edit: dict[str, Any], base: dict[str, Any] = BASE) -> dict[str, Any]:
    """`base` with some fields changed."""
    merged = dict(base)
    for key, value in edit.items():
        below = merged.get(key)
        merged[key] = edited(value, below) if isinstance(below, dict) else value  # pyright: ignore
    return merged


def run_edited(edit: dict[str, Any], base: dict[str, Any] = BASE) -> Recording:
    return _run_edited(json.dumps(edited(edit, base)))


@cache
def _run_edited(config: str) -> Recording:
    recording = case("edit", json.loads(config)).run()
    assert recording.error is None, recording.error
    return recording


def cnf_secret(recording: Recording) -> str:
    (secret,) = [r for r in recording.of_kind("Secret") if r.name.endswith("-proxysql-cnf")]
    return metadata(secret)["name"]


def logins_secret(recording: Recording) -> Resource:
    (secret,) = [r for r in recording.of_kind("Secret") if r.name.endswith("-proxysql-users")]
    return secret


def pod_template(recording: Recording) -> Any:
    return recording.one("StatefulSet").inputs["spec"]["template"]


EDITS: list[dict[str, Any]] = [
    {"proxy": {"replicas": 5}},
    {"proxy": {"threads": 4}},
    {"proxy": {"pod_labels": {"a": "b"}}},
    {"proxy": {"pod_annotations": {"a": "b"}}},
    {"proxy": {"service": {"port": 3306, "type": "LoadBalancer"}}},
    {"proxy": {"interfaces": "0.0.0.0:3307"}},
    {"proxy": {"clustering": "off"}},
    {"proxy": {"resources": {"limits": {"cpu": "2"}}}},
    {"proxy": {"drain": {"timeout": 90}}},
    {"proxy": {"monitor": {"username": "watch"}}},
    {"proxy": {"mysql_variables": {"wait_timeout": 1000}}},
    {"proxy": {"users": []}},
    {"scheduling": {"proxy": {"spread": "required", "disruption_budget": False}}},
    {"images": {"proxy": {"tag": "3.0.12"}}},
    {"security": {"tls": {"enabled": False}, "proxy": {"run_as_user": 1000}}},
    {"credentials": {"monitor": {"rotation": 1}}},
    {"proxy": {"routing": "monitor"}},
    {"proxy": {"read_write_split": True, "query_rules": [{"rule_id": 1, "timeout": 1000}]}},
    {"proxy": {"tls": {"secret": "certificate", "required": True}}},
    {"proxy": {"tls": {"issuer": {"name": "company"}}}},
    {"security": {"network_policy": {"enabled": False}}},
    {"apps": [shop(rotation=1)]},
    {"database": {"storage": {"size": "20Gi"}}},
]
PERSISTENT = edited({"proxy": {"storage": {"persistent": True, "size": "2Gi"}}})


BOTH_BASES = pytest.mark.parametrize("base", [BASE, PERSISTENT], ids=["empty-dir", "persistent"])


@BOTH_BASES
@pytest.mark.parametrize("edit", [{}, EDITS[0], EDITS[-1]], ids=str)
def test_an_edit_is_accepted_after_an_update(edit: dict[str, Any], base: dict[str, Any]) -> None:
    """Also the edit of nothing: a second `pulumi up` reads what the first one exported."""
    before = run_edited({}, base)
    after = case("edit", edited(edit, base)).run(previous=before.outputs)
    assert after.error is None, after.error


@BOTH_BASES
@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_no_edit_replaces_the_stateful_set(edit: dict[str, Any], base: dict[str, Any]) -> None:
    fixed = (
        "selector",
        "serviceName",
        "volumeClaimTemplates",
        "podManagementPolicy",
        "revisionHistoryLimit",
    )
    before = run_edited({}, base).one("StatefulSet").inputs
    after = run_edited(edit, base).one("StatefulSet").inputs
    assert before != after or "replicas" not in edit.get("proxy", {})
    assert [before["spec"].get(key) for key in fixed] == [after["spec"].get(key) for key in fixed]
    assert before["metadata"]["name"] == after["metadata"]["name"]


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_no_edit_changes_a_urn_or_a_pinned_name(edit: dict[str, Any]) -> None:
    before = {r.urn: metadata(r).get("name") for r in run_edited({}).resources}
    after = {r.urn: metadata(r).get("name") for r in run_edited(edit).resources}
    kept = before.keys() & after.keys()
    changed = {urn.split("::", 2)[2] for urn in before.keys() ^ after.keys()}
    assert (
        changed
        <= {
            "mysql-ha:index:DatabaseStack$mysql-ha:index:ProxySql$"
            "kubernetes:policy/v1:PodDisruptionBudget::mysql-proxysql",
            "mysql-ha:index:DatabaseStack$mysql-ha:index:ProxySql$"
            "kubernetes:networking.k8s.io/v1:NetworkPolicy::mysql-proxysql",
            "mysql-ha:index:DatabaseStack$mysql-ha:index:ProxySql$"
            "kubernetes:cert-manager.io/v1:Certificate::mysql-proxysql-tls",
            "kubernetes:core/v1:Secret::mysql-proxy.users[0]",
            "pulumi:providers:kubernetes::reader",
            "mysql-ha:index:DatabaseStack$mysql-ha:index:Credentials$"
            "random:index/randomPassword:RandomPassword::mysql-monitor.b",
            "mysql-ha:index:DatabaseStack$mysql-ha:index:MariaDb$"
            "kubernetes:k8s.mariadb.com/v1alpha1:User::mysql-monitor-user.b",
            "mysql-ha:index:DatabaseStack$mysql-ha:index:MariaDb$"
            "kubernetes:k8s.mariadb.com/v1alpha1:Grant::mysql-monitor-grant.b",
        }
        or "apps" in edit
    ), "a budget, a policy, a certificate, a second monitor, or the read of the user's Secret"
    assert not before.keys() - after.keys() or "apps" not in edit
    assert all(before[urn] == after[urn] for urn in kept if not urn.endswith("-proxysql-cnf"))


@pytest.mark.parametrize(
    "edit",
    [
        {"proxy": {"mysql_variables": {"wait_timeout": 1000}}},
        {"proxy": {"max_connections": 4096}},
        {"database": {"max_connections": 600}},
        {"proxy": {"routing": "monitor"}},
        {"proxy": {"read_write_split": True}},
        {"proxy": {"query_rules": [{"rule_id": 1, "timeout": 1000}]}},
        {"proxy": {"tls": {"secret": "certificate"}}},
        {"proxy": {"tls": {"issuer": {"name": "company"}}}},
        {"credentials": {"monitor": {"rotation": 1}}},
        {"credentials": {"proxy_admin": {"rotation": 1}}},
        {"credentials": {"proxy_stats": {"rotation": 1}}},
        {"credentials": {"proxy_cluster": {"rotation": 1}}},
        {"proxy": {"stats_readers": [{"namespace": "monitoring"}]}},
    ],
    ids=str,
)
def test_an_edit_of_the_configuration_rolls_the_pods(edit: dict[str, Any]) -> None:
    before, after = run_edited({}), run_edited(edit)
    assert cnf_secret(before) != cnf_secret(after)
    assert pod_template(before) != pod_template(after)


@pytest.mark.parametrize(
    "edit",
    [
        {"proxy": {"users": []}},
        {"proxy": {"users": [*BASE["proxy"]["users"], {"username": "b", "password": SECURE}]}},
        {"proxy": {"users": [{**BASE["proxy"]["users"][0], "max_connections": 5}]}},
        {"proxy": {"users": [{**BASE["proxy"]["users"][0], "active": False}]}},
        {"proxy": {"users": [{"username": "app", "password": SECURE}]}},
        {"proxy": {"tls": {"required": True}}},
        {"apps": [shop(rotation=1), LEGACY]},
        {"apps": [LEGACY, {**REPORTS, "max_connections": 5}]},
    ],
    ids=str,
)
def test_an_edit_of_the_logins_rolls_no_pod(edit: dict[str, Any]) -> None:
    """Running proxies load the Secret, whose name stays."""
    base = edited({"apps": [shop()]})
    before, after = run_edited({}, base), run_edited(edit, base)
    assert plain(logins_secret(before).inputs) != plain(logins_secret(after).inputs)
    assert metadata(logins_secret(before)) == metadata(logins_secret(after))
    assert before.one("StatefulSet").inputs == after.one("StatefulSet").inputs
    (old,), (new,) = (
        [r.inputs for r in recording.of_kind("Secret") if r.name.endswith("-proxysql-cnf")]
        for recording in (before, after)
    )
    assert old == new


@pytest.mark.parametrize("replicas", [2, 5])
def test_another_number_of_proxies_is_the_number_and_the_file_of_peers(replicas: int) -> None:
    """Running proxies load the Secret, and share the servers' connections out as before."""
    base = edited({"apps": [shop()]})
    runs = run_edited({}, base), run_edited({"proxy": {"replicas": replicas}}, base)
    before, after = ({r.urn: plain(r.inputs) for r in run.resources} for run in runs)
    assert before.keys() == after.keys()
    changed = {urn.rpartition("::")[2] for urn in before if before[urn] != after[urn]}
    assert changed == {"mysql-proxysql", "mysql-proxysql-users"}
    old, new = (run.one("StatefulSet").inputs["spec"] for run in runs)
    assert new == {**old, "replicas": replicas}
    old, new = (plain(logins_secret(run).inputs)["stringData"] for run in runs)
    assert {file for file in old if old[file] != new[file]} == {
        "peers.cnf",
        "read.sql",
        "in-use.sql",
    }


def test_a_pause_takes_the_pods_away_and_nothing_else() -> None:
    """The template is the same, so that the end of the pause starts what ran before."""
    base = edited({"apps": [shop()], "proxy": {"service": {"expose_admin": True}}})
    runs = run_edited({}, base), run_edited({"proxy": {"paused": True}}, base)
    before, after = ({r.urn: plain(r.inputs) for r in run.resources} for run in runs)
    assert before.keys() == after.keys()
    services = [r.urn for r in runs[0].of_kind("Service") if "clusterIP" not in r.inputs["spec"]]
    (tier,) = (r.urn for r in runs[0].of_kind("StatefulSet"))
    assert {urn for urn in before if before[urn] != after[urn]} == {tier, *services}
    assert len(services) == 2
    assert after[tier]["spec"] == {**before[tier]["spec"], "replicas": 0}
    for urn in services:
        # Pulumi would wait for an endpoint.
        assert after[urn]["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
        assert after[urn]["spec"] == before[urn]["spec"]
    old, new = (run.outputs for run in runs)
    assert (old["proxysql"]["replicas"], new["proxysql"]["replicas"]) == (3, 0)
    assert old["immutable"] == new["immutable"]


def test_another_reader_of_statistics_rolls_no_pod() -> None:
    """Who may reach the port is in the policy alone."""
    base = edited({"proxy": {"stats_readers": [{"namespace": "a"}]}})
    before, after = (
        {r.urn: plain(r.inputs) for r in run.resources}
        for run in (
            run_edited({}, base),
            run_edited({"proxy": {"stats_readers": [{"namespace": "b"}]}}, base),
        )
    )
    assert before.keys() == after.keys()
    changed = {urn for urn in before if before[urn] != after[urn]}
    assert [urn.rpartition(":NetworkPolicy::")[2] for urn in changed] == ["mysql-proxysql"]


def test_a_changed_source_of_a_password_rolls_the_pods() -> None:
    given = {"existing_secret": {"name": "given", "key": "pw"}}
    before, after = run_edited({}), run_edited({"credentials": {"monitor": given}})
    assert cnf_secret(before) != cnf_secret(after)


@pytest.mark.parametrize("preview", [False, True])
def test_a_changed_secret_value_rolls_nothing(preview: bool) -> None:
    """It cannot, for a preview shows names and Pods; `rotation` is there for that."""
    base = with_existing(case("edit", BASE))
    numbers = count()
    texts = {
        name: {key: f"other-{next(numbers)}-" * 4 for key in keys}
        for name, keys in base.existing.items()
    }
    other = Case(id=base.id, config=base.config, existing=texts)
    before, after = base.run(preview=preview), other.run(preview=preview)
    assert before.error is after.error is None
    assert cnf_secret(before) == cnf_secret(after)
    assert pod_template(before) == pod_template(after)
    for part in ("-proxysql-cnf", "-proxysql-users"):
        data = [plain(r.inputs) for run in (before, after) for r in run.resources if part in r.name]
        assert data[0] != data[1], "the Secret's own text did change"


def test_an_edit_of_the_servers_leaves_the_proxies_alone() -> None:
    after = run_edited({"database": {"storage": {"size": "20Gi"}, "my_cnf": "sync_binlog = 1"}})
    assert pod_template(run_edited({})) == pod_template(after)


# --- the output contract ---

ENDPOINT = {"host": str, "port": int, "reader_host": str, "reader_port": int}
CONTRACT: dict[str, Any] = {
    "schema_version": int,
    "engine": str,
    "size": str,
    "namespace": str,
    "name": str,
    **ENDPOINT,
    "MYSQL_HOST": str,
    "MYSQL_PORT": str,
    "admin_secret": {"name": str, "key": str},
    "ca_secret": {"name": str, "key": str},
    "apps": {},
    "backup": {"where": str, "newest_allowed_age_seconds": int, "drill": str},
    "proxysql": {"replicas": int, "admin_host": str, "admin_port": int},
    "status": {"state": str, "ready": int, "size": int, "details": list},
}


APP = {"secret": str, "database": str, "username": str, **ENDPOINT}


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: types(below) for key, below in cast(dict[str, Any], value).items()}
    return type(cast(object, value))


@ALL_CASES
def test_the_contract_of_the_outputs(name: str) -> None:
    """`ca_secret` is absent where nothing can be verified, `proxysql` without a proxy, `backup` and
    its `drill` without any."""
    outputs = dict(recorded(name).outputs)
    assert isinstance(outputs.pop("immutable"), dict)
    assert isinstance(outputs.pop("fingerprints", Secret({})), Secret)
    contracts = [outputs]
    if "databases" in by_id()[name].config:
        assert outputs.keys() == {"schema_version", "databases"}
        contracts = list(outputs["databases"].values())
    for contract in contracts:
        absent = CONTRACT.keys() - contract.keys()
        assert absent <= {"ca_secret", "proxysql", "backup"}
        expected = {key: CONTRACT[key] for key in CONTRACT if key not in absent}
        tree = trees(by_id()[name])[contract["name"]]
        if "drill" not in contract.get("backup", {"drill"}):
            expected["backup"] = {k: v for k, v in CONTRACT["backup"].items() if k != "drill"}
        expected["apps"] = {app["name"]: APP for app in tree.get("apps", [])}
        assert types(contract) == expected
        assert contract["schema_version"] == 1
        assert contract["MYSQL_HOST"] == contract["host"]
        assert contract["MYSQL_PORT"] == str(contract["port"])


@ALL_WITH_APPS
def test_an_apps_output_leads_to_its_secret(name: str) -> None:
    """With the Secret's own words. An app that only reads goes to the readers (without proxies)."""
    recording = recorded(name)
    outputs = recording.outputs
    made, found = secrets(recording), 0
    for contract in outputs.get("databases", {"": outputs}).values():
        for entry in contract["apps"].values():
            secret = made[entry["secret"]]
            assert metadata(secret)["namespace"] == contract["namespace"]
            entries = plain(secret.inputs)["stringData"]
            assert entries["database"] == entry["database"]
            assert entries["username"] == entry["username"]
            assert entries["host"] == entry["host"]
            assert entries["port"] == str(entry["port"]) == str(contract["port"])
            assert entry["host"] in (contract["host"], contract["reader_host"])
            assert entry["reader_host"] == contract["reader_host"]
            found += 1
    assert found == len(of_app(recording, "Secret", "app")) > 0


@pytest.mark.parametrize("name", ["dev", "small", "dev-proxy"])
def test_the_contract_says_what_there_is(name: str) -> None:
    assert ("proxysql" in recorded(name).outputs) == (name != "dev")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dev", None),
        # Each proxy makes its own certificate: no CA can tell it from another's.
        ("small", None),
        ("servers-issuer", None),
        ("tls-issuer", {"name": "mysql-proxysql-tls", "key": "ca.crt"}),
        ("tls-secret", {"name": "shown-to-clients", "key": "root.pem"}),
        # Without proxies `host` is the servers', whoever signed their certificate.
        ("servers-secret", {"name": "mysql-ca-bundle", "key": "ca.crt"}),
    ],
)
def test_the_ca_is_that_of_the_host(name: str, expected: dict[str, str] | None) -> None:
    assert recorded(name).outputs.get("ca_secret") == expected


@pytest.mark.parametrize(
    ("name", "host", "port", "reader"),
    [
        ("dev", "mysql-dev.default", 3306, "mysql-dev.default"),
        ("small", "mysql-small-proxysql.default", 6033, "mysql-small-proxysql.default"),
        ("replication-users", "mysql-proxysql.shop", 3306, "mysql-proxysql.shop"),
    ],
)
def test_endpoints(name: str, host: str, port: int, reader: str) -> None:
    outputs = recorded(name).outputs
    assert outputs["host"] == f"{host}.svc.cluster.local"
    assert outputs["port"] == outputs["reader_port"] == port
    assert outputs["reader_host"] == f"{reader}.svc.cluster.local"


def test_endpoints_without_a_proxy_are_the_operators_services() -> None:
    outputs = case("bare", {"size": "small", "proxy": {"enabled": False}}).run().outputs
    assert outputs["ca_secret"] == {"name": "mysql-ca-bundle", "key": "ca.crt"}
    assert outputs["host"] == "mysql-primary.default.svc.cluster.local"
    assert outputs["reader_host"] == "mysql-secondary.default.svc.cluster.local"
    assert "proxysql" not in outputs


@ALL_PROXIED
def test_endpoints_are_services_of_the_stack(name: str) -> None:
    recording = recorded(name)
    outputs = recording.outputs
    for contract in outputs.get("databases", {"": outputs}).values():
        for host, port in (
            (contract["host"], contract["port"]),
            (contract["proxysql"]["admin_host"], contract["proxysql"]["admin_port"]),
        ):
            service, namespace = host.split(".")[:2]
            found = recording.one("Service", service)
            assert metadata(found)["namespace"] == namespace
            assert port in [p["port"] for p in found.inputs["spec"]["ports"]]
