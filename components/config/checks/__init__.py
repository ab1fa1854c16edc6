"""Rules between config keys, in modules by the first words of the path that is refused.

A rule is a function that yields the faults of one kind. It takes every config that the models
accept, whatever other rules say of it: so all faults are found at once, and no order matters.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components.config.checks import (
    advice,
    apps,
    credentials,
    database,
    images,
    limits,
    percona,
    proxy,
    proxy_users,
    query_rules,
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
    *credentials.RULES,
    *database.RULES,
    *images.RULES,
    *limits.RULES,
    *percona.RULES,
    *proxy.RULES,
    *proxy_users.RULES,
    *query_rules.RULES,
    *scheduling.RULES,
    *security.RULES,
    *variables.RULES,
)
"""Every rule of a whole config; those in `unused` are of what a stack says itself."""


def faults(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """Every fault of a config that its models accept.

    `given`: the stack's own values, to refuse one that nothing would follow.
    """
    for rule in RULES:
        yield from rule(config)
    for rule in unused.RULES:
        yield from rule(config, given)


def warnings(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """What of an accepted config may not be what its writer thinks: path, rule and fix.

    `given`: as in `faults`.
    """
    for rule in advice.RULES:
        yield from rule(config, given)
