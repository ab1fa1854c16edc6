"""A MariaDB cluster run by mariadb-operator: the MariaDB object and ProxySQL's monitor account.

Field reference: mariadb-operator v25.10.4 `api/v1alpha1`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components import names
from components.config import memory
from components.config.credentials import Login
from components.config.engine import MARIADB
from components.config.stack import StackConfig
from components.config.types import TopologyKind
from components.credentials import Credentials, ResolvedCredential
from components.engines import adopted, mariadb_exporter
from components.engines.sql_objects import Kind, sql_object
from components.operations import restore
from components.pods import probes, scheduling, security
from components.topology import Topology

PORT = 3306


@dataclass(frozen=True, kw_only=True)
class MariaDbArgs:
    """`credentials`: root, and replication where the topology needs it.

    `after`: what every object waits for.
    """

    config: StackConfig
    credentials: Credentials
    after: Sequence[pulumi.Resource]


class MariaDb(pulumi.ComponentResource):
    """A MariaDB object `<name>`; with a proxy also the monitor's User and Grant.

    Waits until the operator reports Ready, at most `database.ready_timeout`.
    """

    topology: Topology
    """What the proxy tier needs to know of the servers."""
    mariadb: pulumi.Resource
    """The MariaDB object: what must exist before an account."""
    ready: Sequence[pulumi.Resource]
    """What must exist before the first proxy."""
    status: pulumi.Output[dict[str, Any]]
    """`state`, `ready`, `size` and `details` (a list of texts), as last reported by the
    operator."""

    def __init__(
        self, name: str, args: MariaDbArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:MariaDb", name, None, opts)
        config = args.config
        self.topology = topology(config)
        made = [c.resource for c in args.credentials.resolved.values() if c.resource]
        made += mariadb_exporter.exporter_account(
            name, config, args.credentials, parent=self, after=args.after
        )
        mariadb = pulumi.CustomResource(
            MARIADB.api.type_token,
            f"{name}-mariadb",
            {
                "apiVersion": MARIADB.api.group_version,
                "kind": MARIADB.api.kind,
                "metadata": {
                    "name": config.name,
                    "namespace": config.namespace,
                    "labels": names.labels(config.name, "mariadb"),
                    "annotations": {
                        "pulumi.com/waitFor": when_done(config),
                        **adopted.annotations(config),
                    },
                },
                "spec": spec(config, args.credentials),
                # Only an output: pulumi_kubernetes' own class for custom resources drops it.
                "status": None,
            },
            opts=adopted.options(
                config,
                self,
                after=[*args.after, *made],
                left_alone=_left_alone(config),
            ),
        )
        monitors = [
            made
            for login in (config.monitor_logins if config.own_proxies else ())
            for made in self._monitor(name, args, mariadb, login)
        ]
        self.mariadb, self.ready = mariadb, (mariadb, *monitors)
        self.status = cast(pulumi.Output[Any], mariadb.__dict__["status"]).apply(
            lambda status: observed(status, config.database.running)
        )
        self.register_outputs({})

    def _monitor(
        self, name: str, args: MariaDbArgs, mariadb: pulumi.Resource, login: Login
    ) -> tuple[pulumi.Resource, ...]:
        """An account by which ProxySQL checks the servers."""
        config = args.config

        def made(kind: Kind, spec: Mapping[str, Any], after: pulumi.Resource) -> pulumi.Resource:
            return sql_object(
                f"{name}-monitor-{kind.lower()}{login.suffix}",
                kind,
                names.proxysql_monitor(config.name, login.suffix),
                {"host": "%", "cleanupPolicy": "Delete", **spec},
                config=config,
                component="proxysql-monitor",
                parent=self,
                after=[after],
            )

        secret = args.credentials["monitor"].secret
        user = made("User", monitor_user(config, secret, login), mariadb)
        return user, made("Grant", monitor_grant(config, login), user)


def when_done(config: StackConfig) -> str:
    """What an update waits for; without servers, not to be ready (pkg/condition/ready.go)."""
    return "condition=Ready=False" if config.database.paused else "condition=Ready"


def observed(status: Any, size: int) -> dict[str, Any]:
    """The part of the object's status that the outputs show, in the words of Percona's operator.

    `status.replicas` are the servers that are ready (mariadb_controller_status.go). `size`: how
    many there are.
    """
    known = cast(dict[str, Any], status) if isinstance(status, dict) else {}
    conditions = cast(list[dict[str, Any]], known.get("conditions") or [])
    ready = next((one for one in conditions if one.get("type") == "Ready"), dict[str, Any]())
    is_ready = ready.get("status") == "True"
    return {
        "state": "ready" if is_ready else ready.get("reason", "unknown"),
        "ready": int(known.get("replicas") or 0),
        "size": size,
        "details": [ready["message"]] if ready.get("message") and not is_ready else [],
    }


FIXED = (
    "rootPasswordSecretKeyRef",
    "rootEmptyPassword",
    "database",
    "username",
    "passwordSecretKeyRef",
    "passwordHashSecretKeyRef",
    "passwordPlugin",
    "timeZone",
    "connection",
    "primaryConnection",
    "secondaryConnection",
    "serviceAccountName",
    "volumes",
    "volumeMounts",
    "affinity.antiAffinityEnabled",
)
"""Fields below `spec` that the operator's webhook fixes (`inmutable`, `inmutableinit` in
api/v1alpha1), and the password of the initial user that is one of them. An adopted object keeps
what it has of them; this program's own has none but the first, whose `generate` the operator may
have set, and which is owned as a whole."""


KEPT = (
    *("args", "bootstrapFrom", "cleanupPolicy", "command", "env", "envFrom", "inheritMetadata"),
    *("initContainers", "livenessProbe", "maxScaleRef", "metrics", "primaryService"),
    *("readinessProbe", "replicasAllowEvenNumber", "secondaryService", "service", "servicePorts"),
    *("sidecarContainers", "startupProbe", "suspend"),
    # Since 26.x.
    *("enableServiceLinks", "lifecycle", "maintenance", "multiCluster", "pointInTimeRecoveryRef"),
    "terminationGracePeriodSeconds",
)
"""Fields below `spec` that people may set, for the operator's features and procedures. This program
never sets them, or for a new object only (`bootstrapFrom`), or where a key says so (`metrics`).
They are listed by name: otherwise an update would take them over from kubectl and drop them
(pulumi-kubernetes `provider/pkg/await/await.go`, fixCSAFieldManagers, which does so to whatever a
manager named `kubectl…` wrote, and handleSSAIgnoreFields, which does not to these)."""
KEPT_OF = {
    "replication": (
        *("gtidStrictMode", "primary.autoFailover", "primary.podIndex", "standaloneProbes"),
        *("syncBinlog", "replica.bootstrapFrom", "replica.gtid", "replica.maxLagSeconds"),
        *("replica.recovery", "replica.syncTimeout", "gtidDomainId", "serverIdStartIndex"),
    ),
    "galera": (
        *("availableWhenDonor", "config", "galeraLibPath", "initJob", "primary"),
        *("providerOptions", "recovery", "replicaThreads", "sst"),
        *("gtidDomainId", "replPasswordSecretKeyRef", "serverId"),
    ),
}
"""The same below `spec.replication` and `spec.galera`; of Galera's, `config`, `initJob` and
`recovery` are set when a cluster is made, `providerOptions` when the stack has some. So are probes.
`primary.podIndex` is how people ask for a switchover, and where the operator writes its failovers:
an update that dropped it would switch back to the first server, and roll it at that moment."""


def _left_alone(config: StackConfig) -> list[str]:
    """Fields that an update never touches."""
    topology = config.database.topology
    fields = [f"spec.{field}" for field in (*FIXED, *KEPT)]
    fields += [f"spec.{topology}.{field}" for field in KEPT_OF.get(topology, ())]
    if config.database.galera.provider_options:
        fields.remove("spec.galera.providerOptions")
    if config.monitoring.said:
        fields.remove("spec.metrics")
    for field in _probes(config):
        fields.remove(f"spec.{field}")
    if topology == "replication":
        fields.append("spec.replication.replica.replPasswordSecretKeyRef")
    return fields


def monitor_privileges(
    topology: TopologyKind,
    *,
    version: tuple[int, ...] = (11, 8),
    replication_lag: bool = False,
    fence: bool = False,
) -> tuple[str, ...]:
    """The privileges that ProxySQL's monitor needs; never SUPER.

    Reading `@@global.read_only` and the wsrep status needs none (USAGE). Only the lag check of a
    replication topology (`proxy.max_replication_lag`) runs SHOW SLAVE STATUS, which MariaDB 10.5
    and later allow by SLAVE MONITOR (mariadb.com/docs, REPLICA MONITOR), earlier by REPLICATION
    CLIENT. The fence sets one variable of semi-sync on the primary, by REPLICATION MASTER ADMIN.
    """
    if fence:
        return ("REPLICATION MASTER ADMIN",)
    if topology == "replication" and replication_lag:
        return ("SLAVE MONITOR",) if version >= (10, 5) else ("REPLICATION CLIENT",)
    return ("USAGE",)


def monitor_user(config: StackConfig, secret: str, login: Login) -> dict[str, Any]:
    """What the User of the monitor says of its account, whose password is in `secret`."""
    return {
        "name": login.username,
        "passwordSecretKeyRef": {"name": secret, "key": login.key},
        "maxUserConnections": config.monitor_connections,
    }


def monitor_grant(config: StackConfig, login: Login) -> dict[str, Any]:
    """What the Grant of the monitor says of its privileges."""
    privileges = monitor_privileges(
        config.database.topology,
        version=config.server_version,
        replication_lag=config.proxy.max_replication_lag > 0,
        fence=config.fence > 0,
    )
    return {
        "username": login.username,
        "privileges": list(privileges),
        "database": "*",
        "table": "*",
    }


def topology(config: StackConfig) -> Topology:
    """The servers of `config` as the proxy tier sees them."""
    database = config.database
    high_availability = database.topology != "standalone"
    name, namespace, domain = config.name, config.namespace, config.cluster_domain
    primary = names.mariadb_primary(name) if high_availability else name
    secondary = names.mariadb_secondary(name) if high_availability else name
    return Topology(
        kind=database.topology,
        hosts=names.mariadb_pod_hosts(name, namespace, database.replicas, domain=domain),
        port=PORT,
        service=names.service_host(primary, namespace, domain),
        reader_service=names.service_host(secondary, namespace, domain),
        writer_service=names.service_host(primary, namespace, domain),
        server_version=f"{config.full_version}-MariaDB",
        auth_plugin="mysql_native_password",
        ca_secret=names.mariadb_ca_bundle(name) if config.security.tls.enabled else None,
    )


def immutable(config: StackConfig) -> dict[str, Any]:
    """What an edit must not change of this engine only (`guards.immutable`)."""
    secrets = config.images.pull_secrets
    return {
        **({"pull_secrets": ", ".join(secrets)} if secrets else {}),
        **mariadb_exporter.immutable(config),
    }


READ_ONLY = "read_only = 1"
"""For servers that replicate: a restarted server is read-only until the operator changes that,
which it does on the primary. Otherwise a restarted old primary would acknowledge writes that no
other server gets: while servers are rolled the Service leads there for up to half a minute."""
FENCE_OPTIONS = (
    "rpl_semi_sync_master_wait_no_slave = OFF",
    'init_slave = "SET GLOBAL rpl_semi_sync_master_wait_no_slave = OFF"',
)
"""The servers' part of the fence (ADR 17). A server that restarts or follows another does not wait
for replicas that it does not have: otherwise the operator's first statement on a new primary would
wait for the whole time-out. The watchers make a primary wait once replicas follow."""


def my_cnf(config: StackConfig) -> str:
    """The server's my.cnf: what the design needs, then the stack's own text."""
    lines = [
        "[mariadb]",
        "bind-address = *",
        "default_storage_engine = InnoDB",
        "character_set_server = utf8mb4",
        f"max_connections = {config.database.max_connections}",
        f"binlog_expire_logs_seconds = {config.database.binlog_expire_days * 86_400}",
    ]
    if pool := memory.generated_pool(config):
        lines.append(f"innodb_buffer_pool_size = {pool}")
    if config.database.topology == "galera":
        # Galera certifies rows and needs interleaved auto-increment locks (galera docs).
        lines += ["binlog_format = row", "innodb_autoinc_lock_mode = 2"]
    if config.database.topology == "replication":
        lines.append(READ_ONLY)
    if config.fence:
        lines += FENCE_OPTIONS
    own = config.database.my_cnf.strip()
    return "\n".join(lines + ([own] if own else [])) + "\n"


def spec(config: StackConfig, credentials: Credentials) -> dict[str, Any]:
    """The `spec` of the MariaDB object. Holds only fields that the operator never writes.

    In particular not `replication.primary.podIndex` (KEPT_OF): the operator moves it at a failover,
    and applying it again would switch back (`PrimaryReplication` in mariadb_replication_types.go).
    """
    image, root = config.images.database, credentials["root"]
    result: dict[str, Any] = {
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "rootPasswordSecretKeyRef": {"name": root.secret, "key": root.key, "generate": False},
        "port": PORT,
        "replicas": config.database.running,
        "myCnf": my_cnf(config),
        "storage": _storage(config),
        "tls": _tls(config),
        "updateStrategy": {"type": "ReplicasFirstPrimaryLast"},
        **_pod(config),
        **_probes(config),
    }
    if config.database.restore_from:
        result["bootstrapFrom"] = restore.bootstrap(config, config.database.restore_from)
    if config.images.pull_secrets:
        result["imagePullSecrets"] = [{"name": name} for name in config.images.pull_secrets]
    if config.scheduling.database.disruption_budget:
        result["podDisruptionBudget"] = {"maxUnavailable": 1}
    if config.database.topology == "replication":
        result["replication"] = _replication(config, credentials["replication"])
    if config.database.topology == "galera":
        result["galera"] = _galera(config)
    if config.monitoring.by_operator:
        result["metrics"] = mariadb_exporter.metrics(config, credentials["exporter"])
    return result


def _galera(config: StackConfig) -> dict[str, Any]:
    """The operator's `spec.galera`. Some of it is for a new cluster only (KEPT_OF)."""
    database = config.database
    result: dict[str, Any] = {"enabled": True, **_data_plane(config)}
    if options := database.galera.provider_options:
        result["providerOptions"] = dict(options)
    if database.storage.storage_class:
        # The second volume, with the cluster's state: what the operator takes otherwise
        # (GaleraConfig.SetDefaults), with the class of the first.
        result["config"] = {
            "volumeClaimTemplate": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "100Mi"}},
                "storageClassName": database.storage.storage_class,
            }
        }
    if resources := scheduling.resources(database.resources):
        # Jobs that start a server, to make the first data and to find what is left after a crash.
        result["initJob"] = {"resources": resources}
        result["recovery"] = {"enabled": True, "job": {"resources": resources}}
    return result


def _storage(config: StackConfig) -> dict[str, Any]:
    storage = config.database.storage
    result: dict[str, Any] = {
        "size": storage.size,
        # The operator retains the claims when the object is deleted; this program never deletes
        # them.
        "resizeInUseVolumes": True,
        "waitForVolumeResize": True,
    }
    if storage.storage_class:
        result["storageClassName"] = storage.storage_class
    return result


def _pod(config: StackConfig) -> dict[str, Any]:
    """Labels, security, placement and resources of the servers' Pods."""
    database = config.database
    metadata: dict[str, Any] = {
        "labels": {"app.kubernetes.io/part-of": "mysql-ha", **database.pod_labels}
    }
    # Not an empty mapping: it would be null, and refused, once the last annotation that somebody
    # else gave has been removed from it.
    if database.pod_annotations:
        metadata["annotations"] = dict(database.pod_annotations)
    result: dict[str, Any] = {
        "podSecurityContext": security.of_pod(config.security, config.security.database),
        "securityContext": security.CONTAINER,
        "podMetadata": metadata,
        # A field below it is fixed (FIXED), which an absent parent would not keep.
        "affinity": {},
        **scheduling.pod_spec(config.scheduling.database, names.mariadb_selector(config.name)),
    }
    if resources := scheduling.resources(database.resources):
        result["resources"] = resources
    return result


def _probes(config: StackConfig) -> dict[str, Any]:
    """The fields below `spec` of the probes of which the stack sets something."""
    chosen = config.database.probes
    fields = {
        "livenessProbe": probes.probe(chosen.liveness),
        "readinessProbe": probes.probe(chosen.readiness),
        "startupProbe": probes.probe(chosen.startup),
    }
    return {field: value for field, value in fields.items() if value}


def _replication(config: StackConfig, password: ResolvedCredential) -> dict[str, Any]:
    """`spec.replication`. `password`: of the account by which replicas follow the primary."""
    database = config.database
    result: dict[str, Any] = {
        "enabled": True,
        **_data_plane(config),
        "primary": {"autoFailoverDelay": f"{database.failover_delay_seconds}s"},
        "semiSyncEnabled": database.semi_sync,
        "replica": {
            "replPasswordSecretKeyRef": {
                "name": password.secret,
                "key": password.key,
                "generate": False,
            },
            # With the server's default of 60 s, a restarted primary had no replicas for that long.
            "connectionRetrySeconds": 1,
        },
    }
    if database.semi_sync:
        result["semiSyncAckTimeout"] = config.semi_sync_timeout
        # Nobody reads what no replica has yet and a crash could lose.
        result["semiSyncWaitPoint"] = "AfterSync"
    return result


def _tls(config: StackConfig) -> dict[str, Any]:
    """The operator's `spec.tls` (docs/tls.md); its default is on."""
    tls = config.security.tls
    if not tls.enabled:
        return {"enabled": False}
    # ProxySQL's use_ssl alone would fall back to plain connections silently: the server refuses.
    result: dict[str, Any] = {"enabled": True, "required": tls.required}
    if config.database.topology == "galera":
        # Like `required`, for whoever turns TLS on in two steps: all nodes must agree.
        result["galeraSSTEnabled"] = tls.required
    if tls.issuer:
        result["serverCertIssuerRef"] = result["clientCertIssuerRef"] = tls.issuer.model_dump()
    if tls.secret:
        result["serverCertSecretRef"] = result["serverCASecretRef"] = {"name": tls.secret}
    return result


def _data_plane(config: StackConfig) -> dict[str, Any]:
    """The operator's init and agent containers, which do not inherit the servers' context.

    The image is named because the operator only fills in a container that is not set at all.
    """
    container: dict[str, Any] = {
        "image": config.images.data_plane.reference,
        "imagePullPolicy": config.images.data_plane.pull_policy,
        "securityContext": security.CONTAINER,
    }
    if resources := scheduling.resources(config.database.helper_resources):
        container["resources"] = resources
    # The default, kubernetesAuth, makes a ClusterRoleBinding owned by the MariaDB object: an owner
    # in a namespace, which the garbage collector refuses, so that the object could not be deleted
    # in the foreground, as Pulumi does (kubernetes.io/docs, "Garbage Collection"). Off explicitly,
    # as an adopted object has it on, and the operator takes only one of them.
    agent = {**container, "basicAuth": {"enabled": True}, "kubernetesAuth": {"enabled": False}}
    return {"initContainer": container, "agent": agent}
