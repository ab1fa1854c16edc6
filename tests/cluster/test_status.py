"""`tools.status` on real nodes, by kubectl alone: all is well, and the primary is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Generator
from typing import Any

import pytest

from local import REPOSITORY
from local.engine import Engine
from local.real.cluster import RealCluster
from testbed.cluster.inside import Inside
from testbed.cluster.site import Site, eventually

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(cluster: RealCluster, engine: Engine, inside: Inside, proxied: bool) -> Generator[Site]:
    config = {"size": "small", "name": "seen", "proxy": {"enabled": proxied}}
    site = Site(cluster, engine, inside, "seen", config)
    site.up()
    site.await_ready()
    yield site
    site.destroy()
    site.kubectl("delete", "pvc", "-l", "app.kubernetes.io/instance=seen")


def look(site: Site, *options: str) -> tuple[int, str]:
    """The exit code and what is printed, as an admin runs it."""
    kubectl = site.cluster.tools.path("kubectl")
    environment = {
        **os.environ,
        "KUBECONFIG": str(site.cluster.kubeconfig),
        "PATH": f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        (sys.executable, "-m", "tools.status", "default", site.name, *options),
        env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr
    return done.returncode, done.stdout


def parsed(site: Site) -> dict[str, Any]:
    _, text = look(site, "--json")
    (database,) = json.loads(text)["databases"]
    return database


def alerts(site: Site) -> set[str]:
    return {one["alert"] for one in parsed(site)["verdicts"]}


def well(site: Site) -> bool:
    code, screen = look(site)
    print(screen)
    return code == 0


def test_a_primary_that_dies_is_seen(site: Site, proxied: bool) -> None:
    assert eventually(lambda: well(site), 120)
    before = parsed(site)
    assert before["primary"] == site.primary
    assert before["leads_to"] == [site.primary]
    assert all(server["version"] for server in before["servers"])
    assert [one["of"] for one in before["certificates"] if one["ends"]][0] == "servers"
    if proxied:
        assert [proxy["drift"] for proxy in before["proxies"]] == [[], [], []]
    site.kill(site.primary, "mariadbd")
    expected = {"DatabaseServerDown", "DatabaseNoWritableServer", "ProxyNoWriter"}
    assert eventually(lambda: bool(expected & alerts(site)), 60)
    site.await_ready()
    assert eventually(lambda: well(site), 120)
    assert parsed(site)["primary"] == site.primary


def test_no_password_is_shown(site: Site) -> None:
    (_, screen), (_, document) = look(site), look(site, "--json")
    passwords: list[str] = []
    for secret in site.get("secrets")["items"]:
        data: dict[str, str] = secret.get("data") or {}
        passwords += [b64decode(text).decode() for key, text in data.items() if "password" in key]
    assert passwords and all(passwords)
    assert not [text for text in passwords if text in screen + document]
