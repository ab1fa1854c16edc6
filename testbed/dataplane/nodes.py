"""Database Pods: MariaDB servers with an address of their own, as mariadb-operator sets them up."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.config.stack import monitor_connections
from components.engines.mariadb import FENCE_OPTIONS, READ_ONLY
from local.certificates import Authority
from testbed.database import operator_sql
from testbed.database.servers import (
    ROOT,
    Account,
    Installation,
    Server,
    Session,
    Settings,
    SqlError,
    Topology,
    eventually,
    kill,
    stopping,
)

from .loopback import SERVER_PORT, Network, RemoteSession

REPLICATION = Account("repl", "replication-password")
MONITOR = Account(
    "proxysql_monitor", "monitorMONITORmonitorMONIT", monitor_connections(3, watched=True)
)
APP = Account("app", "application-password-1")
SECOND = Account("second", "application-password-2")
"""A user that a later config removes."""


TABLE = """
CREATE TABLE shop.writes (
  id BIGINT PRIMARY KEY,
  server INT NOT NULL DEFAULT (@@server_id),
  at DATETIME(6) NOT NULL DEFAULT (SYSDATE(6))
)
"""
"""Each row says which server ran its INSERT, and when; the binary log carries rows for it."""


class Node(Server):
    """One database Pod."""

    def __init__(
        self, installation: Installation, directory: Path, host: str, server_id: int, own: Settings
    ) -> None:
        self.host = host
        self.server_id = server_id
        super().__init__(
            installation,
            directory,
            SERVER_PORT,
            {
                "bind_address": host,
                "server_id": server_id,
                "binlog_format": "row",
                "max_connections": 300,
                **own,
            },
        )

    def session(self, account: Account = ROOT) -> Session:
        return RemoteSession(self.host, self.port, account)

    def kill(self) -> None:
        """`kill -9`, of the server and what it started."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether root can log in."""
        try:
            self.session().close()
        except SqlError:
            return False
        return True

    def lets_in(self, account: Account) -> bool:
        """Whether a user can log in."""
        try:
            self.session(account).close()
        except SqlError as error:
            if error.code != 1045:
                raise
            return False
        return True

    def writes(self) -> dict[int, tuple[int, float]]:
        """Rows of the table of writes: id to the server that ran the INSERT, and when."""
        found = self.query("SELECT id, server, UNIX_TIMESTAMP(at) FROM shop.writes").rows
        return {int(i or 0): (int(server or 0), float(at or 0)) for i, server, at in found}

    def position(self) -> int:
        """The sequence number of the last transaction that it has, its own or a primary's."""
        return sequence(self.query("SELECT @@global.gtid_current_pos").value or "0-0-0")

    def log(self) -> str:
        """All that the server said."""
        return self.log_tail(100_000)


@dataclass(frozen=True)
class Servers:
    """The servers of one database and how to bring them back to how the operator made them."""

    topology: Topology
    network: Network
    """Their own, and their proxies'."""
    nodes: tuple[Node, ...]
    authority: Authority | None = None
    """Who signed their certificates."""

    @property
    def version(self) -> str:
        return str(self.nodes[0].query("SELECT VERSION()").value)

    def pristine(self) -> None:
        """All servers run, agree, and have an empty table; the first is the primary."""
        match self.topology:
            case "galera":
                self._pristine_galera()
            case _:
                self._pristine_replication()

    def _pristine_replication(self) -> None:
        for node in self.nodes:
            if not node.running:
                node.start()
        for node in self.nodes:
            node.wait()
            with node.session() as session:
                for sql in (
                    "SET sql_log_bin = 0",
                    "STOP ALL SLAVES",
                    "RESET SLAVE ALL",
                    "SET GLOBAL read_only = 0",
                    "UNLOCK TABLES",
                    *_content(),
                    "RESET MASTER",  # also switches semi-sync on again after a time-out
                    "SET GLOBAL gtid_slave_pos = ''",
                ):
                    session.query(sql)
        primary, *replicas = self.nodes
        for replica in replicas:
            with replica.session() as session:
                follow(session, primary)

        def acknowledged() -> bool:
            rows = primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_master_%'").rows
            status = {name: value for name, value in rows}
            return status["Rpl_semi_sync_master_status"] == "ON" and status[
                "Rpl_semi_sync_master_clients"
            ] == str(len(replicas))

        assert eventually(acknowledged), primary.log_tail()

    def _pristine_galera(self) -> None:
        alive = [node for node in self.nodes if node.running]
        if not alive:
            self.nodes[0].start("--wsrep-new-cluster")
            self.nodes[0].wait(synced)
        for node in self.nodes:
            if not node.running:
                node.start()
            node.wait(synced)
        with self.nodes[0].session() as session:
            for sql in _content():
                session.query(sql)
        for node in self.nodes:
            with node.session() as session:
                session.query("SET SESSION wsrep_sync_wait = 15")
                session.query("SELECT 1")


def sequence(gtid: str) -> int:
    """The last part of a position, of which there is one: all servers share domain 0."""
    return int(gtid.split(",")[0].split("-")[2])


def follow(session: Session, primary: Node, *, slave_pos: str | None = None) -> None:
    """mariadb-operator v25.10.4, pkg/controller/replication/config.go, ConfigureReplica."""
    session.query("RESET MASTER")
    session.query("STOP ALL SLAVES")
    if slave_pos is not None:
        session.query(f"SET @@global.gtid_slave_pos='{slave_pos}'")
    session.query("SET @@global.read_only=1")
    session.query(
        f"CHANGE MASTER TO MASTER_HOST='{primary.host}', MASTER_PORT={primary.port}, "
        f"MASTER_USER='{REPLICATION.user}', MASTER_PASSWORD='{REPLICATION.password}', "
        # The operator leaves the time between attempts at the server's 60 s; a replica of a
        # restarted primary would keep a scenario waiting.
        "MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=current_pos"
    )
    session.query("START SLAVE")


FENCED = (READ_ONLY, *FENCE_OPTIONS)
"""What this program adds for the fence."""
UNFENCED = (READ_ONLY,)
"""What it adds without."""


@contextmanager
def replication(
    installation: Installation, directory: Path, semi_sync_timeout_ms: int, my_cnf: Sequence[str]
) -> Generator[Servers]:
    """A primary and two semi-sync replicas. `my_cnf`: lines of this program beside the operator's.

    Settings: mariadb-operator v25.10.4, pkg/controller/replication/config.go, NewReplicationConfig;
    it sets no read_only, and the time-out only when the MariaDB object does.
    """
    network = Network.free()
    authority = Authority(directory / "certificates")
    authority.issue("server", "db", names=[network.server(0), network.server(1), network.server(2)])
    for path in (authority.directory, *authority.directory.iterdir()):
        installation.own(path)
    own: Settings = {
        name: value for name, _, value in (option.partition(" = ") for option in my_cnf)
    }
    nodes = tuple(
        Node(
            installation,
            directory / f"mariadb-{ordinal}",
            network.server(ordinal),
            10 + ordinal,
            {
                "log_bin": None,
                "log_basename": "mariadb",
                "gtid_strict_mode": None,
                "rpl_semi_sync_master_enabled": "ON",
                "rpl_semi_sync_slave_enabled": "ON",
                "rpl_semi_sync_master_timeout": semi_sync_timeout_ms,
                "rpl_semi_sync_master_wait_point": "AFTER_SYNC",
                **own,
                "ssl_ca": str(authority.directory / "ca.crt"),
                "ssl_cert": str(authority.directory / "server.crt"),
                "ssl_key": str(authority.directory / "server.key"),
            },
        )
        for ordinal in range(3)
    )
    with stopping(nodes):
        yield Servers("replication", network, nodes, authority)


@contextmanager
def galera(installation: Installation, directory: Path, provider: str) -> Generator[Servers]:
    """Three nodes; settings: mariadb-operator v25.10.4, pkg/galera/config/config.go, Marshal.

    Its default for state transfer is mariabackup, which Debian has in a package of its own.
    """
    network = Network.free()
    hosts = [network.server(ordinal) for ordinal in range(3)]
    nodes = tuple(
        Node(
            installation,
            directory / f"galera-{ordinal}",
            host,
            10 + ordinal,
            {
                "default_storage_engine": "InnoDB",
                "innodb_autoinc_lock_mode": 2,
                "wsrep_on": "ON",
                "wsrep_cluster_address": f"gcomm://{','.join(hosts)}",
                "wsrep_cluster_name": "mariadb-operator",
                "wsrep_slave_threads": 1,
                "wsrep_node_address": host,
                "wsrep_node_name": f"galera-{ordinal}",
                "wsrep_provider": provider,
                "wsrep_provider_options": (
                    f'"gmcast.listen_addr=tcp://{host}:4567; ist.recv_addr={host}:4568; '
                    'gcache.size=8M; gcache.recover=yes; socket.ssl=false"'
                ),
                "wsrep_sst_method": "rsync",
                "wsrep_sst_receive_address": f"{host}:4444",
            },
        )
        for ordinal, host in enumerate(hosts)
    )
    with stopping(nodes):
        yield Servers("galera", network, nodes)


def synced(session: Session) -> bool:
    """Whether a Galera node has joined."""
    state = session.query("SHOW STATUS LIKE 'wsrep_local_state_comment'")
    return state.row["Value"] == "Synced"


def _content() -> tuple[str, ...]:
    accounts = (REPLICATION, APP, SECOND)
    return (
        # Those of the next proxies are made for them (Lab.deploy).
        f"DROP USER IF EXISTS {MONITOR}, '{MONITOR.user}_b'@'%'",
        *(sql for account in accounts for sql in operator_sql.create_user(account)),
        operator_sql.grant(["REPLICATION REPLICA"], REPLICATION),
        operator_sql.grant(
            ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE TEMPORARY TABLES"], APP, "shop"
        ),
        operator_sql.grant(["SELECT", "INSERT"], SECOND, "shop"),
        "DROP DATABASE IF EXISTS shop",
        "CREATE DATABASE shop",
        TABLE,
    )
