"""Which other version of a server an existing database may get: a newer one, a step at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.config.errors import Fault

STEPS = {
    # Releases with long support. mariadb.com/docs, "Upgrading": Galera only from one to the next.
    "mariadb": ((10, 6), (10, 11), (11, 4), (11, 8), (12, 3)),
    # dev.mysql.com, "Upgrade Paths": from 8.0 to 8.4, and only from there to 9.
    "percona": ((8, 0), (8, 4)),
}
"""Series that an upgrade must not pass over, by engine."""


def server_goes_up(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Fault]:
    """Files of a newer server are not for an older one."""
    if "version" not in before or "version" not in now or before.get("engine") != now["engine"]:
        return
    had, has = _alike(before["version"], now["version"])
    if has < had and (has[:2] != had[:2] or now["engine"] == "percona"):
        yield (
            "images.database.tag",
            f"is a downgrade: database '{name}' has {before['version']}, and a server of "
            f"{now['version']} does not take its files",
            f"use {before['version']} or later; for an older one, restore a backup into a new "
            "database (docs/migration.md)",
        )
    passed = [step for step in STEPS[now["engine"]] if had[:2] < step < has[:2]]
    if passed:
        step = ".".join(map(str, passed[0]))
        yield (
            "images.database.tag",
            f"skips {step}: database '{name}' has {before['version']}, and upgrades from there to "
            f"{now['version']} in one step are not supported",
            f"update to {step} first, and run `pulumi up`",
        )


def warnings(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A downgrade within a series of MariaDB: its files are the same."""
    if "version" in before and "version" in now:
        had, has = _alike(before["version"], now["version"])
        if has < had:
            yield (
                f"database '{name}' goes from {before['version']} back to {now['version']}: the "
                "fixes between them go"
            )


def _alike(*versions: str) -> list[tuple[int, ...]]:
    """Versions as numbers, as far as all of them say: a config may give `8.0` of an 8.0.42."""
    parsed = [tuple(map(int, version.split("."))) for version in versions]
    return [numbers[: min(map(len, parsed))] for numbers in parsed]
