"""What `make down` finds and removes, with nothing but Python, and what a start makes anew."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local import LocalError, commands
from local.control_plane import ControlPlane
from local.processes import Process, Processes, end_by_force, started_with
from local.real import network, node
from local.real.cluster import RealCluster
from local.real.network import Network
from local.real.node import Node
from local.real.programs import Programs
from local.toolchain import Toolchain

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
FAMILY = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], stdin=sys.stdin)"
)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's own folders, empty."""
    for name in ("netns", "cgroup"):
        (tmp_path / name).mkdir()
    (tmp_path / "mountinfo").touch()
    monkeypatch.setattr(network, "NAMESPACES", tmp_path / "netns")
    monkeypatch.setattr(network, "MADE", tmp_path / "made")
    monkeypatch.setattr(network, "MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr(node, "CGROUPS", tmp_path / "cgroup")
    return tmp_path


@pytest.fixture
def cluster(machine: Path) -> RealCluster:
    return RealCluster(machine / "place" / "cluster", Toolchain(machine / "cache"))


def mount(machine: Path) -> None:
    line = f"40 27 0:25 /netns {machine / 'netns'} rw shared:5 - tmpfs tmpfs rw\n"
    (machine / "mountinfo").write_text(line)


# Processes


def test_changed_variables_restart_a_process(tmp_path: Path) -> None:
    """A program that PATH leads to is another one when PATH is."""
    processes = Processes(tmp_path)
    assert processes.launch(Process("containerd", SLEEP, env={"XTABLES_LIBDIR": "/old"}))
    assert not processes.launch(Process("containerd", SLEEP, env={"XTABLES_LIBDIR": "/old"}))
    assert processes.launch(Process("containerd", SLEEP, env={"XTABLES_LIBDIR": "/new"}))
    processes.end_all()


def test_of_the_environment_a_process_gets_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("PATH", "GOGC", "HOME", "HTTPS_PROXY")
    for name in names:
        monkeypatch.setenv(name, f"ambient {name}")
    say = f"print([os.environ.get(name) for name in {names}], flush=True)"
    command = [sys.executable, "-c", f"import os, time; {say}; time.sleep(60)"]
    processes, log = Processes(tmp_path), tmp_path / "x.log"
    processes.launch(Process("x", command))
    processes.wait("x", lambda: log.read_text().endswith("\n"))
    processes.end_all()
    assert log.read_text() == f"{['ambient PATH', None, str(tmp_path), None]}\n"


@pytest.mark.parametrize("lost", ["record", "folder"])
def test_what_no_file_tells_of_ends_too(machine: Path, lost: str) -> None:
    plane = ControlPlane(machine / "plane", Toolchain(machine / "cache"))
    plane.directory.mkdir()
    plane.processes.launch(Process("etcd", SLEEP))
    while not plane.processes.descendants():  # Linux shows no variables of it for a moment
        assert plane.processes.pid("etcd")
    if lost == "folder":
        shutil.rmtree(plane.directory)
    else:
        (plane.directory / "etcd.pid").unlink()
    assert plane.remains()
    plane.stop()
    assert not plane.processes.descendants()
    assert not plane.remains()


def test_children_have_the_variable_and_strangers_have_not(tmp_path: Path) -> None:
    ours = {**os.environ, "MYSQL_HA_TEST": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", FAMILY], env=ours, stdin=subprocess.PIPE)
    theirs = {**os.environ, "MYSQL_HA_TEST": f"{tmp_path}x"}
    stranger = subprocess.Popen(SLEEP, env=theirs)
    try:
        while len(started_with("MYSQL_HA_TEST", str(tmp_path))) < 2:
            assert parent.poll() is None
        end_by_force(lambda: started_with("MYSQL_HA_TEST", str(tmp_path)))
        assert not started_with("MYSQL_HA_TEST", str(tmp_path))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


# Namespaces


def test_only_the_clusters_own_namespaces_go_and_the_bridge_last(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mysql-ha-1", "mysql-ha-1-a", "mysql-ha-1-b", "mysql-ha-12", "other"):
        (machine / "netns" / name).touch()
    ran: list[str] = []

    def run(command: Sequence[object]) -> str:
        ran.append(" ".join(map(str, command)).replace(str(machine / "netns"), "netns"))
        return ""

    monkeypatch.setattr(commands, "run", run)
    network.remove("mysql-ha-1")
    assert ran == [f"umount --lazy netns/mysql-ha-1{node}" for node in ("-b", "-a", "")]
    assert {f.name for f in (machine / "netns").iterdir()} == {"mysql-ha-12", "other"}


@pytest.mark.parametrize(
    ("made", "others", "unmounts"),
    [(True, False, True), (False, False, False), (True, True, False)],
    ids=["ours and the last", "the machine's own", "somebody's namespace is in it"],
)
def test_the_mount_goes_when_it_was_made_for_ours(
    machine: Path, monkeypatch: pytest.MonkeyPatch, made: bool, others: bool, unmounts: bool
) -> None:
    mount(machine)
    if made:
        (machine / "made").touch()
    if others:
        (machine / "netns" / "theirs").touch()
    ran: list[list[str]] = []

    def run(command: Sequence[object]) -> str:
        ran.append([str(part) for part in command])
        return ""

    monkeypatch.setattr(commands, "run", run)
    network.remove("mysql-ha-1")
    assert ran == ([["umount", str(machine / "netns")]] if unmounts else [])
    assert (machine / "netns").exists() is not unmounts
    assert (machine / "made").exists() is (made and not unmounts)


@pytest.mark.parametrize("mounted", [False, True])
def test_a_mount_that_was_there_is_not_ours(
    machine: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    if mounted:
        mount(machine)

    def run(*_: object) -> str:
        return ""

    monkeypatch.setattr(Programs, "run", run)
    Network("mysql-ha-1", Programs(machine, machine, machine)).start(["a"])
    assert (machine / "made").exists() is not mounted


def test_processes_are_found_by_their_namespace(machine: Path) -> None:
    """A link stands for the file that iproute2 binds the namespace to."""
    (machine / "netns" / "mysql-ha-1").symlink_to("/proc/self/ns/net")
    (machine / "netns" / "mysql-ha-2").touch()
    assert os.getpid() in network.inside(["mysql-ha-1"])
    assert not network.inside(["mysql-ha-2", "mysql-ha-3"])
    assert not network.inside([])


# Clusters


def test_a_stop_needs_no_program_and_no_folder(
    cluster: RealCluster, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `rm -rf .local`, without Go, without a cache, without a mirror."""
    cluster.directory.mkdir(parents=True)
    cluster.processes.launch(Process("etcd", SLEEP))
    shutil.rmtree(cluster.directory)
    (machine / "netns" / f"{cluster.prefix}-a").touch()
    (machine / "cgroup" / "memory" / cluster.prefix / "a").mkdir(parents=True)

    def never(_: object) -> Programs:
        raise LocalError("nothing is unpacked")

    monkeypatch.setattr(RealCluster, "programs", property(never))
    assert cluster.remains()
    cluster.stop()
    assert not cluster.remains()
    assert not (machine / "cache").exists()


@pytest.mark.parametrize(
    ("complete", "ended"),
    [
        ({None, "a", "b"}, []),
        ({None, "a"}, ["b"]),
        ({"a", "b"}, ["all", "a", "b"]),
        (set[str | None](), ["all", "a", "b"]),
    ],
)
def test_what_ran_in_a_namespace_that_is_gone_ends(
    cluster: RealCluster, monkeypatch: pytest.MonkeyPatch, complete: set[str | None],
    ended: list[str],
) -> None:  # fmt: skip
    found: list[str] = []

    class Fake:
        def complete(self, letter: str | None = None) -> bool:
            return letter in complete

        def start(self, letters: Sequence[str]) -> None:
            found.append("start")

    class FakeNode:
        def __init__(self, letter: str) -> None:
            self.letter = letter

        def end(self) -> None:
            found.append(self.letter)

    def make(_: object, letter: str) -> FakeNode:
        return FakeNode(letter)

    def end(_: object) -> None:
        complete.clear()
        found.append("all")

    monkeypatch.setattr(RealCluster, "network", Fake())
    monkeypatch.setattr(RealCluster, "node", make)
    monkeypatch.setattr(RealCluster, "_end", end)
    cluster.connect(["a", "b"])
    assert found == [*ended, "start"]


# Nodes


class Launched(Processes):
    """Records what would be started."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.launched: dict[str, list[str]] = {}

    def pid(self, name: str) -> int | None:
        return 4242 if name in self.launched else None

    def up_to_date(self, process: Process) -> bool:
        return self.launched.get(process.name) == process.configuration()

    def launch(self, process: Process) -> bool:
        changed = not self.up_to_date(process)
        self.launched[process.name] = process.configuration()
        return changed

    def wait(self, name: str, works: Any) -> None:
        pass


@pytest.fixture
def made(machine: Path) -> Node:
    programs = Programs(machine / "kubelet", machine / "kube-proxy", machine / "unpacked")
    processes = Launched(machine)
    return Node("a", machine, Network("mysql-ha-1", programs), programs, processes)


def test_a_second_start_of_a_node_starts_nothing(made: Node) -> None:
    assert made.start()
    assert made.join()
    assert not made.start()
    assert not made.join()


@pytest.mark.parametrize("setting", ["restrict_oom_score_adj", "failSwapOn"])
def test_a_changed_file_restarts_what_reads_it(
    made: Node, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    made.start()
    made.join()
    original = Path.write_text

    def write(self: Path, data: str, **options: Any) -> int:
        return original(self, data.replace(setting, f"{setting}Other"), **options)

    monkeypatch.setattr(Path, "write_text", write)
    containerd, kubelet = made.start(), made.join()
    assert (containerd, kubelet) == (
        setting == "restrict_oom_score_adj",
        setting == "failSwapOn",
    )


def test_without_its_mounts_all_of_a_node_is_made_anew(made: Node, machine: Path) -> None:
    """What ran in the former ones ends, and /run is empty, as after a power cut."""
    made.start()
    stale = machine / "nodes/a/root/run/containerd/state"
    stale.parent.mkdir(parents=True)
    stale.touch()
    kept = machine / "nodes/a/root/var/lib/containerd/image"
    kept.parent.mkdir(parents=True)
    kept.touch()
    shim = subprocess.Popen(SLEEP, env={node.OWNER: made.name})
    made.start()
    assert shim.poll() is None
    assert stale.exists()
    assert isinstance(made.processes, Launched)
    del made.processes.launched["node-a"]
    made.start()
    assert shim.wait(30) < 0
    assert not stale.exists()
    assert kept.exists()


def test_the_records_of_a_process_say_how_it_was_started(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.launch(Process("x", SLEEP, env={"B": "2", "A": "1"}))
    said = json.loads((tmp_path / "x.pid").read_text())["configuration"]
    processes.end_all()
    assert said == [*SLEEP, "A=1", "B=2"]
