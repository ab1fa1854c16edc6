"""Rules of the servers: `engine`, `namespace`, `database`, `credentials`, `security`, `images`."""

from collections.abc import Iterator
from typing import Any

from components.config import quantity
from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.errors import Fault
from components.guards.edits.facts import MIGRATE, Facts, changed, is_scraped


def its_place_and_kind_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for field, path in (
        ("engine", "engine"),
        ("namespace", "namespace"),
        ("topology", "database.topology"),
    ):
        if changed(field, before, now):
            yield (
                path,
                f"database '{name}' has {before[field]}, which cannot change in place",
                MIGRATE,
            )


def passwords_of_the_first_start_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for field in SET_AT_FIRST_BOOT:
        if changed(field, before, now):
            yield (
                f"credentials.{field}",
                f"the password of database '{name}' comes from: {before[field]}; with another "
                "source, the program would lose the password that the servers have",
                "undo the edit (docs/migration.md says why there is no other way)",
            )


def replicas_are_not_added(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if before.get("replicas", 99) < now.get("replicas", 0):
        yield (
            "database.replicas",
            f"database '{name}' has {before['replicas']:g} replicas; to make another, the operator "
            "needs a backup, and it would stop reconciling until it has one",
            MIGRATE,
        )


def nodes_are_not_left_alone(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if before.get("nodes", 1) > 1 and now.get("nodes") == 1:
        yield (
            "database.replicas",
            f"database '{name}' has {before['nodes']:g} nodes; a single one has no other node to "
            "recover from",
            "keep at least 3",
        )


def tls_comes_and_goes_in_steps(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if {before.get("tls", now["tls"]), now["tls"]} == {"off", "required"}:
        yield (
            "security.tls",
            f"database '{name}' has TLS {before['tls']}; going to {now['tls']} in one step would "
            "cut off every server that has not restarted yet",
            "first set security.tls to {enabled: true, required: false} (docs/migration.md)",
        )


def the_authority_stays(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if changed("tls_source", before, now):
        yield (
            "security.tls",
            f"the certificates of database '{name}' come from {before['tls_source']}; the other "
            "servers would not accept one with a certificate of another authority",
            "undo the edit (docs/migration.md has the procedure)",
        )


def pull_secrets_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    # The operator's webhook says no as well, but not which config key it was.
    if before.get("pull_secrets") != now.get("pull_secrets"):
        yield "images.pull_secrets", f"cannot change once database '{name}' exists", MIGRATE


def the_class_of_a_volume_stays(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    had, has = before.get("storage", now["storage"]), now["storage"]
    if had.get("storage_class") != has.get("storage_class"):
        yield "database.storage.storage_class", "the class of a volume cannot change", MIGRATE


def volumes_only_grow(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    had, has = before.get("storage", now["storage"]), now["storage"]
    if quantity.parse(has["size"]) < quantity.parse(had["size"]):
        yield (
            "database.storage.size",
            f"is below the {had['size']} that exist; volumes only grow",
            MIGRATE,
        )


def a_pause_ends_by_the_key(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Without it the field of Percona's object would be left alone, and the cluster paused."""
    if before.get("paused") == "yes" and "paused" not in now:
        yield (
            "database.paused",
            f"is gone, and database '{name}' is paused",
            "set it to false to start the servers; remove it once they run",
        )


def accounts_stay_while_it_is_paused(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Pulumi would wait for the operator, and that for the servers."""
    if now.get("paused") == "yes" and _accounts(before) != _accounts(now):
        yield (
            "database.paused",
            f"is true, and this edit changes accounts of database '{name}', which the operator "
            "cannot do without servers",
            "pause them in an update of its own",
        )


def _accounts(facts: Facts) -> tuple[Any, ...]:
    """Of apps, the monitor, the heartbeat and the exporter."""
    fields = ("apps", "monitor", "monitor_rotation", "heartbeat")
    return (*(facts.get(field) for field in fields), is_scraped(facts))


def a_new_one_runs(name: str, now: Facts) -> Iterator[Fault]:
    """Of a database that was not in the stack at its last update."""
    if now.get("paused") == "yes":
        yield (
            "database.paused",
            f"is true, and database '{name}' is new to the stack: its accounts cannot be made "
            "without servers",
            "remove it, and pause the database in an update after this one",
        )


def a_restore_happens_once(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Servers that run are not replaced by a backup; the key may go."""
    if "restored" in now and now["restored"] != before.get("restored"):
        had = f"was made from {before['restored']}" if "restored" in before else "exists"
        yield (
            "database.restore_from",
            f"database '{name}' {had}, and a restore happens once, when a database is created",
            "to restore again use a new name (docs/restore.md); here, undo the edit or remove the "
            "key",
        )


RULES = (
    its_place_and_kind_stay,
    passwords_of_the_first_start_stay,
    replicas_are_not_added,
    nodes_are_not_left_alone,
    tls_comes_and_goes_in_steps,
    the_authority_stays,
    pull_secrets_stay,
    the_class_of_a_volume_stays,
    volumes_only_grow,
    a_pause_ends_by_the_key,
    accounts_stay_while_it_is_paused,
    a_restore_happens_once,
)
