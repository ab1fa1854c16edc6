"""What tests of stacks on the local control plane share: reading objects, updates and state."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pulumi.automation import CommandError, Stack, UpResult

from components.proxysql.layout import LIVE_DIR
from local import REPOSITORY
from local.control_plane import ControlPlane
from local.engine import Engine, run_program
from tests.engine.api import Api
from tests.unit import libconfig


class Cluster:
    """Reads objects of one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane, self.namespace = control_plane, namespace
        self.api = Api(control_plane)

    def list(self, kind: str) -> dict[str, Any]:
        """Objects of a kind, in the plural, by name."""
        return self.api.list(kind, self.namespace)

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
        """The parsed files of the ProxySQL Pods of database `name`, logins and peers included."""
        found = self.list("statefulsets")[stateful_set or f"{name}-proxysql"]
        volumes = found["spec"]["template"]["spec"]["volumes"]
        mounted = {v["name"]: v["secret"]["secretName"] for v in volumes if "secret" in v}
        secrets = self.secrets()
        text = secrets[mounted["config"]]["proxysql.cnf"]
        included = {f"{LIVE_DIR}/{name}": text for name, text in secrets[mounted["users"]].items()}
        return libconfig.parse(libconfig.whole(text, included))

    def passwords(self) -> set[str]:
        """Every text of every Secret of the namespace that looks like a password."""
        return {
            text
            for texts in self.secrets().values()
            for text in texts.values()
            if 20 <= len(text) <= 64 and "\n" not in text and ".svc." not in text
        }

    def abandon(self, database: str) -> None:
        """Delete what would keep mariadb-operator busy; the rest goes with the control plane."""
        options = ("-n", self.namespace, "--ignore-not-found", "--wait=false")
        self.control_plane.kubectl("delete", "mariadb", database, *options)

    def shell(self, text: str, home: Path) -> subprocess.CompletedProcess[str]:
        """Run commands of a page, as an admin of this cluster would. `home`: an empty folder."""
        return subprocess.run(
            ("bash", "-o", "pipefail", "-ec", text.replace("python ", f"{sys.executable} ")),
            env={
                "PATH": f"{self.control_plane.tools.path('kubectl').parent}:/usr/bin:/bin",
                "KUBECONFIG": str(self.control_plane.kubeconfig),
                "HOME": str(home),
            },
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def now(self, collection: str) -> str:
        """The resource version that `events` starts from, of e.g. `/api/v1/…/secrets`."""
        return json.loads(self.api.text(f"{collection}?limit=1"))["metadata"]["resourceVersion"]

    def events(self, collection: str, since: str) -> Iterator[tuple[int, str, str]]:
        """What happened since then: (resource version, ADDED or MODIFIED or DELETED, name).

        Resource versions are the store's own counter, so events of several kinds have one order.
        """
        watch = f"{collection}?watch=1&timeoutSeconds=1&resourceVersion={since}"
        for line in self.api.text(watch).splitlines():
            event = json.loads(line)
            metadata = event["object"]["metadata"]
            yield int(metadata["resourceVersion"]), event["type"], metadata["name"]


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


def refused(
    engine: Engine,
    name: str,
    edited: Mapping[str, Any],
    program: Callable[[], Any] = run_program,
) -> str:
    """The one error of a preview that must fail."""
    output: list[str] = []
    with pytest.raises(CommandError):
        engine.open(name, edited, program).preview(on_output=output.append)
    text = "".join(output)
    assert "Traceback" not in text, text
    return text
