"""What GitHub and editors run: actions by commit, every Python, every place with pins."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_action_is_pinned_by_its_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())
    assert used
    wrong = [
        use for use in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
    ]
    assert wrong == []


def test_an_action_has_one_pin() -> None:
    """Two workflows with two versions of an action are one that was forgotten."""
    pins: dict[str, set[str]] = {}
    for file in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w./-]+)@(\S+)", file.read_text()):
            pins.setdefault(action, set()).add(pin)
    assert {action: len(found) for action, found in pins.items()} == dict.fromkeys(pins, 1)


def test_the_fast_job_runs_on_every_python_from_the_oldest() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = pyproject["project"]["requires-python"].removeprefix(">=")
    pythons = read(".github/workflows/ci.yml")["jobs"]["fast"]["strategy"]["matrix"]["python"]
    first, minor = oldest.split(".")
    assert pythons == [f"{first}.{int(minor) + further}" for further in range(len(pythons))]
    assert len(pythons) == 3


def test_dependabot_looks_wherever_versions_are_pinned() -> None:
    listed = {
        (update["package-ecosystem"], directory)
        for update in read(".github/dependabot.yml")["updates"]
        for directory in update.get("directories", [update.get("directory")])
    }
    modules = {f"/{file.parents[1].relative_to(ROOT)}/*" for file in ROOT.glob("local/**/go.mod")}
    examples = ROOT.glob("examples/*/requirements.txt")
    requirements = {"/", *(f"/{file.parent.relative_to(ROOT)}" for file in examples)}
    assert listed == (
        {("gomod", folder) for folder in modules}
        | {("pip", folder) for folder in requirements}
        | {("github-actions", "/"), ("devcontainers", "/")}
    )


def test_hooks_run_the_tools_of_the_venv() -> None:
    """A hook of its own repository would be a second pin of ruff."""
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert all(hook["entry"].startswith("venv/bin/") for hook in repository["hooks"])


def test_the_devcontainer_has_a_go_that_builds_the_local_programs() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text()
    container = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    (go,) = (
        feature["version"] for name, feature in container["features"].items() if "/go:" in name
    )
    asked = [
        re.findall(r"^go (\d+)\.(\d+)", file.read_text(), re.MULTILINE)[0]
        for file in ROOT.glob("local/tools/*/go.mod")
    ]
    assert tuple(map(int, go.split("."))) >= max(tuple(map(int, one)) for one in asked)


@pytest.mark.parametrize("template", ["bug", "feature"])
def test_an_issue_asks_for_versions_and_a_preview_without_secrets(template: str) -> None:
    fields = read(f".github/ISSUE_TEMPLATE/{template}.yml")["body"]
    by_id = {field["id"]: field["attributes"] for field in fields if "id" in field}
    assert "versions" in by_id
    preview = " ".join(map(str, by_id["preview"].values()))
    assert "pulumi preview --diff" in preview
    assert "remove secrets" in preview
