"""`credentials`: one password per role, and alternating accounts."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import model_validator

from components.config.errors import field_error
from components.config.model import Model, SecretRef
from components.config.types import Natural, Password

SYSTEM_ACCOUNTS = frozenset(
    {"root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "repl"}
    | {"admin", "stats", "monitor", "cluster"}
    | {"xtrabackup", "operator", "replication", "proxyadmin"}
    | {"pmmserver", "pmmserverkey", "pmmservertoken"}
)
"""Accounts of the servers, of mariadb-operator (`repl`), of ProxySQL and of Percona's operator
(pkg/pxc/users/users.go)."""


class Login(NamedTuple):
    """One of the alternating accounts."""

    username: str
    generation: int
    """Which rotation its password is of."""
    key: str
    """Of the password, in the Secret that the servers read."""

    @property
    def suffix(self) -> str:
        """What the second account's resources have at the end of their names."""
        return ".b" if self.generation % 2 else ""


def alternating_logins(account: str, rotation: int) -> tuple[Login, ...]:
    """Who may log in after a number of rotations: the newest login, then the one before it.

    Two accounts alternate ("alternating users" of AWS Secrets Manager's rotation), so that a
    rotation changes nothing for those who still hold the last login.
    """
    accounts = ((account, "password"), (f"{account}_b", "password-b"))
    generations = range(rotation, max(rotation - 2, -1), -1)
    return tuple(
        Login(accounts[generation % 2][0], generation, accounts[generation % 2][1])
        for generation in generations
    )


PROXY_ROLES = ("monitor", "proxy_admin", "proxy_stats", "proxy_cluster")
"""Roles of this program's own proxies; `proxysql.cnf` holds their passwords in clear text."""


SET_AT_FIRST_BOOT = ("root", "replication")
"""Roles whose passwords the servers know from their first start on."""


ROTATED_BY_OPERATOR = {"mariadb": frozenset[str](), "percona": frozenset({"root"})}
"""Those of them whose new password the engine's operator brings to servers that run
(percona-xtradb-cluster-operator v1.18.0 pkg/controller/pxc/users.go, handleRootUser)."""


class Credential(Model):
    """One role's password: generated, from an existing Secret, or a secret config value."""

    existing_secret: SecretRef | None = None
    """Where the password is. Neither this nor `password`: it is generated."""
    password: Password | None = None
    """Secret config value: `pulumi config set --secret --path`. Neither this nor
    `existing_secret`: it is generated."""
    rotation: Natural = 0
    """Bump it to generate a new password, or to roll out a changed existing one."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.existing_secret and self.password:
            raise field_error("has two password sources", "keep either existing_secret or password")
        return self


class Credentials(Model):
    """One credential per role; no two roles may share one."""

    root: Credential = Credential()
    """The servers' root."""
    replication: Credential = Credential()
    """The account by which replicas follow the primary."""
    monitor: Credential = Credential()
    """The account `proxy.monitor.username`, by which the proxies check the servers."""
    proxy_admin: Credential = Credential()
    """ProxySQL's `admin`, which logs in from inside its Pod only."""
    proxy_stats: Credential = Credential()
    """ProxySQL's `stats`, which only reads statistics, from inside its Pod."""
    proxy_cluster: Credential = Credential()
    """ProxySQL's `cluster`, by which proxies reach each other."""

    def items(self) -> Iterator[tuple[str, Credential]]:
        """(role, credential) pairs in declaration order."""
        return ((role, getattr(self, role)) for role in type(self).model_fields)


PASSWORD_RULE = re.compile(r"[A-Za-z0-9_-]{24,}")
"""What ProxySQL carries unharmed: quotes lose the row and log it, `:` and `;` cut an admin
password, a leading `*` makes a hash of it (lib/ProxySQL_Config.cpp, lib/ProxySQL_Admin.cpp)."""
