"""Every name fits where Kubernetes puts it, for the longest database name."""

import hashlib
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import names
from components.config.credentials import Credentials
from components.config.engine import ENGINES, MARIADB, PERCONA

LONGEST = "x" * MARIADB.longest_name
LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
ROLES = tuple(Credentials.model_fields)
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
        *MARIADB.proxy_hosts(LONGEST, "n" * 63, 20),
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
    secrets += [names.proxysql_users("db")]
    assert len(set(secrets)) == len(secrets)
    assert len(set(services("db"))) == len(services("db"))


def test_every_name_is_owned() -> None:
    """Otherwise a second database could take it."""
    owned = MARIADB.owned("db", drilled=True, scraped=True)
    assert {*services("db"), names.mariadb_ca_bundle("db"), names.proxysql_tls("db")} <= owned
    assert {names.proxysql_monitor("db"), names.proxysql_users("db")} <= owned
    assert {names.credential_secret("db", role) for role in ROLES} <= owned
    assert {names.metrics("db"), names.server_metrics("db", 8), names.exporter("db")} <= owned


def test_an_engine_owns_no_name_of_the_other() -> None:
    percona = PERCONA.owned("db", drilled=True, scraped=True)
    common = MARIADB.owned("db", drilled=True, scraped=True) & percona
    assert names.mariadb_primary("db") not in common
    assert names.pxc("db") not in common
    assert {"db", names.proxysql("db"), names.proxysql_tls("db")} <= common
    assert (
        MARIADB.proxies("db")
        != PERCONA.proxies("db")
        in PERCONA.owned("db", drilled=True, scraped=True)
    )


@pytest.mark.parametrize(
    ("role", "secret"),
    [
        ("root", "db-root"),
        ("replication", "db-replication"),
        ("monitor", "db-monitor"),
        ("proxy_admin", "db-proxysql-admin"),
        ("proxy_cluster", "db-proxysql-cluster"),
        ("proxy_stats_reader", "db-proxysql-stats-reader"),
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
    assert MARIADB.proxy_hosts("db", "shop", 1) == (
        "db-proxysql-0.db-proxysql-cluster.shop.svc.cluster.local",
    )


CLAIM, SECRET = "PersistentVolumeClaim", "Secret"


@pytest.mark.parametrize(
    ("engine", "topology", "replicas", "claims", "secrets"),
    [
        ("mariadb", "standalone", 1, ["storage-db-0"], []),
        ("mariadb", "replication", 2, ["storage-db-0", "storage-db-1"], ["db-agent-auth"]),
        (
            "mariadb",
            "galera",
            3,
            [f"{volume}-db-{n}" for volume in ("storage", "galera") for n in range(3)],
            ["db-agent-auth"],
        ),
        (
            "percona",
            "galera",
            3,
            [f"datadir-db-pxc-{n}" for n in range(3)],
            ["internal-db", "db-ssl", "db-ssl-internal", "db-mysql-init"],
        ),
    ],
)
def test_what_stays_of_the_servers(
    engine: str, topology: str, replicas: int, claims: list[str], secrets: list[str]
) -> None:
    assert ENGINES[engine].claims("db", topology, replicas) == tuple(claims)
    assert ENGINES[engine].left_behind("db", topology, replicas) == [
        *((CLAIM, name) for name in claims),
        *((SECRET, name) for name in secrets),
    ]


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_databases_leave_different_things_behind(engine: str) -> None:
    """Also where one name is the beginning of another."""
    found = [
        {*ENGINES[engine].left_behind(name, "galera", 9)}
        for name in ("db", "db-0", "db-pxc", "db-proxysql", "storage-db", "galera-db")
    ]
    assert len(set[tuple[str, str]]().union(*found)) == sum(map(len, found))


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


# --- names of what SQL calls otherwise ---

sql_users = st.text("abcXYZ019_.-", min_size=1, max_size=80)
sql_databases = st.text("abcXYZ019_$-", min_size=1, max_size=64)
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@given(st.sampled_from(["db", LONGEST]), sql_users, sql_databases)
def test_names_of_accounts_are_what_kubernetes_takes(name: str, user: str, schema: str) -> None:
    """RFC 1123 subdomains, of at most 253 characters."""
    for found in (names.account(name, user), names.grant(name, user, schema)):
        assert SUBDOMAIN.fullmatch(found)
        assert len(found) <= 253
        assert found.startswith(f"{name}-user-")
    found = names.schema(name, schema)
    assert SUBDOMAIN.fullmatch(found)
    assert len(found) <= 253
    assert found.startswith(f"{name}-db-")


few_users = st.text("aB-_.", min_size=1, max_size=4)
few_databases = st.text("aB-_$", min_size=1, max_size=4)
"""Few enough that drawn texts differ only in what a name cannot show."""


@settings(max_examples=300)
@given(few_users, few_users)
def test_two_accounts_have_two_names(one: str, other: str) -> None:
    assert (names.account("db", one) == names.account("db", other)) == (one == other)


@settings(max_examples=300)
@given(few_databases, few_databases)
def test_two_databases_have_two_names(one: str, other: str) -> None:
    assert (names.schema("db", one) == names.schema("db", other)) == (one == other)


@settings(max_examples=300)
@given(few_users, few_databases, few_users, few_databases)
def test_two_grants_have_two_names(user: str, schema: str, other: str, else_: str) -> None:
    same = names.grant("db", user, schema) == names.grant("db", other, else_)
    assert same == ((user, schema) == (other, else_))


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b-c"), ("a-b", "c")), (("a.b", "c"), ("a", "b-c")), (("a", "B"), ("A", "b"))],
)
def test_grants_that_look_alike(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert names.grant("db", *one) != names.grant("db", *other)
    assert names.account("db", one[0]) not in (names.grant("db", *one), names.grant("db", *other))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (names.account("db", "shop"), "db-user-shop"),
        (names.account("db", "shop.eu-1"), "db-user-shop.eu-1"),
        (names.grant("db", "shop", "orders"), "db-user-shop.orders"),
        (names.schema("db", "orders"), "db-db-orders"),
        (names.app_secret("db", "shop"), "db-app-shop"),
        (names.account_secret("db", "shop"), "db-account-shop"),
        (names.proxysql_users("db"), "db-proxysql-users"),
    ],
)
def test_what_kubernetes_takes_stays_readable(found: str, expected: str) -> None:
    assert found == expected


@pytest.mark.parametrize(
    ("text", "start"), [("Shop_DB", "shop-db"), ("a..b", "a-b"), ("x-", "x"), ("__", "")]
)
def test_other_names_are_marked(text: str, start: str) -> None:
    """By a hash that stays: another name would be another object."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    assert names.account("db", text) == f"db-user-{f'{start}-{mark}'.lstrip('-')}"


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_secrets_of_an_app(app: str) -> None:
    secrets = {names.app_secret(LONGEST, app), names.account_secret(LONGEST, app)}
    assert len(secrets) == 2
    assert not secrets & MARIADB.owned(LONGEST, drilled=True, scraped=True)
    assert all(SUBDOMAIN.fullmatch(secret) and len(secret) <= 253 for secret in secrets)
