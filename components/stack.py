"""One database with its proxies: composes the components and states the output contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.apps import AppPasswords, AppPasswordsArgs, Bindings, BindingsArgs
from components.config import password_sources
from components.config.stack import StackConfig
from components.credentials import Credentials, CredentialsArgs
from components.engines.mariadb import MariaDb, MariaDbArgs
from components.engines.mariadb_accounts import MariaDbAccounts, MariaDbAccountsArgs
from components.engines.percona import Percona, PerconaArgs
from components.outputs import endpoint, outputs
from components.proxysql.tier import ProxySql, ProxySqlArgs


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
    Several can be in one program: every Kubernetes name and every logical name starts with
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
                alternating={"monitor": config.monitor_logins},
                roles=password_sources.roles(config),
                protect=password_sources.protected(config),
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
