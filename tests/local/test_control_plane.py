"""Processes are ended only when they are ours; ports and credentials are kept."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local import LocalError
from local.control_plane import CONTEXT, ControlPlane, Process, running
from local.toolchain import Toolchain

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    directory = tmp_path / "cluster"
    directory.mkdir()
    return ControlPlane(directory, Toolchain(tmp_path / "cache"))


@pytest.fixture
def sleeper(plane: ControlPlane) -> Process:
    return Process("kwok", SLEEP, "http://127.0.0.1:9")


def record(plane: ControlPlane, name: str, pid: int, argv: list[str]) -> None:
    text = json.dumps({"pid": pid, "argv": argv})
    (plane.directory / f"{name}.pid").write_text(text)


def test_running_knows_a_process_by_its_whole_command() -> None:
    mine = Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    argv = [os.fsdecode(part) for part in mine]
    assert running(os.getpid(), argv)
    assert not running(os.getpid(), [*argv, "--other"])


def test_a_stranger_with_a_reused_pid_survives(plane: ControlPlane) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        record(plane, "etcd", stranger.pid, ["/cache/etcd", "--data-dir=x"])
        assert plane.status() == {"etcd": False}
        plane.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "{", '{"pid": 999999999, "argv": ["etcd"]}'])
def test_a_stale_or_broken_pid_file_is_no_process(plane: ControlPlane, content: str) -> None:
    (plane.directory / "etcd.pid").write_text(content)
    assert plane.status() == {"etcd": False}
    plane.stop()
    assert not plane.directory.exists()


def test_start_is_idempotent_and_stop_ends_it(plane: ControlPlane, sleeper: Process) -> None:
    assert plane.launch(sleeper)
    pid = json.loads((plane.directory / "kwok.pid").read_text())["pid"]
    assert not plane.launch(sleeper)
    assert plane.status() == {"kwok": True}
    plane.stop()
    assert not running(pid, SLEEP)


def test_changed_arguments_restart_the_process(plane: ControlPlane, sleeper: Process) -> None:
    plane.launch(sleeper)
    old = json.loads((plane.directory / "kwok.pid").read_text())["pid"]
    assert plane.launch(Process("kwok", [*SLEEP, "--new"], sleeper.health))
    assert not running(old, SLEEP)
    assert plane.status() == {"kwok": True}
    plane.stop()


def test_a_failed_start_shows_the_end_of_its_log(plane: ControlPlane) -> None:
    plane.choose_ports()
    plane.write_credentials()
    broken = Process("kwok", [sys.executable, "-c", "exit('bad flag')"], "http://127.0.0.1:9")
    plane.launch(broken)
    with pytest.raises(LocalError, match=r"kwok ended while starting(.|\n)*bad flag"):
        plane.wait_healthy(broken)


def test_ports_are_kept_until_a_stranger_takes_one(plane: ControlPlane) -> None:
    plane.choose_ports()
    first = plane.ports
    plane.choose_ports()
    assert plane.ports == first
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first["etcd"]))
        stranger.listen()
        plane.choose_ports()
    assert plane.ports["etcd"] != first["etcd"]
    assert len(set(plane.ports.values())) == len(plane.ports)


def test_credentials_are_kept_and_private(plane: ControlPlane) -> None:
    plane.choose_ports()
    plane.write_credentials()
    first = plane.kubeconfig.read_bytes()
    plane.write_credentials()
    assert plane.kubeconfig.read_bytes() == first
    keys = [*(plane.directory / "pki").glob("*.key"), *plane.directory.glob("*kubeconfig")]
    assert len(keys) == 9
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_kubeconfig_has_one_context_on_loopback(plane: ControlPlane) -> None:
    plane.choose_ports()
    plane.write_credentials()
    config = yaml.safe_load(plane.kubeconfig.read_text())
    assert [context["name"] for context in config["contexts"]] == [CONTEXT]
    assert config["current-context"] == CONTEXT
    assert config["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")
