"""A database from a backup: the objects of a program that restores, and who waits for them."""

import json
from typing import Any

import pytest

from components.config.load import merge
from render.recorder import Recording, Resource, plain, run
from tests.program.cases import (
    PERCONA_BACKUP,
    ROOT_OF_SOURCE,
    SOURCE,
    STORE,
    STORE_OF_SOURCE,
    by_id,
    recorded,
)

MARIADB: dict[str, Any] = {
    "size": "small",
    "name": "orders-v2",
    "credentials": ROOT_OF_SOURCE,
    "apps": [{"name": "shop", "databases": {"shop": "owner"}}],
}
EXISTING = {"default/orders-root-then": {"password": "of-the-source"}}
FROM = {"database": {"restore_from": {**SOURCE, "s3": STORE_OF_SOURCE}}}


def before(recording: Recording, resource: Resource) -> set[str]:
    """URNs of all that must exist before a resource, directly or not."""
    needed = {one.urn: one.depends_on for one in recording.resources}
    found: set[str] = set()
    waiting = list(resource.depends_on)
    while waiting:
        if (urn := waiting.pop()) not in found:
            found.add(urn)
            waiting += needed[urn]
    return found


def test_a_mariadb_is_told_when_it_is_made_and_left_alone_afterwards() -> None:
    mariadb = recorded("restored").one("MariaDB")
    told = plain(mariadb.inputs)["spec"]["bootstrapFrom"]
    assert told["backupContentType"] == "Physical"
    assert told["s3"]["tls"] == {
        "enabled": True,
        "caSecretKeyRef": {"name": "store-ca", "key": "ca.crt"},
    }
    assert "spec.bootstrapFrom" in mariadb.ignore_changes
    assert plain(mariadb.inputs)["spec"]["rootPasswordSecretKeyRef"] == {
        "name": "orders-root-then",
        "key": "password",
        "generate": False,
    }


def test_what_is_not_restored_is_not_told() -> None:
    assert "bootstrapFrom" not in plain(recorded("small").one("MariaDB").inputs)["spec"]


@pytest.mark.parametrize("name", ["restored-percona", "restored-percona-operator"])
def test_percona_has_an_object_for_it_that_is_waited_for(name: str) -> None:
    recording = recorded(name)
    restore = recording.one("PerconaXtraDBClusterRestore")
    metadata = plain(restore.inputs)["metadata"]
    chosen = "incident-4711" if name == "restored-percona" else "copy"
    assert metadata["name"].endswith(f"-{chosen}")
    waits = json.loads(metadata["annotations"]["pulumi.com/waitFor"])
    assert waits == ["jsonpath={.status.state}=Succeeded"]
    timeout = "45m" if name == "restored-percona" else "4h"
    assert restore.timeouts["create"] == timeout
    assert recording.one("PerconaXtraDBCluster").urn in before(recording, restore)


def test_nobody_gets_in_before_the_data_is_there() -> None:
    """Neither proxies nor what applications connect by."""
    recording = recorded("restored-percona")
    restore = recording.one("PerconaXtraDBClusterRestore")
    late = [
        *recording.of_kind("StatefulSet"),
        *(one for one in recording.of_kind("Secret") if one.name.endswith("-app-shop")),
    ]
    assert len(late) == 2
    for one in late:
        assert restore.urn in before(recording, one), one.urn


def test_without_it_percona_has_no_such_object() -> None:
    assert not recorded("apps-percona-standalone").of_kind("PerconaXtraDBClusterRestore")


def ran(config: dict[str, Any], **more: Any) -> Recording:
    return run(config, existing=EXISTING, **more)


def left(recording: Recording) -> dict[str, Any]:
    """What an update that succeeded leaves for the next one."""
    assert recording.error is None, recording.error
    return plain(recording.outputs)


def test_the_record_is_read_back() -> None:
    first = left(ran(merge(MARIADB, FROM)))
    assert first["immutable"]["orders-v2"]["restored"] == (
        "incident-4711: s3.eu-central-1.amazonaws.com/backups/prod/shop/orders/1/full, "
        "physicalbackup-20260102030405.xb.gz"
    )
    assert ran(merge(MARIADB, FROM), previous=first).error is None
    assert ran(MARIADB, previous=first).error is None, "the key may go"
    other = merge(FROM, {"database": {"restore_from": {"id": "incident-4712"}}})
    error = ran(merge(MARIADB, other), previous=first).error
    assert error and "a restore happens once, when a database is created" in error


def test_it_is_not_added_later() -> None:
    error = ran(merge(MARIADB, FROM), previous=left(ran(MARIADB))).error
    assert error and error.startswith("mysql-ha:database.restore_from: database 'orders-v2' exists")


def test_a_source_that_its_own_backups_would_delete_is_refused_at_preview() -> None:
    """The stack's name is a part of the place."""
    own = {**SOURCE, "s3": STORE_OF_SOURCE, "prefix": "test/default/orders-v2/1/full"}
    config = merge(MARIADB, {"database": {"restore_from": own}, "backup": {"store": {"s3": STORE}}})
    recording = ran(config, preview=True)
    assert recording.error and recording.error.startswith("mysql-ha:database.restore_from.prefix: ")
    assert not recording.of_kind("MariaDB")


def test_a_time_that_is_to_come_is_refused_at_preview() -> None:
    source = {"id": "copy", "prefix": "a/b", "at": "2199-01-01T00:00:00Z", "s3": STORE_OF_SOURCE}
    later = {"restore_from": source}
    newer = {"data_plane": {"tag": "26.3.0"}}
    config = merge(MARIADB, {"database": later, "images": newer})
    error = ran(config, preview=True).error
    assert error and error.startswith("mysql-ha:database.restore_from.at: is in the future")


# --- an attempt that did not end ---

MINE = {
    "metadata": {
        "name": "orders-v2",
        "annotations": {"mysql-ha/stack": "organization/mysql-ha/test"},
        "labels": {},
    }
}
AT = "/apis/k8s.mariadb.com/v1alpha1/namespaces/default/mariadbs/orders-v2"


def after_an_attempt(told: dict[str, Any] | None) -> str | None:
    """The error of an update after one that did not end, whose object was told that."""
    spec = {"bootstrapFrom": told} if told else {}
    return ran(merge(MARIADB, FROM), found={AT: {**MINE, "spec": spec}}).error


def told(**changes: Any) -> dict[str, Any]:
    made = ran(merge(MARIADB, FROM)).one("MariaDB")
    given = plain(made.inputs)["spec"]["bootstrapFrom"]
    # What the operator adds.
    return merge({**given, "volume": {"emptyDir": {}}}, changes)


def test_the_same_attempt_goes_on() -> None:
    assert after_an_attempt(told()) is None


@pytest.mark.parametrize(
    "other",
    [{"s3": {"prefix": "prod/shop/orders/2/full"}}, {"targetRecoveryTime": "2026-01-01T00:00:00Z"}],
    ids=str,
)
def test_another_source_would_be_ignored(other: dict[str, Any]) -> None:
    error = after_an_attempt(told(**other))
    assert error and "was made by an update that did not end, from another source" in error


def test_a_source_that_comes_after_the_object_would_be_ignored() -> None:
    error = after_an_attempt(None)
    assert error and error.startswith("mysql-ha:database.restore_from: MariaDB 'orders-v2'")


RESTORE_AT = (
    "/apis/pxc.percona.com/v1/namespaces/default/perconaxtradbclusterrestores/"
    "orders-v2-incident-4711"
)


def percona_after(live: dict[str, Any]) -> str | None:
    """The error of an update after one that did not end, whose restore differs in that."""
    case = by_id()["restored-percona"]
    made = plain(recorded(case.id).one("PerconaXtraDBClusterRestore").inputs)
    object_ = merge({"metadata": {}, "spec": made["spec"]}, live)
    return case.run(found={RESTORE_AT: object_}).error


def test_a_restore_of_perconas_that_has_failed_says_why() -> None:

    def error(**status: str) -> str | None:
        return percona_after({"status": status})

    assert error(state="Restoring") is None
    assert error(state="Failed", comments="backup not found") == (
        "mysql-ha:database.restore_from.id: restore 'incident-4711' has failed: backup not found. "
        "Fix: mend the cause, and choose another id: an object of it runs once."
    )


def test_the_same_restore_of_perconas_goes_on() -> None:
    done = {"status": {"state": "Succeeded"}}
    assert percona_after(done) is None
    assert percona_after({**done, "spec": {"resources": {"requests": {"cpu": "9"}}}}) is None


@pytest.mark.parametrize(
    "other",
    [
        {"pxcCluster": "orders"},
        {"backupSource": {"destination": "s3://backups/prod/shop/orders/1/full/another"}},
        {"backupSource": {"s3": {"endpointUrl": "https://s3.example.org"}}},
        {"pitr": {"date": "2026-01-02 03:04:06"}},
        {"pitr": None},
    ],
    ids=str,
)
def test_another_restore_of_perconas_would_be_taken_for_it(other: dict[str, Any]) -> None:
    error = percona_after({"spec": other, "status": {"state": "Succeeded"}})
    assert error and error.startswith("mysql-ha:database.restore_from.id: is that of a restore")
    assert error.endswith("Fix: undo the edit, or use another id.")


def test_binary_logs_that_were_applied_are_another_restore_too() -> None:
    case = by_id()["restored-percona"]
    chosen = case.config["database"]["restore_from"]
    plain_one = {key: value for key, value in chosen.items() if key not in ("at", "binlogs")}
    config = {**case.config, "database": {"restore_from": plain_one}}
    made = plain(recorded(case.id).one("PerconaXtraDBClusterRestore").inputs)
    live = {"metadata": {}, "spec": made["spec"], "status": {"state": "Succeeded"}}
    error = ran(config, found={RESTORE_AT: live}).error
    assert error and error.startswith("mysql-ha:database.restore_from.id: is that of a restore")


def test_a_percona_that_is_up_is_not_restored_again() -> None:
    """A refresh forgets a restore that somebody deleted, and Pulumi would make it again."""
    case = by_id()["restored-percona"]
    first = left(recorded(case.id))
    live = {"metadata": {}, "spec": {}, "status": {"state": "Succeeded"}}
    assert case.run(previous=first, found={RESTORE_AT: live}).error is None
    error = case.run(previous=first).error
    assert error and error.startswith("mysql-ha:database.restore_from: would replace the data")
    assert error.endswith("Fix: remove the key.")
    without: dict[str, Any] = {**case.config, "database": {}}
    assert ran(without, previous=first).error is None


def test_two_restores_of_perconas_are_two_objects() -> None:
    """One name would let one of them wait for the restore of the other."""
    source = {**SOURCE, "backup": PERCONA_BACKUP, "s3": STORE_OF_SOURCE}
    databases: dict[str, dict[str, Any]] = {
        name: {"database": {"restore_from": {**source, "id": id}}}
        for name, id in (("orders", "eu-v2"), ("orders-eu", "v2"))
    }
    config: dict[str, Any] = {
        "size": "small",
        "engine": "percona",
        "backup": {"store": {"s3": STORE}},
        "databases": databases,
    }
    refused = run(config, preview=True)
    assert str(refused.error) == (
        "mysql-ha:databases.orders-eu.database.restore_from.id: makes the object 'orders-eu-v2', "
        "and so does the restore of database 'orders'. Fix: choose another id."
    )
    assert not refused.resources
    databases["orders-eu"]["namespace"] = "eu"
    assert run(config).error is None
