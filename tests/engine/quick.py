"""What the Automation API starts the CLI for beside each operation, read from the backend's files.

Every start of it takes CPU of its own, and most of them derive the key of the passphrase anew. The
operations themselves are the CLI's; test_plugins.py asks both and compares.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

from pulumi.automation import (
    CommandResult,
    LocalWorkspace,
    OutputMap,
    OutputValue,
    Stack,
    StackNotFoundError,
    UpdateSummary,
)

SECRET = "4dabf18193072939515e22adb298388d"
"""Key of what is no plain value (sdk/go/common/resource/sig, `Key`)."""

ask_outputs = LocalWorkspace.stack_outputs
ask_info = Stack.info


def _folder(workspace: LocalWorkspace, kind: str) -> Path:
    """Where a backend of files keeps the `stacks` or the `history` of a project."""
    backend = Path(unquote(urlsplit(workspace.env_vars["PULUMI_BACKEND_URL"]).path))
    return backend / ".pulumi" / kind / workspace.project_settings().name


def select_stack(workspace: LocalWorkspace, name: str) -> None:
    """Selects nothing: every command names its stack."""
    if not (_folder(workspace, "stacks") / f"{name}.json").exists():
        raise StackNotFoundError(CommandResult(stdout="", stderr=f"no stack {name}", code=1))


def outputs(workspace: LocalWorkspace, name: str) -> OutputMap:
    """The outputs of the last update. The CLI is asked where one is secret."""
    file = _folder(workspace, "stacks") / f"{name}.json"
    latest: dict[str, Any] = json.loads(file.read_text())["checkpoint"]["latest"]
    found: dict[str, Any] = {}
    for resource in latest.get("resources", []):
        if resource["type"] == "pulumi:pulumi:Stack":
            found = resource.get("outputs", {})
    if SECRET in json.dumps(found):
        return ask_outputs(workspace, name)
    return {key: OutputValue(value=value, secret=False) for key, value in found.items()}


def info(stack: Stack, show_secrets: bool = True) -> UpdateSummary | None:
    """The last operation, without the config that it had."""
    assert isinstance(stack.workspace, LocalWorkspace)
    files = (_folder(stack.workspace, "history") / stack.name).glob("*.history.json")
    if not (newest := max(files, default=None)):  # their names have its time in nanoseconds
        return None
    said: dict[str, Any] = json.loads(newest.read_text())
    return UpdateSummary(
        kind=said["kind"],
        start_time=datetime.fromtimestamp(said["startTime"], UTC),
        message=said["message"],
        environment={},
        config={},
        result=said["result"],
        resource_changes=said.get("resourceChanges"),
    )


@contextmanager
def reading() -> Generator[None]:
    """The Automation API reads so, of stacks whose backend is a folder that a variable names."""
    with (
        mock.patch.object(LocalWorkspace, "select_stack", select_stack),
        mock.patch.object(LocalWorkspace, "stack_outputs", outputs),
        mock.patch.object(Stack, "info", info),
    ):
        yield
