"""How a config is refused: one line per fault, with the config path, the rule and the fix."""

from typing import Any, NoReturn, TypeAlias, cast

import pulumi
from pydantic_core import PydanticCustomError

PROJECT = "mysql-ha"
"""Config namespace; equals `name` in Pulumi.yaml."""

Fault: TypeAlias = tuple[str, str, str]
"""(config path, rule, fix)"""


class ConfigError(pulumi.RunError):
    """A refused config: one line per fault, each naming the config path, the rule and the fix.

    A `pulumi.RunError`, so that the engine prints the text without a traceback.
    """


def reject(path: str, rule: str, fix: str) -> NoReturn:
    """Raise a ConfigError for the value at `path` (e.g. `database.replicas`)."""
    raise ConfigError(format_fault(path, rule, fix))


def format_fault(path: str, rule: str, fix: str) -> str:
    """One line of a ConfigError."""
    return f"{PROJECT}:{path}: {rule}. Fix: {fix}{'' if fix.endswith('?') else '.'}"


def field_error(rule: str, fix: str) -> PydanticCustomError:
    """A validation error of a single field, in the words of `reject`."""
    return PydanticCustomError("rule", cast(Any, "{rule}. Fix: {fix}"), {"rule": rule, "fix": fix})
