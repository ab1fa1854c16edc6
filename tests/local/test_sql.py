"""`make sql` beside other runs: a Pod of its own, and no credentials on a command line."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import PulumiCommand

from components.config import load as configuration
from local import LocalError, engine, sql
from local.__main__ import users_kubectl
from local.engine import Engine
from local.kubectl import Kubectl, Object

CONTENTS = "apiVersion: v1\nkind: Config\nusers: [{name: a, user: {token: s3cret}}]\n"
LOGIN = sql.Login("root", "default", "db", 3306, "root", "db-root", "password")


class Recorded(Kubectl):
    """A kubectl that records what it is called for, and may fail."""

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        calls.append(args)
        if args[0] in failing:
            raise LocalError("not ready")
        return ""

    def apply(self, objects: Any) -> None:
        made.extend(objects)


calls: list[tuple[str, ...]] = []
made: list[Object] = []
failing: list[str] = []


@pytest.fixture
def kubectl() -> Kubectl:
    for record in (calls, made, failing):
        record.clear()
    return Recorded(Path("kubectl"), ())


def test_two_at_once_have_pods_of_their_own(kubectl: Kubectl) -> None:
    (config,) = configuration.read({})
    with sql.Sql(kubectl, config, LOGIN) as one, sql.Sql(kubectl, config, LOGIN) as other:
        assert one.pod != other.pod
        one.ask("SELECT 1")
        assert one.pod in calls[-1]
    names = [pod["metadata"]["name"] for pod in made]
    assert names == [one.pod, other.pod]
    deleted = [call[2] for call in calls if call[:2] == ("delete", "pod")]
    assert deleted[-2:] == [other.pod, one.pod]


def test_only_pods_whose_time_is_over_are_cleared_away(kubectl: Kubectl) -> None:
    (config,) = configuration.read({})
    with sql.Sql(kubectl, config, LOGIN):
        first = calls[0]
    assert first[:2] == ("delete", "pod")
    assert "--field-selector=status.phase=Failed" in first


def test_a_pod_that_never_runs_is_deleted(kubectl: Kubectl) -> None:
    (config,) = configuration.read({})
    failing.append("wait")
    with pytest.raises(LocalError), sql.Sql(kubectl, config, LOGIN) as pod:
        assert pod
    assert calls[-1][:3] == ("delete", "pod", made[0]["metadata"]["name"])


@pytest.mark.parametrize("contents", [CONTENTS, '{"kind": "Config", "token": "s3cret"}'])
def test_contents_of_a_kubeconfig_stay_off_the_command_line(contents: str) -> None:
    settings = {"kubernetes:kubeconfig": contents, "kubernetes:context": "prod"}
    with users_kubectl(Path("kubectl"), settings) as kubectl:
        command = kubectl.command("get", "pods")
        assert "s3cret" not in " ".join(command)
        assert "--context=prod" in command
        file = Path(command[1].removeprefix("--kubeconfig="))
        assert file.read_text() == contents
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not file.exists()


def test_a_path_of_a_kubeconfig_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    with users_kubectl(Path("k"), {"kubernetes:kubeconfig": "~/.kube/config"}) as kubectl:
        assert kubectl.options == ("--kubeconfig=/home/me/.kube/config",)
    with users_kubectl(Path("k"), {"kubernetes:context": "prod"}) as kubectl:
        assert kubectl.options == ("--context=prod",)


def test_a_look_at_outputs_leaves_the_locks_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stack:
        def outputs(self) -> dict[str, Any]:
            return {}

    def create(*_: object, **__: object) -> Stack:
        return Stack()

    monkeypatch.setattr(engine, "create_or_select_stack", create)
    held = tmp_path / "state/.pulumi/locks/organization/mysql-ha/dev/1.json"
    held.parent.mkdir(parents=True)
    held.touch()
    command = PulumiCommand.__new__(PulumiCommand)
    private = Engine(tmp_path, command, tmp_path / "kubeconfig", None, tmp_path / "home")
    assert private.outputs("dev") == {}
    assert held.exists()
    private.open("dev", {})
    assert not held.exists()
