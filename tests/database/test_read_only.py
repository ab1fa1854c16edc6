"""How ProxySQL tells the writer of a replication cluster: `read_only`, and its hazard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.database.servers import Account, Cluster, Server, eventually

from . import monitor_queries

pytestmark = [
    pytest.mark.database,
    pytest.mark.parametrize("setup", ["replication"], indirect=True),
]


@pytest.fixture
def replica(cluster: Cluster) -> Iterator[Server]:
    """A replica to restart; afterwards it is what the operator made of it again."""
    server = cluster.replicas[-1]
    yield server
    server.restart()
    server.query("SET @@global.read_only=1;")
    cluster.settle()


def test_the_primary_is_the_only_writer(cluster: Cluster, monitor: Account) -> None:
    assert [_is_writer(server, monitor) for server in cluster.servers] == [True, False, False]


def test_replicas_acknowledge_writes(cluster: Cluster) -> None:
    def clients() -> str | None:
        status = cluster.primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'")
        return status.row["Value"]

    assert eventually(lambda: clients() == "2"), clients()


def test_a_restarted_replica_is_a_second_writer(
    cluster: Cluster, monitor: Account, replica: Server
) -> None:
    """The hazard: only SQL sets `read_only`, so a restart forgets it, and replication goes on.

    Until the operator sets it again, ProxySQL counts two writers. This is why the writer hostgroup
    has the fence `max_num_online_servers=1`.
    """
    replica.restart()
    assert _is_writer(replica, monitor)
    assert _is_writer(cluster.primary, monitor)
    cluster.settle()  # it still replicates


def test_read_only_in_the_configuration_survives_a_restart_and_can_be_lifted(
    monitor: Account, replica: Server
) -> None:
    replica.restart(settings={"read_only": 1})
    assert not _is_writer(replica, monitor)
    replica.query("SET @@global.read_only=0;")  # what a promotion sends
    assert _is_writer(replica, monitor)


def _is_writer(server: Server, monitor: Account) -> bool:
    with server.session(monitor) as session:
        return monitor_queries.is_writer(monitor_queries.run("read_only", session))
