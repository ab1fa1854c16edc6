"""What the login for statistics reads and changes, asked of a ProxySQL that runs.

docs/security.md says the same, and why it is no boundary for an attacker.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from components.config.proxysql import STATS_READER
from testbed.database.servers import Account, SqlError
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.loopback import ADMIN_PORT, RemoteSession
from testbed.dataplane.nodes import APP, Servers
from testbed.dataplane.proxies import Proxy

from .conftest import release_of

pytestmark = pytest.mark.dataplane

READER = Account(STATS_READER, "readerREADERreaderREADER-")
KEPT = "SELECT * FROM mysql_users", "SELECT * FROM runtime_global_variables"
"""On the admin port: the same before and after."""


@pytest.fixture(scope="module")
def site(lab: Lab, replication: Servers) -> Generator[Deployment]:
    release = release_of(
        lab,
        replication,
        "primary_service",
        passwords={"proxy_stats_reader": READER.password},
        stats_readers=[{"namespace": "monitoring"}],
    )
    with lab.deploy(replication, release) as site:
        yield site


@pytest.fixture
def proxy(site: Deployment) -> Proxy:
    return site.tier.proxies[0]


def remote(proxy: Proxy, account: Account) -> RemoteSession:
    """From the address that the proxy has, which is not loopback's own."""
    return RemoteSession(proxy.host, ADMIN_PORT, account)


def test_every_table_of_statistics_is_read(proxy: Proxy) -> None:
    with proxy.session(APP) as session:
        session.query("SELECT COUNT(*) FROM writes")
    with remote(proxy, READER) as reader:
        tables = {str(name) for name in reader.query("SHOW TABLES").first_column}
        assert {"stats_mysql_query_digest", "stats_mysql_connection_pool"} <= tables
        for table in sorted(tables):
            if not table.endswith("_reset"):
                reader.query(f"SELECT * FROM {table}")
        texts = reader.query("SELECT digest_text FROM stats_mysql_query_digest").first_column
        assert "SELECT COUNT(*) FROM writes" in texts
        assert reader.query("SELECT username FROM stats_mysql_users").rows
        assert reader.query("SELECT COUNT(*) FROM monitor.mysql_server_ping_log").value != "0"


@pytest.mark.parametrize(
    "table",
    ["mysql_users", "main.mysql_users", "disk.mysql_users", "runtime_mysql_users"],
)
def test_no_table_of_configuration_is_there(proxy: Proxy, table: str) -> None:
    with remote(proxy, READER) as reader:
        assert refusal(reader, f"SELECT * FROM {table}")
        variables = str(reader.query("SELECT * FROM global_variables").rows)
        assert "password" not in variables and "credentials" not in variables


@pytest.mark.parametrize(
    "statement",
    [
        "SET mysql-max_connections=1",
        "SET admin-stats_credentials='a:b'",
        "UPDATE global_variables SET variable_value='1'",
        "INSERT INTO stats_mysql_users VALUES ('a', 1, 1)",
        "DELETE FROM monitor.mysql_server_ping_log",
        "DELETE FROM stats_history.mysql_connections",
        "LOAD MYSQL USERS TO RUNTIME",
        "SAVE MYSQL USERS TO DISK",
        "PROXYSQL PAUSE",
        "PROXYSQL KILL",
        "PROXYSQL FLUSH QUERY CACHE",
        "KILL CONNECTION 1",
        "TRUNCATE TABLE stats_mysql_query_digest",
        "ATTACH DATABASE 'proxysql.db' AS other",
        "PRAGMA query_only = OFF",
        "CREATE TABLE a (b)",
    ],
)
def test_nothing_is_changed(proxy: Proxy, statement: str) -> None:
    before = [proxy.admin(sql).rows for sql in KEPT]
    with remote(proxy, READER) as reader:
        assert refusal(reader, statement)
    assert [proxy.admin(sql).rows for sql in KEPT] == before
    assert proxy.admin("SELECT COUNT(*) FROM stats_history.mysql_connections").value != "0"


def test_counters_begin_again(proxy: Proxy) -> None:
    """What it does change: a table with `_reset` is emptied by reading it."""
    with proxy.session(APP) as session:
        session.query("SELECT COUNT(*) FROM writes")
    with remote(proxy, READER) as reader:
        assert reader.query("SELECT * FROM stats_mysql_query_digest_reset").rows
        assert reader.query("SELECT * FROM stats_mysql_query_digest_reset").rows == ()


def refusal(session: RemoteSession, statement: str) -> str:
    """What is said of a statement that is refused, or nothing."""
    try:
        session.query(statement)
    except SqlError as error:
        return str(error)
    return ""
