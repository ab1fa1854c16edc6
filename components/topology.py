"""What a database tells the proxy tier: the shape that every engine's component shares."""

from dataclasses import dataclass
from typing import Literal

from components.config.types import TopologyKind

CA_KEY = "ca.crt"
"""The key of the servers' CA, in the Secret that both operators make."""


CA_DIRECTORY = "/etc/mysql-ha/server-ca"
"""Where the small Pods of this program have that CA."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """How to reach the servers and how to tell which one takes writes. Plain: known at preview."""

    kind: TopologyKind
    """`replication`: the writer has `read_only=0`; `galera`: ProxySQL elects one synced node."""
    hosts: tuple[str, ...]
    """DNS names of the server Pods, in ordinal order. A MariaDB's resolve before it is ready."""
    port: int
    service: str
    """The engine's own Service: the endpoint of a stack without a proxy."""
    reader_service: str
    """The engine's own Service for reads."""
    writer_service: str
    """A Service of the servers themselves that takes writes, past any proxies."""
    server_version: str
    """As the server reports it, e.g. `11.8.5-MariaDB`; drivers choose their SQL dialect by it."""
    auth_plugin: Literal["mysql_native_password", "caching_sha2_password"]
    """How accounts authenticate; decides whether ProxySQL may hold hashes instead of passwords."""
    ca_secret: str | None
    """Secret with the server CA under CA_KEY; None when TLS is off."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where clients connect: the proxies, or the engine's own Services."""

    host: str
    reader_host: str
    port: int
