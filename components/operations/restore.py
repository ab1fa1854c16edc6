"""A new database from a backup: what its operator is told, once.

mariadb-operator reads `bootstrapFrom` of its object before the first server starts. Percona's needs
a cluster that runs, and an object of its own beside it (pkg/controller/pxcrestore).
"""

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.engine import PERCONA, Api
from components.config.restore import RestoreFrom
from components.config.stack import StackConfig
from components.operations import stores
from components.pods import scheduling

SOURCE = ("targetRecoveryTime", "s3", "azureBlob", "volume")
"""Fields of `bootstrapFrom` that say what is restored."""
PERCONA_SOURCE = ("pxcCluster", "backupSource", "pitr")
"""Fields of Percona's restore that do."""
RESTORE = Api(
    group=PERCONA.api.group,
    version=PERCONA.api.version,
    kind="PerconaXtraDBClusterRestore",
    plural="perconaxtradbclusterrestores",
)


def bootstrap(config: StackConfig, restore: RestoreFrom) -> dict[str, Any]:
    """`bootstrapFrom` of a MariaDB object (v25.10.4, api/v1alpha1/mariadb_types.go).

    Without the kind of content, the operator looks for dumps of SQL. It finds a backup by a time
    only: that of the name is the one backup, whichever its rule (checks/restore_from.py).
    """
    result: dict[str, Any] = {
        "backupContentType": "Physical",
        "targetRecoveryTime": restore.made or restore.at,
        **_source(config, restore),
    }
    if resources := scheduling.resources(config.backup.resources):
        result["restoreJob"] = {"resources": resources}
    return result


def _source(config: StackConfig, restore: RestoreFrom) -> dict[str, Any]:
    prefix = restore.prefix or ""
    if restore.s3:
        return {"s3": stores.s3(restore.s3, prefix), "stagingStorage": stores.staging(config)}
    if restore.azure:
        return {"azureBlob": stores.azure(restore.azure, prefix)}
    assert restore.volume is not None  # it has exactly one source
    return {"volume": {"persistentVolumeClaim": {"claimName": restore.volume.claim}}}


def percona_restore(
    name: str,
    config: StackConfig,
    restore: RestoreFrom,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """A PerconaXtraDBClusterRestore; it is there when the restore has succeeded.

    One that fails is waited for until `database.ready_timeout`: its state has no condition.
    """
    timeout = config.database.ready_timeout
    succeeded = json.dumps(["jsonpath={.status.state}=Succeeded"])
    waits = pulumi.ResourceOptions(
        depends_on=list(after),
        custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
    )
    return k8s.apiextensions.CustomResource(
        f"{name}-restore",
        api_version=RESTORE.group_version,
        kind=RESTORE.kind,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=names.pxc_restore(config.name, restore.id),
            namespace=config.namespace,
            labels=names.labels(config.name, "restore"),
            annotations={"pulumi.com/waitFor": succeeded},
        ),
        spec=percona_spec(config, restore),
        opts=pulumi.ResourceOptions.merge(opts, waits),
    )


def percona_spec(config: StackConfig, restore: RestoreFrom) -> dict[str, Any]:
    """The `spec` of the restore (v1.18.0, pkg/apis/pxc/v1/pxc_prestore_types.go)."""
    result: dict[str, Any] = {
        "pxcCluster": config.name,
        "backupSource": {
            "destination": _destination(restore),
            **_percona_source(restore, f"{restore.prefix}"),
        },
    }
    if restore.at and restore.binlogs:
        result["pitr"] = {
            "type": "date",
            "date": restore.at.replace("T", " ").removesuffix("Z"),
            "backupSource": _percona_source(restore, restore.binlogs),
        }
    if resources := scheduling.resources(config.backup.resources):
        result["resources"] = resources
    return result


def _destination(restore: RestoreFrom) -> str:
    """The whole address of one backup."""
    path = f"{restore.prefix}/{restore.backup}"
    if restore.s3:
        return f"s3://{restore.s3.bucket}/{path}"
    assert restore.azure is not None  # a volume is refused
    return f"azure://{restore.azure.container}/{path}"


def _percona_source(restore: RestoreFrom, folder: str) -> dict[str, Any]:
    """A folder of a store, as a part of the bucket's name: the operator looks for the backup below
    it (pkg/pxc/backup/storage/options.go), and only from 1.20 it has a field of its own."""
    if s3 := restore.s3:
        bucket = {"bucket": f"{s3.bucket}/{folder}", **stores.percona_s3(s3)}
        return {"verifyTLS": not s3.allow_plain_http, "s3": bucket}
    azure = restore.azure
    assert azure is not None  # a volume is refused
    named = {"container": f"{azure.container}/{folder}", **stores.percona_azure(azure)}
    return {"verifyTLS": True, "azure": named}
