"""Placement in the words of a Pod spec: what a Pod does when its node is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.load import resolve
from components.config.scheduling import Placement
from components.pods import scheduling

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
LOST = (NOT_READY, UNREACHABLE)

tolerations = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["", "db", *LOST]),
        "operator": st.sampled_from(["Equal", "Exists"]),
        "value": st.sampled_from(["", "a"]),
        "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
        "toleration_seconds": st.integers(0, 600),
    },
).filter(lambda fields: accepted(fields))


def accepted(fields: dict[str, Any]) -> bool:
    """What the API server takes (pkg/apis/core/validation, ValidateTolerations)."""
    exists = fields.get("operator") == "Exists"
    named = bool(fields.get("key")) or exists
    evicts = "toleration_seconds" not in fields or fields.get("effect") == "NoExecute"
    return named and evicts and not (exists and fields.get("value"))


def found(seconds: int | None, *own: dict[str, Any]) -> list[dict[str, Any]]:
    """The tolerations of a Pod spec."""
    placement = Placement(
        disruption_budget=False,
        spread="none",
        node_loss_seconds=seconds,
        tolerations=own,  # pyright: ignore[reportArgumentType]
    )
    return scheduling.pod_spec(placement, {}).get("tolerations", [])


def leaves(taint: str, seconds: int) -> dict[str, Any]:
    return {
        "key": taint,
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": seconds,
    }


def admitted(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the API server makes of a Pod's tolerations: its own where there is none for a taint.

    plugin/pkg/admission/defaulttolerationseconds/admission.go, Admit.
    """
    missing = [
        taint
        for taint in LOST
        if not any(
            t.get("key", "") in (taint, "") and t.get("effect", "") in ("NoExecute", "")
            for t in listed
        )
    ]
    return [*listed, *(leaves(taint, 300) for taint in missing)]


def test_without_a_number_the_clusters_default_holds() -> None:
    assert found(None) == []
    assert "tolerations" not in scheduling.pod_spec(
        Placement(disruption_budget=False, spread="none"), {}
    )


@pytest.mark.parametrize("seconds", [0, 30, 86_400])
def test_both_ways_to_lose_a_node(seconds: int) -> None:
    assert found(seconds) == [leaves(NOT_READY, seconds), leaves(UNREACHABLE, seconds)]


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ({"key": NOT_READY, "operator": "Exists"}, [UNREACHABLE]),
        ({"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute"}, [NOT_READY]),
        ({"operator": "Exists"}, []),
        ({"key": "", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 900}, []),
        ({"key": NOT_READY, "operator": "Exists", "effect": "NoSchedule"}, LOST),
        ({"key": "db", "operator": "Exists"}, LOST),
    ],
    ids=str,
)
def test_a_toleration_of_the_stacks_own_wins(own: dict[str, Any], left: list[str]) -> None:
    """Of two for one taint the shorter would count (taint_eviction.go, getMinTolerationTime)."""
    first, *others = found(30, own)
    assert first["operator"] == "Exists"
    assert others == [leaves(taint, 30) for taint in left]


@given(st.lists(tolerations, max_size=4), st.integers(0, 86_400))
def test_it_takes_the_place_of_the_api_servers_default(
    own: list[dict[str, Any]], seconds: int
) -> None:
    """Of no toleration of the stack's own, which come first and as they are."""
    plain, listed = found(None, *own), found(seconds, *own)
    assert listed[: len(plain)] == plain
    defaults = admitted(plain)[len(plain) :]
    assert listed[len(plain) :] == [leaves(t["key"], seconds) for t in defaults]
    assert admitted(listed) == listed


@pytest.mark.parametrize("size", ["dev", "small", "large"])
def test_proxies_leave_soon_and_servers_when_the_cluster_says_so(size: str) -> None:
    """A proxy holds nothing; a server's volume may not follow it, and it would restart for that."""
    placed = resolve({"size": size}).scheduling
    assert (placed.database.node_loss_seconds, placed.proxy.node_loss_seconds) == (None, 30)
    placed = resolve({"size": size, "engine": "percona"}).scheduling
    assert (placed.database.node_loss_seconds, placed.proxy.node_loss_seconds) == (None, None)
    placed = resolve(
        {"size": size, "engine": "percona", "proxy": {"managed_by": "mysql-ha"}}
    ).scheduling
    assert (placed.database.node_loss_seconds, placed.proxy.node_loss_seconds) == (None, 30)
