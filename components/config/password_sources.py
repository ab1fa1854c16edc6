"""Which passwords a database needs, and where each comes from."""

from collections.abc import Iterator
from typing import TypeAlias

from components.config.apps import App
from components.config.credentials import (
    PROXY_ROLES,
    ROTATED_BY_OPERATOR,
    SET_AT_FIRST_BOOT,
    Credential,
)
from components.config.model import SecretRef
from components.config.proxy import ProxyUser
from components.config.stack import StackConfig

Source: TypeAlias = Credential | ProxyUser | App
"""What in a config may name a password."""


def roles(config: StackConfig) -> tuple[str, ...]:
    """The credentials that a database needs, as keys of `credentials`."""
    replication = ("replication",) if config.database.topology == "replication" else ()
    return ("root", *replication, *(PROXY_ROLES if config.own_proxies else ()))


def protected(config: StackConfig) -> frozenset[str]:
    """The credentials that must not be lost: they cannot be made anew.

    The others must be able to: a protected password cannot be rotated, nor can another source take
    its place.
    """
    if not config.security.protect:
        return frozenset()
    return frozenset(SET_AT_FIRST_BOOT) - ROTATED_BY_OPERATOR[config.engine]


def stored(config: StackConfig) -> dict[str, SecretRef]:
    """The existing Secrets that hold passwords of a database, by config path."""
    return {path: ref for path, source in sources(config) if (ref := reference(source))}


def password_sources(config: StackConfig) -> dict[str, str]:
    """Where each password of `proxysql.cnf` comes from, by role.

    It changes when another one takes a password's place.
    """
    return {
        role: f"{password_source(source)}, rotation {source.rotation}"
        for role, source in config.credentials.items()
        if role in PROXY_ROLES
    }


def password_source(source: Source) -> str:
    """Where a password comes from, in words."""
    if ref := reference(source):
        return f"Secret {ref.name}, key {ref.key}"
    return "config" if source.password else "generated"


def sources(config: StackConfig) -> Iterator[tuple[str, Source]]:
    credentials = dict(config.credentials.items())
    for role in roles(config):
        yield f"credentials.{role}", credentials[role]
    if config.own_proxies:
        for index, user in enumerate(config.proxy.users):
            yield f"proxy.users[{index}]", user
    for index, app in enumerate(config.apps):
        yield f"apps[{index}]", app


def reference(source: Source) -> SecretRef | None:
    return source.existing_secret if isinstance(source, ProxyUser) else source.existing_secret
