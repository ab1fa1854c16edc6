"""A cluster of `kind` (kind.sigs.k8s.io); needs docker, and a registry that has its node image."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from local import LocalError, commands, locks
from local.kubectl import Kubectl
from local.real import operator
from local.real.operator import NAMESPACE
from local.toolchain import Toolchain, crds, installation


class KindCluster:
    """A cluster named after `directory`, which has its kubeconfig. Its nodes pull every image."""

    def __init__(self, directory: Path, tools: Toolchain, say: Callable[[str], None] = print):
        self.directory = directory.resolve()
        self.tools = tools
        self.say = say
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubectl = Kubectl.of(tools.path("kubectl"), self.kubeconfig)
        self.name = f"mysql-ha-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:6]}"

    def start(self, nodes: int) -> None:
        """Make the cluster with that many workers, unless it exists. It cannot grow later. A
        cluster that a kill left incomplete is recreated.
        """
        with locks.locked(self.directory / locks.NAME):
            made = self.directory / "made"
            if made.exists() and self._containers():
                if stopped := [name for name, runs in self.status().items() if not runs]:
                    raise LocalError(f"{', '.join(stopped)} stopped: docker start, or make down")
                self._refuse_growth(nodes)
                return self.say(f"cluster: already running{self._install()}")
            made.unlink(missing_ok=True)
            self._delete()
            (self.directory / "installed").unlink(missing_ok=True)
            config = self.directory / "kind.json"
            roles = ["control-plane", *(["worker"] * nodes if nodes > 1 else [])]
            config.write_text(json.dumps({
                "kind": "Cluster",
                "apiVersion": "kind.x-k8s.io/v1alpha4",
                "nodes": [{"role": role} for role in roles],
            }))  # fmt: skip
            self.tools.run(
                "kind", "create", "cluster", f"--name={self.name}", f"--config={config}",
                f"--kubeconfig={self.kubeconfig}", "--wait=180s",
            )  # fmt: skip
            made.touch()
            self.say(f"cluster: kind, {len(roles)} nodes{self._install()}")

    def stop(self) -> None:
        """Delete the cluster and its folder; as `kind delete cluster`, but without kind."""
        with locks.locked(self.directory / locks.NAME):
            self._delete()
            locks.remove(self.directory)

    def remains(self) -> bool:
        """Whether anything of it exists, even without its folder."""
        if self.directory.exists():
            return True
        try:
            return bool(self._containers())
        except LocalError:  # without docker there are no nodes
            return False

    def status(self) -> dict[str, bool]:
        """Whether each of its nodes runs."""
        running = self._containers("--filter=status=running")
        return {name: name in running for name in self._containers()}

    def _delete(self) -> None:
        if containers := self._containers():
            commands.run(["docker", "rm", "--force", "--volumes", *containers])

    def _install(self) -> str:
        """Install the CRDs and the operator, unless they exist; returns what to report."""
        mark, wanted = self.directory / "installed", installation()
        if mark.exists() and mark.read_text() == wanted:
            return ""
        mark.unlink(missing_ok=True)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.kubectl.apply([namespace, *crds()])
        operator.install(self.kubectl, self.tools, self.directory / "chart")
        mark.write_text(wanted)
        return ", operator installed"

    def _containers(self, *filters: str) -> list[str]:
        """Its nodes, by the label that kind gives them (pkg/cluster/internal/providers/docker)."""
        if not shutil.which("docker"):
            return []
        label = f"--filter=label=io.x-k8s.kind.cluster={self.name}"
        asked = ["docker", "ps", "--all", label, *filters, "--format={{.Names}}"]
        return commands.run(asked, what="docker ps").split()

    def _refuse_growth(self, nodes: int) -> None:
        found = len(self.kubectl("get", "nodes", "-o", "name").split())
        if nodes > 1 and found == 1:
            raise LocalError("kind's nodes cannot grow: `make down`, then this stack first.")
