"""`images`: container images and their defaults."""

import re
from typing import Annotated, Literal

from pydantic import Field

from components.config.model import Model
from components.config.types import ObjectName, Registry, Repository, Tag


class Image(Model):
    """A container image, pinned by version tag and optionally by digest."""

    registry: Registry = "docker.io"
    """Registry host."""
    repository: Repository
    """Path in the registry."""
    tag: Tag
    """Version."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """Pins the exact image, in addition to the tag."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When a node pulls."""

    @property
    def reference(self) -> str:
        """The image reference that a container names."""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}:{self.tag}{digest}"


MARIADB_IMAGE = {"repository": "library/mariadb", "tag": "11.8.5"}
"""The default server of mariadb-operator v25.10.4 (deploy/charts/mariadb-operator/values.yaml)."""


PROXYSQL_IMAGE = {"repository": "proxysql/proxysql", "tag": "3.0.11-debian"}
"""The newest 3.0.x known when this was written; 3.0.9 and 2.7.4 fix CVE-2026-48773."""


PATCHED_PROXYSQL = ((2, 7, 4), (3, 0, 9))
"""First releases with the fix of CVE-2026-48773 (pre-auth heap overflow), per series."""


def proxysql_is_patched(tag: str) -> bool:
    """Whether the version at the start of an image tag has the fix of CVE-2026-48773."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", tag)
    if match is None:
        return False
    version = (int(match[1]), int(match[2]), int(match[3]))
    return version >= PATCHED_PROXYSQL[1] or PATCHED_PROXYSQL[0] <= version < (2, 8, 0)


def serves_postgresql(tag: str) -> bool:
    """Whether the ProxySQL of an image tag also serves PostgreSQL, as 3.0 and later do unless told
    otherwise; so does a tag without a version, for all that is known."""
    return re.match(r"v?2\.", tag) is None


DATA_PLANE_IMAGE = {
    "registry": "docker-registry3.mariadb.com",
    "repository": "mariadb-operator/mariadb-operator",
    "tag": "25.10.4",
}
"""The operator's own image runs beside each server of a cluster (same values.yaml)."""


PXC_IMAGE = {"repository": "percona/percona-xtradb-cluster", "tag": "8.0.42-33.1"}


PXC_PROXYSQL_IMAGE = {"repository": "percona/proxysql2", "tag": "2.7.3"}


LOG_COLLECTOR_IMAGE = {"repository": "percona/fluentbit", "tag": "4.0.1"}


PXC_BACKUP_IMAGE = {"repository": "percona/percona-xtrabackup", "tag": "8.0.35-34.1"}
"""Those of Percona's operator v1.18.0 (deploy/cr.yaml)."""


EXPORTER_IMAGE = {"repository": "prom/mysqld-exporter", "tag": "v0.15.1"}
"""The default of both operators' charts (mariadb-operator v25.10.4,
deploy/charts/mariadb-operator/values.yaml, `config.exporterImage`). Older ones have no `/probe`, by
which one exporter asks every server."""


class Images(Model):
    """The images of both tiers and of the containers beside them."""

    database: Image
    """The servers' image."""
    proxy: Image
    """The proxies' image."""
    data_plane: Image
    """mariadb-operator's init and agent containers in replication and Galera Pods. Use the version
    of the installed operator."""
    log_collector: Image
    """The image of `percona.log_collector`."""
    exporter: Image
    """What asks the servers for their figures (prometheus/mysqld_exporter, from 0.15.0)."""
    backup: Image | None = None
    """Percona's XtraBackup, of the servers' series. For Percona only: a MariaDB's backups are made
    with the servers' image."""
    pull_secrets: tuple[ObjectName, ...] = ()
    """Secrets of type `kubernetes.io/dockerconfigjson`. Fixed."""

    @property
    def operator_version(self) -> tuple[int, ...]:
        """Of mariadb-operator, e.g. (25, 10): what the tag of its image says, or nothing."""
        match = re.match(r"v?(\d+)\.(\d+)", self.data_plane.tag)
        return tuple(map(int, match.groups())) if match else ()
