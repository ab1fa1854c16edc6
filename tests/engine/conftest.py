"""The real tools, one control plane for the run, and an engine for each worker."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from unittest import mock

import pytest
from pulumi.automation import PulumiCommand

from components.proxysql import tier
from local import REPOSITORY, processes
from local.control_plane import ControlPlane
from local.engine import Engine
from local.toolchain import SIMULATED, Toolchain
from tests.engine import nursery, quick

HOME = REPOSITORY / ".local" / "test"
"""A folder for each run, named after its process: runs disturb neither each other nor `make up`."""
WORKER = "PYTEST_XDIST_WORKER" in os.environ
RUN = str(os.getppid() if WORKER else os.getpid())
"""The process of the run: workers are its children."""
COLLECTING = {"GOGC": os.environ.get("GOGC", "400")}
"""How often programs of Go collect garbage (https://pkg.go.dev/runtime#hdr-Environment_Variables)."""


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    tools = Toolchain()
    tools.prepare(SIMULATED)
    return tools


@pytest.fixture(scope="module", autouse=True)
def quick_rolls() -> Iterator[None]:
    """Rolls of simulated Pods, of which none fails after it became ready, take less than six
    seconds a Pod; that a roll waits at all is left as it is."""
    with mock.patch.object(tier, "MIN_READY", 1):
        yield


@pytest.fixture(scope="module", autouse=True)
def quick_reads() -> Iterator[None]:
    """What an operation has done is read from its backend's files, and the many short processes of
    Go programs collect less garbage: there is little, and they end soon."""
    with quick.reading(), mock.patch.dict(os.environ, COLLECTING):
        yield


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Garbage is looked for again after each test: the program turns that off for its process."""
    yield
    gc.enable()


@pytest.fixture(scope="session")
def control_plane(
    tools: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """One for all workers of a run: the first starts it, the last one stops it."""
    _end_leftovers(tools)
    folder = tmp_path_factory.getbasetemp()
    with ((folder.parent if WORKER else folder) / "control-plane.users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with running(ControlPlane(HOME / RUN, tools), keep=lambda: _used(users)) as plane:
            yield plane


def _used(users: TextIO) -> bool:
    """Whether another worker uses the control plane. Whoever asks no longer does."""
    try:
        # The kernel lets go of the shared lock before it tries: one of two who ask gets this one.
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextmanager
def running(
    plane: ControlPlane, keep: Callable[[], bool] = lambda: False
) -> Generator[ControlPlane]:
    """A control plane that is started, and stopped afterwards unless `keep` says otherwise."""
    # `timeout` and CI end a run with SIGTERM, at which Python would skip the finally below.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # It lives for minutes, and has memory.
        with (
            mock.patch.dict(os.environ, COLLECTING),
            mock.patch.object(processes, "KEPT", (*processes.KEPT, *COLLECTING)),
        ):
            plane.start()
        yield plane
    finally:
        if not keep():
            plane.stop()


def _end_leftovers(tools: Toolchain) -> None:
    """End the control planes of test runs that were killed."""
    for directory in HOME.glob("[0-9]*"):
        if not Path("/proc", directory.name.partition("-")[0]).exists():
            ControlPlane(directory, tools).stop()


@pytest.fixture(scope="session")
def pulumi_command(tools: Toolchain) -> PulumiCommand:
    return tools.pulumi()


@pytest.fixture(scope="session")
def local_plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The local plugins, in processes that start faster."""
    with nursery.plugins(tmp_path_factory.mktemp("plugins")) as folder:
        yield folder


@pytest.fixture(scope="session")
def plugin_path(tools: Toolchain, request: pytest.FixtureRequest) -> Path | None:
    """None where the official plugins are installed."""
    return request.getfixturevalue("local_plugins") if tools.plugin_path() else None


@pytest.fixture(scope="session")
def engine(
    tmp_path_factory: pytest.TempPathFactory,
    tools: Toolchain,
    control_plane: ControlPlane,
    pulumi_command: PulumiCommand,
    plugin_path: Path | None,
) -> Engine:
    return Engine(
        directory=tmp_path_factory.mktemp("engine"),
        command=pulumi_command,
        kubeconfig=control_plane.kubeconfig,
        plugin_path=plugin_path,
        pulumi_home=tools.pulumi_home,
    )
