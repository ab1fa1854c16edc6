"""The restore drill: a CronJob that proves the newest backup of a database, or fails.

Its containers differ by engine (`mariadb`, `percona`); the rest is the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config import my_cnf, quantity, server_options
from components.config.backup import S3, Azure, BackupVolume, Store
from components.config.model import SecretRef
from components.config.stack import StackConfig
from components.operations import backups, drill_script, heartbeat, jobs, stores
from components.operations.drill_script import Drill
from components.operations.places import Place
from components.pods import scheduling

CA_DIRECTORY = "/etc/mysql-ha/store-ca"
BACKUPS = "/backups"
"""Where the volume of the backups is, when they are on one."""
SCRATCH = "scratch"
ON_DISK = ("lower_case_table_names",)
"""Options of `database.my_cnf` without which a server does not read another one's files."""

Containers = Callable[[StackConfig, Place], dict[str, Any]]
"""Of a database: the fields of a Pod with its containers and volumes, without the scratch."""


def drill(
    name: str,
    config: StackConfig,
    place: Place,
    containers: Containers,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """The CronJob `<name>-restore-drill`. `after`: what it waits for, such as the namespace."""
    k8s.batch.v1.CronJob(
        f"{name}-restore-drill",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=names.restore_drill(config.name),
            namespace=config.namespace,
            labels=names.labels(config.name, "drill"),
        ),
        spec=cast(k8s.batch.v1.CronJobSpecArgs, spec(config, place, containers)),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )


def spec(config: StackConfig, place: Place, containers: Containers) -> dict[str, Any]:
    """The `spec` of the CronJob."""
    pod = containers(config, place)
    return jobs.cron_job(
        config,
        schedule=config.backup.drill.schedule,
        role="drill",
        deadline=config.backup.drill_timeout,
        pod={**pod, "volumes": [_scratch(config), *pod["volumes"]]},
        # An identity in the cloud is by the ServiceAccount, whose token its webhook mounts itself.
        account=config.backup.service_account,
    )


def expected(config: StackConfig, place: Place) -> Drill:
    """What a drill demands of the newest backup."""
    return Drill(
        identity=place.identity,
        max_age=config.backup.newest_allowed_age + heartbeat.TOLERANCE,
        options=tuple(_on_disk(config)),
    )


def _on_disk(config: StackConfig) -> list[str]:
    found = {
        server_options.base(line.name): line.value
        for line in my_cnf.lines(config.database.my_cnf)
        if line.value is not None
    }
    return [f"--{name}={found[name]}" for name in ON_DISK if name in found]


def mariadb(config: StackConfig, place: Place) -> dict[str, Any]:
    """The operator's program fetches, the servers' image looks."""
    wanted = expected(config, place)
    before, store, fields, volumes = _mariadb_store(config, place)
    operator = config.images.data_plane
    mounts: list[dict[str, Any]] = fields.pop("volumeMounts", [])
    fetch = _container(
        config,
        "fetch",
        image=operator.reference,
        imagePullPolicy=operator.pull_policy,
        args=list(drill_script.fetch(wanted, store)),
        volumeMounts=[_MOUNT, *mounts],
        **fields,
    )
    check = _check(config, drill_script.mariadb(wanted))
    return {"initContainers": [*before, fetch], "containers": [check], "volumes": volumes}


_MOUNT: Mapping[str, Any] = {"name": SCRATCH, "mountPath": drill_script.DIRECTORY}


def _mariadb_store(
    config: StackConfig, place: Place
) -> tuple[list[Any], tuple[str, ...], dict[str, Any], list[Any]]:
    """Containers before the one that fetches, its arguments and fields, and volumes."""
    match config.backup.target:
        case Store(s3=S3() as s3):
            arguments = drill_script.s3(
                bucket=s3.bucket,
                endpoint=s3.endpoint,
                region=s3.region,
                prefix=place.prefix("full"),
                tls=not s3.allow_plain_http,
                ca_file=f"{CA_DIRECTORY}/{s3.ca.key}" if s3.ca else None,
            )
            mounts, volumes = _authority(s3)
            fields = {"env": _keys(s3, token="AWS_SESSION_TOKEN"), "volumeMounts": mounts}
            return [], arguments, fields, volumes
        case Store(azure=Azure() as azure):
            arguments = drill_script.azure(
                container=azure.container, url=azure.url, prefix=place.prefix("full")
            )
            return [], arguments, {"env": _azure_keys(azure)}, []
        case Store(volume=BackupVolume()):
            claim = {"claimName": backups.claim_of(config, place), "readOnly": True}
            volume = {"name": "backups", "persistentVolumeClaim": claim}
            seen = [{"name": "backups", "mountPath": BACKUPS, "readOnly": True}]
            link = _container(
                config,
                "link",
                image=config.images.database.reference,
                imagePullPolicy=config.images.database.pull_policy,
                command=["bash", "-c", drill_script.link(expected(config, place), BACKUPS)],
                volumeMounts=[_MOUNT, *seen],
            )
            return [link], (), {"volumeMounts": seen}, [volume]
        case _:
            raise ValueError("no backups are made")


def percona(config: StackConfig, place: Place) -> dict[str, Any]:
    """XtraBackup's image fetches and prepares, the servers' image looks. From S3 only."""
    wanted, store, image = expected(config, place), config.backup.target, config.images.backup
    assert store is not None and store.s3 is not None and image is not None  # checks/backup.py
    s3 = store.s3
    options = ("--storage=s3", f"--s3-endpoint={s3.url}", f"--s3-region={s3.region}")
    mounts, volumes = _authority(s3)
    environment = [
        *_keys(s3, token=None),
        {"name": "AWS_REGION", "value": s3.region},
        {"name": "AWS_ENDPOINT_URL", "value": s3.url},
    ]
    if s3.ca:
        file = f"{CA_DIRECTORY}/{s3.ca.key}"
        options = (*options, f"--cacert={file}")
        environment.append({"name": "AWS_CA_BUNDLE", "value": file})
    source = f"s3://{s3.bucket}/{place.prefix('full')}"
    fetch = _container(
        config,
        "fetch",
        image=image.reference,
        imagePullPolicy=image.pull_policy,
        command=["bash", "-c", drill_script.percona_fetch(wanted, source, options)],
        env=environment,
        volumeMounts=[_MOUNT, *mounts],
    )
    check = _check(config, drill_script.percona(wanted))
    return {"initContainers": [fetch], "containers": [check], "volumes": volumes}


def _check(config: StackConfig, script: str) -> dict[str, Any]:
    image = config.images.database
    return _container(
        config,
        "check",
        image=image.reference,
        imagePullPolicy=image.pull_policy,
        command=["bash", "-c", script],
        volumeMounts=[_MOUNT],
    )


def _container(config: StackConfig, name: str, **fields: Any) -> dict[str, Any]:
    resources = scheduling.resources(config.backup.drill.resources)
    return jobs.container(name, **({"resources": resources} if resources else {}), **fields)


def _scratch(config: StackConfig) -> dict[str, Any]:
    """A volume that is made with the Pod and goes with it. Twice the size of a server's: the
    fetched backup and what is unpacked of it, each at most as large as all its data."""
    scratch = config.backup.drill.scratch
    size = scratch.size or quantity.twice(config.database.storage.size)
    claim = stores.claim(size, scratch.storage_class, "ReadWriteOnce")
    template = {"metadata": {"labels": names.labels(config.name, "drill")}, "spec": claim}
    return {"name": SCRATCH, "ephemeral": {"volumeClaimTemplate": template}}


def _authority(s3: S3) -> tuple[list[Any], list[Any]]:
    """Mounts and volumes of the authority of the store's certificate."""
    if not s3.ca:
        return [], []
    items = [{"key": s3.ca.key, "path": s3.ca.key}]
    volume = {"name": "store-ca", "secret": {"secretName": s3.ca.name, "items": items}}
    return [{"name": "store-ca", "mountPath": CA_DIRECTORY, "readOnly": True}], [volume]


def _keys(s3: S3, *, token: str | None) -> list[dict[str, Any]]:
    """The keys of the store, as its clients' libraries read them."""
    keys = s3.credentials.existing_secret
    if not keys:
        return []
    variables = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    result = [_from_secret(name, keys.name, key) for name, key in variables.items()]
    if token and keys.session_token:
        result.append(_from_secret(token, keys.name, keys.session_token))
    return result


def _azure_keys(azure: Azure) -> list[dict[str, Any]]:
    """v26.6.0, pkg/builder/container_builder.go, absEnv."""
    secret: SecretRef | None = azure.credentials.existing_secret
    if not secret:
        return []
    return [
        {"name": "MARIADB_OPERATOR_ABS_STORAGE_ACCOUNT_NAME", "value": azure.account},
        _from_secret("MARIADB_OPERATOR_ABS_STORAGE_ACCOUNT_KEY", secret.name, secret.key),
    ]


def _from_secret(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
