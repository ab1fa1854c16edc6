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
from components.engines import mariadb_exporter
from components.operations.exporter import CONNECTIONS
from testbed.database.servers import HOST, Account

from .exporter import exporter as running

EXPORTER_LOGIN = Account(EXPORTER_ACCOUNT, "exporter-password-1", CONNECTIONS)
PRIVILEGES = mariadb_exporter.PRIVILEGES
"""As its Grant has them."""
Job = dict[str, Any]
"""One of Prometheus's `scrape_configs`."""


@contextmanager
def exporter(program: Path, folder: Path) -> Generator[str]:
    """The exporter; yields its address. Raises RuntimeError if it does not start."""
    with running(program, folder, EXPORTER_LOGIN.password) as found:
        yield found.address


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


HOUR = 3600
GIB = 2**30


def made_up(config: StackConfig) -> Callable[[], str]:
    """Figures of kubelets, kube-state-metrics and mariadb-operator: made up, with their real names
    and labels.

    A backup of three hours ago and one that failed before, a drill of two days ago, volumes that
    fill slowly. Sources: kubernetes pkg/kubelet/metrics (volume_stats), kube-state-metrics
    internal/store/{job,cronjob}.go, controller-runtime v0.21 pkg/internal/controller/metrics.
    """
    began = time.time()
    own = f'namespace="{config.namespace}"'
    claims = ENGINES[config.engine].claims(config.name, config.database.topology, 3)

    def text() -> str:
        age = time.time() - began
        lines = list[str]()
        for number, claim in enumerate(claim for claim in claims if "galera" not in claim[:7]):
            labels = f'{own},persistentvolumeclaim="{claim}"'
            left = (6.2 - number / 10) * GIB - age * 2**16
            lines.append(f"kubelet_volume_stats_capacity_bytes{{{labels}}} {10 * GIB}")
            lines.append(f"kubelet_volume_stats_available_bytes{{{labels}}} {left:.0f}")
        for stamp, end, ended in (
            ("20261127021700", began - 3 * HOUR, True),
            ("20261126021700", 0.0, False),
        ):
            owner = names.backup(config.name, "0a1b2c")
            job = f'{own},job_name="{owner}-{stamp}"'
            of = f'owner_kind="PhysicalBackup",owner_name="{owner}",owner_is_controller="true"'
            lines.append(f"kube_job_owner{{{job},{of}}} 1")
            if ended:
                lines.append(f"kube_job_status_completion_time{{{job}}} {end:.0f}")
            kind = "complete" if ended else "failed"
            lines.append(f'kube_job_{kind}{{{job},condition="true"}} 1')
            lines.append(f'kube_job_{kind}{{{job},condition="false"}} 0')
        drill = f'{own},cronjob="{names.restore_drill(config.name)}"'
        dump = f'{own},cronjob="{names.dump(config.name, "0a1b2c")}"'
        for cron_job, age_then in ((drill, 50 * HOUR), (dump, 9 * HOUR)):
            ended_at = f"{began - age_then:.0f}"
            lines.append(f"kube_cronjob_status_last_successful_time{{{cron_job}}} {ended_at}")
        operator = 'namespace="mariadb-system",pod="mariadb-operator-6d5f7c9b8-x2x7k"'
        for controller, errors, depth in (("mariadb", 2, 1), ("physicalbackup", 1, 0)):
            labels = f'{operator},controller="{controller}"'
            lines.append(f"controller_runtime_reconcile_errors_total{{{labels}}} {errors}")
            lines.append(f'workqueue_depth{{{labels},name="{controller}"}} {depth}')
            for le, part in (("0.1", 0.8), ("1", 1.0), ("+Inf", 1.0)):
                count = int((100 + age) * part)
                bucket = f'{labels},le="{le}"'
                lines.append(
                    f"controller_runtime_reconcile_time_seconds_bucket{{{bucket}}} {count}"
                )
        return "\n".join(lines) + "\n"

    return text
