"""kubectl on a local cluster, and the kubeconfig files with which its programs log in."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import commands

Object = dict[str, Any]
CONTEXT = "mysql-ha-local"
"""The one context of the kubeconfig files written here."""


@dataclass(frozen=True)
class Kubectl:
    """Calling it runs `program` on the cluster that `options` name. Raises LocalError with
    kubectl's own reason."""

    program: Path
    options: tuple[str, ...]

    @classmethod
    def of(cls, program: Path, kubeconfig: Path) -> Kubectl:
        """On the current context of a kubeconfig file."""
        return cls(program, (f"--kubeconfig={kubeconfig}",))

    def command(self, *args: str) -> list[str]:
        """The command line, to be shown or run."""
        return [str(self.program), *self.options, *args]

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        return commands.run(self.command(*args), what=f"kubectl {' '.join(args[:3])}", stdin=stdin)

    def apply(self, objects: Sequence[Object]) -> None:
        """Apply the objects, even over fields that another manager set."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def ensure_namespace(self, name: str) -> None:
        """Make the namespace that a stack expects; the label repeats what admission.yaml does."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": name, "labels": labels}
        namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self("apply", "--server-side", "-f", "-", stdin=namespace)
        self.await_service_account(name)

    def await_service_account(self, namespace: str) -> None:
        """No Pod can be made in a namespace before this."""
        account = "serviceaccount/default"
        self("wait", "--namespace", namespace, "--for=create", account, "--timeout=60s")


def write_kubeconfig(path: Path, *, server: str, pki: Path, identity: str) -> None:
    """A file for its owner alone: `identity` names a certificate and key in `pki`."""

    def embed(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    user = {
        "client-certificate-data": embed(f"{identity}.crt"),
        "client-key-data": embed(f"{identity}.key"),
    }
    cluster = {"server": server, "certificate-authority-data": embed("ca.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": identity, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": identity}}],
        "current-context": CONTEXT,
    }
    text = yaml.safe_dump(config)
    if not path.exists() or path.read_text() != text:
        path.touch(mode=0o600)
        path.write_text(text)
