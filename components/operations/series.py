"""Which series of a Prometheus are those of a database: label matchers, without braces. Pure.

Rules and dashboards name nothing else. `namespace` of kube-state-metrics' series is that of the
object only where they are read with `honorLabels`, as kube-prometheus does.
"""

from components import names
from components.config.engine import ENGINES
from components.config.stack import StackConfig
from components.operations.places import FULL

DIGEST = "[0-9a-f]{6}"
"""Of an object's name: another one for each version of what is fixed."""
PROXY = ("namespace", "pod")
"""The labels that name one proxy."""


def server_labels(config: StackConfig) -> tuple[str, ...]:
    """The labels that name one server.

    By annotations every server has a Service of its own, and `instance` is the exporter's Pod, of
    which there may be another one tomorrow. Otherwise they share the Service, and `instance` is
    the server's Pod.
    """
    if config.monitoring.scrape == "annotations":
        return ("namespace", "service")
    return ("namespace", "service", "instance")


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
    """The last arguments of `label_replace` that make of a server's labels the name of its Pod."""
    if config.monitoring.scrape == "annotations":
        pod = f"{ENGINES[config.engine].servers(config.name)}-$1"
        return f'"{pod}", "service", ".*-([0-9]+)"'
    return f'"$1", "instance", "{HOST}"'


def server_label(config: StackConfig) -> str:
    """The label by which a person tells servers apart."""
    return "service" if config.monitoring.scrape == "annotations" else "instance"


def collector(config: StackConfig) -> str:
    """What Percona's uploader of binary logs says of itself; its Pod is a Deployment's."""
    pod = f"{names.pxc_collector(config.name)}-[0-9a-z]+-[0-9a-z]+"
    return f'namespace="{config.namespace}",pod=~"{pod}"'


# --- of kube-state-metrics ---


def server_set(config: StackConfig) -> str:
    """The StatefulSet of the servers."""
    return _stateful_set(config, ENGINES[config.engine].servers(config.name))


def proxy_set(config: StackConfig) -> str:
    """The StatefulSet of the proxies, whoever runs them."""
    own = ENGINES[config.engine].proxies(config.name)
    return _stateful_set(
        config, names.pxc_proxysql(config.name) if config.operator_proxies else own
    )


def _stateful_set(config: StackConfig, name: str) -> str:
    return f'namespace="{config.namespace}",statefulset="{name}"'


def backup_jobs(config: StackConfig) -> str:
    """Whose are the Jobs of backups: of scheduled ones, of which a change of what is fixed makes a
    new owner, and of those by `make backup-now`, whose owners have names of that kind too."""
    backups = names.backup(config.name, DIGEST)
    if config.engine == "percona":
        scheduled = names.pxc_scheduled_backup(config.name, FULL)
        return _owned(config, "PerconaXtraDBClusterBackup", f"{scheduled}|{backups}")
    return _owned(config, "PhysicalBackup", backups)


def dump(config: StackConfig) -> str:
    """The CronJob of the dumps of SQL."""
    return f'namespace="{config.namespace}",cronjob=~"{names.dump(config.name, DIGEST)}"'


def drill(config: StackConfig) -> str:
    """The CronJob of the restore drills."""
    return f'namespace="{config.namespace}",cronjob="{names.restore_drill(config.name)}"'


def drill_jobs(config: StackConfig) -> str:
    """Whose are the Jobs of restore drills."""
    return _owned(config, "CronJob", names.restore_drill(config.name))


def _owned(config: StackConfig, kind: str, pattern: str) -> str:
    return f'namespace="{config.namespace}",owner_kind="{kind}",owner_name=~"{pattern}"'


def operator(config: StackConfig) -> str:
    """The operator's Deployment, of which its chart makes the name from that of the release
    (`<release>-<chart>`, or what the release is called if that has the chart's name in it)."""
    deployment = f'deployment=~"(.+-)?({"|".join(ENGINES[config.engine].operators)})"'
    namespace = config.operator.namespace
    return f'namespace="{namespace}",{deployment}' if namespace else deployment


# --- of others ---


def alerts(config: StackConfig) -> str:
    """What Prometheus says of the database's rules that hold."""
    return f'namespace="{config.namespace}",mysql_ha="{config.name}",alertstate="firing"'


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
