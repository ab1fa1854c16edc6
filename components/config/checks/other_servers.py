"""Rules of `proxy.other_servers`."""

from collections.abc import Iterator

from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.proxy import OtherServer
from components.config.stack import StackConfig


def _others(config: StackConfig) -> Iterator[tuple[str, OtherServer]]:
    """Each server with its config path."""
    for index, server in enumerate(config.proxy.other_servers):
        yield f"proxy.other_servers[{index}]", server


def hostgroup_is_not_the_databases(config: StackConfig) -> Iterator[Fault]:
    """There it would take writes, or be moved by the monitor."""
    groups = config.proxy.hostgroups
    for path, server in _others(config):
        if server.hostgroup in (groups.writer, groups.reader, groups.backup_writer, groups.offline):
            yield (
                f"{path}.hostgroup",
                f"{server.hostgroup} is a hostgroup of this database",
                "use a number that is not in proxy.hostgroups",
            )


def server_is_not_the_databases(config: StackConfig) -> Iterator[Fault]:
    """By another hostgroup statements would get past the fence and a hold of the watcher."""
    owned = ENGINES[config.engine].owned(
        config.name, drilled=config.backup.drilled, scraped=config.monitoring.enabled
    )
    for path, server in _others(config):
        # A Service, or a Pod of one; what follows is the namespace, if anything does.
        first, *rest = server.host.split(".")
        places = ((first, rest), *([(rest[0], rest[1:])] if rest else []))
        if any(
            name in owned and (not below or below[0] == config.namespace) for name, below in places
        ):
            yield (
                f"{path}.host",
                "is of this database itself, where it would get past its hostgroups",
                "use a hostgroup of proxy.hostgroups for it",
            )


def server_is_listed_once(config: StackConfig) -> Iterator[Fault]:
    seen: set[tuple[str, int, int]] = set()
    for path, server in _others(config):
        place = server.host, server.port, server.hostgroup
        if place in seen:
            yield path, "is listed twice in its hostgroup", "remove one entry"
        seen.add(place)


RULES = (
    hostgroup_is_not_the_databases,
    server_is_not_the_databases,
    server_is_listed_once,
)
