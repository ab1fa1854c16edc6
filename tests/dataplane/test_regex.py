"""Patterns of query rules, asked of ProxySQL's own engines.

A pattern that is taken must compile, whatever it is: they are made at random of pieces that the
engines know and of pieces that they do not.
"""

from __future__ import annotations

import random
from collections.abc import Generator

import pytest

from components.config.regex import Engine, RegexError, check
from testbed.dataplane.alone import Alone
from testbed.dataplane.deployment import Lab

pytestmark = pytest.mark.dataplane

PLAIN = [
    *("a", "b", r"\d", r"\w", r"\s", r"\b", r"\B", "[ab]", "[^a-c]", "[[:alpha:]]", "[]a]", "[a-]"),
    *("[-a]", r"[\d-]", r"[\]\\]", ".", "^", "$", r"\A", r"\z", r"\x41", r"\x{41}", r"\.", "'"),
]
ODD = [
    *("é", "{", "}", "{x}", "{,3}", "x{2", r"\1", r"\2", r"\h", r"\H", r"\v", r"\N", r"\R", r"\e"),
    *(r"\n", r"\_", r"\é", "`", "#", "-", "]", "(?i)", "(?ims-ms)", "[[.a.]]", "[z-a]", "[a", "\\"),
    *("|", "(a", "b)", r"\p{L}", r"\Qa\E", r"\G", r"\K", r"\C", "(?#c)", r"\07", r"\0", r"\g{1}"),
    *(r"\Z", "[é]", "(?R)", "(*ACCEPT)", r"\k<n>"),
]
GROUPS = ["(%s)", "(?:%s)", "(?i:%s)", "(%s|c)", "(?=%s)", "(?!%s)", "(?<=%s)", "(?<!%s)", "(?>%s)"]
ODD_GROUPS = ["(?P<n>%s)", "(?<m>%s)", "(?P<é>%s)", "(?P<1>%s)", "(?|%s)", "(?(1)%s)", "(?P>n)%s"]
REPEATS = [
    *("", "", "", "*", "+", "?", "{2}", "{2,}", "{2,3}", "{0,5}", "{,3}", "*?", "+?", "??", "*+"),
    *("++", "{2}?", "{3,2}", "{0}", "{1001}", "{65536}", "**", "+*", "{2}{3}", "?+"),
]
LARGE = ["[ab]{200}" * 40, "(?:abcdefghij){900}", "(?:[a-z][0-9]){250}", "(?:(?:a{9}){9}){9}"]


@pytest.fixture(scope="module")
def proxysql(lab: Lab) -> Generator[Alone]:
    with Alone.started(lab) as alone:
        yield alone


def _made(choose: random.Random, depth: int) -> str:
    text = ""
    for _ in range(choose.randint(1, 3)):
        if depth and choose.random() < 0.45:
            groups = ODD_GROUPS if choose.random() < 0.1 else GROUPS
            text += choose.choice(groups) % _made(choose, depth - 1)
        else:
            text += choose.choice(ODD if choose.random() < 0.2 else PLAIN)
        text += choose.choice(REPEATS)
    return text


def _taken(pattern: str, engine: Engine) -> bool:
    try:
        check(pattern, engine)
    except RegexError:
        return False
    return True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("engine", "number"), [("PCRE", 1), ("RE2", 2)])
def test_what_is_taken_compiles(proxysql: Alone, engine: Engine, number: int, seed: int) -> None:
    proxysql.set("mysql_variables", {"query_processor_regex": number})
    choose = random.Random(seed)
    made = [_made(choose, 2) for _ in range(1_500)]
    every = [*PLAIN, *ODD, *(group % "a" for group in GROUPS + ODD_GROUPS), *LARGE, *made]
    patterns = [pattern for pattern in every if _taken(pattern, engine)]
    assert len(patterns) > 150
    compiled = proxysql.compiled(patterns)
    assert [text for text, did in zip(patterns, compiled, strict=True) if not did] == []


def test_what_is_refused_does_not_compile(proxysql: Alone) -> None:
    """Of what is refused for its syntax the usual mistakes."""
    proxysql.set("mysql_variables", {"query_processor_regex": 1})
    wrong = ["(a", "b)", "[a", "*a", "a{3,2}", "a**", r"\p{L}", "(?P<é>x)", "[z-a]", "(?<=a+)b"]
    large = "(?:(?:a{1000}){1000}){1000}"
    assert not any(_taken(pattern, "PCRE") for pattern in (*wrong, large))
    assert proxysql.compiled([*wrong, large]) == [False] * (len(wrong) + 1)


def test_an_open_repeat_is_plain_text(proxysql: Alone) -> None:
    proxysql.set("mysql_variables", {"query_processor_regex": 1})
    proxysql.load("^a{,3}$")
    assert proxysql.matches("a{,3}")
    assert not proxysql.matches("aa")


@pytest.mark.parametrize("pattern", ["^(a|b)+$", "^(?:a)*$", "^(?>a|b)+$"])
def test_a_repeated_group_ends_the_proxy(proxysql: Alone, pattern: str) -> None:
    """Why they are refused; ProxySQL has no limit for PCRE's recursion."""
    proxysql.set("mysql_variables", {"query_processor_regex": 1})
    assert not _taken(pattern, "PCRE")
    proxysql.load(pattern)
    assert proxysql.matches("a" * 500)
    assert proxysql.matches("a" * 20_000) is None
    proxysql.stop()
    proxysql.start()


@pytest.mark.parametrize(
    "pattern", ["^[ab]+$", "^(?:a|b)++$", "^(?:a|b){1,200}", "^(?:[ab]+,?){1,10}$", r"^a[\s\S]*b?$"]
)
def test_what_is_taken_stands_a_long_statement(proxysql: Alone, pattern: str) -> None:
    proxysql.set("mysql_variables", {"query_processor_regex": 1})
    assert _taken(pattern, "PCRE")
    proxysql.load(pattern)
    assert proxysql.matches("a" * 1_000_000)
    assert proxysql.matches("c" + "a" * 1_000_000) is False


def test_re2_needs_no_stack(proxysql: Alone) -> None:
    proxysql.set("mysql_variables", {"query_processor_regex": 2})
    assert _taken("^(a|b)+$", "RE2")
    proxysql.load("^(a|b)+$")
    assert proxysql.matches("a" * 1_000_000)
    assert proxysql.matches("a" * 1_000_000 + "c") is False
