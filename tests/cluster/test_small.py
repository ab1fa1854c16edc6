"""Three replicated servers, and proxies where there is a ProxySQL: faults, rolls, edits under load.

After each, the rows that were acknowledged are compared with what every server holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator

import pytest

from local import REPOSITORY
from local.engine import Engine
from local.real.cluster import RealCluster
from testbed.cluster import scenarios
from testbed.cluster.inside import Inside
from testbed.cluster.site import SHOP, TABLE, Site, passes

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
        scenarios.server_config_edited_during_a_switchover,
    ],
)
def test_no_acknowledged_write_is_lost(site: Site, happening: Callable[[Site], None]) -> None:
    passes(site, happening)


def test_the_row_check_agrees_and_finds_a_row_too_many(site: Site) -> None:
    """By kubectl alone, as an admin runs it."""
    kubectl = site.cluster.tools.path("kubectl")
    environment = {
        **os.environ,
        "KUBECONFIG": str(site.cluster.kubeconfig),
        "PATH": f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}",
    }

    def check() -> tuple[int, str]:
        command = (sys.executable, "-m", "tools.rows", "default", site.name)
        done = subprocess.run(
            command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert not done.stderr
        return done.returncode, done.stdout.strip()

    def unlogged(sql: str) -> None:
        client = 'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mariadb -u root -e "$0"'
        command = ("exec", replica, "-c", "mariadb", "--", "sh", "-c", client)
        site.kubectl(*command, f"SET sql_log_bin = 0; {sql}")

    site.prepare()
    assert check() == (0, "all servers have the same rows")
    replica = next(server for server in site.servers() if server != site.primary)
    unlogged(f"INSERT INTO {TABLE} VALUES (-1)")
    code, said = check()
    unlogged(f"DELETE FROM {TABLE} WHERE id = -1")
    assert code == 1
    assert said.startswith(f"{replica}: {TABLE}: 0 rows missing, 1 too many, 0 other than on ")


def test_smaller_storage_is_refused_and_nothing_changes(site: Site) -> None:
    assert "database.storage.size" in site.refused(database={"storage": {"size": "1Gi"}})
    assert not site.changes()


@pytest.mark.long
@pytest.mark.parametrize(
    "happening",
    [
        scenarios.server_config_edited,
        scenarios.server_config_edited_after_a_switchover,
        scenarios.server_config_edited_during_a_roll,
        scenarios.server_image_edited,
        scenarios.node_cut_off,
    ],
)
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
