"""Rules of `database.galera`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.stack import StackConfig

RESERVED = {
    "socket.ssl": "security.tls decides it",
    "socket.dynamic": "security.tls decides it",
    "gmcast.listen_addr": "the operator sets it",
    "gmcast.group": "the operator sets it",
    "gmcast.peer_addr": "the operator sets it",
    "ist.recv": "the operator sets it",
    "base_": "the operator sets it",
    "gcache.dir": "the operator keeps files on the volume",
    "gcache.name": "the operator keeps files on the volume",
    "pc.bootstrap": "each server could begin a cluster of its own",
    "pc.ignore_quorum": "both sides of a partition would take writes",
    "pc.ignore_sb": "both sides of a partition would take writes",
}
"""Options of Galera's provider, by the start of their names: why they are not free
(mariadb-operator pkg/galera/config/config.go, getProviderOptions; galeracluster.com/library,
"Galera Parameters")."""


def provider_options_are_free(config: StackConfig) -> Iterator[Fault]:
    for name in config.database.galera.provider_options:
        for start, why in RESERVED.items():
            if name.startswith(start):
                yield f"database.galera.provider_options.{name}", why, "remove it"


RULES = (provider_options_are_free,)
