"""Free loopback ports for servers that are started later."""

import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, HIGHEST = 10_000, 30_000
"""The node ports of Kubernetes begin at 30000."""
ENOUGH = 1_000


def servers() -> range:
    """Ports below the ephemeral ones, from 32768 on by default.

    Any outgoing connection may take one of those between its choice and the server's start. Where
    they begin so low that hardly anything is left, nothing better remains than the usual ports.
    """
    first = int(EPHEMERAL.read_text().split()[0])
    return range(LOWEST, min(first, HIGHEST) if first >= LOWEST + ENOUGH else HIGHEST)


def free(count: int) -> list[int]:
    """That many different ports, each free a moment ago. Raises OSError if there are none."""
    found: list[int] = []
    candidates = servers()
    for port in random.sample(candidates, len(candidates)):
        if len(found) == count:
            return found
        if all_free([port]):
            found.append(port)
    raise OSError(f"no {count} free ports between {candidates.start} and {candidates.stop}")


def all_free(ports: Iterable[int]) -> bool:
    """Whether all of the ports could be bound together."""
    with ExitStack() as stack:
        for port in ports:
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True
