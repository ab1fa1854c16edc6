"""What real nodes are made of: apt lines, image sources, addresses, the Pod of `make sql`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config import load as configuration
from components.config.stack import StackConfig
from local import LocalError, sql
from local.processes import Processes
from local.real import debian, images, network
from local.real.cluster import DNS_IMAGE, RealCluster
from local.real.debian import Release, Source
from local.real.images import Config, Images, write_archive
from local.real.network import Network
from local.real.node import Node
from local.real.programs import Programs
from local.toolchain import Toolchain
from tests.program.pod_security import violations

BOOKWORM = Release("debian", "bookworm")


def stack(**config: Any) -> tuple[StackConfig, ...]:
    return configuration.read({f"mysql-ha:{key}": value for key, value in config.items()})


# apt


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> list[Source]:
    """What apt reads from files, by their names with _ for the dot."""
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / "sources.list.d" / name.replace("_", ".")).write_text(text)
    monkeypatch.setattr(debian, "SOURCES", tmp_path)
    return debian.own_sources()


OWN = "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {}\n\n"
DEBIANS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_apt_lines_name_the_machines_own_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = read(
        tmp_path, monkeypatch,
        a_sources=OWN.format("http://mirror.example/debian", "bookworm", DEBIANS)
        + OWN.format("http://mirror.example/debian-security/", "bookworm-security", DEBIANS),
        b_list="deb https://other.example/node_20.x nodistro main",
    )  # fmt: skip
    lines = BOOKWORM.lines(sources)
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.example/debian bookworm main",
        "http://mirror.example/debian bookworm-updates main",
        "http://mirror.example/debian-security bookworm-security main",
    ]
    assert all("debian-archive-keyring.gpg" in line for line in lines)


@pytest.mark.parametrize(
    "file",
    [
        {"a_list": "deb [arch=amd64 signed-by=/k/m.gpg] https://m.example/debian trixie main"},
        {"a_sources": OWN.format("https://m.example/debian", "trixie", "/etc/apt/keyrings/m.asc")},
        {"a_sources": OWN.format("https://m.example/debian", "trixie", "\n -----BEGIN PGP-----")},
    ],
)
def test_a_third_partys_repository_is_no_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: dict[str, str]
) -> None:
    assert not BOOKWORM.lines(read(tmp_path, monkeypatch, **file))


def test_a_repository_without_updates_comes_after_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = read(
        tmp_path, monkeypatch,
        a_list="deb https://deb.party.example/debian bookworm main",
        b_list="deb http://mirror.example/debian bookworm main\n"
        "deb http://mirror.example/debian bookworm-updates main contrib # ours",
    )  # fmt: skip
    assert "http://mirror.example/debian bookworm main" in BOOKWORM.lines(sources)[0]


@pytest.mark.parametrize(
    "text",
    [
        OWN.format("http://m.example/debian", "bookworm", DEBIANS).replace(
            "\n\n", "\nEnabled: no\n"
        ),
        OWN.format("http://m.example/debian", "bookworm", DEBIANS).replace("deb\n", "deb-src\n"),
    ],
)
def test_what_apt_does_not_use_is_no_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert not read(tmp_path, monkeypatch, a_sources=text)


def test_a_cloud_images_list_of_mirrors_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors = tmp_path / "mirrors.txt"
    mirrors.write_text("http://near.example/ubuntu/\tpriority:1\nhttp://far.example/ubuntu/\n")
    keys = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    text = OWN.format(f"mirror+file:{mirrors}", "noble noble-updates", keys)
    (line, *_) = Release("ubuntu", "noble").lines(read(tmp_path, monkeypatch, a_sources=text))
    assert line.endswith("] http://near.example/ubuntu noble main universe")


def test_what_lacks_for_another_distributions_packages_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(tmp_path, monkeypatch, a_list="deb http://mirror.example/debian bookworm main")
    monkeypatch.setattr(debian, "KEYRINGS", tmp_path)
    assert Release("ubuntu", "noble").lacks() == "a mirror of ubuntu in the apt sources"
    assert BOOKWORM.lacks() == str(tmp_path / "debian-archive-keyring.gpg")
    (tmp_path / "debian-archive-keyring.gpg").touch()
    assert not BOOKWORM.lacks()


def test_comments_are_no_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = read(
        tmp_path, monkeypatch,
        a_list="# deb http://old/debian x main\ndeb http://new/debian x main",
        a_sources_save=OWN.format("http://saved/debian", "x", DEBIANS),
        b_sources=OWN.format("\n# http://off/debian\n http://on/debian", "x", DEBIANS),
    )  # fmt: skip
    assert [source.uri for source in sources] == ["http://new/debian", "http://on/debian"]


def test_apt_runs_none_of_the_machines_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a machine's configuration that has one of each, and a setting that must stay."""
    machine = tmp_path / "machine.conf"
    hooks = "".join(f'{hook} {{ "/a-hook"; }};\n' for hook in debian.HOOKS)
    machine.write_text(f'Acquire::http::Proxy "http://proxy:1";\n{hooks}')
    monkeypatch.setenv("APT_CONFIG", str(machine))
    cleared = tmp_path / "apt.conf"
    cleared.write_text(debian.without_hooks())
    said = subprocess.check_output(["apt-config", f"--config-file={cleared}", "dump"], text=True)
    assert '"http://proxy:1"' in said
    assert "/a-hook" not in said


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


def test_a_stack_with_metrics_needs_the_exporter(
    maker: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Release, "lacks", lacks_nothing)
    exporter = "docker.io/prom/mysqld-exporter:v0.15.1"
    assert exporter not in maker.sources(stack())
    assert maker.sources(stack(monitoring={"scrape": "annotations"}))[exporter]
    digest = {"exporter": {"digest": f"sha256:{'0' * 64}"}}
    with pytest.raises(LocalError, match="mysqld-exporter.* is pinned by digest"):
        maker.sources(stack(monitoring={"scrape": "annotations"}, images=digest))


def test_an_exporter_that_cannot_be_packed_is_refused(
    maker: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Release, "lacks", lacks_a_mirror)
    monkeypatch.setattr(images, "registry_answers", registry_of_servers)
    exporter = {"registry": "exporters.example"}
    with pytest.raises(LocalError, match=r"^exporters\.example/.*has no a mirror.*NODES=simulated"):
        maker.sources(stack(monitoring={"scrape": "annotations"}, images={"exporter": exporter}))


def registry_of_servers(host: str) -> bool:
    return host == "docker.io"


def lacks_a_mirror(_: object) -> str:
    return "a mirror of debian in the apt sources"


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


# Refusals before anything is built, and what a cache and a node keep


def test_another_series_is_refused_before_anything_is_fetched(
    maker: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Release, "lacks", lacks_nothing)
    with pytest.raises(LocalError, match=r"MariaDB 11\.8, another series"):
        maker.sources(stack(images={"database": {"tag": "10.11.9"}}))
    assert maker.sources(stack())  # the default tag is of the series that can be packed


def lacks_nothing(_: object) -> str:
    return ""


def test_archives_that_nobody_uses_are_forgotten(
    maker: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker.folder.mkdir()
    for name, age in (("old", images.KEPT + 60), ("used", images.KEPT - 60)):
        for suffix in ("tar", "txt"):
            file = maker.folder / f"{name}-1.{suffix}"
            file.touch()
            used = time.time() - age
            os.utime(file, (used, used))
    maker.forget()
    assert {f.name for f in maker.folder.iterdir()} == {"used-1.tar", "used-1.txt"}


@pytest.mark.parametrize(("knows", "options"), [(True, ["--local", "a:1"]), (False, ["a:1"])])
def test_an_image_is_pulled_by_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows: bool, options: list[str]
) -> None:
    ran: list[tuple[str, ...]] = []

    def ctr(_: object, *command: str) -> str:
        ran.append(command)
        return "--local  Fetch content from local client" if knows else ""

    monkeypatch.setattr(Programs, "run", ctr)
    programs = Programs(tmp_path, tmp_path, tmp_path)
    Node("a", tmp_path, Network("p", programs), programs, Processes(tmp_path)).pull("a:1")
    assert list(ran[-1])[-len(options) - 1 :] == ["pull", *options]


def test_a_relay_gets_another_port_when_a_stranger_has_its_own(tmp_path: Path) -> None:
    cluster = RealCluster(tmp_path, Toolchain(tmp_path))
    cluster.choose_port()
    first = (tmp_path / "port").read_text()
    cluster.choose_port()
    assert (tmp_path / "port").read_text() == first
    with socket.create_server(("127.0.0.1", int(first))):
        cluster.choose_port()
    assert (tmp_path / "port").read_text() != first
