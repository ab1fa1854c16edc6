"""Tier 4: the API server takes what `make render` writes, of every stack and example."""

from pathlib import Path

import pytest
import yaml

from local import LocalError
from local.control_plane import ControlPlane
from render import rules
from render.__main__ import render, write
from tests.engine.api import Api
from tests.program.cases import stack_files

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


def dry_run(folder: Path, control_plane: ControlPlane) -> list[str]:
    """What the server says of each object. Stacks of other tests may be there, so by force."""
    flags = ("--server-side", "--dry-run=server", "--force-conflicts")
    return control_plane.kubectl("apply", *flags, "-R", "-f", str(folder)).splitlines()


def test_every_object_is_taken(tmp_path: Path, control_plane: ControlPlane) -> None:
    """In one go: kubectl learns every kind anew each time. What it says names the object."""
    made: list[str] = []
    for file in stack_files():
        _, files = render(str(file))
        objects = {name: text for name, text in files.items() if not name.startswith(rules.FOLDER)}
        write(objects, tmp_path / file.name)
        made += objects.values()
    for namespace in {yaml.safe_load(text)["metadata"]["namespace"] for text in made}:
        Api(control_plane).ensure_namespace(namespace)
    said = dry_run(tmp_path, control_plane)
    assert len(said) == len(made) > len(stack_files())
    assert all(line.endswith(" serverside-applied (server dry run)") for line in said), said


def test_a_wrong_field_would_be_refused(tmp_path: Path, control_plane: ControlPlane) -> None:
    Api(control_plane).ensure_namespace("default")
    _, files = render("dev")
    write(
        {name: text.replace("spec:\n", "spec:\n  sise: 1\n") for name, text in files.items()},
        tmp_path,
    )
    with pytest.raises(LocalError, match="sise"):
        dry_run(tmp_path, control_plane)
