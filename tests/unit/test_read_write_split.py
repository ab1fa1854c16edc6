"""Where the rules of `proxy.read_write_split` send a statement (docs/proxysql.md).

The rules are those of the rendered file, applied as ProxySQL does: `match_digest` to the digest,
`match_pattern` to the text, both anywhere in it and without regard to case; the first match wins.
"""

import re
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import digests
from tests.unit.models import config, parsed_cnf

SPLIT = config(proxy={"read_write_split": True})
WRITER, READER = SPLIT.proxy.hostgroups.writer, SPLIT.proxy.hostgroups.reader
RULES: list[dict[str, Any]] = parsed_cnf(SPLIT)["mysql_query_rules"]


def destination(statement: str) -> int:
    """The hostgroup that a statement outside a transaction goes to."""
    digest = digests.digest(statement)
    for rule in sorted(RULES, key=lambda rule: rule["rule_id"]):
        conditions = [
            re.search(rule[key], text, re.IGNORECASE)
            for key, text in (("match_digest", digest), ("match_pattern", statement))
            if key in rule
        ]
        if all(conditions):
            assert rule["apply"] == 1
            return rule["destination_hostgroup"]
    return WRITER


READS = [
    "SELECT 1",
    "select 1",
    "SeLeCt id FROM t WHERE id = 7",
    "SELECT * FROM t",
    "SELECT\n*\nFROM\nt",
    "SELECT\t*\tFROM t",
    "  SELECT * FROM t",
    "\n\tSELECT * FROM t",
    "SELECT * FROM t;",
    "SELECT * FROM t ; ",
    "SELECT(1)",
    "SELECT'a'",
    "SELECT*FROM t",
    "SELECT`a`FROM t",
    "SELECT DISTINCT a FROM t GROUP BY a HAVING COUNT(*) > 1 ORDER BY 1 LIMIT 10 OFFSET 5",
    "SELECT SQL_NO_CACHE a FROM t",
    "SELECT a FROM t JOIN u USING (id) WHERE a IN (SELECT a FROM v)",
    "SELECT a FROM t UNION ALL SELECT a FROM u",
    "SELECT * FROM t FORCE INDEX FOR JOIN (i)",
    "SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01'",
    "SELECT * FROM updates",
    "SELECT for_update FROM t",
    "SELECT shared_mode FROM locks",
    "SELECT a AS into_table, `update` FROM t",
    "SELECT NOW(), DATABASE(), VERSION(), USER()",
    "SELECT SUBSTRING(a FROM 2 FOR 3) FROM updates",
    "/* app */ SELECT 1",
    "/* for: report */SELECT 1",
    "-- a comment\nSELECT 1",
    "# a comment\nSELECT 1",
    "SELECT/* a comment */1",
    "SELECT 1 -- the end",
    "SELECT " + ", ".join(f"column_{i}" for i in range(1000)) + " FROM t",
]

LOCKS = [
    "SELECT * FROM t FOR UPDATE",
    "select * from t for update",
    "SELECT * FROM t For Update;",
    "SELECT * FROM t FOR UPDATE NOWAIT",
    "SELECT * FROM t FOR UPDATE SKIP LOCKED",
    "SELECT * FROM t FOR UPDATE WAIT 5",
    "SELECT * FROM t FOR UPDATE OF t",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM t FOR SHARE SKIP LOCKED",
    "SELECT * FROM t FOR SHARE OF t NOWAIT",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "select * from t lock in share mode nowait",
    "SELECT * FROM t FOR\nUPDATE",
    "SELECT * FROM t FOR\tUPDATE",
    "SELECT * FROM t\nFOR \r\n UPDATE\n",
    "SELECT * FROM t LOCK  IN\nSHARE\tMODE",
    "SELECT * FROM t FOR/**/UPDATE",
    "SELECT * FROM t FOR /* a comment */ UPDATE",
    "SELECT * FROM t FOR -- a comment\nUPDATE",
    "SELECT * FROM t FOR # a comment\nUPDATE",
    "SELECT * FROM t LOCK /* a */ IN /* b */ SHARE /* c */ MODE",
    "SELECT * FROM t/**/FOR/**/SHARE",
    "SELECT * FROM t WHERE (a)FOR UPDATE",
    "SELECT * FROM `t`FOR UPDATE",
    "SELECT * FROM t WHERE a='x'FOR UPDATE",
    "/* app */ SELECT * FROM t FOR UPDATE",
    "-- app\nSELECT * FROM t FOR UPDATE",
    "SELECT * FROM t /*! FOR UPDATE */",
    "SELECT * FROM t /*!50000 FOR UPDATE */",
    "SELECT * FROM t /*M!100600 FOR UPDATE */",
    "SELECT * FROM t WHERE a IN (SELECT a FROM u FOR UPDATE)",
    "(SELECT * FROM t FOR UPDATE)",
    "(SELECT a FROM t) UNION (SELECT a FROM u FOR UPDATE)",
    "WITH c AS (SELECT 1) SELECT * FROM c FOR UPDATE",
    # The digest ends before the clause.
    "SELECT " + ", ".join(f"column_{i}" for i in range(1000)) + " FROM t FOR UPDATE",
    "SELECT " + ", ".join(f"column_{i}" for i in range(1000)) + " FROM t LOCK IN SHARE MODE",
    "SELECT " + "/*" + "x" * 3000 + "*/ a FROM t FOR UPDATE",
    # ProxySQL takes the rest for a comment.
    "SELECT * FROM `t#1` FOR UPDATE",
]

STATEFUL = [
    "SELECT * FROM t INTO OUTFILE '/tmp/x'",
    "SELECT a INTO OUTFILE '/tmp/x' FROM t",
    "SELECT a FROM t INTO DUMPFILE '/tmp/x'",
    "SELECT COUNT(*) INTO @n FROM t",
    "select count(*) into n from t",
    "SELECT @n",
    "SELECT @n := 1",
    "SELECT a FROM t WHERE a > @n",
    "SELECT @@last_insert_id",
    "SELECT @@session.tx_isolation",
    "SELECT GET_LOCK('a', 10)",
    "SELECT get_lock ('a', 10)",
    "SELECT RELEASE_LOCK('a')",
    "SELECT RELEASE_ALL_LOCKS()",
    "SELECT IS_FREE_LOCK('a')",
    "SELECT IS_USED_LOCK('a')",
    "SELECT LAST_INSERT_ID()",
    "SELECT last_insert_id(5)",
    "SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1",
    "SELECT FOUND_ROWS()",
    "SELECT ROW_COUNT()",
    "SELECT CONNECTION_ID()",
    "SELECT NEXT VALUE FOR s",
    "SELECT next  value\nfor s",
    "SELECT PREVIOUS VALUE FOR s",
    "SELECT NEXTVAL(s)",
    "SELECT LASTVAL(s)",
    "SELECT SETVAL(s, 5)",
]

OTHERS = [
    "UPDATE t SET a = 1",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t SELECT * FROM u",
    "REPLACE INTO t SELECT * FROM u",
    "DELETE FROM t WHERE a = 1",
    "DELETE t FROM t JOIN u USING (id)",
    "CALL p()",
    "SET autocommit = 0",
    "SET NAMES utf8mb4",
    "BEGIN",
    "START TRANSACTION",
    "START TRANSACTION READ ONLY",
    "COMMIT",
    "ROLLBACK",
    "XA START 'a'",
    "SHOW TABLES",
    "SHOW MASTER STATUS",
    "EXPLAIN SELECT * FROM t",
    "ANALYZE SELECT * FROM t",
    "DESCRIBE t",
    "USE shop",
    "LOCK TABLES t WRITE",
    "UNLOCK TABLES",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMPORARY TABLE t (a INT)",
    "ALTER TABLE t ADD b INT",
    "DROP TABLE t",
    "TRUNCATE t",
    "LOAD DATA INFILE 'x' INTO TABLE t",
    "DO SLEEP(1)",
    "HANDLER t OPEN",
    "PREPARE p FROM 'SELECT 1'",
    "EXECUTE p",
    "KILL 5",
    "VALUES (1)",
    "TABLE t",
    # They may go on in many ways; what starts like them stays.
    "WITH c AS (SELECT 1) SELECT * FROM c",
    "WITH c AS (SELECT 1) UPDATE t SET a = 1",
    "WITH c AS (SELECT 1) DELETE FROM t",
    "(SELECT 1)",
    "(SELECT a FROM t) UNION (SELECT a FROM u)",
    "SELECTED",
    "/*!40000 ALTER TABLE t DISABLE KEYS */",
    "/*!50000 INSERT INTO t */ SELECT * FROM u",
    "/* a */ UPDATE t SET a = (SELECT 1)",
    "",
]

LITERALS = [
    # Safe: the writer can answer everything.
    "SELECT * FROM t WHERE a = 'for update'",
    "SELECT * FROM t WHERE mail = 'a@example.com'",
    "SELECT 'go into'",
    "SELECT 1 /* no for update here */",
    "SELECT '; ' /* not the end */",
    # The server runs what is in such a comment.
    "SELECT /*!40001 SQL_NO_CACHE */ a FROM t",
]


@pytest.mark.parametrize("statement", READS)
def test_a_plain_read_goes_to_the_readers(statement: str) -> None:
    assert destination(statement) == READER


@pytest.mark.parametrize("statement", [*LOCKS, *STATEFUL, *OTHERS, *LITERALS])
def test_everything_else_stays_with_the_writer(statement: str) -> None:
    assert destination(statement) == WRITER


DISGUISED = [
    # The digest ends before the clause (`query_digests_max_query_length`), or at what ProxySQL
    # takes for a comment or a literal, and a comment is in the clause.
    f"SELECT '{'x' * 70_000}' FROM t FOR/**/UPDATE",
    f"SELECT '{'x' * 70_000}' FROM t LOCK/**/IN/**/SHARE/**/MODE",
    "SELECT * FROM `t#1` FOR/**/UPDATE",
    "SELECT * FROM `it's` FOR -- a comment\nUPDATE",
    # A comment that MariaDB runs, and ProxySQL's digest leaves out.
    "SELECT * FROM t /*M!100600 FOR*/ UPDATE",
    "/*M!100000 REPLACE t */ SELECT * FROM u",
    # Several statements at once.
    "SELECT 1; DELETE FROM t",
    "SELECT 1;UPDATE t SET a = 1",
    "SELECT 1 ; /* a */ DELETE FROM t",
    # sql_mode ORACLE.
    "SELECT s.nextval",
    "SELECT s.NEXTVAL FROM dual",
    "SELECT s.currval",
]
"""What simpler rules send to the readers, as a real ProxySQL 2.7 showed."""


@pytest.mark.parametrize(
    "statement", DISGUISED, ids=lambda statement: statement[:8] + statement[-30:]
)
def test_a_disguise_does_not_help(statement: str) -> None:
    assert destination(statement) == WRITER


def test_a_long_comment_in_a_clause_that_the_digest_misses() -> None:
    assert destination(f"SELECT * FROM `t#1` FOR/*{'x' * 300}*/UPDATE") == WRITER


# --- the law: no locking clause reaches a reader ---

GAPS = st.lists(
    st.sampled_from([" ", "\n", "\t", "\r\n", "/**/", "/* a */", "-- a\n", "# a\n"]),
    min_size=1,
    max_size=20,
).map("".join)
CLAUSES = st.sampled_from(
    [
        ("FOR", "UPDATE"),
        ("FOR", "SHARE"),
        ("LOCK", "IN", "SHARE", "MODE"),
    ]
)
TAILS = st.sampled_from(
    ["", " NOWAIT", " SKIP LOCKED", " OF t", " WAIT 5", ";", ")", " -- a", "\n"]
)
HEADS = st.sampled_from(
    [
        "SELECT * FROM t",
        "/* app */ SELECT * FROM t WHERE a = 'x'",
        "SELECT a FROM t WHERE b IN (SELECT b FROM u",
        "WITH c AS (SELECT 1) SELECT * FROM c",
        "SELECT '" + "x" * 3000 + "' FROM t",
        "SELECT * FROM t WHERE a IN (" + "1, " * 1000 + "1)",
        "(SELECT * FROM t",
        "-- app\nselect * from t",
    ]
)


@st.composite
def locking(draw: st.DrawFn) -> str:
    """A SELECT with a locking clause, its words apart in any way, in any case."""
    words = draw(CLAUSES)
    gaps = [draw(GAPS) for _ in words]
    clause = "".join(chain.from_iterable(zip(gaps, words, strict=True)))
    change = draw(st.sampled_from([str.upper, str.lower, str.title]))
    return draw(HEADS) + change(clause) + draw(TAILS)


@given(locking())
def test_no_locking_clause_reaches_a_reader(statement: str) -> None:
    assert destination(statement) == WRITER


@given(st.text() | st.text(alphabet="SELCTFORUPDAHIN @;()'\"`/*#-\n\t"))
def test_only_what_starts_as_a_select_reaches_a_reader(statement: str) -> None:
    if destination(statement) == READER:
        assert re.match(r"SELECT\b", digests.digest(statement), re.IGNORECASE)


# --- the rules themselves (R 30) ---


def test_four_rules_end_the_search() -> None:
    assert [(r["destination_hostgroup"], r["active"], r["apply"]) for r in RULES] == [
        (WRITER, 1, 1),
        (WRITER, 1, 1),
        (WRITER, 1, 1),
        (READER, 1, 1),
    ]


def test_the_patterns_are_of_both_of_proxysqls_engines() -> None:
    """`query_processor_regex`: PCRE or RE2, which knows no lookaround and no possessive repeat."""
    for rule in RULES:
        for key in ("match_digest", "match_pattern"):
            assert not re.search(r"\(\?|[+*?}]\+|\\[1-9]", rule.get(key, ""))


@pytest.mark.parametrize("topology", ["replication", "galera"])
def test_the_hostgroups_are_the_stacks(topology: str) -> None:
    groups = {"writer": 1, "reader": 2, "backup_writer": 3, "offline": 4}
    own = config(
        database={"topology": topology}, proxy={"read_write_split": True, "hostgroups": groups}
    )
    rules = parsed_cnf(own)["mysql_query_rules"]
    assert [rule["destination_hostgroup"] for rule in rules] == [1, 1, 1, 2]


def test_a_read_with_autocommit_off_opens_a_transaction() -> None:
    """Whose later statements belong to the same server."""
    for split in (True, False):
        own = config(proxy={"read_write_split": split})
        variables = parsed_cnf(own)["mysql_variables"]
        assert variables.get("autocommit_false_is_transaction", False) is split


def test_off_by_default() -> None:
    assert not config("small").proxy.read_write_split
    assert not config("large").proxy.read_write_split
