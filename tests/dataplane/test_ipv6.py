"""A proxy whose clients come by IPv6 only, asked at the loopback's address."""

from __future__ import annotations

import socket
from collections.abc import Generator

import pytest

from components.config.proxysql import CLUSTER
from testbed.database.servers import Account, SqlError, eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.loopback import ADMIN_PORT, CLIENT_PORT, IPV6, RemoteSession
from testbed.dataplane.nodes import APP, Servers
from testbed.dataplane.release import ADMIN, PASSWORDS

from .conftest import release_of

pytestmark = pytest.mark.dataplane


@pytest.fixture
def site(lab: Lab, replication: Servers) -> Generator[Deployment]:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    interfaces = f"[::]:{CLIENT_PORT}"
    release = release_of(lab, replication, "primary_service", replicas=1, interfaces=interfaces)
    with lab.deploy(replication, release) as site:
        yield site


def listens(port: int, host: str = IPV6) -> bool:
    """What the readiness and the liveness probe ask."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def test_clients_peers_and_probes_come_by_ipv6(site: Deployment) -> None:
    """The startup probe has passed: scripts use IPv4's loopback."""
    proxy = site.tier.proxies[0]
    assert listens(CLIENT_PORT) and listens(ADMIN_PORT)
    assert not listens(CLIENT_PORT, proxy.host)
    with RemoteSession(IPV6, CLIENT_PORT, APP) as session:
        session.query("INSERT INTO writes (id) VALUES (6)")
        assert session.query("SELECT COUNT(*) FROM writes").value == "1"
    with RemoteSession(IPV6, ADMIN_PORT, Account(CLUSTER, PASSWORDS["proxy_cluster"])) as peer:
        assert peer.query("SELECT COUNT(*) FROM runtime_proxysql_servers").value == "1"
    assert proxy.admin("SELECT COUNT(*) FROM mysql_users").value != "0"


def test_a_drain_leaves_the_port_open(lab: Lab, replication: Servers) -> None:
    """A fault of ProxySQL: PAUSE closes listeners by a name that one of IPv6 has lost
    (lib/MySQL_Thread.cpp, MySQL_Listeners_Manager::add). docs/proxysql.md says so."""
    interfaces = f"0.0.0.0:{CLIENT_PORT};[::]:{CLIENT_PORT}"
    release = release_of(lab, replication, "primary_service", replicas=1, interfaces=interfaces)
    with lab.deploy(replication, release) as site:
        proxy = site.tier.proxies[0]
        assert listens(CLIENT_PORT, proxy.host)
        proxy.admin("PROXYSQL PAUSE")
        assert eventually(lambda: not listens(CLIENT_PORT, proxy.host), timeout=10)
        assert listens(CLIENT_PORT)


def test_admin_is_for_the_pod_itself(site: Deployment) -> None:
    """ProxySQL knows `::1` for loopback; a Pod's own address it refuses, as of IPv4."""
    with RemoteSession(IPV6, ADMIN_PORT, ADMIN) as session:
        assert session.query("SELECT COUNT(*) FROM mysql_users").value != "0"
    with pytest.raises(SqlError):
        RemoteSession(IPV6, ADMIN_PORT, Account("admin", "another")).query("SELECT 1")
