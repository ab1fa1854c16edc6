"""The alerts of a database as an object of prometheus-operator's."""

from collections.abc import Sequence

import pulumi

from components.config.stack import StackConfig
from components.operations import alerts, monitors


def prometheus_rule(
    name: str,
    config: StackConfig,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """The PrometheusRule `<name>`. `after`: what it waits for, such as the namespace."""
    monitors.declare(
        f"{name}-alerts",
        "PrometheusRule",
        config.name,
        alerts.rule_file(config),
        config,
        component="alerts",
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )
