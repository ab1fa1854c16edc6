"""One database with its proxies: composes the components and states the output contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import names
from components.apps import (
    AppPasswords,
    AppPasswordsArgs,
    Bindings,
    BindingsArgs,
    MariaDbAccounts,
    MariaDbAccountsArgs,
)
from components.apps import outputs as apps_outputs
from components.config.stack import StackConfig
from components.credentials import Credentials, CredentialsArgs, ResolvedCredential
from components.engines.mariadb import MariaDb, MariaDbArgs
from components.engines.percona import Percona, PerconaArgs
from components.guards import passwords
from components.proxysql import certificate, cnf
from components.proxysql.tier import ProxySql, ProxySqlArgs
from components.topology import Endpoint, Topology


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
                turns={"monitor": config.monitor_logins},
                roles=passwords.roles(config),
                protect=passwords.protected(config),
                after=args.after,
            ),
            child,
        )
        logins = {
            user.username: args.given[f"proxy.users[{index}]"]
            for index, user in enumerate(config.proxy.users if config.own_proxies else ())
        }
        secrets: Mapping[str, pulumi.Resource] = {}
        if config.apps:
            of_apps = AppPasswords(
                name, AppPasswordsArgs(config=config, given=args.given, after=args.after), child
            )
            logins |= of_apps.by_username
            secrets = of_apps.secrets
        accounts: Mapping[str, Sequence[pulumi.Resource]]
        if config.engine == "percona":
            after = (*args.after, *secrets.values())
            servers = Percona(
                name, PerconaArgs(config=config, credentials=credentials, after=after), child
            )
            # The operator makes the accounts, of which its cluster has the list.
            accounts = {app.name: servers.ready for app in config.apps}
        else:
            servers = MariaDb(
                name, MariaDbArgs(config=config, credentials=credentials, after=args.after), child
            )
            accounts = {}
            if config.apps:
                accounts = MariaDbAccounts(
                    name,
                    MariaDbAccountsArgs(config=config, servers=servers.ready, secrets=secrets),
                    child,
                ).by_app
        users: tuple[pulumi.Resource, ...] = ()
        if config.own_proxies:
            proxies = ProxySql(
                name,
                ProxySqlArgs(
                    config=config,
                    topology=servers.topology,
                    credentials=credentials,
                    logins=logins,
                    after=args.after,
                    servers=servers.ready,
                    accounts=tuple(made for of_app in accounts.values() for made in of_app),
                ),
                child,
            )
            users = (proxies.users,)
        if config.apps:
            Bindings(
                name,
                BindingsArgs(
                    config=config,
                    endpoint=endpoint(config, servers.topology),
                    passwords=logins,
                    after={app: (*made, *users) for app, made in accounts.items()},
                ),
                child,
            )
        self.outputs = outputs(config, servers.topology, credentials["root"])
        if isinstance(servers, Percona):
            self.outputs["status"] = servers.status
        self.register_outputs(self.outputs)


def endpoint(config: StackConfig, topology: Topology) -> Endpoint:
    """Where clients connect."""
    if not config.own_proxies:
        return Endpoint(
            host=topology.service, reader_host=topology.reader_service, port=topology.port
        )
    host = names.service_host(names.proxysql(config.name, config.engine), config.namespace)
    return Endpoint(host=host, reader_host=host, port=config.proxy.service.port)


def outputs(config: StackConfig, topology: Topology, root: ResolvedCredential) -> dict[str, Any]:
    """The output contract, `schema_version` 1; plain values, all known at preview.

    `ca_secret` is where the certificate of `host` can be verified with, and absent where it cannot
    be; `proxysql` is absent without a proxy: Pulumi drops empty outputs.
    """
    namespace, proxy, where = config.namespace, config.proxy, endpoint(config, topology)
    ca = {"name": topology.ca_secret, "key": "ca.crt"} if topology.ca_secret else None
    if ca and config.operator_proxies:
        ca["name"] = config.security.tls.secret or names.pxc_ssl(config.name)
    if config.own_proxies:
        ca = certificate.secret_key(config)
    contract: dict[str, Any] = {
        "schema_version": 1,
        "engine": config.engine,
        "size": config.size,
        "namespace": namespace,
        "name": config.name,
        "host": where.host,
        "port": where.port,
        "reader_host": where.reader_host,
        "reader_port": where.port,
        "MYSQL_HOST": where.host,
        "MYSQL_PORT": str(where.port),
        "admin_secret": {"name": root.secret, "key": root.key},
        "apps": apps_outputs(config, where),
    }
    if ca:
        contract["ca_secret"] = ca
    if proxy.enabled:
        admin, admin_port = names.proxysql_peers, cnf.ADMIN_PORT
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
