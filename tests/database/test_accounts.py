"""Passwords: what the server stores is what the program writes for ProxySQL."""

from __future__ import annotations

import pytest

from components.proxysql.live import native_password_hash
from testbed.database import operator_sql
from testbed.database.servers import Account, Cluster, SqlError

pytestmark = pytest.mark.database

ACCESS_DENIED = 1045
PASSWORDS = ["kC4_x-9ZqL0mTtR8vW2yB6nH1sD5fGjA", "a" * 24, "-_-_-_-_-_-_-_-_-_-_-_-_"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_the_server_stores_the_hash_that_the_program_computes(
    standalone: Cluster, password: str
) -> None:
    account = Account("shop-app", password)
    standalone.execute(*operator_sql.create_user(account))
    stored = standalone.primary.query(
        f"SELECT plugin, authentication_string FROM mysql.user WHERE user = '{account.user}'"
    )
    assert stored.row == {
        "plugin": "mysql_native_password",
        "authentication_string": native_password_hash(password),
    }
    assert _logs_in(standalone, account)


@pytest.mark.parametrize("password", PASSWORDS)
def test_an_account_made_of_the_hash_takes_the_password(standalone: Cluster, password: str) -> None:
    account = Account("shop-hashed", password)
    password_hash = native_password_hash(password)
    standalone.execute(*operator_sql.create_user_from_hash(account, password_hash))
    assert _logs_in(standalone, account)
    assert not _logs_in(standalone, Account(account.user, password_hash))


def test_a_rotated_password_replaces_the_old_one(standalone: Cluster) -> None:
    old, new = Account("shop-rotated", "old-password"), Account("shop-rotated", "new-password")
    standalone.execute(*operator_sql.create_user(old), operator_sql.alter_user(new))
    assert _logs_in(standalone, new)
    assert not _logs_in(standalone, old)


def _logs_in(cluster: Cluster, account: Account) -> bool:
    try:
        return cluster.primary.query("SELECT CURRENT_USER()", account).value == f"{account.user}@%"
    except SqlError as error:
        assert error.code == ACCESS_DENIED
        return False
