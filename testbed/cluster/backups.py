"""Backups of a stack on real nodes: a store that its Pods reach, and what is made from it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import names
from components.config import load as configuration
from components.config.load import merge
from components.config.stack import StackConfig
from components.operations import places
from components.operations.places import Kind
from local import REPOSITORY, jobs
from local.engine import stack_config
from local.real.cluster import RealCluster
from local.real.network import SERVER
from testbed.database.object_store import ObjectStore, object_store

from .inside import Inside
from .site import Site, eventually

NAMESPACE = "default"
SECRET, CA_KEY = "backup-store", "ca.crt"
"""The Secret with the store's keys and its authority, and the authority's key in it."""
FILLER, FILLER_ROWS, AT_ONCE = "shop.filler", 131_072, 16_384
"""A table of 128 MiB, and the rows of one transaction."""
BEGUN = 16 << 20
"""Bytes after which a copy is halted: it has the first files, and not yet the filler's."""
BROKEN_OFF = 8 << 20
"""Bytes that a store has received of a backup when it dies."""
PROGRAM = "mariadb-backup"
FIRST_BACKUP = 300.0
"""Seconds in which a database that is ready makes its first backup."""
LEFT_OUT = (".*", "venv", "tests", "docs", "bench", "examples")
"""What a clone of this repository has and a command of the Makefile does not need."""


@dataclass(frozen=True)
class Store:
    """An S3 server with TLS in the control plane's network namespace: only the cluster's nodes and
    their Pods reach it."""

    inside: Inside
    server: ObjectStore

    @property
    def config(self) -> dict[str, Any]:
        """What a stack says of it: `s3` of `backup.store` and of `restore_from`."""
        return {
            "endpoint": self.server.endpoint,
            "bucket": self.server.bucket,
            "ca": {"name": SECRET, "key": CA_KEY},
            "credentials": {"existing_secret": {"name": SECRET}},
        }

    def names(self, site: Site, kind: Kind = "full") -> list[str]:
        """The backups of a site, the oldest first."""
        prefix = place(site).prefix(kind)
        return self.inside(lambda: self.server.objects(prefix))

    def source(self, site: Site) -> dict[str, Any]:
        """What `restore_from` says of a site's backups."""
        return {"prefix": place(site).prefix("full"), "s3": self.config}

    def size(self, site: Site, name: str) -> int:
        """Bytes of a backup."""
        key = f"{place(site).prefix('full')}/{name}"
        return self.inside(lambda: self.server.size(key))


@contextmanager
def store_of(cluster: RealCluster, inside: Inside, weed: str, directory: Path) -> Generator[Store]:
    """The store, and the Secret by which stacks reach it, until the block ends."""
    with ExitStack() as stack:
        opened = object_store(weed, directory, tls=True, host=SERVER)
        # A process is in the network namespace of the thread that starts it.
        server = inside(opened.__enter__)
        stack.callback(inside, lambda: opened.__exit__(None, None, None))
        assert server.authority is not None  # it has TLS
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": NAMESPACE},
            "stringData": {**server.environment, CA_KEY: server.authority.read_text()},
        }
        cluster.kubectl.apply([secret])
        stack.callback(cluster.kubectl, "delete", "secret", SECRET)
        yield Store(inside, server)


def place(site: Site) -> places.Place:
    """Where the backups of a site are."""
    return places.of(_config(site), site.stack_name)


def _config(site: Site) -> StackConfig:
    (config,) = configuration.read({f"mysql-ha:{k}": v for k, v in site.config.items()})
    return config


@dataclass
class Admin:
    """Who types `make backup-now` and `make restore-drill`; keeps what they say."""

    site: Site
    said: list[str] = field(default_factory=list[str])

    def backup(self) -> bool:
        return self._run(jobs.backup)

    def drill(self) -> bool:
        return self._run(jobs.drill)

    def _run(self, job: Callable[[jobs.Follower, StackConfig], bool]) -> bool:
        follower = jobs.Follower(self.site.cluster.kubectl, NAMESPACE, self._say)
        return job(follower, _config(self.site))

    def _say(self, line: str) -> None:
        print(line)
        self.said.append(line)


def first_backup(site: Site, names_of: Callable[[], list[str]]) -> str:
    """The name of the first scheduled backup, once it is in the store and its Job is complete.

    `names_of`: what is in the store, the oldest first.
    """
    eventually(lambda: bool(names_of()), FIRST_BACKUP)
    eventually(lambda: not _unfinished(site), FIRST_BACKUP)
    return names_of()[0]


def _unfinished(site: Site) -> list[str]:
    """Jobs of backups that have not succeeded."""
    items: list[dict[str, Any]] = json.loads(
        site.kubectl("get", "jobs", "-n", NAMESPACE, "-o", "json")
    )["items"]
    return [
        job["metadata"]["name"]
        for job in items
        for owner in job["metadata"].get("ownerReferences", ())
        if owner["kind"] == "PhysicalBackup" and not job["status"].get("succeeded")
    ]


def restored(site: Site, source: Mapping[str, Any], backup: str) -> Site:
    """A second stack, not yet deployed: a new database from a backup of the first.

    `source`: where its backups are, as `restore_from` says it.
    """
    root = {"existing_secret": {"name": f"{site.name}-root", "key": "password"}}
    config = merge(
        site.config,
        {
            "name": f"{site.name}-v2",
            "credentials": {"root": root},
            "database": {"restore_from": {"id": "e2e", "backup": backup, **source}},
        },
    )
    return Site(site.cluster, site.engine, site.inside, f"{site.stack_name}-v2", config)


def fill(site: Site) -> None:
    """Rows that take their time to copy: random bytes."""
    site.ask(site.primary, f"CREATE TABLE {FILLER} (id BIGINT PRIMARY KEY, bytes BLOB)")
    for first in range(0, FILLER_ROWS, AT_ONCE):
        rows = f"SELECT seq, RANDOM_BYTES(1024) FROM shop.seq_{first}_to_{first + AT_ONCE - 1}"
        site.ask(site.primary, f"INSERT INTO {FILLER} {rows}")


@dataclass(frozen=True)
class Copy:
    """A Pod that copies a server, halted in the middle."""

    target: str
    """The server."""
    result: Future[bool]
    """Whether `make backup-now` called it a success, once it goes on."""


@contextmanager
def halted_copy(site: Site, admin: Admin) -> Generator[Copy]:
    """A backup that has begun to copy, and goes on when the block ends: as one of much data."""
    with ThreadPoolExecutor(1, "backup") as thread:
        result = thread.submit(admin.backup)
        eventually(lambda: bool(_copying(site)), FIRST_BACKUP)
        pod = _copying(site)[0]
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        node = site.cluster.node_of(name, NAMESPACE)
        eventually(lambda: node.written(uid, "physicalbackup-*") > BEGUN, FIRST_BACKUP)
        assert node.kill(uid, PROGRAM, signal.SIGSTOP), "the copy has ended"
        try:
            yield Copy(_on(site, node.name), result)
        finally:
            node.kill(uid, PROGRAM, signal.SIGCONT)


@contextmanager
def broken_off(site: Site, store: Store, admin: Admin) -> Generator[Future[bool]]:
    """A backup whose upload the store ended by its own death; it is back when the block ends.

    What `make backup-now` calls it in the end: another Pod tries again.
    """
    before = store.server.received
    with ThreadPoolExecutor(1, "backup") as thread:
        result = thread.submit(admin.backup)
        eventually(lambda: store.server.received > before + BROKEN_OFF, FIRST_BACKUP)
        store.server.kill()
        try:
            eventually(lambda: bool(_of_backups(site, "Failed")), FIRST_BACKUP)
            yield result
        finally:
            store.inside(store.server.start)


def _copying(site: Site) -> list[dict[str, Any]]:
    """Pods of backups that are on a node and have not ended."""
    found = _of_backups(site, "Pending", "Running")
    return [pod for pod in found if pod["spec"].get("nodeName")]


def _of_backups(site: Site, *phases: str) -> list[dict[str, Any]]:
    """Pods that make backups of a site, in one of the phases."""
    labels = f"{names.ROLE}=backup,app.kubernetes.io/instance={site.name}"
    found = json.loads(site.kubectl("get", "pods", "-l", labels, "-o", "json"))["items"]
    return [pod for pod in found if pod["status"]["phase"] in phases]


def _on(site: Site, node: str) -> str:
    """The server on a node: each has one, and a copy is made on its node."""
    nodes = {site.get(f"pod {server}")["spec"]["nodeName"]: server for server in site.servers()}
    return nodes[node]


def scheduled(site: Site) -> list[str]:
    """The objects of which the operator makes backups."""
    found = json.loads(site.kubectl("get", "physicalbackups.k8s.mariadb.com", "-o", "json"))
    return [
        item["metadata"]["name"]
        for item in found["items"]
        if item["spec"]["mariaDbRef"]["name"] == site.name and "schedule" in item["spec"]
    ]


def dumped(site: Site) -> str:
    """The object of which the operator makes dumps."""
    found = json.loads(site.kubectl("get", "backups.k8s.mariadb.com", "-o", "json"))["items"]
    (own,) = (item for item in found if item["spec"]["mariaDbRef"]["name"] == site.name)
    return own["metadata"]["name"]


def files(site: Site, claim: str) -> list[Path]:
    """Backups on a volume, the oldest first; of a claim that waits for its first Pod, none.

    Volumes of these nodes are folders of this machine.
    """
    volume = site.get(f"pvc {claim}")["spec"].get("volumeName")
    if not volume:
        return []
    folder = Path(site.get(f"pv {volume}")["spec"]["local"]["path"])
    return sorted(file for file in folder.glob("*backup*") if not file.name.endswith(".txt"))


def load_dump(site: Site, file: Path, server: str, schema: str) -> None:
    """Give a server one schema of a dump of SQL, as a person would."""
    command = f'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" mariadb -u root --one-database {schema}'
    text = gzip.decompress(file.read_bytes()).decode()
    site.cluster.kubectl(
        "exec", "-i", server, "-c", "mariadb", "--", "sh", "-c", command, stdin=text
    )


def shell(site: Site, directory: Path, text: str, *, stdin: str = "") -> str:
    """What commands of docs/restore.md say, which are of the namespace `shop`, to an admin who may
    use the stacks' state. Raises AssertionError if one fails.

    `directory`: where they run, and leave files. `stdin`: what is typed into them.
    """
    here = text.replace("-n shop ", f"-n {NAMESPACE} ").replace(" shop ", f" {NAMESPACE} ")
    environment = site.engine.environment()
    programs = (
        Path(sys.executable).parent,
        site.cluster.tools.path("kubectl").parent,
        Path(site.engine.command.command).parent,
    )
    shutil.copy(REPOSITORY / "Pulumi.yaml", directory)
    shutil.copy(site.engine.stack_file(site.stack_name), directory)
    ran = subprocess.run(
        ("bash", "-o", "pipefail", "-ec", here),
        env={
            **os.environ,
            **environment,
            "PATH": os.pathsep.join((*map(str, programs), environment["PATH"])),
            "PYTHONPATH": str(REPOSITORY),
        },
        cwd=directory,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(ran.stdout)
    assert ran.returncode == 0, f"{here}\n{ran.stdout}"
    return ran.stdout


def make(site: Site, directory: Path, *targets: str) -> str:
    """What `make TARGET STACK=…` says in a clone of the repository, of a stack that names its
    cluster. Raises AssertionError if one fails. `directory`: for the clone."""
    clone = directory / "clone"
    if not clone.exists():
        shutil.copytree(REPOSITORY, clone, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (clone / "venv").mkdir()
        for part in Path(sys.prefix).iterdir():
            if part.name != ".stamp":
                (clone / "venv" / part.name).symlink_to(part)
        (clone / "venv" / ".stamp").touch()  # newer than what it is made of: nothing is installed
    written = site.engine.stack_file(site.stack_name)
    assert stack_config(written)["kubernetes:kubeconfig"]
    shutil.copy(written, clone)
    said = ""
    for target in targets:
        ran = subprocess.run(
            ("make", "-C", str(clone), target, f"STACK={site.stack_name}"),
            env={**os.environ, **site.engine.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said += ran.stdout
        print(ran.stdout)
        assert ran.returncode == 0, said
    return said


def drilled(site: Site) -> bool:
    """Whether a drill has passed that its schedule began; one of an admin counts as its too."""
    status = site.get(f"cronjob {names.restore_drill(site.name)}")["status"]
    began = status.get("lastScheduleTime")
    return bool(began) and status.get("lastSuccessfulTime", "") > began


def restarts(site: Site, server: str) -> int:
    """How often a server's container was started again."""
    found = site.get(f"pod {server}")["status"]["containerStatuses"]
    return next(each["restartCount"] for each in found if each["name"] == "mariadb")


def remove(site: Site) -> None:
    """A stack, and what it leaves."""
    site.destroy()
    site.kubectl("delete", "pvc", "-l", f"app.kubernetes.io/instance={site.name}")
