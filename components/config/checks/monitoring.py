"""Rules of `monitoring`: what nobody would read, or what an operator would not do."""

import re
from collections.abc import Iterator

from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig

OLDEST_EXPORTER = (0, 15)
"""The first with `/probe`, by which one exporter asks every server."""
RELEASE = "release"
"""The one label that mariadb-operator gives to its ServiceMonitor (v25.10.4 and v26.6.0,
pkg/builder/servicemonitor_builder.go). Others it takes from `spec.inheritMetadata` only, which is
for every object that it makes, and rolls the servers."""


def the_exporter_probes(config: StackConfig) -> Iterator[Fault]:
    """A tag without a version is whatever its writer says."""
    tag = config.images.exporter.tag
    match = re.match(r"v?(\d+)\.(\d+)", tag)
    if config.monitoring.enabled and match and (int(match[1]), int(match[2])) < OLDEST_EXPORTER:
        oldest = ".".join(map(str, OLDEST_EXPORTER))
        yield (
            "images.exporter.tag",
            f"{tag} has no /probe, by which one exporter asks every server",
            f"use {oldest} or later",
        )


def an_imported_object_is_left_as_it_is(config: StackConfig) -> Iterator[Fault]:
    """The exporter of mariadb-operator is in its object, and so are Percona's accounts."""
    monitoring, operators = config.monitoring, ENGINES[config.engine].exports
    in_object = monitoring.by_operator if operators else monitoring.enabled
    if config.adopt == "import" and in_object:
        yield (
            "monitoring.scrape",
            "needs an entry in the operator's object, which adopt: import leaves as it is",
            "remove it, or set adopt to take_over",
        )


def the_operator_has_one_label(config: StackConfig) -> Iterator[Fault]:
    monitoring = config.monitoring
    if monitoring.by_operator:
        for label in sorted(monitoring.labels.keys() - {RELEASE}):
            yield (
                f"monitoring.labels.{label}",
                "does not reach the servers: mariadb-operator gives its ServiceMonitor no label "
                f"but {RELEASE}",
                f"remove it, and have the Prometheus choose by {RELEASE} (its "
                "serviceMonitorSelector)",
            )


RULES = (the_exporter_probes, an_imported_object_is_left_as_it_is)
MARIADB_RULES = (the_operator_has_one_label,)
