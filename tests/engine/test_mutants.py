"""Tier 4: the API server takes the objects of configs of which one leaf was replaced.

Of those that the program accepts: 20 in an ordinary run, 500 with `MUTANTS=all`, or as many as
`MUTANTS_SERVED` says, beginning with `MUTANTS_SEED`.
"""

import itertools
import json
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from components.config.errors import ConfigError
from components.config.load import read
from local import LocalError
from local.control_plane import ControlPlane
from render.case import as_new, case
from render.manifests import is_object
from render.recorder import plain
from tests.engine.api import Api
from tests.engine.test_render import dry_run
from tests.program import mutants

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600)]

WANTED = int(os.environ.get("MUTANTS_SERVED", 500 if os.environ.get("MUTANTS") == "all" else 20))


Object: TypeAlias = dict[str, Any]


def accepted(seed: int) -> Iterator[tuple[str, list[Object]]]:
    """Mutants that the whole program takes, and the objects that it makes of them."""
    chance = random.Random(seed)
    every = mutants.every()
    while True:
        name, keys, number = chance.choice(every)
        config: dict[str, Any] = as_new(mutants.mutant(name, keys, number))
        try:
            read(config)
        except ConfigError:
            continue
        recording = case("mutant", config).run()
        if recording.error is None:  # the others are refused by what was read
            what = f"{name} {'.'.join(map(str, keys))} {mutants.NASTY[number]!r:.60}"
            yield what, [plain(r.inputs) for r in recording.resources if is_object(r)]


def namespaces(objects: list[Object]) -> set[str]:
    """Where the objects are, and what they make."""
    found = {
        one["metadata"].get("namespace", one["metadata"]["name"])
        for one in objects
        if one["kind"] == "Namespace" or "namespace" in one["metadata"]
    }
    return found


def refusal(folder: Path, objects: Iterable[Object], control_plane: ControlPlane) -> str:
    """Why the server takes not every object; empty where it does."""
    folder.mkdir()
    number = 0
    for number, one in enumerate(objects, 1):
        (folder / f"{number}.json").write_text(json.dumps(one))
    try:
        assert len(dry_run(folder, control_plane)) == number
    except LocalError as error:
        return str(error)
    return ""


def test_the_api_server_takes_what_the_program_accepts(
    tmp_path: Path, control_plane: ControlPlane
) -> None:
    found = list(itertools.islice(accepted(seed=int(os.environ.get("MUTANTS_SEED", "0"))), WANTED))
    for namespace in set[str]().union(*(namespaces(objects) for _, objects in found)):
        Api(control_plane).ensure_namespace(namespace)
    refused: list[str] = []
    for start in range(0, WANTED, 20):
        batch = found[start : start + 20]
        together = [one for _, objects in batch for one in objects]
        if refusal(tmp_path / f"{start}", together, control_plane):
            for number, (what, objects) in enumerate(batch, start):
                if why := refusal(tmp_path / f"{number}-alone", objects, control_plane):
                    refused.append(f"{what}: {why}")
    assert refused == []
