"""`credentials`: one password per role, and alternating accounts."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import model_validator

from components.config.errors import field_error
from components.config.model import Model, SecretRef
from components.config.proxysql import OWN_ACCOUNTS
from components.config.types import Natural, Password

HEARTBEAT_ACCOUNT, HEARTBEAT_SCHEMA = "mysql_ha_heartbeat", "mysql_ha"
"""The account that writes the heartbeat by which a restored backup shows its age, and the database
that holds it."""

EXPORTER_ACCOUNT = "mysql_ha_exporter"
"""The account by which the exporter asks the servers for their figures."""

SYSTEM_ACCOUNTS = frozenset(
    {"root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "repl"}
    | set(OWN_ACCOUNTS)
    | {"xtrabackup", "operator", "replication", "proxyadmin"}
    | {"pmmserver", "pmmserverkey", "pmmservertoken"}
)
"""Accounts of the servers, of mariadb-operator (`repl`), of ProxySQL, of Percona's operator
(pkg/pxc/users/users.go). `StackConfig.system_accounts` has those that not every stack has."""


class Login(NamedTuple):
    """One of the alternating accounts."""

    username: str
    generation: int
    """The rotation that made its password."""
    key: str
    """The key of the password in the Secret that the servers read."""

    @property
    def suffix(self) -> str:
        """The suffix of the second account's resources."""
        return ".b" if self.generation % 2 else ""


def alternating_logins(account: str, rotation: int) -> tuple[Login, ...]:
    """The logins after a number of rotations: the newest, then the previous one.

    Two accounts alternate ("alternating users" of AWS Secrets Manager's rotation), so that a
    rotation changes nothing for clients that still use the previous login.
    """
    accounts = ((account, "password"), (f"{account}_b", "password-b"))
    generations = range(rotation, max(rotation - 2, -1), -1)
    return tuple(
        Login(accounts[generation % 2][0], generation, accounts[generation % 2][1])
        for generation in generations
    )


PROXY_ROLES = ("monitor", "proxy_admin", "proxy_stats", "proxy_cluster")
"""Roles of this program's own proxies; `proxysql.cnf` holds their passwords in clear text."""

STATS_READER_ROLE = "proxy_stats_reader"
"""One more where `proxy.stats_readers` names somebody."""


SET_AT_FIRST_BOOT = ("root", "replication")
"""Roles whose passwords the servers get at their first start."""


class Credential(Model):
    """One role's password: generated, from an existing Secret, or a secret config value."""

    existing_secret: SecretRef | None = None
    """Where the password is. Neither this nor `password`: it is generated."""
    password: Password | None = None
    """Secret config value: `pulumi config set --secret --path`. Neither this nor
    `existing_secret`: it is generated."""
    rotation: Natural = 0
    """Raise it to generate a new password, or to roll out a changed existing one."""

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
    """The account with which replicas follow the primary."""
    monitor: Credential = Credential()
    """The account `proxy.monitor.username`, with which the proxies check the servers."""
    proxy_admin: Credential = Credential()
    """ProxySQL's `admin`, which logs in from inside its Pod only."""
    proxy_stats: Credential = Credential()
    """ProxySQL's `stats`, which only reads statistics, from inside its Pod."""
    proxy_cluster: Credential = Credential()
    """ProxySQL's `cluster`, with which proxies reach each other."""
    proxy_stats_reader: Credential = Credential()
    """ProxySQL's `stats_reader`, by which `proxy.stats_readers` read statistics."""

    heartbeat: Credential = Credential()
    """The account `mysql_ha_heartbeat`, which writes the row by which a drill knows a backup's
    age."""
    exporter: Credential = Credential()
    """The account `mysql_ha_exporter`, by which the exporter asks the servers for their figures."""

    def items(self) -> Iterator[tuple[str, Credential]]:
        """(role, credential) pairs in declaration order."""
        return ((role, getattr(self, role)) for role in type(self).model_fields)


PASSWORD_RULE = re.compile(r"[A-Za-z0-9_-]{24,}")
"""What ProxySQL reads correctly. With a quote it loses and logs the row, `:` and `;` cut an admin
password, and a leading `*` makes it a hash (lib/ProxySQL_Config.cpp, lib/ProxySQL_Admin.cpp)."""
