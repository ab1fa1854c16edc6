"""What stands beside the program: `Pulumi.yaml`, requirements, the Python that is asked for."""

import re
import tomllib
from pathlib import Path

import yaml

from components.config.errors import PROJECT
from components.config.load import KEYS
from render.recorder import ROOT


def test_every_key_is_declared() -> None:
    """What it means stands below its field."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert declared.keys() == {f"{PROJECT}:{key}" for key in KEYS}
    assert all(entry["type"] and "description" not in entry for entry in declared.values())


def pins(path: Path) -> dict[str, str]:
    """Package to version; a line that is no exact pin fails."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    matches = [re.fullmatch(r"([a-z0-9-]+)==([0-9.]+)", line) for line in lines]
    assert all(matches), lines
    return {match[1]: match[2] for match in matches if match}


def test_the_consumers_packages_are_the_programs() -> None:
    """One of another version would need another CLI, and is never run by a test."""
    consumer = pins(ROOT / "examples" / "consumer" / "requirements.txt")
    assert consumer
    assert consumer.items() <= pins(ROOT / "requirements.txt").items()


def test_one_oldest_python() -> None:
    """pyproject.toml decides; what cannot read it there says the same."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = pyproject["project"]["requires-python"].removeprefix(">=")
    assert pyproject["tool"]["pyright"]["pythonVersion"] == oldest
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in (ROOT / "Makefile").read_text()


def test_ci_runs_what_make_test_leaves_out_and_fails_with_it() -> None:
    """Further stacks and real nodes."""
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert "set -euo pipefail" in script
    assert script[-3:] == ["make test", "make test-further", "make test-cluster"]
