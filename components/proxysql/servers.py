"""Which server ProxySQL sends what to: its tables of servers and of their topology. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from components.config.proxy import Hostgroups, OtherServer
from components.proxysql.libconfig import Group, Scalar
from components.proxysql.model import CnfModel


class _Backend(NamedTuple):
    """A server in a hostgroup; of two, one with twice the weight gets twice as much."""

    host: str
    hostgroup: int
    weight: int = 1


def server_rows(model: CnfModel) -> Sequence[Group]:
    """Every server, in every hostgroup where it starts."""
    own = [_server(model, backend) for backend in _backends(model)]
    return [*own, *(_other(server) for server in model.proxy.other_servers)]


def topology_tables(model: CnfModel) -> dict[str, Sequence[Group]]:
    """What tells ProxySQL which server takes writes; {} where the servers' rows say it."""
    groups = model.proxy.hostgroups
    if model.monitored:
        return _read_only(groups)
    if model.topology.kind == "galera":
        return _galera(groups, len(model.topology.hosts))
    return {}


def _read_only(groups: Hostgroups) -> dict[str, Sequence[Group]]:
    return {
        "mysql_replication_hostgroups": [
            {
                "writer_hostgroup": groups.writer,
                "reader_hostgroup": groups.reader,
                "check_type": "read_only",
                "comment": groups.comment,
            }
        ],
        # The fence: mariadb-operator sets read_only at run time only, so a restarted
        # replica is writable for a while (mariadb-operator#1719). With two writers in
        # the hostgroup ProxySQL sends writes to neither.
        "mysql_hostgroup_attributes": [
            {"hostgroup_id": groups.writer, "max_num_online_servers": 1}
        ],
    }


def _galera(groups: Hostgroups, servers: int) -> dict[str, Sequence[Group]]:
    return {
        "mysql_galera_hostgroups": [
            {
                "writer_hostgroup": groups.writer,
                "backup_writer_hostgroup": groups.backup_writer,
                "reader_hostgroup": groups.reader,
                "offline_hostgroup": groups.offline,
                "max_writers": 1,
                # 2: backup writers are the readers. Of one or two nodes too few are left.
                "writer_is_also_reader": 2 if servers > 2 else 1,
                "max_transactions_behind": 100,
                "comment": groups.comment,
            }
        ]
    }


def _backends(model: CnfModel) -> list[_Backend]:
    topology, groups = model.topology, model.proxy.hostgroups
    if topology.kind == "galera":
        # Distinct descending weights: every proxy elects the same writer, and not the highest
        # ordinal, which a rolling restart stops first (lib/MySQL_HostGroups_Manager.cpp).
        return [_Backend(host, groups.reader, 1000 - n) for n, host in enumerate(topology.hosts)]
    if model.through_service:
        return [
            _Backend(topology.service, groups.writer),
            _Backend(topology.reader_service, groups.reader, 1000),
            # Serves reads while there is no replica; otherwise one read in a thousand.
            _Backend(topology.service, groups.reader),
        ]
    # With a topology table every server starts as a reader: a server in the writer hostgroup
    # would get writes before the first check has told the primary from the replicas.
    first = groups.reader if model.monitored else groups.writer
    return [_Backend(host, first) for host in topology.hosts]


def _server(model: CnfModel, backend: _Backend) -> Group:
    topology = model.topology
    row: dict[str, Scalar] = {
        "address": backend.host,
        "port": topology.port,
        "hostgroup": backend.hostgroup,
        "max_connections": model.backend_max_connections,
        "max_replication_lag": model.proxy.max_replication_lag,
        "use_ssl": int(topology.ca_secret is not None),
        "comment": backend.host.split(".")[0],
    }
    if backend.weight != 1:
        row["weight"] = backend.weight
    return row


def _other(server: OtherServer) -> Group:
    """No topology table names its hostgroup, so nothing moves it."""
    return {
        "address": server.host,
        "port": server.port,
        "hostgroup": server.hostgroup,
        "max_connections": server.max_connections,
        "max_replication_lag": 0,
        "use_ssl": int(server.tls),
        "comment": server.host.split(".")[0],
        "weight": server.weight,
    }
