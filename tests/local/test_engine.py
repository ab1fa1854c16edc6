"""Which cluster a stack may reach, and what becomes of its files."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.automation import PulumiCommand

from local import REPOSITORY, LocalError, engine
from local.engine import Engine


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, False),
        ({"mysql-ha:size": "dev"}, False),
        ({"kubernetes:namespace": "x"}, False),
        ({"kubernetes:context": ""}, False),
        ({"kubernetes:context": "prod"}, True),
        ({"kubernetes:kubeconfig": "~/.kube/config"}, True),
        ({"kubernetes:kubeconfig": {"secure": "v1:abc"}}, True),
    ],
)
def test_only_a_stack_that_names_a_cluster_leaves_this_machine(
    config: dict[str, Any], expected: bool
) -> None:
    assert engine.names_cluster(config) is expected


def test_the_committed_stacks_stay_on_this_machine() -> None:
    for file in REPOSITORY.glob("Pulumi.*.yaml"):
        assert not engine.names_cluster(engine.stack_config(file)), file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config: [", "line 1: this is not YAML"),
        ("config:\n\ta: b", "line 2: this is not YAML"),
        ("a: &x [*x", "this is not YAML"),
        ("config: !!python/object:os.system {}", "this is not YAML"),
        ("config:\n  a: b: c", "line 2: this is not YAML"),
        ("- a", "`config` must be a mapping"),
        ("config: small", "`config` must be a mapping"),
        ("config: {1: a}", "config key 1 is not text"),
        ("config: " + "{a: " * 9999, "this is not YAML"),
    ],
)
def test_a_stack_file_that_is_broken_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(text)
    with pytest.raises(LocalError, match=re.escape(says)) as caught:
        engine.stack_config(file)
    assert str(caught.value).startswith("Pulumi.x.yaml")


def open_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> Any:
    """Open a stack with the engine itself left out; return what it would have got."""

    def create(name: str, project: str, program: Any, opts: Any) -> Any:
        return opts

    monkeypatch.setattr(engine, "create_or_select_stack", create)
    command = PulumiCommand.__new__(PulumiCommand)
    private = Engine(tmp_path, command, tmp_path / "kubeconfig", tmp_path / "bin", tmp_path / "p")
    return private.open("dev", config)


def test_a_stack_that_names_a_cluster_is_not_opened_locally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalError, match="names a cluster"):
        open_with(tmp_path, monkeypatch, {"kubernetes:context": "prod"})


def test_nothing_ambient_reaches_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("KUBECONFIG", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_HOME"):
        monkeypatch.setenv(key, "ambient")
    environment = open_with(tmp_path, monkeypatch, {}).env_vars
    assert environment["KUBECONFIG"] == str(tmp_path / "kubeconfig")
    assert "ambient" not in environment.values()
    # The program itself has this process's environment.
    config = yaml.safe_load((tmp_path / "work" / "Pulumi.dev.yaml").read_text())["config"]
    assert config["kubernetes:kubeconfig"] == str(tmp_path / "kubeconfig")
    assert environment["PATH"].startswith(str(tmp_path / "bin"))


def test_the_salt_survives_every_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_with(tmp_path, monkeypatch, {"mysql-ha:size": "dev"})
    file = tmp_path / "work" / "Pulumi.dev.yaml"
    with file.open("a") as text:
        text.write("encryptionsalt: v1:abc\n")
    open_with(tmp_path, monkeypatch, {"mysql-ha:size": "small"})
    assert yaml.safe_load(file.read_text()) == {
        "encryptionsalt": "v1:abc",
        "config": {
            "mysql-ha:size": "small",
            "mysql-ha:await_sql": False,
            "kubernetes:kubeconfig": str(tmp_path / "kubeconfig"),
        },
    }


def test_the_repository_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file: file.read_bytes() for file in REPOSITORY.glob("Pulumi*.yaml")}
    open_with(tmp_path, monkeypatch, {"mysql-ha:size": "large"})
    assert {file: file.read_bytes() for file in REPOSITORY.glob("Pulumi*.yaml")} == before


def test_the_passphrase_is_made_once_and_private(tmp_path: Path) -> None:
    first = engine.passphrase(tmp_path)
    assert len(first) >= 32
    assert engine.passphrase(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "passphrase").stat().st_mode) == 0o600


def test_a_stack_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    assert engine.stack_file("dev") == ("dev", REPOSITORY / "Pulumi.dev.yaml")
    file = tmp_path / "Pulumi.my-own.yaml"
    file.write_text("config: {}\n")
    assert engine.stack_file(str(file)) == ("my-own", file)


@pytest.mark.parametrize("wanted", ["nothing", "../dev", "Pulumi.yaml", "README.yaml", ""])
def test_a_wrong_stack_is_one_clear_error(wanted: str) -> None:
    with pytest.raises(LocalError, match="stack file"):
        engine.stack_file(wanted)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"default"}),
        ({"mysql-ha:namespace": "db"}, {"db"}),
        ({"mysql-ha:namespace": "db", "mysql-ha:create_namespace": True}, set[str]()),
        ({"mysql-ha:databases": {"a": {"namespace": "x"}, "b": None}}, {"default", "x"}),
    ],
)
def test_the_namespaces_a_stack_expects(config: dict[str, Any], expected: set[str]) -> None:
    assert engine.namespaces(config) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"mariadb"}),
        ({"mysql-ha:engine": "percona"}, {"percona"}),
        ({"mysql-ha:databases": {"a": {"engine": "percona"}, "b": None}}, {"mariadb", "percona"}),
    ],
)
def test_the_engines_of_a_stack(config: dict[str, Any], expected: set[str]) -> None:
    assert engine.values(config, "engine") == expected
