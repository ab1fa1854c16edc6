"""26: what goes wrong with real servers, and what a real exporter and a real Prometheus say of it.

The rules are those of the stack, but that seconds are enough for what must hold for minutes. What
kubelets and kube-state-metrics say is made up.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.config.load import resolve
from components.config.stack import StackConfig
from components.engines import mariadb_exporter
from testbed.database import operator_sql
from testbed.database.servers import HOST, Cluster, Installation, SqlError, eventually
from testbed.monitoring import series, site
from testbed.monitoring.watch import Watch, watch

from .conftest import clustered, replicated

pytestmark = pytest.mark.database


def config(topology: str) -> StackConfig:
    found: dict[str, Any] = {
        "size": "small",
        "name": "db",
        "namespace": "shop",
        "database": {"topology": topology},
        "backup": {"store": {"s3": {"endpoint": "s3.example.com", "bucket": "backups"}}},
        "monitoring": {"scrape": "prometheus_operator"},
        "proxy": {"enabled": False},
    }
    return resolve(found)


@dataclass(frozen=True)
class Site:
    """Servers, and what is said of them."""

    cluster: Cluster
    watch: Watch


@contextmanager
def watched(cluster: Cluster, prometheus_program: Path, exporter_program: Path) -> Generator[Site]:
    """Until the block ends."""
    of, login = config(cluster.topology), site.EXPORTER_LOGIN
    cluster.execute(
        *operator_sql.create_user(login), operator_sql.grant(mariadb_exporter.PRIVILEGES, login)
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exporter = stack.enter_context(site.exporter(exporter_program, folder))
        servers = [f"{HOST}:{server.port}" for server in cluster.servers]
        jobs = [site.servers(of, exporter, servers)]
        found = stack.enter_context(watch(prometheus_program, folder / "prometheus", of, jobs))
        assert eventually(lambda: len(found.prometheus.query("mysql_up")) == len(servers))
        yield Site(cluster, found)


@pytest.fixture(scope="module")
def pair(
    installation: Installation, workspace: Path, prometheus_program: Path, exporter_program: Path
) -> Iterator[Site]:
    """A replicated database."""
    with (
        replicated(installation, workspace, "alerts") as cluster,
        watched(cluster, prometheus_program, exporter_program) as found,
    ):
        cluster.execute("CREATE DATABASE shop", "CREATE TABLE shop.rows (id INT PRIMARY KEY)")
        cluster.execute("INSERT INTO shop.rows VALUES (1)")
        yield found


@pytest.fixture(autouse=True)
def quiet_at_both_ends(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test of the replicated database begins and ends without an alert."""
    if "pair" not in request.fixturenames:
        yield
        return
    found: Site = request.getfixturevalue("pair")
    found.watch.says()
    yield
    found.watch.says()


def test_every_series_of_the_rules_is_there(pair: Site) -> None:
    """23: as real programs name them; those that are made up have a list of their own
    (tests/unit/test_alerts.py)."""
    assert not pair.watch.unknown("mysql_")


def follow(found: Site, number: int) -> None:
    """The operator makes a server a replica again."""
    server = found.cluster.servers[number]
    server.query("SET GLOBAL read_only = 1")
    server.query("START ALL SLAVES")


def test_a_replica_is_killed(pair: Site) -> None:
    replica = pair.cluster.servers[2]
    replica.stop()
    pair.watch.says("DatabaseServerDown")
    replica.start()
    replica.wait()
    follow(pair, 2)


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_the_primary_is_gone(pair: Site, how: str) -> None:
    primary = pair.cluster.primary
    primary.stop() if how == "killed" else primary.pause()
    pair.watch.says("DatabaseServerDown", "DatabaseNoWritableServer")
    if how == "killed":
        primary.start()
        primary.wait()
    else:
        primary.resume()
    for number in (1, 2):
        pair.cluster.servers[number].query("STOP ALL SLAVES")
        follow(pair, number)


@pytest.mark.parametrize("sql", ["STOP SLAVE SQL_THREAD", "STOP SLAVE IO_THREAD", "STOP SLAVE"])
def test_a_replica_stops(pair: Site, sql: str) -> None:
    pair.cluster.servers[1].query(sql)
    pair.watch.says("ReplicationBroken")
    lag = 'mysql_slave_status_seconds_behind_master{instance=~"db-1[.].*"}'
    assert not pair.watch.has(lag)  # NULL: an alert of lag alone would be silent
    follow(pair, 1)


def test_a_replica_has_a_row_of_its_own(pair: Site) -> None:
    replica = pair.cluster.servers[1]
    with replica.session() as session:
        session.query("SET SESSION sql_log_bin = 0")
        session.query("INSERT INTO shop.rows VALUES (2)")
    pair.cluster.primary.query("INSERT INTO shop.rows VALUES (2)")
    pair.watch.says("ReplicationBroken")
    with replica.session() as session:
        session.query("SET SESSION sql_log_bin = 0")
        session.query("DELETE FROM shop.rows WHERE id = 2")
    follow(pair, 1)


def test_a_replica_is_behind(pair: Site) -> None:
    """It waits for a row, to change it as an hour ago."""
    replica, primary = pair.cluster.servers[1], pair.cluster.primary
    with replica.session() as holder:
        holder.query("BEGIN")
        holder.query("SELECT * FROM shop.rows WHERE id = 1 FOR UPDATE")
        with primary.session() as session:
            session.query("SET timestamp = UNIX_TIMESTAMP() - 3600")
            session.query("UPDATE shop.rows SET id = -1 WHERE id = 1")
            session.query("UPDATE shop.rows SET id = 1 WHERE id = -1")
        pair.watch.says("ReplicationLag")
        holder.query("ROLLBACK")


def test_two_servers_are_writable(pair: Site) -> None:
    pair.cluster.servers[2].query("SET GLOBAL read_only = 0")
    # Of the second one no replica acknowledges anything.
    pair.watch.says("DatabaseTwoWritableServers", "SemiSyncOff")
    follow(pair, 2)


def test_all_servers_are_read_only(pair: Site) -> None:
    pair.cluster.primary.query("SET GLOBAL read_only = 1")
    pair.watch.says("DatabaseNoWritableServer")
    pair.cluster.primary.query("SET GLOBAL read_only = 0")


@pytest.mark.parametrize("where", ["primary", "replicas"])
def test_semi_sync_is_off(pair: Site, where: str) -> None:
    if where == "primary":
        pair.cluster.primary.query("SET GLOBAL rpl_semi_sync_master_enabled = 0")
        pair.watch.says("SemiSyncOff")
        pair.cluster.primary.query("SET GLOBAL rpl_semi_sync_master_enabled = 1")
        return
    semi_sync(pair, on=False)
    pair.watch.says("SemiSyncOff")
    semi_sync(pair, on=True)


def semi_sync(found: Site, *, on: bool) -> None:
    """Whether replicas acknowledge."""
    for replica in found.cluster.replicas:
        replica.query(f"SET GLOBAL rpl_semi_sync_slave_enabled = {int(on)}")
        replica.query("STOP SLAVE IO_THREAD")
        replica.query("START SLAVE IO_THREAD")


def test_connections_are_nearly_used_up(pair: Site) -> None:
    replica = pair.cluster.servers[2]
    replica.query("SET GLOBAL max_connections = 50")
    with ExitStack() as stack:
        for _ in range(46):
            stack.enter_context(replica.session())
        pair.watch.says("ConnectionsNearLimit")
    replica.query("SET GLOBAL max_connections = 151")


def test_transactions_wait_for_a_row(pair: Site) -> None:
    primary = pair.cluster.primary
    sql = "SELECT * FROM shop.rows WHERE id = 1 FOR UPDATE"

    def wait() -> None:
        with suppress(SqlError):
            primary.query(sql)

    waiting = [threading.Thread(target=wait) for _ in range(22)]
    with primary.session() as holder:
        holder.query("BEGIN")
        holder.query(sql)
        for thread in waiting:
            thread.start()
        pair.watch.says("RowLockWaits")
        holder.query("ROLLBACK")
    for thread in waiting:
        thread.join()


@pytest.mark.parametrize(
    ("metric", "text", "value", "says"),
    [
        (
            "kubelet_volume_stats_available_bytes",
            "storage-db-1",
            1e9,
            ("VolumeFillsUp", "VolumeFullSoon"),
        ),
        ("kube_deployment_status_replicas_available", "mariadb-operator", 0, ("OperatorDown",)),
        ("kube_job_status_completion_time", "db-backup", 1e9, ("BackupTooOld",)),
        (
            "kube_cronjob_status_last_successful_time",
            "db-restore-drill",
            1e9,
            ("RestoreDrillTooOld",),
        ),
    ],
)
def test_the_cluster_says(
    pair: Site, metric: str, text: str, value: float, says: tuple[str, ...]
) -> None:
    undo = pair.watch.change(metric, text, value)
    pair.watch.says(*says)
    undo()


def test_a_backup_fails_beside_one_that_did_not(pair: Site) -> None:
    owner, kind = series.backup_owner(pair.watch.config)
    bad = series.job(pair.watch.config, f"{owner}-bad", owner, kind, failed=0)
    pair.watch.elsewhere.update(series.at(time.time(), bad))
    pair.watch.says("BackupFailed")
    good = series.job(pair.watch.config, f"{owner}-good", owner, kind, completed=60)
    pair.watch.elsewhere.update(series.at(time.time(), good))


def test_a_cluster_loses_a_node_and_then_its_quorum(
    installation: Installation, workspace: Path, prometheus_program: Path, exporter_program: Path
) -> None:
    with (
        clustered(installation, workspace, "alerts-galera") as cluster,
        watched(cluster, prometheus_program, exporter_program) as found,
    ):
        found.watch.says()
        assert not found.watch.unknown("mysql_")
        cluster.servers[2].stop()
        found.watch.says("DatabaseServerDown")
        cluster.servers[1].kill()
        found.watch.says("DatabaseServerDown", "GaleraNotPrimary", "GaleraNodeMissing")
