"""What a restore must not be of: a backup of the future, or what its own backups would delete; what
an attempt that did not end has begun; and that none happens a second time, or is taken for another.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast

import pulumi

from components import names
from components.config.backup import S3, Azure
from components.config.errors import Fault, refuse
from components.config.load import Loaded, Stack
from components.config.restore import RestoreFrom
from components.config.stack import StackConfig
from components.guards import api
from components.guards.api import Cluster, Object, Unanswered
from components.operations import places, restore
from components.operations.places import Place

PATH = "database.restore_from"
Restored: TypeAlias = tuple[Loaded, bool]
"""A database with `restore_from`, and whether it was up at the last update."""


def check(stack: Stack, name: str, now: datetime) -> None:
    """Raise ConfigError with every fault. `name`: the Pulumi stack's."""
    of_each = (
        (one.at(path), rule, fix)
        for one in stack.databases
        for path, rule, fix in faults(one.config, places.of(one.config, name), now)
    )
    refuse([*of_each, *_of_one_name(stack)])


def _of_one_name(stack: Stack) -> Iterator[Fault]:
    """Two of Percona's databases whose restores are one object: its name is theirs and the id."""
    owners: dict[tuple[str, str], str] = {}
    for one in stack.databases:
        config, chosen = one.config, one.config.database.restore_from
        if chosen is None or config.engine != "percona":
            continue
        restore = names.pxc_restore(config.name, chosen.id)
        owner = owners.setdefault((config.namespace, restore), config.name)
        if owner != config.name:
            yield (
                one.at(f"{PATH}.id"),
                f"makes the object '{restore}', and so does the restore of database '{owner}'",
                "choose another id",
            )


def faults(config: StackConfig, own: Place, now: datetime) -> Iterator[Fault]:
    """Of one database; `own`: where its own backups go. `now`: with a zone."""
    chosen = config.database.restore_from
    if chosen is None:
        return
    if chosen.at and datetime.fromisoformat(chosen.at) > now:
        yield (
            f"{PATH}.at",
            "is in the future: which backup is the newest until then is not known yet",
            "set a time that has passed",
        )
    if _same_store(config, chosen) and _overlap(chosen.prefix or "", own.root):
        yield (
            f"{PATH}.prefix",
            f"is where this database's own backups go ({own.root}), whose retention would delete "
            "the source",
            "raise backup.generation, or use another name",
        )


def _same_store(config: StackConfig, chosen: RestoreFrom) -> bool:
    """Whether the source is in the store of the database's own backups, made or not."""
    store = config.backup.store
    return store is not None and any(
        _container(theirs) == _container(ours)
        for theirs, ours in ((chosen.s3, store.s3), (chosen.azure, store.azure))
        if theirs and ours
    )


def _container(store: S3 | Azure) -> tuple[str, str]:
    if isinstance(store, S3):
        return store.endpoint, store.bucket
    return store.account, store.container


def _overlap(first: str, second: str) -> bool:
    """Whether one folder is the other one, or in it."""
    return f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/")


# --- an earlier restore ---


def begun(
    stack: Stack, known: pulumi.Output[Mapping[str, Any]], settings: Mapping[str, Any]
) -> pulumi.Output[None]:
    """Fails with a ConfigError if a database is not up yet whose first update restores something
    else than the config says now, or whose restore has failed: neither would ever change. Also if
    a Percona that is up has lost the object of its restore: another one would restore it again.

    `known`: the facts at the last update. `settings`: those of the Kubernetes provider. If the user
    may not look, this only warns.
    """

    def concerned(known: Mapping[str, Any]) -> list[Restored]:
        found = (
            (one, one.config.name in known)
            for one in stack.databases
            if one.config.database.restore_from
        )
        return [(one, up) for one, up in found if not up or one.config.engine == "percona"]

    return api.look(known, settings, concerned, _ask, _warn)


def _ask(cluster: Cluster, restored: list[Restored]) -> None:
    refuse(
        (one.at(path), rule, fix)
        for one, up in restored
        for path, rule, fix in _earlier(one.config, up, cluster.get(_path(one.config), whole=True))
    )


def _warn(error: Unanswered, restored: list[Restored]) -> None:
    which = ", ".join(f"'{one.config.name}'" for one, _ in restored)
    pulumi.log.warn(f"could not look what an earlier attempt to restore {which} came to: {error}")


def _path(config: StackConfig) -> str:
    """Where the API has the object that says what is restored."""
    chosen = config.database.restore_from
    if config.engine == "mariadb" or chosen is None:
        return api.object_path(config)
    return restore.RESTORE.path(config.namespace, names.pxc_restore(config.name, chosen.id))


def _earlier(config: StackConfig, up: bool, live: Object | None) -> Iterator[Fault]:
    """`live`: the object at that path, if there is one."""
    chosen = config.database.restore_from
    if chosen is None:
        return
    if up:
        if live is None:
            yield (
                PATH,
                f"would replace the data of '{config.name}', which is up, by that of the backup "
                f"again: restore '{chosen.id}', which did it once, was deleted",
                "remove the key",
            )
    elif live is None:
        return
    elif config.engine == "mariadb":
        wanted = restore.bootstrap(config, chosen)
        if _another(live["spec"].get("bootstrapFrom") or {}, wanted, restore.SOURCE):
            yield (
                PATH,
                f"MariaDB '{config.name}' was made by an update that did not end, from another "
                "source, which cannot change",
                "undo the edit, or use another name (docs/restore.md)",
            )
    elif live.get("status", {}).get("state") == "Failed":
        why = live["status"].get("comments") or "it does not say why"
        yield (
            f"{PATH}.id",
            f"restore '{chosen.id}' has failed: {why}",
            "mend the cause, and choose another id: an object of it runs once",
        )
    elif _another(
        live["spec"], {"pitr": None, **restore.percona_spec(config, chosen)}, restore.PERCONA_SOURCE
    ):
        yield (
            f"{PATH}.id",
            f"is that of a restore from another source or to another time, '{chosen.id}', which an "
            "update that did not end has begun",
            "undo the edit, or use another id",
        )


def _another(told: Object, wanted: Object, fields: Sequence[str]) -> bool:
    """Whether an object was told something else in one of the fields that say what is restored."""
    return any(field in wanted and not _has(told, field, wanted) for field in fields)


def _has(told: Object, field: str, wanted: Object) -> bool:
    """Whether a field says what is wanted; the operator adds to what it was told."""
    value, live = wanted[field], told.get(field)
    if isinstance(value, dict) and isinstance(live, dict):
        below = cast(Object, value)
        return all(_has(cast(Object, live), key, below) for key in below)
    return value == live
