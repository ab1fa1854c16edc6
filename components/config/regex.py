"""Whether ProxySQL's engines take a regular expression, and whether a match can harm a proxy. Pure.

ProxySQL compiles patterns with PCRE 8.45 as bytes, or with RE2 where `query_processor_regex` is 2
(lib/Query_Processor.cpp, compile_query_rule). What does not compile matches nothing, and nothing
says so. What is taken here is a part of the syntax on which there is no doubt; the rest is refused
(pcrepattern(3) of PCRE 8.45; github.com/google/re2/wiki/Syntax).

PCRE calls itself for each turn of a repeated group, on the 1 MiB stack of a ProxySQL thread
(`stacksize`): `(a|b)+` ends the whole proxy at a statement of 20,000 characters, on 2.7 and 3.0
(tests/dataplane/test_regex.py). It gives up after ten million steps, and then the rule matches
nothing.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

Engine: TypeAlias = Literal["PCRE", "RE2"]

MAX_SIZE = 20_000
"""Estimated bytes of a compiled pattern; PCRE's limit is 65,536."""
MAX_DEPTH = 1_000
"""Estimated calls within each other of a match; the stack takes several times as many."""
MAX_TURNS = 10
"""Repeats of a group with a repeat of variable length in it: more take exponentially long."""

_UNBOUNDED = 1 << 30
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}", re.ASCII)
_OPEN_REPEAT = re.compile(r"\{,\d+\}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_FLAGS = re.compile(r"\(\?[ims]*(?:-[ims]+)?(?=[:)])")
_POSIX = re.compile(
    r"\[:\^?(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word"
    r"|xdigit):\]"
)
_HEX = re.compile(r"[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,2}\}")
_CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "a": 7}
_LOOKS = {"(?=": "ahead", "(?!": "ahead", "(?<=": "behind", "(?<!": "behind"}


@dataclass(frozen=True)
class _Part:
    """A piece of a pattern."""

    shortest: int
    longest: int
    """Characters that it matches."""
    size: int
    """Bytes of its compiled form, about."""
    depth: int
    """Calls of PCRE within each other while it matches, about."""
    varies: bool = False
    """It has a repeat of variable length, other than `?`."""
    group: bool = False
    repeatable: bool = True


_NOTHING = _Part(0, 0, 0, 0)


class RegexError(Exception):
    """A pattern is refused: the rule that it breaks, and the fix."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(rule)
        self.rule, self.fix = rule, fix


@cache  # `make up` reads a config twice, and many rules may share a pattern
def check(pattern: str, engine: Engine = "PCRE") -> int:
    """The number of capturing groups of a pattern. Raises RegexError if it is refused."""
    parser = _Parser(pattern, engine)
    part = parser.alternatives()
    if not parser.ended:
        raise RegexError("has a ) without a (", "write \\) for the character")
    if part.size > MAX_SIZE:
        raise RegexError("is too large for PCRE", "lower the numbers of its repeats")
    if engine == "PCRE" and part.depth > MAX_DEPTH:
        raise RegexError(
            "repeats groups so often that a long statement would end the proxy, whose stack PCRE "
            "fills",
            "repeat a set of characters such as [ab]+, or a group fewer times",
        )
    for number in parser.references:
        if number > parser.groups:
            raise RegexError(f"refers to group {number}, which it does not have", "correct it")
    return parser.groups


def check_replacement(text: str, groups: int) -> None:
    """Raise RegexError unless all that follows a backslash is one or the number of a group.

    ProxySQL would leave the statement as it is (pcrecpp.cc, RE::Rewrite).
    """
    for escaped in re.findall(r"\\(.?)", text, re.DOTALL):
        if escaped != "\\" and not (escaped.isascii() and escaped.isdigit()):
            raise RegexError(
                "has a backslash before what is neither a digit nor a backslash",
                "write \\\\ for a backslash",
            )
        if escaped.isdigit() and int(escaped) > groups:
            raise RegexError(
                f"refers to group {escaped}, which match_pattern does not have", "correct it"
            )


class _Parser:
    def __init__(self, text: str, engine: Engine) -> None:
        self._text, self._engine = text, engine
        self._at: int = 0
        self.groups = 0
        self.references: list[int] = []
        self._names: set[str] = set()

    @property
    def ended(self) -> bool:
        return self._at >= len(self._text)

    def alternatives(self) -> _Part:
        """One sequence or more, with `|` between them."""
        parts = [self._sequence()]
        while self._skip("|"):
            parts.append(self._sequence())
        return _Part(
            min(part.shortest for part in parts),
            max(part.longest for part in parts),
            sum(part.size + 3 for part in parts),
            max(part.depth for part in parts) + (len(parts) > 1),
            any(part.varies for part in parts),
        )

    def _sequence(self) -> _Part:
        whole = _NOTHING
        while not self.ended and self._text[self._at] not in "|)":
            part = self._repeated(self._item())
            whole = _Part(
                whole.shortest + part.shortest,
                min(whole.longest + part.longest, _UNBOUNDED),
                whole.size + part.size,
                min(whole.depth + part.depth, _UNBOUNDED),
                whole.varies or part.varies,
            )
        return whole

    # --- repeats ---

    def _repeated(self, part: _Part) -> _Part:
        bounds = self._bounds()
        if bounds is None:
            return part
        least, most = bounds
        if not part.repeatable:
            raise RegexError("repeats what cannot be repeated", "remove the repeat")
        possessive = self._skip("+")
        if possessive and self._engine == "RE2":
            raise self._unknown("a possessive repeat")
        if not possessive:
            self._skip("?")
        if self._bounds() is not None:
            raise RegexError("repeats a repeat", "keep one, or put the first into a group")
        varies = most > 1 and least != most
        longest = min(part.longest * most, _UNBOUNDED) if part.longest else 0
        if not part.group:
            return _Part(part.shortest * least, longest, part.size + 5, 1, varies or part.varies)
        self._harmless(part, most)
        turns = max(least, 1) if most == _UNBOUNDED else max(most, 1)
        return _Part(
            part.shortest * least,
            longest,
            min(turns * (part.size + 7), _UNBOUNDED),
            # Measured: a possessive repeat does not fill the stack, whatever the number.
            part.depth + 2 if possessive else min(most * (part.depth + 2), _UNBOUNDED),
            varies or part.varies,
            group=True,
        )

    def _harmless(self, part: _Part, most: int) -> None:
        if self._engine == "PCRE" and part.varies and most > MAX_TURNS:
            raise RegexError(
                "has a repeat within a repeat, which can backtrack for ever: PCRE gives up, and "
                "the rule matches nothing",
                "repeat a set of characters such as [ab]+, or set "
                "proxy.mysql_variables.query_processor_regex to 2",
            )

    def _bounds(self) -> tuple[int, int] | None:
        """The numbers of a repeat that stands here, if one does."""
        for sign, bounds in {"*": (0, _UNBOUNDED), "+": (1, _UNBOUNDED), "?": (0, 1)}.items():
            if self._skip(sign):
                return bounds
        if _OPEN_REPEAT.match(self._text, self._at):
            raise RegexError(
                "has {,n}, which PCRE takes for plain text",
                "write {0,n} for a repeat, \\{ for the character",
            )
        repeat = _REPEAT.match(self._text, self._at)
        if repeat is None:
            return None
        self._at = repeat.end()
        limit = 65_535 if self._engine == "PCRE" else 1_000
        numbers = [number[:6] for number in (repeat[1], repeat[3]) if number]
        if max(int(number) for number in numbers) > limit:
            raise RegexError(f"repeats more than {limit} times", "lower the number")
        least = int(repeat[1])
        most = int(repeat[3]) if repeat[3] else _UNBOUNDED if repeat[2] else least
        if most == 0:
            raise RegexError("has a repeat of nought times", "remove it and what it repeats")
        if most < least:
            raise RegexError("has a repeat whose numbers are in the wrong order", "swap them")
        return least, most

    # --- items ---

    def _item(self) -> _Part:
        character = self._text[self._at]
        if character == "(":
            return self._group()
        if character == "[":
            return self._set()
        if character == "\\":
            return self._escape()
        if character in "*+?" or self._bounds() is not None:
            raise RegexError("repeats nothing", f"write \\{character} for the character")
        self._at += 1
        if character in "^$":
            return _Part(0, 0, 1, 0, repeatable=False)
        # Of a letter outside of ASCII only the last byte would be repeated.
        return _Part(1, 1, 2 * len(character.encode()), 0, repeatable=character.isascii())

    def _group(self) -> _Part:
        flags = _FLAGS.match(self._text, self._at)
        if flags and flags[0] != "(?" and self._text[flags.end()] == ")":
            self._at = flags.end() + 1
            return _Part(0, 0, 3, 0, repeatable=False)
        look = next((_LOOKS[sign] for sign in _LOOKS if self._begins(sign)), None)
        if look and self._engine == "RE2":
            raise self._unknown("a look around")
        if flags and self._text[flags.end()] == ":":
            self._at = flags.end() + 1
        elif look or (self._begins("(?>") and self._engine == "PCRE"):
            self._at += 4 if look == "behind" else 3
        elif self._begins("(?P<") or (self._begins("(?<") and self._engine == "PCRE"):
            self._named("(?P<" if self._begins("(?P<") else "(?<")
            self.groups += 1
        elif self._begins("(?") or self._begins("(*"):
            raise self._unknown("a group that begins with " + self._text[self._at :][:3])
        else:
            self._at += 1
            self.groups += 1
        inner = self.alternatives()
        if not self._skip(")"):
            raise RegexError("has a ( without a )", "write \\( for the character")
        if look == "behind" and inner.shortest != inner.longest:
            raise RegexError("looks behind for a text of no fixed length", "fix its length")
        if look:
            return _Part(0, 0, inner.size + 6, inner.depth + 1, repeatable=False)
        return _Part(
            inner.shortest,
            inner.longest,
            inner.size + 6,
            min(inner.depth + 2, _UNBOUNDED),
            inner.varies,
            group=True,
        )

    def _named(self, sign: str) -> None:
        name = _NAME.match(self._text, self._at + len(sign))
        if name is None or self._text[name.end() : name.end() + 1] != ">":
            raise RegexError(
                "has a name of a group that is not 1 to 32 ASCII letters, digits and _",
                "use a plain (…) instead",
            )
        if name[0] in self._names:
            raise RegexError("has the name of a group twice", "use another name")
        self._names.add(name[0])
        self._at = name.end() + 1

    def _escape(self) -> _Part:
        escaped = self._text[self._at + 1 : self._at + 2]
        if not escaped:
            raise RegexError("ends with a backslash", "write \\\\ for the character")
        self._at += 2
        single = _Part(1, 1, 2, 0)
        if escaped in "bBA" or escaped == "z" or (escaped == "Z" and self._engine == "PCRE"):
            return _Part(0, 0, 1, 0, repeatable=False)
        if escaped in "123456789" and self._engine == "PCRE":
            if self._text[self._at : self._at + 1].isdigit():
                raise self._unknown("a backslash and two digits")
            self.references.append(int(escaped))
            return _Part(0, _UNBOUNDED, 3, 1, varies=True, group=True)
        if escaped in "hHvVN" and self._engine == "PCRE":
            return single
        self._character(escaped)
        return single

    def _character(self, escaped: str) -> int | None:
        """The code of what a backslash and this character are, in a set too; None of a class."""
        if escaped == "x":
            code = _HEX.match(self._text, self._at)
            if code is None:
                raise RegexError("has \\x without two hexadecimal digits", "write them")
            self._at = code.end()
            return int(code[0].strip("{}"), 16)
        if escaped in "dDwWsS":
            return None
        if escaped in _CONTROLS:
            return _CONTROLS[escaped]
        if escaped.isalnum() or escaped == "_" or not escaped.isascii():
            raise self._unknown(f"\\{escaped}")
        return ord(escaped)

    def _set(self) -> _Part:
        self._at += 1
        self._skip("^")
        first = True
        # A ] that comes first is a member.
        while first or not self._begins("]"):
            low, first = self._member(), False
            if self._begins("-") and not self._begins("-]"):
                self._at += 1
                high = self._member()
                if low is None or high is None or high < low:
                    raise RegexError("has a range in [] that is none", "write \\- for the -")
        self._at += 1
        return _Part(1, 1, 33, 0)

    def _member(self) -> int | None:
        """The code of one member of a set; None of a class."""
        if self.ended:
            raise RegexError("has a [ without a ]", "write \\[ for the character")
        named = _POSIX.match(self._text, self._at)
        if named:
            self._at = named.end()
            return None
        if any(self._begins(sign) for sign in ("[:", "[.", "[=")):
            raise self._unknown("a set that begins with " + self._text[self._at :][:2])
        character = self._text[self._at]
        self._at += 1
        if character == "\\":
            self._at += 1
            escaped = self._text[self._at - 1 : self._at]
            if not escaped:
                raise RegexError("ends with a backslash", "write \\\\ for the character")
            return self._character(escaped)
        if not character.isascii():
            # Its bytes would be members, each for itself.
            raise RegexError("has a letter in [] that is not ASCII", "write (?:é|è) instead")
        return ord(character)

    # --- text ---

    def _begins(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _skip(self, sign: str) -> bool:
        """Go behind a sign, if it stands here."""
        begins = self._begins(sign)
        self._at += len(sign) if begins else 0
        return begins

    def _unknown(self, what: str) -> RegexError:
        return RegexError(
            f"has {what}, which {self._engine} does not know or this program does not take",
            "write it otherwise",
        )
