"""Tier 4: the examples of both engines and of every mode, as they are, and edits of a Percona one.

No Percona operator runs here: KWOK says in its place that each cluster is ready
(local/cluster/kwok.yaml). The tests run in order, each on what the last one left.
"""

import copy
import json
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from pulumi.automation import OutputMap, Stack

from local import REPOSITORY, LocalError
from local import engine as local_engine
from local.control_plane import ControlPlane
from local.engine import Engine
from render.recorder import plain
from tests.engine.api import Api
from tests.engine.stacks import Cluster, changes, raw_state, refused
from tests.schema.test_crds import NEWEST, PERCONA, PROXIES, percona_cluster

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

KINDS = {
    "kubernetes:pxc.percona.com/v1:PerconaXtraDBCluster": "perconaxtradbclusters",
    "kubernetes:k8s.mariadb.com/v1alpha1:MariaDB": "mariadbs",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    # stack: how the host begins, port, Pods that the status counts
    "galera": {"host": "mysql-galera-proxysql.default", "port": 6033},
    "replication": {"host": "mysql-replication-proxysql.default", "port": 6033},
    "replication-primary-service": {"host": "mysql-primary-svc-proxysql.default", "port": 6033},
    "monitoring": {"host": "shop-proxysql.default", "port": 6033},
    "percona-operator": {"host": "mysql-percona-proxysql.default", "port": 3306, "pods": 6},
    "percona-standalone": {"host": "mysql-pxc-", "port": 6033, "pods": 3},
    "wandb-mysql": {"host": "wandb-mysql-proxysql.wandb", "port": 3306, "pods": 6},
    "wandb-mysql-dev": {"host": "wandb-mysql-pxc.wandb-dev", "port": 3306, "pods": 1},
}


FURTHER = ("replication-primary-service", "percona-operator", "wandb-mysql")
"""Whose engine, proxies and waits others have too."""


@cache
def settings(name: str) -> dict[str, Any]:
    return local_engine.stack_config(REPOSITORY / "examples" / f"Pulumi.{name}.yaml")


def with_values(name: str, /, **overrides: Any) -> dict[str, Any]:
    """An example's config with other values for whole keys."""
    return {**settings(name), **{f"mysql-ha:{key}": value for key, value in overrides.items()}}


@pytest.fixture(scope="module")
def stacks(engine: Engine, control_plane: ControlPlane) -> Iterator[dict[str, Stack]]:
    """The examples, with the namespaces and the Secret that they expect."""
    for name in EXAMPLES:
        for namespace in local_engine.namespaces(settings(name)):
            Api(control_plane).ensure_namespace(namespace)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pxc-shop-credentials", "namespace": "default"},
        "stringData": {"password": "canary_of_the_shop"},
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    yield {name: engine.open(f"example-{name}", settings(name)) for name in EXAMPLES}
    # What would keep the operator busy. The rest goes with the control plane.
    ours = ",".join(settings(name)["mysql-ha:name"] for name in EXAMPLES)
    mine = f"app.kubernetes.io/instance in ({ours})"
    control_plane.kubectl(
        "delete", "mariadbs,statefulsets", "-l", mine, "-n", "default", "--wait=false"
    )


def databases(engine: Engine, stack: Stack) -> list[dict[str, Any]]:
    """What the stack sent of its databases' own objects; secrets do not occur in them."""
    resources = json.loads(raw_state(engine, stack))["checkpoint"]["latest"]["resources"]
    return [r["inputs"] | {"kind": r["type"]} for r in resources if r["type"] in KINDS]


def missing(sent: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where `found` does not have what `sent` has; it may have more."""
    if isinstance(sent, Mapping) and isinstance(found, Mapping):
        for key, value in cast(Mapping[str, Any], sent).items():
            yield from missing(value, cast(Mapping[str, Any], found).get(key), f"{path}.{key}")
    elif isinstance(sent, list) and isinstance(found, list):
        pairs = zip(cast(list[Any], sent), cast(list[Any], found), strict=False)
        yield from (m for i, (a, b) in enumerate(pairs) for m in missing(a, b, f"{path}[{i}]"))
        if len(cast(list[Any], sent)) != len(cast(list[Any], found)):
            yield path
    elif sent != found:
        yield f"{path}: sent {sent!r}, found {found!r}"


def value(outputs: OutputMap, key: str) -> Any:
    return outputs[key].value


def own_tier(outputs: OutputMap) -> str:
    """The StatefulSet of our own proxies: it is called like the Service in front of it."""
    return value(outputs, "host").split(".")[0]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.further if name in FURTHER else ()) for name in EXAMPLES],
)
def test_an_example_comes_up_and_stays(
    name: str, stacks: dict[str, Stack], engine: Engine, control_plane: ControlPlane
) -> None:
    stack, expected = stacks[name], EXAMPLES[name]
    outputs = stack.up(on_output=print).outputs

    # The contract.
    assert value(outputs, "MYSQL_HOST").startswith(expected["host"])
    assert value(outputs, "MYSQL_HOST").endswith(".svc.cluster.local")
    assert value(outputs, "MYSQL_PORT") == str(expected["port"])
    pods = expected.get("pods")
    status = value(outputs, "status")
    assert status["state"] == "ready"
    if pods:
        assert (status["ready"], status["size"]) == (pods, pods)
    assert not any(output.secret for output in outputs.values())

    # What the API server has is what was sent: it dropped and changed nothing.
    cluster = Cluster(control_plane, value(outputs, "namespace"))
    (sent,) = databases(engine, stack)
    found = cluster.list(KINDS[sent["kind"]])[value(outputs, "name")]
    assert list(missing(sent["spec"], found["spec"])) == []

    # No password in clear, where Pulumi keeps it or where the operator reads it.
    passwords = cluster.passwords()
    assert passwords
    stored = raw_state(engine, stack)
    assert not [password for password in passwords if password in stored]
    assert not [password for password in passwords if password in json.dumps(found)]

    # What the operator adds to our Secret (pkg/controller/pxc/secrets.go) is no difference either.
    secret = f"{value(outputs, 'name')}-secrets"
    if pods:
        theirs = json.dumps({"stringData": {"monitor": "made by the operator"}})
        control_plane.kubectl("patch", "secret", secret, "-n", cluster.namespace, "-p", theirs)
    assert changes(stack.up(on_output=print)) == {}
    if pods:
        root = value(outputs, "admin_secret")
        assert cluster.secret(secret) == {
            "root": cluster.secret(root["name"])[root["key"]],
            "monitor": "made by the operator",
        }


def test_our_proxies_stand_in_front_of_percona(
    stacks: dict[str, Stack], control_plane: ControlPlane
) -> None:
    outputs = stacks["percona-standalone"].outputs()
    cluster = Cluster(control_plane, "default")
    tier = own_tier(outputs)
    pods = cluster.list("pods")
    for ordinal in range(3):
        assert pods[f"{tier}-{ordinal}"]["status"]["phase"] == "Running"
    service = cluster.list("services")[tier]
    assert service["spec"]["selector"].items() <= pods[f"{tier}-0"]["metadata"]["labels"].items()
    cnf = cluster.proxysql_cnf("mysql-pxc", tier)
    assert [server["address"] for server in cnf["mysql_servers"]] == [
        f"mysql-pxc-pxc-{ordinal}.mysql-pxc-pxc.default.svc.cluster.local" for ordinal in range(3)
    ]
    (groups,) = cnf["mysql_galera_hostgroups"]
    assert [groups[f"{role}_hostgroup"] for role in ("writer", "backup_writer", "reader")] == [
        10,
        12,
        11,
    ]
    # ProxySQL needs the text itself for accounts of caching_sha2_password.
    (user,) = cnf["mysql_users"]
    assert (user["username"], user["password"]) == ("shop", "canary_of_the_shop")
    # The account by which the proxies check the servers is the operator's to make.
    (monitor,) = cluster.list("perconaxtradbclusters")["mysql-pxc"]["spec"]["users"]
    reference = monitor["passwordSecretRef"]
    assert monitor["name"] == cnf["mysql_variables"]["monitor_username"]
    password = cluster.secret(reference["name"])[reference["key"]]
    assert password == cnf["mysql_variables"]["monitor_password"]


@pytest.mark.parametrize(("name", "servers"), [("mysql-galera", 3), ("mysql-replication", 5)])
def test_hosts_in_the_file_are_pods_of_the_operator(
    name: str, servers: int, stacks: dict[str, Stack], control_plane: ControlPlane
) -> None:
    """Namespaces enforce `restricted`, and mariadb-operator is the real one."""
    cluster = Cluster(control_plane, "default")
    pods, services = cluster.list("pods"), cluster.list("services")
    cnf = cluster.proxysql_cnf(name)
    found: list[str] = []
    for server in cnf["mysql_servers"]:
        pod, service, namespace, *rest = server["address"].split(".")
        assert rest == ["svc", "cluster", "local"]
        assert pods[pod]["metadata"]["namespace"] == namespace
        # What gives a Pod its DNS name: its own host name below the governing Service.
        assert pods[pod]["spec"]["hostname"] == pod
        assert pods[pod]["spec"]["subdomain"] == service
        assert services[service]["spec"]["clusterIP"] == "None"
        assert services[service]["spec"]["publishNotReadyAddresses"] is True
        labels = pods[pod]["metadata"]["labels"]
        assert services[service]["spec"]["selector"].items() <= labels.items()
        found.append(pod)
    assert found == [f"{name}-{ordinal}" for ordinal in range(servers)]
    kind = "galera" if name == "mysql-galera" else "replication"
    assert len(cnf[f"mysql_{kind}_hostgroups"]) == 1
    if kind == "galera":
        assert [server["weight"] for server in cnf["mysql_servers"]] == [1000, 999, 998]


@pytest.mark.further  # test_stack.py has it of another stack
def test_the_proxies_follow_the_operators_services(
    stacks: dict[str, Stack], control_plane: ControlPlane
) -> None:
    cluster = Cluster(control_plane, "default")
    cnf = cluster.proxysql_cnf("mysql-primary-svc")
    addresses = [server["address"] for server in cnf["mysql_servers"]]
    services = cluster.list("services")
    assert addresses == [
        f"mysql-primary-svc-{role}.default.svc.cluster.local"
        for role in ("primary", "secondary", "primary")
    ]
    assert all(address.split(".")[0] in services for address in addresses)


# --- edits of a Percona cluster ---


GROWN = {"database": {"version": "8.0", "replicas": 3, "storage": {"size": "2Gi"}}}


def test_an_edit_reaches_its_fields_and_no_other(
    engine: Engine, stacks: dict[str, Stack], control_plane: ControlPlane
) -> None:
    """One update for two fields; tests/unit/test_percona_spec.py has each by itself."""
    cluster = Cluster(control_plane, "wandb-dev")
    before = cluster.list("perconaxtradbclusters")["wandb-mysql"]
    stack = engine.open("example-wandb-mysql-dev", with_values("wandb-mysql-dev", **GROWN))
    result = stack.up(on_output=print)
    assert changes(result) == {"update": 1}
    after = cluster.list("perconaxtradbclusters")["wandb-mysql"]
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    wanted = copy.deepcopy(before["spec"])
    wanted["pxc"]["size"] = 3
    claim = wanted["pxc"]["volumeSpec"]["persistentVolumeClaim"]
    claim["resources"]["requests"]["storage"] = "2Gi"
    wanted["unsafeFlags"] |= {"pxcSize": False, "proxySize": False}
    assert after["spec"] == wanted
    status = value(result.outputs, "status")
    assert (status["ready"], status["size"]) == (3, 3)


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        (
            {"database": {"version": "8.0", "storage": {"size": "1Gi"}}},
            "database.replicas&database.storage.size",
        ),
        ({"name": "wandb-other"}, "name"),
        ({"namespace": "default"}, "namespace"),
        ({"engine": "mariadb"}, "engine|percona|database"),
        ({"database": {"version": "8.0", "replicas": 2}}, "database.replicas"),
        ({"percona": {"cr_version": "1.17.0"}}, "percona.cr_version"),
    ],
    ids=lambda overrides: str(overrides),
)
def test_a_dangerous_or_malformed_edit_is_refused_at_preview(
    overrides: dict[str, Any], path: str, engine: Engine, stacks: dict[str, Stack]
) -> None:
    edit = with_values("wandb-mysql-dev", **{**GROWN, **overrides})
    text = refused(engine, "example-wandb-mysql-dev", edit)
    for one in path.split("&"):
        assert any(f"mysql-ha:{either}: " in text for either in one.split("|")), text
    assert "Fix: " in text


def test_destroy_takes_the_object_and_both_tiers(
    engine: Engine, stacks: dict[str, Stack], control_plane: ControlPlane
) -> None:
    tier = own_tier(stacks["percona-standalone"].outputs())
    engine.destroy("example-percona-standalone", on_output=print, color="never")
    cluster = Cluster(control_plane, "default")
    assert "mysql-pxc" not in cluster.list("perconaxtradbclusters")
    assert tier not in cluster.list("statefulsets")
    assert not [name for name in cluster.list("secrets") if name.startswith("mysql-pxc")]


# --- the API server's own word on newer CRDs ---


def newer_crd(file: Path, group: str) -> dict[str, Any]:
    """A release's CRD of the cluster under a group of its own: the installed one stays."""
    documents = yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    (crd,) = (d for d in documents if d["spec"]["names"]["kind"] == "PerconaXtraDBCluster")
    crd["metadata"] = {"name": f"{crd['spec']['names']['plural']}.{group}"}
    crd["spec"]["group"] = group
    return crd


def await_served(control_plane: ControlPlane, group: str) -> None:
    """`kubectl wait` fails on a new CRD, which has no conditions for a moment."""
    deadline = time.monotonic() + 60
    while group not in control_plane.kubectl("api-versions"):
        assert time.monotonic() < deadline, f"{group} is not served"
        time.sleep(0.2)


@pytest.mark.parametrize(
    "version", [pytest.param(PERCONA[0], marks=pytest.mark.further), PERCONA[-1]]
)
def test_newer_crds_take_every_cluster_strictly(version: str, control_plane: ControlPlane) -> None:
    """An unknown field is an error, the CRD's own rules hold, and nothing comes back changed.

    By POST: the CRD keeps unknown fields at its root, and with that server-side apply drops those
    below without a word, strict or not.
    """
    file = NEWEST / f"percona-xtradb-cluster-operator-{version}.yaml"
    if not file.exists():
        pytest.skip(f"no ../shared/crds/{file.name} beside the checkout")
    group = f"{version.replace('.', '-')}.example.com"
    crd = newer_crd(file, group)
    control_plane.kubectl("create", "-f", "-", stdin=json.dumps(crd))
    await_served(control_plane, group)
    clusters: list[dict[str, Any]] = []
    for size in ("dev", "small", "large"):
        for mode in PROXIES:
            for full in (False, True):
                sent = copy.deepcopy(plain(percona_cluster(size, mode, full).inputs))
                sent["apiVersion"] = f"{group}/v1"
                sent["metadata"]["name"] = f"{size}-{mode}-{int(full)}"
                clusters.append(sent)

    def dry_run(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        strict = ("create", "--dry-run=server", "--validate=strict", "-o", "yaml", "-f", "-")
        text = control_plane.kubectl(*strict, stdin=json.dumps(listed))
        return list(yaml.load_all(text, Loader=yaml.CSafeLoader))

    found = dry_run(clusters)
    assert len(found) == len(clusters) == 18
    for sent, back in zip(clusters, found, strict=True):
        assert list(missing(sent, back)) == []
    # The check itself can fail.
    wrong = copy.deepcopy(clusters[0])
    wrong["spec"]["pxc"]["sise"] = 1
    with pytest.raises(LocalError, match="sise"):
        dry_run([wrong])
    control_plane.kubectl("delete", "crd", crd["metadata"]["name"], "--wait=false")
