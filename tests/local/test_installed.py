"""A cluster that runs gets what another version of this repository installs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local import LocalError, commands, go, kind, toolchain
from local.kind import KindCluster
from local.kubectl import Kubectl
from local.real import cluster as real
from local.real import operator
from local.real.cluster import RealCluster
from local.real.images import Archive, Plan
from local.real.network import Network
from local.real.node import Node
from local.real.programs import Programs
from local.toolchain import Toolchain

OBJECTS = "kind: Namespace\n"


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What kubectl and the operator's chart were called for."""
    found: list[str] = []

    def call(_: object, *arguments: str, stdin: str | None = None) -> str:
        found.append(arguments[0])
        return ""

    def install(*_: object) -> None:
        found.append("operator")

    monkeypatch.setattr(Kubectl, "__call__", call)
    monkeypatch.setattr(operator, "install", install)
    for module in (real, kind):
        monkeypatch.setattr(module, "crds", list[Any])
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> RealCluster:
    return RealCluster(tmp_path, Toolchain(tmp_path / "cache"))


def test_what_is_installed_is_named_by_version_and_digest() -> None:
    said = toolchain.installation(OBJECTS)
    assert f"mariadb-operator {go.required_version('mariadb-operator', toolchain.OPERATOR)}" in said
    assert said != toolchain.installation(OBJECTS, OBJECTS)


def test_other_crds_are_another_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = toolchain.installation(OBJECTS)
    other = tmp_path / "percona.yaml"
    other.write_text("{}")
    monkeypatch.setattr(toolchain, "PERCONA", other)
    assert toolchain.installation(OBJECTS) != before


def newer(*_: str) -> str:
    return "mariadb-operator v25.10.5\n"


def test_a_cluster_is_installed_once(cluster: RealCluster, applied: list[str]) -> None:
    assert cluster.install(OBJECTS, anew=False)
    assert "operator" in applied
    applied.clear()
    assert not cluster.install(OBJECTS, anew=False)
    assert not applied


@pytest.mark.parametrize("change", ["objects", "version", "process", "older marker"])
def test_a_change_installs_again(
    cluster: RealCluster, applied: list[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    cluster.install(OBJECTS, anew=False)
    applied.clear()
    if change == "version":
        monkeypatch.setattr(real, "installation", newer)
    if change == "older marker":
        (cluster.directory / "installed").write_text("")
    objects = "kind: Service\n" if change == "objects" else OBJECTS
    assert cluster.install(objects, anew=change == "process")
    assert "operator" in applied


def test_an_installation_that_failed_is_tried_again(
    cluster: RealCluster, applied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.install(OBJECTS, anew=False)

    def fail(*_: object) -> None:
        raise LocalError("no webhook")

    with monkeypatch.context() as broken:
        broken.setattr(operator, "install", fail)
        with pytest.raises(LocalError):
            cluster.install("kind: Service\n", anew=False)
    assert cluster.install(OBJECTS, anew=False)


def test_pods_that_do_not_run_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(_: object, *arguments: str, stdin: str | None = None) -> str:
        if arguments[:2] == ("get", "deployments"):
            return "deployment.apps/operator\n"
        if arguments[:2] == ("get", "pods"):
            return "operator-1 0/1 ImagePullBackOff"
        raise LocalError("timed out waiting")

    monkeypatch.setattr(Kubectl, "__call__", call)
    with pytest.raises(LocalError, match=r"timed out(.|\n)*ImagePullBackOff"):
        operator.await_deployments(Kubectl(Path("kubectl"), ()), "mariadb-system")


def within(_: object, *command: str) -> list[str]:
    return list(command)


def test_an_image_of_its_own_name_needs_no_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def ctr(_: object, *command: str) -> str:
        ran.append(" ".join(command).partition("images ")[2])
        return ""

    monkeypatch.setattr(Programs, "run", ctr)
    programs = Programs(tmp_path, tmp_path, tmp_path)
    node = Node("a", tmp_path, Network("p", programs), programs, RealCluster(
        tmp_path, Toolchain(tmp_path)).processes)  # fmt: skip
    node.directory.mkdir(parents=True)
    monkeypatch.setattr(Node, "inside", within)
    archive = Archive(Path("dns.tar"), "mysql-ha.local/dns:1", "")
    node.provide(Plan({archive.name: archive, "other:1": archive}))
    assert ran == [
        "list --quiet",
        "import dns.tar",
        "tag --force mysql-ha.local/dns:1 other:1",
    ]


# kind


class Docker:
    """A docker with the nodes of clusters, and a kind that makes them."""

    def __init__(self, cluster: KindCluster) -> None:
        self.nodes: list[str] = []
        self.made: list[str] = []
        self.fails = ""
        self.name = f"{cluster.name}-control-plane"

    def docker(self, command: Sequence[object], **_: object) -> str:
        if command[:2] == ["docker", "rm"]:
            self.nodes.clear()
        if self.fails == "docker":
            raise LocalError("Cannot connect to the Docker daemon")
        return "\n".join(self.nodes)

    def kind(self, name: str, *arguments: str) -> str:
        self.nodes.append(self.name)
        if self.fails == "pull":
            raise LocalError("kind create: failed to pull image kindest/node")
        self.made.append(arguments[1])
        return ""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[KindCluster, Docker]:
    cluster = KindCluster(tmp_path / "place" / "cluster", Toolchain(tmp_path), say=lambda _: None)
    docker = Docker(cluster)

    def which(_: str) -> str:
        return "/usr/bin/docker"

    def run(_: object, name: str, *arguments: str) -> str:
        return docker.kind(name, *arguments)

    monkeypatch.setattr(kind.shutil, "which", which)
    monkeypatch.setattr(commands, "run", docker.docker)
    monkeypatch.setattr(Toolchain, "run", run)
    return cluster, docker


def test_a_kind_cluster_is_made_and_installed_once(
    docker: tuple[KindCluster, Docker], applied: list[str]
) -> None:
    cluster, machine = docker
    cluster.start(1)
    cluster.start(1)
    assert machine.made == ["cluster"]
    assert applied.count("operator") == 1


def test_a_half_made_kind_cluster_is_made_anew(
    docker: tuple[KindCluster, Docker], applied: list[str]
) -> None:
    cluster, machine = docker
    machine.fails = "pull"
    with pytest.raises(LocalError, match="failed to pull image"):
        cluster.start(1)
    assert machine.nodes
    machine.fails = ""
    cluster.start(1)
    assert machine.nodes == [machine.name]
    assert machine.made == ["cluster"]


def test_an_operator_that_failed_is_installed_without_a_new_kind_cluster(
    docker: tuple[KindCluster, Docker], applied: list[str]
) -> None:
    cluster, machine = docker
    cluster.start(1)
    (cluster.directory / "installed").unlink()
    applied.clear()
    cluster.start(1)
    assert "operator" in applied
    assert machine.made == ["cluster"]


def test_a_kind_cluster_goes_without_kind(
    docker: tuple[KindCluster, Docker], applied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, machine = docker
    cluster.start(1)

    def missing(*_: object) -> str:
        raise LocalError("no go")

    monkeypatch.setattr(Toolchain, "run", missing)
    cluster.stop()
    assert not machine.nodes
    assert not cluster.remains()


def test_without_a_running_docker_nothing_of_kind_remains(
    docker: tuple[KindCluster, Docker],
) -> None:
    cluster, machine = docker
    machine.fails = "docker"
    assert not cluster.remains()
