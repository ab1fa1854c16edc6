"""Queries by which a Pod sees whether ProxySQL runs what its files say. Pure."""

from components.config.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.proxysql.cnf import (
    SYNCED_MODULES,
    CnfModel,
    Live,
    routing_variables,
    rule_rows,
    scheduler_rows,
    server_rows,
)
from components.proxysql.libconfig import Scalar


def self_check(model: CnfModel) -> str:
    """A query that returns 1 if ProxySQL runs every row of the file and what must not be lost."""
    rules = sum(bool(rule["active"]) for rule in rule_rows(model))
    fence = int(model.monitored)
    galera = int(model.topology.kind == "galera")
    writer = model.proxy.hostgroups.writer
    # Peers may have added rows by hand, which a fresh Pod takes over within seconds.
    exactly = ">=" if model.proxy.clustering == "runtime" else "="
    checks = [
        "(SELECT COUNT(DISTINCT hostname||':'||port) FROM runtime_mysql_servers)"
        f"{exactly}{len({server['address'] for server in server_rows(model)})}",
        f"(SELECT COUNT(*) FROM runtime_mysql_query_rules){exactly}{rules}",
        f"(SELECT COUNT(*) FROM runtime_scheduler)={len(scheduler_rows(model))}",
        f"(SELECT COUNT(*) FROM runtime_mysql_replication_hostgroups)={fence}",
        f"(SELECT COUNT(*) FROM runtime_mysql_galera_hostgroups)={galera}",
        "(SELECT COUNT(*) FROM runtime_mysql_hostgroup_attributes "
        f"WHERE hostgroup_id={writer} AND max_num_online_servers=1)={fence}",
    ]
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
    checks += [_has_value(name, value) for name, value in expected.items()]
    return "SELECT " + "\n AND ".join(checks) + ";\n"


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
