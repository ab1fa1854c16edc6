"""What prometheus-operator reads: a ServiceMonitor of the servers, PodMonitors of the rest.

Field reference: prometheus-operator v0.85.0, `pkg/apis/monitoring/v1`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.engine import ENGINES
from components.config.stack import StackConfig
from components.operations import exporter
from components.topology import Topology

API = "monitoring.coreos.com/v1"
PROXY_PORT = "metrics"
"""Of the proxies' Pods."""
LONGEST_READING = 10
"""Seconds, at most, that one may take; Prometheus's own default."""


def kinds(config: StackConfig) -> frozenset[str]:
    """Those of prometheus-operator's that a stack needs, whoever makes the objects."""
    if not config.monitoring.by_operator:
        return frozenset()
    rules = {"PrometheusRule"} if config.monitoring.alerts.enabled else set[str]()
    pods = {"PodMonitor"} if config.own_proxies or collects(config) else set[str]()
    return frozenset({"ServiceMonitor"} | rules | pods)


def times(config: StackConfig) -> dict[str, str]:
    """How often, and how long it may take: never longer than until the next one."""
    interval = config.monitoring.interval_seconds
    timeout = min(LONGEST_READING, interval)
    return {"interval": f"{interval}s", "scrapeTimeout": f"{timeout}s"}


def servers(config: StackConfig, topology: Topology) -> dict[str, Any]:
    """The `spec` of the ServiceMonitor: one endpoint per server.

    The labels are those that mariadb-operator gives (v25.10.4, pkg/builder/servicemonitor_builder),
    which writes them into what was read. These are in place before it is read, so each server has
    an `up` of its own.
    """
    return {
        "selector": {"matchLabels": names.labels(config.name, "exporter")},
        "namespaceSelector": {"matchNames": [config.namespace]},
        "endpoints": [
            {
                "port": exporter.PORT_NAME,
                "path": exporter.PROBE,
                **times(config),
                "params": {"target": [exporter.target(host, topology.port)]},
                "relabelings": [_constant("instance", host), _constant("target", _pod(host))],
            }
            for host in topology.hosts
        ],
    }


def _constant(label: str, value: str) -> dict[str, Any]:
    return {"action": "replace", "targetLabel": label, "replacement": value}


def _pod(host: str) -> str:
    return host.split(".")[0]


def proxies(config: StackConfig) -> dict[str, Any]:
    """The `spec` of the PodMonitor. ProxySQL has a label `endpoint` of its own, which otherwise
    would give way to prometheus-operator's."""
    return {
        "selector": {"matchLabels": names.proxysql_selector(config.name)},
        "namespaceSelector": {"matchNames": [config.namespace]},
        "podTargetLabels": ["app.kubernetes.io/instance"],
        "podMetricsEndpoints": [
            {"port": PROXY_PORT, "path": "/metrics", "honorLabels": True, **times(config)}
        ],
    }


COLLECTOR_PORT = 8080
"""percona-xtradb-cluster-operator v1.18.0, cmd/pitr/main.go."""


def collects(config: StackConfig) -> bool:
    """Whether Percona uploads binary logs, and its uploader is read. By annotations it cannot be:
    its Pods are the operator's."""
    return config.monitoring.by_operator and config.backup.point_in_time.enabled


def collector(config: StackConfig) -> dict[str, Any]:
    """The `spec` of the PodMonitor of that. The uploader's Service has no labels by which a
    ServiceMonitor could choose it. The container's port is called `metrics` (v1.18.0), the
    Service's has no name."""
    return {
        "selector": {"matchLabels": names.pxc_selector(config.name, "pitr")},
        "namespaceSelector": {"matchNames": [config.namespace]},
        "podMetricsEndpoints": [
            {"portNumber": COLLECTOR_PORT, "path": "/metrics", **times(config)}
        ],
    }


def monitors(
    name: str,
    config: StackConfig,
    topology: Topology,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """Those that this program makes; of its exporter mariadb-operator makes one itself."""
    child = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after)))
    if exporter.own(config):
        spec, service = servers(config, topology), names.metrics(config.name)
        declare(f"{name}-metrics", "ServiceMonitor", service, spec, config, opts=child)
    if config.own_proxies:
        spec, tier = proxies(config), ENGINES[config.engine].proxies(config.name)
        declare(f"{name}-proxysql-metrics", "PodMonitor", tier, spec, config, opts=child)
    if collects(config):
        spec, uploader = collector(config), names.pxc_collector(config.name)
        declare(f"{name}-pitr-metrics", "PodMonitor", uploader, spec, config, opts=child)


def declare(
    logical_name: str,
    kind: str,
    object_name: str,
    spec: Mapping[str, Any],
    config: StackConfig,
    *,
    component: str = "metrics",
    opts: pulumi.ResourceOptions,
) -> None:
    """An object of prometheus-operator's. `monitoring.labels` are those by which a Prometheus
    chooses it."""
    k8s.apiextensions.CustomResource(
        logical_name,
        api_version=API,
        kind=kind,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=object_name,
            namespace=config.namespace,
            labels={**config.monitoring.labels, **names.labels(config.name, component)},
        ),
        spec=spec,
        opts=opts,
    )
