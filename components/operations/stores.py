"""What the operators are told of a store, whether they write backups there or read them."""

from typing import Any

from components.config import quantity
from components.config.backup import S3, Azure
from components.config.model import SecretRef
from components.config.stack import StackConfig


def s3(store: S3, prefix: str) -> dict[str, Any]:
    """mariadb-operator's `s3` (v25.10.4, api/v1alpha1/base_types.go, S3)."""
    # Unset, `tls.enabled` is plain HTTP.
    tls: dict[str, Any] = {"enabled": not store.allow_plain_http}
    if store.ca:
        tls["caSecretKeyRef"] = _key(store.ca)
    result: dict[str, Any] = {
        "bucket": store.bucket,
        "endpoint": store.endpoint,
        "region": store.region,
        "prefix": prefix,
        "tls": tls,
    }
    if keys := store.credentials.existing_secret:
        result["accessKeyIdSecretKeyRef"] = {"name": keys.name, "key": keys.access_key}
        result["secretAccessKeySecretKeyRef"] = {"name": keys.name, "key": keys.secret_key}
        if keys.session_token:
            result["sessionTokenSecretKeyRef"] = {"name": keys.name, "key": keys.session_token}
    return result


def azure(store: Azure, prefix: str) -> dict[str, Any]:
    """mariadb-operator's `azureBlob` (v26.3). Without `tls`, which is for another authority: the
    URL is HTTPS."""
    result: dict[str, Any] = {
        "containerName": store.container,
        "serviceURL": store.url,
        "prefix": prefix,
    }
    if secret := store.credentials.existing_secret:
        result["storageAccountName"] = store.account
        result["storageAccountKey"] = _key(secret)
    return result


def percona_s3(store: S3) -> dict[str, Any]:
    """Percona's `s3`, but for the bucket (its operator's pkg/apis/pxc/v1, BackupStorageS3Spec)."""
    result: dict[str, Any] = {"region": store.region, "endpointUrl": store.url}
    if keys := store.credentials.existing_secret:
        result["credentialsSecret"] = keys.name
    if store.ca:
        result["caBundle"] = {"name": store.ca.name, "key": store.ca.key}
    return result


def percona_azure(store: Azure) -> dict[str, Any]:
    """Percona's `azure`, but for the container."""
    result: dict[str, Any] = {"endpointUrl": store.url}
    if secret := store.credentials.existing_secret:
        result["credentialsSecret"] = secret.name
    return result


def staging(config: StackConfig) -> dict[str, Any]:
    """mariadb-operator's `stagingStorage`: where files are between the store and the server."""
    chosen = config.backup.staging
    size = chosen.size or quantity.twice(config.database.storage.size)
    if chosen.kind == "node":
        return {"volume": {"emptyDir": {"sizeLimit": size}}}
    return {"persistentVolumeClaim": claim(size, chosen.storage_class, "ReadWriteOnce")}


def claim(size: str, storage_class: str | None, access_mode: str) -> dict[str, Any]:
    """What a PersistentVolumeClaim asks for. `size`: a quantity of bytes."""
    result: dict[str, Any] = {
        "accessModes": [access_mode],
        "resources": {"requests": {"storage": size}},
    }
    return {**result, "storageClassName": storage_class} if storage_class else result


def _key(ref: SecretRef) -> dict[str, str]:
    return {"name": ref.name, "key": ref.key}
