"""An update while the operator switches the primary: it waits, and then it is refused."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from components.guards import switchover
from render import recorder
from render.recorder import Recording, plain

ORDERS: dict[str, Any] = {"size": "small", "name": "orders", "namespace": "shop"}
OBJECT = "/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs/orders"
SERVICE = "/api/v1/namespaces/shop/services/orders-primary"


def found(
    *, wanted: int | None = 1, current: int = 1, leads_to: int = 1, switched: str = "True"
) -> dict[str, Any]:
    """The MariaDB object and its primary's Service, as the API has them."""
    conditions = [
        {"type": "Ready", "status": "True"},
        {"type": "PrimarySwitched", "status": switched},
    ]
    primary = {} if wanted is None else {"podIndex": wanted}
    return {
        OBJECT: {
            "spec": {"replication": {"primary": primary}},
            "status": {
                "currentPrimary": f"orders-{current}",
                "currentPrimaryPodIndex": current,
                "conditions": conditions,
            },
        },
        SERVICE: {"spec": {"selector": {switchover.POD: f"orders-{leads_to}"}}},
    }


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock on which every look takes a second; what was slept."""
    slept: list[float] = []
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr(switchover.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(switchover.time, "sleep", slept.append)
    return slept


def again(found: Any, config: dict[str, Any] = ORDERS, *, preview: bool = False) -> Recording:
    """A second update of a stack, with what a look at the cluster finds."""
    first = recorder.run(config)
    assert first.error is None
    return recorder.run(config, previous=plain(first.outputs), found=found, preview=preview)


@pytest.mark.parametrize(
    "state",
    [{}, {"wanted": None}, {"wanted": 2, "current": 2, "leads_to": 2}],
    ids=["settled", "by default", "elsewhere"],
)
def test_nothing_is_being_switched(state: dict[str, Any], hurry: list[float]) -> None:
    recording = again(found(**state))
    assert recording.error is None
    assert recording.asked == [OBJECT, SERVICE]
    assert not hurry


@pytest.mark.parametrize(
    "state",
    [{"wanted": 2}, {"switched": "False"}, {"leads_to": 0}],
    ids=["asked for", "under way", "the Service follows later"],
)
def test_a_switchover_that_does_not_end_is_refused(
    state: dict[str, Any], hurry: list[float]
) -> None:
    recording = again(found(**state))
    assert recording.error is not None
    assert recording.error.startswith("mysql-ha:name: the primary of 'orders' is being switched")
    assert "kubectl -n shop get mariadb orders" in recording.error
    assert recording.resources == []
    assert len(hurry) > 50


def test_an_update_waits_until_it_is_over(hurry: list[float]) -> None:
    states = iter([found(wanted=2), found(wanted=2, switched="False"), found(leads_to=0), found()])
    now: dict[str, Any] = {}

    class Changing(Mapping[str, Any]):
        """Each look at the object finds the next state."""

        def __getitem__(self, path: str) -> Any:
            if path == OBJECT:
                now.update(next(states))
            return now[path]

        def __iter__(self) -> Iterator[str]:
            return iter((OBJECT, SERVICE))

        def __len__(self) -> int:
            return 2

    assert again(Changing()).error is None
    assert len(hurry) == 3


def test_a_preview_does_not_look() -> None:
    recording = again(found(wanted=2), preview=True)
    assert recording.error is None
    assert recording.asked == []


@pytest.mark.parametrize(
    "config",
    [{"size": "dev"}, {"database": {"topology": "galera"}}, {"engine": "percona"}],
    ids=str,
)
def test_where_nothing_is_switched_nobody_looks(config: dict[str, Any]) -> None:
    assert again(None, {**ORDERS, **config}).asked == []


def test_a_new_database_has_no_switchover() -> None:
    assert SERVICE not in recorder.run(ORDERS, found=found(wanted=2)).asked


def test_each_of_several_is_named_by_its_path() -> None:
    several: dict[str, Any] = {"size": "small", "databases": {"orders": {}}, "namespace": "shop"}
    error = again(found(wanted=2), several).error
    assert error is not None
    assert error.startswith("mysql-ha:databases.orders: ")
