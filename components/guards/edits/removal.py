"""Rules of a database that leaves the stack: `name`, `retire`."""

from collections.abc import Iterator

from components.config.engine import ENGINES
from components.config.errors import Fault
from components.guards.edits.facts import Facts


def a_retired_one_is_not_emptied(name: str, apps: Facts) -> Iterator[Fault]:
    """Its volumes stay, and `cleanup: delete` would empty them on the way."""
    for app, facts in sorted(apps.items()):
        if facts["cleanup"] == "delete":
            yield (
                "retire",
                f"app '{app}' of database '{name}' has cleanup: delete, and its databases would be "
                "dropped before the servers are removed",
                "set cleanup to keep and run `pulumi up` before; or, to drop them, remove the app "
                "first",
            )


def a_retired_one_runs(name: str, before: Facts) -> Iterator[Fault]:
    """Where its operator takes accounts and privileges back before the servers go."""
    accounts = any(before.get(field) for field in ("apps", "monitor", "heartbeat"))
    if before.get("paused") == "yes" and accounts and ENGINES[before["engine"]].revokes:
        yield (
            "retire",
            f"database '{name}' is paused, and its operator cannot remove accounts without servers",
            "start it first: set database.paused to false and run `pulumi up` before",
        )


def nothing_is_deleted(name: str) -> Iterator[Fault]:
    """Of a database that is neither in the stack any more nor retired."""
    yield (
        "name",
        f"the stack has a database '{name}', and this edit would delete it",
        f"keep the name; or, to remove the database, back it up and add '{name}' to "
        "retire. To rename, add a new stack and move the data (docs/migration.md)",
    )
