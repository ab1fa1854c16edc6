"""The text of `database.my_cnf` as a server reads it (mysys/my_default.c of both engines)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from components.config.server_options import base

MAX_LINE = 4000
"""Bytes. A server reads a file in pieces of 4095 bytes, and takes each piece for a line."""
SPACES = " \t\v\f\r"
SECTION = re.compile(r"\[([A-Za-z0-9._-]+)\s*\]\s*([#;].*)?")
OPTION = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")

GROUPS = {
    "mariadb": ("mysqld", "server", "mariadb", "mariadbd"),
    "percona": ("mysqld", "server"),
}
"""Sections that a server of an engine reads, all but `server` with a version behind them too
(`mariadbd --verbose --help`; MySQL's sql/mysqld.cc, load_default_groups). Not `galera`, where the
operator writes who bootstraps, nor `client-server`, which clients in the same container read."""


@dataclass(frozen=True)
class Line:
    """What one line says. `number` counts from 1."""

    number: int
    text: str
    """Without spaces around it."""

    @property
    def is_comment(self) -> bool:
        """Whether the server passes over it."""
        return self.text[0] in "#;"

    @property
    def section(self) -> str | None:
        """The section that begins here."""
        match = SECTION.fullmatch(self.text)
        return match[1] if match else None

    @property
    def name(self) -> str:
        """The option's name as it stands there; not always one that a server knows."""
        return re.split(r"[=#]", self.text, maxsplit=1)[0].strip(SPACES)

    @property
    def value(self) -> str | None:
        """The option's value without quotes; None where there is no `=`."""
        _, equals, rest = self.text.partition("=")
        if not equals or "#" in self.text[: len(self.text) - len(rest) - 1]:
            return None
        rest = rest.strip(SPACES)
        quoted = re.match(r"""(["'])(.*?)\1""", rest)
        return quoted[2] if quoted else rest.split("#", 1)[0].strip(SPACES)


def lines(text: str) -> Iterator[Line]:
    """The lines of a text that are not empty. Only a line feed ends one."""
    for number, line in enumerate(text.split("\n"), 1):
        if stripped := line.strip(SPACES):
            yield Line(number, stripped)


def sections(engine: str, version: tuple[int, ...]) -> frozenset[str]:
    """The sections that a my.cnf of the stack may have."""
    number = ".".join(map(str, version[:2]))
    versioned = (f"{name}-{number}" for name in GROUPS[engine] if name != "server")
    return frozenset((*GROUPS[engine], *versioned))


def values(text: str, names: frozenset[str]) -> dict[str, str]:
    """The last value that a text gives each of `names`, which have `_` for `-`."""
    found: dict[str, str] = {}
    for line in lines(text):
        if line.is_comment or line.value is None:
            continue
        if (name := base(line.name)) in names:
            found[name] = line.value
    return found
