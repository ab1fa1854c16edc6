"""Which series of a Prometheus are those of a database: label matchers, without braces. Pure.

Rules and dashboards name nothing else. `namespace` of kube-state-metrics' series is that of the
object only where they are read with `honorLabels`, as kube-prometheus does.
"""

from components import names
from components.config.engine import ENGINES
from components.config.stack import StackConfig

SERVER = ("namespace", "service", "instance")
"""The labels that name one server. By annotations every server has a Service of its own, and all
have the exporter's address; otherwise they share the Service, and `instance` is the Pod's host."""
PROXY = ("namespace", "pod")
"""The labels that name one proxy."""


def servers(config: StackConfig) -> str:
    """What the exporter says of the servers."""
    service = names.metrics(config.name)
    if config.monitoring.scrape == "annotations":
        return f'namespace="{config.namespace}",service=~"{service}-[0-9]+"'
    return f'namespace="{config.namespace}",service="{service}"'


def proxies(config: StackConfig) -> str:
    """What this program's proxies say of themselves.

    From 3.0.2 on ProxySQL tells apart what it knows of PostgreSQL by the label `protocol`.
    """
    pods = f"{ENGINES[config.engine].proxies(config.name)}-[0-9]+"
    return f'namespace="{config.namespace}",pod=~"{pods}",protocol!="pgsql"'


def volumes(config: StackConfig) -> str:
    """What the kubelets say of the servers' volumes that hold data."""
    first = ENGINES[config.engine].claims(config.name, config.database.topology, 1)[0]
    claims = f"{first.removesuffix('0')}[0-9]+"
    return f'namespace="{config.namespace}",persistentvolumeclaim=~"{claims}"'


HOST = "(.+?)([.][^:]*[a-z][^:]*)?(:[0-9]+)?"
"""An address; its first group is the first part of a name, or the whole of an IP address."""


def server(config: StackConfig) -> str:
    """The last arguments of `label_replace` that make of SERVER's labels the name of the Pod."""
    if config.monitoring.scrape == "annotations":
        claim = ENGINES[config.engine].claims(config.name, config.database.topology, 1)[0]
        pod = claim.partition("-")[2].removesuffix("0")
        return f'"{pod}$1", "service", ".*-([0-9]+)"'
    return f'"$1", "instance", "{HOST}"'


def backup_jobs(config: StackConfig) -> str:
    """What kube-state-metrics says of who owns the Jobs that copy the servers' files.

    Percona's operator names scheduled backups `cron-<16 characters of the cluster>-<store>-…`
    (pkg/naming/backup.go, ScheduledBackupName).
    """
    kind, owners = {
        "mariadb": ("PhysicalBackup", names.backup(config.name, ".+")),
        "percona": ("PerconaXtraDBClusterBackup", f"cron-{config.name[:16]}-.+"),
    }[config.engine]
    return f'namespace="{config.namespace}",owner_kind="{kind}",owner_name=~"{owners}"'


def drill(config: StackConfig) -> str:
    """What kube-state-metrics says of the CronJob that proves backups."""
    return f'namespace="{config.namespace}",cronjob="{names.restore_drill(config.name)}"'


def collector(config: StackConfig) -> str:
    """What Percona's collector of binary logs says of itself (pkg/pxc/app/binlogcollector)."""
    return f'namespace="{config.namespace}",service="{config.name}-pitr"'


def alerts(config: StackConfig) -> str:
    """Alerts of the database's rules that fire."""
    return f'mysql_ha="{config.name}",alertstate="firing"'


def controllers(config: StackConfig) -> str:
    """What the engine's operator says of its own work, for all databases that it runs.

    `controller` is a label of controller-runtime's; the names are those of mariadb-operator
    v25.10.4 (internal/controller, by kind) and percona-xtradb-cluster-operator v1.18.0
    (pkg/naming/naming.go; `Named` of pkg/controller).
    """
    controllers = {
        "mariadb": "mariadb|user|grant|database|backup|physicalbackup|restore",
        "percona": "pxc-controller|pxcbackup-controller|pxcrestore-controller",
    }[config.engine]
    pods = "|".join(ENGINES[config.engine].operators)
    found = f'pod=~".*({pods})-.+",controller=~"{controllers}"'
    where = config.operator.namespace
    return f'namespace="{where}",{found}' if where else found
