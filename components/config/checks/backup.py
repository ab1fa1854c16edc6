"""Rules of `backup`: what would make no backup, lose one or make one that nobody can restore."""

from collections.abc import Iterator

from components.config import cron, my_cnf, server_options
from components.config.backup import AZURE_SINCE, CA_SINCE, S3Keys
from components.config.errors import Fault
from components.config.stack import StackConfig
from components.config.types import seconds

KEPT_RUNS = 3
"""Backups that are always kept: one may be damaged, and another one being made."""


def some_backups_are_always_kept(config: StackConfig) -> Iterator[Fault]:
    backup = config.backup
    if backup.target is None:
        return
    schedules = [("backup.retention", backup.retention, backup.schedule)]
    dumps = backup.logical
    if dumps.schedule:
        own = dumps.retention or backup.retention
        schedules.append(("backup.logical.retention", own, dumps.schedule))
    for path, retention, schedule in schedules:
        hours = -(-cron.runs(schedule).longest * KEPT_RUNS // 3600)
        if seconds(retention) < cron.runs(schedule).longest * KEPT_RUNS:
            yield (
                path,
                f"is shorter than {KEPT_RUNS} times the longest time between two backups, by "
                f"'{schedule}'",
                f"set it to {hours}h or more, or choose a denser schedule",
            )


def a_backup_ends_before_the_next_one(config: StackConfig) -> Iterator[Fault]:
    backup = config.backup
    if backup.target and seconds(backup.timeout) >= cron.runs(backup.schedule).longest:
        yield (
            "backup.timeout",
            "is not shorter than the time between two backups",
            "shorten it, or choose a rarer schedule",
        )


def binary_logs_reach_from_backup_to_backup(config: StackConfig) -> Iterator[Fault]:
    backup, days = config.backup, config.database.binlog_expire_days
    needed = -(-cron.runs(backup.schedule).longest // cron.DAY)
    if backup.target and days < needed and _has_binary_logs(config):
        yield (
            "database.binlog_expire_days",
            "is shorter than the longest time between two backups: what was written between them "
            "could not be replayed",
            f"set it to {needed} or more, or choose a denser backup.schedule",
        )


def _has_binary_logs(config: StackConfig) -> bool:
    """A MariaDB without replicas writes them on demand only."""
    if config.engine != "mariadb" or config.database.topology != "standalone":
        return True
    options = (line for line in my_cnf.lines(config.database.my_cnf) if not line.is_comment)
    return any(server_options.base(line.name) == "log_bin" for line in options)


def plain_http_has_no_authority(config: StackConfig) -> Iterator[Fault]:
    """Wherever a config names a bucket."""
    sources = (
        ("backup.store", config.backup.store),
        ("database.restore_from", config.database.restore_from),
    )
    for path, source in sources:
        if source and source.s3 and source.s3.allow_plain_http and source.s3.ca:
            yield (
                f"{path}.s3.ca",
                "is the authority of a certificate, and with allow_plain_http there is none",
                "remove allow_plain_http",
            )


def azure_is_known_to_the_operator(config: StackConfig) -> Iterator[Fault]:
    """`images.data_plane.tag` is the operator's version, of which nothing else is known."""
    target, tag = config.backup.target, config.images.data_plane.tag
    if target and target.azure and config.images.operator_version < AZURE_SINCE:
        oldest = ".".join(map(str, AZURE_SINCE))
        yield (
            "backup.store.azure",
            f"needs mariadb-operator {oldest}, and images.data_plane.tag, which is the operator's "
            f"version, is {tag}",
            "install it and set images.data_plane.tag, or use s3",
        )


def dumps_do_not_go_to_azure(config: StackConfig) -> Iterator[Fault]:
    # mariadb-operator v26.6.0 api/v1alpha1/backup_types.go, BackupStorage
    target = config.backup.target
    if target and target.azure and config.backup.logical.schedule:
        yield (
            "backup.logical.schedule",
            "is not for backup.store.azure, which the operator's dumps do not know",
            "remove it, or use s3",
        )


def percona_reads_its_own_keys(config: StackConfig) -> Iterator[Fault]:
    # pkg/pxc/backup/job.go, SetStorageS3 and SetStorageAzure
    store = config.backup.store
    s3 = store.s3 if store else None
    if s3 and (keys := s3.credentials.existing_secret):
        path = "backup.store.s3.credentials.existing_secret"
        usual = S3Keys(name=keys.name)
        for key in ("access_key", "secret_key"):
            name: str = getattr(usual, key)
            if getattr(keys, key) != name:
                yield f"{path}.{key}", f"is {name} for Percona's operator", "remove it"
        if keys.session_token:
            yield f"{path}.session_token", "is not read by Percona's operator", "remove it"
    azure = store.azure if store else None
    if azure:
        path, name = "backup.store.azure.credentials.existing_secret", "AZURE_STORAGE_ACCOUNT_KEY"
        secret = azure.credentials.existing_secret
        if secret is None:
            yield path, "is required by Percona's operator", "name a Secret"
        elif secret.key != name:
            yield f"{path}.key", f"is {name} for Percona's operator", f"set it to {name}"


def percona_knows_the_authority(config: StackConfig) -> Iterator[Fault]:
    store, percona = config.backup.store, config.percona
    if store and store.s3 and store.s3.ca and percona and percona.version < CA_SINCE:
        oldest = ".".join(map(str, CA_SINCE))
        yield (
            "backup.store.s3.ca",
            f"needs percona.cr_version {oldest}",
            f"install that operator and set it to {oldest} or later",
        )


def the_collector_has_a_store(config: StackConfig) -> Iterator[Fault]:
    # pkg/pxc/app/binlogcollector, getStorageEnvs: no volume, and keys that are not optional.
    backup = config.backup
    if not backup.point_in_time.enabled:
        return
    path = "backup.point_in_time.enabled"
    if backup.target is None:
        yield path, "needs backups", "set backup.enabled and backup.store"
    elif backup.target.volume:
        yield path, "needs a store that is not a volume", "use backup.store.s3 or azure"
    elif backup.target.s3 and not backup.target.s3.credentials.existing_secret:
        yield (
            "backup.store.s3.credentials.existing_secret",
            "is required by Percona's collector of binary logs",
            "name a Secret, or remove backup.point_in_time.enabled",
        )


def xtrabackup_is_of_the_servers_series(config: StackConfig) -> Iterator[Fault]:
    # docs.percona.com, "Percona XtraBackup": a server of another series is refused.
    image, version = config.images.backup, config.server_version[:2]
    if config.backup.store is None:
        return
    if image is None:
        yield "images.backup", "is required by engine percona", "remove the null"
    elif version and not image.tag.startswith(f"{'.'.join(map(str, version))}."):
        yield (
            "images.backup.tag",
            f"is {image.tag}, and the servers are of {'.'.join(map(str, version))}",
            "use an XtraBackup of the same series",
        )


def an_imported_cluster_gets_no_backups(config: StackConfig) -> Iterator[Fault]:
    """Those of a Percona XtraDB Cluster are in its object."""
    if config.adopt == "import" and config.backup.target:
        yield (
            "backup.enabled",
            "would change the cluster, which adopt import leaves as it is",
            "set it to false, or adopt to take_over",
        )


def a_drill_finds_the_newest_backup(config: StackConfig) -> Iterator[Fault]:
    """XtraBackup's image can list a bucket only; on volumes each backup has a claim of its own."""
    target = config.backup.target
    if target and not target.s3 and config.backup.drill.enabled:
        yield (
            "backup.drill.enabled",
            "needs backup.store.s3",
            "set it to false, and restore a backup by hand now and then",
        )


RULES = (
    some_backups_are_always_kept,
    a_backup_ends_before_the_next_one,
    binary_logs_reach_from_backup_to_backup,
    plain_http_has_no_authority,
)
MARIADB_RULES = (azure_is_known_to_the_operator, dumps_do_not_go_to_azure)
PERCONA_RULES = (
    percona_reads_its_own_keys,
    percona_knows_the_authority,
    the_collector_has_a_store,
    xtrabackup_is_of_the_servers_series,
    an_imported_cluster_gets_no_backups,
    a_drill_finds_the_newest_backup,
)
