"""What a Prometheus reads of a database: servers through a real exporter, real proxies, and
made-up figures of the rest of a cluster; labelled as the monitors of this program label them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from components import names
from components.config.credentials import EXPORTER_ACCOUNT
from components.config.engine import ENGINES
from components.config.stack import StackConfig
from testbed.database.servers import HOST, Account

from . import exporter as exporters
from . import series

EXPORTER_LOGIN = Account(EXPORTER_ACCOUNT, "exporter-password-1", 3)
Job = dict[str, Any]
"""One of Prometheus's `scrape_configs`."""


@contextmanager
def exporter(program: Path, folder: Path) -> Generator[str]:
    """The exporter with EXPORTER_LOGIN; yields its address. Raises RuntimeError if it does not
    start."""
    with exporters.exporter(program, folder, EXPORTER_LOGIN.password) as running:
        yield running.address


def servers(config: StackConfig, exporter: str, addresses: Sequence[str]) -> Job:
    """The job of a ServiceMonitor of the exporter's. `addresses`: of the servers, by ordinal."""
    hosts = names.mariadb_pod_hosts(config.name, config.namespace, len(addresses))
    return {
        "job_name": "servers",
        "metrics_path": "/probe",
        "static_configs": [
            {
                "targets": [exporter],
                "labels": {
                    "__param_target": address,
                    "namespace": config.namespace,
                    "service": names.metrics(config.name),
                    "instance": host,
                },
            }
            for address, host in zip(addresses, hosts, strict=True)
        ],
    }


def proxies(
    config: StackConfig, addresses: Sequence[str], renamed: Mapping[str, str] | None = None
) -> Job:
    """The job of a PodMonitor of the proxies. `addresses`: of their metrics, by ordinal;
    `renamed`: names in a cluster to the addresses that stand for them here."""
    own = ENGINES[config.engine].proxies(config.name)
    labels = {"namespace": config.namespace}
    return {
        "job_name": "proxies",
        "honor_labels": True,
        "static_configs": [
            {"targets": [address], "labels": {**labels, "pod": f"{own}-{ordinal}"}}
            for ordinal, address in enumerate(addresses)
        ],
        "metric_relabel_configs": [
            {
                "source_labels": ["endpoint"],
                "target_label": "endpoint",
                "regex": f"{address}:(.+)",
                "replacement": f"{name}:$1",
            }
            for name, address in (renamed or {}).items()
        ],
    }


def elsewhere(address: str) -> Job:
    """The job of what a cluster's own parts say."""
    return {
        "job_name": "made-up",
        "honor_labels": True,
        "static_configs": [{"targets": [address]}],
    }


@contextmanager
def served(text: Callable[[], str]) -> Generator[str]:
    """An address whose `/metrics` is what `text` returns, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads them."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def made_up(config: StackConfig) -> Callable[[], str]:
    """Figures of kubelets, kube-state-metrics and the operator, with their real names and labels,
    while all is well.

    Those of the operator: controller-runtime v0.21, pkg/internal/controller/metrics and
    pkg/internal/metrics/workqueue.go.
    """
    began = time.time()
    pod = {
        "namespace": "operators",
        "pod": f"{ENGINES[config.engine].operators[0]}-6d5f7c9b8-x2x7k",
    }
    controllers = {"mariadb": ("mariadb", "user"), "percona": ("pxc-controller",)}[config.engine]

    def text() -> str:
        found = series.kubernetes(config, began)
        for controller in controllers:
            labels = {**pod, "controller": controller}
            found[series.series("controller_runtime_reconcile_errors_total", **labels)] = 2
            found[series.series("workqueue_depth", **labels, name=controller)] = 1
            for le, part in (("0.1", 0.8), ("1", 1.0), ("+Inf", 1.0)):
                bucket = series.series(
                    "controller_runtime_reconcile_time_seconds_bucket", **labels, le=le
                )
                found[bucket] = round((100 + time.time() - began) * part)
        return series.exposition(found)

    return text
