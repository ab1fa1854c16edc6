"""Rules of `proxy.users`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.proxy import ProxyUser
from components.config.proxysql import OWN_ACCOUNTS, STATS_READER
from components.config.stack import StackConfig

PROXYSQLS = frozenset({*OWN_ACCOUNTS, STATS_READER})
"""Accounts that ProxySQL itself may have."""


def _users(config: StackConfig) -> Iterator[tuple[str, ProxyUser]]:
    """Each user with its config path."""
    for index, user in enumerate(config.proxy.users):
        yield f"proxy.users[{index}]", user


def user_has_a_password(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if not user.password and not user.existing_secret:
            yield (
                path,
                f"user '{user.username}' has no password source",
                "set password (a secret config value) or existing_secret {name, key}",
            )


def user_has_one_password(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if user.password and user.existing_secret:
            yield (
                path,
                f"user '{user.username}' has two password sources",
                "keep either password or existing_secret",
            )


def user_is_listed_once(config: StackConfig) -> Iterator[Fault]:
    seen: set[str] = set()
    for path, user in _users(config):
        if user.username in seen:
            yield f"{path}.username", f"'{user.username}' is listed twice", "remove one entry"
        seen.add(user.username)


def user_is_not_the_monitor(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if user.username in config.monitor_accounts:
            yield (
                f"{path}.username",
                f"'{user.username}' is the account of proxy.monitor",
                "choose another user",
            )


def user_is_not_proxysqls_own(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if user.username in config.system_accounts & PROXYSQLS:
            yield (
                f"{path}.username",
                f"'{user.username}' is an account of ProxySQL itself",
                "choose another user",
            )


def user_is_not_root(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if user.username == "root":
            yield (
                f"{path}.username",
                "root must not log in through the proxies: it ignores read_only on a replica",
                "use an account of the application",
            )


def user_is_not_of_the_servers_or_their_operator(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if user.username in config.system_accounts - PROXYSQLS - {"root"}:
            yield (
                f"{path}.username",
                f"'{user.username}' is an account of the servers or of an operator, which may be "
                "locked, or ignore read_only on a replica",
                "use an account of the application",
            )


def user_goes_to_a_hostgroup(config: StackConfig) -> Iterator[Fault]:
    known = config.hostgroups_in_use
    for path, user in _users(config):
        if user.default_hostgroup is not None and user.default_hostgroup not in known:
            yield (
                f"{path}.default_hostgroup",
                "is not a hostgroup of this topology that takes statements",
                f"use one of {', '.join(map(str, sorted(known)))}",
            )


def user_has_connections(config: StackConfig) -> Iterator[Fault]:
    for path, user in _users(config):
        if user.max_connections > config.proxy.max_connections:
            yield (
                f"{path}.max_connections",
                "is more than proxy.max_connections, which limits all users of a proxy together",
                "lower it or raise proxy.max_connections",
            )


RULES = (
    user_has_a_password,
    user_has_one_password,
    user_is_listed_once,
    user_is_not_the_monitor,
    user_is_not_proxysqls_own,
    user_is_not_root,
    user_is_not_of_the_servers_or_their_operator,
    user_goes_to_a_hostgroup,
    user_has_connections,
)
