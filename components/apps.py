"""Applications: their passwords, their accounts in a MariaDB, and the Secrets they connect by.

A Secret has the shape of the Service Binding specification (servicebinding.io, "Well-known Secret
Entries"), so that a framework that knows it needs no other configuration.

A new password goes the way that these components depend on each other: account Secrets, accounts in
the servers, the proxies' users, and last the Secret by which the application connects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.apps import App
from components.config.credentials import Login
from components.config.stack import StackConfig
from components.credentials import WATCH_LABEL, generated, whose
from components.engines.sql_objects import Kind, sql_object
from components.topology import Endpoint

ROLES: Mapping[str, tuple[str, ...]] = {
    "readonly": ("SELECT", "SHOW VIEW"),
    "readwrite": (
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE TEMPORARY TABLES", "EXECUTE",
        "LOCK TABLES", "SHOW VIEW",
    ),
    "owner": ("ALL PRIVILEGES",),
}  # fmt: skip
"""The privileges of a role, on one database; none holds beyond it."""


@dataclass(frozen=True, kw_only=True)
class AppPasswordsArgs:
    """`given`: passwords that are not generated, by config path (`apps[i]`).

    `after`: what every object waits for.
    """

    config: StackConfig
    given: Mapping[str, pulumi.Output[str]]
    after: Sequence[pulumi.Resource]


class AppPasswords(pulumi.ComponentResource):
    """The passwords of every app's accounts, and the Secrets `<name>-account-<app>` of them."""

    by_username: Mapping[str, pulumi.Output[str]]
    secrets: Mapping[str, pulumi.Resource]
    """By app."""

    def __init__(
        self, name: str, args: AppPasswordsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:AppPasswords", name, None, opts)
        config, found = args.config, dict[str, pulumi.Output[str]]()
        secrets: dict[str, pulumi.Resource] = {}
        for index, app in enumerate(config.apps):
            texts: dict[str, pulumi.Input[str]] = {}
            for login in app.logins:
                password = args.given.get(f"apps[{index}]")
                if password is None:
                    # An app's name has no dot: the second account's is never another app's.
                    password = generated(
                        f"{name}-app-{app.name}{login.mark}",
                        login.generation,
                        pulumi.ResourceOptions(parent=self),
                    )
                found[login.username] = password
                texts[login.key] = pulumi.Output.secret(password)
            secrets[app.name] = k8s.core.v1.Secret(
                f"{name}-account-{app.name}",
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    name=names.account_secret(config.name, app.name),
                    namespace=config.namespace,
                    labels=names.labels(config.name, "account") | WATCH_LABEL,
                    annotations=whose(app.name),
                ),
                type="Opaque",
                string_data=texts,
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
            )
        self.by_username, self.secrets = found, secrets
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class MariaDbAccountsArgs:
    """`servers`: what must be there first. `secrets`: those of the accounts, by app."""

    config: StackConfig
    servers: Sequence[pulumi.Resource]
    secrets: Mapping[str, pulumi.Resource]


LOGICAL: Mapping[Kind, str] = {"Database": "db", "User": "user", "Grant": "user"}


class MariaDbAccounts(pulumi.ComponentResource):
    """The Database, User and Grant objects of the apps.

    With `cleanup: keep`, the operator leaves the database and the account in the servers when their
    objects go (mariadb-operator docs/sql_resources.md, `cleanupPolicy`). Privileges always go with
    their Grant: an app that loses a database in the config shall lose it.
    """

    by_app: Mapping[str, Sequence[pulumi.Resource]]

    def __init__(
        self, name: str, args: MariaDbAccountsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:MariaDbAccounts", name, None, opts)
        self._name, self._args, config = name, args, args.config
        owners: dict[str, list[App]] = {}
        for app in config.apps:
            for schema in app.databases:
                owners.setdefault(schema, []).append(app)
        schemas = {
            schema: self._object(
                "Database",
                schema,
                names.schema(config.name, schema),
                {
                    "name": schema,
                    # The operator's default is utf8, for good: the object cannot change.
                    "characterSet": "utf8mb4",
                    "collate": "utf8mb4_unicode_ci",
                    "cleanupPolicy": _policy(apps),
                },
                args.servers,
            )
            for schema, apps in owners.items()
        }
        self.by_app = {app.name: self._accounts(app, schemas) for app in config.apps}
        self.register_outputs({})

    def _accounts(
        self, app: App, schemas: Mapping[str, pulumi.Resource]
    ) -> Sequence[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        for login in app.logins:
            user = self._user(app, login)
            made.append(user)
            for schema, granted in app.databases.items():
                after = [user, schemas[schema]]
                made.append(self._grant(login.username, schema, privileges(granted), after))
        return made

    def _user(self, app: App, login: Login) -> pulumi.Resource:
        config = self._args.config
        spec: dict[str, Any] = {
            "name": login.username,
            "host": "%",
            "passwordSecretKeyRef": {
                "name": names.account_secret(config.name, app.name),
                "key": login.key,
            },
            "maxUserConnections": max_user_connections(config, app),
            "cleanupPolicy": _policy([app]),
        }
        return self._object(
            "User",
            login.username,
            names.account(config.name, login.username),
            spec,
            [*self._args.servers, self._args.secrets[app.name]],
        )

    def _grant(
        self, username: str, schema: str, granted: list[str], after: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        spec: dict[str, Any] = {
            "username": username,
            "host": "%",
            # In GRANT, `_` stands for any character (mariadb.com/docs, GRANT).
            "database": schema.replace("_", "\\_"),
            "table": "*",
            "privileges": granted,
            "cleanupPolicy": "Delete",
        }
        name = names.grant(self._args.config.name, username, schema)
        return self._object("Grant", f"{username}.{schema}", name, spec, after)

    def _object(
        self,
        kind: Kind,
        what: str,
        object_name: str,
        spec: Mapping[str, Any],
        after: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        return sql_object(
            # As the object's: what cannot clash there cannot clash here.
            f"{self._name}-{LOGICAL[kind]}-{what}",
            kind,
            object_name,
            spec,
            config=self._args.config,
            component="account",
            parent=self,
            after=after,
        )


def _policy(apps: Sequence[App]) -> str:
    """What goes with its object: a thing that several share only when all of them say so."""
    return "Delete" if all(app.cleanup == "delete" for app in apps) else "Skip"


@dataclass(frozen=True, kw_only=True)
class BindingsArgs:
    """`endpoint`: where apps connect. `passwords`: by user name.

    `after`: by app, its accounts and the proxies' users, so that a Secret never names a login
    before both were told of it.
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
            k8s.core.v1.Secret(
                f"{name}-app-{app.name}",
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    name=names.app_secret(config.name, app.name),
                    namespace=config.namespace,
                    labels=names.labels(config.name, "app"),
                ),
                type="servicebinding.io/mysql",
                string_data={
                    **plain,
                    "password": password,
                    "uri": password.apply(lambda text, plain=plain: uri(plain, text)),
                    "MYSQL_HOST": plain["host"],
                    "MYSQL_PORT": plain["port"],
                    "MYSQL_DATABASE": plain["database"],
                    "MYSQL_USER": plain["username"],
                    "MYSQL_PASSWORD": password,
                },
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


def privileges(granted: str | Sequence[str]) -> list[str]:
    """The privileges of a role, or the listed ones."""
    return list(ROLES[granted] if isinstance(granted, str) else granted)


def owned(config: StackConfig) -> frozenset[str]:
    """Every name that the apps of a database may give to an object."""
    name = config.name
    found: set[str] = set()
    for app in config.apps:
        found |= {names.app_secret(name, app.name), names.account_secret(name, app.name)}
        for schema in app.databases:
            found.add(names.schema(name, schema))
            found |= {names.grant(name, login.username, schema) for login in app.logins}
        found |= {names.account(name, login.username) for login in app.logins}
    return frozenset(found)


def max_user_connections(config: StackConfig, app: App) -> int:
    """Connections that an app's account may hold to one server, from all proxies together.

    The operator's default of 10 starves a pool. A Pod that is replaced still holds its own. For as
    many proxies as there may be: a new one must not wait for the operator.
    """
    if not config.own_proxies:
        return app.max_connections
    each = min(app.max_connections, config.backend_max_connections) * config.rows_in_use
    return each * (config.proxy_shares + 1)
