"""A Kubernetes Service that ProxySQL connects to: one address that leads to other ones.

As kube-proxy does it: a new connection goes to an endpoint of the moment, an established one stays
with the server that it was opened to, and without an endpoint connections are refused.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

from .loopback import SERVER_PORT


class Service:
    """A TCP forwarder with a loop and a thread of its own."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._endpoints: tuple[str, ...] = ()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def lead_to(self, *endpoints: str) -> None:
        """New connections go to one of these addresses from now on."""
        asyncio.run_coroutine_threadsafe(self._lead_to(endpoints), self._loop).result(10)

    def close(self) -> None:
        """Cut everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _lead_to(self, endpoints: tuple[str, ...]) -> None:
        self._endpoints = endpoints
        if not endpoints and self._listener is not None:
            self._listener.close()
            self._listener = None
        if endpoints and self._listener is None:
            self._listener = await asyncio.start_server(self._serve, self.host, SERVER_PORT)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, IndexError, asyncio.CancelledError):
            inward, outward = await asyncio.open_connection(
                random.choice(self._endpoints), SERVER_PORT
            )
            pumps = {
                asyncio.ensure_future(_pump(reader, outward)),
                asyncio.ensure_future(_pump(inward, writer)),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                outward.close()
        writer.close()

    async def _close(self) -> None:
        await self._lead_to(())
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextmanager
def service(host: str) -> Generator[Service]:
    """A forwarder that ends with the block."""
    forwarder = Service(host)
    try:
        yield forwarder
    finally:
        forwarder.close()
