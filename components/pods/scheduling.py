"""Placement and resources of a tier's Pods, in the words of a Pod spec."""

from collections.abc import Mapping
from typing import Any

from components.config.model import Resources
from components.config.scheduling import Placement, Toleration

LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""The taints of a node whose kubelet reports that it is not ready, and of one that does not report
(kubernetes.io/docs, "Taints and Tolerations")."""


def resources(model: Resources) -> dict[str, dict[str, str]]:
    """`resources` of a container, without what is not set; {} when nothing is."""
    return {
        side: amounts for side, amounts in model.model_dump(exclude_none=True).items() if amounts
    }


def pod_spec(placement: Placement, selector: Mapping[str, str]) -> dict[str, Any]:
    """The placement fields of a Pod spec, without what is not set.

    `selector`: the labels by which the tier's own Pods keep away from each other.
    """
    result: dict[str, Any] = {}
    affinity = placement.affinity.spec()
    if placement.spread != "none":
        affinity.setdefault("podAntiAffinity", _apart(placement.spread, selector))
        result["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                # A cluster of one zone is common: never leave a Pod pending for it.
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(selector)},
            }
        ]
    if affinity:
        result["affinity"] = affinity
    if placement.node_selector:
        result["nodeSelector"] = dict(placement.node_selector)
    if tolerated := tolerations(placement):
        result["tolerations"] = tolerated
    if placement.priority_class:
        result["priorityClassName"] = placement.priority_class
    return result


def tolerations(placement: Placement) -> list[dict[str, Any]]:
    """Those alone, as Pods beside a tier's have that go where it goes."""
    own = [_toleration(t.model_dump()) for t in placement.tolerations]
    return [*own, *_of_lost_nodes(placement)]


def _of_lost_nodes(placement: Placement) -> list[dict[str, Any]]:
    """`node_loss_seconds` as tolerations, in place of those that the API server would add."""
    if placement.node_loss_seconds is None:
        return []
    return [
        {
            "key": taint,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": placement.node_loss_seconds,
        }
        for taint in LOST
        if not any(_is_about(own, taint) for own in placement.tolerations)
    ]


def _is_about(own: Toleration, taint: str) -> bool:
    """Whether the API server would leave a taint to this toleration.

    As it decides itself (plugin/pkg/admission/defaulttolerationseconds/admission.go, Admit). Of
    two tolerations of one taint the shorter counts.
    """
    return (own.key or taint) == taint and (own.effect or "NoExecute") == "NoExecute"


def _apart(spread: str, selector: Mapping[str, str]) -> dict[str, Any]:
    term = {
        "labelSelector": {"matchLabels": dict(selector)},
        "topologyKey": "kubernetes.io/hostname",
    }
    if spread == "required":
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": term}
        ]
    }


def _toleration(fields: dict[str, Any]) -> dict[str, Any]:
    seconds = fields.pop("toleration_seconds")
    if seconds is not None:
        fields["tolerationSeconds"] = seconds
    return {key: value for key, value in fields.items() if value is not None}
