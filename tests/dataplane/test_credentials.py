"""Credentials of the proxies themselves, which they have from their start on.

A rotation reaches the servers first; then the proxies are rolled.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.database import operator_sql
from testbed.database.servers import eventually
from testbed.dataplane.deployment import Deployment, Lab, watch
from testbed.dataplane.mariadb_operator import reconcile
from testbed.dataplane.nodes import APP, MONITOR, Node, Servers
from testbed.dataplane.release import PASSWORDS

from .conftest import release_of
from .test_proxies import SHORT

pytestmark = pytest.mark.dataplane

RENEWED = {role: f"new-{password}" for role, password in PASSWORDS.items()}
RENEWED_MONITOR = replace(MONITOR, password=RENEWED["monitor"])

REFUSED_PINGS = """
SELECT COUNT(*) FROM monitor.mysql_server_ping_log WHERE ping_error LIKE '%Access denied%'
"""
FEWEST_CHECKS = """
SELECT MIN(found) FROM (
  SELECT COUNT(*) - SUM(time_start_us <= {since}) AS found
  FROM monitor.mysql_server_{kind}_log WHERE error IS NULL GROUP BY hostname
)
"""
"""How often each server was checked since a time, at least."""
LAST_CHECK = "SELECT MAX(time_start_us) FROM monitor.mysql_server_{kind}_log"


def test_a_rotation_fails_nothing(lab: Lab, replication: Servers) -> None:
    """A proxy that has the old file yet goes on, and its monitor logs in again: two accounts take
    turns. The other passwords change as well; that peers refuse each other matters to nobody.
    """
    before = release_of(lab, replication, "monitor", monitor_rotation=0)
    after = release_of(lab, replication, "monitor", monitor_rotation=1, passwords=RENEWED)

    def happening(site: Deployment) -> None:
        reconcile(site.primary, after.monitors)
        first, *others = reversed(site.tier.proxies)
        site.tier.replace(first, after)
        writers = cut_monitors_off(site, "read_only")
        assert writers == {(site.primary.host,)}
        assert monitoring(replication) == {account.user for account in after.monitors}
        for proxy in others:
            site.tier.replace(proxy, after)

    with lab.deploy(replication, before) as site:
        outcome = watch(site, happening, lifetimes=SHORT)
        assert outcome.acknowledged
        assert not outcome.failures, outcome.messages
        assert outcome.lost == 0
        assert site.tier.agrees_on({site.primary.host})
        assert monitoring(replication) == {next(iter(after.monitors)).user}


def test_a_rotation_leaves_galera_its_nodes(lab: Lab, galera: Servers) -> None:
    """On old and new proxies, in the turn in which the first account gets a new password.

    Whatever ends the monitor's connections takes a node out until its next check, rotation or not
    (lib/MySQL_Monitor.cpp, "reconfigure immediately"): with them go statements that run there. A
    monitor that is refused would leave it out.
    """
    before = release_of(lab, galera, "galera", monitor_rotation=1)
    after = release_of(lab, galera, "galera", monitor_rotation=2)
    with lab.deploy(galera, before) as site:
        reconcile(site.primary, after.monitors)
        site.tier.replace(site.tier.proxies[-1], after)
        cut_monitors_off(site, "galera")
        assert monitoring(galera) == {account.user for account in after.monitors}
        assert eventually(lambda: site.tier.agrees_on({galera.nodes[0].host}), timeout=20)
        for proxy in site.tier.proxies:
            with proxy.session(APP) as session:
                assert session.query("SELECT COUNT(*) FROM writes").value == "0"


@pytest.mark.parametrize(
    ("kind", "stays"), [("primary_service", True), ("monitor", False), ("galera", False)]
)
def test_a_given_password_of_the_monitor_is_changed(
    request: pytest.FixtureRequest, lab: Lab, kind: str, stays: bool
) -> None:
    """One account, so there is a hazard until a proxy is replaced: whatever ends the connections
    of its monitor, as a server's restart does.

    ProxySQL takes the refusal for a timeout ("timeout on creating new connection"), and after
    three of them the proxy has no writer, unless it is the operator's Service that leads to it.
    """
    servers: Servers = request.getfixturevalue("galera" if kind == "galera" else "replication")
    with lab.deploy(servers, release_of(lab, servers, kind)) as site:
        proxy, writer = site.tier.proxies[0], site.release.writer
        before = proxy.writers(writer)
        site.primary.query(operator_sql.alter_user(RENEWED_MONITOR))
        assert eventually(lambda: not any(node.lets_in(MONITOR) for node in servers.nodes))
        for node in servers.nodes:
            node.query(f"KILL USER {MONITOR.user}")
        assert eventually(lambda: int(proxy.admin(REFUSED_PINGS).value or 0) > 5, timeout=30)
        if stays:
            assert proxy.writers(writer) == before
            with proxy.session(APP) as session:
                assert session.query("SELECT COUNT(*) FROM writes").value == "0"
        else:
            assert eventually(lambda: proxy.writers(writer) == [], timeout=30)


def cut_monitors_off(site: Deployment, kind: str) -> set[tuple[str, ...]]:
    """End the connections of all monitors, and see them check every server by new ones, more often
    than it takes to lose it. The writers that proxies had meanwhile."""
    proxies, nodes = site.tier.proxies, site.servers.nodes
    since = {proxy: proxy.admin(LAST_CHECK.format(kind=kind)).value for proxy in proxies}
    ended = {node: monitors_of(node) for node in nodes}
    for node, connections in ended.items():
        assert connections
        for user in set(connections.values()):
            node.query(f"KILL USER {user}")
    seen: set[tuple[str, ...]] = set()

    def checked() -> bool:
        seen.update(tuple(proxy.writers(site.release.writer)) for proxy in proxies)
        return all(
            int(proxy.admin(FEWEST_CHECKS.format(kind=kind, since=moment)).value or 0) >= 5
            for proxy, moment in since.items()
        )

    assert eventually(checked, timeout=30), proxies[0].log()[-3000:]
    assert not any(ended[node].keys() & monitors_of(node).keys() for node in nodes)
    return seen


def monitoring(servers: Servers) -> set[str | None]:
    """By which accounts the monitors are connected."""
    return {user for node in servers.nodes for user in monitors_of(node).values()}


def monitors_of(node: Node) -> dict[str | None, str | None]:
    """The account of each connection of a monitor, by its id."""
    rows = node.query(
        f"SELECT id, user FROM information_schema.processlist WHERE user LIKE '{MONITOR.user}%'"
    ).rows
    return {number: user for number, user in rows}
