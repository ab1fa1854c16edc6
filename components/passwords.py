"""Passwords that a stack is given: from existing Secrets or from secret config values.

They are read and checked before anything is made: the program's provider waits for them.
"""

import base64
import re
from collections.abc import Iterator, Mapping

import pulumi
import pulumi_kubernetes as k8s

from components import proxysql_cnf
from components.config import Loaded
from components.errors import refuse
from components.schema import PROXY_ROLES, Credential, ProxyUser, SecretRef, StackConfig


def roles(config: StackConfig) -> tuple[str, ...]:
    """The credentials that a database needs, as keys of `credentials`."""
    replication = ("replication",) if config.database.topology == "replication" else ()
    return ("root", *replication, *(PROXY_ROLES if config.own_proxies else ()))


def stored(config: StackConfig) -> dict[str, SecretRef]:
    """The existing Secrets that hold passwords of a database, by config path."""
    return {path: ref for path, source in _sources(config) if (ref := _reference(source))}


def described(config: StackConfig) -> dict[str, str]:
    """Where each password comes from, by config path; changes when another one takes its place."""
    return {
        path: f"{describe(source)}, rotation {source.rotation}" for path, source in _sources(config)
    }


def describe(source: Credential | ProxyUser) -> str:
    """Where a password comes from, in words."""
    if ref := _reference(source):
        return f"Secret {ref.name}, key {ref.key}"
    return "config" if source.password else "generated"


def given(
    loaded: Loaded, opts: pulumi.ResourceOptions | None = None
) -> dict[str, pulumi.Output[str]]:
    """The passwords that are not generated, as secret Outputs, by config path.

    Paths are `credentials.<role>` and `proxy.users[i]`. Existing Secrets are read with `opts`,
    already at preview. An Output fails with a ConfigError when the key is missing or the text is
    none that its user can carry; the engine itself reports a Secret that does not exist.
    """
    config, found = loaded.config, dict[str, pulumi.Output[str]]()
    for path, source in _sources(config):
        if ref := _reference(source):
            kind = "existing_secret" if isinstance(source, Credential) else "password_secret"
            at = f"{loaded.where}{path}.{kind}"
            text = _read(f"{config.name}-{path}", config.namespace, ref, at, opts)
        elif source.password:
            at = f"{loaded.where}{path}.password"
            text = loaded.passwords[f"{path}.password"]
        else:
            continue
        found[path] = _checked(text, at, _rule(config, path))
    return found


def _sources(config: StackConfig) -> Iterator[tuple[str, Credential | ProxyUser]]:
    credentials = dict(config.credentials.items())
    for role in roles(config):
        yield f"credentials.{role}", credentials[role]
    if config.own_proxies:
        for index, user in enumerate(config.proxy.users):
            yield f"proxy.users[{index}]", user


def _reference(source: Credential | ProxyUser) -> SecretRef | None:
    return source.existing_secret if isinstance(source, Credential) else source.password_secret


def _read(
    logical_name: str,
    namespace: str,
    ref: SecretRef,
    path: str,
    opts: pulumi.ResourceOptions | None,
) -> pulumi.Output[str]:
    """The text under a key of an existing Secret."""
    secret = k8s.core.v1.Secret.get(logical_name, f"{namespace}/{ref.name}", opts=opts)

    def pick(data: Mapping[str, str] | None) -> str:
        if ref.key not in (data or {}):
            refuse(
                path, f"Secret '{ref.name}' has no key '{ref.key}'", "add the key or name another"
            )
        try:
            return base64.b64decode((data or {})[ref.key]).decode()
        except UnicodeDecodeError:
            refuse(path, f"key '{ref.key}' of Secret '{ref.name}' is not UTF-8 text", "store text")

    return pulumi.Output.secret(secret.data).apply(pick)


_SAFE = (
    proxysql_cnf.PASSWORD_RULE,
    "must be at least 24 characters of A-Z, a-z, 0-9, '_' and '-', because ProxySQL's admin and "
    "monitor settings cannot carry others",
    "choose such a password, or remove the source to have one generated",
)
_ANY = (
    re.compile(r"[^\0]+"),
    "must not be empty nor hold a NUL character",
    "choose another password",
)
_PLAIN = (
    re.compile(r"(?!\*)[^'\0]+"),
    "must not be empty, start with '*' nor hold a single quote or a NUL character: for this engine "
    "ProxySQL holds passwords as they are, and puts them into SQL unescaped",
    "choose another password",
)
"""(pattern, rule, fix) of a password, by who has to carry it."""


def _rule(config: StackConfig, path: str) -> tuple[re.Pattern[str], str, str]:
    """What a password must be. MariaDB's users reach ProxySQL as hashes, so any text will do."""
    if path.removeprefix("credentials.") in PROXY_ROLES:
        return _SAFE
    return _PLAIN if config.engine == "percona" and path.startswith("proxy.users") else _ANY


def _checked(
    text: pulumi.Output[str], path: str, rule: tuple[re.Pattern[str], str, str]
) -> pulumi.Output[str]:
    pattern, demand, fix = rule

    def check(password: str) -> str:
        if pattern.fullmatch(password) is None:
            refuse(path, demand, fix)
        return password

    return text.apply(check)
