"""The program with `engine: percona`: the plan's two tables, the outputs, and dangerous edits."""

import json
import re
from typing import Any, cast

import pytest

from components.config.engine import PERCONA
from local.engine import stack_config
from render.case import case
from render.recorder import ROOT, Recording, Resource, plain, run
from tests.program.cases import canaries

STANDALONE = {"managed_by": "mysql-ha"}


def example(name: str, *, preview: bool = False) -> Recording:
    config = stack_config(ROOT / "examples" / f"Pulumi.{name}.yaml")
    recording = case(name, config).run(preview=preview)
    assert recording.error is None, recording.error
    return recording


def recorded(previous: dict[str, Any] | None = None, **config: Any) -> Recording:
    return run({"engine": "percona", **config}, previous=previous)


def cluster(recording: Recording) -> Resource:
    return recording.one("PerconaXtraDBCluster")


def at(tree: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for key in path.split("."):
        tree = cast(dict[str, Any], tree or {}).get(key)
    return tree


# --- the two tables of the plan (document B), row by row ---

DOCKER = "docker.io/"
STORAGE = "spec.pxc.volumeSpec.persistentVolumeClaim.resources.requests.storage"
PLAN: list[tuple[str, str, Any, Any]] = [
    # (B's words, path in the object, Dev (Standalone), Small (HA))
    ("kind: PerconaXtraDBCluster", "kind", "PerconaXtraDBCluster", "PerconaXtraDBCluster"),
    ("apiVersion: pxc.percona.com/v1", "apiVersion", "pxc.percona.com/v1", "pxc.percona.com/v1"),
    ("name: wandb-mysql", "metadata.name", "wandb-mysql", "wandb-mysql"),
    ("CRVersion: 1.18.0", "spec.crVersion", "1.18.0", "1.18.0"),
    ("PXC Replicas: 1 / 3", "spec.pxc.size", 1, 3),
    (
        "PXC Image: DevPXCImage / SmallPXCImage",
        "spec.pxc.image",
        f"{DOCKER}perconalab/percona-xtradb-cluster-operator:main-pxc8.0",
        f"{DOCKER}percona/percona-xtradb-cluster:8.0",
    ),
    ("Storage: 1Gi (reduced from 20Gi) / 10Gi (reduced from 20Gi)", STORAGE, "1Gi", "10Gi"),
    ("Resources: None (as a rule) / ...", "spec.pxc.resources", None, ...),
    ("CPU 500m/...", "spec.pxc.resources.requests.cpu", None, "500m"),
    ("CPU .../1000m", "spec.pxc.resources.limits.cpu", None, "1"),
    ("Memory 1Gi/...", "spec.pxc.resources.requests.memory", None, "1Gi"),
    ("Memory .../2Gi", "spec.pxc.resources.limits.memory", None, "2Gi"),
    ("ProxySQL: DISABLED (not present) / ENABLED", "spec.proxysql.enabled", False, True),
    ("ProxySQL: ... / (3 replicas)", "spec.proxysql.size", None, 3),
    ("ProxySQLImage", "spec.proxysql.image", None, f"{DOCKER}percona/proxysql2:2.7.3"),
    (
        "HAProxy: Disabled explicitly / Not used",
        "spec.haproxy",
        {"enabled": False},
        {"enabled": False},
    ),
    ("TLS: Disabled / Enabled", "spec.tls.enabled", False, True),
    ("LogCollector: Enabled / Not present in HA", "spec.logcollector.enabled", True, False),
    (
        "LogCollectorImage",
        "spec.logcollector.image",
        f"{DOCKER}perconalab/percona-xtradb-cluster-operator:main-logcollector",
        None,
    ),
    ("Unsafe Flags, PXCSize: true / false", "spec.unsafeFlags.pxcSize", True, False),
    ("Unsafe Flags, ProxySize: true / false", "spec.unsafeFlags.proxySize", True, False),
    # Not in the tables; the operator refuses TLS off without it.
    ("TLS: Disabled", "spec.unsafeFlags.tls", True, False),
    ("PMM: Omit entirely", "spec.pmm", None, None),
    ("Backup: DEFER ENTIRELY", "spec.backup", None, None),
    (
        "Password source: {clustername}-secrets",
        "spec.secretsName",
        "wandb-mysql-secrets",
        "wandb-mysql-secrets",
    ),
]


@pytest.mark.parametrize(("words", "path", "dev", "small"), PLAN, ids=[row[0] for row in PLAN])
def test_the_plan(words: str, path: str, dev: Any, small: Any) -> None:
    for name, expected in (("wandb-mysql-dev", dev), ("wandb-mysql", small)):
        found = at(plain(cluster(example(name)).inputs), path)
        assert (found is not None) if expected is ... else (found == expected), words


@pytest.mark.parametrize(
    ("name", "host"),
    [
        # Connection: Direct: `wandb-mysql-pxc.{ns}.svc.cluster.local:3306`
        ("wandb-mysql-dev", "wandb-mysql-pxc.wandb-dev.svc.cluster.local"),
        # Connection: Via ProxySQL: `wandb-mysql-proxysql.{ns}.svc.cluster.local:3306`
        ("wandb-mysql", "wandb-mysql-proxysql.wandb.svc.cluster.local"),
    ],
)
@pytest.mark.parametrize("preview", [True, False])
def test_the_plans_connection(name: str, host: str, preview: bool) -> None:
    outputs = example(name, preview=preview).outputs
    # WBMySQLConnection: MYSQL_HOST and MYSQL_PORT; no MYSQL_USER, no MYSQL_PASSWORD.
    assert {key: value for key, value in outputs.items() if key.startswith("MYSQL_")} == {
        "MYSQL_HOST": host,
        "MYSQL_PORT": "3306",
    }
    assert outputs["host"] == outputs["reader_host"] == host


@pytest.mark.parametrize(("name", "pods"), [("wandb-mysql-dev", 1), ("wandb-mysql", 6)])
def test_the_plans_ready_condition(name: str, pods: int) -> None:
    """Ready when status.ready == status.size. Every Pod counts, those of the proxies too."""
    found = cluster(example(name))
    assert json.loads(found.inputs["metadata"]["annotations"]["pulumi.com/waitFor"]) == [
        "jsonpath={.status.state}=ready",
        f"jsonpath={{.status.ready}}={pods}",
        f"jsonpath={{.status.size}}={pods}",
    ]
    assert found.timeouts == {"create": "20m", "update": "20m"}


@pytest.mark.parametrize("name", ["wandb-mysql-dev", "wandb-mysql"])
def test_the_plan_has_no_connection_secret_and_no_password_in_outputs(name: str) -> None:
    config = stack_config(ROOT / "examples" / f"Pulumi.{name}.yaml")
    one = case(name, config)
    recording = one.run()
    secrets = {r.inputs["metadata"]["name"] for r in recording.of_kind("Secret")}
    # Connection Secret: DO NOT CREATE. The operator's Secret, and the one of root's password.
    assert secrets == {"wandb-mysql-secrets", "wandb-mysql-root"}
    text = json.dumps(plain(recording.outputs))
    hidden = canaries(one, recording)
    assert hidden
    assert not [password for password in hidden if password in text]


def test_both_stacks_of_the_plan_can_stand_in_one_cluster() -> None:
    homes = {example(name).outputs["namespace"] for name in ("wandb-mysql-dev", "wandb-mysql")}
    assert len(homes) == 2


# --- what the program makes ---


@pytest.mark.parametrize("name", ["percona-operator", "percona-standalone"])
def test_the_cluster_waits_for_its_passwords(name: str) -> None:
    recording = example(name)
    needed = [r.urn for r in recording.of_kind("Secret") if r.name.endswith(("-secrets", "-root"))]
    assert len(needed) == 2
    assert set(needed) <= set(cluster(recording).depends_on)


@pytest.mark.parametrize(("size", "protect"), [("dev", False), ("small", True)])
def test_what_is_protected(size: str, protect: bool) -> None:
    recording = recorded(size=size)
    assert cluster(recording).protect is protect
    assert recording.one("Secret", "mysql-secrets").protect is protect
    # The operator carries a new password to the servers: this one can be made anew.
    assert recording.one("Secret", "mysql-root").protect is False
    (password,) = recording.of_kind("RandomPassword")
    assert password.protect is False


def test_the_operators_secret_has_roots_password_only() -> None:
    """The operator adds the others; two writers of one key would undo each other."""
    secret = recorded(size="small").one("Secret", "mysql-secrets")
    assert set(plain(secret.inputs)["stringData"]) == {"root"}
    given = run(
        {
            "engine": "percona",
            "size": "small",
            "credentials": {"root": {"existing_secret": {"name": "a", "key": "b"}}},
        },
        existing={"default/a": {"b": "text of another"}},
    )
    (secret,) = given.of_kind("Secret")[1:]
    assert plain(secret.inputs)["stringData"] == {"root": "text of another"}
    assert given.outputs["admin_secret"] == {"name": "a", "key": "b"}


def test_operator_mode_makes_no_proxies_and_no_accounts_of_ours() -> None:
    recording = example("percona-operator")
    kinds = {r.kind for r in recording.resources if r.type.startswith("kubernetes:")}
    assert kinds == {"Secret", "NetworkPolicy", "PerconaXtraDBCluster"}
    assert recording.outputs["proxysql"] == {
        "replicas": 3,
        "admin_host": "mysql-percona-proxysql-unready.default.svc.cluster.local",
        "admin_port": 6032,
    }
    assert recording.outputs["ca_secret"] == {"name": "mysql-percona-ssl", "key": "ca.crt"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": "small"}, "mysql-ssl"),
        ({"size": "small", "proxy": {"enabled": False}}, "mysql-ssl-internal"),
        ({"size": "small", "proxy": STANDALONE}, None),  # its own certificate is self-signed
        ({"size": "dev"}, None),
        ({"size": "small", "security": {"tls": {"secret": "own"}}}, "own"),
    ],
    ids=str,
)
def test_the_ca_of_whoever_answers(config: dict[str, Any], expected: str | None) -> None:
    """The operator's ProxySQL shows `<name>-ssl` (build/proxysql-entrypoint.sh)."""
    found = recorded(**config).outputs.get("ca_secret")
    assert found == ({"name": expected, "key": "ca.crt"} if expected else None)


def test_standalone_mode_is_the_same_tier_as_mariadbs() -> None:
    """One code path: kinds, options and the Pod's shape do not know the engine."""
    ours, theirs = example("percona-standalone"), example("galera")

    def tier(recording: Recording) -> list[tuple[str, str]]:
        return sorted((r.kind, r.type) for r in recording.resources if "$ProxySql" in r.urn)

    def template(recording: Recording) -> Any:
        (found,) = recording.of_kind("StatefulSet")
        spec = found.inputs["spec"]["template"]["spec"]
        container = spec["containers"][0]
        return {key: container[key] for key in ("args", "command", "securityContext", "ports")}

    assert tier(ours) == tier(theirs)
    assert template(ours) == template(theirs)


def test_the_proxies_wait_for_the_cluster() -> None:
    recording = example("percona-standalone")
    (proxies,) = recording.of_kind("StatefulSet")
    assert cluster(recording).urn in proxies.depends_on


def test_no_name_of_ours_is_one_that_the_operator_deletes() -> None:
    """pkg/controller/pxc/controller.go: with its ProxySQL off, Reconcile deletes these Services
    every five seconds, whoever made them, and a StatefulSet of that name if it is its own."""
    recording = example("percona-standalone")
    name = recording.outputs["name"]
    deleted = {f"{name}-{tail}" for tail in ("proxysql", "proxysql-unready")}
    deleted |= {f"{name}-{tail}" for tail in ("haproxy", "haproxy-replicas")}
    for kind in ("Service", "StatefulSet"):
        made = {r.inputs["metadata"]["name"] for r in recording.of_kind(kind)}
        assert made
        assert not made & deleted
    assert recording.outputs["host"].split(".")[0] not in deleted


def test_every_object_is_among_the_names_that_clash() -> None:
    for example_name in ("percona-operator", "percona-standalone"):
        recording = example(example_name)
        name = recording.outputs["name"]
        for resource in recording.resources:
            object_name = resource.inputs.get("metadata", {}).get("name", name)
            if resource.read or "-cnf-" in object_name:
                continue
            assert object_name in PERCONA.owned(name, drilled=True, scraped=True)


# --- the outputs ---


@pytest.mark.parametrize("name", ["wandb-mysql-dev", "percona-operator", "percona-standalone"])
def test_the_status_is_an_output(name: str) -> None:
    """The recorder's operator says nothing; tests/engine has one that does."""
    expected: dict[str, Any] = {"state": "unknown", "ready": 0, "size": 0, "details": []}
    assert example(name).outputs["status"] == expected


def test_the_other_engine_has_the_same() -> None:
    expected: dict[str, Any] = {"state": "unknown", "ready": 0, "size": 3, "details": []}
    assert example("galera").outputs["status"] == expected


# --- edits of a database that exists ---


def edited(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """The error of a preview after an edit; None where it is allowed."""
    first = recorded(**before)
    assert first.error is None, first.error
    return recorded(previous={"immutable": plain(first.outputs["immutable"])}, **after).error


SMALL: dict[str, Any] = {"size": "small"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SMALL, {"size": "small", "database": {"storage": {"size": "20Gi"}}}),
        (SMALL, {"size": "small", "database": {"replicas": 5}}),
        (SMALL, {"size": "large"}),
        ({"size": "dev"}, {"size": "dev", "database": {"replicas": 3}}),
        (SMALL, {"size": "small", "proxy": {"enabled": False}}),
        ({"size": "dev"}, {"size": "dev", "proxy": {"enabled": True, **STANDALONE}}),
        (SMALL, {"size": "small", "percona": {"cr_version": "1.19.0"}}),
    ],
    ids=str,
)
def test_allowed_edits(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert edited(before, after) is None


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        (SMALL, {"size": "small", "name": "other"}, "name"),
        (SMALL, {"size": "small", "namespace": "other"}, "namespace"),
        (SMALL, {"size": "small", "engine": "mariadb"}, "engine"),
        (
            SMALL,
            {"size": "small", "database": {"storage": {"size": "5Gi"}}},
            "database.storage.size",
        ),
        (
            SMALL,
            {"size": "small", "database": {"storage": {"storage_class": "x"}}},
            "database.storage.storage_class",
        ),
        (SMALL, {"size": "dev"}, "security.tls|database.storage.size"),
        # K8SPXC-1183: nodes with accounts of caching_sha2_password refuse to start as backends of
        # the operator's ProxySQL (build/pxc-entrypoint.sh, "It's forbidden to switch").
        ({"size": "small", "proxy": STANDALONE}, SMALL, r"proxy\.managed_by"),
        ({"size": "small", "proxy": {"enabled": False}}, SMALL, r"proxy\.managed_by"),
        ({"size": "dev"}, {"size": "dev", "proxy": {"enabled": True}}, r"proxy\.managed_by"),
        # A StatefulSet's volume claims cannot change, the operator's neither.
        (SMALL, {"size": "small", "proxy": {"storage": {"size": "9Gi"}}}, r"proxy\.storage"),
    ],
    ids=str,
)
def test_refused_edits(before: dict[str, Any], after: dict[str, Any], path: str) -> None:
    error = edited(before, after)
    assert error is not None
    assert re.search(rf"mysql-ha:({path}): ", error), error
    assert "Fix: " in error
