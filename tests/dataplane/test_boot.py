"""What ProxySQL makes of the rendered file; numbers are rows of docs/acceptance.md.

The proxies of these tests have started, so the startup probe's self-check has passed (12).
"""

from __future__ import annotations

import urllib.request
from collections.abc import Generator, Mapping
from typing import Any

import pytest

from testbed.database.servers import eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.nodes import APP
from testbed.dataplane.proxies import Proxy
from tests.unit import libconfig

from .conftest import release_of

pytestmark = pytest.mark.dataplane

KINDS = ("monitor", "primary_service", "galera")

TABLES = {
    "mysql_servers": ("hostgroup_id", "hostname", "port", "max_connections", "weight", "comment"),
    "mysql_replication_hostgroups": ("writer_hostgroup", "reader_hostgroup", "check_type"),
    "mysql_galera_hostgroups": ("writer_hostgroup", "max_writers", "writer_is_also_reader"),
    "mysql_hostgroup_attributes": ("hostgroup_id", "max_num_online_servers"),
    "mysql_users": ("username", "default_hostgroup", "transaction_persistent", "default_schema"),
    "mysql_query_rules": (
        *("rule_id", "active", "username", "schemaname", "flagIN", "client_addr", "proxy_port"),
        *("digest", "match_digest", "match_pattern", "negate_match_pattern", "re_modifiers"),
        *("flagOUT", "replace_pattern", "destination_hostgroup", "cache_ttl", "cache_empty_result"),
        *("timeout", "retries", "delay", "next_query_flagIN", "error_msg", "OK_msg", "multiplex"),
        *("log", "apply", "comment"),
    ),
    "scheduler": ("id", "active", "interval_ms", "filename", "arg1", "comment"),
    "proxysql_servers": ("hostname", "port", "weight", "comment"),
}
"""Sections of the file, and columns of the table that each becomes."""
SPELLED = {"hostgroup_id": "hostgroup", "hostname": "address"}
"""How the file's `mysql_servers` call two columns."""


OTHERS = 50
"""The hostgroup of a server that is not the database's."""
RULES: list[dict[str, Any]] = [
    # Every field has a value, and neither rule matches anything.
    {
        "rule_id": 1,
        "active": True,
        "username": APP.user,
        "schemaname": "nowhere",
        "client_addr": "10.0.%",
        "proxy_port": 6033,
        "digest": "0x0123456789ABCDEF",
        "match_digest": "^SELECT it's$",
        "match_pattern": r"^SELECT \w+$",
        "re_modifiers": "CASELESS,GLOBAL",
        "flag_out": 3,
        "replace_pattern": "it's",
        "destination_hostgroup": 20,
        "cache_ttl": 5,
        "cache_empty_result": False,
        "timeout": 100,
        "retries": 0,
        "delay": 200,
        "error_msg": "it's closed",
        "ok_msg": "it's done",
        "next_query_flag_in": 3,
        "multiplex": 2,
        "log": True,
        "apply": False,
        "comment": "a comment",
    },
    {
        "rule_id": 2,
        "flag_in": 3,
        "match_digest": ".",
        "negate_match_pattern": True,
        "timeout": 100,
    },
]


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, lab: Lab) -> Generator[Deployment]:
    """A deployment of each kind that nothing happens to."""
    servers = request.getfixturevalue("galera" if request.param == "galera" else "replication")
    # Nothing listens there, which is nobody's concern.
    other = {"host": "127.0.0.1", "port": 3307, "hostgroup": OTHERS, "weight": 2}
    release = release_of(lab, servers, request.param, query_rules=RULES, other_servers=[other])
    with lab.deploy(servers, release) as site:
        yield site


def test_every_row_of_the_file_is_there(site: Deployment) -> None:
    """12, 20: what `main` holds, the place where ProxySQL puts the file, is what the file says."""
    proxy = site.tier.proxies[0]
    for section, columns in TABLES.items():
        said = proxy.admin(f"SELECT {', '.join(columns)} FROM {section} ORDER BY 1, 2")
        rows = [dict(zip(columns, map(_text, row), strict=True)) for row in said.rows]
        asked = [_asked(row, columns, section) for row in _file(proxy).get(section, ())]
        asked.sort(key=lambda row: tuple(row.values())[:2])
        assert len(rows) == len(asked), section
        for row, wanted in zip(rows, asked, strict=True):
            assert wanted.items() <= row.items(), section


def test_every_variable_of_the_file_runs(site: Deployment) -> None:
    """12, 13: a bad value would leave the variable at its default."""
    proxy = site.tier.proxies[0]
    variables = proxy.admin("SELECT variable_name, variable_value FROM runtime_global_variables")
    running = {name: value for name, value in variables.rows}
    for module in ("admin", "mysql"):
        for name, value in _file(proxy)[f"{module}_variables"].items():
            assert running[f"{module}-{name}"] == _text(value), name


def test_the_log_has_no_complaint(site: Deployment) -> None:
    """13: rows and values that ProxySQL drops leave only a line there."""
    for proxy in site.tier.proxies:
        lines = [
            line
            for line in proxy.log().splitlines()
            if ("SQLITE error" in line or "Impossible to set" in line)
            and "stats_system_memory" not in line
        ]
        assert lines == []


def test_the_fence_stands(site: Deployment) -> None:
    """20"""
    for proxy in site.tier.proxies:
        rows = proxy.admin(
            "SELECT hostgroup_id, max_num_online_servers FROM runtime_mysql_hostgroup_attributes"
        ).rows
        assert rows == ((("10", "1"),) if site.release.routing == "fenced" else ())


def test_the_monitor_reads_every_server(site: Deployment) -> None:
    """26: right password, enough privileges."""
    checks = {"connect": "connect_error", "ping": "ping_error"}
    match site.release.routing:
        case "fenced":
            checks["read_only"] = "error"
        case "galera":
            checks["galera"] = "error"
        case _:
            pass
    for proxy in site.tier.proxies:
        listed = f"SELECT hostname FROM runtime_mysql_servers WHERE hostgroup_id<>{OTHERS}"
        servers = set(proxy.admin(listed).rows)
        for check, error in checks.items():
            log = f"monitor.mysql_server_{check}_log"
            seen = f"SELECT DISTINCT hostname FROM {log}"
            assert eventually(lambda: set(proxy.admin(seen).rows) >= servers, timeout=15)  # noqa: B023
            errors = proxy.admin(f"SELECT hostname, {error} FROM {log} WHERE {error} IS NOT NULL")
            assert not [row for row in errors.rows if row[:1] in servers], check


def test_writes_are_possible_through_every_proxy(site: Deployment) -> None:
    for number, proxy in enumerate(site.tier.proxies):
        with proxy.session(APP) as session:
            session.query(f"INSERT INTO writes (id) VALUES ({number})")


def test_metrics_are_served(site: Deployment) -> None:
    """40"""
    proxy = site.tier.proxies[0]
    address = f"http://127.0.0.1:{proxy.metrics_port}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    assert "proxysql_mysql_listener_paused 0" in text


def _file(proxy: Proxy) -> Mapping[str, Any]:
    return libconfig.parse((proxy.directory / "config" / "proxysql.cnf").read_text())


def _asked(row: Mapping[str, Any], columns: tuple[str, ...], section: str) -> dict[str, str]:
    spelled = SPELLED if section == "mysql_servers" else {}
    return {
        column: _text(row[spelled.get(column, column)])
        for column in columns
        if spelled.get(column, column) in row
    }


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            return str(value)
