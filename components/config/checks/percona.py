"""Rules of `percona`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.stack import StackConfig

OLDEST_OPERATOR = (1, 18, 0)


def percona_has_its_config(config: StackConfig) -> Iterator[Fault]:
    if config.percona is None:
        yield "percona", "is required by engine percona", "remove the null"


def operator_is_not_too_old(config: StackConfig) -> Iterator[Fault]:
    percona = config.percona
    if percona and percona.version < OLDEST_OPERATOR:
        oldest = ".".join(map(str, OLDEST_OPERATOR))
        yield "percona.cr_version", f"is older than {oldest}", f"use {oldest} or later"


PERCONA_RULES = (percona_has_its_config, operator_is_not_too_old)
