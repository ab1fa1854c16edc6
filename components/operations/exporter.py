"""The exporter: one Pod that asks every server for its figures (prometheus/mysqld_exporter).

mariadb-operator runs its own where prometheus-operator is (`own`); this program runs one for
everybody else. Sources: v0.15.1, `mysqld_exporter.go`, `probe.go` and `config/config.go`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.credentials import EXPORTER_ACCOUNT
from components.config.engine import ENGINES
from components.config.password_sources import password_source
from components.config.security import PodUser
from components.config.stack import StackConfig
from components.credentials import ResolvedCredential, encoded
from components.operations import jobs
from components.pods import scheduling, security
from components.pods.network import allow, incoming, metrics_readers
from components.topology import CA_DIRECTORY, CA_KEY, Topology

PORT, PORT_NAME = 9104, "metrics"
"""As of mariadb-operator's (`MariaDB.SetDefaults`, pkg/builder)."""
PROBE = "/probe"
"""What asks the server that the parameter `target` names, as host and port."""
COLLECTORS = ("--no-collect.info_schema.innodb_cmp", "--no-collect.info_schema.innodb_cmpmem")
"""Those need the privilege PROCESS, by which everybody's statements can be read."""
ARGUMENTS = (*COLLECTORS, "--no-collect.info_schema.query_response_time")
"""The last asks for a plugin that no server here has. What stays on: the status, the variables and
the replication of a server."""
CONNECTIONS = 3
"""That its account may hold to one server: one reading, one that hangs, one of a Pod that goes."""
NOBODY = PodUser(run_as_user=65534, run_as_group=65534, fs_group=65534)
"""The image names its user, `nobody`, by name only, which Kubernetes cannot tell from root."""
DIRECTORY, CONFIG_FILE = "/etc/mysql-ha/exporter", "exporter.cnf"
LOGIN = "mysql-ha/login"
"""The annotation by which a Pod follows another password: the exporter reads its file once."""
UNAWAITED = {"pulumi.com/skipAwait": "true"}
"""Nothing waits for figures: a database is good without, and an alert says that they are missing.
Not for prometheus-operator's objects either, which have no status of their own."""


def own(config: StackConfig) -> bool:
    """Whether this program runs the exporter."""
    monitoring = config.monitoring
    return monitoring.enabled and not (monitoring.by_operator and ENGINES[config.engine].exports)


def selector(config: StackConfig) -> dict[str, str]:
    """The labels of the exporter's Pods, whoever runs it."""
    of = names.own_exporter_selector if own(config) else names.exporter_selector
    return of(config.name)


def cnf(password: str, *, tls: bool, ca_directory: str = CA_DIRECTORY) -> str:
    """The file by which the exporter logs in: an argument or a variable would show the password.

    With the authority it verifies certificates, for the name by which it reaches a server. It
    expands `$` in values, of which a password here has none.
    """
    lines = ["[client]", f"user={EXPORTER_ACCOUNT}", f"password={password}"]
    if tls:
        lines.append(f"ssl-ca={ca_directory}/{CA_KEY}")
    return "\n".join(lines) + "\n"


def deployment(config: StackConfig, topology: Topology) -> dict[str, Any]:
    """The `spec` of the Deployment. A database without servers has no exporter."""
    source = config.credentials.exporter
    login = f"{password_source(source)}, rotation {source.rotation}"
    return {
        "replicas": 0 if config.database.paused else 1,
        "selector": {"matchLabels": names.own_exporter_selector(config.name)},
        "template": {
            "metadata": {
                "labels": names.labels(config.name, "exporter"),
                "annotations": {LOGIN: login},
            },
            "spec": _pod(config, topology),
        },
    }


def _pod(config: StackConfig, topology: Topology) -> dict[str, Any]:
    file = {"secretName": names.exporter_config(config.name), "defaultMode": 0o440}
    ca_mounts, ca_volumes = jobs.server_ca(topology)
    image = config.images.exporter
    # Its first page: a server that is down must not take the figures of the others away.
    probe = {"httpGet": {"path": "/", "port": PORT_NAME}, "periodSeconds": 10}
    container = {
        "name": "exporter",
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "args": [f"--config.my-cnf={DIRECTORY}/{CONFIG_FILE}", *ARGUMENTS],
        "ports": [{"name": PORT_NAME, "containerPort": PORT}],
        "resources": scheduling.resources(config.monitoring.exporter.resources),
        "securityContext": dict(security.READ_ONLY),
        "volumeMounts": [
            {"name": "config", "mountPath": DIRECTORY, "readOnly": True},
            *ca_mounts,
        ],
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    return {
        **jobs.pod_spec(config, NOBODY),
        "containers": [container],
        "volumes": [{"name": "config", "secret": file}, *ca_volumes],
    }


def target(host: str, port: int) -> str:
    """What `PROBE` is asked for."""
    return f"{host}:{port}"


def annotations(host: str, port: int) -> dict[str, str]:
    """Of a server's Service: how the job `kubernetes-service-endpoints` of Prometheus's own chart
    reads it (prometheus-community/helm-charts, charts/prometheus/values.yaml)."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(PORT),
        "prometheus.io/path": PROBE,
        "prometheus.io/param_target": target(host, port),
    }


def services(config: StackConfig, topology: Topology) -> dict[str, dict[str, str]]:
    """The Services in front of the exporter, by name, and the annotations of each."""
    if config.monitoring.by_operator:
        return {names.metrics(config.name): {}}
    return {
        names.server_metrics(config.name, ordinal): annotations(host, topology.port)
        for ordinal, host in enumerate(topology.hosts)
    }


def exporter(
    name: str,
    config: StackConfig,
    topology: Topology,
    password: ResolvedCredential,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """This program's exporter, and the Services by which it is read. `after`: also the servers."""
    child = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after)))
    tls = topology.ca_secret is not None
    secret = k8s.core.v1.Secret(
        f"{name}-exporter-config",
        metadata=_metadata(config, names.exporter_config(config.name)),
        type="Opaque",
        data=encoded({CONFIG_FILE: password.password.apply(lambda text: cnf(text, tls=tls))}),
        opts=child,
    )
    k8s.apps.v1.Deployment(
        f"{name}-exporter",
        metadata=_metadata(config, names.exporter(config.name), UNAWAITED),
        spec=cast(k8s.apps.v1.DeploymentSpecArgs, deployment(config, topology)),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[secret])),
    )
    for service, annotated in services(config, topology).items():
        suffix = service.removeprefix(config.name)
        k8s.core.v1.Service(
            f"{name}{suffix}",
            metadata=_metadata(config, service, {**UNAWAITED, **annotated}),
            spec=k8s.core.v1.ServiceSpecArgs(
                selector=names.own_exporter_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(name=PORT_NAME, port=PORT, target_port=PORT_NAME)
                ],
            ),
            opts=child,
        )


def policy(
    name: str,
    config: StackConfig,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """Who reaches the exporter, whoever runs it: as the proxies' metrics, it has no login."""
    rules = [allow([PORT], metrics_readers(config.security.network_policy))]
    k8s.networking.v1.NetworkPolicy(
        f"{name}-exporter",
        metadata=_metadata(config, names.exporter(config.name)),
        spec=cast(k8s.networking.v1.NetworkPolicySpecArgs, incoming(selector(config), rules)),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )


def _metadata(
    config: StackConfig, name: str, annotations: Mapping[str, str] | None = None
) -> k8s.meta.v1.ObjectMetaArgs:
    return k8s.meta.v1.ObjectMetaArgs(
        name=name,
        namespace=config.namespace,
        labels=names.labels(config.name, "exporter"),
        annotations=dict(annotations) if annotations else None,
    )
