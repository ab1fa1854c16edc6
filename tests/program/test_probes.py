"""Probes and the grace period of servers: what a stack sets arrives, the rest is other people's."""

from typing import Any

import pytest

from render.case import case
from render.recorder import Resource

KINDS = {"mariadb": "MariaDB", "percona": "PerconaXtraDBCluster"}
SLOW = {"initial_delay_seconds": 30, "period_seconds": 7, "timeout_seconds": 6}


def servers(engine: str, **database: Any) -> Resource:
    config = {"size": "small", "engine": engine, "database": database}
    recording = case("probes", config).run()
    assert recording.error is None, recording.error
    return recording.one(KINDS[engine])


def test_a_mariadb_has_the_probes_that_a_stack_sets() -> None:
    found = servers("mariadb", probes={"liveness": SLOW, "startup": {"failure_threshold": 360}})
    spec = found.inputs["spec"]
    assert spec["livenessProbe"] == {
        "initialDelaySeconds": 30,
        "periodSeconds": 7,
        "timeoutSeconds": 6,
    }
    assert spec["startupProbe"] == {"failureThreshold": 360}
    assert "readinessProbe" not in spec
    probes = {path for path in found.ignore_changes if path.endswith("Probe")}
    assert probes == {"spec.readinessProbe"}


def test_a_percona_cluster_has_the_probes_and_the_grace_period_that_a_stack_sets() -> None:
    found = servers("percona", probes={"readiness": SLOW}, termination_grace_seconds=900)
    spec = found.inputs["spec"]["pxc"]
    assert spec["readinessProbes"] == {
        "initialDelaySeconds": 30,
        "periodSeconds": 7,
        "timeoutSeconds": 6,
    }
    assert spec["gracePeriod"] == 900
    assert "livenessProbes" not in spec
    ours = {"spec.pxc.readinessProbes", "spec.pxc.gracePeriod"}
    assert not ours & set(found.ignore_changes)
    assert "spec.pxc.livenessProbes" in found.ignore_changes


@pytest.mark.parametrize("engine", KINDS)
def test_otherwise_they_are_left_alone(engine: str) -> None:
    found = servers(engine)
    probes = {path.rpartition(".")[2] for path in found.ignore_changes}
    either = {"livenessProbe", "readinessProbe", "startupProbe"}, {"livenessProbes", "gracePeriod"}
    assert any(fields <= probes for fields in either)
