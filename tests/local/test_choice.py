"""The best kind of nodes that a machine offers a stack, and why not a better one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from components.config import load as configuration
from local import LocalError, choice, place
from local.choice import Machine, choose
from local.kind import KindCluster
from local.toolchain import Toolchain

GIB = 1024**3
ALL = Machine(cores=2, memory=24 * GIB, lacks_for_real=(), lacks_for_kind=())
DOCKER = Machine(cores=8, memory=24 * GIB, lacks_for_real=("root",), lacks_for_kind=())
NOTHING = Machine(
    cores=8,
    memory=24 * GIB,
    lacks_for_real=("a mirror", "root"),
    lacks_for_kind=("docker, running",),
)


def stack(**config: Any) -> tuple[configuration.StackConfig, ...]:
    return configuration.read({f"mysql-ha:{key}": value for key, value in config.items()})


def test_the_best_kind_comes_first() -> None:
    assert choose(ALL, stack(), None).kind == "real"
    assert choose(DOCKER, stack(), None).kind == "kind"
    assert choose(NOTHING, stack(), None).kind == "simulated"


def test_the_way_to_a_better_kind_is_named() -> None:
    assert not choose(ALL, stack(), None).better
    assert "root" in choose(DOCKER, stack(), None).better
    better = choose(NOTHING, stack(), None).better
    assert "a mirror, root" in better
    assert "docker" in better


@pytest.mark.parametrize("kind", ["real", "kind", "simulated"])
def test_a_kind_can_be_insisted_on(kind: str) -> None:
    assert choose(ALL, stack(), kind).kind == kind


@pytest.mark.parametrize(
    ("machine", "wanted", "config", "said"),
    [
        (NOTHING, "real", {}, "no root"),
        (NOTHING, "kind", {}, "docker"),
        (ALL, "real", {"engine": "percona"}, "Percona's operator"),
        (ALL, "real", {"size": "large"}, "2 cores"),
        (ALL, "best", {}, "none of real, kind, simulated"),
    ],
)
def test_what_cannot_be_had_is_refused(
    machine: Machine, wanted: str, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(LocalError, match=said):
        choose(machine, stack(**config), wanted)


@pytest.mark.parametrize("config", [{"engine": "percona"}, {"size": "large"}])
def test_a_stack_that_no_node_here_can_run_is_simulated(config: dict[str, Any]) -> None:
    choice = choose(ALL, stack(**config), None)
    assert choice.kind == "simulated"
    assert "mysql:" in choice.reason


def test_every_database_of_a_stack_counts() -> None:
    both = stack(databases={"one": {}, "two": {"engine": "percona"}})
    assert choose(ALL, both, None).kind == "simulated"


def test_the_memory_of_all_databases_counts() -> None:
    """Each alone would fit."""
    asks = {"database": {"resources": {"requests": {"memory": "16Gi"}}}}
    assert choose(ALL, stack(databases={"one": asks}), None).kind == "real"
    both = choose(ALL, stack(databases={"one": asks, "two": asks}), None)
    assert both.kind == "simulated"
    assert "two: its servers and those before ask for more memory" in both.reason


def nothing(*_: object) -> None:
    pass


@pytest.mark.parametrize(("proxies", "nodes"), [(True, 3), (False, 1)])
def test_proxies_that_are_off_need_no_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: bool, nodes: int
) -> None:
    started: list[int] = []

    def start(_: object, count: int) -> None:
        started.append(count)

    monkeypatch.setattr(place, "HOME", tmp_path)
    monkeypatch.setattr(KindCluster, "start", start)
    monkeypatch.setattr(Toolchain, "prepare", nothing)
    configs = stack(size="dev", proxy={"enabled": proxies, "replicas": 3})
    place.Place("kind", Toolchain(tmp_path)).start(configs)
    assert started == [nodes]


def test_what_only_root_can_tell_is_no_reason_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lacks = choice.this_machine().lacks_for_real
    assert "root" in lacks
    assert not {what for what in lacks if "overlayfs" in what or "namespaces" in what}


def test_a_trial_of_overlayfs_leaves_nothing(tmp_path: Path) -> None:
    choice.overlay_works(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wanted", [None, "simulated"])
def test_without_linux_there_is_only_kind(wanted: str | None) -> None:
    """The simulated control plane is known by /proc and pidfd_open(2)."""
    other = Machine(8, 24 * GIB, ("Linux", "root"), ())
    assert choose(other, stack(), None).kind == "kind"
    lacks = Machine(8, 24 * GIB, ("Linux", "root"), ("docker, running",))
    with pytest.raises(LocalError, match="need Linux"):
        choose(lacks, stack(), wanted)
