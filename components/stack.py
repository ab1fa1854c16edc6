"""One database with its proxies: composes the components and states the output contract."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components import names, proxysql_cnf
from components.config import Loaded
from components.credentials import Credentials, CredentialsArgs, ResolvedCredential
from components.mariadb import MariaDb, MariaDbArgs
from components.proxysql import PROXY_ROLES, ProxySql, ProxySqlArgs
from components.schema import StackConfig
from components.topology import Topology


class DatabaseStack(pulumi.ComponentResource):
    """Everything that `loaded` declares, in one namespace.

    `outputs` is the contract of the README's table: names and addresses, never a password.
    Several can stand in one program: every Kubernetes name and every logical name starts with
    the database's own.
    """

    outputs: dict[str, Any]

    def __init__(
        self, name: str, loaded: Loaded, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:DatabaseStack", name, None, opts)
        config = loaded.config
        child = pulumi.ResourceOptions(parent=self)
        if config.create_namespace:
            child.depends_on = [_namespace(name, config, child)]
        roles = ["root"]
        if config.database.topology == "replication":
            roles.append("replication")
        if config.proxy.enabled:
            roles.extend(PROXY_ROLES)
        credentials = Credentials(
            name,
            CredentialsArgs(
                database=config.name,
                namespace=config.namespace,
                credentials=config.credentials,
                passwords=loaded.passwords,
                roles=roles,
                readable=PROXY_ROLES,
                protect=config.security.protect,
            ),
            child,
        )
        mariadb = MariaDb(name, MariaDbArgs(config=config, credentials=credentials), child)
        if config.proxy.enabled:
            ProxySql(
                name,
                ProxySqlArgs(
                    config=config,
                    topology=mariadb.topology,
                    credentials=credentials,
                    passwords=loaded.passwords,
                    depends_on=(mariadb.resource, *mariadb.monitor),
                ),
                child,
            )
        self.outputs = outputs(config, mariadb.topology, credentials["root"])
        self.register_outputs(self.outputs)


def _namespace(
    name: str, config: StackConfig, opts: pulumi.ResourceOptions
) -> k8s.core.v1.Namespace:
    """The namespace, kept when the stack goes: it holds the volumes."""
    return k8s.core.v1.Namespace(
        f"{name}-namespace",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=config.namespace,
            labels={"pod-security.kubernetes.io/enforce": "restricted"},
        ),
        opts=pulumi.ResourceOptions(parent=opts.parent, protect=True, retain_on_delete=True),
    )


def outputs(config: StackConfig, topology: Topology, root: ResolvedCredential) -> dict[str, Any]:
    """The output contract, `schema_version` 1; plain values, all known at preview."""
    namespace, proxy = config.namespace, config.proxy
    if proxy.enabled:
        host = reader_host = names.service_host(names.proxysql(config.name), namespace)
        port = proxy.service.port
    else:
        host, reader_host, port = topology.service, topology.reader_service, topology.port
    admin = names.proxysql_admin if proxy.service.expose_admin else names.proxysql_peers
    admin_port = proxy.service.admin_port if proxy.service.expose_admin else proxysql_cnf.ADMIN_PORT
    return {
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
        "ca_secret": {"name": topology.ca_secret, "key": "ca.crt"} if topology.ca_secret else None,
        "apps": {},
        "proxysql": {
            "replicas": proxy.replicas,
            "admin_host": names.service_host(admin(config.name), namespace),
            "admin_port": admin_port,
        }
        if proxy.enabled
        else None,
    }


def exports(outputs_by_name: Mapping[str, dict[str, Any]], *, several: bool) -> dict[str, Any]:
    """The stack's outputs: the contract itself, or `databases` by name when there are several."""
    if several:
        return {"schema_version": 1, "databases": dict(outputs_by_name)}
    return next(iter(outputs_by_name.values()))
