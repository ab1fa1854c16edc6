"""Scheduled backups of a Percona XtraDB Cluster: `spec.backup` of its object.

Field reference: percona-xtradb-cluster-operator v1.18.0 to v1.20.0, `pkg/apis/pxc/v1/pxc_types.go`.
"""

from typing import Any

from components import names
from components.config.backup import S3, Azure, BackupVolume, Store
from components.config.stack import StackConfig
from components.config.types import seconds
from components.operations import stores
from components.operations.places import BINLOGS, FULL, Kind, Place
from components.pods import scheduling, security


def spec(config: StackConfig, place: Place) -> dict[str, Any]:
    """`{"backup": …}`, or empty without a store: then people may set it themselves.

    A storage has the name of its kind, and the schedule that of its storage. Switched off, it has a
    store and no schedule: what this program no longer set, Pulumi would leave as it is
    (`ignore_changes`).
    """
    backup, image = config.backup, config.images.backup
    if backup.store is None:
        return {}
    assert image is not None  # checks.backup
    point_in_time = backup.point_in_time
    kinds: tuple[Kind, ...] = (FULL, BINLOGS) if point_in_time.enabled else (FULL,)
    result: dict[str, Any] = {
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "allowParallel": False,
        # With ttlSecondsAfterFinished, by which Kubernetes deletes a finished Job, nothing would
        # show when a backup was last made.
        "backoffLimit": 2,
        "activeDeadlineSeconds": seconds(backup.timeout),
        "storages": {kind: _storage(config, place.prefix(kind)) for kind in kinds},
        "schedule": [_schedule(config)] if backup.enabled else [],
        "pitr": {"enabled": False},
    }
    if point_in_time.enabled:
        result["pitr"] = {
            "enabled": True,
            "storageName": BINLOGS,
            "timeBetweenUploads": point_in_time.upload_seconds,
            "timeoutSeconds": 3600,
            **_resources(config),
        }
    if backup.service_account:
        result["serviceAccountName"] = backup.service_account
    if config.images.pull_secrets:
        result["imagePullSecrets"] = [{"name": name} for name in config.images.pull_secrets]
    return {"backup": result}


def _schedule(config: StackConfig) -> dict[str, Any]:
    backup = config.backup
    return {
        "name": FULL,
        "schedule": backup.schedule,
        "storageName": FULL,
        "retention": {
            "type": "count",
            "count": backup.count,
            "deleteFromStorage": backup.delete_from_store,
        },
    }


def _storage(config: StackConfig, prefix: str) -> dict[str, Any]:
    """A storage, with what the Pods that write into it have."""
    result: dict[str, Any] = {
        **_where(config, prefix),
        # For whoever has a NetworkPolicy of these Pods. Others would take the place of the
        # operator's own (pkg/pxc/app/binlogcollector).
        "labels": {names.ROLE: "backup"},
        "podSecurityContext": security.of_pod(config.security, config.security.database),
        "containerSecurityContext": {**security.CONTAINER, "seccompProfile": security.SECCOMP},
        **_resources(config),
    }
    if tolerations := scheduling.tolerations(config.scheduling.database):
        result["tolerations"] = tolerations
    return result


def _where(config: StackConfig, prefix: str) -> dict[str, Any]:
    match config.backup.store:
        case Store(s3=S3() as s3):
            return {
                "type": "s3",
                "verifyTLS": not s3.allow_plain_http,
                "s3": {**_below(config, "bucket", s3.bucket, prefix), **stores.percona_s3(s3)},
            }
        case Store(azure=Azure() as azure):
            named = _below(config, "container", azure.container, prefix)
            return {
                "type": "azure",
                "verifyTLS": True,
                "azure": {**named, **stores.percona_azure(azure)},
            }
        case Store(volume=BackupVolume() as volume):
            claim = stores.claim(volume.size, volume.storage_class, volume.access_mode)
            return {"type": "filesystem", "volume": {"persistentVolumeClaim": claim}}
        case _:
            raise ValueError("there is no store")


def _below(config: StackConfig, field: str, container: str, prefix: str) -> dict[str, Any]:
    """A bucket and the prefix in it, which has a field of its own from 1.20."""
    if config.percona and config.percona.version >= (1, 20, 0):
        return {field: container, "prefix": prefix}
    return {field: f"{container}/{prefix}"}


def _resources(config: StackConfig) -> dict[str, Any]:
    resources = scheduling.resources(config.backup.resources)
    return {"resources": resources} if resources else {}
