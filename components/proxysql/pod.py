"""A proxy's Pod: its container, probes and volumes.

Every design choice is measured or sourced in `docs/proxysql.md`.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.proxy import Drain
from components.config.proxysql import ADMIN_PORT, METRICS_PORT
from components.config.stack import StackConfig
from components.pods import scheduling, security
from components.proxysql import certificate, layout, scripts
from components.topology import CA_KEY, Topology

STARTUP_LIMIT = 120
"""Seconds, at most, until a proxy runs every row of its files; then it is started again."""
EXIT = 22
"""Seconds that ProxySQL's own exit may take, after the drain."""
DATA_VOLUME = "data"
"""The volume of DATA_DIR, and the claim of it where that is persistent."""


class _Mount(NamedTuple):
    """A directory of the container, with the volume that it shows; None: a claim."""

    mount: k8s.core.v1.VolumeMountArgs
    volume: k8s.core.v1.VolumeArgs | None


def template(
    config: StackConfig, topology: Topology, secret: pulumi.Input[str]
) -> k8s.core.v1.PodTemplateSpecArgs:
    """What the StatefulSet makes Pods from. `secret`: the name of the configuration's."""
    return k8s.core.v1.PodTemplateSpecArgs(
        metadata=k8s.meta.v1.ObjectMetaArgs(
            labels={**config.proxy.pod_labels, **names.labels(config.name, "proxysql")},
            annotations={**_scraped(config), **config.proxy.pod_annotations} or None,
        ),
        spec=_spec(config, _mounts(config, topology, secret)),
    )


def _scraped(config: StackConfig) -> dict[str, str]:
    """How the job `kubernetes-pods` of Prometheus's own chart reads a proxy's figures."""
    if config.monitoring.scrape != "annotations":
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(METRICS_PORT),
        "prometheus.io/path": "/metrics",
    }


def grace_period(drain: Drain) -> int:
    """Seconds: the longest drain, and ProxySQL's own exit."""
    return drain.endpoint_removal + drain.timeout + EXIT


def _spec(config: StackConfig, mounts: list[_Mount]) -> k8s.core.v1.PodSpecArgs:
    pull_secrets = config.images.pull_secrets
    placement = scheduling.pod_spec(config.scheduling.proxy, names.proxysql_selector(config.name))
    return k8s.core.v1.PodSpecArgs(
        automount_service_account_token=False,
        enable_service_links=False,
        termination_grace_period_seconds=grace_period(config.proxy.drain),
        # Backend names are complete: a search list would multiply every look-up.
        dns_config=k8s.core.v1.PodDNSConfigArgs(
            options=[k8s.core.v1.PodDNSConfigOptionArgs(name="ndots", value="2")]
        ),
        security_context=cast(
            k8s.core.v1.PodSecurityContextArgs,
            security.of_pod(config.security, config.security.proxy),
        ),
        image_pull_secrets=[
            k8s.core.v1.LocalObjectReferenceArgs(name=name) for name in pull_secrets
        ]
        or None,
        containers=[_container(config, [mount for mount, _ in mounts])],
        volumes=[volume for _, volume in mounts if volume],
        affinity=cast(k8s.core.v1.AffinityArgs | None, placement.get("affinity")),
        node_selector=placement.get("nodeSelector"),
        tolerations=cast(list[k8s.core.v1.TolerationArgs] | None, placement.get("tolerations")),
        priority_class_name=placement.get("priorityClassName"),
        topology_spread_constraints=cast(
            list[k8s.core.v1.TopologySpreadConstraintArgs] | None,
            placement.get("topologySpreadConstraints"),
        ),
    )


def _container(
    config: StackConfig, mounts: list[k8s.core.v1.VolumeMountArgs]
) -> k8s.core.v1.ContainerArgs:
    image = config.images.proxy
    return k8s.core.v1.ContainerArgs(
        name="proxysql",
        image=image.reference,
        image_pull_policy=image.pull_policy,
        command=_command(config),
        args=list(scripts.PROXYSQL_ARGUMENTS),
        ports=[
            *(
                k8s.core.v1.ContainerPortArgs(name=names.client_port(port), container_port=port)
                for port in config.proxy.ports
            ),
            k8s.core.v1.ContainerPortArgs(name="admin", container_port=ADMIN_PORT),
            k8s.core.v1.ContainerPortArgs(name="metrics", container_port=METRICS_PORT),
        ],
        resources=_resources(config),
        security_context=k8s.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=mounts,
        startup_probe=_startup(),
        readiness_probe=_readiness(config),
        liveness_probe=_liveness(),
        lifecycle=k8s.core.v1.LifecycleArgs(
            pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                exec_=_shell(scripts.stop(config.proxy.drain))
            )
        ),
    )


def _command(config: StackConfig) -> list[str]:
    """Images differ in their entry point, so it is named here."""
    linked = config.proxy.tls.given
    if linked or config.proxy.storage.persistent:
        return ["sh", "-c", scripts.start(layout.DATA_DIR, linked=linked), "proxysql"]
    return ["proxysql"]


def _resources(config: StackConfig) -> k8s.core.v1.ResourceRequirementsArgs | None:
    amounts = scheduling.resources(config.proxy.resources)
    if not amounts:
        return None
    return k8s.core.v1.ResourceRequirementsArgs(
        requests=amounts.get("requests"), limits=amounts.get("limits")
    )


def _startup() -> k8s.core.v1.ProbeArgs:
    """A row that ProxySQL dropped keeps the Pod from ever becoming ready, which stops the rolling
    update at the first Pod."""
    return k8s.core.v1.ProbeArgs(
        exec_=_shell(scripts.started()),
        # The kubelet's shortest; readiness follows at once (pkg/kubelet/prober).
        period_seconds=1,
        timeout_seconds=5,
        failure_threshold=STARTUP_LIMIT,
    )


def _readiness(config: StackConfig) -> k8s.core.v1.ProbeArgs:
    """Not the servers' health: during an outage clients must wait in the proxy."""
    return k8s.core.v1.ProbeArgs(
        tcp_socket=k8s.core.v1.TCPSocketActionArgs(port=names.client_port(config.proxy.ports[0])),
        period_seconds=5,
        failure_threshold=2,
    )


def _liveness() -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        tcp_socket=k8s.core.v1.TCPSocketActionArgs(port="admin"),
        period_seconds=10,
        failure_threshold=6,
    )


def _shell(text: str) -> k8s.core.v1.ExecActionArgs:
    return k8s.core.v1.ExecActionArgs(command=["sh", "-c", text])


def _mounts(config: StackConfig, topology: Topology, secret: pulumi.Input[str]) -> list[_Mount]:
    """Whole directories, no subPath: a subPath mount never follows its Secret."""
    mounts = [
        _secret("config", layout.CONFIG_DIR, secret),
        _secret("users", layout.LIVE_DIR, names.proxysql_users(config.name)),
        _data(config),
    ]
    if topology.ca_secret:
        items = [k8s.core.v1.KeyToPathArgs(key=CA_KEY, path=CA_KEY)]
        mounts.append(_secret("server-ca", layout.CA_DIR, topology.ca_secret, items, mode=0o444))
    if shown := certificate.secret(config):
        items = certificate.volume_items(config)
        mounts.append(_secret("tls", layout.TLS_DIR, shown, items))
    return mounts


def _secret(
    name: str,
    path: str,
    secret: pulumi.Input[str],
    items: list[k8s.core.v1.KeyToPathArgs] | None = None,
    *,
    mode: int = 0o440,
) -> _Mount:
    """A Secret as a directory; `items`: only these keys, under these names."""
    source = k8s.core.v1.SecretVolumeSourceArgs(secret_name=secret, items=items, default_mode=mode)
    return _Mount(
        k8s.core.v1.VolumeMountArgs(name=name, mount_path=path, read_only=True),
        k8s.core.v1.VolumeArgs(name=name, secret=source),
    )


def _data(config: StackConfig) -> _Mount:
    storage = config.proxy.storage
    source = k8s.core.v1.EmptyDirVolumeSourceArgs(size_limit=storage.size)
    return _Mount(
        k8s.core.v1.VolumeMountArgs(name=DATA_VOLUME, mount_path=layout.DATA_DIR),
        None if storage.persistent else k8s.core.v1.VolumeArgs(name=DATA_VOLUME, empty_dir=source),
    )
