"""Who may reach the servers' Pods: their NetworkPolicy, by engine.

Labels and ports are those of mariadb-operator v25.10.4 (`pkg/builder/labels/labels.go`,
`api/v1alpha1/mariadb_types.go`) and percona-xtradb-cluster-operator v1.18.0
(`pkg/naming/labels.go`, `pkg/pxc/app/statefulset/node.go`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.database import Client
from components.config.engine import ENGINES
from components.config.stack import StackConfig
from components.operations import exporter
from components.pods.network import Peer, Rule, allow, any_of, anywhere, incoming, network, pods

SQL, ADMIN = 3306, 33062
"""`ADMIN`: of Percona's servers, for its operator (`admin_port`)."""
AGENT, AGENT_PROBES = 5555, 5566
"""Of mariadb-operator's container beside a server (`Agent.SetDefaults`)."""
GROUP, INCREMENTAL, TRANSFER = 4567, 4568, 4444
"""Of Galera: replication, which may use UDP too, and state transfers, incremental or whole."""


@dataclass(frozen=True, kw_only=True)
class ServerPolicy:
    """What a NetworkPolicy says of an engine's servers."""

    name: str
    """Of the policy, as of the servers' StatefulSet."""
    selector: Mapping[str, str]
    """The labels of the servers' Pods."""
    rules: Sequence[Rule]


def server_policy(
    name: str,
    config: StackConfig,
    policy: ServerPolicy,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """The policy's object. Nothing waits for it, and it waits for no server."""
    k8s.networking.v1.NetworkPolicy(
        f"{name}-servers",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=policy.name,
            namespace=config.namespace,
            labels=names.labels(config.name, "servers"),
        ),
        spec=cast(k8s.networking.v1.NetworkPolicySpecArgs, incoming(policy.selector, policy.rules)),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )


def mariadb(config: StackConfig) -> ServerPolicy:
    """Of mariadb-operator's servers, whose restore jobs have the same labels."""
    selector = names.mariadb_selector(config.name)
    servers, operator = pods(selector), _operator(config)
    inside = [servers, operator, *_exporter(config)]
    rules = [allow([SQL], _clients(config, inside))]
    if config.database.topology != "standalone":
        rules.append(allow([AGENT, AGENT_PROBES], [operator]))
    if config.database.topology == "galera":
        rules += _galera([servers])
    return ServerPolicy(name=config.name, selector=selector, rules=rules)


def percona(config: StackConfig) -> ServerPolicy:
    """Of a Percona XtraDB Cluster, which its backups join."""
    selector = names.pxc_selector(config.name, "pxc")
    cluster, operator = pods(names.pxc_pods(config.name)), _operator(config)
    return ServerPolicy(
        name=names.pxc(config.name),
        selector=selector,
        rules=[
            allow([SQL], _clients(config, [cluster, operator, *_exporter(config)])),
            allow([ADMIN], [cluster, operator]),
            *_galera([pods(selector), pods(names.pxc_backup_selector(config.name))]),
        ],
    )


def _galera(members: Sequence[Peer]) -> list[Rule]:
    return [
        allow([GROUP], members, protocols=("TCP", "UDP")),
        allow([INCREMENTAL, TRANSFER], members),
    ]


def _clients(config: StackConfig, inside: Sequence[Peer]) -> list[Peer] | None:
    """Who may connect by SQL; None is everyone. `inside`: what belongs to the servers."""
    if not config.servers_closed:
        return None
    proxies = [pods(names.proxysql_selector(config.name))] if config.own_proxies else []
    chosen = map(_client, config.database.network_policy.clients)
    tasks = any_of({names.ROLE: names.ROLES})
    return [*proxies, *inside, tasks, *chosen]


def _client(client: Client) -> Peer:
    return network(client.cidr) if client.cidr else pods(client.pod_labels, client.namespace)


def _exporter(config: StackConfig) -> list[Peer]:
    """What asks for figures; without this program's, one that people asked mariadb-operator for."""
    if config.monitoring.enabled or ENGINES[config.engine].exports:
        return [pods(exporter.selector(config))]
    return []


def _operator(config: StackConfig) -> Peer:
    """The operator's Pods. By their labels, as a wrong guess of the namespace would cut it off."""
    operator = config.operator
    labels = operator.pod_labels
    known = {"app.kubernetes.io/name": ENGINES[config.engine].operators}
    selector = {key: (value,) for key, value in labels.items()} if labels else known
    return anywhere(selector, operator.namespace)
