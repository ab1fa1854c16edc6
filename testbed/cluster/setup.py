"""The cluster and the engine that stacks on real nodes need, and why a machine cannot run them."""

from __future__ import annotations

from pathlib import Path

from components.config import load as configuration
from local.choice import this_machine
from local.engine import Engine
from local.real.cluster import RealCluster
from local.real.images import Sources

NEWER = "11.8"
"""Another tag of the same series; what is packed here is the same server under both."""


def missing() -> str | None:
    """Why real nodes cannot run here."""
    lacks = this_machine().lacks_for_real
    return f"no real nodes here: this machine lacks {', '.join(lacks)}" if lacks else None


def sources(cluster: RealCluster, proxied: bool) -> Sources:
    """Of what the scenarios deploy; a second tag of the server's image for the roll of an image.

    LocalError if this machine has no way to them.
    """
    section = {
        "mysql-ha:size": "small",
        "mysql-ha:proxy": {"enabled": proxied},
        "mysql-ha:monitoring": {"scrape": "prometheus_operator"},
    }
    newer = {**section, "mysql-ha:images": {"database": {"tag": NEWER}}}
    return cluster.images.sources([*configuration.read(section), *configuration.read(newer)])


def engine_of(cluster: RealCluster, directory: Path) -> Engine:
    """The real engine, with its state in `directory`."""
    return Engine(
        directory=directory,
        command=cluster.tools.pulumi(),
        kubeconfig=cluster.kubeconfig,
        plugin_path=cluster.tools.plugin_path(),
        pulumi_home=cluster.tools.pulumi_home,
        answers_sql=True,
    )
