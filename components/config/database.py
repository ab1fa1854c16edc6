"""`database`: the servers."""

from typing import Annotated, Self

from pydantic import Field, Strict, model_validator

from components.config.errors import field_error
from components.config.model import Model, Resources, Storage
from components.config.restore import RestoreFrom
from components.config.types import (
    Annotations,
    Bool,
    Cidr,
    Duration,
    Labels,
    Namespace,
    PodLabels,
    ProviderOption,
    ProviderValue,
    TopologyKind,
)


class Galera(Model):
    """What only a Galera cluster has, of either engine."""

    provider_options: dict[ProviderOption, ProviderValue] = {}
    """Options of Galera's provider, such as `gcache.size: 512M`, beside those of the operator, for
    addresses and TLS, which are refused here. When the last one is removed, a MariaDB cluster keeps
    it: set its default instead."""


class Client(Model):
    """Who connects to the servers themselves: Pods, or addresses outside the cluster."""

    namespace: Namespace | None = None
    """Namespace of the Pods. Unset: the database's own."""
    pod_labels: Labels = {}
    """Labels of the Pods. Empty: all Pods of the namespace."""
    cidr: Cidr | None = None
    """Addresses instead of Pods, such as `10.20.0.0/16`."""

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        pods = self.namespace or self.pod_labels
        if not (pods or self.cidr):
            raise field_error("names nobody", "set namespace, pod_labels or cidr")
        if pods and self.cidr:
            raise field_error(
                "has both Pods and addresses", "make two entries of it, one with cidr alone"
            )
        return self


class ServerPolicy(Model):
    """Who may reach the servers."""

    enabled: Bool
    """A NetworkPolicy for the servers ([whom it lets in](operations.md#who-reaches-the-servers)).
    Off with `adopt`, unless the stack says otherwise."""
    clients: tuple[Client, ...] = ()
    """Who may connect to the servers beside the proxies. Without proxies and empty: everyone."""


Seconds = Annotated[int, Strict(), Field(ge=1, le=86_400)]


class Probe(Model):
    """When the kubelet asks a server; what it asks is the operator's.

    No 0: the operators take it as unset.
    """

    initial_delay_seconds: Seconds | None = None
    """Seconds from the container's start to the first probe. Unset: the operator's."""
    period_seconds: Seconds | None = None
    """Seconds between probes. Unset: the operator's."""
    timeout_seconds: Seconds | None = None
    """Seconds after which a probe without an answer has failed. Unset: the operator's."""
    failure_threshold: Annotated[int, Strict(), Field(ge=1, le=10_000)] | None = None
    """Failed probes in a row that restart the server, or take it out of its Services. Unset: the
    operator's. `startup` is for MariaDB only."""


class Probes(Model):
    """When the kubelet asks the servers."""

    liveness: Probe = Probe()
    """Restarts a server."""
    readiness: Probe = Probe()
    """Takes a server out of its Services."""
    startup: Probe = Probe()
    """Restarts a server that does not start. For MariaDB only."""


class Database(Model):
    """The servers: of MariaDB, or the nodes of a Percona XtraDB Cluster."""

    topology: TopologyKind
    """How the servers replicate. Fixed. A Percona cluster is `galera` in every size."""
    replicas: Annotated[int, Strict(), Field(ge=1, le=9)]
    """Number of servers. Standalone: 1; replication: 2 or more, and you cannot add more later;
    Galera: odd, 3 or more; Percona: 1, 3 or 5."""
    paused: Bool | None = None
    """True: no server runs, and their volumes stay ([how](operations.md#pause-the-servers)). For
    Percona, and MariaDB with topology `standalone`. After it, false starts them. Unset: they run,
    unless somebody paused a Percona cluster with `kubectl`."""
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$", max_length=20)] | None = (
        None
    )
    """Server version; needed only when the image tag does not start with it."""
    storage: Storage
    """The volume of each server."""
    resources: Resources = Resources()
    """CPU and memory of each server."""
    max_connections: Annotated[int, Strict(), Field(ge=20, le=100_000)]
    """The server's `max_connections`, shared by all proxies and the operator."""
    binlog_expire_days: Annotated[int, Strict(), Field(ge=1, le=99)]
    """Days after which servers delete their binary logs. A server that was away for longer, and a
    restore to a point in time that needs older ones, cannot catch up from them; whole logs are
    deleted, when a new one begins."""
    my_cnf: str = ""
    """Text appended to the generated my.cnf: options of the server by their whole names, in its own
    sections ([what is refused](configuration.md#my_cnf)). Where it sets no
    `innodb_buffer_pool_size` and there is a memory limit, the program or Percona's operator does
    ([how large](operations.md#memory-of-the-servers))."""
    galera: Galera = Galera()
    """What only a Galera cluster has, of either engine."""
    helper_resources: Resources = Resources()
    """CPU and memory of each container of the operator beside a server: its init container and
    agent, with engine `percona` the log collector and the helpers of its ProxySQL."""
    semi_sync: Bool = True
    """Replication only: a commit waits for one replica (`rpl_semi_sync_master`)."""
    semi_sync_timeout: Duration | None = None
    """Topology `replication` only. How long a commit waits for a replica before it continues
    without one. Unset: `10s` with `proxy.min_semi_sync_replicas`, otherwise `2s`, because a
    promotion then takes this long ([why](failover.md#what-the-figures-mean))."""
    failover_delay_seconds: Annotated[int, Strict(), Field(ge=0, le=600)] = 2
    """Topology `replication` only. How long the operator waits before it promotes another server in
    place of a primary that is not ready; a crash takes this much longer. After its Pod was deleted
    by force, a server may still run, and writes that it acknowledges then would be lost
    ([why](adr/0017-a-primary-that-nobody-follows-gets-no-writes.md))."""
    probes: Probes = Probes()
    """When the kubelet asks the servers."""
    termination_grace_seconds: Seconds | None = None
    """Seconds that a server has to end by itself. Unset: the operator's 600. For Percona only."""
    ready_timeout: Duration = "20m"
    """How long `pulumi up` waits for the operator to report Ready; with `restore_from` by size
    20m, 45m or 4h, as each server downloads and unpacks the backup in turn."""
    pod_annotations: Annotations = {}
    """Annotations of the database Pods."""
    pod_labels: PodLabels = {}
    """Labels of the database Pods."""
    network_policy: ServerPolicy
    """Who may reach the servers."""
    restore_from: RestoreFrom | None = None
    """Make the database from a backup ([steps](restore.md)). Only when it is created: later
    the key may be removed, and neither added nor changed."""

    @property
    def running(self) -> int:
        """Number of servers that there are now, as far as the stack says."""
        return 0 if self.paused else self.replicas

    @model_validator(mode="after")
    def _replicas_fit(self) -> Self:
        if self.topology == "standalone" and self.replicas != 1:
            raise field_error(
                "a standalone database has exactly 1 replica",
                "set replicas to 1, or topology to replication or galera",
            )
        if self.topology == "replication" and self.replicas < 2:
            raise field_error("replication needs at least 2 replicas", "set replicas to 3")
        return self
