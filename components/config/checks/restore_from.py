"""Rules of `database.restore_from`, and of the password that comes with a backup."""

from collections.abc import Iterator

from components import names
from components.config.backup import AZURE_SINCE, CA_SINCE
from components.config.errors import Fault
from components.config.restore import RestoreFrom
from components.config.stack import StackConfig

PATH = "database.restore_from"
LATER_SINCE = (26, 3)
"""Of mariadb-operator: pkg/backup/processor.go, GetBackupTargetFile, skips later backups; v25.10.4
takes the one with the smallest difference (tests/database/test_restore_time.py)."""
LONGEST_JOB = 63
"""Characters: a Job's name becomes the value of a label."""


def an_adopted_database_is_there_already(config: StackConfig) -> Iterator[Fault]:
    if config.database.restore_from and config.adopting:
        yield PATH, "is for a new database, and adopt for one that exists", "remove one of the two"


def the_password_of_the_backup_is_given(config: StackConfig) -> Iterator[Fault]:
    """With the files of a server come its accounts. The operators log in with root's password, and
    do not change it in a restored server (Percona's: not after binary logs, pxo issue 2353)."""
    restore, root = config.database.restore_from, config.credentials.root
    if restore is None or root.existing_secret or root.password:
        return
    if config.engine == "mariadb" or restore.binlogs:
        yield (
            "credentials.root",
            "is generated, but a restored server has the root password of its source, as it was "
            "when the backup was made, and would never become ready",
            "give it as existing_secret or password, and keep it: it is root's from now on "
            "(docs/restore.md)",
        )


def a_secret_opens_the_store(config: StackConfig) -> Iterator[Fault]:
    """A restore runs with the ServiceAccount of the servers, which no stack names."""
    restore = config.database.restore_from
    stores = {"s3": restore.s3, "azure": restore.azure} if restore else {}
    for kind, store in stores.items():
        if store and store.credentials.existing_secret is None:
            yield (
                f"{PATH}.{kind}.credentials.existing_secret",
                "is required: a restore has the identity of the servers, and not that of "
                "backup.service_account",
                "name a Secret with the keys of the store",
            )


def mariadb_takes_what_it_knows(config: StackConfig) -> Iterator[Fault]:
    restore = config.database.restore_from
    if restore is None:
        return
    if (restore.at is None) is (restore.backup is None):
        yield (
            PATH,
            "has one of at and backup: without either, a second attempt could take a newer backup "
            "than the first",
            "set backup to the name of the file",
        )
    if restore.backup and restore.made is None:
        yield (
            f"{PATH}.backup",
            "is not what mariadb-operator calls a backup",
            "use a name such as physicalbackup-20261127021700.xb.gz",
        )
    if restore.binlogs:
        yield f"{PATH}.binlogs", "is for engine percona", "remove it (docs/restore.md)"
    if restore.prefix and "." in restore.prefix:
        # pkg/backup/processor.go splits the whole path at each dot; tests/database/test_backups.py.
        yield (
            f"{PATH}.prefix",
            "has a dot, and mariadb-operator does not find a file below such a folder",
            "copy the backup to another folder",
        )
    operator = config.images.operator_version
    if restore.at and operator and operator < LATER_SINCE:
        yield (
            f"{PATH}.at",
            f"is not for mariadb-operator {config.images.data_plane.tag}, which takes the backup "
            "nearest to it, also one that was made after it",
            "set backup to the name of the file instead; or use operator 26.3 or later, and set "
            "images.data_plane.tag to its version",
        )
    if restore.azure and operator and operator < AZURE_SINCE:
        yield (
            f"{PATH}.azure",
            f"is not for mariadb-operator {config.images.data_plane.tag}, which cannot read it",
            "use operator 26.3 or later, and set images.data_plane.tag to its version",
        )


def percona_takes_what_it_knows(config: StackConfig) -> Iterator[Fault]:
    restore = config.database.restore_from
    if restore is None:
        return
    job = names.pxc_restore_job(config.name, restore.id)
    if (beyond := len(job) - LONGEST_JOB) > 0:
        yield (
            f"{PATH}.id",
            f"makes the name of the operator's Job {len(job)} characters, and it has "
            f"{LONGEST_JOB} at most",
            f"shorten it to {len(restore.id) - beyond} characters, or the database's name, which "
            "is in it twice",
        )
    if restore.volume:
        yield f"{PATH}.volume", "is for engine mariadb", "copy the backup into a store"
    if restore.backup is None:
        yield f"{PATH}.backup", "is required: which backup it is", "set the name of its folder"
    if (restore.at is None) is not (restore.binlogs is None):
        yield (
            PATH,
            "has one of at and binlogs: a backup is one moment, and binary logs lead on to a time",
            "set both or neither",
        )
    if not (config.backup.enabled and config.backup.store):
        # pkg/pxc/backup/restore.go takes the image of its Jobs from `spec.backup`.
        yield (
            PATH,
            "needs backups: Percona's operator takes the image of a restore from their config",
            "set backup.store, and backup.enabled to true",
        )
    yield from _percona_reads_its_store(config, restore)


def _percona_reads_its_store(config: StackConfig, restore: RestoreFrom) -> Iterator[Fault]:
    """Names of keys are the operator's (pkg/pxc/backup/restore.go, s3Envs and azureEnvs)."""
    if s3 := restore.s3:
        keys = s3.credentials.existing_secret
        if keys and (keys.access_key, keys.secret_key, keys.session_token) != (
            *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", None),
        ):
            yield (
                f"{PATH}.s3.credentials.existing_secret",
                "has other keys than Percona's operator reads",
                "call them AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret",
            )
        version = config.percona.version if config.percona else ()
        if s3.ca and version < CA_SINCE:
            yield (
                f"{PATH}.s3.ca",
                "needs percona.cr_version 1.19.0 or later",
                "raise it with the operator, or use a store with a public certificate",
            )
    if restore.azure:
        secret = restore.azure.credentials.existing_secret
        if secret and secret.key != "AZURE_STORAGE_ACCOUNT_KEY":
            yield (
                f"{PATH}.azure.credentials.existing_secret",
                "must have the keys AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, "
                "which Percona's operator reads",
                "make such a Secret, and name the second as key",
            )


RULES = (
    an_adopted_database_is_there_already,
    the_password_of_the_backup_is_given,
    a_secret_opens_the_store,
)
MARIADB_RULES = (mariadb_takes_what_it_knows,)
PERCONA_RULES = (percona_takes_what_it_knows,)
