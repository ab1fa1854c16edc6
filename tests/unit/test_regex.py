"""Which patterns are taken; tests/dataplane/test_regex.py asks ProxySQL itself."""

import pytest

from components.config.regex import Engine, RegexError, check, check_replacement
from components.proxysql.query_rules import HIDDEN, LOCKING, STATEFUL

BOTH = [
    *("a", "", "a|b", "^SELECT\\b", "[]a-z-]", "[^\\]a]", "[[:alpha:]_]", "\\d{2,3}?", "a{2,}"),
    *("{x}", "x{2", "{", "a\\{,3}", "(?i)a(?-i)b", "(?i:a|b)", "(?P<n>x)", "é"),
    *("\\x41", "\\/\\*", "(a)?(b)?", "(?:a|b){1,200}"),
]
PCRE_ONLY = [
    "a++",
    "(?:a|b)++",
    "a(?=b)",
    "(?<!ab|cd)e",
    "(?>a|b)",
    "(a)\\1",
    "\\h",
    "(?<n>x)",
    "x\\Z",
]
REFUSED = [
    *("(", ")", "[", "[]", "*", "a**", "a{2}{3}", "a{3,2}", "{2}", "a{,3}", "a{0}", "a{65536}"),
    *("\\", "\\p{L}", "\\u0041", "\\Qa\\E", "\\xg", "\\1", "[z-a]", "[a-\\d]", "[é]", "é+"),
    *("(?P<é>x)", "(?P<1>x)", "(?P<n>a)(?P<n>b)", "(?#c)", "(?R)", "(?|a)", "(*ACCEPT)", "(?x)a b"),
    *("^*", "(?<=a+)b", "[[.a.]]", "(?:(?:a{1000}){1000}){1000}"),
]
HARMFUL = [
    "(a|b)+",
    "(?:a)*",
    "(?>a|b)+",
    "(a+)+$",
    "(?:a?b){1,600}",
    "(?:a+){11}",
    "(?:(?:a|b)+)?",
]


def taken(pattern: str, engine: Engine) -> bool:
    try:
        check(pattern, engine)
    except RegexError:
        return False
    return True


@pytest.mark.parametrize("pattern", BOTH)
def test_what_both_engines_take(pattern: str) -> None:
    assert taken(pattern, "PCRE")
    assert taken(pattern, "RE2")


@pytest.mark.parametrize("pattern", PCRE_ONLY)
def test_what_pcre_takes(pattern: str) -> None:
    assert taken(pattern, "PCRE")
    assert not taken(pattern, "RE2")


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_no_engine_takes_for_sure(pattern: str) -> None:
    assert not taken(pattern, "PCRE")


@pytest.mark.parametrize("pattern", HARMFUL)
def test_what_would_harm_a_proxy(pattern: str) -> None:
    assert not taken(pattern, "PCRE")


@pytest.mark.parametrize("pattern", ["(a|b)+", "(a+)+$", "(?:a?b)*", "(?:é|ü)+?"])
def test_re2_needs_no_stack(pattern: str) -> None:
    assert taken(pattern, "RE2")


@pytest.mark.parametrize(
    "pattern", [f"{LOCKING}|{STATEFUL}|{HIDDEN}", LOCKING.replace("{1,200}?", "*")]
)
def test_the_rules_of_the_split_are_taken(pattern: str) -> None:
    check(pattern)


def test_groups_are_counted() -> None:
    assert check("(a)(?:b)(?P<n>c)(?=d)") == 2


@pytest.mark.parametrize("text", ["", "x", "\\0\\1\\2", "\\\\1"])
def test_a_replacement(text: str) -> None:
    check_replacement(text, 2)


@pytest.mark.parametrize("text", ["\\3", "\\n", "\\", "\\²"])
def test_a_replacement_that_proxysql_would_skip(text: str) -> None:
    with pytest.raises(RegexError):
        check_replacement(text, 2)
