"""Backups of a stack on real nodes: a store that its Pods reach, and what is made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.config import load as configuration
from components.config.stack import StackConfig
from components.operations import places
from components.operations.places import Kind
from local import jobs
from local.real.cluster import RealCluster
from local.real.network import SERVER
from testbed.database.object_store import ObjectStore, object_store

from .inside import Inside
from .site import Site, eventually

NAMESPACE = "default"
SECRET, CA_KEY = "backup-store", "ca.crt"
"""The Secret with the store's keys and its authority, and the authority's key in it."""
FIRST_BACKUP = 300.0
"""Seconds in which a database that is ready makes its first backup."""


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


def first_backup(site: Site, store: Store) -> str:
    """The name of the first scheduled backup, once it is in the store and its Job is complete."""
    eventually(lambda: bool(store.names(site)), FIRST_BACKUP)
    eventually(lambda: not _unfinished(site), FIRST_BACKUP)
    return store.names(site)[0]


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


def restored(site: Site, store: Store, backup: str) -> Site:
    """A second stack, not yet deployed: a new database from a backup of the first."""
    root = {"existing_secret": {"name": f"{site.name}-root", "key": "password"}}
    source = {"id": "e2e", "backup": backup, "prefix": place(site).prefix("full")}
    config = {
        **site.config,
        "name": f"{site.name}-v2",
        "credentials": {"root": root},
        "database": {"restore_from": {**source, "s3": store.config}},
    }
    return Site(site.cluster, site.engine, site.inside, f"{site.stack_name}-v2", config)


def remove(site: Site) -> None:
    """A stack, and what it leaves."""
    site.destroy()
    site.kubectl("delete", "pvc", "-l", f"app.kubernetes.io/instance={site.name}")
