"""libconfig text, the syntax of proxysql.cnf (libconfig 1.7.3). Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from components.config.types import MAX_INT

Scalar: TypeAlias = str | int | bool


Group: TypeAlias = Mapping[str, Scalar]


Document: TypeAlias = Mapping[str, "Scalar | Group | Sequence[Group]"]


def quote(text: str) -> str:
    """A libconfig string literal. Raises ValueError for NUL, which would end the C string."""
    if "\0" in text:
        raise ValueError("a NUL character cannot be written to proxysql.cnf")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x01-\x1f\x7f]", lambda m: f"\\x{ord(m[0]):02x}", escaped) + '"'


def render_document(document: Document) -> str:
    """libconfig text: scalars, groups `{…}` and lists of groups `(…)`.

    Raises ValueError for an integer that libconfig would not hold (beyond ±2^31-1).
    """
    lines: list[str] = []
    for key, value in document.items():
        if isinstance(value, Mapping):
            lines.append(f"{key} =\n{_group(value)}")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            groups = ",\n".join(_group(group, "  ") for group in value)
            lines.append(f"{key} =\n(\n{groups}\n)")
        else:
            lines.append(f"{key} = {_scalar(value)}")
    return "\n".join(lines) + "\n"


def _group(group: Group, indent: str = "") -> str:
    body = "\n".join(f"{indent}  {key} = {_scalar(value)}" for key, value in group.items())
    return f"{indent}{{\n{body}\n{indent}}}"


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) > MAX_INT:
            raise ValueError(f"{value} is beyond what ProxySQL reads from its file")
        return str(value)
    return quote(value)
