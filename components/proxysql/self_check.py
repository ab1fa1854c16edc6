"""Queries that tell whether ProxySQL runs what the Pod's files say. Pure."""

from collections.abc import Sequence

from components.config.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.proxysql.libconfig import Scalar
from components.proxysql.live import Live
from components.proxysql.model import CnfModel
from components.proxysql.query_rules import rule_rows
from components.proxysql.scheduler import scheduler_rows
from components.proxysql.servers import server_rows
from components.proxysql.variables import SYNCED_MODULES, routing_variables


def self_check(model: CnfModel) -> str:
    """A query that returns 1 if ProxySQL runs every row of the file and the values that must not be
    lost. Otherwise it returns what is lost, in words, without values."""
    rules = [int(rule["rule_id"]) for rule in rule_rows(model) if rule["active"]]
    servers = {(str(server["address"]), int(server["port"])) for server in server_rows(model)}
    others = model.proxy.other_servers
    # Of the database's own, ProxySQL moves rows between hostgroups.
    hosts = sorted({host for host, _ in servers} - {server.host for server in others})
    rows = sorted({f"{one.host}:{one.port} in {one.hostgroup}" for one in others})
    fence = int(model.monitored)
    galera = int(model.topology.kind == "galera")
    writer = model.proxy.hostgroups.writer
    # Peers may have added rows by hand, which a fresh Pod takes over within seconds.
    exactly = ">=" if model.proxy.clustering == "runtime" else "="
    checks = {
        "number of servers": "(SELECT COUNT(DISTINCT hostname||':'||port) FROM "
        f"runtime_mysql_servers){exactly}{len(servers)}",
        "number of query rules": "(SELECT COUNT(*) FROM runtime_mysql_query_rules)"
        f"{exactly}{len(rules)}",
        "scheduler": f"(SELECT COUNT(*) FROM runtime_scheduler)={len(scheduler_rows(model))}",
        "mysql_replication_hostgroups": "(SELECT COUNT(*) FROM "
        f"runtime_mysql_replication_hostgroups)={fence}",
        "mysql_galera_hostgroups": "(SELECT COUNT(*) FROM runtime_mysql_galera_hostgroups)"
        f"={galera}",
        "mysql_hostgroup_attributes": "(SELECT COUNT(*) FROM runtime_mysql_hostgroup_attributes "
        f"WHERE hostgroup_id={writer} AND max_num_online_servers=1)={fence}",
    }
    relied_on = routing_variables(model)
    expected: dict[str, Scalar] = {
        **{f"mysql-{name}": value for name, value in relied_on.items()},
        **{f"admin-{name}": value for name, value in model.proxy.admin_variables.items()},
        **{f"mysql-{name}": value for name, value in model.proxy.mysql_variables.items()},
        "mysql-monitor_username": model.monitor_username,
        "mysql-query_retries_on_failure": 0,
        "mysql-monitor_writer_is_also_reader": True,
    }
    if model.proxy.clustering == "membership":
        expected |= {f"admin-cluster_{m}_diffs_before_sync": 0 for m in SYNCED_MODULES}
    checks |= {f"variable {name}": _has_value(name, value) for name, value in expected.items()}
    lacks = [
        f"SELECT CASE WHEN {check} THEN NULL ELSE '{n}' END AS lack" for n, check in checks.items()
    ]
    lacks += _missing("query rule", rules, "rule_id", "runtime_mysql_query_rules")
    lacks += _missing("server", hosts, "hostname", "runtime_mysql_servers")
    row = "hostname||':'||port||' in '||hostgroup_id"
    lacks += _missing("server", rows, row, "runtime_mysql_servers")
    return (
        "SELECT COALESCE(GROUP_CONCAT(lack, ', '), 1) FROM (\n"
        + "\nUNION ALL ".join(lacks)
        + "\n);\n"
    )


def _missing(what: str, wanted: Sequence[int | str], column: str, table: str) -> list[str]:
    """Queries of the values that are not in a column, or of no row where it is an expression: one,
    or none where nothing is wanted."""
    values = ", ".join(
        f"({value})" if isinstance(value, int) else f"('{value}')" for value in wanted
    )
    found = f"SELECT {column} FROM {table}"
    query = f"SELECT '{what} '||column1 FROM (VALUES {values}) WHERE column1 NOT IN ({found})"
    return [query] if wanted else []


def live_check(model: Live, *, running: bool) -> str:
    """A query that returns 1 if ProxySQL has every user and every peer of the files, and no other.

    `running`: it looks at what is in use, where an inactive user is missing, not at what was read.
    """
    prefix, where = ("runtime_", " WHERE frontend=1") if running else ("", " WHERE 1")
    users = [user for user in model.users if user.active or not running]
    encrypted = sum(model.requires_tls(user) for user in users)
    hosts = ", ".join(f"'{peer}'" for peer in model.peers)
    return (
        f"SELECT (SELECT COUNT(*) FROM {prefix}mysql_users{where})={len(users)}\n"
        f" AND (SELECT COUNT(*) FROM {prefix}mysql_users{where} AND use_ssl=1)={encrypted}\n"
        f" AND (SELECT COUNT(*) FROM {prefix}proxysql_servers)={len(model.peers)}\n"
        f" AND (SELECT COUNT(*) FROM {prefix}proxysql_servers WHERE hostname IN ({hosts}))"
        f"={len(model.peers)};\n"
    )


def _has_value(name: str, value: Scalar) -> str:
    """The condition that a variable runs with a value; ProxySQL keeps the old one if it is bad."""
    kind, _, short = name.partition("-")
    known = {"admin": ADMIN_VARIABLES, "mysql": MYSQL_VARIABLES}[kind]
    return (
        "(SELECT COUNT(*) FROM runtime_global_variables "
        f"WHERE variable_name='{name}' AND variable_value='{known[short].shown(value)}')=1"
    )
