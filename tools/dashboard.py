"""The template of every database's dashboard: components/operations/dashboard.json.

`python -m tools.dashboard` writes it with Grafana's own SDK; `--check` writes nothing and fails
when the file is not what is made here. `<word>` is a place that `components.operations.dashboard`
fills for a database. A panel, query or link with a place that it leaves empty is left out.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from components.operations.dashboard import TEMPLATE
from components.operations.series import HOST

ROOT = Path(__file__).parents[1]
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
RATE = "$__rate_interval"
TAG = "mysql-ha"

Panel = stat.Panel | timeseries.Panel | statetimeline.Panel
Steps = Sequence[tuple[Any, str]]
"""From which value on there is which colour; None: from the lowest. A value may be a `<word>`."""
GOOD, DOUBTFUL, BAD, PLAIN = "green", "orange", "red", "text"


def _by_server(expression: str, how: str = "max") -> str:
    """Series of a query by the name of their server, as the label `server`."""
    return f'{how} by (server) (label_replace({expression}, "server", <server>))'


def _by_backend(expression: str, labels: str, how: str = "max") -> str:
    """The proxies' series by the first part of a server's address, as the label `backend`."""
    named = f'label_replace({expression}, "backend", "$1", "endpoint", "{HOST}")'
    return f"{how} by ({labels}) ({named})"


def _by_proxy(expression: str, how: str = "sum") -> str:
    return f"{how} by (pod) ({expression})"


# --- panels ------------------------------------------------------------------------------------


def _query(number: int, expression: str, legend: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE)
    # Grafana makes RATE of it, and otherwise of what its data source says, which nobody sets.
    return query.ref_id(ascii_uppercase[number]).interval("<interval>")


def _described(
    panel: Any, title: str, about: str, alerts: Sequence[str], width: int, height: int
) -> Any:
    """What all panels have: `alerts` are named in the text, and their runbooks linked."""
    if alerts:
        about += f" Alerts: {', '.join(alerts)}."
    return (
        panel.title(title)
        .description(about)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .links(
            [
                dashboards.DashboardLink(f"Runbook {alert}")
                .type(models.DashboardLinkType.LINK)
                .url(f"<runbooks>/{alert}.md")
                .target_blank(True)
                for alert in alerts
            ]
        )
    )


def _thresholds(steps: Steps) -> dashboards.ThresholdsConfig:
    made = [models.Threshold(value, colour) for value, colour in steps]
    return dashboards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def _stat(
    title: str,
    about: str,
    expression: str,
    *,
    legend: str = "",
    unit: str = units.Short,
    steps: Steps = ((None, PLAIN),),
    alerts: Sequence[str] = (),
    empty: str = "no data",
    named: bool = False,
    width: int = 3,
) -> stat.Panel:
    """A figure of now; `named`: the names of the series instead. `empty`: what no series means."""
    mode = common.BigValueTextMode.NAME if named else common.BigValueTextMode.VALUE
    panel = (
        stat.Panel()
        .with_target(_query(0, expression, legend).instant())
        .unit(unit)
        .no_value(empty)
        .thresholds(_thresholds(steps))
        .color_scheme(dashboards.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(mode)
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _described(panel, title, about, alerts, width, 4)


def _graph(
    title: str,
    about: str,
    *queries: tuple[str, str],
    unit: str = units.Short,
    limit: Any = None,
    least: float | None = 0,
    most: float | None = None,
    stacked: bool = False,
    alerts: Sequence[str] = (),
    width: int = 8,
) -> timeseries.Panel:
    """Lines over time, of (query, legend); `limit`: where a red line is."""
    panel = (
        timeseries.Panel()
        .targets([_query(n, *query).range() for n, query in enumerate(queries)])
        .unit(unit)
        .line_width(1)
        .fill_opacity(25 if stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .color_scheme(dashboards.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
    )
    if least is not None:
        panel.axis_soft_min(least)
    if most is not None:
        panel.axis_soft_max(most)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if limit is not None:
        panel.thresholds(_thresholds([(None, GOOD), (limit, BAD)])).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED
            )
        )
    return _described(panel, title, about, alerts, width, 8)


def _timeline(
    title: str,
    about: str,
    expression: str,
    legend: str,
    states: Mapping[int, tuple[str, str]],
    *,
    alerts: Sequence[str] = (),
    width: int = 8,
) -> statetimeline.Panel:
    """Bars over time in the colours of states; `states`: value to text and colour."""
    mapping = models.ValueMap(
        options={
            str(value): models.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(states.items())
        }
    )
    panel = (
        statetimeline.Panel()
        .with_target(_query(0, expression, legend).range())
        .mappings([mapping])
        .thresholds(_thresholds([(None, PLAIN)]))
        .color_scheme(dashboards.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .line_width(0)
        .fill_opacity(80)
        .row_height(0.8)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    return _described(panel, title, about, alerts, width, 8)


# --- rows --------------------------------------------------------------------------------------

WRITER_ROWS = 'proxysql_connpool_conns_status{<proxies>,hostgroup="<writer>"} == 1'
_OF_BACKUPS = "and on (namespace, job_name) kube_job_owner{<backups>}"
BACKUP_ENDS = f'kube_job_status_completion_time{{namespace="<namespace>"}} {_OF_BACKUPS}'
"""A Job that fails has no such time."""
DRILL_END = "max(kube_cronjob_status_last_successful_time{<drills>})"
VOLUME_USED = (
    "1 - kubelet_volume_stats_available_bytes{<volumes>} "
    "/ kubelet_volume_stats_capacity_bytes{<volumes>}"
)
AGE: dict[str, Any] = {"unit": units.DurationSeconds, "empty": "never"}


def _pair() -> list[Panel]:
    return [
        _stat(
            "Alerts firing",
            "Rules of this database that hold now. Good: 0.",
            "count(ALERTS{<alerts>}) or vector(0)",
            steps=[(None, GOOD), (1, BAD)],
        ),
        _stat(
            "Servers up",
            "Servers of which the exporter gets figures. Good: all of them.",
            f"count({_by_server('mysql_up{<servers>}')} == 1) or vector(0)",
            unit="suffix:of <replicas>",
            steps=[(None, BAD), ("<replicas>", GOOD)],
            alerts=["DatabaseServerDown", "DatabaseUnseen", "DatabaseMetricsMissing"],
        ),
        _stat(
            "Takes writes",
            "The server with read_only=0. Good: exactly one. From MariaDB 12 on, where read_only "
            "may be a word, the exporter has no figure for it.",
            _by_server("mysql_global_variables_read_only{<replicated>} == 0"),
            legend="{{server}}",
            steps=[(None, GOOD)],
            alerts=["DatabaseNoWritableServer", "DatabaseTwoWritableServers"],
            empty="none",
            named=True,
        ),
        _stat(
            "Cluster size",
            "Nodes that this node's part of the cluster has; the smallest answer. Good: all.",
            "min(mysql_global_status_wsrep_cluster_size{<galera>})",
            unit="suffix:of <replicas>",
            steps=[(None, BAD), ("<replicas>", GOOD)],
            alerts=["GaleraNodeMissing", "GaleraNotPrimary"],
        ),
        _stat(
            "Proxies up",
            "Proxies that answer. Good: all of them.",
            "count(proxysql_uptime_seconds_total{<proxies>}) or vector(0)",
            unit="suffix:of <proxy_replicas>",
            steps=[(None, BAD), ("<proxy_replicas>", GOOD)],
            alerts=["ProxyDown", "ProxiesDown", "ProxyMetricsMissing"],
        ),
        _stat(
            "Writer of each proxy",
            "Where each proxy sends writes. Good: one line a proxy, and the same address in all. "
            "A proxy without a line lets its writes wait, then fails them with 9001.",
            _by_backend(WRITER_ROWS, "pod, backend"),
            legend="{{pod}} → {{backend}}",
            steps=[(None, GOOD)],
            alerts=["ProxyNoWriter", "ProxyTwoWriters"],
            empty="no writer",
            named=True,
            width=6,
        ),
        _stat(
            "Clients",
            "Connections of clients to all proxies. What they may be is in the row Traffic.",
            "sum(proxysql_client_connections_connected{<proxies>})",
        ),
        _stat(
            "9001 errors",
            "Statements that found no server in time, in the range shown: the clients saw error "
            "9001. Good: 0.",
            "sum(increase(proxysql_max_connect_timeouts_total{<proxies>}[$__range]))",
            steps=[(None, GOOD), (1, BAD)],
            alerts=["ProxyWaitTimeouts"],
        ),
        _stat(
            "Last backup",
            "Since the end of the newest Job that made a backup. Red: older than schedule and "
            "time-out allow.",
            f"time() - max({BACKUP_ENDS})",
            steps=[(None, GOOD), ("<backup_age>", BAD)],
            alerts=["BackupTooOld", "BackupMissing", "BackupFailed"],
            **AGE,
        ),
        _stat(
            "Last drill",
            "Since a backup was last restored and read. Red: a drill failed or did not come.",
            f"time() - {DRILL_END}",
            steps=[(None, GOOD), ("<drill_age>", BAD)],
            alerts=["RestoreDrillTooOld", "RestoreDrillFailed"],
            **AGE,
        ),
    ]


def _traffic() -> list[Panel]:
    return [
        _graph(
            "Statements",
            "Statements of clients by proxy. Good: proxies that share the load evenly.",
            (_by_proxy(f"rate(proxysql_questions_total{{<proxies>}}[{RATE}])"), "{{pod}}"),
            unit=units.RequestsPerSecond,
            stacked=True,
        ),
        _graph(
            "Bytes",
            "What the proxies sent to the servers, and what they received of them.",
            (
                "sum by (traffic_flow) "
                f"(rate(proxysql_connpool_data_bytes_total{{<proxies>}}[{RATE}]))",
                "{{traffic_flow}}",
            ),
            unit=units.BytesPerSecondIEC,
        ),
        _graph(
            "Errors that clients saw",
            "Errors that a proxy made itself, and among them 9001: no server in time. Good: 0.",
            (
                _by_proxy(f"rate(proxysql_generated_error_packets_total{{<proxies>}}[{RATE}])"),
                "{{pod}}",
            ),
            (
                f"sum(rate(proxysql_max_connect_timeouts_total{{<proxies>}}[{RATE}]))",
                "9001, all proxies",
            ),
            unit=units.OpsPerSecond,
            alerts=["ProxyWaitTimeouts"],
        ),
        _graph(
            "Clients",
            "Connections of clients by proxy. Good: proxies that share them evenly.",
            (_by_proxy("proxysql_client_connections_connected{<proxies>}"), "{{pod}}"),
            stacked=True,
            width=6,
        ),
        _graph(
            "Clients, of those accepted",
            "Connections of clients as a part of how many a proxy accepts. Bad: more than 80 %.",
            (
                _by_proxy("proxysql_client_connections_connected{<proxies>}")
                + " / "
                + _by_proxy("proxysql_mysql_max_connections{<proxies>}"),
                "{{pod}}",
            ),
            unit=units.PercentUnit,
            limit=0.8,
            alerts=["ProxyClientsNearLimit"],
            width=6,
        ),
        _graph(
            "Logins refused",
            "Wrong passwords, and logins beyond a limit. Good: 0. After a rotation: somebody "
            "still has the old password.",
            (
                f"sum(rate(proxysql_access_denied_wrong_password_total{{<proxies>}}[{RATE}]))",
                "wrong password",
            ),
            (
                f"sum(rate(proxysql_access_denied_max_connections_total{{<proxies>}}[{RATE}]))",
                "too many connections",
            ),
            (
                "sum(rate(proxysql_access_denied_max_user_connections_total"
                f"{{<proxies>}}[{RATE}]))",
                "too many of one account",
            ),
            unit=units.OpsPerSecond,
            alerts=["LoginsRefused"],
            width=6,
        ),
        _graph(
            "Open transactions, slow statements",
            "Transactions that are open now, and statements a second that took longer than "
            "mysql-long_query_time. Bad: transactions that stay open hold locks.",
            ("sum(proxysql_active_transactions{<proxies>})", "open transactions"),
            (f"sum(rate(proxysql_slow_queries_total{{<proxies>}}[{RATE}]))", "slow, per second"),
            width=6,
        ),
    ]


STATUS = {
    1: ("online", GOOD),
    2: ("shunned", BAD),
    3: ("offline, drains", DOUBTFUL),
    4: ("offline", BAD),
    5: ("lags", DOUBTFUL),
}
"""Of proxysql_connpool_conns_status (lib/MySQL_HostGroups_Manager.cpp)."""


def _routing() -> list[Panel]:
    return [
        _timeline(
            "Servers as the proxies see them",
            "The worst that a proxy thinks of each server in each hostgroup; <writer> is that of "
            "writes. Good: online. With Galera the nodes that wait for their turn are shunned in "
            "the hostgroup of writes.",
            _by_backend("proxysql_connpool_conns_status{<proxies>}", "hostgroup, backend"),
            "{{hostgroup}} {{backend}}",
            STATUS,
            alerts=["ProxyNoWriter", "ProxyTwoWriters"],
            width=12,
        ),
        _timeline(
            "Paused proxies",
            "A proxy that was told PAUSE takes no new connections. Good: nobody has forgotten one.",
            _by_proxy("proxysql_mysql_listener_paused{<proxies>}", "max"),
            "{{pod}}",
            {0: ("open", GOOD), 1: ("paused", BAD)},
            alerts=["ProxyPaused"],
            width=12,
        ),
        _graph(
            "Connections to servers",
            "Of all proxies, by hostgroup. Bad: none is free while clients wait.",
            (
                "sum by (hostgroup, status) (proxysql_connpool_conns{<proxies>})",
                "{{hostgroup}} {{status}}",
            ),
        ),
        _graph(
            "Connections that failed",
            "Attempts to connect to a server that failed. Good: 0. Bad: name, TLS, password, or "
            "a server that is gone.",
            (
                _by_backend(
                    f'rate(proxysql_connpool_conns_total{{<proxies>,status="err"}}[{RATE}])',
                    "backend",
                    "sum",
                ),
                "{{backend}}",
            ),
            unit=units.OpsPerSecond,
            limit=0.1,
            alerts=["ProxyBackendErrors"],
        ),
        _graph(
            "Ping to servers",
            "The monitor's last ping, the slowest of the proxies.",
            (
                _by_backend("proxysql_connpool_conns_latency_us{<proxies>}", "backend"),
                "{{backend}}",
            ),
            unit=units.Microseconds,
        ),
        _graph(
            "Errors of servers",
            "Errors with which servers answered statements, by code. 1290: a write reached a "
            "server that is read-only.",
            (f"sum by (code) (rate(mysql_error_total{{<proxies>}}[{RATE}]))", "{{code}}"),
            unit=units.OpsPerSecond,
            width=12,
        ),
        _graph(
            "Proxies that differ",
            "Checks in a row in which others saw that the configuration of a proxy differs from "
            "theirs. Bad: somebody changed one proxy by hand, or a roll stopped half way.",
            (
                "max by (peer) (label_replace(proxysql_servers_checksums_diff_check{<proxies>}, "
                f'"peer", "$1", "hostname", "{HOST}"))',
                "{{peer}}",
            ),
            limit=30,
            alerts=["ProxyConfigDrift"],
            width=12,
        ),
    ]


RUNS = {0: ("stopped", BAD), 1: ("runs", GOOD)}


def _replication() -> list[Panel]:
    return [
        _timeline(
            "Who takes writes",
            "read_only of each server. Good: exactly one takes writes.",
            _by_server("mysql_global_variables_read_only{<replicated>}"),
            "{{server}}",
            {0: ("takes writes", "blue"), 1: ("reads only", GOOD)},
            alerts=["DatabaseNoWritableServer", "DatabaseTwoWritableServers"],
            width=12,
        ),
        _timeline(
            "Replication runs",
            "Whether both threads of a replica run. Good: on every server but the primary.",
            _by_server(
                "mysql_slave_status_slave_io_running{<replicated>} "
                "* mysql_slave_status_slave_sql_running{<replicated>}",
                "min",
            ),
            "{{server}}",
            RUNS,
            alerts=["ReplicationBroken"],
            width=12,
        ),
        _graph(
            "Lag",
            "Seconds that a replica is behind. A gap in the line means that replication is "
            "broken, not that there is no lag. A backup holds a replica back while it copies.",
            (
                _by_server("mysql_slave_status_seconds_behind_master{<replicated>}"),
                "{{server}}",
            ),
            unit=units.Seconds,
            limit=30,
            alerts=["ReplicationLag"],
            width=6,
        ),
        _graph(
            "Replicas that acknowledge",
            "Semi-sync replicas of each server that takes writes. Bad: 0, as a failover may then "
            "lose commits.",
            (
                _by_server("mysql_global_status_rpl_semi_sync_master_clients{<semi_sync>}"),
                "{{server}}",
            ),
            alerts=["SemiSyncOff"],
            width=6,
        ),
        _graph(
            "Commits that nobody acknowledged",
            "Commits that did not wait for a replica, or not long enough. Good: 0.",
            (
                _by_server(
                    f"rate(mysql_global_status_rpl_semi_sync_master_no_tx{{<semi_sync>}}[{RATE}])",
                    "sum",
                ),
                "{{server}}",
            ),
            unit=units.OpsPerSecond,
            alerts=["SemiSyncOff"],
            width=6,
        ),
        _graph(
            "Wait for a replica",
            "How long a commit waited for a replica to acknowledge it, on average. Bad: it grows, "
            "as network or replicas are slow.",
            (
                _by_server(
                    "rate(mysql_global_status_rpl_semi_sync_master_tx_wait_time"
                    f"{{<semi_sync>}}[{RATE}]) / "
                    f"rate(mysql_global_status_rpl_semi_sync_master_tx_waits{{<semi_sync>}}[{RATE}])"
                ),
                "{{server}}",
            ),
            unit=units.Microseconds,
            width=6,
        ),
    ]


NODE_STATES = {
    1: ("joining", DOUBTFUL),
    2: ("donor", DOUBTFUL),
    3: ("joined", DOUBTFUL),
    4: ("synced", GOOD),
}
"""Of wsrep_local_state (galeracluster.com, "Node state changes")."""


def _galera() -> list[Panel]:
    return [
        _timeline(
            "Nodes",
            "Good: synced. A donor sends all data to a node that joins.",
            _by_server("mysql_global_status_wsrep_local_state{<galera>}", "min"),
            "{{server}}",
            NODE_STATES,
            alerts=["GaleraNodeMissing"],
            width=12,
        ),
        _timeline(
            "Quorum",
            "Whether the part of the cluster that a node sees is the primary one. Without it a "
            "node answers no statements.",
            _by_server("mysql_global_status_wsrep_cluster_status{<galera>}", "min"),
            "{{server}}",
            {0: ("none", BAD), 1: ("primary", GOOD)},
            alerts=["GaleraNotPrimary"],
            width=12,
        ),
        _graph(
            "Flow control",
            "Part of the time in which a node held everybody's writes. Bad: more than 0.2.",
            (
                _by_server(
                    f"rate(mysql_global_status_wsrep_flow_control_paused_ns{{<galera>}}[{RATE}])"
                    " / 1e9"
                ),
                "{{server}}",
            ),
            unit=units.PercentUnit,
            limit=0.2,
            alerts=["GaleraFlowControl"],
        ),
        _graph(
            "Writes that wait to be applied",
            "The queue of each node. Bad: one that grows, as flow control follows.",
            (
                _by_server("mysql_global_status_wsrep_local_recv_queue{<galera>}"),
                "{{server}}",
            ),
            alerts=["GaleraFlowControl"],
        ),
        _graph(
            "Conflicts",
            "Commits that failed as another node changed the same rows first: the clients saw "
            "error 1213. Good: 0, as proxies send all writes to one node.",
            (
                _by_server(
                    f"rate(mysql_global_status_wsrep_local_cert_failures{{<galera>}}[{RATE}])",
                    "sum",
                ),
                "{{server}}",
            ),
            unit=units.OpsPerSecond,
        ),
    ]


def _server() -> list[Panel]:
    return [
        _graph(
            "Connections",
            "Connections to each server, as a part of max_connections. Bad: more than 90 %, as "
            "error 1040 is next.",
            (
                _by_server(
                    "mysql_global_status_threads_connected{<servers>} "
                    "/ mysql_global_variables_max_connections{<servers>}"
                ),
                "{{server}}",
            ),
            unit=units.PercentUnit,
            limit=0.9,
            alerts=["ConnectionsNearLimit"],
        ),
        _graph(
            "Running threads",
            "Statements that run at this moment. Bad: more than the server has processors, for "
            "long.",
            (_by_server("mysql_global_status_threads_running{<servers>}"), "{{server}}"),
        ),
        _graph(
            "Statements",
            "Statements of clients by server.",
            (
                _by_server(f"rate(mysql_global_status_questions{{<servers>}}[{RATE}])", "sum"),
                "{{server}}",
            ),
            unit=units.RequestsPerSecond,
        ),
        _graph(
            "Row locks",
            "Transactions that wait for a lock now. Bad: more than 20, as one holds up many.",
            (
                _by_server("mysql_global_status_innodb_row_lock_current_waits{<servers>}"),
                "{{server}}",
            ),
            limit=20,
            alerts=["RowLockWaits"],
        ),
        _graph(
            "Buffer pool misses",
            "Part of the reads of pages that had to go to the disk. Bad: more than 0.01 for long, "
            "as the data that is used does not fit.",
            (
                _by_server(
                    f"rate(mysql_global_status_innodb_buffer_pool_reads{{<servers>}}[{RATE}]) / "
                    "rate(mysql_global_status_innodb_buffer_pool_read_requests"
                    f"{{<servers>}}[{RATE}])"
                ),
                "{{server}}",
            ),
            unit=units.PercentUnit,
        ),
        _graph(
            "Redo log written",
            "Bytes a second: how much the server changes.",
            (
                _by_server(
                    f"rate(mysql_global_status_innodb_os_log_written{{<servers>}}[{RATE}])", "sum"
                ),
                "{{server}}",
            ),
            unit=units.BytesPerSecondIEC,
        ),
        _graph(
            "Temporary tables on disk",
            "Bad: many, as statements sort or group more than memory holds.",
            (
                _by_server(
                    f"rate(mysql_global_status_created_tmp_disk_tables{{<servers>}}[{RATE}])",
                    "sum",
                ),
                "{{server}}",
            ),
            unit=units.OpsPerSecond,
        ),
        _graph(
            "Clients that broke off",
            "Connections that ended without a goodbye, and logins that failed, past the proxies "
            "too.",
            (
                _by_server(
                    f"rate(mysql_global_status_aborted_clients{{<servers>}}[{RATE}])", "sum"
                ),
                "{{server}} broke off",
            ),
            (
                _by_server(
                    f"rate(mysql_global_status_aborted_connects{{<servers>}}[{RATE}])", "sum"
                ),
                "{{server}} no login",
            ),
            unit=units.OpsPerSecond,
        ),
        _graph(
            "Uptime",
            "A line that falls to 0 is a restart.",
            (_by_server("mysql_global_status_uptime{<servers>}", "min"), "{{server}}"),
            unit=units.Seconds,
        ),
    ]


def _storage() -> list[Panel]:
    return [
        _graph(
            "Volumes",
            "Part of each data volume that is used. Bad: more than 85 %; a full volume stops "
            "writes.",
            (f"max by (persistentvolumeclaim) ({VOLUME_USED})", "{{persistentvolumeclaim}}"),
            unit=units.PercentUnit,
            limit=0.85,
            most=1,
            alerts=["VolumeFillsUp", "VolumeFullSoon"],
        ),
        _graph(
            "Left in four hours",
            "Bytes that will be left in four hours if it goes on as in the last six. Bad: less "
            "than 0.",
            (
                "min by (persistentvolumeclaim) "
                "(predict_linear(kubelet_volume_stats_available_bytes{<volumes>}[6h], 14400))",
                "{{persistentvolumeclaim}}",
            ),
            unit=units.BytesIEC,
            alerts=["VolumeFullSoon"],
        ),
        _graph(
            "Age of the newest backup",
            "A line that falls is a backup that ended well. Bad: above the red line.",
            (f"time() - max({BACKUP_ENDS})", "files"),
            ("time() - max(kube_cronjob_status_last_successful_time{<dumps>})", "dump of SQL"),
            unit=units.DurationSeconds,
            limit="<backup_age>",
            alerts=["BackupTooOld", "DumpTooOld"],
        ),
        _graph(
            "Jobs of backups",
            "What is left of Jobs that made backups, by how they ended. Bad: failed ones.",
            (
                f"count({BACKUP_ENDS}) or vector(0)",
                "ended well",
            ),
            (
                'count(kube_job_failed{namespace="<namespace>",condition="true"} == 1 '
                f"{_OF_BACKUPS}) or vector(0)",
                "failed",
            ),
            alerts=["BackupFailed"],
        ),
        _graph(
            "Age of the last drill",
            "Since a backup was last restored and read. Bad: above the red line.",
            (f"time() - {DRILL_END}", "drill"),
            unit=units.DurationSeconds,
            limit="<drill_age>",
            alerts=["RestoreDrillTooOld", "RestoreDrillFailed"],
        ),
        _graph(
            "Binary logs in the store",
            "Since the collector last worked, which is what a restore to a point in time would "
            "lose. Bad: more than 15 minutes, or a gap.",
            (
                "time() - max(max_over_time("
                "pxc_binlog_collector_last_processing_timestamp{<binlogs>}[1h]) > 0)",
                "since the last upload",
            ),
            (
                "sum(increase(pxc_binlog_collector_gap_detected_total{<binlogs>}[1h]))",
                "gaps in an hour",
            ),
            unit=units.Seconds,
            limit=900,
            alerts=["PointInTimeStalled"],
        ),
    ]


def _operator() -> list[Panel]:
    return [
        _graph(
            "Attempts that failed",
            "Of the operator, for all databases that it runs. Good: 0 in rest. Bad: for long, as "
            "it cannot do what an object asks for.",
            (
                "sum by (controller) "
                f"(rate(controller_runtime_reconcile_errors_total{{<operator>}}[{RATE}]))",
                "{{controller}}",
            ),
            unit=units.OpsPerSecond,
            alerts=["OperatorDown"],
        ),
        _graph(
            "Objects that wait",
            "Objects that the operator has not looked at yet. Bad: it grows.",
            ("sum by (controller) (workqueue_depth{<operator>})", "{{controller}}"),
        ),
        _graph(
            "Time of an attempt",
            "Seconds for one look at an object, of 99 in 100.",
            (
                "histogram_quantile(0.99, sum by (controller, le) "
                f"(rate(controller_runtime_reconcile_time_seconds_bucket{{<operator>}}[{RATE}])))",
                "{{controller}}",
            ),
            unit=units.Seconds,
        ),
    ]


ROWS = {
    "Pair": _pair,
    "Traffic": _traffic,
    "Routing": _routing,
    "Replication": _replication,
    "Galera": _galera,
    "Server": _server,
    "Storage and backups": _storage,
    "Operator": _operator,
}


def dashboard() -> models.Dashboard:
    """All rows, of every engine and topology."""
    made = (
        dashboards.Dashboard("<title>")
        .uid("<uid>")
        .description(
            "Servers, proxies and backups of one database. Made by mysql-ha: what is changed here "
            "is lost at the next update. A panel's text says what is good and what is bad."
        )
        .tags([TAG])
        .time("now-6h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboards.DatasourceVariable("datasource").label("Source").type("prometheus")
        )
        .annotation(
            dashboards.AnnotationQuery()
            .name("Alerts")
            .datasource(SOURCE)
            .enable(True)
            .icon_color(BAD)
            .expr("ALERTS{<alerts>}")
        )
        .link(
            dashboards.DashboardLink("Databases")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    number = 0
    for title, panels in ROWS.items():
        number += 1
        made.with_row(dashboards.Row(title).id(number))
        for panel in panels():
            number += 1
            made.with_panel(panel.id(number))
    return made.build()


def text() -> str:
    """The file."""
    encoded = json.dumps(dashboard(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
    return encoded + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the template, or with `--check` compare it."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboard", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when it is stale")
    made = text()
    if not parser.parse_args(argv).check:
        TEMPLATE.write_text(made)
    elif not TEMPLATE.exists() or TEMPLATE.read_text() != made:
        name = TEMPLATE.relative_to(ROOT)
        print(f"{name} is stale; run `python -m tools.dashboard`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
