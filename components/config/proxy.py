"""`proxy`: the ProxySQL tier."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator
from pydantic.fields import FieldInfo

from components import names
from components.config.credentials import SYSTEM_ACCOUNTS
from components.config.errors import field_error
from components.config.model import Issuer, Model, Resources, SecretRef
from components.config.proxysql import ADMIN_PORT
from components.config.proxysql_variables import MYSQL_VARIABLES, Number
from components.config.types import (
    MAX_INT,
    Annotations,
    Bool,
    Bytes,
    Cidr,
    ClientAddress,
    Comment,
    Count,
    Digest,
    Hostgroup,
    HostName,
    Interfaces,
    Labels,
    LoadBalancerClass,
    Message,
    Milliseconds,
    Namespace,
    Natural,
    NodePort,
    ObjectName,
    Password,
    PodLabels,
    Port,
    Regex,
    Replacement,
    SchemaName,
    SecretKey,
    UserName,
    Variable,
    VariableName,
)


def _limits(variable: str) -> FieldInfo:
    """Of a number, as ProxySQL's variable has them; it would ignore another one."""
    known = MYSQL_VARIABLES[variable]
    if not isinstance(known, Number):
        raise TypeError(f"{variable} is no number")
    return FieldInfo(strict=True, ge=known.least, le=known.most)


class Service(Model):
    """The client Service, and the optional one of the admin interface.

    The admin Service is a ClusterIP, or a NodePort when it has a node port, whatever type the
    client Service has, because it gives full control of the proxies.
    """

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Type of the client Service."""
    annotations: Annotations = {}
    """Annotations of the client Service."""
    port: Port = names.CLIENT_PORT
    """Port of the client Service."""
    node_port: NodePort | None = None
    """Unset: Kubernetes chooses one if the type has node ports."""
    external_traffic_policy: Literal["Cluster", "Local"] | None = None
    """NodePort and LoadBalancer. `Local`: proxies see the clients' own addresses, and nodes without
    a proxy do not answer. Unset: `Cluster`."""
    load_balancer_source_ranges: tuple[Cidr, ...] = ()
    """LoadBalancer: who may connect, if the load balancer supports it. Empty: anyone."""
    load_balancer_class: LoadBalancerClass | None = None
    """LoadBalancer: which controller makes it. Unset: the cluster's default. Fixed while the type
    stays."""
    expose_admin: Bool = False
    """Make a ClusterIP Service of the admin port, for the account `cluster`; needs `clustering`. It
    gives full control of the proxies."""
    admin_port: Port = ADMIN_PORT
    """Port of the admin Service."""
    admin_node_port: NodePort | None = None
    """Makes the admin Service a NodePort. Needs `expose_admin`."""

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
    """Where writes go, and every user by default."""
    reader: Annotated[int, Strict(), Field(ge=1, le=MAX_INT)] = 20
    """Where servers with `read_only=1` are."""
    backup_writer: Hostgroup = 30
    """Galera: servers that could take over."""
    offline: Hostgroup = 40
    """Galera: servers that have left the cluster."""
    comment: Comment = "mysql-ha"
    """Text in ProxySQL's hostgroup table, without quotes."""

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
    """The monitor's account in the database; made by this program. Fixed while there are
    proxies."""
    connect_interval: Annotated[int, _limits("monitor_connect_interval")] = 10_000
    """Time between connection checks; ms."""
    connect_timeout: Annotated[int, _limits("monitor_connect_timeout")] = 1_000
    """Timeout of a connection check; ms."""
    ping_interval: Annotated[int, _limits("monitor_ping_interval")] = 2_000
    """Time between pings; ms."""
    ping_timeout: Annotated[int, _limits("monitor_ping_timeout")] = 1_000
    """Timeout of a ping; ms."""
    ping_max_failures: Annotated[int, _limits("monitor_ping_max_failures")] | None = None
    """Failed pings in a row that shun a server. Unset: 3, or 10 for the primary's Service, for
    which statements wait."""
    read_only_interval: Annotated[int, _limits("monitor_read_only_interval")] = 1_000
    """Replication: time between checks of `read_only`; ms."""
    read_only_timeout: Annotated[int, _limits("monitor_read_only_timeout")] = 800
    """Replication: timeout of such a check; ms."""
    read_only_max_timeout_count: Annotated[int, _limits("monitor_read_only_max_timeout_count")] = 3
    """Replication: timeouts in a row that make the server a reader."""
    galera_interval: Annotated[int, _limits("monitor_galera_healthcheck_interval")] = 1_000
    """Galera: time between checks of the wsrep status; ms."""
    galera_timeout: Annotated[int, _limits("monitor_galera_healthcheck_timeout")] = 800
    """Galera: timeout of such a check; ms."""
    galera_max_timeout_count: Annotated[
        int, _limits("monitor_galera_healthcheck_max_timeout_count")
    ] = 3
    """Galera: timeouts in a row that take the server out."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.username in SYSTEM_ACCOUNTS:
            raise field_error(
                "monitor.username is an account of the servers, of an operator or of ProxySQL",
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
    each Pod makes its own at its start: connections are encrypted, but clients cannot verify the
    proxy.
    """

    secret: ObjectName | None = None
    """Existing Secret with the certificate that clients see: `tls.crt`, `tls.key` and `ca_key`. Not
    with `issuer`. If neither is set, each Pod makes its own."""
    issuer: Issuer | None = None
    """cert-manager's issuer of the certificate that clients see. Not with `secret`."""
    ca_key: SecretKey = "ca.crt"
    """Key of the CA's certificate in that Secret. ProxySQL sends one certificate of `tls.crt` and
    this one; with an intermediate CA, name the intermediate."""
    required: Bool = False
    """Every login must use TLS; a user's `require_tls` overrides it."""

    @property
    def given(self) -> bool:
        """Whether the proxies show a given certificate instead of one that each Pod makes."""
        return bool(self.secret or self.issuer)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.secret and self.issuer:
            raise field_error("has two certificates", "keep either secret or issuer")
        if self.ca_key == "tls.key":
            raise field_error("ca_key is the private key", "name the key of the CA certificate")
        if "ca_key" in self.model_fields_set and not self.given:
            raise field_error("ca_key has no Secret", "set secret or issuer, or remove it")
        return self


class QueryRule(Model):
    """One row of ProxySQL's `mysql_query_rules`; conditions that are not set match everything.

    Names are ProxySQL's, in lower case. `apply` is true by default, because ProxySQL tries all
    later rules after a rule without it.
    """

    rule_id: Annotated[int, Strict(), Field(ge=1, le=999_999_999)]
    """Rules are tried in this order; those of `read_write_split` come after."""
    active: Bool = True
    """False: ProxySQL keeps the rule and skips it."""
    username: UserName | None = None
    """Condition: the login."""
    schemaname: SchemaName | None = None
    """Condition: the current schema."""
    flag_in: Natural = 0
    """Condition: 0, or the `flag_out` of a rule that matched before."""
    client_addr: ClientAddress | None = None
    """Condition: where the client comes from."""
    proxy_port: Port | None = None
    """Condition: the port of `proxy.interfaces` it connected to."""
    digest: Digest | None = None
    """Condition: the statement's digest, as `stats_mysql_query_digest` lists it. In quotes: YAML
    reads it as a number."""
    match_digest: Regex | None = None
    """Condition: matches the statement without its values and comments."""
    match_pattern: Regex | None = None
    """Condition: matches the statement's text."""
    negate_match_pattern: Bool = False
    """The pattern must not match."""
    re_modifiers: Literal["CASELESS", "GLOBAL", "CASELESS,GLOBAL"] = "CASELESS"
    """How the patterns match."""
    flag_out: Natural | None = None
    """Continues with the rules of this `flag_in`; needs `apply: false`."""
    replace_pattern: Replacement | None = None
    """Text that replaces what the pattern matched."""
    destination_hostgroup: Hostgroup | None = None
    """Where the statement goes: the writer's, the reader's or one of `other_servers`."""
    cache_ttl: Annotated[int, Strict(), Field(ge=1, le=MAX_INT)] | None = None
    """Milliseconds for which a result is served from the proxy's memory."""
    cache_empty_result: Bool | None = None
    """Whether a result without rows is kept too. Unset:
    `proxy.mysql_variables.query_cache_stores_empty_result`. Needs `cache_ttl`."""
    timeout: Milliseconds | None = None
    """Milliseconds after which the statement is killed."""
    retries: Annotated[int, Strict(), Field(ge=0, le=100)] | None = None
    """How often a statement is repeated after its connection was lost; for reads only."""
    delay: Milliseconds | None = None
    """Milliseconds that the statement waits first."""
    error_msg: Message | None = None
    """The statement is refused with this text."""
    ok_msg: Message | None = None
    """The statement is not run, and answered with OK and this text; before `error_msg`."""
    next_query_flag_in: Natural | None = None
    """The session's next statement begins with the rules of this `flag_in`."""
    multiplex: Literal[0, 1, 2] | None = None
    """0: from now on the session keeps its connection to the server; 1: it no longer does; 2: a
    variable in the statement does not make the session keep its connection."""
    log: Bool | None = None
    """Writes the statement to ProxySQL's query log, if there is one."""
    apply: Bool = True
    """No later rule is tried. ProxySQL's own default is false."""
    comment: Comment = ""
    """Text in ProxySQL's table, without quotes."""

    @model_validator(mode="after")
    def _acts(self) -> Self:
        actions = (
            "flag_out", "replace_pattern", "destination_hostgroup", "cache_ttl", "timeout",
            "retries", "delay", "error_msg", "ok_msg", "next_query_flag_in", "multiplex", "log",
        )  # fmt: skip
        if all(getattr(self, action) is None for action in actions):
            raise field_error("does nothing", f"set one of {', '.join(actions)}")
        if self.replace_pattern is not None:
            if self.match_pattern is None:
                # ProxySQL loses the row: a CHECK of the table (lib/ProxySQL_Admin.cpp).
                raise field_error(
                    "has replace_pattern, which replaces what match_pattern matched, and none",
                    "set match_pattern",
                )
            if self.negate_match_pattern:
                raise field_error(
                    "has replace_pattern and negate_match_pattern, so nothing is there to replace",
                    "remove one of them",
                )
        if self.negate_match_pattern and not (self.match_pattern or self.match_digest):
            raise field_error("has negate_match_pattern, but no pattern", "set match_pattern")
        if self.cache_empty_result is not None and self.cache_ttl is None:
            raise field_error("has cache_empty_result, but keeps no result", "set cache_ttl")
        if self.flag_out is not None and self.apply:
            raise field_error(
                "has flag_out and apply, which ends the search for rules",
                "set apply to false, or remove flag_out",
            )
        return self


class StatsReader(Model):
    """Pods that read ProxySQL's statistics."""

    namespace: Namespace | None = None
    """Namespace of the Pods. Unset: the database's own."""
    pod_labels: Labels = {}
    """Labels of the Pods. Empty: all Pods of the namespace."""

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not (self.namespace or self.pod_labels):
            raise field_error("names nobody", "set namespace or pod_labels")
        return self


class ProxyUser(Model):
    """A user that logs in through ProxySQL; it must exist in the database.

    `password` is a secret config value (the loader replaces it by a marker), `existing_secret`
    the key of an existing Secret. Exactly one of them.
    """

    username: UserName
    """Login name."""
    password: Password | None = None
    """Secret config value: `pulumi config set --secret --path`. Either this or
    `existing_secret`."""
    existing_secret: SecretRef | None = None
    """Where the password is. Either this or `password`."""
    default_hostgroup: Hostgroup | None = None
    """Unset: the writer hostgroup. The reader hostgroup makes it a login for reads."""
    max_connections: Count = 200
    """Frontend connections of this user, per proxy."""
    active: Bool = True
    """False: the login is refused."""
    default_schema: SchemaName | None = None
    """Schema for a client that names none."""
    require_tls: Bool | None = None
    """Whether a login must use TLS. Unset: `proxy.tls.required`."""


class OtherServer(Model):
    """A server that is no part of this database, in a hostgroup that logins and rules may name."""

    host: HostName
    """Its name or IPv4 address, none of this database's."""
    port: Port = 3306
    """Its port."""
    hostgroup: Hostgroup
    """None of `proxy.hostgroups`. Servers of the same number share the statements."""
    weight: Annotated[int, Strict(), Field(ge=1, le=10_000_000)] = 1
    """One with twice the weight gets twice as much."""
    max_connections: Count = 100
    """Connections from one proxy to it."""
    tls: Bool = False
    """Use TLS if the server offers it."""


class ProxyStorage(Model):
    """ProxySQL's data directory. It holds nothing durable: every boot reads the file afresh."""

    persistent: Bool = False
    """A volume per proxy instead of an emptyDir. Fixed while on."""
    size: Bytes = "2Gi"
    """Size limit of the emptyDir, or size of the persistent volume, in bytes."""
    storage_class: ObjectName | None = None
    """Unset: the cluster's default."""


class Drain(Model):
    """What a Pod does before it stops."""

    endpoint_removal: Annotated[int, Strict(), Field(ge=0, le=120)] = 8
    """Seconds for which a stopping Pod still accepts connections while Services forget it."""
    timeout: Annotated[int, Strict(), Field(ge=0, le=3600)] = 45
    """Seconds for which it then waits until client sessions end."""


MAX_PROXIES = 20
"""Maximum number of Pods in a tier."""


class Proxy(Model):
    """The ProxySQL tier."""

    enabled: Bool
    """Whether there are proxies at all."""
    managed_by: Literal["mysql-ha", "operator"]
    """`mysql-ha`: proxies of this program; `operator`: those that Percona's operator runs, with its
    own configuration. Only a Percona cluster has a choice. Fixed while there are proxies."""
    routing: Literal["primary_service", "monitor"] = "primary_service"
    """Topology `replication` only. `primary_service`: the proxies connect to the operator's Service
    of the primary; `monitor`: they find it by `read_only`, and a switchover loses writes on
    replicas."""
    replicas: Annotated[int, Strict(), Field(ge=1, le=MAX_PROXIES)]
    """Number of proxies."""
    paused: Bool = False
    """No proxy runs and no client gets in; the servers and the rest of the tier stay
    ([how](operations.md#keep-all-clients-out))."""
    max_replicas: Annotated[int, Strict(), Field(ge=1, le=MAX_PROXIES)] | None = None
    """`replicas` may change without a roll up to this number, by which the servers' connections are
    divided. Unset: the next multiple of 5; a single proxy has all connections."""
    service: Service = Service()
    """Where clients connect, and the admin port's Service."""
    hostgroups: Hostgroups = Hostgroups()
    """Four different numbers by which ProxySQL groups the servers."""
    monitor: Monitor = Monitor()
    """How the proxies check the servers. No timeout is longer than its interval."""
    threads: Annotated[int, _limits("threads")]
    """Worker threads; match the CPU limit. A change restarts the Pods."""
    max_connections: Annotated[int, _limits("max_connections")] = 2048
    """Frontend connections, per proxy."""
    backend_max_connections: Count | None = None
    """Connections from one proxy to one server, per hostgroup in use. Unset: 80 % of the server's,
    divided by `max_replicas`."""
    max_replication_lag: Annotated[int, Strict(), Field(ge=0, le=126_144_000)] = 0
    """Seconds of lag after which a reader gets no statements; 0 is off."""
    server_version: (
        Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+[-.A-Za-z0-9]{0,60}$")] | None
    ) = None
    """The version told to clients. Unset: the database's."""
    interfaces: Interfaces = f"0.0.0.0:{names.CLIENT_PORT}"
    """Where the client port listens, in the Pod. With `[::]` the admin port listens on IPv6 too
    ([IPv6](proxysql.md#ipv6))."""
    clustering: Literal["membership", "runtime", "off"] = "membership"
    """`membership`: proxies know each other and never copy config. `runtime`: they copy admin
    changes. `off`: they do not know each other."""
    switchover_wait: Annotated[int, Strict(), Field(ge=0, le=60)] = 15
    """Seconds for which new statements wait while the primary is read-only, as in a planned
    switchover. After that they are sent there, and writes are refused; with 0 immediately. Needs
    routing `primary_service`; not with clustering `runtime`."""
    min_semi_sync_replicas: Annotated[int, Strict(), Field(ge=0, le=8)] | None = None
    """Statements for the writer wait while fewer semi-sync replicas than this follow the primary.
    Unset: 1, if `switchover_wait` is possible and `database.semi_sync` is on; 0: they do not
    wait."""
    users: tuple[ProxyUser, ...] = ()
    """Logins of accounts that exist in the database."""
    stats_readers: tuple[StatsReader, ...] = ()
    """Who may log in to each proxy's admin port as `stats_reader`, to read statistics. Empty: there
    is no such login. It [leads to more](security.md#the-login-for-statistics)."""
    other_servers: tuple[OtherServer, ...] = ()
    """Servers outside this database, such as a replica for reports
    ([what holds there](proxysql.md#other-servers))."""
    read_write_split: Bool = False
    """Adds rules that send plain reads outside transactions to the reader hostgroup
    ([pitfalls](proxysql.md#readwrite-split-and-query-rules))."""
    query_rules: tuple[QueryRule, ...] = ()
    """Rows of ProxySQL's `mysql_query_rules`; conditions that are not set match everything."""
    tls: ProxyTls = ProxyTls()
    """The certificate that proxies show to clients."""
    storage: ProxyStorage = ProxyStorage()
    """ProxySQL's data directory. It holds nothing durable."""
    resources: Resources = Resources()
    """CPU and memory of each proxy."""
    pod_annotations: Annotations = {}
    """Annotations of the proxy Pods."""
    pod_labels: PodLabels = {}
    """Labels of the proxy Pods."""
    drain: Drain = Drain()
    """What a Pod does before it stops."""
    admin_variables: dict[VariableName, Variable] = {}
    """ProxySQL `admin-` variables, without the prefix."""
    mysql_variables: dict[VariableName, Variable] = {}
    """ProxySQL `mysql-` variables, without the prefix."""

    @property
    def running(self) -> int:
        """Number of proxies that there are now."""
        return 0 if self.paused else self.replicas

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the listening addresses; the client Service leads to the first."""
        ports = (int(part.rpartition(":")[2]) for part in self.interfaces.split(";"))
        return tuple(dict.fromkeys(ports))

    @property
    def ipv6(self) -> bool:
        """Whether the proxies listen on IPv6 addresses of their Pods."""
        return "[::]" in self.interfaces


_UNUSED = "is read by ProxySQL, and nothing in it uses the value"
_TWICE = "would run statements twice, writes as well, and in another order"
NOT_OFFERED = {
    "proxy.query_rules.sticky_conn": _UNUSED,
    "proxy.query_rules.reconnect": _UNUSED,
    "proxy.query_rules.cache_timeout": _UNUSED,
    "proxy.query_rules.mirror_hostgroup": _TWICE,
    "proxy.query_rules.mirror_flag_out": _TWICE,
    "proxy.query_rules.gtid_from_hostgroup": "does nothing here: MariaDB and Galera tell ProxySQL "
    "no GTIDs",
    "proxy.query_rules.proxy_addr": "would be the address of a Pod, which nobody knows before",
    "proxy.query_rules.attributes": "would choose the next rules at random, statement by statement",
    "proxy.users.fast_forward": "would bind a session to one connection, past rules, fence and "
    "switchover: writes to an old primary would be acknowledged and lost",
    "proxy.users.transaction_persistent": "would, when off, send the statements of a transaction "
    "to several servers",
    "proxy.users.schema_locked": _UNUSED,
    "proxy.scheduler": "would run with the admin password at hand, in the image of ProxySQL, and "
    "several times, once in each Pod; run a job of Kubernetes instead",
}
"""What ProxySQL has and a stack may not set, by path without indexes: why."""

CONNECT_TIMEOUT = 20_000
"""Milliseconds for which a statement waits for a server of its hostgroup, instead of failing."""


SERVICE_CONNECTION_AGE = 5_000
"""Milliseconds after which an idle connection to the primary's Service is closed."""
