"""The PerconaXtraDBCluster's spec, as plain data, against the operator's own rules."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import names
from components.config import quantity
from components.config.apps import App
from components.config.errors import ConfigError
from components.config.load import resolve
from components.config.stack import StackConfig
from components.credentials import Credentials, ResolvedCredential
from components.engines import percona
from components.proxysql import cnf
from components.proxysql.model import cnf_model
from tests.unit import libconfig
from tests.unit.models import SECRETS

CREDENTIALS = cast(
    Credentials,
    {
        role: ResolvedCredential(
            secret=f"secret-{role}", key="pw", password=cast(Any, None), resource=None
        )
        for role in ("root", "monitor")
    },
)
STANDALONE = {"proxy": {"enabled": True, "managed_by": "mysql-ha"}}
OPERATOR = {"proxy": {"enabled": True, "managed_by": "operator"}}


def config(size: str = "small", **overrides: Any) -> StackConfig:
    return resolve({"size": size, "engine": "percona", **overrides})


def spec(config: StackConfig) -> dict[str, Any]:
    found = percona.spec(config, CREDENTIALS)
    assert json.loads(json.dumps(found)) == found, "plain data"
    return found


def at(tree: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for key in path.split("."):
        tree = cast(dict[str, Any], tree or {}).get(key)
    return tree


# --- what the operator refuses: pkg/apis/pxc/v1/pxc_types.go at v1.18.0, in Python ---


def refusals(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    """What Validate, checkSafeDefaults and executeConfigurationTemplate would say."""
    pxc, proxysql, haproxy = found["pxc"], found.get("proxysql", {}), found.get("haproxy", {})
    unsafe, tls = found.get("unsafeFlags", {}), found.get("tls", {})
    if len(name) > 22:
        yield "cluster name too long"
    if not re.fullmatch(r"\d+\.\d+\.\d+", found["crVersion"]):
        yield "invalid cr version"
    if not pxc.get("image"):
        yield "pxc.Image can't be empty"
    yield from _volume_refusals("PXC", pxc)
    if haproxy.get("enabled") and proxysql.get("enabled"):
        yield "can't enable both HAProxy and ProxySQL"
    if proxysql.get("enabled"):
        if not proxysql.get("image"):
            yield "proxysql.Image can't be empty"
        yield from _volume_refusals("ProxySQL", proxysql)
    proxied = proxysql.get("enabled") or haproxy.get("enabled")
    if found.get("updateStrategy") == "SmartUpdate" and not proxied:
        yield "ProxySQL or HAProxy should be enabled if SmartUpdate set"
    users = [user["name"] for user in found.get("users", [])]
    if len(users) != len(set(users)):
        yield "user is duplicated"
    if not unsafe.get("tls") and tls.get("enabled", True) is False:
        yield "TLS must be enabled"
    if not unsafe.get("pxcSize") and (not 3 <= pxc["size"] <= 5 or pxc["size"] % 2 == 0):
        yield "PXC size"
    if proxysql.get("enabled") and not unsafe.get("proxySize") and proxysql["size"] < 2:
        yield "ProxySQL size must be at least 2"
    for tier in (pxc, proxysql):
        limits = tier.get("resources", {}).get("limits", {})
        if "memory" not in limits and "{{" in tier.get("configuration", ""):
            yield "resources.limits[memory] should be specified for template usage"


def _volume_refusals(tier: str, pod: Mapping[str, Any]) -> Iterator[str]:
    if "volumeSpec" not in pod:
        yield f"{tier}: volumeSpec should be specified"
    elif not at(pod, "volumeSpec.persistentVolumeClaim.resources.requests.storage"):
        yield f"{tier}: volume.resources.storage can't be empty"


def needless(found: Mapping[str, Any]) -> Iterator[str]:
    """Unsafe flags without which nothing would be refused. B's plan sets proxySize with pxcSize."""
    for flag in ("tls", "pxcSize"):
        without = {**found, "unsafeFlags": {**found["unsafeFlags"], flag: False}}
        if found["unsafeFlags"].get(flag) and not list(refusals("db", without)):
            yield flag
    few = found["pxc"]["size"] < 3 or found["proxysql"].get("size", 2) < 2
    if found["unsafeFlags"].get("proxySize") and not few:
        yield "proxySize"


APART: dict[str, Any] = {
    "requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "rack", "labelSelector": {"matchLabels": {"app": "db"}}}
    ]
}


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Overrides of a Percona stack over everything that the spec depends on."""

    def maybe(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | strategy)

    affinities: list[dict[str, Any]] = [{"nodeAffinity": {}}, {"podAntiAffinity": APART}]
    choices: dict[Any, st.SearchStrategy[Any]] = {
        "disruption_budget": st.booleans(),
        "spread": st.sampled_from(["none", "preferred", "required"]),
        "node_selector": st.just({"disk": "ssd"}),
        "tolerations": st.just([{"key": "db", "operator": "Exists"}]),
        "priority_class": st.just("important"),
        "affinity": st.sampled_from(affinities),
    }
    placement = st.fixed_dictionaries(dict[Any, Any](), optional=choices)
    storage: dict[str, Any] = {"size": draw(st.sampled_from(["1Gi", "20Gi", "1Ti"]))}
    if storage_class := maybe(st.just("fast")):
        storage["storage_class"] = storage_class
    tls: dict[str, Any] = {"enabled": draw(st.booleans()), "required": draw(st.booleans())}
    match draw(st.integers(0, 2)) if tls["enabled"] else 0:
        case 1:
            tls["secret"] = "own-tls"
        case 2:
            tls["issuer"] = {"name": "issuer", "kind": "ClusterIssuer"}
        case _:
            pass
    tree: dict[str, Any] = {
        "size": draw(st.sampled_from(["dev", "small", "large"])),
        "engine": "percona",
        "name": draw(st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)),
        "database": {
            "replicas": draw(st.sampled_from([1, 3, 5])),
            "storage": storage,
            "my_cnf": draw(
                st.sampled_from(["", "sync_binlog = 1", "[mysqld-8.0]\nsync_binlog = 1"])
            ),
        },
        "proxy": {
            "enabled": draw(st.booleans()),
            "managed_by": draw(st.sampled_from(["operator", "mysql-ha"])),
            "replicas": draw(st.integers(1, 5)),
        },
        "security": {"tls": tls},
        "scheduling": {"database": draw(placement), "proxy": draw(placement)},
        "percona": {
            "log_collector": draw(st.booleans()),
            "cr_version": draw(st.sampled_from(["1.18.0", "1.19.0", "1.20.0"])),
        },
    }
    if resources := maybe(st.just({"limits": {"cpu": "8", "memory": "16Gi"}})):
        tree["database"]["resources"] = resources
    if secrets := maybe(st.just(["registry"])):
        tree["images"] = {"pull_secrets": secrets}
    return tree


def configs() -> st.SearchStrategy[StackConfig]:
    return trees().map(lambda tree: resolve(tree))


@given(configs())
def test_the_operator_takes_every_spec(config: StackConfig) -> None:
    assert list(refusals(config.name, spec(config))) == []


@given(configs())
def test_no_unsafe_flag_without_need(config: StackConfig) -> None:
    assert list(needless(spec(config))) == []


@pytest.mark.parametrize("size", [2, 4, 6, 7])
def test_a_size_that_the_operator_refuses_is_refused_here(size: int) -> None:
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.replicas"):
        config(database={"replicas": size})


def test_a_name_that_the_operator_refuses_is_refused_here() -> None:
    assert spec(config(name="x" * 22))
    with pytest.raises(ConfigError, match=r"mysql-ha:name"):
        config(name="x" * 23)


def test_a_template_that_the_operator_refuses_is_refused_here() -> None:
    template = {"my_cnf": "innodb_buffer_pool_size = {{containerMemoryLimit / 2}}"}
    assert spec(config(database=template))
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.my_cnf"):
        config("dev", database=template)


@given(configs())
def test_smart_update_only_where_the_operator_knows_the_writer(config: StackConfig) -> None:
    """Our own proxies prefer the lowest ordinal, which RollingUpdate restarts last."""
    found = spec(config)
    operator = config.proxy.enabled and config.proxy.managed_by == "operator"
    assert found["updateStrategy"] == ("SmartUpdate" if operator else "RollingUpdate")
    assert found["proxysql"]["enabled"] is operator
    assert found["haproxy"] == {"enabled": False}


# --- who writes which field ---


OPERATORS_OWN = {
    # ReconcilePerconaXtraDBCluster patches these of the stored object.
    "pause",  # reconcileTLSToggle, by way of k8s.PauseCluster
    "initImage",
    "allowUnsafeConfigurations",  # deprecated
    "platform",
    "pmm",
    "backup",
}
DEPRECATED = {"serviceType", "externalTrafficPolicy", "loadBalancerSourceRanges"} | {
    "serviceAnnotations",
    "serviceLabels",
    "loadBalancerIP",
    "trafficPolicy",
}


@given(configs())
def test_no_field_that_the_operator_writes_or_has_given_up(config: StackConfig) -> None:
    found = spec(config)
    assert not OPERATORS_OWN & found.keys()
    for tier in ("pxc", "proxysql"):
        assert not DEPRECATED & found[tier].keys()
        assert not DEPRECATED & found[tier].get("expose", {}).keys()
    # With it the operator's version service would write the images.
    assert found["upgradeOptions"] == {"apply": "disabled"}


def test_no_label_that_the_operator_sets_itself() -> None:
    """pkg/pxc/statefulset.go: labels of the object never replace those of pkg/naming/labels.go."""
    labels = spec(config(database={"pod_labels": {"example.com/team": "a"}}))["pxc"]["labels"]
    assert labels == {"example.com/team": "a"}


@given(configs())
def test_volumes_can_grow(config: StackConfig) -> None:
    """pkg/controller/pxc/volumes.go: "If expansion is disabled we should keep the old value"."""
    assert spec(config)["enableVolumeExpansion"] is True


# --- sizes ---

PXC, PROXYSQL = (
    "docker.io/percona/percona-xtradb-cluster:8.0.42-33.1",
    "docker.io/percona/proxysql2:2.7.3",
)
TABLE: dict[str, tuple[Any, Any, Any]] = {
    # path in the spec: dev, small, large
    "crVersion": ("1.18.0", "1.18.0", "1.18.0"),
    "updateStrategy": ("RollingUpdate", "SmartUpdate", "SmartUpdate"),
    "tls.enabled": (False, True, True),
    "unsafeFlags.pxcSize": (True, False, False),
    "unsafeFlags.proxySize": (True, False, False),
    "unsafeFlags.tls": (True, False, False),
    "pxc.size": (1, 3, 3),
    "pxc.image": (PXC, PXC, PXC),
    "pxc.volumeSpec.persistentVolumeClaim.resources.requests.storage": ("1Gi", "10Gi", "100Gi"),
    "pxc.resources.requests.cpu": (None, "500m", "2"),
    "pxc.resources.requests.memory": (None, "1Gi", "8Gi"),
    "pxc.resources.limits.cpu": (None, "1", "4"),
    "pxc.resources.limits.memory": (None, "2Gi", "8Gi"),
    "pxc.podDisruptionBudget.maxUnavailable": (None, 1, 1),
    "pxc.affinity.antiAffinityTopologyKey": ("none", None, None),
    "haproxy.enabled": (False, False, False),
    "proxysql.enabled": (False, True, True),
    "proxysql.size": (None, 3, 3),
    "proxysql.image": (None, PROXYSQL, PROXYSQL),
    "proxysql.resources.requests.cpu": (None, "100m", "500m"),
    "proxysql.resources.limits.memory": (None, "512Mi", "1Gi"),
    "proxysql.expose.type": (None, "ClusterIP", "ClusterIP"),
    "logcollector.enabled": (True, False, False),
    "logcollector.image": ("docker.io/percona/fluentbit:4.0.1", None, None),
    "pmm": (None, None, None),
    "backup": (None, None, None),
    "users": (None, None, None),
}


@pytest.mark.parametrize("path", TABLE)
def test_the_table(path: str) -> None:
    assert tuple(at(spec(config(size)), path) for size in ("dev", "small", "large")) == TABLE[path]


@pytest.mark.parametrize(
    ("size", "overrides", "service", "pods"),
    [
        ("dev", {}, "mysql-pxc", 1),
        ("small", {}, "mysql-proxysql", 6),
        ("large", {}, "mysql-proxysql", 6),
        ("small", {"proxy": {"enabled": False}}, "mysql-pxc", 3),
        ("small", STANDALONE, "mysql-pxc", 3),
        ("large", {"database": {"replicas": 5}, "proxy": {"replicas": 2}}, "mysql-proxysql", 7),
        ("dev", OPERATOR, "mysql-proxysql", 2),
    ],
)
def test_the_engines_endpoint_and_its_pods(
    size: str, overrides: dict[str, Any], service: str, pods: int
) -> None:
    chosen = config(size, **overrides)
    topology = percona.topology(chosen)
    assert topology.service == topology.reader_service == f"{service}.default.svc.cluster.local"
    assert topology.port == 3306
    assert percona.pods(chosen) == pods


# --- overrides, field by field ---

OVERRIDES: list[tuple[dict[str, Any], str, Any]] = [
    ({"percona": {"cr_version": "1.20.0"}}, "crVersion", "1.20.0"),
    ({"percona": {"log_collector": True}}, "logcollector.enabled", True),
    ({"database": {"replicas": 5}}, "pxc.size", 5),
    (
        {"database": {"storage": {"size": "50Gi"}}},
        "pxc.volumeSpec.persistentVolumeClaim.resources.requests.storage",
        "50Gi",
    ),
    (
        {"database": {"storage": {"storage_class": "fast"}}},
        "pxc.volumeSpec.persistentVolumeClaim.storageClassName",
        "fast",
    ),
    (
        {"database": {"resources": {"limits": {"memory": "3Gi"}}}},
        "pxc.resources.limits.memory",
        "3Gi",
    ),
    ({"database": {"pod_annotations": {"a": "b"}}}, "pxc.annotations", {"a": "b"}),
    ({"images": {"database": {"tag": "8.4.6"}}}, "pxc.image", None),
    ({"images": {"database": {"pull_policy": "Always"}}}, "pxc.imagePullPolicy", "Always"),
    ({"images": {"pull_secrets": ["r"]}}, "pxc.imagePullSecrets", [{"name": "r"}]),
    ({"images": {"pull_secrets": ["r"]}}, "proxysql.imagePullSecrets", [{"name": "r"}]),
    (
        {"images": {"proxy": {"tag": "2.7.4"}}},
        "proxysql.image",
        "docker.io/percona/proxysql2:2.7.4",
    ),
    ({"proxy": {"replicas": 2}}, "proxysql.size", 2),
    ({"proxy": {"service": {"type": "LoadBalancer"}}}, "proxysql.expose.type", "LoadBalancer"),
    *(
        (
            {"proxy": {"service": {"type": "LoadBalancer", key: value}}},
            "proxysql.expose",
            {"enabled": True, "type": "LoadBalancer", field: value},
        )
        for key, field, value in (
            ("external_traffic_policy", "externalTrafficPolicy", "Local"),
            ("load_balancer_source_ranges", "loadBalancerSourceRanges", ["10.0.0.0/8"]),
            ("load_balancer_class", "loadBalancerClass", "example.com/internal"),
        )
    ),
    (
        {"proxy": {"service": {"annotations": {"a": "b"}}}},
        "proxysql.expose.annotations",
        {"a": "b"},
    ),
    (
        {"proxy": {"storage": {"size": "5Gi"}}},
        "proxysql.volumeSpec.persistentVolumeClaim.resources.requests.storage",
        "5Gi",
    ),
    (
        {"proxy": {"storage": {"storage_class": "fast"}}},
        "proxysql.volumeSpec.persistentVolumeClaim.storageClassName",
        "fast",
    ),
    ({"proxy": {"pod_labels": {"a": "b"}}}, "proxysql.labels", {"a": "b"}),
    ({"proxy": {"pod_annotations": {"a": "b"}}}, "proxysql.annotations", {"a": "b"}),
    (
        {"proxy": {"resources": {"requests": {"cpu": "300m"}}}},
        "proxysql.resources.requests.cpu",
        "300m",
    ),
    ({"security": {"database": {"run_as_user": 5}}}, "pxc.podSecurityContext.runAsUser", 5),
    ({"scheduling": {"proxy": {"priority_class": "p"}}}, "proxysql.priorityClassName", "p"),
    ({"scheduling": {"database": {"node_selector": {"a": "b"}}}}, "pxc.nodeSelector", {"a": "b"}),
    ({"scheduling": {"database": {"disruption_budget": False}}}, "pxc.podDisruptionBudget", None),
]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, below in cast(dict[str, Any], value).items():
            yield from leaves(below, f"{path}.{key}" if path else key)
    else:
        yield path, value


@pytest.mark.parametrize(("override", "path", "expected"), OVERRIDES, ids=str)
def test_one_field_overrides_and_the_rest_stays(
    override: dict[str, Any], path: str, expected: Any
) -> None:
    before, after = spec(config()), spec(config(**override))
    if path == "pxc.image":
        expected = "docker.io/percona/percona-xtradb-cluster:8.4.6"
    assert at(after, path) == expected
    # The two tiers share pull secrets and the user; the log collector brings its image along.
    shared = (path, path.replace("pxc.", "proxysql."), path.replace("proxysql.", "pxc."))
    kept = [*shared, "logcollector"]
    changed = {
        leaf
        for leaf, _ in {str(item): item for item in [*leaves(before), *leaves(after)]}.values()
        if at(before, leaf) != at(after, leaf)
    }
    assert changed
    assert all(leaf.startswith(tuple(kept)) for leaf in changed), changed


def test_scheduling() -> None:
    own = {"key": "db", "operator": "Exists", "effect": "NoExecute"}
    tolerations = [{**own, "toleration_seconds": 60}]
    chosen = {
        "node_selector": {"disk": "ssd"},
        "tolerations": tolerations,
        "spread": "required",
        "node_loss_seconds": 45,
    }
    found = spec(config(scheduling={"database": chosen, "proxy": chosen}))
    for tier in ("pxc", "proxysql"):
        pod = found[tier]
        labels = names.pxc_selector("mysql", tier)
        assert pod["nodeSelector"] == {"disk": "ssd"}
        toleration, *of_lost_nodes = pod["tolerations"]
        assert toleration == {**own, "tolerationSeconds": 60}
        assert [t["tolerationSeconds"] for t in of_lost_nodes] == [45, 45]
        (term,) = at(
            pod,
            "affinity.advanced.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution",
        )
        assert term["labelSelector"] == {"matchLabels": labels}
        (spread,) = pod["topologySpreadConstraints"]
        assert spread["labelSelector"] == {"matchLabels": labels}


def test_the_operators_own_anti_affinity_never_applies() -> None:
    """Left out, the operator keeps every Pod on a node of its own, always."""
    found = spec(config("dev", **OPERATOR))
    for tier in ("pxc", "proxysql"):
        assert found[tier]["affinity"] == {"antiAffinityTopologyKey": "none"}


# --- TLS ---


def test_certificates_are_the_operators_own_unless_said_otherwise() -> None:
    found = spec(config())
    assert "sslSecretName" not in found
    assert "issuerConf" not in found["tls"]


def test_an_issuer_or_a_secret() -> None:
    issuer = {"name": "corp", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    found = spec(config(security={"tls": {"issuer": issuer}}))
    assert found["tls"]["issuerConf"] == issuer
    found = spec(config(security={"tls": {"secret": "own"}}))
    assert found["sslSecretName"] == found["sslInternalSecretName"] == "own"
    assert percona.topology(config(security={"tls": {"secret": "own"}})).ca_secret == "own"
    with pytest.raises(ConfigError, match=r"mysql-ha:security\.tls"):
        config(security={"tls": {"issuer": issuer, "secret": "own"}})


def test_without_tls_neither_is_named() -> None:
    found = spec(config(security={"tls": {"enabled": False}}))
    assert not {"sslSecretName", "sslInternalSecretName"} & found.keys()
    assert found["tls"] == {"enabled": False}
    assert percona.topology(config("dev")).ca_secret is None


@pytest.mark.parametrize("overrides", [OPERATOR, STANDALONE, {"proxy": {"enabled": False}}])
def test_the_servers_ca(overrides: dict[str, Any]) -> None:
    """They show `<name>-ssl-internal` (build/pxc-configure-pxc.sh). Without cert-manager its CA is
    not that of `<name>-ssl` (pkg/controller/pxc/tls.go), and ProxySQL verifies the chain."""
    assert percona.topology(config(**overrides)).ca_secret == "mysql-ssl-internal"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (OPERATOR, "mysql_native_password"),
        (STANDALONE, "caching_sha2_password"),
        ({"proxy": {"enabled": False}}, "caching_sha2_password"),
    ],
)
def test_how_accounts_authenticate(overrides: dict[str, Any], expected: str) -> None:
    """pkg/pxc/app/statefulset/node.go, DEFAULT_AUTHENTICATION_PLUGIN."""
    assert percona.topology(config(**overrides)).auth_plugin == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (STANDALONE, True),
        ({"proxy": {"enabled": False}}, True),
        (OPERATOR, False),  # not documented what its monitors do
        ({**STANDALONE, "security": {"tls": {"required": False}}}, False),
        ({**STANDALONE, "security": {"tls": {"enabled": False}}}, False),
    ],
)
def test_plain_connections_are_refused(overrides: dict[str, Any], expected: bool) -> None:
    text = percona.my_cnf(config(**overrides))
    assert ("require_secure_transport = ON" in text.splitlines()) == expected


# --- my.cnf ---


@pytest.mark.parametrize(
    ("size", "connections", "days"), [("dev", 151, 1), ("small", 500, 3), ("large", 1000, 7)]
)
def test_my_cnf(size: str, connections: int, days: int) -> None:
    lines = spec(config(size))["pxc"]["configuration"].splitlines()
    assert lines[0] == "[mysqld]"
    assert "character_set_server = utf8mb4" in lines
    assert f"max_connections = {connections}" in lines
    assert f"binlog_expire_logs_seconds = {days * 86_400}" in lines
    # The operator has a rule of its own for it, by the memory limit.
    assert not any("innodb_buffer_pool_size" in line for line in lines)


def test_provider_options_are_merged_with_the_operators() -> None:
    lines = percona.my_cnf(
        config(database={"galera": {"provider_options": {"gcache.size": "512M"}}})
    ).splitlines()
    assert 'wsrep_provider_options = "pc.weight=10;gcache.size=512M"' in lines
    assert "wsrep_provider_options" not in percona.my_cnf(config())


def test_containers_of_the_operator_have_resources() -> None:
    """A quota of the namespace refuses Pods in which one has none."""
    found = spec(config(percona={"log_collector": True}, proxy={"managed_by": "operator"}))
    helper = {
        "requests": {"cpu": "20m", "memory": "64Mi"},
        "limits": {"cpu": "500m", "memory": "256Mi"},
    }
    assert found["logcollector"]["resources"] == found["proxysql"]["sidecarResources"] == helper


def test_ones_own_my_cnf_comes_last_and_so_wins() -> None:
    own = "sync_binlog = 1\n[server]\nlong_query_time = 1"
    assert percona.my_cnf(config(database={"my_cnf": f"\n{own}\n"})).endswith(f"\n{own}\n")


# --- Pod Security: what the operator passes on to every container that it knows a context for ---


@given(configs())
def test_pods_run_as_the_images_user_and_without_privileges(config: StackConfig) -> None:
    """User 1001 owns what the entry points write to (percona-docker, Dockerfile.k8s).

    The operator gives these to the containers `pxc`, `pxc-init`, `logs` and `logrotate`, and to
    `proxysql` and `proxysql-init`; to `pxc-monit` and `proxysql-monit` it gives none.
    """
    found = spec(config)
    contexts = [found["pxc"], found["initContainer"]]
    contexts += [found["logcollector"]] if found["logcollector"]["enabled"] else []
    tiers = [found["pxc"]]
    if found["proxysql"]["enabled"]:
        contexts.append(found["proxysql"])
        tiers.append(found["proxysql"])
    for part in contexts:
        context = part["containerSecurityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["runAsNonRoot"] is True
        assert "runAsUser" not in context, "the Pod's"
        assert "readOnlyRootFilesystem" not in context, "entry points write to /etc"
    for tier in tiers:
        pod = tier["podSecurityContext"]
        assert (pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (1001, 1001, 1001)
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}


# --- our own proxies in front ---


@given(configs())
def test_the_monitor_exists_only_for_our_own_proxies(config: StackConfig) -> None:
    found = spec(config)
    if not config.own_proxies:
        assert "users" not in found
        return
    (user,) = found["users"]
    assert user == {
        "name": "proxysql_monitor",
        "hosts": ["%"],
        "passwordSecretRef": {"name": "secret-monitor", "key": "password"},
    }
    # users_custom.go creates no account of these names; with `grants` it would grant on *.*.
    assert user["name"] not in {"root", "operator", "monitor", "xtrabackup", "replication"}


MONITOR = {
    turn: {
        "name": f"proxysql_monitor{turn}",
        "hosts": ["%"],
        "passwordSecretRef": {"name": "secret-monitor", "key": key},
    }
    for turn, key in (("", "password"), ("_b", "password-b"))
}


@pytest.mark.parametrize("rotation", [1, 2, 3])
def test_both_accounts_of_a_rotated_monitor(rotation: int) -> None:
    """In an order that no rotation changes: it is the Secret that the operator follows."""
    chosen = config(proxy=STANDALONE["proxy"], credentials={"monitor": {"rotation": rotation}})
    assert spec(chosen)["users"] == [MONITOR[""], MONITOR["_b"]]


@pytest.mark.parametrize(
    ("source", "key"),
    [({"password": "(secret)"}, "password"), ({"existing_secret": {"name": "s", "key": "k"}}, "k")],
    ids=str,
)
@pytest.mark.parametrize("rotation", [0, 1, 2])
def test_a_given_password_of_the_monitor_has_one_account(
    source: dict[str, Any], key: str, rotation: int
) -> None:
    chosen = config(
        proxy=STANDALONE["proxy"], credentials={"monitor": {**source, "rotation": rotation}}
    )
    (user,) = spec(chosen)["users"]
    assert user["name"] == "proxysql_monitor"
    assert user["passwordSecretRef"]["key"] == key


@pytest.mark.parametrize("name", ["monitor", "root"])
def test_a_reserved_name_of_the_monitor_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"monitor\.username|mysql-ha:proxy\.monitor"):
        config(proxy={**STANDALONE["proxy"], "monitor": {"username": name}})


@pytest.mark.parametrize("name", ["operator", "xtrabackup", "replication", "proxyadmin"])
def test_a_name_that_the_operator_reserves_is_refused(name: str) -> None:
    """pkg/controller/pxc/users_custom.go: logged as an error, and the account is never made."""
    with pytest.raises(ConfigError, match=r"mysql-ha:proxy\.monitor"):
        config(proxy={**STANDALONE["proxy"], "monitor": {"username": name}})


# --- apps: accounts that the operator makes ---

APPS: list[dict[str, Any]] = [
    {"name": "shop", "databases": {"shop": "owner"}, "rotation": 3},
    {
        "name": "reports",
        "databases": {"shop": "readonly", "stock": "readonly"},
        "default_database": "stock",
    },
    {
        "name": "legacy",
        "username": "Legacy.ERP",
        "databases": {"erp": ["SELECT", "EXECUTE"]},
        "existing_secret": {"name": "given", "key": "pw"},
    },
]
ACCOUNTS = [
    {
        "name": "shop",
        "hosts": ["%"],
        "passwordSecretRef": {"name": "mysql-account-shop", "key": "password"},
        "dbs": ["shop"],
        "grants": ["ALL PRIVILEGES"],
    },
    {
        "name": "shop_b",
        "hosts": ["%"],
        "passwordSecretRef": {"name": "mysql-account-shop", "key": "password-b"},
        "dbs": ["shop"],
        "grants": ["ALL PRIVILEGES"],
    },
    {
        "name": "reports",
        "hosts": ["%"],
        "passwordSecretRef": {"name": "mysql-account-reports", "key": "password"},
        "dbs": ["shop", "stock"],
        "grants": ["SELECT", "SHOW VIEW"],
    },
    {
        "name": "Legacy.ERP",
        "hosts": ["%"],
        "passwordSecretRef": {"name": "mysql-account-legacy", "key": "password"},
        "dbs": ["erp"],
        "grants": ["SELECT", "EXECUTE"],
    },
]


@pytest.mark.parametrize("overrides", [OPERATOR, STANDALONE, {"proxy": {"enabled": False}}])
def test_the_accounts_of_apps(overrides: dict[str, Any]) -> None:
    """Both logins of a rotated one; after the monitor, where there is one."""
    users = spec(config(apps=APPS, **overrides))["users"]
    monitor = [user for user in users if user["name"] == "proxysql_monitor"]
    assert len(monitor) == (1 if overrides is STANDALONE else 0)
    assert users == [*monitor, *ACCOUNTS]


@given(configs(), st.integers(0, 5))
def test_the_operator_takes_every_spec_with_apps(config: StackConfig, rotation: int) -> None:
    app = App.model_validate({**APPS[0], "rotation": rotation})
    found = spec(config.model_copy(update={"apps": (app,)}))
    assert list(refusals(config.name, found)) == []
    for user in found["users"]:
        # Privileges without a database would be granted on all of them (users_custom.go).
        assert ("dbs" in user) == ("grants" in user)
        assert user["passwordSecretRef"].keys() == {"name", "key"}


@pytest.mark.parametrize("overrides", [OPERATOR, STANDALONE])
def test_whose_turn_it_is_changes_nothing_of_the_cluster(overrides: dict[str, Any]) -> None:
    """Once both accounts are there a rotation is an edit of a Secret."""
    one, other = (
        spec(config(apps=[{**APPS[0], "rotation": rotation}], **overrides)) for rotation in (1, 2)
    )
    assert one == other


def test_an_app_is_all_that_changes() -> None:
    bare, found = spec(config()), spec(config(apps=APPS))
    assert found.pop("users")
    assert found == bare


@pytest.mark.parametrize("replicas", [1, 3, 5])
def test_our_proxies_take_the_cluster_for_galera(replicas: int) -> None:
    chosen = config(database={"replicas": replicas}, proxy=STANDALONE["proxy"])
    text = cnf.render(cnf_model(chosen, percona.topology(chosen)), SECRETS)
    parsed = libconfig.parse(libconfig.whole(text, dict.fromkeys(libconfig.INCLUDED, "")))
    (galera,) = parsed["mysql_galera_hostgroups"]
    assert galera["max_writers"] == 1
    assert galera["writer_is_also_reader"] == (2 if replicas > 2 else 1)
    assert "mysql_replication_hostgroups" not in parsed
    servers = parsed["mysql_servers"]
    assert [server["address"] for server in servers] == [
        f"mysql-pxc-{ordinal}.mysql-pxc.default.svc.cluster.local" for ordinal in range(replicas)
    ]
    # The heaviest is the writer: the one that RollingUpdate restarts last.
    assert [server["weight"] for server in servers] == sorted(
        (server["weight"] for server in servers), reverse=True
    )
    assert len({server["weight"] for server in servers}) == replicas
    variables = parsed["mysql_variables"]
    # It decides where the state of a node is read: performance_schema, for version 8.
    assert variables["server_version"] == "8.0.42"
    assert variables["default_authentication_plugin"] == "caching_sha2_password"
    assert variables["ssl_p2s_ca"] == "/etc/proxysql-ca/ca.crt"
    assert {server["port"] for server in servers} == {3306}
    assert {server["use_ssl"] for server in servers} == {1}


@pytest.mark.parametrize(
    ("tag", "version", "expected"),
    [
        ("8.0.42-33.1", None, "8.0.42"),
        ("8.0", None, "8.0.0"),
        ("8.4.6-6.1", None, "8.4.6"),
        ("main-pxc8.0", "8.0", "8.0.0"),
    ],
)
def test_the_server_version(tag: str, version: str | None, expected: str) -> None:
    chosen = config(database={"version": version}, images={"database": {"tag": tag}})
    assert percona.topology(chosen).server_version == expected


def test_a_tag_without_a_version_needs_one() -> None:
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.version"):
        config(images={"database": {"tag": "main-pxc8.0"}})


# --- what does not go together ---


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"database": {"topology": "replication"}}, "database.topology"),
        ({"database": {"topology": "standalone", "replicas": 1}}, "database.topology"),
        ({"database": {"semi_sync": False}}, "database.semi_sync"),
        ({"images": {"data_plane": {"tag": "1.2"}}}, "images.data_plane"),
        ({"credentials": {"replication": {"rotation": 0}}}, "credentials.replication"),
        ({"percona": {"cr_version": "1.17.0"}}, "percona.cr_version"),
        ({"proxy": {"users": []}}, "proxy.users"),
        ({"proxy": {"threads": 2}}, "proxy.threads"),
        ({"proxy": {"service": {"port": 3306}}}, "proxy.service.port"),
        ({"proxy": {"storage": {"persistent": True}}}, "proxy.storage.persistent"),
        ({"proxy": {"routing": "primary_service", "managed_by": "mysql-ha"}}, "proxy.routing"),
        ({"images": {"database": {"tag": "5.7.44"}}}, "images.database.tag"),
        (
            {**STANDALONE, "images": {"proxy": {"tag": "2.7.3"}}},
            "images.proxy.tag",
        ),
    ],
    ids=str,
)
def test_refused(overrides: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"^mysql-ha:{re.escape(path)}: "):
        config(**overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        {"percona": {"log_collector": True}},
        {"images": {"log_collector": {"tag": "1"}}},
        {"proxy": {"managed_by": "operator"}},
    ],
    ids=str,
)
def test_refused_for_the_other_engine(overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        resolve({"size": "small", **overrides})


# --- the observed status ---


def test_the_observed_status() -> None:
    status = {"state": "error", "ready": 2, "size": 6, "message": ["pxc: a", "proxysql: b"]}
    assert percona.observed({**status, "host": "x", "conditions": []}) == {
        "state": "error",
        "ready": 2,
        "size": 6,
        "details": ["pxc: a", "proxysql: b"],
    }


@pytest.mark.parametrize("status", [None, {}, "text", {"message": None}])
def test_a_status_that_is_not_there_yet(status: Any) -> None:
    assert percona.observed(status) == {"state": "unknown", "ready": 0, "size": 0, "details": []}


@given(configs())
def test_volumes_ask_for_the_configs_storage(config: StackConfig) -> None:
    claim = at(spec(config), "pxc.volumeSpec.persistentVolumeClaim")
    wanted = config.database.storage
    assert quantity.parse(claim["resources"]["requests"]["storage"]) == quantity.parse(wanted.size)
    assert claim.get("storageClassName") == wanted.storage_class
