"""Proxies that die, are replaced and get another configuration.

Numbers are rows of docs/acceptance.md.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from testbed.dataplane import deployment
from testbed.dataplane.deployment import Deployment, Lab, Outcome, logs_in, max_connections, watch
from testbed.dataplane.nodes import APP, SECOND, Servers

from .conftest import release_of

pytestmark = pytest.mark.dataplane

SHORT = (0.0, 0.2, 1.0)
"""Lifetimes of connections, in seconds, that are shorter than the drain."""
LOST = {2003, 2006, 2013}
"""Connections that were refused, or ended before or after a statement was sent."""


def test_a_dead_proxy_fails_only_its_own_requests(lab: Lab, replication: Servers) -> None:
    with lab.deploy(replication, release_of(lab, replication, "monitor")) as site:
        outcome = watch(site, deployment.proxy_crash)
    assert outcome.lost == 0
    assert outcome.stray == 0
    assert set(outcome.failures) <= LOST, outcome.messages


@pytest.fixture(scope="module")
def rolled(lab: Lab, replication: Servers) -> Generator[tuple[Deployment, Outcome]]:
    """Proxies after a roll to a configuration with one user fewer.

    Before it, one of them ran `LOAD … TO RUNTIME`, from which its peers must not copy.
    """
    before = release_of(lab, replication, "monitor")
    after = release_of(lab, replication, "monitor", users=(APP,), max_connections=2000)
    with lab.deploy(replication, before) as site:
        assert all(logs_in(proxy, SECOND) for proxy in site.tier.proxies)
        yield site, watch(site, deployment.config_change(after), lifetimes=SHORT)


def test_a_roll_ends_on_the_new_configuration(rolled: tuple[Deployment, Outcome]) -> None:
    """14, 15: on all proxies, and the removed user is refused."""
    site, _ = rolled
    for proxy in site.tier.proxies:
        assert max_connections(proxy) == 2000
        assert not logs_in(proxy, SECOND)
        assert logs_in(proxy, APP)


def test_a_roll_fails_no_request_of_short_connections(
    rolled: tuple[Deployment, Outcome],
) -> None:
    """34: endpoints go first, then new connections are refused, then sessions end."""
    _, outcome = rolled
    assert outcome.acknowledged
    assert not outcome.failures, outcome.messages
    assert outcome.lost == 0
