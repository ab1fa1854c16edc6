"""What all models of a config share, and the parts that several of them have."""

from typing import Literal, Self, cast

from pydantic import BaseModel, ConfigDict, model_validator

from components.config import quantity
from components.config.errors import field_error
from components.config.types import Bytes, Cores, ObjectName, SecretKey


class Model(BaseModel):
    """Frozen, refuses unknown keys, and never prints an input.

    The text below a field is for authors of stacks: docs/configuration.md and
    schema/stack.schema.json are made from it (`python -m tools.tables`). Only tools read it: with
    `use_attribute_docstrings` each start would parse the source of every model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretRef(Model):
    """A key of an existing Secret in the database's namespace."""

    name: ObjectName
    """Existing Secret in the database's namespace."""
    key: SecretKey
    """Key in it."""


class Resources(Model):
    """Container resources: quantities of `cpu` (cores) and `memory` (bytes)."""

    class Amounts(Model):
        """Requests or limits; an absent amount is not set in the Pod."""

        cpu: Cores | None = None
        """Cores."""
        memory: Bytes | None = None
        """Bytes."""

    requests: Amounts = Amounts()
    """What a node must have free for a Pod. At most the limits."""
    limits: Amounts = Amounts()
    """What a Pod may use."""

    @model_validator(mode="after")
    def _requests_fit(self) -> Self:
        for kind in ("cpu", "memory"):
            request = cast(str | None, getattr(self.requests, kind))
            limit = cast(str | None, getattr(self.limits, kind))
            if request and limit and quantity.parse(request) > quantity.parse(limit):
                raise field_error(
                    f"requests more {kind} than its limit", f"raise limits.{kind} or lower requests"
                )
        return self


class Storage(Model):
    """The volume of a server."""

    size: Bytes
    """Size of each server's volume, in bytes. Never shrinks."""
    storage_class: ObjectName | None = None
    """Unset: the cluster's default. Fixed."""


class Issuer(Model):
    """A cert-manager issuer."""

    name: ObjectName
    """cert-manager's issuer of the certificate."""
    kind: Literal["Issuer", "ClusterIssuer"] = "Issuer"
    """An `Issuer` is in the database's namespace."""
    group: ObjectName = "cert-manager.io"
    """Of an issuer that is not cert-manager's own."""
