"""What an admin set on an operator's object outlives the next unrelated update, field by field.

The object is that of a stack, without waiting for it: its operator could do none of this without
servers. The rules of field managers are the official provider's (local/plugins/kubernetes.py).
"""

import json
from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s
import pytest

from render.case import case
from render.recorder import Resource, plain
from tests.engine.test_plugins import Place, Program, place

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

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
    "metrics": (
        "MariaDB",
        REPLICATION,
        {**STILL, "metrics": {"enabled": True, "exporter": {"port": 9200}}},
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

PLURALS = {"MariaDB": "mariadbs", "PerconaXtraDBCluster": "perconaxtradbclusters"}


def part(found: Any, wanted: Any) -> Any:
    """What `found` has at the paths of `wanted`."""
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return found
    there, shape = cast(dict[str, Any], found), cast(dict[str, Any], wanted)
    return {key: part(there.get(key), below) for key, below in shape.items()}


def name(field: str) -> str:
    """Of the object that a field is tried on."""
    return field.replace(" ", "-")


def program(place: Place, resources: Mapping[str, Resource], label: str) -> Program:
    """The operators' objects of stacks, by name, with a label that an update can change."""

    def run() -> None:
        options = place.provider()
        for name, resource in resources.items():
            inputs = plain(resource.inputs)
            k8s.apiextensions.CustomResource(
                name,
                api_version=inputs["apiVersion"],
                kind=inputs["kind"],
                metadata={
                    "name": name,
                    "labels": {"unrelated": label},
                    "annotations": {"pulumi.com/skipAwait": "true"},
                },
                spec=inputs["spec"],
                opts=pulumi.ResourceOptions.merge(
                    options,
                    pulumi.ResourceOptions(ignore_changes=list(resource.ignore_changes)),
                ),
            )

    return run


def test_they_stay(place: Place) -> None:
    """Of what kubectl wrote an update takes over all; the next one finds it among its own.

    Each field on an object of its own, and all of them in one stack.
    """
    resources = {
        name(field): case("left-alone", config).run().one(kind)
        for field, (kind, config, _) in FIELDS.items()
    }
    place.up(program(place, resources, "1"))
    for field, (kind, _, theirs) in FIELDS.items():
        patch = json.dumps({"spec": theirs})
        place.kubectl("patch", PLURALS[kind], name(field), "--type=merge", "-p", patch)
    assert place.preview(program(place, resources, "1")) == {}
    wanted = {field: theirs for field, (_, _, theirs) in FIELDS.items()}
    for label in ("2", "3"):
        assert place.up(program(place, resources, label)) == {"update": len(FIELDS)}
        found = {
            field: part(place.live(PLURALS[kind], name(field))["spec"], theirs)
            for field, (kind, _, theirs) in FIELDS.items()
        }
        assert found == wanted


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
        return place.live(PLURALS[kind], "mysql")["spec"].get("pause")

    place.up(program(place, {"mysql": without}, "1"))
    place.kubectl(
        "patch", PLURALS[kind], "mysql", "--type=merge", "-p", '{"spec": {"pause": true}}'
    )
    for value in (False, True, False):
        place.up(program(place, {"mysql": paused(value)}, "1"))
        assert live() is value
    place.up(program(place, {"mysql": without}, "2"))
    place.kubectl(
        "patch", PLURALS[kind], "mysql", "--type=merge", "-p", '{"spec": {"pause": true}}'
    )
    for label in ("3", "4"):
        place.up(program(place, {"mysql": without}, label))
        assert live() is True
