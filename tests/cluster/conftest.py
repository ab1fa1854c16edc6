"""One cluster of real nodes and one engine for the session; skipped, with the reason, without."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from components.config import load as configuration
from local import REPOSITORY, LocalError
from local.choice import this_machine
from local.engine import Engine
from local.real.cluster import RealCluster
from local.real.images import Sources, proxysql_program
from local.real.network import NAMESPACES
from local.toolchain import REAL, Toolchain

from .inside import Inside

HOME = REPOSITORY / ".local" / "test-cluster"


def missing() -> str | None:
    """Why real nodes cannot run here."""
    lacks = this_machine().lacks_for_real
    return f"no real nodes here: this machine lacks {', '.join(lacks)}" if lacks else None


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    if reason := missing():
        pytest.skip(reason)
    tools = Toolchain()
    tools.prepare(REAL)
    return tools


@pytest.fixture(scope="session")
def proxied() -> bool:
    """Whether there is a ProxySQL to run in front of the servers."""
    return proxysql_program() is not None


@pytest.fixture(scope="session")
def cluster(tools: Toolchain, proxied: bool) -> Generator[RealCluster]:
    cluster = RealCluster(HOME, tools)
    # `timeout` and CI end a run with SIGTERM, at which Python would skip the finally below.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster.stop()  # what a killed run left
    try:
        cluster.start(3, cluster.images.plan(sources(cluster, proxied)))
        yield cluster
    finally:
        cluster.stop()


def sources(cluster: RealCluster, proxied: bool) -> Sources:
    """Of what the scenarios deploy; a second tag of the server's image for the roll of an image."""
    try:
        section = {"mysql-ha:size": "small", "mysql-ha:proxy": {"enabled": proxied}}
        newer = {**section, "mysql-ha:images": {"database": {"tag": NEWER}}}
        return cluster.images.sources([*configuration.read(section), *configuration.read(newer)])
    except LocalError as error:
        pytest.skip(str(error))


NEWER = "11.8"
"""Another tag of the same series; what is packed here is the same server under both."""


@pytest.fixture(scope="session")
def inside(cluster: RealCluster) -> Generator[Inside]:
    inside = Inside(NAMESPACES / cluster.prefix)
    yield inside
    inside.close()


@pytest.fixture(scope="session")
def engine(cluster: RealCluster, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine_of(cluster, tmp_path_factory.mktemp("engine"))


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
