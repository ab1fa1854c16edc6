"""Backups on real things: the operator's program, mariadb-backup, servers and an S3 server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from local import ports
from testbed.database.backups import Backup, Place, Restore
from testbed.database.object_store import ObjectStore
from testbed.database.servers import Installation, Server, stopping

pytestmark = pytest.mark.database

HOUR = 3600


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
