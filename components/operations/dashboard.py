"""One database's dashboard: the template of `tools.dashboard`, filled and cut to what there is.

All that makes it is pure but the object itself.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.stack import StackConfig
from components.operations import series

TEMPLATE = Path(__file__).with_suffix(".json")
PLACE = re.compile("<([a-z_]+)>")
WIDTH = 24
"""Columns of Grafana's grid."""
LONGEST_UID = 40
"""Characters (Grafana, pkg/util/shortid_generator.go)."""
UNKNOWN = "1m"
"""Between two readings by annotations: what Prometheus's chart has (`global.scrape_interval`)."""

Facts = Mapping[str, str | int]
"""What fills the template's places, by name. A place without a fact is of something that the
database does not have."""


class _Absent(Exception):
    """A place has no fact."""


def dashboard(
    name: str,
    config: StackConfig,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """The ConfigMap `<name>-dashboard`. `after`: what it waits for, such as the namespace."""
    labels = names.labels(config.name, "dashboard")
    k8s.core.v1.ConfigMap(
        f"{name}-dashboard",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=names.dashboard(config.name),
            namespace=config.namespace,
            labels={**labels, **config.monitoring.dashboard.labels},
        ),
        data={file_name(config): text(config)},
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )


def file_name(config: StackConfig) -> str:
    """Of the dashboard's file. Grafana's sidecar puts those of all ConfigMaps into one folder."""
    return f"{config.namespace}-{config.name}.json"


def text(config: StackConfig) -> str:
    """The dashboard as JSON, far below the 1 MiB of a ConfigMap."""
    return json.dumps(made(facts(config)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def uid(namespace: str, name: str) -> str:
    """What tells the dashboard apart in a Grafana, and is in its address.

    No two databases of a cluster have the same: neither part has an underscore, and what is too
    long is marked with a hash.
    """
    full = f"{namespace}_{name}"
    if len(full) <= LONGEST_UID:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{full[: LONGEST_UID - 9]}-{digest}"


def facts(config: StackConfig) -> Facts:
    """What the template is told of a database."""
    backup, topology, monitoring = config.backup, config.database.topology, config.monitoring
    found: dict[str, str | int] = {
        "uid": uid(config.namespace, config.name),
        "title": f"Database {config.name} in {config.namespace}",
        "namespace": config.namespace,
        "interval": f"{monitoring.interval_seconds}s" if monitoring.by_operator else UNKNOWN,
        "replicas": config.database.running,
        "server": series.server(config),
        "servers": series.servers(config),
        "volumes": series.volumes(config),
        "operator": series.controllers(config),
    }
    if topology == "replication":
        found["replicated"] = series.servers(config)
        if config.database.semi_sync:
            found["semi_sync"] = series.servers(config)
    if topology == "galera":
        found["galera"] = series.servers(config)
    if config.own_proxies:
        found["proxies"] = series.proxies(config)
        found["proxy_replicas"] = config.proxy.running
        found["writer"] = config.proxy.hostgroups.writer
    if backup.target:
        found["backups"] = series.backup_jobs(config)
        if backup.logical.schedule:
            found["dumps"] = series.dump(config)
        found["backup_age"] = backup.newest_allowed_age
    if backup.drilled:
        found["drills"] = series.drill(config)
        found["drill_age"] = backup.drill_allowed_age
    if backup.target and backup.point_in_time.enabled:
        found["binlogs"] = series.collector(config)
    if monitoring.by_operator and monitoring.alerts.enabled:
        found["alerts"] = series.alerts(config)
    if monitoring.alerts.runbooks:
        found["runbooks"] = monitoring.alerts.runbooks
    return found


def made(known: Facts) -> dict[str, Any]:
    """The template for these facts, without what needs others; rows close up."""
    whole = filled(_template(), known)
    return {**whole, "panels": _placed(_kept(whole["panels"]))}


@cache
def _template() -> Any:
    return json.loads(TEMPLATE.read_text())


def filled(value: Any, known: Facts) -> Any:
    """A value with its places filled; the members of lists that have one without a fact are left
    out. A text that is a place is its fact, also as a number.

    Raises _Absent if it has itself a place without a fact.
    """
    match value:
        case dict():
            mapping = cast(dict[str, Any], value)
            return {key: filled(below, known) for key, below in mapping.items()}
        case list():
            return [kept for below in cast(list[Any], value) for kept in _kept_member(below, known)]
        case str():
            whole = PLACE.fullmatch(value)
            return _fact(whole, known) if whole else _text(value, known)
        case _:
            return value


def _kept_member(value: Any, known: Facts) -> list[Any]:
    try:
        return [filled(value, known)]
    except _Absent:
        return []


def _text(value: str, known: Facts) -> str:
    return PLACE.sub(lambda found: str(_fact(found, known)), value)


def _fact(found: re.Match[str], known: Facts) -> str | int:
    if found[1] not in known:
        raise _Absent(found[1])
    return known[found[1]]


def _kept(panels: Sequence[Any]) -> list[list[Any]]:
    """Rows, each with its panels after it, of what has a query left."""
    rows: list[list[Any]] = []
    for panel in panels:
        if panel["type"] == "row":
            rows.append([panel])
        elif panel["targets"]:
            rows[-1].append(panel)
    return [row for row in rows if len(row) > 1]


def _placed(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Panels in lines, from left to right; each line takes the whole width."""
    placed: list[Any] = []
    y = 0
    for row, *panels in rows:
        placed.append(_at(row, 0, y, WIDTH))
        y += 1
        for line in _lines(panels):
            taken, x = sum(panel["gridPos"]["w"] for panel in line), 0
            for panel in line:
                last = panel is line[-1]
                width = WIDTH - x if last else panel["gridPos"]["w"] * WIDTH // taken
                placed.append(_at(panel, x, y, width))
                x += width
            y += max(panel["gridPos"]["h"] for panel in line)
    return placed


def _lines(panels: Sequence[Any]) -> list[list[Any]]:
    lines: list[list[Any]] = []
    taken = WIDTH
    for panel in panels:
        width = panel["gridPos"]["w"]
        if taken + width > WIDTH:
            lines.append([])
            taken = 0
        lines[-1].append(panel)
        taken += width
    return lines


def _at(panel: Any, x: int, y: int, width: int) -> Any:
    return {**panel, "gridPos": {**panel["gridPos"], "x": x, "y": y, "w": width}}
