"""The best kind of nodes that a machine offers a stack, and why not a better one."""

from __future__ import annotations

from typing import Any

import pytest

from components import config as configuration
from local import LocalError
from local.choice import Machine, choose

GIB = 1024**3
ALL = Machine(cores=2, memory=24 * GIB, lacks_for_real=(), lacks_for_kind=())
DOCKER = Machine(cores=8, memory=24 * GIB, lacks_for_real=("root",), lacks_for_kind=())
NOTHING = Machine(
    cores=8, memory=24 * GIB, lacks_for_real=("Linux", "root"), lacks_for_kind=("docker, running",)
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
    assert "Linux, root" in better
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
