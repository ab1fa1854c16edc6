"""The monitor user can do what ProxySQL's monitor does, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import pytest

from components.config.stack import monitor_connections
from testbed.database import operator_sql
from testbed.database.servers import Account, Cluster, Server, SqlError, eventually

from . import monitor_queries
from .monitor_queries import Setup

pytestmark = pytest.mark.database

# Error numbers of a missing privilege: database, login, command, table, KILL of another's session,
# routine, and a privilege that the message names.
DENIED = {1044, 1045, 1095, 1142, 1370, 1227}
TOO_MANY_CONNECTIONS_OF_THE_USER = 1226
NO_SUCH_USER = 1133

PRINTED_AS = {"REPLICA MONITOR": "SLAVE MONITOR"}  # one privilege, two names

FORBIDDEN = """
SELECT authentication_string FROM mysql.user
SELECT * FROM mysql.global_priv
SELECT * FROM shop.orders
SELECT * FROM sys.version
SELECT * FROM performance_schema.threads
INSERT INTO shop.orders VALUES (2)
UPDATE shop.orders SET id = 3
DELETE FROM shop.orders
TRUNCATE TABLE shop.orders
DROP TABLE shop.orders
ALTER TABLE shop.orders ADD COLUMN note TEXT
LOCK TABLES shop.orders READ
CREATE TABLE shop.mine (id INT)
CREATE TEMPORARY TABLE shop.mine (id INT)
CREATE VIEW shop.mine AS SELECT 1
CREATE EVENT shop.mine ON SCHEDULE EVERY 1 DAY DO SELECT 1
CREATE DATABASE mine
DROP DATABASE shop
USE shop
SET GLOBAL read_only = 0
SET GLOBAL max_connections = 200
SET SESSION sql_log_bin = 0
CREATE USER mine
CREATE ROLE mine
DROP USER root@localhost
RENAME USER root@localhost TO mine@localhost
ALTER USER root@localhost IDENTIFIED BY 'mine'
SET PASSWORD FOR root@localhost = PASSWORD('mine')
GRANT SUPER ON *.* TO CURRENT_USER
GRANT SELECT ON mysql.* TO CURRENT_USER
SHOW GRANTS FOR root@localhost
SHUTDOWN
FLUSH PRIVILEGES
FLUSH TABLES WITH READ LOCK
BACKUP STAGE START
SHOW ENGINE INNODB STATUS
SHOW MASTER STATUS
SHOW BINARY LOGS
SHOW SLAVE HOSTS
PURGE BINARY LOGS BEFORE NOW()
RESET MASTER
START SLAVE
STOP SLAVE
RESET SLAVE
CHANGE MASTER TO MASTER_HOST = 'mine'
SELECT 1 INTO OUTFILE 'mine'
INSTALL SONAME 'mine'
CREATE FUNCTION mine RETURNS INTEGER SONAME 'mine'
CREATE SERVER mine FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'mine')
BINLOG ''
""".strip().splitlines()


@pytest.fixture(params=["", "_b"], ids=["first", "second"])
def monitor(request: pytest.FixtureRequest, monitors: Mapping[str, Account]) -> Account:
    """Either of the alternating accounts."""
    return monitors[f"{min(monitors)}{request.param}"]


def test_every_check_of_the_setup_works_on_every_server(
    cluster: Cluster, setup: Setup, monitor: Account
) -> None:
    for server in cluster.servers:
        with server.session(monitor) as session:
            for check in setup.checks:
                monitor_queries.run(check, session)
            session.ping()


def test_everything_else_is_denied(
    cluster: Cluster, monitor: Account, privileges: tuple[str, ...]
) -> None:
    outcomes: dict[str, object] = {}
    # The fence's privilege also lists the replicas.
    allowed = {"SHOW SLAVE HOSTS"} if "REPLICATION MASTER ADMIN" in privileges else set[str]()
    with cluster.primary.session() as root, cluster.primary.session(monitor) as session:
        victim = root.query("SELECT CONNECTION_ID()").value
        for sql in (*(sql for sql in FORBIDDEN if sql not in allowed), f"KILL {victim}"):
            try:
                outcomes[sql] = session.query(sql)
            except SqlError as error:
                if error.code not in DENIED:
                    outcomes[sql] = error
    assert outcomes == {}


@pytest.mark.parametrize("setup", ["standalone", "replication", "galera"], indirect=True)
def test_replication_status_is_denied_where_no_check_reads_it(
    cluster: Cluster, monitor: Account
) -> None:
    with cluster.primary.session(monitor) as session, pytest.raises(SqlError) as refusal:
        monitor_queries.run("replication_lag", session)
    assert refusal.value.code in DENIED


@pytest.mark.parametrize("setup", ["replication-lag"], indirect=True)
def test_the_lag_is_known_of_replicas_only(cluster: Cluster, monitor: Account) -> None:
    def lags() -> list[int | None]:
        found: list[int | None] = []
        for server in cluster.servers:
            with server.session(monitor) as session:
                answer = monitor_queries.run("replication_lag", session)
            found.append(monitor_queries.replication_lag(answer))
        return found

    assert eventually(lambda: lags() == [None, 0, 0]), lags()


def test_it_sees_neither_databases_nor_other_sessions(cluster: Cluster, monitor: Account) -> None:
    with cluster.primary.session(monitor) as session:
        assert session.query("SHOW DATABASES").first_column == ["information_schema"]
        processes = session.query("SHOW PROCESSLIST")
        users = {row[processes.columns.index("User")] for row in processes.rows}
        assert users == {monitor.user}
        assert session.query("SELECT LOAD_FILE('mysqld.pid')").value is None


def test_every_server_holds_exactly_the_privileges_that_were_asked_for(
    cluster: Cluster, monitor: Account, privileges: tuple[str, ...]
) -> None:
    asked = {PRINTED_AS.get(each, each) for each in privileges}
    expected = {(each, "NO") for each in asked - {"USAGE"} or {"USAGE"}}  # NO: not grantable
    for server in cluster.servers:
        assert _privileges(server, monitor, "user") == expected
        for level in ("schema", "table", "column"):
            assert _privileges(server, monitor, level) == set()


def test_no_setup_asks_for_more_than_a_look_at_replication(privileges: tuple[str, ...]) -> None:
    allowed = {"USAGE", "SLAVE MONITOR", "REPLICA MONITOR", "REPLICATION MASTER ADMIN"}
    assert set(privileges) <= allowed


@pytest.mark.parametrize(
    ("privilege", "enough"),
    [
        ("SLAVE MONITOR", True),
        ("REPLICA MONITOR", True),
        ("USAGE", False),
        # What MySQL wants for this statement; in MariaDB it is an alias of BINLOG MONITOR.
        ("REPLICATION CLIENT", False),
        ("BINLOG MONITOR", False),
    ],
)
def test_which_privilege_the_lag_check_needs(
    standalone: Cluster, privilege: str, enough: bool
) -> None:
    account = Account("lag-reader", "lag-password")
    standalone.execute(*operator_sql.create_user(account), operator_sql.grant([privilege], account))
    with standalone.primary.session(account) as session:
        if enough:
            monitor_queries.run("replication_lag", session)
        else:
            with pytest.raises(SqlError) as refusal:
                monitor_queries.run("replication_lag", session)
            assert refusal.value.code in DENIED


@pytest.mark.parametrize("proxies", [1, 3, 7])
def test_the_connections_of_all_proxies_fit(cluster: Cluster, setup: Setup, proxies: int) -> None:
    limit = monitor_connections(proxies)
    assert _sessions_until_refused(cluster, limit, setup.connections * proxies) is None


@pytest.mark.parametrize("setup", ["replication-lag"], indirect=True)
def test_the_operator_default_starves_three_proxies(cluster: Cluster, setup: Setup) -> None:
    limit = operator_sql.DEFAULT_MAX_USER_CONNECTIONS
    assert _sessions_until_refused(cluster, limit, setup.connections * 3) == limit


def test_a_grant_resource_can_be_repeated_and_deleted(
    cluster: Cluster, privileges: tuple[str, ...]
) -> None:
    """Reconciled twice, finalized twice: neither USAGE nor an absent privilege is an error."""
    account = Account("short-lived", "short-password")
    cluster.execute(
        *operator_sql.create_user(account),
        operator_sql.grant(privileges, account),
        operator_sql.grant(privileges, account),
        operator_sql.revoke(privileges, account),
        operator_sql.revoke(privileges, account),
    )
    assert _privileges(cluster.primary, account, "user") == {("USAGE", "NO")}


def test_a_grant_waits_for_its_user(standalone: Cluster) -> None:
    """No account appears by way of GRANT, so the order of the two resources does not matter."""
    with pytest.raises(SqlError) as refusal:
        standalone.execute(operator_sql.grant(["USAGE"], Account("nobody-yet", "")))
    assert refusal.value.code == NO_SUCH_USER


def _privileges(server: Server, account: Account, level: str) -> set[tuple[str | None, ...]]:
    """What the server says that an account may do, and whether it may pass it on."""
    return set(
        server.query(
            f"SELECT privilege_type, is_grantable FROM information_schema.{level}_privileges "
            f"WHERE grantee = '''{account.user}''@''%'''"
        ).rows
    )


def _sessions_until_refused(cluster: Cluster, limit: int, sessions: int) -> int | None:
    """How many sessions an account with this limit got before one was refused, if one was."""
    account = Account("pooled", "pool-password", limit)
    cluster.execute(*operator_sql.create_user(account))
    with ExitStack() as stack:
        for opened in range(sessions):
            try:
                stack.enter_context(cluster.primary.session(account))
            except SqlError as error:
                assert error.code == TOO_MANY_CONNECTIONS_OF_THE_USER
                return opened
    return None
