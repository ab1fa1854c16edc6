"""Who may reach the proxies' Pods: the NetworkPolicy of the ProxySQL tier."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi_kubernetes as k8s

from components import names
from components.config.stack import StackConfig


def proxy_ingress(
    config: StackConfig,
    *,
    client_ports: Sequence[int],
    admin_port: int,
    metrics_port: int,
) -> list[k8s.networking.v1.NetworkPolicyIngressRuleArgs]:
    """The traffic that the proxies accept; everything else is refused.

    The admin port is full control of the tier and the metrics have no login: the first is open to
    the proxies themselves, and to clients only where `service.expose_admin` says so; the second to
    the database's namespace and `metrics_from`. Probes come from the node and always pass
    (kubernetes.io/docs, "Network Policies").
    """
    policy = config.security.network_policy
    peers = k8s.networking.v1.NetworkPolicyPeerArgs(
        pod_selector=k8s.meta.v1.LabelSelectorArgs(
            match_labels=names.proxysql_selector(config.name)
        )
    )
    inside = k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=k8s.meta.v1.LabelSelectorArgs())
    clients = [_namespace(name) for name in policy.clients_from]
    admins = [peers, *clients] if clients else None
    return [
        _allow(client_ports, clients or None),
        _allow([admin_port], admins if config.proxy.service.expose_admin else [peers]),
        _allow([metrics_port], [inside, *(_namespace(name) for name in policy.metrics_from)]),
    ]


def _allow(
    ports: Sequence[int], sources: list[k8s.networking.v1.NetworkPolicyPeerArgs] | None
) -> k8s.networking.v1.NetworkPolicyIngressRuleArgs:
    """One rule; without sources it admits everyone."""
    return k8s.networking.v1.NetworkPolicyIngressRuleArgs(
        ports=[
            k8s.networking.v1.NetworkPolicyPortArgs(port=port, protocol="TCP") for port in ports
        ],
        from_=sources,
    )


def _namespace(name: str) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    """All Pods of a namespace, by the label that the API server sets on each."""
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        namespace_selector=k8s.meta.v1.LabelSelectorArgs(
            match_labels={"kubernetes.io/metadata.name": name}
        )
    )
