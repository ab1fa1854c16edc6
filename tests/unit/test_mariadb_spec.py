"""The MariaDB object's spec, my.cnf and the monitor's account, as plain data."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given

from components.config.stack import StackConfig, monitor_connections
from components.credentials import Credentials, ResolvedCredential
from components.engines import mariadb
from components.proxysql import model
from tests.unit.models import config, proxied_configs

CREDENTIALS = cast(
    Credentials,
    {
        role: ResolvedCredential(
            secret=f"secret-{role}", key="pw", password=cast(Any, None), resource=None
        )
        for role in ("root", "replication", "monitor")
    },
)


def spec(config: StackConfig) -> dict[str, Any]:
    return mariadb.spec(config, CREDENTIALS)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in cast(dict[str, Any], value).items():
            yield key
            yield from keys(below)
    elif isinstance(value, list):
        for below in cast(list[Any], value):
            yield from keys(below)


@given(proxied_configs())
def test_no_field_that_the_operator_writes(config: StackConfig) -> None:
    """Applying the primary's index again would undo a failover."""
    assert not {"podIndex", "autoFailover", "status"} & set(keys(spec(config)))


@given(proxied_configs())
def test_the_topology(config: StackConfig) -> None:
    found = spec(config)
    topology = config.database.topology
    assert found.get("replication", {}).get("enabled", False) == (topology == "replication")
    assert found.get("galera", {}).get("enabled", False) == (topology == "galera")
    assert found["replicas"] == config.database.replicas


@given(proxied_configs())
def test_tls_is_required_or_off(config: StackConfig) -> None:
    """The operator's default is on but not required: plain connections would still work."""
    tls = {"enabled": True, "required": True}
    if config.database.topology == "galera":
        tls["galeraSSTEnabled"] = True
    assert spec(config)["tls"] == (tls if config.security.tls.enabled else {"enabled": False})


def test_the_servers_certificate_of_an_issuer() -> None:
    """mariadb-operator docs/tls.md, "Issue certificates with cert-manager"."""
    issuer = {"name": "own-ca", "kind": "ClusterIssuer"}
    reference = {**issuer, "group": "cert-manager.io"}
    assert spec(config(security={"tls": {"issuer": issuer}}))["tls"] == {
        "enabled": True,
        "required": True,
        "serverCertIssuerRef": reference,
        "clientCertIssuerRef": reference,
    }


def test_the_servers_certificate_of_a_secret() -> None:
    """mariadb-operator docs/tls.md, "Provide your own certificates"."""
    assert spec(config(security={"tls": {"secret": "own"}}))["tls"] == {
        "enabled": True,
        "required": True,
        "serverCertSecretRef": {"name": "own"},
        "serverCASecretRef": {"name": "own"},
    }


@pytest.mark.parametrize("tls", [{"issuer": {"name": "own-ca"}}, {"secret": "own"}], ids=str)
def test_the_proxies_verify_servers_with_the_operators_bundle(tls: dict[str, Any]) -> None:
    """It has the CA of every certificate, whoever signed it."""
    chosen = config(security={"tls": tls})
    assert mariadb.topology(chosen).ca_secret == "mysql-ca-bundle"


def test_a_primary_that_is_back_is_followed_at_once() -> None:
    """By default a replica looks again after a minute, and nobody acknowledges meanwhile."""
    assert spec(config())["replication"]["replica"]["connectionRetrySeconds"] == 1


@pytest.mark.parametrize(
    ("other", "fence"),
    [
        ({}, 1),
        ({"proxy": {"min_semi_sync_replicas": 2}}, 2),
        ({"proxy": {"min_semi_sync_replicas": 0}}, 0),
        ({"proxy": {"enabled": False}}, 0),
        ({"proxy": {"routing": "monitor"}}, 0),
        ({"proxy": {"clustering": "runtime"}}, 0),
        ({"proxy": {"switchover_wait": 0}}, 1),
        ({"database": {"semi_sync": False}}, 0),
        ({"database": {"topology": "galera"}}, 0),
    ],
)
def test_the_fence(other: dict[str, Any], fence: int) -> None:
    """ADR 17: what the servers, their monitor and the proxies do goes together."""
    chosen = config(**other)
    assert chosen.fence == fence
    for option in mariadb.FENCE_OPTIONS:
        assert (option in mariadb.my_cnf(chosen).splitlines()) == (fence > 0)
    replicates = chosen.database.topology == "replication"
    assert (mariadb.READ_ONLY in mariadb.my_cnf(chosen).splitlines()) == replicates
    watch = model.watch(chosen, mariadb.topology(chosen))
    assert (watch.replicas if watch else 0) == fence
    assert chosen.semi_sync_timeout == ("10s" if fence else "2s")
    if fence:
        assert watch
        assert watch.silence == 5
    granted = mariadb.monitor_privileges(chosen.database.topology, fence=fence > 0)
    assert (granted == ("REPLICATION MASTER ADMIN",)) == (fence > 0)


def test_a_promotion_waits_for_the_old_primary_to_end() -> None:
    """0: at once. People still ask for a switchover by podIndex, which is not in the spec."""
    assert spec(config())["replication"]["primary"] == {"autoFailoverDelay": "2s"}
    at_once = spec(config(database={"failover_delay_seconds": 0}))
    assert at_once["replication"]["primary"] == {"autoFailoverDelay": "0s"}


def test_semi_sync() -> None:
    """What was answered is on a replica, and nobody has read what is not."""
    found = spec(config(database={"semi_sync_timeout": "5s"}))["replication"]
    assert found["semiSyncEnabled"] is True
    assert found["semiSyncAckTimeout"] == "5s"
    assert found["semiSyncWaitPoint"] == "AfterSync"
    off = spec(config(database={"semi_sync": False}))["replication"]
    assert off["semiSyncEnabled"] is False
    assert not {"semiSyncAckTimeout", "semiSyncWaitPoint"} & off.keys()


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (("rootPasswordSecretKeyRef",), "root"),
        (("replication", "replica", "replPasswordSecretKeyRef"), "replication"),
    ],
)
def test_passwords_are_references_that_the_operator_does_not_generate(
    path: tuple[str, ...], role: str
) -> None:
    found: Any = spec(config())
    for key in path:
        found = found[key]
    assert found == {"name": f"secret-{role}", "key": "pw", "generate": False}


def test_storage() -> None:
    assert spec(config())["storage"]["size"] == "10Gi"
    assert "storageClassName" not in spec(config())["storage"]
    chosen = config(database={"storage": {"size": "1Ti", "storage_class": "fast"}})
    assert spec(chosen)["storage"]["size"] == "1Ti"
    assert spec(chosen)["storage"]["storageClassName"] == "fast"


@pytest.mark.parametrize(("size", "expected"), [("dev", None), ("small", {"maxUnavailable": 1})])
def test_the_disruption_budget_follows_the_size(size: str, expected: Any) -> None:
    assert spec(config(size)).get("podDisruptionBudget") == expected


def test_dev_asks_for_no_resources() -> None:
    assert "resources" not in spec(config("dev"))


def test_pod_security() -> None:
    found = spec(config())
    assert found["podSecurityContext"]["runAsNonRoot"] is True
    assert found["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["securityContext"]["allowPrivilegeEscalation"] is False
    assert found["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_image() -> None:
    image = {
        "registry": "example.com:5000",
        "repository": "db/mariadb",
        "tag": "11.4.9",
        "digest": "sha256:" + "a" * 64,
        "pull_policy": "Always",
    }
    found = spec(config(images={"database": image, "pull_secrets": ["registry"]}))
    assert found["image"] == "example.com:5000/db/mariadb:11.4.9@sha256:" + "a" * 64
    assert found["imagePullPolicy"] == "Always"
    assert found["imagePullSecrets"] == [{"name": "registry"}]


# --- my.cnf ---


def test_my_cnf_starts_with_what_the_design_needs() -> None:
    lines = mariadb.my_cnf(config()).splitlines()
    assert lines[0] == "[mariadb]"
    assert "character_set_server = utf8mb4" in lines
    assert "max_connections = 500" in lines
    assert "binlog_expire_logs_seconds = 259200" in lines
    assert "innodb_buffer_pool_size = 1207959552" in lines


def test_all_nodes_send_their_data_alike() -> None:
    """While TLS is turned on in two steps, a node without it must still be able to join."""
    tls = {"tls": {"required": False}}
    found = spec(config(database={"topology": "galera"}, security=tls))
    assert found["tls"]["galeraSSTEnabled"] is False
    assert "galeraSSTEnabled" not in spec(config())["tls"]


HELPER = {
    "requests": {"cpu": "20m", "memory": "64Mi"},
    "limits": {"cpu": "500m", "memory": "256Mi"},
}


@pytest.mark.parametrize("topology", ["replication", "galera"])
def test_containers_of_the_operator_have_resources(topology: str) -> None:
    """A quota of the namespace refuses Pods in which one has none."""
    found = spec(config(database={"topology": topology}))[topology]
    assert found["initContainer"]["resources"] == found["agent"]["resources"] == HELPER


def test_jobs_of_galera_have_the_servers_resources() -> None:
    found = spec(config(database={"topology": "galera"}))
    assert found["galera"]["initJob"] == {"resources": found["resources"]}
    assert found["galera"]["recovery"] == {
        "enabled": True,
        "job": {"resources": found["resources"]},
    }


def test_galeras_second_volume_has_the_class_of_the_first() -> None:
    storage = {"topology": "galera", "storage": {"storage_class": "fast"}}
    claim = spec(config(database=storage))["galera"]["config"]["volumeClaimTemplate"]
    assert claim["storageClassName"] == "fast"
    assert "config" not in spec(config(database={"topology": "galera"}))["galera"]


def test_provider_options_are_the_operators_to_merge() -> None:
    options = {"gcache.size": "512M", "gcs.fc_limit": 256, "gcache.recover": False}
    galera = {"topology": "galera", "galera": {"provider_options": options}}
    assert spec(config(database=galera))["galera"]["providerOptions"] == {
        "gcache.size": "512M",
        "gcs.fc_limit": "256",
        "gcache.recover": "no",
    }


def test_ones_own_my_cnf_comes_last_and_so_wins() -> None:
    own = "sort_buffer_size = 4M\n[mariadb-11.8]\njoin_buffer_size = 1M"
    assert mariadb.my_cnf(config(database={"my_cnf": f"\n{own}\n"})).endswith(f"\n{own}\n")


@pytest.mark.parametrize(("topology", "expected"), [("galera", True), ("replication", False)])
def test_galera_needs_row_format(topology: str, expected: bool) -> None:
    text = mariadb.my_cnf(config(database={"topology": topology}))
    assert ("binlog_format = row" in text) == expected
    assert ("innodb_autoinc_lock_mode = 2" in text) == expected


@pytest.mark.parametrize("topology", ["replication", "galera"])
def test_an_agent_asks_for_a_password_and_says_that_it_asks_for_nothing_else(topology: str) -> None:
    """An adopted object has the operator's default, kubernetesAuth, on: left out, it would stay,
    and the operator takes only one of the two."""
    agent = spec(config(database={"topology": topology}))[topology]["agent"]
    assert agent["basicAuth"] == {"enabled": True}
    assert agent["kubernetesAuth"] == {"enabled": False}


# --- the monitor's account (R 25) ---


@pytest.mark.parametrize("topology", ["standalone", "replication", "galera"])
@pytest.mark.parametrize("version", [(10, 4), (10, 5), (10, 6), (11, 8, 5), (12, 1)])
@pytest.mark.parametrize("lag", [False, True])
def test_the_monitor_has_the_least_privilege(
    topology: Any, version: tuple[int, ...], lag: bool
) -> None:
    expected = "USAGE"
    if topology == "replication" and lag:
        expected = "SLAVE MONITOR" if version >= (10, 5) else "REPLICATION CLIENT"
    found = mariadb.monitor_privileges(topology, version=version, replication_lag=lag)
    assert found == (expected,)


@pytest.mark.parametrize("proxies", [1, 3, 20])
def test_the_monitor_has_connections_for_every_proxy(proxies: int) -> None:
    assert monitor_connections(proxies) >= 4 * proxies
    assert monitor_connections(proxies, watched=True) >= (4 + 2) * proxies


# --- what the proxies are told ---


@pytest.mark.parametrize(
    ("tag", "version", "expected"),
    [
        ("11.8.5", None, "11.8.5-MariaDB"),
        ("11.8", None, "11.8.0-MariaDB"),
        ("10.11.19-ubi", None, "10.11.19-MariaDB"),
        ("noble", "11.4.9", "11.4.9-MariaDB"),
    ],
)
def test_the_server_version(tag: str, version: str | None, expected: str) -> None:
    chosen = config(database={"version": version}, images={"database": {"tag": tag}})
    assert mariadb.topology(chosen).server_version == expected


@pytest.mark.parametrize(
    ("size", "service", "reader"),
    [("dev", "mysql", "mysql"), ("small", "mysql-primary", "mysql-secondary")],
)
def test_the_engines_own_endpoints(size: str, service: str, reader: str) -> None:
    topology = mariadb.topology(config(size))
    assert topology.service == f"{service}.default.svc.cluster.local"
    assert topology.reader_service == f"{reader}.default.svc.cluster.local"


def test_the_ca_exists_only_with_tls() -> None:
    assert mariadb.topology(config("small")).ca_secret == "mysql-ca-bundle"
    assert mariadb.topology(config("dev")).ca_secret is None


# --- the observed status ---


def condition(status: str, **more: str) -> dict[str, Any]:
    return {"type": "Ready", "status": status, **more}


@pytest.mark.parametrize(
    ("status", "state", "details"),
    [
        (condition("True", reason="StatefulSetReady", message="Running"), "ready", []),
        (
            condition("False", reason="Suspended", message="Suspended"),
            "Suspended",
            ["Suspended"],
        ),
    ],
)
def test_the_observed_status(status: dict[str, Any], state: str, details: list[str]) -> None:
    other = {"type": "Updated", "status": "True", "reason": "x", "message": "y"}
    assert mariadb.observed({"conditions": [other, status], "replicas": 2}, 3) == {
        "state": state,
        "ready": 2,
        "size": 3,
        "details": details,
    }


@pytest.mark.parametrize("status", [None, {}, "text", {"conditions": None, "replicas": None}])
def test_a_status_that_is_not_there_yet(status: Any) -> None:
    unknown: dict[str, Any] = {"state": "unknown", "ready": 0, "size": 3, "details": []}
    assert mariadb.observed(status, 3) == unknown
