"""`database.restore_from`: the backup from which a new database is made, once."""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from components.config.backup import S3, Azure
from components.config.errors import field_error
from components.config.model import Model
from components.config.types import OLDEST_YEAR, Instant, Label, ObjectName, Prefix


class Claim(Model):
    """A volume claim with backups, in the database's namespace."""

    claim: ObjectName
    """Existing claim, such as the one of a PhysicalBackup."""


BackupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,200}$")]
"""A file of mariadb-operator's, or a folder of Percona's: the cluster, the time and the kind."""
FILE = re.compile(r"physicalbackup-([0-9]{14})\.xb(\.gz|\.bz2)?", re.ASCII)
"""What mariadb-operator calls a backup, by its time (v25.10.4, pkg/time/time.go)."""


class RestoreFrom(Model):
    """Where a new database gets its data, accounts and root password. Exactly one of `s3`, `azure`
    and `volume`; every Secret is in the database's own namespace."""

    id: Annotated[Label, Field(max_length=20)]
    """A name for this restore, such as the incident's."""
    at: Instant | None = None
    """Instead of `backup`, MariaDB from operator 26.3: the newest backup that is not younger is
    taken. Percona: the time up to which `binlogs` are applied."""
    prefix: Prefix | None = None
    """Folder of the source's backups in the store:
    `<environment>/<namespace>/<name>/<generation>/full`."""
    s3: S3 | None = None
    """The bucket that has the backups."""
    azure: Azure | None = None
    """The container that has the backups."""
    volume: Claim | None = None
    """A volume that has the backups. MariaDB only."""
    backup: BackupName | None = None
    """Which backup below `prefix`: MariaDB, the name of the file, such as
    `physicalbackup-20261127021700.xb.gz`; Percona, of the folder, such as
    `orders-2026-11-27-02:17:00-full`."""
    binlogs: Prefix | None = None
    """Percona only: folder of the source's binary logs in the same store,
    `<environment>/<namespace>/<name>/<generation>/binlogs`."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        kinds = (self.s3, self.azure, self.volume)
        if sum(kind is not None for kind in kinds) != 1:
            raise field_error("must have exactly one of s3, azure and volume", "keep one of them")
        if (self.prefix is None) is (self.volume is None):
            raise field_error(
                "needs the prefix of a store, and has none with a volume",
                "give prefix with s3 and azure only",
            )
        return self

    @property
    def made(self) -> str | None:
        """When a MariaDB's `backup` was made, by its name; None if that is none."""
        match = FILE.fullmatch(self.backup or "")
        try:
            at = datetime.strptime(match[1], "%Y%m%d%H%M%S") if match else None
        except ValueError:
            return None
        if at is None or at.year < OLDEST_YEAR:
            return None
        return f"{at:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def source(self) -> str:
        """The backups, in words: what of this must never change."""
        if self.s3:
            place = f"{self.s3.endpoint}/{self.s3.bucket}/{self.prefix}"
        elif self.azure:
            place = f"{self.azure.account}/{self.azure.container}/{self.prefix}"
        else:
            place = f"claim {self.volume.claim if self.volume else None}"
        parts = (place, self.backup, f"up to {self.at}" if self.at else None)
        return ", ".join(filter(None, parts))
