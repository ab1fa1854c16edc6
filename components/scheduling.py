"""Placement and resources of a tier's Pods, in the words of a Pod spec."""

from collections.abc import Mapping
from typing import Any

from components.schema import Placement, Resources


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
    affinity: dict[str, Any] = {**placement.affinity}
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
    if placement.tolerations:
        result["tolerations"] = [_toleration(t.model_dump()) for t in placement.tolerations]
    if placement.priority_class:
        result["priorityClassName"] = placement.priority_class
    return result


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
