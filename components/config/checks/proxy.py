"""Rules of `proxy`, beside its users, query rules and variables."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.stack import StackConfig


def somebody_runs_the_proxies(config: StackConfig) -> Iterator[Fault]:
    if config.proxy.managed_by == "operator":
        yield "proxy.managed_by", "mariadb-operator runs no ProxySQL", "set it to mysql-ha"


def the_monitor_is_nobody_else(config: StackConfig) -> Iterator[Fault]:
    if config.own_proxies and (taken := config.monitor_accounts & config.system_accounts):
        yield (
            "proxy.monitor.username",
            f"'{min(taken)}' is another account of this stack",
            "use proxysql_monitor",
        )


def shares_are_enough_for_the_proxies(config: StackConfig) -> Iterator[Fault]:
    proxy = config.proxy
    if proxy.max_replicas is not None and proxy.max_replicas < proxy.replicas:
        yield (
            "proxy.max_replicas",
            f"is below the {proxy.replicas} of proxy.replicas",
            "raise it; the connections are divided among this number of proxies",
        )


def servers_have_the_connections(config: StackConfig) -> Iterator[Fault]:
    proxy = config.proxy
    # A number of the stack's own is for the proxies that there are, a share for all there may be.
    proxies = config.proxy_shares if proxy.backend_max_connections is None else proxy.replicas
    total = proxies * config.connections_per_proxy
    too_many = config.backend_max_connections < 1 or total > config.connection_budget
    if config.own_proxies and too_many:
        yield (
            "proxy.backend_max_connections",
            f"{proxies} proxies may open {max(total, proxies)} connections to one "
            f"server, but only {max(config.connection_budget, 0)} of its database.max_connections "
            f"({config.database.max_connections}) are for them",
            "lower it or proxy.max_replicas, use fewer proxies, or raise database.max_connections",
        )


def admin_has_a_login(config: StackConfig) -> Iterator[Fault]:
    if config.proxy.service.expose_admin and config.proxy.clustering == "off":
        yield (
            "proxy.service.expose_admin",
            "has no login without clustering: only the cluster account can log in from other Pods",
            "set proxy.clustering to membership",
        )


def the_service_is_of_the_type(config: StackConfig) -> Iterator[Fault]:
    """Kubernetes pkg/apis/core/validation, ValidateService."""
    service = config.proxy.service
    if service.external_traffic_policy and service.type == "ClusterIP":
        yield (
            "proxy.service.external_traffic_policy",
            "is for clients from outside, and a ClusterIP Service has none",
            "remove it, or set type to NodePort or LoadBalancer",
        )
    for key in ("load_balancer_source_ranges", "load_balancer_class"):
        if getattr(service, key) and service.type != "LoadBalancer":
            yield (
                f"proxy.service.{key}",
                f"is for a load balancer, and a {service.type} Service has none",
                "remove it, or set type to LoadBalancer",
            )


def lag_is_looked_at(config: StackConfig) -> Iterator[Fault]:
    if config.proxy.enabled and config.proxy.max_replication_lag and not _monitored(config):
        yield (
            "proxy.max_replication_lag",
            "applies to database.topology replication with proxy.routing monitor only",
            "remove it",
        )


def lag_leaves_a_reader_out(config: StackConfig) -> Iterator[Fault]:
    unread = _monitored(config) and config.hostgroups_per_server == 1
    if config.proxy.max_replication_lag and unread:
        yield (
            "proxy.max_replication_lag",
            "has no effect: nothing is sent to the reader hostgroup",
            "remove it, or set read_write_split or a user's default_hostgroup",
        )


def _monitored(config: StackConfig) -> bool:
    return config.database.topology == "replication" and config.proxy.routing == "monitor"


def the_fence_has_semi_sync(config: StackConfig) -> Iterator[Fault]:
    wanted = config.replicated_behind_proxies and config.proxy.min_semi_sync_replicas
    if wanted and not config.database.semi_sync:
        yield "proxy.min_semi_sync_replicas", "needs semi_sync", "remove it"


def the_fence_can_open(config: StackConfig) -> Iterator[Fault]:
    replicas = config.database.replicas
    if config.replicated_behind_proxies and config.fence >= replicas:
        yield (
            "proxy.min_semi_sync_replicas",
            f"is impossible: {replicas} servers are a primary and {replicas - 1} replicas",
            "lower it; a replica that restarts is missing too",
        )


def the_split_has_readers(config: StackConfig) -> Iterator[Fault]:
    if config.proxy.read_write_split and not config.has_readers:
        yield (
            "proxy.read_write_split",
            "needs replicas, and the database has a single server",
            "remove it, or raise database.replicas",
        )


MARIADB_RULES = (somebody_runs_the_proxies,)
RULES = (
    the_monitor_is_nobody_else,
    shares_are_enough_for_the_proxies,
    servers_have_the_connections,
    admin_has_a_login,
    the_service_is_of_the_type,
    lag_is_looked_at,
    lag_leaves_a_reader_out,
    the_fence_has_semi_sync,
    the_fence_can_open,
    the_split_has_readers,
)
