"""What an edit must not do to a database that exists: one function per rule.

Rules are in modules by the first words of the path that is refused. Each takes the database's name
and its facts (`immutable.of`), before and now. What is missing in `before` an earlier version did
not know; what is missing on one side came or goes as a whole.
"""

from collections.abc import Collection, Iterator

from components.config.errors import Fault
from components.guards.edits import apps, database, monitoring, proxies, removal, versions
from components.guards.edits.facts import Facts

RULES = (*database.RULES, *versions.RULES, *proxies.RULES, *apps.RULES, *monitoring.RULES)
"""Of a database that stays."""


def faults(
    name: str, before: Facts | None, now: Facts | None, retired: Collection[str]
) -> Iterator[Fault]:
    """Every fault of an edit, by the facts of one database; None: it is new, or gone."""
    if before is None:
        if now is not None:
            yield from database.a_new_one_runs(name, now)
    elif now is not None:
        for rule in RULES:
            yield from rule(name, before, now)
    elif name in retired:
        yield from removal.a_retired_one_is_not_emptied(name, before.get("apps", {}))
        yield from removal.a_retired_one_runs(name, before)
    else:
        yield from removal.nothing_is_deleted(name)
