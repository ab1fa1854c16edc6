"""The proxies together never use up a server's connections."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.config.errors import ConfigError
from components.config.load import merge, resolve
from components.config.stack import StackConfig, monitor_connections
from tests.unit.models import config, parsed_cnf

RESERVE = 10
"""Connections for root, the operator and the replicas."""


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Every mixture of what the arithmetic depends on, feasible or not."""
    topology = draw(st.sampled_from(["standalone", "replication", "galera"]))
    replicas = {"standalone": [1], "replication": [2, 3, 9], "galera": [3, 5, 7]}[topology]
    elsewhere = topology != "standalone"
    user = {"username": "app", "password": "(secret)"}
    groups = st.sampled_from([None, 10, *([20] if elsewhere else [])])
    proxy: dict[str, Any] = {
        "enabled": True,
        "replicas": draw(st.integers(1, 20)),
        "read_write_split": elsewhere and draw(st.booleans()),
        "users": [{**user, "default_hostgroup": draw(groups)}],
        "query_rules": [{"rule_id": 1, "timeout": 100, "destination_hostgroup": draw(groups)}],
    }
    if topology == "replication":
        proxy["routing"] = draw(st.sampled_from(["monitor", "primary_service"]))
    if draw(st.booleans()):
        proxy["max_replicas"] = draw(st.integers(proxy["replicas"], 20))
    if draw(st.booleans()):
        proxy["backend_max_connections"] = draw(st.integers(1, 1000))
    return {
        "size": draw(st.sampled_from(["dev", "small", "large"])),
        "database": {
            "topology": topology,
            "replicas": draw(st.sampled_from(replicas)),
            "max_connections": draw(st.integers(20, 2000) | st.integers(20, 100_000)),
            "resources": {"limits": {"memory": "64Gi"}},
        },
        "proxy": proxy,
    }


def shares(tree: dict[str, Any]) -> int:
    """How many proxies there may be without a roll."""
    replicas = tree["proxy"]["replicas"]
    default = 1 if replicas == 1 else next(n for n in (5, 10, 15, 20) if n >= replicas)
    return tree["proxy"].get("max_replicas", default)


def worst(tree: dict[str, Any]) -> int:
    """Connections that the proxies may hold to one server, by the rendered file."""
    config = resolve(tree)
    rows = parsed_cnf(config)["mysql_servers"]
    (limit,) = {row["max_connections"] for row in rows}
    assert limit >= 1
    mixed = "backend_max_connections" in tree["proxy"]
    return limit * config.hostgroups_per_server * (config.proxy.replicas if mixed else shares(tree))


@given(trees())
def test_what_resolves_fits(tree: dict[str, Any]) -> None:
    """R 32, for as many proxies as there may be, and the proxies' monitors and a reserve fit
    beside their clients."""
    try:
        total = worst(tree)
    except ConfigError as error:
        assert str(error).startswith("mysql-ha:proxy.backend_max_connections: ")
        return
    limit = tree["database"]["max_connections"]
    assert total <= 0.8 * limit
    assert total + monitors(tree) + RESERVE <= limit


@given(trees())
def test_only_what_cannot_fit_is_refused(tree: dict[str, Any]) -> None:
    """One connection per proxy and hostgroup is the least; a stack's own number counts as it is."""
    limit = tree["database"]["max_connections"]
    own = tree["proxy"].get("backend_max_connections")
    proxies, least = (tree["proxy"]["replicas"], own) if own else (shares(tree), 1)
    budget = min(limit * 8 // 10, limit - RESERVE - monitors(tree))
    fits = proxies * rows(tree) * least <= budget
    try:
        resolve(tree)
    except ConfigError as error:
        assert not fits
        assert len(str(error).splitlines()) == 1
    else:
        assert fits


def monitors(tree: dict[str, Any]) -> int:
    """Connections that the proxies' monitors and watchers may hold to one server."""
    watched = (
        tree["database"]["topology"] == "replication"
        and tree["proxy"].get("routing", "primary_service") == "primary_service"
    )
    return monitor_connections(shares(tree), watched=watched)


def rows(tree: dict[str, Any]) -> int:
    """Hostgroups in which one server may be used at a time."""
    proxy = tree["proxy"]
    groups = {
        proxy["users"][0]["default_hostgroup"],
        proxy["query_rules"][0]["destination_hostgroup"],
    }
    return 2 if proxy["read_write_split"] or 20 in groups else 1


@given(trees(), st.integers(1, 100))
def test_more_connections_of_the_server_are_never_fewer_per_proxy(
    tree: dict[str, Any], more: int
) -> None:
    assume("backend_max_connections" not in tree["proxy"])
    limit = tree["database"]["max_connections"]
    assume(limit + more <= 100_000)
    larger = merge(tree, {"database": {"max_connections": limit + more}})
    try:
        before = resolve(tree).backend_max_connections
    except ConfigError:
        return
    assert resolve(larger).backend_max_connections >= before


SPLIT: dict[str, Any] = {"read_write_split": True}
REPORT: dict[str, Any] = {
    "users": [{"username": "a", "password": "(secret)", "default_hostgroup": 20}]
}
RULE: dict[str, Any] = {"query_rules": [{"rule_id": 1, "destination_hostgroup": 20}]}


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        ({}, 1),
        (SPLIT, 2),
        (REPORT, 2),
        (RULE, 2),
        ({**SPLIT, **REPORT, **RULE}, 2),
        ({"users": [{"username": "a", "password": "(secret)", "default_hostgroup": 10}]}, 1),
        ({"query_rules": [{"rule_id": 1, "destination_hostgroup": 10}]}, 1),
        ({"query_rules": [{"rule_id": 1, "timeout": 100}]}, 1),
    ],
    ids=str,
)
def test_a_writer_that_reads_too_counts_twice(proxy: dict[str, Any], expected: int) -> None:
    """ProxySQL limits connections per hostgroup and server (lib/MySQL_HostGroups_Manager.cpp)."""
    for topology in ("replication", "galera"):
        assert (
            config(database={"topology": topology}, proxy=proxy).hostgroups_per_server == expected
        )


@pytest.mark.parametrize("routing", ["writer", "reader"])
def test_apps_may_use_every_hostgroup(routing: str) -> None:
    """The share of a connection is in the file that rolls the proxies: no app edits it."""
    app = {"name": "shop", "databases": {"shop": "owner"}, "routing": routing}
    assert config(apps=[app]).hostgroups_per_server == 2
    assert config(apps=[app]).backend_max_connections == 40


def test_a_single_server_has_one_row() -> None:
    assert config("dev", proxy={"enabled": True}).hostgroups_per_server == 1


@pytest.mark.parametrize(
    ("size", "proxy", "expected"),
    [
        ("small", {}, 80),
        ("small", SPLIT, 40),
        ("large", {}, 160),
        ("large", SPLIT, 80),
        ("small", {"replicas": 2}, 80),
        ("small", {"replicas": 5}, 80),
        ("small", {"replicas": 6}, 40),
        ("small", {"replicas": 1}, 400),
        ("small", {"max_replicas": 3}, 133),
        ("small", {"max_replicas": 3, **SPLIT}, 66),
        ("small", {"replicas": 1, "max_replicas": 3}, 133),
    ],
    ids=str,
)
def test_the_share_of_a_proxy(size: str, proxy: dict[str, Any], expected: int) -> None:
    assert config(size, proxy=proxy).backend_max_connections == expected


@pytest.mark.parametrize(
    ("proxies", "limit"), [(1, 151), (3, 500), (3, 1000), (20, 1000), (20, 150), (9, 60), (1, 20)]
)
def test_the_budget(proxies: int, limit: int) -> None:
    """Of a small server the monitors and the reserve leave less than 80 %."""
    tree: StackConfig | None = None
    shares = {1: 1, 3: 5, 9: 10, 20: 20}[proxies]
    budget = min(limit * 8 // 10, limit - RESERVE - 7 * (shares + 1))
    overrides: dict[str, Any] = {"database": {"max_connections": limit}}
    overrides["proxy"] = {"replicas": proxies}
    try:
        tree = config(**overrides)
    except ConfigError as error:
        assert budget < shares, str(error)
    else:
        assert tree.connection_budget == budget >= shares
        assert tree.backend_max_connections == budget // shares
