"""Apps: what a role may do, alternating logins, how one connects, and its connections."""

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import apps, outputs
from components.config.apps import App, owned, privileges
from components.config.stack import StackConfig
from components.config.types import DATABASE_PRIVILEGES
from components.engines import mariadb, mariadb_accounts, percona
from components.topology import Endpoint
from tests.unit.models import config, parsed_cnf, proxied_configs

WELL_KNOWN = {"type", "provider", "host", "port", "uri", "username", "password", "database"}
"""servicebinding.io/spec/core/1.1.0, "Well-known Secret Entries", but for certificates and keys;
`database` is the customary addition of JDBC and Spring bindings."""


def shop(**fields: Any) -> dict[str, Any]:
    return {"name": "shop", "databases": {"shop": "owner"}, **fields}


def app(**fields: Any) -> App:
    return config(apps=[shop(**fields)]).apps[0]


def endpoint(config: StackConfig) -> Endpoint:
    engine = percona if config.engine == "percona" else mariadb
    return outputs.endpoint(config, engine.topology(config))


# --- privileges ---


def test_roles() -> None:
    assert privileges("readonly") == ["SELECT", "SHOW VIEW"]
    assert privileges("owner") == ["ALL PRIVILEGES"]
    assert set(privileges("readonly")) < set(privileges("readwrite"))
    assert {"INSERT", "UPDATE", "DELETE"} < set(privileges("readwrite"))


def test_only_an_owner_changes_the_schema() -> None:
    shapes = {"ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE VIEW", "DROP", "EVENT"}
    shapes |= {"INDEX", "REFERENCES", "TRIGGER"}
    assert shapes < DATABASE_PRIVILEGES
    for role in ("readonly", "readwrite"):
        granted = set(privileges(role))
        assert granted <= DATABASE_PRIVILEGES - shapes


@given(st.lists(st.sampled_from(sorted(DATABASE_PRIVILEGES)), min_size=1))
def test_listed_privileges_are_granted_as_they_are(listed: list[str]) -> None:
    (granted,) = app(databases={"shop": listed}).databases.values()
    assert privileges(granted) == list(dict.fromkeys(listed)), "each once"


# --- alternating logins ---


@given(st.integers(0, 1000))
def test_a_rotation_brings_another_login_and_keeps_the_last(n: int) -> None:
    before, after = app(rotation=n).logins, app(rotation=n + 1).logins
    assert before[0].username != after[0].username
    assert before[0].key != after[0].key
    assert after[0].generation == n + 1
    # With the same account, the same generation of its password and the same key: nothing of it
    # changes for whoever still uses it.
    assert after[1:] == (before[0],)


@given(st.integers(0, 1000))
def test_two_rotations_leave_no_password_as_it_was(n: int) -> None:
    """So that one that was told is of no use any more."""
    before, after = app(rotation=n).logins, app(rotation=n + 2).logins
    assert not {login.generation for login in before} & {login.generation for login in after}
    assert before[0].username == after[0].username


@given(st.integers(0, 1000))
def test_logins_are_distinct_accounts_of_the_app(n: int) -> None:
    logins = app(rotation=n).logins
    assert len(logins) == min(n, 1) + 1
    assert len({login.username for login in logins}) == len(logins)
    assert len({login.key for login in logins}) == len(logins)
    assert {login.username for login in logins} <= {"shop", "shop_b"} == set(app().accounts)


@pytest.mark.parametrize(
    "source", [{"password": "(secret)"}, {"existing_secret": {"name": "s", "key": "k"}}], ids=str
)
def test_a_given_password_has_one_account(source: dict[str, Any]) -> None:
    given_one = app(username="erp", **source)
    assert given_one.accounts == ("erp",)
    assert [tuple(login) for login in given_one.logins] == [("erp", 0, "password")]


def test_the_proxies_take_both_logins_with_the_apps_settings() -> None:
    settings = {"max_connections": 7, "require_tls": True, "active": False, "routing": "reader"}
    chosen = config(apps=[shop(rotation=1, **settings)])
    rows = parsed_cnf(chosen)["mysql_users"]
    assert [row["username"] for row in rows] == ["shop_b", "shop"]
    for row in rows:
        assert row["default_hostgroup"] == chosen.proxy.hostgroups.reader
        assert row["default_schema"] == "shop"
        assert (row["max_connections"], row["use_ssl"], row["active"]) == (7, 1, 0)


# --- how an app connects ---

READER = shop(routing="reader", databases={"shop": "readonly"})
PROXY = "mysql-proxysql.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("tree", "host", "port"),
    [
        ({"size": "small", "apps": [shop()]}, PROXY, "6033"),
        # The proxies send it to the replicas, wherever it connects.
        ({"size": "small", "apps": [READER]}, PROXY, "6033"),
        (
            {"size": "small", "apps": [shop()], "proxy": {"service": {"port": 3306}}},
            PROXY,
            "3306",
        ),
        (
            {"size": "small", "apps": [shop()], "proxy": {"enabled": False}},
            "mysql-primary.default.svc.cluster.local",
            "3306",
        ),
        (
            {"size": "small", "apps": [READER], "proxy": {"enabled": False}},
            "mysql-secondary.default.svc.cluster.local",
            "3306",
        ),
        ({"size": "dev", "apps": [shop()]}, "mysql.default.svc.cluster.local", "3306"),
        (
            {"size": "small", "engine": "percona", "apps": [shop()]},
            "mysql-proxysql.default.svc.cluster.local",
            "3306",
        ),
        (
            {"size": "dev", "engine": "percona", "apps": [shop()]},
            "mysql-pxc.default.svc.cluster.local",
            "3306",
        ),
    ],
    ids=str,
)
def test_where_it_connects(tree: dict[str, Any], host: str, port: str) -> None:
    chosen = config(**tree)
    plain = apps.binding(chosen.apps[0], chosen, endpoint(chosen))
    assert (plain["host"], plain["port"]) == (host, port)


def test_the_entries_are_the_well_known_ones() -> None:
    """Text, as every value of a Secret."""
    databases = {"shop": "owner", "stock": "readonly"}
    one = shop(databases=databases, default_database="stock", rotation=1)
    chosen = config(apps=[one])
    plain = apps.binding(chosen.apps[0], chosen, endpoint(chosen))
    assert plain == {
        "type": "mysql",
        "provider": "mariadb",
        "host": PROXY,
        "port": "6033",
        "database": "stock",
        "username": "shop_b",
    }
    assert plain.keys() == WELL_KNOWN - {"password", "uri"}


names_in_sql = st.text("abcXYZ019_.-$", min_size=1, max_size=64)


@given(names_in_sql, names_in_sql, st.text(min_size=1))
def test_a_uri_gives_back_what_it_was_made_of(user: str, database: str, password: str) -> None:
    """Any text: it may be one that nobody here has chosen."""
    plain = {"username": user, "database": database, "host": PROXY, "port": "6033"}
    parts = urlsplit(apps.uri(plain, password))
    assert parts.scheme == "mysql"
    assert (parts.hostname, parts.port) == (PROXY, 6033)
    assert unquote(parts.username or "") == user
    assert unquote(parts.password or "") == password
    assert unquote(parts.path.removeprefix("/")) == database
    assert not parts.query
    assert not parts.fragment
    assert apps.uri(plain, password).isascii()


@pytest.mark.parametrize("password", ["a/b", "a@b:c", "50%", "?#[]", " +&=", "é漢\n"])
def test_a_uri_of_a_password_with_meaning(password: str) -> None:
    plain = {"username": "shop", "database": "shop", "host": "db", "port": "1"}
    parts = urlsplit(apps.uri(plain, password))
    assert (parts.hostname, parts.port, parts.path) == ("db", 1, "/shop")
    assert unquote(parts.password or "") == password


def test_an_output_for_each_app() -> None:
    reports = {"name": "reports", "username": "bi", "databases": {"shop": "readonly"}}
    chosen = config(proxy={"enabled": False}, apps=[shop(rotation=1), reports])
    addresses = {
        "host": "mysql-primary.default.svc.cluster.local",
        "port": 3306,
        "reader_host": "mysql-secondary.default.svc.cluster.local",
        "reader_port": 3306,
    }
    assert apps.outputs(chosen, endpoint(chosen)) == {
        "shop": {
            "secret": "mysql-app-shop",
            "database": "shop",
            "username": "shop_b",
            **addresses,
        },
        "reports": {
            "secret": "mysql-app-reports",
            "database": "shop",
            "username": "bi",
            **addresses,
        },
    }


@pytest.mark.parametrize("default", ["shop", "stock"])
def test_which_database_it_is_connected_to(default: str) -> None:
    """Whatever the order of the mapping: the engine keeps none."""
    databases = {"stock": "readonly", "shop": "owner"}
    assert app(databases=databases, default_database=default).database == default
    assert app().database == "shop"


def test_without_apps_there_is_nothing_to_tell() -> None:
    assert apps.outputs(config(), endpoint(config())) == {}


# --- connections ---


@given(proxied_configs())
def test_an_account_may_hold_what_the_proxies_may_open(config: StackConfig) -> None:
    """Those of a Pod that stops are still open when its successor opens its own."""
    limit = config.backend_max_connections
    for one in config.apps:
        per_proxy = min(one.max_connections, limit) * config.hostgroups_per_server
        found = mariadb_accounts.max_user_connections(config, one)
        assert found >= per_proxy * (config.proxy.replicas + 1)
        # Nor more than the share of all proxies that there may be, and that of one more.
        shares = config.proxy_shares
        assert found * shares <= config.connection_budget * (shares + 1)


@pytest.mark.parametrize(
    ("fields", "proxy", "expected"),
    [
        # 40 from each of 5 proxies in 2 hostgroups to a server, and from one more.
        ({}, {}, 6 * 2 * 40),
        ({"max_connections": 10}, {}, 6 * 2 * 10),
        ({"max_connections": 10}, {"replicas": 5}, 6 * 2 * 10),
        ({"max_connections": 10}, {"replicas": 6}, 11 * 2 * 10),
        ({"max_connections": 10}, {"max_replicas": 3}, 4 * 2 * 10),
        ({"max_connections": 10}, {"read_write_split": True}, 6 * 2 * 10),
        ({"max_connections": 10, "routing": "reader"}, {}, 6 * 2 * 10),
        ({"max_connections": 10}, {"backend_max_connections": 4}, 6 * 2 * 4),
        ({"max_connections": 10}, {"enabled": False}, 10),
    ],
    ids=str,
)
def test_the_connections_of_an_account(
    fields: dict[str, Any], proxy: dict[str, Any], expected: int
) -> None:
    chosen = config(proxy=proxy, apps=[shop(**fields)])
    assert mariadb_accounts.max_user_connections(chosen, chosen.apps[0]) == expected


@given(proxied_configs())
def test_every_name_of_an_app_is_owned(config: StackConfig) -> None:
    """Otherwise a second database could take it."""
    found = owned(config.name, config.apps)
    for one in config.apps:
        assert {f"{config.name}-app-{one.name}", f"{config.name}-account-{one.name}"} <= found
