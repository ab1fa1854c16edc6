"""Which passwords a database needs, and where each comes from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from components.config.apps import App
from components.config.credentials import SET_AT_FIRST_BOOT, Credential
from components.config.engine import ENGINES
from components.config.model import SecretRef
from components.config.proxy import ProxyUser
from components.config.stack import StackConfig


@dataclass(frozen=True)
class Role:
    """Holds a password of `credentials`."""

    name: str


@dataclass(frozen=True)
class User:
    """Holds a password of `proxy.users`."""

    username: str


@dataclass(frozen=True)
class AppName:
    """Holds a password of `apps`."""

    name: str


Holder: TypeAlias = Role | User | AppName
"""The owner of a password, unique within a database."""


@dataclass(frozen=True)
class Source:
    """Where a config may name a password."""

    holder: Holder
    path: str
    """The config path of what declares it: `credentials.<role>`, `proxy.users[i]` or `apps[i]`."""
    declared: Credential | ProxyUser | App


def roles(config: StackConfig) -> tuple[str, ...]:
    """The credentials that a database needs, as keys of `credentials`."""
    replication = ("replication",) if config.database.topology == "replication" else ()
    proxies = config.proxy_roles if config.own_proxies else ()
    heartbeat = ("heartbeat",) if config.backup.drilled else ()
    exporter = ("exporter",) if config.monitoring.enabled else ()
    return ("root", *replication, *proxies, *heartbeat, *exporter)


def protected(config: StackConfig) -> frozenset[str]:
    """The credentials that must not be lost, because they cannot be generated again. The others are
    not protected: a protected password can neither be rotated nor get another source.
    """
    if not config.security.protect:
        return frozenset()
    return frozenset(SET_AT_FIRST_BOOT) - ENGINES[config.engine].rotates


def stored(config: StackConfig) -> dict[Holder, SecretRef]:
    """The existing Secrets that hold passwords of a database."""
    declared = {source.holder: source.declared.existing_secret for source in sources(config)}
    return {holder: ref for holder, ref in declared.items() if ref}


def password_sources(config: StackConfig) -> dict[str, str]:
    """Where each password of `proxysql.cnf` comes from, by role.

    It changes when a password is replaced.
    """
    return {
        role: f"{password_source(source)}, rotation {source.rotation}"
        for role, source in config.credentials.items()
        if role in config.proxy_roles
    }


def password_source(declared: Credential | ProxyUser | App) -> str:
    """Where a password comes from, in words."""
    if ref := declared.existing_secret:
        return f"Secret {ref.name}, key {ref.key}"
    return "config" if declared.password else "generated"


def sources(config: StackConfig) -> Iterator[Source]:
    """Every password that a database needs and that a stack may give."""
    credentials = dict(config.credentials.items())
    for role in roles(config):
        yield Source(Role(role), f"credentials.{role}", credentials[role])
    for index, user in enumerate(config.proxy.users if config.own_proxies else ()):
        yield Source(User(user.username), f"proxy.users[{index}]", user)
    for index, app in enumerate(config.apps):
        yield Source(AppName(app.name), f"apps[{index}]", app)
