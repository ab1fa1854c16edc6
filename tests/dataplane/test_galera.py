"""Galera: proxies agree on one writer, whatever happens to it."""

from __future__ import annotations

from itertools import groupby

import pytest

from testbed.database.servers import eventually
from testbed.dataplane import deployment
from testbed.dataplane.deployment import Lab, watch
from testbed.dataplane.nodes import Servers

from .conftest import release_of

pytestmark = pytest.mark.dataplane


FAILURES = {2013, 1047, 1213}
"""Lost connection; a node that is leaving; a conflict with a write through another node."""


def test_one_node_at_a_time_takes_writes(lab: Lab, galera: Servers) -> None:
    """36: no acknowledged write is lost, and two nodes never took writes alternately."""
    with lab.deploy(galera, release_of(lab, galera, "galera")) as site:
        outcome = watch(site, deployment.primary_crash)
        writes = sorted((at, server) for server, at in site.primary.writes().values())
    assert outcome.lost == 0
    assert set(outcome.missing.values()) == {0}
    assert set(outcome.failures) <= FAILURES, outcome.messages
    assert len([server for server, _ in groupby(server for _, server in writes)]) == 2


def test_a_restarted_node_takes_its_turn_again(lab: Lab, galera: Servers) -> None:
    """All proxies return to the node of the greatest weight, each at its next check."""
    first = galera.nodes[0]
    with lab.deploy(galera, release_of(lab, galera, "galera")) as site:
        outcome = watch(site, deployment.writer_restart)
        assert eventually(lambda: site.tier.agrees_on({first.host}), timeout=20)
    assert outcome.lost == 0
    assert set(outcome.missing.values()) == {0}
    assert set(outcome.failures) <= FAILURES, outcome.messages
