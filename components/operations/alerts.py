"""What is wrong with a database, as rules of a Prometheus: which, and from when on. Pure.

A rule says one thing of this database, whose labels it has, and is there only where it can be true.
What somebody is to do is in `docs/runbooks/<alert>.md`. Names of metrics are those of
prometheus/mysqld_exporter 0.15 to 0.17, ProxySQL 2.7 and 3.0, kube-state-metrics 2.9 and Percona's
cmd/pitr/collector.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Literal

from components.config import cron
from components.config.stack import StackConfig
from components.config.types import seconds
from components.operations import monitors, series

Severity = Literal["critical", "warning"]
"""`critical`: wake somebody; `warning`: on the next working day."""

MINUTE, HOUR = 60, 3600
LAG = 30
"""Seconds behind the primary from which on a replica lags."""
CONNECTIONS_SHARE = 0.9
"""Part of a server's connections from which on they are nearly used."""
CLIENTS_SHARE = 0.8
"""The same of a proxy's clients."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One alert of one database."""

    name: str
    expression: str
    """PromQL. Each series of its answer is an alert."""
    for_: int
    """Seconds for which it must hold."""
    severity: Severity
    summary: str
    description: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """When an alert is there, for people and as a test."""

    text: str
    holds: Callable[[StackConfig], bool]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert that databases may have."""

    name: str
    when: Condition
    severity: Severity
    for_: int | Callable[[StackConfig], int]
    expression: Callable[[StackConfig], str]
    summary: str
    description: str
    """`%(server)s` is a server's name; what is in braces is Prometheus's template."""

    def seconds(self, config: StackConfig) -> int:
        """How long it must hold in a database."""
        return self.for_ if isinstance(self.for_, int) else self.for_(config)

    def rule(self, config: StackConfig) -> Rule:
        """The alert of a database for which `when` holds."""
        server = f"{{{{ $labels.{series.server_label(config)} }}}}"
        return Rule(
            name=self.name,
            expression=dedent(self.expression(config)).strip(),
            for_=self.seconds(config),
            severity=self.severity,
            summary=self.summary,
            description=self.description.replace("%(server)s", server),
            # Not all series have the namespace, by which Alertmanager may choose who is told.
            labels={
                "namespace": config.namespace,
                "mysql_ha": config.name,
                "severity": self.severity,
            },
        )


# --- when ---


def _serves(config: StackConfig) -> bool:
    return config.database.running > 0


def _own_proxies(config: StackConfig) -> bool:
    return config.own_proxies and config.proxy.running > 0


ALWAYS = Condition(text="always", holds=lambda config: True)
SERVERS = Condition(text="servers run", holds=_serves)
ONE_SERVER = Condition(
    text="one server", holds=lambda config: _serves(config) and config.database.replicas == 1
)
SEVERAL_SERVERS = Condition(
    text="several servers", holds=lambda config: _serves(config) and config.database.replicas > 1
)
REPLICATION = Condition(
    text="topology `replication`",
    holds=lambda config: _serves(config) and config.database.topology == "replication",
)
SEMI_SYNC = Condition(
    text="topology `replication` with `database.semi_sync`",
    holds=lambda config: REPLICATION.holds(config) and config.database.semi_sync,
)
GALERA = Condition(
    text="topology `galera`, several servers",
    holds=lambda config: SEVERAL_SERVERS.holds(config) and config.database.topology == "galera",
)
BACKUPS = Condition(
    text="backups are made",
    holds=lambda config: _serves(config) and config.backup.target is not None,
)
DUMPS = Condition(
    text="`backup.logical.schedule`",
    holds=lambda config: BACKUPS.holds(config) and config.backup.logical.schedule is not None,
)
DRILLS = Condition(
    text="restore drills", holds=lambda config: _serves(config) and config.backup.drilled
)
POINT_IN_TIME = Condition(
    text="`backup.point_in_time`, prometheus-operator",
    holds=lambda config: BACKUPS.holds(config) and monitors.collects(config),
)
PROXIES = Condition(
    text="proxies, whoever runs them",
    holds=lambda config: config.proxy.enabled and config.proxy.running > 0,
)
SEVERAL_PROXIES = Condition(
    text="several proxies, whoever runs them",
    holds=lambda config: PROXIES.holds(config) and config.proxy.replicas > 1,
)
OWN_PROXIES = Condition(text="proxies of this program", holds=_own_proxies)
FINDING_PROXIES = Condition(
    text="proxies of this program find the writer: `galera`, or routing `monitor`",
    holds=lambda config: (
        OWN_PROXIES.holds(config)
        and config.database.replicas > 1
        and (
            config.database.topology == "galera"
            or (config.database.topology == "replication" and config.proxy.routing == "monitor")
        )
    ),
)
PEERS = Condition(
    text="several proxies of this program that know each other",
    holds=lambda config: (
        _own_proxies(config) and config.proxy.replicas > 1 and config.proxy.clustering != "off"
    ),
)

# --- parts of expressions ---

_PROXY, _JOB = ", ".join(series.PROXY), "namespace, job_name"
FORGOTTEN = "1d"
"""So long after it was last read a server that is not read counts as one that hangs."""


def _server(config: StackConfig) -> str:
    return ", ".join(series.server_labels(config))


def _by_server(function: str, metric: str, config: StackConfig, over: str = "") -> str:
    """One series per server, also while two Pods of an exporter are read."""
    return f"{function} by ({_server(config)}) ({metric}{{{series.servers(config)}}}{over})"


def _writable(config: StackConfig) -> str:
    """The servers that take writes.

    From MariaDB 12 on `read_only` may be a word that the exporter cannot read: then the server has
    no such series, and it takes no writes either.
    """
    return f"{_by_server('max', 'mysql_global_variables_read_only', config)} == 0"


def _seen(config: StackConfig) -> str:
    """True while anything is known of the servers: without an exporter nobody knows."""
    return f"count(mysql_up{{{series.servers(config)}}}) > 0"


def _age(config: StackConfig) -> str:
    """Seconds since the servers were made; nothing where kube-state-metrics does not tell."""
    return f"(time() - max(kube_statefulset_created{{{series.server_set(config)}}}))"


def _booting(config: StackConfig) -> str:
    """True in the first hour of a database of which no server was up yet."""
    up = f"max_over_time(mysql_up{{{series.servers(config)}}}[1h])"
    return f"({_age(config)} < {HOUR} unless on () max({up}) == 1)"


def _set_known(config: StackConfig) -> str:
    """True while kube-state-metrics tells of the database."""
    return f"count(kube_statefulset_replicas{{{series.server_set(config)}}})"


def _of_jobs(metric: str, config: StackConfig, owners: str) -> str:
    """A figure of those Jobs alone; `and` and not `*`, since other Jobs have no such owner."""
    return f'{metric}{{namespace="{config.namespace}"}} and on ({_JOB}) kube_job_owner{{{owners}}}'


def _completed(config: StackConfig) -> str:
    """When the backups were complete that are known. A Job that fails has no such time."""
    return _of_jobs("kube_job_status_completion_time", config, series.backup_jobs(config))


def _failed_after(config: StackConfig, owners: str, success: str) -> str:
    """The Jobs that failed and that no success came after."""
    started = _of_jobs("kube_job_status_start_time", config, owners)
    return f"""
        max by ({_JOB}) (
          {started}
          and on ({_JOB}) kube_job_failed{{namespace="{config.namespace}",condition="true"}} == 1
        ) > on () group_left () ({success} or vector(0))"""


def _age_of_cron_job(cron_job: str, limit: int) -> str:
    """Of the last success, or of the CronJob while there was none."""
    return f"""
        time() - (
          max(kube_cronjob_status_last_successful_time{{{cron_job}}})
          or max(kube_cronjob_created{{{cron_job}}})
        ) > {limit}"""


def _left_of_volume(config: StackConfig) -> str:
    """The part of a volume that is free. A volume that moved is known of two nodes for a while."""
    volumes = series.volumes(config)
    return (
        "min by (namespace, persistentvolumeclaim) ("
        f"kubelet_volume_stats_available_bytes{{{volumes}}} "
        f"/ kubelet_volume_stats_capacity_bytes{{{volumes}}})"
    )


def _by_proxy(function: str, metric: str, config: StackConfig) -> str:
    return f"{function} by ({_PROXY}) ({metric}{{{series.proxies(config)}}})"


def _online_writers(config: StackConfig) -> str:
    """The servers to which a proxy sends writes."""
    matchers = f'{series.proxies(config)},hostgroup="{config.proxy.hostgroups.writer}"'
    return f"proxysql_connpool_conns_status{{{matchers}}} == 1"


# --- expressions ---


def _known(config: StackConfig) -> str:
    """The servers that were read in the last day."""
    up = f"last_over_time(mysql_up{{{series.servers(config)}}}[{FORGOTTEN}])"
    return f"group by ({_server(config)}) ({up})"


def _server_down(config: StackConfig) -> str:
    """It refuses the exporter, or it was read and is not, while others are: of one that hangs the
    exporter does not say anything in time. Not one that the stack no longer has."""
    up, server = f"mysql_up{{{series.servers(config)}}}", _server(config)
    return f"""
        (
          {_by_server("max", "mysql_up", config)} == 0
          or (
            {_known(config)} unless on ({server}) {up}
            and on () count({_by_server("group", "mysql_up", config)}) < {config.database.running}
          )
        )
        unless on () {_booting(config)}"""


def _unseen(config: StackConfig) -> str:
    """Servers were read, none is, and something else is known of them: all hang, or the exporter
    is gone, which nobody can tell apart from outside."""
    servers = series.servers(config)
    return f"""
        count({_known(config)})
        unless on () mysql_up{{{servers}}}
        and on () ({_set_known(config)} or count(up{{{servers}}}))"""


def _metrics_missing(config: StackConfig) -> str:
    """No server is read, or some were not even before."""
    read = f"(count({_by_server('group', 'mysql_up', config)}) or vector(0))"
    return f"{read} == 0 or count({_known(config)}) < {config.database.running}"


def _kubernetes_missing(config: StackConfig) -> str:
    return f"absent(kube_statefulset_replicas{{{series.server_set(config)}}})"


def _no_writable(config: StackConfig) -> str:
    return f"""
        (count({_writable(config)}) or vector(0)) == 0
        and on () {_seen(config)}
        unless on () {_booting(config)}"""


def _two_writable(config: StackConfig) -> str:
    return f"count({_writable(config)}) > 1"


def _replication_broken(config: StackConfig) -> str:
    """A server that neither takes writes nor follows, while there is one to follow.

    With a stopped thread the lag is NULL, which the exporter leaves out.
    """
    server, servers = _server(config), series.servers(config)
    io, sql = (
        _by_server("min", f"mysql_slave_status_slave_{thread}_running", config)
        for thread in ("io", "sql")
    )
    return f"""
        (
          {io}
            * on ({server}) {sql} == 0
          or {_by_server("max", "mysql_up", config)} == 1
            unless on ({server}) mysql_slave_status_slave_sql_running{{{servers}}}
        )
        unless on ({server}) {_writable(config)}
        and on () count({_writable(config)}) > 0"""


def _replication_lag(config: StackConfig) -> str:
    return f"{_by_server('max', 'mysql_slave_status_seconds_behind_master', config)} > {LAG}"


def _semi_sync_off(config: StackConfig) -> str:
    """No replica acknowledges, it is switched off, or commits went on without.

    After a failover the status alone is off until somebody writes, and replicas acknowledge that.
    """
    server, of = _server(config), "mysql_global_status_rpl_semi_sync_master"
    alone = f"increase({of}_no_tx{{{series.servers(config)}}}[5m])"
    return f"""
        (
          {_by_server("max", f"{of}_clients", config)} == 0
          or {_by_server("max", "mysql_global_variables_rpl_semi_sync_master_enabled", config)} == 0
          or {_by_server("max", f"{of}_status", config)} == 0
            and on ({server}) max by ({server}) ({alone}) > 0
        )
        and on ({server}) {_writable(config)}"""


def _galera_not_primary(config: StackConfig) -> str:
    status = f"mysql_global_status_wsrep_cluster_status{{{series.servers(config)}}}"
    return f"""
        (count({status} == 1) or vector(0)) == 0
        and on () {_seen(config)}
        unless on () {_booting(config)}"""


def _galera_node_missing(config: StackConfig) -> str:
    """A server that answers and is not, or not fully, in the cluster of those that answer. Percona
    copies a server that does not take part meanwhile."""
    found = f"""
        (
          {_by_server("max", "mysql_global_status_wsrep_local_state", config)} != 4
          or {_by_server("max", "mysql_global_status_wsrep_cluster_size", config)}
            < on () group_left () count({_by_server("max", "mysql_up", config)} == 1)
        )"""
    if not BACKUPS.holds(config):
        return found
    active = _of_jobs("kube_job_status_active", config, series.backup_jobs(config))
    return f"{found}\n        unless on () max({active}) > 0"


def _galera_flow_control(config: StackConfig) -> str:
    paused = f"mysql_global_status_wsrep_flow_control_paused_ns{{{series.servers(config)}}}"
    return f"max by ({_server(config)}) (rate({paused}[5m])) / 1e9 > 0.2"


def _connections(config: StackConfig) -> str:
    """The proxies alone may use 80 % (`StackConfig.connection_budget`)."""
    return f"""
        {_by_server("max", "mysql_global_status_threads_connected", config)}
          / on ({_server(config)})
            {_by_server("max", "mysql_global_variables_max_connections", config)}
          > {CONNECTIONS_SHARE}"""


def _row_locks(config: StackConfig) -> str:
    return f"{_by_server('max', 'mysql_global_status_innodb_row_lock_current_waits', config)} > 20"


def _volume_fills(config: StackConfig) -> str:
    return f"{_left_of_volume(config)} < 0.15"


def _volume_full(config: StackConfig) -> str:
    """Nearly full, or full in four hours if it goes on as in the last six and as in the last half
    hour: what somebody loaded has an end. A trend needs a volume half full: a new database is
    filled quickly."""
    free = f"kubelet_volume_stats_available_bytes{{{series.volumes(config)}}}"
    long, short = (
        f"min by (namespace, persistentvolumeclaim) (predict_linear({free}[{over}], 4 * 3600)) < 0"
        for over in ("6h", "30m")
    )
    return f"""
        {_left_of_volume(config)} < 0.05
        or (
          {long}
          and {short}
          and {_left_of_volume(config)} < 0.5
        )"""


def _backup_old(config: StackConfig) -> str:
    return f"time() - max({_completed(config)}) > {config.backup.newest_allowed_age}"


def _backup_missing(config: StackConfig) -> str:
    """Of a database that is old enough to have one. Not where nothing is known of Jobs."""
    limit = config.backup.newest_allowed_age
    return f"absent({_completed(config)}) and on () {_age(config)} > {limit}"


def _backup_failed(config: StackConfig) -> str:
    return _failed_after(config, series.backup_jobs(config), f"max({_completed(config)})")


def _dump_old(config: StackConfig) -> str:
    schedule = config.backup.logical.schedule
    assert schedule is not None  # DUMPS
    limit = cron.runs(schedule).longest + seconds(config.backup.timeout)
    return _age_of_cron_job(series.dump(config), limit)


def _drill_old(config: StackConfig) -> str:
    return _age_of_cron_job(series.drill(config), config.backup.drill_allowed_age)


def _drill_failed(config: StackConfig) -> str:
    success = f"max(kube_cronjob_status_last_successful_time{{{series.drill(config)}}})"
    return _failed_after(config, series.drill_jobs(config), success)


def _point_in_time_stalled(config: StackConfig) -> str:
    """Nothing was uploaded for long, whether the collector says so or says nothing: it ends at each
    error, and begins again with 0 (v1.18.0, cmd/pitr)."""
    told = series.collector(config)
    limit = max(15 * MINUTE, 3 * config.backup.point_in_time.upload_seconds)
    remembered = limit + HOUR
    processed = f"pxc_binlog_collector_last_processing_timestamp{{{told}}}"
    last = f"max(max_over_time({processed}[{duration(remembered)}]) > 0)"
    return f"""
        time() - {last} > {limit}
        or ({_age(config)} > {remembered} unless on () {last})
        or max(increase(pxc_binlog_collector_gap_detected_total{{{told}}}[1h])) > 0"""


def _ready_proxies(config: StackConfig) -> str:
    proxies = series.proxy_set(config)
    return f"max by (namespace, statefulset) (kube_statefulset_status_replicas_ready{{{proxies}}})"


def _wanted_proxies(config: StackConfig) -> str:
    proxies = series.proxy_set(config)
    return f"max by (namespace, statefulset) (kube_statefulset_replicas{{{proxies}}})"


def _proxies_down(config: StackConfig) -> str:
    return f"{_ready_proxies(config)} == 0 and {_wanted_proxies(config)} > 0"


def _proxy_down(config: StackConfig) -> str:
    return f"({_ready_proxies(config)} > 0) < {_wanted_proxies(config)}"


def _proxy_metrics_missing(config: StackConfig) -> str:
    """Fewer are read than run. Where nobody counts those that run, all of them should."""
    running = f"max(kube_statefulset_status_replicas_ready{{{series.proxy_set(config)}}})"
    return f"""
        (count(proxysql_uptime_seconds_total{{{series.proxies(config)}}}) or vector(0))
          < ({running} or vector({config.proxy.running}))"""


def _no_writer(config: StackConfig) -> str:
    proxies = _by_proxy("max", "proxysql_uptime_seconds_total", config)
    return f"{proxies} unless on ({_PROXY}) {_online_writers(config)}"


def _two_writers(config: StackConfig) -> str:
    """In one proxy, or of all together: then they disagree."""
    writers = _online_writers(config)
    return f"""
        count by ({_PROXY}) ({writers}) > 1
        or count by (namespace) (count by (namespace, endpoint) ({writers})) > 1"""


def _wait_timeouts(config: StackConfig) -> str:
    timeouts = f"proxysql_max_connect_timeouts_total{{{series.proxies(config)}}}"
    return f"sum by ({_PROXY}) (increase({timeouts}[5m])) > 0"


def _backend_errors(config: StackConfig) -> str:
    errors = f'proxysql_connpool_conns_total{{{series.proxies(config)},status="err"}}'
    return f"sum by ({_PROXY}, endpoint) (rate({errors}[5m])) > 0.1"


def _paused(config: StackConfig) -> str:
    return f"{_by_proxy('max', 'proxysql_mysql_listener_paused', config)} == 1"


def _config_drift(config: StackConfig) -> str:
    """By the proxy that differs, and not by those that see it."""
    differs = f"proxysql_servers_checksums_diff_check{{{series.proxies(config)}}}"
    return f"max by (namespace, hostname, name) ({differs}) > 30"


def _clients_near_limit(config: StackConfig) -> str:
    return f"""
        {_by_proxy("sum", "proxysql_client_connections_connected", config)}
          / {_by_proxy("sum", "proxysql_mysql_max_connections", config)} > {CLIENTS_SHARE}"""


def _logins_refused(config: StackConfig) -> str:
    refused = f"proxysql_access_denied_wrong_password_total{{{series.proxies(config)}}}"
    return f"sum by (namespace) (rate({refused}[5m])) > 1"


def _operator_down(config: StackConfig) -> str:
    operator = series.operator(config)
    available = f"kube_deployment_status_replicas_available{{{operator}}}"
    return f"""
        sum({available}) == 0
        or (absent({available}) and on () {_set_known(config)})"""


# --- the table ---


_DOWN: Mapping[str, Any] = {
    "name": "DatabaseServerDown",
    "for_": 2 * MINUTE,
    "expression": _server_down,
    "summary": "A server does not answer.",
    "description": "The exporter gets no answer of %(server)s.",
}

ALERTS: tuple[Alert, ...] = (
    Alert(**_DOWN, when=ONE_SERVER, severity="critical"),
    Alert(**_DOWN, when=SEVERAL_SERVERS, severity="warning"),
    Alert(
        name="DatabaseUnseen",
        when=SERVERS,
        severity="critical",
        for_=5 * MINUTE,
        expression=_unseen,
        summary="No server is read any more.",
        description="Of {{ $value }} servers the exporter says nothing: they hang, or it does not "
        "run. Other alerts about them cannot fire.",
    ),
    Alert(
        name="DatabaseMetricsMissing",
        when=SERVERS,
        severity="warning",
        for_=10 * MINUTE,
        expression=_metrics_missing,
        summary="Nobody knows how the servers are.",
        description="Figures of {{ $value }} servers are read. Other alerts cannot fire.",
    ),
    Alert(
        name="KubernetesMetricsMissing",
        when=ALWAYS,
        severity="warning",
        for_=15 * MINUTE,
        expression=_kubernetes_missing,
        summary="Nobody knows of Pods, Jobs and CronJobs.",
        description="kube-state-metrics says nothing of the servers' StatefulSet. Alerts of "
        "backups, drills, proxies and the operator cannot fire.",
    ),
    Alert(
        name="DatabaseNoWritableServer",
        when=REPLICATION,
        severity="critical",
        for_=MINUTE,
        expression=_no_writable,
        summary="No server takes writes.",
        description="Every server is down or read-only.",
    ),
    Alert(
        name="DatabaseTwoWritableServers",
        when=REPLICATION,
        severity="critical",
        for_=2 * MINUTE,
        expression=_two_writable,
        summary="More than one server takes writes.",
        description="{{ $value }} servers are writable. Their data may diverge.",
    ),
    Alert(
        name="ReplicationBroken",
        when=REPLICATION,
        severity="critical",
        for_=2 * MINUTE,
        expression=_replication_broken,
        summary="A replica does not follow.",
        description="%(server)s is read-only and replicates from no server, though one is "
        "writable.",
    ),
    Alert(
        name="ReplicationLag",
        when=REPLICATION,
        severity="warning",
        for_=15 * MINUTE,
        expression=_replication_lag,
        summary="A replica is behind.",
        description="%(server)s is {{ $value | humanizeDuration }} behind.",
    ),
    Alert(
        name="SemiSyncOff",
        when=SEMI_SYNC,
        severity="warning",
        for_=5 * MINUTE,
        expression=_semi_sync_off,
        summary="Commits wait for no replica.",
        description="%(server)s has no semi-synchronous replica: the next failover may lose "
        "commits.",
    ),
    Alert(
        name="GaleraNotPrimary",
        when=GALERA,
        severity="critical",
        for_=MINUTE,
        expression=_galera_not_primary,
        summary="The cluster has no quorum.",
        description="No server is in a primary component, so none takes statements.",
    ),
    Alert(
        name="GaleraNodeMissing",
        when=GALERA,
        severity="warning",
        for_=10 * MINUTE,
        expression=_galera_node_missing,
        summary="A server runs and is not a full member of its cluster.",
        description="%(server)s is joining, gives its data to another one, or sees fewer servers "
        "than answer.",
    ),
    Alert(
        name="GaleraFlowControl",
        when=GALERA,
        severity="warning",
        for_=5 * MINUTE,
        expression=_galera_flow_control,
        summary="The slowest server holds all others up.",
        description="Writes stand still for {{ $value | humanizePercentage }} of the time on "
        "%(server)s.",
    ),
    Alert(
        name="ConnectionsNearLimit",
        when=SERVERS,
        severity="warning",
        for_=5 * MINUTE,
        expression=_connections,
        summary="A server is about to refuse connections.",
        description="{{ $value | humanizePercentage }} of the connections of %(server)s are in "
        "use.",
    ),
    Alert(
        name="RowLockWaits",
        when=SERVERS,
        severity="warning",
        for_=5 * MINUTE,
        expression=_row_locks,
        summary="Many transactions wait for rows that others lock.",
        description="{{ $value }} transactions wait on %(server)s.",
    ),
    Alert(
        name="VolumeFillsUp",
        when=ALWAYS,
        severity="warning",
        for_=10 * MINUTE,
        expression=_volume_fills,
        summary="A server's volume fills up.",
        description="{{ $value | humanizePercentage }} of {{ $labels.persistentvolumeclaim }} are "
        "free.",
    ),
    Alert(
        name="VolumeFullSoon",
        when=ALWAYS,
        severity="critical",
        for_=10 * MINUTE,
        expression=_volume_full,
        summary="A server's volume is nearly full.",
        description="{{ $labels.persistentvolumeclaim }} is full in four hours at this rate, or "
        "has less than 5 % left. A full volume stops writes.",
    ),
    Alert(
        name="BackupTooOld",
        when=BACKUPS,
        severity="critical",
        for_=30 * MINUTE,
        expression=_backup_old,
        summary="The newest backup is too old.",
        description="The newest complete backup is {{ $value | humanizeDuration }} old: a run "
        "failed, or there was none.",
    ),
    Alert(
        name="BackupMissing",
        when=BACKUPS,
        severity="critical",
        # A changed object makes its first backup at once, and the old one's Jobs are gone.
        for_=lambda config: seconds(config.backup.timeout) + 10 * MINUTE,
        expression=_backup_missing,
        summary="There is no backup.",
        description="No Job of a backup is known that was completed.",
    ),
    Alert(
        name="BackupFailed",
        when=BACKUPS,
        severity="warning",
        for_=MINUTE,
        expression=_backup_failed,
        summary="A backup failed.",
        description="The Job {{ $labels.job_name }} failed, and no backup was completed since.",
    ),
    Alert(
        name="DumpTooOld",
        when=DUMPS,
        severity="warning",
        for_=30 * MINUTE,
        expression=_dump_old,
        summary="The newest dump of SQL is too old.",
        description="The newest complete dump is {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        name="RestoreDrillFailed",
        when=DRILLS,
        severity="critical",
        for_=MINUTE,
        expression=_drill_failed,
        summary="The newest backup could not be restored.",
        description="The Job {{ $labels.job_name }} failed, and no drill succeeded since.",
    ),
    Alert(
        name="RestoreDrillTooOld",
        when=DRILLS,
        severity="critical",
        for_=30 * MINUTE,
        expression=_drill_old,
        summary="Nobody knows whether backups can be restored.",
        description="The last drill that succeeded was {{ $value | humanizeDuration }} ago.",
    ),
    Alert(
        name="PointInTimeStalled",
        when=POINT_IN_TIME,
        severity="critical",
        for_=10 * MINUTE,
        expression=_point_in_time_stalled,
        summary="Binary logs do not get into the store.",
        description="The collector has not worked for long, or a part of the binary logs is "
        "missing: a restore to a later time will not be possible.",
    ),
    Alert(
        name="ProxiesDown",
        when=PROXIES,
        severity="critical",
        for_=MINUTE,
        expression=_proxies_down,
        summary="No proxy is ready.",
        description="No client gets in.",
    ),
    Alert(
        name="ProxyDown",
        when=SEVERAL_PROXIES,
        severity="warning",
        for_=10 * MINUTE,
        expression=_proxy_down,
        summary="A proxy is not ready.",
        description="{{ $value }} proxies of {{ $labels.statefulset }} are ready.",
    ),
    Alert(
        name="ProxyMetricsMissing",
        when=OWN_PROXIES,
        severity="warning",
        for_=10 * MINUTE,
        expression=_proxy_metrics_missing,
        summary="Nobody knows how the proxies are.",
        description="Figures of {{ $value }} proxies are read. Other alerts cannot fire.",
    ),
    Alert(
        name="ProxyNoWriter",
        when=OWN_PROXIES,
        severity="critical",
        for_=MINUTE,
        expression=_no_writer,
        summary="A proxy lets no write through.",
        description="{{ $labels.pod }} has no server for writes, which wait and then fail with "
        "error 9001.",
    ),
    Alert(
        name="ProxyTwoWriters",
        when=FINDING_PROXIES,
        severity="critical",
        for_=MINUTE,
        expression=_two_writers,
        summary="Proxies send writes to several servers, or would.",
        description="{{ $value }} servers are writers for {{ if $labels.pod }}{{ $labels.pod }}"
        "{{ else }}all proxies together{{ end }}.",
    ),
    Alert(
        name="ProxyWaitTimeouts",
        when=OWN_PROXIES,
        severity="critical",
        for_=MINUTE,
        expression=_wait_timeouts,
        summary="Statements failed, since no server took them in time.",
        description="Clients of {{ $labels.pod }} got error 9001 in the last five minutes.",
    ),
    Alert(
        name="ProxyBackendErrors",
        when=OWN_PROXIES,
        severity="warning",
        for_=5 * MINUTE,
        expression=_backend_errors,
        summary="A proxy cannot connect to a server.",
        description="Connections of {{ $labels.pod }} to {{ $labels.endpoint }} fail.",
    ),
    Alert(
        name="ProxyPaused",
        when=OWN_PROXIES,
        severity="warning",
        for_=2 * MINUTE,
        expression=_paused,
        summary="A proxy is paused.",
        description="{{ $labels.pod }} takes no new clients: somebody has paused it.",
    ),
    Alert(
        name="ProxyConfigDrift",
        when=PEERS,
        severity="warning",
        for_=15 * MINUTE,
        expression=_config_drift,
        summary="Proxies have different configurations.",
        description="{{ $labels.name }} of {{ $labels.hostname }} differs from other proxies'.",
    ),
    Alert(
        name="ProxyClientsNearLimit",
        when=OWN_PROXIES,
        severity="warning",
        for_=5 * MINUTE,
        expression=_clients_near_limit,
        summary="A proxy is about to refuse clients.",
        description="{{ $value | humanizePercentage }} of the clients' connections of "
        "{{ $labels.pod }} are in use.",
    ),
    Alert(
        name="LoginsRefused",
        when=OWN_PROXIES,
        severity="warning",
        for_=5 * MINUTE,
        expression=_logins_refused,
        summary="Many logins are refused.",
        description="{{ $value | humanize }} logins a second fail for a wrong password or user.",
    ),
    Alert(
        name="OperatorDown",
        when=ALWAYS,
        severity="warning",
        for_=5 * MINUTE,
        expression=_operator_down,
        summary="The operator does not run.",
        description="Nothing fails over, and nothing that a stack changes takes effect.",
    ),
)
"""Every alert, in the order of the documentation."""


def rules(config: StackConfig) -> tuple[Rule, ...]:
    """The alerts of a database."""
    return tuple(alert.rule(config) for alert in ALERTS if alert.when.holds(config))


def rule_file(config: StackConfig) -> dict[str, Any]:
    """A file of a Prometheus's `rule_files`, and the `spec` of a PrometheusRule."""
    base = config.monitoring.alerts.runbooks
    return {
        "groups": [
            {
                "name": f"mysql-ha.{config.namespace}.{config.name}",
                "rules": [_written(rule, base) for rule in rules(config)],
            }
        ]
    }


def _written(rule: Rule, runbooks: str | None) -> dict[str, Any]:
    annotations = {"summary": rule.summary, "description": rule.description}
    if runbooks:
        annotations["runbook_url"] = f"{runbooks}/{rule.name}.md"
    return {
        "alert": rule.name,
        "expr": rule.expression,
        "for": duration(rule.for_),
        "labels": dict(rule.labels),
        "annotations": annotations,
    }


def duration(whole: int) -> str:
    """Seconds as Prometheus writes them: `1h30m`."""
    parts = ((whole // HOUR, "h"), (whole % HOUR // MINUTE, "m"), (whole % MINUTE, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
