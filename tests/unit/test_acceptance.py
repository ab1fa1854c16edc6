"""docs/acceptance.md: complete, and every test that it names exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [*map(str, range(1, 41)), *(f"B{number}" for number in (*range(1, 21), 44))]
TIERS = {
    **{"unit": 1, "program": 2, "schema": 3, "engine": 4, "database": 5, "dataplane": 6},
    "cluster": 7,
}
"""The tier of a folder below tests/."""


def rows() -> Iterator[tuple[str, list[str], list[int], str]]:
    """(number, tests, tiers, remark) of every row."""
    for line in (ROOT / "docs" / "acceptance.md").read_text().splitlines():
        if re.match(r"\| B?\d+ \|", line):
            number, _, tests, tiers, remark = (cell.strip() for cell in line[1:-1].split("|"))
            named = [text.strip().strip("`") for text in tests.split(",") if text.strip()]
            yield number, named, [int(tier) for tier in tiers.split(",")], remark


TABLE = list(rows())


@cache
def names_in(path: str) -> frozenset[str]:
    """`test_x` and `TestY::test_x` of a file, without importing it."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            below = (item.name for item in node.body if isinstance(item, ast.FunctionDef))
            found |= {f"{node.name}::{name}" for name in below}
    return frozenset(found)


def test_every_row_is_there_once() -> None:
    assert [number for number, *_ in TABLE] == ROWS


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_row_names_tests_that_exist(row: tuple[str, list[str], list[int], str]) -> None:
    _, named, tiers, _ = row
    assert named
    for test in named:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), path
        assert re.fullmatch(r"(Test\w+::)?test_\w+", name), test
        assert name in names_in(path), test
    assert {TIERS[test.split("/")[1]] for test in named} == set(tiers)
    assert tiers == sorted(set(tiers))


def test_every_test_that_the_page_names_exists() -> None:
    """Also those outside the numbered table."""
    text = (ROOT / "docs" / "acceptance.md").read_text()
    named = set(re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", text))
    assert len(named) > 80
    assert [f"{path}::{name}" for path, name in sorted(named) if name not in names_in(path)] == []
