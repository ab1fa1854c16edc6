"""Tier 4: a database from a backup, by the real engine, API server and mariadb-operator.

The tests run in order: each looks at what the last one left. Jobs end well here without doing
anything; what theirs do is in tests/database. Percona's operator is played: a test says what its
restore came to.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.control_plane import ControlPlane
from local.engine import Engine
from testbed.database.servers import eventually
from tests.engine.stacks import Cluster, changes, refused
from tests.unit.test_restore_page import blocks

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NAMESPACE = "shop"
"""As in docs/restore.md."""
STORE = {
    "endpoint": "s3.example.com",
    "bucket": "backups",
    "credentials": {"existing_secret": {"name": "store"}},
}
SOURCE: dict[str, Any] = {
    "id": "incident-4711",
    "backup": "physicalbackup-20260102030405.xb.gz",
    "prefix": "prod/shop/orders/1/full",
    "s3": STORE,
}
ROOT = {"root": {"existing_secret": {"name": "orders-root-then", "key": "password"}}}


def old(kind: str, name: str, **parts: Any) -> dict[str, Any]:
    groups = {"MariaDB": "k8s.mariadb.com/v1alpha1", "PhysicalBackup": "k8s.mariadb.com/v1alpha1"}
    groups |= {"StatefulSet": "apps/v1", "Secret": "v1"}
    metadata = {"name": name, "labels": {"app.kubernetes.io/instance": name.split("-")[0]}}
    return {"apiVersion": groups[kind], "kind": kind, "metadata": metadata, **parts}


OLD = [
    old("Secret", "orders-root", stringData={"password": "root-of-the-source"}),
    old(
        "StatefulSet",
        "orders-proxysql",
        spec={
            "replicas": 0,
            "serviceName": "none",
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "proxysql", "image": "none"}]},
            },
        },
    ),
    *(
        old(
            "PhysicalBackup",
            f"{name}-backup",
            spec={
                "mariaDbRef": {"name": name},
                "schedule": {"cron": "17 2 * * *"},
                "storage": {"persistentVolumeClaim": {"accessModes": ["ReadWriteOnce"]}},
            },
        )
        for name in ("orders", "stock")
    ),
    old(
        "MariaDB",
        "orders-copy",
        spec={"suspend": False, "updateStrategy": {"type": "Never"}, "storage": {"size": "1Gi"}},
    ),
]
"""What commands of the page are about."""


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    control_plane.kubectl.ensure_namespace(NAMESPACE)
    given = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders-root-then"}}
    given["stringData"] = {"password": "root-of-the-source"}
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    store = {**given, "metadata": {"name": "store"}, "stringData": keys}
    for secret in (given, store):
        control_plane.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(secret))
    return Cluster(control_plane, NAMESPACE)


def config(name: str, source: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
    keys = {"size": "dev", "name": name, "namespace": NAMESPACE, "credentials": ROOT, **more}
    if source:
        keys["database"] = {"restore_from": source}
    return {f"mysql-ha:{key}": value for key, value in keys.items()}


class TestMariaDb:
    NAME, STACK = "orders-v2", "restored-mariadb"

    @pytest.fixture(scope="class")
    @classmethod
    def created(cls, engine: Engine, cluster: Cluster) -> Iterator[dict[str, Any]]:
        """The object once the stack is up."""
        stack = engine.open(cls.STACK, config(cls.NAME, SOURCE))
        stack.up(on_output=print)
        yield cluster.list("mariadbs")[cls.NAME]
        engine.destroy(cls.STACK, on_output=print, color="never")

    def test_the_object_is_made_with_it(self, created: dict[str, Any]) -> None:
        """What is ignored is so in updates only."""
        told = created["spec"]["bootstrapFrom"]
        assert told["backupContentType"] == "Physical"
        assert told["targetRecoveryTime"] == "2026-01-02T03:04:05Z"
        assert {key: told["s3"][key] for key in ("bucket", "endpoint", "prefix", "tls")} == {
            "bucket": "backups",
            "endpoint": "s3.example.com",
            "prefix": "prod/shop/orders/1/full",
            "tls": {"enabled": True},
        }
        assert told["stagingStorage"] == {"volume": {"emptyDir": {"sizeLimit": "2Gi"}}}

    def test_the_operator_has_restored(self, created: dict[str, Any], cluster: Cluster) -> None:
        by_type = {one["type"]: one for one in created["status"]["conditions"]}
        assert by_type["Ready"]["status"] == "True"
        assert by_type["Initialized"]["status"] == "True"

    def test_the_commands_of_the_page_run(
        self, created: dict[str, Any], cluster: Cluster, tmp_path: Path
    ) -> None:
        """Those that need no container, with what they are for: the old database and its parts."""
        for made in OLD:
            cluster.control_plane.kubectl(
                "-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(made)
            )
        cluster.control_plane.kubectl("-n", NAMESPACE, "delete", "secret", "orders-root-then")
        for text in (text for text in blocks("sh") if not text.startswith("# needs")):
            done = cluster.shell(text, tmp_path)
            assert done.returncode == 0, (text, done.stderr)
            assert "No resources found" not in done.stderr, text
        assert cluster.list("statefulsets")["orders-proxysql"]["spec"]["replicas"] == 0
        schedules = {
            name: one["spec"]["schedule"] for name, one in cluster.list("physicalbackups").items()
        }
        assert schedules["orders-backup"]["suspend"]
        assert not schedules["stock-backup"].get("suspend"), "another database's go on"
        assert cluster.secret("orders-root-then") == {"password": "root-of-the-source"}
        copy = cluster.list("mariadbs")["orders-copy"]
        assert copy["spec"]["suspend"]

    def test_a_second_update_changes_nothing(
        self, created: dict[str, Any], engine: Engine, cluster: Cluster
    ) -> None:
        stack = engine.open(self.STACK, config(self.NAME, SOURCE))
        assert changes(stack.up(on_output=print)) == {}
        assert changes(stack.up(on_output=print, refresh=True)) == {}
        assert cluster.list("mariadbs")[self.NAME]["spec"] == created["spec"]

    def test_another_source_is_refused(self, created: dict[str, Any], engine: Engine) -> None:
        other = config(self.NAME, {**SOURCE, "id": "incident-4712"})
        text = refused(engine, self.STACK, other)
        assert "a restore happens once, when a database is created" in text

    def test_without_the_key_nothing_changes(
        self, created: dict[str, Any], engine: Engine, cluster: Cluster
    ) -> None:
        """The object keeps what it was made from: its webhook would refuse to lose it."""
        stack = engine.open(self.STACK, config(self.NAME, None))
        assert changes(stack.up(on_output=print)) == {}
        assert changes(stack.up(on_output=print, refresh=True)) == {}
        found = cluster.list("mariadbs")[self.NAME]
        assert found["spec"] == created["spec"]
        assert found["metadata"]["uid"] == created["metadata"]["uid"]

    def test_nor_does_it_by_an_edit_of_something_else(
        self, created: dict[str, Any], engine: Engine, cluster: Cluster
    ) -> None:
        edited = config(self.NAME, None)
        edited["mysql-ha:database"] = {"my_cnf": "[mariadb]\nlong_query_time = 3\n"}
        assert changes(engine.open(self.STACK, edited).up(on_output=print)) == {"update": 1}
        spec = cluster.list("mariadbs")[self.NAME]["spec"]
        assert spec["bootstrapFrom"] == created["spec"]["bootstrapFrom"]
        assert "long_query_time" in spec["myCnf"]

    def test_and_it_does_not_come_back(self, created: dict[str, Any], engine: Engine) -> None:
        text = refused(engine, self.STACK, config(self.NAME, SOURCE))
        assert "exists, and a restore happens once" in text


class TestPercona:
    NAME, STACK = "stock-v2", "restored-percona"
    since: str
    SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
    RESTORES = "perconaxtradbclusterrestores"
    SOURCE: Mapping[str, Any] = {
        "id": "copy",
        "prefix": "prod/shop/stock/1/full",
        "backup": "stock-2026-01-02-02:17:00-full",
        "s3": STORE,
    }
    MORE: Mapping[str, Any] = {
        "engine": "percona",
        "proxy": {"enabled": True, "managed_by": "mysql-ha"},
        "backup": {"enabled": True, "store": {"s3": STORE}},
    }

    @pytest.fixture(scope="class")
    @classmethod
    def succeeded(cls, engine: Engine, cluster: Cluster) -> Iterator[int]:
        """When the restore had succeeded, by the API server's count, in a stack that is up."""
        at: list[int] = []
        cls.since = cluster.now(cls.SETS)
        player = threading.Thread(target=lambda: at.append(cls._succeed(cluster)))
        player.start()
        stack = engine.open(cls.STACK, config(cls.NAME, cls.SOURCE, **cls.MORE))
        stack.up(on_output=print)
        player.join()
        yield at[0]
        engine.destroy(cls.STACK, on_output=print, color="never")

    @classmethod
    def _succeed(cls, cluster: Cluster) -> int:
        """As the operator does, once the object is there."""
        name = f"{cls.NAME}-copy"
        assert eventually(lambda: name in cluster.list(cls.RESTORES), 120)
        patch = json.dumps({"status": {"state": "Succeeded"}})
        text = cluster.control_plane.kubectl(
            *(
                "-n",
                NAMESPACE,
                "patch",
                f"{cls.RESTORES}.pxc.percona.com",
                name,
                "--subresource=status",
            ),
            *("--type=merge", "-p", patch, "-o", "json"),
        )
        return int(json.loads(text)["metadata"]["resourceVersion"])

    def test_proxies_come_after_it(self, succeeded: int, cluster: Cluster) -> None:
        seen = cluster.events(self.SETS, self.since)
        made = {name: version for version, kind, name in seen if kind == "ADDED"}
        assert made[f"{self.NAME}-proxysql-ha"] > succeeded

    def test_a_second_update_changes_nothing(self, succeeded: int, engine: Engine) -> None:
        stack = engine.open(self.STACK, config(self.NAME, self.SOURCE, **self.MORE))
        assert changes(stack.up(on_output=print)) == {}

    def test_without_the_key_only_its_object_goes(
        self, succeeded: int, engine: Engine, cluster: Cluster
    ) -> None:
        before = cluster.list("perconaxtradbclusters")[self.NAME]["spec"]
        stack = engine.open(self.STACK, config(self.NAME, None, **self.MORE))
        assert changes(stack.up(on_output=print)) == {"delete": 1}
        assert cluster.list(self.RESTORES) == {}
        assert cluster.list("perconaxtradbclusters")[self.NAME]["spec"] == before
