"""Golden files: what each committed stack file declares.

`tests/golden/<stack>/` is what `make render` writes. What YAML cannot show is beside it, in
`<stack>.options.yaml`: URNs, options of resources, what is no Kubernetes object, outputs. A change
of a URN replaces a resource, so a diff here is read with care before `pytest --update-goldens`
makes it the new truth.
"""

import difflib
import re
from dataclasses import replace
from typing import Any

import pytest

from components.config import load
from render import rules
from render.manifests import dump, file_name, is_object, manifests
from render.recorder import ROOT, Recording, Resource, without_secrets
from tests.program.cases import by_id, configured, file_cases, recorded, shown

GOLDEN = ROOT / "tests" / "golden"
ALIKE = {
    "large": "small",
    "example-replication-primary-service": "small",
}
"""Stacks without a golden, and the one whose golden they would repeat: the first is other numbers
(tests/unit/test_sizes.py has them), the second says what is the default."""
STACKS = [case.id for case in file_cases()]
NAMES = [name for name in STACKS if name not in ALIKE]


def test_some_stack_files_exist() -> None:
    assert {"dev", "small", "large"} <= set(STACKS)


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str, preview: bool, request: pytest.FixtureRequest) -> None:
    actual = _files(name, preview=preview)
    if request.config.getoption("--update-goldens") and not preview:
        _write(name, actual)
    expected = _golden(name)
    if preview:  # of a Secret it does not know the texts
        expected = {file: text for file, text in expected.items() if "/secret-" not in file}
    assert expected, f"no golden files for {name}: run `pytest --update-goldens`"
    diff = "\n".join(
        line
        for file in sorted(expected.keys() | actual.keys())
        for line in _diff(expected.get(file, ""), actual.get(file, ""), file)
    )
    assert not diff, f"{name} differs from its golden files:\n{diff}"


@pytest.mark.parametrize("name", ALIKE)
def test_what_has_no_golden_has_the_resources_of_its_like(name: str) -> None:
    assert _resources(name) == _resources(ALIKE[name])


def test_no_golden_is_an_orphan(request: pytest.FixtureRequest) -> None:
    wanted = {*NAMES, *(f"{name}.options.yaml" for name in NAMES)}
    orphans = [path for path in GOLDEN.iterdir() if path.name not in wanted]
    if request.config.getoption("--update-goldens"):
        for path in orphans:
            for file in [path] if path.is_file() else path.iterdir():
                file.unlink()
            if path.is_dir():
                path.rmdir()
        return
    assert not orphans


def _files(name: str, *, preview: bool = False) -> dict[str, str]:
    """Path below the goldens to text; of a preview, which does not know their texts, no Secrets."""
    recording = recorded(name, preview=preview)
    shown = [r for r in recording.resources if not (preview and r.kind == "Secret")]
    case = by_id()[name]
    objects = manifests(replace(recording, resources=shown), case.passwords(recording))
    files = {**objects, **rules.files(load.read(case.source))}
    return {
        **{f"{name}/{file}": text for file, text in files.items()},
        f"{name}.options.yaml": _options(recording),
    }


def _golden(name: str) -> dict[str, str]:
    files = [*(GOLDEN / name).rglob("*.yaml"), GOLDEN / f"{name}.options.yaml"]
    return {str(file.relative_to(GOLDEN)): file.read_text() for file in files if file.exists()}


def _resources(name: str) -> str:
    """URNs and options of a stack, with the stack and its database called as in any other."""
    recording = recorded(name)
    text = _options(replace(recording, outputs={}))
    return re.sub(
        rf"\b({recording.outputs['name']}|{name})\b|(?<=-cnf-)[0-9a-f]{{12}}", "NAME", text
    )


def _write(name: str, files: dict[str, str]) -> None:
    for file in _golden(name).keys() - files.keys():
        (GOLDEN / file).unlink()
    for file, text in files.items():
        (GOLDEN / file).parent.mkdir(parents=True, exist_ok=True)
        (GOLDEN / file).write_text(text)


def _options(recording: Recording) -> str:
    resources = {r.urn: _resource(r) for r in recording.resources}
    assert len(resources) == len(recording.resources), "two resources have the same URN"
    return dump(
        {
            "resources": [resources[urn] for urn in sorted(resources)],
            "outputs": without_secrets(configured(recording)),
        },
        first=("urn",),
    )


def _resource(resource: Resource) -> dict[str, Any]:
    """A resource without what its manifest says."""
    shown_beside = is_object(resource)
    fields = {
        "urn": resource.urn,
        "file": file_name(resource) if shown_beside else None,
        "inputs": None if shown_beside else shown(resource),
        "parent": resource.parent.rpartition("::")[2],
        "provider": resource.provider.rpartition("::")[0].rpartition("::")[2],
        "protect": resource.protect,
        "retain_on_delete": resource.retain_on_delete,
        "ignore_changes": list(resource.ignore_changes),
        "aliases": [" ".join(alias.split()) for alias in resource.aliases],
        "import": resource.import_id,
        "timeouts": resource.timeouts,
        "secret_outputs": list(resource.secret_outputs),
        "read": resource.read,
        "depends_on": sorted("::".join(urn.split("::")[2:]) for urn in resource.depends_on),
    }
    return {key: value for key, value in fields.items() if value}


def _diff(expected: str, actual: str, name: str) -> list[str]:
    lines = expected.splitlines(), actual.splitlines()
    return list(difflib.unified_diff(*lines, f"golden/{name}", "now", lineterm="", n=3))
