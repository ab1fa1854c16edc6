"""A primary that no replica follows acknowledges nothing to clients of the proxies (ADR 17)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from testbed.database.servers import eventually
from testbed.dataplane.deployment import Deployment, Lab, Outcome, watch
from testbed.dataplane.nodes import Servers
from testbed.dataplane.watchers import holding

from .conftest import release_of
from .test_switchover import deployed

pytestmark = pytest.mark.dataplane

REFUSED = {1290, 2013}


def leave(site: Deployment) -> None:
    """Replicas apply what they have, and hear no more from the primary."""
    for node in site.others:
        node.query("STOP SLAVE IO_THREAD")


def killed_while_alone(site: Deployment) -> None:
    leave(site)
    time.sleep(1)
    site.primary.kill()
    site.operator.failover()


def comes_back_writable(site: Deployment) -> None:
    """Restarted while the Service leads to it; `read_only` is lifted before anybody follows."""
    old = site.primary
    leave(site)
    old.restart()
    old.query("SET GLOBAL read_only = 0")
    time.sleep(4)
    old.kill()
    site.operator.failover()


def cut_off(site: Deployment) -> None:
    """Connections to the replicas are there, and nothing comes through them for a while."""
    others = site.others
    for node in others:
        node.pause()
    time.sleep(8)
    site.primary.kill()
    for node in others:
        node.resume()
    site.operator.failover()


@pytest.mark.parametrize("happening", [killed_while_alone, comes_back_writable, cut_off])
def test_a_primary_that_nobody_follows_acknowledges_nothing(
    lab: Lab, replication: Servers, happening: Callable[[Deployment], None]
) -> None:
    with deployed(lab, replication) as site:
        outcome = watch(site, happening)
    assert outcome.acknowledged
    assert outcome.lost == 0
    assert set(outcome.failures) <= REFUSED, outcome.messages


def test_without_the_fence_it_does(lab: Lab, unfenced: Servers) -> None:
    """The hazard: writes are acknowledged after the time-out, and the failover loses them."""

    def alone_for_long(site: Deployment) -> None:
        leave(site)
        time.sleep(5)
        site.primary.kill()
        site.operator.failover()

    release = release_of(lab, unfenced, "primary_service", min_semi_sync_replicas=0)
    with lab.deploy(unfenced, release) as site:
        outcome: Outcome = watch(site, alone_for_long)
    assert outcome.lost > 0


def test_one_of_two_replicas_is_enough(lab: Lab, replication: Servers) -> None:
    with deployed(lab, replication) as site:
        outcome = watch(site, lambda site: site.others[0].restart())
        # It came back read-only, and nobody had to see to it.
        assert site.others[0].query("SELECT @@global.read_only").value == "1"
    assert outcome.lost == 0
    assert not outcome.failures


def test_writes_go_on_when_a_replica_is_back(lab: Lab, replication: Servers) -> None:
    with deployed(lab, replication) as site:
        leave(site)
        assert eventually(lambda: holding(site) == {"OFFLINE_SOFT"}, timeout=10)
        site.others[0].query("START SLAVE IO_THREAD")
        assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=20)


def test_the_primary_waits_for_replicas_and_a_new_one_does_not(
    lab: Lab, replication: Servers
) -> None:
    """So a promotion takes no time-out, and what a client wrote does."""
    with deployed(lab, replication) as site:
        waits = "SELECT @@global.rpl_semi_sync_master_wait_no_slave"
        assert eventually(lambda: site.primary.query(waits).value == "1", timeout=10)
        assert {node.query(waits).value for node in site.others} == {"0"}
        old = site.primary
        site.operator.switchover(site.others[0])
        assert old.query(waits).value == "0"
        assert eventually(lambda: site.primary.query(waits).value == "1", timeout=20)
