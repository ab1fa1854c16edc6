"""The my.cnf on real servers: what is refused works there, and what is rendered starts.

`--verbose --help` prints the options as a server has resolved them from its files, and starts
nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.config import memory, server_options
from local import ports
from testbed.database.servers import HOST, Account, Installation, Server, SqlError, stopping
from tests.program.cases import file_cases, recorded

pytestmark = pytest.mark.database

Resolver = Callable[[str], dict[str, str]]
NAMES = Path(__file__).parents[1] / "unit/data/mariadb-10.11-options.txt"
RESERVED = {**server_options.EVERYWHERE, **server_options.CLUSTERED, **server_options.GALERA}
VALUES = ("7", "/tmp/elsewhere", "ROW", "OFF", "ON", "NOBODY", "3600")


@pytest.fixture(scope="module")
def run(installation: Installation, workspace: Path) -> Callable[[str], str]:
    """What a server prints of its options with a text as its my.cnf."""

    def printed(text: str) -> str:
        config = workspace / "resolved.cnf"
        config.write_text(f"[mariadb]\n{text}\n")
        command = (installation.server, f"--defaults-file={config}", "--verbose", "--help")
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        return done.stdout.decode(errors="replace")

    return printed


@pytest.fixture(scope="module")
def resolved(run: Callable[[str], str]) -> Resolver:
    """Options with `_` for `-` and their values; empty when the server refuses the text."""

    def options(text: str) -> dict[str, str]:
        _, _, values = run(text).partition("\nVariables (--variable-name=value)")
        found = re.findall(r"^([a-z][\w-]+) +(.*)$", values, re.MULTILINE)
        return {name.replace("-", "_").casefold(): value.strip() for name, value in found}

    return options


@pytest.fixture(scope="module")
def known(run: Callable[[str], str]) -> frozenset[str]:
    """The names of all options of the server."""
    text, _, _ = run("").partition("\nVariables (--variable-name=value)")
    found = re.findall(r"^  (?:-[A-Za-z#?], )? *--([A-Za-z0-9_-]+)", text, re.MULTILINE)
    return frozenset(name.replace("-", "_") for name in found) - {"print_defaults"}


def test_the_list_of_names_is_the_servers(known: frozenset[str], run: Callable[[str], str]) -> None:
    listed = {name for name in NAMES.read_text().splitlines() if not name.startswith("#")}
    if " 10.11." in run("").splitlines()[0]:
        assert known >= listed
    short = [
        name for name in known if "abbreviate" in (server_options.refusal(name, "galera") or "")
    ]
    assert short == []


def test_every_refused_option_of_mariadb_has_an_effect(
    known: frozenset[str], resolved: Resolver
) -> None:
    """Under its own name, with some value; other names are MySQL's. Two are what prints
    this."""
    default = resolved("")
    lower = {name.casefold() for name in known}
    without = [
        name
        for name in RESERVED.keys() - {"help", "verbose"}
        if {name, f"skip_{name}"} & lower
        and not any(
            resolved(text) != default
            for text in (f"skip_{name}", name, *(f"{name} = {value}" for value in VALUES))
        )
    ]
    assert without == []


@pytest.mark.parametrize(
    ("text", "option", "value"),
    [
        ("skip-grant-tables", "skip_grant_tables", "TRUE"),
        ("a.skip-grant-tables", "skip_grant_tables", "TRUE"),
        ("loose-skip-grant-table", "skip_grant_tables", "TRUE"),
        ("SKIP_GRANT_TABLES # comment", "skip_grant_tables", "TRUE"),
        ("[server]\nread_onl = 1", "read_only", "TRUE"),
        ("loose-enable-read-only", "read_only", "TRUE"),
        ("READ_ONLY", "read_only", "TRUE"),
        ("server_id = 7", "server_id", "7"),
        ("log_bin\nskip_log_bin", "log_bin", "0"),
        ("log_slave_updates\ndisable-log-slave-updates", "log_slave_updates", "FALSE"),
        ("max_connection = 11", "max_connections", "11"),
        ("datadir = /tmp/elsewhere", "datadir", "/tmp/elsewhere/"),
        ("expire_logs_days = 1\nbinlog_expire_logs_seconds = 0", "expire_logs_days", "0"),
        (
            "wsrep_provider_options = 'socket.ssl=true'\nwsrep_provider_options = 'pc.weight=2'",
            "wsrep_provider_options",
            "pc.weight=2",
        ),
        ("wsrep_cluster_address = gcomm://", "wsrep_cluster_address", "gcomm://"),
        (
            "rpl_semi_sync_master_enabled\ndisable-rpl-semi-sync-master-enabled",
            "rpl_semi_sync_master_enabled",
            "FALSE",
        ),
    ],
)
def test_a_refused_form_is_effective(
    resolved: Resolver, text: str, option: str, value: str
) -> None:
    assert resolved(text)[option] == value
    line = text.splitlines()[-1]
    assert server_options.refusal(line.split("=")[0].split("#")[0].strip(), "galera")


def test_a_long_line_is_two(resolved: Resolver) -> None:
    """The server reads pieces of 4095 bytes."""
    padding = "init_connect = '" + "x" * 4094
    assert any(
        resolved(f"{padding[:length]}read_only")["read_only"] == "TRUE"
        for length in (4093, 4094, 4095)
    )


def test_an_included_file_is_read(resolved: Resolver, workspace: Path) -> None:
    (workspace / "included.cnf").write_text("[mariadb]\nread_only\n")
    assert resolved(f"!include {workspace}/included.cnf")["read_only"] == "TRUE"


@pytest.fixture(scope="module")
def server(installation: Installation, workspace: Path) -> Iterator[Server]:
    """A server that is not started yet."""
    (port,) = ports.free(1)
    made = Server(installation, workspace / "my-cnf", port, {})
    with stopping([made]):
        yield made


def rendered() -> list[str]:
    """The different my.cnf of all stack files and examples of MariaDB."""
    objects = [found for case in file_cases() for found in recorded(case.id).of_kind("MariaDB")]
    return sorted({found.inputs["spec"]["myCnf"] for found in objects})


# Loopback only, and no more memory than there is.
HERE = (f"--bind-address={HOST}", "--innodb-buffer-pool-size=32M")


def test_servers_start_with_what_is_rendered(server: Server) -> None:
    texts = rendered()
    assert len(texts) >= 4
    for text in texts:
        server.start(*HERE, more=text)
        server.wait()
        (days,) = re.findall(r"binlog_expire_logs_seconds = (\d+)", text)
        assert server.query("SELECT @@global.binlog_expire_logs_seconds").value == days
        server.stop()


def test_anyone_logs_in_without_grant_tables(server: Server) -> None:
    nobody = Account("nobody", "wrong")
    server.start(*HERE, more="loose.skip-grant-table")
    server.wait()
    assert server.query("SELECT COUNT(*) FROM mysql.global_priv", nobody).value
    server.stop()
    server.start(*HERE)
    server.wait()
    with pytest.raises(SqlError):
        server.session(nobody)
    server.stop()


JOIN = "SELECT a.x FROM d.t a JOIN d.t b USING (y) ORDER BY a.y DESC LIMIT 5"


def test_a_server_takes_what_the_sum_says(server: Server) -> None:
    """Its own memory and that of connections, which wait or have worked."""
    per_connection = {
        "SELECT 1": memory.CONNECTION,
        JOIN: memory.CONNECTION + sum(memory.SESSION.values()) // 10,
    }
    for statement, expected in per_connection.items():
        server.start(*HERE, "--max-connections=300")
        server.wait()
        with server.session() as session:
            session.query("CREATE DATABASE IF NOT EXISTS d")
            session.query("CREATE OR REPLACE TABLE d.t (x INT, y INT)")
            session.query("INSERT INTO d.t SELECT seq, seq % 100 FROM d.seq_1_to_500")
        idle = server.resident
        assert idle <= memory.SERVER["mariadb"] + 32 * memory.MIB
        sessions = [server.session() for _ in range(60)]
        for session in sessions:
            session.query(statement)
        grown = server.resident - idle
        for session in sessions:
            session.close()
        server.stop()
        assert grown <= len(sessions) * expected, statement
