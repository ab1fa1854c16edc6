"""What a run costs, by counts that do not depend on the machine: edges, modules, collections."""

import gc
import json
import subprocess
import sys
from functools import cache
from typing import Any
from unittest import mock

import pytest

from render import recorder
from render.case import case
from render.recorder import ROOT

pytestmark = pytest.mark.broad

EDGES: list[tuple[dict[str, Any], int]] = [
    # A password's Secret; User, Database and Grant; the logins' Secret and the app's.
    ({}, 1 + 2 + 1 + 2 + 2 + 3),
    # Without this program's proxies nothing waits for the logins' Secret.
    ({"proxy": {"enabled": False}}, 1 + 2 + 1 + 2 + 2),
]


@cache
def _edges(count: int, config: str) -> int:
    apps = [{"name": f"app-{n}", "databases": {f"app_{n:03d}": "owner"}} for n in range(count)]
    made = case("cost", {"size": "small", **json.loads(config), "apps": apps}).run(preview=True)
    assert made.error is None, made.error
    return sum(len(resource.depends_on) for resource in made.resources)


@pytest.mark.parametrize(("config", "each"), EDGES, ids=str)
def test_an_app_costs_the_same_edges_among_ten_and_among_a_hundred(
    config: dict[str, Any], each: int
) -> None:
    one, ten, hundred = (_edges(count, json.dumps(config)) for count in (1, 10, 100))
    assert ten - one == 9 * each
    assert hundred - ten == 90 * each


LOADED = """
import json, linecache, sys
from render import recorder
recording = recorder.run(json.loads(sys.argv[1]), preview=True)
assert recording.error is None, recording.error
print(json.dumps([*sys.modules, *linecache.cache]))
"""


@cache
def loaded(size: str) -> set[str]:
    """The modules of a fresh process that has run a stack of a size on the recorder, and the files
    whose source it looked at."""
    command = [sys.executable, "-c", LOADED, json.dumps({"size": size})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def kinds(modules: set[str]) -> set[str]:
    """The API groups of the Kubernetes SDK among the modules."""
    parts = (name.split(".") for name in modules)
    return {part[1] for part in parts if part[0] == "pulumi_kubernetes" and len(part) == 3}


def test_a_stack_loads_only_the_parts_of_the_sdk_that_it_needs() -> None:
    assert kinds(loaded("dev")) == {"core", "meta"}
    assert kinds(loaded("small")) == {
        *("apiextensions", "apps", "core", "meta", "networking", "policy")
    }


def test_no_client_of_kubernetes_is_loaded_where_no_cluster_is_looked_at() -> None:
    assert "pulumi_kubernetes" in loaded("small")
    assert "kubernetes" not in loaded("small")


def test_a_start_does_not_parse_the_text_below_the_keys() -> None:
    """Only tools need it."""
    assert not {name for name in loaded("small") if "/components/config/" in name}


def test_a_run_looks_for_no_garbage_and_the_recorder_does_again() -> None:
    assert gc.isenabled()
    with mock.patch.object(gc, "disable", wraps=gc.disable) as disable:
        recording = recorder.run({"size": "dev"}, preview=True)
    assert recording.error is None
    disable.assert_called_once_with()
    assert gc.isenabled()
