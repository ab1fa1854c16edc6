"""Planned switchovers behind the Service: a pause, also when a watcher dies in it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from testbed.database.servers import eventually
from testbed.dataplane import deployment
from testbed.dataplane.deployment import COUNTED, TIES, Deployment, Lab, refused, watch
from testbed.dataplane.nodes import APP, MONITOR, Servers
from testbed.dataplane.proxies import Proxy
from testbed.dataplane.watchers import holding, kill_watcher, state, watched

from .conftest import release_of

pytestmark = pytest.mark.dataplane

LOST_CONNECTION, READ_ONLY = 2013, 1290
FEW = 9
"""Refused writes of five clients: what was inside the server or on its way when it was locked."""


@contextmanager
def deployed(lab: Lab, servers: Servers, **proxy: Any) -> Generator[Deployment]:
    """A deployment whose proxies have a watcher that looks at the primary."""
    with lab.deploy(servers, release_of(lab, servers, "primary_service", **proxy)) as site:
        assert eventually(lambda: watched(site), timeout=20)
        yield site


def assert_nothing_lost(outcome: deployment.Outcome) -> None:
    assert outcome.acknowledged
    assert outcome.lost == 0
    assert set(outcome.missing.values()) == {0}
    assert outcome.stray == 0
    assert not outcome.broken
    assert not outcome.notes
    assert set(outcome.failures) <= {READ_ONLY, LOST_CONNECTION}, outcome.messages


def test_a_switchover_is_a_pause(lab: Lab, replication: Servers) -> None:
    with deployed(lab, replication) as site:
        outcome = watch(site, deployment.switchover)
        assert holding(site) == {"ONLINE"}
        for proxy in site.tier.proxies:
            assert "[watch] read-only: writes wait" in proxy.log()
            assert not state(proxy, "hold").exists()
    assert_nothing_lost(outcome)
    assert outcome.failures.total() <= FEW, outcome.failures


def test_a_second_switchover_is_one_too(lab: Lab, replication: Servers) -> None:
    def there_and_back(site: Deployment) -> None:
        first = site.primary
        deployment.switchover(site)
        time.sleep(4)
        site.operator.switchover(first)

    with deployed(lab, replication) as site:
        outcome = watch(site, there_and_back)
    assert_nothing_lost(outcome)
    assert outcome.failures.total() <= 2 * FEW, outcome.failures


def test_watchers_that_are_killed_in_a_switchover(lab: Lab, replication: Servers) -> None:
    """Each when it has stopped writes. The next goes on; tests/unit/test_watch.py has all steps."""
    with deployed(lab, replication) as site:

        def kill(proxy: Proxy) -> None:
            assert eventually(state(proxy, "hold").exists, timeout=20)
            kill_watcher(proxy)

        killers = [threading.Thread(target=kill, args=[proxy]) for proxy in site.tier.proxies]
        for killer in killers:
            killer.start()
        outcome = watch(site, deployment.switchover)
        for killer in killers:
            killer.join()
        assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=10)
        assert any("[watch] hold before" in proxy.log() for proxy in site.tier.proxies)
    assert_nothing_lost(outcome)


def test_watchers_that_are_killed_again_and_again(lab: Lab, replication: Servers) -> None:
    """Then more writes are refused, and none is lost."""
    ending = threading.Event()
    with deployed(lab, replication) as site:

        def kill() -> None:
            while not ending.wait(0.9):
                for proxy in site.tier.proxies:
                    kill_watcher(proxy)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            outcome = watch(site, deployment.switchover)
        finally:
            ending.set()
            killer.join()
        assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=10)
    assert_nothing_lost(outcome)


def test_a_watcher_that_hangs_is_replaced(lab: Lab, replication: Servers) -> None:
    with deployed(lab, replication) as site:
        site.primary.query("SET GLOBAL read_only = 1")
        assert eventually(lambda: holding(site) == {"OFFLINE_SOFT"}, timeout=10)
        for proxy in site.tier.proxies:
            kill_watcher(proxy, signal.SIGSTOP)
        site.primary.query("SET GLOBAL read_only = 0")
        assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=40)
        assert all("hangs: ended" in proxy.log() for proxy in site.tier.proxies)


def test_giving_up_does_not_stop_writes_again(lab: Lab, replication: Servers) -> None:
    with deployed(lab, replication, switchover_wait=3) as site:
        site.primary.query("SET GLOBAL read_only = 1")
        assert eventually(lambda: holding(site) == {"OFFLINE_SOFT"}, timeout=10)
        assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=20)
        for proxy in site.tier.proxies:
            kill_watcher(proxy)
        assert not eventually(lambda: "OFFLINE_SOFT" in holding(site), timeout=6)
        for proxy in site.tier.proxies:
            with proxy.session(APP) as session:
                assert refused(session, 1) == READ_ONLY
        site.primary.query("SET GLOBAL read_only = 0")
        gone = [state(proxy, "gave-up") for proxy in site.tier.proxies]
        assert eventually(lambda: not any(path.exists() for path in gone), timeout=20)
        site.primary.query("SET GLOBAL read_only = 1")
        assert eventually(lambda: holding(site) == {"OFFLINE_SOFT"}, timeout=10)
        site.primary.query("SET GLOBAL read_only = 0")
        assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=20)


@pytest.mark.parametrize("tie", TIES)
def test_a_session_that_is_tied_to_the_old_primary_ends(
    lab: Lab, replication: Servers, tie: str
) -> None:
    """It gets 2013 once, and the next one writes; without the watcher, it is refused for ever."""
    with deployed(lab, replication) as site:
        site.primary.query(COUNTED)
        with site.tier.proxies[0].session(APP) as session:
            for sql in TIES[tie]:
                session.query(sql)
            site.operator.switchover(site.others[0])
            assert eventually(lambda: holding(site) == {"ONLINE"}, timeout=20)
            assert refused(session, 1) == LOST_CONNECTION
        with site.tier.proxies[0].session(APP) as session:
            assert refused(session, 2) is None


def test_the_watcher_uses_tls(lab: Lab, replication: Servers) -> None:
    """With an account that is let in by TLS only."""
    assert replication.authority
    certificates = {
        "ca/ca.crt": (replication.authority.directory / "ca.crt").read_text(),
    }
    release = release_of(
        lab, replication, "primary_service", certificates=certificates, tls={"required": False}
    )
    with lab.deploy(replication, release) as site:
        site.primary.query(f"ALTER USER {MONITOR} REQUIRE SSL")
        assert eventually(lambda: watched(site), timeout=30)
        assert not any("cannot watch" in proxy.log() for proxy in site.tier.proxies)


def test_the_service_is_gone_for_ten_seconds(lab: Lab, replication: Servers) -> None:
    """Statements wait for it, and go on when it is back."""
    with deployed(lab, replication) as site:
        outcome = watch(site, deployment.service_gone(10))
    assert_nothing_lost(outcome)


def test_peers_that_copy_have_no_watcher(lab: Lab, replication: Servers) -> None:
    release = release_of(lab, replication, "primary_service", clustering="runtime")
    with lab.deploy(replication, release) as site:
        files = [state(proxy, "pid") for proxy in site.tier.proxies]
        assert not eventually(lambda: any(file.exists() for file in files), timeout=4)
