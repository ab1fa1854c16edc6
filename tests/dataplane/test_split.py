"""The opt-in read/write split: which statements a reader gets, and which must not."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from testbed.database.servers import Session, SqlError
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.nodes import APP, Servers

from .conftest import release_of

pytestmark = pytest.mark.dataplane

WRITER, READER = "10", "20"
TIED = 9006

READS = (
    "SELECT id FROM writes",
    "select count(*) from writes where id > 5",
    "/* comment */ SELECT id FROM writes",
    "SELECT id FROM writes WHERE id IN (SELECT id FROM writes)",
)
NO_READS = (
    "SELECT id FROM writes FOR UPDATE",
    "SELECT id FROM writes FOR /* a comment */ UPDATE",
    "SELECT id FROM writes WHERE id = 1 FOR UPDATE NOWAIT",
    "SELECT id FROM writes LOCK IN SHARE MODE",
    "SELECT id FROM writes lock  in\n share mode",
    "SELECT COUNT(*) INTO @found FROM writes",
    "SELECT @found",
    "SELECT LAST_INSERT_ID()",
    "SELECT GET_LOCK('a', 0)",
    "SELECT RELEASE_LOCK ('a')",
    "SELECT CONNECTION_ID()",
    "SELECT SQL_CALC_FOUND_ROWS id FROM writes",
    "INSERT INTO writes (id) VALUES (1001)",
    "REPLACE INTO writes (id) VALUES (1001)",
    "WITH w AS (SELECT 1) SELECT * FROM w",
    "SHOW TABLES",
)


@pytest.fixture(scope="module")
def site(lab: Lab, replication: Servers) -> Generator[Deployment]:
    """A deployment with the split."""
    release = release_of(lab, replication, "monitor", read_write_split=True)
    with lab.deploy(replication, release) as site:
        yield site


@pytest.fixture
def session(site: Deployment) -> Generator[Session]:
    """A client's session."""
    with site.tier.proxies[0].session(APP) as session:
        yield session


@pytest.mark.parametrize("sql", READS)
def test_a_plain_read_goes_to_a_reader(site: Deployment, session: Session, sql: str) -> None:
    assert _run(site, session, sql) == [READER]


@pytest.mark.parametrize("sql", NO_READS)
def test_everything_else_goes_to_the_writer(site: Deployment, session: Session, sql: str) -> None:
    assert _run(site, session, sql) == [WRITER]


@pytest.mark.parametrize("begin", ["BEGIN", "START TRANSACTION"])
def test_a_transaction_stays_on_the_writer(site: Deployment, session: Session, begin: str) -> None:
    assert set(_run(site, session, begin, READS[0], "COMMIT")) == {WRITER}
    assert _run(site, session, READS[0]) == [READER]


def test_without_autocommit_a_write_ties_the_session_to_the_writer(
    site: Deployment, session: Session
) -> None:
    """Until it commits."""
    insert = "INSERT INTO writes (id) VALUES (1002)"
    assert set(_run(site, session, "SET autocommit=0", insert, READS[0], "COMMIT")) == {WRITER}


def test_without_autocommit_a_read_before_any_write_goes_to_a_reader(
    site: Deployment, session: Session
) -> None:
    """The limit of the split: such a read does not belong to the transaction that follows.

    ProxySQL sends `autocommit=0` to a reader only with `enforce_autocommit_on_reads`, and then the
    writes that follow go there too, where they fail.
    """
    insert = "INSERT INTO writes (id) VALUES (1003)"
    assert _run(site, session, "SET autocommit=0", READS[0]) == [READER]
    assert set(_run(site, session, insert, READS[0], "COMMIT")) == {WRITER}


def test_a_session_with_a_user_variable_reads_it_where_it_was_set(
    site: Deployment, session: Session
) -> None:
    session.query("SET @mine = 5")
    assert session.query("SELECT @mine").value == "5"


@pytest.mark.parametrize(
    "sql", ["SET STATEMENT max_statement_time=5 FOR SELECT 1", "SET ROLE NONE"]
)
def test_a_set_that_proxysql_cannot_parse_ends_the_split(session: Session, sql: str) -> None:
    """The limit of the split: the session is tied to the writer, which no rule knows."""
    session.query(sql)
    with pytest.raises(SqlError) as refusal:
        session.query(READS[0])
    assert refusal.value.code == TIED
    for begun in ("BEGIN", READS[0], "COMMIT"):
        session.query(begun)


def _run(site: Deployment, session: Session, *statements: str) -> list[str]:
    """Run statements; the hostgroups that served them, one of each different statement."""
    proxy = site.tier.proxies[0]
    proxy.admin("SELECT 1 FROM stats_mysql_query_digest_reset LIMIT 1")
    for sql in statements:
        session.query(sql)
    rows = proxy.admin(
        "SELECT hostgroup FROM stats_mysql_query_digest WHERE hostgroup >= 0 "
        "AND digest_text NOT LIKE 'SET %' ORDER BY first_seen, digest"
    )
    return [str(hostgroup) for hostgroup in rows.first_column]
