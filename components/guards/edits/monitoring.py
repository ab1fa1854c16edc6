"""Rules of `monitoring`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.guards.edits.facts import Facts, operators_exporter


def the_operator_is_told_to_stop(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Without the key the field of its object is people's, and left as it is."""
    if operators_exporter(before) and "scrape" not in now:
        yield (
            "monitoring.scrape",
            f"is gone, and the operator of database '{name}' runs an exporter",
            "set it to none; remove it in an update after that",
        )


RULES = (the_operator_is_told_to_stop,)
