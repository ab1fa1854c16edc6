"""What `make up` says about what it only simulates, and of which databases `make status` asks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.config import load as configuration
from local import LocalError
from local import __main__ as main
from local.__main__ import directions
from local.control_plane import ControlPlane
from local.kubectl import Kubectl
from local.toolchain import Toolchain


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    return ControlPlane(tmp_path, Toolchain(tmp_path))


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def call(*_: object) -> str:
        return text

    monkeypatch.setattr(Kubectl, "__call__", call)


def test_what_waits_for_a_server_is_named(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "user.k8s.mariadb.com/a\ngrant.k8s.mariadb.com/b\n")
    said = directions(plane, percona=False)
    assert "  user.k8s.mariadb.com/a\n  grant.k8s.mariadb.com/b\n" in said
    assert "Percona" not in said


def test_a_percona_stack_is_told_that_its_operator_is_simulated(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "")
    said = directions(plane, percona=True)
    assert "No Percona operator runs" in said
    assert "KWOK" in said
    assert "the API server accepts" in said
    assert "Pending" not in said


CONFIGS = configuration.read(
    {
        "mysql-ha:size": "dev",
        "mysql-ha:databases": {
            "orders": {"namespace": "shop", "proxy": {"enabled": True}},
            "users": {},
        },
    }
)


@contextmanager
def deployed(wanted: str, lacking: str, *, wait: bool) -> Generator[Any]:
    """A stack of two databases, of which a run may be under way."""
    assert not wait
    if wanted == "elsewhere":
        raise LocalError("Stack elsewhere is not here")
    yield CONFIGS, {}, Kubectl(Path("/k"), ("--context=c",))


def test_the_state_of_each_database_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    def show(databases: Any, *, as_json: bool) -> int:
        shown.extend(databases)
        return int(as_json)

    monkeypatch.setattr(main, "_deployed", deployed)
    monkeypatch.setattr(main, "show", show)
    assert main.screens("two", as_json=True) == 1
    assert [(one.command, one.namespace, name) for one, name, _ in shown] == [
        (("/k", "--context=c"), "shop", "orders"),
        (("/k", "--context=c"), "default", "users"),
    ]
    proxied, alone = (wanted for _, _, wanted in shown)
    assert proxied.startswith("orders-proxysql-cnf-")
    assert alone == ""


def test_a_stack_that_is_not_here_has_no_state(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "_deployed", deployed)
    assert main.screens("elsewhere", as_json=False) == 2
    assert capsys.readouterr().err == "error: Stack elsewhere is not here\n"
