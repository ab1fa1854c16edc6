"""A stack's config with a made-up password wherever it needs one, so that it runs without the real
ones."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from components.config.errors import PROJECT
from render import recorder
from render.recorder import Recording, generated_password, plain

PREFIX = f"{PROJECT}:"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A config with everything that a run of it needs."""

    id: str
    config: dict[str, Any]
    secret_keys: tuple[str, ...] = ()
    existing: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    inline: tuple[str, ...] = ()
    """Passwords that the stack file itself holds."""
    source: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The config as it was before canaries took the place of ciphertext."""

    def run(self, *, preview: bool = False, **more: Any) -> Recording:
        return recorder.run(
            self.config,
            preview=preview,
            secret_keys=self.secret_keys,
            existing=self.existing,
            stack_name=self.id,
            **more,
        )

    def passwords(self, recording: Recording) -> set[str]:
        """Every password of a run: made up, as nothing here can read another."""
        generated = {
            generated_password(r.name, plain(r.inputs["keepers"])["rotation"])
            for r in recording.of_kind("RandomPassword")
        }
        stored = {text for keys in self.existing.values() for text in keys.values()}
        return {*self.inline, *stored, *generated}


def canary(*parts: str) -> str:
    """A password to look for, within ProxySQL's rules, that no other text contains."""
    return ("CANARY" + re.sub("[^A-Za-z0-9]", "", "".join(parts))).ljust(32, "0")


def case(name: str, config: Mapping[str, Any]) -> Case:
    """A case of a config as YAML holds it, with a canary wherever it wants a password."""
    tree = {key.removeprefix(PREFIX): deepcopy(value) for key, value in config.items()}
    inline = dict(_decrypt(tree, ""))
    existing: dict[str, dict[str, str]] = {}
    named = (value for key, value in _walk(tree) if key == "namespace")
    namespaces = {"default", *(value for value in named if isinstance(value, str))}
    for key, ref in _walk(tree):
        if key == "existing_secret" and _is_reference(ref):
            for namespace in namespaces:
                keys = existing.setdefault(f"{namespace}/{ref['name']}", {})
                keys[ref["key"]] = canary("existing", ref["name"], ref["key"])
    return Case(
        id=name,
        config=tree,
        secret_keys=tuple(sorted({path.split(".")[0] for path in inline})),
        existing=existing,
        inline=tuple(inline.values()),
        source=config,
    )


def _is_reference(ref: Any) -> bool:
    """Whether it names a Secret and a key; the program refuses what does not."""
    return isinstance(ref, dict) and all(
        isinstance(cast(dict[str, Any], ref).get(key), str) for key in ("name", "key")
    )


def as_new(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config whose databases adopt nothing: what is adopted is read from the cluster."""
    databases = f"{PREFIX}databases"
    new = {key: value for key, value in config.items() if key != f"{PREFIX}adopt"}
    several = new.get(databases)
    if isinstance(several, dict):  # else the program refuses it
        new[databases] = {
            name: {
                key: value for key, value in cast(dict[str, Any], tree).items() if key != "adopt"
            }
            if isinstance(tree, dict)
            else tree
            for name, tree in cast(dict[str, Any], several).items()
        }
    return new


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """(key, value) of every mapping entry below `value`."""
    if isinstance(value, dict):
        for key, below in cast(dict[str, Any], value).items():
            yield key, below
            yield from _walk(below)
    elif isinstance(value, list):
        for below in cast(list[Any], value):
            yield from _walk(below)


def _decrypt(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Put a canary in place of every `secure: …` and yield (path, canary), in place."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(cast(dict[str, Any], value).items())
    elif isinstance(value, list):
        entries = list(enumerate(cast(list[Any], value)))
    for key, below in entries:
        where = f"{path}.{key}".lstrip(".")
        if isinstance(below, dict) and set(cast(dict[str, Any], below)) == {"secure"}:
            value[key] = canary("inline", where)
            yield where, value[key]
        else:
            yield from _decrypt(below, where)
