"""The restore drill and the heartbeat, as the program declares them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from components import names
from components.config.credentials import HEARTBEAT_ACCOUNT, HEARTBEAT_SCHEMA
from components.operations import heartbeat_script
from render import recorder

from .pod_security import violations

pytestmark = pytest.mark.broad

S3: dict[str, Any] = {
    "endpoint": "s3.example.com",
    "bucket": "backups",
    "region": "eu-central-1",
    "ca": {"name": "store-ca", "key": "root.pem"},
    "credentials": {"existing_secret": {"name": "store", "session_token": "TOKEN"}},
}
PERCONA_S3 = {key: value for key, value in S3.items() if key not in ("ca", "credentials")}
KEYS = {"existing_secret": {"name": "store"}}
ENGINES: dict[str, dict[str, Any]] = {
    "mariadb": {"backup": {"store": {"s3": S3}}},
    "percona": {
        "engine": "percona",
        "backup": {"store": {"s3": {**PERCONA_S3, "credentials": KEYS}}},
    },
}


def recorded(config: Mapping[str, Any], size: str = "small") -> recorder.Recording:
    recording = recorder.run({"size": size, "name": "orders", "namespace": "shop", **config})
    assert recording.error is None, recording.error
    return recording


def with_backup(engine: str, **backup: Any) -> dict[str, Any]:
    config = ENGINES[engine]
    return {**config, "backup": {**config["backup"], **backup}}


def cron_job(recording: recorder.Recording, name: str) -> dict[str, Any]:
    return recording.one("CronJob", name).inputs["spec"]


def pod(job: Mapping[str, Any]) -> dict[str, Any]:
    return job["jobTemplate"]["spec"]["template"]["spec"]


def containers(job: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = pod(job)
    return {one["name"]: one for one in [*found.get("initContainers", ()), *found["containers"]]}


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("size", ["small", "large"])
class TestEverySize:
    def test_there_is_a_drill_when_there_are_backups(self, engine: str, size: str) -> None:
        drill = cron_job(recorded(ENGINES[engine], size), "orders-restore-drill")
        assert drill["schedule"] == "43 4 * * 0"
        assert drill["timeZone"] == "Etc/UTC"
        assert drill["concurrencyPolicy"] == "Forbid"
        job = drill["jobTemplate"]["spec"]
        assert job["activeDeadlineSeconds"] == {"small": 2 * 7200, "large": 2 * 21600}[size]
        assert job["backoffLimit"] == 0

    @pytest.mark.parametrize("name", ["orders-restore-drill", "orders-heartbeat"])
    def test_its_pods_are_restricted_and_have_no_token(
        self, engine: str, size: str, name: str
    ) -> None:
        job = cron_job(recorded(ENGINES[engine], size), name)
        assert violations(pod(job)) == []
        assert pod(job)["automountServiceAccountToken"] is False
        assert pod(job)["restartPolicy"] == "Never"
        for one in containers(job).values():
            assert one["securityContext"]["readOnlyRootFilesystem"] is True

    @pytest.mark.parametrize("name", ["orders-restore-drill", "orders-heartbeat"])
    def test_every_container_has_requests_and_limits(
        self, engine: str, size: str, name: str
    ) -> None:
        for one in containers(cron_job(recorded(ENGINES[engine], size), name)).values():
            for side in ("requests", "limits"):
                assert one["resources"][side].keys() == {"cpu", "memory"}, one["name"]

    def test_the_scratch_volume_has_room_for_two_copies(self, engine: str, size: str) -> None:
        drill = cron_job(recorded(ENGINES[engine], size), "orders-restore-drill")
        (scratch,) = (v for v in pod(drill)["volumes"] if v["name"] == "scratch")
        claim = scratch["ephemeral"]["volumeClaimTemplate"]["spec"]
        wanted = {"small": "20Gi", "large": "200Gi"}[size]
        assert claim["resources"]["requests"]["storage"] == wanted
        assert claim["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("engine", list(ENGINES))
def test_only_the_heartbeat_is_let_in_to_the_servers(engine: str) -> None:
    recording = recorded(ENGINES[engine])
    roles = {
        name: cron_job(recording, f"orders-{name}")["jobTemplate"]["spec"]["template"]["metadata"]
        for name in ("restore-drill", "heartbeat")
    }
    assert roles["heartbeat"]["labels"][names.ROLE] in names.ROLES
    assert roles["restore-drill"]["labels"][names.ROLE] not in names.ROLES


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("name", ["orders-restore-drill", "orders-heartbeat"])
def test_every_script_is_one_that_bash_reads(engine: str, name: str) -> None:
    scripts = [
        one["command"][-1]
        for one in containers(cron_job(recorded(ENGINES[engine]), name)).values()
        if "command" in one
    ]
    assert scripts
    for script in scripts:
        # Kubernetes makes `$` of it (third_party/forked/golang/expansion/expand.go).
        assert "$$" not in script
        subprocess.run(("bash", "-n", "-c", script), check=True)


def test_a_mariadb_is_fetched_by_the_operator_from_its_own_place() -> None:
    recording = recorded(ENGINES["mariadb"])
    drill = cron_job(recording, "orders-restore-drill")
    fetch, check = containers(drill)["fetch"], containers(drill)["check"]
    (backup,) = recording.of_kind("PhysicalBackup")
    place = backup.inputs["spec"]["storage"]["s3"]
    arguments = fetch["args"]
    told = dict(zip(arguments, arguments[1:], strict=False))
    assert told["--s3-prefix"] == place["prefix"] == "test/shop/orders/1/full"
    assert told["--s3-bucket"] == place["bucket"]
    assert told["--s3-endpoint"] == place["endpoint"]
    assert told["--s3-region"] == place["region"]
    assert "--s3-tls" in arguments
    mounts = {mount["name"]: mount["mountPath"] for mount in fetch["volumeMounts"]}
    assert told["--s3-ca-cert-path"] == f"{mounts['store-ca']}/root.pem"
    assert "command" not in fetch  # its image has no shell
    assert fetch["image"].startswith("docker-registry3.mariadb.com/mariadb-operator/")
    assert check["image"] == "docker.io/library/mariadb:11.8.5"


@pytest.mark.parametrize("engine", list(ENGINES))
def test_keys_of_the_store_come_from_their_secret(engine: str) -> None:
    drill = cron_job(recorded(ENGINES[engine]), "orders-restore-drill")
    by_name = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for variable in containers(drill)["fetch"]["env"]
        if "valueFrom" in variable
    }
    expected = {
        key: {"name": "store", "key": key} for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }
    if engine == "mariadb":
        expected["AWS_SESSION_TOKEN"] = {"name": "store", "key": "TOKEN"}
    assert by_name == expected
    assert "env" not in containers(drill)["check"]


def test_a_volume_is_read_through_links_and_stays_as_it_is() -> None:
    recording = recorded({"backup": {"store": {"volume": {"size": "50Gi"}}}})
    drill = cron_job(recording, "orders-restore-drill")
    (backup,) = recording.of_kind("PhysicalBackup")
    (volume,) = (v for v in pod(drill)["volumes"] if v["name"] == "backups")
    assert volume["persistentVolumeClaim"] == {
        "claimName": backup.inputs["metadata"]["name"],
        "readOnly": True,
    }
    assert [one["name"] for one in pod(drill)["initContainers"]] == ["link", "fetch"]
    for name in ("link", "fetch"):
        (mount,) = (m for m in containers(drill)[name]["volumeMounts"] if m["name"] == "backups")
        assert mount["readOnly"] is True
    assert "--s3" not in containers(drill)["fetch"]["args"]


def test_from_azure_with_an_operator_that_knows_it() -> None:
    azure = {
        "account": "orders",
        "container": "backups",
        "credentials": {"existing_secret": {"name": "store", "key": "key"}},
    }
    config = {"images": {"data_plane": {"tag": "26.6.0"}}, "backup": {"store": {"azure": azure}}}
    fetch = containers(cron_job(recorded(config), "orders-restore-drill"))["fetch"]
    assert "--abs" in fetch["args"]
    assert {variable["name"] for variable in fetch["env"]} == {
        "MARIADB_OPERATOR_ABS_STORAGE_ACCOUNT_NAME",
        "MARIADB_OPERATOR_ABS_STORAGE_ACCOUNT_KEY",
    }


def test_a_percona_cluster_is_fetched_by_xtrabackup() -> None:
    drill = cron_job(recorded(ENGINES["percona"]), "orders-restore-drill")
    fetch = containers(drill)["fetch"]
    assert "percona-xtrabackup" in fetch["image"]
    script = fetch["command"][-1]
    assert 'aws s3 ls "s3://backups/test/shop/orders/1/full/"' in script
    assert "--s3-endpoint=https://s3.example.com --s3-region=eu-central-1" in script


def test_an_identity_in_the_cloud_is_that_of_the_backups() -> None:
    config = with_backup("mariadb", service_account="cloud")
    assert pod(cron_job(recorded(config), "orders-restore-drill"))["serviceAccountName"] == "cloud"


def test_options_that_decide_the_files_are_those_of_the_servers() -> None:
    config = {
        **ENGINES["mariadb"],
        "database": {"my_cnf": "[mariadb]\nlower-case-table-names = 1\nsort_buffer_size=1M\n"},
    }
    check = containers(cron_job(recorded(config), "orders-restore-drill"))["check"]
    assert "--lower_case_table_names=1" in check["command"][-1]
    assert "sort_buffer_size" not in check["command"][-1]


@pytest.mark.parametrize(
    "backup", [{"store": None}, {"enabled": False}, {"drill": {"enabled": False}}]
)
@pytest.mark.parametrize("engine", list(ENGINES))
def test_without_backups_or_drills_there_is_neither(engine: str, backup: dict[str, Any]) -> None:
    recording = recorded(with_backup(engine, **backup))
    assert not recording.of_kind("CronJob")
    assert not [
        secret
        for secret in recording.of_kind("Secret")
        if "heartbeat" in secret.inputs["metadata"]["name"]
    ]


def test_the_heartbeat_of_a_mariadb_may_do_no_more_than_write_it() -> None:
    recording = recorded(ENGINES["mariadb"])
    (grant,) = (
        g for g in recording.of_kind("Grant") if "heartbeat" in g.inputs["metadata"]["name"]
    )
    spec = grant.inputs["spec"]
    assert spec["username"] == HEARTBEAT_ACCOUNT
    assert (spec["database"], spec["table"]) == ("mysql\\_ha", "*")
    assert spec["privileges"] == ["CREATE", "INSERT", "SELECT", "UPDATE"]
    database = recording.one("Database", "orders-heartbeat").inputs["spec"]
    assert (database["name"], database["cleanupPolicy"]) == (HEARTBEAT_SCHEMA, "Skip")
    user = recording.one("User", "orders-heartbeat").inputs["spec"]
    assert user["passwordSecretKeyRef"] == {"name": "orders-heartbeat", "key": "password"}


def test_the_heartbeat_of_a_percona_cluster_is_one_of_its_users() -> None:
    (cluster,) = recorded(ENGINES["percona"]).of_kind("PerconaXtraDBCluster")
    assert {
        "name": HEARTBEAT_ACCOUNT,
        "hosts": ["%"],
        "passwordSecretRef": {"name": "orders-heartbeat", "key": "password"},
        "dbs": [HEARTBEAT_SCHEMA],
        "grants": ["CREATE", "INSERT", "SELECT", "UPDATE"],
    } in cluster.inputs["spec"]["users"]


@pytest.mark.parametrize(
    ("engine", "host"),
    [
        ("mariadb", "orders-primary.shop.svc.cluster.local"),
        ("percona", "orders-pxc.shop.svc.cluster.local"),
    ],
)
def test_the_heartbeat_logs_in_by_a_file_of_a_secret(engine: str, host: str) -> None:
    recording = recorded(ENGINES[engine])
    secret = recorder.plain(recording.one("Secret", "orders-heartbeat-login").inputs["stringData"])
    login = secret[heartbeat_script.LOGIN_FILE]
    password = recorder.plain(recording.one("Secret", "orders-heartbeat").inputs["stringData"])
    assert f"\npassword={password['password']}\n" in login
    assert f"\nhost={host}\n" in login
    job = cron_job(recording, "orders-heartbeat")
    assert password["password"] not in str(job)
    assert "env" not in containers(job)["beat"]
    assert f"ssl_ca={heartbeat_script.CA_DIRECTORY}/ca.crt" in login


@pytest.mark.parametrize("source", ["existing", "config"])
def test_a_given_password_of_the_heartbeat_is_used(source: str) -> None:
    password = "given-password_123"
    given: dict[str, dict[str, Any]] = {
        "existing": {"existing_secret": {"name": "mine", "key": "pw"}},
        "config": {"password": password},
    }
    recording = recorder.run(
        {
            "size": "small",
            "name": "orders",
            "namespace": "shop",
            **ENGINES["mariadb"],
            "credentials": {"heartbeat": given[source]},
        },
        secret_keys=("mysql-ha:credentials",) if source == "config" else (),
        existing={"shop/mine": {"pw": password}},
    )
    assert recording.error is None, recording.error
    secret = recorder.plain(recording.one("Secret", "orders-heartbeat-login").inputs["stringData"])
    assert f"\npassword={password}\n" in secret[heartbeat_script.LOGIN_FILE]


def test_a_password_that_an_option_file_would_cut_is_refused() -> None:
    refused = recorder.run(
        {
            "size": "small",
            **ENGINES["mariadb"],
            "credentials": {"heartbeat": {"password": "with#a-comment"}},
        },
        secret_keys=("mysql-ha:credentials",),
    )
    assert "credentials.heartbeat" in str(refused.error)
    assert "option file" in str(refused.error)
    assert "with#a" not in str(refused.error)


@pytest.mark.parametrize(
    ("app", "path"),
    [
        ({"username": HEARTBEAT_ACCOUNT, "databases": {"shop": "owner"}}, "apps[0].username"),
        ({"databases": {HEARTBEAT_SCHEMA: "owner"}}, f"apps[0].databases.{HEARTBEAT_SCHEMA}"),
    ],
)
def test_no_app_has_the_heartbeats_account_or_schema(app: dict[str, Any], path: str) -> None:
    config = {"size": "small", **ENGINES["mariadb"], "apps": [{"name": "shop", **app}]}
    refused = recorder.run(config)
    assert str(refused.error).startswith(f"mysql-ha:{path}: ")


def test_both_agree_on_the_name_of_the_database() -> None:
    recording = recorded(ENGINES["mariadb"])
    beat = containers(cron_job(recording, "orders-heartbeat"))["beat"]["command"][-1]
    check = containers(cron_job(recording, "orders-restore-drill"))["check"]["command"][-1]
    assert "VALUES ('test/shop/orders', UTC_TIMESTAMP())" in beat
    assert '[ "$whose" = "test/shop/orders" ]' in check


def test_the_newest_backup_may_be_as_old_as_the_outputs_say_and_two_hours() -> None:
    """A day between two backups, two hours for one, and two for the heartbeat."""
    check = containers(cron_job(recorded(ENGINES["mariadb"]), "orders-restore-drill"))["check"]
    assert f'[ "$age" -le {(24 + 2 + 2) * 3600} ]' in check["command"][-1]


def test_a_percona_drill_from_anything_but_a_bucket_is_refused() -> None:
    store = {"volume": {"size": "50Gi"}}
    config = {"size": "small", "engine": "percona", "backup": {"store": store}}
    refused = recorder.run(config)
    assert "backup.drill.enabled: needs backup.store.s3" in str(refused.error)
    off = {**config, "backup": {"store": store, "drill": {"enabled": False}}}
    assert recorder.run(off).error is None


def test_a_long_name_is_cut_where_a_cron_job_has_no_room() -> None:
    longest, other = "a" * 40, "a" * 39
    assert len(names.restore_drill(longest)) <= 52
    assert names.restore_drill(longest) != names.restore_drill(other)
    assert names.restore_drill("a" * 38) == f"{'a' * 38}-restore-drill"
