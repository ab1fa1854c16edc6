"""Reads libconfig text: its values with libconf, and the syntax that libconf takes too lightly."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import libconf  # pyright: ignore[reportMissingTypeStubs]

MAX_INT = 2**31 - 1
INCLUDED = ("/etc/proxysql-users/users.cnf", "/etc/proxysql-users/peers.cnf")
"""The files that proxysql.cnf includes, as a Pod mounts them."""


def parse(text: str) -> dict[str, Any]:
    """The document as plain Python. Raises when libconfig would refuse it."""
    assert_strict(text)
    return cast(dict[str, Any], _plain(libconf.loads(text)))  # pyright: ignore


def whole(text: str, included: Mapping[str, str]) -> str:
    """proxysql.cnf with the texts of the files that it includes at its end, by path or by more."""
    document, *paths = text.split('@include "')
    assert paths == [f'{path}"\n' for path in INCLUDED], paths
    return document + "".join(included[path] for path in INCLUDED)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in cast(list[Any], value)]
    return value


def assignments(text: str) -> Iterator[tuple[tuple[int, ...], str, str]]:
    """(group, key, value text) of every scalar; no rendered string holds a raw newline.

    A group is identified by the positions of its braces, so that two groups are never mixed up.
    """
    groups: list[int] = []
    for number, line in enumerate(text.splitlines()):
        stripped = line.strip()
        if stripped in ("{", "("):
            groups.append(number)
        elif stripped in ("}", "},", ")"):
            groups.pop()
        elif match := re.fullmatch(r"(\w+) = (.*)", stripped):
            yield tuple(groups), match[1], match[2]


def assert_strict(text: str) -> None:
    """libconfig 1.7.3 and ProxySQL: no key twice, integers decimal and within 32 bits."""
    seen: set[tuple[tuple[int, ...], str]] = set()
    for group, key, value in assignments(text):
        assert (group, key) not in seen, f"{key} twice in one group"
        seen.add((group, key))
        if value.startswith('"') or value in ("true", "false"):
            continue
        assert re.fullmatch(r"-?(0|[1-9]\d*)", value), f"{key} = {value}"
        assert abs(int(value)) <= MAX_INT, f"{key} = {value}"
    tables = re.findall(r"^(\w+) =", text, re.MULTILINE)
    assert len(set(tables)) == len(tables), "a section twice"
