"""The bench's tables: times on the clock and of the processors, side by side."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bench.__main__ import apps_page, compared, grown, in_a_process, interleaved, medians
from bench.cost import Cost, clocked


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_a_cost_is_of_the_process_and_of_those_that_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_self = iter([(1.0, 0.5), (3.0, 1.0)])
    of_children = iter([(10.0, 0.0), (14.0, 0.25)])

    def usage(who: int) -> SimpleNamespace:
        user, system = next(of_self if who == resource.RUSAGE_SELF else of_children)
        return SimpleNamespace(ru_utime=user, ru_stime=system)

    clock: Iterator[float] = iter([100.0, 107.0])
    monkeypatch.setattr(resource, "getrusage", usage)
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    done: list[str] = []
    assert clocked(lambda: done.append("work")) == Cost(wall=7.0, cpu=2.5 + 4.25)
    assert done == ["work"]


def test_the_first_round_is_thrown_away() -> None:
    costs = iter([Cost(9, 9), Cost(1, 2), Cost(3, 4)])
    assert interleaved({"a": lambda: next(costs)}, 2) == {"a": [Cost(1, 2), Cost(3, 4)]}


def test_each_clock_has_its_own_median() -> None:
    assert medians([Cost(1, 30), Cost(2, 10), Cost(3, 20)]) == Cost(2, 20)


def test_cases_are_compared_on_both_clocks() -> None:
    table = compared(
        "previews",
        {
            "empty": [Cost(1, 2), Cost(2, 4), Cost(3, 6)],
            "small": [Cost(4, 6), Cost(6, 10), Cost(5, 8)],
        },
    )
    assert rows(table) == [
        ["previews", "median", "slowest − fastest", "ratio", "CPU", "CPU ratio"],
        ["---"] * 6,
        ["empty", "2 s", "2 s", "1.0", "4 s", "1.0"],
        ["small", "5 s", "2 s", "2.5", "8 s", "2.0"],
    ]


def test_each_further_app_is_counted_on_both_clocks() -> None:
    table = grown("alone", {"1": [Cost(1, 0.5)], "101": [Cost(2, 1.5), Cost(2, 1.5)]})
    each = "each further app"
    assert rows(table) == [
        ["alone: apps", "median", "slowest − fastest", each, "CPU", each],
        ["---"] * 6,
        ["1", "1 s", "0 ms", "", "500 ms", ""],
        ["101", "2 s", "0 ms", "10 ms", "1.5 s", "10 ms"],
    ]


def test_the_page_says_how_the_cost_of_an_app_grows() -> None:
    measured = {"1": [Cost(0, 0.1)], "100": [Cost(1, 1)], "1000": [Cost(11, 12.5)]}
    assert apps_page(measured)[-1].endswith("costs 1.25 times as much as each of 100.")


def test_a_process_prints_its_cost_for_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> SimpleNamespace:
        assert command == [sys.executable, "-m", "bench.alone", "100"]
        return SimpleNamespace(returncode=0, stdout="[1.5, 1.25]\n", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    assert in_a_process("bench.alone", "100") == Cost(wall=1.5, cpu=1.25)
