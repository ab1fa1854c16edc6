"""Rules of `scheduling`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.stack import StackConfig


def affinity_is_what_the_operator_has(config: StackConfig) -> Iterator[Fault]:
    if "podAffinity" in config.scheduling.database.affinity:
        yield (
            "scheduling.database.affinity.podAffinity",
            "is not in the operator's MariaDB object",
            "use nodeAffinity or podAntiAffinity",
        )


MARIADB_RULES = (affinity_is_what_the_operator_has,)
