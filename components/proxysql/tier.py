"""The ProxySQL tier: StatefulSet, Services, configuration Secret, disruption budget.

Every design choice is measured or sourced in `docs/proxysql.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config import password_sources
from components.config.credentials import PROXY_ROLES
from components.config.stack import StackConfig
from components.credentials import Credentials
from components.pods import scheduling
from components.proxysql import certificate, cnf, network, self_check, watcher
from components.topology import Topology

MIN_READY = 6
"""Seconds a new Pod must be ready before the next is replaced: what crashes a proxy soon has run
once, its checks of servers and peers (1 to 2 s) and the script that loads logins (5 s). Nothing
waits for clients to come: the next Pod accepts for `drain.endpoint_removal` seconds more."""

ADMIN_CNF = """\
[client]
user=admin
password={password}
host=127.0.0.1
port={port}
protocol=tcp
loose-skip-ssl
"""
"""Login of the probes: a file, because an argument would show the password to every `ps`."""


def _client(login: str) -> str:
    """The command of a client that logs in by a file of the configuration directory.

    The image has one of the two clients, by Debian release.
    """
    return (
        '"$(command -v mariadb || command -v mysql)" '
        f"--defaults-extra-file={cnf.CONFIG_DIR}/{login} --batch --skip-column-names"
    )


_CLIENT = _client("admin.cnf")


@dataclass(frozen=True, kw_only=True)
class ProxySqlArgs:
    """`logins`: passwords of everyone who may log in, by user name.

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
        self._tier = names.proxysql(config.name, config.engine)
        self._model = cnf.model(config, args.topology)
        certificate.certificate(name, config, self._child)
        self._live = cnf.live(config, args.topology)
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
        args, config = self._args, self._args.config
        digest = cnf.digest(self._model, password_sources.password_sources(config))
        roles = {role: args.credentials[role].password for role in PROXY_ROLES}
        files = pulumi.Output.all(**roles).apply(self._files)
        return k8s.core.v1.Secret(
            f"{name}-proxysql-cnf",
            metadata=self._metadata(names.proxysql_config(config.name, digest)),
            type="Opaque",
            string_data=pulumi.Output.secret(files),
            opts=self._child,
        )

    def _live_secret(self, name: str) -> k8s.core.v1.Secret:
        """Its name never changes: the kubelet renews the files, and ProxySQL takes them up."""
        model = self._live
        text = pulumi.Output.all(passwords=self._args.logins).apply(
            lambda known: cnf.render_users(model, known["passwords"])
        )
        return k8s.core.v1.Secret(
            f"{name}-proxysql-users",
            metadata=self._metadata(names.proxysql_users(self._args.config.name)),
            type="Opaque",
            string_data={
                "users.cnf": pulumi.Output.secret(text),
                "peers.cnf": cnf.render_peers(model),
                "read.sql": self_check.live_check(model, running=False),
                "in-use.sql": self_check.live_check(model, running=True),
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*self._args.after, *self._args.accounts]
            ),
        )

    def _files(self, roles: Mapping[str, str]) -> dict[str, str]:
        """The files of the configuration directory."""
        secrets = cnf.Secrets(
            admin=roles["proxy_admin"],
            stats=roles["proxy_stats"],
            cluster=roles["proxy_cluster"],
            monitor=roles["monitor"],
        )
        return {
            "proxysql.cnf": cnf.render(self._model, secrets),
            "admin.cnf": ADMIN_CNF.format(password=secrets.admin, port=cnf.ADMIN_PORT),
            "self-check.sql": self_check.self_check(self._model),
            "reload.sh": cnf.reload_live(_CLIENT),
            **self._watch_files(secrets.monitor),
            **(
                {"reload-tls.sh": certificate.reload_script(_CLIENT, cnf.DATA_DIR)}
                if self._model.certificate
                else {}
            ),
        }

    def _watch_files(self, password: str) -> dict[str, str]:
        watch = self._model.watch
        if watch is None:
            return {}
        login = watcher.LOGIN_FILE
        return {
            login: watcher.login(watch, self._model.monitor_username, password),
            watcher.FILE: watcher.script(watch, _CLIENT, _client(login), f"{cnf.DATA_DIR}/watch"),
        }

    # --- Services ---

    def _peer_service(self, name: str) -> k8s.core.v1.Service:
        config = self._args.config
        return k8s.core.v1.Service(
            f"{name}-proxysql-cluster",
            # Pulumi would wait for endpoints, which come only with the StatefulSet.
            metadata=self._metadata(
                names.proxysql_peers(config.name), {"pulumi.com/skipAwait": "true"}
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                cluster_ip="None",
                # Peers must resolve each other while they boot.
                publish_not_ready_addresses=True,
                selector=names.proxysql_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name="mysql", port=config.proxy.ports[0], target_port="mysql"
                    ),
                    k8s.core.v1.ServicePortArgs(
                        name="admin", port=cnf.ADMIN_PORT, target_port="admin"
                    ),
                    k8s.core.v1.ServicePortArgs(
                        name="metrics", port=cnf.METRICS_PORT, target_port="metrics"
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
            metadata=self._metadata(self._tier, service.annotations),
            spec=k8s.core.v1.ServiceSpecArgs(
                type=service.type,
                selector=names.proxysql_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name="mysql",
                        port=service.port,
                        target_port="mysql",
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
            metadata=self._metadata(names.proxysql_admin(config.name)),
            spec=k8s.core.v1.ServiceSpecArgs(
                type="NodePort" if service.admin_node_port else "ClusterIP",
                selector=names.proxysql_selector(config.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name="admin",
                        port=service.admin_port,
                        target_port="admin",
                        node_port=service.admin_node_port,
                    )
                ],
            ),
            opts=self._child,
        )

    def _network_policy(self, name: str) -> None:
        config = self._args.config
        k8s.networking.v1.NetworkPolicy(
            f"{name}-proxysql",
            metadata=self._metadata(self._tier),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=self._selector(),
                policy_types=["Ingress"],
                ingress=network.proxy_ingress(
                    config,
                    client_ports=config.proxy.ports,
                    admin_port=cnf.ADMIN_PORT,
                    metrics_port=cnf.METRICS_PORT,
                ),
            ),
            opts=self._child,
        )

    # --- StatefulSet ---

    def _stateful_set(
        self, name: str, secret: k8s.core.v1.Secret, after: Sequence[pulumi.Resource]
    ) -> None:
        config = self._args.config
        storage = config.proxy.storage
        # A roll takes one Pod after the other: it drains, the next starts (at most 2 min, the
        # startup probe's limit) and must stay ready.
        timeout = f"{config.proxy.replicas * (self._grace_period + 120 + MIN_READY) + 60}s"
        claims = None
        if storage.persistent:
            claims = [
                k8s.core.v1.PersistentVolumeClaimArgs(
                    metadata=k8s.meta.v1.ObjectMetaArgs(name="data"),
                    spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
                        access_modes=["ReadWriteOnce"],
                        storage_class_name=storage.storage_class,
                        resources=k8s.core.v1.VolumeResourceRequirementsArgs(
                            requests={"storage": storage.size}
                        ),
                    ),
                )
            ]
        k8s.apps.v1.StatefulSet(
            f"{name}-proxysql",
            metadata=self._metadata(self._tier),
            spec=k8s.apps.v1.StatefulSetSpecArgs(
                replicas=config.proxy.replicas,
                service_name=names.proxysql_peers(config.name),
                # Proxies are equals: no reason to start one after another.
                pod_management_policy="Parallel",
                min_ready_seconds=MIN_READY,
                selector=self._selector(),
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=k8s.meta.v1.ObjectMetaArgs(
                        labels={
                            **config.proxy.pod_labels,
                            **names.labels(config.name, "proxysql"),
                        },
                        annotations=config.proxy.pod_annotations or None,
                    ),
                    spec=self._pod_spec(secret),
                ),
                volume_claim_templates=claims,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*self._args.servers, secret, *after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )

    def _pod_spec(self, secret: k8s.core.v1.Secret) -> k8s.core.v1.PodSpecArgs:
        config, user = self._args.config, self._args.config.security.proxy
        volumes = [
            k8s.core.v1.VolumeArgs(
                name="config",
                secret=k8s.core.v1.SecretVolumeSourceArgs(
                    secret_name=secret.metadata.name, default_mode=0o440
                ),
            ),
            k8s.core.v1.VolumeArgs(
                name="users",
                secret=k8s.core.v1.SecretVolumeSourceArgs(
                    secret_name=names.proxysql_users(config.name), default_mode=0o440
                ),
            ),
        ]
        if not config.proxy.storage.persistent:
            volumes.append(
                k8s.core.v1.VolumeArgs(
                    name="data",
                    empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(
                        size_limit=config.proxy.storage.size
                    ),
                )
            )
        if self._args.topology.ca_secret:
            volumes.append(
                k8s.core.v1.VolumeArgs(
                    name="server-ca",
                    secret=k8s.core.v1.SecretVolumeSourceArgs(
                        secret_name=self._args.topology.ca_secret,
                        items=[k8s.core.v1.KeyToPathArgs(key="ca.crt", path="ca.crt")],
                        default_mode=0o444,
                    ),
                )
            )
        if shown := certificate.secret(config):
            volumes.append(
                k8s.core.v1.VolumeArgs(
                    name="tls",
                    secret=k8s.core.v1.SecretVolumeSourceArgs(
                        secret_name=shown,
                        items=certificate.volume_items(config),
                        default_mode=0o440,
                    ),
                )
            )
        placement = scheduling.pod_spec(
            config.scheduling.proxy, names.proxysql_selector(config.name)
        )
        return k8s.core.v1.PodSpecArgs(
            automount_service_account_token=False,
            enable_service_links=False,
            termination_grace_period_seconds=self._grace_period,
            # Backend names are complete: a search list would multiply every look-up.
            dns_config=k8s.core.v1.PodDNSConfigArgs(
                options=[k8s.core.v1.PodDNSConfigOptionArgs(name="ndots", value="2")]
            ),
            security_context=k8s.core.v1.PodSecurityContextArgs(
                run_as_non_root=user.run_as_non_root,
                run_as_user=user.run_as_user,
                run_as_group=user.run_as_group,
                fs_group=user.fs_group,
                seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            image_pull_secrets=[
                k8s.core.v1.LocalObjectReferenceArgs(name=name)
                for name in config.images.pull_secrets
            ]
            or None,
            containers=[self._container()],
            volumes=volumes,
            affinity=cast(k8s.core.v1.AffinityArgs | None, placement.get("affinity")),
            node_selector=placement.get("nodeSelector"),
            tolerations=cast(list[k8s.core.v1.TolerationArgs] | None, placement.get("tolerations")),
            priority_class_name=placement.get("priorityClassName"),
            topology_spread_constraints=cast(
                list[k8s.core.v1.TopologySpreadConstraintArgs] | None,
                placement.get("topologySpreadConstraints"),
            ),
        )

    def _container(self) -> k8s.core.v1.ContainerArgs:
        config = self._args.config
        image, resources = config.images.proxy, scheduling.resources(config.proxy.resources)
        mounts = [
            # Whole directories, no subPath: a subPath mount never follows its Secret.
            k8s.core.v1.VolumeMountArgs(name="config", mount_path=cnf.CONFIG_DIR, read_only=True),
            k8s.core.v1.VolumeMountArgs(name="users", mount_path=cnf.LIVE_DIR, read_only=True),
            k8s.core.v1.VolumeMountArgs(name="data", mount_path=cnf.DATA_DIR),
        ]
        if self._args.topology.ca_secret:
            mounts.append(
                k8s.core.v1.VolumeMountArgs(name="server-ca", mount_path=cnf.CA_DIR, read_only=True)
            )
        command = ["proxysql"]
        if self._model.certificate:
            mounts.append(
                k8s.core.v1.VolumeMountArgs(name="tls", mount_path=certificate.DIR, read_only=True)
            )
        if self._model.certificate or config.proxy.storage.persistent:
            script = certificate.start_script(cnf.DATA_DIR, linked=self._model.certificate)
            command = ["sh", "-c", script, *command]
        return k8s.core.v1.ContainerArgs(
            name="proxysql",
            image=image.reference,
            image_pull_policy=image.pull_policy,
            # Images differ in their entry point, and only `--initial` makes the file win over a
            # database that an earlier start left (lib/ProxySQL_Admin.cpp).
            command=command,
            args=[
                "-f",
                "--idle-threads",
                "--initial",
                "--no-version-check",
                "-c",
                f"{cnf.CONFIG_DIR}/proxysql.cnf",
                "-D",
                cnf.DATA_DIR,
            ],
            ports=[
                k8s.core.v1.ContainerPortArgs(name="mysql", container_port=config.proxy.ports[0]),
                k8s.core.v1.ContainerPortArgs(name="admin", container_port=cnf.ADMIN_PORT),
                k8s.core.v1.ContainerPortArgs(name="metrics", container_port=cnf.METRICS_PORT),
            ],
            resources=k8s.core.v1.ResourceRequirementsArgs(
                requests=resources.get("requests"), limits=resources.get("limits")
            )
            if resources
            else None,
            security_context=k8s.core.v1.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
            ),
            volume_mounts=mounts,
            # A row that ProxySQL dropped keeps the Pod from ever becoming ready, which stops the
            # rolling update at the first Pod.
            startup_probe=k8s.core.v1.ProbeArgs(
                exec_=k8s.core.v1.ExecActionArgs(
                    command=["sh", "-c", self_check.startup_probe(_CLIENT)]
                ),
                # The kubelet's shortest; readiness follows at once (pkg/kubelet/prober).
                period_seconds=1,
                timeout_seconds=5,
                failure_threshold=120,
            ),
            # Not the servers' health: during an outage clients shall wait in the proxy.
            readiness_probe=k8s.core.v1.ProbeArgs(
                tcp_socket=k8s.core.v1.TCPSocketActionArgs(port="mysql"),
                period_seconds=5,
                failure_threshold=2,
            ),
            liveness_probe=k8s.core.v1.ProbeArgs(
                tcp_socket=k8s.core.v1.TCPSocketActionArgs(port="admin"),
                period_seconds=10,
                failure_threshold=6,
            ),
            lifecycle=k8s.core.v1.LifecycleArgs(
                pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                    exec_=k8s.core.v1.ExecActionArgs(command=["sh", "-c", self._drain()])
                )
            ),
        )

    def _drain(self) -> str:
        """Stop accepting, then wait for sessions to end: SIGTERM alone cuts them within 0.05 s.

        PAUSE closes the client port and leaves sessions alone; SHUTDOWN SLOW would kill them.
        """
        timeout = self._args.config.proxy.drain.timeout
        removal = self._args.config.proxy.drain.endpoint_removal
        sessions = (
            "SELECT Variable_Value FROM stats_mysql_global "
            "WHERE Variable_Name='Client_Connections_connected'"
        )
        return (
            f"sleep {removal}; {_CLIENT} -e 'PROXYSQL PAUSE'; "
            f"end=$(($(date +%s) + {timeout})); "
            'while [ "$(date +%s)" -lt "$end" ]; do '
            f'[ "$({_CLIENT} -e "{sessions}")" = 0 ] && exit 0; sleep 1; done'
        )

    # --- shared ---

    @property
    def _grace_period(self) -> int:
        """Seconds: the longest drain, and ProxySQL's own exit."""
        drain = self._args.config.proxy.drain
        return drain.endpoint_removal + drain.timeout + 22

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
