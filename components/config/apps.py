"""`apps`: applications with their databases and accounts."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import model_validator

from components import names
from components.config import collations
from components.config.credentials import Login, alternating_logins
from components.config.errors import field_error
from components.config.model import Model, SecretRef
from components.config.types import (
    Bool,
    ClientAddress,
    Collation,
    Count,
    GlobalPrivilege,
    Granted,
    Label,
    Natural,
    Password,
    SchemaName,
    UserName,
)


class App(Model):
    """An application: its databases, its account and how it reaches them.

    The password is generated unless `existing_secret` or `password` is set.
    """

    name: Label
    """Name in the outputs and of its Secret; the account, unless `username` is set."""
    username: UserName | None = None
    """The account. A second one, with `_b` at its end, alternates with it when a generated
    password is rotated. Unset: the app's name."""
    databases: dict[SchemaName, Granted]
    """What it may do, by database: a role or a list of privileges ([roles](apps.md#privileges)).
    Databases are made as utf8mb4."""
    global_privileges: tuple[GlobalPrivilege, ...] = ()
    """What it may see of the whole server besides ([which](apps.md#global-privileges)). For MariaDB
    only."""
    collations: dict[SchemaName, Collation] = {}
    """By database, with which collation and its character set it is made. Unset:
    `utf8mb4_unicode_ci`. Fixed. For MariaDB only."""
    host: ClientAddress = "%"
    """From where its accounts may log in to the servers. Behind proxies, servers see the proxies'
    addresses. Fixed."""
    default_database: SchemaName | None = None
    """The database of a connection that names none. Required if there are several, because a
    mapping has no order."""
    routing: Literal["writer", "reader"] = "writer"
    """`reader`: all its statements go to replicas, which lag behind the primary."""
    max_connections: Count = 200
    """Its connections to each proxy; without proxies, to each server."""
    require_tls: Bool | None = None
    """Whether its logins must use TLS. Unset: `proxy.tls.required`."""
    existing_secret: SecretRef | None = None
    """Where its password is. Neither this nor `password`: the password is generated."""
    password: Password | None = None
    """Secret config value: `pulumi config set --secret --path`. Neither this nor
    `existing_secret`: the password is generated."""
    rotation: Natural = 0
    """Raise it for a new login with a new generated password; the previous login works until the
    next rotation ([rotation](apps.md#rotation))."""
    active: Bool = True
    """False: proxies and servers refuse its logins, and with MariaDB its accounts lose their
    privileges; accounts, databases and Secrets stay ([how](apps.md#an-app-that-is-not-active))."""
    cleanup: Literal["keep", "delete"] = "keep"
    """What happens to its accounts and databases when they are removed from the config: `keep`
    leaves them in the servers. `delete` is for MariaDB only."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """All user names with which it can log in."""
        name = self.username or self.name
        return (name, f"{name}_b") if self.generated else (name,)

    @property
    def logins(self) -> tuple[Login, ...]:
        """Its logins, the one in its Secret first. This program does not know the earlier values of
        a given password, so such an app has one account.
        """
        account = self.accounts[0]
        return (
            alternating_logins(account, self.rotation)
            if self.generated
            else (Login(account, 0, "password"),)
        )

    @property
    def generated(self) -> bool:
        """Whether this program generates its passwords."""
        return not (self.existing_secret or self.password)

    @property
    def database(self) -> str:
        """The database of a connection that names none."""
        return self.default_database or next(iter(self.databases))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.databases:
            raise field_error("has no database", "name one in databases")
        if self.default_database is None and len(self.databases) > 1:
            # A mapping has no order: Pulumi sorts the keys of a structured config value.
            raise field_error("has several databases", "name one of them in default_database")
        if self.default_database not in (None, *self.databases):
            raise field_error(
                "has a default_database that is not one of its databases", "name one of them"
            )
        if unknown := sorted(self.collations.keys() - self.databases.keys()):
            raise field_error(
                f"has a collation for '{unknown[0]}', which is not one of its databases",
                "name one of them",
            )
        if self.existing_secret and self.password:
            raise field_error("has two password sources", "keep either existing_secret or password")
        if self.rotation and not self.generated:
            raise field_error(
                "has a rotation, which is for generated passwords",
                "remove it: change a given password at its source, then run `pulumi up`",
            )
        return self


ROLES: Mapping[str, tuple[str, ...]] = {
    "readonly": ("SELECT", "SHOW VIEW"),
    "readwrite": (
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE TEMPORARY TABLES", "EXECUTE",
        "LOCK TABLES", "SHOW VIEW",
    ),
    "owner": ("ALL PRIVILEGES",),
}  # fmt: skip
"""The privileges of a role, on one database only."""


def privileges(granted: str | Sequence[str]) -> list[str]:
    """The privileges of a role, or the listed ones."""
    return list(ROLES[granted] if isinstance(granted, str) else granted)


def collations_of(apps: Sequence[App]) -> Mapping[str, str]:
    """The collation of each database: what any of its apps says."""
    found = {schema: collations.DEFAULT for app in apps for schema in app.databases}
    for app in apps:
        found |= app.collations
    return found


EVERYWHERE = "*"
"""In place of a database: the privileges are global."""


def owned(name: str, apps: Sequence[App]) -> frozenset[str]:
    """Every name that the apps of a database `name` may give to an object."""
    found: set[str] = set()
    for app in apps:
        found |= {names.app_secret(name, app.name), names.account_secret(name, app.name)}
        for schema in app.databases:
            found.add(names.schema(name, schema))
            found |= {names.grant(name, login.username, schema) for login in app.logins}
        if app.global_privileges:
            found |= {names.grant(name, login.username, EVERYWHERE) for login in app.logins}
        found |= {names.account(name, login.username) for login in app.logins}
    return frozenset(found)
