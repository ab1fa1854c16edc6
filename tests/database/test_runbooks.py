"""43: what docs/runbooks has servers asked is asked here, of real ones.

A `kubectl` that knows only `exec` runs the command at hand, with the clients of this machine.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.database.servers import Cluster, Installation
from tests.unit.test_runbooks import NAMES, lines

from .conftest import clustered, replicated

pytestmark = pytest.mark.database

KUBECTL = """#!/bin/sh
# -n shop exec POD -c CONTAINER -- COMMAND
test "$3" = exec && test "$5 $7" = "-c --" || exit 3
export POD="$4" MARIADB_ROOT_PASSWORD= MYSQL_ROOT_PASSWORD=
shift 7
exec "$@"
"""
CLIENT = """#!/bin/sh
port=$(cat {folder}/${{POD##*-}})
exec {client} --no-defaults --host=127.0.0.1 --port="$port" --skip-ssl "$@"
"""
ASKED = ("mariadb -u root", "mysql -u root")


def questions(galera: bool) -> list[tuple[str, str]]:
    """(page, command) of what is asked of servers, in a cluster or not."""
    return [
        (name, line)
        for name in NAMES
        for _, line in lines(name)
        if any(asked in line for asked in ASKED) and name.startswith("Galera") == galera
    ]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs, which find the ports of servers in files called by their ordinals."""
    found = shutil.which("mariadb")
    if found is None:
        pytest.skip("no mariadb on this machine (Debian: mariadb-client)")
    folder = tmp_path_factory.mktemp("clients")
    for name in ("mariadb", "mysql"):
        (folder / name).write_text(CLIENT.format(folder=folder, client=found))
    (folder / "kubectl").write_text(KUBECTL)
    for name in ("mariadb", "mysql", "kubectl"):
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def pair(installation: Installation, workspace: Path) -> Iterator[Cluster]:
    with replicated(installation, workspace, "runbooks") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def nodes(installation: Installation, workspace: Path) -> Iterator[Cluster]:
    with clustered(installation, workspace, "runbooks-galera") as cluster:
        yield cluster


def ask(line: str, cluster: Cluster, clients: Path) -> str:
    for ordinal, server in enumerate(cluster.servers):
        (clients / str(ordinal)).write_text(str(server.port))
    with cluster.primary.session() as session:  # one that may be ended
        number = session.query("SELECT CONNECTION_ID()").value
        log = session.query("SELECT SUBSTRING_INDEX(@@log_bin_basename, '/', -1)").value
        here = {"KILL 1": f"KILL {number}", "orders-bin.000042": f"{log}.000001"}
        for there, one in here.items():
            line = line.replace(there, one)
        done = subprocess.run(
            ("bash", "-c", line),
            env={"PATH": f"{clients}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("page", "line"), questions(galera=False))
def test_a_replicated_server_answers(page: str, line: str, pair: Cluster, clients: Path) -> None:
    said = ask(line, pair, clients)
    if "SHOW" in line and "LIKE" in line or "SHOW ALL SLAVES" in line:
        assert said, f"{page}: nothing of that name"


@pytest.mark.parametrize(("page", "line"), questions(galera=True))
def test_a_node_of_a_cluster_answers(page: str, line: str, nodes: Cluster, clients: Path) -> None:
    assert ask(line, nodes, clients), f"{page}: nothing of that name"
