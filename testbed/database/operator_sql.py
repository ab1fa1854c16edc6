"""The statements that mariadb-operator makes of its SQL resources, word for word.

Source: github.com/mariadb-operator/mariadb-operator, v25.10.4, pkg/sql/sql.go, called by
internal/controller/{user,grant,database}_controller{,_finalizer}.go. The operator interpolates: it
escapes nothing in an account name, a password or a privilege.
"""

from __future__ import annotations

from collections.abc import Iterable

from .servers import Account

# api/v1alpha1/user_types.go: +kubebuilder:default=10 on maxUserConnections.
DEFAULT_MAX_USER_CONNECTIONS = 10


def create_user(account: Account) -> tuple[str, str]:
    """A User resource of an account that does not exist (user_controller.go, Reconcile)."""
    return (
        f"DROP USER IF EXISTS {account};",
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{account.password}' "
        f"WITH MAX_USER_CONNECTIONS {account.max_user_connections} ;",
    )


def alter_user(account: Account) -> str:
    """The same resource of an account that exists: at each reconciliation (sql.go, AlterUser)."""
    return (
        f"ALTER USER {account} IDENTIFIED BY '{account.password}' "
        f"WITH MAX_USER_CONNECTIONS {account.max_user_connections} ;"
    )


def create_user_from_hash(account: Account, password_hash: str) -> tuple[str, str]:
    """A User resource with passwordHashSecretKeyRef (sql.go, WithIdentifiedByPassword)."""
    return (
        f"DROP USER IF EXISTS {account};",
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY PASSWORD '{password_hash}' "
        f"WITH MAX_USER_CONNECTIONS {account.max_user_connections} ;",
    )


def grant(
    privileges: Iterable[str], account: Account, database: str = "*", table: str = "*"
) -> str:
    """A Grant resource, at each reconciliation (sql.go, Grant)."""
    scope = f"{_quoted(database)}.{_quoted(table)}"
    return f"GRANT {','.join(privileges)} ON {scope} TO {account} ;"


def revoke(
    privileges: Iterable[str], account: Account, database: str = "*", table: str = "*"
) -> str:
    """A Grant resource that is deleted, or privileges that were taken off it (sql.go, Revoke)."""
    scope = f"{_quoted(database)}.{_quoted(table)}"
    return f"REVOKE {','.join(privileges)} ON {scope} FROM {account}"


def create_database(name: str, character_set: str, collate: str) -> str:
    """A Database resource of a database that does not exist (sql.go, CreateDatabase)."""
    return f"CREATE DATABASE `{name}` CHARACTER SET = '{character_set}' COLLATE = '{collate}' ;"


def _quoted(name: str) -> str:
    """sql.go, escapeWildcard; despite its name it leaves `_` and `%` wildcards."""
    return name if name == "*" else f"`{name}`"
