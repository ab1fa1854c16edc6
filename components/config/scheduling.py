"""`scheduling`: where Pods may run."""

from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from components.config.model import Model
from components.config.types import Bool, Labels, Natural, ObjectName


class Toleration(Model):
    """A Kubernetes toleration."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Natural | None = None


class Placement(Model):
    """Where the Pods of one tier may run."""

    disruption_budget: Bool
    """At most one Pod is evicted at a time."""
    spread: Literal["none", "preferred", "required"]
    """Over nodes and zones; `required` leaves a Pod pending when it has no node of its own."""
    node_selector: Labels = {}
    tolerations: tuple[Toleration, ...] = ()
    node_loss_seconds: Annotated[int, Strict(), Field(ge=0, le=86_400)] | None = None
    """Seconds that a Pod stays bound to a node that is not ready or does not answer; a toleration
    of that taint in `tolerations` wins. Unset: the cluster's default, 300 unless its owner has set
    another ([what it decides](failover.md#when-a-node-is-lost))."""
    priority_class: ObjectName | None = None
    affinity: dict[Literal["nodeAffinity", "podAffinity", "podAntiAffinity"], dict[str, Any]] = {}
    """Kubernetes affinity terms; a `podAntiAffinity` here replaces the one made by `spread`. The
    operator knows no `podAffinity` for the database."""


class Scheduling(Model):
    """Placement of both tiers."""

    database: Placement
    proxy: Placement
