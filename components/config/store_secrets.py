"""Existing Secrets of stores: the keys to them, and the authorities of their certificates."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.config.backup import S3, Azure
from components.config.stack import StackConfig

AZURE_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME"
"""A key that Percona's operator reads beside the one that a config names
(pkg/pxc/backup/job.go, SetStorageAzure)."""


@dataclass(frozen=True)
class Needed:
    """What Pods take from an existing Secret of the database's namespace."""

    path: str
    """The config path that names the Secret."""
    secret: str
    keys: tuple[str, ...]


def of_backups(config: StackConfig) -> Iterator[Needed]:
    """What the Pods of backups and drills need; nothing where no backups are made."""
    if store := config.backup.target:
        yield from _of(config, "backup.store", store.s3, store.azure)


def of_restore(config: StackConfig) -> Iterator[Needed]:
    """What the Pods of a restore need, once."""
    if source := config.database.restore_from:
        yield from _of(config, "database.restore_from", source.s3, source.azure)


def _of(config: StackConfig, path: str, s3: S3 | None, azure: Azure | None) -> Iterator[Needed]:
    if s3 and (keys := s3.credentials.existing_secret):
        names = tuple(filter(None, (keys.access_key, keys.secret_key, keys.session_token)))
        yield Needed(f"{path}.s3.credentials.existing_secret", keys.name, names)
    if s3 and s3.ca:
        yield Needed(f"{path}.s3.ca", s3.ca.name, (s3.ca.key,))
    if azure and (key := azure.credentials.existing_secret):
        beside = (AZURE_ACCOUNT,) if config.engine == "percona" else ()
        path = f"{path}.azure.credentials.existing_secret"
        yield Needed(path, key.name, (key.key, *beside))
