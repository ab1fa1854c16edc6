"""Backups in whole runs: what is made, in which order, and that no key of a store is kept."""

from typing import Any

import pytest

from render import recorder
from render.recorder import Recording, Resource, plain
from tests.program.cases import S3, by_id, recorded

WITH_BACKUPS = ["backup", "backup-several", "backup-volume", "backup-percona", "example-backup"]
KINDS = ("PhysicalBackup", "Backup")


def objects(recording: Recording) -> list[Resource]:
    return [resource for kind in KINDS for resource in recording.of_kind(kind)]


def run(**config: Any) -> Recording:
    recording = recorder.run({"size": "small", **config})
    assert recording.error is None, recording.error
    return recording


@pytest.mark.parametrize("name", WITH_BACKUPS)
def test_the_state_holds_nothing_of_the_secret_of_a_store(name: str) -> None:
    """No resource reads it. A preview only looks whether it is there: test_target.py."""
    assert "existing" not in by_id()[name].source
    for resource in recorded(name).resources:
        if resource.read:
            assert "backup-store" not in str(resource.inputs)
            assert not resource.import_id or "backup-store" not in resource.import_id
        assert resource.kind != "Secret" or "backup-store" not in resource.name


@pytest.mark.parametrize("name", ["backup", "backup-several", "backup-volume", "example-backup"])
def test_objects_come_after_the_database_and_nothing_waits_for_them(name: str) -> None:
    recording = recorded(name)
    found = objects(recording)
    assert found
    urns = {resource.urn for resource in found}
    for resource in found:
        assert any(":MariaDB::" in urn for urn in resource.depends_on)
        assert not resource.protect, "protected, it could not be replaced (ADR 21)"
        assert "annotations" not in plain(resource.inputs)["metadata"]
        assert not resource.ignore_changes
    for resource in recording.resources:
        assert not urns & set(resource.depends_on)


def test_each_database_has_a_place_of_its_own() -> None:
    recording = recorded("backup-several")
    (backup,) = recording.of_kind("PhysicalBackup")
    assert backup.inputs["metadata"]["name"].startswith("orders-backup-")
    outputs = recording.outputs["databases"]
    where = "s3://shop-backups/backup-several/default/orders/1/full"
    # Of 30 hours: a day, and six hours for the backup itself.
    assert outputs["orders"]["backup"] == {"where": where, "newest_allowed_age_seconds": 108000}
    assert "backup" not in outputs["stock"]


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("backup", "eu/shop/mysql/2/full"),
        ("example-backup", "example-backup/default/orders/1/full"),
    ],
)
def test_the_place_is_that_of_the_stack_unless_it_names_another(name: str, prefix: str) -> None:
    spec = plain(recorded(name).one("PhysicalBackup").inputs)["spec"]
    assert spec["storage"]["s3"]["prefix"] == prefix


@pytest.mark.parametrize("topology", ["standalone", "replication", "galera"])
def test_updates_of_the_servers_wait_for_nobody(topology: str) -> None:
    """While one waits, the operator makes no backup (OnDelete, Never)."""
    database = {"topology": topology, **({"replicas": 1} if topology == "standalone" else {})}
    recording = run(database=database, backup={"store": {"s3": S3}})
    spec = plain(recording.one("MariaDB").inputs)["spec"]
    assert spec["updateStrategy"] == {"type": "ReplicasFirstPrimaryLast"}
    assert "ephemeral" not in spec["storage"]
    assert len(recording.of_kind("PhysicalBackup")) == 1


def test_a_percona_cluster_is_left_alone_until_it_has_a_store() -> None:
    bare = run(engine="percona").one("PerconaXtraDBCluster")
    assert "spec.backup" in bare.ignore_changes
    assert "backup" not in bare.inputs["spec"]
    for backup in ({"store": {"s3": S3}}, {"store": {"s3": S3}, "enabled": False}):
        stored = run(engine="percona", backup=backup).one("PerconaXtraDBCluster")
        assert "spec.backup" not in stored.ignore_changes
        assert bool(stored.inputs["spec"]["backup"]["schedule"]) is backup.get("enabled", True)


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
@pytest.mark.parametrize("size", ["dev", "small", "large"])
def test_a_store_is_enough_in_production_sizes(size: str, engine: str) -> None:
    recording = run(size=size, engine=engine, backup={"store": {"s3": S3}})
    assert ("backup" in recording.outputs) == (size != "dev")
    if engine == "mariadb":
        assert len(objects(recording)) == (size != "dev")
    else:
        spec = plain(recording.one("PerconaXtraDBCluster").inputs)["spec"]
        assert len(spec["backup"]["schedule"]) == (size != "dev")


def test_a_stack_with_a_dot_in_its_name_must_name_the_place() -> None:
    config: dict[str, Any] = {"size": "small", "backup": {"store": {"s3": S3}}}
    refused = recorder.run(config, stack_name="prod.eu")
    assert str(refused.error).startswith("mysql-ha:backup.environment: is unset, and the name of")
    assert not refused.resources
    config["backup"]["environment"] = "prod-eu"
    assert recorder.run(config, stack_name="prod.eu").error is None
    assert recorder.run({"size": "small"}, stack_name="prod.eu").error is None
