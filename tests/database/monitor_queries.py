"""What ProxySQL's monitor sends to a server, and how it reads the answer.

Source: github.com/sysown/proxysql, lib/MySQL_Monitor.cpp; line numbers are of branch v2.7 at
5cc418bb. Branch v3.0 has the same texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from testbed.database.servers import Result, Session, Topology

Check = Literal["wait_timeout", "read_only", "replication_lag", "galera"]

# A monitor connection is opened without a schema (:1562), then set_wait_timeout() sends
# "SET wait_timeout=%d" with monitor_ping_interval * 10 in seconds (:1516-1520). Pings are COM_PING
# (:1395, :7115).
QUERIES: dict[Check, str] = {
    "wait_timeout": "SET wait_timeout=20",
    # :597, for check_type read_only in mysql_replication_hostgroups.
    "read_only": "SELECT @@global.read_only read_only",
    # :677, for servers with max_replication_lag > 0.
    "replication_lag": "SHOW SLAVE STATUS",
    # :699-702, any server whose version starts with neither 5.7 nor 8.
    "galera": (
        "SELECT (SELECT VARIABLE_VALUE FROM INFORMATION_SCHEMA.GLOBAL_STATUS "
        "WHERE VARIABLE_NAME='WSREP_LOCAL_STATE') "
        "wsrep_local_state, @@read_only read_only, "
        "(SELECT VARIABLE_VALUE FROM INFORMATION_SCHEMA.GLOBAL_STATUS "
        "WHERE VARIABLE_NAME='WSREP_LOCAL_RECV_QUEUE') wsrep_local_recv_queue , "
        "@@wsrep_desync wsrep_desync, @@wsrep_reject_queries wsrep_reject_queries, "
        "@@wsrep_sst_donor_rejects_queries wsrep_sst_donor_rejects_queries, "
        "(SELECT VARIABLE_VALUE FROM INFORMATION_SCHEMA.GLOBAL_STATUS "
        "WHERE VARIABLE_NAME='WSREP_CLUSTER_STATUS') wsrep_cluster_status , "
        "(SELECT 'DISABLED') pxc_maint_mode"
    ),
}


@dataclass(frozen=True)
class Setup:
    """What decides which checks run: the topology, and whether replicas are dropped for lag."""

    topology: Topology
    replication_lag: bool = False

    @property
    def checks(self) -> tuple[Check, ...]:
        """The queries that each server gets."""
        match self.topology:
            case "standalone":
                return ("wait_timeout",)
            case "replication":
                lag: tuple[Check, ...] = ("replication_lag",) if self.replication_lag else ()
                return ("wait_timeout", "read_only", *lag)
            case "galera":
                return ("wait_timeout", "galera")

    @property
    def connections(self) -> int:
        """How many connections one proxy may hold to one server at a time.

        Each check that is under way has one of its own: connect, ping, and read_only or galera.
        The lag check runs once for each row of mysql_servers (:4479, unless
        monitor_replication_lag_group_by_host), and the writer is in two hostgroups.
        """
        of_topology = 0 if self.topology == "standalone" else 1
        return 2 + of_topology + (2 if self.replication_lag else 0)


FALSE = ("NO", "OFF", "0")  # :8075, :8083, :8093


def run(check: Check, session: Session) -> Result:
    """Send one check's query."""
    return session.query(QUERIES[check])


def is_writer(result: Result) -> bool:
    """What a read_only answer means: 0 and OFF are a writer, anything else is a reader (:7427)."""
    return result.value in ("0", "OFF")


def replication_lag(result: Result) -> int | None:
    """The lag that is read of SHOW SLAVE STATUS: more than 30 columns are required (:7890)."""
    assert len(result.columns) > 30
    column = result.columns.index("Seconds_Behind_Master")
    value = result.rows[0][column] if result.rows else None
    return None if value is None else int(value)


def galera_online(result: Result) -> bool:
    """Whether a node keeps its place: exactly 8 columns and one row (:8058), then :8191-8205."""
    assert len(result.columns) == 8
    row = {key: (value or "").upper() for key, value in result.row.items()}
    state = int(row["wsrep_local_state"])
    donor_accepts = row["wsrep_sst_donor_rejects_queries"] in FALSE
    return (
        row["wsrep_cluster_status"] == "PRIMARY"
        and row["wsrep_desync"] in FALSE
        and row["wsrep_reject_queries"] == "NONE"
        and row["pxc_maint_mode"].startswith("DISABLED")
        and (state == 4 or (state == 2 and donor_accepts))
    )
