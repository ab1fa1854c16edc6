"""What `make up` says about what it only simulates, and of which databases `make status` asks."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation import CommandError, CommandResult

from components.config import load as configuration
from local import REPOSITORY, LocalError, engine
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
def seen(wanted: str) -> Generator[Any]:
    """A stack of two databases, of which the file has only one by now."""
    if wanted == "elsewhere":
        raise LocalError("Stack elsewhere is not here")
    if wanted == "locked":
        raise CommandError(CommandResult("", "wrong passphrase", 255))
    yield CONFIGS, CONFIGS[:1], Kubectl(Path("/k"), ("--context=c",))


def test_the_state_of_each_database_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    def show(databases: Any, *, as_json: bool) -> int:
        shown.extend(databases)
        return int(as_json)

    monkeypatch.setattr(main, "seen", seen)
    monkeypatch.setattr(main, "show", show)
    assert main.screens("two", as_json=True) == 1
    assert [(one.command, one.namespace, name) for one, name, _ in shown] == [
        (("/k", "--context=c"), "shop", "orders"),
        (("/k", "--context=c"), "default", "users"),
    ]
    proxied, gone = (wanted for _, _, wanted in shown)
    assert proxied.proxies == CONFIGS[0].proxy.replicas
    assert proxied.configuration.startswith("orders-proxysql-cnf-")
    assert (gone.proxies, gone.configuration) == (0, "")


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("elsewhere", "error: Stack elsewhere is not here\n"),
        ("locked", "wrong passphrase\nerror: pulumi failed; see above\n"),
    ],
)
def test_a_stack_that_is_not_here_has_no_state(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str, said: str
) -> None:
    monkeypatch.setattr(main, "seen", seen)
    assert main.screens(stack, as_json=False) == 2
    assert capsys.readouterr().err == said


def test_json_is_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["local", "status", "--json"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2


# --- a stack on a cluster of its own ---


class Asked:
    """Tools of which each step is recorded."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def prepare(self) -> None:
        pass

    def pulumi(self) -> Asked:
        return self

    def run(self, command: list[str], cwd: str, additional_env: Mapping[str, str]) -> CommandResult:
        self.commands.append(command)
        answer = {"kubernetes:kubeconfig": {"value": "kind: Config\n", "secret": True}}
        return CommandResult(json.dumps(answer), "", 0)


def test_a_cluster_that_is_named_in_clear_needs_no_engine(tmp_path: Path) -> None:
    tools: Any = Asked()
    config = {"kubernetes:context": "c", "mysql-ha:size": "dev"}
    found = engine.cluster_settings("prod", tmp_path / "Pulumi.prod.yaml", config, tools)
    assert found == {"kubernetes:context": "c"}
    assert tools.commands == []


def test_an_encrypted_kubeconfig_is_read_and_no_stack_is_selected() -> None:
    """`stack select` would make it the current one, and `stack init` make it."""
    tools: Any = Asked()
    config = {"kubernetes:kubeconfig": {"secure": "v1:x"}}
    found = engine.cluster_settings("prod", REPOSITORY / "Pulumi.prod.yaml", config, tools)
    assert found == {"kubernetes:kubeconfig": "kind: Config\n"}
    assert [command[:1] for command in tools.commands] == [["config"]]


def test_what_the_file_says_now_is_compared_with_what_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine's copy has what was deployed; also while the file is being edited."""
    file = tmp_path / "Pulumi.dev.yaml"

    def config(_: str) -> dict[str, Any]:
        return {"mysql-ha:size": "dev"}

    class Deployed:
        cluster = SimpleNamespace(kubectl=Kubectl(Path("/k"), ()))
        engine = SimpleNamespace(config=config)

    def place(*_: object) -> Any:
        return SimpleNamespace(cluster=Deployed.cluster, engine=lambda: Deployed.engine)

    def stack_file(wanted: str) -> tuple[str, Path]:
        return wanted, file

    monkeypatch.setattr(main, "place_of", place)
    monkeypatch.setattr(engine, "stack_file", stack_file)
    file.write_text("config: {'mysql-ha:size': small}")
    with main.seen("dev") as (there, stack, _):
        assert [one.proxy.enabled for one in (*there, *stack)] == [False, True]
    file.write_text("config: {'mysql-ha:size': none}")
    with main.seen("dev") as (there, stack, _):
        assert (len(there), len(stack)) == (1, 0)
    assert "not compared with the stack's file" in capsys.readouterr().err


def test_what_tools_say_is_no_part_of_the_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config: {'kubernetes:context': c, 'mysql-ha:size': dev}")

    def stack_file(wanted: str) -> tuple[str, Path]:
        return wanted, file

    def settings(_: str, __: Path, config: Mapping[str, Any], tools: Toolchain) -> dict[str, Any]:
        tools.say("[1/1] pulumi: cached")
        return {"kubernetes:context": config["kubernetes:context"]}

    monkeypatch.setattr(engine, "stack_file", stack_file)
    monkeypatch.setattr(engine, "cluster_settings", settings)
    with main.seen("prod") as (there, stack, kubectl):
        assert there == stack
        assert "--context=c" in kubectl.command()
    assert capsys.readouterr() == ("", "[1/1] pulumi: cached\n")


def test_simulated_nodes_have_another_command(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def place(*_: object) -> Any:
        return SimpleNamespace(cluster=plane)

    monkeypatch.setattr(main, "place_of", place)
    assert main.screens("dev", as_json=False) == 2
    assert "nothing answers; `make status` lists its objects" in capsys.readouterr().err
