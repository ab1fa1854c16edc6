"""`make restore-drill` and `make backup-now`: what they make, and what they say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from components.config import load as configuration
from components.config.stack import StackConfig
from components.operations import series
from local import LocalError, jobs
from local.jobs import Follower
from local.kubectl import Kubectl, Object

STORE = {"s3": {"endpoint": "s3.example.com", "bucket": "backups"}}
RUNNING: Object = {"status": {}}
COMPLETE: Object = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
FAILED: Object = {
    "status": {
        "conditions": [
            {"type": "Failed", "status": "True", "message": "Job has reached the backoff limit"}
        ]
    }
}


Answer: TypeAlias = "Object | Callable[[Cluster], Object]"


@dataclass(frozen=True)
class Cluster(Kubectl):
    """A kubectl whose `get` tells the next of what is foreseen for what its arguments begin with;
    the last is told for ever."""

    answers: Mapping[str, list[Answer]] = field(default_factory=dict[str, list[Answer]])
    calls: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    made: list[Object] = field(default_factory=list[Object])

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        self.calls.append(args)
        if args[0] == "logs":
            return "drill: passed\n"
        if args[0] != "get":
            return ""
        (answers,) = (told for word, told in self.answers.items() if args[1].startswith(word))
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return json.dumps(answer(self) if callable(answer) else answer)

    def apply(self, objects: Sequence[Object]) -> None:
        self.made.extend(objects)


def config(**keys: Any) -> StackConfig:
    (one,) = configuration.read({
        "mysql-ha:size": "small",
        "mysql-ha:name": "orders",
        "mysql-ha:backup": {"store": STORE},
        **{f"mysql-ha:{key}": value for key, value in keys.items()},
    })  # fmt: skip
    return one


def follow(**answers: Sequence[Answer]) -> tuple[Follower, Cluster, list[str]]:
    said: list[str] = []
    told = {word: list(each) for word, each in answers.items()}
    cluster = Cluster(Path("kubectl"), (), told)
    return Follower(cluster, "default", said.append, lambda _: None), cluster, said


def pod(**states: Any) -> Object:
    """A Pod whose containers have these states."""
    return {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {
            "initContainerStatuses": [
                {"name": name, "state": told} for name, told in states.items() if name == "fetch"
            ],
            "containerStatuses": [
                {"name": name, "state": told} for name, told in states.items() if name != "fetch"
            ],
        },
    }


def listed(*items: Object) -> Object:
    return {"items": list(items)}


def test_a_drill_that_passes() -> None:
    starts = pod(fetch={"running": {"startedAt": "x"}}, check={"waiting": {}})
    checks = pod(fetch={"terminated": {"exitCode": 0}}, check={"running": {"startedAt": "x"}})
    follower, cluster, said = follow(
        job=[RUNNING, RUNNING, COMPLETE], pods=[listed(starts), listed(checks)]
    )
    assert jobs.drill(follower, config())
    made = next(call for call in cluster.calls if call[0] == "create")
    assert "--from=cronjob/orders-restore-drill" in made
    states = [line.split(maxsplit=1)[1] for line in said if line.startswith("  ")]
    assert states == ["fetch runs", "check runs", "complete"]
    assert said[-1] == "PASSED orders: drill: passed"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            '{"level":"info","msg":"starting restore"}\n'
            '{"level":"error","msg":"error reading getting target backup",'
            '"error":"no valid backup files were found"}',
            "error reading getting target backup: no valid backup files were found",
        ),
        ("physicalbackup-1.xb is empty", "physicalbackup-1.xb is empty"),
        ("", "Error"),
    ],
)
def test_a_drill_that_fails_says_why(message: str, reason: str) -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    follower, _, said = follow(job=[FAILED], pods=[listed(pod(fetch={"terminated": ended}))])
    assert not jobs.drill(follower, config())
    assert f"FAILED orders: fetch: {reason} (exit code 1)" in said
    assert said[-1].startswith("all of it: kubectl logs job/orders-restore-drill-")


def test_a_pod_that_waits_says_for_what() -> None:
    unscheduled: Object = {
        "metadata": {"creationTimestamp": "x"},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
            ],
        },
    }
    assert jobs.state(unscheduled) == "not scheduled: 0/3 nodes are available"
    pulling = pod(fetch={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
    assert jobs.state(pulling) == "fetch: ImagePullBackOff: no such image"


SCHEDULED: Object = {
    "apiVersion": "k8s.mariadb.com/v1alpha1",
    "kind": "PhysicalBackup",
    "metadata": {
        "name": "orders-backup-abcdef",
        "namespace": "default",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app.kubernetes.io/name": "backup", "app.kubernetes.io/managed-by": "pulumi"},
        "resourceVersion": "1",
        "uid": "1",
    },
    "spec": {
        "schedule": {"cron": "17 2 * * *", "immediate": True},
        "serviceAccountName": "orders-backup-abcdef",
        "storage": {"s3": {"prefix": "dev/default/orders/1/full"}},
        "restartPolicy": "Never",
    },
}


def test_a_backup_now_is_the_scheduled_one_without_its_schedule() -> None:
    made = jobs.once(SCHEDULED, "orders-backup-123456")
    assert made["metadata"] == {
        "name": "orders-backup-123456",
        "namespace": "default",
        "labels": {"app.kubernetes.io/name": "backup"},
    }
    assert made["spec"] == {
        "storage": {"s3": {"prefix": "dev/default/orders/1/full"}},
        "restartPolicy": "Never",
    }


def test_an_account_of_the_stacks_own_and_its_volume_are_kept() -> None:
    spec: Object = {
        "serviceAccountName": "cloud-identity",
        "storage": {"persistentVolumeClaim": {"accessModes": ["ReadWriteOnce"]}},
    }
    made = jobs.once({**SCHEDULED, "spec": spec}, "orders-backup-123456")
    claim = {"claimName": "orders-backup-abcdef"}
    assert made["spec"] == {
        "serviceAccountName": "cloud-identity",
        "storage": {"volume": {"persistentVolumeClaim": claim}},
    }


PERCONAS: Object = {"status": {"state": "Succeeded", "destination": "s3://b/orders"}}


def no_job(_: Cluster) -> Object:
    return listed()


def its_job(cluster: Cluster) -> Object:
    """The Job that the operator makes of a PhysicalBackup."""
    owner = {"kind": "PhysicalBackup", "name": cluster.made[0]["metadata"]["name"]}
    name = {"name": "orders-backup-x-2026", "creationTimestamp": "x"}
    return listed({"metadata": {**name, "ownerReferences": [owner]}})


def by_hand(name: str, complete: str) -> Object:
    """A PhysicalBackup that an earlier `make backup-now` made."""
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-02T00:00:00Z"},
        "spec": {"storage": {}},
        "status": {"conditions": [{"type": "Complete", "status": complete}]},
    }


def physical(
    job: Sequence[Answer],
    owned: Sequence[Answer],
    pods: Object | None = None,
    before: Sequence[Object] = (),
) -> tuple[Follower, Cluster, list[str]]:
    """`owned`: what there is of Jobs, one look after another; `job`: what that Job is like;
    `before`: other PhysicalBackups."""
    return follow(**{
        "physicalbackups.k8s.mariadb.com": [listed(SCHEDULED, *before), RUNNING],
        "jobs": owned,
        "job/orders-backup": job,
        "job/orders-heartbeat": [COMPLETE],
        "perconaxtradbclusterbackups": [PERCONAS],
        "pods": [pods or listed()],
    })  # fmt: skip


def deleted(cluster: Cluster) -> list[str]:
    """The names of the PhysicalBackups that were."""
    calls = [call for call in cluster.calls if call[0] == "delete"]
    assert all(call[1] == "physicalbackups.k8s.mariadb.com" for call in calls)
    return [call[2] for call in calls]


def test_a_backup_now_waits_for_its_job() -> None:
    follower, cluster, said = physical([RUNNING, COMPLETE], [no_job, its_job])
    assert jobs.backup(follower, config())
    (made,) = cluster.made
    assert "schedule" not in made["spec"]
    states = [line.split(maxsplit=1)[1] for line in said if line.startswith("  ")]
    waits = ["waiting for the operator", "waiting for a Pod", "complete"]
    assert states == ["complete", *waits]  # the first is the heartbeat
    assert not deleted(cluster)


def test_only_the_newest_backup_now_stays() -> None:
    """And one that somebody else makes, and those with a schedule."""
    before = [by_hand("orders-backup-000001", "True"), by_hand("orders-backup-000002", "False")]
    scheduled: Object = {**SCHEDULED, "status": by_hand("", "True")["status"]}
    follower, cluster, _ = physical([COMPLETE], [its_job], before=[*before, scheduled])
    assert jobs.backup(follower, config())
    assert deleted(cluster) == ["orders-backup-000001"]


def test_a_backup_now_that_fails_takes_none_away() -> None:
    before = [by_hand("orders-backup-000001", "True")]
    follower, cluster, _ = physical([FAILED], [its_job], before=before)
    assert not jobs.backup(follower, config())
    assert not deleted(cluster)


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_the_alerts_know_the_one_that_stays(engine: str) -> None:
    """By its name and kind: tests/unit/test_alerts.py has what they make of its Job."""
    own = config(engine=engine)
    follower, cluster, _ = physical([COMPLETE], [its_job])
    assert jobs.backup(follower, own)
    (made,) = cluster.made
    matchers = dict(re.findall(r'(\w+)=~?"([^"]*)"', series.backup_jobs(own)))
    assert matchers["owner_kind"] == made["kind"]
    assert re.fullmatch(matchers["owner_name"], made["metadata"]["name"])


def test_a_backup_now_that_fails_stays_to_be_looked_at() -> None:
    ended = pod(mariadb={"terminated": {"exitCode": 2, "message": "no space left"}})
    follower, cluster, said = physical([FAILED], [its_job], listed(ended))
    assert not jobs.backup(follower, config())
    assert "FAILED orders: mariadb: no space left (exit code 2)" in said
    assert not [call for call in cluster.calls if call[0] == "delete"]


def test_a_backup_whose_job_the_operator_deletes_has_failed() -> None:
    """The object's own status then says Success (mariadb-operator issue 1901)."""
    follower, _, said = physical([RUNNING], [its_job, no_job])
    assert not jobs.backup(follower, config())
    assert "FAILED orders: longer than 2h" in said


def test_a_backup_is_made_without_a_heartbeat_too() -> None:
    ended = pod(beat={"terminated": {"exitCode": 1, "message": "it is read-only"}})
    follower, cluster, said = physical([COMPLETE], [its_job], listed(ended))
    cluster.answers["job/orders-heartbeat"][:] = [FAILED]
    assert jobs.backup(follower, config())
    assert "NO HEARTBEAT orders: beat: it is read-only (exit code 1)" in said


def test_without_a_scheduled_backup_there_is_none_to_copy() -> None:
    follower, cluster, _ = follow(**{
        "physicalbackups.k8s.mariadb.com": [listed()],
        "job/orders-heartbeat": [COMPLETE],
    })  # fmt: skip
    with pytest.raises(LocalError, match="has no scheduled backup"):
        jobs.backup(follower, config())
    assert not cluster.made


@pytest.mark.parametrize("run", [jobs.backup, jobs.drill])
def test_a_database_without_backups_is_told_so(run: Any) -> None:
    follower, cluster, _ = follow()
    with pytest.raises(LocalError, match="makes no backups: set backup.store"):
        run(follower, config(backup={}))
    assert not cluster.calls


@pytest.mark.parametrize(("state", "passed"), [("Succeeded", True), ("Failed", False)])
def test_percona_s_operator_tells_how_a_backup_ended(state: str, passed: bool) -> None:
    told: list[Answer] = [
        {"status": {}},
        {"status": {"state": "Running"}},
        {"status": {"state": state, "destination": "s3://b/orders", "error": "no space"}},
    ]
    follower, cluster, said = follow(**{
        "perconaxtradbclusterbackups.pxc.percona.com": told,
        "job/orders-heartbeat": [COMPLETE],
    })  # fmt: skip
    assert jobs.backup(follower, config(engine="percona")) is passed
    (made,) = cluster.made
    assert made["spec"] == {"pxcCluster": "orders", "storageName": "full"}
    assert said[-1].startswith("PASSED orders: s3://b/orders" if passed else "FAILED orders")


def one_of(*names: str, passes: bool = True) -> Any:
    """A job that only these databases have."""

    def job(_: Follower, config: StackConfig) -> bool:
        if config.name not in names:
            raise jobs.Lacking(f"{config.name} makes no backups")
        return passes

    return job


@pytest.mark.parametrize("passes", [True, False])
def test_a_database_without_backups_does_not_keep_the_others_from_theirs(passes: bool) -> None:
    both = [config(name="cache", backup={}), config()]
    said: list[str] = []
    kubectl = follow()[0].kubectl
    job = one_of("orders", passes=passes)
    assert jobs.of_each(both, kubectl, job, said.append) is passes
    assert said == ["SKIPPED cache makes no backups"]


def test_a_stack_without_any_backups_is_told_so() -> None:
    both = [config(name="cache", backup={}), config(backup={})]
    with pytest.raises(LocalError, match="cache makes no backups: .*\norders makes no backups: "):
        jobs.of_each(both, follow()[0].kubectl, jobs.backup)
