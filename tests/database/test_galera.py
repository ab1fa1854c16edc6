"""What ProxySQL's Galera check reads of a three-node cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.database.servers import Account, Cluster, Result, Server, eventually

from . import monitor_queries

pytestmark = [
    pytest.mark.database,
    pytest.mark.parametrize("setup", ["galera"], indirect=True),
]


@pytest.fixture
def node(cluster: Cluster) -> Iterator[Server]:
    """A node to disturb; afterwards it is in the cluster again."""
    server = cluster.servers[-1]
    yield server
    server.query("SET GLOBAL wsrep_desync = OFF")
    server.query("SET GLOBAL wsrep_reject_queries = NONE")
    server.query("SET GLOBAL read_only = 0")
    cluster.settle()


def test_every_node_is_online(cluster: Cluster, monitor: Account) -> None:
    for server in cluster.servers:
        answer = _check(server, monitor)
        assert answer.row | {"wsrep_local_recv_queue": "0"} == {
            "wsrep_local_state": "4",
            "read_only": "0",
            "wsrep_local_recv_queue": "0",
            "wsrep_desync": "0",
            "wsrep_reject_queries": "NONE",
            "wsrep_sst_donor_rejects_queries": "0",
            "wsrep_cluster_status": "Primary",
            "pxc_maint_mode": "DISABLED",
        }
        assert monitor_queries.galera_online(answer)


def test_the_nodes_are_one_cluster(cluster: Cluster) -> None:
    for server in cluster.servers:
        assert server.query("SHOW STATUS LIKE 'wsrep_cluster_size'").row["Value"] == "3"


def test_a_desynced_node_is_offline(monitor: Account, node: Server) -> None:
    node.query("SET GLOBAL wsrep_desync = ON")
    assert eventually(lambda: _check(node, monitor).row["wsrep_local_state"] == "2")
    assert not monitor_queries.galera_online(_check(node, monitor))


@pytest.mark.parametrize("mode", ["ALL", "ALL_KILL"])
def test_a_node_that_rejects_queries_answers_the_check_and_is_offline(
    monitor: Account, node: Server, mode: str
) -> None:
    node.query(f"SET GLOBAL wsrep_reject_queries = {mode}")
    answer = _check(node, monitor)
    assert answer.row["wsrep_reject_queries"] == mode
    assert not monitor_queries.galera_online(answer)


def test_a_read_only_node_answers_so(monitor: Account, node: Server) -> None:
    node.query("SET GLOBAL read_only = 1")
    assert _check(node, monitor).row["read_only"] == "1"


def _check(server: Server, monitor: Account) -> Result:
    with server.session(monitor) as session:
        return monitor_queries.run("galera", session)
