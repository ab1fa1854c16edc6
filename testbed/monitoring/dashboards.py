"""The queries of a dashboard, as Grafana sends them to a Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.config.stack import StackConfig
from components.operations import dashboard


@dataclass(frozen=True)
class Query:
    """One of a panel's."""

    panel: str
    expression: str
    legend: str

    def named(self, labels: Mapping[str, str]) -> str:
        """What the legend calls a series of the answer."""
        return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), self.legend)


def panels(config: StackConfig) -> list[dict[str, Any]]:
    """The panels of a database's dashboard, rows too."""
    return json.loads(dashboard.text(config))["panels"]


def queries(panel: Mapping[str, Any], *, rate: str, whole: str) -> list[Query]:
    """Those of a panel. `rate`: at least four times as long as between two readings; `whole`: the
    range that is shown; both as Prometheus writes times."""
    return [
        Query(
            panel["title"],
            target["expr"].replace("$__rate_interval", rate).replace("$__range", whole),
            target["legendFormat"],
        )
        for target in panel.get("targets", ())
    ]


def every_query(config: StackConfig, *, rate: str, whole: str) -> Iterator[Query]:
    """Those of all panels."""
    for panel in panels(config):
        yield from queries(panel, rate=rate, whole=whole)
