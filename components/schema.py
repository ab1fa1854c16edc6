"""The shape of a stack's config: plain, validated, frozen, and without secrets."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self, cast

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from components import quantity
from components.errors import broken
from components.fields import (
    MAX_INT,
    Annotations,
    Bool,
    ClientAddress,
    Comment,
    Count,
    Digest,
    Duration,
    Granted,
    Hostgroup,
    Interfaces,
    Label,
    Labels,
    Message,
    Milliseconds,
    Namespace,
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
    Tag,
    TopologyKind,
    Uid,
    UserName,
    Variable,
)


class Model(BaseModel):
    """Frozen, refuses unknown keys, and never prints an input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretRef(Model):
    """A key of an existing Secret in the database's namespace."""

    name: ObjectName
    key: SecretKey


class Resources(Model):
    """Container resources: quantities of `cpu` (cores) and `memory` (bytes)."""

    class Amounts(Model):
        """Amounts of one side; an absent one is not set in the Pod."""

        cpu: Quantity | None = None
        memory: Quantity | None = None

    requests: Amounts = Amounts()
    limits: Amounts = Amounts()

    @model_validator(mode="after")
    def _requests_fit(self) -> Self:
        for kind in ("cpu", "memory"):
            request = cast(str | None, getattr(self.requests, kind))
            limit = cast(str | None, getattr(self.limits, kind))
            if request and limit and quantity.parse(request) > quantity.parse(limit):
                raise broken(
                    f"requests more {kind} than its limit", f"raise limits.{kind} or lower requests"
                )
        return self


class Storage(Model):
    """A volume: its size in bytes (quantity) and storage class (None: the cluster's default)."""

    size: Quantity
    storage_class: ObjectName | None = None


OWN_OPTIONS = {
    "max_connections": "database.max_connections",
    "port": "the program",
    "bind_address": "the program",
    "require_secure_transport": "security.tls",
    "read_only": "the operator",
    "rpl_semi_sync_master_enabled": "database.semi_sync",
    "rpl_semi_sync_master_timeout": "database.semi_sync_timeout",
    "rpl_semi_sync_master_wait_point": "the program",
    "rpl_semi_sync_master_wait_no_slave": "proxy.min_semi_sync_replicas",
    "init_slave": "proxy.min_semi_sync_replicas",
}
"""Server options that another config key decides, or that the proxies rely on."""


class Database(Model):
    """The servers: of MariaDB, or the nodes of a Percona XtraDB Cluster."""

    topology: TopologyKind
    replicas: Annotated[int, Strict(), Field(ge=1, le=9)]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?$")] | None = None
    """Server version; needed only when the image tag does not start with it."""
    storage: Storage
    resources: Resources = Resources()
    max_connections: Annotated[int, Strict(), Field(ge=20, le=100_000)]
    """The server's `max_connections`, shared by all proxies and the operator."""
    my_cnf: str = ""
    """Text appended to the generated my.cnf."""
    semi_sync: Bool = True
    """Replication only: a commit waits for one replica (`rpl_semi_sync_master`)."""
    semi_sync_timeout: Duration | None = None
    """How long it waits before it goes on without. None: 10 s where the proxies stop writes before
    (`StackConfig.fence`), otherwise 2 s, as a promotion takes as long (docs/failover.md)."""
    ready_timeout: Duration = "20m"
    """How long `pulumi up` waits for the operator to report Ready."""
    pod_annotations: Annotations = {}
    pod_labels: PodLabels = {}

    @model_validator(mode="after")
    def _replicas_fit(self) -> Self:
        if self.topology == "standalone" and self.replicas != 1:
            raise broken(
                "a standalone database has exactly 1 replica",
                "set replicas to 1, or topology to replication or galera",
            )
        if self.topology == "replication" and self.replicas < 2:
            raise broken("replication needs at least 2 replicas", "set replicas to 3")
        for line in self.my_cnf.splitlines():
            words = re.split(r"[\s=]+", line.strip())
            option = words[0].lower().replace("-", "_").removeprefix("loose_")
            if option in OWN_OPTIONS:
                raise broken(
                    f"my_cnf must not set {option}: {OWN_OPTIONS[option]} decides it",
                    "remove the line",
                )
        return self


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
            raise broken("a ClusterIP Service has no node port", "set type to NodePort")
        if self.admin_node_port and not self.expose_admin:
            raise broken(
                "admin_node_port needs the admin Service", "set service.expose_admin to true"
            )
        if self.node_port and self.node_port == self.admin_node_port:
            raise broken("node_port and admin_node_port must differ", "choose another port")
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
            raise broken(
                "writer, reader, backup_writer and offline must be four different hostgroups",
                "give each its own number",
            )
        return self


SYSTEM_ACCOUNTS = frozenset(
    {"root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "repl"}
    | {"admin", "stats", "monitor", "cluster"}
    | {"xtrabackup", "operator", "replication", "proxyadmin"}
    | {"pmmserver", "pmmserverkey", "pmmservertoken"}
)
"""Accounts of the servers, of mariadb-operator (`repl`), of ProxySQL and of Percona's operator
(pkg/pxc/users/users.go)."""


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
            raise broken(
                "monitor.username is a name that the servers, an operator or ProxySQL keep for "
                "themselves",
                "use proxysql_monitor",
            )
        for check in ("connect", "ping", "read_only", "galera"):
            if getattr(self, f"{check}_timeout") > getattr(self, f"{check}_interval"):
                raise broken(
                    f"monitor.{check}_timeout is longer than its interval",
                    f"lower monitor.{check}_timeout",
                )
        return self


class Issuer(Model):
    """A cert-manager issuer; an `Issuer` stands in the database's namespace."""

    name: ObjectName
    kind: Literal["Issuer", "ClusterIssuer"] = "Issuer"
    group: ObjectName = "cert-manager.io"


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
            raise broken("has two certificates", "keep either secret or issuer")
        if self.ca_key == "tls.key":
            raise broken("ca_key is the private key", "name the key of the CA certificate")
        if "ca_key" in self.model_fields_set and not (self.secret or self.issuer):
            raise broken("ca_key is a key of no Secret", "set secret or issuer, or remove it")
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
            raise broken("does nothing", f"set one of {', '.join(actions)}")
        if not (self.match_pattern or self.match_digest):
            if self.replace_pattern is not None:
                raise broken("replaces a pattern and has none", "set match_pattern")
            if self.negate_match_pattern:
                raise broken("negates a pattern and has none", "set match_pattern")
        if self.flag_out is not None and self.apply:
            raise broken(
                "has flag_out and apply, which ends the search for rules",
                "set apply to false, or remove flag_out",
            )
        return self


class ProxyUser(Model):
    """A user that logs in through ProxySQL; it must exist in the database.

    `password` is a secret config value (the loader replaces it by a marker), `password_secret`
    the key of an existing Secret. Exactly one of them.
    """

    username: UserName
    password: Literal["(secret)"] | None = None
    password_secret: SecretRef | None = None
    default_hostgroup: Hostgroup | None = None
    """None: the writer hostgroup."""
    max_connections: Count = 200
    """Frontend connections of this user, per proxy."""
    active: Bool = True
    default_schema: SchemaName | None = None
    require_tls: Bool | None = None
    """Whether a login must use TLS. None: `proxy.tls.required`."""


class Login(NamedTuple):
    """One of the accounts that take turns."""

    username: str
    generation: int
    """Which rotation its password is of."""
    key: str
    """Of the password, in the Secret that the servers read."""

    @property
    def mark(self) -> str:
        """What the second account's resources have at the end of their names."""
        return ".b" if self.generation % 2 else ""


def turns(account: str, rotation: int) -> tuple[Login, ...]:
    """Who may log in after a number of rotations: the newest login, then the one before it.

    Two accounts take turns ("alternating users" of AWS Secrets Manager's rotation), so that a
    rotation changes nothing for those who still hold the last login.
    """
    accounts = ((account, "password"), (f"{account}_b", "password-b"))
    generations = range(rotation, max(rotation - 2, -1), -1)
    return tuple(
        Login(accounts[generation % 2][0], generation, accounts[generation % 2][1])
        for generation in generations
    )


class App(Model):
    """An application: its databases, its account and how it reaches them.

    The password is generated unless `existing_secret` or `password` is set.
    """

    name: Label
    username: UserName | None = None
    """The account. None: the app's name. A second one, with `_b` at its end, takes turns with it
    when the password is rotated."""
    databases: dict[SchemaName, Granted]
    """What it may do, by database: a role or a list of privileges."""
    default_database: SchemaName | None = None
    """Which of them it is connected to unless it names another. None: its only one."""
    routing: Literal["writer", "reader"] = "writer"
    """`reader`: all its statements go to replicas, which lag behind."""
    max_connections: Count = 200
    """Its connections to each proxy; without proxies, to each server."""
    require_tls: Bool | None = None
    """Whether its logins must use TLS. None: `proxy.tls.required`."""
    existing_secret: SecretRef | None = None
    password: Literal["(secret)"] | None = None
    rotation: Natural = 0
    """Bump it for a new login with a generated password. The last one works until the next bump."""
    active: Bool = True
    """False: the proxies refuse its logins; nothing else changes."""
    cleanup: Literal["keep", "delete"] = "keep"
    """What becomes of its accounts and its databases when they leave the config."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """The user names that it ever logs in with."""
        name = self.username or self.name
        return (name, f"{name}_b") if self.generated else (name,)

    @property
    def logins(self) -> tuple[Login, ...]:
        """Who may log in, the one that its Secret names first.

        A password that is given has no past that this program knows, hence one account.
        """
        account = self.accounts[0]
        return turns(account, self.rotation) if self.generated else (Login(account, 0, "password"),)

    @property
    def generated(self) -> bool:
        """Whether its passwords are made here."""
        return not (self.existing_secret or self.password)

    @property
    def database(self) -> str:
        """The database that it is connected to unless it names another."""
        return self.default_database or next(iter(self.databases))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.databases:
            raise broken("has no database", "name one in databases")
        if self.default_database is None and len(self.databases) > 1:
            # A mapping has no order: Pulumi sorts the keys of a structured config value.
            raise broken("has several databases", "name one of them in default_database")
        if self.default_database not in (None, *self.databases):
            raise broken("has a default_database that it may not use", "name one of its databases")
        if self.existing_secret and self.password:
            raise broken("has two password sources", "keep either existing_secret or password")
        if self.rotation and not self.generated:
            raise broken(
                "has a rotation, which is for generated passwords",
                "remove it: a given password changes at its source, and the next `pulumi up` "
                "takes it up",
            )
        return self


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
    mode: Literal["standalone", "operator"]
    """`standalone`: this program's own tier; `operator`: the one Percona's operator runs."""
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


PROXY_ROLES = ("monitor", "proxy_admin", "proxy_stats", "proxy_cluster")
"""Roles of this program's own proxies; `proxysql.cnf` holds their passwords in clear text."""

KNOWN_TO_SERVERS = ("root", "replication")
"""Roles whose passwords the servers know from their first start on."""
ROTATED_BY_OPERATOR = {"mariadb": frozenset[str](), "percona": frozenset({"root"})}
"""Those of them whose new password the engine's operator brings to servers that run
(percona-xtradb-cluster-operator v1.18.0 pkg/controller/pxc/users.go, handleRootUser)."""


class Credential(Model):
    """One role's password: generated, from an existing Secret, or a secret config value."""

    existing_secret: SecretRef | None = None
    password: Literal["(secret)"] | None = None
    rotation: Natural = 0
    """Bump it to generate a new password, or to roll out a changed existing one."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.existing_secret and self.password:
            raise broken("has two password sources", "keep either existing_secret or password")
        return self


class Credentials(Model):
    """One credential per role; no two roles may share one."""

    root: Credential = Credential()
    replication: Credential = Credential()
    monitor: Credential = Credential()
    proxy_admin: Credential = Credential()
    proxy_stats: Credential = Credential()
    proxy_cluster: Credential = Credential()

    def items(self) -> Iterator[tuple[str, Credential]]:
        """(role, credential) pairs in declaration order."""
        return ((role, getattr(self, role)) for role in type(self).model_fields)


class Toleration(Model):
    """A Kubernetes toleration."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Natural | None = None


class Placement(Model):
    """Where the Pods of one tier may run."""

    disruption_budget: Bool
    """At most one Pod is evicted at a time."""
    spread: Literal["none", "preferred", "required"]
    """Over nodes and zones; `required` leaves a Pod pending when it has no node of its own."""
    node_selector: Labels = {}
    tolerations: tuple[Toleration, ...] = ()
    node_loss_seconds: Annotated[int, Strict(), Field(ge=0, le=86_400)] | None = None
    """Seconds that a Pod stays bound to a node that is not ready or does not answer; a toleration
    of that taint in `tolerations` wins. Unset: the cluster's default, 300 unless its owner has set
    another ([what it decides](failover.md#when-a-node-is-lost))."""
    priority_class: ObjectName | None = None
    affinity: dict[Literal["nodeAffinity", "podAffinity", "podAntiAffinity"], dict[str, Any]] = {}
    """Kubernetes affinity terms; a `podAntiAffinity` here replaces the one made by `spread`. The
    operator knows no `podAffinity` for the database."""


class Scheduling(Model):
    """Placement of both tiers."""

    database: Placement
    proxy: Placement


class PodUser(Model):
    """Numeric identities of a tier's containers. Pod Security `restricted` forbids root."""

    run_as_non_root: Literal[True] = True
    run_as_user: Uid = 999
    run_as_group: Uid = 999
    fs_group: Uid = 999


class Tls(Model):
    """TLS between proxies and servers, and among servers.

    Certificates are the operator's own, unless an issuer or an existing Secret is named.
    """

    enabled: Bool
    issuer: Issuer | None = None
    secret: ObjectName | None = None
    """An existing Secret with `tls.crt`, `tls.key` and `ca.crt` for all servers' names."""
    required: Bool = True
    """With TLS on: servers refuse connections without it. Turn TLS on for an existing database in
    two steps, first with `required: false` (mariadb-operator docs/tls.md)."""


class NetworkPolicy(Model):
    """Who may reach the proxies; lists hold names of namespaces.

    The admin port is for the proxies themselves, and for clients too where
    `proxy.service.expose_admin` says so.
    """

    enabled: Bool
    clients_from: tuple[Namespace, ...] = ()
    """Namespaces whose Pods may log in. Empty: anyone who can reach the Service."""
    metrics_from: tuple[Namespace, ...] = ()
    """Namespaces besides the database's own whose Pods may read the metrics."""


class Security(Model):
    """Protection of data and of Pods."""

    protect: Bool
    """Pulumi refuses to delete or replace the database and root's and replication's passwords."""
    tls: Tls
    network_policy: NetworkPolicy
    allow_vulnerable_images: Bool = False
    database: PodUser = PodUser()
    proxy: PodUser = PodUser()


class Image(Model):
    """A container image, pinned by version tag and optionally by digest."""

    registry: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:\d+)?$")] = "docker.io"
    repository: Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$")]
    tag: Tag
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"

    @property
    def reference(self) -> str:
        """The image reference that a container names."""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}:{self.tag}{digest}"


MARIADB_IMAGE = {"repository": "library/mariadb", "tag": "11.8.5"}
"""The default server of mariadb-operator v25.10.4 (deploy/charts/mariadb-operator/values.yaml)."""

PROXYSQL_IMAGE = {"repository": "proxysql/proxysql", "tag": "3.0.11-debian"}
"""The newest 3.0.x known when this was written; 3.0.9 and 2.7.4 fix CVE-2026-48773."""


DATA_PLANE_IMAGE = {
    "registry": "docker-registry3.mariadb.com",
    "repository": "mariadb-operator/mariadb-operator",
    "tag": "25.10.4",
}
"""The operator's own image runs beside each server of a cluster (same values.yaml)."""


PXC_IMAGE = {"repository": "percona/percona-xtradb-cluster", "tag": "8.0.42-33.1"}
PXC_PROXYSQL_IMAGE = {"repository": "percona/proxysql2", "tag": "2.7.3"}
LOG_COLLECTOR_IMAGE = {"repository": "percona/fluentbit", "tag": "4.0.1"}
"""Those of Percona's operator v1.18.0 (deploy/cr.yaml)."""


class Images(Model):
    """The images of both tiers; `pull_secrets` are names of Secrets in the namespace.

    `data_plane`: mariadb-operator's init and agent containers in replication and Galera Pods; of
    the version of the operator that is installed. `log_collector`: Percona's.
    """

    database: Image
    proxy: Image
    data_plane: Image
    log_collector: Image
    pull_secrets: tuple[ObjectName, ...] = ()


class Percona(Model):
    """What only a Percona XtraDB Cluster has."""

    cr_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = "1.18.0"
    """Version of the operator whose behaviour is wanted; the installed one must not be older."""
    log_collector: Bool = False
    """A container beside each server that sends its log to standard output."""


class StackConfig(Model):
    """One database, complete: a size with the stack's overrides."""

    size: Literal["dev", "small", "large"]
    engine: Literal["mariadb", "percona"]
    name: Label
    namespace: Namespace
    create_namespace: Bool = False
    await_sql: Bool = True
    adopt: Literal["none", "import", "take_over"] = "none"
    """The operator's object is there already. `import`: put it into the state and change nothing of
    it; `take_over`: apply this config to it, whoever wrote its fields before."""
    database: Database
    proxy: Proxy
    credentials: Credentials = Credentials()
    apps: tuple[App, ...] = ()
    scheduling: Scheduling
    security: Security
    images: Images
    percona: Percona | None = None

    @property
    def server_version(self) -> tuple[int, ...]:
        """The server's version as numbers, e.g. (11, 8, 5)."""
        text = self.database.version or version_in(self.images.database.tag)
        return tuple(int(part) for part in text.split("."))

    @property
    def full_version(self) -> str:
        """The server's version in three parts, as drivers expect it."""
        return ".".join(map(str, (*self.server_version, 0, 0)[:3]))

    @property
    def operator_proxies(self) -> bool:
        """Whether Percona's operator runs the proxies."""
        return self.proxy.enabled and self.proxy.mode == "operator"

    @property
    def monitor_logins(self) -> tuple[Login, ...]:
        """The accounts by which the proxies check the servers, the one in their file first.

        A proxy that waits for its roll goes on with the last one. With one account its monitor
        could not log in meanwhile, and it would take every server for a reader, or for gone.
        """
        account, source = self.proxy.monitor.username, self.credentials.monitor
        if source.existing_secret:
            return (Login(account, 0, source.existing_secret.key),)
        return (
            (Login(account, 0, "password"),) if source.password else turns(account, source.rotation)
        )

    @property
    def monitor_accounts(self) -> frozenset[str]:
        """The user names that the monitor ever has."""
        return frozenset({self.proxy.monitor.username, f"{self.proxy.monitor.username}_b"})

    @property
    def adopting(self) -> bool:
        """Whether the operator's object was there before this program."""
        return self.adopt != "none"

    @cached_property
    def logins(self) -> tuple[ProxyUser, ...]:
        """Everyone who logs in through the proxies: `proxy.users`, then the apps."""
        return (
            *self.proxy.users,
            *(self._login(app, login) for app in self.apps for login in app.logins),
        )

    def _login(self, app: App, login: Login) -> ProxyUser:
        reads = app.routing == "reader" and self.has_readers
        return ProxyUser(
            username=login.username,
            default_hostgroup=self.proxy.hostgroups.reader if reads else None,
            max_connections=app.max_connections,
            active=app.active,
            default_schema=app.database,
            require_tls=app.require_tls,
        )

    @property
    def own_proxies(self) -> bool:
        """Whether this program runs the proxies."""
        return self.proxy.enabled and self.proxy.mode == "standalone"

    @property
    def follows_service(self) -> bool:
        """Whether a watcher beside each proxy may look at the server behind the primary's Service.

        Not where peers copy what runs: a hold of one proxy would be everybody's.
        """
        return (
            self.own_proxies
            and self.database.topology == "replication"
            and self.proxy.routing == "primary_service"
            and self.proxy.clustering != "runtime"
        )

    @property
    def fence(self) -> int:
        """How many semi-sync replicas must follow the primary, or the proxies let no write through.

        0: they do not look. It needs semi-sync: other replicas acknowledge nothing.
        """
        if not self.follows_service or not self.database.semi_sync:
            return 0
        chosen = self.proxy.min_semi_sync_replicas
        return 1 if chosen is None else chosen

    @property
    def semi_sync_timeout(self) -> str:
        """The Duration that a commit waits for a replica before it goes on without."""
        return self.database.semi_sync_timeout or ("10s" if self.fence else "2s")

    @property
    def watches_primary(self) -> bool:
        """Whether there is something for a watcher to do."""
        return self.follows_service and (self.proxy.switchover_wait > 0 or self.fence > 0)

    @property
    def proxy_shares(self) -> int:
        """How many proxies the connections of a server are shared out among.

        Not `replicas`: what follows from it is in the Pods and in the servers' accounts, and both
        must be right for all proxies while their number changes.
        """
        proxy = self.proxy
        if proxy.max_replicas is not None:
            return proxy.max_replicas
        return 1 if proxy.replicas == 1 else -(-proxy.replicas // 5) * 5

    @property
    def monitor_connections(self) -> int:
        """Connections that the proxies' monitor account may hold to one server."""
        return monitor_connections(self.proxy_shares, watched=self.watches_primary)

    @property
    def has_readers(self) -> bool:
        """Whether the proxies keep a hostgroup of readers."""
        return self.database.topology != "standalone" and self.database.replicas > 1

    @property
    def hostgroups_in_use(self) -> frozenset[int]:
        """The hostgroups that may be the destination of statements."""
        groups = self.proxy.hostgroups
        return frozenset({groups.writer, groups.reader} if self.has_readers else {groups.writer})

    @cached_property
    def rows_in_use(self) -> int:
        """In how many hostgroups the writer's server may hold connections of clients.

        ProxySQL counts connections per hostgroup, and the writer is a reader as well when no
        backup writers are (lib/MySQL_HostGroups_Manager.cpp).
        """
        writer = self.proxy.hostgroups.writer
        # Any app may read elsewhere one day, and an edit of apps must not roll the proxies.
        elsewhere = (
            self.proxy.read_write_split
            or bool(self.apps)
            or any(
                group not in (None, writer)
                for group in (
                    *(user.default_hostgroup for user in self.proxy.users),
                    *(rule.destination_hostgroup for rule in self.proxy.query_rules),
                )
            )
        )
        return 2 if elsewhere and self.has_readers else 1

    @property
    def connection_budget(self) -> int:
        """Connections of one server that the proxies may use for clients: at most 80 %.

        The rest is for the operator, the replicas, root and the proxies' monitors.
        """
        database = self.database.max_connections
        return min(database * 8 // 10, database - 10 - self.monitor_connections)

    @property
    def backend_max_connections(self) -> int:
        """Connections that one proxy may hold to one server, per hostgroup."""
        if self.proxy.backend_max_connections is not None:
            return self.proxy.backend_max_connections
        return self.connection_budget // (self.proxy_shares * self.rows_in_use)

    @property
    def connections_per_proxy(self) -> int:
        """Connections that one proxy may hold to one server."""
        return self.backend_max_connections * self.rows_in_use


def monitor_connections(proxies: int, *, watched: bool = False) -> int:
    """Connections that so many proxies' monitor account may hold to one server.

    Each proxy keeps up to 5: connect, ping, read_only or galera, and the lag check once per
    hostgroup that the server is in (lib/MySQL_Monitor.cpp); its watcher up to 2. One proxy more is
    allowed for, as a Pod that stops still holds its own. mariadb-operator's default of 10 starves
    3 proxies.
    """
    return (7 if watched else 5) * (proxies + 1)


def version_in(tag: str) -> str:
    """The version at the start of an image tag, or the empty string."""
    match = re.match(r"\d+\.\d+(\.\d+)?", tag)
    return match[0] if match else ""
