"""What kube-state-metrics would say of a cluster's objects: the series that alerts read. Pure.

That program is played, as it is no package and no Go module that the tests can use; names and
labels are those of its docs/metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

KINDS = ("jobs", "cronjobs", "statefulsets", "deployments")
"""The resources whose objects are told of."""
CONDITIONS = {"Complete": "kube_job_complete", "Failed": "kube_job_failed"}
TIMES = {
    "kube_job_status_start_time": "startTime",
    "kube_job_status_completion_time": "completionTime",
}
STATES = ("true", "false", "unknown")

Object = Mapping[str, Any]
Series = tuple[str, dict[str, str], float]


def exposition(objects: Iterable[Object]) -> str:
    """Their series in Prometheus's text format."""
    lines = (
        f"{name}{{{_labels(labels)}}} {value:.10g}"
        for item in objects
        for name, labels, value in _series(item)
    )
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _series(item: Object) -> Iterable[Series]:
    tell = {"Job": _job, "CronJob": _cron_job, "StatefulSet": _stateful_set}
    return tell.get(item["kind"], _deployment)(item)


def _job(item: Object) -> Iterable[Series]:
    labels = _named(item, "job_name")
    status = item.get("status", {})
    for owner in item["metadata"].get("ownerReferences", ()):
        controls = str(owner.get("controller", False)).lower()
        yield (
            "kube_job_owner",
            labels
            | {
                "owner_kind": owner["kind"],
                "owner_name": owner["name"],
                "owner_is_controller": controls,
            },
            1,
        )
    for condition in status.get("conditions", ()):
        if name := CONDITIONS.get(condition["type"]):
            for state in STATES:
                holds = condition["status"].lower() == state
                yield name, labels | {"condition": state}, float(holds)
    yield "kube_job_status_active", labels, status.get("active", 0)
    for metric, field in TIMES.items():
        if time := status.get(field):
            yield metric, labels, _seconds(time)


def _cron_job(item: Object) -> Iterable[Series]:
    labels = _named(item, "cronjob")
    yield "kube_cronjob_created", labels, _seconds(item["metadata"]["creationTimestamp"])
    if succeeded := item.get("status", {}).get("lastSuccessfulTime"):
        yield "kube_cronjob_status_last_successful_time", labels, _seconds(succeeded)


def _stateful_set(item: Object) -> Iterable[Series]:
    labels = _named(item, "statefulset")
    yield "kube_statefulset_created", labels, _seconds(item["metadata"]["creationTimestamp"])
    yield "kube_statefulset_replicas", labels, item["spec"]["replicas"]
    ready = item.get("status", {}).get("readyReplicas", 0)
    yield "kube_statefulset_status_replicas_ready", labels, ready


def _deployment(item: Object) -> Iterable[Series]:
    labels = _named(item, "deployment")
    yield "kube_deployment_spec_replicas", labels, item["spec"]["replicas"]
    available = item.get("status", {}).get("availableReplicas", 0)
    yield "kube_deployment_status_replicas_available", labels, available


def _named(item: Object, label: str) -> dict[str, str]:
    return {"namespace": item["metadata"]["namespace"], label: item["metadata"]["name"]}


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
