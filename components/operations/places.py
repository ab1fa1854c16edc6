"""Where the backups of a database are, from plain strings.

Two databases in one place destroy each other's backups: the names of files hold a time and nothing
else, so the retention of one deletes the other's, and a restore takes whichever is newer. So no
stack types a place. Its four parts have no slash, and no two databases of a stack share a name.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from components.config.backup import S3, Azure, Store
from components.config.stack import StackConfig

Kind = Literal["full", "logical", "binlogs"]
"""Copies of the files, dumps of SQL, binary logs: each has a place of its own."""
FULL: Kind = "full"
BINLOGS: Kind = "binlogs"


@dataclass(frozen=True)
class Place:
    """The place of one database in a store."""

    environment: str
    """What tells apart stacks that share a store."""
    namespace: str
    name: str
    generation: int
    """Of databases that had the same name one after another."""

    @cached_property
    def root(self) -> str:
        """The prefix below which everything of this database is; no slash at its ends."""
        return f"{self.environment}/{self.namespace}/{self.name}/{self.generation}"

    @property
    def identity(self) -> str:
        """What the heartbeat calls the database. A later generation is the same database's."""
        return f"{self.environment}/{self.namespace}/{self.name}"

    def prefix(self, kind: Kind) -> str:
        """The prefix of one kind; no slash at its ends."""
        return f"{self.root}/{kind}"


def url(config: StackConfig, prefix: str) -> str:
    """Where a prefix is, for people. A volume has its own name, which the operators give it.

    Raises ValueError if no backups are made.
    """
    match config.backup.target:
        case Store(s3=S3() as s3):
            return f"s3://{s3.bucket}/{prefix}"
        case Store(azure=Azure() as azure):
            return f"{azure.url}/{azure.container}/{prefix}"
        case Store():
            return "volume"
        case None:
            raise ValueError("no backups are made")


def of(config: StackConfig, stack: str) -> Place:
    """The place of a database. `stack`: the name of the Pulumi stack."""
    return Place(
        config.backup.environment or stack,
        config.namespace,
        config.name,
        config.backup.generation,
    )
