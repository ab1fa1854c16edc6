"""Proxies that become more and fewer while the others run.

Numbers are rows of docs/acceptance.md.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest

from testbed.database.servers import eventually
from testbed.dataplane.deployment import Deployment, Lab, Outcome, watch
from testbed.dataplane.nodes import APP, Servers
from testbed.dataplane.proxies import Proxy
from testbed.dataplane.release import Release

from .conftest import release_of
from .test_proxies import SHORT

pytestmark = pytest.mark.dataplane

NOT_COPIED = "Not syncing due to 'admin-cluster_proxysql_servers_diffs_before_sync=0'"


def release(lab: Lab, servers: Servers, replicas: int, clustering: str) -> Release:
    """Of so many proxies, which look at their peers more often."""
    found = release_of(lab, servers, "primary_service", replicas=replicas, clustering=clustering)
    return found.edited("interval_ms = 5000", "interval_ms = 500")


def peers(proxy: Proxy) -> set[str | None]:
    """Whom it knows."""
    return set(proxy.admin("SELECT hostname FROM runtime_proxysql_servers").first_column)


def know_each_other(site: Deployment) -> bool:
    everyone = {proxy.host for proxy in site.tier.proxies}
    return all(peers(proxy) == everyone for proxy in site.tier.proxies)


def shares(site: Deployment) -> set[str | None]:
    """How many connections each proxy may hold to a server, in one hostgroup."""
    return {
        limit
        for proxy in site.tier.proxies
        for limit in proxy.admin("SELECT max_connections FROM runtime_mysql_servers").first_column
    }


@pytest.mark.parametrize("clustering", ["membership", "runtime"])
def test_running_proxies_load_their_peers(lab: Lab, replication: Servers, clustering: str) -> None:
    """32, 39: three become five and three again, under load; none of the three starts anew, and
    nobody may hold more connections than before."""
    three, five = (release(lab, replication, n, clustering) for n in (3, 5))

    def happening(site: Deployment) -> None:
        first = site.tier.proxies[0]
        pids, share = [proxy.pid for proxy in site.tier.proxies], shares(site)
        assert len(share) == 1
        with first.session(APP) as session:
            session.query("BEGIN")
            session.query("SELECT COUNT(*) FROM writes")
            for scaled in (five, three):
                site.tier.scale(scaled)
                assert len(site.tier.proxies) == scaled.replicas
                assert eventually(lambda: know_each_other(site), timeout=30), first.log()[-3000:]
                assert shares(site) == share
            session.query("COMMIT")
        assert [proxy.pid for proxy in site.tier.proxies] == pids

    with lab.deploy(replication, three) as site:
        assert know_each_other(site)
        outcome: Outcome = watch(site, happening, lifetimes=SHORT)
    assert outcome.acknowledged
    assert not outcome.failures, outcome.messages
    assert outcome.lost == 0


@pytest.fixture(scope="module")
def site(lab: Lab, replication: Servers) -> Generator[Deployment]:
    """Three proxies that copy what changes by hand."""
    with lab.deploy(replication, release(lab, replication, 3, "runtime")) as site:
        yield site


def test_peers_are_not_copied(lab: Lab, replication: Servers, site: Deployment) -> None:
    """Each has the file itself: one that has it early does not tell the others, who would tell it
    the old list again."""
    early, late, _ = site.tier.proxies
    known = peers(late)
    said = late.log().count(NOT_COPIED)
    early.renew_users(release(lab, replication, 5, "runtime").users)
    assert eventually(lambda: len(peers(early)) == 5, timeout=30), early.log()[-3000:]
    assert eventually(lambda: late.log().count(NOT_COPIED) > said, timeout=30), late.log()[-3000:]
    assert len(peers(early)) == 5
    assert peers(late) == known
    early.renew_users(site.release.users)
    assert eventually(lambda: peers(early) == known, timeout=30), early.log()[-3000:]


@pytest.mark.parametrize(
    ("text", "broken", "complaint"),
    [
        ("}", "", "Parse error"),
        ("port", "prot", "without a mandatory port"),
    ],
    ids=["syntax", "a lost row"],
)
def test_a_broken_file_changes_nothing(
    lab: Lab, replication: Servers, site: Deployment, text: str, broken: str, complaint: str
) -> None:
    """Everyone in use stays, and once it is repaired it is loaded."""
    proxy = site.tier.proxies[0]
    before, wanted = peers(proxy), release(lab, replication, 5, "runtime").users
    said = proxy.log().count(complaint)
    proxy.renew_users({**wanted, "peers.cnf": wanted["peers.cnf"].replace(text, broken, 1)})
    assert eventually(lambda: proxy.log().count(complaint) >= said + 3, timeout=20), proxy.log()
    assert peers(proxy) == before
    proxy.renew_users(wanted)
    assert eventually(lambda: len(peers(proxy)) == 5, timeout=30), proxy.log()[-3000:]
    proxy.renew_users(site.release.users)
    assert eventually(lambda: peers(proxy) == before, timeout=30), proxy.log()[-3000:]


def test_a_change_by_hand_is_undone(site: Deployment) -> None:
    """The file is the same, but its peers are not those in use."""
    proxy = site.tier.proxies[0]
    before = peers(proxy)
    changed = proxy.admin(
        f"DELETE FROM proxysql_servers WHERE hostname='{site.tier.proxies[1].host}'",
        "LOAD PROXYSQL SERVERS TO RUNTIME",
        "SELECT hostname FROM runtime_proxysql_servers",
    )
    assert set(changed.first_column) != before
    assert eventually(lambda: peers(proxy) == before, timeout=30), proxy.log()[-3000:]


def test_a_start_without_a_peer_is_noticed(site: Deployment) -> None:
    """12: the startup probe."""
    proxy = site.tier.proxies[2]
    whole = site.release
    lost = whole.users["peers.cnf"].replace("port", "prot", 1)
    proxy.stop()
    proxy.create(replace(whole, files={**whole.files, "users/peers.cnf": lost}))
    assert eventually(proxy.listens, timeout=30)
    assert not proxy.passes_the_startup_probe()
    proxy.renew_users(whole.users)
    proxy.await_start()
