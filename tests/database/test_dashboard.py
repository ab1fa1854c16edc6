"""28: the queries of a dashboard's rows of servers have answers where servers are real."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from components.config.load import resolve
from components.config.stack import StackConfig
from components.engines import mariadb_exporter
from testbed.database import operator_sql
from testbed.database.servers import HOST, Cluster, eventually
from testbed.monitoring import site
from testbed.monitoring.dashboards import Query, every_query
from testbed.monitoring.prometheus import prometheus

pytestmark = pytest.mark.database

STORE = {
    "endpoint": "s3.example.com",
    "bucket": "backups",
    "credentials": {"existing_secret": {"name": "store"}},
}
TIMES = {"rate": "8s", "whole": "1m"}


def config(engine: str = "mariadb", **more: Any) -> StackConfig:
    """A stack without proxies of this program."""
    found: dict[str, Any] = {
        "size": "small",
        "name": "db",
        "engine": engine,
        "backup": {"store": {"s3": STORE}},
        "monitoring": {"scrape": "prometheus_operator"},
        "proxy": {"enabled": False},
        **more,
    }
    return resolve(found)


@pytest.mark.parametrize("topology", ["standalone", "replication", "galera"])
def test_every_panel_of_servers_has_data(
    request: pytest.FixtureRequest, prometheus_program: Path, exporter_program: Path, topology: str
) -> None:
    cluster: Cluster = request.getfixturevalue(topology)
    of = config(database={"topology": topology, "replicas": len(cluster.servers)})
    login = site.EXPORTER_LOGIN
    cluster.execute(
        *operator_sql.create_user(login), operator_sql.grant(mariadb_exporter.PRIVILEGES, login)
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(site.exporter(exporter_program, folder))
        others = stack.enter_context(site.served(site.made_up(of)))
        servers = [f"{HOST}:{server.port}" for server in cluster.servers]
        jobs = [site.servers(of, address, servers), site.elsewhere(others)]
        found = stack.enter_context(prometheus(prometheus_program, folder / "prometheus", jobs))
        left: Sequence[Query] = ()

        def answered() -> bool:
            nonlocal left
            left = [each for each in every_query(of, **TIMES) if not found.query(each.expression)]
            return not left

        assert eventually(answered), (left, found.targets())


def test_a_prometheus_understands_the_queries_of_every_stack(
    tmp_path: Path, prometheus_program: Path
) -> None:
    """Also those of engines and ways of scraping that this machine cannot run."""
    percona = {"backup": {"store": {"s3": STORE}, "point_in_time": {"enabled": True}}}
    stacks = [
        config("percona", **percona, proxy={"managed_by": "mysql-ha"}),
        config(monitoring={"scrape": "annotations"}),
    ]
    with prometheus(prometheus_program, tmp_path / "prometheus", []) as found:
        for of in stacks:
            for query in every_query(of, **TIMES):
                found.query(query.expression)  # raises RuntimeError
