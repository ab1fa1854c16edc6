"""Rules of `proxy.admin_variables` and `proxy.mysql_variables`."""

import difflib
import re
from collections.abc import Iterator, Mapping

from components.config.errors import Fault
from components.config.proxy import CONNECT_TIMEOUT, SERVICE_CONNECTION_AGE
from components.config.proxysql_variables import (
    ADMIN_VARIABLES,
    MYSQL_VARIABLES,
    RESERVED_VARIABLES,
    charset_of,
)
from components.config.stack import StackConfig
from components.config.types import Variable

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
            rule, fix = RESERVED_VARIABLES[kind][name]
            yield f"proxy.{kind}.{name}", rule, fix


def variable_exists(config: StackConfig) -> Iterator[Fault]:
    for kind, name, _ in _set(config):
        known = KNOWN_VARIABLES[kind]
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            yield (
                f"proxy.{kind}.{name}",
                "is not a ProxySQL variable, and ProxySQL would ignore it",
                f"did you mean '{close[0]}'?" if close else "use a name without the prefix",
            )


def value_is_taken(config: StackConfig) -> Iterator[Fault]:
    """ProxySQL runs on with another value, and no Pod passes its self-check."""
    for kind, name, value in _set(config):
        known = KNOWN_VARIABLES[kind]
        free = name in known and name not in RESERVED_VARIABLES[kind]
        if free and (wanted := known[name].wanted(value)):
            yield f"proxy.{kind}.{name}", f"must be {wanted}", "correct it, or remove it"


def charset_and_collation_agree(config: StackConfig) -> Iterator[Fault]:
    variables = config.proxy.mysql_variables
    charset = variables.get("default_charset")
    collation = variables.get("default_collation_connection")
    if charset and isinstance(collation, str) and charset_of(collation) != charset:
        yield (
            "proxy.mysql_variables.default_collation_connection",
            "is not of default_charset, and ProxySQL would change one of them",
            "keep one of them",
        )


def sessions_stay_in_their_hostgroup(config: StackConfig) -> Iterator[Fault]:
    """After a SET that ProxySQL does not parse (lib/MySQL_Session.cpp, locked_on_hostgroup)."""
    proxy = config.proxy
    routed = proxy.read_write_split or any(
        rule.destination_hostgroup is not None for rule in proxy.query_rules
    )
    if routed and not _number(proxy.mysql_variables, "set_query_lock_on_hostgroup", 1):
        yield (
            "proxy.mysql_variables.set_query_lock_on_hostgroup",
            "0 would lose what a session has SET when a rule or read_write_split sends a "
            "statement to another hostgroup",
            "remove it",
        )


def rules_see_digests(config: StackConfig) -> Iterator[Fault]:
    """Without digests a condition on them is skipped (lib/Query_Processor.cpp)."""
    proxy = config.proxy
    used = proxy.read_write_split or any(
        rule.digest or rule.match_digest for rule in proxy.query_rules
    )
    if used and not _number(proxy.mysql_variables, "query_digests", 1):
        yield (
            "proxy.mysql_variables.query_digests",
            "off would make every rule with digest or match_digest, and those of "
            "read_write_split, match all statements",
            "remove it",
        )


def clients_may_be_idle(config: StackConfig) -> Iterator[Fault]:
    if not _number(config.proxy.mysql_variables, "wait_timeout", 1):
        yield (
            "proxy.mysql_variables.wait_timeout",
            "0 would end every client's connection at once",
            "give milliseconds, such as 28800000",
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
    value_is_taken,
    charset_and_collation_agree,
    sessions_stay_in_their_hostgroup,
    rules_see_digests,
    clients_may_be_idle,
    text_is_harmless_in_sql,
    connections_to_the_service_end,
    clients_share_connections_to_the_service,
)
