"""Who may reach a tier's Pods, in the words of a NetworkPolicy.

Probes come from the node and always pass (kubernetes.io/docs, "Network Policies").
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from components.config.security import NetworkPolicy

Peer: TypeAlias = dict[str, Any]
"""One source of traffic."""
Rule: TypeAlias = dict[str, Any]
"""Ports, and who may reach them."""

NAMESPACE = "kubernetes.io/metadata.name"
"""The label with its name, which the API server sets on each namespace."""


def incoming(selector: Mapping[str, str], rules: Sequence[Rule]) -> dict[str, Any]:
    """The spec of a policy of the Pods of `selector`: they accept what the rules say, no more."""
    return {
        "podSelector": {"matchLabels": dict(selector)},
        "policyTypes": ["Ingress"],
        "ingress": list(rules),
    }


def allow(
    ports: Sequence[int],
    sources: Sequence[Peer] | None,
    *,
    protocols: Sequence[Literal["TCP", "UDP"]] = ("TCP",),
) -> Rule:
    """One rule; None admits everyone. `sources` is never empty: that would mean the same."""
    rule: Rule = {
        "ports": [{"port": port, "protocol": protocol} for port in ports for protocol in protocols]
    }
    return rule if sources is None else {**rule, "from": list(sources)}


def pods(labels: Mapping[str, str], namespace: str | None = None) -> Peer:
    """The Pods with such labels, all without any. `namespace`: unset, the policy's own."""
    selector: Peer = {"matchLabels": dict(labels)} if labels else {}
    if namespace is None:
        return {"podSelector": selector}
    there = {"namespaceSelector": {"matchLabels": {NAMESPACE: namespace}}}
    return {**there, "podSelector": selector} if labels else there


def any_of(labels: Mapping[str, Sequence[str]]) -> Peer:
    """The Pods of the policy's own namespace each of whose labels has one of the values."""
    expressions = [
        {"key": key, "operator": "In", "values": list(values)} for key, values in labels.items()
    ]
    return {"podSelector": {"matchExpressions": expressions}}


def anywhere(labels: Mapping[str, Sequence[str]], namespace: str | None = None) -> Peer:
    """The same Pods of a namespace; unset, of any."""
    there = {"matchLabels": {NAMESPACE: namespace}} if namespace else {}
    return {"namespaceSelector": there, **any_of(labels)}


def metrics_readers(policy: NetworkPolicy) -> list[Peer]:
    """Who may read figures: the database's own namespace, and those that a stack names."""
    return [pods({}), *(pods({}, name) for name in policy.metrics_from)]


def network(cidr: str) -> Peer:
    """Addresses."""
    return {"ipBlock": {"cidr": cidr}}
