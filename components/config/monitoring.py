"""`monitoring`: who reads the metrics of servers and proxies, and what is made of them."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from components.config.model import Model, Resources
from components.config.types import Bool, Labels, WebUrl

Scrape = Literal["none", "annotations", "prometheus_operator"]


class Exporter(Model):
    """The Pod that asks the servers for their figures (prometheus/mysqld_exporter)."""

    resources: Resources = Resources(
        requests=Resources.Amounts(cpu="20m", memory="32Mi"),
        limits=Resources.Amounts(cpu="500m", memory="128Mi"),
    )
    """CPU and memory of its container."""


class Alerts(Model):
    """Rules that say what is wrong, each with a page that says what to do."""

    enabled: Bool = True
    """A PrometheusRule. It needs `scrape: prometheus_operator`; for another Prometheus, `make
    render` writes the same rules as a plain file."""
    runbooks: WebUrl | None = None
    """The address below which the runbooks are, such as a copy of `docs/runbooks`: an alert's
    `runbook_url` is that, `/` and `<alert>.md`. Unset: alerts have none."""


class Dashboard(Model):
    """A dashboard of Grafana's, in a ConfigMap that a sidecar of Grafana's loads."""

    enabled: Bool = True
    """Whether it is made."""
    labels: Labels = {"grafana_dashboard": "1"}
    """By which the sidecar finds the ConfigMap; those of Grafana's own chart."""


class Monitoring(Model):
    """Metrics, alerts and a dashboard."""

    scrape: Scrape = "none"
    """`prometheus_operator`: a ServiceMonitor and a PodMonitor, whose kinds the cluster must have;
    `annotations`: `prometheus.io/…` on Services and Pods; `none`: no exporter, no objects. With
    MariaDB it is set to `none`, not removed, to turn metrics off."""
    interval_seconds: Annotated[int, Strict(), Field(ge=5, le=60)] = 30
    """Seconds between two readings. By annotations it is the Prometheus that says."""
    labels: Labels = {}
    """Labels by which a Prometheus chooses the objects of `prometheus_operator`, such as
    `release: kube-prometheus-stack`. With MariaDB no other than `release`."""
    exporter: Exporter = Exporter()
    """The Pod that asks the servers for their figures."""
    alerts: Alerts = Alerts()
    """Rules that say what is wrong, each with a page that says what to do."""
    dashboard: Dashboard = Dashboard()
    """A dashboard of Grafana's, in a ConfigMap that a sidecar of Grafana's loads."""

    @property
    def said(self) -> bool:
        """Whether the stack says who reads metrics, be it nobody."""
        return "scrape" in self.model_fields_set

    @property
    def enabled(self) -> bool:
        """Whether anybody reads metrics."""
        return self.scrape != "none"

    @property
    def by_operator(self) -> bool:
        """Whether prometheus-operator is there, with its kinds."""
        return self.scrape == "prometheus_operator"
