"""One database's config as a whole, and what follows from several keys together."""

import re
from functools import cached_property
from typing import Literal

from components import names
from components.config.apps import App
from components.config.backup import Backup
from components.config.credentials import (
    EXPORTER_ACCOUNT,
    HEARTBEAT_ACCOUNT,
    PROXY_ROLES,
    STATS_READER_ROLE,
    SYSTEM_ACCOUNTS,
    Credentials,
    Login,
    alternating_logins,
)
from components.config.database import Database
from components.config.images import Images
from components.config.model import Model
from components.config.monitoring import Monitoring
from components.config.operator import Operator
from components.config.percona import Percona
from components.config.proxy import Proxy, ProxyUser
from components.config.proxysql import STATS_READER
from components.config.scheduling import Scheduling
from components.config.security import Security
from components.config.types import Bool, DnsDomain, Label, Namespace


class StackConfig(Model):
    """One database, complete: a size with the stack's overrides."""

    size: Literal["dev", "small", "large"]
    """The preset that everything else overrides: `dev` (one server, no proxy), `small` or `large`
    (three servers, three proxies)."""
    engine: Literal["mariadb", "percona"]
    """`mariadb`: servers run by mariadb-operator; `percona`: a Percona XtraDB Cluster run by
    Percona's operator. Fixed."""
    name: Label
    """Name of the database and prefix of every object. At most 40 characters, with engine `percona`
    22. Fixed."""
    namespace: Namespace
    """Namespace of every object. Fixed."""
    create_namespace: Bool = False
    """Make the namespace too, with Pod Security `restricted`. It is protected and stays when the
    stack goes."""
    cluster_domain: DnsDomain = names.CLUSTER_DOMAIN
    """The DNS domain of the cluster, of which every host name is made (kubelet: `clusterDomain`);
    mariadb-operator has it in the variable CLUSTER_NAME. Fixed by the cluster."""
    await_sql: Bool = True
    """Wait until mariadb-operator has applied databases, users and grants; false where no server
    can run."""
    adopt: Literal["none", "import", "take_over"] = "none"
    """For a database that exists already: `import` puts the operator's object into the state and
    changes nothing of it; `take_over` applies this config to it
    ([steps](migration.md#adopt-a-database-that-exists))."""
    database: Database
    """The servers: topology, replicas, storage, resources, my_cnf, …"""
    proxy: Proxy
    """The ProxySQL tier: managed_by, routing, replicas, service, users, query_rules, tls, …"""
    credentials: Credentials = Credentials()
    """Per role an existing Secret, a secret password or a rotation counter."""
    apps: tuple[App, ...] = ()
    """Applications: databases, privileges, routing, password, … One entry makes all that one
    needs."""
    scheduling: Scheduling
    """Placement of the database and proxy Pods."""
    security: Security
    """Protection, TLS, NetworkPolicy, user ids, and which images are acceptable."""
    images: Images
    """Images of the database, the proxy and what runs beside them."""
    operator: Operator = Operator()
    """Where the engine's operator runs, for the NetworkPolicy of the servers."""
    backup: Backup
    """Scheduled backups: where, when, how long, and drills that prove them."""
    monitoring: Monitoring = Monitoring()
    """Metrics, alerts and a dashboard: scrape, exporter, alerts, dashboard."""
    percona: Percona | None = None
    """What only a Percona XtraDB Cluster has: the operator's version, the log collector."""

    @property
    def server_version(self) -> tuple[int, ...]:
        """The server's version as numbers, e.g. (11, 8, 5).

        Empty, and refused, where no version is given and the image's tag starts with none.
        """
        text = self.database.version or version_in(self.images.database.tag)
        return tuple(int(part) for part in text.split(".") if part)

    @property
    def full_version(self) -> str:
        """The server's version in three parts, as drivers expect it."""
        return ".".join(map(str, (*self.server_version, 0, 0)[:3]))

    @property
    def operator_proxies(self) -> bool:
        """Whether Percona's operator runs the proxies."""
        return self.proxy.enabled and self.proxy.managed_by == "operator"

    @property
    def servers_closed(self) -> bool:
        """Whether a NetworkPolicy keeps clients from the servers that it does not name."""
        policy = self.database.network_policy
        return policy.enabled and bool(self.proxy.enabled or policy.clients)

    @property
    def monitor_logins(self) -> tuple[Login, ...]:
        """The accounts by which the proxies check the servers, the one in their file first.

        A proxy that waits for its roll goes on with the last one. With one account its monitor
        could not log in meanwhile, and it would take every server for a reader, or for gone.
        """
        account, source = self.proxy.monitor.username, self.credentials.monitor
        if source.existing_secret:
            return (Login(account, 0, source.existing_secret.key),)
        return (
            (Login(account, 0, "password"),)
            if source.password
            else alternating_logins(account, source.rotation)
        )

    @property
    def monitor_accounts(self) -> frozenset[str]:
        """The user names that the monitor ever has."""
        return frozenset({self.proxy.monitor.username, f"{self.proxy.monitor.username}_b"})

    @property
    def system_accounts(self) -> frozenset[str]:
        """The user names that nobody else may have: of servers, operators and what this stack
        runs."""
        return SYSTEM_ACCOUNTS.union(
            {STATS_READER} if self.own_proxies and self.proxy.stats_readers else (),
            {HEARTBEAT_ACCOUNT} if self.backup.drilled else (),
            {EXPORTER_ACCOUNT} if self.monitoring.enabled else (),
        )

    @property
    def adopting(self) -> bool:
        """Whether the operator's object was there before this program."""
        return self.adopt != "none"

    @cached_property
    def logins(self) -> tuple[ProxyUser, ...]:
        """Everyone who logs in through the proxies: `proxy.users`, then the apps."""
        return (
            *self.proxy.users,
            *(self._login(app, login) for app in self.apps for login in app.logins),
        )

    @property
    def usernames(self) -> frozenset[str]:
        """The user names of everyone who logs in through the proxies."""
        of_apps = (login.username for app in self.apps for login in app.logins)
        return frozenset((*(user.username for user in self.proxy.users), *of_apps))

    def _login(self, app: App, login: Login) -> ProxyUser:
        reads = app.routing == "reader" and self.has_readers
        return ProxyUser(
            username=login.username,
            default_hostgroup=self.proxy.hostgroups.reader if reads else None,
            max_connections=app.max_connections,
            active=app.active,
            default_schema=app.database,
            require_tls=app.require_tls,
        )

    @property
    def own_proxies(self) -> bool:
        """Whether this program runs the proxies."""
        return self.proxy.enabled and self.proxy.managed_by == "mysql-ha"

    @property
    def proxy_roles(self) -> tuple[str, ...]:
        """The credentials of this program's proxies, as keys of `credentials`."""
        return (*PROXY_ROLES, STATS_READER_ROLE) if self.proxy.stats_readers else PROXY_ROLES

    @property
    def replicated_behind_proxies(self) -> bool:
        """Whether this program's proxies stand before a replicated database."""
        return self.own_proxies and self.database.topology == "replication"

    @property
    def follows_service(self) -> bool:
        """Whether a watcher beside each proxy may look at the server behind the primary's Service.

        Not where peers copy what runs: a hold of one proxy would be everybody's.
        """
        return (
            self.replicated_behind_proxies
            and self.proxy.routing == "primary_service"
            and self.proxy.clustering != "runtime"
        )

    @property
    def fence(self) -> int:
        """How many semi-sync replicas must follow the primary, or the proxies let no write through.

        0: they do not look. It needs semi-sync: other replicas acknowledge nothing.
        """
        if not self.follows_service or not self.database.semi_sync:
            return 0
        chosen = self.proxy.min_semi_sync_replicas
        return 1 if chosen is None else chosen

    @property
    def semi_sync_timeout(self) -> str:
        """The Duration that a commit waits for a replica before it goes on without."""
        return self.database.semi_sync_timeout or ("10s" if self.fence else "2s")

    @property
    def watches_primary(self) -> bool:
        """Whether there is something for a watcher to do."""
        return self.follows_service and (self.proxy.switchover_wait > 0 or self.fence > 0)

    @property
    def proxy_shares(self) -> int:
        """How many proxies the connections of a server are shared out among.

        Not `replicas`: what follows from it is in the Pods and in the servers' accounts, and both
        must be right for all proxies while their number changes.
        """
        proxy = self.proxy
        if proxy.max_replicas is not None:
            return proxy.max_replicas
        return 1 if proxy.replicas == 1 else -(-proxy.replicas // 5) * 5

    @property
    def monitor_connections(self) -> int:
        """Connections that the proxies' monitor account may hold to one server."""
        return monitor_connections(self.proxy_shares, watched=self.watches_primary)

    @property
    def has_readers(self) -> bool:
        """Whether the proxies keep a hostgroup of readers."""
        return self.database.topology != "standalone" and self.database.replicas > 1

    @property
    def hostgroups_in_use(self) -> frozenset[int]:
        """The hostgroups that may be the destination of statements."""
        groups = self.proxy.hostgroups
        own = {groups.writer, groups.reader} if self.has_readers else {groups.writer}
        return frozenset(own | self.hostgroups_elsewhere)

    @property
    def hostgroups_elsewhere(self) -> frozenset[int]:
        """The hostgroups of other servers than this database's."""
        return frozenset(server.hostgroup for server in self.proxy.other_servers)

    @cached_property
    def hostgroups_per_server(self) -> int:
        """In how many hostgroups the writer's server may hold connections of clients.

        ProxySQL counts connections per hostgroup, and the writer is a reader as well when no
        backup writers are (lib/MySQL_HostGroups_Manager.cpp).
        """
        others = {None, self.proxy.hostgroups.writer, *self.hostgroups_elsewhere}
        # Any app may read elsewhere one day, and an edit of apps must not roll the proxies.
        elsewhere = (
            self.proxy.read_write_split
            or bool(self.apps)
            or any(
                group not in others
                for group in (
                    *(user.default_hostgroup for user in self.proxy.users),
                    *(rule.destination_hostgroup for rule in self.proxy.query_rules),
                )
            )
        )
        return 2 if elsewhere and self.has_readers else 1

    @property
    def connection_budget(self) -> int:
        """Connections of one server that the proxies may use for clients: at most 80 %.

        The rest is for the operator, the replicas, root and the proxies' monitors.
        """
        database = self.database.max_connections
        return min(database * 8 // 10, database - 10 - self.monitor_connections)

    @property
    def backend_max_connections(self) -> int:
        """Connections that one proxy may hold to one server, per hostgroup."""
        if self.proxy.backend_max_connections is not None:
            return self.proxy.backend_max_connections
        return self.connection_budget // (self.proxy_shares * self.hostgroups_per_server)

    @property
    def connections_per_proxy(self) -> int:
        """Connections that one proxy may hold to one server."""
        return self.backend_max_connections * self.hostgroups_per_server


class StackKeys(StackConfig):
    """All keys that a stack may set, below the project's name.

    A description of the file, never an instance: `components.config.load` reads each database.
    """

    databases: dict[Label, StackConfig] = {}
    """Several databases in this stack: a mapping of name to overrides of the other keys, which are
    then what all have in common."""
    retire: tuple[Label, ...] = ()
    """Names of databases that this edit removes on purpose."""


def monitor_connections(proxies: int, *, watched: bool = False) -> int:
    """Connections that so many proxies' monitor account may hold to one server.

    Each proxy keeps up to 5: connect, ping, read_only or galera, and the lag check once per
    hostgroup that the server is in (lib/MySQL_Monitor.cpp); its watcher up to 2. One proxy more is
    allowed for, as a Pod that stops still holds its own. mariadb-operator's default of 10 starves
    3 proxies.
    """
    return (7 if watched else 5) * (proxies + 1)


def version_in(tag: str) -> str:
    """The version at the start of an image tag, or the empty string."""
    match = re.match(r"\d+\.\d+(\.\d+)?", tag)
    return match[0] if match else ""
