"""The harness itself."""

import asyncio

from render import recorder


def test_it_runs_after_somebody_ran_asyncio() -> None:
    """`asyncio.run` leaves the thread without an event loop, which the SDK needs."""

    async def nothing() -> None: ...

    asyncio.run(nothing())
    recording = recorder.run({"size": "small"})
    assert recording.error is None
    assert recording.of_kind("StatefulSet")
