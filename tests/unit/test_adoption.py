"""What a database that exists must agree about before this program takes it over."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import Fault
from components.config.load import merge, resolve
from components.config.stack import StackConfig
from components.credentials import Credentials, ResolvedCredential
from components.engines import mariadb, percona
from components.engines.wiring import WIRING

GIVEN = {
    role: {"existing_secret": {"name": f"old-{role}", "key": "pw"}}
    for role in ("root", "replication")
}
MARIADB: dict[str, Any] = {"size": "small", "credentials": GIVEN}
PERCONA: dict[str, Any] = {
    "size": "small",
    "engine": "percona",
    # Where its operator keeps it.
    "credentials": {"root": {"existing_secret": {"name": "mysql-secrets", "key": "root"}}},
}
ISSUER = {"security": {"tls": {"issuer": {"name": "company", "kind": "ClusterIssuer"}}}}
SECRET = {"security": {"tls": {"secret": "own"}}}
CONFIGS: dict[str, dict[str, Any]] = {
    "mariadb": MARIADB,
    "mariadb-standalone": {"size": "dev", "credentials": GIVEN},
    "mariadb-galera": merge(MARIADB, {"database": {"topology": "galera", "replicas": 5}}),
    "mariadb-direct": merge(MARIADB, {"proxy": {"enabled": False}}),
    "mariadb-class": merge(MARIADB, {"database": {"storage": {"storage_class": "fast"}}}),
    "mariadb-plain": merge(MARIADB, {"security": {"tls": {"enabled": False}}}),
    "mariadb-tls-optional": merge(MARIADB, {"security": {"tls": {"required": False}}}),
    "mariadb-issuer": merge(MARIADB, ISSUER),
    "mariadb-secret": merge(MARIADB, SECRET),
    "mariadb-pulled": merge(MARIADB, {"images": {"pull_secrets": ["one", "two"]}}),
    "percona": PERCONA,
    "percona-dev": {**PERCONA, "size": "dev"},
    "percona-standalone": merge(PERCONA, {"proxy": {"managed_by": "mysql-ha"}}),
    "percona-direct": merge(PERCONA, {"proxy": {"enabled": False}}),
    "percona-class": merge(PERCONA, {"database": {"storage": {"storage_class": "fast"}}}),
    "percona-plain": merge(PERCONA, {"security": {"tls": {"enabled": False}}}),
    "percona-issuer": merge(PERCONA, ISSUER),
    "percona-secret": merge(PERCONA, SECRET),
}
ALL = pytest.mark.parametrize("name", CONFIGS)


def made(config: StackConfig) -> dict[str, Any]:
    """The object's spec that this program makes of a config, as the engine reads it back."""
    found = {
        role: ResolvedCredential(
            secret=source.existing_secret.name if source.existing_secret else f"made-{role}",
            key=source.existing_secret.key if source.existing_secret else "password",
            password=cast(Any, None),
            resource=None,
        )
        for role, source in config.credentials.items()
    }
    engine = percona if config.engine == "percona" else mariadb
    return cast(dict[str, Any], as_read(engine.spec(config, cast(Credentials, found))))


def as_read(value: Any) -> Any:
    """Plain data as the engine hands it over: all numbers are floats."""
    return json.loads(json.dumps(value), parse_int=float)


def faults(config: StackConfig, spec: Any) -> list[Fault]:
    return list(WIRING[config.engine].differences(config, spec))


def changed(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`spec` with another value at a dotted path; None removes it."""
    result = copy.deepcopy(spec)
    *parents, last = path.split(".")
    below: dict[str, Any] = result
    for key in parents:
        below = below.setdefault(key, {})
    if value is None:
        below.pop(last, None)
    else:
        below[last] = value
    return result


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of everything below a mapping."""
    if isinstance(value, dict):
        for key, below in cast(dict[str, Any], value).items():
            yield (*path, key)
            yield from paths(below, (*path, key))


@ALL
def test_what_this_program_makes_agrees_with_its_config(name: str) -> None:
    config = resolve(CONFIGS[name])
    assert faults(config, made(config)) == []


STORED = {"store": {"volume": {"size": "50Gi"}}}


@pytest.mark.parametrize(
    ("path", "value", "adopt", "refused"),
    [
        ("updateStrategy.type", "OnDelete", "import", True),
        ("updateStrategy.type", "Never", "import", True),
        ("updateStrategy.type", "RollingUpdate", "import", False),
        # It becomes this program's.
        ("updateStrategy.type", "OnDelete", "take_over", False),
        ("storage.ephemeral", True, "take_over", True),
        ("storage.volumeClaimTemplate.accessModes", ["ReadWriteOncePod"], "import", True),
        ("storage.volumeClaimTemplate.accessModes", ["ReadWriteOnce"], "import", False),
    ],
)
def test_backups_that_would_silently_not_be_made(
    path: str, value: Any, adopt: str, *, refused: bool
) -> None:
    config = resolve({**MARIADB, "adopt": adopt, "backup": STORED})
    found = faults(config, changed(made(config), path, value))
    assert [fault[0] for fault in found] == ["backup.enabled"] * refused
    without = resolve({**MARIADB, "adopt": adopt})
    assert faults(without, changed(made(without), path, value)) == []


# --- one field that differs ---

OTHER_ISSUER = {"name": "other", "kind": "Issuer", "group": "cert-manager.io"}
CLAIM = "pxc.volumeSpec.persistentVolumeClaim"
DIFFERENT: list[tuple[str, str, Any, str, str]] = [
    # (config, path in the live spec, its value, config path, what the text says)
    (
        "mariadb",
        "replication.enabled",
        False,
        "database.topology",
        "to adopt it is standalone",
    ),
    ("mariadb", "galera.enabled", True, "database.topology", "is replication, and .* it is galera"),
    ("mariadb-galera", "galera", None, "database.topology", "is galera, and .* it is standalone"),
    ("mariadb", "replicas", 5.0, "database.replicas", "is 3, and .* it is 5"),
    ("mariadb", "replicas", None, "database.replicas", "is 3, and .* it is 1"),
    ("mariadb", "image", "mariadb:11.4", "images.database", "mariadb:11.8.5, and .* mariadb:11.4"),
    ("mariadb", "image", None, "images.database", "not set"),
    ("mariadb", "storage.size", "9Gi", "database.storage.size", "is 10Gi, and .* it is 9Gi"),
    ("mariadb", "storage.size", None, "database.storage.size", "not set"),
    ("mariadb", "storage.storageClassName", "x", "database.storage.storage_class", "it is x"),
    ("mariadb-class", "storage.storageClassName", None, "database.storage.storage_class", "fast"),
    (
        "mariadb",
        "rootPasswordSecretKeyRef.key",
        "other",
        "credentials.root.existing_secret",
        "is {name: old-root, key: pw}, and .* it is {name: old-root, key: other}",
    ),
    (
        "mariadb",
        "rootPasswordSecretKeyRef.name",
        "other",
        "credentials.root.existing_secret",
        "it is {name: other, key: pw}",
    ),
    (
        "mariadb",
        "rootPasswordSecretKeyRef",
        None,
        "credentials.root.existing_secret",
        "is {name: old-root, key: pw}, and .* not set",
    ),
    (
        "mariadb",
        "replication.replica.replPasswordSecretKeyRef.key",
        "other",
        "credentials.replication.existing_secret",
        "it is {name: old-replication, key: other}",
    ),
    (
        "mariadb",
        "replication.replica",
        None,
        "credentials.replication.existing_secret",
        "not set",
    ),
    (
        "mariadb",
        "rootEmptyPassword",
        True,
        "adopt",
        "without a root password. Fix: give root a password",
    ),
    ("mariadb", "port", 3307.0, "adopt", "cannot take over a database on port 3307"),
    ("mariadb", "tls.enabled", False, "security.tls.enabled", "is true, and .* it is false"),
    ("mariadb-plain", "tls", None, "security.tls.enabled", "is false, and .* it is true"),
    ("mariadb", "tls.required", None, "security.tls.required", "is true, and .* it is false"),
    ("mariadb-tls-optional", "tls.required", True, "security.tls.required", "it is true"),
    (
        "mariadb",
        "tls.serverCertIssuerRef",
        OTHER_ISSUER,
        "security.tls.issuer",
        "is not set, and .* it is Issuer other",
    ),
    (
        "mariadb-issuer",
        "tls.serverCertIssuerRef",
        OTHER_ISSUER,
        "security.tls.issuer",
        "is ClusterIssuer company, and .* it is Issuer other",
    ),
    (
        "mariadb-issuer",
        "tls.serverCertIssuerRef.kind",
        None,
        "security.tls.issuer",
        "it is Issuer c",
    ),
    ("mariadb", "tls.serverCertSecretRef", {"name": "x"}, "security.tls.secret", "it is x"),
    ("mariadb-secret", "tls.serverCertSecretRef", None, "security.tls.secret", "is own, and"),
    (
        "mariadb",
        "imagePullSecrets",
        [{"name": "x"}],
        "images.pull_secrets",
        "is not set, .* it is x",
    ),
    ("mariadb-pulled", "imagePullSecrets", None, "images.pull_secrets", "is one, two, and"),
    (
        "mariadb-pulled",
        "imagePullSecrets",
        [{"name": "two"}, {"name": "one"}],
        "images.pull_secrets",
        "is one, two, and .* it is two, one",
    ),
    ("percona", "pxc.size", 5.0, "database.replicas", "is 3, and .* it is 5"),
    ("percona", "pxc.image", "percona/pxc:8.0", "images.database", "it is percona/pxc:8.0"),
    ("percona", "crVersion", "1.19.0", "percona.cr_version", "is 1.18.0, and .* it is 1.19.0"),
    ("percona", "crVersion", None, "percona.cr_version", "not set"),
    ("percona", f"{CLAIM}.resources.requests.storage", "9Gi", "database.storage.size", "it is 9Gi"),
    ("percona", f"{CLAIM}.storageClassName", "x", "database.storage.storage_class", "it is x"),
    ("percona-class", f"{CLAIM}.storageClassName", None, "database.storage.storage_class", "fast"),
    # A volume that is none of the operator's claims, such as an emptyDir.
    ("percona", CLAIM, None, "database.storage.size", "is 10Gi, and .* not set"),
    ("percona", "secretsName", "x", "adopt", "'mysql-secrets', and the cluster has them in 'x'"),
    ("percona", "tls.enabled", False, "security.tls.enabled", "is true, and .* it is false"),
    ("percona-plain", "tls", None, "security.tls.enabled", "is false, and .* it is true"),
    ("percona", "tls.issuerConf", OTHER_ISSUER, "security.tls.issuer", "it is Issuer other"),
    ("percona-issuer", "tls.issuerConf", None, "security.tls.issuer", "is ClusterIssuer company"),
    ("percona", "sslSecretName", "x", "security.tls.secret", "is not set, and .* it is x"),
    ("percona", "sslInternalSecretName", "x", "security.tls.secret", "is not set, and .* it is x"),
    ("percona-secret", "sslSecretName", "x", "security.tls.secret", "is own, and .* it is own, x"),
    (
        "percona-direct",
        "proxysql.enabled",
        True,
        "proxy.managed_by",
        "is not set, and .* it is operator",
    ),
    (
        "percona-standalone",
        "proxysql.enabled",
        True,
        "proxy.managed_by",
        "is mysql-ha, and .* operator",
    ),
    # Its accounts are of a kind that the operator's ProxySQL cannot use (build/pxc-entrypoint.sh).
    ("percona", "proxysql.enabled", False, "proxy.managed_by", "servers refuse to start"),
    ("percona", "proxysql", None, "proxy.managed_by", "servers refuse to start"),
]


@pytest.mark.parametrize(
    ("name", "path", "value", "at", "says"),
    DIFFERENT,
    ids=[f"{name}-{path}-{value}" for name, path, value, _, _ in DIFFERENT],
)
def test_one_field_that_differs_is_named(
    name: str, path: str, value: Any, at: str, says: str
) -> None:
    config = resolve(CONFIGS[name])
    ((found, rule, fix),) = faults(config, changed(made(config), path, value))
    assert found == at
    assert re.search(says, f"{rule}. Fix: {fix}"), rule
    assert fix


@pytest.mark.parametrize("role", ["root", "replication"])
def test_a_password_that_the_config_would_make_is_named(role: str) -> None:
    """It would be another one than the servers know."""
    config = resolve(MARIADB)
    tree = {**MARIADB, "credentials": {**GIVEN, role: {}}}
    ((path, rule, _),) = faults(resolve(tree), made(config))
    assert path == f"credentials.{role}.existing_secret"
    assert rule == (f"is not set, and in the database to adopt it is {{name: old-{role}, key: pw}}")


def test_roots_password_of_percona_is_in_the_operators_secret() -> None:
    generated = resolve({**PERCONA, "credentials": {}})
    ((path, rule, _),) = faults(generated, made(resolve(PERCONA)))
    assert path == "credentials.root.existing_secret"
    assert "it is {name: mysql-secrets, key: root}" in rule


def test_every_difference_is_told_at_once() -> None:
    config = resolve(MARIADB)
    spec = changed(changed(made(config), "replicas", 2), "storage.size", "9Gi")
    assert [path for path, _, _ in faults(config, spec)] == [
        "database.replicas",
        "database.storage.size",
    ]


# --- the same thing in other words ---


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("mariadb", "image", "mariadb:11.8.5"),
        ("mariadb", "image", "library/mariadb:11.8.5"),
        ("mariadb", "storage.size", "10240Mi"),
        ("mariadb", "storage.size", 10 * 2.0**30),
        ("mariadb", "port", None),
        ("mariadb", "galera", {"enabled": False}),
        ("mariadb", "rootEmptyPassword", False),
        ("mariadb", "tls.enabled", None),
        ("mariadb-tls-optional", "tls.required", None),
        ("mariadb", "imagePullSecrets", []),
        ("mariadb-standalone", "replicas", None),
        ("mariadb-plain", "tls", {"enabled": False, "required": True, "serverCertSecretRef": {}}),
        ("percona", "pxc.image", "percona/percona-xtradb-cluster:8.0.42-33.1"),
        ("percona", "secretsName", None),
        ("percona", "tls.enabled", None),
        ("percona", "sslSecretName", "mysql-ssl"),
        ("percona", "sslInternalSecretName", "mysql-ssl-internal"),
        ("percona-standalone", "proxysql", None),
        # What this program decides anew, and may.
        ("percona", "haproxy.enabled", True),
        ("percona", "backup", {"image": "x"}),
        ("mariadb", "myCnf", "[mariadb]"),
        ("mariadb", "rootPasswordSecretKeyRef.generate", True),
    ],
)
def test_what_means_the_same_is_no_difference(name: str, path: str, value: Any) -> None:
    config = resolve(CONFIGS[name])
    assert faults(config, changed(made(config), path, value)) == []


@pytest.mark.parametrize("size", ["10Gi", "10240Mi"])
def test_a_volume_may_be_a_claim_template(size: str) -> None:
    """mariadb-operator takes either."""
    config = resolve(CONFIGS["mariadb-class"])
    claim = {"resources": {"requests": {"storage": size}}, "storageClassName": "fast"}
    storage = {"volumeClaimTemplate": claim}
    assert faults(config, changed(made(config), "storage", storage)) == []
    claim = {"resources": {"requests": {"storage": "9Gi"}}}
    storage = {"volumeClaimTemplate": claim}
    assert [path for path, _, _ in faults(config, changed(made(config), "storage", storage))] == [
        "database.storage.size",
        "database.storage.storage_class",
    ]


# --- whatever is there ---

ODD_SIZES: list[Any] = ["1e9", 1e9, "1E3Gi", "", "ten", 0.5, {}, None]


@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "path"),
    [("mariadb", "storage.size"), ("percona", f"{CLAIM}.resources.requests.storage")],
)
def test_a_size_that_only_kubernetes_reads_is_a_difference(name: str, path: str, size: Any) -> None:
    """No worse: the config has one of another notation anyway, which can be compared by hand."""
    config = resolve(CONFIGS[name])
    ((found, _, _),) = faults(config, changed(made(config), path, size))
    assert found == "database.storage.size"


@ALL
@pytest.mark.parametrize("spec", [{}, {"spec": None}], ids=str)
def test_an_object_with_next_to_nothing_is_compared(name: str, spec: Any) -> None:
    assert faults(resolve(CONFIGS[name]), spec)


def test_half_a_reference_is_shown_as_it_is() -> None:
    config = resolve(MARIADB)
    live = changed(made(config), "rootPasswordSecretKeyRef", {"name": "old-root"})
    ((_, rule, _),) = faults(config, live)
    assert "it is {name: old-root, key: " in rule


def emptied(value: Any, path: tuple[str, ...], null: bool) -> Any:
    """A copy without what stands at a path: null there, or an empty mapping for a mapping."""
    if not path:
        return {} if isinstance(value, dict) and not null else None
    if not isinstance(value, dict):
        return value
    mapping = cast(dict[str, Any], value)
    return {**mapping, path[0]: emptied(mapping.get(path[0]), path[1:], null)}


@given(st.data())
def test_nothing_that_may_be_missing_stops_the_comparison(data: st.DataObject) -> None:
    """Every field may be absent, null or empty: whoever made the object left out what he liked."""
    config = resolve(CONFIGS[data.draw(st.sampled_from(sorted(CONFIGS)))])
    spec = made(config)
    for path in data.draw(st.lists(st.sampled_from(sorted(paths(spec))), max_size=5)):
        spec = emptied(spec, path, data.draw(st.booleans()))
    for fault in faults(config, spec):
        assert all(isinstance(text, str) and text for text in fault)
