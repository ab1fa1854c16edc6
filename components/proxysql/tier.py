"""The ProxySQL tier: StatefulSet, Services, Secrets, disruption budget.

Every design choice is measured or sourced in `docs/proxysql.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.engine import ENGINES
from components.config.proxysql import ADMIN_PORT, METRICS_PORT
from components.config.stack import StackConfig
from components.credentials import Credentials, encoded
from components.pods.network import incoming
from components.proxysql import (
    certificate,
    config_files,
    layout,
    live,
    network,
    pod,
    self_check,
)
from components.proxysql.model import Secrets, cnf_model
from components.topology import Topology

MIN_READY = 6
"""Seconds a new Pod must be ready before the next is replaced: what crashes a proxy soon has run
once, its checks of servers and peers (1 to 2 s) and the script that loads logins (5 s). It need not
wait for clients: the next Pod accepts for `drain.endpoint_removal` seconds more."""
UNAWAITED = {"pulumi.com/skipAwait": "true"}
"""Annotation of an object that is good as soon as it is there."""


@dataclass(frozen=True, kw_only=True)
class ProxySqlArgs:
    """`logins`: passwords of all logins, by user name.

    `after`: what every object waits for; `servers`: what must exist before the first Pod;
    `accounts`: what must be in the servers before a login is accepted.
    """

    config: StackConfig
    topology: Topology
    credentials: Credentials
    logins: Mapping[str, pulumi.Output[str]]
    after: Sequence[pulumi.Resource]
    servers: Sequence[pulumi.Resource]
    accounts: Sequence[pulumi.Resource] = ()


class ProxySql(pulumi.ComponentResource):
    """A StatefulSet `<name>-proxysql` of `proxy.replicas` Pods and what it needs.

    The whole configuration is one Secret, named by a hash of its non-secret part and of where each
    password comes from: an edit makes a new Secret and rolls the Pods, and each Pod starts from
    that file alone (`--initial`), whatever its data directory holds. Logins and peers are a Secret
    of their own, `<name>-proxysql-users`, which running proxies load without a roll.
    """

    users: pulumi.Resource
    """The Secret of logins and peers."""

    def __init__(
        self, name: str, args: ProxySqlArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:ProxySql", name, None, opts)
        self._args = args
        config = args.config
        self._child = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        self._tier = ENGINES[config.engine].proxies(config.name)
        self._model = cnf_model(config, args.topology)
        certificate.certificate(name, config, self._child)
        self._live = live.live(config, args.topology)
        self.users = self._live_secret(name)
        self._stateful_set(name, self._config_secret(name), [self.users, self._peer_service(name)])
        self._client_service(name)
        if config.proxy.service.expose_admin:
            self._admin_service(name)
        if config.scheduling.proxy.disruption_budget:
            k8s.policy.v1.PodDisruptionBudget(
                f"{name}-proxysql",
                metadata=self._metadata(self._tier),
                spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
                    max_unavailable=1, selector=self._selector()
                ),
                opts=self._child,
            )
        if config.security.network_policy.enabled:
            self._network_policy(name)
        self.register_outputs({})

    # --- configuration ---

    def _config_secret(self, name: str) -> k8s.core.v1.Secret:
        args, config, model = self._args, self._args.config, self._model
        passwords = {role: args.credentials[role].password for role in config.proxy_roles}
        files = pulumi.Output.all(**passwords).apply(
            lambda known: config_files.files(model, Secrets(**known))
        )
        return k8s.core.v1.Secret(
            f"{name}-proxysql-cnf",
            metadata=self._metadata(config_files.secret_name(config, model)),
            type="Opaque",
            data=encoded(files),
            opts=self._child,
        )

    def _live_secret(self, name: str) -> k8s.core.v1.Secret:
        """Its name never changes: the kubelet updates the files, and ProxySQL loads them."""
        model = self._live
        text = pulumi.Output.all(passwords=self._args.logins).apply(
            lambda known: live.render_users(model, known["passwords"])
        )
        return k8s.core.v1.Secret(
            f"{name}-proxysql-users",
            metadata=self._metadata(names.proxysql_users(self._args.config.name)),
            type="Opaque",
            data=encoded(
                {
                    layout.USERS_FILE: text,
                    layout.PEERS_FILE: live.render_peers(model),
                    layout.READ_CHECK_FILE: self_check.live_check(model, running=False),
                    layout.IN_USE_CHECK_FILE: self_check.live_check(model, running=True),
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*self._args.after, *self._args.accounts]
            ),
        )

    # --- Services ---

    def _peer_service(self, name: str) -> k8s.core.v1.Service:
        config = self._args.config
        return k8s.core.v1.Service(
            f"{name}-proxysql-cluster",
            # Pulumi would wait for endpoints, which come only with the StatefulSet.
            metadata=self._metadata(names.proxysql_peers(config.name), UNAWAITED),
            spec=k8s.core.v1.ServiceSpecArgs(
                cluster_ip="None",
                # Peers must resolve each other while they boot.
                publish_not_ready_addresses=True,
                selector=names.proxysql_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name=names.service_port("mysql", config.proxy.ports[0]),
                        port=config.proxy.ports[0],
                        target_port=names.client_port(config.proxy.ports[0]),
                    ),
                    k8s.core.v1.ServicePortArgs(name="admin", port=ADMIN_PORT, target_port="admin"),
                    k8s.core.v1.ServicePortArgs(
                        name="metrics", port=METRICS_PORT, target_port="metrics"
                    ),
                ],
            ),
            opts=self._child,
        )

    def _client_service(self, name: str) -> None:
        config = self._args.config
        service = config.proxy.service
        k8s.core.v1.Service(
            f"{name}-proxysql",
            metadata=self._metadata(self._tier, {**service.annotations, **self._unawaited}),
            spec=k8s.core.v1.ServiceSpecArgs(
                type=service.type,
                external_traffic_policy=service.external_traffic_policy,
                load_balancer_source_ranges=list(service.load_balancer_source_ranges) or None,
                load_balancer_class=service.load_balancer_class,
                selector=names.proxysql_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name=names.service_port("mysql", service.port),
                        port=service.port,
                        target_port=names.client_port(config.proxy.ports[0]),
                        node_port=service.node_port,
                    )
                ],
            ),
            opts=self._child,
        )

    def _admin_service(self, name: str) -> None:
        """Apart from the client Service: the admin port is full control of the tier."""
        config = self._args.config
        service = config.proxy.service
        k8s.core.v1.Service(
            f"{name}-proxysql-admin-port",
            metadata=self._metadata(names.proxysql_admin(config.name), self._unawaited),
            spec=k8s.core.v1.ServiceSpecArgs(
                type="NodePort" if service.admin_node_port else "ClusterIP",
                selector=names.proxysql_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name=names.service_port("admin", service.admin_port),
                        port=service.admin_port,
                        target_port="admin",
                        node_port=service.admin_node_port,
                    )
                ],
            ),
            opts=self._child,
        )

    @property
    def _unawaited(self) -> Mapping[str, str]:
        """Of a Service that leads to no Pod, as Pulumi would wait for one."""
        return UNAWAITED if self._args.config.proxy.paused else {}

    def _network_policy(self, name: str) -> None:
        config = self._args.config
        k8s.networking.v1.NetworkPolicy(
            f"{name}-proxysql",
            metadata=self._metadata(self._tier),
            spec=cast(
                k8s.networking.v1.NetworkPolicySpecArgs,
                incoming(
                    names.proxysql_selector(config.name),
                    network.proxy_ingress(
                        config,
                        client_ports=config.proxy.ports,
                        admin_port=ADMIN_PORT,
                        metrics_port=METRICS_PORT,
                    ),
                ),
            ),
            opts=self._child,
        )

    # --- StatefulSet ---

    def _stateful_set(
        self, name: str, secret: k8s.core.v1.Secret, after: Sequence[pulumi.Resource]
    ) -> None:
        args, config = self._args, self._args.config
        timeout = f"{self._roll_limit}s"
        k8s.apps.v1.StatefulSet(
            f"{name}-proxysql",
            metadata=self._metadata(self._tier),
            spec=k8s.apps.v1.StatefulSetSpecArgs(
                replicas=config.proxy.running,
                service_name=names.proxysql_peers(config.name),
                # Proxies are equals: no reason to start one after another.
                pod_management_policy="Parallel",
                min_ready_seconds=MIN_READY,
                selector=self._selector(),
                template=pod.template(config, args.topology, secret.metadata.name),
                volume_claim_templates=self._claims(),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.servers, secret, *after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )

    def _claims(self) -> list[k8s.core.v1.PersistentVolumeClaimArgs] | None:
        storage = self._args.config.proxy.storage
        if not storage.persistent:
            return None
        spec = k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=storage.storage_class,
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(
                requests={"storage": storage.size}
            ),
        )
        metadata = k8s.meta.v1.ObjectMetaArgs(name=pod.DATA_VOLUME)
        return [k8s.core.v1.PersistentVolumeClaimArgs(metadata=metadata, spec=spec)]

    @property
    def _roll_limit(self) -> int:
        """Seconds: one Pod after the other drains, and the next starts and must stay ready."""
        proxy = self._args.config.proxy
        one = pod.grace_period(proxy.drain) + pod.STARTUP_LIMIT + MIN_READY
        return proxy.replicas * one + 60

    # --- shared ---

    def _metadata(
        self, name: str, annotations: Mapping[str, str] | None = None
    ) -> k8s.meta.v1.ObjectMetaArgs:
        config = self._args.config
        return k8s.meta.v1.ObjectMetaArgs(
            name=name,
            namespace=config.namespace,
            labels=names.labels(config.name, "proxysql"),
            annotations=annotations or None,
        )

    def _selector(self) -> k8s.meta.v1.LabelSelectorArgs:
        return k8s.meta.v1.LabelSelectorArgs(
            match_labels=names.proxysql_selector(self._args.config.name)
        )
