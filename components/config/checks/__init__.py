"""Rules between config keys, in modules named by the first words of the refused path.

A rule is a function that yields the faults of one kind. It must work for every config that the
models accept, even one that other rules refuse: so all faults are found at once, and the order does
not matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.config.checks import (
    advice,
    apps,
    backup,
    credentials,
    database,
    galera,
    images,
    limits,
    monitoring,
    my_cnf,
    other_servers,
    passwords,
    percona,
    proxy,
    proxy_users,
    query_rules,
    restore_from,
    scheduling,
    security,
    top,
    unused,
    variables,
)
from components.config.errors import Fault
from components.config.stack import StackConfig

RULES = (
    *top.RULES,
    *apps.RULES,
    *backup.RULES,
    *credentials.RULES,
    *database.RULES,
    *galera.RULES,
    *images.RULES,
    *limits.RULES,
    *monitoring.RULES,
    *my_cnf.RULES,
    *other_servers.RULES,
    *passwords.RULES,
    *proxy.RULES,
    *proxy_users.RULES,
    *query_rules.RULES,
    *restore_from.RULES,
    *scheduling.RULES,
    *security.RULES,
    *variables.RULES,
)
"""Every rule of a whole config; the rules in `unused` look at the stack's own values."""

ENGINE_RULES = {
    "mariadb": (
        *apps.MARIADB_RULES,
        *backup.MARIADB_RULES,
        *database.MARIADB_RULES,
        *monitoring.MARIADB_RULES,
        *proxy.MARIADB_RULES,
        *restore_from.MARIADB_RULES,
        *scheduling.MARIADB_RULES,
    ),
    "percona": (
        *top.PERCONA_RULES,
        *apps.PERCONA_RULES,
        *backup.PERCONA_RULES,
        *database.PERCONA_RULES,
        *percona.PERCONA_RULES,
        *restore_from.PERCONA_RULES,
    ),
}
"""The same of one engine, by the value of the key `engine`: they take its configs only."""


def faults(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """Every fault of a config that its models accept.

    `given`: the stack's own values, to refuse values that would have no effect.
    """
    for rule in (*RULES, *ENGINE_RULES[config.engine]):
        yield from rule(config)
    for rule in unused.RULES:
        yield from rule(config, given)


def warnings(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """What of an accepted config may not be what its writer thinks: path, rule and fix.

    `given`: as in `faults`.
    """
    for rule in advice.RULES:
        yield from rule(config, given)


def warnings_of_all(configs: Sequence[StackConfig]) -> Iterator[Fault]:
    """The same of the databases of a stack together."""
    for rule in advice.RULES_OF_ALL:
        yield from rule(configs)
