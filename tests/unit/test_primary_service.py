"""`proxy.routing: primary_service`: the operator's Services are the only backends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import merge, resolve
from components.errors import ConfigError
from components.proxysql_cnf import render
from components.schema import StackConfig
from tests.unit.models import SECRETS, cnf, cnf_model, config, proxied_trees

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
    servers = cnf(config)["mysql_servers"]
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
    """A Service behind a read_only check would be a writer and a reader by turns; nor a fence."""
    assert not cnf(config).keys() & TOPOLOGY_TABLES


def test_a_connection_does_not_outlive_a_switchover_by_much() -> None:
    """An open one still leads to the old primary."""
    variables = cnf(through_service())["mysql_variables"]
    assert variables["connection_max_age_ms"] == 5_000
    # Otherwise a connection is reset when it is returned, which makes it young again.
    assert variables["reset_connection_algorithm"] == 1
    assert variables["connpoll_reset_queue_length"] == 0


def test_the_age_of_connections_can_be_tuned() -> None:
    own = through_service(mysql_variables={"connection_max_age_ms": 1_000})
    assert cnf(own)["mysql_variables"]["connection_max_age_ms"] == 1_000


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
    assert not aging & cnf(monitored)["mysql_variables"].keys()


def test_it_is_the_default_of_replication() -> None:
    assert config("small", name="orders", namespace="shop") == through_service()
    assert config("large").proxy.routing == "primary_service"


def test_galera_has_no_such_default() -> None:
    """Its proxies choose the writer."""
    galera = cnf(config(database={"topology": "galera"}))
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
