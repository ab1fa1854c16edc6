"""The exporter on real servers: with the file and the account that this program makes, no more."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from components.config.credentials import EXPORTER_ACCOUNT
from components.engines.mariadb_exporter import PRIVILEGES
from components.operations.exporter import CONNECTIONS
from testbed.database import operator_sql
from testbed.database.servers import HOST, Account, Cluster, Server, SqlError, eventually
from testbed.monitoring.exporter import Exporter, exporter

pytestmark = [pytest.mark.database, pytest.mark.timeout(180)]

PASSWORD = "exporters-canary_0123"
LOGIN = Account(EXPORTER_ACCOUNT, PASSWORD, CONNECTIONS)
ON_EACH = ("mysql_up", "mysql_version_info")
VARIABLES = ("read_only", "max_connections", "server_id", "rpl_semi_sync_master_enabled")
STATUS = (
    *("threads_connected", "aborted_connects", "uptime", "rpl_semi_sync_master_status"),
    *("rpl_semi_sync_master_clients", "innodb_row_lock_current_waits"),
)
REPLICATION = ("slave_io_running", "slave_sql_running", "seconds_behind_master")


def account(cluster: Cluster) -> None:
    cluster.execute(*operator_sql.create_user(LOGIN), operator_sql.grant(PRIVILEGES, LOGIN))


@pytest.fixture(scope="module")
def running(replication: Cluster, workspace: Path, exporter_program: Path) -> Iterator[Exporter]:
    """One for a primary and its replicas, which have the account."""
    account(replication)
    with exporter(exporter_program, workspace / "exporter", PASSWORD) as found:
        yield found


def names(figures: Mapping[str, float]) -> set[str]:
    return {series.partition("{")[0] for series in figures}


def value(figures: Mapping[str, float], name: str) -> float:
    """Of the only series of a name."""
    (found,) = (one for series, one in figures.items() if series.partition("{")[0] == name)
    return found


def failed(figures: Mapping[str, float]) -> set[str]:
    """Collectors that could not read everything."""
    pattern = re.compile(r'mysql_exporter_collector_success\{collector="(.+)"\}')
    return {m[1] for series, one in figures.items() if one == 0 and (m := pattern.match(series))}


def test_each_server_shows_itself(running: Exporter, replication: Cluster) -> None:
    """3.4 of what is named: rules and dashboard read it."""
    ids = set[float]()
    for server in replication.servers:
        figures = running.figures(server.port)
        assert value(figures, "mysql_up") == 1
        assert failed(figures) == set()
        wanted = {
            *ON_EACH,
            *(f"mysql_global_variables_{name}" for name in VARIABLES),
            *(f"mysql_global_status_{name}" for name in STATUS),
        }
        assert wanted - names(figures) == set()
        ids.add(value(figures, "mysql_global_variables_server_id"))
    assert len(ids) == len(replication.servers)


def test_the_primary_is_told_from_replicas(running: Exporter, replication: Cluster) -> None:
    read_only = [
        value(running.figures(server.port), "mysql_global_variables_read_only")
        for server in replication.servers
    ]
    assert read_only == [0, 1, 1]
    wanted = {f"mysql_slave_status_{name}" for name in REPLICATION}
    primary, *replicas = (running.figures(server.port) for server in replication.servers)
    assert wanted & names(primary) == set()
    for figures in replicas:
        assert wanted - names(figures) == set()
        assert value(figures, "mysql_slave_status_slave_sql_running") == 1
    assert value(primary, "mysql_global_status_rpl_semi_sync_master_clients") == 2


def test_the_lag_of_a_replica_that_is_broken_is_not_there(
    running: Exporter, replication: Cluster
) -> None:
    """NULL is no number: an alert on the lag alone would never come."""
    replica = replication.replicas[-1]
    replica.query("STOP SLAVE SQL_THREAD")
    try:
        figures = running.figures(replica.port)
        assert value(figures, "mysql_slave_status_slave_sql_running") == 0
        assert "mysql_slave_status_seconds_behind_master" not in names(figures)
    finally:
        replica.query("START SLAVE SQL_THREAD")
    lag = "mysql_slave_status_seconds_behind_master"
    assert eventually(lambda: lag in names(running.figures(replica.port)))


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_every_privilege_is_needed(privilege: str, running: Exporter, replication: Cluster) -> None:
    replication.execute(operator_sql.revoke([privilege], LOGIN))
    try:
        assert failed(running.figures(replication.primary.port)) == {"collect.slave_status"}
    finally:
        replication.execute(operator_sql.grant(PRIVILEGES, LOGIN))
    assert failed(running.figures(replication.primary.port)) == set()


def test_the_account_reads_no_data_and_no_statements(replication: Cluster) -> None:
    account(replication)
    replication.execute(
        "CREATE DATABASE IF NOT EXISTS secrets", "CREATE OR REPLACE TABLE secrets.t (a INT)"
    )
    server = replication.primary
    for statement in ("SELECT * FROM secrets.t", "SELECT * FROM mysql.global_priv"):
        with pytest.raises(SqlError, match=r"^11(42|44)"):
            server.query(statement, LOGIN)
    with server.session(LOGIN) as session:
        seen = session.query("SELECT DISTINCT USER FROM information_schema.PROCESSLIST")
        assert seen.first_column == [EXPORTER_ACCOUNT]
    replication.execute("DROP DATABASE secrets")


def test_its_connections_are_few(replication: Cluster, running: Exporter) -> None:
    """Also of an exporter that is asked by several: a server keeps the others for clients."""
    port = replication.primary.port
    held = [replication.primary.session(LOGIN) for _ in range(CONNECTIONS)]
    try:
        assert value(running.figures(port), "mysql_up") == 0
    finally:
        for session in held:
            session.close()
    assert eventually(lambda: value(running.figures(port), "mysql_up") == 1)


def test_a_server_that_is_away_hides_no_other(running: Exporter, standalone: Cluster) -> None:
    """Nor the exporter itself, whose probes would restart it."""
    server = standalone.primary
    account(standalone)
    server.stop()
    try:
        assert running.figures(server.port) == {**running.figures(server.port), "mysql_up": 0}
        assert running.serves()
    finally:
        server.start()
        server.wait()
    assert value(running.figures(server.port), "mysql_up") == 1


def test_a_wrong_password_is_a_server_that_is_down(
    replication: Cluster, workspace: Path, exporter_program: Path
) -> None:
    account(replication)
    wrong = "not-the-password_4567"
    with exporter(exporter_program, workspace / "exporter-wrong", wrong) as found:
        figures = found.figures(replication.primary.port)
        assert value(figures, "mysql_up") == 0
        assert names(figures) & {"mysql_version_info", "mysql_global_status_uptime"} == set()
        assert "1045" in found.shown, "its log says why"
        assert wrong not in found.shown


def test_the_password_shows_nowhere(running: Exporter, replication: Cluster) -> None:
    texts = [running.text("/"), running.text("/metrics"), running.shown]
    texts += [running.text(f"/probe?target={HOST}:{s.port}") for s in replication.servers]
    texts.append(running.shown)
    assert [text for text in texts if PASSWORD in text] == []


# --- TLS ---


@pytest.fixture(scope="module")
def authorities(workspace: Path) -> dict[str, Path]:
    """Two authorities; the first has signed `server.pem` beside it, for `HOST`."""
    found: dict[str, Path] = {}
    for name in ("ours", "another"):
        folder = workspace / f"authority-{name}"
        folder.mkdir()
        _openssl(
            folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.crt",
        )  # fmt: skip
        found[name] = folder
    ours = found["ours"]
    (ours / "names").write_text(f"subjectAltName=IP:{HOST}\n")
    _openssl(
        ours, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server",
        "-keyout", "server.key", "-out", "server.csr",
    )  # fmt: skip
    _openssl(
        ours, "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem",
    )  # fmt: skip
    return found


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(("openssl", *arguments), cwd=folder, check=True, capture_output=True)


@pytest.fixture
def encrypted(standalone: Cluster, authorities: Mapping[str, Path]) -> Iterator[Server]:
    """A server that refuses plain connections."""
    server, ours = standalone.primary, authorities["ours"]
    account(standalone)
    for file in ("ca.crt", "server.pem", "server.key"):
        (ours / file).chmod(0o644)
    ours.chmod(0o755)
    certificate = {"ssl_ca": ours / "ca.crt", "ssl_cert": ours / "server.pem"}
    settings = {key: str(path) for key, path in certificate.items()}
    server.stop()
    server.start(settings={**settings, "ssl_key": str(ours / "server.key")})
    server.wait()
    server.query("SET GLOBAL require_secure_transport = ON")
    yield server
    server.restart()


def test_the_authority_decides(
    encrypted: Server,
    authorities: Mapping[str, Path],
    workspace: Path,
    exporter_program: Path,
) -> None:
    """Of a server with a certificate of another one, which may be anybody, nothing is read, and it
    gets no password."""
    for name, up in (("ours", 1), ("another", 0), (None, 0)):
        authority = authorities[name] if name else None
        folder = workspace / f"exporter-tls-{name}"
        with exporter(exporter_program, folder, PASSWORD, authority=authority) as found:
            assert value(found.figures(encrypted.port), "mysql_up") == up, name
