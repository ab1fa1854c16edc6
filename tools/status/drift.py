"""What a proxy runs otherwise than the files say from which it started. Pure.

The self check of the Pod (`components/proxysql/self_check.py`) asks whether ProxySQL took all that
must not be lost; this finds what somebody has changed since, by `LOAD … TO RUNTIME`: rows of
tables, of which a column that the file does not name must have ProxySQL's default, and variables
that the file names. Not passwords, other variables, nor what is in memory or on disk and not runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from components.config.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.proxysql.libconfig import Group, Scalar

from .ask import SECRET_WORDS, Row, Table

File: TypeAlias = Mapping[str, Sequence[Group]]
"""Groups of each section; of one that is no list, one group."""

_KEYS = {
    "mysql_servers": ("hostgroup_id", "hostname", "port"),
    "mysql_users": ("username",),
    "mysql_query_rules": ("rule_id",),
    "mysql_replication_hostgroups": ("writer_hostgroup",),
    "mysql_galera_hostgroups": ("writer_hostgroup",),
    "mysql_hostgroup_attributes": ("hostgroup_id",),
    "proxysql_servers": ("hostname", "port"),
    "scheduler": ("id",),
}
"""What tells a table's rows apart."""
_CALLED = {
    "mysql_servers": "server",
    "mysql_users": "user",
    "mysql_query_rules": "query rule",
    "proxysql_servers": "peer",
    "scheduler": "scheduler job",
}
_MOVING = ("status", "hostgroup_id", "active")
"""Columns that are judged apart: health, place, and whether a row runs at all."""
Defaults: TypeAlias = Mapping[str, str]
"""Of a table: what its columns are where a file does not name them."""
_COLUMNS = {"address": "hostname", "hostgroup": "hostgroup_id"}
"""Where a column has another name than the key of the file."""
TOPOLOGIES = ("mysql_replication_hostgroups", "mysql_galera_hostgroups")
"""Tables by which ProxySQL itself moves servers between hostgroups."""


def parse(lines: Sequence[str]) -> File:
    """What `components.proxysql.libconfig.render_document` wrote, without scalars of its own."""
    found: dict[str, list[dict[str, Scalar]]] = {}
    section: list[dict[str, Scalar]] = []
    for line in lines:
        text = line.strip()
        if header := re.fullmatch(r"(\w+) =", text):
            section = found.setdefault(header[1], [])
        elif text == "{":
            section.append({})
        elif (pair := re.fullmatch(r"(\w+) = (.*)", text)) and line.startswith(" "):
            section[-1][pair[1]] = _scalar(pair[2])
    return found


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    if not text.startswith('"'):
        return int(text)
    return re.sub(
        r"\\(?:x([0-9a-f]{2})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else m[2], text[1:-1]
    )


def writer_hostgroup(file: File) -> int | None:
    """Where writes go: what the tables of the topology say, or else the first server's row."""
    for table in TOPOLOGIES:
        for group in file.get(table, ()):
            return int(group["writer_hostgroup"])
    for server in file.get("mysql_servers", ()):
        return int(server["hostgroup"])
    return None


def defaults(columns: Table) -> Defaults:
    """Of what `PRAGMA table_info` answers; a text is quoted there, and NULL is as good as empty."""
    return {str(row["name"]): (row["dflt_value"] or "").strip("'") for row in columns}


def drift(
    file: File,
    tables: Mapping[str, Table],
    variables: Mapping[str, str],
    unnamed: Mapping[str, Defaults],
    *,
    held: bool,
) -> Iterator[str]:
    """One line per difference. `unnamed`: the defaults of each table; `held`: the watcher lets
    writes wait, by a server's status."""
    yield from _variables(file, variables)
    moved = _moved_between(file)
    name = "mysql_servers"
    yield from _servers(file, tables.get(name, ()), unnamed.get(name, {}), moved, held)
    for name in _KEYS:
        if name != "mysql_servers":
            yield from _rows(name, file.get(name, ()), tables.get(name, ()), unnamed.get(name, {}))


def _variables(file: File, running: Mapping[str, str]) -> Iterator[str]:
    for module in ("admin", "mysql", "pgsql"):
        known = {"admin": ADMIN_VARIABLES, "mysql": MYSQL_VARIABLES}.get(module, {})
        for group in file.get(f"{module}_variables", ()):
            for name, value in group.items():
                if any(word in name for word in SECRET_WORDS):
                    continue
                wanted = known[name].shown(value) if name in known else _text(value)
                if (runs := running.get(f"{module}-{name}")) != wanted:
                    yield f"variable {module}-{name}: {_is(runs, wanted)}"


def _moved_between(file: File) -> frozenset[int]:
    """Hostgroups between which ProxySQL moves servers."""
    return frozenset(
        int(value)
        for table in TOPOLOGIES
        for group in file.get(table, ())
        for key, value in group.items()
        if key.endswith("_hostgroup")
    )


def _servers(
    file: File, rows: Table, unnamed: Defaults, moved: frozenset[int], held: bool
) -> Iterator[str]:
    wanted = [_columns(group) for group in file.get("mysql_servers", ())]
    # One that was taken away stays OFFLINE_HARD until its last connection ends.
    gone = [row for row in rows if row["status"] == "OFFLINE_HARD"]
    present = [row for row in rows if row not in gone]
    for row in present:
        same = [one for one in wanted if _where(one) == _where(row)]
        host = [one for one in wanted if (one["hostname"], one["port"]) == _host(row)]
        if not same and not (host and int(row["hostgroup_id"] or -1) in moved):
            yield f"server {_place(row)}: not in the file"
            continue
        yield from _differences(f"server {_place(row)}", {**unnamed, **(same or host)[0]}, row)
        if row["status"] == "OFFLINE_SOFT" and not held:
            yield f"server {_place(row)}: OFFLINE_SOFT by hand"
    for one in wanted:
        where = [row for row in present if _host(row) == (one["hostname"], one["port"])]
        there = any(_where(row) == _where(one) for row in where)
        if not there and not (where and int(one["hostgroup_id"]) in moved):
            yield f"server {_place(one)}: missing"


def _host(row: Mapping[str, str | None]) -> tuple[str | None, str | None]:
    return row["hostname"], row["port"]


def _where(row: Mapping[str, str | None]) -> tuple[str | None, ...]:
    return tuple(row[key] for key in _KEYS["mysql_servers"])


def _place(row: Mapping[str, str | None]) -> str:
    return f"{row['hostname']}:{row['port']} in {row['hostgroup_id']}"


def _rows(name: str, groups: Sequence[Group], rows: Table, unnamed: Defaults) -> Iterator[str]:
    """Of a table whose rows stay as the file has them. What is inactive does not run."""
    key = _KEYS[name]

    def called(row: Mapping[str, str | None]) -> str:
        return f"{_CALLED.get(name, name)} {':'.join(str(row[part]) for part in key)}"

    wanted = {called(row): row for row in map(_columns, groups) if row.get("active") != "0"}
    running = {called(row): row for row in rows}
    for one in sorted(wanted.keys() | running.keys()):
        if one not in running:
            yield f"{one}: missing"
        elif one not in wanted:
            yield f"{one}: not in the file"
        else:
            yield from _differences(one, {**unnamed, **wanted[one]}, running[one])


def _differences(called: str, wanted: Mapping[str, str], row: Row) -> Iterator[str]:
    for column, value in wanted.items():
        if column in row and column not in _MOVING and (row[column] or "") != value:
            yield f"{called}: {column} {_is(row[column], value)}"


def _columns(group: Group) -> dict[str, str]:
    return {
        _COLUMNS.get(key, key): str(int(value)) if isinstance(value, bool) else str(value)
        for key, value in group.items()
        if not any(word in key for word in SECRET_WORDS)
    }


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is(runs: str | None, wanted: str) -> str:
    return f"is {_shown(runs)}, the file has {_shown(wanted)}"


def _shown(value: str | None) -> str:
    return "not set" if value is None else value if value else "nothing"
