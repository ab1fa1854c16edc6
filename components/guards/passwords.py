"""Given passwords: from existing Secrets or from secret config values.

They are read and checked before anything is made: the program's provider waits for them.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.config.errors import refuse, reject
from components.config.load import Loaded
from components.config.model import SecretRef
from components.config.password_sources import Holder, Source, sources
from components.config.password_texts import Demand, demand
from components.guards import existing


def reader(cluster: Mapping[str, Any], seen: pulumi.Output[Any]) -> pulumi.ResourceOptions:
    """Options with a provider for reads only: `reader`, with the settings of `cluster`.

    It waits for `seen`, the look at the cluster, and so for the stack's own state, which is read
    before: each further resource writes the state, and a file may be read as empty while it is
    written.
    """
    known = pulumi.ResourceOptions(depends_on=seen.apply(lambda _: list[pulumi.Resource]()))
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
        at = loaded.at(_path(source))
        if ref := source.declared.existing_secret:
            text = _read(f"{config.name}-{source.path}", config.namespace, ref, at, opts)
        elif source.declared.password:
            text = loaded.passwords[source.holder]
        else:
            continue
        found[source.holder] = _checked(text, at, demand(config, source.holder))
    return found


def _read(
    logical_name: str,
    namespace: str,
    ref: SecretRef,
    path: str,
    opts: pulumi.ResourceOptions | None,
) -> pulumi.Output[str]:
    """The text under a key of an existing Secret."""
    known = pulumi.ResourceOptions(additional_secret_outputs=["data", "stringData"])
    found = existing.member(
        logical_name,
        "data",
        api_version="v1",
        kind="Secret",
        namespace=namespace,
        name=ref.name,
        opts=pulumi.ResourceOptions.merge(opts, known),
    )

    def pick(data: Mapping[str, str] | None) -> str:
        if ref.key not in (data or {}):
            reject(
                path, f"Secret '{ref.name}' has no key '{ref.key}'", "add the key or name another"
            )
        try:
            return base64.b64decode((data or {})[ref.key]).decode()
        except UnicodeDecodeError:
            reject(path, f"key '{ref.key}' of Secret '{ref.name}' is not UTF-8 text", "store text")

    return pulumi.Output.secret(found).apply(pick)


def _checked(text: pulumi.Output[str], path: str, demand: Demand) -> pulumi.Output[str]:
    def check(password: str) -> str:
        if demand.pattern.fullmatch(password) is None:
            reject(path, demand.rule, demand.fix)
        return password

    return text.apply(check)


def _path(source: Source) -> str:
    """The config path by which a password is given."""
    return f"{source.path}.{'existing_secret' if source.declared.existing_secret else 'password'}"


def apart(loaded: Loaded, found: Mapping[Holder, pulumi.Output[str]]) -> pulumi.Output[None]:
    """Fails with a ConfigError if two passwords of a database are the same text.

    `found`: those that are not generated (`given`). No generated one is ever the same.
    """
    declared = [source for source in sources(loaded.config) if source.holder in found]
    paths = [loaded.at(_path(one)) for one in declared]

    def compare(texts: Sequence[str]) -> None:
        first: dict[str, str] = {}
        refuse(
            (
                path,
                f"is the same password as {first[text]}; roles, users and apps never share one",
                "choose another password",
            )
            for path, text in zip(paths, texts, strict=True)
            if first.setdefault(text, path) != path
        )

    return pulumi.Output.all(*(found[one.holder] for one in declared)).apply(compare)
