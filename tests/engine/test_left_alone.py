"""What an admin set on an operator's object outlives the next unrelated update, field by field.

The object is that of a stack, without waiting for it: its operator could do none of this without
servers. The rules of field managers are the official provider's (local/plugins/kubernetes.py).
"""

import json
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s
import pytest

from render.case import case
from render.recorder import Resource, plain
from tests.engine.test_plugins import Place, Program, place

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

__all__ = ["place"]

STILL = {"suspend": True}
"""Of a MariaDB whose operator must not act on what is tried."""
REPLICATION: dict[str, Any] = {"size": "small"}
GALERA: dict[str, Any] = {"size": "small", "database": {"topology": "galera"}}
PERCONA: dict[str, Any] = {"size": "small", "engine": "percona"}
FIELDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "suspend": ("MariaDB", REPLICATION, STILL),
    "switchover": ("MariaDB", REPLICATION, {**STILL, "replication": {"primary": {"podIndex": 2}}}),
    "no failover": (
        "MariaDB",
        REPLICATION,
        {**STILL, "replication": {"primary": {"autoFailover": False}}},
    ),
    "force bootstrap": (
        "MariaDB",
        GALERA,
        {**STILL, "galera": {"recovery": {"forceClusterBootstrapInPod": "mysql-1"}}},
    ),
    "pause": ("PerconaXtraDBCluster", PERCONA, {"pause": True}),
    "backup": (
        "PerconaXtraDBCluster",
        PERCONA,
        {
            "backup": {
                "image": "example.invalid/backup:1",
                "storages": {"s3": {"type": "s3", "s3": {"bucket": "b"}}},
            }
        },
    ),
    "pmm": ("PerconaXtraDBCluster", PERCONA, {"pmm": {"enabled": True, "serverHost": "pmm"}}),
}
"""`maintenance` is a field of mariadb-operator 26.x, whose CRDs are not installed here: that it is
left alone as these are, tests/schema/test_left_alone.py."""


def part(found: Any, wanted: Any) -> Any:
    """What `found` has at the paths of `wanted`."""
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return found
    there, shape = cast(dict[str, Any], found), cast(dict[str, Any], wanted)
    return {key: part(there.get(key), below) for key, below in shape.items()}


def program(place: Place, resource: Resource, label: str) -> Program:
    """The operator's object of a stack, with a label that an update can change."""
    inputs = plain(resource.inputs)

    def run() -> None:
        k8s.apiextensions.CustomResource(
            "database",
            api_version=inputs["apiVersion"],
            kind=resource.kind,
            metadata={
                "name": "mysql",
                "labels": {"unrelated": label},
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec=inputs["spec"],
            opts=pulumi.ResourceOptions.merge(
                place.provider(),
                pulumi.ResourceOptions(ignore_changes=list(resource.ignore_changes)),
            ),
        )

    return run


@pytest.mark.parametrize("field", FIELDS)
def test_it_stays(place: Place, field: str) -> None:
    """Of what kubectl wrote an update takes over all; the next one finds it among its own."""
    kind, config, theirs = FIELDS[field]
    resource = case("left-alone", config).run().one(kind)
    place.up(program(place, resource, "1"))
    name = {"MariaDB": "mariadb", "PerconaXtraDBCluster": "pxc"}[kind]
    place.kubectl("patch", name, "mysql", "--type=merge", "-p", json.dumps({"spec": theirs}))
    assert place.preview(program(place, resource, "1")) == {}
    for label in ("2", "3"):
        assert place.up(program(place, resource, label)) == {"update": 1}
        assert part(place.live(name, "mysql")["spec"], theirs) == theirs


def test_the_key_decides_a_pause_and_gives_it_back(place: Place) -> None:
    """Over what kubectl wrote; once the key is gone, kubectl has the field again."""
    kind = "PerconaXtraDBCluster"
    without = case("left-alone", PERCONA).run().one(kind)
    known = plain(case("left-alone", PERCONA).run().outputs)

    def paused(value: bool) -> Resource:
        config = {**PERCONA, "database": {"paused": value}}
        recording = case("left-alone", config).run(previous=known)
        assert recording.error is None, recording.error
        return recording.one(kind)

    def live() -> Any:
        return place.live("pxc", "mysql")["spec"].get("pause")

    place.up(program(place, without, "1"))
    place.kubectl("patch", "pxc", "mysql", "--type=merge", "-p", '{"spec": {"pause": true}}')
    for value in (False, True, False):
        place.up(program(place, paused(value), "1"))
        assert live() is value
    place.up(program(place, without, "2"))
    place.kubectl("patch", "pxc", "mysql", "--type=merge", "-p", '{"spec": {"pause": true}}')
    for label in ("3", "4"):
        place.up(program(place, without, label))
        assert live() is True
