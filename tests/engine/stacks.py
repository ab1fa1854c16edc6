"""What tests of stacks on the local control plane share: reading objects, updates and state."""

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

import libconf
import pytest
from pulumi.automation import CommandError, Stack, UpResult

from local.control_plane import ControlPlane
from local.engine import Engine


class Cluster:
    """Reads objects of one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane, self.namespace = control_plane, namespace

    def list(self, kind: str) -> dict[str, Any]:
        """Objects of a kind, by name."""
        text = self.control_plane.kubectl("get", kind, "-n", self.namespace, "-o", "json")
        return {item["metadata"]["name"]: item for item in json.loads(text)["items"]}

    def secrets(self) -> dict[str, dict[str, str]]:
        """The texts of every Secret by name and key."""
        found: dict[str, dict[str, str]] = {}
        for name, secret in self.list("secrets").items():
            data: Mapping[str, str] = secret.get("data") or {}
            found[name] = {key: base64.b64decode(text).decode() for key, text in data.items()}
        return found

    def secret(self, name: str) -> dict[str, str]:
        """A Secret's texts by key."""
        return self.secrets()[name]

    def proxysql_cnf(self, name: str, stateful_set: str | None = None) -> dict[str, Any]:
        """The parsed file of the ProxySQL Pods of database `name`."""
        found = self.list("statefulsets")[stateful_set or f"{name}-proxysql"]
        volumes = found["spec"]["template"]["spec"]["volumes"]
        secret = next(v["secret"]["secretName"] for v in volumes if v["name"] == "config")
        return cast(Any, libconf).loads(self.secret(secret)["proxysql.cnf"])

    def passwords(self) -> set[str]:
        """Every text of every Secret of the namespace that looks like a password."""
        return {
            text
            for texts in self.secrets().values()
            for text in texts.values()
            if 20 <= len(text) <= 64 and "\n" not in text
        }


def changes(result: UpResult) -> dict[str, int]:
    """What an update did, without what stayed the same."""
    done = cast(Mapping[str, int], result.summary.resource_changes or {})
    return {str(kind): count for kind, count in done.items() if kind not in ("same", "read")}


def passwords_in_state(stack: Stack) -> dict[str, str]:
    """Generated passwords by logical name; the engine's export opens secrets."""
    resources = cast(Any, stack.export_stack().deployment)["resources"]
    return {
        resource["urn"].rpartition("::")[2]: json.loads(resource["outputs"]["result"]["plaintext"])
        for resource in resources
        if resource["type"].startswith("random:")
    }


def raw_state(engine: Engine, stack: Stack) -> str:
    """The state as it is stored; the engine's own export would open the secrets."""
    (file,) = engine.directory.glob(f"state/.pulumi/stacks/*/{stack.name}.json")
    return file.read_text()


def refused(engine: Engine, name: str, edited: Mapping[str, Any]) -> str:
    """The one error of a preview that must fail."""
    output: list[str] = []
    with pytest.raises(CommandError):
        engine.open(name, edited).preview(on_output=output.append)
    text = "".join(output)
    assert "Traceback" not in text, text
    return text
