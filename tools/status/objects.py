"""What the objects of a namespace say, as kubectl gives them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from components import names
from components.config import cron
from components.config.types import seconds

from .model import Proof

Object = Mapping[str, Any]
DAY = 86_400
DUMP_TOLERANCE = 7_200
"""Seconds that a dump may take."""
DRILL_TOLERANCE = DAY
"""Seconds that a drill may be late: it waits for a node, and takes as long as the data is large."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an operator's object says of its database."""

    engine: str
    name: str
    topology: str
    state: str
    primary: str
    paused: bool
    suspended: bool
    """The operator is told to leave it alone."""
    semi_sync: bool
    servers: int
    """How many there are to be."""
    pods: str
    """What their Pods' names begin with, before the ordinal."""
    container: str
    service: str
    """The Service of the primary."""
    collects: bool
    """Binary logs are to be collected, by a Pod of Percona's operator."""
    operator_proxies: int
    """Proxies of the operator's own that there are to be."""
    certificate_secrets: Mapping[str, str]
    """By what shows it: the Secret of a certificate."""


def facts(found: Object) -> Facts:
    """Of either engine's object."""
    return _mariadb(found) if found["kind"] == "MariaDB" else _percona(found)


def _below(found: Object, *path: str) -> Object:
    """The mapping at a path; empty where there is none."""
    for key in path:
        found = found.get(key) or {}
    return found


def _all(found: Object, key: str) -> Sequence[Object]:
    """The list below a key; empty where there is none."""
    return found.get(key) or ()


def _mariadb(found: Object) -> Facts:
    spec: Object = found["spec"]
    status, name = _below(found, "status"), str(found["metadata"]["name"])
    topology = next(
        (kind for kind in ("replication", "galera") if _below(spec, kind).get("enabled")),
        "standalone",
    )
    ready: Object = next(
        (c for c in _all(status, "conditions") if c["type"] == "Ready"), {"status": "Unknown"}
    )
    said = ready.get("message") or ready.get("reason") or "unknown"
    replicas = int(spec.get("replicas", 1))
    single = topology == "standalone"
    tls = _below(spec, "tls")
    server = str(_below(tls, "serverCertSecretRef").get("name") or f"{name}-server-cert")
    return Facts(
        engine="mariadb",
        name=name,
        topology=topology,
        state="ready" if ready["status"] == "True" else said,
        primary=status.get("currentPrimary") or (f"{name}-0" if single and replicas else ""),
        paused=replicas == 0,
        suspended=bool(spec.get("suspend")),
        # This program always says it; of an object without it nothing is demanded.
        semi_sync=topology == "replication"
        and _below(spec, "replication").get("semiSyncEnabled") is True,
        servers=replicas,
        pods=name,
        container="mariadb",
        service=name if single else names.mariadb_primary(name),
        collects=False,
        operator_proxies=0,
        certificate_secrets=(
            {"servers": server, "servers' CA": names.mariadb_ca_bundle(name)}
            if tls.get("enabled")
            else {}
        ),
    )


def _percona(found: Object) -> Facts:
    spec: Object = found["spec"]
    status, name = _below(found, "status"), str(found["metadata"]["name"])
    state = str(status.get("state") or "unknown")
    paused, size = bool(spec.get("pause")), int(spec["pxc"]["size"])
    proxies, tls = _below(spec, "proxysql"), _below(spec, "tls")
    secrets = {"servers": str(spec.get("sslInternalSecretName") or names.pxc_ssl_internal(name))}
    if proxies.get("enabled"):
        secrets["proxies"] = str(spec.get("sslSecretName") or names.pxc_ssl(name))
    return Facts(
        engine="percona",
        name=name,
        topology="galera",
        state=": ".join([state, *map(str, status.get("message") or ())]),
        primary="",
        paused=paused,
        suspended=False,
        semi_sync=False,
        servers=0 if paused else size,
        pods=names.pxc(name),
        container="pxc",
        service="",
        collects=not paused and bool(_below(spec, "backup", "pitr").get("enabled")),
        operator_proxies=int(proxies.get("size", 0)) if proxies.get("enabled") else 0,
        certificate_secrets={} if tls.get("enabled") is False else secrets,
    )


def ready(pod: Object) -> bool:
    """What Kubernetes says of a Pod."""
    conditions = _all(_below(pod, "status"), "conditions")
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def volume_secret(spec: Object, volume: str) -> str:
    """The Secret that a Pod's volume shows, or nothing."""
    for one in _all(spec, "volumes"):
        if one["name"] == volume:
            return str(_below(one, "secret").get("secretName", ""))
    return ""


def leads_to(slices: Sequence[Object]) -> tuple[str, ...]:
    """The Pods to which a Service leads, of its EndpointSlices."""
    found = {
        str(endpoint["targetRef"]["name"])
        for each in slices
        for endpoint in _all(each, "endpoints")
        if endpoint.get("targetRef")
        and _below(endpoint, "conditions").get("ready", True) is not False
    }
    return tuple(sorted(found))


def ends(pem: bytes) -> datetime:
    """When a certificate ends, of a text that may have its issuers too, or of several authorities
    the last of them. Raises ValueError if there is none."""
    found = x509.load_pem_x509_certificates(pem)
    authorities = [one for one in found if one.issuer == one.subject]
    last = max((one.not_valid_after_utc for one in authorities), default=None)
    return last if last and len(authorities) == len(found) else found[0].not_valid_after_utc


def moment(text: str | None) -> datetime | None:
    """A time of the API."""
    return datetime.fromisoformat(text) if text else None


def backups(
    found: Object, scheduled: Sequence[Object], jobs: Sequence[Object], now: datetime
) -> Iterator[Proof]:
    """When copies of a database were last made.

    A completed Job proves one and nothing else does: the status of a PhysicalBackup is also
    `Complete` when its Job failed or took too long (docs/restore-drill.md). `scheduled`: the
    PhysicalBackups of a MariaDB, or the PerconaXtraDBClusterBackups of any database.
    """
    name = found["metadata"]["name"]
    if found["kind"] == "MariaDB":
        mine = [one for one in scheduled if one["spec"]["mariaDbRef"]["name"] == name]
        done, failed = _jobs(jobs, "PhysicalBackup", {one["metadata"]["name"] for one in mine})
        for one in mine:
            schedule = _below(one, "spec", "schedule")
            if "cron" in schedule:
                yield _proof(
                    "backup",
                    one,
                    schedule["cron"],
                    seconds(str(one["spec"].get("timeout", "1h"))),
                    done,
                    failed,
                    suspended=bool(schedule.get("suspend")),
                )
        return
    mine = [one for one in scheduled if one["spec"].get("pxcCluster") == name]
    good = [
        at
        for one in mine
        if _below(one, "status").get("state") == "Succeeded"
        and (at := moment(one["status"].get("completed")))
    ]
    bad = {
        at: str(one["metadata"]["name"])
        for one in mine
        if _below(one, "status").get("state") in ("Failed", "Error")
        and (at := moment(one["metadata"]["creationTimestamp"]))
    }
    backup = _below(found, "spec", "backup")
    for schedule in _all(backup, "schedule"):
        limit = int(backup.get("activeDeadlineSeconds") or DAY)
        # Nothing says since when there is a schedule: the cluster may be older by years.
        proof = _proof("backup", found, schedule["schedule"], limit, good, bad)
        due = proof.since and now - proof.since < timedelta(seconds=proof.allowed_seconds)
        yield proof if due else replace(proof, since=None)


def _jobs(
    jobs: Sequence[Object], kind: str, owners: set[str]
) -> tuple[list[datetime], dict[datetime, str]]:
    """When Jobs of these owners completed; and those that failed, by when."""
    done: list[datetime] = []
    failed: dict[datetime, str] = {}
    for job in jobs:
        references = _all(job["metadata"], "ownerReferences")
        if not any(one["kind"] == kind and one["name"] in owners for one in references):
            continue
        for condition in _all(_below(job, "status"), "conditions"):
            at = moment(condition.get("lastTransitionTime"))
            if condition["status"] == "True" and at:
                if condition["type"] == "Complete":
                    done.append(at)
                elif condition["type"] == "Failed":
                    failed[at] = str(job["metadata"]["name"])
    return done, failed


def cron_proof(kind: Any, cron_job: Object, jobs: Sequence[Object], limit: int) -> Proof:
    """The same of what a CronJob makes. `limit`: seconds that one may take, where its
    Jobs have no limit of their own."""
    name = cron_job["metadata"]["name"]
    # What this program gives a Job is what it may take, as in the alert.
    job = _below(cron_job, "spec", "jobTemplate", "spec")
    limit = int(job.get("activeDeadlineSeconds") or limit)
    done, failed = _jobs(jobs, "CronJob", {name})
    last = moment(_below(cron_job, "status").get("lastSuccessfulTime"))
    return _proof(
        kind,
        cron_job,
        cron_job["spec"]["schedule"],
        limit,
        [*done, *([last] if last else [])],
        failed,
        suspended=bool(cron_job["spec"].get("suspend")),
    )


def _proof(
    kind: Any,
    of: Object,
    schedule: str,
    limit: int,
    done: Sequence[datetime],
    failed: Mapping[datetime, str],
    *,
    suspended: bool = False,
) -> Proof:
    last = max(done, default=None)
    later = [at for at in failed if last is None or at > last]
    unknown = ""
    try:
        limit += cron.runs(schedule).longest
    except ValueError as error:
        unknown = f"how often: its schedule {schedule} {error}"
    return Proof(
        kind=kind,
        name=str(of["metadata"]["name"]),
        last=last,
        since=moment(of["metadata"].get("creationTimestamp")),
        allowed_seconds=limit,
        failed=failed[max(later)] if later else "",
        suspended=suspended,
        unknown=unknown,
    )
