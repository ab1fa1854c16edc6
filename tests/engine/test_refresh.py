"""Tier 4: a refresh finds nothing that the program itself made differ from its state."""

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pulumi
import pytest
from pulumi.automation import CommandError, PreviewResult, Stack

from components.guards import existing, immutable
from local.control_plane import ControlPlane
from local.engine import Engine, run_program
from tests.engine.stacks import Cluster

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NAMESPACE = "refreshed"
STACK = "tier4-refresh"
ACCOUNTS = ("root", "monitor", "app")
VAULT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "vault", "namespace": NAMESPACE, "labels": {"made-by": "hand"}},
    "stringData": {account: f"canary_of_{account}_{'x' * 16}" for account in ACCOUNTS},
}
CONFIG: dict[str, Any] = {
    "mysql-ha:size": "dev",
    "mysql-ha:name": "orders",
    "mysql-ha:namespace": NAMESPACE,
    "mysql-ha:credentials": {
        role: {"existing_secret": {"name": "vault", "key": role}} for role in ("root", "monitor")
    },
    "mysql-ha:proxy": {
        "enabled": True,
        "users": [{"username": "app", "existing_secret": {"name": "vault", "key": "app"}}],
    },
}


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    control_plane.kubectl.ensure_namespace(NAMESPACE)
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(VAULT))
    return Cluster(control_plane, NAMESPACE)


@pytest.fixture(scope="module")
def stack(engine: Engine, cluster: Cluster) -> Iterator[Stack]:
    stack = engine.open(STACK, CONFIG)
    stack.up(on_output=print)
    yield stack
    engine.destroy(STACK, on_output=print, color="never")


def without_same(result: PreviewResult) -> dict[str, int]:
    """What a preview would change, by kind of step."""
    return {str(kind): n for kind, n in result.change_summary.items() if kind != "same"}


def an_earlier_program() -> None:
    """It read its own stack through a resource, and existing Secrets by their ids alone."""
    pulumi.StackReference(immutable.OUTPUT, f"organization/mysql-ha/{STACK}")
    with mock.patch.object(existing, "inputs", return_value={}):
        run_program()


def test_a_refresh_after_an_update_finds_no_drift(stack: Stack) -> None:
    """Neither in what the program read of its own stack nor in existing Secrets."""
    stack.preview_refresh(expect_no_changes=True, on_output=print)
    stack.up(on_output=print)
    stack.preview_refresh(expect_no_changes=True, on_output=print)


def test_a_refresh_finds_an_edit_of_an_existing_secret(stack: Stack, cluster: Cluster) -> None:
    """And tells nothing of it."""
    edited = json.dumps({"stringData": {"app": "canary_of_app_edited"}})
    cluster.control_plane.kubectl(
        "patch", "secret", "vault", "-n", NAMESPACE, "--type=merge", "-p", edited
    )
    output: list[str] = []
    found = stack.preview_refresh(on_output=output.append)
    assert without_same(found) == {"update": 3}, "one of each read"
    assert "canary" not in "".join(output)
    stack.up(on_output=print)
    stack.preview_refresh(expect_no_changes=True, on_output=print)


def test_a_stack_of_an_earlier_program(engine: Engine, stack: Stack) -> None:
    """Its first update drops the reference from the state, and changes nothing."""
    earlier = engine.open(STACK, CONFIG, an_earlier_program)
    earlier.up(on_output=print)
    with pytest.raises(CommandError, match="changes"):
        earlier.preview_refresh(expect_no_changes=True)
    stack = engine.open(STACK, CONFIG)
    assert without_same(stack.preview(on_output=print)) == {"discard": 1, "read": 3}
    stack.up(on_output=print)
    assert without_same(stack.preview(on_output=print)) == {"read": 3}
    stack.preview_refresh(expect_no_changes=True, on_output=print)
