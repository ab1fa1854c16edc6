"""Given passwords: from existing Secrets or from secret config values.

They are read and checked before anything is made: the program's provider waits for them.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.config import credentials
from components.config.credentials import PROXY_ROLES
from components.config.engine import ENGINES
from components.config.errors import reject
from components.config.load import Loaded
from components.config.model import SecretRef
from components.config.password_sources import AppName, Holder, Role, User, sources
from components.config.stack import StackConfig


def reader(cluster: Mapping[str, Any], immutable: pulumi.Output[Any]) -> pulumi.ResourceOptions:
    """Options with a provider for reads only: `reader`, with the settings of `cluster`.

    It waits for `immutable`, which is read from the stack's own state: each further resource writes
    the state, and a file may be read as empty while it is written.
    """
    known = pulumi.ResourceOptions(depends_on=immutable.apply(lambda _: list[pulumi.Resource]()))
    return pulumi.ResourceOptions(provider=k8s.Provider("reader", opts=known, **cluster))


def given(
    loaded: Loaded, opts: pulumi.ResourceOptions | None = None
) -> dict[Holder, pulumi.Output[str]]:
    """The passwords that are not generated, as secret Outputs.

    Existing Secrets are read with `opts`, already at preview. An Output fails with a ConfigError
    when the key is missing or its user cannot have such a password; the engine itself reports a
    Secret that does not exist.
    """
    config, found = loaded.config, dict[Holder, pulumi.Output[str]]()
    for source in sources(config):
        if ref := source.declared.existing_secret:
            at = loaded.at(f"{source.path}.existing_secret")
            text = _read(f"{config.name}-{source.path}", config.namespace, ref, at, opts)
        elif source.declared.password:
            at = loaded.at(f"{source.path}.password")
            text = loaded.passwords[source.holder]
        else:
            continue
        found[source.holder] = _checked(text, at, _rule(config, source.holder))
    return found


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
            reject(
                path, f"Secret '{ref.name}' has no key '{ref.key}'", "add the key or name another"
            )
        try:
            return base64.b64decode((data or {})[ref.key]).decode()
        except UnicodeDecodeError:
            reject(path, f"key '{ref.key}' of Secret '{ref.name}' is not UTF-8 text", "store text")

    return pulumi.Output.secret(secret.data).apply(pick)


_SAFE = (
    credentials.PASSWORD_RULE,
    "must be at least 24 characters of A-Z, a-z, 0-9, '_' and '-', because ProxySQL's admin and "
    "monitor settings cannot contain others",
    "choose such a password, or remove the source to have one generated",
)
_ANY = (
    re.compile(r"[^\0]+"),
    "must not be empty or contain a NUL character",
    "choose another password",
)
_QUOTELESS = (
    re.compile(r"[^'\\\0]+"),
    "must not be empty or contain a single quote, a backslash or a NUL character: mariadb-operator "
    "puts it into SQL unescaped",
    "choose another password",
)
_PLAIN = (
    re.compile(r"(?!\*)[^'\0]+"),
    "must not be empty, start with '*', or contain a single quote or a NUL character: for this "
    "engine ProxySQL holds passwords as they are, and puts them into SQL unescaped",
    "choose another password",
)
"""(pattern, rule, fix) of a password, by where it is used."""


def _rule(config: StackConfig, holder: Holder) -> tuple[re.Pattern[str], str, str]:
    """What a password must be. Any text will do where it reaches ProxySQL as a hash."""
    hashes = ENGINES[config.engine].hashes
    match holder:
        case Role(name):
            return _SAFE if name in PROXY_ROLES else _ANY
        case User():
            return _ANY if hashes else _PLAIN
        case AppName():
            # mariadb-operator puts it into SQL as it is (pkg/sql/sql.go, CreateUser).
            return _QUOTELESS if hashes else _PLAIN


def _checked(
    text: pulumi.Output[str], path: str, rule: tuple[re.Pattern[str], str, str]
) -> pulumi.Output[str]:
    pattern, demand, fix = rule

    def check(password: str) -> str:
        if pattern.fullmatch(password) is None:
            reject(path, demand, fix)
        return password

    return text.apply(check)
