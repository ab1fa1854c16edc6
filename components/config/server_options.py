"""Options that `database.my_cnf` must not set, by the names under which the servers know them.

A server takes more than an option's name (mysys/my_getopt.c of both engines): any start of it that
is unambiguous, `-` for `_`, the words of PREFIXES before it, several of them too, and
`anything.` before that. So names here stand without those words, and a text that could be read as
one of them is refused, with the exception of options that have such a name of their own.
"""

import re
from collections.abc import Iterator, Mapping

PREFIXES = ("skip", "disable", "enable", "maximum", "loose", "autoset")
"""`special_opt_prefix` of mysys/my_getopt.c; MySQL has no `autoset`."""

_PROGRAM = "the program sets it, and the proxies or the operator rely on it"
_OPERATOR = "the operator sets it"
_PLACE = "the operator mounts the volume and keeps its files there"
_FILTER = "servers would not hold the same data, and a promotion would lose some"
_EXITS = "it is no setting: the server would not start as one, or end at once"
_ACCOUNTS = "accounts of the operator and of the proxies would no longer log in"
_TLS = "security.tls decides it"
_SEMI_SYNC = "database.semi_sync and the proxies decide it"
_MEMORY = "it takes the memory of the whole node, not of the limit"

EVERYWHERE: Mapping[str, str] = {
    "max_connections": "database.max_connections decides it",
    "binlog_expire_logs_seconds": "database.binlog_expire_days decides it",
    "expire_logs_days": "database.binlog_expire_days decides it",
    "require_secure_transport": _TLS,
    "pxc_encrypt_cluster_traffic": _TLS,
    "ssl": _TLS,
    **dict.fromkeys(
        ("bind_address", "port", "socket", "networking", "extra_port", "extra_max_connections")
        + ("admin_address", "admin_port", "pid_file", "user", "default_storage_engine"),
        _PROGRAM,
    ),
    **dict.fromkeys(
        ("read_only", "super_read_only", "offline_mode", "innodb_read_only", "init_file")
        + ("transaction_read_only", "plugin_load", "early_plugin_load"),
        _OPERATOR,
    ),
    "init_slave": "proxy.min_semi_sync_replicas decides it",
    "init_replica": "proxy.min_semi_sync_replicas decides it",
    **dict.fromkeys(
        ("datadir", "basedir", "plugin_dir", "lc_messages_dir", "character_sets_dir", "chroot")
        + ("innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_data_file_path")
        + ("innodb_undo_directory", "aria_log_dir_path", "language"),
        _PLACE,
    ),
    "grant_tables": "anyone could log in as anyone",
    **dict.fromkeys(
        ("authentication_policy", "default_authentication_plugin", "default_password_lifetime")
        + ("disconnect_on_expired_password", "old_passwords"),
        _ACCOUNTS,
    ),
    "innodb_dedicated_server": _MEMORY,
    **dict.fromkeys(
        ("bootstrap", "initialize", "initialize_insecure", "help", "verbose", "version")
        + ("daemonize", "upgrade", "validate_config", "gdb", "exit_info", "defaults_file")
        + ("defaults_extra_file", "defaults_group_suffix", "no_defaults", "print_defaults")
        + ("safe_mode", "console", "standalone"),
        _EXITS,
    ),
}
"""By name: why, for databases of every topology."""

CLUSTERED: Mapping[str, str] = {
    "server_id": "every server has its own, by which they know each other's changes",
    "log_bin": "replicas follow the binary log that the operator sets up",
    "log_bin_index": _OPERATOR,
    "log_basename": _OPERATOR,
    "log_slave_updates": "a promoted server would lack what others wrote before",
    "log_replica_updates": "a promoted server would lack what others wrote before",
    "slave_start": _OPERATOR,
    "replica_start": _OPERATOR,
    "slave_skip_errors": _FILTER,
    "replica_skip_errors": _FILTER,
    "slave_exec_mode": _FILTER,
    "replica_exec_mode": _FILTER,
    "binlog_do_db": _FILTER,
    "binlog_ignore_db": _FILTER,
    "enforce_gtid_consistency": _OPERATOR,
}
"""The same for servers that replicate."""

GALERA: Mapping[str, str] = {
    "binlog_format": "Galera certifies rows",
    "innodb_autoinc_lock_mode": "Galera needs interleaved locks",
}
"""The same for Galera and Percona XtraDB Cluster."""

FAMILIES: Mapping[str, str] = {
    "wsrep_": "the operator sets up the cluster (database.galera.provider_options has the rest)",
    "ssl_": _TLS,
    "admin_ssl": _TLS,
}
"""By the start of a name: why, for databases of every topology."""
CLUSTERED_FAMILIES: Mapping[str, str] = {
    "gtid_": "the operator moves servers by it",
    "rpl_semi_sync_": _SEMI_SYNC,
    "replicate_": _FILTER,
}
"""The same for servers that replicate."""

FREE = frozenset(
    {"wsrep_log_conflicts", "wsrep_max_ws_rows", "wsrep_max_ws_size", "wsrep_osu_method"}
    | {"wsrep_retry_autocommit", "wsrep_sync_wait"}
    | {"wsrep_trx_fragment_size", "wsrep_trx_fragment_unit"}
)
"""What somebody may tune of a family."""

INTERPRETED = frozenset(
    {"innodb_buffer_pool_size", "innodb_log_buffer_size", "innodb_log_file_size"}
    | {"innodb_redo_log_capacity", "key_buffer_size", "aria_pagecache_buffer_size"}
    | {"sort_buffer_size", "join_buffer_size", "read_buffer_size", "read_rnd_buffer_size"}
)
"""What the sum of the memory reads (components/engines/memory.py): only whole names are found."""

WHOLE = frozenset({"innodb", "lc_messages", "old"})
"""Names of options that are also the start of one above."""

_PASSWORD = re.compile(r"(^|_)password$|passphrase$|_token$|_secret$|filekey$")


def candidates(name: str) -> Iterator[str]:
    """The names under which a server may look for an option that a file calls `name`."""
    text = name.casefold().replace("-", "_")
    parts = text.split(".")
    for start in range(len(parts)):
        base = ".".join(parts[start:])
        yield base
        while (stripped := _without_prefix(base)) != base:
            base = stripped
            yield base


def base(name: str) -> str:
    """The name without what may stand before it."""
    *_, last = candidates(name)
    return last


def _without_prefix(name: str) -> str:
    for prefix in PREFIXES:
        if name.startswith(f"{prefix}_"):
            return name.removeprefix(f"{prefix}_")
    return name


def refusal(name: str, topology: str) -> str | None:
    """Why a my.cnf must not set an option that it calls `name`; None where it may.

    `topology`: of the database; a Percona XtraDB Cluster is `galera`.
    """
    options, families = _reserved(topology)
    for candidate in candidates(name):
        if _PASSWORD.search(candidate):
            return f"{candidate} would be in a ConfigMap in clear"
        if candidate in options:
            return f"must not set {candidate}: {options[candidate]}"
        for start, why in families.items():
            if candidate.startswith(start) and candidate not in FREE:
                return f"must not set {candidate}: {why}"
        if candidate in WHOLE | FREE | INTERPRETED:
            continue
        for known in (*options, *families, *sorted(INTERPRETED)):
            if known.startswith(candidate):
                return f"must not abbreviate: servers may read {candidate} as {known}"
    return None


def _reserved(topology: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Names and starts of names, each with its reason."""
    options, families = {**EVERYWHERE}, {**FAMILIES}
    if topology != "standalone":
        options |= CLUSTERED
        families |= CLUSTERED_FAMILIES
    if topology == "galera":
        options |= GALERA
    return options, families
