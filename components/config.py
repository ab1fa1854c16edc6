"""The stack config: its model, the merge law, and `load()`, the only reader of `pulumi.Config`.

A stack names a size; its own values override the size's field by field. Everything here is plain
and non-secret: a password given in the config is taken out before validation (see `load`), so
that no model, error or diff can hold one.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn, Self, cast

import pulumi
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from components import names, quantity
from components.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.sizes import SIZES

PROJECT = "mysql-ha"
"""Config namespace; equals `name` in Pulumi.yaml."""

MAX_INT = 2**31 - 1
"""Largest integer ProxySQL reads from its file; above it the value silently becomes 0."""


class ConfigError(pulumi.RunError):
    """A refused config: one line per fault, each naming the config path, the rule and the fix.

    A `pulumi.RunError`, so that the engine prints the text without a traceback.
    """


def refuse(path: str, rule: str, fix: str) -> NoReturn:
    """Raise a ConfigError for the value at `path` (e.g. `database.replicas`)."""
    raise ConfigError(fault(path, rule, fix))


def fault(path: str, rule: str, fix: str) -> str:
    """One line of a ConfigError."""
    return f"{PROJECT}:{path}: {rule}. Fix: {fix}{'' if fix.endswith('?') else '.'}"


def _broken(rule: str, fix: str) -> PydanticCustomError:
    """A validation error of a single field, in the words of `refuse`."""
    return PydanticCustomError("rule", cast(Any, "{rule}. Fix: {fix}"), {"rule": rule, "fix": fix})


# --- field types -------------------------------------------------------------------------------


def _dns_label(value: str) -> str:
    if not names.is_dns_label(value):
        raise _broken(
            "must be a DNS label (lower-case letters, digits and '-', starting with a letter)",
            "use a name such as 'orders-db'",
        )
    return value


def _namespace(value: str) -> str:
    if re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value) is None:
        raise _broken(
            "must be a namespace name (lower-case letters, digits and '-', at most 63)",
            "use a name such as 'orders'",
        )
    return value


def _object_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", value) is None:
        raise _broken(
            "must be the name of a Kubernetes object (lower-case letters, digits, '-' and '.')",
            "use the name that `kubectl get` prints",
        )
    return value


def _secret_key(value: str) -> str:
    if re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", value) is None:
        raise _broken(
            "must be a key of a Secret (letters, digits, '-', '_' and '.')",
            "use a key that `kubectl describe secret` lists",
        )
    return value


def _quantity(value: str) -> str:
    try:
        parsed = quantity.parse(value)
    except ValueError:
        raise _broken(
            "must be a Kubernetes quantity", "use a value such as 500m, 2 or 10Gi"
        ) from None
    if parsed <= 0:
        raise _broken("must be greater than zero", "use a value such as 500m, 2 or 10Gi")
    return value


def _duration(value: str) -> str:
    if re.fullmatch(r"([1-9][0-9]*h)?([1-9][0-9]*m)?([1-9][0-9]*s)?", value) is None or not value:
        raise _broken("must be a duration", "use a value such as 90s, 20m or 1h30m")
    return value


def _user_name(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", value) is None:
        raise _broken(
            "must be 1 to 80 letters, digits, '_', '.' or '-'",
            "choose a user name of these characters",
        )
    return value


def _label_map(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        prefix, _, short = key.rpartition("/")
        if re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", short) is None or (
            prefix and re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", prefix) is None
        ):
            raise _broken(
                "has a key that Kubernetes does not accept", "use keys such as 'example.com/team'"
            )
    return value


def _label_values(value: dict[str, str]) -> dict[str, str]:
    for text in value.values():
        if re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", text) is None:
            raise _broken(
                "has a value that is no label value",
                "use at most 63 letters, digits, '-', '_' and '.'",
            )
    return _label_map(value)


def _interfaces(value: str) -> str:
    for part in value.split(";"):
        _, _, port = part.rpartition(":")
        if re.fullmatch(r"[0-9.]+:\d{1,5}", part) is None or not 0 < int(port) < 65536:
            raise _broken(
                "must be a list 'address:port;…' of listening addresses",
                "use a value such as '0.0.0.0:6033'",
            )
    return value


def _tag(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", value) is None:
        raise _broken("must be an image tag", "use a tag such as '11.8.5'")
    if value in ("latest", "main", "master"):
        raise _broken("is a floating tag", "pin a version, or set a digest beside a version tag")
    return value


Int = Annotated[int, Strict()]
Bool = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1, le=MAX_INT)]
Natural = Annotated[int, Strict(), Field(ge=0, le=MAX_INT)]
Milliseconds = Annotated[int, Strict(), Field(ge=100, le=604_800_000)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
NodePort = Annotated[int, Strict(), Field(ge=30000, le=32767)]
Hostgroup = Annotated[int, Strict(), Field(ge=0, le=MAX_INT)]
Uid = Annotated[int, Strict(), Field(ge=1, le=MAX_INT)]
Label = Annotated[str, AfterValidator(_dns_label)]
Namespace = Annotated[str, AfterValidator(_namespace)]
ObjectName = Annotated[str, AfterValidator(_object_name)]
SecretKey = Annotated[str, AfterValidator(_secret_key)]
Quantity = Annotated[str, AfterValidator(_quantity)]
Duration = Annotated[str, AfterValidator(_duration)]
UserName = Annotated[str, AfterValidator(_user_name)]
Annotations = Annotated[dict[str, str], AfterValidator(_label_map)]
Labels = Annotated[dict[str, str], AfterValidator(_label_values)]
Interfaces = Annotated[str, AfterValidator(_interfaces)]
Tag = Annotated[str, AfterValidator(_tag)]
Variable = Annotated[int, Strict()] | Annotated[bool, Strict()] | str
Topology = Literal["standalone", "replication", "galera"]


class Model(BaseModel):
    """Frozen, refuses unknown keys, and never prints an input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# --- the tree ----------------------------------------------------------------------------------


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
                raise _broken(
                    f"requests more {kind} than its limit", f"raise limits.{kind} or lower requests"
                )
        return self


class Storage(Model):
    """A volume: its size in bytes (quantity) and storage class (None: the cluster's default)."""

    size: Quantity
    storage_class: ObjectName | None = None


class Database(Model):
    """The MariaDB servers."""

    topology: Topology
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
    ready_timeout: Duration = "20m"
    """How long `pulumi up` waits for the operator to report Ready."""
    pod_annotations: Annotations = {}
    pod_labels: Labels = {}

    @model_validator(mode="after")
    def _replicas_fit(self) -> Self:
        if self.topology == "standalone" and self.replicas != 1:
            raise _broken(
                "a standalone database has exactly 1 replica",
                "set replicas to 1, or topology to replication or galera",
            )
        if self.topology == "replication" and self.replicas < 2:
            raise _broken("replication needs at least 2 replicas", "set replicas to 3")
        if self.topology == "galera" and (self.replicas < 3 or self.replicas % 2 == 0):
            raise _broken(
                "Galera needs an odd number of replicas, at least 3, to keep a quorum",
                "set replicas to 3 or 5",
            )
        for line in self.my_cnf.splitlines():
            option = line.partition("=")[0].strip().replace("-", "_")
            if option == "max_connections":
                raise _broken(
                    "my_cnf must not set max_connections: the proxies' budget is computed from it",
                    "set database.max_connections",
                )
        return self


class Service(Model):
    """The client Service, and the optional one of the admin interface (same type)."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: Annotations = {}
    port: Port = 6033
    node_port: NodePort | None = None
    expose_admin: Bool = False
    admin_port: Port = 6032
    admin_node_port: NodePort | None = None

    @model_validator(mode="after")
    def _node_ports_fit(self) -> Self:
        if self.type == "ClusterIP" and (self.node_port or self.admin_node_port):
            raise _broken("a ClusterIP Service has no node port", "set type to NodePort")
        if self.admin_node_port and not self.expose_admin:
            raise _broken(
                "admin_node_port needs the admin Service", "set service.expose_admin to true"
            )
        if self.node_port and self.node_port == self.admin_node_port:
            raise _broken("node_port and admin_node_port must differ", "choose another port")
        return self


class Hostgroups(Model):
    """ProxySQL hostgroup numbers; `backup_writer` and `offline` are used by Galera only."""

    writer: Hostgroup = 10
    reader: Annotated[int, Strict(), Field(ge=1, le=MAX_INT)] = 20
    backup_writer: Hostgroup = 30
    offline: Hostgroup = 40
    comment: Annotated[str, Field(max_length=200)] = "mysql-ha"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({self.writer, self.reader, self.backup_writer, self.offline}) != 4:
            raise _broken(
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
    ping_max_failures: Count = 3
    read_only_interval: Milliseconds = 1_000
    read_only_timeout: Milliseconds = 800
    read_only_max_timeout_count: Count = 3
    galera_interval: Milliseconds = 1_000
    galera_timeout: Milliseconds = 800
    galera_max_timeout_count: Count = 3

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.username in ("root", "admin", "stats", "monitor", "cluster"):
            raise _broken(
                "monitor.username is a name that MariaDB or ProxySQL keeps for itself",
                "use proxysql_monitor",
            )
        for check in ("connect", "ping", "read_only", "galera"):
            if getattr(self, f"{check}_timeout") > getattr(self, f"{check}_interval"):
                raise _broken(
                    f"monitor.{check}_timeout is longer than its interval",
                    f"lower monitor.{check}_timeout",
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
    default_schema: Annotated[str, Field(pattern=r"^[A-Za-z0-9_$-]{1,64}$")] | None = None
    rotation: Natural = 0
    """Bump it to roll the proxies after the password in an existing Secret changed."""


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


class Proxy(Model):
    """The ProxySQL tier."""

    enabled: Bool
    replicas: Annotated[int, Strict(), Field(ge=1, le=20)]
    service: Service = Service()
    hostgroups: Hostgroups = Hostgroups()
    monitor: Monitor = Monitor()
    threads: Annotated[int, Strict(), Field(ge=1, le=255)]
    """Worker threads; match the CPU limit. A change restarts the Pods."""
    max_connections: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] = 2048
    """Frontend connections, per proxy."""
    backend_max_connections: Count | None = None
    """Connections from one proxy to one server. None: its share of 80 % of the server's."""
    max_replication_lag: Annotated[int, Strict(), Field(ge=0, le=126_144_000)] = 0
    """Seconds after which a reader is left out; 0 is off."""
    server_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+[-.A-Za-z0-9]*$")] | None = None
    """The version told to clients. None: the database's."""
    interfaces: Interfaces = "0.0.0.0:6033"
    clustering: Literal["membership", "runtime", "off"] = "membership"
    users: tuple[ProxyUser, ...] = ()
    storage: ProxyStorage = ProxyStorage()
    resources: Resources = Resources()
    pod_annotations: Annotations = {}
    pod_labels: Labels = {}
    drain: Drain = Drain()
    admin_variables: dict[str, Variable] = {}
    mysql_variables: dict[str, Variable] = {}


class Credential(Model):
    """One role's password: generated, from an existing Secret, or a secret config value."""

    existing_secret: SecretRef | None = None
    password: Literal["(secret)"] | None = None
    rotation: Natural = 0
    """Bump it to generate a new password, or to roll out a changed existing one."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.existing_secret and self.password:
            raise _broken("has two password sources", "keep either existing_secret or password")
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
    priority_class: ObjectName | None = None
    affinity: dict[Literal["nodeAffinity", "podAffinity", "podAntiAffinity"], dict[str, Any]] = {}
    """Kubernetes affinity terms; a `podAntiAffinity` here replaces the one made by `spread`."""


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
    """TLS between proxies and servers, and among servers; certificates are the operator's."""

    enabled: Bool


class Security(Model):
    """Protection of data and of Pods."""

    protect: Bool
    """Pulumi refuses to delete or replace the database and its passwords."""
    tls: Tls
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


class Images(Model):
    """The images of both tiers; `pull_secrets` are names of Secrets in the namespace."""

    database: Image
    proxy: Image
    pull_secrets: tuple[ObjectName, ...] = ()


class StackConfig(Model):
    """One database, complete: a size with the stack's overrides."""

    size: Literal["dev", "small", "large"]
    engine: Literal["mariadb"]
    name: Label
    namespace: Namespace
    create_namespace: Bool = False
    await_sql: Bool = True
    database: Database
    proxy: Proxy
    credentials: Credentials = Credentials()
    scheduling: Scheduling
    security: Security
    images: Images

    @property
    def server_version(self) -> tuple[int, ...]:
        """The server's version as numbers, e.g. (11, 8, 5)."""
        text = self.database.version or _version_of(self.images.database.tag)
        return tuple(int(part) for part in text.split("."))

    @property
    def backend_max_connections(self) -> int:
        """Connections that one proxy may hold to one server."""
        if self.proxy.backend_max_connections is not None:
            return self.proxy.backend_max_connections
        return self.database.max_connections * 8 // 10 // self.proxy.replicas


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A validated config and the passwords that its stack file gave, by config path."""

    config: StackConfig
    passwords: Mapping[str, pulumi.Output[str]]


# --- merge and validation ----------------------------------------------------------------------


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`base` overlaid with `override`: mappings merge recursively, everything else replaces.

    Neither argument is changed. The empty mapping is neutral on both sides and the operation is
    associative, so the order of overlays is all that matters.
    """
    merged = dict(base)
    for key, value in override.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(cast(Mapping[str, Any], below), cast(Mapping[str, Any], value))
        else:
            merged[key] = value
    return merged


DEFAULTS: dict[str, Any] = {
    "engine": "mariadb",
    "name": "mysql",
    "namespace": "default",
    "images": {"database": MARIADB_IMAGE, "proxy": PROXYSQL_IMAGE},
}


def resolve(tree: Mapping[str, Any], where: str = "") -> StackConfig:
    """Validate one database's overrides on top of its size.

    `tree` has the shape of StackConfig without passwords; `where` prefixes config paths in
    errors. Raises ConfigError.
    """
    size = tree.get("size", "dev")
    if size not in SIZES:
        raise ConfigError(
            fault(f"{where}size", "must be one of dev, small, large", "choose one of them")
        )
    preset = merge(DEFAULTS, SIZES[size])
    try:
        config = StackConfig.model_validate(merge(preset, {**tree, "size": size}))
    except ValidationError as error:
        faults = dict.fromkeys(_explain(detail, where) for detail in error.errors())
        raise ConfigError("\n".join(faults)) from None
    for path, rule, fix in _cross_checks(config):
        raise ConfigError(fault(f"{where}{path}", rule, fix))
    return config


def _explain(detail: ErrorDetails, where: str) -> str:
    """A ConfigError line for one pydantic error: path, rule and fix, never the input."""
    keys = [str(key) for key in detail["loc"] if not _is_union_branch(key)]
    path = where + re.sub(r"\.(\d+)", r"[\1]", ".".join(keys))
    context = detail.get("ctx", {})
    match detail["type"]:
        case "rule":
            return fault(path, context["rule"], context["fix"])
        case "extra_forbidden":
            known = _fields_at(keys[:-1])
            close = difflib.get_close_matches(keys[-1], known, 1)
            fix = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
            return fault(path, "is no config key", fix)
        case "missing":
            return fault(path, "is required", "set it")
        case "literal_error":
            return fault(path, f"must be {context['expected']}", "choose one of these")
        case "string_pattern_mismatch":
            return fault(path, f"must match {context['pattern']}", "correct the text")
        case "greater_than_equal":
            return fault(path, f"must be at least {context['ge']}", "raise it")
        case "less_than_equal":
            return fault(path, f"must be at most {context['le']}", "lower it")
        case "model_type" | "dict_type":
            return fault(path, "must be a mapping", "write it as a YAML mapping below the key")
        case "tuple_type":
            return fault(path, "must be a list", "write it as a YAML list below the key")
        case _:
            return fault(path, detail["msg"].lower(), "give a value of that type")


def _is_union_branch(key: int | str) -> bool:
    """pydantic adds the tried branch of a union (`int`, `str`, `bool`) to an error's location."""
    return isinstance(key, str) and (key in ("int", "str", "bool") or "[" in key)


def _fields_at(keys: Sequence[str]) -> list[str]:
    """The config keys that may stand at a path."""
    model: type[BaseModel] = StackConfig
    for key in keys:
        if key.isdigit():
            continue
        annotation: Any = model.model_fields[key].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)


def _version_of(tag: str) -> str:
    match = re.match(r"\d+\.\d+(\.\d+)?", tag)
    return match[0] if match else ""


RESERVED_VARIABLES = {
    "admin_variables": frozenset(
        {"admin_credentials", "stats_credentials", "mysql_ifaces", "web_enabled"}
        | {"cluster_username", "cluster_password", "restapi_enabled", "restapi_port"}
        | {name for name in ADMIN_VARIABLES if name.endswith("_diffs_before_sync")}
        | {"cluster_mysql_servers_sync_algorithm"}
    ),
    "mysql_variables": frozenset(
        {"interfaces", "threads", "max_connections", "server_version"}
        | {"monitor_username", "monitor_password", "default_authentication_plugin"}
        | {"query_retries_on_failure", "ssl_p2s_ca"}
    ),
}
"""Variables that the program sets itself, because another field or a safety rule decides them."""

PATCHED_PROXYSQL = ((2, 7, 4), (3, 0, 9))
"""First releases with the fix of CVE-2026-48773 (pre-auth heap overflow), per series."""


def proxysql_is_patched(tag: str) -> bool:
    """Whether the version at the start of an image tag has the fix of CVE-2026-48773."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", tag)
    if match is None:
        return False
    version = (int(match[1]), int(match[2]), int(match[3]))
    return version >= PATCHED_PROXYSQL[1] or PATCHED_PROXYSQL[0] <= version < (2, 8, 0)


def _cross_checks(config: StackConfig) -> Iterator[tuple[str, str, str]]:
    """(path, rule, fix) of every rule that spans several parts of the config."""
    if len(config.name) > names.MAX_NAME:
        yield (
            "name",
            f"is longer than {names.MAX_NAME} characters, and Kubernetes labels derived from it "
            "would be longer than 63",
            "choose a shorter name",
        )
    database, proxy = config.database, config.proxy
    tag = config.images.database.tag
    if not database.version and not _version_of(tag):
        yield (
            "database.version",
            "cannot be read from images.database.tag, which does not start with a version",
            "set database.version, for example 11.8.5",
        )
    elif config.server_version < (10, 6):
        yield (
            "images.database.tag",
            "is a MariaDB older than 10.6, which mariadb-operator does not support",
            "use 10.6 or later",
        )
    image = config.images.proxy
    if not config.security.allow_vulnerable_images and not proxysql_is_patched(image.tag):
        yield (
            "images.proxy.tag",
            "is not known to have the fix of CVE-2026-48773 (2.7.4, 3.0.9 and later have it)",
            "use a fixed version, or set security.allow_vulnerable_images to true",
        )
    used: dict[tuple[str, str], str] = {}
    for role, credential in config.credentials.items():
        if ref := credential.existing_secret:
            other = used.setdefault((ref.name, ref.key), role)
            if other != role:
                yield (
                    f"credentials.{role}.existing_secret",
                    f"is the same Secret key as credentials.{other}; roles never share a password",
                    "use another key",
                )
    yield from _proxy_checks(config, proxy)


def _proxy_checks(config: StackConfig, proxy: Proxy) -> Iterator[tuple[str, str, str]]:
    groups = proxy.hostgroups
    known = {groups.writer, groups.reader}
    if config.database.topology == "galera":
        known |= {groups.backup_writer, groups.offline}
    seen: set[str] = set()
    for index, user in enumerate(proxy.users):
        path = f"proxy.users[{index}]"
        if not user.password and not user.password_secret:
            yield (
                path,
                f"user '{user.username}' has no password source",
                "set password (a secret config value) or password_secret {name, key}",
            )
        if user.password and user.password_secret:
            yield (
                path,
                f"user '{user.username}' has two password sources",
                "keep either password or password_secret",
            )
        if user.username in seen:
            yield (f"{path}.username", f"'{user.username}' is listed twice", "remove one entry")
        seen.add(user.username)
        if user.username in ("admin", "stats", "monitor", "cluster", proxy.monitor.username):
            yield (
                f"{path}.username",
                f"'{user.username}' is an account of ProxySQL itself",
                "choose another user",
            )
        if user.default_hostgroup is not None and user.default_hostgroup not in known:
            yield (
                f"{path}.default_hostgroup",
                "is none of the hostgroups in proxy.hostgroups",
                "use the writer's or the reader's number",
            )
        if user.max_connections > proxy.max_connections:
            yield (
                f"{path}.max_connections",
                "is more than proxy.max_connections, which limits all users of a proxy together",
                "lower it or raise proxy.max_connections",
            )
    for kind, variables, all_known in (
        ("admin_variables", proxy.admin_variables, ADMIN_VARIABLES),
        ("mysql_variables", proxy.mysql_variables, MYSQL_VARIABLES),
    ):
        yield from _variable_checks(f"proxy.{kind}", variables, all_known, RESERVED_VARIABLES[kind])
    total = proxy.replicas * config.backend_max_connections
    if config.backend_max_connections < 1 or total > config.database.max_connections * 8 // 10:
        yield (
            "proxy.backend_max_connections",
            f"{proxy.replicas} proxies may open {total} connections to one server, more than 80 % "
            f"of its database.max_connections ({config.database.max_connections})",
            "lower it, use fewer proxies, or raise database.max_connections",
        )
    if proxy.max_replication_lag and config.database.topology != "replication":
        yield (
            "proxy.max_replication_lag",
            "applies to database.topology replication only",
            "remove it",
        )
    if proxy.replicas < 2 and config.scheduling.proxy.disruption_budget:
        yield (
            "scheduling.proxy.disruption_budget",
            "with one proxy it would block every node drain",
            "use at least 2 proxies, or set it to false",
        )


def _variable_checks(
    path: str, variables: Mapping[str, Variable], known: frozenset[str], reserved: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    for name, value in variables.items():
        if name in reserved:
            yield (
                f"{path}.{name}",
                "is set by another config field or by a safety rule of this program",
                "remove it here (docs/configuration.md names the field)",
            )
        elif name not in known:
            close = difflib.get_close_matches(name, known, 1)
            yield (
                f"{path}.{name}",
                "is no variable of ProxySQL, which would ignore it",
                f"did you mean '{close[0]}'?" if close else "use a name without the prefix",
            )
        elif not isinstance(value, str) and abs(value) > MAX_INT:
            yield (
                f"{path}.{name}",
                f"is beyond ±{MAX_INT}, which ProxySQL reads as 0",
                "use a smaller number",
            )
        elif isinstance(value, str) and re.search(r"[\x00-\x1f'\"]", value):
            yield (
                f"{path}.{name}",
                "has a quote or a control character, which ProxySQL puts into SQL unescaped",
                "remove it",
            )


# --- reading the stack -------------------------------------------------------------------------

_TOP_LEVEL = (*StackConfig.model_fields, "databases", "retire")
_STRUCTURED = frozenset(
    {"database", "proxy", "credentials", "scheduling", "security", "images"}
    | {"databases", "retire", "create_namespace", "await_sql"}
)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """All that a stack declares."""

    databases: tuple[Loaded, ...]
    several: bool
    """Whether the stack uses `databases`; its outputs are then keyed by name."""
    retire: tuple[str, ...]
    """Names of databases whose removal from the stack is intended."""


def load() -> Stack:
    """Read and validate the stack's config.

    `databases`, a mapping of name to overrides, declares several databases in one stack; the
    other keys but `name` are then what they have in common. Passwords may stand at
    `credentials.<role>.password` and `proxy.users[i].password`, if their config key is secret
    (`pulumi config set --secret --path …`): they are taken out of the tree here and leave as
    Outputs. Raises ConfigError.
    """
    tree: dict[str, Any] = {}
    passwords: dict[str, str] = {}
    for key in _TOP_LEVEL:
        full = f"{PROJECT}:{key}"
        raw = pulumi.runtime.get_config(full)
        if raw is None:
            continue
        value = _parse(key, raw)
        found = dict(_take_passwords(value, key))
        if found and not pulumi.runtime.is_config_secret(full):
            refuse(
                next(iter(found)),
                "is a password in clear text",
                f"run `pulumi config set --secret --path {PROJECT}:{next(iter(found))}`, "
                "or name an existing Secret",
            )
        passwords.update(found)
        tree[key] = value
    _refuse_unknown_keys()
    retire = _string_list("retire", tree.pop("retire", []))
    declared = _mapping("databases", tree.pop("databases", {}))
    several = bool(declared)
    entries = declared or {tree.get("name", DEFAULTS["name"]): dict[str, Any]()}
    loaded: list[Loaded] = []
    for name, overrides in entries.items():
        where = f"databases.{name}." if several else ""
        own = _mapping(where.rstrip("."), overrides)
        if several and "name" in own:
            refuse(f"{where}name", "is given by the mapping key", "remove it")
        config = resolve(merge(tree, {**own, "name": name}), where)
        secrets = {
            path.removeprefix(where): pulumi.Output.secret(value)
            for path, value in passwords.items()
            if path.startswith(where) or not path.startswith("databases.")
        }
        loaded.append(Loaded(config=config, passwords=secrets))
    return Stack(databases=tuple(loaded), several=several, retire=retire)


def _parse(key: str, raw: Any) -> Any:
    """A config value as plain data; objects and lists arrive as JSON text."""
    if key not in _STRUCTURED or not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        wanted = "true or false" if key in ("create_namespace", "await_sql") else "a YAML mapping"
        refuse(key, f"must be {wanted}", f"write {wanted} below the key")


def _take_passwords(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Replace every `password` text in the tree by a marker and yield (path, text)."""
    if isinstance(value, dict):
        mapping = cast(dict[str, Any], value)
        for key, below in mapping.items():
            if key == "password" and isinstance(below, str):
                mapping[key] = "(secret)"
                yield f"{path}.{key}", below
            else:
                yield from _take_passwords(below, f"{path}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(cast(list[Any], value)):
            yield from _take_passwords(below, f"{path}[{index}]")


def _mapping(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse(path, "must be a mapping", "write it as a YAML mapping")
    return cast(dict[str, Any], value)


def _string_list(path: str, value: Any) -> tuple[str, ...]:
    items = cast(list[Any], value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        refuse(path, "must be a list of names", "write it as a YAML list")
    return tuple(cast(list[str], items))


def _refuse_unknown_keys() -> None:
    """A misspelt top-level key would otherwise be ignored."""
    every_key = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    for full in every_key:
        namespace, _, key = full.partition(":")
        if namespace == PROJECT and key not in _TOP_LEVEL:
            close = difflib.get_close_matches(key, _TOP_LEVEL, 1)
            fix = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(_TOP_LEVEL)}"
            refuse(key, "is no config key", fix)
