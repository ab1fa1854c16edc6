"""DNS: a Pod that comes back with another address is found there."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.database.servers import eventually
from testbed.dataplane.deployment import Lab
from testbed.dataplane.hosts import in_use, lead, moved, private, with_hosts
from testbed.dataplane.nodes import Servers

from .conftest import release_of

pytestmark = pytest.mark.dataplane

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
    lead(hosts, f"{galera.network.prefix}.{NOBODY}")
    trial = lab.installation.spawn(*private(hosts), "true", log=tmp_path / "log")
    if trial.wait(10):
        pytest.skip("no user namespaces on this machine")
    release = with_hosts(moved(release_of(lab, galera, "galera")), hosts)
    with lab.deploy(galera, release) as site:
        assert eventually(lambda: not any(map(in_use, site.tier.proxies)), timeout=20)
        lead(hosts, node.host)
        assert eventually(lambda: any(map(in_use, site.tier.proxies)), timeout=20)
