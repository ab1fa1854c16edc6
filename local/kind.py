"""A cluster of `kind` (kind.sigs.k8s.io), where docker runs and its node image can be pulled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from local import LocalError, locks
from local.kubectl import Kubectl
from local.real import operator
from local.toolchain import Toolchain, crds


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
        """Make the cluster with that many workers, unless it is there. It cannot grow later."""
        with locks.locked(self.directory / locks.NAME):
            if self.name in self.tools.run("kind", "get", "clusters").split():
                self._refuse_growth(nodes)
                return self.say("cluster: already running")
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
            self.kubectl("create", "namespace", operator.NAMESPACE)
            self.kubectl.apply(crds())
            operator.install(self.kubectl, self.tools, self.directory / "chart")
            self.say(f"cluster: kind, {len(roles)} nodes")

    def stop(self) -> None:
        """Delete the cluster and its folder."""
        if self.directory.exists():
            with locks.locked(self.directory / locks.NAME):
                self.tools.run("kind", "delete", "cluster", f"--name={self.name}")
                locks.remove(self.directory)

    def status(self) -> dict[str, bool]:
        """Whether kind knows the cluster."""
        return {self.name: self.name in self.tools.run("kind", "get", "clusters").split()}

    def _refuse_growth(self, nodes: int) -> None:
        found = len(self.kubectl("get", "nodes", "-o", "name").split())
        if nodes > 1 and found == 1:
            raise LocalError("kind's nodes cannot grow: `make down`, then this stack first.")
