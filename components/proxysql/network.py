"""Who may reach the proxies' Pods: the NetworkPolicy of the ProxySQL tier."""

from __future__ import annotations

from collections.abc import Sequence

from components import names
from components.config.stack import StackConfig
from components.pods.network import Rule, allow, metrics_readers, pods


def proxy_ingress(
    config: StackConfig,
    *,
    client_ports: Sequence[int],
    admin_port: int,
    metrics_port: int,
) -> list[Rule]:
    """The traffic that the proxies accept; everything else is refused.

    The admin port is full control of the tier and the metrics have no login: the first is open to
    the proxies themselves and `stats_readers`, and to clients only where `service.expose_admin`
    says so; the second to the database's namespace and `metrics_from`.
    """
    policy = config.security.network_policy
    peers = pods(names.proxysql_selector(config.name))
    clients = [pods({}, name) for name in policy.clients_from]
    readers = [pods(who.pod_labels, who.namespace) for who in config.proxy.stats_readers]
    admins = [peers, *readers]
    exposed = [*admins, *clients] if clients else None
    return [
        allow(client_ports, clients or None),
        allow([admin_port], exposed if config.proxy.service.expose_admin else admins),
        allow([metrics_port], metrics_readers(policy)),
    ]
