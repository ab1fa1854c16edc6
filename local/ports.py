"""Free loopback ports for servers that are started later."""

import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack

SERVERS = range(10_000, 30_000)
"""Below Linux's ephemeral ports (32768 on, ip_local_port_range), which any outgoing connection may
take between the choice and the server's start; and below the node ports."""


def free(count: int) -> list[int]:
    """That many different ports, each free a moment ago. Raises OSError if there are none."""
    found: list[int] = []
    for port in random.sample(SERVERS, len(SERVERS)):
        if len(found) == count:
            return found
        if all_free([port]):
            found.append(port)
    raise OSError(f"no {count} free ports between {SERVERS.start} and {SERVERS.stop}")


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
