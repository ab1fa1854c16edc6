"""Primaries that crash, are switched and return: what clients see and what servers hold after.

Numbers are rows of docs/acceptance.md; figures are docs/failover.md's.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from testbed.database.servers import SqlError, eventually
from testbed.dataplane import deployment
from testbed.dataplane.deployment import Deployment, Lab, watch
from testbed.dataplane.nodes import APP, Servers

from .conftest import UNFENCED_TIMEOUT_MS, release_of

pytestmark = pytest.mark.dataplane

LOST_CONNECTION, READ_ONLY = 2013, 1290
ROUTINGS = ("monitor", "primary_service")


@pytest.mark.parametrize("routing", ROUTINGS)
def test_a_crash_loses_no_acknowledged_write(
    lab: Lab, request: pytest.FixtureRequest, routing: str
) -> None:
    """36: only requests under way fail.

    20: nor does the old primary get a write when it returns, writable until the operator makes it
    a replica. Then it is a reader again.
    """
    servers = request.getfixturevalue("unfenced" if routing == "monitor" else "replication")
    with lab.deploy(servers, release_of(lab, servers, routing)) as site:
        old = site.primary
        outcome = watch(site, deployment.old_primary_returns)
        assert outcome.acknowledged
        assert outcome.lost == 0
        assert outcome.stray == 0
        assert outcome.writers == 2
        assert set(outcome.failures) <= {LOST_CONNECTION}, outcome.messages
        if routing == "monitor":
            assert eventually(lambda: _is_reader(site, old.host), timeout=20)


def test_a_restarted_replica_gets_no_write(lab: Lab, unfenced: Servers) -> None:
    """21: it comes back writable. The fence stops all writes until somebody sets `read_only`."""
    with lab.deploy(unfenced, release_of(lab, unfenced, "monitor")) as site:
        replica = site.others[-1]
        outcome = watch(site, deployment.replica_restart(by_hand=4))
        assert outcome.stray == 0
        assert outcome.writers == 1
        assert set(outcome.missing.values()) == {0}
        assert outcome.outage > 1
        assert eventually(lambda: _is_reader(site, replica.host), timeout=20)
        # Said by a proxy that had a client meanwhile.
        complaint = "exceeds the configured maximum online servers"
        assert any(complaint in proxy.log() for proxy in site.tier.proxies)


def test_a_restarted_replica_matters_not_behind_the_service(lab: Lab, replication: Servers) -> None:
    """21: no proxy looks at `read_only`, so nothing happens."""
    with lab.deploy(replication, release_of(lab, replication, "primary_service")) as site:
        outcome = watch(site, deployment.replica_restart(by_hand=2))
    assert outcome.stray == 0
    assert outcome.writers == 1
    assert not outcome.failures


def test_a_switchover_behind_the_service_loses_nothing(lab: Lab, replication: Servers) -> None:
    """No write reaches the new primary before the operator has connected the replicas to it."""
    with lab.deploy(replication, release_of(lab, replication, "primary_service")) as site:
        outcome = watch(site, deployment.switchover)
    assert outcome.lost == 0
    assert set(outcome.missing.values()) == {0}
    assert outcome.stray == 0
    assert not outcome.broken
    assert set(outcome.failures) <= {LOST_CONNECTION, READ_ONLY}, outcome.messages


def test_a_session_that_only_fails_stays_with_the_old_primary(
    lab: Lab, replication: Servers
) -> None:
    """The limit without the watcher: such a session must roll back, or connect again.

    After an error ProxySQL does not know whether a transaction is open, and keeps the connection
    (lib/mysql_connection.cpp, IsActiveTransaction): its age is not looked at.
    """
    release = release_of(
        lab, replication, "primary_service", switchover_wait=0, min_semi_sync_replicas=0
    )
    with lab.deploy(replication, release) as site, site.tier.proxies[0].session(APP) as session:
        numbers = iter(range(1, 10_000))

        def written() -> int | None:
            try:
                session.query(f"INSERT INTO writes (id) VALUES ({next(numbers)})")
            except SqlError as error:
                return error.code
            return None

        assert written() is None
        site.operator.switchover(site.others[0])
        assert not eventually(lambda: written() != READ_ONLY, timeout=10)
        session.query("ROLLBACK")
        assert eventually(lambda: written() is None, timeout=20)


def test_a_monitored_switchover_outruns_the_operator(
    lab: Lab, unfenced: Servers, slow_promotion: None
) -> None:
    """The hazard (mariadb-operator#1514): the primary has every write, and replicas miss some.

    The proxies follow `read_only` at once, and the operator reads the position from which replicas
    shall go on later: they skip what was written in between, and at the next failover it is lost.
    """
    with lab.deploy(unfenced, release_of(lab, unfenced, "monitor")) as site:
        outcome = watch(site, deployment.switchover)
    assert outcome.lost == 0
    assert outcome.stray == 0
    assert not outcome.broken
    assert any(outcome.missing.values()), "the operator or the proxy has changed: see docs"


@pytest.fixture
def slow_promotion(unfenced: Servers) -> Generator[None]:
    """A promotion waits for semi-sync for 5 s, half the server's default."""
    _set_semi_sync_timeout(unfenced, 5_000)
    yield
    _set_semi_sync_timeout(unfenced, UNFENCED_TIMEOUT_MS)


def _set_semi_sync_timeout(servers: Servers, milliseconds: int) -> None:
    for node in servers.nodes:
        node.query(f"SET GLOBAL rpl_semi_sync_master_timeout = {milliseconds}")


def _is_reader(site: Deployment, host: str) -> bool:
    """Whether every proxy has a server online in the reader hostgroup and nowhere else."""
    return all(
        proxy.admin(
            f"SELECT hostgroup_id, status FROM runtime_mysql_servers WHERE hostname='{host}'"
        ).rows
        == (("20", "ONLINE"),)
        for proxy in site.tier.proxies
    )
