"""What all models of a config share, and the parts that several of them have."""

from typing import Literal, Self, cast

from pydantic import BaseModel, ConfigDict, model_validator

from components.config import quantity
from components.config.errors import field_error
from components.config.types import ObjectName, Quantity, SecretKey


class Model(BaseModel):
    """Frozen, refuses unknown keys, and never prints an input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretRef(Model):
    """A key of an existing Secret in the database's namespace."""

    name: ObjectName
    key: SecretKey


class Resources(Model):
    """Container resources: quantities of `cpu` (cores) and `memory` (bytes)."""

    class Amounts(Model):
        """Amounts of one side; an absent one is not set in the Pod."""

        cpu: Quantity | None = None
        memory: Quantity | None = None

    requests: Amounts = Amounts()
    limits: Amounts = Amounts()

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
    """A volume: its size in bytes (quantity) and storage class (None: the cluster's default)."""

    size: Quantity
    storage_class: ObjectName | None = None


class Issuer(Model):
    """A cert-manager issuer; an `Issuer` is in the database's namespace."""

    name: ObjectName
    kind: Literal["Issuer", "ClusterIssuer"] = "Issuer"
    group: ObjectName = "cert-manager.io"
