"""What mariadb-operator v25.10.4 does to servers, in its own order.

Sources: pkg/controller/replication/switchover.go (reconcileSwitchover: the phases), config.go
(ConfigurePrimary, ConfigureReplica), failover.go (FurthestAdvancedReplica), relay_log.go,
controller.go (ReconcileReplicationInPod); internal/controller/pod_replication_controller.go
(ReconcilePodNotReady), mariadb_controller.go (reconcilePrimaryService, in a reconciliation after
the one that switched), user_controller.go and grant_controller.go (Reconcile).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from testbed.database import operator_sql
from testbed.database.servers import Account, Session, SqlError, eventually

from .nodes import REPLICATION, Node, Servers, follow, sequence

SYNC_TIMEOUT = 10
"""Seconds: the default of `syncTimeout`."""


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Seconds that the operator and Kubernetes take; the SQL between them takes its own time."""

    detection: float = 1.0
    """From the death of a Pod's container until the operator acts (kubelet's event, no probe)."""
    relabel: float = 0.5
    """From the end of a switchover until new connections to `<name>-primary` reach the new one."""
    restart: float = 4.0
    """From the death of a container until the kubelet starts it again."""
    adoption: float = 3.0
    """From an old primary's return until the operator makes it a replica."""


class Operator:
    """Switches primaries of a replication cluster.

    `relabel` is called with the server that the Service `<name>-primary` selects, or None while
    that server is not ready.
    """

    def __init__(
        self, servers: Servers, delays: Delays, relabel: Callable[[Node | None], None]
    ) -> None:
        self.delays = delays
        self.primary = servers.nodes[0]
        self.primaries: list[tuple[float, Node]] = [(0.0, self.primary)]
        """Who was made primary, and when its `read_only` was lifted."""
        self._servers = servers
        self._relabel = relabel
        relabel(self.primary)

    def primary_at(self, moment: float) -> Node:
        """The server that was the primary at a time."""
        return [node for since, node in self.primaries if since <= moment][-1]

    def switchover(self, new: Node) -> None:
        """A planned switchover, or a failover when the primary does not answer.

        switchover.go: lock, read_only, wait for the replicas, promote, connect the replicas to the
        new primary at *its position at that moment*, make the old primary a replica. The position
        is read after `read_only` was lifted: whatever the new primary has committed by then is
        skipped by the replicas (mariadb-operator#1514).
        """
        old = self.primary
        ready = old.answers()
        replicas = [node for node in self._servers.nodes if node is not old and node.answers()]
        if ready:
            with old.session() as locked:
                locked.query("FLUSH TABLES WITH READ LOCK")
                locked.query("SET @@global.read_only=1")
                position = locked.query("SELECT @@global.gtid_binlog_pos").value
                self._each(replicas, lambda session: _reach(session, position))
                self._promote(new)
                self._connect([node for node in replicas if node is not new], new, synced=True)
                # Read again: the operator asks for the position once more here.
                with new.session() as session:
                    position = session.query("SELECT @@global.gtid_binlog_pos").value
                locked.query("UNLOCK TABLES")
                follow(locked, new, slave_pos=position)
        else:
            if not eventually(lambda: not _has_relay_log_events(new), timeout=SYNC_TIMEOUT):
                raise SqlError(0, "the new primary did not apply its relay log")
            self._promote(new)
            self._connect([node for node in replicas if node is not new], new, synced=False)
        self.primary = new
        time.sleep(self.delays.relabel)
        self._relabel(new)

    def failover(self) -> None:
        """The primary's container has died: ReconcilePodNotReady, FurthestAdvancedReplica."""
        time.sleep(self.delays.detection)
        self._relabel(None)  # the Pod is not ready, and the Service has no other
        replicas = [n for n in self._servers.nodes if n is not self.primary and n.answers()]
        eventually(lambda: not all(map(_has_relay_log_events, replicas)))
        candidates = [node for node in replicas if not _has_relay_log_events(node)]
        self.switchover(max(candidates, key=lambda node: node.position()))

    def unlabel(self) -> None:
        """The Service of the primary leads nowhere."""
        self._relabel(None)

    def label(self) -> None:
        """It leads to the primary again."""
        self._relabel(self.primary)

    def adopt(self, node: Node) -> None:
        """ReconcileReplicationInPod, of a server whose role is not known: make it a replica."""
        time.sleep(self.delays.adoption)
        with node.session() as session:
            follow(session, self.primary)

    def _promote(self, node: Node) -> None:
        """ConfigurePrimary.

        The account is altered after `read_only`: with semi-sync that waits for a replica, and none
        is connected yet, until `rpl_semi_sync_master_timeout`.
        """
        with node.session() as session:
            if session.query("SHOW REPLICA STATUS").rows:
                session.query("STOP ALL SLAVES")
                session.query("RESET SLAVE ALL")
                session.query("SET @@global.gtid_slave_pos=''")
            self.primaries.append((time.time(), node))
            session.query("SET @@global.read_only=0")
            session.query(f"ALTER USER {REPLICATION} IDENTIFIED BY '{REPLICATION.password}'")
            session.query(f"GRANT REPLICATION REPLICA ON *.* TO {REPLICATION}")

    def _connect(self, replicas: Iterable[Node], new: Node, *, synced: bool) -> None:
        """connectReplicasToNewPrimary with configureReplicaOpts."""
        position = ""
        if synced:
            position = new.query("SELECT @@global.gtid_binlog_pos").value or ""
        self._each(replicas, lambda session: follow(session, new, slave_pos=position))

    def _each(self, nodes: Iterable[Node], action: Callable[[Session], object]) -> None:
        def run(node: Node) -> None:
            with node.session() as session:
                action(session)

        with ThreadPoolExecutor() as pool:
            list(pool.map(run, nodes))


def reconcile(primary: Node, accounts: Mapping[Account, Sequence[str]]) -> None:
    """User and Grant objects: accounts with their privileges on everything."""
    with primary.session() as session:
        for account, privileges in accounts.items():
            known = f"SELECT COUNT(*) FROM mysql.user WHERE user='{account.user}'"
            if session.query(known).value == "0":
                for sql in operator_sql.create_user(account):
                    session.query(sql)
            else:
                session.query(operator_sql.alter_user(account))
            session.query(operator_sql.grant(privileges, account))


def _reach(session: Session, position: str | None) -> None:
    """WaitForReplicaGtid."""
    waited = session.query(f"SELECT MASTER_GTID_WAIT('{position}', {SYNC_TIMEOUT})").value
    if waited != "0":
        raise SqlError(0, f"a replica did not reach {position}")


def _has_relay_log_events(node: Node) -> bool:
    """relay_log.go, HasRelayLogEvents: it has received more than it has applied."""
    received = node.query("SHOW REPLICA STATUS").row["Gtid_IO_Pos"]
    return bool(received) and sequence(received or "") > node.position()
