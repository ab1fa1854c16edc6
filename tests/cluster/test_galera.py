"""Galera on real nodes, beside a database of another topology in the same stack."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from local.engine import Engine
from local.real.cluster import RealCluster
from testbed.cluster import scenarios
from testbed.cluster.inside import Inside
from testbed.cluster.site import SHOP, Site, passes

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(cluster: RealCluster, engine: Engine, inside: Inside, proxied: bool) -> Generator[Site]:
    if not proxied:
        pytest.skip("no ProxySQL, which chooses the writer: neither named by PROXYSQL nor on PATH")
    config: dict[str, Any] = {
        "size": "small",
        "name": "gal",
        "database": {"topology": "galera"},
        "apps": [SHOP],
        "proxy": {"enabled": proxied},
    }
    site = Site(cluster, engine, inside, "galera", config)
    site.up()
    yield site
    site.destroy()
    site.kubectl("delete", "pvc", "-l", "app.kubernetes.io/instance=gal")


@pytest.mark.parametrize(
    "happening",
    [
        scenarios.galera_writer_deleted,
        pytest.param(scenarios.everything_killed, marks=pytest.mark.long),
    ],
)
def test_no_acknowledged_write_is_lost(site: Site, happening: Callable[[Site], None]) -> None:
    passes(site, happening)


def test_two_databases_of_one_stack_are_apart(
    cluster: RealCluster, engine: Engine, inside: Inside
) -> None:
    databases = {name: {"apps": [{**SHOP, "name": name}]} for name in ("one", "two")}
    site = Site(cluster, engine, inside, "two", {"size": "dev", "databases": databases})
    site.up()
    try:
        for own, other in (("one", "two"), ("two", "one")):
            config = {**site.config, "name": own}
            one = Site(cluster, engine, inside, "two", config)
            assert one.ask(f"{own}-0", "SHOW DATABASES LIKE 'shop'") == [("shop",)]
            users = one.ask(f"{own}-0", "SELECT user FROM mysql.user")
            assert (own,) in users
            assert (other,) not in users
        assert not site.changes()
    finally:
        site.destroy()
        site.kubectl("delete", "pvc", "storage-one-0", "storage-two-0")
