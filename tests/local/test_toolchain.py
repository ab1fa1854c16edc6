"""Downloads that cannot work are tried once, in bounded time; CRDs know what a stack sets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local import LocalError, toolchain
from local.toolchain import Toolchain


@pytest.fixture
def tools(tmp_path: Path) -> Toolchain:
    return Toolchain(tmp_path, say=lambda _: None)


def attempt(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_failed_download_is_remembered(tools: Toolchain, tmp_path: Path) -> None:
    assert not tools.download("thing", attempt("exit('no network')"))
    assert "no network" in (tmp_path / "thing.failed").read_text()
    assert not tools.download("thing", attempt("pass"))
    (tmp_path / "thing.failed").unlink()
    assert tools.download("thing", attempt("pass"))


def test_a_download_that_hangs_is_ended(tools: Toolchain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "DOWNLOAD_TIMEOUT", 0.2)
    assert not tools.download("thing", attempt("import time; time.sleep(60)"))


def test_etcd_and_kubectl_come_with_the_environment(tools: Toolchain) -> None:
    assert tools.path("etcd").is_file()
    assert tools.path("kubectl").is_file()
    with pytest.raises(LocalError, match="pip install"):
        tools.path("nothing")


def test_the_percona_crd_knows_newer_fields() -> None:
    try:
        crds = {crd["spec"]["names"]["kind"]: crd for crd in toolchain.crds()}
    except LocalError as error:
        pytest.skip(f"the operators' Go modules cannot be had: {str(error).splitlines()[0]}")
    for version in crds["PerconaXtraDBCluster"]["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"].get("spec", {})
        assert ("users" in spec.get("properties", {})) is version["storage"]
        if version["storage"]:
            # What the installed CRD has stays, beside what is laid over it.
            schedule = spec["properties"]["backup"]["properties"]["schedule"]["items"]
            assert {"keep", "retention"} <= set(schedule["properties"])
            assert set(schedule["required"]) == {"name", "schedule", "storageName"}
            assert spec["properties"]["pxc"]["properties"]["size"]["type"] == "integer"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("/var/c", "/var/c/mysql-ha"),
        ("", "/home/me/.cache/mysql-ha"),
        ("c", "/home/me/.cache/mysql-ha"),
    ],
)
def test_a_relative_cache_does_not_count(
    monkeypatch: pytest.MonkeyPatch, variable: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert toolchain.cache_folder() == Path(expected)


def test_a_cache_that_cannot_be_written_is_one_error(
    tools: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> bool:
        return False

    monkeypatch.setattr(toolchain.os, "access", refused)
    with pytest.raises(LocalError, match="set XDG_CACHE_HOME"):
        tools.prepare()
