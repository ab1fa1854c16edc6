"""What `tools.status` shows of real servers behind real proxies.

`pytest -s` prints the screens, of which docs/operations.md has some.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components import names
from components.proxysql.live import native_password_hash
from testbed.database.servers import eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.kubectl import DeployedCluster
from testbed.dataplane.nodes import APP, REPLICATION, SECOND, Servers
from testbed.dataplane.proxies import Proxy
from testbed.dataplane.release import NAME, PASSWORDS
from tools.status import ask
from tools.status.gather import gather
from tools.status.model import Database, Verdict
from tools.status.screen import render
from tools.status.verdicts import verdicts, wrong

from .conftest import release_of

pytestmark = pytest.mark.dataplane


def look(site: Deployment) -> tuple[Database, list[Verdict]]:
    """A look, which is printed."""
    database = gather(DeployedCluster(site, backed_up()), NAME)
    found = verdicts(database)
    print(render(database, found, colour=sys.stdout.isatty()))
    return database, found


def backed_up() -> dict[str, list[dict[str, Any]]]:
    """Objects of backups and drills that are as they should be."""
    now = datetime.now(UTC)
    name = names.backup(NAME, "0f0f0f")
    made = {"creationTimestamp": (now - timedelta(days=90)).isoformat()}
    done = {"type": "Complete", "status": "True"}
    at = {"lastTransitionTime": (now - timedelta(hours=9)).isoformat()}
    return {
        "physicalbackups.k8s.mariadb.com": [{
            "metadata": {"name": name, **made},
            "spec": {
                "mariaDbRef": {"name": NAME},
                "schedule": {"cron": "17 2 * * *"},
                "timeout": "2h",
            },
        }],
        "jobs": [{
            "metadata": {"name": "job", "ownerReferences": [
                {"kind": "PhysicalBackup", "name": name},
            ]},
            "status": {"conditions": [{**done, **at}]},
        }],
        "cronjobs": [{
            "metadata": {"name": names.restore_drill(NAME), **made},
            "spec": {"schedule": "43 4 * * 0"},
            "status": {"lastSuccessfulTime": (now - timedelta(days=3)).isoformat()},
        }],
    }  # fmt: skip


def alerts(found: list[Verdict]) -> set[str]:
    return {one.alert for one in found}


@pytest.mark.parametrize("monitored", ["monitor", "galera"])
def test_servers_that_proxysql_moves_are_no_drift(
    lab: Lab, request: pytest.FixtureRequest, monitored: str
) -> None:
    """Where the proxies themselves find the writer, also after they have found another.

    First in this module: `site` has the addresses of these servers' proxies until its end.
    """
    fixture = "galera" if monitored == "galera" else "replication"
    servers: Servers = request.getfixturevalue(fixture)
    with lab.deploy(servers, release_of(lab, servers, monitored)) as site:
        if servers.topology == "replication":
            site.operator.switchover(site.others[0])
            assert eventually(lambda: site.tier.agrees_on({servers.nodes[1].host}), 20)
        database, found = look(site)
    assert [one.drift for one in database.proxies] == [(), (), ()]
    assert not found
    if servers.topology == "galera":
        galera = [server.galera for server in database.servers]
        assert all(node and (node.status, node.size) == ("Primary", 3) for node in galera)
        assert {one.writers for one in database.proxies} == {
            ("db-0.db-internal.default.svc.cluster.local",)
        }


@pytest.fixture(scope="module")
def site(lab: Lab, replication: Servers) -> Generator[Deployment]:
    release = release_of(lab, replication, "primary_service", read_write_split=True)
    with lab.deploy(replication, release) as site:
        yield site


@pytest.fixture
def proxy(site: Deployment) -> Proxy:
    return site.tier.proxies[1]


def test_all_is_well(site: Deployment) -> None:
    with site.tier.proxies[0].session(APP) as session:
        session.query("BEGIN")
        session.query("SELECT * FROM writes FOR UPDATE")
        database, found = look(site)
    assert not found
    primary, *replicas = database.servers
    assert (primary.pod, primary.read_only) == ("db-0", False)
    assert primary.semi_sync and primary.semi_sync.waits and primary.semi_sync.clients == 2
    assert primary.max_connections == 300
    assert primary.connections > 0
    for replica in replicas:
        assert replica.read_only
        assert replica.replication and replica.replication.lag is not None
        assert replica.replication.source.startswith("db-0.")
        assert replica.semi_sync and replica.semi_sync.acknowledges
    for one in database.proxies:
        assert one.writers == ("db-primary.default.svc.cluster.local",)
        assert one.max_clients == 2048
    assert (database.proxies[0].clients, database.proxies[0].used) == (1, 1)


def test_no_password_leaves_a_pod(site: Deployment) -> None:
    """Neither a password nor the hash of a login, in whatever was printed there."""
    cluster = DeployedCluster(site)
    gather(cluster, NAME)
    logins = [account.password for account in (APP, SECOND)]
    secrets = {
        *logins,
        *map(native_password_hash, logins),
        *PASSWORDS.values(),
        REPLICATION.password,
    }
    printed = "".join(cluster.printed)
    assert "proxysql_monitor" in printed
    assert not [secret for secret in secrets if secret in printed]


DRIFT = {
    "UPDATE mysql_servers SET max_connections=7 WHERE hostgroup_id=10": (
        "MYSQL SERVERS",
        "server db-primary.default.svc.cluster.local:3306 in 10: max_connections is 7, "
        "the file has 24",
    ),
    "UPDATE mysql_servers SET status='OFFLINE_SOFT' WHERE hostgroup_id=20 AND weight=1000": (
        "MYSQL SERVERS",
        "server db-secondary.default.svc.cluster.local:3306 in 20: OFFLINE_SOFT by hand",
    ),
    "INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (20, 'other.test')": (
        "MYSQL SERVERS",
        "server other.test:3306 in 20: not in the file",
    ),
    "DELETE FROM mysql_servers WHERE weight=1000": (
        "MYSQL SERVERS",
        "server db-secondary.default.svc.cluster.local:3306 in 20: missing",
    ),
    "UPDATE mysql_query_rules SET destination_hostgroup=10 WHERE rule_id=1000000004": (
        "MYSQL QUERY RULES",
        "query rule 1000000004: destination_hostgroup is 10, the file has 20",
    ),
    "UPDATE mysql_query_rules SET cache_ttl=5000 WHERE rule_id=1000000004": (
        "MYSQL QUERY RULES",
        "query rule 1000000004: cache_ttl is 5000, the file has nothing",
    ),
    "UPDATE mysql_query_rules SET negate_match_pattern=1 WHERE rule_id=1000000003": (
        "MYSQL QUERY RULES",
        "query rule 1000000003: negate_match_pattern is 1, the file has 0",
    ),
    "INSERT INTO mysql_query_rules_fast_routing (username, schemaname, flagIN, "
    "destination_hostgroup, comment) VALUES ('app', 'shop', 0, 20, '')": (
        "MYSQL QUERY RULES",
        "table mysql_query_rules_fast_routing: has 1 rows, the file has none",
    ),
    "UPDATE mysql_users SET default_hostgroup=20 WHERE username='app'": (
        "MYSQL USERS",
        "user app: default_hostgroup is 20, the file has 10",
    ),
    "INSERT INTO mysql_users (username, password) VALUES ('guest', 'guest')": (
        "MYSQL USERS",
        "user guest: not in the file",
    ),
    "UPDATE global_variables SET variable_value=77 WHERE variable_name='mysql-max_connections'": (
        "MYSQL VARIABLES",
        "variable mysql-max_connections: is 77, the file has 2048",
    ),
}
"""An edit by hand, what is loaded, and what is said of it."""


ATTEMPTS = 5
"""More of them, as a login too many stays only until the Pod's script looks again, every 5 s."""


@pytest.mark.parametrize("edit", DRIFT)
def test_what_was_changed_by_hand_is_named(proxy: Proxy, site: Deployment, edit: str) -> None:
    module, expected = DRIFT[edit]
    table = "global_variables" if "VARIABLES" in module else module.replace(" ", "_").lower()
    table = next((one for one in ask.UNUSED if one in edit), table)
    before = proxy.admin(f"SELECT * FROM {table}").rows

    def edited() -> tuple[Database, list[Verdict]]:
        proxy.admin(edit, f"LOAD {module} TO RUNTIME")
        return look(site)

    try:
        database, found = edited()
        for _ in range(ATTEMPTS):
            if not database.proxies[1].drift:
                database, found = edited()
    finally:
        rows = ", ".join(f"({', '.join(map(literal, row))})" for row in before)
        if table != "global_variables":
            proxy.admin(f"DELETE FROM {table}")
        if rows:
            proxy.admin(f"REPLACE INTO {table} VALUES {rows}")
        proxy.admin(f"LOAD {module} TO RUNTIME")
    assert [one.drift for one in database.proxies] == [(), (expected,), ()]
    assert alerts(found) == {"ProxyConfigDrift"}
    assert wrong(found)


def literal(value: str | None) -> str:
    """A value in SQL."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def test_a_paused_proxy_is_named(proxy: Proxy, site: Deployment) -> None:
    proxy.admin("PROXYSQL PAUSE")
    try:
        database, found = look(site)
    finally:
        proxy.admin("PROXYSQL RESUME")
    assert [one.paused for one in database.proxies] == [False, True, False]
    assert alerts(found) == {"ProxyPaused"}


def test_a_replica_that_stands_has_no_lag(site: Deployment) -> None:
    replica = site.servers.nodes[2]
    replica.query("STOP SLAVE SQL_THREAD")
    try:
        database, found = look(site)
    finally:
        replica.query("START SLAVE")
    following = database.servers[2].replication
    assert following and (following.io, following.sql, following.lag) == ("Yes", "No", None)
    assert alerts(found) == {"ReplicationBroken"}


def test_writes_that_wait_are_seen(site: Deployment) -> None:
    """The primary is read-only, as in a switchover that does not end."""
    site.primary.query("SET GLOBAL read_only=1")
    try:
        assert eventually(lambda: not any(p.writers(10) for p in site.tier.proxies), 20)
        database, found = look(site)
    finally:
        site.primary.query("SET GLOBAL read_only=0")
    assert all(one.held_seconds is not None for one in database.proxies)
    assert all(one.drift == () for one in database.proxies)
    assert alerts(found) == {"DatabaseNoWritableServer", "ProxyNoWriter"}
    assert eventually(lambda: site.tier.agrees_on({site.servers.network.primary_service}), 30)


def test_what_hangs_hides_nothing(proxy: Proxy, site: Deployment) -> None:
    """A replica and a proxy whose processes stand still, so that connections to them stay open."""
    replica = site.servers.nodes[2]
    replica.pause()
    os.kill(proxy.pid, signal.SIGSTOP)
    try:
        database, _ = look(site)
    finally:
        os.kill(proxy.pid, signal.SIGCONT)
        replica.resume()
    assert [bool(server.unknown) for server in database.servers] == [False, False, True]
    assert [one.unknown for one in database.proxies] == ["", "it hangs: no answer in time", ""]


def test_a_failover_is_seen_while_it_lasts_and_afterwards(site: Deployment) -> None:
    """The primary dies, then another server is the primary."""
    site.primary.kill()
    database, found = look(site)
    assert database.servers[0].unknown
    assert database.leads_to == ()
    assert {"DatabaseServerDown", "DatabaseNoWritableServer", "ProxyNoWriter"} <= alerts(found)
    assert found[0].severity == "critical"
    site.operator.failover()
    database, found = look(site)
    assert database.primary == "db-1"
    assert database.leads_to == ("db-1",)
    assert not database.servers[1].read_only
    assert not {"ProxyNoWriter", "DatabaseNoWritableServer", "ProxyTwoWriters"} & alerts(found)
    assert "DatabaseServerDown" in alerts(found)
