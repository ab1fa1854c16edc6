"""What is accepted and may not be what its writer thinks: each is warned of at preview.

Rules as in `unused`: they look at what the stack says itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.config.checks.restore_from import LATER_SINCE
from components.config.checks.unused import OWN_TIER_KEYS, is_given
from components.config.errors import Fault
from components.config.stack import StackConfig
from components.config.types import seconds

LONG_WAIT = 60
"""Seconds of a commit without a replica after which clients have given up."""


def _ignored(given: Mapping[str, Any], paths: tuple[str, ...], why: str) -> Iterator[Fault]:
    """The paths that a stack sets and that nothing reads."""
    for path in paths:
        if is_given(given, path):
            yield path, f"has no effect {why}", "remove it, unless it is kept for later"


def proxies_that_are_off_read_nothing(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    if config.proxy.enabled:
        return
    keys = sorted(given.get("proxy", {}).keys() - {"enabled", "managed_by"})
    read = ("security.network_policy",) if config.monitoring.enabled else ()
    own = (path for path in OWN_TIER_KEYS if path not in read)
    beside = (*own, "scheduling.proxy", "images.proxy")
    paths = (*(f"proxy.{key}" for key in keys), *beside)
    yield from _ignored(given, paths, "while proxy.enabled is false")


def what_another_topology_has_is_not_read(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    topology = config.database.topology
    of_galera = (
        *("proxy.hostgroups.backup_writer", "proxy.hostgroups.offline"),
        *("proxy.monitor.galera_interval", "proxy.monitor.galera_timeout"),
        "proxy.monitor.galera_max_timeout_count",
    )
    of_replication = (
        *("proxy.monitor.read_only_interval", "proxy.monitor.read_only_timeout"),
        *("proxy.monitor.read_only_max_timeout_count", "credentials.replication"),
    )
    # Backups, drills and restores run the operator's program.
    backups = config.backup.target or config.database.restore_from
    if topology == "standalone" and not backups:
        yield from _ignored(given, ("images.data_plane",), "with database.topology standalone")
    if topology != "galera" and config.own_proxies:
        yield from _ignored(given, of_galera, f"with database.topology {topology}")
    if topology != "replication" and config.engine == "mariadb":
        yield from _ignored(given, of_replication, f"with database.topology {topology}")


def what_is_switched_off_is_not_read(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    policy = config.security.network_policy
    if not policy.enabled:
        lists = ("security.network_policy.clients_from", "security.network_policy.metrics_from")
        yield from _ignored(given, lists, "while security.network_policy.enabled is false")
    if not config.security.tls.enabled:
        yield from _ignored(
            given, ("security.tls.required",), "while security.tls.enabled is false"
        )
    if config.own_proxies and not config.proxy.storage.persistent:
        yield from _ignored(
            given, ("proxy.storage.storage_class",), "without proxy.storage.persistent"
        )
    if not config.proxy.service.expose_admin:
        yield from _ignored(
            given, ("proxy.service.admin_port",), "without proxy.service.expose_admin"
        )


def servers_of_a_cluster_trust_the_network(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    if (
        config.database.topology == "galera"
        and config.database.replicas > 1
        and not config.security.tls.enabled
    ):
        yield (
            "security.tls.enabled",
            "is off: servers of a Galera cluster speak in plain text, and whoever reaches port "
            "4567 joins and is sent all data",
            "set it to true",
        )


def a_commit_does_not_hang(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    waits = config.database.topology == "replication" and config.database.semi_sync
    if waits and seconds(config.semi_sync_timeout) > LONG_WAIT:
        yield (
            "database.semi_sync_timeout",
            f"is more than {LONG_WAIT} s: so long a commit hangs when no semi_sync replica "
            "answers, and a promotion takes",
            "shorten it",
        )


def replicas_follow_after_a_restore(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    """Seen on servers: tests/database/test_restored.py."""
    if config.database.restore_from and config.database.topology == "replication":
        yield (
            "database.restore_from",
            "makes replicas only of a backup that a replica gave, or a server that was told its "
            "position before: those of others never follow the new primary (mariadb-operator "
            "issue 1858)",
            "see 'Which backup for replicas' in docs/restore.md, and remove the key once the "
            "database is ready",
        )


def a_source_is_not_read_on_its_way(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    restore = config.database.restore_from
    if restore and restore.s3 and restore.s3.allow_plain_http:
        yield (
            "database.restore_from.s3.allow_plain_http",
            "reads all data and every password's hash in plain text, and whoever is on the way "
            "can change them",
            "remove it, unless the store is one for tests",
        )


def the_backup_that_is_named_is_there(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    """mariadb-operator finds a backup by the time in its name: restore_from.LATER_SINCE."""
    restore, version = config.database.restore_from, config.images.operator_version
    older = config.engine == "mariadb" and () < version < LATER_SINCE
    if restore and restore.backup and older:
        yield (
            "database.restore_from.backup",
            "is not compared by mariadb-operator before 26.3, which takes the nearest backup, "
            "also a later one, if this one is missing",
            "compare it with the log of the restore's Job (docs/restore.md)",
        )


def the_admin_port_is_not_on_every_node(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    service = config.proxy.service
    open_to_all = not config.security.network_policy.enabled
    if config.own_proxies and service.admin_node_port and open_to_all:
        yield (
            "proxy.service.admin_node_port",
            "opens the admin port, which is full control of the proxies, on the address of every "
            "node, and no NetworkPolicy says to whom",
            "remove it, or set security.network_policy.enabled and clients_from",
        )


def statistics_lead_to_passwords(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """ProxySQL refuses statements of this account by their texts: docs/security.md."""
    if config.own_proxies and config.proxy.stats_readers:
        yield (
            "proxy.stats_readers",
            "may also read every password that the proxies hold, by a weakness of ProxySQL",
            "name Pods that may know them, or use the metrics (docs/security.md)",
        )


def clients_are_let_in(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    if config.own_proxies and config.proxy.paused:
        yield "proxy.paused", "keeps all clients out: no proxy runs", "remove it to let them in"


def servers_run(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    if config.database.paused:
        yield "database.paused", "stops the database: no server runs", "set it to false to start it"


def data_is_backed_up(configs: Sequence[StackConfig]) -> Iterator[Fault]:
    """One warning for a stack: one store serves all of its databases."""
    bare = [
        config.name
        for config in configs
        if config.backup.enabled
        and config.backup.store is None
        # Backups of a cluster that is only imported are refused.
        and not (config.engine == "percona" and config.adopt == "import")
    ]
    if bare:
        which = f" for {', '.join(bare)}" if len(configs) > 1 else ""
        yield (
            "backup.store",
            f"is not set{which}: no backups are made",
            "set it (docs/backup.md), or backup.enabled to false if something else makes backups",
        )


def what_makes_no_backups_is_not_read(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    backup, percona = config.backup, config.engine == "percona"
    if not backup.enabled:
        # A restore stages its files as a backup does.
        used = {"enabled", *(("staging", "resources") if config.database.restore_from else ())}
        # With its store this program takes a cluster's backups away; without, it leaves them.
        kept = {"store", "environment", "generation"} if percona else set[str]()
        keys = sorted(given.get("backup", {}).keys() - used - kept)
        paths = tuple(f"backup.{key}" for key in keys)
        yield from _ignored(given, paths, "while backup.enabled is false")


def without_drills_nothing_writes_a_heartbeat(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    if not config.backup.drilled:
        yield from _ignored(given, ("credentials.heartbeat",), "without backups and their drills")


def without_a_scraper_nothing_is_made(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    """Nor where it has no kinds of its own, or what is read by a sidecar is switched off."""
    monitoring = config.monitoring
    keys = tuple(
        f"monitoring.{key}" for key in sorted(given.get("monitoring", {}).keys() - {"scrape"})
    )
    if not monitoring.enabled:
        beside = ("images.exporter", "credentials.exporter")
        yield from _ignored(given, (*keys, *beside), "while monitoring.scrape is none")
    elif not monitoring.by_operator:
        of_operator = ("monitoring.labels", "monitoring.interval_seconds")
        yield from _ignored(given, of_operator, "while monitoring.scrape is annotations")


def a_scraper_is_let_in(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    policy = config.security.network_policy
    if config.monitoring.enabled and policy.enabled and not policy.metrics_from:
        yield (
            "security.network_policy.metrics_from",
            "is empty: no Prometheus outside of the database's namespace reads the metrics",
            "name its namespace",
        )


def a_backup_is_not_read_on_its_way(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    target = config.backup.target
    if target and target.s3 and target.s3.allow_plain_http:
        yield (
            "backup.store.s3.allow_plain_http",
            "sends all data and every password's hash in plain text",
            "remove it, unless the store is one for tests",
        )


RULES = (
    what_makes_no_backups_is_not_read,
    without_drills_nothing_writes_a_heartbeat,
    without_a_scraper_nothing_is_made,
    a_scraper_is_let_in,
    a_backup_is_not_read_on_its_way,
    proxies_that_are_off_read_nothing,
    what_another_topology_has_is_not_read,
    what_is_switched_off_is_not_read,
    servers_of_a_cluster_trust_the_network,
    a_commit_does_not_hang,
    replicas_follow_after_a_restore,
    a_source_is_not_read_on_its_way,
    the_backup_that_is_named_is_there,
    the_admin_port_is_not_on_every_node,
    statistics_lead_to_passwords,
    clients_are_let_in,
    servers_run,
)
RULES_OF_ALL = (data_is_backed_up,)
"""Rules that look at all databases of a stack."""
