"""What is asked inside the Pods, and how the answers are read. Pure.

All of it only reads. Each script runs in the container of a server or proxy, where the login is; no
password is in a command line, and none is answered. A script prints tables as a client's `--batch`
does, each after a line `#` and a line with its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from components.config.proxysql import ADMIN_PORT
from components.proxysql import layout, scripts

Row: TypeAlias = Mapping[str, str | None]
Table: TypeAlias = Sequence[Row]

LIMIT = 8
"""Seconds after which a client in a Pod is ended: its server hangs."""
END = "end"
"""The last table: without it, not everything was answered."""


def _titled(queries: Mapping[str, str]) -> str:
    """SQL that answers with these tables."""
    parts = [f"SELECT '{title}' AS '#';\n{query};\n" for title, query in queries.items()]
    return "".join([*parts, f"SELECT '{END}' AS '#';\n"])


def _among(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_VARIABLES = (
    *("version", "read_only", "max_connections", "wsrep_on"),
    *("rpl_semi_sync_master_enabled", "rpl_semi_sync_slave_enabled"),
)
_STATUS = (
    *("Threads_connected", "Rpl_semi_sync_master_status", "Rpl_semi_sync_master_clients"),
    *("Rpl_semi_sync_slave_status", "wsrep_cluster_status", "wsrep_cluster_size"),
    "wsrep_local_state_comment",
)
_SERVER = {
    "variables": f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_among(_VARIABLES)})",
    "status": f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_among(_STATUS)})",
}

MARIADB_SQL = _titled({**_SERVER, "replication": "SHOW ALL SLAVES STATUS"})
MARIADB = (
    f'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec timeout -s KILL {LIMIT} '
    '"$(command -v mariadb || command -v mysql)" --user=root --batch --force --connect-timeout=3'
)
"""In the container `mariadb`: root through the socket, with what the operator gives the server."""

# A node that does not take part answers nothing else, and waits for nobody.
PERCONA_SQL = "SET SESSION wsrep_sync_wait = 0;\n" + _titled(_SERVER)
PERCONA = (
    'MYSQL_PWD="$(cat /etc/mysql/mysql-users-secret/monitor)" '
    f"exec timeout -s KILL {LIMIT} mysql --user=monitor --protocol=TCP --port=33062 "
    "--host=\"$(hostname -I | awk '{ print $1 }')\" --batch --force --connect-timeout=3"
)
"""In the container `pxc`, as its liveness probe logs in (percona-xtradb-cluster-operator v1.18.0,
build/liveness-check.sh)."""

SECRET_WORDS = ("password", "credentials")
"""A variable or key of the file whose name has one of these is a secret."""

_NOT_SECRET = " AND ".join(f"variable_name NOT LIKE '%{word}%'" for word in SECRET_WORDS)
TABLES = {
    "mysql_servers": "SELECT * FROM runtime_mysql_servers",
    "mysql_users": (
        # Not `*`: a password's hash is one too.
        "SELECT username, active, default_hostgroup, default_schema, transaction_persistent, "
        "fast_forward, max_connections, use_ssl, schema_locked, attributes, comment "
        "FROM runtime_mysql_users WHERE frontend = 1"
    ),
    "mysql_query_rules": "SELECT * FROM runtime_mysql_query_rules",
    "mysql_replication_hostgroups": "SELECT * FROM runtime_mysql_replication_hostgroups",
    "mysql_galera_hostgroups": "SELECT * FROM runtime_mysql_galera_hostgroups",
    "mysql_hostgroup_attributes": "SELECT * FROM runtime_mysql_hostgroup_attributes",
    "proxysql_servers": "SELECT * FROM runtime_proxysql_servers",
    "scheduler": "SELECT * FROM runtime_scheduler",
}
"""What runs, by the name that the file gives the table."""
DEFAULTS = "defaults_of_"
"""Before the name of a table: its columns, with what they are where a file does not say."""
ROWS = "rows_of_"
"""Before the name of a table: how many rows run."""
UNUSED = (
    *("mysql_query_rules_fast_routing", "mysql_group_replication_hostgroups"),
    *("mysql_aws_aurora_hostgroups", "mysql_servers_ssl_params"),
    *("mysql_firewall_whitelist_users", "mysql_firewall_whitelist_rules"),
    *("mysql_firewall_whitelist_sqli_fingerprints", "pgsql_firewall_whitelist_sqli_fingerprints"),
    *("pgsql_firewall_whitelist_users", "pgsql_firewall_whitelist_rules", "pgsql_ldap_mapping"),
    *("pgsql_servers", "pgsql_users", "pgsql_query_rules", "pgsql_replication_hostgroups"),
    *("pgsql_hostgroup_attributes", "pgsql_query_rules_fast_routing", "restapi_routes"),
)
"""Tables of which this program writes no rows. ProxySQL 2.7 has no `pgsql_` ones, and says so."""
PROXY_SQL = _titled(
    {
        **TABLES,
        **{f"{DEFAULTS}{table}": f"PRAGMA table_info({table})" for table in TABLES},
        **{f"{ROWS}{table}": f"SELECT COUNT(*) AS n FROM runtime_{table}" for table in UNUSED},
        "variables": (
            "SELECT variable_name, variable_value FROM runtime_global_variables "
            f"WHERE {_NOT_SECRET}"
        ),
        "pool": "SELECT hostgroup, srv_host, srv_port, ConnUsed FROM stats_mysql_connection_pool",
        "counters": (
            "SELECT variable_name, variable_value FROM stats_mysql_global WHERE "
            "variable_name IN ('Client_Connections_connected', 'mysql_listener_paused')"
        ),
    }
)

_FILES = " ".join(
    (
        f"{layout.CONFIG_DIR}/{layout.CNF_FILE}",
        f"{layout.LIVE_DIR}/{layout.USERS_FILE}",
        f"{layout.LIVE_DIR}/{layout.PEERS_FILE}",
    )
)
_WATCH = f"{layout.DATA_DIR}/watch"


def _title(name: str, column: str) -> str:
    return f"printf '#\\n{name}\\n{column}\\n'"


PROXY = f"""\
ask() {{ timeout -s KILL {LIMIT} {scripts.ADMIN} "$@"; }}
ask --column-names --force
code=$?; [ $code -lt 124 ] || exit $code
{_title("lacks", "lacks")}
ask < {layout.CONFIG_DIR}/{layout.SELF_CHECK_FILE}
{_title("live", "same")}
ask < {layout.LIVE_DIR}/{layout.IN_USE_CHECK_FILE}
{_title("watch", "now")}
date +%s
{_title("hold", "since")}
cat {_WATCH}.hold 2>/dev/null
{_title("gave-up", "file")}
ls {_WATCH}.gave-up 2>/dev/null
{_title("files", "")}
sed -E 's/^( *[a-z_]*({"|".join(SECRET_WORDS)})[a-z_]* = ).*/\\1""/' {_FILES}
"""
"""In the container `proxysql` of this program: what runs; what its own checks miss; whether writes
wait; and the files, in which the value of each secret is left out before it leaves the Pod."""

PERCONA_PROXY = (
    'MYSQL_PWD="$(cat /etc/mysql/mysql-users-secret/proxyadmin 2>/dev/null || '
    f'printf %s "$PROXY_ADMIN_PASSWORD")" exec timeout -s KILL {LIMIT} '
    'mysql --user="${PROXY_ADMIN_USER:-proxyadmin}" --protocol=TCP --host=127.0.0.1 '
    f"--port={ADMIN_PORT} --batch --force --connect-timeout=3"
)
"""In the container `proxysql` of Percona's operator (v1.18.0, pkg/pxc/app/statefulset/proxysql.go,
build/proxysql_add_pxc_nodes.sh)."""
PERCONA_WRITER = 11
"""The writer hostgroup of its proxies (build/proxysql_scheduler_config.tmpl, hgW)."""


def parts(text: str) -> dict[str, list[str]]:
    """The lines of each table, by its name; of one with a header, that first."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    rest = iter(text.splitlines())
    for line in rest:
        if line == "#":
            lines = found.setdefault(next(rest, END), [])
        else:
            lines.append(line)
    return found


def table(lines: Sequence[str]) -> Table:
    """The rows of a table; none where it has no header either."""
    if not lines:
        return ()
    columns = lines[0].split("\t")
    return [dict(zip(columns, map(_value, line.split("\t")), strict=False)) for line in lines[1:]]


def pairs(rows: Table) -> dict[str, str]:
    """Of a table of two columns: the second by the first."""
    found = (tuple(row.values()) for row in rows)
    return {str(pair[0]).lower(): pair[1] or "" for pair in found if len(pair) == 2}


def _value(text: str) -> str | None:
    """A value of a client's `--batch`."""
    if text == "NULL":
        return None
    if "\\" not in text:
        return text
    unescaped = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\0": "\0"}
    result, rest = "", text
    while rest:
        pair = rest[:2]
        known = unescaped.get(pair)
        result += known if known is not None else rest[0]
        rest = rest[2 if known is not None else 1 :]
    return result
