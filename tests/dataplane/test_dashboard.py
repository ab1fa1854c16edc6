"""28: every query of a dashboard has an answer where servers and proxies are real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from components.config.stack import StackConfig
from testbed.database.servers import SqlError, eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.load import load
from testbed.dataplane.nodes import APP, Servers
from testbed.dataplane.release import NAME
from testbed.monitoring import monitored, site
from testbed.monitoring.dashboards import Query, every_query
from testbed.monitoring.prometheus import Prometheus, prometheus

from .conftest import release_of

pytestmark = pytest.mark.dataplane

STORED = {
    "store": {"s3": {"endpoint": "s3.example.com", "bucket": "backups"}},
    "logical": {"schedule": "40 3 * * *"},
}


def unanswered(found: Prometheus, of: StackConfig) -> list[Query]:
    queries = every_query(of, rate="8s", whole="1m")
    return [query for query in queries if not found.query(query.expression)]


METRICS = Path(__file__).parents[1] / "unit" / "data" / "dashboard_metrics.json"


def unsaid(found: Prometheus, topology: str) -> list[str]:
    """What the unit tests' list has and nobody says. Prometheus drops labels without a value."""
    wanted: dict[str, dict[str, list[str]]] = json.loads(METRICS.read_text())
    selectors = [
        metric + "{" + ",".join(f'{label}!=""' for label in labels) + "}"
        for of in ("servers", "proxies", topology)
        for metric, labels in wanted[of].items()
    ]
    return [selector for selector in selectors if not found.query(selector)]


def refused(at: Deployment) -> None:
    """A statement that a server refuses, through each proxy."""
    for proxy in at.tier.proxies:
        with suppress(SqlError), proxy.session(APP) as session:
            session.query("SELECT no_such_column FROM shop.writes")


@pytest.mark.parametrize("topology", ["replication", "galera"])
def test_every_panel_has_data(
    lab: Lab,
    request: pytest.FixtureRequest,
    prometheus_program: Path,
    exporter_program: Path,
    topology: str,
) -> None:
    servers: Servers = request.getfixturevalue(topology)
    of = monitored.config(topology, backup=STORED)
    release = release_of(lab, servers, {"replication": "primary_service"}.get(topology, topology))
    with ExitStack() as stack:
        at = stack.enter_context(lab.deploy(servers, release))
        others = stack.enter_context(site.served(site.made_up(of)))
        jobs = stack.enter_context(monitored.jobs(lab, at, of, exporter_program))
        found = stack.enter_context(
            prometheus(
                prometheus_program,
                lab.folder("monitoring") / "prometheus",
                [*jobs, site.elsewhere(others)],
            )
        )
        stack.enter_context(load(at.tier.pick))
        left: Sequence[Query] = ()

        def answered() -> bool:
            nonlocal left
            refused(at)
            left = unanswered(found, of)
            return not left

        assert eventually(answered), (left, found.targets())
        assert unsaid(found, topology) == []
        writers = found.query(
            next(
                q.expression
                for q in every_query(of, rate="8s", whole="1m")
                if q.panel == "Writer of each proxy"
            )
        )
        assert {each.labels["pod"] for each in writers} == {
            f"{NAME}-proxysql-{n}" for n in range(3)
        }
