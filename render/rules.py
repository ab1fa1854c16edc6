"""The alerts of databases, as files for a Prometheus that no operator of its own configures."""

from collections.abc import Iterable

from components.config.stack import StackConfig
from components.operations import alerts
from render.manifests import MADE, dump

FOLDER = "prometheus"
"""Beside the objects: `kubectl apply -f` of their folder must not find these files."""
HEADER = f"{MADE} For `rule_files` of a Prometheus.\n"


def files(configs: Iterable[StackConfig]) -> dict[str, str]:
    """File name to text, of each database whose metrics somebody reads."""
    return {
        f"{FOLDER}/{config.namespace}-{config.name}.rules.yaml": HEADER
        + dump(alerts.rule_file(config), first=("alert", "expr", "for"))
        for config in configs
        if config.monitoring.enabled and config.monitoring.alerts.enabled
    }
