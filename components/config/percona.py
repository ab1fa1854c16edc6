"""`percona`: what only a Percona XtraDB Cluster has."""

from typing import Annotated

from pydantic import Field

from components.config.model import Model
from components.config.types import Bool


class Percona(Model):
    """What only a Percona XtraDB Cluster has."""

    cr_version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=20)] = "1.18.0"
    """The operator version whose behaviour you want, 1.18.0 or later; the installed operator must
    not be older."""
    log_collector: Bool = False
    """A container beside each server that sends its log to standard output."""

    @property
    def version(self) -> tuple[int, ...]:
        """`cr_version` as numbers, e.g. (1, 18, 0)."""
        return tuple(map(int, self.cr_version.split(".")))
