"""`python -m bench.dashboard`: a dashboard over a failover, drawn as docs/dashboard.svg.

Real servers behind three real proxies, with load; a real Prometheus reads them and the exporter,
and is asked the dashboard's own queries. Grafana is not run: `bench.grafana` draws the answers.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import figures, grafana
from bench.grafana import Panel, Series, Span
from components.config.stack import StackConfig
from components.operations import alerts
from local import REPOSITORY, LocalError
from testbed.dataplane import deployment
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.load import load
from testbed.dataplane.release import program
from testbed.monitoring import dashboards, monitored, programs
from testbed.monitoring.prometheus import History, Prometheus, prometheus

PICTURE = REPOSITORY / "docs" / "dashboard.svg"
FENCED_MS = 10_000
"""`database.semi_sync_timeout` with the defaults."""
WARM_UP = 15.0
"""Seconds of load before the time that is shown."""
RATE = "10s"
"""What stands for Grafana's `$__rate_interval`; the Prometheus reads every second."""
READERS = 3
LEFT_OUT = ("Storage and backups", "Operator")
"""Rows of figures that only a cluster has."""


def answered(found: Prometheus, config: StackConfig, span: Span, moment: float) -> list[Panel]:
    """The panels of the rows that are drawn, with the answers. `moment`: the event's time."""
    drawn: list[Panel] = []
    row = ""
    for panel in dashboards.panels(config):
        row = panel["title"] if panel["type"] == "row" else row
        if row not in LEFT_OUT:
            series = [
                Series(query.named(each.labels), _points(each, moment))
                for query in dashboards.queries(
                    panel, rate=RATE, whole=f"{span.end - span.begin:g}s"
                )
                for each in _answers(found, panel["type"], query, span, moment)
            ]
            drawn.append(Panel(panel, series))
    return drawn


def _answers(
    found: Prometheus, kind: str, query: dashboards.Query, span: Span, moment: float
) -> Sequence[History]:
    """A figure of now is asked of the end alone, as Grafana does for an instant query."""
    end = moment + span.end
    begin = end if kind == "stat" else moment + span.begin
    return found.history(query.expression, begin, end, span.step)


def _points(answer: History, moment: float) -> grafana.Points:
    return [(at - moment, value) for at, value in answer.points if value == value]


def happen(site: Deployment, span: Span) -> float:
    """Load, and in it a failover whose old primary returns; when the failover began."""
    with load(site.tier.pick, readers=READERS):
        time.sleep(WARM_UP - span.begin)
        moment = time.time()
        deployment.old_primary_returns(site)
        time.sleep(max(0.0, moment + span.end - time.time()))
    return moment


def caption(lab: Lab, version: str, span: Span) -> str:
    """What was measured, and what the picture is not."""
    return (
        "Drawn by `python -m bench.dashboard` from real figures, as Grafana is not run here. "
        f"MariaDB {version} with two replicas, three ProxySQL {lab.proxysql_version}, "
        f"{len(deployment.LIFETIMES)} clients that write and {READERS} that read, on "
        f"{os.cpu_count()} cores; a Prometheus reads them every second. At 0 the primary is "
        "killed, a replica is promoted, and the old primary returns as a replica. Left out: the "
        "rows of storage, backups and the operator, whose figures only a cluster has."
    )


def measured(lab: Lab, span: Span) -> str:
    """The picture of one failover."""
    with ExitStack() as stack:
        servers = stack.enter_context(lab.replication(FENCED_MS))
        version = servers.version
        release = program(lab.proxysql_version, version, "replication")
        site = stack.enter_context(lab.deploy(servers, release))
        config = monitored.config("replication")
        jobs = stack.enter_context(monitored.jobs(lab, site, config, programs.EXPORTER.find()))
        folder = lab.folder("monitoring") / "prometheus"
        rules = alerts.rule_file(config)
        found = stack.enter_context(prometheus(programs.PROMETHEUS.find(), folder, jobs, rules))
        moment = happen(site, span)
        panels = answered(found, config, span, moment)
    title = f"Database {config.name} in {config.namespace}"
    return grafana.svg(title, caption(lab, version, span).replace("`", ""), panels, span)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=__doc__)
    parser.add_argument("--before", type=int, default=60, help="seconds before the failover")
    parser.add_argument("--after", type=int, default=120, help="seconds after it")
    parser.add_argument("--to", type=Path, default=PICTURE, help="the file")
    arguments = parser.parse_args()
    if reason := Lab.missing():
        raise SystemExit(reason)
    figures.end_by_contexts()
    try:
        with Lab.open() as lab:
            drawn = measured(lab, Span(-arguments.before, arguments.after, 2.0))
    except LocalError as error:
        raise SystemExit(str(error)) from error
    arguments.to.write_text(drawn)


if __name__ == "__main__":
    main()
