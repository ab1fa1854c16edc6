"""Accounts and databases of apps in a MariaDB: User, Grant and Database objects of the operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import names
from components.config.apps import EVERYWHERE, App, collations_of, privileges
from components.config.collations import charset_of
from components.config.credentials import Login
from components.config.stack import StackConfig
from components.engines.sql_objects import Kind, sql_object


@dataclass(frozen=True, kw_only=True)
class MariaDbAccountsArgs:
    """`servers`: what must exist first. `secrets`: those of the accounts, by app."""

    config: StackConfig
    servers: pulumi.Resource
    secrets: Mapping[str, pulumi.Resource]


LOGICAL: Mapping[Kind, str] = {"Database": "db", "User": "user", "Grant": "user"}


class MariaDbAccounts(pulumi.ComponentResource):
    """The Database, User and Grant objects of the apps.

    With `cleanup: keep`, the operator leaves the database and the account in the servers when their
    objects are deleted (mariadb-operator docs/sql_resources.md, `cleanupPolicy`). Privileges are
    always revoked with their Grant: an app that loses a database in the config must lose access.
    """

    by_app: Mapping[str, Sequence[pulumi.Resource]]
    """By app, its Grants; each waits for its User. More would cost every app an edge for each
    resource that waits for the app. Of an app that is not active, which has no Grant, its Users."""

    def __init__(
        self, name: str, args: MariaDbAccountsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:MariaDbAccounts", name, None, opts)
        self._name, self._args, config = name, args, args.config
        owners: dict[str, list[App]] = {}
        for app in config.apps:
            for schema in app.databases:
                owners.setdefault(schema, []).append(app)
        chosen = collations_of(config.apps)
        schemas = {
            schema: self._object(
                "Database",
                schema,
                names.schema(config.name, schema),
                {
                    "name": schema,
                    # The operator's default is utf8, for good: the object cannot change.
                    "characterSet": charset_of(chosen[schema]),
                    "collate": chosen[schema],
                    "cleanupPolicy": _policy(apps),
                },
                [args.servers],
            )
            for schema, apps in owners.items()
        }
        self.by_app = {app.name: self._accounts(app, schemas) for app in config.apps}
        self.register_outputs({})

    def _accounts(
        self, app: App, schemas: Mapping[str, pulumi.Resource]
    ) -> Sequence[pulumi.Resource]:
        """The app's Grants, one for each login and database; its Users while it may do nothing.

        The operator revokes what a Grant gave when the object is deleted: Pulumi does that last,
        and makes a new Grant before the proxies let the login in again.
        """
        users = [self._user(app, login) for login in app.logins]
        if not app.active:
            return users
        grants: list[pulumi.Resource] = []
        for login, user in zip(app.logins, users, strict=True):
            for schema, granted in app.databases.items():
                after = [user, schemas[schema]]
                grants.append(self._grant(app, login, schema, privileges(granted), after))
            if app.global_privileges:
                grants.append(self._grant(app, login, EVERYWHERE, app.global_privileges, [user]))
        return grants

    def _user(self, app: App, login: Login) -> pulumi.Resource:
        config = self._args.config
        spec: dict[str, Any] = {
            "name": login.username,
            "host": app.host,
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
            [self._args.servers, self._args.secrets[app.name]],
        )

    def _grant(
        self,
        app: App,
        login: Login,
        schema: str,
        granted: Sequence[str],
        after: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        username = login.username
        spec: dict[str, Any] = {
            "username": username,
            "host": app.host,
            # In GRANT, `_` stands for any character (mariadb.com/docs, GRANT).
            "database": schema.replace("_", "\\_"),
            "table": "*",
            "privileges": list(granted),
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
    """The cleanup policy of an object. What several apps share is deleted only if all of them say
    so."""
    return "Delete" if all(app.cleanup == "delete" for app in apps) else "Skip"


def max_user_connections(config: StackConfig, app: App) -> int:
    """Connections that an app's account may hold to one server, from all proxies together. The
    operator's default of 10 is too few for a pool. A Pod that is being replaced still holds its
    own. Counted for the largest number of proxies: a new one must not wait for the operator.
    """
    if not config.own_proxies:
        return app.max_connections
    each = min(app.max_connections, config.backend_max_connections) * config.hostgroups_per_server
    return each * (config.proxy_shares + 1)
