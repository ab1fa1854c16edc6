"""A deployment of the testbed's as a Prometheus reads it: real servers, exporter and proxies."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.config.load import resolve
from components.config.stack import StackConfig
from components.engines import mariadb_exporter
from testbed.database import operator_sql
from testbed.database.servers import HOST
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.release import DATABASES, NAME, NAMESPACE, substitutions

from . import site


def config(topology: str, **more: Any) -> StackConfig:
    """The stack of which the deployments of the testbed are a part, monitored."""
    found: dict[str, Any] = {
        "size": "small",
        "name": NAME,
        "namespace": NAMESPACE,
        "database": {"topology": topology, "replicas": DATABASES},
        "monitoring": {"scrape": "prometheus_operator"},
        **more,
    }
    return resolve(found)


@contextmanager
def jobs(
    lab: Lab, at: Deployment, config: StackConfig, exporter: Path
) -> Generator[tuple[site.Job, site.Job]]:
    """What is read of a deployment, whose servers get an account for `exporter`, which runs until
    the block ends. The series have the names that all have in a cluster."""
    with at.primary.session() as session:
        for sql in (
            *operator_sql.create_user(site.EXPORTER_LOGIN),
            operator_sql.grant(mariadb_exporter.PRIVILEGES, site.EXPORTER_LOGIN),
        ):
            session.query(sql)
    network = at.servers.network
    known = {
        name: here
        for name, here in substitutions(network, 0).items()
        if name.endswith(f".{NAMESPACE}.svc.cluster.local")
    }
    with site.exporter(exporter, lab.folder("exporter")) as address:
        servers = [f"{node.host}:{node.port}" for node in at.servers.nodes]
        proxies = [f"{HOST}:{proxy.metrics_port}" for proxy in at.tier.proxies]
        yield site.servers(config, address, servers), site.proxies(config, proxies, known)
