"""Whether servers would start on volumes that another database left."""

from typing import Any

import pytest

from components import names
from components.config.engine import ENGINES
from components.config.errors import format_fault
from components.config.load import resolve
from components.config.stack import StackConfig
from components.guards import api, volumes

THEIRS: dict[str, Any] = {"metadata": {"name": "orders"}}


def config(**overrides: Any) -> StackConfig:
    return resolve({"size": "small", "name": "orders", "namespace": "shop", **overrides})


def claims(config: StackConfig) -> list[str]:
    database = config.database
    return [*ENGINES[config.engine].claims("orders", database.topology, database.replicas)]


CONFIGS = {
    "replication": config(),
    "galera": config(database={"topology": "galera"}),
    "dev": config(size="dev"),
    "percona": config(engine="percona"),
}
ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


@ALL
def test_nothing_is_there(config: StackConfig) -> None:
    assert volumes.fault_of(config, "name", [], None) is None
    assert (
        volumes.fault_of(config, "name", ["storage-other-0", "orders", "data-orders-0"], None)
        is None
    )


@ALL
def test_what_a_server_would_find_is_refused(config: StackConfig) -> None:
    """Any single one: also that of the last server, after a replica less."""
    for claim in claims(config):
        fault = volumes.fault_of(config, "name", ["another", claim], None)
        assert fault is not None
        line = format_fault(*fault)
        assert line.startswith(f"mysql-ha:name: namespace 'shop' has the volume claims {claim} ")
        assert f"kubectl -n shop delete pvc {claim}" in line.partition(". Fix: ")[2]


@ALL
def test_all_of_them_are_named_in_one_line(config: StackConfig) -> None:
    found = claims(config)
    fault = volumes.fault_of(config, "databases.orders", [*reversed(found)], None)
    assert fault is not None
    line = format_fault(*fault)
    assert line.startswith("mysql-ha:databases.orders: ")
    assert "\n" not in line
    assert ", ".join(found) in line
    assert f"delete pvc {' '.join(found)}" in line
    for way in ("another name", "adopt"):
        assert way in line


@ALL
def test_claims_of_more_servers_are_nobodys_business(config: StackConfig) -> None:
    """They wait for servers that the config does not have."""
    further = claims(config)[-1].rpartition("-")[0] + "-9"
    assert volumes.fault_of(config, "name", [further], None) is None


@ALL
def test_a_first_update_that_failed_may_go_on(config: StackConfig) -> None:
    """Its outputs were never written, but the operator's object is there, and it is ours."""
    ours = {"metadata": {"labels": {**names.labels("orders", config.engine), "a": "b"}}}
    assert volumes.fault_of(config, "name", claims(config), ours) is None


@ALL
def test_a_database_of_somebody_else_is_adopted_or_left_alone(config: StackConfig) -> None:
    fault = volumes.fault_of(config, "name", claims(config), THEIRS)
    assert fault is not None
    line = format_fault(*fault)
    kind = "PerconaXtraDBCluster" if config.engine == "percona" else "MariaDB"
    assert line.startswith(f"mysql-ha:name: namespace 'shop' has a {kind} 'orders' already")
    assert "adopt: import" in line
    assert "delete" not in line


def test_where_to_look() -> None:
    assert volumes.claims_path(CONFIGS["dev"]) == "/api/v1/namespaces/shop/persistentvolumeclaims"
    assert api.object_path(CONFIGS["dev"]) == (
        "/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs/orders"
    )
    assert api.object_path(CONFIGS["percona"]) == (
        "/apis/pxc.percona.com/v1/namespaces/shop/perconaxtradbclusters/orders"
    )
