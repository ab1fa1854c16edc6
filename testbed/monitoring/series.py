"""Made-up series of a database: healthy ones, which a test then breaks. Pure.

A text per series, as Prometheus's exposition format and promtool's unit tests write it. Names and
labels are those of real programs; tests/unit/test_alerts.py holds them against lists.
"""

from collections.abc import Iterable, Iterator, Mapping

from components import names
from components.config.engine import ENGINES
from components.config.stack import StackConfig

Series = dict[str, float]
"""What is in braces and before, to a value."""
DIGEST = "0a1b2c"
BACKUP_STAMP = "20261127021700"


def series(metric: str, **labels: str | int) -> str:
    """A series as it is written."""
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{metric}{{{inside}}}"


def server(config: StackConfig, ordinal: int) -> dict[str, str]:
    """The labels of a server's figures."""
    service = names.metrics(config.name)
    host = f"{ENGINES[config.engine].servers(config.name)}-{ordinal}"
    if config.monitoring.scrape == "annotations":
        labels = {"service": f"{service}-{ordinal}", "instance": "10.0.0.1:9104"}
    else:
        labels = {"service": service, "instance": f"{host}.{config.name}-internal:3306"}
    return {"namespace": config.namespace, "job": "exporter", **labels}


def proxy(config: StackConfig, ordinal: int) -> dict[str, str]:
    """The labels of what a proxy says of itself."""
    pod = f"{ENGINES[config.engine].proxies(config.name)}-{ordinal}"
    return {"namespace": config.namespace, "pod": pod, "instance": f"10.0.1.{ordinal}:6070"}


def healthy(config: StackConfig, protocol: str | None = None) -> Series:
    """All is well at the time 0. `protocol`: the label that ProxySQL has from 3.0.2 on."""
    return {
        **dict(_servers(config)),
        **kubernetes(config),
        **(dict(_proxies(config, protocol)) if config.own_proxies else {}),
    }


def _servers(config: StackConfig) -> Iterator[tuple[str, float]]:
    database = config.database
    for ordinal in range(database.running):
        labels, primary = server(config, ordinal), ordinal == 0
        status: dict[str, float] = {
            "threads_connected": 20,
            "innodb_row_lock_current_waits": 0,
            # A MariaDB that is in no cluster says so too.
            "wsrep_cluster_size": 0,
            "wsrep_cluster_status": 0,
            "rpl_semi_sync_master_status": 0,
            "rpl_semi_sync_master_clients": 0,
            "rpl_semi_sync_master_no_tx": 0,
        }
        if database.topology == "galera":
            status |= {
                "wsrep_cluster_size": database.replicas,
                "wsrep_cluster_status": 1,
                "wsrep_local_state": 4,
                "wsrep_flow_control_paused_ns": 0,
            }
        if database.topology == "replication" and primary:
            status["rpl_semi_sync_master_status"] = 1
            status["rpl_semi_sync_master_clients"] = database.replicas - 1
        yield series("mysql_up", **labels), 1
        for name, value in status.items():
            yield series(f"mysql_global_status_{name}", **labels), value
        read_only = database.topology == "replication" and not primary
        yield series("mysql_global_variables_read_only", **labels), int(read_only)
        enabled = int(database.topology == "replication")
        yield series("mysql_global_variables_rpl_semi_sync_master_enabled", **labels), enabled
        maximum = series("mysql_global_variables_max_connections", **labels)
        yield maximum, database.max_connections
        if read_only:
            source = {"master_host": "primary", "connection_name": "mariadb-operator"}
            for name, value in (
                ("slave_io_running", 1),
                ("slave_sql_running", 1),
                ("seconds_behind_master", 0),
            ):
                yield series(f"mysql_slave_status_{name}", **labels, **source), value


def kubernetes(config: StackConfig, now: float = 0) -> Series:
    """What kubelets, kube-state-metrics and Percona's collector say while all is well.

    `now`: the time, in seconds since 1970.
    """
    return at(now, _kubernetes(config))


def at(now: float, found: Iterable[tuple[str, float]]) -> Series:
    """Series whose times were told as of 0."""
    times = ("_time", "_created", "_timestamp")
    return {
        name: value + now if name.partition("{")[0].endswith(times) else value
        for name, value in found
    }


def _kubernetes(config: StackConfig) -> Iterator[tuple[str, float]]:
    engine, namespace = ENGINES[config.engine], config.namespace
    for claim in engine.claims(config.name, config.database.topology, config.database.replicas):
        labels = {"namespace": namespace, "persistentvolumeclaim": claim}
        yield series("kubelet_volume_stats_available_bytes", **labels), 80e9
        yield series("kubelet_volume_stats_capacity_bytes", **labels), 100e9
    sets = {engine.servers(config.name): config.database.running}
    if config.proxy.enabled:
        own = engine.proxies(config.name)
        sets[names.pxc_proxysql(config.name) if config.operator_proxies else own] = (
            config.proxy.running
        )
    for name, replicas in sets.items():
        for metric in ("kube_statefulset_replicas", "kube_statefulset_status_replicas_ready"):
            yield series(metric, namespace=namespace, statefulset=name), replicas
        yield series("kube_statefulset_created", namespace=namespace, statefulset=name), -365 * DAY
    labels = {"namespace": "operators", "deployment": engine.operators[0]}
    yield series("kube_deployment_status_replicas_available", **labels), 1
    if config.backup.target is not None:
        owner, kind = backup_owner(config)
        yield from job(config, f"{owner}-1", owner, kind, completed=0)
        yield from job(config, f"{owner}-0", owner, kind, completed=-DAY)
    if config.backup.logical.schedule:
        yield from _cron_job(config, names.dump(config.name, DIGEST))
    if config.backup.drilled:
        yield from _cron_job(config, names.restore_drill(config.name))
    if config.backup.point_in_time.enabled:
        pod = f"{names.pxc_collector(config.name)}-6d5f7c9b8-x2x7k"
        labels = {"namespace": namespace, "pod": pod}
        # It goes on; what a test looks at ends before.
        yield series("pxc_binlog_collector_last_processing_timestamp", **labels), DAY
        yield series("pxc_binlog_collector_gap_detected_total", **labels), 0


DAY = 86_400


def backup_owner(config: StackConfig) -> tuple[str, str]:
    """Name and kind of an object of which the operator makes Jobs."""
    if config.engine == "percona":
        return f"cron-{config.name[:16]}-full-{BACKUP_STAMP}-3kl0v", "PerconaXtraDBClusterBackup"
    return names.backup(config.name, DIGEST), "PhysicalBackup"


def job(
    config: StackConfig,
    name: str,
    owner: str,
    kind: str,
    *,
    completed: float | None = None,
    failed: float | None = None,
) -> Iterator[tuple[str, float]]:
    """A Job that was completed, or failed, at a time; else it still runs, since 0."""
    labels = {"namespace": config.namespace, "job_name": name}
    end = completed if completed is not None else failed
    owned = {"owner_kind": kind, "owner_name": owner, "owner_is_controller": "true"}
    yield series("kube_job_owner", **labels, **owned), 1
    yield series("kube_job_status_start_time", **labels), (end or 0) - 60
    yield series("kube_job_status_active", **labels), int(end is None)
    if completed is not None:
        yield series("kube_job_status_completion_time", **labels), completed
    if failed is not None:
        for condition in ("true", "false", "unknown"):
            truth = int(condition == "true")
            yield series("kube_job_failed", **labels, condition=condition), truth


def _cron_job(config: StackConfig, name: str) -> Iterator[tuple[str, float]]:
    labels = {"namespace": config.namespace, "cronjob": name}
    yield series("kube_cronjob_created", **labels), -365 * DAY
    yield series("kube_cronjob_status_last_successful_time", **labels), -DAY


def _proxies(config: StackConfig, protocol: str | None) -> Iterator[tuple[str, float]]:
    groups = config.proxy.hostgroups
    told = {"protocol": protocol} if protocol else {}
    for ordinal in range(config.proxy.running):
        labels = proxy(config, ordinal)
        yield series("proxysql_uptime_seconds_total", **labels), 1000
        yield series("proxysql_mysql_listener_paused", **labels), 0
        yield series("proxysql_mysql_max_connections", **labels), config.proxy.max_connections
        for name in (
            "client_connections_connected",
            "max_connect_timeouts_total",
            "access_denied_wrong_password_total",
        ):
            yield series(f"proxysql_{name}", **labels, **told), 0
        for group in (groups.writer, groups.reader):
            backend = {"endpoint": f"primary:{group}", "hostgroup": group}
            yield series("proxysql_connpool_conns_status", **labels, **told, **backend), 1
            for status in ("ok", "err"):
                found = {**labels, **told, **backend, "status": status}
                yield series("proxysql_connpool_conns_total", **found), 0
        peer = {"hostname": "peer", "port": 6032, "name": "mysql_users"}
        yield series("proxysql_servers_checksums_diff_check", **labels, **peer), 0


def exposition(found: Mapping[str, float]) -> str:
    """The text that a program serves whose figures a Prometheus reads."""
    return "".join(f"{name} {value!r}\n" for name, value in found.items())
