"""TLS on both sides of the proxies, and a certificate that is replaced while they run.

Numbers are rows of docs/acceptance.md.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from components.proxysql.layout import CA_FILE, CERT_FILE, KEY_FILE
from local.certificates import Authority
from testbed.database.servers import SqlError, eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.loopback import CLIENT_PORT, RemoteSession
from testbed.dataplane.nodes import APP, MONITOR, Servers

from .conftest import release_of

pytestmark = pytest.mark.dataplane

ACCESS_DENIED = 1045


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the proxies' certificates; the servers have another."""
    return Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def site(lab: Lab, replication: Servers, authority: Authority) -> Generator[Deployment]:
    """A deployment whose accounts the servers let in by TLS only."""
    assert replication.authority
    certificates = {
        "ca/ca.crt": (replication.authority.directory / "ca.crt").read_text(),
        **_certificate(authority, replication, "first"),
    }
    release = release_of(lab, replication, "monitor", certificates=certificates)
    with lab.deploy(replication, release) as site:
        for account in (APP, MONITOR):
            site.primary.query(f"ALTER USER {account} REQUIRE SSL")
        yield site


def test_servers_get_tls_only(site: Deployment) -> None:
    """33: the application's connections and the monitor's."""
    for proxy in site.tier.proxies:
        with proxy.session(APP) as session:
            assert session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'").row["Value"]

    def fresh() -> int:
        """Checks of the last seconds, all of them by new connections."""
        rows = site.tier.proxies[0].admin(
            "SELECT COUNT(*) FROM monitor.mysql_server_connect_log WHERE connect_error IS NULL "
            "AND time_start_us > (SELECT MAX(time_start_us) FROM monitor.mysql_server_connect_log)"
            " - 1000000"
        )
        return int(rows.value or 0)

    assert eventually(lambda: fresh() == len(site.servers.nodes), timeout=20)


def test_clients_can_verify_a_proxy(site: Deployment, authority: Authority) -> None:
    with _verified(site, authority.directory / "ca.crt") as session:
        assert session.query("SELECT 1").value == "1"


def test_another_authority_is_refused(site: Deployment) -> None:
    assert site.servers.authority
    with pytest.raises(SqlError):
        _verified(site, site.servers.authority.directory / "ca.crt")


def test_plain_logins_are_refused(site: Deployment) -> None:
    """`proxy.tls.required`"""
    with pytest.raises(SqlError) as refusal:
        RemoteSession(site.tier.proxies[0].host, CLIENT_PORT, APP, ssl_disabled=True)
    assert refusal.value.code == ACCESS_DENIED


def test_a_new_certificate_is_loaded(site: Deployment, authority: Authority) -> None:
    """The scheduled script finds that the mounted files have changed; old sessions stay."""
    proxy = site.tier.proxies[0]
    with proxy.session(APP) as old:
        proxy.admin("UPDATE scheduler SET interval_ms=1000", "LOAD SCHEDULER TO RUNTIME")
        before = _shown(site, authority)
        for name, text in _certificate(authority, site.servers, "second").items():
            proxy.mount(name, text)
        assert eventually(lambda: _shown(site, authority) != before, timeout=30), proxy.log()
        assert old.query("SELECT 1").value == "1"


def test_half_a_certificate_is_not_loaded(site: Deployment, authority: Authority) -> None:
    """As in the middle of a change: the old one stays until key and certificate fit again."""
    proxy = site.tier.proxies[0]
    proxy.admin("UPDATE scheduler SET interval_ms=1000", "LOAD SCHEDULER TO RUNTIME")
    before = _shown(site, authority)
    files = _certificate(authority, site.servers, "third")
    proxy.mount(f"tls/{CERT_FILE}", files[f"tls/{CERT_FILE}"])
    assert eventually(lambda: "key values mismatch" in proxy.log(), timeout=20)
    assert _shown(site, authority) == before
    proxy.mount(f"tls/{KEY_FILE}", files[f"tls/{KEY_FILE}"])
    assert eventually(lambda: _shown(site, authority) != before, timeout=30), proxy.log()


def _certificate(authority: Authority, servers: Servers, name: str) -> dict[str, str]:
    hosts = [servers.network.proxy(ordinal) for ordinal in range(3)]
    authority.issue(name, "db-proxysql", names=hosts)
    sources = {CERT_FILE: f"{name}.crt", KEY_FILE: f"{name}.key", CA_FILE: "ca.crt"}
    return {
        f"tls/{file}": (authority.directory / source).read_text()
        for file, source in sources.items()
    }


def _verified(site: Deployment, ca: Path) -> RemoteSession:
    return RemoteSession(
        site.tier.proxies[0].host,
        CLIENT_PORT,
        APP,
        ssl_ca=str(ca),
        ssl_verify_cert=True,
        ssl_verify_identity=True,
    )


def _shown(site: Deployment, authority: Authority) -> bytes:
    with _verified(site, authority.directory / "ca.crt") as session:
        return session.certificate()
