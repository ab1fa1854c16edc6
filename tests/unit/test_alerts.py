"""Rules of alerts: when they are there, when they fire, and what they may name.

`promtool test rules` runs them on made-up series (testbed/monitoring/series.py). All alerts are
looked at in each case, so the one that is broken fires and no other does. What real servers and
proxies make of them is in tests/database/test_alerts.py and tests/dataplane/test_alerts.py.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import names
from components.config.load import resolve
from components.config.presets import SIZES
from components.config.stack import StackConfig
from components.operations import alerts
from components.operations import series as series_of_database
from components.operations.alerts import ALERTS
from local import commands
from testbed.monitoring import prometheus
from testbed.monitoring.rules import selectors
from testbed.monitoring.series import (
    DAY,
    backup_owner,
    healthy,
    job,
    kubernetes,
    proxy,
    series,
    server,
)

S3 = {"endpoint": "s3.example.com", "bucket": "backups"}
HOURLY = {"store": {"s3": S3}, "schedule": "0 * * * *", "timeout": "10m", "retention": "4h"}
OWN = {"managed_by": "mysql-ha"}


def config(**overrides: Any) -> StackConfig:
    """A stack whose metrics prometheus-operator reads; `small` by default."""
    tree = {"size": "small", "name": "orders", "namespace": "shop"}
    return resolve({**tree, "monitoring": {"scrape": "prometheus_operator"}, **overrides})


KEYS = {"existing_secret": {"name": "keys"}}
CONFIGS: Mapping[str, StackConfig] = {
    "dev": config(size="dev"),
    "dev-proxied": config(size="dev", proxy={"enabled": True}),
    "small": config(),
    "annotations": config(monitoring={"scrape": "annotations"}),
    "large": config(size="large", backup={"store": {"s3": S3}}),
    "galera": config(database={"topology": "galera"}, backup={"store": {"s3": S3}}),
    "monitor": config(proxy={"routing": "monitor"}),
    "unsynced": config(database={"semi_sync": False}),
    "backups": config(backup=HOURLY),
    "dumps": config(backup={**HOURLY, "logical": {"schedule": "0 3 * * *", "retention": "72h"}}),
    "no-proxies": config(proxy={"enabled": False}),
    "paused-proxies": config(proxy={"paused": True}),
    "paused": config(
        size="dev", database={"paused": True}, proxy={"enabled": True, "paused": True}
    ),
    "alone": config(proxy={"clustering": "off"}),
    "percona-dev": config(engine="percona", size="dev"),
    "percona": config(engine="percona"),
    "percona-own": config(
        engine="percona",
        proxy=OWN,
        backup={
            **HOURLY,
            "store": {"s3": {**S3, "credentials": KEYS}},
            "point_in_time": {"enabled": True},
        },
    ),
    "operator": config(operator={"namespace": "operators"}),
}

# --- series and cases ---

Value = float | str
Edit = tuple[str, str, Value | None]
"""A metric, a text that its series must have, and what it is now; None: there is none."""
BROKEN: Mapping[str, Value] = {
    "mysql_up": 0,
    "mysql_global_variables_read_only": 0,
    "mysql_slave_status_slave_io_running": 0,
    "mysql_slave_status_slave_sql_running": 0,
    "mysql_slave_status_seconds_behind_master": 9999,
    "mysql_global_status_rpl_semi_sync_master_status": 0,
    "mysql_global_status_rpl_semi_sync_master_no_tx": "0+60x200",
    "mysql_global_status_wsrep_cluster_status": 0,
    "mysql_global_status_wsrep_cluster_size": 1,
    "mysql_global_status_wsrep_local_state": 2,
    "mysql_global_status_wsrep_flow_control_paused_ns": "0+60000000000x200",
    "mysql_global_status_threads_connected": 1e6,
    "mysql_global_status_innodb_row_lock_current_waits": 999,
    "kubelet_volume_stats_available_bytes": 0,
    "kube_statefulset_status_replicas_ready": 0,
    "kube_job_status_completion_time": -1e8,
    "kube_cronjob_status_last_successful_time": -1e8,
    "pxc_binlog_collector_last_processing_timestamp": -1e8,
    "proxysql_connpool_conns_status": 3,
    "proxysql_connpool_conns_total": "0+600x200",
    "proxysql_max_connect_timeouts_total": "0+600x200",
    "proxysql_access_denied_wrong_password_total": "0+600x200",
    "proxysql_client_connections_connected": 1e6,
    "proxysql_mysql_listener_paused": 1,
    "proxysql_servers_checksums_diff_check": 999,
}
"""Everything is wrong."""


def edited(found: Mapping[str, Value], edits: Sequence[Edit]) -> dict[str, Value]:
    """Series of which some are something else, or gone."""
    result = dict(found)
    for metric, text, value in edits:
        hit = [name for name in result if name.startswith(f"{metric}{{") and text in name]
        assert hit, f"nothing is {metric} with {text}"
        for name in hit:
            if value is None:
                del result[name]
            else:
                result[name] = value
    return result


def neighbours(own: StackConfig) -> dict[str, Value]:
    """Other databases, of which all is wrong: one's name begins as ours, one's is the beginning of
    ours, and one has our name in another namespace."""
    found: dict[str, Value] = {}
    for name, namespace in (("orders-2", "shop"), ("order", "shop"), ("orders", "else")):
        other = own.model_copy(update={"name": name, "namespace": namespace})
        for each, value in healthy(other).items():
            if each.startswith("kube_deployment"):  # the operator is everybody's
                continue
            found[each] = BROKEN.get(each.partition("{")[0], value)
    return found


@dataclass(frozen=True, kw_only=True)
class Case:
    """What fires when some series are not as they should be."""

    id: str
    of: str
    edits: tuple[Edit, ...] = ()
    more: Mapping[str, Value] | None = None
    fires: tuple[str, ...] = ()
    """Each as often as it fires."""
    minutes: int = 45
    protocol: str | None = None


def found(case: Case) -> dict[str, Value]:
    """The series of a case."""
    own = CONFIGS[case.of]
    pgsql: dict[str, Value] = {}
    if case.protocol:
        for name, value in healthy(own, "pgsql").items():
            if 'protocol="pgsql"' in name:
                pgsql[name] = BROKEN.get(name.partition("{")[0], value)
    mine = edited({**healthy(own, case.protocol)}, case.edits)
    return {**neighbours(own), **pgsql, **mine, **(case.more or {})}


def text_of(cases: Sequence[Case], folder: Path) -> Path:
    """Files for `promtool test rules`, of cases of one stack."""
    (of,) = {case.of for case in cases}
    (folder / "rules.yaml").write_text(yaml.safe_dump(alerts.rule_file(CONFIGS[of])))
    file = folder / "cases.yaml"
    tests = [written(case) for case in cases]
    # JSON is YAML, and written sooner.
    file.write_text(json.dumps({"rule_files": ["rules.yaml"], "tests": tests}))
    return file


def written(case: Case) -> dict[str, Any]:
    """A case as promtool reads it."""
    counted = {name: case.fires.count(name) for name in case.fires}
    constant = f"+0x{case.minutes}"
    return {
        "name": case.id,
        "interval": "1m",
        "input_series": [
            {
                "series": name,
                "values": value if isinstance(value, str) else f"{value}{constant}",
            }
            for name, value in found(case).items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{case.minutes}m",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": number}
                    for name, number in counted.items()
                ],
            }
        ],
    }


FIRST, SECOND, THIRD = "orders-0.", "orders-1.", "orders-2."
UP, READ_ONLY = "mysql_up", "mysql_global_variables_read_only"
IO, SQL = (f"mysql_slave_status_slave_{thread}_running" for thread in ("io", "sql"))
LAG = "mysql_slave_status_seconds_behind_master"
SEMI_SYNC = "mysql_global_status_rpl_semi_sync_master"
STATUS, CLIENTS, ALONE = (f"{SEMI_SYNC}_{figure}" for figure in ("status", "clients", "no_tx"))
ENABLED = "mysql_global_variables_rpl_semi_sync_master_enabled"
WSREP = "mysql_global_status_wsrep_"
AVAILABLE = "kubelet_volume_stats_available_bytes"
READY, WANTED = "kube_statefulset_status_replicas_ready", "kube_statefulset_replicas"
CREATED = "kube_statefulset_created"
PROCESSED = "pxc_binlog_collector_last_processing_timestamp"
ONLINE = "proxysql_connpool_conns_status"
LAST = "kube_cronjob_status_last_successful_time"
PROXY_1, PROXIES = "orders-proxysql-1", 'statefulset="orders-proxysql"'
WRITER, READER = 'hostgroup="10"', 'hostgroup="20"'


def gone(ordinal: int) -> tuple[Edit, ...]:
    """A server that does not answer: the exporter says that, and nothing else."""
    host = f"orders-{ordinal}."
    told = [
        name.partition("{")[0]
        for name in healthy(CONFIGS["small"])
        if host in name and not name.startswith("mysql_up")
    ]
    return ((UP, host, 0), *((metric, host, None) for metric in told))


def gone_pxc(ordinal: int) -> tuple[Edit, ...]:
    host = f"orders-pxc-{ordinal}."
    told = [
        name.partition("{")[0]
        for name in healthy(CONFIGS["percona"])
        if host in name and not name.startswith("mysql_up")
    ]
    return ((UP, host, 0), *((metric, host, None) for metric in told))


def jobs(of: str, **ends: dict[str, float]) -> dict[str, Value]:
    """More Jobs of a database's backups."""
    owner, kind = backup_owner(CONFIGS[of])
    return {
        name: value
        for suffix, end in ends.items()
        for name, value in job(CONFIGS[of], f"{owner}-{suffix}", owner, kind, **end)
    }


def by_hand(of: str, completed: float) -> dict[str, Value]:
    """The Job of a backup by `make backup-now` (local/jobs.py)."""
    owner, (_, kind) = names.backup("orders", "fedcba"), backup_owner(CONFIGS[of])
    return {**dict(job(CONFIGS[of], f"{owner}-1", owner, kind, completed=completed))}


def drills(**ends: dict[str, float]) -> dict[str, Value]:
    """Jobs of restore drills."""
    own = CONFIGS["backups"]
    return {
        name: value
        for suffix, end in ends.items()
        for name, value in job(
            own, f"orders-restore-drill-{suffix}", "orders-restore-drill", "CronJob", **end
        )
    }


def other_jobs(number: int) -> dict[str, Value]:
    """Failed Jobs of the namespace that are nobody's backups."""
    return {
        name: value
        for index in range(number)
        for name, value in job(CONFIGS["small"], f"report-{index}", "report", "CronJob", failed=0)
    }


WITHOUT_JOBS = tuple(
    (metric, "orders-backup", None)
    for metric in (
        "kube_job_owner",
        "kube_job_status_start_time",
        "kube_job_status_active",
        "kube_job_status_completion_time",
    )
)
WITHOUT_KUBERNETES: tuple[Edit, ...] = (
    *WITHOUT_JOBS,
    (READY, 'namespace="shop"', None),
    (WANTED, 'namespace="shop"', None),
    (CREATED, 'namespace="shop"', None),
    ("kube_deployment_status_replicas_available", "", None),
    ("kube_cronjob_created", "", None),
    (LAST, "", None),
)

WITHOUT_KUBERNETES_DEV: tuple[Edit, ...] = (
    (READY, 'namespace="shop"', None),
    (WANTED, 'namespace="shop"', None),
    (CREATED, 'namespace="shop"', None),
    ("kube_deployment_status_replicas_available", "", None),
)


def figures(of: str) -> dict[str, Value]:
    """What the exporter says."""
    return {name: v for name, v in healthy(CONFIGS[of]).items() if name.startswith("mysql_")}


def silent(of: str, minutes: int) -> tuple[Edit, ...]:
    """From some minute on the exporter says nothing."""
    edits: list[Edit] = []
    for name, value in figures(of).items():
        metric, _, labels = name.partition("{")
        edits.append((metric, labels, f"{value}x{minutes} stale"))
    return tuple(edits)


def moved(of: str) -> dict[str, Value]:
    """What another Pod of the exporter says."""
    return {name.replace("10.0.0.1", "10.0.0.9"): value for name, value in figures(of).items()}


def again(of: str, begin: int, minutes: int) -> dict[str, Value]:
    """The same from some minute on."""
    return {name: f"_x{begin} {value}x{minutes}" for name, value in moved(of).items()}


def booting(of: str) -> tuple[Edit, ...]:
    """A database that is new, of which no server answers yet."""
    told = {name.partition("{")[0] for name in figures(of)} - {UP}
    return (
        (UP, 'namespace="shop"', 0),
        (CREATED, 'namespace="shop"', 0),
        *((metric, 'namespace="shop"', None) for metric in sorted(told)),
    )


GONE = {**server(CONFIGS["small"], 0), "instance": "orders-3.orders-internal:3306"}

BREAKS: tuple[Case, ...] = (
    # Servers.
    Case(
        id="dev, its server is gone",
        of="dev",
        edits=((UP, "", 0),),
        fires=("DatabaseServerDown",),
    ),
    Case(id="a replica is gone", of="small", edits=gone(2), fires=("DatabaseServerDown",)),
    Case(
        id="the primary is gone, and nobody is promoted",
        of="small",
        edits=gone(0),
        fires=("DatabaseServerDown", "DatabaseNoWritableServer"),
    ),
    Case(
        id="by annotations a replica is gone",
        of="annotations",
        edits=((UP, "orders-metrics-2", 0), (SQL, "metrics-2", None), (IO, "metrics-2", None)),
        fires=("DatabaseServerDown",),
    ),
    Case(
        id="one server was never read",
        of="small",
        edits=((UP, THIRD, None),),
        fires=("DatabaseMetricsMissing",),
    ),
    Case(
        id="one server hangs, of which the exporter says nothing",
        of="small",
        edits=((UP, THIRD, "1x20 stale"),),
        fires=("DatabaseServerDown",),
    ),
    Case(
        id="one server hangs for two hours",
        of="small",
        edits=((UP, THIRD, "1x20 stale"),),
        fires=("DatabaseServerDown",),
        minutes=120,
    ),
    Case(
        id="the stack had a server more",
        of="small",
        more={series(UP, **GONE): "1x20 stale"},
    ),
    *(
        Case(
            id=f"{of}: all servers hang, or the exporter is gone",
            of=of,
            edits=silent(of, 20),
            # The second one is inhibited (docs/monitoring.md).
            fires=("DatabaseUnseen", "DatabaseMetricsMissing"),
        )
        for of in ("dev", "small", "annotations", "percona")
    ),
    Case(
        id="all servers hang, and nobody knows but by what is to be read",
        of="dev",
        edits=(*silent("dev", 20), *WITHOUT_KUBERNETES_DEV),
        more={series("up", **server(CONFIGS["dev"], 0)): 0},
        fires=("DatabaseUnseen", "DatabaseMetricsMissing", "KubernetesMetricsMissing"),
    ),
    Case(
        id="nothing is known of anything",
        of="dev",
        edits=(*silent("dev", 20), *WITHOUT_KUBERNETES_DEV),
        fires=("DatabaseMetricsMissing", "KubernetesMetricsMissing"),
    ),
    Case(
        id="by annotations the exporter's Pod is another one",
        of="annotations",
        edits=silent("annotations", 30),
        more=again("annotations", 27, 60),
        minutes=80,
    ),
    Case(
        id="while it is replaced both are read",
        of="annotations",
        edits=silent("annotations", 30),
        more=again("annotations", 20, 60),
        minutes=29,
    ),
    Case(
        id="by annotations a server hangs, and the exporter's Pod is another one",
        of="annotations",
        edits=silent("annotations", 30),
        more={
            name: f"_x31 {value}x10 stale" if "metrics-2" in name else f"_x31 {value}x60"
            for name, value in moved("annotations").items()
        },
        minutes=80,
        fires=("DatabaseServerDown",),
    ),
    *(
        Case(id=f"{of}: its servers boot", of=of, edits=booting(of), minutes=30)
        for of in ("dev", "percona-dev", "percona", "annotations")
    ),
    Case(
        id="its servers never come up",
        of="percona",
        edits=booting("percona"),
        minutes=75,
        fires=(*["DatabaseServerDown"] * 3, "GaleraNotPrimary"),
    ),
    Case(
        id="its servers were up, and are not",
        of="percona",
        edits=tuple((m, t, "1x20 0x25" if m == UP else v) for m, t, v in booting("percona")),
        fires=(*["DatabaseServerDown"] * 3, "GaleraNotPrimary"),
    ),
    Case(
        id="no server is read",
        of="small",
        edits=tuple(
            (name, 'namespace="shop"', None)
            for name in {n.partition("{")[0] for n in healthy(CONFIGS["small"])}
            if name.startswith("mysql_") and "slave" not in name
        ),
        fires=("DatabaseMetricsMissing",),
    ),
    Case(
        id="no kube-state-metrics",
        of="backups",
        edits=WITHOUT_KUBERNETES,
        fires=("KubernetesMetricsMissing",),
        minutes=120,
    ),
    Case(
        id="connections",
        of="small",
        edits=(("mysql_global_status_threads_connected", SECOND, 460),),
        fires=("ConnectionsNearLimit",),
    ),
    Case(
        id="the proxies have all that they may",
        of="small",
        edits=(("mysql_global_status_threads_connected", "", 442),),
    ),
    Case(
        id="row locks",
        of="dev",
        edits=(("mysql_global_status_innodb_row_lock_current_waits", "", 21),),
        fires=("RowLockWaits",),
    ),
    # Replication.
    Case(
        id="all are read-only",
        of="small",
        edits=((READ_ONLY, FIRST, 1), (IO, "", 0)),
        fires=("DatabaseNoWritableServer",),
    ),
    Case(
        id="MariaDB 12: read_only is a word",
        of="small",
        edits=((READ_ONLY, SECOND, None), (READ_ONLY, THIRD, None)),
    ),
    Case(
        id="MariaDB 12: all are read-only by a word",
        of="small",
        edits=((READ_ONLY, "", None),),
        fires=("DatabaseNoWritableServer",),
    ),
    Case(
        id="two are writable",
        of="small",
        edits=((READ_ONLY, SECOND, 0),),
        # It has no replica.
        fires=("DatabaseTwoWritableServers", "SemiSyncOff"),
    ),
    Case(
        id="a thread has stopped, and the lag is NULL",
        of="small",
        edits=((SQL, SECOND, 0), (LAG, SECOND, None)),
        fires=("ReplicationBroken",),
    ),
    Case(
        id="both threads have stopped",
        of="small",
        edits=((SQL, SECOND, 0), (IO, SECOND, 0), (LAG, SECOND, None)),
        fires=("ReplicationBroken",),
    ),
    Case(
        id="by annotations threads have stopped on both replicas",
        of="annotations",
        edits=((SQL, "", 0), (IO, "", 0), (LAG, "", None)),
        fires=("ReplicationBroken", "ReplicationBroken"),
    ),
    Case(
        id="a replica follows nobody",
        of="small",
        edits=((SQL, SECOND, None), (IO, SECOND, None), (LAG, SECOND, None)),
        fires=("ReplicationBroken",),
    ),
    Case(
        id="the new primary still has what it followed",
        of="small",
        more={
            series(
                metric, **{**dict(re.findall(r'(\w+)="([^"]*)"', name)), "master_host": "old"}
            ): 0
            for name in healthy(CONFIGS["small"])
            if name.startswith("mysql_up{") and FIRST in name
            for metric in (IO, SQL)
        },
    ),
    Case(id="lag", of="small", edits=((LAG, THIRD, 31),), fires=("ReplicationLag",)),
    Case(id="lag is NULL", of="small", edits=((LAG, "", None),)),
    Case(
        id="commits that no replica has",
        of="small",
        edits=((STATUS, FIRST, 0), (ALONE, FIRST, "0+60x200")),
        fires=("SemiSyncOff",),
    ),
    Case(id="nobody has written since a failover", of="small", edits=((STATUS, FIRST, 0),)),
    Case(id="semi-sync off", of="small", edits=((ENABLED, FIRST, 0),), fires=("SemiSyncOff",)),
    Case(id="no replica", of="small", edits=((CLIENTS, FIRST, 0),), fires=("SemiSyncOff",)),
    Case(id="semi-sync is not asked for", of="unsynced", edits=((STATUS, "", 0),)),
    # Galera.
    Case(
        id="no quorum",
        of="galera",
        edits=((f"{WSREP}cluster_status", "", 0), (f"{WSREP}local_state", "", 0)),
        fires=("GaleraNotPrimary", *["GaleraNodeMissing"] * 3),
    ),
    Case(
        id="all nodes are gone",
        of="percona",
        edits=tuple(edit for ordinal in range(3) for edit in gone_pxc(ordinal)),
        fires=(*["DatabaseServerDown"] * 3, "GaleraNotPrimary"),
    ),
    Case(
        id="a node is gone",
        of="percona",
        edits=(*gone_pxc(2), (f"{WSREP}cluster_size", "", 2)),
        fires=("DatabaseServerDown",),
    ),
    Case(
        id="a node is alone",
        of="percona",
        edits=((f"{WSREP}cluster_size", "pxc-2.", 1),),
        fires=("GaleraNodeMissing",),
    ),
    Case(
        id="a donor",
        of="percona",
        edits=((f"{WSREP}local_state", "pxc-2.", 2),),
        fires=("GaleraNodeMissing",),
    ),
    Case(
        id="a donor of a backup",
        of="percona-own",
        edits=((f"{WSREP}local_state", "pxc-2.", 2),),
        more=jobs("percona-own", now={}),
    ),
    Case(
        id="flow control",
        of="galera",
        edits=((f"{WSREP}flow_control_paused_ns", FIRST, "0+18000000000x45"),),
        fires=("GaleraFlowControl",),
    ),
    # Volumes.
    Case(
        id="a volume has 10 % left",
        of="dev",
        edits=((AVAILABLE, "", 10e9),),
        fires=("VolumeFillsUp",),
    ),
    Case(
        id="a volume has 4 % left",
        of="small",
        edits=((AVAILABLE, "orders-1", 4e9),),
        fires=("VolumeFillsUp", "VolumeFullSoon"),
    ),
    Case(
        id="a volume is full soon",
        of="small",
        edits=((AVAILABLE, "orders-1", f"{45e9}-{4e8}x45"),),
        fires=("VolumeFullSoon",),
    ),
    Case(
        id="an empty volume is filled",
        of="small",
        edits=((AVAILABLE, "orders-1", f"{95e9}-{5e8}x45"),),
    ),
    Case(
        id="a volume was filled to 60 %, and is not any more",
        of="small",
        edits=((AVAILABLE, "orders-1", f"{100e9}-{1e9}x60 {40e9}x200"),),
        minutes=150,
    ),
    Case(
        id="a volume is filled on and on",
        of="small",
        edits=((AVAILABLE, "orders-1", f"{100e9}-{5e8}x150"),),
        minutes=150,
        fires=("VolumeFullSoon",),
    ),
    Case(id="no volume is known", of="small", edits=((AVAILABLE, "", None),)),
    # Backups.
    Case(
        id="no backup for long",
        of="backups",
        minutes=120,
        fires=("BackupTooOld",),
        edits=((LAST, "drill", 0),),
    ),
    Case(
        id="many backups, of which one is new",
        of="backups",
        more={
            **jobs("backups", **{f"n{n}": {"completed": -n * 3600.0} for n in range(2, 40)}),
            **jobs("backups", new={"completed": 3600}),
            **other_jobs(30),
        },
        minutes=120,
    ),
    Case(
        id="Percona, no backup for long",
        of="percona-own",
        minutes=120,
        fires=("BackupTooOld",),
    ),
    Case(
        id="there was never a backup",
        of="backups",
        edits=WITHOUT_JOBS,
        minutes=80,
        fires=("BackupMissing",),
    ),
    Case(
        id="a new database has no backup yet",
        of="backups",
        edits=(*WITHOUT_JOBS, (CREATED, 'namespace="shop"', 0)),
        minutes=60,
    ),
    Case(
        id="there was never a backup, and kube-state-metrics was away twice",
        of="backups",
        edits=(
            *WITHOUT_JOBS,
            (CREATED, "orders", f"0x40 stale {'0 ' * 40}stale {'0 ' * 30}"),
            (WANTED, "orders", f"3x40 stale {'3 ' * 40}stale {'3 ' * 30}"),
        ),
        minutes=110,
        fires=("BackupMissing",),
    ),
    *(
        Case(
            id=f"{of}: a backup failed, and `make backup-now` made one",
            of=of,
            edits=(("kube_job_status_completion_time", "orders-", -DAY),),
            more={**jobs(of, bad={"failed": 300}), **by_hand(of, 1200)},
        )
        for of in ("backups", "percona-own")
    ),
    *(
        Case(
            id=f"{of}: the only new backup is by `make backup-now`",
            of=of,
            edits=(("kube_job_status_completion_time", "orders-", -DAY),),
            more=by_hand(of, 1200),
        )
        for of in ("backups", "percona-own")
    ),
    Case(
        id="the first backup never ends",
        of="backups",
        edits=WITHOUT_JOBS,
        more=jobs("backups", first={}),
        minutes=80,
        fires=("BackupMissing",),
    ),
    Case(
        id="a backup failed after one that did not",
        of="backups",
        more=jobs("backups", bad={"failed": 600}),
        fires=("BackupFailed",),
    ),
    Case(
        id="a backup failed before one that did not",
        of="backups",
        more=jobs("backups", bad={"failed": -600}),
    ),
    Case(
        id="the first two backups failed",
        of="backups",
        edits=(*WITHOUT_JOBS, (CREATED, 'namespace="shop"', 0)),
        more={**jobs("backups", a={"failed": 600}, b={"failed": 1200}), **other_jobs(5)},
        fires=("BackupFailed", "BackupFailed"),
    ),
    Case(
        id="Percona, a backup failed",
        of="percona-own",
        more=jobs("percona-own", bad={"failed": 600}),
        fires=("BackupFailed",),
    ),
    Case(
        id="no dump for long",
        of="dumps",
        edits=((LAST, "orders-dump", -2 * DAY),),
        fires=("DumpTooOld",),
    ),
    Case(
        id="dumps are new",
        of="dumps",
        edits=((LAST, "orders-dump", 0),),
    ),
    Case(
        id="a drill failed",
        of="backups",
        more=drills(a={"failed": 0}),
        fires=("RestoreDrillFailed",),
    ),
    Case(
        id="a drill failed, and the next one did not",
        of="backups",
        more=drills(a={"failed": -2 * DAY}, b={"completed": -DAY}),
    ),
    Case(
        id="no drill for long",
        of="backups",
        edits=((LAST, "drill", -8 * DAY),),
        fires=("RestoreDrillTooOld",),
    ),
    Case(
        id="no drill yet",
        of="backups",
        edits=((LAST, "drill", None), ("kube_cronjob_created", "drill", 0)),
    ),
    Case(
        id="never a drill",
        of="backups",
        edits=((LAST, "drill", None),),
        fires=("RestoreDrillTooOld",),
    ),
    Case(
        id="the collector stands still",
        of="percona-own",
        edits=((PROCESSED, "", -100),),
        fires=("PointInTimeStalled",),
    ),
    Case(
        id="the collector ends at each error",
        of="percona-own",
        edits=((PROCESSED, "", f"1200x20 stale {'0 stale _ _ _ ' * 20}"),),
        fires=("PointInTimeStalled",),
        minutes=60,
    ),
    Case(
        id="it does for hours",
        of="percona-own",
        edits=((PROCESSED, "", f"1200x20 stale {'0 stale _ _ _ ' * 40}"),),
        more=jobs("percona-own", new={"completed": 9000}),
        fires=("PointInTimeStalled",),
        minutes=150,
    ),
    Case(
        id="the collector begins anew",
        of="percona-own",
        edits=((PROCESSED, "", "2400x40 stale"),),
        more={series(PROCESSED, namespace="shop", pod="orders-pitr-6d5f7c9b8-aaaaa"): "_x41 0x10"},
    ),
    Case(
        id="there is no collector",
        of="percona-own",
        edits=((PROCESSED, "", None),),
        fires=("PointInTimeStalled",),
    ),
    Case(
        id="there is no collector yet",
        of="percona-own",
        edits=((PROCESSED, "", None), (CREATED, "", 0)),
    ),
    Case(
        id="a gap in the binary logs",
        of="percona-own",
        edits=(("pxc_binlog_collector_gap_detected_total", "", "0x20 1x25"),),
        fires=("PointInTimeStalled",),
    ),
    # Proxies.
    Case(id="no proxy is ready", of="small", edits=((READY, PROXIES, 0),), fires=("ProxiesDown",)),
    Case(
        id="one of Percona's proxies is not ready",
        of="percona",
        edits=((READY, PROXIES, 2),),
        fires=("ProxyDown",),
    ),
    Case(
        id="one proxy is not ready, and not read either",
        of="small",
        edits=(
            (READY, PROXIES, 2),
            ("proxysql_uptime_seconds_total", PROXY_1, None),
            (ONLINE, PROXY_1, None),
        ),
        fires=("ProxyDown",),
    ),
    Case(
        id="proxies are not read",
        of="small",
        edits=(("proxysql_uptime_seconds_total", "", None), (ONLINE, "", None)),
        fires=("ProxyMetricsMissing",),
    ),
    Case(id="proxies are paused on purpose", of="paused-proxies"),
    Case(id="servers are paused", of="paused"),
    Case(
        id="no writer",
        of="small",
        edits=((ONLINE, WRITER, 3),),
        fires=("ProxyNoWriter",) * 3,
    ),
    Case(
        id="one proxy has no row of a writer",
        of="dev-proxied",
        edits=((ONLINE, WRITER, None),),
        fires=("ProxyNoWriter",),
    ),
    Case(id="no reader", of="small", edits=((ONLINE, READER, 2),)),
    Case(
        id="proxies have different writers",
        of="galera",
        edits=((ONLINE, WRITER, None),),
        more={
            series(ONLINE, **proxy(CONFIGS["galera"], n), hostgroup=10, endpoint=f"{n}:3306"): 1
            for n in range(3)
        },
        fires=("ProxyTwoWriters",),
    ),
    Case(
        id="a proxy has two writers",
        of="monitor",
        more={series(ONLINE, **proxy(CONFIGS["monitor"], 0), hostgroup=10, endpoint="b:3306"): 1},
        fires=("ProxyTwoWriters", "ProxyTwoWriters"),
    ),
    Case(
        id="9001",
        of="small",
        edits=(("proxysql_max_connect_timeouts_total", PROXY_1, "0x42 1x3"),),
        fires=("ProxyWaitTimeouts",),
    ),
    Case(
        id="9001 an hour ago",
        of="small",
        edits=(("proxysql_max_connect_timeouts_total", PROXY_1, "0x20 1x25"),),
    ),
    Case(
        id="errors of connections",
        of="small",
        edits=(("proxysql_connpool_conns_total", f'{READER},instance="10.0.1.1', "0+60x45"),),
        fires=("ProxyBackendErrors",),
    ),
    Case(
        id="a paused proxy",
        of="small",
        edits=(("proxysql_mysql_listener_paused", PROXY_1, 1),),
        fires=("ProxyPaused",),
    ),
    Case(
        id="another configuration",
        of="small",
        edits=(("proxysql_servers_checksums_diff_check", PROXY_1, 900),),
        fires=("ProxyConfigDrift",),
    ),
    Case(
        id="proxies that do not know each other",
        of="alone",
        edits=(("proxysql_servers_checksums_diff_check", PROXY_1, 900),),
    ),
    Case(
        id="clients",
        of="small",
        edits=(("proxysql_client_connections_connected", PROXY_1, 1700),),
        fires=("ProxyClientsNearLimit",),
    ),
    Case(
        id="passwords",
        of="small",
        edits=(("proxysql_access_denied_wrong_password_total", "", "0+30x45"),),
        fires=("LoginsRefused",),
    ),
    # The operator.
    Case(
        id="the operator is down",
        of="operator",
        edits=(("kube_deployment_status_replicas_available", "", 0),),
        fires=("OperatorDown",),
    ),
    Case(
        id="the operator's Deployment is gone",
        of="small",
        edits=(("kube_deployment_status_replicas_available", "", None),),
        fires=("OperatorDown",),
    ),
    Case(
        id="another namespace's operator is down",
        of="operator",
        more={
            series(
                "kube_deployment_status_replicas_available",
                namespace="else",
                deployment="mariadb-operator",
            ): 0
        },
    ),
    Case(
        id="the operator's webhook is down",
        of="small",
        more={
            series(
                "kube_deployment_status_replicas_available",
                namespace="operators",
                deployment="mariadb-operator-webhook",
            ): 0
        },
    ),
)
WELL = tuple(Case(id=f"{name} is well", of=name, minutes=40) for name in CONFIGS)
PROXY_CASES = ("no writer", "9001", "errors of connections", "passwords", "clients")
WITH_PROTOCOL = tuple(
    Case(
        id=f"3.x: {case.id}",
        of=case.of,
        edits=case.edits,
        fires=case.fires,
        protocol="mysql",
    )
    for case in BREAKS
    if case.id in PROXY_CASES
)
CASES = (
    *WELL,
    Case(id="3.x: small is well", of="small", protocol="mysql"),
    *BREAKS,
    *WITH_PROTOCOL,
)


@pytest.mark.broad
@pytest.mark.parametrize("of", CONFIGS)
def test_what_is_wrong_fires_and_nothing_else(of: str, promtool: Path, tmp_path: Path) -> None:
    """All cases of a stack at once, as each start of promtool takes as long as a case."""
    prometheus.try_rules(promtool, text_of([case for case in CASES if case.of == of], tmp_path))


@pytest.mark.parametrize("alert", sorted({alert.name for alert in ALERTS}))
def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    assert any(alert in case.fires for case in BREAKS)
    silent = (case for case in CASES if alert not in case.fires)
    assert any(alert in names_of(CONFIGS[case.of]) for case in silent)


# --- what rules name ---

NAMESPACED = {"namespace"}
JOB = NAMESPACED | {"job_name"}
CRON_JOB = NAMESPACED | {"cronjob"}
STATEFUL_SET = NAMESPACED | {"statefulset"}
VOLUME = NAMESPACED | {"persistentvolumeclaim"}
COLLECTOR = NAMESPACED | {"pod"}
KNOWN: Mapping[str, set[str]] = {
    # kubernetes v1.34, pkg/kubelet/metrics/collectors/volume_stats.go
    "kubelet_volume_stats_available_bytes": VOLUME,
    "kubelet_volume_stats_capacity_bytes": VOLUME,
    # kube-state-metrics v2.9, docs/metrics/workload
    "kube_statefulset_created": STATEFUL_SET,
    "kube_statefulset_replicas": STATEFUL_SET,
    "kube_statefulset_status_replicas_ready": STATEFUL_SET,
    "kube_deployment_status_replicas_available": NAMESPACED | {"deployment"},
    "kube_job_owner": JOB | {"owner_kind", "owner_name", "owner_is_controller"},
    "kube_job_status_active": JOB,
    "kube_job_status_start_time": JOB,
    "kube_job_status_completion_time": JOB,
    "kube_job_failed": JOB | {"condition"},
    "kube_cronjob_created": CRON_JOB,
    "kube_cronjob_status_last_successful_time": CRON_JOB,
    # Prometheus itself, of what it is to read; labels of a ServiceMonitor
    "up": NAMESPACED | {"service"},
    # percona-xtradb-cluster-operator v1.18.0, cmd/pitr/collector; labels of a PodMonitor
    "pxc_binlog_collector_last_processing_timestamp": COLLECTOR,
    "pxc_binlog_collector_gap_detected_total": COLLECTOR,
}
"""Metrics of what cannot run here, and their labels."""


def test_nothing_is_named_that_is_not_known() -> None:
    """What servers and proxies say, tests/database and tests/dataplane ask of real ones."""
    named = {
        selector
        for own in CONFIGS.values()
        for rule in alerts.rules(own)
        for selector in selectors(rule.expression)
    }
    of_others = {metric for metric, _ in named if not metric.startswith(("mysql_", "proxysql_"))}
    assert of_others == KNOWN.keys()
    for metric, matchers in named:
        if metric in KNOWN:
            assert set(re.findall(r"(\w+)[!=]", matchers)) <= KNOWN[metric], (metric, matchers)


def test_what_is_made_up_is_named_as_it_is() -> None:
    for own in CONFIGS.values():
        for name in kubernetes(own):
            metric, _, labels = name.partition("{")
            assert set(re.findall(r'(\w+)="', labels)) == KNOWN[metric]


# --- which are there ---


def names_of(own: StackConfig) -> list[str]:
    return [rule.name for rule in alerts.rules(own)]


@pytest.mark.broad
@pytest.mark.parametrize("name", CONFIGS)
def test_promtool_takes_every_file(name: str, promtool: Path, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(alerts.rule_file(CONFIGS[name])))
    assert f"{len(names_of(CONFIGS[name]))} rules found" in prometheus.check_rules(promtool, file)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_database_has_the_alerts_of_its_topology(name: str) -> None:
    """A replicated MariaDB has Galera's figures too, and they say that there is no cluster."""
    own, rules = CONFIGS[name], alerts.rules(CONFIGS[name])
    text = "".join(rule.expression for rule in rules)
    runs = own.database.running > 0
    assert ("wsrep" in text) == (runs and own.database.topology == "galera" and name[-3:] != "dev")
    assert ("read_only" in text) == (runs and own.database.topology == "replication")
    assert ("semi_sync" in text) == ("read_only" in text and own.database.semi_sync)
    assert ("proxysql_" in text) == (own.own_proxies and not own.proxy.paused)
    assert ("pxc_binlog" in text) == own.backup.point_in_time.enabled
    assert ("kube_job" in text) == (own.backup.target is not None)
    assert len({rule.name for rule in rules}) == len(rules)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_a_single_server_that_is_down_wakes_somebody(size: str, engine: str) -> None:
    (rule,) = (
        r for r in alerts.rules(config(size=size, engine=engine)) if r.name == "DatabaseServerDown"
    )
    assert rule.severity == ("critical" if size == "dev" else "warning")


def test_a_backup_a_week_is_missed_as_soon_as_one_an_hour() -> None:
    """Whatever is not known for a moment begins `for` anew, so that it cannot be a week."""
    weekly = {"store": {"s3": S3}, "schedule": "0 4 * * 0", "retention": "2160h"}
    own = config(backup=weekly, database={"binlog_expire_days": 8})
    (rule,) = (rule for rule in alerts.rules(own) if rule.name == "BackupMissing")
    assert rule.for_ == 2 * 3600 + 600
    assert rule.expression.endswith(f" > {7 * DAY + 2 * 3600}")


def test_numbers_come_from_the_config() -> None:
    def expression(name: str, **overrides: Any) -> str:
        (rule,) = (r for r in alerts.rules(config(**overrides)) if r.name == name)
        return rule.expression

    assert expression("DatabaseMetricsMissing", database={"replicas": 5}).endswith("< 5")
    hostgroups = {"hostgroups": {"writer": 7}}
    assert 'hostgroup="7"' in expression("ProxyNoWriter", proxy=hostgroups)
    assert expression("BackupTooOld", backup=HOURLY).endswith(f"> {3600 + 600}")
    daily = {"store": {"s3": S3}, "drill": {"schedule": "43 4 * * *"}}
    assert expression("RestoreDrillTooOld", backup=daily).endswith(f"> {DAY + 2 * 2 * 3600}")


@pytest.mark.parametrize("name", CONFIGS)
def test_who_is_told_can_be_chosen(name: str) -> None:
    """By labels that each alert has, whatever series it came from."""
    own = CONFIGS[name]
    (group,) = alerts.rule_file(own)["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["mysql_ha"] == own.name
        assert rule["labels"]["namespace"] == own.namespace
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert re.fullmatch(r"([1-9][0-9]*[hms])+", rule["for"])
        assert set(rule["annotations"]) == {"summary", "description"}


def test_runbooks_are_below_their_address() -> None:
    address = {"alerts": {"runbooks": "https://docs.example.com/runbooks/"}}
    (group,) = alerts.rule_file(config(monitoring={"scrape": "annotations", **address}))["groups"]
    (url,) = {
        rule["annotations"]["runbook_url"]
        for rule in group["rules"]
        if rule["alert"] == "ReplicationBroken"
    }
    assert url == "https://docs.example.com/runbooks/ReplicationBroken.md"


@pytest.mark.parametrize(
    ("whole", "text"), [(0, "0s"), (60, "1m"), (93_600, "26h"), (5_400, "1h30m"), (61, "1m1s")]
)
def test_durations_are_prometheuss(whole: int, text: str) -> None:
    assert alerts.duration(whole) == text


# --- the page ---

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"


def alertmanager() -> str:
    """The configuration on the page."""
    (text,) = re.findall(r"```yaml\n(route:.*?)```", PAGE.read_text(), re.DOTALL)
    return text


@pytest.mark.broad
def test_alertmanager_takes_the_pages_configuration(amtool: Path, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(alertmanager())
    assert "5 inhibit rules" in commands.run([amtool, "check-config", file])


def test_what_is_inhibited_exists_and_has_the_labels() -> None:
    """A label that neither has would count as equal."""
    known = {alert.name for alert in ALERTS}
    of_server = {
        label for own in CONFIGS.values() for label in series_of_database.server_labels(own)
    }
    for inhibition in yaml.safe_load(alertmanager())["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            (matcher,) = inhibition[side]
            assert set(re.findall(r"[A-Z]\w+", matcher)) <= known
        assert {"namespace", "mysql_ha"} <= set(inhibition["equal"])
        assert set(inhibition["equal"]) <= of_server | {"mysql_ha", "persistentvolumeclaim"}
