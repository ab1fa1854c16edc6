"""A command that fails is one error with what it said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local import LocalError, commands
from local import __main__ as main
from local.real import debian, images


def test_what_a_command_prints_is_returned(tmp_path: Path) -> None:
    said = commands.run(
        ["sh", "-c", "cat; pwd; echo $NAME"], directory=tmp_path, environment={"NAME": "x"},
        stdin="in\n",
    )  # fmt: skip
    assert said == f"in\n{tmp_path}\nx\n"


def test_a_failure_shows_the_end_of_what_was_said() -> None:
    script = "import sys; print('no'); [print(n, file=sys.stderr) for n in range(50)]; exit(3)"
    with pytest.raises(LocalError) as error:
        commands.run([sys.executable, "-c", script], what="counting")
    lines = str(error.value).splitlines()
    assert lines[0] == f"counting: {50 - commands.SAID}"
    assert lines[-1] == "49"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sh", "-c", "echo on stdout; exit 1"], "on stdout"),
        (["false"], "false: ended with 1, and said nothing"),
        (["/no/such/program", "x"], "/no/such/program x: No such file or directory"),
    ],
)
def test_every_failure_says_something(command: list[str], said: str) -> None:
    with pytest.raises(LocalError, match=said):
        commands.run(command)


def test_a_package_that_is_no_package_is_one_error(tmp_path: Path) -> None:
    package = tmp_path / "broken_1_all.deb"
    package.write_text("half a download")
    with pytest.raises(LocalError, match="broken_1_all.deb"):
        debian.unpack_archive(package, tmp_path)


def test_a_layer_that_cannot_be_packed_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="tar --create"):
        images.write_archive(tmp_path / "nothing", tmp_path / "a.tar", "a", images.Config())


def test_what_the_machine_refuses_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "/cache/x")

    monkeypatch.setattr(main, "status", full)
    monkeypatch.setattr(sys, "argv", ["local", "status"])
    assert main.main() == 1
    assert "error: [Errno 28] No space left on device: '/cache/x'" in capsys.readouterr().err
