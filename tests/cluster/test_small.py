"""Three replicated servers, and proxies where there is a ProxySQL: faults, rolls, edits under load.

After each, the rows that were acknowledged are compared with what every server holds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from local.engine import Engine
from local.real.cluster import RealCluster

from . import scenarios
from .inside import Inside
from .site import SHOP, Site, passes

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(cluster: RealCluster, engine: Engine, inside: Inside, proxied: bool) -> Generator[Site]:
    config = {"size": "small", "name": "db", "apps": [SHOP], "proxy": {"enabled": proxied}}
    site = Site(cluster, engine, inside, "small", config)
    site.up()
    yield site
    site.destroy()
    site.kubectl("delete", "pvc", "-l", "app.kubernetes.io/instance=db")


@pytest.mark.parametrize(
    "happening",
    [
        scenarios.primary_killed,
        scenarios.primary_deleted,
        scenarios.replica_killed,
        scenarios.server_config_edited,
    ],
)
def test_no_acknowledged_write_is_lost(site: Site, happening: Callable[[Site], None]) -> None:
    passes(site, happening)


def test_smaller_storage_is_refused_and_nothing_changes(site: Site) -> None:
    assert "database.storage.size" in site.refused(database={"storage": {"size": "1Gi"}})
    assert not site.changes()


@pytest.mark.long
@pytest.mark.parametrize("happening", [scenarios.server_image_edited, scenarios.node_cut_off])
def test_no_acknowledged_write_is_lost_in_the_long_run(
    site: Site, happening: Callable[[Site], None]
) -> None:
    passes(site, happening)


@pytest.mark.parametrize(
    "happening",
    [
        # Without proxies, a connection that is never closed stays with the old primary: 1290.
        scenarios.switchover,
        scenarios.proxy_killed,
        pytest.param(scenarios.proxies_rolled, marks=pytest.mark.long),
        pytest.param(scenarios.proxies_scaled, marks=pytest.mark.long),
    ],
)
def test_what_the_proxies_bridge(
    site: Site, proxied: bool, happening: Callable[[Site], None]
) -> None:
    if not proxied:
        pytest.skip("no ProxySQL: neither named by PROXYSQL nor on PATH")
    passes(site, happening)
