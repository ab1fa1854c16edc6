"""ProxySQL's digest of a statement, by which query rules match: a simulation.

Source: lib/c_tokenizer.cpp of ProxySQL 2.7 with the default `query_digests_*` variables. It is
exact where the tests need it; what a real ProxySQL makes of the same statements was compared.
"""

import re

MAX_QUERY = 65_000
"""`mysql-query_digests_max_query_length`: what is behind it has no part in the digest.

`query_digests_max_digest_length`, 2048, shortens what the statistics show, not what rules see.
"""

_TOKEN = re.compile(
    r"""
      (?P<command>/\*!\d*(?P<content>.*?)\*/)      # what the server runs is kept
    | (?P<comment>/\*.*?\*/|\#[^\n]*(\n|$)|--\s[^\n]*(\n|$))
    | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    | (?P<open>['"].*)                             # as from a quote in an identifier: all is lost
    | (?P<number>(?<![\w@$`.])\d+(?:\.\d+)?(?!\w))
    | (?P<space>\s+)
    """,
    re.VERBOSE | re.DOTALL,
)


def digest(statement: str) -> str:
    """The text that `match_digest` is applied to."""
    text = re.sub(r" +", " ", _TOKEN.sub(_replaced, statement[:MAX_QUERY])).strip()
    return re.sub(r" ?; ?$", "", text.replace(", ", ","))


def _replaced(match: re.Match[str]) -> str:
    if match["command"]:
        return f"{match['content'].strip()} "
    return "?" if match["string"] or match["number"] else " "
