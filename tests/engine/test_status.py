"""`tools.status` asks a real API server about a real operator's objects; Pods are simulated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components import names
from local.control_plane import ControlPlane
from local.toolchain import Toolchain
from testbed.database.servers import eventually
from tools.status.gather import gather
from tools.status.kubectl import Absent, Kubectl, Unreachable
from tools.status.objects import ready
from tools.status.verdicts import verdicts

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NAMESPACE = "seen"
DATABASE: dict[str, Any] = {
    "apiVersion": "k8s.mariadb.com/v1alpha1",
    "kind": "MariaDB",
    "metadata": {"name": "db", "namespace": NAMESPACE},
    "spec": {
        "rootPasswordSecretKeyRef": {"name": "db-root", "key": "password", "generate": True},
        "storage": {"size": "1Gi"},
        "replicas": 1,
        "tls": {"enabled": True},
        "podSecurityContext": {
            "runAsNonRoot": True, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
        },
    },
}  # fmt: skip
DRILL: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": names.restore_drill("db"), "namespace": NAMESPACE},
    "spec": {
        "schedule": "43 4 * * 0",
        "suspend": True,
        "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "example.invalid/c"}],
        }}}},
    },
}  # fmt: skip


STRANGER = "stranger"
ONLY_THE_OBJECT: list[dict[str, Any]] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": STRANGER, "namespace": NAMESPACE},
        "rules": [{"apiGroups": ["k8s.mariadb.com"], "resources": ["mariadbs"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": STRANGER, "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": STRANGER},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": STRANGER},
        ],
    },
]
"""A user who may get MariaDBs and nothing else."""


def test_what_an_api_server_answers_is_read(control_plane: ControlPlane) -> None:
    kubectl = control_plane.kubectl
    cluster = Kubectl(tuple(kubectl.command()), NAMESPACE)
    with pytest.raises(Absent, match="not found"):
        gather(cluster, "db")
    kubectl.ensure_namespace(NAMESPACE)
    kubectl.apply([DATABASE, DRILL])
    try:
        assert eventually(lambda: _ready(control_plane), 120)
        database = gather(cluster, "db")
        kubectl.apply(ONLY_THE_OBJECT)
        command = (*kubectl.command(), f"--as={STRANGER}")
        assert eventually(lambda: _may_look(Kubectl(command, NAMESPACE)), 20)
        half_seen = gather(Kubectl(command, NAMESPACE), "db")
    finally:
        kubectl("delete", "-n", NAMESPACE, "mariadb,cronjob", "--all", "--wait=false")
    assert half_seen.servers[0].refused
    assert not half_seen.known("pods")
    assert not half_seen.known("jobs")
    assert {one.alert for one in verdicts(half_seen)} == {""}
    assert database.namespace == NAMESPACE
    assert (database.engine, database.topology, database.primary) == (
        "mariadb",
        "standalone",
        "db-0",
    )
    assert database.unknown == ()
    (server,) = database.servers
    assert server.ready
    assert server.unknown  # nothing runs in the Pod
    ends = {one.of: one.ends for one in database.certificates}
    assert all(ends.values()), database.certificates
    assert ends.keys() == {"servers", "servers' CA"}
    (drill,) = database.proofs
    assert (drill.kind, drill.suspended, drill.last) == ("drill", True, None)
    found = verdicts(database)
    assert ("DatabaseServerDown", ("db-0",)) in [(one.alert, one.pods) for one in found]


def _may_look(cluster: Kubectl) -> bool:
    """Whether the API server has seen the role."""
    try:
        return bool(cluster.get("mariadbs.k8s.mariadb.com", "db"))
    except Unreachable:
        return False


def _ready(control_plane: ControlPlane) -> bool:
    """Whether the Pod is, and the operator has made its certificates."""
    text = control_plane.kubectl("get", "-n", NAMESPACE, "pods,secrets", "-o", "json")
    items = json.loads(text)["items"]
    found = {item["metadata"]["name"] for item in items}
    return any(map(ready, items)) and {"db-server-cert", names.mariadb_ca_bundle("db")} <= found


def test_a_cluster_that_does_not_answer_is_told(tools: Toolchain) -> None:
    kubectl = str(tools.path("kubectl"))
    cluster = Kubectl((kubectl, "--server=https://127.0.0.1:1"), NAMESPACE)
    with pytest.raises(Unreachable) as found:
        gather(cluster, "db")
    assert not isinstance(found.value, Absent)
