"""What a stack makes so that its metrics are read, and what is left when nobody reads them."""

from typing import Any

import pytest

from render.case import case
from render.recorder import Recording, Resource, plain
from tests.program.pod_security import violations
from tests.program.test_server_policy import Pod, lets

STACK: dict[str, Any] = {"size": "small", "name": "orders", "namespace": "shop"}
BESIDE: dict[str, Any] = {"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}
OPEN: dict[str, Any] = {"network_policy": {"enabled": True, "metrics_from": ["monitoring"]}}
READ_ONLY: dict[str, Any] = {"alerts": {"enabled": False}, "dashboard": {"enabled": False}}
MONITORS = ("ServiceMonitor", "PodMonitor")
BOTH = pytest.mark.parametrize("engine", [{}, BESIDE], ids=["mariadb", "percona"])
SCRAPE = pytest.mark.parametrize("scrape", ["annotations", "prometheus_operator"])


def made(scrape: str | None, /, *, previous: Any = None, **config: Any) -> Recording:
    """Without rules and dashboard, which have tests of their own."""
    monitoring = READ_ONLY if scrape is None else {**READ_ONLY, "scrape": scrape}
    given = {**STACK, **config, "monitoring": monitoring}
    recording = case("monitoring", given).run(previous=previous)
    assert recording.error is None, recording.error
    return recording


def metadata(resource: Resource) -> dict[str, Any]:
    return plain(resource.inputs)["metadata"]


def objects(recording: Recording) -> set[tuple[str, str]]:
    return {(r.kind, metadata(r)["name"]) for r in recording.resources if "metadata" in r.inputs}


def added(scrape: str, **config: Any) -> set[tuple[str, str]]:
    """Kind and name of what it adds to a stack."""
    return objects(made(scrape, **config)) - objects(made(None, **config))


def test_what_is_added_to_a_mariadb() -> None:
    """By prometheus-operator the rest is its own operator's."""
    account = {("Secret", "orders-exporter"), ("User", "orders-metrics")}
    account |= {("Grant", "orders-metrics"), ("NetworkPolicy", "orders-exporter")}
    assert added("prometheus_operator") == account | {("PodMonitor", "orders-proxysql")}
    assert added("annotations") == account | {
        ("Secret", "orders-exporter-config"),
        ("Deployment", "orders-exporter"),
        *(("Service", f"orders-metrics-{ordinal}") for ordinal in range(3)),
    }


def test_what_is_added_to_a_percona_cluster() -> None:
    """R 22."""
    exporter = {("Secret", "orders-exporter"), ("Secret", "orders-exporter-config")}
    exporter |= {("Deployment", "orders-exporter"), ("NetworkPolicy", "orders-exporter")}
    assert added("prometheus_operator", **BESIDE) == exporter | {
        ("Service", "orders-metrics"),
        ("ServiceMonitor", "orders-metrics"),
        ("PodMonitor", "orders-proxysql-ha"),
    }
    services = {("Service", f"orders-metrics-{ordinal}") for ordinal in range(3)}
    assert added("annotations", **BESIDE) == exporter | services


S3_KEYS = {"existing_secret": {"name": "store"}}
POINT_IN_TIME: dict[str, Any] = {
    "store": {"s3": {"endpoint": "s3.example.com", "bucket": "b-1", "credentials": S3_KEYS}},
    "point_in_time": {"enabled": True},
}


def test_the_uploader_of_binary_logs_is_read() -> None:
    """By its operator's labels and port (docs of PodMonitor: a port without a name by its number);
    nobody can annotate its Pods."""
    backup = {**BESIDE, "backup": POINT_IN_TIME}
    (monitor,) = (
        monitor
        for monitor in made("prometheus_operator", **backup).of_kind("PodMonitor")
        if metadata(monitor)["name"] == "orders-pitr"
    )
    spec = plain(monitor.inputs)["spec"]
    assert spec["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "percona-xtradb-cluster",
        "app.kubernetes.io/instance": "orders",
        "app.kubernetes.io/component": "pitr",
    }
    (endpoint,) = spec["podMetricsEndpoints"]
    assert (endpoint["portNumber"], endpoint["path"]) == (8080, "/metrics")
    assert not made("annotations", **backup).of_kind("PodMonitor")


def test_proxies_of_an_operator_are_not_read() -> None:
    recording = made("prometheus_operator", engine="percona")
    assert recording.of_kind("PodMonitor") == []
    assert len(recording.of_kind("ServiceMonitor")) == 1


@BOTH
@pytest.mark.parametrize("scrape", [None, "none"])
def test_where_nobody_reads_nothing_is_made(engine: dict[str, Any], scrape: str | None) -> None:
    """R 21: no kind of prometheus-operator's, which the cluster may not have."""
    recording = made(scrape, **engine)
    assert not [r for kind in (*MONITORS, "Deployment") for r in recording.of_kind(kind)]
    assert "exporter" not in str(objects(recording))
    assert "mysql_ha_exporter" not in str(recording.resources)


@BOTH
def test_the_proxies_labels_are_kept(engine: dict[str, Any]) -> None:
    """R 21. ProxySQL's `endpoint` is a server, prometheus-operator's a port."""
    (monitor,) = made("prometheus_operator", **engine).of_kind("PodMonitor")
    (endpoint,) = plain(monitor.inputs)["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    assert endpoint["port"] == "metrics"


@BOTH
def test_annotations_of_the_proxies_yield_to_the_stacks_own(engine: dict[str, Any]) -> None:
    proxy = {**engine.get("proxy", {}), "pod_annotations": {"prometheus.io/port": "1"}}
    recording = made("annotations", **{**engine, "proxy": proxy})
    (tier,) = recording.of_kind("StatefulSet")
    annotations = plain(tier.inputs)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == "1"


# --- the Pod ---


def pod(recording: Recording) -> dict[str, Any]:
    (deployment,) = recording.of_kind("Deployment")
    return plain(deployment.inputs)["spec"]["template"]["spec"]


@BOTH
def test_the_exporter_is_restricted_and_has_its_resources(engine: dict[str, Any]) -> None:
    """R 44, in each size."""
    for size in ("dev", "small", "large"):
        found = pod(made("annotations", **{**engine, "size": size}))
        assert violations(found) == []
        assert found["automountServiceAccountToken"] is False
        (container,) = found["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"].keys() == {"requests", "limits"}
        assert "env" not in container
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"] == "/", "not the servers' health"


def test_the_operators_exporter_is_restricted_and_has_its_resources() -> None:
    """R 21, R 44. The contexts are all that restricts it (pkg/builder/deployment_builder.go)."""
    for size in ("dev", "small", "large"):
        (mariadb,) = made("prometheus_operator", size=size).of_kind("MariaDB")
        told = plain(mariadb.inputs)["spec"]["metrics"]["exporter"]
        container = {"name": "exporter", "securityContext": told["securityContext"]}
        context = told["podSecurityContext"]
        assert violations({"securityContext": context, "containers": [container]}) == []
        assert context["runAsUser"] == 65534
        assert told["resources"].keys() == {"requests", "limits"}


def test_on_a_cluster_that_assigns_ids_none_is_named() -> None:
    found = pod(made("annotations", security={"set_user_ids": False}))
    assert "runAsUser" not in found["securityContext"]
    assert violations(found) == []


@BOTH
def test_a_password_is_in_secrets_only(engine: dict[str, Any]) -> None:
    recording = made("annotations", **engine)
    canaries = case("monitoring", STACK).passwords(recording)
    for resource in recording.resources:
        if resource.kind != "Secret":
            text = str(plain(resource.inputs)) if "metadata" in resource.inputs else ""
            assert not [one for one in canaries if one in text], resource.urn


# --- what waits ---


@pytest.mark.parametrize(
    ("engine", "scrape", "rules"),
    [
        (BESIDE, "annotations", False),
        (BESIDE, "prometheus_operator", True),
        ({}, "annotations", False),
        ({}, "prometheus_operator", True),
    ],
)
def test_servers_that_start_are_not_said_to_be_down(
    engine: dict[str, Any], scrape: str, rules: bool
) -> None:
    """Who asks them and who complains comes after them, and before nothing."""
    given = {**STACK, **engine, "monitoring": {"scrape": scrape}}
    recording = case("monitoring", given).run()
    assert recording.error is None, recording.error
    servers = recording.one("PerconaXtraDBCluster" if engine else "MariaDB")
    own = bool(engine) or scrape == "annotations"
    after = [*recording.of_kind("Deployment"), *recording.of_kind("PrometheusRule")]
    assert [one.kind for one in after] == ["Deployment"] * own + ["PrometheusRule"] * rules
    by_urn = {one.urn: one for one in recording.resources}

    def needs(one: Resource) -> set[str]:
        direct = set(one.depends_on)
        return direct.union(*(needs(by_urn[urn]) for urn in direct if urn in by_urn))

    for one in after:
        assert servers.urn in needs(one), one.kind
        assert not [other.urn for other in recording.resources if one.urn in other.depends_on]


# --- the account ---


def test_a_mariadbs_account_may_read_its_figures_only() -> None:
    for scrape in ("annotations", "prometheus_operator"):
        recording = made(scrape)
        users = [r for r in recording.of_kind("User") if metadata(r)["name"] == "orders-metrics"]
        (user,) = users
        spec = plain(user.inputs)["spec"]
        assert spec["name"] == "mysql_ha_exporter"
        assert spec["maxUserConnections"] == 3
        assert spec["passwordSecretKeyRef"] == {"name": "orders-exporter", "key": "password"}
        grants = [r for r in recording.of_kind("Grant") if metadata(r)["name"] == "orders-metrics"]
        (grant,) = grants
        assert plain(grant.inputs)["spec"]["privileges"] == ["SLAVE MONITOR"]


@SCRAPE
def test_a_percona_clusters_account_may_read_its_figures_only(scrape: str) -> None:
    """R 22."""
    (cluster,) = made(scrape, **BESIDE).of_kind("PerconaXtraDBCluster")
    users = plain(cluster.inputs)["spec"]["users"]
    (account,) = [user for user in users if user["name"] == "mysql_ha_exporter"]
    assert account["grants"] == ["REPLICATION CLIENT"]
    assert "dbs" not in account
    assert account["passwordSecretRef"] == {"name": "orders-exporter", "key": "password"}


@SCRAPE
def test_a_password_may_be_somewhere_else(scrape: str) -> None:
    there = {"existing_secret": {"name": "theirs", "key": "pw"}}
    for engine in ({}, BESIDE):
        recording = made(scrape, credentials={"exporter": there}, **engine)
        assert ("Secret", "orders-exporter") not in objects(recording)
        named = str([plain(r.inputs) for r in recording.resources if "metadata" in r.inputs])
        assert "'name': 'theirs'" in named


# --- who reaches it ---


def policies(recording: Recording) -> dict[str, dict[str, Any]]:
    return {
        metadata(r)["labels"]["app.kubernetes.io/name"]: plain(r.inputs)
        for r in recording.of_kind("NetworkPolicy")
    }


def exporters(recording: Recording, engine: dict[str, Any], scrape: str) -> Pod:
    """The exporter's Pod; that of mariadb-operator by the labels that it puts on it
    (pkg/builder/labels/labels.go)."""
    if not engine and scrape == "prometheus_operator":
        labels = {"name": "exporter", "instance": "orders-metrics"}
        return Pod({f"app.kubernetes.io/{key}": text for key, text in labels.items()}, "shop")
    (deployment,) = recording.of_kind("Deployment")
    template = plain(deployment.inputs)["spec"]["template"]
    return Pod(template["metadata"]["labels"], "shop")


@BOTH
@SCRAPE
def test_the_exporter_reaches_the_servers(engine: dict[str, Any], scrape: str) -> None:
    database = {"network_policy": {"enabled": True}}
    recording = made(scrape, **engine, database=database)
    servers = policies(recording)["servers"]
    assert lets(servers, exporters(recording, engine, scrape), 3306)
    assert not lets(servers, Pod({"app.kubernetes.io/name": "exporter"}, "shop"), 3306)


@BOTH
@SCRAPE
def test_who_reads_the_exporter(engine: dict[str, Any], scrape: str) -> None:
    recording = made(scrape, **engine, security=OPEN)
    policy = policies(recording)["exporter"]
    selector = policy["spec"]["podSelector"]["matchLabels"]
    assert selector.items() <= exporters(recording, engine, scrape).labels.items()
    prometheus = {"app.kubernetes.io/name": "prometheus"}
    for namespace, expected in (("monitoring", True), ("shop", True), ("elsewhere", False)):
        assert lets(policy, Pod(prometheus, namespace), 9104) is expected
    assert not lets(policy, Pod(prometheus, "monitoring"), 3306)


@BOTH
def test_without_policies_the_exporter_has_none(engine: dict[str, Any]) -> None:
    recording = made("annotations", **engine, security={"network_policy": {"enabled": False}})
    assert "exporter" not in policies(recording)


# --- whose field it is ---


@pytest.mark.parametrize(
    ("scrape", "left"),
    [(None, True), ("none", False), ("annotations", False), ("prometheus_operator", False)],
)
def test_metrics_of_the_object_are_peoples_until_a_key_says_something(
    scrape: str | None, left: bool
) -> None:
    (mariadb,) = made(scrape).of_kind("MariaDB")
    assert ("spec.metrics" in mariadb.ignore_changes) is left
    assert ("metrics" in mariadb.inputs["spec"]) is (scrape == "prometheus_operator")
