"""A network of our own within 127/8, all of which Linux answers, and sessions to its addresses."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from typing import Any, Self

from testbed.database.servers import Account, Session

SERVER_PORT = 3306
CLIENT_PORT = 6033
ADMIN_PORT = 6032
IPV6 = "::1"
"""The only IPv6 address of this machine: one proxy at a time can have it."""
PORTS = (SERVER_PORT, CLIENT_PORT, ADMIN_PORT)


@dataclass(frozen=True)
class Network:
    """The addresses of one set of servers and proxies; all use the standard ports.

    ProxySQL listens with SO_REUSEPORT: two of them on one address would share it silently.
    """

    prefix: str

    @staticmethod
    def free() -> Network:
        """One where nothing listens. Raises OSError when something holds the ports everywhere."""
        for _ in range(20):
            network = Network(f"127.{random.randint(1, 254)}.{random.randint(0, 255)}")
            if all(_is_free(network.proxy(0), port) for port in PORTS):
                return network
        raise OSError(f"something on this machine listens on all addresses at one of {PORTS}")

    def server(self, ordinal: int) -> str:
        """The address of a database Pod."""
        return f"{self.prefix}.{2 + ordinal}"

    def proxy(self, ordinal: int) -> str:
        """The address of a proxy Pod."""
        return f"{self.prefix}.{11 + ordinal}"

    @property
    def primary_service(self) -> str:
        """The address of the operator's Service `<name>-primary`."""
        return f"{self.prefix}.21"

    @property
    def secondary_service(self) -> str:
        """The address of the operator's Service `<name>-secondary`."""
        return f"{self.prefix}.22"


class RemoteSession(Session):
    """A client connection to any address."""

    def __init__(self, host: str, port: int, account: Account, **options: Any) -> None:
        # None is the server's default, which is on: nothing more is sent.
        super().__init__(port, account, host, autocommit=None, **options)

    def __enter__(self) -> Self:
        return self

    def certificate(self) -> bytes:
        """What the other side showed, as DER."""
        return self._connection._sock.getpeercert(binary_form=True)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True
