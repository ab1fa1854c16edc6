"""The real tools, and one control plane and one engine for the session."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from local import REPOSITORY
from local.control_plane import ControlPlane
from local.engine import Engine
from local.toolchain import SIMULATED, Toolchain

HOME = REPOSITORY / ".local" / "test"
"""A folder for each run, named after its process: runs disturb neither each other nor `make up`."""


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    tools = Toolchain()
    tools.prepare(SIMULATED)
    return tools


@pytest.fixture(scope="session")
def control_plane(tools: Toolchain) -> Generator[ControlPlane]:
    _end_leftovers(tools)
    plane = ControlPlane(HOME / str(os.getpid()), tools)
    # `timeout` and CI end a run with SIGTERM, at which Python would skip the finally below.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


def _end_leftovers(tools: Toolchain) -> None:
    """End the control planes of test runs that were killed."""
    for directory in HOME.glob("[0-9]*"):
        if not Path("/proc", directory.name).exists():
            ControlPlane(directory, tools).stop()


@pytest.fixture(scope="session")
def pulumi_command(tools: Toolchain) -> PulumiCommand:
    return tools.pulumi()


@pytest.fixture(scope="session")
def plugin_path(tools: Toolchain) -> Path | None:
    return tools.plugin_path()


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
