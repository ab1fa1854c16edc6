"""One set of servers of each topology a session; proxies are made afresh for each deployment."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from testbed.dataplane.deployment import Lab
from testbed.dataplane.nodes import Servers
from testbed.dataplane.release import Release, program

SEMI_SYNC_TIMEOUT_MS = 10_000
"""`database.semi_sync_timeout`, as it is by default with the fence."""
UNFENCED_TIMEOUT_MS = 1_500
"""Without it every promotion waits for so long."""


@pytest.fixture(scope="session")
def lab() -> Generator[Lab]:
    """Binaries and a directory, or a skip that says what is missing."""
    if reason := Lab.missing():
        pytest.skip(reason)
    with Lab.open() as lab:
        yield lab


@pytest.fixture(scope="session")
def replication(lab: Lab) -> Generator[Servers]:
    """A primary and two semi-sync replicas, with the my.cnf of the fence."""
    with lab.replication(SEMI_SYNC_TIMEOUT_MS) as servers:
        yield servers


@pytest.fixture(scope="session")
def unfenced(lab: Lab) -> Generator[Servers]:
    """The same as mariadb-operator alone makes them (`adopt: import`)."""
    with lab.replication(UNFENCED_TIMEOUT_MS, ()) as servers:
        yield servers


@pytest.fixture(scope="session")
def galera(lab: Lab) -> Generator[Servers]:
    """Three nodes that certify each other's writes."""
    if lab.installation.galera_provider() is None:
        pytest.skip("no Galera provider on this machine (Debian: galera-4)")
    with lab.galera() as servers:
        yield servers


def release_of(lab: Lab, servers: Servers, kind: str, **proxy: Any) -> Release:
    """What the program renders for these servers; `kind` is a routing mode or `galera`."""
    if kind == "galera":
        return program(lab.proxysql_version, servers.version, "galera", **proxy)
    return program(lab.proxysql_version, servers.version, "replication", routing=kind, **proxy)
