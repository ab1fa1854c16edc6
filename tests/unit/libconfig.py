"""Reads libconfig text: its values with libconf, and the syntax that libconf takes too lightly."""

import re
from collections.abc import Iterator
from typing import Any, cast

import libconf  # pyright: ignore[reportMissingTypeStubs]

MAX_INT = 2**31 - 1


def parse(text: str) -> dict[str, Any]:
    """The document as plain Python. Raises when libconfig would refuse it."""
    assert_strict(text)
    return cast(dict[str, Any], _plain(libconf.loads(text)))  # pyright: ignore


def whole(text: str, path: str, included: str) -> str:
    """proxysql.cnf with the text of the one file that it includes, which stands at `path`."""
    before, found, after = text.partition(f'@include "{path}"\n')
    assert found, f"{path} is not included"
    assert "@include" not in before
    assert not after, "a line follows the users"
    return before + included


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
