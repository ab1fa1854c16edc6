"""Which passwords a database needs and where they come from."""

from typing import Any

import pytest
from hypothesis import given

from components.config import password_sources
from components.config.credentials import PROXY_ROLES
from components.config.errors import ConfigError
from components.config.load import resolve
from components.config.password_sources import AppName, Holder, Role, User
from components.config.password_texts import demand
from components.config.stack import StackConfig
from tests.unit.models import config, proxied_configs

REF = {"existing_secret": {"name": "given", "key": "pw"}}
USER = {"username": "app", "existing_secret": {"name": "app", "key": "pw"}}


@pytest.mark.parametrize(
    ("tree", "roles"),
    [
        ({"size": "dev"}, ["root"]),
        ({"size": "dev", "proxy": {"enabled": True}}, ["root", *PROXY_ROLES]),
        ({"size": "small", "proxy": {"enabled": False}}, ["root", "replication"]),
        ({"size": "small"}, ["root", "replication", *PROXY_ROLES]),
        ({"size": "small", "database": {"topology": "galera"}}, ["root", *PROXY_ROLES]),
        (
            {
                "size": "small",
                "database": {"topology": "galera"},
                "proxy": {"stats_readers": [{"namespace": "monitoring"}]},
            },
            ["root", *PROXY_ROLES, "proxy_stats_reader"],
        ),
    ],
    ids=str,
)
def test_roles(tree: dict[str, Any], roles: list[str]) -> None:
    assert list(password_sources.roles(resolve(tree))) == roles


@given(proxied_configs())
def test_every_password_of_the_file_has_a_source(config: StackConfig) -> None:
    """Of `proxysql.cnf`; what the proxies know of nobody else rolls them."""
    read = {"proxy_stats_reader"} if config.proxy.stats_readers else set[str]()
    assert password_sources.password_sources(config).keys() == {*PROXY_ROLES, *read}


def test_sources_in_words() -> None:
    found = password_sources.password_sources(
        config(
            credentials={
                "root": {"password": "(secret)"},
                "monitor": {"rotation": 2},
                "proxy_admin": {**REF, "rotation": 1},
                "proxy_stats": {"password": "(secret)"},
            },
            proxy={"users": [USER]},
            apps=[{"name": "shop", "databases": {"shop": "owner"}, "rotation": 4}],
        )
    )
    assert found == {
        "monitor": "generated, rotation 2",
        "proxy_admin": "Secret given, key pw, rotation 1",
        "proxy_stats": "config, rotation 0",
        "proxy_cluster": "generated, rotation 0",
    }


def test_a_secret_of_a_role_that_is_not_needed_is_not_read() -> None:
    """`dev` has no proxies and one server."""
    credentials = {
        role: {"existing_secret": {"name": role, "key": "pw"}}
        for role in ("root", "replication", "monitor")
    }
    tree = {"size": "dev", "proxy": {"enabled": False, "users": [USER]}, "credentials": credentials}
    assert password_sources.stored(resolve(tree)).keys() == {Role("root")}


def test_existing_secrets_by_holder() -> None:
    found = password_sources.stored(config(credentials={"monitor": REF}, proxy={"users": [USER]}))
    assert {holder: (ref.name, ref.key) for holder, ref in found.items()} == {
        Role("monitor"): ("given", "pw"),
        User("app"): ("app", "pw"),
    }


# --- what a password must be ---

APPS = [{"name": "shop", "databases": {"shop": "owner"}, "password": "(secret)"}]


def takes(holder: Holder, password: str, **tree: Any) -> bool:
    """Whether its password may be this one."""
    return demand(config(**tree), holder).pattern.fullmatch(password) is not None


@pytest.mark.parametrize(
    ("password", "mariadb", "percona"),
    [
        ('any text of é and :;"/', True, True),
        ("eight ch", True, True),
        ("seven c", False, False),
        ("two\nlines of text", False, False),
        ("one line of text\n", False, False),
        ("*" + "0" * 40, True, False),
        ("a text with a *", True, True),
        ("it's a text", False, False),
        ("back\\slash", False, False),
        ("a", False, False),
        ("", False, False),
        ("a text with nul\0", False, False),
    ],
)
def test_passwords_of_apps(password: str, mariadb: bool, percona: bool) -> None:
    """mariadb-operator puts one into SQL as it is; for Percona ProxySQL does, where it takes one
    with `*` first for a hash."""
    assert takes(AppName("shop"), password, apps=APPS) is mariadb
    assert takes(AppName("shop"), password, apps=APPS, engine="percona") is percona


def test_passwords_of_users_whose_account_is_made_elsewhere() -> None:
    """Its hash is all that MariaDB's proxies get."""
    users = {"users": [{"username": "app", "password": "(secret)"}]}
    assert takes(User("app"), "it's a \\ *", proxy=users)
    assert not takes(User("app"), "with a line break\n", proxy=users)
    standalone = {"engine": "percona", "proxy": {"managed_by": "mysql-ha", **users}}
    assert not takes(User("app"), "it's a text", **standalone)
    assert takes(User("app"), "back\\slash", **standalone)


@pytest.mark.parametrize(
    ("tree", "role", "refused"),
    [
        ({"database": {"topology": "standalone", "replicas": 1}}, "root", ""),
        ({}, "root", ""),
        ({}, "replication", "'\\"),
        ({"database": {"topology": "galera"}}, "root", '"\\'),
        ({"engine": "percona"}, "root", "'\"\\"),
    ],
    ids=str,
)
def test_passwords_of_roles(tree: dict[str, Any], role: str, refused: str) -> None:
    """What operators put into SQL or a file as it is."""
    taken = {one for one in "'\"\\#;$`{% é" if takes(Role(role), f"1234567{one}8", **tree)}
    assert taken == {*"'\"\\#;$`{% é"} - {*refused}
    for control in "\n\r\t\0\x7f":
        assert not takes(Role(role), f"a longer text{control}", **tree)


def test_the_password_of_replicas_has_a_longest() -> None:
    assert takes(Role("replication"), "x" * 96)
    assert not takes(Role("replication"), "x" * 97)
    assert takes(Role("root"), "x" * 97)


def test_a_database_that_is_adopted_may_have_a_short_password_of_root() -> None:
    credentials = {role: REF for role in ("root",)}
    replication = {"replication": {"existing_secret": {"name": "given", "key": "other"}}}
    assert takes(Role("root"), "x", adopt="import", credentials={**credentials, **replication})
    assert not takes(Role("root"), "x")


def test_sources_of_apps() -> None:
    reference = {"existing_secret": {"name": "legacy", "key": "pw"}}
    apps = [*APPS, {"name": "legacy", "databases": {"erp": "owner"}, **reference}]
    found = password_sources.stored(config(apps=apps))
    assert {holder: (ref.name, ref.key) for holder, ref in found.items()} == {
        AppName("legacy"): ("legacy", "pw")
    }


# --- what is protected ---


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"size": "small"}, ("root", "replication")),
        ({"size": "dev"}, ()),
        ({"size": "dev", "security": {"protect": True}}, ("root", "replication")),
        # Its operator carries a new password of root to the servers.
        ({"size": "small", "engine": "percona"}, ("replication",)),
    ],
    ids=str,
)
def test_what_cannot_be_made_anew_is_protected(
    tree: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert password_sources.protected(resolve(tree)) == set(expected)


def test_what_rotates_is_not_protected() -> None:
    """Pulumi would refuse to replace it."""
    rotated = config(engine="percona", credentials={"root": {"rotation": 1}})
    assert "root" not in password_sources.protected(rotated)
    with pytest.raises(ConfigError, match=r"mysql-ha:credentials\.root\.rotation: "):
        config(credentials={"root": {"rotation": 1}})
