"""Tier 4: backups of a MariaDB through its real operator, and of a Percona cluster in its object.

Jobs run nothing here: their Pods are simulated. That a backup restores is tier 5.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from pulumi.automation import Stack

from local.control_plane import ControlPlane
from local.engine import Engine
from tests.engine.stacks import Cluster, changes, raw_state, refused
from tests.program import pod_security

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NAME = "vault"
OBJECTS = "/apis/k8s.mariadb.com/v1alpha1/namespaces/default/physicalbackups"
S3: dict[str, Any] = {
    "endpoint": "s3.example.com",
    "bucket": "backups",
    "region": "eu-central-1",
    "credentials": {"existing_secret": {"name": "backup-store"}},
}


def settings(**backup: Any) -> dict[str, Any]:
    """One server with backups; `staging` as size large has it."""
    chosen = {
        "enabled": True,
        "store": {"s3": S3},
        "staging": {"kind": "claim"},
        "logical": {"schedule": "0 3 * * *"},
    }
    return {
        "mysql-ha:size": "dev",
        "mysql-ha:name": NAME,
        "mysql-ha:backup": {**chosen, **backup},
    }


KEYS = {"AWS_ACCESS_KEY_ID": "canary_id_of_the_store", "AWS_SECRET_ACCESS_KEY": "canary_of_it"}


def give(control_plane: ControlPlane, keys: Mapping[str, str]) -> None:
    """Make the Secret of the store, or give it another content."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "backup-store"}}
    text = json.dumps({**secret, "stringData": keys})
    control_plane.kubectl("delete", "secret", "backup-store", "--ignore-not-found")
    control_plane.kubectl("create", "-f", "-", stdin=text)


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    give(control_plane, KEYS)
    return Cluster(control_plane, "default")


def eventually(look: Callable[[], Any]) -> Any:
    """What a look finds, once it finds something; the test's own time-out ends it."""
    while not (found := look()):
        time.sleep(0.5)
    return found


def of(cluster: Cluster, kind: str, start: str) -> dict[str, Any]:
    return {name: item for name, item in cluster.list(kind).items() if name.startswith(start)}


def sent(stack: Stack, kind: str) -> Any:
    """The `spec` that the stack's state has of the only object of a kind."""
    resources = cast(Any, stack.export_stack().deployment)["resources"]
    (found,) = [r for r in resources if r["type"].endswith(f":{kind}")]
    return found["inputs"]["spec"]


def owner(item: Mapping[str, Any]) -> str:
    return item["metadata"]["ownerReferences"][0]["name"]


def test_a_secret_of_the_store_that_is_not_there_or_lacks_a_key(
    engine: Engine, cluster: Cluster, control_plane: ControlPlane
) -> None:
    """One line says so, and nothing is made."""
    path = "mysql-ha:backup.store.s3.credentials.existing_secret: "
    try:
        control_plane.kubectl("delete", "secret", "backup-store")
        text = refused(engine, "backup-secret", settings())
        assert f"{path}Secret 'backup-store' is not in namespace 'default'. Fix: create it" in text
        give(control_plane, {"AWS_ACCESS_KEY_ID": KEYS["AWS_ACCESS_KEY_ID"]})
        text = refused(engine, "backup-secret", settings())
        assert f"{path}Secret 'backup-store' in namespace 'default' has no key 'AWS_SECRET" in text
        for told in (KEYS["AWS_ACCESS_KEY_ID"], "Y2FuYXJ5"):
            assert told not in text
        assert not of(cluster, "secrets", NAME)
        assert not of(cluster, "mariadbs", NAME)
    finally:
        give(control_plane, KEYS)


def test_the_operator_takes_the_objects_and_changes_nothing(
    engine: Engine, cluster: Cluster
) -> None:
    """After it has reconciled, a refresh and an update find nothing."""
    stack = engine.open("backup", settings())
    stack.up(on_output=print)

    (name,) = of(cluster, "physicalbackups", f"{NAME}-backup-")
    jobs = eventually(lambda: of(cluster, "jobs", f"{name}-"))
    ((cron_name, cron_job),) = eventually(lambda: of(cluster, "cronjobs", f"{NAME}-dump-")).items()
    assert {owner(job) for job in jobs.values()} == {name}
    assert owner(cron_job) == cron_name
    assert of(cluster, "serviceaccounts", name)
    assert of(cluster, "persistentvolumeclaims", f"{name}-staging")

    # It had nothing to add: every field was there.
    eventually(lambda: cluster.list("physicalbackups")[name].get("status"))
    for kind, plural in (("PhysicalBackup", "physicalbackups"), ("Backup", "backups")):
        ((made, found),) = of(cluster, plural, NAME).items()
        assert found["spec"] == sent(stack, kind), made
    stack.preview(refresh=True, expect_no_changes=True, on_output=print)
    assert changes(stack.up(on_output=print)) == {}
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in raw_state(engine, stack)

    # The Pods pass the namespace's Pod Security, and the servers' policy lets them in.
    for template in (
        next(iter(jobs.values()))["spec"]["template"],
        cron_job["spec"]["jobTemplate"]["spec"]["template"],
    ):
        assert pod_security.violations(template["spec"]) == []
        assert template["spec"]["restartPolicy"] == "Never"
        assert template["metadata"]["labels"]["mysql-ha/role"] == "backup"
        containers = template["spec"]["containers"] + template["spec"]["initContainers"]
        assert all(container["resources"]["limits"] for container in containers)


def test_retention_changes_in_place(engine: Engine, cluster: Cluster) -> None:
    before = {*of(cluster, "physicalbackups", NAME)}
    result = engine.open("backup", settings(retention="100h")).up(on_output=print)
    assert {*of(cluster, "physicalbackups", NAME)} == before
    # The dump's is fixed, and so it is a new object.
    assert changes(result) == {"update": 1, "replace": 1}
    (backup,) = of(cluster, "physicalbackups", NAME).values()
    assert backup["spec"]["maxRetention"].startswith("100h")


def test_a_new_schedule_is_a_new_object_before_the_old_one_goes(
    engine: Engine, cluster: Cluster
) -> None:
    (before,) = of(cluster, "physicalbackups", NAME)
    since = cluster.now(OBJECTS)
    changed = settings(retention="100h", schedule="0 5 * * *")
    engine.open("backup", changed).up(on_output=print)
    (after,) = of(cluster, "physicalbackups", NAME)
    assert after != before
    seen = [(kind, name) for _, kind, name in cluster.events(OBJECTS, since)]
    assert seen.index(("ADDED", after)) < seen.index(("DELETED", before))


def test_a_percona_cluster_keeps_what_people_set_until_it_has_a_store(
    engine: Engine, cluster: Cluster, control_plane: ControlPlane
) -> None:
    base = {"mysql-ha:size": "dev", "mysql-ha:engine": "percona", "mysql-ha:name": "pxvault"}

    def backup() -> Any:
        return cluster.list("perconaxtradbclusters")["pxvault"]["spec"].get("backup")

    engine.open("pxvault", base).up(on_output=print)
    theirs: dict[str, Any] = {"image": "example.invalid/backup:1", "schedule": []}
    patch = json.dumps({"spec": {"backup": theirs}})
    control_plane.kubectl("patch", "pxc", "pxvault", "-n", "default", "--type=merge", "-p", patch)
    engine.open("pxvault", {**base, "mysql-ha:await_sql": False}).up(on_output=print)
    assert backup() == theirs

    stored = {**base, "mysql-ha:backup": {"enabled": True, "store": {"s3": S3}}}
    stack = engine.open("pxvault", stored)
    stack.up(on_output=print)
    assert backup()["image"].startswith("docker.io/percona/percona-xtrabackup:")
    assert [schedule["schedule"] for schedule in backup()["schedule"]] == ["17 2 * * *"]
    assert changes(stack.up(on_output=print)) == {}

    off = {**base, "mysql-ha:backup": {"enabled": False, "store": {"s3": S3}}}
    engine.open("pxvault", off).up(on_output=print)
    assert backup()["schedule"] == []
