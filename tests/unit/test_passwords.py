"""Which passwords a database needs and where they come from."""

from typing import Any

import pytest
from hypothesis import given

from components import passwords
from components.config import resolve
from components.schema import PROXY_ROLES, StackConfig
from tests.unit.models import config, proxied_configs

REF = {"existing_secret": {"name": "given", "key": "pw"}}
USER = {"username": "app", "password_secret": {"name": "app", "key": "pw"}}


@pytest.mark.parametrize(
    ("tree", "roles"),
    [
        ({"size": "dev"}, ["root"]),
        ({"size": "dev", "proxy": {"enabled": True}}, ["root", *PROXY_ROLES]),
        ({"size": "small", "proxy": {"enabled": False}}, ["root", "replication"]),
        ({"size": "small"}, ["root", "replication", *PROXY_ROLES]),
        ({"size": "small", "database": {"topology": "galera"}}, ["root", *PROXY_ROLES]),
    ],
    ids=str,
)
def test_roles(tree: dict[str, Any], roles: list[str]) -> None:
    assert list(passwords.roles(resolve(tree))) == roles


@given(proxied_configs())
def test_every_password_has_a_source(config: StackConfig) -> None:
    assert passwords.described(config).keys() == {
        *(f"credentials.{role}" for role in passwords.roles(config)),
        *(f"proxy.users[{index}]" for index in range(len(config.proxy.users))),
    }


def test_sources_in_words() -> None:
    found = passwords.described(
        config(
            credentials={"root": REF, "monitor": {"rotation": 2}},
            proxy={"users": [USER, {"username": "inline", "password": "(secret)", "rotation": 1}]},
        )
    )
    assert found["credentials.root"] == "Secret given, key pw, rotation 0"
    assert found["credentials.monitor"] == "generated, rotation 2"
    assert found["proxy.users[0]"] == "Secret app, key pw, rotation 0"
    assert found["proxy.users[1]"] == "config, rotation 1"


def test_a_secret_of_a_role_that_is_not_needed_is_not_read() -> None:
    """`dev` has no proxies and one server."""
    credentials = {
        role: {"existing_secret": {"name": role, "key": "pw"}}
        for role in ("root", "replication", "monitor")
    }
    tree = {"size": "dev", "proxy": {"users": [USER]}, "credentials": credentials}
    assert passwords.stored(resolve(tree)).keys() == {"credentials.root"}


def test_existing_secrets_by_path() -> None:
    found = passwords.stored(config(credentials={"monitor": REF}, proxy={"users": [USER]}))
    assert {path: (ref.name, ref.key) for path, ref in found.items()} == {
        "credentials.monitor": ("given", "pw"),
        "proxy.users[0]": ("app", "pw"),
    }
