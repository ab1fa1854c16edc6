"""The harness itself."""

import asyncio
from dataclasses import replace

import pytest

from render import recorder
from render.recorder import Recording
from tests.program.cases import by_id


def test_it_runs_after_somebody_ran_asyncio() -> None:
    """`asyncio.run` leaves the thread without an event loop, which the SDK needs."""

    async def nothing() -> None: ...

    asyncio.run(nothing())
    recording = recorder.run({"size": "small"})
    assert recording.error is None
    assert recording.of_kind("StatefulSet")


@pytest.mark.parametrize("preview", [True, False])
def test_shortcuts_change_nothing(preview: bool) -> None:
    """But the order of what nothing orders."""

    def recorded(shortcuts: bool) -> Recording:
        recording = by_id()["apps-several"].run(preview=preview, shortcuts=shortcuts)
        resources = (
            replace(resource, depends_on=tuple(sorted(resource.depends_on)))
            for resource in recording.resources
        )
        return replace(
            recording,
            resources=sorted(resources, key=lambda resource: resource.urn),
            asked=sorted(recording.asked),
        )

    assert recorded(shortcuts=True) == recorded(shortcuts=False)


def test_what_a_refused_config_left_does_not_reach_the_next_run() -> None:
    """Outputs that know of the refused password after the error was told, for example."""
    wrong = {"size": "small", "database": {"replicas": 0}}
    short = {"size": "small", "credentials": {"monitor": {"password": "short"}}}
    alone = recorder.run(wrong).error
    refused = recorder.run(short, secret_keys=("mysql-ha:credentials",)).error
    assert "database.replicas" in str(alone) and "credentials.monitor" in str(refused)
    assert recorder.run(wrong).error == alone
