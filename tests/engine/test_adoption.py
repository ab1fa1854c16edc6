"""Tier 4: clusters that were there before this program come under it as they are.

Somebody made them with kubectl, as the operators' documentation shows. mariadb-operator has made
the rest of its own; Percona's operator does not run here, so its Secret is made by hand.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pulumi.automation import Stack

from local.control_plane import ControlPlane
from local.engine import Engine
from tests.engine.api import Api
from tests.engine.stacks import Cluster, changes, raw_state, refused

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NAMESPACE = "legacy"
RESTRICTED: dict[str, Any] = {
    "podSecurityContext": {
        "runAsUser": 999,
        "runAsGroup": 999,
        "fsGroup": 999,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
MARIADB: dict[str, Any] = {
    "apiVersion": "k8s.mariadb.com/v1alpha1",
    "kind": "MariaDB",
    "metadata": {"name": "orders", "namespace": NAMESPACE},
    "spec": {
        "image": "mariadb:11.8.2",
        "storage": {"size": "1024Mi"},
        "myCnf": "[mariadb]\nmax_connections=300\n",
        **RESTRICTED,
        # As in the operator's examples; its webhook, which does not run here, fixes all of them.
        "database": "legacy",
        "username": "legacy",
        "passwordSecretKeyRef": {"name": "legacy", "key": "password", "generate": True},
        "timeZone": "UTC",
        "affinity": {"antiAffinityEnabled": True},
    },
}
PXC: dict[str, Any] = {
    "apiVersion": "pxc.percona.com/v1",
    "kind": "PerconaXtraDBCluster",
    "metadata": {"name": "stock", "namespace": NAMESPACE},
    "spec": {
        "crVersion": "1.18.0",
        "secretsName": "stock-secrets",
        "vaultSecretName": "keyring",
        "tls": {"enabled": False},
        "unsafeFlags": {"pxcSize": True, "tls": True},
        "updateStrategy": "RollingUpdate",
        "pxc": {
            "size": 1,
            "image": "percona/percona-xtradb-cluster:8.0.41-32.1",
            "volumeSpec": {
                "persistentVolumeClaim": {"resources": {"requests": {"storage": "6Gi"}}}
            },
        },
        "haproxy": {"enabled": False},
    },
}
ACCOUNTS = ("root", "xtrabackup", "monitor", "proxyadmin", "operator", "replication")
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "stock-secrets", "namespace": NAMESPACE},
    "stringData": {account: f"canary_of_{account}_{'x' * 12}" for account in ACCOUNTS},
}


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    Api(control_plane).ensure_namespace(NAMESPACE)
    return Cluster(control_plane, NAMESPACE)


def make(cluster: Cluster, *objects: dict[str, Any]) -> None:
    for item in objects:
        cluster.control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(item))


def config(name: str, **values: Any) -> dict[str, Any]:
    own = {"size": "dev", "name": name, "namespace": NAMESPACE, **values}
    return {f"mysql-ha:{key}": value for key, value in own.items()}


def secrets(cluster: Cluster) -> dict[str, Any]:
    """Every Secret with what would show that somebody wrote to it."""
    return {
        name: (secret["metadata"]["uid"], secret["metadata"]["resourceVersion"], secret["data"])
        for name, secret in cluster.list("secrets").items()
    }


class TestMariaDb:
    CONFIG = config(
        "orders",
        images={"database": {"repository": "library/mariadb", "tag": "11.8.2"}},
        credentials={"root": {"existing_secret": {"name": "orders-root", "key": "password"}}},
        security={"tls": {"enabled": True, "required": False}},
        database={"max_connections": 300},
    )

    @pytest.fixture(scope="class")
    @classmethod
    def before(cls, cluster: Cluster) -> dict[str, Any]:
        make(cluster, MARIADB)
        for _ in range(120):
            found = cluster.list("mariadbs")["orders"]
            conditions = found.get("status", {}).get("conditions", [])
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                return found | {"secrets": secrets(cluster)}
            time.sleep(0.5)
        raise AssertionError("mariadb-operator did not make the database")

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, engine: Engine, cluster: Cluster, before: dict[str, Any]) -> Iterator[Stack]:
        yield engine.open("tier4-adopt", cls.CONFIG | {"mysql-ha:adopt": "import"})
        cluster.abandon("orders")

    def test_what_could_not_change_must_agree(
        self, engine: Engine, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        text = refused(engine, "tier4-adopt-bad", config("orders", adopt="import"))
        for path in (
            "images.database",
            "credentials.root.existing_secret",
            "security.tls.enabled",
        ):
            assert f"mysql-ha:{path}: " in text
        assert "in the database to adopt it is {name: orders-root, key: password}" in text
        assert "database.storage.size" not in text  # 1Gi is 1024Mi
        assert cluster.list("mariadbs")["orders"]["spec"] == before["spec"]

    def test_import_changes_nothing(
        self, stack: Stack, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        done = changes(stack.up(on_output=print))
        assert done.pop("import") == 1
        assert set(done) == {"create"}
        now = cluster.list("mariadbs")["orders"]
        assert now["metadata"] == before["metadata"]
        assert now["spec"] == before["spec"]
        assert secrets(cluster) == before["secrets"]
        assert changes(stack.up(on_output=print)) == {}

    def test_take_over_updates_in_place(
        self, engine: Engine, stack: Stack, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        """Also fields that kubectl wrote; who made root's password stays as it was."""
        engine.open("tier4-adopt", self.CONFIG | {"mysql-ha:adopt": "take_over"})
        assert changes(stack.up(on_output=print)) == {"update": 1}
        now = cluster.list("mariadbs")["orders"]
        assert now["metadata"]["uid"] == before["metadata"]["uid"]
        assert "character_set_server = utf8mb4" in now["spec"]["myCnf"]
        assert "max_connections = 300" in now["spec"]["myCnf"]
        fixed = ("database", "username", "passwordSecretKeyRef", "timeZone")
        for field in ("rootPasswordSecretKeyRef", "replicas", *fixed):
            assert now["spec"][field] == before["spec"][field]
        assert now["spec"]["affinity"]["antiAffinityEnabled"] is True
        assert now["spec"]["storage"]["size"] == "1Gi"
        assert now["spec"]["image"] == "docker.io/library/mariadb:11.8.2"
        assert secrets(cluster) == before["secrets"]

    def test_then_it_is_like_any_other(
        self, engine: Engine, stack: Stack, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        engine.open("tier4-adopt", self.CONFIG)
        # The annotation goes, and what was only read.
        assert changes(stack.up(on_output=print)) == {"update": 1, "discard": 1}
        assert changes(stack.up(on_output=print)) == {}
        now = cluster.list("mariadbs")["orders"]
        assert now["metadata"]["uid"] == before["metadata"]["uid"]
        assert secrets(cluster) == before["secrets"]
        password = cluster.secret("orders-root")["password"]
        assert password not in raw_state(engine, stack)
        text = refused(
            engine, "tier4-adopt", self.CONFIG | {"mysql-ha:database": {"topology": "galera"}}
        )
        assert "mysql-ha:database" in text


class TestPercona:
    CONFIG = config(
        "stock",
        engine="percona",
        database={"storage": {"size": "6Gi"}},
        images={"database": {"tag": "8.0.41-32.1"}},
        credentials={"root": {"existing_secret": {"name": "stock-secrets", "key": "root"}}},
    )

    @pytest.fixture(scope="class")
    @classmethod
    def before(cls, cluster: Cluster) -> dict[str, Any]:
        make(cluster, SECRET, PXC)
        return cluster.list("perconaxtradbclusters")["stock"] | {"secret": cls.secret(cluster)}

    @staticmethod
    def secret(cluster: Cluster) -> Any:
        return secrets(cluster)["stock-secrets"]

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, engine: Engine, before: dict[str, Any]) -> Stack:
        return engine.open("tier4-adopt-pxc", cls.CONFIG | {"mysql-ha:adopt": "import"})

    def test_other_secrets_are_refused(
        self, engine: Engine, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        """This program would make a Secret of another name, and the operator new passwords."""
        own: dict[str, Any] = self.CONFIG | {"mysql-ha:adopt": "import"}
        own["mysql-ha:credentials"] = {}
        text = refused(engine, "tier4-adopt-bad", own)
        assert "mysql-ha:credentials.root.existing_secret: is not set" in text
        assert "{name: stock-secrets, key: root}" in text

    def test_import_take_over_and_then_like_any_other(
        self, engine: Engine, stack: Stack, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        done = changes(stack.up(on_output=print))
        assert done.pop("import") == 1
        assert set(done) == {"create"}
        now = cluster.list("perconaxtradbclusters")["stock"]
        assert (now["metadata"]["uid"], now["spec"]) == (before["metadata"]["uid"], before["spec"])
        engine.open("tier4-adopt-pxc", self.CONFIG | {"mysql-ha:adopt": "take_over"})
        assert changes(stack.up(on_output=print)) == {"update": 1}
        engine.open("tier4-adopt-pxc", self.CONFIG)
        assert changes(stack.up(on_output=print)) == {"update": 1, "discard": 1}
        assert changes(stack.up(on_output=print)) == {}
        now = cluster.list("perconaxtradbclusters")["stock"]
        assert now["metadata"]["uid"] == before["metadata"]["uid"]
        assert now["spec"]["pxc"]["volumeSpec"] == before["spec"]["pxc"]["volumeSpec"]
        assert now["spec"]["secretsName"] == "stock-secrets"
        assert now["spec"]["vaultSecretName"] == "keyring"
        assert self.secret(cluster) == before["secret"]
        for password in cast(dict[str, str], SECRET["stringData"]).values():
            assert password not in raw_state(engine, stack)

    def test_destroy_leaves_the_secret(
        self, engine: Engine, cluster: Cluster, before: dict[str, Any]
    ) -> None:
        engine.destroy("tier4-adopt-pxc", on_output=print, color="never")
        assert "stock" not in cluster.list("perconaxtradbclusters")
        assert self.secret(cluster) == before["secret"]
