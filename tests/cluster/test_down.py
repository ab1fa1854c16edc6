"""`make down` leaves nothing of a cluster behind, also after a start that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from local import REPOSITORY
from local.real.cluster import RealCluster
from local.real.images import Plan
from local.real.node import hierarchies
from local.toolchain import Toolchain

pytestmark = pytest.mark.cluster
START = """
import sys
from pathlib import Path
from local.real.cluster import RealCluster
from local.real.images import Plan
from local.toolchain import Toolchain
RealCluster(Path(sys.argv[1]), Toolchain()).start(2, Plan())
"""


def traces(cluster: RealCluster) -> Mapping[str, set[str]]:
    """What a cluster may leave on the machine."""
    commands: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(cluster.directory) in command or cluster.prefix in command:
            commands.add(f"{process.name} {command}")
    return {
        "processes": commands,
        "mounts": {
            m
            for m in Path("/proc/mounts").read_text().splitlines()
            if "mysql-ha" in m or "/run/netns" in m
        },
        "namespaces": {p.name for p in Path("/run/netns").glob("*")},
        "cgroups": {
            str(group) for hierarchy in hierarchies() for group in hierarchy.glob("mysql-ha*")
        },
        "interfaces": {p.name for p in Path("/sys/class/net").iterdir()},
        "firewall": {_ruleset(cluster)},
        "folders": {str(f) for f in Path("/var/lib").iterdir()}
        | {str(f) for f in Path("/run").iterdir()},
        "files": {str(cluster.directory)} if cluster.directory.exists() else set(),
    }


def _ruleset(cluster: RealCluster) -> str:
    """The firewall rules of this machine, without counters and times."""
    program = cluster.programs.unpacked / "usr/sbin/iptables-save"
    saved = subprocess.run(
        [program], env=cluster.programs.environment, capture_output=True, text=True, check=True
    ).stdout
    return "\n".join(line for line in saved.splitlines() if line.startswith("-"))


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed in the middle"])
def test_nothing_is_left(tools: Toolchain, tmp_path: Path, killed: bool) -> None:
    # Not below a folder that a node has of its own.
    directory = REPOSITORY / ".local" / "test-down" / tmp_path.name
    cluster = RealCluster(directory, tools)
    before = traces(cluster)
    process = subprocess.Popen([sys.executable, "-c", START, str(directory)], cwd=REPOSITORY)
    try:
        if killed:
            kubelet = directory / "kubelet-a.pid"
            deadline = time.monotonic() + 120
            while not kubelet.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL)
            # What the kill may have taken: the record of a process that runs.
            kubelet.unlink()
        assert process.wait(300) == (-signal.SIGKILL if killed else 0)
        assert traces(cluster)["processes"]
    finally:
        process.kill()
        cluster.stop()
    after = traces(cluster)
    assert not {what: left - before[what] for what, left in after.items() if left - before[what]}


def test_a_start_goes_on_where_another_was_killed(tools: Toolchain, tmp_path: Path) -> None:
    directory = REPOSITORY / ".local" / "test-down" / tmp_path.name
    cluster = RealCluster(directory, tools)
    process = subprocess.Popen([sys.executable, "-c", START, str(directory)], cwd=REPOSITORY)
    try:
        time.sleep(4)
        process.kill()
        process.wait()
        cluster.start(1, Plan())
        assert "Ready" in cluster.kubectl("get", "nodes")
    finally:
        process.kill()
        cluster.stop()


def test_a_second_start_changes_nothing(cluster: RealCluster) -> None:
    """kube-proxy ends when its configuration file is written again, whatever it holds."""
    processes = cluster.processes
    before = {name: processes.pid(name) for name in processes.names()}
    cluster.start(1, Plan())
    time.sleep(3)
    assert {name: processes.pid(name) for name in processes.names()} == before
