"""What `make up` says about what it only simulates."""

from __future__ import annotations

from pathlib import Path

import pytest

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
