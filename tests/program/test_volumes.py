"""Volumes that are there already, in the whole program: refused before anything is made."""

from typing import Any

import pytest

from components import names
from components.config.engine import ENGINES
from render import recorder
from render.recorder import Recording, plain
from tests.program.cases import shop

ORDERS: dict[str, Any] = {"size": "small", "name": "orders", "namespace": "shop"}
CLAIMS = "/api/v1/namespaces/shop/persistentvolumeclaims"
OBJECT = "/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs/orders"
PREVIEW = pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])


def metadata(*names: str) -> dict[str, Any]:
    """A list as the API answers with one."""
    return {"items": [{"metadata": {"name": name}} for name in names]}


LEFT = {CLAIMS: metadata("storage-other-0", "storage-orders-0", "storage-orders-1")}


def run(found: Any = None, config: dict[str, Any] = ORDERS, **more: Any) -> Recording:
    return recorder.run(config, found=found, **more)


def accepted(found: Any = None, config: dict[str, Any] = ORDERS, **more: Any) -> Recording:
    recording = run(found, config, **more)
    assert recording.error is None, recording.error
    return recording


@PREVIEW
def test_nothing_is_made_on_what_another_database_left(preview: bool) -> None:
    recording = run(LEFT, preview=preview)
    assert recording.error is not None
    (line,) = recording.error.splitlines()
    assert line.startswith(
        "mysql-ha:name: namespace 'shop' has the volume claims storage-orders-0,"
    )
    assert "kubectl -n shop delete pvc storage-orders-0 storage-orders-1`" in line
    assert recording.resources == []
    assert "immutable" not in recording.outputs


@PREVIEW
@pytest.mark.parametrize("found", [metadata("storage-other-0"), {"items": None}, None], ids=str)
def test_without_volumes_one_look_is_enough(found: Any, preview: bool) -> None:
    recording = accepted({CLAIMS: found}, preview=preview)
    # Of the object one was for whose it is.
    assert (recording.asked.count(CLAIMS), recording.asked.count(OBJECT)) == (1, 1)


def test_a_database_of_the_stack_is_not_looked_for() -> None:
    """Its volumes are its own."""
    first = accepted()
    again = accepted(previous=plain(first.outputs), preview=True)
    assert again.asked == []
    again = accepted(previous=plain(first.outputs))
    assert CLAIMS not in again.asked


def test_a_stack_that_lost_its_object_may_make_it_again() -> None:
    """The volumes have the password of the stack's own state."""
    accepted(LEFT, previous=plain(accepted().outputs))


def test_a_first_update_that_failed_may_go_on() -> None:
    """Before its outputs were written, after the operator had begun."""
    ours = {"metadata": {"labels": names.labels("orders", "mariadb")}}
    accepted({**LEFT, OBJECT: ours})


def test_a_database_of_somebody_else() -> None:
    error = run({**LEFT, OBJECT: {"metadata": {}}}).error
    assert error is not None
    assert error.startswith("mysql-ha:name: namespace 'shop' has a MariaDB 'orders' already")


def test_an_adopted_database_has_volumes() -> None:
    config = {
        **ORDERS,
        "adopt": "import",
        "credentials": {
            role: {"existing_secret": {"name": "old", "key": role}}
            for role in ("root", "replication")
        },
    }
    existing = {"shop/old": {"root": "text of root", "replication": "another text"}}
    spec = plain(
        accepted(None, {**config, "adopt": "none"}, existing=existing).one("MariaDB").inputs["spec"]
    )
    live = {"MariaDB shop/orders": spec}
    assert accepted(LEFT, config, existing=existing, live=live).asked == []


def test_only_the_new_ones_of_several_are_looked_for() -> None:
    """And each that is refused is named by its own path."""
    both: dict[str, Any] = {"size": "dev", "databases": {"orders": {}, "stock": {}}}
    before = plain(accepted(config={"size": "dev", "databases": {"orders": {}}}).outputs)
    path = "/api/v1/namespaces/default/persistentvolumeclaims"
    left = {path: metadata("storage-orders-0", "storage-stock-0")}
    error = run(left, both, previous=before).error
    assert error is not None
    assert error.startswith("mysql-ha:databases.stock: ")
    assert "\n" not in error
    error = run(left, both).error
    assert error is not None
    assert [line.partition(": ")[0] for line in error.splitlines()] == [
        "mysql-ha:databases.orders",
        "mysql-ha:databases.stock",
    ]


def test_a_retired_name_comes_back() -> None:
    left = {"/api/v1/namespaces/default/persistentvolumeclaims": metadata("storage-orders-0")}
    config: dict[str, Any] = {"size": "dev", "databases": {"stock": {}}, "retire": ["orders"]}
    both: dict[str, Any] = {"size": "dev", "databases": {"orders": {}, "stock": {}}}
    before = plain(accepted(config=both).outputs)
    without = accepted(left, config, previous=before)
    error = run(left, both, previous=plain(without.outputs)).error
    assert error is not None
    assert error.startswith("mysql-ha:databases.orders: ")


def test_an_edit_that_is_refused_anyway_asks_nobody() -> None:
    before = plain(accepted().outputs)
    recording = run(LEFT, {**ORDERS, "name": "other"}, previous=before)
    assert recording.error is not None
    assert "this edit would delete it" in recording.error
    assert recording.asked == []


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_both_engines(engine: str) -> None:
    claim = ENGINES[engine].claims("orders", "galera", 1)[0]
    error = run({CLAIMS: metadata(claim)}, {**ORDERS, "engine": engine, "apps": [shop()]}).error
    assert error is not None
    assert claim in error
