"""The three sizes: the table that docs/configuration.md shows, field by field."""

from typing import Any

import pytest

from components.config.load import merge, resolve
from components.config.presets import SIZES

TABLE: dict[str, tuple[Any, Any, Any]] = {
    # path: dev, small, large
    "database.topology": ("standalone", "replication", "replication"),
    "database.replicas": (1, 3, 3),
    "database.storage.size": ("1Gi", "10Gi", "100Gi"),
    "database.resources.requests.cpu": (None, "500m", "2"),
    "database.resources.requests.memory": (None, "1Gi", "8Gi"),
    "database.resources.limits.cpu": (None, "1", "4"),
    "database.resources.limits.memory": (None, "2Gi", "8Gi"),
    "proxy.enabled": (False, True, True),
    "proxy.managed_by": ("mysql-ha", "mysql-ha", "mysql-ha"),
    "proxy.replicas": (1, 3, 3),
    "proxy.resources.requests.cpu": (None, "100m", "500m"),
    "proxy.resources.requests.memory": (None, "128Mi", "512Mi"),
    "proxy.resources.limits.cpu": (None, "1", "2"),
    "proxy.resources.limits.memory": (None, "512Mi", "1Gi"),
    "security.tls.enabled": (False, True, True),
    "security.protect": (False, True, True),
    "database.network_policy.enabled": (False, True, True),
    "security.network_policy.enabled": (False, True, True),
    "scheduling.database.disruption_budget": (False, True, True),
    "scheduling.proxy.disruption_budget": (False, True, True),
    "scheduling.database.spread": ("none", "preferred", "preferred"),
    "scheduling.proxy.spread": ("none", "preferred", "preferred"),
}


def value_at(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree[key]
    return tree


@pytest.mark.parametrize("path", TABLE)
def test_the_table(path: str) -> None:
    found = tuple(
        value_at(resolve({"size": size}).model_dump(), path) for size in ("dev", "small", "large")
    )
    assert found == TABLE[path]


def test_the_default_size_is_dev() -> None:
    assert resolve({}).size == "dev"


@pytest.mark.parametrize("size", SIZES)
def test_a_size_needs_no_override(size: str) -> None:
    assert resolve({"size": size}).size == size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("override", "path"),
    [
        ({"database": {"storage": {"size": "500Gi"}}}, "database.storage.size"),
        ({"proxy": {"enabled": True, "threads": 7}}, "proxy.threads"),
        (
            {"proxy": {"enabled": True, "resources": {"limits": {"cpu": "9"}}}},
            "proxy.resources.limits.cpu",
        ),
        ({"security": {"protect": True}}, "security.protect"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_field_overrides_and_the_rest_stays(
    size: str, override: dict[str, Any], path: str
) -> None:
    plain = resolve({"size": size}).model_dump()
    changed = resolve({"size": size, **override}).model_dump()
    assert value_at(changed, path) == value_at(override, path)
    assert changed == merge(plain, override)


@pytest.mark.parametrize("size", SIZES)
def test_the_connections_of_all_proxies_leave_a_reserve(size: str) -> None:
    config = resolve({"size": size})
    total = config.proxy.replicas * config.backend_max_connections
    assert 0 < total <= 0.8 * config.database.max_connections


@pytest.mark.parametrize("size", ["small", "large"])
def test_threads_match_the_cpu_limit(size: str) -> None:
    proxy = resolve({"size": size}).proxy
    assert str(proxy.threads) == proxy.resources.limits.cpu
