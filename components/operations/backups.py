"""Scheduled backups of a MariaDB: a PhysicalBackup, and a logical Backup where a stack wants one.

Field reference: mariadb-operator v25.10.4 `api/v1alpha1/physicalbackup_types.go`,
`backup_types.go`, `base_types.go`; of Azure, v26.3.0.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.backup import S3, Azure, BackupVolume, Store
from components.config.engine import MARIADB
from components.config.stack import StackConfig
from components.operations import stores
from components.operations.places import Place
from components.pods import scheduling, security

Kind = Literal["PhysicalBackup", "Backup"]

FIXED = (
    *("mariaDbRef", "storage", "stagingStorage", "restartPolicy", "priorityClassName"),
    *("imagePullSecrets", "serviceAccountName"),
)
"""Fields below `spec` that the webhook fixes (`inmutable`, `inmutableinit`); of the schedule only
the cron expression is."""


RUNNING_REPLICA = ["--skip-safe-slave-backup"]
"""Arguments of mariadb-backup that take back the operator's own `--safe-slave-backup`, by which a
replica applies nothing during the copy (v25.10.4, pkg/command/backup.go, mariadbBackupArgs). Its
liveness probe does not allow that: a copy of more than 30 s never ends (ADR 24)."""

FAILED_LIMIT_SINCE, FAILED_LIMIT = (26, 6), {"failedJobsHistoryLimit": 5}
"""A field of PhysicalBackups from mariadb-operator v26.6.0 on, which fills it in."""


def backups(
    name: str,
    config: StackConfig,
    place: Place,
    *,
    servers: pulumi.Resource,
    opts: pulumi.ResourceOptions,
) -> None:
    """The objects of which the operator makes backups; none without a store.

    `servers`: the MariaDB object. They have no condition Ready to wait for. They are not protected:
    without them no backup is lost, and a change of what is fixed makes a new object, which
    protection would refuse (ADR 21).
    """
    backup = config.backup
    if backup.target is None:
        return
    _object(f"{name}-backup", "PhysicalBackup", config, physical(config, place), servers, opts)
    if backup.logical.schedule:
        _object(f"{name}-dump", "Backup", config, logical(config, place), servers, opts)


def _object(
    logical_name: str,
    kind: Kind,
    config: StackConfig,
    spec: Mapping[str, Any],
    servers: pulumi.Resource,
    opts: pulumi.ResourceOptions,
) -> None:
    """A new name makes a new object, and Pulumi deletes the old one after it."""
    object_name = name_of(config, kind, spec)
    k8s.apiextensions.CustomResource(
        logical_name,
        api_version=MARIADB.api.group_version,
        kind=kind,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=object_name,
            namespace=config.namespace,
            labels=names.labels(config.name, "backup"),
        ),
        # The account that the operator makes and would name here.
        spec={"serviceAccountName": object_name, **spec},
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[servers])),
    )


def name_of(config: StackConfig, kind: Kind, spec: Mapping[str, Any]) -> str:
    """The name of an object: another one for each version of what the webhook fixes."""
    fixed = {field: spec.get(field) for field in FIXED}
    fixed["cron"] = spec["schedule"]["cron"]
    if kind == "Backup":
        fixed["maxRetention"] = spec["maxRetention"]
    text = json.dumps(fixed, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return (names.backup if kind == "PhysicalBackup" else names.dump)(config.name, digest)


def claim_of(config: StackConfig, place: Place) -> str:
    """The claim of a volume with backups: the operator calls it as the object."""
    return name_of(config, "PhysicalBackup", physical(config, place))


def physical(config: StackConfig, place: Place) -> dict[str, Any]:
    """The `spec` of the PhysicalBackup: every field that the operator would fill in otherwise."""
    backup = config.backup
    return {
        **_common(config, place.prefix("full"), backup.retention),
        # At once, too: a new database has a backup before its first night.
        "schedule": {"cron": backup.schedule, "suspend": False, "immediate": True},
        # Without a healthy replica, the primary.
        "target": "PreferReplica",
        **({"args": RUNNING_REPLICA} if config.database.topology == "replication" else {}),
        "timeout": backup.timeout,
        # On the node of the server: its volume may be mounted on one node only.
        "podAffinity": True,
        **(FAILED_LIMIT if config.images.operator_version >= FAILED_LIMIT_SINCE else {}),
    }


def logical(config: StackConfig, place: Place) -> dict[str, Any]:
    """The `spec` of the Backup, of which the operator makes a CronJob."""
    backup = config.backup
    retention = backup.logical.retention or backup.retention
    return {
        **_common(config, place.prefix("logical"), retention),
        "schedule": {"cron": backup.logical.schedule, "suspend": False},
        "timeZone": "Etc/UTC",
        "failedJobsHistoryLimit": 5,
        # With the accounts of a Galera cluster a restore would fail on its other servers
        # (docs/backup.md of the operator, "Galera backup limitations").
        "ignoreGlobalPriv": config.database.topology == "galera",
    }


def _common(config: StackConfig, prefix: str, retention: str) -> dict[str, Any]:
    backup = config.backup
    result: dict[str, Any] = {
        "mariaDbRef": {"name": config.name, "waitForIt": True},
        "maxRetention": retention,
        "compression": backup.compression,
        # With OnFailure a second attempt in the same Pod compresses over the first one's file: the
        # backup reports success and cannot be restored (mariadb-operator issue 1850).
        "restartPolicy": "Never",
        "backoffLimit": 2,
        "successfulJobsHistoryLimit": 5,
        "logLevel": "info",
        "podMetadata": {"labels": {**names.labels(config.name, "backup"), names.ROLE: "backup"}},
        # The ids of the servers, whose files it reads.
        "podSecurityContext": security.of_pod(config.security, config.security.database),
        "securityContext": security.CONTAINER,
        **_storage(config, prefix),
    }
    if resources := scheduling.resources(backup.resources):
        result["resources"] = resources
    if tolerations := scheduling.tolerations(config.scheduling.database):
        result["tolerations"] = tolerations
    if backup.service_account:
        result["serviceAccountName"] = backup.service_account
    if config.images.pull_secrets:
        result["imagePullSecrets"] = [{"name": name} for name in config.images.pull_secrets]
    return result


def _storage(config: StackConfig, prefix: str) -> dict[str, Any]:
    """`storage`, and for S3 what a backup waits in before it is there."""
    match config.backup.target:
        case Store(s3=S3() as s3):
            return {
                "storage": {"s3": stores.s3(s3, prefix)},
                "stagingStorage": stores.staging(config),
            }
        case Store(azure=Azure() as azure):
            return {"storage": {"azureBlob": stores.azure(azure, prefix)}}
        case Store(volume=BackupVolume() as volume):
            claim = stores.claim(volume.size, volume.storage_class, volume.access_mode)
            return {"storage": {"persistentVolumeClaim": claim}}
        case _:
            raise ValueError("no backups are made")
