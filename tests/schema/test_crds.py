"""Every custom resource of every stack, against the operators' own schemas."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.engines.mariadb import FIXED
from components.operations import backups
from local import LocalError, go, toolchain
from local.toolchain import OPERATOR
from render.case import Case
from render.recorder import ROOT, Resource, plain, run
from tests.program.cases import S3, all_cases, recorded
from tests.schema import openapi

pytestmark = pytest.mark.broad

NEWEST = ROOT.parent / "shared" / "crds"
"""CRDs of later operator releases, beside the checkout."""
CASES = [case.id for case in all_cases()]


def engines(case: Case) -> set[str]:
    """The engines of a case's databases."""
    default = case.config.get("engine", "mariadb")
    trees = case.config.get("databases", {"": {}}).values()
    return {tree.get("engine", default) for tree in trees}


ON_MARIADB = [case.id for case in all_cases() if "mariadb" in engines(case)]
ON_PERCONA = [case.id for case in all_cases() if "percona" in engines(case)]
Schemas = Mapping[tuple[str, str], Mapping[str, Any]]
PERCONA = ("v1.18.0", "v1.19.0", "v1.20.0")
GROUPS = ("k8s.mariadb.com", "pxc.percona.com", "cert-manager.io", "monitoring.coreos.com")
OURS = re.compile(f"kubernetes:({'|'.join(map(re.escape, GROUPS))})/")


@pytest.fixture(scope="session")
def pinned() -> Schemas:
    """The CRDs that the local mode installs."""
    try:
        return openapi.schemas(toolchain.crds())
    except LocalError as error:
        pytest.skip(f"the operators' Go modules cannot be had: {str(error).splitlines()[0]}")


def folders() -> list[Path]:
    found = sorted(NEWEST.glob("mariadb-operator-*")) if NEWEST.is_dir() else []
    return found or [NEWEST / "mariadb-operator"]


@cache
def schemas_in(path: Path) -> Schemas:
    """The CRDs of a file, or of all files of a folder."""
    if not path.exists():
        pytest.skip(f"no ../shared/crds/{path.name} beside the checkout")
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return openapi.schemas(
        crd for file in files for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    )


def custom_resources(name: str) -> list[Resource]:
    found = [r for r in recorded(name).resources if OURS.match(r.type) and not r.read]
    assert found, "every stack has a database"
    return found


def check(resource: Resource, schemas: Schemas) -> None:
    inputs = plain(resource.inputs)
    schema = schemas[(inputs["apiVersion"], inputs["kind"])]
    assert openapi.faults(schema, inputs) == [], resource.urn


def of_group(name: str, group: str) -> list[Resource]:
    """The stack's objects of one operator."""
    found = [r for r in custom_resources(name) if r.type.startswith(f"kubernetes:{group}/")]
    assert found
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_pinned_operator_knows_every_field(name: str, pinned: Schemas) -> None:
    for resource in custom_resources(name):
        check(resource, pinned)


def test_every_group_is_in_some_stack() -> None:
    """Otherwise its objects would be checked by nobody."""
    types = {r.type for case in all_cases() for r in recorded(case.id).resources}
    assert [group for group in GROUPS if not any(f":{group}/" in one for one in types)] == []
    kinds = {one.rpartition(":")[2] for one in types}
    assert {"ServiceMonitor", "PodMonitor", "PrometheusRule"} <= kinds


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ON_MARIADB)
def test_other_releases_know_every_field(name: str, folder: Path) -> None:
    for resource in of_group(name, "k8s.mariadb.com"):
        check(resource, schemas_in(folder))


# --- Percona's operator: every stack of it, and every size in every mode ---

PROXIES: dict[str, dict[str, Any]] = {
    "none": {"enabled": False},
    "operator": {
        "enabled": True,
        "service": {
            "type": "LoadBalancer",
            "annotations": {"example.com/a": "b"},
            "external_traffic_policy": "Local",
            "load_balancer_source_ranges": ["10.0.0.0/8"],
            "load_balancer_class": "example.com/internal",
        },
        "storage": {"storage_class": "fast"},
        "pod_labels": {"example.com/a": "b"},
        "pod_annotations": {"example.com/a": "b"},
    },
    "standalone": {"enabled": True, "managed_by": "mysql-ha"},
}
PLACEMENT: dict[str, Any] = {
    "spread": "required",
    "disruption_budget": True,
    "node_selector": {"disk": "ssd"},
    "tolerations": [
        {"key": "db", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 60}
    ],
    "node_loss_seconds": 120,
    "priority_class": "important",
    "affinity": {"nodeAffinity": {}, "podAffinity": {}},
}
EVERYTHING: dict[str, Any] = {
    "database": {
        "replicas": 5,
        "storage": {"storage_class": "fast"},
        "pod_labels": {"example.com/a": "b"},
        "pod_annotations": {"example.com/a": "b"},
        "resources": {"limits": {"cpu": "9", "memory": "9Gi"}},
        "my_cnf": "innodb_buffer_pool_size = {{containerMemoryLimit / 2}}",
    },
    "scheduling": {"database": PLACEMENT, "proxy": PLACEMENT},
    "security": {"tls": {"enabled": True, "issuer": {"name": "i", "kind": "ClusterIssuer"}}},
    "images": {"pull_secrets": ["registry"]},
    "percona": {"log_collector": True},
}
"""Every field that a stack can bring into the object."""


@cache
def percona_cluster(size: str, mode: str, full: bool) -> Resource:
    overrides = EVERYTHING if full else {}
    recording = run({"engine": "percona", "size": size, "proxy": PROXIES[mode], **overrides})
    assert recording.error is None, recording.error
    return recording.one("PerconaXtraDBCluster")


@pytest.mark.parametrize("version", PERCONA)
@pytest.mark.parametrize("name", ON_PERCONA)
def test_percona_releases_know_every_field(name: str, version: str) -> None:
    for resource in of_group(name, "pxc.percona.com"):
        check(resource, schemas_in(NEWEST / f"percona-xtradb-cluster-operator-{version}.yaml"))


@pytest.mark.parametrize("version", ["pinned", *PERCONA])
@pytest.mark.parametrize("full", [False, True], ids=["defaults", "everything"])
@pytest.mark.parametrize("mode", PROXIES)
@pytest.mark.parametrize("size", ["dev", "small", "large"])
def test_every_size_and_mode(
    size: str, mode: str, full: bool, version: str, request: pytest.FixtureRequest
) -> None:
    known: Schemas = (
        request.getfixturevalue("pinned")
        if version == "pinned"
        else schemas_in(NEWEST / f"percona-xtradb-cluster-operator-{version}.yaml")
    )
    check(percona_cluster(size, mode, full), known)


@pytest.mark.parametrize("version", PERCONA)
def test_a_tls_secret_is_a_known_field(version: str) -> None:
    recording = run({"engine": "percona", "size": "small", "security": {"tls": {"secret": "own"}}})
    resource = recording.one("PerconaXtraDBCluster")
    assert resource.inputs["spec"]["sslSecretName"] == "own"
    check(resource, schemas_in(NEWEST / f"percona-xtradb-cluster-operator-{version}.yaml"))


# --- what prometheus-operator reads ---


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_prometheus_operator_knows_every_field(engine: str, pinned: Schemas) -> None:
    """Beside the stacks, with all that adds a monitor or a rule."""
    in_time = {"point_in_time": {"enabled": True}} if engine == "percona" else {}
    recording = run(
        {
            "size": "small",
            "engine": engine,
            "proxy": {"managed_by": "mysql-ha"},
            "backup": {"store": {"s3": S3}, **in_time},
            "monitoring": {
                "scrape": "prometheus_operator",
                "alerts": {"runbooks": "https://docs.example.com/runbooks"},
            },
        }
    )
    assert recording.error is None, recording.error
    found = [r for r in recording.resources if "monitoring.coreos.com" in r.type]
    kinds = sorted(resource.kind for resource in found)
    assert kinds == (
        ["PodMonitor", "PodMonitor", "PrometheusRule", "ServiceMonitor"]
        if engine == "percona"
        else ["PodMonitor", "PrometheusRule"]
    )
    for resource in found:
        check(resource, pinned)


# --- backups ---

AZURE: dict[str, Any] = {
    "account": "shop",
    "container": "backups",
    "credentials": {"existing_secret": {"name": "store", "key": "AZURE_STORAGE_ACCOUNT_KEY"}},
}
STORES: dict[str, dict[str, Any]] = {
    "s3": {"s3": {**S3, "ca": {"name": "ca", "key": "ca.crt"}}},
    "azure": {"azure": AZURE},
    "volume": {"volume": {"size": "5Gi", "storage_class": "nfs"}},
}


def backed_up(store: str, **config: Any) -> list[Resource]:
    """The objects of a stack that say something of backups."""
    more = config.pop("backup", {})
    recording = run({"size": "small", "backup": {"store": STORES[store], **more}, **config})
    assert recording.error is None, recording.error
    kinds = ("PhysicalBackup", "Backup", "PerconaXtraDBCluster")
    return [resource for kind in kinds for resource in recording.of_kind(kind)]


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
@pytest.mark.parametrize("store", STORES)
def test_a_release_knows_every_field_of_backups(store: str, folder: Path) -> None:
    known, tag = schemas_in(folder), folder.name.rpartition("-v")[2]
    if store == "azure" and tag.startswith("25."):
        pytest.skip("refused with this operator (tests/unit/test_backup_checks.py)")
    images = {"data_plane": {"tag": tag}}
    dumps = {"schedule": "0 3 * * *"} if store != "azure" else {}
    found = backed_up(store, images=images, backup={"logical": dumps})
    assert [resource.kind for resource in found] == ["PhysicalBackup", "Backup"][: 1 + bool(dumps)]
    for resource in found:
        check(resource, known)


@pytest.mark.parametrize("version", PERCONA)
@pytest.mark.parametrize("store", STORES)
def test_a_percona_release_knows_every_field_of_backups(store: str, version: str) -> None:
    number = version.removeprefix("v")
    stores = STORES if number != "1.18.0" else {**STORES, "s3": {"s3": S3}}
    backup = {
        "store": stores[store],
        "point_in_time": {"enabled": store != "volume"},
        "drill": {"enabled": store == "s3"},
    }
    (cluster,) = backed_up(store, engine="percona", percona={"cr_version": number}, backup=backup)
    assert plain(cluster.inputs)["spec"]["backup"]["schedule"]
    check(cluster, schemas_in(NEWEST / f"percona-xtradb-cluster-operator-{version}.yaml"))


def test_the_name_of_a_backup_follows_what_the_webhook_fixes() -> None:
    """By the tags in the operator's source: an edit of another field is made in place."""
    try:
        types = go.module_directory("mariadb-operator", OPERATOR) / "api" / "v1alpha1"
    except LocalError as error:
        pytest.skip(f"the operator's Go module cannot be had: {str(error).splitlines()[0]}")
    fixed = {
        kind: set(re.findall(r'json:"(\w+)[^`]*webhook:"inmutable', (types / file).read_text()))
        for kind, file in (("full", "physicalbackup_types.go"), ("dump", "backup_types.go"))
    }
    assert fixed["full"] == {*backups.FIXED, "cron"}
    assert fixed["dump"] <= {*backups.FIXED, "maxRetention"}


def test_the_manifest_of_the_examples(pinned: Schemas) -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples" / "app-user.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["Database", "User", "Grant"]
    for document in documents:
        schema = pinned[(document["apiVersion"], document["kind"])]
        assert openapi.faults(schema, document) == []


# --- the check itself can fail ---

SCHEMA = openapi.strict(
    {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "string"},
            "port": {"anyOf": [], "x-kubernetes-int-or-string": True},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
            "maybe": {"type": "string", "nullable": True},
        },
    }
)


@pytest.mark.parametrize(
    "value",
    [
        {"size": "1Gi"},
        {"size": "1Gi", "port": 1},
        {"size": "1Gi", "port": "http"},
        {"size": "1Gi", "labels": {"any": "thing"}},
        {"size": "1Gi", "free": {"any": {"thing": 1}}},
        {"size": "1Gi", "list": [{"a": 1}]},
        {"size": "1Gi", "maybe": None},
    ],
    ids=str,
)
def test_good_values(value: dict[str, Any]) -> None:
    assert openapi.faults(SCHEMA, value) == []


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"size": 1},
        {"size": "1Gi", "sise": "1Gi"},
        {"size": "1Gi", "port": 1.5},
        {"size": "1Gi", "labels": {"any": 1}},
        {"size": "1Gi", "list": [{"b": 1}]},
        {"size": None},
    ],
    ids=str,
)
def test_bad_values(value: dict[str, Any]) -> None:
    assert openapi.faults(SCHEMA, value)


SET_OTHERWISE = {
    "MariaDB": {
        # What the operator makes of `myCnf`.
        "myCnfConfigMapKeyRef",
    },
    # `security.tls.secret`, which no stack of these tests has.
    "PerconaXtraDBCluster": {"sslSecretName", "sslInternalSecretName"},
}
"""Fields below `spec` that say in another way what this program says."""


@pytest.mark.parametrize(
    ("kind", "group"), [("MariaDB", "k8s.mariadb.com"), ("PerconaXtraDBCluster", "pxc.percona.com")]
)
def test_every_field_is_declared_or_left_to_people(kind: str, group: str, pinned: Schemas) -> None:
    """An update drops what kubectl set and the program neither sets nor leaves alone."""
    declared, left = set[str](), set[str]()
    for name in ON_MARIADB if kind == "MariaDB" else ON_PERCONA:
        for resource in custom_resources(name):
            if resource.type.endswith(f":{kind}"):
                ours = plain(resource.inputs)["spec"].keys()
                theirs = {path.removeprefix("spec.") for path in resource.ignore_changes}
                assert not theirs & (ours - {*FIXED, "bootstrapFrom"}), (
                    "a value of ours would never arrive"
                )
                declared |= ours
                left |= theirs
    version = "v1alpha1" if kind == "MariaDB" else "v1"
    fields = pinned[f"{group}/{version}", kind]["properties"]["spec"]["properties"].keys()
    assert fields - declared - SET_OTHERWISE[kind] - left == set()
