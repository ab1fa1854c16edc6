"""The row check, on real servers: what replication status does not show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from testbed.database.servers import Cluster, Server, Session
from tools.rows import Difference, Query, chunks, compare, tables

pytestmark = pytest.mark.database

TABLES = (
    "CREATE TABLE compared.numbers (id BIGINT UNSIGNED PRIMARY KEY, v VARCHAR(20), w INT)",
    "CREATE TABLE compared.`two``keys` (b VARBINARY(8), n INT, v TEXT, PRIMARY KEY (b, n))",
    "CREATE TABLE compared.texts (t VARCHAR(20) CHARACTER SET utf8mb4 PRIMARY KEY, v DATETIME(6))",
    "CREATE TABLE compared.keyless (v INT)",
    "CREATE TABLE compared.nothing (id INT PRIMARY KEY)",
)


@pytest.fixture
def compared(replication: Cluster) -> Generator[Cluster]:
    """Tables with some rows each, the same everywhere."""
    replication.execute(
        "DROP DATABASE IF EXISTS compared",
        "CREATE DATABASE compared",
        *TABLES,
        "INSERT INTO compared.numbers SELECT 18446744073709551515 + seq, seq, NULL "
        "FROM compared.seq_1_to_100",
        "INSERT INTO compared.`two``keys` SELECT CHAR(seq % 7), seq, 'x' FROM compared.seq_1_to_50",
        "INSERT INTO compared.texts SELECT CONCAT('ä\\'', seq), NOW(6) FROM compared.seq_1_to_50",
        "INSERT INTO compared.keyless SELECT seq FROM compared.seq_1_to_5",
    )
    yield replication
    # Rows differ: to drop them needs no row.
    replication.execute("DROP DATABASE compared")


def asked(session: Session) -> Query:
    return lambda sql: session.query(sql).rows


def found(cluster: Cluster, chunk: int = 10) -> list[Difference]:
    with ExitStack() as stack:
        primary, *replicas = (
            asked(stack.enter_context(server.session())) for server in cluster.servers
        )
        by_name = {f"replica {n}": replica for n, replica in enumerate(replicas)}
        differences = compare(primary, by_name, chunk)
    return [each for each in differences if each.table.startswith("compared.")]


def alone(server: Server, sql: str) -> None:
    """Change one server, by nobody's leave."""
    with server.session() as session:
        session.query("SET sql_log_bin = 0")
        session.query(sql)


def test_servers_that_agree(compared: Cluster) -> None:
    assert found(compared) == []


@pytest.mark.parametrize(
    ("sql", "table", "counts"),
    [
        ("DELETE FROM compared.numbers ORDER BY id DESC LIMIT 3", "numbers", (3, 0, 0)),
        ("INSERT INTO compared.numbers VALUES (1, 'a', 1)", "numbers", (0, 1, 0)),
        ("UPDATE compared.numbers SET v = '' ORDER BY id LIMIT 1", "numbers", (0, 0, 1)),
        ("UPDATE compared.numbers SET w = 0 ORDER BY id LIMIT 1", "numbers", (0, 0, 1)),
        ("DELETE FROM compared.`two``keys` WHERE n = 20", "two`keys", (1, 0, 0)),
        ("UPDATE compared.texts SET v = NULL ORDER BY t LIMIT 2", "texts", (0, 0, 2)),
        ("INSERT INTO compared.keyless VALUES (6)", "keyless", (0, 0, 1)),
        ("INSERT INTO compared.nothing VALUES (6)", "nothing", (0, 1, 0)),
    ],
)
def test_one_server_that_differs(
    compared: Cluster, sql: str, table: str, counts: tuple[int, int, int]
) -> None:
    alone(compared.replicas[1], sql)
    assert found(compared) == [Difference("replica 1", f"compared.{table}", *counts)]


def test_rows_that_the_primary_lost(compared: Cluster) -> None:
    alone(compared.primary, "DELETE FROM compared.numbers ORDER BY id LIMIT 2")
    assert [(each.missing, each.extra) for each in found(compared)] == [(0, 2), (0, 2)]


def test_chunks_cover_every_row_once(compared: Cluster) -> None:
    with compared.primary.session() as session:
        query = asked(session)
        for table in tables(query):
            if table.schema != "compared":
                continue
            for size in (1, 7, 50, 1000):
                counts = [
                    int(query(f"SELECT COUNT(*) FROM {table.full_name} WHERE {where}")[0][0] or 0)
                    for where in chunks(query, table, size)
                ]
                total = query(f"SELECT COUNT(*) FROM {table.full_name}")[0][0]
                assert str(sum(counts)) == total
                if table.key:
                    assert max(counts) <= size


def test_a_difference_is_found_while_others_write(compared: Cluster) -> None:
    alone(compared.replicas[0], "DELETE FROM compared.numbers ORDER BY id LIMIT 1")
    with writing(compared.primary, "UPDATE compared.numbers SET w = {} ORDER BY id DESC LIMIT 5"):
        assert found(compared, chunk=1000) == [
            Difference("replica 0", "compared.numbers", 1, 0, 0),
        ]


class writing:
    """Somebody repeats a statement until the block ends."""

    def __init__(self, server: Server, sql: str) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[server, sql.format])

    def _run(self, server: Server, sql: Callable[[int], str]) -> None:
        with server.session() as session:
            number = 0
            while not self._ending.wait(0.005):
                number += 1
                session.query(sql(number))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
