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

from local import LocalError, ports
from local.control_plane import ControlPlane
from local.kubectl import CONTEXT
from local.processes import Process, identity
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


def record(plane: ControlPlane, name: str, pid: int, identity: str) -> None:
    text = json.dumps({"pid": pid, "identity": identity})
    (plane.directory / f"{name}.pid").write_text(text)


def test_a_process_keeps_its_identity_and_loses_it_at_its_end() -> None:
    with subprocess.Popen(SLEEP) as process:
        first = identity(process.pid)
        assert first
        assert identity(process.pid) == first
        assert identity(os.getpid()) != first
        process.kill()
        process.wait()
    assert identity(process.pid) is None


def test_a_process_lives_until_its_last_thread_ends() -> None:
    """Its first thread is a zombie then, with no arguments, and its port is still taken."""
    program = """
import ctypes, socket, threading, time
listener = socket.create_server(("127.0.0.1", 0))
def rest():
    time.sleep(0.2)
    print(listener.getsockname()[1], flush=True)
    time.sleep(60)
threading.Thread(target=rest).start()
ctypes.CDLL(None).pthread_exit(None)  # ends the first thread only
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        try:
            assert Path(f"/proc/{process.pid}/cmdline").read_bytes() == b""
            assert identity(process.pid)
            assert not ports.all_free([port])
        finally:
            process.kill()


def test_a_stranger_with_a_reused_pid_survives(plane: ControlPlane) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        record(plane, "etcd", stranger.pid, "another boot 1")
        assert plane.status() == {"etcd": False}
        plane.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "{", '{"pid": 999999999, "identity": "1 1"}'])
def test_a_stale_or_broken_pid_file_is_no_process(plane: ControlPlane, content: str) -> None:
    (plane.directory / "etcd.pid").write_text(content)
    assert plane.status() == {"etcd": False}
    plane.stop()
    assert not plane.directory.exists()


def test_start_is_idempotent_and_stop_ends_it(plane: ControlPlane, sleeper: Process) -> None:
    assert plane.processes.launch(sleeper)
    pid = json.loads((plane.directory / "kwok.pid").read_text())["pid"]
    assert not plane.processes.launch(sleeper)
    assert plane.status() == {"kwok": True}
    plane.stop()
    assert identity(pid) is None


def test_changed_arguments_restart_the_process(plane: ControlPlane, sleeper: Process) -> None:
    plane.processes.launch(sleeper)
    old = json.loads((plane.directory / "kwok.pid").read_text())["pid"]
    assert plane.processes.launch(Process("kwok", [*SLEEP, "--new"], sleeper.health))
    assert identity(old) is None
    assert plane.status() == {"kwok": True}
    plane.stop()


def test_a_changed_file_restarts_the_process(plane: ControlPlane, tmp_path: Path) -> None:
    file = tmp_path / "stages.yaml"
    file.write_text("one")
    process = Process("kwok", SLEEP, "http://127.0.0.1:9", files=(file,))
    plane.processes.launch(process)
    assert not plane.processes.launch(process)
    file.write_text("two")
    assert plane.processes.launch(process)
    plane.stop()


def test_a_failed_start_shows_the_end_of_its_log(plane: ControlPlane) -> None:
    plane.choose_ports()
    plane.write_credentials()
    broken = Process("kwok", [sys.executable, "-c", "exit('bad flag')"], "http://127.0.0.1:9")
    plane.processes.launch(broken)
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
