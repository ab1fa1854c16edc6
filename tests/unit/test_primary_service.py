"""`proxy.routing: primary_service`: the operator's Services are the only backends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import ConfigError
from components.config.load import merge, resolve
from components.config.stack import StackConfig
from components.proxysql.cnf import digest, render
from tests.unit.models import SECRETS, cnf_model, config, parsed_cnf, proxied_trees

TOPOLOGY_TABLES = {
    "mysql_replication_hostgroups",
    "mysql_galera_hostgroups",
    "mysql_group_replication_hostgroups",
    "mysql_hostgroup_attributes",
}


def through_service(**proxy: Any) -> StackConfig:
    return config(name="orders", namespace="shop", proxy={"routing": "primary_service", **proxy})


def routed() -> st.SearchStrategy[StackConfig]:
    """Valid configs of databases whose proxies follow the operator's Services."""
    edit = {
        "database": {"topology": "replication", "replicas": 3},
        "proxy": {"routing": "primary_service"},
    }
    return proxied_trees().map(lambda tree: resolve(merge(tree, edit)))


@given(routed())
def test_the_two_services_are_the_backends(config: StackConfig) -> None:
    home = f"{config.namespace}.svc.cluster.local"
    groups = config.proxy.hostgroups
    servers = parsed_cnf(config)["mysql_servers"]
    assert [(s["address"], s["hostgroup"]) for s in servers] == [
        (f"{config.name}-primary.{home}", groups.writer),
        (f"{config.name}-secondary.{home}", groups.reader),
        # Who answers when no replica is there.
        (f"{config.name}-primary.{home}", groups.reader),
    ]
    assert [s.get("weight", 1) for s in servers] == [1, 1000, 1]
    assert {s["port"] for s in servers} == {3306}
    assert {s["use_ssl"] for s in servers} == {int(config.security.tls.enabled)}
    assert {s["max_connections"] for s in servers} == {config.backend_max_connections}
    assert {s["max_replication_lag"] for s in servers} == {0}


@given(routed())
def test_nothing_else_moves_a_server(config: StackConfig) -> None:
    """Nor a fence. Behind a read_only check a Service would alternate between writer and reader."""
    assert not parsed_cnf(config).keys() & TOPOLOGY_TABLES


def test_a_connection_does_not_outlive_a_switchover_by_much() -> None:
    """An open one still leads to the old primary."""
    variables = parsed_cnf(through_service())["mysql_variables"]
    assert variables["connection_max_age_ms"] == 5_000
    # Otherwise a connection is reset when it is returned, which makes it young again.
    assert variables["reset_connection_algorithm"] == 1
    assert variables["connpoll_reset_queue_length"] == 0


def test_the_only_writer_is_not_shunned() -> None:
    """Who waits for it would wait longer than the operator needs."""
    variables = parsed_cnf(through_service())["mysql_variables"]
    # lib/MySQL_Thread.cpp: the upper limit of each.
    assert variables["shun_on_failures"] == 10_000_000
    assert variables["connect_retries_on_failure"] == 1_000
    assert variables["shun_recovery_time_sec"] == 1
    pings = variables["monitor_ping_max_failures"] * variables["monitor_ping_interval"]
    assert pings >= variables["connect_timeout_server_max"]
    own = parsed_cnf(through_service(monitor={"ping_max_failures": 3}))["mysql_variables"]
    assert own["monitor_ping_max_failures"] == 3


def test_idle_connections_are_looked_at_every_second() -> None:
    """The least that ProxySQL takes; by default an age of 5 s means up to 15."""
    assert parsed_cnf(through_service())["mysql_variables"]["ping_interval_server_msec"] == 1_000


def test_a_server_among_others_is_shunned() -> None:
    variables = parsed_cnf(through_service(routing="monitor"))["mysql_variables"]
    assert variables["shun_on_failures"] == 5
    assert variables["connect_retries_on_failure"] == 200
    assert variables["monitor_ping_max_failures"] == 3


# --- the watcher ---


@given(routed())
def test_a_watcher_looks_at_the_primary_unless_peers_copy(config: StackConfig) -> None:
    model = cnf_model(config)
    assert (model.watch is not None) == (config.proxy.clustering != "runtime")
    if model.watch:
        assert model.watch.host == model.topology.service
        assert model.watch.hostgroup == config.proxy.hostgroups.writer
        assert (model.watch.ca_file is not None) == config.security.tls.enabled


@pytest.mark.parametrize(
    "other",
    [
        {"proxy": {"routing": "monitor"}},
        {"proxy": {"clustering": "runtime"}},
        {"proxy": {"switchover_wait": 0, "min_semi_sync_replicas": 0}},
        {"database": {"topology": "galera"}},
    ],
)
def test_nobody_else_has_a_watcher(other: dict[str, Any]) -> None:
    assert cnf_model(config(**other)).watch is None


def test_the_watcher_is_part_of_the_digest() -> None:
    """Running proxies go on with the script that they read when they started."""
    longer = {"switchover_wait": 20}
    digests = {digest(cnf_model(through_service(**proxy)), {}) for proxy in ({}, longer)}
    assert len(digests) == 2


def test_the_age_of_connections_can_be_tuned() -> None:
    own = through_service(mysql_variables={"connection_max_age_ms": 1_000})
    assert parsed_cnf(own)["mysql_variables"]["connection_max_age_ms"] == 1_000


@pytest.mark.parametrize(
    "variables",
    [
        {"connection_max_age_ms": 0},
        {"connection_max_age_ms": "0"},
        {"connection_max_age_ms": 3_600_000},
        {"multiplexing": False},
        {"multiplexing": "false"},
    ],
)
def test_connections_that_outlive_a_switchover_are_refused(variables: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"mysql_variables\.{next(iter(variables))}: "):
        through_service(mysql_variables=variables)
    through_service(routing="monitor", mysql_variables=variables)


@pytest.mark.parametrize("topology", ["standalone", "replication", "galera"])
def test_connections_stay_where_the_proxies_follow_the_writer(topology: str) -> None:
    replicas = 1 if topology == "standalone" else 3
    routing = {"routing": "monitor"} if topology == "replication" else {}
    monitored = config(database={"topology": topology, "replicas": replicas}, proxy=routing)
    aging = {"connection_max_age_ms", "reset_connection_algorithm", "connpoll_reset_queue_length"}
    assert not aging & parsed_cnf(monitored)["mysql_variables"].keys()


def test_it_is_the_default_of_replication() -> None:
    assert config("small", name="orders", namespace="shop") == through_service()
    assert config("large").proxy.routing == "primary_service"


def test_galera_has_no_such_default() -> None:
    """Its proxies choose the writer."""
    galera = parsed_cnf(config(database={"topology": "galera"}))
    assert "mysql_galera_hostgroups" in galera
    assert len(galera["mysql_servers"]) == 3


@pytest.mark.parametrize("replicas", [2, 3, 9])
def test_the_file_does_not_depend_on_the_number_of_replicas(replicas: int) -> None:
    """Clients are never disturbed when a replica comes or goes."""
    small, other = (
        config(database={"replicas": number}, proxy={"routing": "primary_service"})
        for number in (3, replicas)
    )
    assert render(cnf_model(small), SECRETS) == render(cnf_model(other), SECRETS)
