"""Adoption in the whole program: the live object is read, compared, and imported as it is."""

import copy
from typing import Any, cast

import pytest

from components.config.load import merge
from components.engines.mariadb import FIXED
from components.guards.edits.warnings import warnings
from render import recorder
from render.recorder import Recording, Resource, plain
from tests.program.cases import shop

pytestmark = pytest.mark.broad

HOME = {"name": "orders", "namespace": "shop"}
MARIADB: dict[str, Any] = {
    **HOME,
    "size": "small",
    "credentials": {
        role: {"existing_secret": {"name": f"old-{role}", "key": "pw"}}
        for role in ("root", "replication")
    },
}
PERCONA: dict[str, Any] = {
    **HOME,
    "size": "small",
    "engine": "percona",
    "credentials": {"root": {"existing_secret": {"name": "orders-secrets", "key": "root"}}},
}
KINDS = {"mariadb": "MariaDB", "percona": "PerconaXtraDBCluster"}
EXISTING = {
    "shop/old-root": {"pw": "text of it"},
    "shop/old-replication": {"pw": "another text"},
    "shop/orders-secrets": {"root": "text of root"},
}
BOTH = pytest.mark.parametrize("config", [MARIADB, PERCONA], ids=["mariadb", "percona"])
PREVIEW = pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])


def engine(config: dict[str, Any]) -> str:
    return config.get("engine", "mariadb")


def run(config: dict[str, Any], spec: Any = None, **more: Any) -> Recording:
    """A run in a cluster that has this object already."""
    live = {f"{KINDS[engine(config)]} shop/orders": spec} if spec is not None else {}
    return recorder.run(config, existing=EXISTING, live=live, **more)


def accepted(config: dict[str, Any], spec: Any = None, **more: Any) -> Recording:
    recording = run(config, spec, **more)
    assert recording.error is None, recording.error
    return recording


def live(config: dict[str, Any]) -> dict[str, Any]:
    """The object of somebody who had the same in mind, with something of their own."""
    spec = cluster(accepted(config)).inputs["spec"]
    return {**cast(dict[str, Any], plain(copy.deepcopy(spec))), "timeZone": "UTC"}


def cluster(recording: Recording) -> Resource:
    """The operator's object, as it is registered."""
    (found,) = [r for kind in KINDS.values() for r in made(recording, kind)]
    return found


def made(recording: Recording, kind: str) -> list[Resource]:
    return [r for r in recording.resources if r.type.endswith(f":{kind}") and not r.read]


def force(resource: Resource) -> str | None:
    return resource.inputs["metadata"]["annotations"].get("pulumi.com/patchForce")


# --- what the engine is told of the object ---


@BOTH
@PREVIEW
def test_import_changes_nothing(config: dict[str, Any], preview: bool) -> None:
    found = cluster(accepted({**config, "adopt": "import"}, live(config), preview=preview))
    assert found.import_id == "shop/orders"
    assert found.ignore_changes == ("metadata", "spec")
    assert force(found) is None


@BOTH
@PREVIEW
def test_take_over_applies_the_config_whoever_wrote_the_fields(
    config: dict[str, Any], preview: bool
) -> None:
    found = cluster(accepted({**config, "adopt": "take_over"}, live(config), preview=preview))
    assert found.import_id == "shop/orders"
    assert not {"spec", "metadata"} & set(found.ignore_changes)
    assert force(found) == "true"


@BOTH
def test_after_the_adoption_it_is_an_object_like_any_other(config: dict[str, Any]) -> None:
    """The engine would import nothing twice, and nothing is read any more."""
    recording = accepted(config)
    assert cluster(recording).import_id == ""
    assert force(cluster(recording)) is None
    assert not [r for r in recording.resources if r.name == "orders-adopted"]
    taken = cluster(accepted({**config, "adopt": "take_over"}, live(config)))
    assert taken.urn == cluster(recording).urn
    assert taken.inputs["spec"] == cluster(recording).inputs["spec"]
    assert taken.ignore_changes == cluster(recording).ignore_changes


@pytest.mark.parametrize("adopt", ["none", "take_over"])
def test_what_the_operator_fixes_stays(adopt: str) -> None:
    """mariadb-operator api/v1alpha1: its webhook refuses another value, and none as well."""
    found = cluster(accepted({**MARIADB, "adopt": adopt}, live(MARIADB)))
    assert {
        *(f"spec.{field}" for field in FIXED),
        "spec.replication.replica.replPasswordSecretKeyRef",
    } <= set(found.ignore_changes)
    # Else a value of ours would never arrive.
    assert {"rootPasswordSecretKeyRef"} == set(FIXED) & found.inputs["spec"].keys()
    encrypted = cluster(accepted({**PERCONA, "adopt": adopt}, live(PERCONA)))
    assert "spec.vaultSecretName" in encrypted.ignore_changes


# --- how it is read ---


@BOTH
@pytest.mark.parametrize("adopt", ["import", "take_over"])
@PREVIEW
def test_nothing_is_made_before_the_object_was_read(
    config: dict[str, Any], adopt: str, preview: bool
) -> None:
    """By a provider of its own, as that of everything else waits for it."""
    recording = accepted({**config, "adopt": adopt}, live(config), preview=preview)
    by_name = {r.name: r for r in recording.resources if r.type == "pulumi:providers:kubernetes"}
    (read,) = [r for r in recording.resources if r.name == "orders-adopted"]
    assert read.read
    assert read.type.endswith(f":{KINDS[engine(config)]}")
    assert read.provider.startswith(by_name["reader"].urn + "::")
    assert cluster(recording).provider.startswith(by_name["kubernetes"].urn + "::")
    assert read.urn in by_name["kubernetes"].depends_on


def test_a_reader_is_made_for_the_object_alone() -> None:
    """Also where no existing Secret is read."""
    config: dict[str, Any] = {**PERCONA, "adopt": "take_over", "credentials": {}}
    recording = run(config, live(PERCONA))
    assert recording.error is not None
    assert [r.name for r in recording.resources if not r.read] == ["reader"]


# --- what does not agree ---


@BOTH
@pytest.mark.parametrize("adopt", ["import", "take_over"])
@PREVIEW
def test_nothing_is_made_when_it_differs(config: dict[str, Any], adopt: str, preview: bool) -> None:
    spec = live(config)
    edit: dict[str, Any] = (
        {"image": "mariadb:11.4", "replicas": 5}
        if engine(config) == "mariadb"
        else {"pxc": {"image": "percona/pxc:8.0", "size": 5}}
    )
    recording = run({**config, "adopt": adopt}, merge(spec, edit), preview=preview)
    assert recording.error is not None
    lines = recording.error.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "mysql-ha:database.replicas",
        "mysql-ha:images.database",
    ]
    assert all("the database to adopt" in line and ". Fix: " in line for line in lines)
    assert [r.name for r in recording.resources if not r.read] == ["reader"]
    assert "immutable" not in recording.outputs


def test_the_database_is_named_where_there_are_several() -> None:
    shared = {key: value for key, value in MARIADB.items() if key != "name"}
    config = {
        **shared,
        "databases": {"orders": {"adopt": "import"}, "stock": {}},
    }
    spec = live(MARIADB)
    recording = accepted(config, spec)
    imported = {r.name: r.import_id for r in made(recording, "MariaDB")}
    assert imported == {"orders-mariadb": "shop/orders", "stock-mariadb": ""}
    refused = run(config, {**spec, "replicas": 5})
    assert refused.error is not None
    assert refused.error.startswith("mysql-ha:databases.orders.database.replicas: ")


# --- with the rest of the program ---


def test_a_mariadb_has_proxies_and_apps_from_the_start() -> None:
    """They are objects of their own, beside the one that is not changed."""
    recording = accepted({**MARIADB, "adopt": "import", "apps": [shop()]}, live(MARIADB))
    for kind in ("StatefulSet", "Database", "User", "Grant"):
        assert made(recording, kind), kind
    assert all(not r.import_id for r in recording.resources if r.kind != "MariaDB")


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"proxy": {"enabled": False}},
        # Accounts of apps and proxies are added with what is no import any more.
        {"adopt": "take_over", "proxy": {"managed_by": "mysql-ha"}, "apps": [shop()]},
    ],
    ids=str,
)
def test_a_percona_cluster_without_accounts_of_ours(edit: dict[str, Any]) -> None:
    config = merge(PERCONA, {"adopt": "import", **edit})
    spec = live(merge(PERCONA, {key: edit[key] for key in edit.keys() & {"proxy"}}))
    assert cluster(accepted(config, spec)).import_id == "shop/orders"


@BOTH
@pytest.mark.parametrize("adopt", ["import", "take_over"])
def test_what_is_immutable_is_that_of_any_database(config: dict[str, Any], adopt: str) -> None:
    """So that `adopt` can be removed, and a later edit is checked as ever."""
    during = accepted({**config, "adopt": adopt}, live(config))
    after = accepted(config, previous=during.outputs)
    before, later = (plain(run.outputs["immutable"])["orders"] for run in (during, after))
    # Its clients connect as they did until then, and the next update says that they cannot.
    (told,) = warnings("orders", before, later)
    assert "database.network_policy.clients" in told
    assert later.pop("clients") == "named"
    assert before == later
    shrunk = merge(config, {"database": {"storage": {"size": "1Gi"}}})
    error = run(shrunk, previous=plain(during.outputs)).error
    assert error is not None
    assert error.startswith("mysql-ha:database.storage.size: ")
