"""28: every query of a dashboard has an answer where servers and proxies are real."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from components.config.load import resolve
from components.config.stack import StackConfig
from local import LocalError
from testbed.database import operator_sql
from testbed.database.servers import SqlError, eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.load import load
from testbed.dataplane.nodes import APP, Servers
from testbed.dataplane.release import NAME, NAMESPACE, substitutions
from testbed.monitoring import programs, site
from testbed.monitoring.dashboards import Query, every_query
from testbed.monitoring.prometheus import Prometheus, prometheus

from .conftest import release_of

pytestmark = pytest.mark.dataplane

STORE = {"endpoint": "s3.example.com", "bucket": "backups"}


def config(topology: str) -> StackConfig:
    """The stack of which the deployments of this folder are a part."""
    found: dict[str, Any] = {
        "size": "small",
        "name": NAME,
        "namespace": NAMESPACE,
        "database": {"topology": topology},
        "backup": {"store": {"s3": STORE}},
        "monitoring": {"scrape": "prometheus_operator"},
    }
    return resolve(found)


@pytest.fixture(scope="module")
def needed() -> tuple[Any, Any]:
    """Prometheus and the exporter, or a skip that says why not."""
    try:
        return programs.PROMETHEUS.find(), programs.EXPORTER.find()
    except LocalError as error:
        pytest.skip(str(error))


def watched(
    lab: Lab, at: Deployment, of: StackConfig, needed: tuple[Any, Any], stack: ExitStack
) -> Prometheus:
    """A Prometheus that reads a deployment."""
    program, exporter = needed
    login = site.EXPORTER_LOGIN
    with at.primary.session() as session:
        for sql in (
            *operator_sql.create_user(login),
            operator_sql.grant(site.PRIVILEGES, login),
        ):
            session.query(sql)
    folder = lab.folder("monitoring")
    address = stack.enter_context(site.exporter(exporter, folder, login))
    others = stack.enter_context(site.served(site.made_up(of)))
    jobs = [
        site.servers(of, address, [f"{node.host}:{node.port}" for node in at.servers.nodes]),
        site.proxies(
            of,
            [f"127.0.0.1:{proxy.metrics_port}" for proxy in at.tier.proxies],
            {
                name: here
                for name, here in substitutions(at.servers.network, 0).items()
                if name.endswith(".svc.cluster.local")
            },
        ),
        site.elsewhere(others),
    ]
    return stack.enter_context(prometheus(program, folder / "prometheus", jobs))


def unanswered(found: Prometheus, of: StackConfig) -> list[Query]:
    queries = every_query(of, rate="8s", whole="1m")
    return [query for query in queries if not found.query(query.expression)]


def refused(at: Deployment) -> None:
    """A statement that a server refuses, through each proxy."""
    for proxy in at.tier.proxies:
        with suppress(SqlError), proxy.session(APP) as session:
            session.query("SELECT no_such_column FROM shop.writes")


@pytest.mark.parametrize("topology", ["replication", "galera"])
def test_every_panel_has_data(
    lab: Lab, request: pytest.FixtureRequest, needed: tuple[Any, Any], topology: str
) -> None:
    servers: Servers = request.getfixturevalue(topology)
    of = config(topology)
    release = release_of(lab, servers, {"replication": "primary_service"}.get(topology, topology))
    with ExitStack() as stack:
        at = stack.enter_context(lab.deploy(servers, release))
        found = watched(lab, at, of, needed, stack)
        stack.enter_context(load(at.tier.pick))
        left: Sequence[Query] = ()

        def answered() -> bool:
            nonlocal left
            refused(at)
            left = unanswered(found, of)
            return not left

        assert eventually(answered), (left, found.targets())
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
