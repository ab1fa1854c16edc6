"""One database with its proxies: composes the components and states the output contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import names, passwords, proxysql_cnf, tls
from components.credentials import Credentials, CredentialsArgs, ResolvedCredential
from components.mariadb import MariaDb, MariaDbArgs
from components.percona import Percona, PerconaArgs
from components.proxysql import ProxySql, ProxySqlArgs
from components.schema import StackConfig
from components.topology import Topology


@dataclass(frozen=True, kw_only=True)
class DatabaseStackArgs:
    """`given`: passwords that are not generated, by config path (see `passwords.given`).

    `after`: what every object waits for, such as the namespace.
    """

    config: StackConfig
    given: Mapping[str, pulumi.Output[str]]
    after: Sequence[pulumi.Resource] = ()


class DatabaseStack(pulumi.ComponentResource):
    """Everything that one database's config declares, in one namespace.

    `outputs` is the contract of the README's table: names and addresses, never a password.
    Several can stand in one program: every Kubernetes name and every logical name starts with
    the database's own.
    """

    outputs: dict[str, Any]

    def __init__(
        self, name: str, args: DatabaseStackArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:DatabaseStack", name, None, opts)
        config, child = args.config, pulumi.ResourceOptions(parent=self)
        credentials = Credentials(
            name,
            CredentialsArgs(
                database=config.name,
                namespace=config.namespace,
                credentials=config.credentials,
                given=args.given,
                roles=passwords.roles(config),
                protect=config.security.protect,
                after=args.after,
            ),
            child,
        )
        if config.engine == "percona":
            servers = Percona(
                name, PerconaArgs(config=config, credentials=credentials, after=args.after), child
            )
        else:
            servers = MariaDb(
                name, MariaDbArgs(config=config, credentials=credentials, after=args.after), child
            )
        if config.own_proxies:
            ProxySql(
                name,
                ProxySqlArgs(
                    config=config,
                    topology=servers.topology,
                    credentials=credentials,
                    given=args.given,
                    after=args.after,
                    servers=servers.ready,
                ),
                child,
            )
        self.outputs = outputs(config, servers.topology, credentials["root"])
        if isinstance(servers, Percona):
            self.outputs["status"] = servers.status
        self.register_outputs(self.outputs)


def outputs(config: StackConfig, topology: Topology, root: ResolvedCredential) -> dict[str, Any]:
    """The output contract, `schema_version` 1; plain values, all known at preview.

    `ca_secret` is where the certificate of `host` can be verified with, and absent where it cannot
    be; `proxysql` is absent without a proxy: Pulumi drops empty outputs.
    """
    namespace, proxy = config.namespace, config.proxy
    ca = {"name": topology.ca_secret, "key": "ca.crt"} if topology.ca_secret else None
    if ca and config.operator_proxies:
        ca["name"] = config.security.tls.secret or names.pxc_ssl(config.name)
    host, reader_host, port = topology.service, topology.reader_service, topology.port
    if config.own_proxies:
        host = reader_host = names.service_host(
            names.proxysql(config.name, config.engine), namespace
        )
        port = proxy.service.port
        ca = tls.secret_key(config)
    contract: dict[str, Any] = {
        "schema_version": 1,
        "engine": config.engine,
        "size": config.size,
        "namespace": namespace,
        "name": config.name,
        "host": host,
        "port": port,
        "reader_host": reader_host,
        "reader_port": port,
        "MYSQL_HOST": host,
        "MYSQL_PORT": str(port),
        "admin_secret": {"name": root.secret, "key": root.key},
        "apps": {},
    }
    if ca:
        contract["ca_secret"] = ca
    if proxy.enabled:
        admin, admin_port = names.proxysql_peers, proxysql_cnf.ADMIN_PORT
        if proxy.mode == "operator":
            admin = names.pxc_proxysql_unready
        elif proxy.service.expose_admin:
            admin, admin_port = names.proxysql_admin, proxy.service.admin_port
        contract["proxysql"] = {
            "replicas": proxy.replicas,
            "admin_host": names.service_host(admin(config.name), namespace),
            "admin_port": admin_port,
        }
    return contract


def exports(outputs_by_name: Mapping[str, dict[str, Any]], *, several: bool) -> dict[str, Any]:
    """The stack's outputs: the contract itself, or `databases` by name when there are several."""
    if several:
        return {"schema_version": 1, "databases": dict(outputs_by_name)}
    return next(iter(outputs_by_name.values()))
