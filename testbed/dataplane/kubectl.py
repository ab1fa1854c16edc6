"""A deployment as `tools.status` sees one: kubectl's answers about these servers and proxies.

Scripts run as they are, in place of `kubectl exec`; objects say what Kubernetes and the operator
would say of the processes. Addresses of this machine are the cluster's names again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import names
from testbed.database.servers import SqlError
from tools.status.kubectl import Absent, refused

from .deployment import Deployment
from .nodes import Node
from .proxies import Proxy
from .release import NAME, NAMESPACE, substitutions

Object = dict[str, Any]
SOCKET = "/run/mysqld/mysqld.sock"
MADE = "2026-01-01T00:00:00Z"


@dataclass
class DeployedCluster:
    """See tools.status.kubectl.Cluster."""

    site: Deployment
    more: Mapping[str, Sequence[Object]] = field(default_factory=dict[str, Sequence[Object]])
    """Objects of other kinds, such as backups, by what is asked for."""
    printed: list[str] = field(default_factory=list[str])
    """All that scripts printed, as it left the Pods."""

    def get(self, *what: str) -> list[Any]:
        """See Cluster."""
        match what:
            case ("mariadbs.k8s.mariadb.com", str(name)) if name == NAME:
                return [self._mariadb()]
            case ("statefulsets",):
                return self._stateful_sets()
            case ("pods",):
                return self._pods()
            case ("endpointslices", *_):
                primary = self.site.operator.primary
                leads = [primary] if primary.running else []
                return [{"endpoints": [{"targetRef": {"name": self._name(n)}} for n in leads]}]
            case _ if what[0] in self.more:
                return list(self.more[what[0]])
            case (_,):
                return []
            case _:
                raise Absent(f"{' '.join(what)} NotFound")

    def certificate(self, secret: str, key: str) -> bytes:
        """See Cluster."""
        authority = self.site.servers.authority
        assert authority is not None
        file = {"ca.crt": "ca.crt", "tls.crt": "server.crt"}[key]
        return (authority.directory / file).read_bytes()

    def run(self, pod: str, container: str, script: str, stdin: str = "") -> str:
        """See Cluster."""
        if container == "mariadb":
            done = _in_server(self._server(pod), script, stdin)
        else:
            done = self._proxy(pod).run(script, stdin)
        self.printed.append(done.stdout)
        if done.returncode and not done.stdout:
            # The socket is elsewhere in a container.
            said = re.sub(r"'/[^']*/my[^']*'", f"'{SOCKET}'", done.stderr)
            raise refused(f"{said}\ncommand terminated with exit code {done.returncode}")
        return self._named(done.stdout)

    # --- names ---

    def _name(self, node: Node) -> str:
        return f"{NAME}-{self.site.servers.nodes.index(node)}"

    def _server(self, pod: str) -> Node:
        return self.site.servers.nodes[int(pod.rpartition("-")[2])]

    def _proxy(self, pod: str) -> Proxy:
        return self.site.tier.proxies[int(pod.rpartition("-")[2])]

    def _named(self, text: str) -> str:
        hosts = substitutions(self.site.servers.network, 0)
        known = {here: name for name, here in hosts.items() if NAMESPACE in name}
        return re.sub(r"127\.\d+\.\d+\.\d+", lambda found: known.get(found[0], found[0]), text)

    # --- objects ---

    def _mariadb(self) -> Object:
        topology = self.site.servers.topology
        well = all(node.running for node in self.site.servers.nodes)
        condition = {"type": "Ready", "status": "True" if well else "False"}
        if not well:
            condition["message"] = "StatefulSet not ready"
        primary = self._name(self.site.operator.primary) if topology == "replication" else None
        return {
            "kind": "MariaDB",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "creationTimestamp": MADE},
            "spec": {
                "replicas": len(self.site.servers.nodes),
                topology: {"enabled": True, "semiSyncEnabled": True},
                "tls": {"enabled": self.site.servers.authority is not None},
            },
            "status": {"currentPrimary": primary, "conditions": [condition]},
        }

    def _stateful_sets(self) -> list[Object]:
        servers, proxies = self.site.servers.nodes, self.site.tier.proxies
        return [
            _stateful_set(NAME, len(servers), sum(node.running for node in servers)),
            _stateful_set(names.proxysql(NAME), len(proxies), sum(map(_listens, proxies))),
        ]

    def _pods(self) -> list[Object]:
        return [
            *(_pod(self._name(node), node.running) for node in self.site.servers.nodes),
            *(
                _pod(f"{names.proxysql(NAME)}-{ordinal}", _listens(proxy))
                for ordinal, proxy in enumerate(self.site.tier.proxies)
            ),
        ]


def _listens(proxy: Proxy) -> bool:
    try:
        return proxy.listens()
    except (OSError, SqlError):
        return False


def _metadata(name: str) -> Object:
    return {"name": name, "labels": {"app.kubernetes.io/instance": NAME}}


def _stateful_set(name: str, replicas: int, ready: int) -> Object:
    return {
        "kind": "StatefulSet",
        "metadata": _metadata(name),
        "spec": {"replicas": replicas, "template": {"spec": _SPEC}},
        "status": {"readyReplicas": ready, "replicas": replicas},
    }


def _pod(name: str, ready: bool) -> Object:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "kind": "Pod",
        "metadata": _metadata(name),
        "spec": _SPEC,
        "status": {"conditions": [condition]},
    }


_SPEC: Object = {
    "volumes": [{"name": "config", "secret": {"secretName": names.proxysql_config(NAME, "0")}}]
}


def _in_server(node: Node, script: str, stdin: str) -> subprocess.CompletedProcess[str]:
    """In the container of a server, where a client finds the socket, and root's password."""
    data = node.data
    client = shutil.which("mariadb")
    with tempfile.TemporaryDirectory() as directory:
        found = Path(directory) / "mariadb"
        found.write_text(
            f'#!/bin/sh\nexec {client} --no-defaults --socket={data}/mysqld.sock "$@"\n'
        )
        found.chmod(0o700)
        path = f"{directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return subprocess.run(
            ("sh", "-c", script), input=stdin, capture_output=True, text=True, check=False,
            env={"PATH": path, "MARIADB_ROOT_PASSWORD": ""},
        )  # fmt: skip
