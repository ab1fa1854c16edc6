"""What wires each engine: one record of its components, and of what it makes of a whole config.

Its plain facts are in the other record, `config.engine.Engine`: a config imports no component.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.config.errors import Fault
from components.config.stack import StackConfig
from components.credentials import Credentials
from components.engines import mariadb, mariadb_adoption, network, percona, percona_adoption
from components.engines.mariadb_accounts import MariaDbAccounts, MariaDbAccountsArgs
from components.engines.mariadb_heartbeat import heartbeat_account
from components.operations import drill, places
from components.operations.backups import backups
from components.topology import Topology


@dataclass(frozen=True, kw_only=True)
class ServersArgs:
    """`credentials`: root, replication where the topology needs it, the monitor with own proxies.

    `secrets`: those of the apps' accounts, by app. `after`: what every object waits for.
    """

    config: StackConfig
    credentials: Credentials
    secrets: Mapping[str, pulumi.Resource]
    after: Sequence[pulumi.Resource]


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Servers and accounts of a database."""

    topology: Topology
    ready: Sequence[pulumi.Resource]
    """What must exist before the first proxy."""
    accounts: Mapping[str, Sequence[pulumi.Resource]]
    """By app, what must exist before it can log in to the servers."""
    heartbeat: Sequence[pulumi.Resource]
    """What must exist before a heartbeat is written."""
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of this engine only, beside the output contract."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What an engine makes of a config."""

    servers: Callable[[str, ServersArgs, pulumi.ResourceOptions], Servers]
    """Its components, by their logical name."""
    topology: Callable[[StackConfig], Topology]
    policy: Callable[[StackConfig], network.ServerPolicy]
    """What a NetworkPolicy says of the servers."""
    drill: drill.Containers
    """What a restore drill runs."""
    differences: Callable[[StackConfig, Mapping[str, Any]], Iterator[Fault]]
    """Where a config says something else than the `spec` of the operator's live object."""
    immutable: Callable[[StackConfig], dict[str, Any]]
    """What `guards.immutable` keeps of this engine only."""


def _mariadb(name: str, args: ServersArgs, opts: pulumi.ResourceOptions) -> Servers:
    config = args.config
    servers = mariadb.MariaDb(
        name,
        mariadb.MariaDbArgs(config=config, credentials=args.credentials, after=args.after),
        opts,
    )
    place = places.of(config, pulumi.get_stack())
    backups(name, config, place, servers=servers.mariadb, opts=opts)
    accounts: Mapping[str, Sequence[pulumi.Resource]] = {}
    if config.apps:
        accounts = MariaDbAccounts(
            name,
            MariaDbAccountsArgs(config=config, servers=servers.mariadb, secrets=args.secrets),
            opts,
        ).by_app
    return Servers(
        topology=servers.topology,
        ready=servers.ready,
        accounts=accounts,
        heartbeat=heartbeat_account(
            name, config, args.credentials, servers=servers.mariadb, parent=servers
        ),
        outputs={"status": servers.status},
    )


def _percona(name: str, args: ServersArgs, opts: pulumi.ResourceOptions) -> Servers:
    """The operator makes the accounts, of which its cluster has the list."""
    config, after = args.config, (*args.after, *args.secrets.values())
    servers = percona.Percona(
        name, percona.PerconaArgs(config=config, credentials=args.credentials, after=after), opts
    )
    return Servers(
        topology=servers.topology,
        ready=servers.ready,
        accounts={app.name: servers.ready for app in config.apps},
        heartbeat=servers.ready,
        outputs={"status": servers.status},
    )


WIRING: Mapping[str, Wiring] = {
    "mariadb": Wiring(
        servers=_mariadb,
        topology=mariadb.topology,
        policy=network.mariadb,
        drill=drill.mariadb,
        differences=mariadb_adoption.differences,
        immutable=mariadb.immutable,
    ),
    "percona": Wiring(
        servers=_percona,
        topology=percona.topology,
        policy=network.percona,
        drill=drill.percona,
        differences=percona_adoption.differences,
        immutable=percona.immutable,
    ),
}
"""By the value of the key `engine`."""
