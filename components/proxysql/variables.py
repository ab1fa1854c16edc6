"""The values of ProxySQL's variables; every value's reason is here. Pure.

Sources: ProxySQL v2.7 and v3.0; `docs/proxysql.md` says what was measured, and where 3.0 has what
is quoted from 2.7.
"""

from components.config import proxysql
from components.config.proxy import CONNECT_TIMEOUT, SERVICE_CONNECTION_AGE
from components.proxysql import layout
from components.proxysql.libconfig import Group, Scalar
from components.proxysql.live import LIVE_MODULES
from components.proxysql.model import CnfModel, Secrets

SYNCED_MODULES = (
    "mysql_query_rules",
    "mysql_servers",
    "mysql_users",
    "proxysql_servers",
    "mysql_variables",
    "admin_variables",
    "ldap_variables",
)
"""All that peers could copy from each other."""

SERVICE_POOL_CHECK = 1_000
"""Milliseconds between two checks of the age of idle connections; the minimum of ProxySQL."""
SERVER_PINGS = 3
"""Failed pings in a row that shun a server when there are others."""
SERVICE_PINGS = 10
"""The same of the primary's Service, which statements wait for: with the default interval of 2 s
as long as CONNECT_TIMEOUT."""


def admin_variables(model: CnfModel, secrets: Secrets) -> Group:
    """Those of the admin interface; a stack's own win."""
    credentials = f"{proxysql.ADMIN}:{secrets.proxy_admin}"
    if model.proxy.clustering != "off":
        credentials += f";{proxysql.CLUSTER}:{secrets.proxy_cluster}"
    stats = f"{proxysql.STATS}:{secrets.proxy_stats}"
    if model.proxy.stats_readers:
        stats += f";{proxysql.STATS_READER}:{secrets.proxy_stats_reader}"
    return {
        "admin_credentials": credentials,
        "stats_credentials": stats,
        "mysql_ifaces": _admin_interfaces(model),
        "web_enabled": False,
        **({"pgsql_ifaces": f"127.0.0.1:{proxysql.PGSQL_ADMIN_PORT}"} if model.postgresql else {}),
        "restapi_enabled": True,
        "restapi_port": proxysql.METRICS_PORT,
        **_cluster(model, secrets),
        **model.proxy.admin_variables,
    }


def mysql_variables(model: CnfModel, secrets: Secrets) -> Group:
    """Those of traffic and monitor; a stack's own win."""
    return {
        **_clients(model),
        **_monitor(model, secrets),
        **_back_ends(),
        **({"ssl_p2s_ca": layout.SERVER_CA} if model.topology.ca_secret else {}),
        **routing_variables(model),
        **model.proxy.mysql_variables,
    }


def pgsql_variables(model: CnfModel) -> Group:
    """Nothing here speaks PostgreSQL: its listeners stay off the network."""
    return {"interfaces": f"127.0.0.1:{proxysql.PGSQL_PORT}"} if model.postgresql else {}


def routing_variables(model: CnfModel) -> Group:
    """Variables that the routing depends on."""
    return {
        **(_service() if model.through_service else {}),
        # With autocommit=0 what follows a write belongs to its transaction, without a BEGIN.
        **({"autocommit_false_is_transaction": True} if model.proxy.read_write_split else {}),
    }


def _admin_interfaces(model: CnfModel) -> str:
    """IPv4 always: scripts of the Pod use 127.0.0.1, which a Pod of an IPv6 network has as well."""
    families = ("0.0.0.0", "[::]") if model.proxy.ipv6 else ("0.0.0.0",)
    return ";".join(f"{address}:{proxysql.ADMIN_PORT}" for address in families)


def _cluster(model: CnfModel, secrets: Secrets) -> Group:
    """How peers know each other, and what they copy."""
    clustering = model.proxy.clustering
    if clustering == "off":
        return {}
    # A Pod starts at version 1 and takes the config of any peer that ever ran LOAD: with the
    # default of 3 a rolling update is silently reverted (lib/ProxySQL_Cluster.cpp). The
    # Secret is the only source of config, so peers know each other and never copy.
    diffs = 3 if clustering == "runtime" else 0
    variables: dict[str, Scalar] = {
        "cluster_username": proxysql.CLUSTER,
        "cluster_password": secrets.proxy_cluster,
        **{f"cluster_{module}_diffs_before_sync": diffs for module in SYNCED_MODULES},
        # Their source changes while proxies run, in each Pod at a different moment.
        **{f"cluster_{module}_diffs_before_sync": 0 for module in LIVE_MODULES},
    }
    if clustering == "runtime":
        # 1, the default, also copies rows that a peer's monitor derived (ProxySQL_Admin.cpp).
        variables["cluster_mysql_servers_sync_algorithm"] = 2
    return variables


def _clients(model: CnfModel) -> Group:
    """What clients meet."""
    proxy, topology = model.proxy, model.topology
    return {
        "interfaces": proxy.interfaces,
        "threads": proxy.threads,
        "max_connections": proxy.max_connections,
        "server_version": proxy.server_version or topology.server_version,
        "default_authentication_plugin": topology.auth_plugin,
    }


def _monitor(model: CnfModel, secrets: Secrets) -> Group:
    """How ProxySQL watches the servers and their addresses."""
    monitor = model.proxy.monitor
    pings = SERVICE_PINGS if model.through_service else SERVER_PINGS
    return {
        "monitor_username": model.monitor_username,
        "monitor_password": secrets.monitor,
        "monitor_connect_interval": monitor.connect_interval,
        "monitor_connect_timeout": monitor.connect_timeout,
        "monitor_ping_interval": monitor.ping_interval,
        "monitor_ping_timeout": monitor.ping_timeout,
        "monitor_ping_max_failures": monitor.ping_max_failures or pings,
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
    }


def _back_ends() -> Group:
    """How long statements wait for a server, and when one is left out."""
    return {
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


def _service() -> Group:
    """What the primary's Service as the only writer asks for."""
    return {
        # A connection that was open when the Service moved still leads to the old primary. Its age
        # is looked at when it is returned, and only if it is not reset instead, which would make
        # it young again (lib/mysql_data_stream.cpp, return_MySQL_Connection_To_Pool).
        "connection_max_age_ms": SERVICE_CONNECTION_AGE,
        "reset_connection_algorithm": 1,
        "connpoll_reset_queue_length": 0,
        # Idle ones are looked at this often, every 10 s by default
        # (lib/MySQL_HostGroups_Manager.cpp, get_multiple_idle_connections).
        "ping_interval_server_msec": SERVICE_POOL_CHECK,
        # Never shun the only writer: clients would wait longer than the operator needs.
        # ProxySQL takes the smaller of `shun_on_failures` and `connect_retries_on_failure` + 1 in
        # one second (lib/MySrvC.cpp, connect_error), so both are at their upper limit; and when
        # even that is reached, for a second (the least that shuns anything: lib/MyHGC.cpp).
        "shun_on_failures": 10_000_000,
        "connect_retries_on_failure": 1_000,
        "shun_recovery_time_sec": 1,
    }
