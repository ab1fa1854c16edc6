"""The smallest stack on a real node: up, log in, apps, destroy, and up again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from local import sql
from local.engine import Engine
from local.real.cluster import RealCluster
from testbed.cluster.inside import Inside
from testbed.cluster.site import SHOP, Site, eventually

pytestmark = pytest.mark.cluster
NAME = "db-dev"


@pytest.fixture(scope="module")
def site(cluster: RealCluster, engine: Engine, inside: Inside) -> Generator[Site]:
    config: dict[str, Any] = {
        "size": "dev",
        "name": NAME,
        "apps": [SHOP],
    }
    site = Site(cluster, engine, inside, "dev", config)
    site.up()
    yield site


def ask(site: Site, app: str | None, statement: str) -> str:
    """A SQL statement from a Pod that has the Secret, as `make sql` does."""
    from components.config import load as configuration

    (config,) = configuration.read({f"mysql-ha:{k}": v for k, v in site.config.items()})
    login = sql.login(config, site.engine.outputs("dev"), app)
    with sql.Sql(site.cluster.kubectl, config, login) as pod:
        return pod.ask(statement)


def test_an_app_and_nobody_else_uses_its_secret(site: Site) -> None:
    assert ask(site, "shop", "CREATE TABLE shop.t (id INT); SELECT CURRENT_USER()") == "shop@%"
    assert not site.changes()


def test_a_rotated_app_has_another_login_and_the_first_goes_on(site: Site) -> None:
    before = site.account()
    site.up(apps=[{**SHOP, "rotation": 1}])
    after = site.account()
    assert after.user != before.user
    assert ask(site, "shop", "SELECT CURRENT_USER()") == f"{after.user}@%"
    for account in (before, after):
        assert site.ask_as(account, f"{NAME}-0", "SELECT 1") == [("1",)]
    assert not site.changes()


def test_removing_an_app_ends(site: Site) -> None:
    """With foreground deletion Grants hung for ever: 1141, as the REVOKE was done already."""
    site.up(apps=[])
    found = site.kubectl("get", "users.k8s.mariadb.com,grants.k8s.mariadb.com", "-o", "name")
    assert f"{NAME}-user-shop" not in found
    assert not site.changes()


def test_destroy_ends_and_up_again_is_refused_until_the_volume_is_gone(site: Site) -> None:
    site.up(apps=[{"name": "again", "databases": {"shop": "owner"}}])
    site.destroy()
    assert f"storage-{NAME}-0" in site.kubectl("get", "pvc", "-o", "name")
    assert f"storage-{NAME}-0" in site.refused()
    site.kubectl("delete", "pvc", f"storage-{NAME}-0")
    site.up()
    eventually(lambda: ask(site, "again", "SELECT CURRENT_USER()") == "again@%", 30)
    site.destroy()
    site.kubectl("delete", "pvc", f"storage-{NAME}-0")
