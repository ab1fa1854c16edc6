"""Errors of a config: one line per fault, with the config path, the rule and the fix."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import pulumi
from pydantic_core import PydanticCustomError

PROJECT = "mysql-ha"
"""Config namespace; equals `name` in Pulumi.yaml."""

Fault: TypeAlias = tuple[str, str, str]
"""(config path, rule, fix)"""


class ConfigError(pulumi.RunError):
    """A refused config: one line per fault, each naming the config path, the rule and the fix.

    The lines are sorted by path, no matter in which order the faults were found. A
    `pulumi.RunError`, so that the engine prints the text without a traceback.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults), key=_place))
        super().__init__("\n".join(format_fault(*fault) for fault in self.faults))


def _place(fault: Fault) -> tuple[str, Fault]:
    """The sort key of a fault: `apps[2]` comes before `apps[10]`."""
    return re.sub(r"\d+", lambda number: number[0].zfill(10), fault[0]), fault


def path_of(keys: Sequence[str | int]) -> str:
    """The config path of nested keys and indexes, as `pulumi config set --path` takes it.

    A key with a dot, a bracket or another such character is in brackets and quotes; one too long
    to be shown is cut.
    """
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif re.fullmatch(r"[A-Za-z0-9_$-]{1,80}", key):
            path += f".{key}" if path else key
        else:
            path += f"[{json.dumps(key if len(key) <= 80 else f'{key[:79]}…')}]"
    return path


def keys_of(path: str) -> tuple[str | int, ...]:
    """The keys and indexes of a config path; the inverse of `path_of` but for what it cut."""
    tokens = re.findall(r'\[("(?:[^"\\]|\\.)*")\]|\[([0-9]+)\]|([^.\[]+)', path)
    return tuple(
        json.loads(quoted) if quoted else int(index) if index else key
        for quoted, index, key in tokens
    )


def refuse(faults: Iterable[Fault]) -> None:
    """Raise a ConfigError of all faults, if there are any."""
    if found := [*faults]:
        raise ConfigError(found)


def reject(path: str, rule: str, fix: str) -> NoReturn:
    """Raise a ConfigError for the value at `path` (e.g. `database.replicas`)."""
    raise ConfigError([(path, rule, fix)])


def format_fault(path: str, rule: str, fix: str) -> str:
    """One line of a ConfigError; a `path` of another project or provider has its name already."""
    full = path if re.match(r"[^.\[:]+:", path) else f"{PROJECT}:{path}"
    return f"{full}: {rule}. Fix: {fix}{'' if fix.endswith('?') else '.'}"


def field_error(rule: str, fix: str) -> PydanticCustomError:
    """A validation error of a single field, in the words of `reject`."""
    return PydanticCustomError("rule", cast(Any, "{rule}. Fix: {fix}"), {"rule": rule, "fix": fix})
