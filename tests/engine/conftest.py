"""The real tools, and one control plane and one engine for the session."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from local import REPOSITORY, go
from local.control_plane import ControlPlane
from local.engine import Engine
from local.toolchain import Toolchain

HOME = REPOSITORY / ".local" / "test"
"""Apart from what `make up` runs, and always the same: the next run ends what a killed one left."""


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    tools = Toolchain()
    tools.prepare()
    return tools


@pytest.fixture(scope="session")
def control_plane(tools: Toolchain) -> Generator[ControlPlane]:
    with go.locked(HOME / "lock"):
        plane = ControlPlane(HOME / "cluster", tools)
        plane.stop()
        try:
            plane.start()
            yield plane
        finally:
            plane.stop()


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
