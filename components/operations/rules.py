"""The alerts of a database as an object of prometheus-operator's."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.stack import StackConfig
from components.operations import alerts

API_VERSION, KIND = "monitoring.coreos.com/v1", "PrometheusRule"


def prometheus_rule(
    name: str,
    config: StackConfig,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """The PrometheusRule `<name>`. `after`: what it waits for, such as the namespace."""
    k8s.apiextensions.CustomResource(
        f"{name}-alerts",
        api_version=API_VERSION,
        kind=KIND,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=config.name,
            namespace=config.namespace,
            labels={**config.monitoring.labels, **names.labels(config.name, "alerts")},
        ),
        spec=alerts.rule_file(config),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )
