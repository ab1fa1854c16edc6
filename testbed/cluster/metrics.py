"""What a cluster with kube-prometheus tells a Prometheus besides what stacks do: `kubelet` and
`kube-state-metrics`, as Services with the monitors that kube-prometheus has for them.

The kubelets' series are their own but for the bytes. All volumes here are folders of one disk,
which others fill and empty; so each is told to be half full, until a test says otherwise.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local import LocalError
from local.kubectl import Kubectl, Object
from local.real.network import SERVER
from testbed.monitoring import kube_state

from .inside import Inside

NAMESPACE = "kube-system"
CAPACITY = 1 << 30
"""Bytes that each volume is told to have."""
HALF = 0.5
INTERVAL = "15s"
"""Between two readings, of which each starts kubectl a few times."""
VOLUME = re.compile(
    r"^kubelet_volume_stats_(?P<what>capacity|available)_bytes"
    r'(?P<labels>\{.*persistentvolumeclaim="(?P<claim>[^"]+)".*\}) \S+$',
    re.MULTILINE,
)
"""A line of a kubelet's /metrics."""


class ClusterMetrics:
    """Both expositions; asked for, they ask the API server."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.available: dict[str, float] = {}
        """What is left of a volume, as a part of it, by claim; half of those that are not named."""

    def kube_state(self) -> str:
        """Series of kube-state-metrics."""
        resources = ",".join(kube_state.KINDS)
        listed = json.loads(self.kubectl("get", resources, "--all-namespaces", "-o", "json"))
        return kube_state.exposition(listed["items"])

    def kubelet(self) -> str:
        """The nodes' series of volumes, with other figures."""
        nodes = self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
        texts = (self.kubectl("get", "--raw", f"/api/v1/nodes/{n}/proxy/metrics") for n in nodes)
        return played("".join(texts), self.available)


def played(text: str, available: Mapping[str, float]) -> str:
    """The lines of volumes' capacity and space, with figures of ours for the kubelets' own."""

    def line(found: re.Match[str]) -> str:
        left = 1.0 if found["what"] == "capacity" else available.get(found["claim"], HALF)
        return f"kubelet_volume_stats_{found['what']}_bytes{found['labels']} {left * CAPACITY:.0f}"

    return "".join(f"{line(found)}\n" for found in VOLUME.finditer(text))


@contextmanager
def served(kubectl: Kubectl, inside: Inside) -> Generator[ClusterMetrics]:
    """Both, behind Services in the cluster, until the block ends."""
    metrics = ClusterMetrics(kubectl)
    paths = {"/kubelet": metrics.kubelet, "/kube-state": metrics.kube_state}
    # A socket is in the network namespace of the thread that makes it.
    server = inside(lambda: ThreadingHTTPServer((SERVER, 0), _handler(paths)))
    objects = _objects(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        kubectl.apply(objects)
        yield metrics
    finally:
        for item in objects:
            found = (item["kind"], item["metadata"]["name"], f"--namespace={NAMESPACE}")
            kubectl("delete", *found, "--ignore-not-found")
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(paths: Mapping[str, Callable[[], str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                text = paths[self.path]()
            except (KeyError, LocalError) as error:
                self.send_error(500, type(error).__name__)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: pytest would show it."""

    return Handler


def _objects(port: int) -> list[Object]:
    """Services that lead here, and monitors with the labels that those of kube-prometheus give
    (manifests/kubernetesControlPlane-serviceMonitorKubelet.yaml,
    manifests/kubeStateMetrics-serviceMonitor.yaml)."""
    dropped = {"action": "labeldrop", "regex": "(pod|service|endpoint|namespace)"}
    return [
        *_monitored("kubelet", port, "/kubelet", []),
        *_monitored("kube-state-metrics", port, "/kube-state", [dropped]),
    ]


def _monitored(name: str, port: int, path: str, relabelings: list[Object]) -> list[Object]:
    labels = {"app.kubernetes.io/name": name, "release": RELEASE}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    endpoint = {
        "port": "metrics", "path": path, "honorLabels": True, "relabelings": relabelings,
        "interval": INTERVAL, "scrapeTimeout": INTERVAL,
    }  # fmt: skip
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"clusterIP": "None", "ports": [{"name": "metrics", "port": port}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": metadata,
            "subsets": [
                {"addresses": [{"ip": SERVER}], "ports": [{"name": "metrics", "port": port}]}
            ],
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": metadata,
            "spec": {
                "jobLabel": "app.kubernetes.io/name",
                "endpoints": [endpoint],
                "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            },
        },
    ]


RELEASE = "kube-prometheus-stack"
"""The label `release` by which the Prometheus of that chart chooses monitors and rules."""
