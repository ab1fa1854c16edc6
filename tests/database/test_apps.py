"""The accounts of apps can do in their databases what their role says, and nothing elsewhere.

The objects are those that the program makes of a config; the statements are the operator's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest

from components.config import collations
from components.config.types import GlobalPrivilege
from render import recorder
from render.recorder import ROOT
from testbed.database import operator_sql
from testbed.database.servers import Account, Cluster, Server, SqlError

pytestmark = pytest.mark.database

DOCS = ROOT / "docs" / "apps.md"

DATABASE, NEIGHBOUR = "shop_1", "shopA1"
"""Two names of which one matches the other where `_` is a wildcard."""
DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1410, 1419}
"""Error numbers of a missing privilege: database, login, table, column, global, routine, GRANT,
and a trigger or function without SUPER."""
NO_SUCH_GRANT = 1141

ROLES = ("readonly", "readwrite", "owner")
CONTENT = """
CREATE TABLE {0}.orders (id INT PRIMARY KEY)
INSERT INTO {0}.orders VALUES (1)
CREATE VIEW {0}.ids AS SELECT id FROM {0}.orders
CREATE PROCEDURE {0}.count_orders() SELECT COUNT(*) FROM {0}.orders
"""
READS = """
SELECT * FROM {0}.orders
SELECT * FROM {0}.ids
SHOW CREATE VIEW {0}.ids
SHOW TABLES FROM {0}
SELECT * FROM {0}.orders WHERE id = 1 FOR UPDATE
"""
"""MariaDB asks for no more than SELECT to lock rows."""
WRITES = """
INSERT INTO {0}.orders VALUES (2)
REPLACE INTO {0}.orders VALUES (2)
UPDATE {0}.orders SET id = 3 WHERE id = 2
DELETE FROM {0}.orders WHERE id = 3
CREATE TEMPORARY TABLE {0}.mine (id INT)
CALL {0}.count_orders()
LOCK TABLES {0}.orders WRITE
"""
DEFINITIONS = """
CREATE TABLE {0}.more (id INT)
ALTER TABLE {0}.more ADD COLUMN note TEXT
CREATE INDEX notes ON {0}.more (id)
TRUNCATE TABLE {0}.more
CREATE OR REPLACE VIEW {0}.mores AS SELECT id FROM {0}.more
CREATE PROCEDURE {0}.nothing() SELECT 1
CREATE TRIGGER {0}.each_one BEFORE INSERT ON {0}.more FOR EACH ROW SET NEW.id = 1
CREATE EVENT {0}.daily ON SCHEDULE EVERY 1 DAY DO SELECT 1
DROP EVENT {0}.daily
DROP PROCEDURE {0}.nothing
DROP VIEW {0}.mores
DROP TABLE {0}.more
"""
ELSEWHERE = """
GRANT SELECT ON {0}.* TO neighbour
CREATE DATABASE shopB1
CREATE USER mine
SELECT * FROM mysql.global_priv
SET GLOBAL max_connections = 200
SHOW GRANTS FOR root@localhost
"""
ALLOWED = {"readonly": READS, "readwrite": READS + WRITES, "owner": READS + WRITES + DEFINITIONS}


def declared(*apps: Mapping[str, Any]) -> Mapping[str, list[dict[str, Any]]]:
    """The specs of the operator's objects that the program makes of apps, by kind; passwords are
    put where the operator reads them."""
    recording = recorder.run({"size": "dev", "name": "db", "namespace": "default", "apps": apps})
    assert recording.error is None, recording.error
    specs: dict[str, list[dict[str, Any]]] = {}
    for kind in ("Database", "User", "Grant"):
        specs[kind] = [dict(recorder.plain(one.inputs["spec"])) for one in recording.of_kind(kind)]
    for spec in specs["User"]:
        key = spec["passwordSecretKeyRef"]
        texts = recorder.plain(recording.one("Secret", key["name"]).inputs["stringData"])
        spec["password"] = texts[key["key"]]
    # The monitor's account is tests/database/test_monitor_user.py's.
    apart = {"proxysql_monitor"}
    specs["User"] = [spec for spec in specs["User"] if spec["name"] not in apart]
    specs["Grant"] = [spec for spec in specs["Grant"] if spec["username"] not in apart]
    return specs


def made(cluster: Cluster, *apps: Mapping[str, Any]) -> dict[str, Account]:
    """Apps' objects in new servers; the accounts by name."""
    specs = declared(*apps)
    for spec in specs["Database"]:
        cluster.execute(
            operator_sql.create_database(spec["name"], spec["characterSet"], spec["collate"]),
            *lines(CONTENT, spec["name"]),
        )
    accounts = {
        spec["name"]: Account(spec["name"], spec["password"], spec["maxUserConnections"])
        for spec in specs["User"]
    }
    for account in accounts.values():
        cluster.execute(*operator_sql.create_user(account))
    for spec in specs["Grant"]:
        cluster.execute(granted(spec, accounts[spec["username"]]))
    return accounts


def granted(spec: Mapping[str, Any], account: Account) -> str:
    return operator_sql.grant(spec["privileges"], account, spec["database"], spec["table"])


def app(name: str, role: str | list[str], **more: Any) -> dict[str, Any]:
    return {"name": name, "databases": {DATABASE: role}, **more}


@pytest.fixture
def accounts(standalone: Cluster) -> Iterator[dict[str, Account]]:
    """An app of each role, whose password was rotated, and one of another database."""
    accounts = made(
        standalone,
        *(app(role, role, rotation=1) for role in ROLES),
        {"name": "neighbour", "databases": {NEIGHBOUR: "owner"}},
    )
    yield accounts
    standalone.execute(
        *(f"DROP USER {account}" for account in accounts.values()),
        f"DROP DATABASE `{DATABASE}`",
        f"DROP DATABASE `{NEIGHBOUR}`",
    )


EITHER = pytest.mark.parametrize("turn", ["", "_b"], ids=["first", "second"])
"""Of the alternating accounts."""


@EITHER
@pytest.mark.parametrize("role", ROLES)
def test_a_role_can_do_its_statements(
    standalone: Cluster, accounts: dict[str, Account], role: str, turn: str
) -> None:
    assert refusals(standalone.primary, accounts[role + turn], ALLOWED[role]) == []


@EITHER
@pytest.mark.parametrize(
    ("role", "beyond"),
    [
        ("readonly", WRITES + DEFINITIONS),
        ("readwrite", DEFINITIONS),
        ("owner", ""),
    ],
)
def test_a_role_can_do_nothing_else(
    standalone: Cluster, accounts: dict[str, Account], role: str, beyond: str, turn: str
) -> None:
    """Nor anything beyond its database."""
    statements = beyond + ELSEWHERE
    assert refusals(standalone.primary, accounts[role + turn], statements) == lines(statements)


@EITHER
@pytest.mark.parametrize("role", ROLES)
def test_no_role_reaches_a_database_of_a_similar_name(
    standalone: Cluster, accounts: dict[str, Account], role: str, turn: str
) -> None:
    account, statements = accounts[role + turn], READS + WRITES + DEFINITIONS + "DROP DATABASE {0}"
    refused = refusals(standalone.primary, account, statements, NEIGHBOUR)
    assert refused == lines(statements, NEIGHBOUR)
    seen = standalone.primary.query("SHOW DATABASES", account).first_column
    assert seen == ["information_schema", DATABASE]


def test_without_the_escape_an_account_reaches_it(
    standalone: Cluster, accounts: dict[str, Account]
) -> None:
    """Why the program writes `shop\\_1` into a Grant."""
    standalone.execute(operator_sql.grant(["SELECT"], accounts["readonly"], DATABASE))
    assert refusals(standalone.primary, accounts["readonly"], "SELECT * FROM shopA1.orders") == []


@pytest.mark.parametrize(
    ("before", "after"),
    [("readwrite", "readonly"), ("owner", "readwrite"), ("owner", "readonly")],
)
def test_a_narrowed_grant_takes_privileges_away(
    standalone: Cluster, accounts: dict[str, Account], before: str, after: str
) -> None:
    """grant_controller.go, Reconcile: what the object no longer lists is revoked, then the list is
    granted."""
    account = accounts[before]
    (old,), (new,) = declared(app(before, before))["Grant"], declared(app(before, after))["Grant"]
    gone = [one for one in old["privileges"] if one not in new["privileges"]]
    standalone.execute(
        operator_sql.revoke(gone, account, old["database"], old["table"]), granted(new, account)
    )
    beyond = ALLOWED[before].removeprefix(ALLOWED[after])
    assert refusals(standalone.primary, account, ALLOWED[after]) == []
    assert refusals(standalone.primary, account, beyond) == lines(beyond)


@pytest.mark.parametrize("role", ROLES)
def test_without_its_grant_an_account_stays_and_so_do_the_data(
    standalone: Cluster, accounts: dict[str, Account], role: str
) -> None:
    """An app that left the config with `cleanup: keep`: only its Grant objects are finalized."""
    account = accounts[role]
    (spec,) = declared(app(role, role))["Grant"]
    standalone.execute(
        operator_sql.revoke(spec["privileges"], account, spec["database"], spec["table"])
    )
    everything = READS + WRITES + DEFINITIONS
    assert refusals(standalone.primary, account, everything) == lines(everything)
    seen = standalone.primary.query("SHOW DATABASES", account).first_column
    assert seen == ["information_schema"]
    assert standalone.primary.query(f"SELECT id FROM {DATABASE}.orders").value == "1"


def test_an_open_session_keeps_the_privileges_of_the_database_that_it_selected(
    standalone: Cluster, accounts: dict[str, Account]
) -> None:
    """The limit of revoking, until it selects one again or is closed: the server looks at a
    database's privileges at `USE`, and a pool's connections have done that long ago."""
    account, insert = accounts["readwrite"], f"INSERT INTO {DATABASE}.orders VALUES ({{}})"
    (spec,) = declared(app("readwrite", "readwrite"))["Grant"]
    with standalone.primary.session(account) as session:
        session.query(f"USE {DATABASE}")
        standalone.execute(
            operator_sql.revoke(["INSERT"], account, spec["database"], spec["table"])
        )
        session.query(insert.format(2))
        session.query(f"USE {DATABASE}")
        with pytest.raises(SqlError) as refusal:
            session.query(insert.format(3))
    assert refusal.value.code in DENIED


def test_a_database_cannot_be_revoked_twice(
    standalone: Cluster, accounts: dict[str, Account]
) -> None:
    """The operator's limit: it revokes again when it could not note that it had, and its Grant
    object then stays until somebody removes the finalizer (grant_controller_finalizer.go)."""
    (spec,) = declared(app("owner", "owner"))["Grant"]
    revoke = operator_sql.revoke(
        spec["privileges"], accounts["owner"], spec["database"], spec["table"]
    )
    standalone.execute(revoke)
    with pytest.raises(SqlError) as refusal:
        standalone.execute(revoke)
    assert refusal.value.code == NO_SUCH_GRANT


def reconciled(
    cluster: Cluster, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Account]:
    """What the operator does when an app's objects change to others; the accounts by name."""
    had, has = declared(before), declared(after)
    accounts: dict[str, Account] = {}
    for spec in has["User"]:
        account = Account(spec["name"], spec["password"], spec["maxUserConnections"])
        cluster.execute(operator_sql.alter_user(account))
        accounts[spec["name"]] = account
    for spec in has["Grant"]:
        cluster.execute(granted(spec, accounts[spec["username"]]))
    for spec in had["Grant"]:
        if spec not in has["Grant"]:
            target = (accounts[spec["username"]], spec["database"], spec["table"])
            cluster.execute(operator_sql.revoke(spec["privileges"], *target))
    return accounts


LOGIN_REFUSED = 1045
INVALID_DEFINER = 1356


@EITHER
@pytest.mark.parametrize("role", ROLES)
def test_an_app_that_is_not_active_cannot_log_in_until_it_is_again(
    standalone: Cluster, accounts: dict[str, Account], role: str, turn: str
) -> None:
    """By the password that its clients have. By the one that the servers have instead, which is in
    a Secret of the namespace, an account sees nothing."""
    name, server, everything = role + turn, standalone.primary, READS + WRITES + DEFINITIONS
    active, not_active = (app(role, role, rotation=1, active=yes) for yes in (True, False))
    locked = reconciled(standalone, active, not_active)
    with pytest.raises(SqlError) as refusal:
        server.query("SELECT 1", accounts[name])
    assert refusal.value.code == LOGIN_REFUSED
    assert refusals(server, locked[name], everything) == lines(everything)
    assert server.query("SHOW DATABASES", locked[name]).first_column == ["information_schema"]
    assert server.query(f"SELECT id FROM {DATABASE}.orders").value == "1"
    assert reconciled(standalone, not_active, active) == {
        key: accounts[key] for key in (role, f"{role}_b")
    }
    assert refusals(server, accounts[name], ALLOWED[role]) == []


def test_what_was_granted_by_hand_is_of_no_use_to_an_app_that_is_not_active(
    standalone: Cluster, accounts: dict[str, Account]
) -> None:
    """The operator does not know of it: why revoking alone would not be enough."""
    account = accounts["readonly"]
    standalone.execute(f"GRANT SELECT ON {NEIGHBOUR}.* TO {account}")
    active, not_active = (app("readonly", "readonly", active=yes) for yes in (True, False))
    locked = reconciled(standalone, active, not_active)["readonly"]
    assert standalone.primary.query(f"SELECT id FROM {NEIGHBOUR}.orders", locked).value == "1"
    with pytest.raises(SqlError) as refusal:
        standalone.primary.query(f"SELECT id FROM {NEIGHBOUR}.orders", account)
    assert refusal.value.code == LOGIN_REFUSED


def test_what_an_app_defined_for_others_fails_while_it_is_not_active(
    standalone: Cluster, accounts: dict[str, Account]
) -> None:
    """As when the app is removed: the limit of revoking."""
    server, ids = standalone.primary, f"SELECT id FROM {DATABASE}.mine"
    server.query(
        f"CREATE VIEW {DATABASE}.mine AS SELECT id FROM {DATABASE}.orders", accounts["owner"]
    )
    assert server.query(ids, accounts["readonly"]).value == "1"
    active, not_active = (app("owner", "owner", active=yes) for yes in (True, False))
    reconciled(standalone, active, not_active)
    with pytest.raises(SqlError) as refusal:
        server.query(ids, accounts["readonly"])
    assert refusal.value.code == INVALID_DEFINER
    reconciled(standalone, not_active, active)
    assert server.query(ids, accounts["readonly"]).value == "1"


def test_a_role_as_the_docs_make_one(standalone: Cluster, accounts: dict[str, Account]) -> None:
    """It outlives what the operator does to the account at each reconciliation."""
    example = re.search(r"```sql\n(CREATE ROLE.+?)```", DOCS.read_text(), re.DOTALL)
    assert example is not None
    names = {"shop": "readonly", "crm": NEIGHBOUR, "customers": "orders"}
    text = re.sub(r"\b(shop|crm|customers)\b", lambda name: names[name[0]], example[1])
    account, read = accounts["readonly"], f"SELECT id FROM {NEIGHBOUR}.orders"
    with pytest.raises(SqlError) as refusal:
        standalone.primary.query(read, account)
    assert refusal.value.code in DENIED
    standalone.execute(*filter(None, text.splitlines()))
    (spec,) = declared(app("readonly", "readonly"))["Grant"]
    standalone.execute(operator_sql.alter_user(account), granted(spec, account))
    assert standalone.primary.query(read, account).value == "1"
    assert refusals(standalone.primary, account, READS) == []
    standalone.execute("DROP ROLE crm_reader")


SHOWS = """
SHOW ENGINE INNODB STATUS
SHOW MASTER STATUS
SHOW ALL SLAVES STATUS
"""
HARMS = """
RESET MASTER
PURGE BINARY LOGS BEFORE NOW()
SET GLOBAL read_only = 0
SET GLOBAL max_connections = 10
SELECT * FROM mysql.global_priv
ALTER USER root@localhost IDENTIFIED BY 'x'
CREATE USER other
"""


def test_global_privileges_show_and_change_nothing(
    standalone: Cluster, accounts: dict[str, Account]
) -> None:
    account = accounts["neighbour"]
    everything = list(get_args(GlobalPrivilege))
    given: dict[str, Any] = {"databases": {NEIGHBOUR: "owner"}, "global_privileges": everything}
    (wide,) = (s for s in declared({"name": "neighbour", **given})["Grant"] if s["database"] == "*")
    assert refusals(standalone.primary, account, SHOWS) == lines(SHOWS)
    standalone.execute(granted(wide, account))
    assert refusals(standalone.primary, account, SHOWS) == []
    harms = HARMS + ELSEWHERE
    assert refusals(standalone.primary, account, harms) == lines(harms)


def refusals(
    server: Server, account: Account, statements: str, database: str = DATABASE
) -> list[str]:
    """Which statements an account lacks a privilege for; another error fails the test."""
    found: list[str] = []
    for sql in lines(statements, database):
        try:
            server.query(sql, account)
        except SqlError as error:
            assert error.code in DENIED, f"{sql}: {error}"
            found.append(sql)
    return found


def lines(statements: str, database: str = DATABASE) -> list[str]:
    return [line for line in statements.format(database).splitlines() if line]


def test_servers_have_every_collation_that_an_app_may_name(standalone: Cluster) -> None:
    """And an app may name every one of these character sets."""
    charsets = ("ascii", "binary", "latin1", "utf8mb3", "utf8mb4")
    known = standalone.primary.query(
        "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
        f" WHERE CHARACTER_SET_NAME IN {charsets}"
    ).first_column
    ends = {str(name).partition("_")[2] for name in known}
    possible = {f"{charset}_{end}".rstrip("_") for charset in charsets for end in ends}
    assert {name for name in possible if re.fullmatch(collations.PATTERN, name)} == set(known)
    assert {collations.charset_of(str(name)) for name in known} == set(charsets)
