"""Backups of other databases than a replicated one, and other places for them than a bucket.

On real nodes, through the operator. The S3 server may die: each test has a database of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.engine import Engine
from local.real.cluster import RealCluster
from testbed.cluster.backups import (
    Admin,
    Store,
    broken_off,
    dumped,
    files,
    fill,
    first_backup,
    load_dump,
    make,
    remove,
    restored,
    scheduled,
)
from testbed.cluster.inside import Inside
from testbed.cluster.site import ENOUGH, SHOP, TABLE, Site, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
OF_DEV: dict[str, Any] = {"enabled": True, "drill": {"enabled": True}}
"""`backup` of a stack of size `dev`, which has none of itself."""
DUMPS = 300.0
"""Seconds in which a schedule of every second minute makes a dump."""


@pytest.fixture
def deployed(
    cluster: RealCluster, engine: Engine, inside: Inside
) -> Generator[Callable[..., Site]]:
    """`deployed(size="dev", name="x", …)`: a stack, until the test ends."""
    sites: list[Site] = []

    def deploy(**config: Any) -> Site:
        site = Site(cluster, engine, inside, config["name"], {"apps": [SHOP], **config})
        sites.append(site)
        site.up()
        return site

    yield deploy
    for site in reversed(sites):
        remove(site)


def written(site: Site, admin: Admin) -> tuple[set[int], set[int | None]]:
    """Rows that were acknowledged before a backup, and those that were sent until its end."""
    site.prepare()
    with site.load() as journal:
        eventually(lambda: len(journal.acknowledged) > ENOUGH, 120)
        before = set(journal.acknowledged)
        assert admin.backup(), admin.said
        sent = {event.id for event in journal.events}
    return before, sent


@contextmanager
def made_of(site: Site, source: Mapping[str, Any], backup: str) -> Generator[Site]:
    """A database from a backup of another, until the block ends."""
    new = restored(site, source, backup)
    began = time.monotonic()
    try:
        new.up()
        print(f"{new.name} of {backup}: {time.monotonic() - began:.0f} s")
        yield new
    finally:
        remove(new)


def holds(new: Site, before: set[int], sent: set[int | None]) -> None:
    """Every server has what was acknowledged before the backup, and nothing that nobody sent."""
    for server, held in new.rows().items():
        print(
            f"{server}: {len(before)} acknowledged, {len(before - held)} missing, {len(held)} held"
        )
        assert before <= held <= sent, server
    host, port = new.endpoint()
    seen = new.ask_at(new.account(), host, port, f"SELECT COUNT(*) > 0 FROM {TABLE}")
    assert seen == [("1",)]
    assert not new.changes()


def test_a_volume_has_copies_and_dumps_of_a_standalone_server(
    deployed: Callable[..., Site],
) -> None:
    volume = {"store": {"volume": {"size": "1Gi"}}, "logical": {"schedule": "*/2 * * * *"}}
    site = deployed(size="dev", name="vol", backup={**OF_DEV, **volume})
    (claim,) = scheduled(site)

    def made() -> list[str]:
        return [file.name for file in files(site, claim)]

    first = first_backup(site, made)
    assert made() == [first]
    admin = Admin(site)
    before, sent = written(site, admin)
    *_, newest = made()
    assert newest > first
    assert admin.drill(), admin.said
    assert any(newest.removesuffix(".gz") in line for line in admin.said)
    assert not site.changes()
    with made_of(site, {"volume": {"claim": claim}}, newest) as new:
        holds(new, before, sent)
        assert not site.changes()

    # A dump that begins from now on has all rows.
    dumps = dumped(site)
    old = len(files(site, dumps))
    eventually(lambda: len(files(site, dumps)) > old + 1, DUMPS)
    site.ask("vol-0", f"DROP TABLE {TABLE}")
    load_dump(site, files(site, dumps)[-1], "vol-0", "shop")
    assert before <= site.rows()["vol-0"]
    assert not site.changes()


def test_a_galera_cluster_becomes_another_one(
    deployed: Callable[..., Site], store: Store, proxied: bool
) -> None:
    if not proxied:
        pytest.skip("no ProxySQL, which chooses the writer: neither named by PROXYSQL nor on PATH")
    backup = {"store": {"s3": store.config}}
    site = deployed(size="small", name="gal", database={"topology": "galera"}, backup=backup)
    first_backup(site, lambda: store.names(site))
    admin = Admin(site)
    before, sent = written(site, admin)
    assert admin.drill(), admin.said
    assert not site.changes()
    with made_of(site, store.source(site), store.names(site)[-1]) as new:
        holds(new, before, sent)
        sizes = new.ask(new.servers()[0], "SHOW STATUS LIKE 'wsrep_cluster_size'")
        assert sizes == [("wsrep_cluster_size", "3")]


def test_a_store_that_dies_during_an_upload(
    deployed: Callable[..., Site], store: Store, tmp_path: Path
) -> None:
    """And what a person types. Bytes of an upload that broke off are no backup."""
    to_store = {"store": {"s3": store.config}, "compression": "none"}
    site = deployed(size="dev", name="solo", backup={**OF_DEV, **to_store})
    first = first_backup(site, lambda: store.names(site))
    fill(site)
    admin = Admin(site)
    with broken_off(site, store, admin) as result:
        assert not result.done()
    assert result.result(), admin.said
    old, retried = store.names(site)
    assert (old, retried > first) == (first, True)
    assert store.size(site, retried) > store.size(site, first)
    assert admin.drill(), admin.said

    said = make(site, tmp_path, "backup-now", "restore-drill")
    assert "PASSED solo: a backup is in the store" in said
    newest = store.names(site)[-1]
    assert newest > retried
    assert f"PASSED solo: drill: passed: {newest}" in said
    assert not site.changes()
