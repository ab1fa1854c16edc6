"""Restored servers have the accounts and the positions of their backup; what the operator's
statements make of both, word for word and in its order.

docs/restore.md: root logs in with the password of then, the User objects of the new stack are
applied, and applications log in with the passwords of now.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from local import ports
from testbed.database import copies, operator_sql
from testbed.database.servers import (
    HOST,
    ROOT,
    Account,
    Cluster,
    Installation,
    Server,
    Settings,
    SqlError,
    eventually,
    stopping,
)
from tools.binlogs import position_of_backup, text_of

from .conftest import REPLICATION_USER, replication_settings

pytestmark = pytest.mark.database

ROOT_THEN = Account("root", "root-when-it-was-copied")
SHOP_THEN, SHOP_NOW = Account("shop", "shop-then"), Account("shop", "shop-now", 20)
SHOP_B = Account("shop_b", "before-a-rotation")
REPL_NOW = Account(REPLICATION_USER.user, "replication-of-the-new-stack")
ROOT_HERE = f"root@'{HOST}'"
"""The account that tests log in to; the operator's are for '%' and localhost."""
REFUSED = 1045


@pytest.fixture(scope="module", autouse=True)
def programs(installation: Installation) -> None:
    if not copies.available():
        pytest.skip("no mariadb-backup on this machine (Debian: mariadb-backup)")


@contextmanager
def running(*servers: Server) -> Generator[None]:
    """Of servers in which root may have a password: they are up when they refuse one, too."""
    with stopping(servers):
        for server in servers:
            server.start()
        for server in servers:
            assert eventually(partial(answers, server)), server.log_tail()
        yield


def answers(server: Server) -> bool:
    try:
        server.session().close()
    except SqlError as error:
        return error.code == REFUSED
    return True


def logs_in(server: Server, account: Account) -> bool:
    try:
        server.session(account).close()
    except SqlError as error:
        assert error.code == REFUSED, error
        return False
    return True


# --- accounts ---


@pytest.fixture(scope="module")
def restored(installation: Installation, workspace: Path) -> Iterator[Server]:
    """From a server in which everybody had other passwords than the new stack gives."""
    old, new = ports.free(2)
    source = Server(installation, workspace / "accounts-source", old, {})
    with stopping([source]):
        source.start()
        source.wait()
        for sql in (
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY)",
            "INSERT INTO shop.orders VALUES (1), (2)",
            *operator_sql.create_user(SHOP_THEN),
            *operator_sql.create_user(SHOP_B),
            operator_sql.grant(["ALL PRIVILEGES"], SHOP_THEN, "shop"),
            operator_sql.grant(["ALL PRIVILEGES"], SHOP_B, "shop"),
            f"SET PASSWORD FOR {ROOT_HERE} = PASSWORD('{ROOT_THEN.password}')",
        ):
            source.query(sql)
        folder = workspace / "accounts-copy"
        files = copies.copy(installation, source, folder, ROOT_THEN)
    server = copies.restored(installation, files, workspace / "accounts-new", new, {})
    with running(server):
        yield server


def test_root_has_the_password_of_then_and_no_other(restored: Server) -> None:
    """Probes and operator with another would find a server that is never ready."""
    assert logs_in(restored, ROOT_THEN)
    assert not logs_in(restored, ROOT)
    assert not logs_in(restored, Account("root", "what-a-new-stack-would-generate"))


def test_applications_log_in_as_then_until_their_users_are_applied(restored: Server) -> None:
    assert logs_in(restored, SHOP_THEN)
    assert not logs_in(restored, SHOP_NOW)
    with restored.session(ROOT_THEN) as session:
        # The account exists, so the operator alters it (user_controller.go, Reconcile).
        session.query(operator_sql.alter_user(SHOP_NOW))
        session.query(operator_sql.grant(["SELECT"], SHOP_NOW, "shop"))
    assert logs_in(restored, SHOP_NOW)
    assert not logs_in(restored, SHOP_THEN)
    with restored.session(SHOP_NOW) as session:
        assert session.query("SELECT COUNT(*) FROM shop.orders").value == "2"


def test_what_no_object_names_stays_as_it_was(restored: Server) -> None:
    """So the page says: drop such accounts, and look at the privileges of the others."""
    assert logs_in(restored, SHOP_B)
    with restored.session(ROOT_THEN) as session:
        granted = " ".join(
            str(text) for text in session.query(f"SHOW GRANTS FOR {SHOP_NOW}").first_column
        )
    assert "GRANT ALL PRIVILEGES ON `shop`.*" in granted, "an object only adds"


def test_root_is_rotated_afterwards(restored: Server) -> None:
    """By hand: no operator of 25.10 does it."""
    new = Account("root", "root-of-the-new-stack")
    with restored.session(ROOT_THEN) as session:
        session.query(f"ALTER USER {ROOT_HERE} IDENTIFIED BY '{new.password}'")
    assert logs_in(restored, new)
    assert not logs_in(restored, ROOT_THEN)
    with restored.session(new) as session:
        session.query(f"ALTER USER {ROOT_HERE} IDENTIFIED BY '{ROOT_THEN.password}'")


# --- positions ---


@pytest.fixture(scope="module")
def sources(
    replication: Cluster, installation: Installation, workspace: Path
) -> Mapping[str, Path]:
    """Copies of a primary, of its replica, and of single servers with logs."""
    replication.execute(
        "DROP DATABASE IF EXISTS moved",
        "CREATE DATABASE moved",
        "CREATE TABLE moved.t (id INT PRIMARY KEY)",
        *(f"INSERT INTO moved.t VALUES ({number})" for number in range(20)),
    )
    primary, replica, _ = replication.servers
    return {
        "primary": copies.copy(installation, primary, workspace / "copy-of-primary"),
        "replica": copies.copy(installation, replica, workspace / "copy-of-replica"),
        "standalone": _standalone(installation, workspace / "moved-standalone", moved=False),
        "standalone, told": _standalone(installation, workspace / "moved-told", moved=True),
    }


def _standalone(installation: Installation, folder: Path, *, moved: bool) -> Path:
    """`moved`: with the statement of docs/restore.md before the copy."""
    (port,) = ports.free(1)
    server = Server(installation, folder, port, {"log_bin": "single-bin"})
    with stopping([server]):
        server.start()
        server.wait()
        with server.session() as session:
            session.query("CREATE DATABASE moved")
            session.query("CREATE TABLE moved.t (id INT PRIMARY KEY)")
            for number in range(20):
                session.query(f"INSERT INTO moved.t VALUES ({number})")
            if moved:
                session.query("SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos")
        return copies.copy(installation, server, folder / "copy")


@contextmanager
def cluster_of(
    installation: Installation, files: Path, folder: Path
) -> Generator[tuple[Server, Server]]:
    """A primary and a replica of one copy, configured as after a restore (v25.10.4,
    pkg/controller/replication/config.go and controller.go, getReplicaOpts)."""
    settings: list[Settings] = [replication_settings(index) for index in range(2)]
    primary, replica = (
        copies.restored(installation, files, folder / str(index), port, settings[index])
        for index, port in enumerate(ports.free(2))
    )
    position = text_of(position_of_backup(copies.position(files)))
    with running(primary, replica):
        with primary.session() as session:
            session.query("SET @@global.read_only=0;")
            known = session.query(
                f"SELECT COUNT(*) FROM mysql.user WHERE user='{REPL_NOW.user}' AND host='%'"
            )
            statements = [operator_sql.alter_user(REPL_NOW)]
            if known.value == "0":
                statements = [*operator_sql.create_user(REPL_NOW)]
            for sql in (*statements, operator_sql.grant(["REPLICATION REPLICA"], REPL_NOW)):
                session.query(sql)
        with replica.session() as session:
            for sql in (
                "RESET MASTER;",
                "STOP ALL SLAVES;",
                f"SET @@global.gtid_slave_pos='{position}';",
                "SET @@global.read_only=1;",
                f"CHANGE MASTER TO MASTER_HOST='{HOST}', MASTER_PORT={primary.port}, "
                f"MASTER_USER='{REPL_NOW.user}', MASTER_PASSWORD='{REPL_NOW.password}', "
                "MASTER_USE_GTID=slave_pos;",
                "START SLAVE;",
            ):
                session.query(sql)
        yield primary, replica


@pytest.mark.parametrize("source", ["replica", "standalone, told"])
def test_replicas_follow_after_a_restore(
    source: str, sources: Mapping[str, Path], installation: Installation, workspace: Path
) -> None:
    folder = workspace / f"follow-{source.replace(', ', '-')}"
    with cluster_of(installation, sources[source], folder) as (primary, replica):
        primary.query("INSERT INTO moved.t VALUES (1000)")
        rows = "SELECT COUNT(*) FROM moved.t"
        assert eventually(lambda: replica.query(rows).value == "21"), replica.query(
            "SHOW SLAVE STATUS"
        )


@pytest.mark.parametrize("source", ["primary", "standalone"])
def test_of_another_backup_they_never_do(
    source: str, sources: Mapping[str, Path], installation: Installation, workspace: Path
) -> None:
    """mariadb-operator issue 1858: why the preview warns, and why the page has that statement. The
    new primary begins to count anew, and its replicas ask for the position of the backup."""
    with cluster_of(installation, sources[source], workspace / f"never-{source}") as (_, replica):

        def error() -> str:
            return str(replica.query("SHOW SLAVE STATUS").row["Last_IO_Error"])

        assert eventually(lambda: "which is not in the master's binlog" in error()), error()
