"""A Percona XtraDB Cluster run by Percona's operator: its object and the Secret of its accounts.

Field reference: percona-xtradb-cluster-operator v1.18.0, `pkg/apis/pxc/v1/pxc_types.go` and
`deploy/cr.yaml`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config import memory
from components.config.apps import privileges
from components.config.credentials import (
    EXPORTER_ACCOUNT,
    HEARTBEAT_ACCOUNT,
    HEARTBEAT_SCHEMA,
)
from components.config.engine import PERCONA
from components.config.images import proxysql_is_patched
from components.config.security import PodUser
from components.config.stack import StackConfig
from components.credentials import Credentials, encoded
from components.engines import adopted, percona_backup
from components.operations import heartbeat_script, places, restore
from components.pods import probes, scheduling, security
from components.topology import Topology

PORT = 3306

RESTRICTED = {**security.CONTAINER, "seccompProfile": security.SECCOMP}
"""For every container, because the operator may give its Pods other users."""

KEPT = (
    *("allowUnsafeConfigurations", "backup", "enableCRValidationWebhook", "ignoreAnnotations"),
    *("ignoreLabels", "initImage", "logCollectorSecretName", "pause", "platform", "pmm"),
    # An adopted cluster with an encrypted disk keeps its keys where they are.
    "vaultSecretName",
    *("unsafeFlags.backupIfUnhealthy", "passwordGenerationOptions", "storageScaling"),
    *("pxc.envVarsSecret", "pxc.expose", "pxc.gracePeriod", "pxc.lifecycle"),
    *("pxc.livenessDelaySec", "pxc.livenessProbes", "pxc.readinessDelaySec", "pxc.readinessProbes"),
    *("pxc.replicationChannels", "pxc.runtimeClassName", "pxc.schedulerName"),
    *("pxc.serviceAccountName", "pxc.sidecarPVCs", "pxc.sidecarResources", "pxc.sidecarVolumes"),
    *("pxc.sidecars", "pxc.extraPVCs", "pxc.hookScript", "pxc.mysqlAllocator"),
    "pxc.sstRetryCount",
    *("proxysql.configuration", "proxysql.envVarsSecret", "proxysql.extraPVCs"),
    *("proxysql.gracePeriod", "proxysql.hookScript", "proxysql.lifecycle"),
    *("proxysql.livenessDelaySec", "proxysql.livenessProbes", "proxysql.readinessDelaySec"),
    *("proxysql.readinessProbes", "proxysql.runtimeClassName", "proxysql.scheduler"),
    *("proxysql.schedulerName", "proxysql.serviceAccountName", "proxysql.sidecarPVCs"),
    *("proxysql.sidecarVolumes", "proxysql.sidecars"),
)
"""Fields below `spec` that people may set, as this program does not; see `mariadb.KEPT`. It sets
`backup` where the stack has a store, and `pause`, probes and the grace period where it has them."""


@dataclass(frozen=True, kw_only=True)
class PerconaArgs:
    """`credentials`: root, and the monitor where this program's own proxies check the servers.

    `after`: what every object waits for.
    """

    config: StackConfig
    credentials: Credentials
    after: Sequence[pulumi.Resource]


class Percona(pulumi.ComponentResource):
    """A PerconaXtraDBCluster `<name>` and the Secret `<name>-secrets` of the operator's accounts.

    The operator adds the passwords of its other accounts to that Secret. Waits until every server
    and proxy of the cluster is ready, at most `database.ready_timeout`.
    """

    topology: Topology
    """What the proxy tier needs to know of the servers."""
    ready: Sequence[pulumi.Resource]
    """What must exist before the first proxy."""
    status: pulumi.Output[dict[str, Any]]
    """`state`, `ready`, `size` and `details` (a list of texts), as last reported by the
    operator."""

    def __init__(
        self, name: str, args: PerconaArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:Percona", name, None, opts)
        config = args.config
        self.topology = topology(config)
        if config.operator_proxies and not proxysql_is_patched(config.images.proxy.tag):
            pulumi.log.warn(
                f"mysql-ha:images.proxy.tag: {config.images.proxy.tag} may lack the "
                "fix of CVE-2026-48773. Fix: set a fixed image of Percona's when there is one, or "
                "proxy.managed_by to mysql-ha",
                self,
            )
        made = [c.resource for c in args.credentials.resolved.values() if c.resource]
        if args.credentials["root"].secret != names.pxc_secrets(config.name):
            made.append(self._secret(name, args))
        cluster = self._cluster(name, args, made)
        self.ready = (cluster, *self._restored(name, config, cluster))
        self.status = cast(pulumi.Output[Any], cluster.__dict__["status"]).apply(observed)
        self.register_outputs({})

    def _cluster(
        self, name: str, args: PerconaArgs, secrets: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        config = args.config
        backup = percona_backup.spec(config, places.of(config, pulumi.get_stack()))
        set_here = {*backup, *_pause(config), *_timing(config)}
        return pulumi.CustomResource(
            PERCONA.api.type_token,
            f"{name}-pxc",
            {
                "apiVersion": PERCONA.api.group_version,
                "kind": PERCONA.api.kind,
                "metadata": {
                    "name": config.name,
                    "namespace": config.namespace,
                    "labels": names.labels(config.name, "percona"),
                    "annotations": {
                        "pulumi.com/waitFor": json.dumps(_when_ready(config)),
                        **adopted.annotations(config),
                    },
                },
                "spec": {**spec(config, args.credentials), **backup},
                # Only an output: pulumi_kubernetes' own class for custom resources drops it.
                "status": None,
            },
            opts=adopted.options(
                config,
                self,
                after=[*args.after, *secrets],
                left_alone=[f"spec.{field}" for field in KEPT if field not in set_here],
            ),
        )

    def _restored(
        self, name: str, config: StackConfig, cluster: pulumi.Resource
    ) -> tuple[pulumi.Resource, ...]:
        """What brings a backup's data into a new cluster."""
        chosen, child = config.database.restore_from, pulumi.ResourceOptions(parent=self)
        if chosen is None:
            return ()
        return (restore.percona_restore(name, config, chosen, after=[cluster], opts=child),)

    def _secret(self, name: str, args: PerconaArgs) -> pulumi.Resource:
        """Made unless root's password comes from it: then it exists already."""
        config = args.config
        return k8s.core.v1.Secret(
            f"{name}-secrets",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=names.pxc_secrets(config.name),
                namespace=config.namespace,
                labels=names.labels(config.name, "credentials"),
            ),
            type="Opaque",
            data=encoded({"root": args.credentials["root"].password}),
            opts=pulumi.ResourceOptions(
                parent=self, protect=config.security.protect, depends_on=list(args.after)
            ),
        )


def observed(status: Any) -> dict[str, Any]:
    """The part of the object's status that the outputs show; unknown fields are left out."""
    known = cast(dict[str, Any], status) if isinstance(status, dict) else {}
    return {
        "state": known.get("state", "unknown"),
        "ready": int(known.get("ready", 0)),
        "size": int(known.get("size", 0)),
        "details": list(known.get("message") or []),
    }


def _when_ready(config: StackConfig) -> list[str]:
    """What the object's status says once every server and proxy is ready, or none runs.

    Constants: the expressions cannot compare two fields (ready == size).
    """
    if config.database.paused:
        return ["jsonpath={.status.state}=paused"]
    size = pods(config)
    return [
        "jsonpath={.status.state}=ready",
        f"jsonpath={{.status.ready}}={size}",
        f"jsonpath={{.status.size}}={size}",
    ]


def pods(config: StackConfig) -> int:
    """How many Pods the operator counts in the cluster's `status.size`."""
    return config.database.replicas + (config.proxy.replicas if config.operator_proxies else 0)


def topology(config: StackConfig) -> Topology:
    """The servers of `config` as the proxy tier sees them."""
    name, namespace = config.name, config.namespace
    operator = config.operator_proxies
    service = names.service_host(
        names.pxc_proxysql(name) if operator else names.pxc(name),
        namespace,
        config.cluster_domain,
    )
    tls = config.security.tls
    return Topology(
        kind="galera",
        hosts=names.pxc_pod_hosts(
            name, namespace, config.database.replicas, domain=config.cluster_domain
        ),
        port=PORT,
        service=service,
        reader_service=service,
        writer_service=names.service_host(names.pxc(name), namespace, config.cluster_domain),
        server_version=config.full_version,
        auth_plugin=auth_plugin(config),
        ca_secret=(tls.secret or names.pxc_ssl_internal(name)) if tls.enabled else None,
    )


def auth_plugin(config: StackConfig) -> Literal["mysql_native_password", "caching_sha2_password"]:
    """How the operator has accounts made (pkg/pxc/app/statefulset/node.go).

    A cluster can go from the first to the second, and never back (build/pxc-entrypoint.sh).
    """
    return "mysql_native_password" if config.operator_proxies else "caching_sha2_password"


def immutable(config: StackConfig) -> dict[str, Any]:
    """What an edit must not change of this engine only (`guards.immutable`)."""
    return {"accounts": auth_plugin(config), "nodes": config.database.replicas}


def my_cnf(config: StackConfig) -> str:
    """The servers' configuration: what the design needs, then the stack's own text."""
    lines = [
        "[mysqld]",
        "character_set_server = utf8mb4",
        f"max_connections = {config.database.max_connections}",
        f"binlog_expire_logs_seconds = {config.database.binlog_expire_days * 86_400}",
    ]
    if pool := memory.generated_pool(config):
        lines.append(f"innodb_buffer_pool_size = {pool}")
    if options := config.database.galera.provider_options:
        # The operator adds its own pc.weight only where this option is absent
        # (build/pxc-configure-pxc.sh); the server adds those of TLS itself.
        merged = {"pc.weight": "10", **options}
        texts = ";".join(f"{name}={value}" for name, value in merged.items())
        lines.append(f'wsrep_provider_options = "{texts}"')
    tls = config.security.tls
    if tls.enabled and tls.required and not config.operator_proxies:
        # ProxySQL's use_ssl alone would fall back to plain text silently. The operator's own
        # connections use TLS where it is offered (pkg/pxc/users/users.go); what its ProxySQL does
        # is not documented, so with it the servers accept both.
        lines.append("require_secure_transport = ON")
    own = config.database.my_cnf.strip()
    return "\n".join(lines + ([own] if own else [])) + "\n"


def spec(config: StackConfig, credentials: Credentials) -> dict[str, Any]:
    """The `spec` of the PerconaXtraDBCluster. Holds only fields that the operator never writes, and
    `pause` where the stack says so."""
    percona, proxies = config.percona, config.operator_proxies
    assert percona is not None  # the preset of the engine has it
    users = [
        *_monitors(config, credentials),
        *_heartbeat(config, credentials),
        *_exporter(config, credentials),
        *_apps(config),
    ]
    return {
        "crVersion": percona.cr_version,
        # Without it the operator puts a larger size back (pkg/controller/pxc/volumes.go).
        "enableVolumeExpansion": True,
        "secretsName": names.pxc_secrets(config.name),
        # SmartUpdate restarts the writer last and asks the operator's proxy which one it is: it is
        # refused without one. RollingUpdate goes from the highest ordinal down, and this
        # program's proxies prefer the lowest as the writer.
        "updateStrategy": "SmartUpdate" if proxies else "RollingUpdate",
        # Versions change by an edit of the stack only.
        "upgradeOptions": {"apply": "disabled"},
        "unsafeFlags": _unsafe(config),
        "initContainer": {"containerSecurityContext": RESTRICTED},
        "pxc": _pxc(config),
        "haproxy": {"enabled": False},
        "proxysql": _proxysql(config) if proxies else {"enabled": False},
        "logcollector": _log_collector(config),
        **_tls(config),
        **_pause(config),
        **({"users": users} if users else {}),
    }


def _pause(config: StackConfig) -> dict[str, bool]:
    """`spec.pause`, if the stack says something about it: the operator writes it as well, while it
    restores a backup or turns TLS on or off."""
    paused = config.database.paused
    return {} if paused is None else {"pause": paused}


def _unsafe(config: StackConfig) -> dict[str, bool]:
    """What the operator would refuse otherwise."""
    single, proxies = config.database.replicas < 3, config.operator_proxies
    return {
        "pxcSize": single,
        "proxySize": single or (proxies and config.proxy.replicas < 2),
        "tls": not config.security.tls.enabled,
    }


def _tls(config: StackConfig) -> dict[str, Any]:
    """`spec.tls`, and the Secrets of certificates that are given."""
    tls = config.security.tls
    if not tls.enabled:
        return {"tls": {"enabled": False}}
    result: dict[str, Any] = {"enabled": True}
    if tls.issuer:
        result["issuerConf"] = tls.issuer.model_dump()
    if tls.secret:
        secrets = dict.fromkeys(("sslSecretName", "sslInternalSecretName"), tls.secret)
        return {"tls": result, **secrets}
    # The operator's own list has short names only (pkg/controller/pxc/tls.go). Those of both
    # Services, whichever is in use: another list would be another certificate.
    hosts = [
        names.service_host(service, config.namespace, config.cluster_domain)
        for service in (names.pxc(config.name), names.pxc_proxysql(config.name))
    ]
    return {"tls": {**result, "SANs": [*hosts, *(f"*.{host}" for host in hosts)]}}


def _monitors(config: StackConfig, credentials: Credentials) -> list[dict[str, Any]]:
    """The accounts by which this program's proxies check the servers.

    The operator's own account `monitor` has SUPER; these have no privilege at all, which is enough
    for the state of a node (performance_schema.global_status is open to all).
    """
    if not config.own_proxies:
        return []
    return [
        _account(login.username, credentials["monitor"].secret, login.key)
        for login in sorted(config.monitor_logins)
    ]


def _heartbeat(config: StackConfig, credentials: Credentials) -> list[dict[str, Any]]:
    """The account that writes the heartbeat, and its database."""
    if not config.backup.drilled:
        return []
    password = credentials["heartbeat"]
    return [
        {
            **_account(HEARTBEAT_ACCOUNT, password.secret, password.key),
            "dbs": [HEARTBEAT_SCHEMA],
            "grants": list(heartbeat_script.PRIVILEGES),
        }
    ]


def _exporter(config: StackConfig, credentials: Credentials) -> list[dict[str, Any]]:
    """The account of the exporter, with what SHOW REPLICA STATUS needs; status and variables need
    nothing (dev.mysql.com, "SHOW Statements"). The operator cannot limit its connections."""
    if not config.monitoring.enabled:
        return []
    password = credentials["exporter"]
    account = _account(EXPORTER_ACCOUNT, password.secret, password.key)
    return [{**account, "grants": ["REPLICATION CLIENT"]}]


def _apps(config: StackConfig) -> list[dict[str, Any]]:
    """The accounts of apps, and the databases that the operator makes for them."""
    return [
        {
            **_account(
                login.username, names.account_secret(config.name, app.name), login.key, app.host
            ),
            "dbs": list(app.databases),
            # Of any of them: they are the same in all (checks, percona_grants_the_same_everywhere).
            "grants": privileges(next(iter(app.databases.values()))),
        }
        for app in config.apps
        for login in sorted(app.logins)  # either of the alternating accounts
    ]


def _account(user: str, secret: str, key: str, host: str = "%") -> dict[str, Any]:
    return {"name": user, "hosts": [host], "passwordSecretRef": {"name": secret, "key": key}}


def _pxc(config: StackConfig) -> dict[str, Any]:
    database, image = config.database, config.images.database
    return {
        "size": database.replicas,
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "autoRecovery": True,
        "configuration": my_cnf(config),
        "volumeSpec": _volume(database.storage.size, database.storage.storage_class),
        **_pod(config, "database", config.security.database),
        **_some("labels", dict(database.pod_labels)),
        **_some("annotations", dict(database.pod_annotations)),
        **_some("resources", scheduling.resources(database.resources)),
        **{field.removeprefix("pxc."): value for field, value in _timing(config).items()},
    }


def _timing(config: StackConfig) -> dict[str, Any]:
    """Fields below `spec` of probes and of the grace period, if the stack sets them."""
    database = config.database
    fields: dict[str, Any] = {
        "pxc.livenessProbes": probes.probe(database.probes.liveness),
        "pxc.readinessProbes": probes.probe(database.probes.readiness),
        "pxc.gracePeriod": database.termination_grace_seconds,
    }
    return {field: value for field, value in fields.items() if value}


def _proxysql(config: StackConfig) -> dict[str, Any]:
    proxy, image = config.proxy, config.images.proxy
    service = proxy.service
    expose: dict[str, Any] = {"enabled": True, "type": service.type}
    if service.external_traffic_policy:
        expose["externalTrafficPolicy"] = service.external_traffic_policy
    if service.load_balancer_source_ranges:
        expose["loadBalancerSourceRanges"] = list(service.load_balancer_source_ranges)
    if service.load_balancer_class:
        expose["loadBalancerClass"] = service.load_balancer_class
    return {
        "enabled": True,
        "size": proxy.replicas,
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        # Its administration database is the only home of what the operator puts into it.
        "volumeSpec": _volume(proxy.storage.size, proxy.storage.storage_class),
        "expose": {**expose, **_some("annotations", dict(service.annotations))},
        **_pod(config, "proxy", config.security.database),
        **_some("sidecarResources", scheduling.resources(config.database.helper_resources)),
        **_some("labels", dict(proxy.pod_labels)),
        **_some("annotations", dict(proxy.pod_annotations)),
        **_some("resources", scheduling.resources(proxy.resources)),
    }


def _log_collector(config: StackConfig) -> dict[str, Any]:
    if not (config.percona and config.percona.log_collector):
        return {"enabled": False}
    image = config.images.log_collector
    return {
        "enabled": True,
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "containerSecurityContext": RESTRICTED,
        **_some("resources", scheduling.resources(config.database.helper_resources)),
    }


def _pod(config: StackConfig, tier: str, user: PodUser) -> dict[str, Any]:
    """Placement and security of one tier's Pods."""
    placement = config.scheduling.database if tier == "database" else config.scheduling.proxy
    component = "pxc" if tier == "database" else "proxysql"
    result = scheduling.pod_spec(placement, names.pxc_selector(config.name, component))
    affinity = result.pop("affinity", None)
    # The operator's default always puts every Pod on a different node.
    result["affinity"] = {"advanced": affinity} if affinity else {"antiAffinityTopologyKey": "none"}
    result["podSecurityContext"] = security.of_pod(config.security, user)
    result["containerSecurityContext"] = RESTRICTED
    if placement.disruption_budget:
        result["podDisruptionBudget"] = {"maxUnavailable": 1}
    if config.images.pull_secrets:
        result["imagePullSecrets"] = [{"name": name} for name in config.images.pull_secrets]
    return result


def _volume(size: str, storage_class: str | None) -> dict[str, Any]:
    claim: dict[str, Any] = {"resources": {"requests": {"storage": size}}}
    if storage_class:
        claim["storageClassName"] = storage_class
    return {"persistentVolumeClaim": claim}


def _some(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """`{key: value}`, or empty if there is no value."""
    return {key: value} if value else {}
