"""Applications: their passwords, their accounts in a MariaDB, and the Secrets they connect by.

A Secret has the shape of the Service Binding specification (servicebinding.io, "Well-known Secret
Entries"), so that a framework that knows it needs no other configuration.

A new password is applied in the order in which these components depend on each other: account
Secrets, accounts in the servers, the proxies' users, and last the Secret by which the application
connects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.apps import App
from components.config.password_sources import AppName, Holder
from components.config.stack import StackConfig
from components.credentials import WATCH_LABEL, account_annotations, encoded, generated
from components.topology import Endpoint


@dataclass(frozen=True, kw_only=True)
class AppPasswordsArgs:
    """`given`: passwords that are not generated, by holder.

    `after`: what every object waits for.
    """

    config: StackConfig
    given: Mapping[Holder, pulumi.Output[str]]
    after: Sequence[pulumi.Resource]


class AppPasswords(pulumi.ComponentResource):
    """The passwords of every app's accounts, and the Secrets `<name>-account-<app>` of them.

    From these the operators set the accounts' passwords in the servers. Of an app that is not
    active they hold another one, which no client has: neither operator can lock an account that
    exists (mariadb-operator `pkg/sql/sql.go`, AlterUser; Percona's `users_custom.go`).
    """

    by_username: Mapping[str, pulumi.Output[str]]
    """By which clients log in, once their app is active."""
    secrets: Mapping[str, pulumi.Resource]
    """By app."""

    def __init__(
        self, name: str, args: AppPasswordsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:AppPasswords", name, None, opts)
        config, found = args.config, dict[str, pulumi.Output[str]]()
        secrets: dict[str, pulumi.Resource] = {}
        for app in config.apps:
            # An app's name has no dot: what follows it here is never another app's.
            logical_name = f"{name}-app-{app.name}"
            child = pulumi.ResourceOptions(parent=self)
            locked = None if app.active else generated(f"{logical_name}.locked", 0, child)
            texts: dict[str, pulumi.Input[str]] = {}
            for login in app.logins:
                password = args.given.get(AppName(app.name))
                if password is None:
                    password = generated(f"{logical_name}{login.suffix}", login.generation, child)
                found[login.username] = password
                texts[login.key] = password if locked is None else locked
            secrets[app.name] = k8s.core.v1.Secret(
                f"{name}-account-{app.name}",
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    name=names.account_secret(config.name, app.name),
                    namespace=config.namespace,
                    labels=names.labels(config.name, "account") | WATCH_LABEL,
                    annotations=account_annotations(app.name),
                ),
                type="Opaque",
                data=encoded(texts),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
            )
        self.by_username, self.secrets = found, secrets
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class BindingsArgs:
    """`endpoint`: where apps connect. `passwords`: by user name.

    `after`: by app, its accounts and the proxies' users, so that a Secret never names a login
    before both know it.
    """

    config: StackConfig
    endpoint: Endpoint
    passwords: Mapping[str, pulumi.Output[str]]
    after: Mapping[str, Sequence[pulumi.Resource]]


class Bindings(pulumi.ComponentResource):
    """For each app the Secret `<name>-app-<app>` by which it connects.

    Keys: `type`, `provider`, `host`, `port`, `database`, `username`, `password`, `uri`; and for
    `envFrom` the variables of MySQL's own images, MYSQL_HOST, MYSQL_PORT, MYSQL_DATABASE,
    MYSQL_USER, MYSQL_PASSWORD.
    """

    def __init__(
        self, name: str, args: BindingsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:Bindings", name, None, opts)
        config = args.config
        for app in config.apps:
            plain = binding(app, config, args.endpoint)
            password = pulumi.Output.secret(args.passwords[plain["username"]])
            texts: dict[str, pulumi.Input[str]] = {
                **plain,
                "password": password,
                "uri": password.apply(lambda text, plain=plain: uri(plain, text)),
                "MYSQL_HOST": plain["host"],
                "MYSQL_PORT": plain["port"],
                "MYSQL_DATABASE": plain["database"],
                "MYSQL_USER": plain["username"],
                "MYSQL_PASSWORD": password,
            }
            k8s.core.v1.Secret(
                f"{name}-app-{app.name}",
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    name=names.app_secret(config.name, app.name),
                    namespace=config.namespace,
                    labels=names.labels(config.name, "app"),
                ),
                type="servicebinding.io/mysql",
                data=encoded(texts),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after[app.name])),
            )
        self.register_outputs({})


def binding(app: App, config: StackConfig, endpoint: Endpoint) -> dict[str, str]:
    """The well-known entries of an app's Secret that are not secret."""
    direct_reader = app.routing == "reader" and not config.own_proxies
    return {
        "type": "mysql",
        "provider": config.engine,
        "host": endpoint.reader_host if direct_reader else endpoint.host,
        "port": str(endpoint.port),
        "database": app.database,
        "username": app.logins[0].username,
    }


def uri(plain: Mapping[str, str], password: str) -> str:
    """`mysql://user:password@host:port/database`, percent-encoded (RFC 3986)."""
    user, secret = quote(plain["username"], safe=""), quote(password, safe="")
    path = quote(plain["database"], safe="")
    return f"mysql://{user}:{secret}@{plain['host']}:{plain['port']}/{path}"


def outputs(config: StackConfig, endpoint: Endpoint) -> dict[str, Any]:
    """The output contract's entry of each app, by name."""
    return {
        app.name: {
            "secret": names.app_secret(config.name, app.name),
            "database": app.database,
            "username": app.logins[0].username,
            "host": binding(app, config, endpoint)["host"],
            "port": endpoint.port,
            "reader_host": endpoint.reader_host,
            "reader_port": endpoint.port,
        }
        for app in config.apps
    }
