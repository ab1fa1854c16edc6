"""`database.restore_from`: what it may say, and what an operator is told of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from components import names
from components.config import checks
from components.config.errors import ConfigError
from components.config.load import merge, resolve
from components.config.stack import StackConfig
from components.guards import immutable, restores
from components.operations import places, restore
from tests.unit.test_immutable import facts

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STORE: dict[str, Any] = {"endpoint": "s3.example.com", "bucket": "backups", "region": "eu-1"}
KEYS = {"credentials": {"existing_secret": {"name": "store"}}}
FROM: dict[str, Any] = {
    "id": "incident-4711",
    "backup": "physicalbackup-20260102030405.xb.gz",
    "prefix": "prod/shop/orders/1/full",
    "s3": {**STORE, **KEYS},
}
ROOT = {"existing_secret": {"name": "orders-root-then", "key": "password"}}
BASE: dict[str, Any] = {
    "size": "small",
    "name": "orders-v2",
    "namespace": "shop",
    "credentials": {"root": ROOT},
}
PERCONA: dict[str, Any] = {
    **BASE,
    "engine": "percona",
    "backup": {"store": {"s3": {**STORE, **KEYS}}},
}
BACKUP = {"backup": "orders-2026-01-02-02:17:00-full"}
NEWER: dict[str, Any] = {**BASE, "images": {"data_plane": {"tag": "26.3.0"}}}
"""Whose operator takes a time, too."""
BINLOGS = {"at": "2026-01-02T03:04:05Z", "binlogs": "prod/shop/orders/1/binlogs"}


def restored(base: Mapping[str, Any] = BASE, **changes: Any) -> StackConfig:
    """`changes`: of FROM; None removes."""
    chosen = {key: value for key, value in {**FROM, **changes}.items() if value is not None}
    return resolve(merge(base, {"database": {"restore_from": chosen}}))


def source(config: StackConfig) -> Any:
    found = config.database.restore_from
    assert found is not None
    return found


def refused(path: str, base: Mapping[str, Any] = BASE, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        restored(base, **changes)
    assert [fault[0] for fault in caught.value.faults] == [path], caught.value
    return str(caught.value)


# --- the time ---


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
        ("2026-01-02 03:04:05-01:00", "2026-01-02T04:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
    ],
)
def test_a_time_is_one_of_utc(given: Any, meant: str) -> None:
    assert source(restored(NEWER, at=given, backup=None)).at == meant


@pytest.mark.parametrize(
    "at",
    ["2026-01-02T03:04:05", "2026-01-02", "03:04", "2026-01-02T03:04:05.5Z", "now", 1, True]
    + [datetime(2026, 1, 2, 3, 4, 5)],
    ids=str,
)
def test_a_time_without_a_zone_is_refused(at: Any) -> None:
    assert "zone" in refused("database.restore_from.at", NEWER, at=at, backup=None)


@pytest.mark.parametrize(
    "at",
    ["0001-01-01T00:00:00+14:00", "0900-01-01T00:00:00Z", "1999-12-31T23:59:59Z"]
    + ["3000-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00"]
    + [datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))],
    ids=str,
)
def test_a_time_of_another_century_is_refused(at: Any) -> None:
    said = refused("database.restore_from.at", NEWER, at=at, backup=None)
    assert "is of a year that is not from 2000 to 2999" in said
    edges = {"2000-01-01T00:00:00+14:00": "1999-12-31T10:00:00Z"}
    for given, meant in edges.items():
        assert source(restored(NEWER, at=given, backup=None)).at == meant


def faults(config: StackConfig) -> list[str]:
    return [path for path, _, _ in restores.faults(config, places.of(config, "prod"), NOW)]


def test_a_time_that_is_to_come_is_refused() -> None:
    def at(text: str) -> list[str]:
        return faults(restored(NEWER, at=text, backup=None))

    assert at("2026-03-01T00:00:00Z") == []
    assert at("2026-03-01T02:00:01+02:00") == ["database.restore_from.at"]


# --- the place ---


@pytest.mark.parametrize(
    ("prefix", "generation", "mine"),
    [
        ("prod/shop/orders-v2/1/full", 1, True),
        ("prod/shop/orders-v2/1", 1, True),
        ("prod/shop", 1, True),
        ("prod/shop/orders-v2/1/full/deeper", 1, True),
        ("prod/shop/orders-v2/1/full", 2, False),
        ("prod/shop/orders-v2/10/full", 1, False),
        ("prod/shop/orders/1/full", 1, False),
        ("test/shop/orders-v2/1/full", 1, False),
    ],
)
def test_the_databases_own_place_is_no_source(prefix: str, generation: int, mine: bool) -> None:
    base = merge(BASE, {"backup": {"store": {"s3": STORE}, "generation": generation}})
    assert faults(restored(base, prefix=prefix)) == ["database.restore_from.prefix"] * mine


def test_of_another_store_it_is() -> None:
    own = "prod/shop/orders-v2/1/full"
    for other in ({"bucket": "others"}, {"endpoint": "s3.example.org"}):
        base = merge(BASE, {"backup": {"store": {"s3": {**STORE, **other}}}})
        assert faults(restored(base, prefix=own)) == []
    assert faults(restored(prefix=own)) == [], "without a store"


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a//b", "a/../b", "s3://a", "a b"])
def test_a_prefix_that_is_none(prefix: str) -> None:
    refused("database.restore_from.prefix", prefix=prefix)


@pytest.mark.parametrize(
    "changes",
    [
        {"s3": None},
        {"volume": {"claim": "backups"}},
        {"prefix": None},
        {"s3": None, "volume": {"claim": "backups"}},
    ],
    ids=str,
)
def test_there_is_one_source_and_its_folder(changes: dict[str, Any]) -> None:
    refused("database.restore_from", **changes)


def test_an_id_is_short_enough_for_the_names_of_jobs() -> None:
    refused("database.restore_from.id", id="a" * 21)
    refused("database.restore_from.id", id="Incident")


def test_an_id_leaves_room_for_the_names_of_perconas_jobs() -> None:
    """Which have the database's name twice, and 63 characters at most."""
    longest = {**PERCONA, "name": "o" * 21}
    config = restored(longest, **BACKUP | {"id": "a" * 7})
    assert len(names.pxc_restore_job(config.name, source(config).id)) == 63
    said = refused("database.restore_from.id", longest, **BACKUP | {"id": "a" * 8})
    assert "64 characters" in said
    assert "shorten it to 7 characters" in said
    assert restored({**BASE, "name": "o" * 21}, id="a" * 20), "MariaDB's have no id"


# --- the rest of the config ---


def test_the_root_password_of_the_source_is_demanded() -> None:
    generated = {key: value for key, value in BASE.items() if key != "credentials"}
    assert "restored server has the root password" in refused("credentials.root", generated)
    given = merge(generated, {"credentials": {"root": {"password": "(secret)"}}})
    assert restored(given).credentials.root.password
    percona = {key: value for key, value in PERCONA.items() if key != "credentials"}
    assert restored(percona, **BACKUP), "Percona's operator sets its accounts' passwords"
    refused("credentials.root", percona, **BACKUP | BINLOGS)


def test_a_database_that_exists_is_not_restored() -> None:
    base = merge(BASE, {"adopt": "take_over", "credentials": {"replication": ROOT | {}}})
    base["credentials"] = {
        "root": ROOT,
        "replication": {"existing_secret": {"name": "repl", "key": "password"}},
    }
    refused("database.restore_from", base)


def test_what_mariadb_needs() -> None:
    refused("database.restore_from", backup=None)
    refused("database.restore_from", NEWER, at="2026-01-02T03:04:05Z")
    older = refused("database.restore_from.at", at="2026-01-02T03:04:05Z", backup=None)
    assert "nearest to it, also one that was made after it" in older
    for name in ("orders-2026-01-02-02:17:00-full", "physicalbackup-20260199030405.xb", "x.xb"):
        refused("database.restore_from.backup", backup=name)
    for name in ("physicalbackup-09000102030405.xb", "physicalbackup-00000102030405.xb"):
        refused("database.restore_from.backup", backup=name)
    refused("database.restore_from.binlogs", binlogs="a/b")
    assert "has a dot" in refused("database.restore_from.prefix", prefix="prod.eu/shop/full")
    key = {"existing_secret": {"name": "store", "key": "k"}}
    account = {"account": "backups", "container": "mysql", "credentials": key}
    azure: dict[str, Any] = {"s3": None, "azure": account}
    refused("database.restore_from.azure", **azure)
    assert restored(NEWER, **azure)


def test_what_percona_needs() -> None:
    refused("database.restore_from.backup", PERCONA, backup=None)
    refused("database.restore_from", PERCONA, **BACKUP | {"at": BINLOGS["at"]})
    refused("database.restore_from", PERCONA, **BACKUP | {"binlogs": "a/b"})
    volume = {"s3": None, "prefix": None, "volume": {"claim": "backups"}}
    refused("database.restore_from.volume", PERCONA, **BACKUP | volume)
    nowhere = {key: value for key, value in PERCONA.items() if key != "backup"}
    assert "image" in refused("database.restore_from", nowhere, **BACKUP)
    off = merge(PERCONA, {"backup": {"enabled": False}})
    refused("database.restore_from", off, **BACKUP)


def test_what_perconas_operator_reads_of_a_store() -> None:
    def s3(**more: Any) -> dict[str, Any]:
        return {**BACKUP, "s3": {**STORE, **KEYS, **more}}

    path = "database.restore_from.s3"
    keys = {"existing_secret": {"name": "store", "access_key": "id"}}
    refused(f"{path}.credentials.existing_secret", PERCONA, **s3(credentials=keys))
    ca = {"name": "ca", "key": "ca.crt"}
    refused(f"{path}.ca", PERCONA, **s3(ca=ca))
    assert restored(merge(PERCONA, {"percona": {"cr_version": "1.19.0"}}), **s3(ca=ca))
    azure = {**BACKUP, "s3": None, "azure": {"account": "backups", "container": "mysql"}}
    refused("database.restore_from.azure.credentials.existing_secret", PERCONA, **azure)


@pytest.mark.parametrize(("size", "timeout"), [("dev", "20m"), ("small", "45m"), ("large", "4h")])
def test_an_update_waits_as_long_as_a_restore_takes(size: str, timeout: str) -> None:
    base = {**BASE, "size": size}
    assert restored(base).database.ready_timeout == timeout
    assert resolve(base).database.ready_timeout == "20m"
    own = merge(base, {"database": {"ready_timeout": "9h"}})
    assert restored(own).database.ready_timeout == "9h"


@pytest.mark.parametrize("base", [NEWER, PERCONA], ids=["mariadb", "percona"])
def test_a_restore_has_no_identity_in_the_cloud(base: dict[str, Any]) -> None:
    """Its Pods have the servers' ServiceAccount, and not that of backups."""
    own = merge(base, {"backup": {"service_account": "cloud"}})
    named = BACKUP if base is PERCONA else {}
    said = refused("database.restore_from.s3.credentials.existing_secret", own, **named, s3=STORE)
    assert "name a Secret" in said
    azure = {"account": "backups", "container": "mysql"}
    path = "database.restore_from.azure.credentials.existing_secret"
    refused(path, own, **named, s3=None, azure=azure)


PLAIN: dict[str, Any] = {**STORE, **KEYS, "allow_plain_http": True}


def test_plain_http_has_no_authority() -> None:
    ca = {"name": "ca", "key": "ca.crt"}
    said = refused("database.restore_from.s3.ca", s3={**PLAIN, "ca": ca})
    assert "with allow_plain_http there is none" in said


@pytest.mark.parametrize(
    ("endpoint", "accepted"),
    [
        ("s3.example.com:1", True),
        ("s3.example.com:9000", True),
        ("s3.example.com:65535", True),
        ("s3.example.com:65536", False),
        ("h:99999", False),
        ("h:0", False),
        (f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}:9000", True),
        (f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 62}:9000", False),
        (f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 62}", False),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(endpoint: str, accepted: bool) -> None:
    s3 = {**STORE, **KEYS, "endpoint": endpoint}
    if accepted:
        assert restored(s3=s3)
    else:
        refused("database.restore_from.s3.endpoint", s3=s3)


def warned(config: StackConfig) -> list[str]:
    return [path for path, _, _ in checks.warnings(config, {}) if path.startswith("database")]


def test_replicas_do_not_come_from_every_backup() -> None:
    assert warned(restored(NEWER)) == ["database.restore_from"]
    assert warned(resolve(BASE)) == []
    galera = merge(NEWER, {"database": {"topology": "galera"}})
    assert warned(restored(galera)) == []
    assert warned(restored({**NEWER, "size": "dev"})) == []


def test_an_older_operator_takes_the_nearest_backup() -> None:
    dev = {**BASE, "size": "dev"}
    assert warned(restored(dev)) == ["database.restore_from.backup"]
    for tag in ("26.3.0", "main-5d1e0c2"):
        assert warned(restored(merge(dev, {"images": {"data_plane": {"tag": tag}}}))) == []
    assert warned(restored(PERCONA, **BACKUP)) == []


def test_plain_http_is_warned_of() -> None:
    newer = {**NEWER, "size": "dev"}
    assert warned(restored(newer, s3=PLAIN)) == ["database.restore_from.s3.allow_plain_http"]


# --- edits ---

ONCE = "a restore happens once, when a database is created; to restore again use a new name"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "another"},
        {"backup": "physicalbackup-20260102030406.xb.gz"},
        {"prefix": "prod/shop/orders/2/full"},
    ]
    + [
        {"s3": {**STORE, **KEYS, **other}}
        for other in ({"bucket": "others"}, {"endpoint": "s3.example.org"})
    ],
    ids=str,
)
def test_a_change_of_a_live_database_is_refused(changes: dict[str, Any]) -> None:
    before = facts(restored())
    with pytest.raises(ConfigError, match=r"^mysql-ha:database\.restore_from: ") as caught:
        immutable.check(before, facts(restored(**changes)))
    said = str(caught.value).replace(". Fix: ", "; ")
    assert "was made from incident-4711: s3.example.com/backups/prod/shop/orders/1/full" in said
    assert ONCE in said


def test_it_is_not_added_to_a_live_database() -> None:
    with pytest.raises(
        ConfigError, match="database 'orders-v2' exists, and a restore happens once"
    ):
        immutable.check(facts(resolve(BASE)), facts(restored()))


def test_the_key_may_go_and_so_may_what_says_nothing_of_the_data() -> None:
    immutable.check(facts(restored()), facts(resolve(BASE)))
    immutable.check(
        facts(restored()),
        facts(restored(s3={**STORE, "credentials": {"existing_secret": {"name": "other"}}})),
    )
    by_time = facts(restored(NEWER, backup=None, at="2026-01-02T03:04:05Z"))
    same = facts(restored(NEWER, backup=None, at="2026-01-02T05:04:05+02:00"))
    immutable.check(by_time, same)


def test_a_new_database_may_have_it() -> None:
    immutable.check({}, facts(restored()))


# --- what the operators are told ---


def bootstrap(config: StackConfig) -> dict[str, Any]:
    return restore.bootstrap(config, source(config))


def test_mariadb_reads_a_copy_of_files_from_s3() -> None:
    assert bootstrap(restored()) == {
        "backupContentType": "Physical",
        "targetRecoveryTime": "2026-01-02T03:04:05Z",
        "s3": {
            "bucket": "backups",
            "endpoint": "s3.example.com",
            "region": "eu-1",
            "prefix": "prod/shop/orders/1/full",
            "tls": {"enabled": True},
            "accessKeyIdSecretKeyRef": {"name": "store", "key": "AWS_ACCESS_KEY_ID"},
            "secretAccessKeySecretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"},
        },
        "stagingStorage": {"volume": {"emptyDir": {"sizeLimit": "20Gi"}}},
        "restoreJob": {
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            }
        },
    }


def test_a_time_is_handed_on() -> None:
    told = bootstrap(restored(NEWER, backup=None, at="2026-01-02T04:00:00+01:00"))
    assert told["targetRecoveryTime"] == "2026-01-02T03:00:00Z"


def test_a_large_one_waits_on_a_volume() -> None:
    base = merge(BASE, {"size": "large", "backup": {"staging": {"storage_class": "fast"}}})
    assert bootstrap(restored(base))["stagingStorage"] == {
        "persistentVolumeClaim": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "200Gi"}},
            "storageClassName": "fast",
        }
    }


def test_other_sources_of_mariadb_need_no_staging() -> None:
    key = {"existing_secret": {"name": "store", "key": "k"}}
    azure = {"account": "backups", "container": "mysql", "credentials": key}
    told = bootstrap(restored(NEWER, s3=None, azure=azure))
    assert told["azureBlob"] == {
        "containerName": "mysql",
        "serviceURL": "https://backups.blob.core.windows.net",
        "prefix": "prod/shop/orders/1/full",
        "storageAccountName": "backups",
        "storageAccountKey": {"name": "store", "key": "k"},
    }
    assert "stagingStorage" not in told
    told = bootstrap(restored(s3=None, prefix=None, volume={"claim": "backups"}))
    assert told["volume"] == {"persistentVolumeClaim": {"claimName": "backups"}}
    assert "stagingStorage" not in told


def test_percona_reads_one_backup_and_the_logs_after_it() -> None:
    config = restored(PERCONA, **BACKUP | BINLOGS)
    store = {
        "region": "eu-1",
        "endpointUrl": "https://s3.example.com",
        "credentialsSecret": "store",
    }
    told = restore.percona_spec(config, source(config))
    assert told["pxcCluster"] == "orders-v2"
    assert told["backupSource"] == {
        "destination": f"s3://backups/{FROM['prefix']}/{BACKUP['backup']}",
        "verifyTLS": True,
        "s3": {"bucket": f"backups/{FROM['prefix']}", **store},
    }
    assert told["pitr"] == {
        "type": "date",
        "date": "2026-01-02 03:04:05",
        "backupSource": {
            "verifyTLS": True,
            "s3": {"bucket": "backups/prod/shop/orders/1/binlogs", **store},
        },
    }
    config = restored(PERCONA, **BACKUP)
    assert "pitr" not in restore.percona_spec(config, source(config))
