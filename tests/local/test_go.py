"""The cache key, the pins, and builds that meet."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from local import LocalError, go
from local.toolchain import ENGINE, PROGRAMS


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> go.Program:
    """A copy of one pinned program that a test may edit."""
    shutil.copytree(go.TOOLS / "kwok", tmp_path / "tools" / "kwok")
    monkeypatch.setattr(go, "TOOLS", tmp_path / "tools")
    return PROGRAMS["kwok"]


def test_the_key_is_stable(program: go.Program) -> None:
    assert program.key("go1.26.8") == program.key("go1.26.8")


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_the_key_follows_the_pins(program: go.Program, file: str) -> None:
    before = program.key("go1.26.8")
    with (go.TOOLS / "kwok" / file).open("a") as text:
        text.write("// edited\n")
    assert program.key("go1.26.8") != before


def test_the_key_follows_go_and_the_flags(program: go.Program) -> None:
    before = program.key("go1.26.8")
    assert program.key("go1.26.9") != before
    assert replace(program, stamps=("a.b={version}",)).key("go1.26.8") != before


def test_every_program_is_pinned() -> None:
    for program in PROGRAMS.values():
        assert program.version.startswith("v")


def test_the_stamp_holds_the_pinned_version() -> None:
    assert f"version.Version={ENGINE.version}" in " ".join(ENGINE.command(Path("x")))
    kubernetes = PROGRAMS["kube-apiserver"]
    major, minor, _ = kubernetes.version.removeprefix("v").split(".")
    command = " ".join(kubernetes.command(Path("x")))
    assert f"gitMajor={major} " in command
    assert f"gitMinor={minor} " in command


def test_a_module_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(LocalError, match="does not require"):
        go.required_version("kwok", "sigs.k8s.io/kw")


def test_missing_go_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="Install Go"):
        go.go_version()


def test_builds_that_meet_build_once(
    program: go.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Path] = []

    def run(command: list[str], directory: Path, environment: object = None) -> str:
        if command[1] == "env":
            return "go1.26.8\n"
        output = Path(command[command.index("-o") + 1])
        output.write_text("binary")
        built.append(output)
        return ""

    monkeypatch.setattr(go, "run", run)
    runs = [threading.Thread(target=program.build, args=(tmp_path / "cache",)) for _ in range(4)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert len(built) == 1
    assert program.binary(tmp_path / "cache").read_text() == "binary"


def test_a_failed_build_leaves_nothing(
    program: go.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], directory: Path, environment: object = None) -> str:
        if command[1] == "env":
            return "go1.26.8\n"
        Path(command[command.index("-o") + 1]).write_text("half")
        raise LocalError("no space left")

    monkeypatch.setattr(go, "run", run)
    with pytest.raises(LocalError, match="no space"):
        program.build(tmp_path / "cache")
    assert [file.name for file in (tmp_path / "cache").rglob("*")] == ["kwok.lock"]
