"""A restore drill and a backup that somebody asks for now: what `make` shows while they run.

Both make what the schedule would make, with kubectl's credentials. The object that the scheduled
ones come from stays as it is.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from components import names
from components.config.engine import ENGINES
from components.config.stack import StackConfig
from local import LocalError
from local.kubectl import Kubectl, Object

EVERY = 2.0
"""Seconds between two looks."""
PATIENCE = 24 * 3600
"""Seconds after which nothing is waited for any more: what runs has a shorter limit of its own."""
PERCONA_ENDS = ("Succeeded", "Failed", "Error", "Suspended")


class Lacking(LocalError):
    """A database has nothing to run, and others may."""


@dataclass(frozen=True)
class Follower:
    """Waits for what runs in a namespace, and says what changes."""

    kubectl: Kubectl
    namespace: str
    say: Callable[[str], None] = print
    sleep: Callable[[float], None] = time.sleep

    def get(self, *what: str) -> Object:
        """An object, or a List."""
        found: Object = json.loads(self.kubectl("get", *what, "-n", self.namespace, "-o", "json"))
        return found

    def create(self, job: str, cron_job: str) -> None:
        """Run a CronJob now."""
        self.kubectl("create", "job", job, f"--from=cronjob/{cron_job}", "-n", self.namespace)

    def until(self, look: Callable[[], tuple[str, bool | None]]) -> bool:
        """Say each new state that `look` tells, until it also tells whether all went well."""
        said = ""
        for _ in range(int(PATIENCE / EVERY)):
            state, result = look()
            if state != said:
                self.say(f"  {datetime.now(UTC):%H:%M:%S} {state}")
                said = state
            if result is not None:
                return result
            self.sleep(EVERY)
        raise LocalError(f"{said}: waited for {PATIENCE} s")

    def job(self, name: str) -> bool:
        """Whether a Job succeeded; says what its Pods do meanwhile."""
        return self.until(lambda: self.job_state(name))

    def job_state(self, name: str) -> tuple[str, bool | None]:
        """What a Job does, and how it ended."""
        job = self.get(f"job/{name}")
        for condition in _conditions(job):
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                reason = f": {condition['message']}" if condition.get("message") else ""
                return f"{condition['type'].lower()}{reason}", condition["type"] == "Complete"
        pods = self.pods(name)
        return (state(pods[-1]) if pods else "waiting for a Pod"), None

    def pods(self, job: str) -> Sequence[Object]:
        """The Pods of a Job, the newest last."""
        found: list[Object]
        found = self.get("pods", f"--selector=batch.kubernetes.io/job-name={job}")["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def reasons(self, job: str) -> Iterator[str]:
        """Why the last Pod of a Job failed: by container, the message with which it ended."""
        for pod in self.pods(job)[-1:]:
            for container in _containers(pod):
                ended: Object = container["state"].get("terminated") or {}
                if ended.get("exitCode"):
                    message = plain(str(ended.get("message") or "")) or ended.get("reason")
                    yield f"{container['name']}: {message} (exit code {ended['exitCode']})"

    def last_line(self, job: str, container: str) -> str:
        """What a container said last."""
        text = self.kubectl("logs", f"job/{job}", "-c", container, "-n", self.namespace, "--tail=1")
        return text.strip()


def _status(of: Object) -> Object:
    return of.get("status") or {}


def _conditions(of: Object) -> Sequence[Object]:
    return _status(of).get("conditions") or ()


def state(pod: Object) -> str:
    """What a Pod does, in words."""
    for container in _containers(pod):
        if container["state"].get("running"):
            return f"{container['name']} runs"
        waiting: Object = container["state"].get("waiting") or {}
        if waiting and waiting.get("reason") != "PodInitializing":
            return ": ".join(
                str(part)
                for part in (container["name"], waiting.get("reason"), waiting.get("message"))
                if part
            )
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"not scheduled: {condition.get('message', 'no reason given')}"
    return f"Pod is {_status(pod).get('phase', 'Pending')}"


def _containers(pod: Object) -> Sequence[Object]:
    """The states of a Pod's containers, in the order in which they run."""
    status = _status(pod)
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def plain(message: str) -> str:
    """The last line of a container's message; of the operator's log, what went wrong.

    Its lines are JSON (v25.10.4, pkg/log/log.go): the message, and the error behind it.
    """
    lines = message.strip().splitlines()
    if not lines:
        return ""
    try:
        entry: Object = json.loads(lines[-1])
        return ": ".join(str(entry[key]) for key in ("msg", "error") if key in entry)
    except (ValueError, TypeError):  # not JSON, or no object
        return lines[-1]


def drill(follower: Follower, config: StackConfig) -> bool:
    """Run the drill of a database now. Whether its newest backup is good."""
    _have_backups(config)
    if not config.backup.drilled:
        raise Lacking(f"{config.name} has no drill: set backup.drill.enabled, then `make up`.")
    cron_job = names.restore_drill(config.name)
    job = f"{cron_job}-{secrets.token_hex(4)}"
    follower.say(f"{config.name}: restoring the newest backup into a scratch server")
    follower.create(job, cron_job)
    if follower.job(job):
        follower.say(f"PASSED {config.name}: {follower.last_line(job, 'check')}")
        return True
    for reason in follower.reasons(job):
        follower.say(f"FAILED {config.name}: {reason}")
    follower.say(f"all of it: {_logs(follower, job)}")
    return False


def of_each(
    configs: Sequence[StackConfig],
    kubectl: Kubectl,
    job: Callable[[Follower, StackConfig], bool],
    say: Callable[[str], None] = print,
) -> bool:
    """Run `drill` or `backup` for each database that has any. Whether all went well.

    Raises LocalError if none has.
    """
    passed: list[bool] = []
    lacking: list[str] = []
    for config in configs:
        try:
            passed.append(job(Follower(kubectl, config.namespace, say), config))
        except Lacking as nothing:
            lacking.append(str(nothing))
    if not passed:
        raise LocalError("\n".join(lacking))
    for text in lacking:
        say(f"SKIPPED {text}")
    return all(passed)


def _have_backups(config: StackConfig) -> None:
    if config.backup.target is None:
        raise Lacking(
            f"{config.name} makes no backups: set backup.store and backup.enabled, then `make up`."
        )


def backup(follower: Follower, config: StackConfig) -> bool:
    """Make a backup of a database now. Whether it was made."""
    _have_backups(config)
    if config.backup.drilled:
        _beat(follower, config)
    follower.say(f"{config.name}: making a backup")
    # As long as those of the scheduled ones, after which the operator's own names would not fit.
    name = names.backup(config.name, secrets.token_hex(3))
    if config.engine == "percona":
        return _percona(follower, config, name)
    return _mariadb(follower, config, name)


def _beat(follower: Follower, config: StackConfig) -> None:
    """The heartbeat first, so that a drill finds the backup new. It may fail: a backup counts."""
    job = f"{names.heartbeat(config.name)}-{secrets.token_hex(4)}"
    follower.say(f"{config.name}: writing the heartbeat")
    follower.create(job, names.heartbeat(config.name))
    if not follower.job(job):
        for reason in follower.reasons(job):
            follower.say(f"NO HEARTBEAT {config.name}: {reason}")


def _mariadb(follower: Follower, config: StackConfig, name: str) -> bool:
    """By a PhysicalBackup of its own: mariadb-operator 25.10 cannot start a scheduled one early.

    It stays, since by its Job the alerts know of the backup; those before it go once it has
    succeeded. Their files stay, and the retention counts them with the others. Without a schedule
    the operator makes one backup for as long as the object has a Job
    (v25.10.4, internal/controller/physicalbackup_controller.go, reconcileTemplate).
    """
    kind = f"physicalbackups.{ENGINES['mariadb'].api.group}"
    there = _backups(follower, config, kind)
    follower.kubectl.apply([once(_scheduled(there, follower, config), name)])
    run = _Physical(follower, kind, name)
    if follower.until(run.look):
        for old in filter(_over, there):
            follower.kubectl(
                "delete", kind, old["metadata"]["name"], "-n", follower.namespace, "--wait=false"
            )
        follower.say(
            f"PASSED {config.name}: a backup is in the store. Prove it: make restore-drill"
        )
        return True
    reasons = list(follower.reasons(run.job)) or [f"longer than {config.backup.timeout}"]
    for reason in reasons:
        follower.say(f"FAILED {config.name}: {reason}")
    follower.say(f"all of it: {_logs(follower, run.job)}")
    follower.say(f"then: {_command(follower, 'delete', kind, name)}")
    return False


def _backups(follower: Follower, config: StackConfig, kind: str) -> Sequence[Object]:
    """The PhysicalBackups of a database, scheduled or not."""
    labels = names.labels(config.name, "backup")
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    found: list[Object] = follower.get(kind, f"--selector={selector}")["items"]
    return found


def _over(backup: Object) -> bool:
    """Whether a PhysicalBackup ran once, well or not."""
    return not backup["spec"].get("schedule") and any(
        (condition["type"], condition["status"]) == ("Complete", "True")
        for condition in _conditions(backup)
    )


def _scheduled(there: Sequence[Object], follower: Follower, config: StackConfig) -> Object:
    """The newest of the PhysicalBackups that the stack has scheduled."""
    found = [item for item in there if item["spec"].get("schedule")]
    if not found:
        raise LocalError(
            f"{config.name} has no scheduled backup in namespace {follower.namespace}: `make up` "
            "makes it."
        )
    return max(found, key=lambda item: str(item["metadata"]["creationTimestamp"]))


def once(scheduled: Object, name: str) -> Object:
    """A PhysicalBackup like a scheduled one, that runs once and at once: it has no `schedule`.

    An account that the operator made for the scheduled one is not named: it makes another.
    """
    metadata: Object = scheduled["metadata"]
    spec: Object = scheduled["spec"]
    left = {"schedule"}
    if spec.get("serviceAccountName") == metadata["name"]:
        left.add("serviceAccountName")
    if "persistentVolumeClaim" in (spec.get("storage") or {}):
        # The operator makes a claim of the object's own name: a copy would have an empty one.
        claim = {"claimName": metadata["name"]}
        spec = {**spec, "storage": {"volume": {"persistentVolumeClaim": claim}}}
    labels: Object = dict(metadata.get("labels") or {})
    labels.pop("app.kubernetes.io/managed-by", None)  # what Pulumi says of its own objects
    return {
        "apiVersion": scheduled["apiVersion"],
        "kind": scheduled["kind"],
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
        },
        "spec": {key: value for key, value in spec.items() if key not in left},
    }


@dataclass
class _Physical:
    """A PhysicalBackup that runs once.

    Its Job alone says how it ended. The object's own condition is also true of a run that failed,
    and calls one a success that took too long, whose Job the operator deletes.
    """

    follower: Follower
    kind: str
    name: str
    job: str = ""
    """The Job, once there is one."""

    def look(self) -> tuple[str, bool | None]:
        """For `Follower.until`."""
        job = _job_of(self.follower, self.name)
        if job:
            self.job = job
            return self.follower.job_state(job)
        if self.job:
            return "the operator has deleted its Job, which took too long", False
        said = [
            str(condition["message"])
            for condition in _conditions(self.follower.get(self.kind, self.name))
            if condition["status"] != "True" and condition.get("message")
        ]
        return ": ".join(["waiting for the operator", *said]), None


def _job_of(follower: Follower, owner: str) -> str | None:
    """The newest Job of a PhysicalBackup."""
    found: list[Object] = [
        job["metadata"]
        for job in follower.get("jobs")["items"]
        for reference in job["metadata"].get("ownerReferences") or ()
        if (reference["kind"], reference["name"]) == ("PhysicalBackup", owner)
    ]
    newest = max(found, key=lambda each: str(each["creationTimestamp"]), default=None)
    return str(newest["name"]) if newest else None


def _percona(follower: Follower, config: StackConfig, name: str) -> bool:
    """By a PerconaXtraDBClusterBackup, which stays: a restore refers to it, and no schedule counts
    it. It goes with `kubectl delete`, and its files stay then."""
    kind = f"perconaxtradbclusterbackups.{ENGINES['percona'].api.group}"
    follower.kubectl.apply([
        {
            "apiVersion": ENGINES["percona"].api.group_version,
            "kind": "PerconaXtraDBClusterBackup",
            "metadata": {
                "name": name,
                "namespace": follower.namespace,
                "labels": names.labels(config.name, "backup"),
            },
            "spec": {"pxcCluster": config.name, "storageName": "full"},
        }
    ])  # fmt: skip

    def look() -> tuple[str, bool | None]:
        status = _status(follower.get(kind, name))
        now = str(status.get("state") or "waiting for the operator")
        text = ": ".join([now, *([str(status["error"])] if status.get("error") else [])])
        return text, (now == "Succeeded" if now in PERCONA_ENDS else None)

    if follower.until(look):
        where = follower.get(kind, name)["status"].get("destination", "the store")
        follower.say(f"PASSED {config.name}: {where}. Prove it: make restore-drill")
        return True
    follower.say(f"FAILED {config.name}: {_command(follower, 'describe', kind, name)}")
    return False


def _logs(follower: Follower, job: str) -> str:
    return _command(follower, "logs", f"job/{job}", "--all-containers")


def _command(follower: Follower, *arguments: str) -> str:
    """What a person would type."""
    return " ".join(follower.kubectl.command(*arguments, "-n", follower.namespace))
