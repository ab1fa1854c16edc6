"""`proxy`: the ProxySQL tier."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from components.config.credentials import SYSTEM_ACCOUNTS
from components.config.errors import field_error
from components.config.model import Issuer, Model, Resources, SecretRef
from components.config.types import (
    MAX_INT,
    Annotations,
    Bool,
    ClientAddress,
    Comment,
    Count,
    Digest,
    Hostgroup,
    Interfaces,
    Message,
    Milliseconds,
    Natural,
    NodePort,
    ObjectName,
    PodLabels,
    Port,
    Quantity,
    Regex,
    Replacement,
    SchemaName,
    SecretKey,
    UserName,
    Variable,
)


class Service(Model):
    """The client Service, and the optional one of the admin interface.

    The admin Service is a ClusterIP, or a NodePort when it has a node port, whatever the other is:
    it is full control of the proxies.
    """

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: Annotations = {}
    port: Port = 6033
    node_port: NodePort | None = None
    expose_admin: Bool = False
    admin_port: Port = 6032
    admin_node_port: NodePort | None = None

    @model_validator(mode="after")
    def _node_ports_fit(self) -> Self:
        if self.type == "ClusterIP" and self.node_port:
            raise field_error("a ClusterIP Service has no node port", "set type to NodePort")
        if self.admin_node_port and not self.expose_admin:
            raise field_error(
                "admin_node_port needs the admin Service", "set service.expose_admin to true"
            )
        if self.node_port and self.node_port == self.admin_node_port:
            raise field_error("node_port and admin_node_port must differ", "choose another port")
        return self


class Hostgroups(Model):
    """ProxySQL hostgroup numbers; `backup_writer` and `offline` are used by Galera only."""

    writer: Hostgroup = 10
    reader: Annotated[int, Strict(), Field(ge=1, le=MAX_INT)] = 20
    backup_writer: Hostgroup = 30
    offline: Hostgroup = 40
    comment: Comment = "mysql-ha"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({self.writer, self.reader, self.backup_writer, self.offline}) != 4:
            raise field_error(
                "writer, reader, backup_writer and offline must be four different hostgroups",
                "give each its own number",
            )
        return self


class Monitor(Model):
    """ProxySQL's monitor account and checks; every interval and timeout is in milliseconds.

    Defaults: measured failure times, `docs/proxysql.md`.
    """

    username: UserName = "proxysql_monitor"
    connect_interval: Milliseconds = 10_000
    connect_timeout: Milliseconds = 1_000
    ping_interval: Milliseconds = 2_000
    ping_timeout: Milliseconds = 1_000
    ping_max_failures: Count | None = None
    """Failed pings in a row that shun a server. None: 3, or 10 behind the primary's Service."""
    read_only_interval: Milliseconds = 1_000
    read_only_timeout: Milliseconds = 800
    read_only_max_timeout_count: Count = 3
    galera_interval: Milliseconds = 1_000
    galera_timeout: Milliseconds = 800
    galera_max_timeout_count: Count = 3

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.username in SYSTEM_ACCOUNTS:
            raise field_error(
                "monitor.username is a name that the servers, an operator or ProxySQL keep for "
                "themselves",
                "use proxysql_monitor",
            )
        for check in ("connect", "ping", "read_only", "galera"):
            if getattr(self, f"{check}_timeout") > getattr(self, f"{check}_interval"):
                raise field_error(
                    f"monitor.{check}_timeout is longer than its interval",
                    f"lower monitor.{check}_timeout",
                )
        return self


class ProxyTls(Model):
    """The certificate that proxies show to clients.

    From an existing Secret of type kubernetes.io/tls, or from a cert-manager issuer. With neither,
    each Pod makes its own at its start: that encrypts and proves nothing.
    """

    secret: ObjectName | None = None
    issuer: Issuer | None = None
    ca_key: SecretKey = "ca.crt"
    """Key of the CA certificate in the Secret. ProxySQL sends one certificate of `tls.crt` and this
    one: with an intermediate CA, that is the one to name."""
    required: Bool = False
    """Every login must use TLS; a user's `require_tls` overrides it."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.secret and self.issuer:
            raise field_error("has two certificates", "keep either secret or issuer")
        if self.ca_key == "tls.key":
            raise field_error("ca_key is the private key", "name the key of the CA certificate")
        if "ca_key" in self.model_fields_set and not (self.secret or self.issuer):
            raise field_error("ca_key is a key of no Secret", "set secret or issuer, or remove it")
        return self


class QueryRule(Model):
    """One row of ProxySQL's `mysql_query_rules`; conditions that are not set match everything.

    Names are ProxySQL's, in lower case. `apply` is true unless said otherwise, as a rule without
    it is followed by all later ones.
    """

    rule_id: Annotated[int, Strict(), Field(ge=1, le=999_999_999)]
    """Rules are tried in this order; those of `read_write_split` come after."""
    active: Bool = True
    username: UserName | None = None
    schemaname: SchemaName | None = None
    flag_in: Natural = 0
    client_addr: ClientAddress | None = None
    proxy_port: Port | None = None
    digest: Digest | None = None
    match_digest: Regex | None = None
    match_pattern: Regex | None = None
    negate_match_pattern: Bool = False
    re_modifiers: Literal["CASELESS", "GLOBAL", "CASELESS,GLOBAL"] = "CASELESS"
    flag_out: Natural | None = None
    replace_pattern: Replacement | None = None
    destination_hostgroup: Hostgroup | None = None
    cache_ttl: Annotated[int, Strict(), Field(ge=1, le=MAX_INT)] | None = None
    """Milliseconds for which a result is served from the proxy's memory."""
    timeout: Milliseconds | None = None
    """Milliseconds after which the statement is killed."""
    retries: Annotated[int, Strict(), Field(ge=0, le=100)] | None = None
    """How often a statement whose connection broke runs again: for reads only."""
    delay: Milliseconds | None = None
    error_msg: Message | None = None
    multiplex: Literal[0, 1, 2] | None = None
    log: Bool | None = None
    apply: Bool = True
    comment: Comment = ""

    @model_validator(mode="after")
    def _acts(self) -> Self:
        actions = (
            "flag_out", "replace_pattern", "destination_hostgroup", "cache_ttl", "timeout",
            "retries", "delay", "error_msg", "multiplex", "log",
        )  # fmt: skip
        if all(getattr(self, action) is None for action in actions):
            raise field_error("does nothing", f"set one of {', '.join(actions)}")
        if not (self.match_pattern or self.match_digest):
            if self.replace_pattern is not None:
                raise field_error("replaces a pattern and has none", "set match_pattern")
            if self.negate_match_pattern:
                raise field_error("negates a pattern and has none", "set match_pattern")
        if self.flag_out is not None and self.apply:
            raise field_error(
                "has flag_out and apply, which ends the search for rules",
                "set apply to false, or remove flag_out",
            )
        return self


class ProxyUser(Model):
    """A user that logs in through ProxySQL; it must exist in the database.

    `password` is a secret config value (the loader replaces it by a marker), `existing_secret`
    the key of an existing Secret. Exactly one of them.
    """

    username: UserName
    password: Literal["(secret)"] | None = None
    existing_secret: SecretRef | None = None
    default_hostgroup: Hostgroup | None = None
    """None: the writer hostgroup."""
    max_connections: Count = 200
    """Frontend connections of this user, per proxy."""
    active: Bool = True
    default_schema: SchemaName | None = None
    require_tls: Bool | None = None
    """Whether a login must use TLS. None: `proxy.tls.required`."""


class ProxyStorage(Model):
    """ProxySQL's data directory. It holds nothing durable: every boot reads the file afresh."""

    persistent: Bool = False
    size: Quantity = "2Gi"
    """Size limit of the emptyDir, or size of the persistent volume."""
    storage_class: ObjectName | None = None


class Drain(Model):
    """What a Pod does before it stops; seconds."""

    endpoint_removal: Annotated[int, Strict(), Field(ge=0, le=120)] = 8
    """How long it goes on accepting while Services forget it."""
    timeout: Annotated[int, Strict(), Field(ge=0, le=3600)] = 45
    """How long it waits for client sessions to end."""


MAX_PROXIES = 20
"""Most Pods of a tier."""


class Proxy(Model):
    """The ProxySQL tier."""

    enabled: Bool
    managed_by: Literal["mysql-ha", "operator"]
    """`mysql-ha`: this program's own tier; `operator`: the one Percona's operator runs."""
    routing: Literal["primary_service", "monitor"] = "primary_service"
    """Replication only: who tells the primary, the operator by its Service or the proxies by
    `read_only`. With `monitor` a switchover loses writes on replicas (docs/failover.md)."""
    replicas: Annotated[int, Strict(), Field(ge=1, le=MAX_PROXIES)]
    max_replicas: Annotated[int, Strict(), Field(ge=1, le=MAX_PROXIES)] | None = None
    """Up to how many `replicas` may change without a roll: the servers' connections are shared out
    among so many. None: the next multiple of 5; one proxy alone has all."""
    service: Service = Service()
    hostgroups: Hostgroups = Hostgroups()
    monitor: Monitor = Monitor()
    threads: Annotated[int, Strict(), Field(ge=1, le=255)]
    """Worker threads; match the CPU limit. A change restarts the Pods."""
    max_connections: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] = 2048
    """Frontend connections, per proxy."""
    backend_max_connections: Count | None = None
    """Connections from one proxy to one server, per hostgroup in use. None: the share of one of
    `max_replicas` of 80 % of the server's."""
    max_replication_lag: Annotated[int, Strict(), Field(ge=0, le=126_144_000)] = 0
    """Seconds after which a reader is left out; 0 is off."""
    server_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+[-.A-Za-z0-9]*$")] | None = None
    """The version told to clients. None: the database's."""
    interfaces: Interfaces = "0.0.0.0:6033"
    clustering: Literal["membership", "runtime", "off"] = "membership"
    switchover_wait: Annotated[int, Strict(), Field(ge=0, le=60)] = 15
    """Seconds for which new statements wait while the primary is read-only, as in a planned
    switchover; then they are sent there and refused. 0: they are refused at once."""
    min_semi_sync_replicas: Annotated[int, Strict(), Field(ge=0, le=8)] | None = None
    """How many semi-sync replicas must follow the primary, or writes wait. None: 1, where it can be
    looked at (`StackConfig.fence`); 0: they do not wait."""
    users: tuple[ProxyUser, ...] = ()
    read_write_split: Bool = False
    """Plain reads outside transactions go to the reader hostgroup."""
    query_rules: tuple[QueryRule, ...] = ()
    tls: ProxyTls = ProxyTls()
    storage: ProxyStorage = ProxyStorage()
    resources: Resources = Resources()
    pod_annotations: Annotations = {}
    pod_labels: PodLabels = {}
    drain: Drain = Drain()
    admin_variables: dict[str, Variable] = {}
    mysql_variables: dict[str, Variable] = {}

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the listening addresses; the client Service leads to the first."""
        return tuple(int(part.rpartition(":")[2]) for part in self.interfaces.split(";"))


CONNECT_TIMEOUT = 20_000
"""Milliseconds for which a statement waits for a server of its hostgroup, instead of failing."""


SERVICE_CONNECTION_AGE = 5_000
"""Milliseconds after which an idle connection to the primary's Service is closed."""
