"""A replay of binary logs into a restored copy, with real servers: to a time between two writes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local import ports
from testbed.database import copies
from testbed.database.servers import (
    HOST,
    Account,
    Installation,
    Server,
    Session,
    stopping,
)
from tools import replay
from tools.binlogs import Refused, logs, position, position_of_backup

pytestmark = pytest.mark.database

LOGGING = {"log_bin": "mariadb-bin", "server_id": 10, "gtid_strict_mode": None}
BYTES = "a\0b\r\nc"
"""What a client that reads text would change on its way from the logs."""
COPY = {"log_bin": "copy-bin", "server_id": 11}


@dataclass(frozen=True)
class Source:
    """A server, its backup, and three writes after it, in three seconds and two logs."""

    server: Server
    backup: Path
    start: str
    """The position of the backup."""
    logs: Path
    """A copy of its logs, made after the last write."""
    between: int
    """A time after the first write and not after the second."""
    last: int
    """A time after all writes."""


@dataclass(frozen=True)
class Restored:
    """A copy of the source as it was backed up, and how its options file is called."""

    server: Server
    options: Path

    @property
    def rows(self) -> list[str | None]:
        return self.server.query("SELECT what FROM shop.orders ORDER BY id").first_column

    def replay(self, source: Source, *arguments: str) -> int:
        return replay.main(
            [
                *("--logs", str(source.logs), "--after", source.start),
                *("--options", str(self.options), *arguments),
            ]
        )


def at(session: Session) -> int:
    """The server's time in seconds, once the next one has begun: whatever was written before
    is older."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.02)
    return int(session.query("SELECT UNIX_TIMESTAMP()").value or 0)


@pytest.fixture(scope="module")
def source(installation: Installation, workspace: Path) -> Iterator[Source]:
    if not copies.available():
        pytest.skip("no mariadb-backup on this machine (Debian: mariadb-backup)")
    (port,) = ports.free(1)
    folder = workspace / "replay-source"
    server = Server(installation, folder, port, LOGGING)
    with stopping([server]):
        server.start()
        server.wait()
        with server.session() as session:
            for sql in (
                "CREATE DATABASE shop",
                "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(20))",
                "CREATE TABLE shop.files (content BLOB)",
                "INSERT INTO shop.orders (what) VALUES ('in the backup')",
            ):
                session.query(sql)
            backup = copies.copy(installation, server, folder / "backup")
            at(session)
            session.query("INSERT INTO shop.orders (what) VALUES ('good')")
            between = at(session)
            session.query("FLUSH BINARY LOGS")
            session.query(f"INSERT INTO shop.files VALUES ('{BYTES}')")
            session.query("INSERT INTO shop.orders (what) VALUES ('late')")
            session.query("UPDATE shop.orders SET what = CONCAT(what, '!')")
            last = at(session)
            session.query("FLUSH BINARY LOGS")
        copied = folder / "logs"
        copied.mkdir()
        for file in server.data.glob("mariadb-bin.0*"):
            installation.own(Path(shutil.copy(file, copied)))
        start = replay.text_of(position_of_backup(copies.position(backup)))
        yield Source(server, backup, start, copied, between, last)


@pytest.fixture
def restored(
    installation: Installation, workspace: Path, source: Source, request: pytest.FixtureRequest
) -> Iterator[Restored]:
    """As mariadb-operator leaves it: with an account that the operator has made since."""
    (port,) = ports.free(1)
    folder = workspace / f"replay-{port}"
    settings = getattr(request, "param", COPY)
    server = copies.restored(installation, source.backup, folder, port, settings)
    options = folder / "client.cnf"
    options.write_text(f"[client]\nhost={HOST}\nport={port}\nuser=root\nskip-ssl\n")
    with stopping([server]):
        server.start()
        server.wait()
        server.query("CREATE USER operator_made_it")
        yield Restored(server, options)


def utc(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%FT%TZ}"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_to_a_time_between_two_writes(
    zone: str, restored: Restored, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the machine is: mariadb-binlog itself takes times of its own zone."""
    monkeypatch.setenv("TZ", zone)
    until = utc(source.between)
    assert restored.replay(source, "--until", until, "--run") == 0
    assert restored.rows == ["in the backup", "good"]
    assert restored.replay(source, "--until", until, "--run") == 0, "again: nothing is left to do"
    assert restored.rows == ["in the backup", "good"]
    assert restored.replay(source, "--until", utc(source.last), "--run") == 0, "further"
    assert restored.rows == ["in the backup!", "good!", "late!"]


def test_to_the_end_of_the_logs(restored: Restored, source: Source) -> None:
    assert restored.replay(source, "--run") == 0
    assert restored.rows == ["in the backup!", "good!", "late!"]
    content = "SELECT HEX(content) FROM shop.files"
    assert restored.server.query(content).value == BYTES.encode().hex().upper()
    strict = restored.server.query("SELECT @@gtid_strict_mode").value
    assert strict == "0", "the server's mode is what it was"


def test_in_a_pod(
    restored: Restored, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a kubectl that runs the command here, with root's password in the environment only."""
    restored.server.query(f"SET PASSWORD FOR root@'{HOST}' = PASSWORD('of the \"Pod\"')")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    kubectl.chmod(0o755)
    (tmp_path / ".my.cnf").write_text(restored.options.read_text().replace("user=root\n", ""))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MARIADB_ROOT_PASSWORD", 'of the "Pod"')
    arguments = ("--logs", str(source.logs), "--after", source.start)
    assert replay.main([*arguments, "--pod", "shop", "orders-copy-0", "--run"]) == 0
    root = Account("root", 'of the "Pod"')
    assert restored.server.query("SELECT COUNT(*) FROM shop.orders", root).value == "3"


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    before = restored.server.query("SHOW MASTER STATUS").rows
    assert restored.replay(source, "--until", utc(source.between)) == 0
    said = capsys.readouterr().out
    assert f"1 transactions follow; the last is 0-10-{int(source.start.split('-')[2]) + 1}" in said
    assert f"RESET MASTER; SET GLOBAL gtid_slave_pos = '{source.start}'" in said
    assert f"TZ=UTC mariadb-binlog --start-position={source.start} '--stop-datetime=" in said
    assert said.endswith("nothing was changed; --run does it\n")
    assert restored.rows == ["in the backup"]
    assert restored.server.query("SHOW MASTER STATUS").rows == before


def test_the_printed_commands_do_the_same(
    installation: Installation,
    restored: Restored,
    source: Source,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody may type what the dry run prints."""
    assert restored.replay(source, "--until", utc(source.between)) == 0
    lines = capsys.readouterr().out.splitlines()
    (begin,) = (line.partition("server: ")[2] for line in lines if "in the server: " in line)
    at_pipe = lines.index(next(line for line in lines if line.startswith("would run: set")))
    pipe = f"{lines[at_pipe].removeprefix('would run: ')} {lines[at_pipe + 1].strip()}"
    with restored.server.session() as session:
        for sql in begin.split("; "):
            session.query(sql)
    copies.run(installation, restored.options.with_name("typed.log"), "bash", "-c", pipe)
    assert restored.rows == ["in the backup", "good"]


def test_one_that_broke_off_goes_on_where_it_ended(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a lost connection: the server has the first transaction only."""
    first = f"0-10-{int(source.start.split('-')[2]) + 1}"
    client = replay.Client.of_options(restored.options)
    start = position(source.start)
    assert replay.gone_on(client.query, start) is None
    client.query(replay.beginning(start))
    stopped = replay.plan(logs(source.logs), start, source.between)
    replay.run(client, logs(source.logs), stopped, source.between)
    reached = replay.gone_on(client.query, start)
    assert reached == position(first)
    assert restored.replay(source, "--run") == 0
    assert f"the server has {first}" in capsys.readouterr().out
    assert restored.rows == ["in the backup!", "good!", "late!"]


def refused(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str], *more: str
) -> str:
    """Why; nothing has happened then."""
    rows = restored.rows
    assert restored.replay(source, "--run", *more) == 1
    assert restored.rows == rows
    return capsys.readouterr().err


def test_a_statement_of_its_own_stops_it(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would take the number of a transaction of the logs."""
    assert restored.replay(source, "--until", utc(source.between), "--run") == 0
    restored.server.query("CREATE USER of_the_operator")
    assert "something else wrote into the server" in refused(restored, source, capsys)


def test_numbers_that_are_used_already_are_refused_by_the_server(
    restored: Restored, source: Source
) -> None:
    """What RESET MASTER is for: what the copy wrote itself has the numbers of the first writes."""
    for number in range(9):
        restored.server.query(f"CREATE USER operator_{number}")
    start = position(source.start)
    client = replay.Client.of_options(restored.options)
    planned = replay.plan(logs(source.logs), start)
    with pytest.raises(Refused, match=r"ERROR 1950.*suspend the operator"):
        replay.run(client, logs(source.logs), planned, None)
    assert restored.rows == ["in the backup"]


def test_clients_are_refused(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Account("shop", "a-password")
    restored.server.query(f"CREATE USER {shop} IDENTIFIED BY '{shop.password}'")
    with restored.server.session(shop):
        assert "others are logged in: shop" in refused(restored, source, capsys)


def test_a_replica_is_refused(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    restored.server.query(f"CHANGE MASTER TO MASTER_HOST='{HOST}', MASTER_PORT=1")
    assert "is a replica" in refused(restored, source, capsys)


@pytest.mark.parametrize("restored", [{"server_id": 11}], indirect=True)
def test_a_server_without_a_binary_log_is_refused(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "writes no binary log" in refused(restored, source, capsys)


def test_another_start_than_the_one_that_it_began_with_is_refused(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restored.replay(source, "--until", utc(source.between), "--run") == 0
    assert "restore the backup again" in refused(restored, source, capsys, "--after", "0-10-1")


def test_a_broken_log_is_refused_before_anything_is_done(
    restored: Restored, source: Source, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for file in source.logs.iterdir():
        shutil.copy(file, tmp_path)
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-5])
    assert "cut off" in refused(restored, source, capsys, "--logs", str(tmp_path))
    assert restored.server.query("SHOW DATABASES LIKE 'mysql_ha%'").rows == ()


def test_a_server_that_cannot_be_reached(
    source: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = tmp_path / "client.cnf"
    options.write_text(f"[client]\nhost={HOST}\nport=1\n")
    arguments = ("--logs", str(source.logs), "--after", source.start, "--options", str(options))
    assert replay.main([*arguments, "--run"]) == 1
    assert "the server said: ERROR 2002" in capsys.readouterr().err
