"""ProxySQL's global variables: what each takes, and which ones a stack may not set.

ProxySQL only warns of a variable that it does not know and of a value that it does not take, and
runs on with the value that it had. Sources, the same in both releases: lib/MySQL_Thread.cpp
(`mysql_thread_variables_names`, `VariablesPointers_int`, `VariablesPointers_bool`, `set_variable`)
and lib/ProxySQL_Admin.cpp (`admin_variables_names`, `set_variable`) of sysown/proxysql, commits
5cc418bb6c59aefca2bc21232e21de6f240a49cf (2.7) and 544a1bf451da641b30c4248f2730f893a521d577 (3.0),
without the read-only ones and those of debug builds. tests/dataplane/test_variables.py holds every
limit against a running ProxySQL.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

MAX_INT = 2**31 - 1
"""Largest integer ProxySQL reads from its file; above it the value silently becomes 0."""

Value: TypeAlias = int | bool | str
"""As a stack file has it."""


@dataclass(frozen=True)
class Switch:
    """On or off."""

    def wanted(self, value: Value) -> str | None:
        """What a value must be, if it is not that."""
        taken = str(value).lower() in ("true", "false", "0", "1")
        return None if taken else "true, false, 1 or 0"

    def shown(self, value: Value) -> str:
        """How ProxySQL shows a value that it has taken."""
        return "true" if str(value).lower() in ("true", "1") else "false"


@dataclass(frozen=True)
class Number:
    """A whole number within limits, which belong to it."""

    least: int
    most: int
    steps: tuple[int, ...] = ()
    """The only numbers taken; ProxySQL replaces another by the next of them."""

    def wanted(self, value: Value) -> str | None:
        """What a value must be, if it is not that."""
        digits = isinstance(value, str) and re.fullmatch("0|[1-9][0-9]{0,9}", value)
        if digits or (isinstance(value, int) and not isinstance(value, bool)):
            number = int(value)
            if self.least <= number <= self.most and (not self.steps or number in self.steps):
                return None
        if self.steps:
            return "one of " + ", ".join(str(n) for n in self.steps if n <= self.most)
        return f"a whole number from {self.least} to {self.most}"

    def shown(self, value: Value) -> str:
        """How ProxySQL shows a value that it has taken."""
        return str(value)


@dataclass(frozen=True)
class Text:
    """A text of which the whole matches, or one of a set."""

    words: str = "text other than (null), which ProxySQL takes for none"
    pattern: str = r"(?!\(null\)$)[\s\S]*"
    among: frozenset[str] | None = None

    def wanted(self, value: Value) -> str | None:
        """What a value must be, if it is not that."""
        taken = isinstance(value, str) and (
            re.fullmatch(self.pattern, value) if self.among is None else value in self.among
        )
        return None if taken else self.words

    def shown(self, value: Value) -> str:
        """How ProxySQL shows a value that it has taken."""
        return str(value)


@dataclass(frozen=True)
class Networks:
    """Networks with commas between them; `*`, from everywhere, would let clients lie freely."""

    def wanted(self, value: Value) -> str | None:
        """What a value must be, if it is not that."""
        if value == "":
            return None
        try:
            for part in str(value).split(","):
                ipaddress.ip_network(part if "/" in part else "", strict=False)
        except ValueError:
            return "networks such as 10.0.0.0/8 with commas and no blanks between them"
        return None

    def shown(self, value: Value) -> str:
        """How ProxySQL shows a value that it has taken."""
        return str(value)


Kind: TypeAlias = Switch | Number | Text | Networks
"""What a variable takes."""

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_MIB = 1024 * 1024
_STEPS = (0, 1, 5, 10, 30, 60, 120, 300, 600)
"""Seconds (lib/ProxySQL_Admin.cpp, round_intv_to_time_interval)."""
_FILE = Text(
    "empty, or the name of a file, which ProxySQL puts into its data directory",
    r"((?!\.)[A-Za-z0-9_.-]{1,200})?",
)
"""The rest of the file system is read-only."""
_SCHEMA = Text("the name of a database", "[A-Za-z0-9_$-]{1,64}")
_NAMES = Text("names of variables with commas between them", "[a-z_]+(,[a-z_]+)*")
_HEARTBEAT = Text("empty, or database.table", r"(`?[A-Za-z0-9_]+`?\.`?[A-Za-z0-9_]+`?)?")

CHARSETS = frozenset(
    """
    armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8
    eucjpms euckr gb18030 gb2312 gbk geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1
    latin2 latin5 latin7 macce macroman sjis swe7 tis620 ujis utf8 utf8mb4
    """.split()
)
"""The `charset` of main.mysql_collations, but for those that no client can use (ucs2, utf16, …)."""
COLLATIONS = frozenset(
    """
    ascii_bin ascii_general_ci ascii_general_nopad_ci ascii_nopad_bin binary latin1_bin
    latin1_danish_ci latin1_general_ci latin1_general_cs latin1_german1_ci latin1_german2_ci
    latin1_nopad_bin latin1_spanish_ci latin1_swedish_ci latin1_swedish_nopad_ci utf8_bin
    utf8_croatian_ci utf8_czech_ci utf8_danish_ci utf8_esperanto_ci utf8_estonian_ci
    utf8_general_ci utf8_general_cs utf8_general_mysql500_ci utf8_general_nopad_ci
    utf8_german2_ci utf8_hungarian_ci utf8_icelandic_ci utf8_latvian_ci utf8_lithuanian_ci
    utf8_myanmar_ci utf8_nopad_bin utf8_persian_ci utf8_polish_ci utf8_roman_ci
    utf8_romanian_ci utf8_sinhala_ci utf8_slovak_ci utf8_slovenian_ci utf8_spanish2_ci
    utf8_spanish_ci utf8_swedish_ci utf8_thai_520_w2 utf8_tolower_ci utf8_turkish_ci
    utf8_unicode_520_ci utf8_unicode_520_nopad_ci utf8_unicode_ci utf8_unicode_nopad_ci
    utf8_vietnamese_ci utf8mb4_0900_ai_ci utf8mb4_0900_as_ci utf8mb4_0900_as_cs utf8mb4_bin
    utf8mb4_croatian_ci utf8mb4_croatian_mysql561_ci utf8mb4_cs_0900_ai_ci
    utf8mb4_cs_0900_as_cs utf8mb4_czech_ci utf8mb4_da_0900_ai_ci utf8mb4_da_0900_as_cs
    utf8mb4_danish_ci utf8mb4_de_pb_0900_ai_ci utf8mb4_de_pb__0900_as_cs
    utf8mb4_eo_0900_ai_ci utf8mb4_eo_0900_as_cs utf8mb4_es_0900_ai_ci utf8mb4_es_0900_as_cs
    utf8mb4_es_trad_0900_ai_ci utf8mb4_es_trad_0900_as_cs utf8mb4_esperanto_ci
    utf8mb4_estonian_ci utf8mb4_et_0900_ai_ci utf8mb4_et_0900_as_cs utf8mb4_general_ci
    utf8mb4_general_nopad_bin utf8mb4_general_nopad_ci utf8mb4_german2_ci
    utf8mb4_hr_0900_ai_ci utf8mb4_hr_0900_as_cs utf8mb4_hu_0900_ai_ci utf8mb4_hu_0900_as_cs
    utf8mb4_hungarian_ci utf8mb4_icelandic_ci utf8mb4_is_0900_ai_ci utf8mb4_is_0900_as_cs
    utf8mb4_ja_0900_as_cs utf8mb4_ja_0900_as_cs_ks utf8mb4_la_0900_ai_ci
    utf8mb4_la_0900_as_cs utf8mb4_latvian_ci utf8mb4_lithuanian_ci utf8mb4_lt_0900_ai_ci
    utf8mb4_lt_0900_as_cs utf8mb4_lv_0900_ai_ci utf8mb4_lv_0900_as_cs utf8mb4_myanmar_ci
    utf8mb4_persian_ci utf8mb4_pl_0900_ai_ci utf8mb4_pl_0900_as_cs utf8mb4_polish_ci
    utf8mb4_ro_0900_ai_ci utf8mb4_ro_0900_as_cs utf8mb4_roman_ci utf8mb4_romanian_ci
    utf8mb4_ru_0900_as_ci utf8mb4_ru_0900_as_cs utf8mb4_sinhala_ci utf8mb4_sk_0900_ai_ci
    utf8mb4_sk_0900_as_cs utf8mb4_sl_0900_ai_ci utf8mb4_sl_0900_as_cs utf8mb4_slovak_ci
    utf8mb4_slovenian_ci utf8mb4_spanish2_ci utf8mb4_spanish_ci utf8mb4_sv_0900_ai_ci
    utf8mb4_sv_0900_as_cs utf8mb4_swedish_ci utf8mb4_thai_520_w2 utf8mb4_tr_0900_ai_ci
    utf8mb4_tr_0900_as_cs utf8mb4_turkish_ci utf8mb4_unicode_520_ci
    utf8mb4_unicode_520_nopad_ci utf8mb4_unicode_ci utf8mb4_unicode_nopad_ci
    utf8mb4_vi_0900_ai_ci utf8mb4_vi_0900_as_cs utf8mb4_vietnamese_ci
    """.split()
)
"""The collations there of ascii, binary, latin1, utf8 and utf8mb4."""


def charset_of(collation: str) -> str:
    """The character set that a collation belongs to."""
    return collation.partition("_")[0]


_CHARSET = Text("a character set that ProxySQL knows and clients can use", among=CHARSETS)
_COLLATION = Text(
    "a collation of ascii, binary, latin1, utf8 or utf8mb4 that ProxySQL knows", among=COLLATIONS
)

ADMIN_VARIABLES: Mapping[str, Kind] = {
    "admin_credentials": Text(),
    "checksum_admin_variables": Switch(),
    "checksum_ldap_variables": Switch(),
    "checksum_mysql_query_rules": Switch(),
    "checksum_mysql_servers": Switch(),
    "checksum_mysql_users": Switch(),
    "checksum_mysql_variables": Switch(),
    "cluster_admin_variables_diffs_before_sync": Number(0, 1_000),
    "cluster_admin_variables_save_to_disk": Switch(),
    "cluster_check_interval_ms": Number(10, 300_000),
    "cluster_check_status_frequency": Number(0, 10_000),
    "cluster_ldap_variables_diffs_before_sync": Number(0, 1_000),
    "cluster_ldap_variables_save_to_disk": Switch(),
    "cluster_mysql_query_rules_diffs_before_sync": Number(0, 1_000),
    "cluster_mysql_query_rules_save_to_disk": Switch(),
    "cluster_mysql_servers_diffs_before_sync": Number(0, 1_000),
    "cluster_mysql_servers_save_to_disk": Switch(),
    "cluster_mysql_servers_sync_algorithm": Number(1, 3),
    "cluster_mysql_users_diffs_before_sync": Number(0, 1_000),
    "cluster_mysql_users_save_to_disk": Switch(),
    "cluster_mysql_variables_diffs_before_sync": Number(0, 1_000),
    "cluster_mysql_variables_save_to_disk": Switch(),
    "cluster_password": Text(),
    "cluster_proxysql_servers_diffs_before_sync": Number(0, 1_000),
    "cluster_proxysql_servers_save_to_disk": Switch(),
    "cluster_username": Text(),
    "coredump_generation_interval_ms": Number(0, MAX_INT - 1),
    "coredump_generation_threshold": Number(1, 500),
    "mysql_ifaces": Text(),
    "pgsql_ifaces": Text(),
    "prometheus_memory_metrics_interval": Number(1, 604_799),
    "read_only": Switch(),
    "refresh_interval": Number(101, 99_999),
    "restapi_enabled": Switch(),
    "restapi_port": Number(1, 65_534),
    "ssl_keylog_file": Text(),
    "stats_credentials": Text(),
    "stats_mysql_connection_pool": Number(0, 300, _STEPS),
    "stats_mysql_connections": Number(0, 300, _STEPS),
    "stats_mysql_query_cache": Number(0, 300, _STEPS),
    "stats_mysql_query_digest_to_disk": Number(0, 86_400),
    "stats_system_cpu": Number(0, 600, _STEPS),
    "stats_system_memory": Number(0, 600, _STEPS),
    "telnet_admin_ifaces": Text(),
    "telnet_stats_ifaces": Text(),
    "vacuum_stats": Switch(),
    "web_enabled": Switch(),
    "web_port": Number(1, 65_534),
    "web_verbosity": Number(0, 10),
}
MYSQL_VARIABLES: Mapping[str, Kind] = {
    "add_ldap_user_comment": Text(),
    "auditlog_filename": _FILE,
    "auditlog_filesize": Number(_MIB, 1024 * _MIB),
    "aurora_max_lag_ms_only_read_from_replicas": Number(0, 100),
    "auto_increment_delay_multiplex": Number(0, 1_000_000),
    "auto_increment_delay_multiplex_timeout_ms": Number(0, _HOUR),
    "autocommit_false_is_transaction": Switch(),
    "autocommit_false_not_reusable": Switch(),
    "automatic_detect_sqli": Switch(),
    "binlog_reader_connect_retry_msec": Number(200, 120_000),
    "client_host_cache_size": Number(0, _MIB),
    "client_host_error_counts": Number(0, _MIB),
    "client_session_track_gtid": Switch(),
    "commands_stats": Switch(),
    "connect_retries_delay": Number(0, 10_000),
    "connect_retries_on_failure": Number(0, 1_000),
    "connect_timeout_client": Number(500, _HOUR),
    "connect_timeout_server": Number(10, 120_000),
    "connect_timeout_server_max": Number(10, _HOUR),
    "connection_delay_multiplex_ms": Number(0, 300_000),
    "connection_max_age_ms": Number(0, _DAY),
    "connection_warming": Switch(),
    "connpoll_reset_queue_length": Number(0, 10_000),
    "data_packets_history_size": Number(0, 2_147_483_646),
    "default_authentication_plugin": Text(),
    "default_charset": _CHARSET,
    "default_collation_connection": _COLLATION,
    "default_max_latency_ms": Number(0, 20 * _DAY),
    "default_query_delay": Number(0, _HOUR),
    "default_query_timeout": Number(1_000, 20 * _DAY),
    "default_reconnect": Switch(),
    "default_schema": _SCHEMA,
    "default_session_track_gtids": Text("OFF or OWN_GTID", "OFF|OWN_GTID"),
    "enable_client_deprecate_eof": Switch(),
    "enable_load_data_local_infile": Switch(),
    "enable_server_deprecate_eof": Switch(),
    "enforce_autocommit_on_reads": Switch(),
    "evaluate_replication_lag_on_servers_load": Number(0, 1),
    "eventslog_default_log": Number(0, 1),
    "eventslog_filename": _FILE,
    "eventslog_filesize": Number(_MIB, 1024 * _MIB),
    "eventslog_format": Number(1, 2),
    "firewall_whitelist_enabled": Switch(),
    "firewall_whitelist_errormsg": Text(),
    "free_connections_pct": Number(0, 100),
    "handle_unknown_charset": Number(0, 3),
    "handle_warnings": Number(0, 1),
    "have_compress": Switch(),
    "have_ssl": Switch(),
    "hostgroup_manager_verbose": Number(0, 3),
    "init_connect": Text(),
    "interfaces": Text(),
    "keep_multiplexing_variables": _NAMES,
    "kill_backend_connection_when_disconnect": Switch(),
    "ldap_user_variable": Text(),
    "log_mysql_warnings_enabled": Switch(),
    "log_unhealthy_connections": Switch(),
    "long_query_time": Number(0, 20 * _DAY),
    "max_allowed_packet": Number(8_192, 1024 * _MIB),
    "max_connections": Number(1, 1_000_000),
    "max_stmts_cache": Number(128, _MIB),
    "max_stmts_per_connection": Number(1, 1_024),
    "max_transaction_idle_time": Number(1_000, 20 * _DAY),
    "max_transaction_time": Number(1_000, 20 * _DAY),
    "min_num_servers_lantency_awareness": Number(0, 10_000),
    "mirror_max_concurrency": Number(1, 8_192),
    "mirror_max_queue_length": Number(0, _MIB),
    "monitor_aws_rds_topology_discovery_interval": Number(0, 100_000),
    "monitor_connect_interval": Number(100, 7 * _DAY),
    "monitor_connect_timeout": Number(100, 600_000),
    "monitor_enabled": Switch(),
    "monitor_galera_healthcheck_interval": Number(50, 7 * _DAY),
    "monitor_galera_healthcheck_max_timeout_count": Number(1, 10),
    "monitor_galera_healthcheck_timeout": Number(50, 600_000),
    "monitor_groupreplication_healthcheck_interval": Number(100, 7 * _DAY),
    "monitor_groupreplication_healthcheck_max_timeout_count": Number(1, 10),
    "monitor_groupreplication_healthcheck_timeout": Number(100, 600_000),
    "monitor_groupreplication_max_transactions_behind_count": Number(1, 10),
    "monitor_groupreplication_max_transactions_behind_for_read_only": Number(0, 2),
    "monitor_history": Number(1_000, 7 * _DAY),
    "monitor_local_dns_cache_refresh_interval": Number(0, 7 * _DAY),
    "monitor_local_dns_cache_ttl": Number(0, 7 * _DAY),
    "monitor_local_dns_resolver_queue_maxsize": Number(16, 1_024),
    "monitor_password": Text(),
    "monitor_ping_interval": Number(100, 7 * _DAY),
    "monitor_ping_max_failures": Number(1, 1_000_000),
    "monitor_ping_timeout": Number(100, 600_000),
    "monitor_query_interval": Number(100, 7 * _DAY),
    "monitor_query_timeout": Number(100, 600_000),
    "monitor_read_only_interval": Number(100, 7 * _DAY),
    "monitor_read_only_max_timeout_count": Number(1, 1_000_000),
    "monitor_read_only_timeout": Number(100, 600_000),
    "monitor_replication_lag_count": Number(1, 10),
    "monitor_replication_lag_group_by_host": Switch(),
    "monitor_replication_lag_interval": Number(100, 7 * _DAY),
    "monitor_replication_lag_timeout": Number(100, 600_000),
    "monitor_replication_lag_use_percona_heartbeat": _HEARTBEAT,
    "monitor_slave_lag_when_null": Number(0, 604_800),
    "monitor_threads_max": Number(4, 1_024),
    "monitor_threads_min": Number(2, 256),
    "monitor_threads_queue_maxsize": Number(16, 1_024),
    "monitor_username": Text(),
    "monitor_wait_timeout": Switch(),
    "monitor_writer_is_also_reader": Switch(),
    "multiplexing": Switch(),
    "parse_failure_logs_digest": Switch(),
    "ping_interval_server_msec": Number(1_000, 7 * _DAY),
    "ping_timeout_server": Number(10, 600_000),
    "poll_timeout": Number(10, 20_000),
    "poll_timeout_on_failure": Number(10, 20_000),
    "proxy_protocol_networks": Networks(),
    "query_cache_handle_warnings": Number(0, 1),
    "query_cache_size_MB": Number(0, 10_485_760),
    "query_cache_soft_ttl_pct": Number(0, 100),
    "query_cache_stores_empty_result": Switch(),
    "query_digests": Switch(),
    "query_digests_grouping_limit": Number(1, 2_089),
    "query_digests_groups_grouping_limit": Number(0, 2_089),
    "query_digests_keep_comment": Switch(),
    "query_digests_lowercase": Switch(),
    "query_digests_max_digest_length": Number(16, _MIB),
    "query_digests_max_query_length": Number(16, _MIB),
    "query_digests_no_digits": Switch(),
    "query_digests_normalize_digest_text": Switch(),
    "query_digests_replace_null": Switch(),
    "query_digests_track_hostname": Switch(),
    "query_processor_iterations": Number(0, 1_000_000),
    "query_processor_regex": Number(1, 2),
    "query_retries_on_failure": Number(0, 1_000),
    "query_rules_fast_routing_algorithm": Number(1, 2),
    "reset_connection_algorithm": Number(1, 2),
    "server_capabilities": Number(11, MAX_INT),
    "server_version": Text(),
    "servers_stats": Switch(),
    "session_idle_ms": Number(1, _HOUR),
    "session_idle_show_processlist": Switch(),
    "sessions_sort": Switch(),
    "set_parser_algorithm": Number(1, 2),
    "set_query_lock_on_hostgroup": Number(0, 1),
    "show_processlist_extended": Number(0, 2),
    "shun_on_failures": Number(0, 10_000_000),
    "shun_recovery_time_sec": Number(0, 31_536_000),
    "ssl_p2s_ca": Text(),
    "ssl_p2s_capath": Text(),
    "ssl_p2s_cert": Text(),
    "ssl_p2s_cipher": Text(),
    "ssl_p2s_crl": Text(),
    "ssl_p2s_crlpath": Text(),
    "ssl_p2s_key": Text(),
    "stacksize": Number(262_144, 4_194_304),
    "stats_time_backend_query": Switch(),
    "stats_time_query_processor": Switch(),
    "tcp_keepalive_time": Number(0, 7_200),
    "threads": Number(1, 255),
    "threshold_query_length": Number(1_024, 1024 * _MIB),
    "threshold_resultset_size": Number(1_024, 1024 * _MIB),
    "throttle_connections_per_sec_to_hostgroup": Number(1, 100_000_000),
    "throttle_max_bytes_per_second_to_client": Number(0, 2_147_483_647),
    "throttle_ratio_server_to_client": Number(0, 100),
    "unshun_algorithm": Number(0, 1),
    "use_tcp_keepalive": Switch(),
    "verbose_query_error": Switch(),
    "wait_timeout": Number(0, 20 * _DAY),
}

_SET_BY: Mapping[str, Mapping[str, str]] = {
    "admin_variables": {
        "admin_credentials": "credentials.proxy_admin",
        "stats_credentials": "credentials.proxy_stats",
        "cluster_password": "credentials.proxy_cluster",
        "cluster_username": "proxy.clustering",
        "cluster_mysql_servers_sync_algorithm": "proxy.clustering",
        **{
            name: "proxy.clustering"
            for name in ADMIN_VARIABLES
            if name.startswith("checksum_") or name.endswith("_diffs_before_sync")
        },
    },
    "mysql_variables": {
        "interfaces": "proxy.interfaces",
        "threads": "proxy.threads",
        "max_connections": "proxy.max_connections",
        "server_version": "proxy.server_version",
        "default_authentication_plugin": "engine",
        "ssl_p2s_ca": "security.tls",
        "have_ssl": "proxy.tls",
        "autocommit_false_is_transaction": "proxy.read_write_split",
        "reset_connection_algorithm": "proxy.routing",
        "connpoll_reset_queue_length": "proxy.routing",
        "monitor_username": "proxy.monitor.username",
        "monitor_password": "credentials.monitor",
        **{
            f"monitor_{name}": f"proxy.monitor.{name}"
            for name in (
                *("connect_interval", "connect_timeout", "ping_interval", "ping_timeout"),
                *("ping_max_failures", "read_only_interval", "read_only_timeout"),
                "read_only_max_timeout_count",
            )
        },
        **{
            f"monitor_galera_healthcheck_{name}": f"proxy.monitor.galera_{name}"
            for name in ("interval", "timeout", "max_timeout_count")
        },
    },
}
"""The key by which a stack decides a variable."""

_HARMFUL: Mapping[str, Mapping[str, str]] = {
    "admin_variables": {
        "mysql_ifaces": "would move the port that probes, scripts and peers use",
        "pgsql_ifaces": "would open an admin port for another protocol",
        "telnet_admin_ifaces": "would open another admin port",
        "telnet_stats_ifaces": "would open another admin port",
        "read_only": "would keep the program's scripts from loading logins and certificates",
        "restapi_enabled": "would close the port of the metrics",
        "restapi_port": "would move the port of the metrics",
        "ssl_keylog_file": "would write the keys of every TLS session to a keylog file",
        "web_enabled": "would open a web page with a login of its own",
        "web_port": "does nothing, as the web page is off",
        "web_verbosity": "does nothing, as the web page is off",
    },
    "mysql_variables": {
        "query_retries_on_failure": "would run a write twice whose result was lost",
        "monitor_enabled": "would leave servers unchecked, and no writer is found",
        "monitor_writer_is_also_reader": "would leave no reader when one server is left",
        "firewall_whitelist_enabled": "would refuse every statement, as there is no whitelist",
        "firewall_whitelist_errormsg": "does nothing, as there is no whitelist",
        "server_capabilities": "is changed by ProxySQL itself with have_ssl and have_compress",
    },
}
"""Why a stack may not set a variable at all."""

RESERVED_VARIABLES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    kind: {
        **{
            name: (f"is decided by {key}", f"remove it; {key} is the key to set")
            for name, key in _SET_BY[kind].items()
        },
        **{name: (harm, "remove it") for name, harm in _HARMFUL[kind].items()},
    }
    for kind in ("admin_variables", "mysql_variables")
}
"""By kind and name: the rule that setting the variable breaks, and the fix."""
