"""What the texts of the proxies are made from: plain, and apart from passwords not secret."""

from dataclasses import dataclass

from components.config.images import serves_postgresql
from components.config.proxy import Proxy
from components.config.stack import StackConfig
from components.config.types import seconds
from components.proxysql import layout
from components.proxysql.watcher import Watch
from components.topology import Topology


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Passwords in clear text, by role: those of `StackConfig.proxy_roles`."""

    monitor: str
    proxy_admin: str
    proxy_stats: str
    proxy_cluster: str
    proxy_stats_reader: str = ""
    """Unused where nobody reads statistics."""


@dataclass(frozen=True, kw_only=True)
class CnfModel:
    """All of the configuration that is not secret."""

    proxy: Proxy
    topology: Topology
    backend_max_connections: int
    """Connections from one proxy to one server."""
    monitor_username: str
    """The account that checks the servers; the secret part has its password."""
    postgresql: bool
    """Whether the release also serves PostgreSQL, as 3.0 and later do unless told otherwise."""
    certificate: bool
    """Whether the proxies show a given certificate, which a scheduled script keeps fresh."""
    watch: Watch | None
    """The settings of the primary's watcher; see `watch`."""

    @property
    def monitored(self) -> bool:
        """Whether the proxies themselves find the writer of a replication topology."""
        return self.topology.kind == "replication" and self.proxy.routing == "monitor"

    @property
    def through_service(self) -> bool:
        """Whether the operator's Service of the primary is the only writer."""
        return self.topology.kind == "replication" and not self.monitored


def cnf_model(config: StackConfig, topology: Topology) -> CnfModel:
    """The configuration of a config's proxies."""
    return CnfModel(
        proxy=config.proxy,
        topology=topology,
        backend_max_connections=config.backend_max_connections,
        monitor_username=config.monitor_logins[0].username,
        postgresql=serves_postgresql(config.images.proxy.tag),
        certificate=config.proxy.tls.given,
        watch=watch(config, topology),
    )


def watch(config: StackConfig, topology: Topology) -> Watch | None:
    """The settings of the primary's watcher, if there is one."""
    if not config.watches_primary:
        return None
    return Watch(
        host=topology.service,
        port=topology.port,
        hostgroup=config.proxy.hostgroups.writer,
        wait=config.proxy.switchover_wait,
        replicas=config.fence,
        silence=seconds(config.semi_sync_timeout) / 2,
        ca_file=layout.SERVER_CA if topology.ca_secret else None,
    )
