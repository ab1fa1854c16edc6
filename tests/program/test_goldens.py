"""Golden files: what each committed stack file tells the engine, secrets hidden.

A change of a URN replaces a resource, so a diff here is read with care before
`pytest --update-goldens` makes it the new truth.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from render.recorder import Recording, Resource, without_secrets
from tests.program.cases import configured, file_cases, recorded, shown

GOLDEN = Path(__file__).parent / "golden"
NAMES = [case.id for case in file_cases()]


def test_some_stack_files_exist() -> None:
    assert {"dev", "small", "large"} <= set(NAMES)


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str, preview: bool, request: pytest.FixtureRequest) -> None:
    file = GOLDEN / f"{name}.yaml"
    actual = _text(recorded(name, preview=preview))
    if request.config.getoption("--update-goldens") and not preview:
        file.write_text(actual)
    assert file.exists(), f"no golden file for {name}: run `pytest --update-goldens`"
    diff = "\n".join(_diff(file.read_text(), actual, file.name))
    assert not diff, f"{name} differs from its golden file:\n{diff}"


def test_no_golden_file_is_an_orphan(request: pytest.FixtureRequest) -> None:
    orphans = [file for file in GOLDEN.iterdir() if file.stem not in NAMES]
    if request.config.getoption("--update-goldens"):
        for file in orphans:
            file.unlink()
        return
    assert not orphans


def _text(recording: Recording) -> str:
    resources = {r.urn: _resource(r) for r in recording.resources}
    assert len(resources) == len(recording.resources), "two resources have the same URN"
    document = {
        "resources": resources,
        "outputs": without_secrets(configured(recording)),
    }
    return yaml.safe_dump(document, width=100, allow_unicode=True)


def _resource(resource: Resource) -> dict[str, Any]:
    options = {
        "parent": resource.parent.rpartition("::")[2],
        "provider": resource.provider.rpartition("::")[0].rpartition("::")[2],
        "protect": resource.protect,
        "retain_on_delete": resource.retain_on_delete,
        "ignore_changes": list(resource.ignore_changes),
        "aliases": [" ".join(alias.split()) for alias in resource.aliases],
        "timeouts": resource.timeouts,
        "secret_outputs": list(resource.secret_outputs),
        "read": resource.read,
        "depends_on": sorted("::".join(urn.split("::")[2:]) for urn in resource.depends_on),
    }
    return {
        "inputs": shown(resource),
        "options": {key: value for key, value in options.items() if value},
    }


def _diff(expected: str, actual: str, name: str) -> Iterable[str]:
    return difflib.unified_diff(
        expected.splitlines(), actual.splitlines(), f"golden/{name}", "now", lineterm="", n=3
    )
