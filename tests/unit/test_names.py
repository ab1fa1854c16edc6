"""Every name fits where Kubernetes puts it, for the longest database name."""

import re
from collections.abc import Callable

import pytest

from components import names

LONGEST = "x" * names.MAX_NAME["mariadb"]
LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
ROLES = ("root", "replication", "monitor", "proxy_admin", "proxy_stats", "proxy_cluster")
DIGEST = "0123456789ab"


def services(name: str) -> list[str]:
    """Names of Services, ours and the operator's: DNS labels."""
    return [
        name,
        names.mariadb_internal(name),
        names.mariadb_primary(name),
        names.mariadb_secondary(name),
        names.proxysql(name),
        names.proxysql_peers(name),
        names.proxysql_admin(name),
    ]


@pytest.mark.parametrize("service", services(LONGEST))
def test_a_service_name_is_a_dns_label(service: str) -> None:
    assert LABEL.fullmatch(service)


def test_pod_names_are_dns_labels() -> None:
    hosts = [
        *names.mariadb_pod_hosts(LONGEST, "n" * 63, 9),
        *names.proxysql_pod_hosts(LONGEST, "n" * 63, 20),
    ]
    for host in hosts:
        assert all(LABEL.fullmatch(part) for part in host.split(".")), host
        assert len(host) <= 253


@pytest.mark.parametrize("stateful_set", [LONGEST, names.proxysql(LONGEST)])
def test_the_revision_label_fits(stateful_set: str) -> None:
    """The label controller-revision-hash is `<StatefulSet>-<hash of at most 10>`."""
    assert len(f"{stateful_set}-{'f' * 10}") <= 63


def test_the_limit_is_not_stricter_than_it_must_be() -> None:
    assert len(f"{names.proxysql(LONGEST + 'xxxx')}-{'f' * 10}") > 63


def test_object_names_are_distinct() -> None:
    secrets = [names.credential_secret("db", role) for role in ROLES]
    secrets += [names.proxysql_config("db", DIGEST), names.mariadb_ca_bundle("db")]
    assert len(set(secrets)) == len(secrets)
    assert len(set(services("db"))) == len(services("db"))


def test_every_name_is_owned() -> None:
    """Otherwise a second database could take it."""
    owned = names.owned("db", "mariadb")
    assert {*services("db"), names.mariadb_ca_bundle("db"), names.proxysql_tls("db")} <= owned
    assert {names.proxysql_monitor("db")} <= owned
    assert {names.credential_secret("db", role) for role in ROLES} <= owned


def test_an_engine_owns_no_name_of_the_other() -> None:
    common = names.owned("db", "mariadb") & names.owned("db", "percona")
    assert names.mariadb_primary("db") not in common
    assert names.pxc("db") not in common
    assert {"db", names.proxysql("db"), names.proxysql_tls("db")} <= common


@pytest.mark.parametrize(
    ("role", "secret"),
    [
        ("root", "db-root"),
        ("replication", "db-replication"),
        ("monitor", "db-monitor"),
        ("proxy_admin", "db-proxysql-admin"),
        ("proxy_cluster", "db-proxysql-cluster"),
    ],
)
def test_credential_secrets(role: str, secret: str) -> None:
    assert names.credential_secret("db", role) == secret


def test_hosts() -> None:
    assert names.service_host("db", "shop") == "db.shop.svc.cluster.local"
    assert names.mariadb_pod_hosts("db", "shop", 2) == (
        "db-0.db-internal.shop.svc.cluster.local",
        "db-1.db-internal.shop.svc.cluster.local",
    )
    assert names.proxysql_pod_hosts("db", "shop", 1) == (
        "db-proxysql-0.db-proxysql-cluster.shop.svc.cluster.local",
    )


@pytest.mark.parametrize("selector", [names.mariadb_selector, names.proxysql_selector])
def test_two_databases_never_select_each_others_pods(
    selector: Callable[[str], dict[str, str]],
) -> None:
    assert selector("one") != selector("two")


def test_a_selector_is_part_of_the_labels() -> None:
    assert names.proxysql_selector("db").items() <= names.labels("db", "proxysql").items()


@pytest.mark.parametrize("name", ["a", "a-b", "a1", "x" * 63])
def test_dns_labels(name: str) -> None:
    assert names.is_dns_label(name)


@pytest.mark.parametrize("name", ["", "A", "1a", "-a", "a-", "a.b", "a_b", "x" * 64, "a\n"])
def test_what_is_no_dns_label(name: str) -> None:
    assert not names.is_dns_label(name)
