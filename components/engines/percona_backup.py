"""Scheduled backups of a Percona XtraDB Cluster: `spec.backup` of its object.

Field reference: percona-xtradb-cluster-operator v1.18.0 to v1.20.0, `pkg/apis/pxc/v1/pxc_types.go`.
"""

from typing import Any

from components import names
from components.config.backup import S3, Azure, BackupVolume, Store
from components.config.stack import StackConfig
from components.config.types import seconds
from components.operations.places import Kind, Place
from components.pods import scheduling, security

FULL, BINLOGS = "full", "binlogs"
"""Names of the storages. The schedule has the name of the first."""


def spec(config: StackConfig, place: Place) -> dict[str, Any]:
    """`{"backup": …}`, or empty if no backups are made: then people may set it themselves."""
    backup, image = config.backup, config.images.backup
    if backup.target is None:
        return {}
    assert image is not None  # the preset of the engine has it
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
        "schedule": [
            {
                "name": FULL,
                "schedule": backup.schedule,
                "storageName": FULL,
                "retention": {
                    "type": "count",
                    "count": backup.count,
                    "deleteFromStorage": backup.delete_from_store,
                },
            }
        ],
        "pitr": {"enabled": False, "storageName": ""},
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
    if tolerations := scheduling.pod_spec(config.scheduling.database, {}).get("tolerations"):
        result["tolerations"] = tolerations
    return result


def _where(config: StackConfig, prefix: str) -> dict[str, Any]:
    match config.backup.target:
        case Store(s3=S3() as s3):
            return {
                "type": "s3",
                "verifyTLS": not s3.allow_plain_http,
                "s3": _s3(config, s3, prefix),
            }
        case Store(azure=Azure() as azure):
            return {"type": "azure", "verifyTLS": True, "azure": _azure(config, azure, prefix)}
        case Store(volume=BackupVolume() as volume):
            claim: dict[str, Any] = {
                "accessModes": [volume.access_mode],
                "resources": {"requests": {"storage": volume.size}},
            }
            if volume.storage_class:
                claim["storageClassName"] = volume.storage_class
            return {"type": "filesystem", "volume": {"persistentVolumeClaim": claim}}
        case _:
            raise ValueError("no backups are made")


def _s3(config: StackConfig, s3: S3, prefix: str) -> dict[str, Any]:
    scheme = "http" if s3.allow_plain_http else "https"
    result: dict[str, Any] = {
        **_below(config, "bucket", s3.bucket, prefix),
        "region": s3.region,
        "endpointUrl": f"{scheme}://{s3.endpoint}",
    }
    if keys := s3.credentials.existing_secret:
        result["credentialsSecret"] = keys.name
    if s3.ca:
        result["caBundle"] = {"name": s3.ca.name, "key": s3.ca.key}
    return result


def _azure(config: StackConfig, azure: Azure, prefix: str) -> dict[str, Any]:
    result = {**_below(config, "container", azure.container, prefix), "endpointUrl": azure.url}
    if secret := azure.credentials.existing_secret:
        result["credentialsSecret"] = secret.name
    return result


def _below(config: StackConfig, field: str, container: str, prefix: str) -> dict[str, Any]:
    """A bucket and the prefix in it, which has a field of its own from 1.20."""
    if config.percona and config.percona.version >= (1, 20, 0):
        return {field: container, "prefix": prefix}
    return {field: f"{container}/{prefix}"}


def _resources(config: StackConfig) -> dict[str, Any]:
    resources = scheduling.resources(config.backup.resources)
    return {"resources": resources} if resources else {}
