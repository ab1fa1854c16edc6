"""`images`: container images and their defaults."""

from typing import Annotated, Literal

from pydantic import Field

from components.config.model import Model
from components.config.types import ObjectName, Tag


class Image(Model):
    """A container image, pinned by version tag and optionally by digest."""

    registry: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:\d+)?$")] = "docker.io"
    repository: Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$")]
    tag: Tag
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"

    @property
    def reference(self) -> str:
        """The image reference that a container names."""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}:{self.tag}{digest}"


MARIADB_IMAGE = {"repository": "library/mariadb", "tag": "11.8.5"}
"""The default server of mariadb-operator v25.10.4 (deploy/charts/mariadb-operator/values.yaml)."""


PROXYSQL_IMAGE = {"repository": "proxysql/proxysql", "tag": "3.0.11-debian"}
"""The newest 3.0.x known when this was written; 3.0.9 and 2.7.4 fix CVE-2026-48773."""


DATA_PLANE_IMAGE = {
    "registry": "docker-registry3.mariadb.com",
    "repository": "mariadb-operator/mariadb-operator",
    "tag": "25.10.4",
}
"""The operator's own image runs beside each server of a cluster (same values.yaml)."""


PXC_IMAGE = {"repository": "percona/percona-xtradb-cluster", "tag": "8.0.42-33.1"}


PXC_PROXYSQL_IMAGE = {"repository": "percona/proxysql2", "tag": "2.7.3"}


LOG_COLLECTOR_IMAGE = {"repository": "percona/fluentbit", "tag": "4.0.1"}
"""Those of Percona's operator v1.18.0 (deploy/cr.yaml)."""


class Images(Model):
    """The images of both tiers; `pull_secrets` are names of Secrets in the namespace.

    `data_plane`: mariadb-operator's init and agent containers in replication and Galera Pods; of
    the version of the operator that is installed. `log_collector`: Percona's.
    """

    database: Image
    proxy: Image
    data_plane: Image
    log_collector: Image
    pull_secrets: tuple[ObjectName, ...] = ()
