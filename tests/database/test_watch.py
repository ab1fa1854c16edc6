"""What the watcher asks a server, by the monitor's account, which has no privilege."""

from __future__ import annotations

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from components.proxysql.watcher import ASK_LOOKS
from components.proxysql.watcher_sql import LOOK_EVERY, statement
from testbed.database.servers import Account, Cluster, Server, eventually

pytestmark = [
    pytest.mark.database,
    pytest.mark.parametrize("setup", ["replication"], indirect=True),
]

NO_REPLICAS, REPLICAS = 0, 2
"""How many must follow the primary: none are looked at, or both."""
ASK = (ASK_LOOKS - 1) * LOOK_EVERY + 1
FOREVER = 1_000
"""Rounds that take longer than a test waits."""


@pytest.fixture(autouse=True)
def restored(cluster: Cluster) -> Generator[None]:
    """Afterwards every server is what it was, and semi-sync is on."""
    yield
    for replica in cluster.replicas:
        replica.query("START SLAVE")
    with cluster.primary.session() as session:
        session.query("SET GLOBAL rpl_semi_sync_master_timeout = 500")
        session.query("SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON")
        session.query("SET GLOBAL read_only = 0")
    cluster.execute("DROP DATABASE IF EXISTS watched")

    def acknowledged() -> bool:
        status = cluster.primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_master_status'")
        return status.row["Value"] == "ON"

    assert eventually(acknowledged)


def verdict(
    server: Server, monitor: Account, replicas: int = REPLICAS, rounds: int = ASK, silent: int = 2
) -> str | None:
    """What the server says; the client would cut the text's last two characters off, too."""
    text = statement(replicas, rounds, silent)
    assert text.endswith("END//")
    return server.query(text.removesuffix("//"), monitor).value


def test_the_primary_is_fit(cluster: Cluster, monitor: Account) -> None:
    assert eventually(lambda: verdict(cluster.primary, monitor) == "fit")
    assert verdict(cluster.primary, monitor, NO_REPLICAS, rounds=1) == "fit"


@pytest.mark.parametrize("replicas", [NO_REPLICAS, REPLICAS])
def test_a_replica_is_read_only(cluster: Cluster, monitor: Account, replicas: int) -> None:
    assert verdict(cluster.replicas[0], monitor, replicas) == "read-only"


@contextmanager
def asked(server: Server, monitor: Account, silent: int = 2) -> Generator[list[str | None]]:
    """A question that stays open until something is wrong; the answer after the block."""
    answer: list[str | None] = []
    with ThreadPoolExecutor(1) as pool:
        question = pool.submit(verdict, server, monitor, REPLICAS, FOREVER, silent)
        time.sleep(0.3)
        assert not question.done()
        yield answer
        answer.append(question.result(15))


def test_it_notices_a_primary_that_becomes_read_only(cluster: Cluster, monitor: Account) -> None:
    """Under a lock of all tables too, as the operator takes it before."""
    with asked(cluster.primary, monitor) as answer, cluster.primary.session() as session:
        session.query("FLUSH TABLES WITH READ LOCK")
        session.query("SET GLOBAL read_only = 1")
    assert answer == ["read-only"]


def test_it_notices_that_replicas_have_left(cluster: Cluster, monitor: Account) -> None:
    with asked(cluster.primary, monitor) as answer:
        cluster.replicas[0].query("STOP SLAVE")
    assert answer == ["lone"]


def test_it_notices_replicas_that_do_not_acknowledge(cluster: Cluster, monitor: Account) -> None:
    """Their connections are there, as with a node that is cut off: nothing else shows it."""
    primary = cluster.primary
    primary.query("SET GLOBAL rpl_semi_sync_master_timeout = 3000")
    primary.query("CREATE DATABASE watched")
    for replica in cluster.replicas:
        replica.pause()
    try:
        with asked(primary, monitor, silent=5) as answer, ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            waiting = pool.submit(primary.query, "CREATE TABLE watched.t (id INT)")
            while not answer and not waiting.done():
                time.sleep(0.05)
                if time.monotonic() - began > 1.5:
                    break
            # The statement has not been acknowledged yet.
            assert not waiting.done()
        assert answer == ["silent"]
        waiting.result(15)
        # Semi-sync has given up, and says so for as long as nobody acknowledges.
        assert verdict(primary, monitor) == "unacknowledged"
    finally:
        for replica in cluster.replicas:
            replica.resume()


def test_a_lone_primary_waits_for_nobody_it_never_had(cluster: Cluster, monitor: Account) -> None:
    """`rpl_semi_sync_master_wait_no_slave=OFF`: a promotion's first statement does not wait.

    And semi-sync stays on, so that the first commit after it is waited for.
    """
    primary = cluster.primary
    primary.query("SET GLOBAL rpl_semi_sync_master_timeout = 20000")
    primary.query("SET GLOBAL rpl_semi_sync_master_wait_no_slave = OFF")
    for replica in cluster.replicas:
        replica.query("STOP SLAVE")
    assert eventually(lambda: verdict(primary, monitor) == "lone")
    began = time.monotonic()
    primary.query("CREATE DATABASE watched")
    assert time.monotonic() - began < 10
    for replica in cluster.replicas:
        replica.query("START SLAVE")
    assert eventually(lambda: verdict(primary, monitor) == "fit")
