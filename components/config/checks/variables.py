"""Rules of `proxy.admin_variables` and `proxy.mysql_variables`."""

import difflib
import re
from collections.abc import Iterator, Mapping

from components.config.errors import Fault
from components.config.proxy import CONNECT_TIMEOUT, SERVICE_CONNECTION_AGE
from components.config.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.config.stack import StackConfig
from components.config.types import MAX_INT, Variable

RESERVED_VARIABLES = {
    "admin_variables": frozenset(
        {"admin_credentials", "stats_credentials", "mysql_ifaces", "web_enabled"}
        | {"pgsql_ifaces"}
        | {"cluster_username", "cluster_password", "restapi_enabled", "restapi_port"}
        | {name for name in ADMIN_VARIABLES if name.endswith("_diffs_before_sync")}
        | {"cluster_mysql_servers_sync_algorithm"}
    ),
    "mysql_variables": frozenset(
        {"interfaces", "threads", "max_connections", "server_version"}
        | {"default_authentication_plugin", "query_retries_on_failure", "ssl_p2s_ca"}
        | {"monitor_username", "monitor_password"}
        # Without the monitor no writer is found; without the other the last server has no readers.
        | {"monitor_enabled", "monitor_writer_is_also_reader"}
        # What proxy.routing, proxy.read_write_split and proxy.tls rely on.
        | {"reset_connection_algorithm", "connpoll_reset_queue_length"}
        | {"autocommit_false_is_transaction", "have_ssl"}
        | {"monitor_connect_interval", "monitor_connect_timeout", "monitor_ping_interval"}
        | {"monitor_ping_timeout", "monitor_ping_max_failures", "monitor_read_only_interval"}
        | {"monitor_read_only_timeout", "monitor_read_only_max_timeout_count"}
        | {"monitor_galera_healthcheck_interval", "monitor_galera_healthcheck_timeout"}
        | {"monitor_galera_healthcheck_max_timeout_count"}
    ),
}
"""Variables that the program sets itself, because another field or a safety rule decides them."""

KNOWN_VARIABLES = {"admin_variables": ADMIN_VARIABLES, "mysql_variables": MYSQL_VARIABLES}

MAX_SERVICE_AGE = 60_000
"""Maximum age of a connection to the primary's Service, in milliseconds."""


def waits(config: StackConfig) -> int:
    """Milliseconds for which a statement waits for a server."""
    return _number(config.proxy.mysql_variables, "connect_timeout_server_max", CONNECT_TIMEOUT)


def _number(variables: Mapping[str, Variable], name: str, default: int) -> int:
    """A variable as ProxySQL reads it: if the text is not a number, the default stays."""
    value = variables.get(name, default)
    if isinstance(value, str):
        words = {"true": 1, "false": 0}
        number = re.fullmatch(r"[0-9]{1,18}", value)
        return int(value) if number else words.get(value.lower(), default)
    return int(value)


def _set(config: StackConfig) -> Iterator[tuple[str, str, Variable]]:
    """(kind, name, value) of every variable that is set."""
    for kind, variables in (
        ("admin_variables", config.proxy.admin_variables),
        ("mysql_variables", config.proxy.mysql_variables),
    ):
        for name, value in variables.items():
            yield kind, name, value


def variable_is_not_the_programs(config: StackConfig) -> Iterator[Fault]:
    for kind, name, _ in _set(config):
        if name in RESERVED_VARIABLES[kind]:
            yield (
                f"proxy.{kind}.{name}",
                "is set by another config field or by a safety rule of this program",
                "remove it here (docs/configuration.md names the field)",
            )


def variable_exists(config: StackConfig) -> Iterator[Fault]:
    for kind, name, _ in _set(config):
        known = KNOWN_VARIABLES[kind]
        if name not in known and name not in RESERVED_VARIABLES[kind]:
            close = difflib.get_close_matches(name, known, 1)
            yield (
                f"proxy.{kind}.{name}",
                "is not a ProxySQL variable, and ProxySQL would ignore it",
                f"did you mean '{close[0]}'?" if close else "use a name without the prefix",
            )


def number_is_read(config: StackConfig) -> Iterator[Fault]:
    for kind, name, value in _set(config):
        if not isinstance(value, str) and abs(value) > MAX_INT:
            yield (
                f"proxy.{kind}.{name}",
                f"is beyond ±{MAX_INT}, which ProxySQL reads as 0",
                "use a smaller number",
            )


def text_is_harmless_in_sql(config: StackConfig) -> Iterator[Fault]:
    for kind, name, value in _set(config):
        if isinstance(value, str) and re.search(r"[\x00-\x1f'\"]", value):
            yield (
                f"proxy.{kind}.{name}",
                "has a quote or a control character, which ProxySQL puts into SQL unescaped",
                "remove it",
            )


def connections_to_the_service_end(config: StackConfig) -> Iterator[Fault]:
    variables = config.proxy.mysql_variables
    age = _number(variables, "connection_max_age_ms", SERVICE_CONNECTION_AGE)
    if _through_service(config) and not 0 < age <= MAX_SERVICE_AGE:
        yield (
            "proxy.mysql_variables.connection_max_age_ms",
            "is how long connections lead to an old primary (proxy.routing primary_service)",
            f"use 1 to {MAX_SERVICE_AGE}, or remove it",
        )


def clients_share_connections_to_the_service(config: StackConfig) -> Iterator[Fault]:
    if _through_service(config) and not _number(config.proxy.mysql_variables, "multiplexing", 1):
        yield (
            "proxy.mysql_variables.multiplexing",
            "off would keep a client's connection to an old primary until the client closes it "
            "(proxy.routing primary_service)",
            "remove it",
        )


def _through_service(config: StackConfig) -> bool:
    return config.replicated_behind_proxies and config.proxy.routing == "primary_service"


RULES = (
    variable_is_not_the_programs,
    variable_exists,
    number_is_read,
    text_is_harmless_in_sql,
    connections_to_the_service_end,
    clients_share_connections_to_the_service,
)
