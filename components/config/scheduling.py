"""`scheduling`: where Pods may run."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from components.config.affinity import Affinity
from components.config.errors import field_error
from components.config.model import Model
from components.config.types import (
    Bool,
    Described,
    Labels,
    LabelValue,
    Natural,
    ObjectName,
    TaintKey,
)


class Toleration(Model):
    """A Kubernetes toleration."""

    key: TaintKey | None = None
    """Unset with `Exists`: every taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """How `value` is compared."""
    value: LabelValue | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Unset: every effect."""
    toleration_seconds: Natural | None = None
    """Effect `NoExecute` only: seconds until eviction."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        # pkg/apis/core/validation, ValidateTolerations
        if not self.key and self.operator != "Exists":
            raise field_error("has no key, and operator Equal", "set key, or operator to Exists")
        if self.value and self.operator == "Exists":
            raise field_error("has a value, and operator Exists", "remove the value")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise field_error(
                "has toleration_seconds, and not effect NoExecute", "set effect to NoExecute"
            )
        return self


class Placement(Model):
    """Where the Pods of one tier may run."""

    disruption_budget: Bool
    """At most one Pod is evicted at a time."""
    spread: Literal["none", "preferred", "required"]
    """Over nodes and zones; `required` leaves a Pod pending when it has no node of its own."""
    node_selector: Labels = {}
    """Labels that a node must have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes that do not keep the Pods away."""
    node_loss_seconds: Annotated[int, Strict(), Field(ge=0, le=86_400)] | None = None
    """Seconds that a Pod stays bound to a node that is not ready or does not answer; a toleration
    of that taint in `tolerations` wins. Unset: the cluster's default, 300 unless its owner has set
    another ([what it decides](failover.md#when-a-node-is-lost))."""
    priority_class: ObjectName | None = None
    """An existing PriorityClass."""
    # mariadb-operator knows no podAffinity for the database.
    affinity: Annotated[
        Affinity,
        Described("Kubernetes' `nodeAffinity`, `podAffinity`, `podAntiAffinity`", {}),
    ] = Affinity()
    """Kubernetes affinity terms; `podAffinity` for the proxies only. A `podAntiAffinity` here
    replaces the one made by `spread`."""


class Scheduling(Model):
    """Placement of both tiers."""

    database: Placement
    """Where the servers may run."""
    proxy: Placement
    """Where the proxies may run."""
