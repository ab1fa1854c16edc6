"""Where the backups of a database are, from plain strings.

Two databases in one place destroy each other's backups: the names of files hold a time and nothing
else, so the retention of one deletes the other's, and a restore takes whichever is newer. So no
stack types a place. Its four parts have no slash, and no two databases of a stack share a name.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from components.config.stack import StackConfig

Kind = Literal["full", "logical", "binlogs"]
"""Copies of the files, dumps of SQL, binary logs: each has a place of its own."""


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

    def prefix(self, kind: Kind) -> str:
        """The prefix of one kind; no slash at its ends."""
        return f"{self.root}/{kind}"


def of(config: StackConfig, stack: str) -> Place:
    """The place of a database. `stack`: the name of the Pulumi stack."""
    return Place(
        config.backup.environment or stack,
        config.namespace,
        config.name,
        config.backup.generation,
    )
