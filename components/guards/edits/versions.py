"""Rules of the version of the servers: a newer one, a step at a time."""

from collections.abc import Iterator

from components.config.engine import ENGINES
from components.config.errors import Fault
from components.guards.edits.facts import Facts


def server_goes_up(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Files of a newer server are not for an older one."""
    if "version" not in before or "version" not in now or before.get("engine") != now["engine"]:
        return
    engine = ENGINES[now["engine"]]
    had, has = alike(before["version"], now["version"])
    if has < had and not (has[:2] == had[:2] and engine.patches_go_back):
        yield (
            "images.database.tag",
            f"is a downgrade: database '{name}' has {before['version']}, and a server of "
            f"{now['version']} does not take its files",
            f"use {before['version']} or later; for an older one, restore a backup into a new "
            "database (docs/migration.md)",
        )
    passed = [step for step in engine.steps if had[:2] < step < has[:2]]
    if passed:
        step = ".".join(map(str, passed[0]))
        yield (
            "images.database.tag",
            f"skips {step}: database '{name}' has {before['version']}, and upgrades from there to "
            f"{now['version']} in one step are not supported",
            f"update to {step} first, and run `pulumi up`",
        )


def alike(*versions: str) -> list[tuple[int, ...]]:
    """Versions as numbers, as far as all of them say: a config may give `8.0` of an 8.0.42."""
    parsed = [tuple(map(int, version.split("."))) for version in versions]
    return [numbers[: min(map(len, parsed))] for numbers in parsed]


RULES = (server_goes_up,)
