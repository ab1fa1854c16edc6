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
