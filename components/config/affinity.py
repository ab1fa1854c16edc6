"""Kubernetes' affinity, in its own words: what its API server accepts and nothing else.

Fields and rules: k8s.io/api/core/v1 `types.go`, k8s.io/kubernetes `pkg/apis/core/validation`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from components.config.errors import field_error
from components.config.model import Model
from components.config.types import LabelKey, Labels, LabelValue, Namespace, NodeName

Weight = Annotated[int, Strict(), Field(ge=1, le=100)]


class _Expression(Model):
    """A condition on one label."""

    key: LabelKey
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How `values` are compared."""
    values: tuple[LabelValue, ...] = ()
    """For `In` and `NotIn`."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.operator in ("In", "NotIn") and not self.values:
            raise field_error(f"{self.operator} has no values", "name one value or more")
        if self.operator in ("Exists", "DoesNotExist") and self.values:
            raise field_error(f"{self.operator} takes no values", "remove them")
        return self


class NodeExpression(Model):
    """A condition on a label of a node."""

    key: LabelKey
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How `values` are compared; `Gt` and `Lt` compare integers."""
    values: tuple[LabelValue, ...] = ()
    """For all but `Exists` and `DoesNotExist`; one for `Gt` and `Lt`."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        match self.operator:
            case "In" | "NotIn" if not self.values:
                raise field_error(f"{self.operator} has no values", "name one value or more")
            case "Exists" | "DoesNotExist" if self.values:
                raise field_error(f"{self.operator} takes no values", "remove them")
            case "Gt" | "Lt" if len(self.values) != 1 or not self.values[0].isdecimal():
                raise field_error(
                    f"{self.operator} takes one value, an integer", "give it in quotes"
                )
            case _:
                return self


def _one(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) != 1:
        raise field_error("is not one name", "list the name of one node")
    return value


class NodeField(Model):
    """A condition on the name of a node."""

    key: Literal["metadata.name"]
    """The only field that Kubernetes knows here."""
    operator: Literal["In", "NotIn"]
    """Whether it is the node, or any but it."""
    values: Annotated[tuple[NodeName, ...], AfterValidator(_one)]
    """The node's name."""


class NodeTerm(Model):
    """Conditions that a node must all meet."""

    matchExpressions: tuple[NodeExpression, ...] = ()
    """On its labels."""
    matchFields: tuple[NodeField, ...] = ()
    """On its name."""


def _some(value: tuple[NodeTerm, ...]) -> tuple[NodeTerm, ...]:
    if not value:
        raise field_error("is empty", "list one term or more")
    return value


class NodeSelector(Model):
    """Terms of which a node must meet one."""

    nodeSelectorTerms: Annotated[tuple[NodeTerm, ...], AfterValidator(_some)]
    """At least one."""


class PreferredNodes(Model):
    """Nodes that are preferred."""

    weight: Weight
    """Compared with that of the others."""
    preference: NodeTerm
    """Which nodes."""


class NodeAffinity(Model):
    """Which nodes."""

    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = None
    """Without such a node the Pod is left pending."""
    preferredDuringSchedulingIgnoredDuringExecution: tuple[PreferredNodes, ...] = ()
    """Other nodes will do."""


class LabelSelector(Model):
    """Which objects, by their labels; an empty one selects all."""

    matchLabels: Labels = {}
    """Labels that they have."""
    matchExpressions: tuple[_Expression, ...] = ()
    """Conditions that they meet."""


class PodTerm(Model):
    """Pods that are near, or kept away."""

    topologyKey: LabelKey
    """The node's label whose value makes two nodes the same place."""
    labelSelector: LabelSelector | None = None
    """Which Pods. Unset: none."""
    namespaces: tuple[Namespace, ...] = ()
    """Of these namespaces. Empty: of the database's own."""
    namespaceSelector: LabelSelector | None = None
    """Of namespaces with such labels."""
    matchLabelKeys: tuple[LabelKey, ...] = ()
    """Labels in which they are like the Pod itself."""
    mismatchLabelKeys: tuple[LabelKey, ...] = ()
    """Labels in which they differ from it."""

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        match, differ = set(self.matchLabelKeys), set(self.mismatchLabelKeys)
        if (match or differ) and self.labelSelector is None:
            raise field_error("has label keys and no labelSelector", "set labelSelector")
        if match & differ:
            raise field_error(
                "has a key in matchLabelKeys and in mismatchLabelKeys", "keep it in one of them"
            )
        return self

    def selectors(self) -> Iterator[str]:
        """Its fields that not every kind of object has."""
        for field in ("namespaces", "namespaceSelector", "matchLabelKeys", "mismatchLabelKeys"):
            if field in self.model_fields_set:
                yield field


class PreferredPods(Model):
    """Pods whose neighbourhood is preferred, or avoided."""

    weight: Weight
    """Compared with that of the others."""
    podAffinityTerm: PodTerm
    """Which Pods."""


class PodAffinity(Model):
    """Near which Pods, or away from which."""

    requiredDuringSchedulingIgnoredDuringExecution: tuple[PodTerm, ...] = ()
    """Without such a place the Pod is left pending."""
    preferredDuringSchedulingIgnoredDuringExecution: tuple[PreferredPods, ...] = ()
    """Other places will do."""

    @property
    def terms(self) -> Iterator[tuple[str, PodTerm]]:
        """Every term with its config path below this one."""
        required = "requiredDuringSchedulingIgnoredDuringExecution"
        for number, term in enumerate(self.requiredDuringSchedulingIgnoredDuringExecution):
            yield f"{required}[{number}]", term
        preferred = "preferredDuringSchedulingIgnoredDuringExecution"
        for number, one in enumerate(self.preferredDuringSchedulingIgnoredDuringExecution):
            yield f"{preferred}[{number}].podAffinityTerm", one.podAffinityTerm


class Affinity(Model):
    """Kubernetes' affinity."""

    nodeAffinity: NodeAffinity | None = None
    """Which nodes."""
    podAffinity: PodAffinity | None = None
    """Near which Pods; for the proxies only with engine `mariadb`."""
    podAntiAffinity: PodAffinity | None = None
    """Away from which Pods; it replaces the one made by `spread`."""

    def spec(self) -> dict[str, Any]:
        """What was set, as a Pod spec has it."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
