"""What is known of a database at one moment. Plain; the keys of `--json` are these fields.

A part that could not be asked has its reason in `unknown`, and hides no other part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Replication:
    """How a replica follows, as the replica says it."""

    source: str
    """Host that it follows."""
    io: str
    """`Yes`, `Connecting`, `Preparing` or `No`: the thread that receives."""
    sql: str
    """`Yes` or `No`: the thread that applies."""
    lag: int | None
    """Seconds behind; None: the server does not know (NULL), as while a thread stands."""
    error: str
    """The last error of either thread, or nothing."""

    @property
    def runs(self) -> bool:
        """Whether it receives and applies."""
        return self.io == "Yes" and self.sql == "Yes"


@dataclass(frozen=True, kw_only=True)
class SemiSync:
    """Whether commits wait for a replica."""

    waits: bool
    """Of a primary: it waits for acknowledgements now."""
    clients: int
    """Of a primary: replicas that acknowledge."""
    acknowledges: bool
    """Of a replica: it does."""


@dataclass(frozen=True, kw_only=True)
class Galera:
    """A node's place in its cluster."""

    status: str
    """`Primary`, or else the node takes no statements."""
    state: str
    """`Synced`, `Donor/Desynced`, `Joining`, …"""
    size: int
    """Nodes that it sees, itself included."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server's Pod."""

    pod: str
    ready: bool | None = None
    """What Kubernetes says of the Pod; None: it was not to be known."""
    unknown: str = ""
    refused: bool = False
    """Nobody asked it, as this account may not."""
    version: str = ""
    read_only: bool = False
    connections: int = 0
    """Connections that are open."""
    max_connections: int = 0
    replication: Replication | None = None
    """None: it follows nobody."""
    more_replication: tuple[Replication, ...] = ()
    """Connections beside that one, of which there are none in a database of this program."""
    semi_sync: SemiSync | None = None
    """None: semi-sync is off in its configuration."""
    galera: Galera | None = None
    """None: it is no node of a cluster."""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy's Pod."""

    pod: str
    ready: bool | None = None
    unknown: str = ""
    refused: bool = False
    writers: tuple[str, ...] = ()
    """Hosts in the writer hostgroup that are ONLINE."""
    others: tuple[str, ...] = ()
    """Hosts there that are not, with their status: `db-primary OFFLINE_SOFT`."""
    shunned: tuple[str, ...] = ()
    """Hosts in other hostgroups that ProxySQL does without, with their status."""
    held_seconds: int | None = None
    """For how long the watcher has let writes wait; None: it does not."""
    gave_up: bool = False
    """The watcher lets writes through although the primary is read-only."""
    paused: bool = False
    """`PROXYSQL PAUSE`: it accepts no clients."""
    clients: int = 0
    max_clients: int = 0
    used: int = 0
    """Connections to the server, in one hostgroup, of which most are used."""
    allowed: int = 0
    """Connections that are allowed there."""
    drift: tuple[str, ...] = ()
    """What runs otherwise than the Pod's files say."""
    compared: bool = True
    """Whether it was compared: the proxies of Percona's operator have no such files."""
    outdated: bool = False
    """It started from an earlier configuration than the StatefulSet names."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """When something last succeeded that must succeed every so often: a backup, a drill."""

    kind: Literal["backup", "dump", "drill"]
    name: str
    """Of the object that it comes from."""
    last: datetime | None = None
    """When it last succeeded: of a backup, when a Job of it completed."""
    since: datetime | None = None
    """When the object was made, from which on there must be one."""
    allowed_seconds: int = 0
    """Age of the last at which one more has been missed."""
    failed: str = ""
    """The Job that failed later than that, or nothing."""
    suspended: bool = False
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate that somebody shows."""

    of: str
    """`servers`, `proxies`, or who signed them."""
    secret: str
    ends: datetime | None = None
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Everything, at one moment."""

    namespace: str
    name: str
    engine: str
    topology: str
    """`standalone`, `replication` or `galera`."""
    now: datetime
    state: str
    """What the operator says: `ready`, or what it waits for."""
    primary: str
    """The Pod that the operator calls the primary, or nothing."""
    service: str = ""
    """Host name of the operator's Service of the primary, or nothing."""
    leads_to: tuple[str, ...] = ()
    """Pods to which that Service leads now."""
    paused: bool = False
    """The object asks for no servers."""
    suspended: bool = False
    """The object tells the operator to leave it alone."""
    semi_sync: bool = False
    """The object asks for semi-sync."""
    servers_wanted: int = 0
    servers: tuple[Server, ...] = ()
    proxied: bool = False
    """Whether there are to be proxies."""
    proxies_wanted: int = 0
    proxies_made: int = 0
    """How many the StatefulSet is to have."""
    proxies_gone: str = ""
    """What says that there are to be proxies, while their StatefulSet is not there."""
    proxies: tuple[Proxy, ...] = ()
    undeployed: bool = False
    """The stack's file would give the proxies another configuration than the StatefulSet names."""
    collector: bool | None = None
    """Whether Percona's collector of binary logs runs; None: none is wanted, or not known."""
    proofs: tuple[Proof, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    reasons: tuple[str, ...] = ()
    """What is unready of its objects, and their warnings, as `tools.why` says it."""
    unknown: tuple[str, ...] = ()
    """Parts that could not be asked, with the reason: `jobs: …`."""

    def known(self, kind: str) -> bool:
        """Whether objects of a kind, such as `jobs`, could be listed."""
        return not any(text.startswith(f"{kind}: ") for text in self.unknown)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the stack's file says of the proxies."""

    proxies: int
    """How many are to run; 0 also where they are to be none."""
    configuration: str = ""
    """The Secret of their configuration, where this program runs them."""


Alert = Literal[
    "BackupFailed",
    "BackupMissing",
    "BackupTooOld",
    "ConnectionsNearLimit",
    "DatabaseNoWritableServer",
    "DatabaseServerDown",
    "DatabaseTwoWritableServers",
    "DumpTooOld",
    "GaleraNodeMissing",
    "GaleraNotPrimary",
    "PointInTimeStalled",
    "ProxiesDown",
    "ProxyBackendErrors",
    "ProxyClientsNearLimit",
    "ProxyConfigDrift",
    "ProxyDown",
    "ProxyNoWriter",
    "ProxyPaused",
    "ProxyTwoWriters",
    "ReplicationBroken",
    "ReplicationLag",
    "RestoreDrillFailed",
    "RestoreDrillTooOld",
    "SemiSyncOff",
]
"""Alerts that say the same as a verdict; each has a page in docs/runbooks."""
Severity = Literal["critical", "warning", "notice"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "notice")
"""The worst first. A notice is not wrong."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Something that is not as it should be, and what to do."""

    severity: Severity
    alert: Alert | Literal[""] = ""
    """The alert that says the same, or nothing."""
    pods: tuple[str, ...] = ()
    """Of which Pods; none: of the database."""
    what: str
    do: str
    page: str
    """The page with the steps, from the repository's root."""

    @property
    def told(self) -> str:
        """What is wrong with what."""
        return f"{', '.join(self.pods)}: {self.what}" if self.pods else self.what
