"""Rules of `scheduling`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.scheduling import Placement
from components.config.stack import StackConfig


def affinity_is_what_the_operator_has(config: StackConfig) -> Iterator[Fault]:
    # mariadb-operator api/v1alpha1/kubernetes_types.go, AffinityConfig, PodAffinityTerm.
    affinity, path = config.scheduling.database.affinity, "scheduling.database.affinity"
    if affinity.podAffinity is not None:
        yield (
            f"{path}.podAffinity",
            "is not in the operator's MariaDB object",
            "use nodeAffinity or podAntiAffinity",
        )
    if affinity.podAntiAffinity is not None:
        for where, term in affinity.podAntiAffinity.terms:
            for field in term.selectors():
                yield (
                    f"{path}.podAntiAffinity.{where}.{field}",
                    "is not in the operator's MariaDB object",
                    "remove it",
                )


def the_spread_is_not_taken_away(config: StackConfig) -> Iterator[Fault]:
    for tier in ("database", "proxy"):
        placement: Placement = getattr(config.scheduling, tier)
        own = placement.affinity.podAntiAffinity
        if placement.spread != "none" and own is not None and not any(own.terms):
            yield (
                f"scheduling.{tier}.affinity.podAntiAffinity",
                "is empty and would take the place of the one that spread makes",
                "remove it, or set spread to none",
            )


RULES = (the_spread_is_not_taken_away,)
MARIADB_RULES = (affinity_is_what_the_operator_has,)
