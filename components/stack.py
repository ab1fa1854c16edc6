"""One database with its proxies: composes the components and states the output contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.apps import AppPasswords, AppPasswordsArgs, Bindings, BindingsArgs
from components.config import password_sources
from components.config.password_sources import Holder, User
from components.config.stack import StackConfig
from components.credentials import Credentials, CredentialsArgs
from components.engines.network import server_policy
from components.engines.wiring import WIRING, Servers, ServersArgs
from components.operations import exporter, monitors, places
from components.operations.dashboard import dashboard
from components.operations.drill import drill
from components.operations.heartbeat import heartbeat
from components.operations.places import Place
from components.operations.rules import prometheus_rule
from components.outputs import endpoint, outputs
from components.proxysql.tier import ProxySql, ProxySqlArgs


@dataclass(frozen=True, kw_only=True)
class DatabaseStackArgs:
    """`given`: passwords that are not generated, by holder (see `passwords.given`).

    `after`: what every object waits for, such as the namespace.
    """

    config: StackConfig
    given: Mapping[Holder, pulumi.Output[str]]
    after: Sequence[pulumi.Resource] = ()


class DatabaseStack(pulumi.ComponentResource):
    """Everything that one database's config declares, in one namespace.

    `outputs` is the contract of docs/outputs.md: names and addresses, never a password.
    Several can be in one program: every Kubernetes name and every logical name starts with
    the database's own.
    """

    outputs: dict[str, Any]

    def __init__(
        self, name: str, args: DatabaseStackArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:DatabaseStack", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        config, credentials, apps = args.config, self._credentials(), self._app_passwords()
        servers = WIRING[config.engine].servers(
            name,
            ServersArgs(
                config=config,
                credentials=credentials,
                secrets=apps.secrets if apps else {},
                after=args.after,
            ),
            self._child,
        )
        if config.database.network_policy.enabled:
            policy = WIRING[config.engine].policy(config)
            server_policy(name, config, policy, after=args.after, opts=self._child)
        place = places.of(config, pulumi.get_stack())
        if config.backup.drilled:
            self._prove_backups(place, credentials, servers)
        if config.monitoring.enabled:
            self._monitoring(credentials, servers)
        logins = self._given_logins()
        if apps:
            logins |= apps.by_username
        users = self._proxies(credentials, servers, logins) if config.own_proxies else ()
        if apps:
            self._bindings(servers, logins, users)
        self.outputs = {
            **outputs(config, servers.topology, credentials["root"], place),
            **servers.outputs,
        }
        self.register_outputs(self.outputs)

    def _credentials(self) -> Credentials:
        config = self._args.config
        return Credentials(
            self._name,
            CredentialsArgs(
                database=config.name,
                namespace=config.namespace,
                credentials=config.credentials,
                given=self._args.given,
                alternating={"monitor": config.monitor_logins},
                roles=password_sources.roles(config),
                protect=password_sources.protected(config),
                after=self._args.after,
            ),
            self._child,
        )

    def _prove_backups(self, place: Place, credentials: Credentials, servers: Servers) -> None:
        """The drill, and the heartbeat that it reads. Nothing waits for them."""
        config, after = self._args.config, self._args.after
        heartbeat(
            self._name,
            config,
            place,
            servers.topology,
            credentials["heartbeat"],
            after=[*after, *servers.heartbeat],
            opts=self._child,
        )
        containers = WIRING[config.engine].drill
        drill(self._name, config, place, containers, after=after, opts=self._child)

    def _monitoring(self, credentials: Credentials, servers: Servers) -> None:
        """What is read of servers and proxies, who may, and what is made of it. Nothing waits.

        The exporter and the rules wait themselves: servers that start for the first time are not
        down, and alerts would say so.
        """
        name, config, child = self._name, self._args.config, self._child
        topology, after, monitoring = servers.topology, self._args.after, config.monitoring
        started = (*after, *servers.ready)
        if exporter.own(config):
            login = credentials["exporter"]
            exporter.exporter(name, config, topology, login, after=started, opts=child)
        if config.security.network_policy.enabled:
            exporter.policy(name, config, after=after, opts=child)
        if monitoring.by_operator:
            monitors.monitors(name, config, topology, after=after, opts=child)
        if monitoring.by_operator and monitoring.alerts.enabled:
            prometheus_rule(name, config, after=started, opts=child)
        if monitoring.dashboard.enabled:
            dashboard(name, config, after=after, opts=child)

    def _app_passwords(self) -> AppPasswords | None:
        args = self._args
        if not args.config.apps:
            return None
        of_apps = AppPasswordsArgs(config=args.config, given=args.given, after=args.after)
        return AppPasswords(self._name, of_apps, self._child)

    def _given_logins(self) -> dict[str, pulumi.Output[str]]:
        """The passwords of `proxy.users`, by user name."""
        config = self._args.config
        return {
            user.username: self._args.given[User(user.username)]
            for user in (config.proxy.users if config.own_proxies else ())
        }

    def _proxies(
        self,
        credentials: Credentials,
        servers: Servers,
        logins: Mapping[str, pulumi.Output[str]],
    ) -> Sequence[pulumi.Resource]:
        """This program's proxies: what a login needs of them."""
        proxies = ProxySql(
            self._name,
            ProxySqlArgs(
                config=self._args.config,
                topology=servers.topology,
                credentials=credentials,
                logins=logins,
                after=self._args.after,
                servers=servers.ready,
                accounts=tuple(made for of_app in servers.accounts.values() for made in of_app),
            ),
            self._child,
        )
        return (proxies.users,)

    def _bindings(
        self,
        servers: Servers,
        logins: Mapping[str, pulumi.Output[str]],
        users: Sequence[pulumi.Resource],
    ) -> None:
        """What apps connect by, once they can. `users`: what a login needs of the proxies."""
        config = self._args.config
        Bindings(
            self._name,
            BindingsArgs(
                config=config,
                endpoint=endpoint(config, servers.topology),
                passwords=logins,
                after={app: (*made, *users) for app, made in servers.accounts.items()},
            ),
            self._child,
        )
