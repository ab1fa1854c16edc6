"""`python -m tools.rows NAMESPACE NAME`: whether all servers of a MariaDB have the same rows.

Replication status cannot say so: a replica that skipped something has the position of one that did
not. This compares checksums of chunks of rows, as pt-table-checksum does, but only reads, so that
it needs no statement-based binary log. While writes go on a chunk may differ for a moment: then its
rows are compared one by one, again and again, each time after every replica has reached the
primary's position of that moment. What differs in the same way each time is a difference.

A difference that is older than the last write to that row is found; one in a row that changes all
the time is not. Tables without a primary key are one chunk, and not looked into.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Rows = Sequence[tuple[str | None, ...]]
Query = Callable[[str], Rows]
"""Runs one statement in one server, as an account that may read everything."""

CHUNK = 10_000
"""Rows of a chunk."""
LOOKS = 3
"""How often rows that differ are compared."""
PATIENCE = 30
"""Seconds that a replica may take to reach a position."""

SYSTEM = ("mysql", "sys", "information_schema", "performance_schema")


@dataclass(frozen=True)
class Table:
    """A table: its columns, and those of its primary key with whether they are numbers."""

    schema: str
    name: str
    columns: tuple[str, ...]
    key: tuple[tuple[str, bool], ...]

    @property
    def full_name(self) -> str:
        return f"{_quoted(self.schema)}.{_quoted(self.name)}"

    @property
    def key_columns(self) -> str:
        return ", ".join(_quoted(name) for name, _ in self.key)

    @property
    def row(self) -> str:
        """An expression: 64 bits of a hash of a whole row, NULL and '' told apart."""
        values = ", ".join(f"COALESCE(HEX({_quoted(name)}), 'NULL')" for name in self.columns)
        return f"CAST(CONV(LEFT(MD5(CONCAT_WS('#', {values})), 16), 16, 10) AS UNSIGNED)"

    def literals(self, hexadecimal: Sequence[str | None]) -> str:
        """A key, of which the server said HEX of each column, as an expression."""
        return ", ".join(
            bytes.fromhex(str(text)).decode() if number else f"X'{text}'"
            for text, (_, number) in zip(hexadecimal, self.key, strict=True)
        )


@dataclass(frozen=True, order=True)
class Difference:
    """Rows of a table in which a server is not like the primary."""

    server: str
    table: str
    missing: int
    """Rows that only the primary has."""
    extra: int
    """Rows that only the server has."""
    other: int
    """Rows with another content; of a table without a primary key 1 for the whole table."""


def compare(primary: Query, replicas: Mapping[str, Query], chunk: int = CHUNK) -> list[Difference]:
    """What every replica has otherwise than the primary."""
    found: list[Difference] = []
    _reach(primary, replicas)
    for table in tables(primary):
        for server, replica in replicas.items():
            counts = [0, 0, 0]
            for where in chunks(primary, table, chunk):
                if checksum(table, where, primary) == checksum(table, where, replica):
                    continue
                for index, count in enumerate(_differences(table, where, primary, server, replica)):
                    counts[index] += count
            if any(counts):
                found.append(Difference(server, f"{table.schema}.{table.name}", *counts))
    return found


def tables(query: Query) -> Iterator[Table]:
    """All base tables but the servers' own."""
    listed = query(
        "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, c.COLUMN_NAME, c.NUMERIC_PRECISION IS NOT NULL "
        "AND c.DATA_TYPE <> 'bit', k.ORDINAL_POSITION "
        "FROM information_schema.TABLES t "
        "JOIN information_schema.COLUMNS c USING (TABLE_SCHEMA, TABLE_NAME) "
        "LEFT JOIN information_schema.KEY_COLUMN_USAGE k ON k.CONSTRAINT_NAME = 'PRIMARY' "
        "AND k.TABLE_SCHEMA = t.TABLE_SCHEMA AND k.TABLE_NAME = t.TABLE_NAME "
        "AND k.COLUMN_NAME = c.COLUMN_NAME "
        f"WHERE t.TABLE_TYPE = 'BASE TABLE' AND t.TABLE_SCHEMA NOT IN {SYSTEM} "
        "ORDER BY 1, 2, c.ORDINAL_POSITION"
    )
    names: dict[tuple[str, str], list[tuple[str, bool, int | None]]] = {}
    for schema, name, column, number, place in listed:
        names.setdefault((str(schema), str(name)), []).append(
            (str(column), number == "1", int(place) if place else None)
        )
    for (schema, name), columns in names.items():
        key = sorted(
            (place, column, number) for column, number, place in columns if place is not None
        )
        yield Table(
            schema,
            name,
            tuple(column for column, _, _ in columns),
            tuple((column, number) for _, column, number in key),
        )


def chunks(query: Query, table: Table, size: int) -> Iterator[str]:
    """Conditions that cover the whole key space, each of about `size` rows of this server."""
    if not table.key:
        yield "TRUE"
        return
    row, last = f"({table.key_columns})", ""
    texts = ", ".join(f"HEX(CAST({_quoted(name)} AS CHAR))" if number else f"HEX({_quoted(name)})"
                      for name, number in table.key)  # fmt: skip
    while True:
        ends = query(
            f"SELECT {texts} FROM {table.full_name} WHERE {last or 'TRUE'} "
            f"ORDER BY {table.key_columns} LIMIT 1 OFFSET {size - 1}"
        )
        if not ends:
            yield last or "TRUE"
            return
        end = table.literals(ends[0])
        yield " AND ".join(filter(None, (last, f"{row} <= ({end})")))
        last = f"{row} > ({end})"


def checksum(table: Table, where: str, query: Query) -> tuple[str | None, ...]:
    """The number of rows and a checksum that does not depend on their order."""
    return query(
        f"SELECT COUNT(*), COALESCE(BIT_XOR({table.row}), 0) FROM {table.full_name} WHERE {where}"
    )[0]


def _differences(
    table: Table, where: str, primary: Query, server: str, replica: Query
) -> tuple[int, int, int]:
    """Rows that are missing, extra and other in each of several looks."""
    if not table.key:
        for _ in range(LOOKS):
            _reach(primary, {server: replica})
            if checksum(table, where, primary) == checksum(table, where, replica):
                return 0, 0, 0
        return 0, 0, 1
    sql = f"SELECT {table.row}, {table.key_columns} FROM {table.full_name} WHERE {where}"
    lasting: set[tuple[tuple[str | None, ...], str | None, str | None]] | None = None
    for _ in range(LOOKS):
        # The primary first: what it has at that moment the replica must have afterwards.
        rows = {row[1:]: row[0] for row in primary(sql)}
        _reach(primary, {server: replica})
        others = {row[1:]: row[0] for row in replica(sql)}
        different = {
            (key, rows.get(key), others.get(key))
            for key in rows.keys() | others.keys()
            if rows.get(key) != others.get(key)
        }
        lasting = different if lasting is None else lasting & different
        if not lasting:
            break
    lasting = lasting or set()
    return (
        sum(other is None for _, _, other in lasting),
        sum(ours is None for _, ours, _ in lasting),
        sum(None not in (ours, other) for _, ours, other in lasting),
    )


def _reach(primary: Query, replicas: Mapping[str, Query]) -> None:
    """Wait until every replica has what the primary has now. Raises TimeoutError."""
    position = primary("SELECT @@global.gtid_binlog_pos")[0][0]
    for server, replica in replicas.items():
        if replica(f"SELECT MASTER_GTID_WAIT('{position}', {PATIENCE})")[0][0] != "0":
            raise TimeoutError(f"{server} did not reach {position} in {PATIENCE} s")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


# --- the command ---


def in_pod(namespace: str, pod: str) -> Query:
    """Statements by the client in a server's container, whose environment has root's password."""

    def query(sql: str) -> Rows:
        done = subprocess.run(
            [
                *("kubectl", "-n", namespace, "exec", "-i", pod, "-c", "mariadb", "--", "sh", "-c"),
                'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mariadb -u root --batch '
                "--skip-column-names --quick",
            ],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{pod}: {done.stderr.strip()}")
        return [
            tuple(None if text == "NULL" else text for text in line.split("\t"))
            for line in done.stdout.splitlines()
        ]

    return query


def main() -> int:
    """0: all servers have the same rows; 1: they do not."""
    parser = argparse.ArgumentParser(prog="python -m tools.rows", description=__doc__)
    parser.add_argument("namespace")
    parser.add_argument("name")
    arguments = parser.parse_args()
    told = subprocess.run(
        (
            *("kubectl", "-n", arguments.namespace, "get", "mariadb", arguments.name, "-o"),
            "jsonpath={.status.currentPrimary} {.spec.replicas}",
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    primary, replicas = told.stdout.split()
    pods = [f"{arguments.name}-{ordinal}" for ordinal in range(int(replicas))]
    queries = {pod: in_pod(arguments.namespace, pod) for pod in pods}
    found = compare(queries.pop(primary), queries)
    for each in found:
        print(
            f"{each.server}: {each.table}: {each.missing} rows missing, {each.extra} too many, "
            f"{each.other} other than on {primary}"
        )
    print(f"{len(found)} differences" if found else "all servers have the same rows")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
