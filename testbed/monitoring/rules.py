"""Rules of a database as tests run them: sooner, and otherwise as they are. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from components.config.stack import StackConfig
from components.operations import alerts


def hurried(config: StackConfig) -> dict[str, Any]:
    """The rules file of a database, with seconds where there were minutes for what must hold."""
    file = alerts.rule_file(config)
    for group in file["groups"]:
        for rule in group["rules"]:
            rule["for"] = "1s"
    return file


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """(metric, matchers) of each series that an expression names.

    Enough for our own expressions, of which a metric always has braces.
    """
    yield from re.findall(r"\b([a-z][a-z0-9_]*)\{([^}]*)\}", expression)
