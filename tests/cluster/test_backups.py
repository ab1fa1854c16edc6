"""Backups through the operator, on real nodes and a real S3 server: from the first to a restore."""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from components.config.load import merge
from local.engine import Engine
from local.real.cluster import RealCluster
from local.real.images import proxysql_program
from testbed.cluster.backups import (
    Admin,
    Store,
    drilled,
    fill,
    first_backup,
    halted_copy,
    place,
    remove,
    restarts,
    restored,
    scheduled,
    shell,
)
from testbed.cluster.inside import Inside
from testbed.cluster.site import ENOUGH, SHOP, TABLE, Site, eventually
from tests.unit.test_restore_page import blocks

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
HALTED = 45.0
"""Seconds that a copy stands still: a liveness probe fails for 30 s until a server is restarted."""


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


@pytest.fixture(scope="module")
def filled(site: Site) -> None:
    fill(site)


def test_a_backup_becomes_a_database_with_every_row_that_was_acknowledged_before_it(
    site: Site, store: Store
) -> None:
    first = first_backup(site, lambda: store.names(site))
    assert store.names(site) == [first]
    assert not site.changes()
    site.prepare()
    admin = Admin(site)
    with site.load() as journal:
        eventually(lambda: len(journal.acknowledged) > ENOUGH, 120)
        before = journal.acknowledged
        assert admin.backup(), admin.said
        sent = {event.id for event in journal.events}
    assert admin.drill(), admin.said
    *_, newest = store.names(site)
    assert newest > first

    new = restored(site, store.source(site), newest)
    began = time.monotonic()
    try:
        new.up()
        print(f"{newest}, {store.size(site, newest)} bytes: {time.monotonic() - began:.0f} s")
        for server, held in new.rows().items():
            assert before <= held <= sent, server
        host, port = new.endpoint()
        account = new.account()
        assert account.password != site.account().password
        assert new.ask_at(account, host, port, f"SELECT COUNT(*) > 0 FROM {TABLE}") == [("1",)]
        assert not new.changes()
        assert not site.changes()
        # Its own backups, in a place of their own.
        first_backup(new, lambda: store.names(new))
        assert store.names(site)[-1] == newest
        another = Admin(new)
        assert another.backup(), another.said
        assert another.drill(), another.said
    finally:
        remove(new)


def test_a_moment_between_two_backups(site: Site, store: Store, tmp_path: Path) -> None:
    """The page's commands, as they are but for names, place and time."""
    site.prepare()
    admin = Admin(site)
    assert admin.backup(), admin.said
    *_, newest = store.names(site)
    first, second = -1, -2
    site.ask(site.primary, f"INSERT INTO {TABLE} VALUES ({first})")
    time.sleep(2)  # transactions have whole seconds
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    time.sleep(2)
    site.ask(site.primary, f"INSERT INTO {TABLE} VALUES ({second})")

    where = shell(site, tmp_path, block("pulumi stack output"))
    assert f"s3://{store.server.bucket}/{place(site).prefix('full')}" in where
    shell(site, tmp_path, block("create secret generic orders-root-then"))
    copy = copied(site, store, newest)
    try:
        copy.up()
        assert copy.rows() == {"orders-copy-0": set()}
        shell(copy, tmp_path, block("patch mariadb orders-copy"))
        fetch = block("mariadb-operator.info").replace(" orders-0 ", f" {site.primary} ")
        shell(site, tmp_path, fetch)
        replay = block("tools.replay").replace("2026-01-02T09:59:00Z", moment)
        said = shell(copy, tmp_path, replay)
        assert copy.rows() == {"orders-copy-0": set()}, said
        said = shell(copy, tmp_path, f"{replay.rstrip()} --run")
        assert copy.rows() == {"orders-copy-0": {first}}, said
        shell(copy, tmp_path, block("patch mariadb orders-copy").replace("true", "false"))
    finally:
        remove(copy)
        site.kubectl("delete", "secret", "orders-root-then")


def copied(site: Site, store: Store, backup: str) -> Site:
    """The page's copy of a database, not yet deployed, of a backup in a store."""
    text = next(text for text in blocks("yaml") if "orders-copy" in text)
    keys = {k.removeprefix("mysql-ha:"): v for k, v in yaml.safe_load(text)["config"].items()}
    source = {"backup": backup, **store.source(site)}
    here = {
        "namespace": "default",
        "database": {"storage": {"size": "1Gi"}, "restore_from": source},
    }
    return Site(site.cluster, site.engine, site.inside, "orders-copy", merge(keys, here))


def block(part: str) -> str:
    """The one block of commands of docs/restore.md that has this in it."""
    (found,) = (text for text in blocks("sh") if part in text)
    return found


def test_a_long_copy_leaves_its_server_alone(site: Site, filled: None) -> None:
    """Longer than a replica may apply nothing before its liveness probe ends it."""
    admin = Admin(site)
    before = {server: restarts(site, server) for server in site.servers()}
    with halted_copy(site, admin) as copy:
        assert copy.target != site.primary
        time.sleep(HALTED)
    assert copy.result.result(), admin.said
    assert {server: restarts(site, server) for server in site.servers()} == before
    assert admin.drill(), admin.said


def test_a_primary_killed_during_a_backup(site: Site, filled: None) -> None:
    admin = Admin(site)

    def happening(site: Site) -> None:
        killed = site.primary
        with halted_copy(site, admin) as copy:
            site.kill(killed, "mariadbd")
            eventually(lambda: site.primary != killed, 120)
            time.sleep(HALTED)
        print(f"a copy of {copy.target}, and now {site.primary} is the primary")
        assert copy.result.result(), admin.said

    seen = site.watch(happening)
    print(f"{site.name}, primary killed during a backup: {seen}")
    assert seen.acknowledged > 100, seen
    assert not seen.lost, seen
    assert seen.flows, seen
    assert admin.drill(), admin.said
    assert admin.backup(), admin.said
    assert admin.drill(), admin.said
    assert not site.changes()


def test_the_schedules_run_and_a_new_one_is_a_new_object(site: Site, store: Store) -> None:
    """The first backup of an object is made at once, the second by its schedule."""
    (old,) = scheduled(site)
    before = store.names(site)
    often = "*/2 * * * *"
    site.up(backup={"schedule": often, "timeout": "1m30s", "drill": {"schedule": often}})
    (new,) = scheduled(site)
    assert new != old
    eventually(lambda: len(store.names(site)) >= len(before) + 2, 300)
    assert store.names(site)[: len(before)] == before
    eventually(lambda: drilled(site), 300)
    assert not site.changes()
