"""Errors of a config: one line per fault, with the config path, the rule and the fix."""

import re
from collections.abc import Iterable, Iterator
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


def below(where: str, faults: Iterable[Fault]) -> Iterator[Fault]:
    """The faults of one part, with `where` in front of its config paths."""
    return ((f"{where}{path}", rule, fix) for path, rule, fix in faults)


def refuse(faults: Iterable[Fault]) -> None:
    """Raise a ConfigError of all faults, if there are any."""
    if found := [*faults]:
        raise ConfigError(found)


def reject(path: str, rule: str, fix: str) -> NoReturn:
    """Raise a ConfigError for the value at `path` (e.g. `database.replicas`)."""
    raise ConfigError([(path, rule, fix)])


def format_fault(path: str, rule: str, fix: str) -> str:
    """One line of a ConfigError."""
    return f"{PROJECT}:{path}: {rule}. Fix: {fix}{'' if fix.endswith('?') else '.'}"


def field_error(rule: str, fix: str) -> PydanticCustomError:
    """A validation error of a single field, in the words of `reject`."""
    return PydanticCustomError("rule", cast(Any, "{rule}. Fix: {fix}"), {"rule": rule, "fix": fix})
