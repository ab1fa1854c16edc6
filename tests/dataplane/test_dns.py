"""DNS: a Pod that comes back with another address is found there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components import names
from tests.database.servers import eventually

from .conftest import release_of
from .deployment import Deployment, Lab
from .nodes import Servers
from .release import DATABASES, NAME, NAMESPACE

pytestmark = pytest.mark.dataplane

MOVED = "moved.test"
NOBODY = 99
"""The last part of an address where nothing listens."""


def test_a_server_is_found_at_its_new_address(lab: Lab, galera: Servers, tmp_path: Path) -> None:
    """Its name leads nowhere at first; the proxies look again, though they knew an address."""
    hosts = tmp_path / "hosts"
    node = galera.nodes[-1]
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == tmp_path.stat().st_uid and folder.name.startswith("pytest"):
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    # A table of hosts that only the proxies see, in namespaces of their own.
    mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    private = ("unshare", "-Urm", "sh", "-c", mount, "sh")
    lead(hosts, f"{galera.network.prefix}.{NOBODY}")
    trial = lab.installation.spawn(*private, "true", log=tmp_path / "log")
    if trial.wait(10):
        pytest.skip("no user namespaces on this machine")
    known = names.mariadb_pod_hosts(NAME, NAMESPACE, DATABASES)[-1]
    release = release_of(lab, galera, "galera").edited(f'"{known}"', f'"{MOVED}"')
    release = replace(release, command=(*private, *release.command))
    with lab.deploy(galera, release) as site:
        assert eventually(lambda: not in_use(site), timeout=20)
        lead(hosts, node.host)
        assert eventually(lambda: in_use(site), timeout=20)


def lead(hosts: Path, address: str) -> None:
    """Write the table in place: the mount is of the file, not of its name."""
    hosts.write_text(f"127.0.0.1 localhost\n{address} {MOVED}\n")


def in_use(site: Deployment) -> bool:
    """Whether any proxy sends reads to the server."""
    query = (
        "SELECT 1 FROM runtime_mysql_servers WHERE status='ONLINE' AND hostgroup_id=20 "
        f"AND hostname='{MOVED}'"
    )
    return any(proxy.admin(query).rows for proxy in site.tier.proxies)
