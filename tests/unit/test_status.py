"""`tools.status`: from kubectl's answers to a screen, JSON and an exit code.

The answers of servers and proxies in `data/status` are those of MariaDB 10.11 and ProxySQL 3.0, as
tests/dataplane/test_status.py asks them; what differs is edited here.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.proxysql import cnf, layout, live
from components.proxysql.model import Secrets
from tests.unit import libconfig, models
from tools.status import ask, drift
from tools.status import kubectl as status_kubectl
from tools.status.gather import gather, proxy, server
from tools.status.kubectl import Absent, Kubectl, Refused, Unreachable, refused
from tools.status.model import (
    Alert,
    Certificate,
    Database,
    Galera,
    Proof,
    Proxy,
    Replication,
    SemiSync,
    Server,
    Verdict,
    Wanted,
)
from tools.status.objects import Object, ends, leads_to
from tools.status.report import show
from tools.status.screen import WIDTH, render, to_json
from tools.status.verdicts import span, verdicts, wrong

DATA = Path(__file__).parent / "data" / "status"
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PRIMARY, REPLICA, STANDING, NODE, PROXY, GALERA_PROXY = (
    (DATA / f"{name}.txt").read_text()
    for name in ("primary", "replica", "standing", "node", "proxy", "galera-proxy")
)


def certificate(ends: datetime, issuer: str = "") -> bytes:
    """PEM; without an issuer it is its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    own, other = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        for name in ("own", issuer or "own")
    )
    return (
        x509.CertificateBuilder(other, own, key.public_key(), 1)
        .not_valid_before(ends - timedelta(days=90))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


GOOD = certificate(NOW + timedelta(days=60))


def ago(**delta: float) -> str:
    return (NOW - timedelta(**delta)).isoformat()


def pod(name: str, ready: bool = True, config: str = "cnf-1") -> Object:
    volumes = [{"name": "config", "secret": {"secretName": config}}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/instance": "db"}},
        "spec": {"volumes": volumes},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def stateful_set(name: str, replicas: int) -> Object:
    volumes = [
        {"name": "config", "secret": {"secretName": "cnf-1"}},
        {"name": "tls", "secret": {"secretName": "proxy-certificate"}},
    ]
    return {
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/instance": "db"}},
        "spec": {"replicas": replicas, "template": {"spec": {"volumes": volumes}}},
        "status": {"readyReplicas": replicas, "replicas": replicas},
    }


def mariadb(topology: str = "replication", replicas: int = 3, **status: Any) -> Object:
    kinds = {} if topology == "standalone" else {topology: {"enabled": True}}
    if topology == "replication":
        kinds[topology] |= {"semiSyncEnabled": True}
    ready = {"type": "Ready", "status": "True"}
    return {
        "kind": "MariaDB",
        "metadata": {"name": "db", "namespace": "shop", "creationTimestamp": ago(days=90)},
        "spec": {"replicas": replicas, "tls": {"enabled": True}, **kinds},
        "status": {"currentPrimary": "db-0", "conditions": [ready], **status},
    }


def percona(**spec: Any) -> Object:
    backup = {"schedule": [{"name": "full", "schedule": "17 2 * * *"}]}
    return {
        "kind": "PerconaXtraDBCluster",
        "metadata": {"name": "db", "namespace": "shop", "creationTimestamp": ago(days=90)},
        "spec": {
            "pxc": {"size": 3},
            "proxysql": {"enabled": True, "size": 2},
            "backup": {**backup, "activeDeadlineSeconds": 7200},
            **spec,
        },
        "status": {"state": "ready"},
    }


def job(
    owner: str, end: str, name: str = "run", kind: str = "PhysicalBackup", **at: float
) -> Object:
    condition = {"type": end, "status": "True", "lastTransitionTime": ago(**at)}
    return {
        "metadata": {"name": name, "ownerReferences": [{"kind": kind, "name": owner}]},
        "status": {"conditions": [condition]},
    }


PHYSICAL: Object = {
    "metadata": {"name": "db-backup-1", "creationTimestamp": ago(days=90)},
    "spec": {
        "mariaDbRef": {"name": "db"},
        "schedule": {"cron": "17 2 * * *", "suspend": False},
        "timeout": "2h",
    },
}
DRILL: Object = {
    "metadata": {"name": "db-restore-drill", "creationTimestamp": ago(days=90)},
    "spec": {"schedule": "43 4 * * 0"},
    "status": {"lastSuccessfulTime": ago(days=3)},
}
PHYSICALS, PXC_BACKUPS = (
    "physicalbackups.k8s.mariadb.com",
    "perconaxtradbclusterbackups.pxc.percona.com",
)


OWN = {"statefulsets": "StatefulSet", "pods": "Pod"}


@dataclass
class Fake:
    """A cluster of answers: objects by kind, `own` of several kinds, and what Pods print."""

    objects: dict[str, list[Object] | Unreachable]
    pods: dict[str, str | Unreachable]
    pem: bytes = GOOD
    asked: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def get(self, *what: str) -> list[Object]:
        self.asked.append(what)
        found = self.objects.get(what[0], self._own(what[0]))
        if isinstance(found, Unreachable):
            raise found
        if not found and len(what) == 2 and not what[1].startswith("--"):
            raise Absent(f'Error from server (NotFound): "{what[1]}" not found')
        return found

    def _own(self, kind: str) -> list[Object]:
        own = self.objects.get("own", [])
        assert not isinstance(own, Unreachable)
        return [one for one in own if one["kind"] == OWN.get(kind)]

    def certificate(self, secret: str, key: str) -> bytes:
        return self.pem

    def run(self, pod: str, container: str, script: str, stdin: str = "") -> str:
        self.asked.append((pod, container))
        found = self.pods[pod]
        if isinstance(found, Unreachable):
            raise found
        return found


SERVERS = {"db-0": PRIMARY, "db-1": REPLICA, "db-2": REPLICA}
PROXIES = dict.fromkeys((f"db-proxysql-{n}" for n in range(3)), PROXY)


def small(found: Object | None = None, **pods: str | Unreachable) -> Fake:
    """A healthy stack of size `small`; Pods are named with `_`."""
    answers: dict[str, str | Unreachable] = {**SERVERS, **PROXIES}
    answers |= {name.replace("_", "-"): answer for name, answer in pods.items()}
    return Fake(
        {
            "mariadbs.k8s.mariadb.com": [found or mariadb()],
            "own": [
                stateful_set("db", 3),
                stateful_set("db-proxysql", 3),
                *map(pod, answers),
            ],
            "endpointslices": [slices("db-0")],
            PHYSICALS: [PHYSICAL],
            "jobs": [job("db-backup-1", "Complete", hours=9)],
            "cronjobs": [DRILL],
        },
        answers,
    )


def slices(*pods: str) -> Object:
    return {"endpoints": [{"targetRef": {"name": name}, "conditions": {}} for name in pods]}


def galera() -> Fake:
    fake = small(mariadb("galera"))
    fake.pods = {**dict.fromkeys(SERVERS, NODE), **dict.fromkeys(PROXIES, GALERA_PROXY)}
    return fake


def without_semi_sync(text: str) -> str:
    return text.replace("master_enabled\tON", "master_enabled\tOFF").replace(
        "slave_enabled\tON", "slave_enabled\tOFF"
    )


def dev() -> Fake:
    """One server, without proxies and backups."""
    return Fake(
        {
            "mariadbs.k8s.mariadb.com": [mariadb("standalone", 1, currentPrimary=None)],
            "own": [stateful_set("db", 1), pod("db-0")],
            "endpointslices": [slices("db-0")],
        },
        {"db-0": without_semi_sync(PRIMARY)},
    )


def pxc() -> Fake:
    """Percona, with its operator's own proxies."""
    text = GALERA_PROXY.partition("#\nlacks\n")[0]
    text = text.replace("db-0.db-internal", "db-pxc-0.db-pxc").replace("\n10\t", "\n11\t")
    answers: dict[str, str | Unreachable] = {
        **{f"db-pxc-{n}": NODE.replace("10.11.19-MariaDB", "8.0.42-33.1") for n in range(3)},
        **{f"db-proxysql-{n}": text for n in range(2)},
    }
    backup = {
        "metadata": {"name": "cron-1", "creationTimestamp": ago(hours=10)},
        "spec": {"pxcCluster": "db"},
        "status": {"state": "Succeeded", "completed": ago(hours=9)},
    }
    return Fake(
        {
            "perconaxtradbclusters.pxc.percona.com": [percona()],
            "own": [
                stateful_set("db-pxc", 3),
                stateful_set("db-proxysql", 2),
                *map(pod, answers),
            ],
            PXC_BACKUPS: [backup],
        },
        answers,
    )


def look(fake: Fake) -> tuple[Database, list[Verdict]]:
    database = gather(fake, "db", now=NOW)
    return database, verdicts(database)


def said(found: Sequence[Verdict]) -> list[tuple[str, str, str]]:
    return [(one.severity, one.alert, one.told) for one in found]


def alerts(fake: Fake) -> set[str]:
    return {one.alert for one in look(fake)[1] if one.severity != "notice"}


# --- what all is well looks like ---


HEALTHY = """\
db in shop: mariadb 10.11.19, replication                                            all is well
2026-03-04 12:00:00 UTC, operator: ready

servers    role     lag  semi-sync       connections
  db-0     primary  -    on, 2 replicas  6 of 300
  db-1     replica  0 s  acknowledges    3 of 300
  db-2     replica  0 s  acknowledges    3 of 300

proxies          writes go to        clients    to a server  configuration
  db-proxysql-0  db-0 by db-primary  1 of 2048  1 of 24      as its files
  db-proxysql-1  db-0 by db-primary  1 of 2048  1 of 24      as its files
  db-proxysql-2  db-0 by db-primary  1 of 2048  1 of 24      as its files

backups       backup 9 h ago, at most 26 h; drill 3 d ago, at most 8 d
certificates  servers until 2026-05-03, 60 d; servers' CA until 2026-05-03, 60 d; proxies until
              2026-05-03, 60 d
"""


def test_a_healthy_screen() -> None:
    database, found = look(small())
    assert not found
    assert render(database, found, colour=False) == HEALTHY


@pytest.mark.parametrize("make", [small, galera, dev, pxc], ids=lambda make: make.__name__)
def test_nothing_is_wrong_with_what_is_well(make: Any) -> None:
    database, found = look(make())
    assert not wrong(found), said(found)
    text = render(database, found, colour=False)
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert "all is well" in text
    assert "unknown" not in text


def test_one_server_without_proxies() -> None:
    database, found = look(dev())
    (only,) = database.servers
    assert (database.topology, database.primary, only.semi_sync) == ("standalone", "db-0", None)
    assert said(found) == [("notice", "", "no backups are made")]
    text = render(database, found, colour=False)
    assert "none: clients connect to the servers" in text


def test_a_galera_writer_is_the_proxies() -> None:
    database, found = look(galera())
    text = render(database, found, colour=False)
    assert "  db-0     writer  Synced  3 of 3  4 of 300" in text
    assert "  db-1     node    Synced  3 of 3  4 of 300" in text


def test_proxies_choose_a_galera_writer_and_not_the_operator() -> None:
    """They do not follow its Service either."""
    fake = galera()
    fake.objects["mariadbs.k8s.mariadb.com"] = [mariadb("galera", currentPrimary="db-2")]
    fake.objects["endpointslices"] = [slices()]
    assert alerts(fake) == set()


def test_proxies_that_are_behind_the_operator() -> None:
    fake = small(mariadb(currentPrimary="db-1"), db_0=REPLICA, db_1=PRIMARY)
    assert (
        "warning",
        "",
        "the proxies write to db-0, the operator's primary is db-1",
    ) in said(look(fake)[1])


def test_without_proxies_a_service_that_leads_nowhere_refuses() -> None:
    fake = dev()
    fake.objects["endpointslices"] = [slices()]
    assert said(look(fake)[1])[0] == (
        "critical",
        "DatabaseNoWritableServer",
        "db leads to no server: connections are refused",
    )


def test_percona_is_asked_in_its_own_containers() -> None:
    fake = pxc()
    database, found = look(fake)
    assert ("db-pxc-2", "pxc") in fake.asked
    assert [one.writers for one in database.proxies] == [
        ("db-pxc-0.db-pxc.default.svc.cluster.local",)
    ] * 2
    assert not any(one.compared for one in database.proxies)
    assert [proof.last for proof in database.proofs] == [NOW - timedelta(hours=9)]
    assert "  db-pxc-0  writer  Synced  3 of 3" in render(database, found, colour=False)


# --- what is wrong ---


def writable(text: str) -> str:
    return text.replace("read_only\tON", "read_only\tOFF")


def following(text: str, source: str, sql: str = "Yes") -> str:
    """One that follows somebody besides what it follows."""
    header, row = ask.parts(REPLICA)["replication"]
    fields = dict(zip(header.split("\t"), row.split("\t"), strict=False))
    fields |= {"Master_Host": source, "Slave_SQL_Running": sql}
    start, _, _ = text.partition("#\nend")
    rows = ask.parts(text).get("replication", [])
    if not rows:
        start = start.partition("#\nreplication\n")[0] + f"#\nreplication\n{header}\n"
    return start + "\t".join(fields.values()) + "\n#\nend\n"


def altered(*changed: Object, fake: Fake | None = None) -> Fake:
    """With other objects in place of those of the same kind and name."""
    made = fake or small()
    own = made.objects["own"]
    assert isinstance(own, list)
    here = {(one["kind"], one["metadata"]["name"]): one for one in [*own, *changed]}
    made.objects["own"] = list(here.values())
    return made


def without(kind: str, name: str, fake: Fake) -> Fake:
    """Without an object."""
    own = fake.objects["own"]
    assert isinstance(own, list)
    fake.objects["own"] = [
        one for one in own if (one["kind"], one["metadata"]["name"]) != (kind, name)
    ]
    return fake


DEAD = Unreachable("it hangs: no answer in time")
FAULTS: Mapping[str, tuple[Fake, tuple[str, str, str]]] = {
    "a replica is dead": (
        small(db_2=DEAD),
        ("warning", "DatabaseServerDown", "db-2: it hangs: no answer in time"),
    ),
    "the primary is dead": (
        small(db_0=DEAD),
        ("critical", "DatabaseServerDown", "db-0: it hangs: no answer in time"),
    ),
    "nobody takes writes": (
        small(db_0=PRIMARY.replace("read_only\tOFF", "read_only\tON")),
        ("critical", "DatabaseNoWritableServer", "no server takes writes"),
    ),
    "read_only is a word": (
        small(db_0=PRIMARY.replace("read_only\tOFF", "read_only\tNO_LOCK_NO_ADMIN")),
        ("critical", "DatabaseNoWritableServer", "no server takes writes"),
    ),
    "two take writes": (
        small(db_1=writable(REPLICA)),
        ("critical", "DatabaseTwoWritableServers", "db-0, db-1: take writes"),
    ),
    "a thread stands, lag is NULL": (
        small(db_1=STANDING),
        ("critical", "ReplicationBroken", "db-1: receives Yes, applies No"),
    ),
    "a replica follows nobody": (
        small(db_1=REPLICA.partition("#\nreplication\n")[0] + "#\nend\n"),
        ("critical", "ReplicationBroken", "db-1: follows nobody"),
    ),
    "nobody acknowledges": (
        small(db_0=PRIMARY.replace("master_clients\t2", "master_clients\t0")),
        ("warning", "SemiSyncOff", "db-0: waits for no replica: none acknowledges"),
    ),
    "the primary does not wait": (
        small(db_0=without_semi_sync(PRIMARY)),
        (
            "warning",
            "SemiSyncOff",
            "db-0: commits wait for no replica: semi-sync is switched off",
        ),
    ),
    "a replica does not acknowledge": (
        small(db_1=REPLICA.replace("slave_status\tON", "slave_status\tOFF")),
        ("warning", "SemiSyncOff", "db-1: acknowledges no commits"),
    ),
    "semi-sync is off in a replica": (
        small(db_1=without_semi_sync(REPLICA).replace("slave_status\tON", "slave_status\tOFF")),
        ("warning", "SemiSyncOff", "db-1: acknowledges no commits"),
    ),
    "the primary replicates": (
        small(db_0=following(PRIMARY, "other.test")),
        (
            "warning",
            "ReplicationBroken",
            "db-0: replicates from other.test, and is to follow nobody",
        ),
    ),
    "a replica follows a replica": (
        small(db_1=REPLICA.replace("\tdb-0.db-internal", "\tdb-2.db-internal")),
        (
            "warning",
            "ReplicationBroken",
            "db-1: follows db-2.db-internal.default.svc.cluster.local, and not the primary db-0",
        ),
    ),
    "a replica follows a stranger": (
        small(db_1=REPLICA.replace("\tdb-0.db-internal", "\tother.db-internal")),
        (
            "critical",
            "ReplicationBroken",
            "db-1: follows other.db-internal.default.svc.cluster.local, and not the primary db-0",
        ),
    ),
    "a second connection is broken": (
        small(db_1=following(REPLICA, "other.test", "No")),
        ("critical", "ReplicationBroken", "db-1: receives Yes, applies No"),
    ),
    "a second connection": (
        small(db_1=following(REPLICA, "db-0.test")),
        (
            "warning",
            "ReplicationBroken",
            "db-1: follows several: db-0.db-internal.default.svc.cluster.local, db-0.test",
        ),
    ),
    "a Pod answers and is not ready": (
        altered(pod("db-1", ready=False)),
        (
            "warning",
            "DatabaseServerDown",
            "db-1: answers, but Kubernetes calls it not ready and leads nobody to it",
        ),
    ),
    "a reader is shunned": (
        small(db_proxysql_1=PROXY.replace("3306\t0\tONLINE\t1000\t", "3306\t0\tSHUNNED\t1000\t")),
        (
            "warning",
            "ProxyBackendErrors",
            "db-proxysql-1: does without a server for reads: db-secondary SHUNNED",
        ),
    ),
    "connections run out": (
        small(db_0=PRIMARY.replace("Threads_connected\t6", "Threads_connected\t280")),
        ("warning", "ConnectionsNearLimit", "db-0: 280 of 300 connections"),
    ),
    "a proxy is dead": (
        small(db_proxysql_1=DEAD),
        ("warning", "ProxyDown", "db-proxysql-1: it hangs: no answer in time"),
    ),
    "a proxy has no writer": (
        small(db_proxysql_1=PROXY.replace("3306\t0\tONLINE\t1\t", "3306\t0\tSHUNNED\t1\t")),
        (
            "critical",
            "ProxyNoWriter",
            "db-proxysql-1: no server for writes (db-primary SHUNNED)",
        ),
    ),
    "writes wait": (
        small(
            db_proxysql_1=PROXY.replace("3306\t0\tONLINE\t1\t", "3306\t0\tOFFLINE_SOFT\t1\t")
            .replace("#\nwatch\nnow\n1795802053", "#\nwatch\nnow\n1795802053")
            .replace("#\nhold\nsince\n", "#\nhold\nsince\n1795802050\n")
        ),
        ("critical", "ProxyNoWriter", "db-proxysql-1: lets writes wait for 3 s"),
    ),
    "the watcher gave up": (
        small(db_proxysql_1=PROXY.replace("gave-up\nfile\n", "gave-up\nfile\nwatch.gave-up\n")),
        (
            "warning",
            "ProxyNoWriter",
            "db-proxysql-1: lets writes through to a read-only primary, which refuses them",
        ),
    ),
    "a proxy is paused": (
        small(db_proxysql_1=PROXY.replace("listener_paused\tfalse", "listener_paused\ttrue")),
        ("warning", "ProxyPaused", "db-proxysql-1: accepts no clients"),
    ),
    "somebody changed a proxy": (
        small(db_proxysql_1=PROXY.replace("mysql-threads\t2", "mysql-threads\t8")),
        (
            "warning",
            "ProxyConfigDrift",
            "db-proxysql-1: variable mysql-threads: is 8, the file has 2",
        ),
    ),
    "the self check misses something that was not compared": (
        small(db_proxysql_1=PROXY.replace("lacks\nlacks\n1\n", "lacks\nlacks\nscheduler\n")),
        ("warning", "ProxyConfigDrift", "db-proxysql-1: the self check misses: scheduler"),
    ),
    "many clients": (
        small(db_proxysql_0=PROXY.replace("connected\t1\n", "connected\t2000\n")),
        ("warning", "ProxyClientsNearLimit", "db-proxysql-0: 2000 of 2048 clients"),
    ),
    "many connections to a server": (
        small(db_proxysql_0=PROXY.replace("3306\t1\n", "3306\t23\n")),
        ("warning", "ConnectionsNearLimit", "db-proxysql-0: uses 23 of 24 connections to a server"),
    ),
}  # fmt: skip


def test_nobody_has_written_since_a_failover() -> None:
    """Semi-sync is on again with the next commit."""
    _, found = look(small(db_0=PRIMARY.replace("master_status\tON", "master_status\tOFF")))
    notice = "db-0: waits for no replica before the next commit, though 2 acknowledge"
    assert ("notice", "SemiSyncOff", notice) in said(found)
    assert not wrong(found)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault: str) -> None:
    fake, expected = FAULTS[fault]
    database, found = look(fake)
    assert expected in said(found)
    assert wrong(found)
    text = render(database, found, colour=False)
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert f"docs/runbooks/{expected[1]}.md" in text


def test_a_part_that_does_not_answer_hides_no_other() -> None:
    fake = small(db_2=DEAD, db_proxysql_0=DEAD)
    fake.objects |= {"jobs": Unreachable("jobs is forbidden"), "events": Unreachable("forbidden")}
    database, found = look(fake)
    text = render(database, found, colour=False)
    assert "! db-2     unknown: it hangs: no answer in time" in text
    assert "  db-0     primary  -    on, 2 replicas  6 of 300" in text
    assert "db-0 by db-primary" in text
    assert ("warning", "", "not known: jobs: jobs is forbidden") in said(found)


def test_a_failover_under_way() -> None:
    """db-1 was promoted; the operator's status and Service are behind."""
    fake = small(db_0=DEAD, db_1=writable(REPLICA))
    fake.objects["endpointslices"] = [slices()]
    database, found = look(fake)
    assert said(found)[:2] == [
        ("critical", "DatabaseServerDown", "db-0: it hangs: no answer in time"),
        (
            "critical",
            "ProxyNoWriter",
            "db-primary leads to no server: statements wait in the proxies",
        ),
    ]
    assert ("warning", "", "db-1: takes writes, the operator's primary is db-0") in said(found)
    assert "nobody by db-primary" in render(database, found, colour=False)


def test_a_replica_that_waits_for_a_dead_primary_is_no_fault_of_its_own() -> None:
    waiting = REPLICA.replace("\tYes\tYes\t", "\tConnecting\tYes\t")
    fake = small(db_0=DEAD, db_1=waiting, db_2=waiting)
    database, found = look(fake)
    assert "ReplicationBroken" not in {one.alert for one in found}
    assert "db-1     replica  connecting" in render(database, found, colour=False)
    fake.pods["db-0"] = PRIMARY
    assert "ReplicationBroken" in alerts(fake)


def test_what_is_the_same_of_several_pods_is_said_once() -> None:
    paused = PROXY.replace("listener_paused\tfalse", "listener_paused\ttrue")
    fake = small(db_proxysql_0=paused, db_proxysql_2=paused)
    told = "db-proxysql-0, db-proxysql-2: accepts no clients"
    assert said(look(fake)[1]) == [("warning", "ProxyPaused", told)]


def test_proxies_that_do_not_agree() -> None:
    elsewhere = PROXY.replace("10\tdb-primary.default", "10\tdb-2.db-internal.default")
    found = look(small(db_proxysql_2=elsewhere))[1]
    assert (
        "critical",
        "ProxyTwoWriters",
        "proxies write to several servers: db-proxysql-0 to db-0, db-proxysql-1 to db-0, "
        "db-proxysql-2 to db-2",
    ) in said(found)


def test_all_proxies_are_dead() -> None:
    dead: dict[str, str | Unreachable] = dict.fromkeys(PROXIES, DEAD)
    fake = small()
    fake.pods |= dead
    assert said(look(fake)[1]) == [
        ("critical", "ProxiesDown", f"{', '.join(PROXIES)}: it hangs: no answer in time")
    ]


def test_a_missing_server() -> None:
    fake = small()
    listed = fake.objects["own"]
    assert isinstance(listed, list)
    fake.objects["own"] = [one for one in listed if one["metadata"]["name"] != "db-2"]
    assert ("warning", "DatabaseServerDown", "db-2: there is no such Pod") in said(look(fake)[1])


@pytest.mark.parametrize(
    ("text", "alert"),
    [
        (NODE.replace("status\tPrimary", "status\tnon-Primary"), "GaleraNotPrimary"),
        (NODE.replace("comment\tSynced", "comment\tDonor/Desynced"), "GaleraNodeMissing"),
        (NODE.replace("size\t3", "size\t2"), "GaleraNodeMissing"),
    ],
)
def test_faults_of_galera(text: str, alert: str) -> None:
    fake = galera()
    fake.pods["db-1"] = text
    assert alerts(fake) == {alert}


def test_what_the_operator_waits_for_is_told_with_its_cause() -> None:
    waiting = {"type": "Ready", "status": "False", "message": "StatefulSet not ready"}
    fake = small(mariadb(conditions=[waiting]))
    listed = fake.objects["own"]
    assert isinstance(listed, list)
    listed.append(pod("db-3", ready=False))
    assert (
        "warning",
        "",
        "the operator reports: StatefulSet not ready (Pod db-3: Ready is False)",
    ) in said(look(fake)[1])


def test_a_proxy_that_waits_for_its_roll_is_no_fault() -> None:
    fake = small()
    listed = fake.objects["own"]
    assert isinstance(listed, list)
    listed[:] = [
        pod("db-proxysql-2", config="cnf-0") if o["metadata"]["name"] == "db-proxysql-2" else o
        for o in listed
    ]
    database, found = look(fake)
    assert [one.outdated for one in database.proxies] == [False, False, True]
    assert not wrong(found)


def test_an_edit_that_is_not_deployed_is_no_fault() -> None:
    same, other = (
        gather(small(), "db", wanted=Wanted(proxies=3, configuration=name), now=NOW)
        for name in ("cnf-1", "cnf-2")
    )
    assert verdicts(same) == []
    assert not wrong(verdicts(other))
    assert [one.what for one in verdicts(other)] == [
        "the stack's file says otherwise of the proxies than what is deployed"
    ]


def test_a_paused_database_is_no_fault() -> None:
    fake = dev()
    fake.objects["mariadbs.k8s.mariadb.com"] = [
        mariadb("standalone", 0, currentPrimary=None, conditions=[])
    ]
    fake.objects["endpointslices"] = []
    database, found = look(fake)
    assert database.servers == ()
    assert not wrong(found)
    assert ("notice", "", "the servers are paused") in said(found)


def test_proxies_that_were_all_stopped() -> None:
    fake = small()
    fake.objects["own"] = [
        stateful_set("db-proxysql", 0),
        *map(pod, SERVERS),
    ]
    assert ("warning", "ProxyPaused", "no proxy runs: clients are kept out") in said(look(fake)[1])


GONE = "the StatefulSet of the proxies is gone: {} says that there are to be some"


@pytest.mark.parametrize("told_by", ["the stack's file", "Service db-proxysql"])
def test_proxies_whose_stateful_set_somebody_deleted(told_by: str) -> None:
    fake = without("StatefulSet", "db-proxysql", small())
    wanted = Wanted(proxies=3) if told_by == "the stack's file" else None
    fake.objects["services"] = [{"metadata": {"name": "db-proxysql"}}]
    database = gather(fake, "db", wanted=wanted, now=NOW)
    found = verdicts(database)
    assert said(found) == [("critical", "ProxiesDown", GONE.format(told_by))]
    assert "proxies  none run: their StatefulSet is gone" in render(database, found, colour=False)


def test_proxies_that_are_perhaps_not_deployed_yet() -> None:
    """Their Service is not there either; where nobody may know that, they are missed."""
    fake = dev()
    wanted = Wanted(proxies=2)
    told = "there are no proxies, and the stack's file wants 2"
    found = verdicts(gather(fake, "db", wanted=wanted, now=NOW))
    assert ("warning", "ProxiesDown", told) in said(found)
    fake.objects["services"] = FORBIDDEN
    found = verdicts(gather(fake, "db", wanted=wanted, now=NOW))
    assert ("critical", "ProxiesDown", GONE.format("the stack's file")) in said(found)


def test_proxies_of_percona_that_are_gone() -> None:
    fake = without("StatefulSet", "db-proxysql", pxc())
    database, found = look(fake)
    assert said(found) == [("critical", "ProxiesDown", GONE.format("the operator's object"))]
    assert database.proxied


def test_a_stack_without_proxies_has_none() -> None:
    fake = dev()
    fake.objects["services"] = [{"metadata": {"name": "db"}}]
    assert not wrong(verdicts(gather(fake, "db", wanted=Wanted(proxies=0), now=NOW)))


@pytest.mark.parametrize(
    ("made", "severity", "alert"), [(1, "warning", "ProxyDown"), (0, "critical", "ProxiesDown")]
)
def test_fewer_proxies_than_the_stack_wants(made: int, severity: str, alert: str) -> None:
    fake = altered(stateful_set("db-proxysql", made))
    found = verdicts(gather(fake, "db", wanted=Wanted(proxies=3), now=NOW))
    told = f"the StatefulSet is to have {made} of 3 proxies"
    assert said(found) == [(severity, alert, told)]


def test_roles_of_one_server() -> None:
    fake = dev()
    fake.pods["db-0"] = without_semi_sync(PRIMARY).replace("read_only\tOFF", "read_only\tON")
    assert said(look(fake)[1])[0] == ("critical", "DatabaseNoWritableServer", "db-0: is read-only")
    fake.pods["db-0"] = following(without_semi_sync(PRIMARY), "old.test")
    assert alerts(fake) == {"ReplicationBroken"}


def test_roles_of_galera() -> None:
    fake = galera()
    read_only = NODE.replace("read_only\tOFF", "read_only\tON")
    assert read_only != NODE
    fake.pods["db-1"] = read_only  # not the writer
    assert alerts(fake) == set()
    fake.pods["db-0"] = read_only
    assert said(look(fake)[1]) == [("critical", "DatabaseNoWritableServer", "db-0: is read-only")]


def test_a_server_outside_its_cluster() -> None:
    fake = galera()
    fake.pods["db-2"] = NODE.replace("wsrep_on\tON", "wsrep_on\tOFF")
    database, found = look(fake)
    told = "db-2: is in no cluster (wsrep_on is off), and takes writes that no other node gets"
    assert said(found) == [("critical", "GaleraNodeMissing", told)]
    assert "! db-2     NO NODE" in render(database, found, colour=False)


def test_semi_sync_that_nobody_wants() -> None:
    without_it = mariadb()
    spec = {**without_it["spec"], "replication": {"enabled": True, "semiSyncEnabled": False}}
    fake = small({**without_it, "spec": spec})
    fake.pods |= {name: without_semi_sync(str(fake.pods[name])) for name in SERVERS}
    assert alerts(fake) == set()


def test_no_server_answers() -> None:
    fake = pxc()
    fake.pods |= {f"db-pxc-{n}": DEAD for n in range(3)}
    assert said(look(fake)[1])[0] == (
        "critical",
        "DatabaseServerDown",
        "db-pxc-0, db-pxc-1, db-pxc-2: it hangs: no answer in time",
    )


def test_an_operator_that_is_told_to_look_away() -> None:
    found = mariadb()
    fake = small({**found, "spec": {**found["spec"], "suspend": True}})
    told = "the operator leaves the database alone: spec.suspend"
    assert said(look(fake)[1]) == [("warning", "", told)]


def test_percona_collects_binary_logs() -> None:
    fake = pxc()
    backup = {**percona()["spec"]["backup"], "pitr": {"enabled": True}}
    fake.objects["perconaxtradbclusters.pxc.percona.com"] = [percona(backup=backup)]
    told = "the collector of binary logs does not run"
    assert said(look(fake)[1]) == [("critical", "PointInTimeStalled", told)]
    altered(pod("db-pitr-5d8f-x"), fake=fake)
    assert said(look(fake)[1]) == []


# --- what an account may not ---

FORBIDDEN = Refused('Error from server (Forbidden): x is forbidden: User "u" cannot do that')
OUTAGES = {"DatabaseServerDown", "ProxiesDown", "ProxyDown", "BackupMissing"}


@pytest.mark.parametrize(
    "kind",
    ["statefulsets", "pods", "persistentvolumeclaims", "jobs", "cronjobs", "services", PHYSICALS],
)
def test_what_may_not_be_listed_is_no_outage(kind: str) -> None:
    fake = small()
    fake.objects[kind] = FORBIDDEN
    database, found = look(fake)
    assert not OUTAGES & {one.alert for one in found}
    text = f"{kind.partition('.')[0]}: {FORBIDDEN}"
    assert database.unknown == (text,)
    assert ("warning", "", f"not known: {text}") in said(found)
    assert [one.unknown for one in database.servers] == [""] * 3
    assert len(database.proxies) == 3
    assert "no backups are made" not in [one.what for one in found]
    assert "connect to the servers" not in render(database, found, colour=False)


def test_proxies_that_may_not_be_known() -> None:
    fake = small()
    fake.objects |= {"statefulsets": FORBIDDEN, "pods": FORBIDDEN}
    database, found = look(fake)
    assert "proxies  unknown" in render(database, found, colour=False)
    assert not OUTAGES & {one.alert for one in found}
    database = gather(fake, "db", wanted=Wanted(proxies=3), now=NOW)
    assert [one.writers for one in database.proxies] == [
        ("db-primary.default.svc.cluster.local",)
    ] * 3


def test_no_backups_is_said_by_who_may_know() -> None:
    fake = dev()
    fake.objects |= {PHYSICALS: FORBIDDEN, "cronjobs": FORBIDDEN}
    assert "no backups are made" not in [one.what for one in look(fake)[1]]


def test_pods_in_which_an_account_may_not_ask() -> None:
    fake = small()
    fake.pods = dict.fromkeys(fake.pods, FORBIDDEN)
    found = look(fake)[1]
    assert said(found) == [
        (
            "warning",
            "",
            f"{', '.join([*SERVERS, *PROXIES])}: not known: this account may not ask in the Pod "
            f"({FORBIDDEN})",
        )
    ]


# --- what is not understood ---


def test_a_time_that_is_none_is_still_a_hold() -> None:
    text = PROXY.replace("#\nhold\nsince\n", "#\nhold\nsince\nx\n")
    assert answer(text).held_seconds == 0


def test_an_answer_that_is_not_understood_hides_no_other() -> None:
    fake = small(db_1=REPLICA.replace("\tYes\tYes\t", "\tYes\tYes\t").replace("#\nstatus", "#\nx"))
    database, found = look(fake)
    assert database.servers[1].unknown == "not understood: KeyError('status')"
    assert database.servers[2].unknown == ""
    assert "DatabaseServerDown" in {one.alert for one in found}


def test_backups_that_are_not_understood_hide_nothing_else() -> None:
    fake = small()
    fake.objects[PHYSICALS] = [{"metadata": {"name": "odd"}, "spec": {}}]
    fake.objects["endpointslices"] = [{"endpoints": [{"targetRef": {"kind": "Pod"}}]}]
    database, found = look(fake)
    assert database.unknown == (
        "endpointslices: not understood: KeyError('name')",
        "backups: not understood: KeyError('mariaDbRef')",
    )
    assert {(one.severity, one.alert) for one in found} == {("warning", "")}
    assert len(database.proxies) == 3


def test_an_object_that_is_not_understood_hides_no_other_database(
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = pxc()
    odd.objects["perconaxtradbclusters.pxc.percona.com"] = [percona(pxc={})]
    out = io.StringIO()
    assert show([(odd, "db", None), (small(), "db", None)], as_json=True, output=out) == 2
    document = json.loads(out.getvalue())
    assert [one["engine"] for one in document["databases"]] == ["mariadb"]
    reason = "its objects are not understood: KeyError('size')"
    assert document["unreachable"] == [{"name": "db", "reason": reason}]
    assert capsys.readouterr().err == f"db: {reason}\n"


# --- names ---


def test_a_long_name_hides_nothing() -> None:
    name = "orders-of-the-european-warehouse"

    def renamed(value: Any) -> Any:
        return json.loads(re.sub(r"\bdb\b(?!\.)", name, json.dumps(value)))

    fake = small()
    long = Fake(
        renamed(fake.objects),
        {renamed(pod): re.sub(r"\bdb-", f"{name}-", str(text)) for pod, text in fake.pods.items()},
    )
    database = gather(long, name, now=NOW)
    assert [one.clients for one in database.proxies] == [1, 1, 1]
    found = verdicts(replace(database, namespace="the-namespace-of-" + name))
    text = render(replace(database, namespace="the-namespace-of-" + name), found, colour=False)
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert text.startswith(f"{name} in ")
    assert "  …-proxysql-1  …-0 by …-primary  1 of 2048  1 of 24      as its files" in text


# --- backups and certificates ---


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([job("db-backup-1", "Complete", hours=26)], None),
        (
            [job("db-backup-1", "Complete", hours=27)],
            ("critical", "BackupTooOld", "the last backup is 27 h old, allowed are 26 h"),
        ),
        ([], ("critical", "BackupMissing", "no backup yet, allowed are 26 h")),
        (
            # The status of a PhysicalBackup calls this one complete, too.
            [job("db-backup-1", "Complete", hours=9), job("db-backup-1", "Failed", "bad", hours=1)],
            ("warning", "BackupFailed", "the last backup failed: bad"),
        ),
        (
            [job("db-backup-1", "Complete", hours=1), job("db-backup-1", "Failed", "bad", hours=9)],
            None,
        ),
        (
            [job("other-backup-1", "Complete", hours=1)],
            ("critical", "BackupMissing", "no backup yet, allowed are 26 h"),
        ),
    ],
    ids=["good", "old", "none", "failed", "failed before", "another database's"],
)
def test_a_completed_job_proves_a_backup(
    jobs: list[Object], expected: tuple[str, str, str] | None
) -> None:
    fake = small()
    fake.objects["jobs"] = jobs
    assert said(look(fake)[1]) == ([expected] if expected else [])


def test_the_first_backup_may_be_due() -> None:
    fake = small()
    made = {**PHYSICAL["metadata"], "creationTimestamp": ago(hours=1)}
    fake.objects |= {"jobs": [], PHYSICALS: [{**PHYSICAL, "metadata": made}]}
    assert said(look(fake)[1]) == [("notice", "", "no backup yet: due within 25 h")]


def test_a_drill_that_is_too_old_or_failed() -> None:
    fake = small()
    old = {"lastSuccessfulTime": ago(days=10)}
    fake.objects["cronjobs"] = [{**DRILL, "status": old}]
    fake.objects["jobs"] = [
        job("db-backup-1", "Complete", hours=9),
        job("db-restore-drill", "Failed", "drill-1", "CronJob", hours=4),
    ]
    assert said(look(fake)[1]) == [
        ("critical", "RestoreDrillFailed", "the last drill failed: drill-1"),
        ("critical", "RestoreDrillTooOld", "the last drill is 10 d old, allowed are 8 d"),
    ]


def test_a_dump_is_the_cron_jobs() -> None:
    fake = small()
    dump = {
        "metadata": {"name": "db-dump-1a2b3c", "creationTimestamp": ago(days=90)},
        "spec": {"schedule": "5 3 * * *"},
        "status": {"lastSuccessfulTime": ago(hours=27)},
    }
    other = {**dump, "metadata": {**dump["metadata"], "name": "other-dump-1a2b3c"}}
    fake.objects["cronjobs"] = [DRILL, dump, other]
    database, found = look(fake)
    assert [proof.kind for proof in database.proofs] == ["backup", "drill", "dump"]
    assert said(found) == [("warning", "DumpTooOld", "the last dump is 27 h old, allowed are 26 h")]


@pytest.mark.parametrize("schedule", ["@daily", "CRON_TZ=UTC 0 0 * * *"])
def test_a_schedule_that_somebody_else_wrote(schedule: str) -> None:
    fake = small()
    fake.objects["cronjobs"] = [{**DRILL, "spec": {"schedule": schedule}}]
    (verdict,) = look(fake)[1]
    assert (verdict.severity, verdict.alert) == ("warning", "RestoreDrillTooOld")
    assert schedule in verdict.what


def test_a_suspended_backup() -> None:
    fake = small()
    schedule = {"cron": "17 2 * * *", "suspend": True}
    fake.objects[PHYSICALS] = [{**PHYSICAL, "spec": {**PHYSICAL["spec"], "schedule": schedule}}]
    assert said(look(fake)[1]) == [("warning", "BackupTooOld", "db-backup-1 is suspended")]


def test_percona_does_not_say_since_when_it_makes_backups() -> None:
    fake = pxc()
    fake.objects[PXC_BACKUPS] = []
    (only,) = look(fake)[1]
    assert (only.severity, only.alert) == ("warning", "BackupMissing")
    assert "nothing says since when" in only.what
    young = percona()
    made = {**young["metadata"], "creationTimestamp": ago(hours=1)}
    fake.objects["perconaxtradbclusters.pxc.percona.com"] = [{**young, "metadata": made}]
    assert said(look(fake)[1]) == [("notice", "", "no backup yet: due within 25 h")]


def test_a_drill_may_take_as_long_as_its_job() -> None:
    fake = small()
    job_template = {"spec": {"activeDeadlineSeconds": 4 * 3600}}
    fake.objects["cronjobs"] = [{**DRILL, "spec": {**DRILL["spec"], "jobTemplate": job_template}}]
    assert look(fake)[0].proofs[1].allowed_seconds == 7 * 86_400 + 4 * 3600


def test_a_failed_backup_of_percona() -> None:
    fake = pxc()
    failed = {
        "metadata": {"name": "cron-2", "creationTimestamp": ago(hours=1)},
        "spec": {"pxcCluster": "db"},
        "status": {"state": "Failed"},
    }
    known = fake.objects[PXC_BACKUPS]
    assert isinstance(known, list)
    known.append(failed)
    assert said(look(fake)[1]) == [("warning", "BackupFailed", "the last backup failed: cron-2")]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (15, None),
        (13, ("warning", "the certificate of the servers ends in 13 d, and was not renewed")),
        (-1, ("critical", "the certificate of the servers has ended (2026-03-03)")),
    ],
)
def test_the_end_of_a_certificate(days: int, expected: tuple[str, str] | None) -> None:
    fake = small()
    fake.pem = certificate(NOW + timedelta(days=days))
    found = [(one.severity, one.what) for one in look(fake)[1]]
    assert found == [] if expected is None else expected in found


def test_of_several_authorities_the_last_counts_and_of_a_chain_the_first() -> None:
    """An operator that renews an authority keeps the old one beside it."""
    early, late = (certificate(NOW + timedelta(days=days)) for days in (1, 90))
    assert ends(early + late) == ends(late + early) == NOW + timedelta(days=90)
    assert ends(certificate(NOW, issuer="ca") + late) == NOW


def test_a_certificate_that_cannot_be_read() -> None:
    fake = small()
    fake.pem = b""
    database, found = look(fake)
    assert database.certificates[0].unknown == "tls.crt is not a certificate"
    assert wrong(found)


# --- what is compared ---


USERS = [{"username": name, "existing_secret": {"name": "s", "key": name}} for name in ("a", "b")]
CONFIG = models.config(proxy={"read_write_split": True, "users": USERS})
MODEL = models.cnf_model(CONFIG)
SECRETS = Secrets(
    monitor="CANARY-monitor",
    proxy_admin="CANARY-admin",
    proxy_stats="CANARY-stats",
    proxy_cluster="CANARY-cluster",
)


def test_the_file_is_read_as_it_was_written() -> None:
    text = cnf.render(MODEL, SECRETS)
    read = drift.parse(text.partition("@include")[0].splitlines())
    expected = libconfig.parse(text.partition("@include")[0])
    assert {
        name: expected[name] if isinstance(expected[name], list) else [expected[name]]
        for name in expected
        if name != "datadir"
    } == {name: list(map(dict, groups)) for name, groups in read.items()}


def test_a_text_with_quotes_is_read() -> None:
    written = ["a =", "{", '  b = "x\\"y\\\\z\\x0a"', "}"]
    assert drift.parse(written) == {"a": [{"b": 'x"y\\z\n'}]}


def answer(text: str) -> Proxy:
    return proxy("p", True, ask.parts(text))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "20\tdb-secondary.default.svc.cluster.local\t3306\t0\tONLINE",
            "20\tdb-secondary.default.svc.cluster.local\t3306\t0\tOFFLINE_SOFT",
            "server db-secondary.default.svc.cluster.local:3306 in 20: OFFLINE_SOFT by hand",
        ),
        (
            "ONLINE\t1000\t0\t24",
            "ONLINE\t1000\t0\t99",
            "server db-secondary.default.svc.cluster.local:3306 in 20: max_connections is 99, "
            "the file has 24",
        ),
        ("app\t1\t10\tshop", "app\t1\t10\tx", "user app: default_schema is x, the file has shop"),
        ("second\t1\t10\tshop\t1\t0\t200\t0\n", "", "user second: missing"),
        (
            "1\t1\t5000\t/bin/sh",
            "1\t1\t9000\t/bin/sh",
            "scheduler job 1: interval_ms is 9000, the file has 5000",
        ),
    ],
)  # fmt: skip
def test_a_difference_is_told(old: str, new: str, line: str) -> None:
    assert PROXY.count(old) == 1
    assert answer(PROXY).drift == ()
    assert answer(PROXY.replace(old, new)).drift == (line,)


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "line"),
    [
        ("mysql_query_rules", 4, "cache_ttl", "5", "query rule 1000000004: cache_ttl is 5"),
        ("mysql_query_rules", 3, "negate_match_pattern", "1", "negate_match_pattern is 1"),
        ("mysql_query_rules", 4, "error_msg", "no", "error_msg is no, the file has nothing"),
        ("mysql_query_rules", 4, "username", "app", "username is app, the file has nothing"),
        ("mysql_query_rules", 4, "mirror_hostgroup", "9", "mirror_hostgroup is 9"),
        ("mysql_query_rules", 4, "delay", "9", "delay is 9, the file has nothing"),
        ("mysql_query_rules", 4, "timeout", "9", "timeout is 9, the file has nothing"),
        ("mysql_servers", 3, "compression", "1", "compression is 1, the file has 0"),
        ("rows_of_mysql_firewall_whitelist_users", 1, "n", "2", "has 2 rows, the file has none"),
        ("rows_of_pgsql_users", 1, "n", "1", "table pgsql_users: has 1 rows"),
    ],
)
def test_what_the_file_does_not_name_is_as_by_default(
    table: str, row: int, column: str, value: str, line: str
) -> None:
    fields = ask.parts(PROXY)
    header, cells = (fields[table][n].split("\t") for n in (0, row))
    cells[header.index(column)] = value
    fields[table][row] = "\t".join(cells)
    (only,) = proxy("p", True, fields).drift
    assert line in only


def test_a_server_that_the_watcher_holds_is_no_drift() -> None:
    held = PROXY.replace("3306\t0\tONLINE\t1\t", "3306\t0\tOFFLINE_SOFT\t1\t")
    assert len(answer(held).drift) == 2
    assert answer(held.replace("hold\nsince\n", "hold\nsince\n1\n")).drift == ()


def test_an_answer_that_stops_in_the_middle_is_none() -> None:
    fake = small(db_1=REPLICA.partition("#\nend")[0])
    database, _ = look(fake)
    assert database.servers[1].unknown == "it stopped answering"


def test_an_error_of_replication_is_told_without_its_statement() -> None:
    error = "Error 'Duplicate entry' on query. Default database: 'shop'. Query: 'INSERT CANARY'"
    fields = ask.parts(STANDING)
    header, row = (line.split("\t") for line in fields["replication"])
    row[header.index("Last_SQL_Error")] = error
    fields["replication"][1] = "\t".join(row)
    following = server("db-1", True, fields).replication
    assert following
    assert following.error == "Error 'Duplicate entry' on query. Default database: 'shop'."


def test_values_of_a_client_are_unescaped() -> None:
    rows = ask.table(["a\tb\tc", r"x\\y" + "\tNULL\t" + r"1\n2\t3"])
    assert rows == [{"a": "x\\y", "b": None, "c": "1\n2\t3"}]


def test_an_endpoint_that_is_not_ready_is_none() -> None:
    target = {"targetRef": {"name": "db-0"}, "conditions": {"ready": False}}
    assert leads_to([{"endpoints": [target]}, slices("db-1"), {"endpoints": None}]) == ("db-1",)


# --- the command ---


def test_exit_codes_and_json() -> None:
    out = io.StringIO()
    assert (
        show([(small(), "db", None), (small(db_2=DEAD), "db", None)], as_json=True, output=out) == 1
    )
    document = json.loads(out.getvalue())
    assert document["schema_version"] == 1
    well, ill = document["databases"]
    assert well["name"] == "db"
    assert well["servers"][1]["replication"]["lag"] == 0
    assert ill["verdicts"][0].keys() == {"severity", "alert", "pods", "what", "do", "page"}
    assert not ill["well"]


def test_no_such_database(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    assert show([(Fake({}, {}), "db", None)], as_json=False, output=out) == 2
    assert out.getvalue() == ""
    assert '"db" not found' in capsys.readouterr().err


def test_an_account_that_may_read_one_operators_objects_only() -> None:
    fake = pxc()
    fake.objects["mariadbs.k8s.mariadb.com"] = Unreachable("mariadbs is forbidden")
    assert look(fake)[0].engine == "percona"


def test_a_cluster_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the other operator is not installed."""
    fake = small()
    fake.objects["mariadbs.k8s.mariadb.com"] = Unreachable("connection refused")
    assert show([(fake, "db", None)], as_json=False, output=io.StringIO()) == 2
    assert capsys.readouterr().err == "db: connection refused\n"


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def shown(out: io.StringIO) -> bool:
        show([(small(db_2=DEAD), "db", None)], as_json=False, output=out)
        return "\x1b[" in out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert shown(Terminal())
    assert not shown(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not shown(Terminal())


def test_colours_change_no_text() -> None:
    database, found = look(small(db_2=DEAD))
    coloured = render(database, found, colour=True)
    for code in ("31;1", "33;1", "36", "32;1", "1", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == render(database, found, colour=False)


def test_keys_of_the_json_are_documented() -> None:
    database, found = look(small())
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    section = page.partition("## Look at a database")[2].partition("\n## ")[0]
    below = (Server, Replication, SemiSync, Galera, Proxy, Proof, Certificate, Verdict)
    keys = {*to_json(database, found), *(one.name for each in below for one in fields(each))}
    assert not [key for key in sorted(keys) if f"`{key}`" not in section]


def test_an_alert_that_a_verdict_names_has_a_page() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")}
    assert not set(get_args(Alert)) - pages


def test_spans() -> None:
    texts = [span(seconds) for seconds in (5, 119, 120, 7_199, 7_200, 172_799, 172_800)]
    assert texts == ["5 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]


# --- kubectl ---


def kubectl(tmp_path: Path, script: str) -> Kubectl:
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return Kubectl((str(program), "--context=c"), "shop")


def test_lists_and_objects_are_read(tmp_path: Path) -> None:
    one, many = '{"kind": "Pod"}', '{"kind": "PodList", "items": [{"a": 1}]}'
    assert kubectl(tmp_path, f"echo '{one}'").get("pod", "p") == [{"kind": "Pod"}]
    assert kubectl(tmp_path, f"echo '{many}'").get("pods") == [{"a": 1}]


def test_an_answer_that_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no JSON"):
        kubectl(tmp_path, "echo '<html>'").get("pods")


def test_of_a_secret_only_the_certificate_is_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = kubectl(tmp_path, f'echo "$@" > {log}; echo YWJj').certificate("s", "tls.crt")
    assert found == b"abc"
    assert log.read_text().strip().endswith(r"get secret s -o jsonpath={.data.tls\.crt}")


def test_what_a_failed_call_printed_counts_of_a_script_only(tmp_path: Path) -> None:
    """kubectl without a login asks for one."""
    failing = kubectl(tmp_path, "echo 'Please enter Username: '; echo 'error: EOF' >&2; exit 1")
    with pytest.raises(Unreachable, match="error: EOF"):
        failing.get("pods")
    assert failing.run("p", "c", "script") == "Please enter Username: \n"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Kubectl(("/nowhere/kubectl",), "shop").get("pods")


def test_a_kubectl_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_kubectl, "ASK_LIMIT", 0)
    monkeypatch.setattr(status_kubectl, "GRACE", 0.2)
    with pytest.raises(Unreachable, match="no answer in 0 s"):
        kubectl(tmp_path, "exec sleep 60").get("pods")


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ('Error from server (NotFound): pods "x" not found', Absent, "not found"),
        ('error: the server doesn\'t have a resource type "mariadbs"', Absent, "resource type"),
        ("command terminated with exit code 137\n", Unreachable, "it hangs"),
        ("ERROR 1045: denied\ncommand terminated with exit code 1", Unreachable, "1045: denied"),
        ("", Unreachable, "no reason"),
        ('Error from server (Forbidden): pods "x" is forbidden', Refused, "is forbidden"),
        ("error: unable to upgrade connection: Forbidden (user=u)", Refused, "Forbidden"),
        ("ERROR 1045: (Forbidden)", Unreachable, "Forbidden"),
    ],
)
def test_reasons_of_kubectl(said: str, kind: type[Unreachable], reason: str) -> None:
    found = refused(said)
    assert type(found) is kind
    assert reason in str(found)


# --- passwords ---


@pytest.mark.parametrize("hashes", [True, False], ids=["hashes", "texts"])
def test_no_password_leaves_a_proxy(tmp_path: Path, hashes: bool) -> None:
    """The part of the script that prints the files, as a shell runs it."""
    logins = replace(
        models.live_model(CONFIG),
        auth_plugin="mysql_native_password" if hashes else "caching_sha2_password",
    )
    passwords = {name: f'CANARY"\\{name}' for name in ("a", "b")}
    texts = {
        layout.CONFIG_DIR: {layout.CNF_FILE: cnf.render(MODEL, SECRETS)},
        layout.LIVE_DIR: {
            layout.USERS_FILE: live.render_users(logins, passwords),
            layout.PEERS_FILE: live.render_peers(logins),
        },
    }
    script = ask.PROXY[ask.PROXY.index("sed ") :]
    for directory, files in texts.items():
        here = tmp_path / directory.rpartition("/")[2]
        here.mkdir()
        script = script.replace(f"{directory}/", f"{here}/")
        for name, text in files.items():
            (here / name).write_text(text)
    done = subprocess.run(("sh", "-c", script), capture_output=True, text=True, check=True)
    left = {"CANARY", *map(live.native_password_hash, passwords.values())}
    assert not [secret for secret in left if secret in done.stdout]
    assert 'monitor_password = ""' in done.stdout
    file = drift.parse(done.stdout.splitlines())
    assert [user["username"] for user in file["mysql_users"]] == ["a", "b"]
    assert file["mysql_users"][0]["password"] == ""


def test_no_query_reads_a_secret() -> None:
    for sql in (ask.MARIADB_SQL, ask.PERCONA_SQL, ask.PROXY_SQL):
        harmless = ("FROM runtime_mysql_users WHERE", "table_info(mysql_users)")
        for part in (*harmless, "'mysql_users'", "'defaults_of_mysql_users'"):
            sql = sql.replace(part, "")
        assert "mysql_users" not in sql
    users = ask.TABLES["mysql_users"]
    assert "password" not in users
    assert "*" not in users
