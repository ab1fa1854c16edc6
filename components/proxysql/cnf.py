"""`proxysql.cnf`: from a plain model to libconfig text. Pure; every value's reason is here.

Sources: ProxySQL v2.7 and v3.0 lib/ProxySQL_Config.cpp (the sections and keys that are read),
libconfig 1.7.3 (the syntax), `docs/proxysql.md` (what was measured, and where 3.0 has what is
quoted from 2.7). ProxySQL puts values into SQL unescaped and drops a row that breaks it with only
a log line, so the startup probe counts rows: see `self_check`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components import names
from components.config.proxy import (
    CONNECT_TIMEOUT,
    SERVICE_CONNECTION_AGE,
    Proxy,
    ProxyUser,
    QueryRule,
)
from components.config.stack import StackConfig
from components.config.types import seconds
from components.proxysql import watcher
from components.proxysql.libconfig import Group, Scalar, render_document
from components.proxysql.watcher import Watch
from components.topology import Topology

ADMIN_PORT = 6032
METRICS_PORT = 6070

LIVE_CHECK_INTERVAL = 5_000
"""Milliseconds between two looks at the files of logins and peers; the kubelet takes a minute to
renew them."""
TLS_CHECK_INTERVAL = 30_000
"""Milliseconds between two looks at the certificate; the kubelet takes a minute to renew it."""

SERVICE_POOL_CHECK = 1_000
"""Milliseconds between two looks at the age of idle connections, the least that ProxySQL takes."""
SERVER_PINGS = 3
"""Failed pings in a row that shun a server: there are others."""
SERVICE_PINGS = 10
"""The same of the primary's Service, which statements wait for: with the default interval of 2 s
as long as CONNECT_TIMEOUT."""
CLUSTER_USER = "cluster"
"""The account by which peers read each other. Not `admin`, `stats` or `monitor`: ProxySQL confines
those names to loopback (lib/MySQL_Session.cpp)."""

CONFIG_DIR = "/etc/proxysql"
LIVE_DIR = "/etc/proxysql-users"
"""What changes while ProxySQL runs: logins and peers, and their checks."""
DATA_DIR = "/var/lib/proxysql"
CA_DIR = "/etc/proxysql-ca"

SYNCED_MODULES = (
    "mysql_query_rules",
    "mysql_servers",
    "mysql_users",
    "proxysql_servers",
    "mysql_variables",
    "admin_variables",
    "ldap_variables",
)

LIVE_MODULES = ("mysql_users", "proxysql_servers")
"""What is read from the files that change while ProxySQL runs; also the names of the tables."""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Passwords in clear text, by role."""

    admin: str
    stats: str
    cluster: str
    monitor: str


@dataclass(frozen=True, kw_only=True)
class CnfModel:
    """All of the configuration that is not secret."""

    proxy: Proxy
    topology: Topology
    backend_max_connections: int
    """Connections from one proxy to one server."""
    monitor_username: str
    """The account that checks the servers; the secret part has its password."""
    postgresql: bool
    """Whether the release also serves PostgreSQL, as 3.0 and later do unless told otherwise."""
    certificate: bool
    """Whether the proxies show a given certificate, which a scheduled script keeps fresh."""
    watch: Watch | None
    """What the watcher of the primary is told; see `watch`."""

    @property
    def monitored(self) -> bool:
        """Whether the proxies themselves find the writer of a replication topology."""
        return self.topology.kind == "replication" and self.proxy.routing == "monitor"

    @property
    def through_service(self) -> bool:
        """Whether the operator's Service of the primary is the only writer."""
        return self.topology.kind == "replication" and not self.monitored


def watch(config: StackConfig, topology: Topology) -> Watch | None:
    """What the watcher of the primary is told, where there is one."""
    if not config.watches_primary:
        return None
    return Watch(
        host=topology.service,
        port=topology.port,
        hostgroup=config.proxy.hostgroups.writer,
        wait=config.proxy.switchover_wait,
        replicas=config.fence,
        silence=seconds(config.semi_sync_timeout) / 2,
        ca_file=f"{CA_DIR}/ca.crt" if topology.ca_secret else None,
    )


def model(config: StackConfig, topology: Topology) -> CnfModel:
    """The configuration of a config's proxies."""
    return CnfModel(
        proxy=config.proxy,
        topology=topology,
        backend_max_connections=config.backend_max_connections,
        monitor_username=config.monitor_logins[0].username,
        postgresql=not config.images.proxy.tag.startswith("2."),
        certificate=config.proxy.tls.given,
        watch=watch(config, topology),
    )


@dataclass(frozen=True, kw_only=True)
class Live:
    """All that is not secret of what ProxySQL loads while it runs."""

    peers: tuple[str, ...]
    """DNS names of all ProxySQL Pods; none where they do not know each other."""
    users: tuple[ProxyUser, ...]
    auth_plugin: str
    """How the servers' accounts authenticate; see Topology."""
    writer: int
    """The writer hostgroup."""
    tls_required: bool
    """Whether a user that says nothing about TLS must use it."""

    def requires_tls(self, user: ProxyUser) -> bool:
        """Whether a user's logins must use TLS."""
        return self.tls_required if user.require_tls is None else user.require_tls


def live(config: StackConfig, topology: Topology) -> Live:
    """Logins and peers of a config."""
    proxy = config.proxy
    peers = names.proxysql_pod_hosts(config.name, config.namespace, proxy.replicas, config.engine)
    return Live(
        peers=() if proxy.clustering == "off" else peers,
        users=config.logins,
        auth_plugin=topology.auth_plugin,
        writer=proxy.hostgroups.writer,
        tls_required=proxy.tls.required,
    )


def native_password_hash(password: str) -> str:
    """What MariaDB stores for a mysql_native_password account: `*` and 40 hex digits.

    ProxySQL takes it for clients and servers alike: lib/MySQL_Protocol.cpp.
    """
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def render(model: CnfModel, secrets: Secrets) -> str:
    """The whole `proxysql.cnf`."""
    document: dict[str, Scalar | Group | Sequence[Group]] = {
        "datadir": DATA_DIR,
        "admin_variables": _admin_variables(model, secrets),
        "mysql_variables": _mysql_variables(model, secrets),
        # Nothing here speaks PostgreSQL: keep its listeners off the network.
        **({"pgsql_variables": {"interfaces": "127.0.0.1:6133"}} if model.postgresql else {}),
        **_routing(model),
        "mysql_servers": server_rows(model),
    }
    if rules := rule_rows(model):
        document["mysql_query_rules"] = rules
    document["scheduler"] = scheduler_rows(model)
    # Files of their own, in a Secret that can change while ProxySQL runs.
    included = "".join(f'@include "{LIVE_DIR}/{file}"\n' for file in ("users.cnf", "peers.cnf"))
    return render_document(document) + included


def render_users(model: Live, passwords: Mapping[str, str]) -> str:
    """`users.cnf`: everyone who may log in. `passwords`: in clear text, by user name."""
    if not model.users:
        return ""
    return render_document({"mysql_users": user_rows(model, passwords)})


def render_peers(model: Live) -> str:
    """`peers.cnf`: all proxies."""
    if not model.peers:
        return ""
    # weight 0: no load balancing among peers exists; it is only a label.
    rows: Sequence[Group] = [
        {"hostname": peer, "port": ADMIN_PORT, "weight": 0, "comment": peer.split(".")[0]}
        for peer in model.peers
    ]
    return render_document({"proxysql_servers": rows})


def scheduler_rows(model: CnfModel) -> Sequence[Group]:
    """What ProxySQL runs itself, every so often: loads Secrets that changed, watches."""
    jobs = {"reload.sh": LIVE_CHECK_INTERVAL}
    if model.certificate:
        jobs["reload-tls.sh"] = TLS_CHECK_INTERVAL
    if model.watch:
        jobs[watcher.FILE] = watcher.INTERVAL
    return [
        {
            "id": number,
            "active": 1,
            "interval_ms": interval,
            "filename": "/bin/sh",
            "arg1": f"{CONFIG_DIR}/{script}",
            "comment": script,
        }
        for number, (script, interval) in enumerate(jobs.items(), 1)
    ]


def _admin_variables(model: CnfModel, secrets: Secrets) -> Group:
    clustering = model.proxy.clustering
    credentials = f"admin:{secrets.admin}"
    variables: dict[str, Scalar] = {}
    if clustering != "off":
        credentials += f";{CLUSTER_USER}:{secrets.cluster}"
        variables["cluster_username"] = CLUSTER_USER
        variables["cluster_password"] = secrets.cluster
        # A Pod starts at version 1 and takes the config of any peer that ever ran LOAD: with the
        # default of 3 a rolling update is silently reverted (lib/ProxySQL_Cluster.cpp). The
        # Secret is the only source of config, so peers know each other and never copy.
        diffs = 3 if clustering == "runtime" else 0
        variables |= {f"cluster_{module}_diffs_before_sync": diffs for module in SYNCED_MODULES}
        # These have a source that changes while proxies run, in each Pod at a moment of its own.
        variables |= {f"cluster_{module}_diffs_before_sync": 0 for module in LIVE_MODULES}
    if clustering == "runtime":
        # 1, the default, also copies rows that a peer's monitor derived (ProxySQL_Admin.cpp).
        variables["cluster_mysql_servers_sync_algorithm"] = 2
    return {
        "admin_credentials": credentials,
        "stats_credentials": f"stats:{secrets.stats}",
        "mysql_ifaces": f"0.0.0.0:{ADMIN_PORT}",
        "web_enabled": False,
        **({"pgsql_ifaces": "127.0.0.1:6132"} if model.postgresql else {}),
        "restapi_enabled": True,
        "restapi_port": METRICS_PORT,
        **variables,
        **model.proxy.admin_variables,
    }


def _mysql_variables(model: CnfModel, secrets: Secrets) -> Group:
    proxy, topology, monitor = model.proxy, model.topology, model.proxy.monitor
    variables: dict[str, Scalar] = {
        "interfaces": proxy.interfaces,
        "threads": proxy.threads,
        "max_connections": proxy.max_connections,
        "server_version": proxy.server_version or topology.server_version,
        "default_authentication_plugin": topology.auth_plugin,
        "monitor_username": model.monitor_username,
        "monitor_password": secrets.monitor,
        "monitor_connect_interval": monitor.connect_interval,
        "monitor_connect_timeout": monitor.connect_timeout,
        "monitor_ping_interval": monitor.ping_interval,
        "monitor_ping_timeout": monitor.ping_timeout,
        "monitor_ping_max_failures": monitor.ping_max_failures
        or (SERVICE_PINGS if model.through_service else SERVER_PINGS),
        "monitor_read_only_interval": monitor.read_only_interval,
        "monitor_read_only_timeout": monitor.read_only_timeout,
        "monitor_read_only_max_timeout_count": monitor.read_only_max_timeout_count,
        "monitor_galera_healthcheck_interval": monitor.galera_interval,
        "monitor_galera_healthcheck_timeout": monitor.galera_timeout,
        "monitor_galera_healthcheck_max_timeout_count": monitor.galera_max_timeout_count,
        # Without it the reader hostgroup is empty when the writer is the last server.
        "monitor_writer_is_also_reader": True,
        # A restarted Pod has a new address: keep addresses briefly (ms). 2.7 drops one when a
        # connection fails (lib/mysql_connection.cpp), 3.0 only at a look that finds it too old
        # (lib/MySQL_Monitor.cpp, monitor_dns_cache). A look costs nothing; with 5 s between two it
        # may come just too early, and the address lives for 10.
        "monitor_local_dns_cache_ttl": 5_000,
        "monitor_local_dns_cache_refresh_interval": 1_000,
        "connect_timeout_server": 1_000,
        "connect_timeout_server_max": CONNECT_TIMEOUT,
        # Together as long: with fewer a server that refuses connections is an error at once.
        "connect_retries_on_failure": 200,
        "connect_retries_delay": 100,
        # 1, the default, runs a statement again whose result was lost: a write may happen twice.
        "query_retries_on_failure": 0,
        "shun_on_failures": 5,
        "shun_recovery_time_sec": 5,
        "free_connections_pct": 10,
        "set_query_lock_on_hostgroup": 1,
        "use_tcp_keepalive": True,
        "tcp_keepalive_time": 60,
    }
    if topology.ca_secret:
        variables["ssl_p2s_ca"] = f"{CA_DIR}/ca.crt"
    return {**variables, **routing_variables(model), **proxy.mysql_variables}


def routing_variables(model: CnfModel) -> dict[str, Scalar]:
    """Variables that the way of routing rests on."""
    variables: dict[str, Scalar] = {}
    if model.through_service:
        # A connection that was open when the Service moved still leads to the old primary. Its age
        # is looked at when it is returned, and only if it is not reset instead, which would make
        # it young again (lib/mysql_data_stream.cpp, return_MySQL_Connection_To_Pool).
        variables["connection_max_age_ms"] = SERVICE_CONNECTION_AGE
        variables |= {"reset_connection_algorithm": 1, "connpoll_reset_queue_length": 0}
        # Idle ones are looked at this often, every 10 s by default
        # (lib/MySQL_HostGroups_Manager.cpp, get_multiple_idle_connections).
        variables["ping_interval_server_msec"] = SERVICE_POOL_CHECK
        # Nothing to shun the only writer for: who waits would wait longer than the operator needs.
        # ProxySQL takes the smaller of `shun_on_failures` and `connect_retries_on_failure` + 1 in
        # one second (lib/MySrvC.cpp, connect_error), so both are at their upper limit; and when
        # even that is reached, for a second (the least that shuns anything: lib/MyHGC.cpp).
        variables |= {"shun_on_failures": 10_000_000, "connect_retries_on_failure": 1_000}
        variables["shun_recovery_time_sec"] = 1
    if model.proxy.read_write_split:
        # With autocommit=0 what follows a write belongs to its transaction, without a BEGIN.
        variables["autocommit_false_is_transaction"] = True
    return variables


def _routing(model: CnfModel) -> dict[str, Sequence[Group]]:
    """The one table that tells ProxySQL which server takes writes."""
    groups = model.proxy.hostgroups
    match model.topology.kind:
        case "replication" if model.monitored:
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
        case "galera":
            return {
                "mysql_galera_hostgroups": [
                    {
                        "writer_hostgroup": groups.writer,
                        "backup_writer_hostgroup": groups.backup_writer,
                        "reader_hostgroup": groups.reader,
                        "offline_hostgroup": groups.offline,
                        "max_writers": 1,
                        # 2: backup writers are the readers. Of one or two nodes too few are left.
                        "writer_is_also_reader": 2 if len(model.topology.hosts) > 2 else 1,
                        "max_transactions_behind": 100,
                        "comment": groups.comment,
                    }
                ]
            }
        case _:
            return {}


def server_rows(model: CnfModel) -> Sequence[Group]:
    topology, groups = model.topology, model.proxy.hostgroups
    # With a topology table every server starts as a reader: a server in the writer hostgroup
    # would get writes before the first check has told the primary from the replicas.
    first = groups.reader if _routing(model) else groups.writer
    backends = [(host, first, 1) for host in topology.hosts]
    if topology.kind == "galera":
        # Distinct descending weights: every proxy elects the same writer, and not the highest
        # ordinal, which a rolling restart stops first (lib/MySQL_HostGroups_Manager.cpp).
        backends = [(host, first, 1000 - n) for n, host in enumerate(topology.hosts)]
    elif model.through_service:
        backends = [
            (topology.service, groups.writer, 1),
            (topology.reader_service, groups.reader, 1000),
            # Who reads while no replica is there; one read in a thousand otherwise.
            (topology.service, groups.reader, 1),
        ]
    servers: list[Group] = []
    for host, hostgroup, weight in backends:
        server: dict[str, Scalar] = {
            "address": host,
            "port": topology.port,
            "hostgroup": hostgroup,
            "max_connections": model.backend_max_connections,
            "max_replication_lag": model.proxy.max_replication_lag,
            "use_ssl": int(topology.ca_secret is not None),
            "comment": host.split(".")[0],
        }
        if weight != 1:
            server["weight"] = weight
        servers.append(server)
    return servers


def user_rows(model: Live, passwords: Mapping[str, str]) -> Sequence[Group]:
    users: list[Group] = []
    for user in model.users:
        password = passwords[user.username]
        if model.auth_plugin == "mysql_native_password":
            password = native_password_hash(password)
        entry: dict[str, Scalar] = {
            "username": user.username,
            "password": password,
            "active": int(user.active),
            "default_hostgroup": model.writer
            if user.default_hostgroup is None
            else user.default_hostgroup,
            # 0 would let a transaction's statements go to several servers.
            "transaction_persistent": 1,
            # 1 would switch off multiplexing, retries and query rules.
            "fast_forward": 0,
            "max_connections": user.max_connections,
            "use_ssl": int(model.requires_tls(user)),
        }
        if user.default_schema:
            entry["default_schema"] = user.default_schema
        users.append(entry)
    return users


LOCKING = r"\bFOR\b[\s\S]{1,200}?\b(UPDATE|SHARE)\b|\bLOCK\b[\s\S]{1,200}?\bSHARE\b"
"""Reads that take locks; comments may stand between the words."""
STATEFUL = (
    r"\bINTO\b|@|\bSQL_CALC_FOUND_ROWS\b|\b(GET_LOCK|RELEASE_LOCK|RELEASE_ALL_LOCKS|IS_FREE_LOCK"
    r"|IS_USED_LOCK|LAST_INSERT_ID|FOUND_ROWS|ROW_COUNT|CONNECTION_ID)\s*\("
    r"|\bWSREP_\w+\s*\(|\b(NEXTVAL|LASTVAL|SETVAL|CURRVAL)\b|\b(NEXT|PREVIOUS)\b[\s\S]{1,200}?\bVALUE\b"
)
"""Reads that depend on the session or change something."""
HIDDEN = r"/\*M?!|;\s*\S"
"""Comments that the server runs, and statements after the first."""


def rule_rows(model: CnfModel) -> Sequence[Group]:
    """The stack's own rules, then those of the read/write split."""
    rules = [_query_rule(rule) for rule in model.proxy.query_rules]
    if model.proxy.read_write_split:
        groups = model.proxy.hostgroups
        to_writer: Group = {"active": 1, "destination_hostgroup": groups.writer, "apply": 1}
        rules += [
            # Thrice: the digest has no comments, which may stand between two words, but leaves out
            # what it takes for one and what comes after `query_digests_max_query_length`; the text
            # is complete. The last is apart because its search may exceed the engine's limit, and
            # a rule that does matches nothing.
            {"rule_id": 1_000_000_001, "match_digest": f"{LOCKING}|{STATEFUL}", **to_writer},
            {
                "rule_id": 1_000_000_002,
                "match_pattern": f"{LOCKING}|{STATEFUL}|{HIDDEN}",
                **to_writer,
            },
            {
                "rule_id": 1_000_000_003,
                "match_pattern": LOCKING.replace("{1,200}?", "*"),
                **to_writer,
            },
            {
                "rule_id": 1_000_000_004,
                # Only what starts so: `WITH` and `(SELECT` may go on in many ways.
                "match_digest": r"^SELECT\b",
                "active": 1,
                "destination_hostgroup": groups.reader,
                "apply": 1,
            },
        ]
    return rules


_RULE_KEYS = {
    "flag_in": "flagIN",
    "flag_out": "flagOUT",
    "next_query_flag_in": "next_query_flagIN",
    "ok_msg": "OK_msg",
}
"""Where ProxySQL's spelling is another."""


def _query_rule(rule: QueryRule) -> Group:
    values = rule.model_dump(exclude_none=True)
    return {
        _RULE_KEYS.get(key, key): int(value) if isinstance(value, bool) else value
        for key, value in values.items()
    }


def reload_live(client: str) -> str:
    """A shell script for ProxySQL's scheduler: load logins and peers unless they are in use.

    LOAD … FROM CONFIG only adds, hence the DELETE; files that it cannot read, or a row that it
    loses, leave what is in use as it is, and the next run tries again. All is loaded or nothing:
    FROM CONFIG reads all files anyway. Peers that stay keep their connections to each other, those
    that went are forgotten (lib/ProxySQL_Cluster.cpp, load_servers_list). The cluster versions of
    both modules only matter where peers copy, which they never do for these.
    """
    state = f"{DATA_DIR}/live.sha256"
    modules = [module.replace("_", " ").upper() for module in LIVE_MODULES]
    read = "; ".join(
        f"DELETE FROM {table}; LOAD {module} FROM CONFIG"
        for table, module in zip(LIVE_MODULES, modules, strict=True)
    )
    return f"""\
#!/bin/sh
set -eu
client() {{ {client} "$@"; }}
now=$(sha256sum {LIVE_DIR}/users.cnf {LIVE_DIR}/peers.cnf)
[ "$now" = "$(cat {state} 2>/dev/null)" ] && client < {LIVE_DIR}/in-use.sql | grep -qx 1 && exit 0
if client -e '{read}' &&
    client < {LIVE_DIR}/read.sql | grep -qx 1
then
    client -e '{"; ".join(f"LOAD {module} TO RUNTIME" for module in modules)}'
    echo "$now" > {state}
else
    client -e '{"; ".join(f"SAVE {module} TO MEMORY" for module in modules)}'
    exit 1
fi
"""


def digest(model: CnfModel, sources: Mapping[str, str]) -> str:
    """12 hex digits that change iff the file's non-secret part or the source of a password does.

    `sources`: where each password comes from, with its rotation counter, by config path. Secret
    values stay out of it, so that a preview can show the name and the Pod template.
    """
    blank = Secrets(admin="", stats="", cluster="", monitor="")
    watcher = repr(model.watch) if model.watch else ""
    text = render(model, blank) + watcher + json.dumps(dict(sorted(sources.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
