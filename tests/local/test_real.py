"""What real nodes are made of: apt lines, image sources, addresses, the Pod of `make sql`."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import config as configuration
from components.schema import StackConfig
from local import LocalError, sql
from local.real import debian, images, network
from local.real.debian import Release
from local.real.images import Config, Images, write_archive
from local.toolchain import Toolchain
from tests.program.pod_security import violations

BOOKWORM = Release("debian", "bookworm")


def stack(**config: Any) -> tuple[StackConfig, ...]:
    return configuration.read({f"mysql-ha:{key}": value for key, value in config.items()})


# apt


def test_apt_lines_name_the_machines_own_mirrors() -> None:
    sources = """
URIs: http://mirror.example/debian
URIs: http://mirror.example/debian-security/
deb https://other.example/node_20.x nodistro main
"""
    lines = BOOKWORM.lines(sources)
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.example/debian bookworm main",
        "http://mirror.example/debian bookworm-updates main",
        "http://mirror.example/debian-security bookworm-security main",
    ]
    assert all("debian-archive-keyring.gpg" in line for line in lines)


def test_without_a_mirror_there_are_no_lines() -> None:
    assert not Release("ubuntu", "noble").lines("deb http://mirror.example/debian bookworm main")


def test_comments_are_no_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# deb http://old/debian x main\ndeb http://new/debian")
    (tmp_path / "sources.list.d" / "a.sources.save").write_text("http://saved/debian")
    monkeypatch.setattr(debian, "SOURCES", tmp_path)
    assert debian.own_sources() == "deb http://new/debian"


# Images


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    monkeypatch.setattr(images, "registry_answers", no_registry)
    monkeypatch.delenv("PROXYSQL", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    return Images(Toolchain(tmp_path))


def no_registry(_: str) -> bool:
    return False


def any_registry(_: str) -> bool:
    return True


def test_a_stack_with_proxies_names_the_three_ways_out(maker: Images) -> None:
    with pytest.raises(LocalError) as error:
        maker.sources(stack(size="small"))
    for way in ("PROXYSQL=/path", "kubernetes:context", "NODES=simulated"):
        assert way in str(error.value)


def test_what_a_registry_has_is_pulled(maker: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "registry_answers", any_registry)
    found = maker.sources(stack(size="small"))
    assert [reference for reference, pack in found.items() if not pack] == [
        "docker.io/library/mariadb:11.8.5",
        "docker.io/proxysql/proxysql:3.0.11-debian",
    ]
    assert maker.plan({"a": None}).pulled == ("a",)


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ({"database": {"digest": f"sha256:{'0' * 64}"}}, "pinned by digest"),
        ({"data_plane": {"tag": "25.10.3"}}, "images.data_plane.tag"),
    ],
)
def test_what_cannot_be_packed_is_refused(maker: Images, which: dict[str, Any], said: str) -> None:
    with pytest.raises(LocalError, match=said):
        maker.sources(stack(size="small", proxy={"enabled": False}, images=which))


def test_an_archive_holds_a_layer_and_its_digest(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "program").write_text("run me")
    file = tmp_path / "image.tar"
    write_archive(root, file, "example/image:1", Config(entrypoint=("/program",), user="1:1"))
    with tarfile.open(file) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json") or pytest.fail())
        config = json.load(archive.extractfile(manifest["Config"]) or pytest.fail())
        (layer,) = manifest["Layers"]
        archive.extract(layer, tmp_path, filter="data")
    assert manifest["RepoTags"] == ["example/image:1"]
    assert config["config"]["Entrypoint"] == ["/program"]
    digest = subprocess.check_output(["sha256sum", tmp_path / layer], text=True).split()[0]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}"]


def test_the_names_in_the_objects_are_those_that_nodes_have() -> None:
    text = (Path(network.__file__).parent / "objects.yaml").read_text()
    service = next(o for o in yaml.safe_load_all(text) if o["kind"] == "Service")
    assert service["spec"]["clusterIP"] == network.DNS
    from local.real.cluster import DNS_IMAGE

    assert f"image: {DNS_IMAGE}" in text


def test_every_node_has_addresses_of_its_own() -> None:
    assert len({network.address(n) for n in network.NODES} | {network.SERVER}) == 4
    assert len({network.pods(n) for n in network.NODES}) == 3


# SQL

OUTPUTS: dict[str, Any] = {
    "host": "db-proxysql.default.svc.cluster.local",
    "port": 6033,
    "admin_secret": {"name": "db-root", "key": "password"},
    "apps": {
        "shop": {
            "secret": "db-app-shop", "database": "shop", "username": "shop_b",
            "host": "db-proxysql.default.svc.cluster.local", "port": 6033,
        }
    },
}  # fmt: skip


def test_an_apps_login_goes_through_the_endpoint() -> None:
    (config,) = stack(size="small", name="db")
    login = sql.login(config, OUTPUTS, None)
    assert (login.who, login.username, login.secret) == ("app shop", "shop_b", "db-app-shop")
    assert login.endpoint == "db-proxysql.default.svc.cluster.local:6033"
    with pytest.raises(LocalError, match="no app blog. Apps: shop"):
        sql.login(config, OUTPUTS, "blog")


def test_root_asks_the_servers_which_the_proxies_would_not_let_in() -> None:
    (config,) = stack(size="small", name="db")
    login = sql.login(config, {**OUTPUTS, "apps": {}}, None)
    assert login.endpoint == "db-primary.default.svc.cluster.local:3306"
    assert (login.secret, login.key) == ("db-root", "password")


def test_the_pod_is_restricted_and_has_no_password() -> None:
    (config,) = stack(size="small", name="db")
    made = sql.pod(config, sql.login(config, OUTPUTS, None), "mysql-ha-sql-1")
    assert not list(violations(made["spec"]))
    (variable,) = made["spec"]["containers"][0]["env"]
    assert variable["valueFrom"]["secretKeyRef"]["name"] == "db-app-shop"
    assert "value" not in variable


def test_statements_reach_the_client_whole() -> None:
    (config,) = stack(name="db")
    command = sql.client(sql.login(config, OUTPUTS, None), "--execute=SELECT 'a b'; -- $HOME")
    assert command[:2] == ["sh", "-c"]
    said = subprocess.check_output(
        ["sh", "-c", command[2].replace("exec mariadb", "printf '%s\\n'").replace(
            "command -v mariadb", "true")], text=True,
    )  # fmt: skip
    assert "--execute=SELECT 'a b'; -- $HOME" in said.splitlines()
