"""A table of hosts that only the proxies see: a name whose address the caller decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components import names

from .proxies import Proxy
from .release import CNF, DATABASES, NAME, NAMESPACE, Release

MOVED = "moved.test"


def private(hosts: Path) -> tuple[str, ...]:
    """The beginning of a command that sees the table as /etc/hosts, in namespaces of its own."""
    return ("unshare", "-Urm", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")


def with_hosts(release: Release, hosts: Path) -> Release:
    """A release whose proxies see the table."""
    return replace(release, command=(*private(hosts), *release.command))


def moved(release: Release) -> Release:
    """A release in which the last server is known by the name MOVED."""
    known = names.mariadb_pod_hosts(NAME, NAMESPACE, DATABASES)[-1]
    assert known in release.files[CNF]
    # The self-check looks for each server by name.
    files = {
        name: text.replace(known, MOVED) if name.startswith("config/") else text
        for name, text in release.files.items()
    }
    return replace(release, files=files)


def lead(hosts: Path, address: str) -> None:
    """Write the table in place: the mount is of the file, not of its name."""
    hosts.write_text(f"127.0.0.1 localhost\n{address} {MOVED}\n")


def in_use(proxy: Proxy) -> bool:
    """Whether a proxy sends reads to the server. Raises SqlError."""
    query = (
        "SELECT 1 FROM runtime_mysql_servers WHERE status='ONLINE' AND hostgroup_id=20 "
        f"AND hostname='{MOVED}'"
    )
    return bool(proxy.admin(query).rows)
