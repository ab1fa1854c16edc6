"""Which values of a stack file are encrypted. The engine tells the program of whole keys only.

Inside a structured value one `secure: …` makes the whole key secret, and the program is handed all
of it in clear (pulumi/pulumi#6531). Which value it was, only the stack's file says.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands: the keys and list indexes that lead to it, the config key first."""


def section(root: str | None, stack: str) -> Mapping[str, Any]:
    """The `config` section of a stack's file in the project at `root`, by key with its namespace.

    Empty where that file cannot be found or read: a stack may have been given another one
    (`--config-file`), or its values by an environment. Where the file is: Pulumi's
    `sdk/go/common/workspace/paths.go`, DetectProjectStackPath.
    """
    if root is None:
        return {}
    try:
        project = _mapping(yaml.safe_load((Path(root) / "Pulumi.yaml").read_text()))
        folder = Path(root) / str(project.get("stackConfigDir") or "")
        file = folder / f"Pulumi.{stack.replace('/', '-')}.yaml"
        return _mapping(_mapping(yaml.safe_load(file.read_text())).get("config"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def below(value: Any, place: Place) -> Iterator[Place]:
    """The places of all encrypted values in what a stack file has at `place`."""
    if isinstance(value, dict) and [*cast(dict[Any, Any], value)] == ["secure"]:
        yield place
        return
    for key, inner in entries(value):
        yield from below(inner, (*place, key))


def leaves(value: Any, place: Place) -> Iterator[Place]:
    """The places of all values below `place` that are no mapping and no list."""
    if not isinstance(value, dict | list):
        yield place
    for key, inner in entries(value):
        yield from leaves(inner, (*place, key))


def entries(value: Any) -> Iterator[tuple[str | int, Any]]:
    """Keys or indexes with what stands there; nothing of a value that is no mapping or list."""
    if isinstance(value, dict):
        for key, inner in cast(dict[Any, Any], value).items():
            yield str(key), inner
    elif isinstance(value, list):
        yield from enumerate(cast(list[Any], value))


def is_password(place: Place) -> bool:
    """Whether a stack may give a password there."""
    match place[2:] if place[0] == "databases" else place:
        case ("credentials", str(), "password"):
            return True
        case ("proxy", "users", int(), "password") | ("apps", int(), "password"):
            return True
        case _:
            return False
