"""The objects of which the operators make backups, from a config."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import names
from components.config.stack import StackConfig
from components.engines import percona_backup
from components.operations import backups, places
from components.operations.places import Place
from tests.program import pod_security
from tests.unit.models import config

PLACE = Place("prod", "default", "mysql", 1)
KEYS = {"name": "store"}
S3: dict[str, Any] = {
    "endpoint": "s3.example.com",
    "bucket": "backups",
    "region": "eu-central-1",
    "credentials": {"existing_secret": KEYS},
}
STORE = {"s3": S3}
AZURE: dict[str, Any] = {
    "account": "shop",
    "container": "backups",
    "credentials": {"existing_secret": {"name": "store", "key": "AZURE_STORAGE_ACCOUNT_KEY"}},
}
VOLUME: dict[str, Any] = {"size": "50Gi", "storage_class": "nfs", "access_mode": "ReadWriteMany"}
NEW_OPERATOR = {"data_plane": {"tag": "26.6.0"}}


def stored(size: str = "small", store: Any = None, **more: Any) -> StackConfig:
    """A config that makes backups; `more` is of the key `backup`."""
    others = {
        key: more.pop(key) for key in ("engine", "database", "images", "percona") if key in more
    }
    backup = {"enabled": True, "store": store or STORE, **more}
    return config(size, backup=backup, **others)


def physical(size: str = "small", store: Any = None, **more: Any) -> dict[str, Any]:
    return backups.physical(stored(size, store, **more), PLACE)


def pxc(size: str = "small", store: Any = None, **more: Any) -> dict[str, Any]:
    return percona_backup.spec(stored(size, store, engine="percona", **more), PLACE)["backup"]


# --- MariaDB ---


def test_no_field_is_left_to_the_operator() -> None:
    """What mariadb-operator's SetDefaults would fill in, and what it takes for unset."""
    assert physical() == {
        "mariaDbRef": {"name": "mysql", "waitForIt": True},
        "schedule": {"cron": "17 2 * * *", "suspend": False, "immediate": True},
        "target": "PreferReplica",
        "args": ["--skip-safe-slave-backup"],
        "maxRetention": "336h",
        "timeout": "2h",
        "compression": "gzip",
        "restartPolicy": "Never",
        "backoffLimit": 2,
        "successfulJobsHistoryLimit": 5,
        "podAffinity": True,
        "logLevel": "info",
        "podMetadata": {
            "labels": {
                "app.kubernetes.io/name": "backup",
                "app.kubernetes.io/instance": "mysql",
                "app.kubernetes.io/part-of": "mysql-ha",
                "mysql-ha/role": "backup",
            }
        },
        "podSecurityContext": {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "runAsGroup": 999,
            "fsGroup": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "storage": {
            "s3": {
                "bucket": "backups",
                "endpoint": "s3.example.com",
                "region": "eu-central-1",
                "prefix": "prod/default/mysql/1/full",
                "tls": {"enabled": True},
                "accessKeyIdSecretKeyRef": {"name": "store", "key": "AWS_ACCESS_KEY_ID"},
                "secretAccessKeySecretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"},
            }
        },
        "stagingStorage": {"volume": {"emptyDir": {"sizeLimit": "20Gi"}}},
    }


@pytest.mark.parametrize(
    ("size", "retention", "timeout", "staging"),
    [
        ("dev", "72h", "1h", {"volume": {"emptyDir": {"sizeLimit": "2Gi"}}}),
        ("small", "336h", "2h", {"volume": {"emptyDir": {"sizeLimit": "20Gi"}}}),
        (
            "large",
            "840h",
            "6h",
            {
                "persistentVolumeClaim": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "200Gi"}},
                }
            },
        ),
    ],
)
def test_the_table_of_sizes(size: str, retention: str, timeout: str, staging: Any) -> None:
    found = physical(size)
    assert found["maxRetention"] == retention
    assert found["timeout"] == timeout
    assert found["stagingStorage"] == staging
    resources = found["resources"]
    assert {*resources} == {"requests", "limits"}
    assert all({*amounts} == {"cpu", "memory"} for amounts in resources.values())


@pytest.mark.parametrize(
    ("tag", "limit"),
    [("25.10.4", None), ("v26.3.0", None), ("26.6.0", 5), ("27.1.0", 5), ("x", None)],
)
def test_a_newer_operator_has_a_field_more(tag: str, limit: int | None) -> None:
    found = physical(images={"data_plane": {"tag": tag}})
    assert found.get("failedJobsHistoryLimit") == limit


@pytest.mark.parametrize("compression", ["none", "gzip", "bzip2"])
def test_a_second_attempt_has_a_pod_of_its_own(compression: str) -> None:
    """mariadb-operator issue 1850: it would compress over the first one's file."""
    dumped = stored(compression=compression, logical={"schedule": "0 3 * * *"})
    for spec in (backups.physical(dumped, PLACE), backups.logical(dumped, PLACE)):
        assert spec["compression"] == compression
        assert spec["restartPolicy"] == "Never"


def test_a_store_of_ones_own() -> None:
    """With an authority, a session and keys of other names, or nothing: the Pods' own identity."""
    keys = {"name": "k", "access_key": "id", "secret_key": "key", "session_token": "token"}
    store = {**S3, "ca": {"name": "ca", "key": "ca.crt"}, "credentials": {"existing_secret": keys}}
    found = physical(store={"s3": store})["storage"]["s3"]
    assert found["tls"] == {"enabled": True, "caSecretKeyRef": {"name": "ca", "key": "ca.crt"}}
    assert found["accessKeyIdSecretKeyRef"] == {"name": "k", "key": "id"}
    assert found["secretAccessKeySecretKeyRef"] == {"name": "k", "key": "key"}
    assert found["sessionTokenSecretKeyRef"] == {"name": "k", "key": "token"}
    bare = physical(store={"s3": {**S3, "credentials": {}}}, service_account="backups")
    assert not [key for key in bare["storage"]["s3"] if key.endswith("SecretKeyRef")]
    assert bare["serviceAccountName"] == "backups"


def test_plain_http_only_if_the_stack_says_so() -> None:
    found = physical(store={"s3": {**S3, "allow_plain_http": True}})
    assert found["storage"]["s3"]["tls"] == {"enabled": False}


def test_azure() -> None:
    """Without `tls` and staging, which the operator takes for S3 only."""
    found = physical(store={"azure": AZURE}, images=NEW_OPERATOR)
    assert "stagingStorage" not in found
    assert found["storage"] == {
        "azureBlob": {
            "containerName": "backups",
            "serviceURL": "https://shop.blob.core.windows.net",
            "prefix": "prod/default/mysql/1/full",
            "storageAccountName": "shop",
            "storageAccountKey": {"name": "store", "key": "AZURE_STORAGE_ACCOUNT_KEY"},
        }
    }
    own = physical(store={"azure": {**AZURE, "credentials": {}}}, images=NEW_OPERATOR)
    assert {*own["storage"]["azureBlob"]} == {"containerName", "serviceURL", "prefix"}


def test_a_volume() -> None:
    found = physical(store={"volume": VOLUME})
    assert "stagingStorage" not in found
    assert found["storage"] == {
        "persistentVolumeClaim": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "50Gi"}},
            "storageClassName": "nfs",
        }
    }


@pytest.mark.parametrize(
    ("size", "staged"), [("10Gi", "20Gi"), ("1.5Ti", "3Ti"), ("500Mi", "1000Mi"), ("5G", "10G")]
)
def test_staging_follows_the_data(size: str, staged: str) -> None:
    found = physical(database={"storage": {"size": size}})
    assert found["stagingStorage"]["volume"]["emptyDir"]["sizeLimit"] == staged


def test_staging_of_ones_own() -> None:
    staging = {"kind": "claim", "size": "7Gi", "storage_class": "fast"}
    assert physical(staging=staging)["stagingStorage"] == {
        "persistentVolumeClaim": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "7Gi"}},
            "storageClassName": "fast",
        }
    }


def test_a_backup_goes_where_the_servers_are() -> None:
    """It runs on the node of one, which may have a taint."""
    toleration = {"key": "db", "operator": "Exists"}
    placed = config(
        backup={"store": STORE},
        scheduling={"database": {"tolerations": [toleration]}},
        images={"pull_secrets": ["registry"]},
    )
    found = backups.physical(placed, PLACE)
    assert found["tolerations"] == [toleration]
    assert found["imagePullSecrets"] == [{"name": "registry"}]


def test_dumps_are_opt_in() -> None:
    found = backups.logical(stored(logical={"schedule": "0 3 * * 0", "retention": "840h"}), PLACE)
    assert found["schedule"] == {"cron": "0 3 * * 0", "suspend": False}
    assert found["timeZone"] == "Etc/UTC"
    assert found["maxRetention"] == "840h"
    assert found["storage"]["s3"]["prefix"] == "prod/default/mysql/1/logical"
    assert found["ignoreGlobalPriv"] is False
    assert stored().backup.logical.schedule is None
    galera = stored(
        database={"topology": "galera"},
        logical={"schedule": "0 3 * * *"},
    )
    assert backups.logical(galera, PLACE)["ignoreGlobalPriv"] is True
    assert backups.logical(galera, PLACE)["maxRetention"] == "336h"


# --- names ---

CHANGES: dict[str, dict[str, Any]] = {
    "schedule": {"schedule": "0 5 * * *"},
    "bucket": {"store": {"s3": {**S3, "bucket": "other"}}},
    "generation": {"generation": 2},
    "staging": {"staging": {"size": "9Gi"}},
    "service account": {"service_account": "mine"},
    "data": {"database": {"storage": {"size": "20Gi"}}},
    "registry": {"images": {"pull_secrets": ["a"]}},
}
SAME: dict[str, dict[str, Any]] = {
    "retention": {"retention": "400h"},
    "timeout": {"timeout": "3h"},
    "resources": {"resources": {"limits": {"cpu": "3"}}},
    "drill": {"drill": {"enabled": False}},
    "compression": {"compression": "bzip2"},
}


def name(**more: Any) -> str:
    chosen = stored(**more)
    spec = backups.physical(chosen, places.of(chosen, "prod"))
    return backups.name_of(chosen, "PhysicalBackup", spec)


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_webhook_fixes_makes_another_object(change: str) -> None:
    assert name(**CHANGES[change]) != name()


@pytest.mark.parametrize("change", SAME)
def test_anything_else_changes_the_object_in_place(change: str) -> None:
    assert name(**SAME[change]) == name()


def test_the_retention_of_a_dump_is_fixed() -> None:
    """`maxRetention` is `inmutableinit` there (api/v1alpha1/backup_types.go)."""

    def dump(retention: str) -> str:
        chosen = stored(logical={"schedule": "0 3 * * *", "retention": retention})
        return backups.name_of(chosen, "Backup", backups.logical(chosen, PLACE))

    assert dump("400h") != dump("500h")


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True))
def test_jobs_have_names_that_are_labels(database: str) -> None:
    """`<name>-<yyyymmddhhmmss>` of a PhysicalBackup; a CronJob adds 11 characters to its own."""
    one, other = names.backup(database, "abcdef"), names.dump(database, "abcdef")
    assert names.is_dns_label(f"{one}-20260101000000")
    assert names.is_dns_label(other)
    assert len(other) <= 52


# --- Percona ---


def test_percona() -> None:
    assert pxc() == {
        "image": "docker.io/percona/percona-xtrabackup:8.0.35-34.1",
        "imagePullPolicy": "IfNotPresent",
        "allowParallel": False,
        "backoffLimit": 2,
        "activeDeadlineSeconds": 7200,
        "storages": {
            "full": {
                "type": "s3",
                "verifyTLS": True,
                "s3": {
                    "bucket": "backups/prod/default/mysql/1/full",
                    "region": "eu-central-1",
                    "endpointUrl": "https://s3.example.com",
                    "credentialsSecret": "store",
                },
                "labels": {"mysql-ha/role": "backup"},
                "podSecurityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1001,
                    "runAsGroup": 1001,
                    "fsGroup": 1001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containerSecurityContext": {
                    "allowPrivilegeEscalation": False,
                    "runAsNonRoot": True,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "resources": {
                    "requests": {"cpu": "100m", "memory": "256Mi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
            }
        },
        "schedule": [
            {
                "name": "full",
                "schedule": "17 2 * * *",
                "storageName": "full",
                "retention": {"type": "count", "count": 14, "deleteFromStorage": False},
            }
        ],
        "pitr": {"enabled": False},
    }


@pytest.mark.parametrize(
    ("size", "count", "deadline"), [("dev", 3, 3600), ("small", 14, 7200), ("large", 35, 21600)]
)
def test_the_table_of_perconas_sizes(size: str, count: int, deadline: int) -> None:
    found = pxc(size)
    assert found["schedule"][0]["retention"]["count"] == count
    assert found["activeDeadlineSeconds"] == deadline
    assert found["storages"]["full"]["resources"]


@pytest.mark.parametrize(
    ("schedule", "count"), [("0 */6 * * *", 56), ("0 3 * * 1-5", 10), ("0 4 * * 0", 3)]
)
def test_so_many_backups_are_kept_as_are_made_meanwhile(schedule: str, count: int) -> None:
    more: dict[str, Any] = {"retention": "504h", "database": {"binlog_expire_days": 7}}
    more |= {"retention": "336h"} if count != 3 else {}
    found = pxc(schedule=schedule, timeout="1h", **more)
    assert found["schedule"][0]["retention"]["count"] == count


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_nothing_is_made_without_a_store_or_switched_off(engine: str) -> None:
    for backup in ({}, {"enabled": False, "store": STORE}):
        chosen = config(engine=engine, backup=backup)
        assert chosen.backup.target is None


def test_a_percona_cluster_without_a_store_is_left_to_people() -> None:
    assert percona_backup.spec(config(engine="percona"), PLACE) == {}


def test_a_percona_cluster_is_told_to_make_no_more() -> None:
    """What is not set any more stays as it was."""
    off = pxc(enabled=False)
    assert off["schedule"] == []
    assert off == {**pxc(), "schedule": []}


@pytest.mark.parametrize("version", ["1.18.0", "1.19.1", "1.20.0", "1.21.0"])
def test_the_place_is_a_field_from_1_20(version: str) -> None:
    found = pxc(percona={"cr_version": version})["storages"]["full"]["s3"]
    prefix = "prod/default/mysql/1/full"
    if version < "1.20":
        assert found["bucket"] == f"backups/{prefix}"
        assert "prefix" not in found
    else:
        assert (found["bucket"], found["prefix"]) == ("backups", prefix)


def test_an_authority_of_ones_own_from_1_19() -> None:
    store = {"s3": {**S3, "ca": {"name": "ca", "key": "ca.crt"}}}
    found = pxc(store=store, percona={"cr_version": "1.19.0"})
    assert found["storages"]["full"]["s3"]["caBundle"] == {"name": "ca", "key": "ca.crt"}


def test_binary_logs_have_a_place_of_their_own() -> None:
    """Their names hold no cluster (cmd/pitr/collector/collector.go): two would be mixed."""
    found = pxc(point_in_time={"enabled": True, "upload_seconds": 30})
    assert found["pitr"] == {
        "enabled": True,
        "storageName": "binlogs",
        "timeBetweenUploads": 30,
        "timeoutSeconds": 3600,
        "resources": found["storages"]["full"]["resources"],
    }
    of_both = {name: storage["s3"]["bucket"] for name, storage in found["storages"].items()}
    assert of_both == {
        "full": "backups/prod/default/mysql/1/full",
        "binlogs": "backups/prod/default/mysql/1/binlogs",
    }


def test_files_outlive_their_objects_unless_the_stack_says_otherwise() -> None:
    """With `deleteFromStorage` whoever deletes the namespace deletes the bucket's files."""
    assert pxc()["schedule"][0]["retention"]["deleteFromStorage"] is False
    found = pxc(delete_from_store=True)
    assert found["schedule"][0]["retention"]["deleteFromStorage"] is True


NO_DRILL = {"enabled": False}
"""Percona's needs S3."""


def test_percona_in_azure_and_on_a_volume() -> None:
    azure = pxc(store={"azure": AZURE}, drill=NO_DRILL)["storages"]["full"]
    assert (azure["type"], azure["azure"]) == (
        "azure",
        {
            "container": "backups/prod/default/mysql/1/full",
            "endpointUrl": "https://shop.blob.core.windows.net",
            "credentialsSecret": "store",
        },
    )
    volume = pxc(store={"volume": VOLUME}, drill=NO_DRILL)["storages"]["full"]
    assert (volume["type"], volume["volume"]["persistentVolumeClaim"]) == (
        "filesystem",
        {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "50Gi"}},
            "storageClassName": "nfs",
        },
    )


# --- both ---


def pods() -> list[dict[str, Any]]:
    """The contexts of each engine's backup, as of a Pod of one container."""
    one, other = physical(), pxc()["storages"]["full"]
    contexts = (
        (one["podSecurityContext"], one["securityContext"]),
        (other["podSecurityContext"], other["containerSecurityContext"]),
    )
    return [
        {"securityContext": pod, "containers": [{"name": "x", "securityContext": container}]}
        for pod, container in contexts
    ]


def test_backups_pass_pod_security_restricted() -> None:
    for pod in pods():
        assert pod_security.violations(pod) == []


@pytest.mark.parametrize(
    ("size", "more", "hours"),
    [
        ("dev", {}, 25),
        ("small", {}, 26),
        ("large", {}, 30),
        ("small", {"schedule": "0 */6 * * *", "timeout": "1h"}, 7),
    ],
)
def test_the_newest_backup_is_no_older(size: str, more: dict[str, Any], hours: int) -> None:
    assert stored(size, **more).backup.newest_allowed_age == hours * 3600


@pytest.mark.parametrize(
    ("store", "url"),
    [
        (STORE, "s3://backups/prod/default/mysql/1/full"),
        ({"azure": AZURE}, "https://shop.blob.core.windows.net/backups/prod/default/mysql/1/full"),
        ({"volume": VOLUME}, "volume"),
    ],
)
def test_where_backups_are(store: Any, url: str) -> None:
    chosen = stored(store=store, images=NEW_OPERATOR)
    place = places.of(chosen, "prod")
    assert places.url(chosen, place.prefix("full")) == url


def test_the_environment_is_the_stacks_name() -> None:
    assert places.of(stored(), "prod").root == "prod/default/mysql/1"
    chosen = stored(environment="eu", generation=3)
    assert places.of(chosen, "prod").root == "eu/default/mysql/3"
