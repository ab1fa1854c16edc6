"""A database as a screen for people, and as JSON for programs. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from .model import SEVERITIES, Database, Proof, Proxy, Server, Verdict
from .verdicts import led_to, short, span, writers, wrong

WIDTH = 96
"""Columns that no line exceeds, but for names that do not fit."""
SCHEMA_VERSION = 1
"""Changes when a key changes its meaning or goes."""

_COLOURS = {"critical": "31;1", "warning": "33;1", "notice": "36", "well": "32;1", "head": "1"}
"""ANSI: red, yellow, cyan, green, bold."""
_MARK = "! "
"""Before a line in which something is wrong."""
_PLURALS = {"critical": "critical", "warning": "warnings", "notice": "notices"}


@dataclass(frozen=True)
class Ink:
    """Colour, where the screen has it."""

    colour: bool

    def __call__(self, text: str, kind: str) -> str:
        """The text, as its kind looks."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self.colour else text


def render(database: Database, found: Sequence[Verdict], *, colour: bool) -> str:
    """One screen."""
    ink = Ink(colour)
    lines = [
        *_head(database, found, ink),
        "",
        *_servers(database, found, ink),
        *_proxies(database, found, ink),
        *_rest(database),
        *_todo(found, ink),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def to_json(database: Database, found: Sequence[Verdict]) -> dict[str, Any]:
    """The fields of `Database`, with times as text, and `well` and `verdicts` beside them."""
    fields: dict[str, Any] = asdict(database)
    return {
        **_plain(fields),
        "well": not wrong(found),
        "verdicts": [asdict(one) for one in found],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in cast(Sequence[Any], value)]
    return value


def _head(database: Database, found: Sequence[Verdict], ink: Ink) -> Iterator[str]:
    versions = sorted({server.version for server in database.servers if server.version})
    kind = " ".join([database.engine, *versions])
    what = f"{database.name} in {database.namespace}: {kind}, {database.topology}"
    counts = Counter(one.severity for one in found)
    worst = next((one for one in SEVERITIES if counts[one]), "well")
    said = ", ".join(f"{n} {_named(one, n)}" for one in SEVERITIES if (n := counts[one]))
    said = said if wrong(found) else f"all is well{f', {said}' if said else ''}"
    room = WIDTH - len(what) - len(said)
    well = ink(said, worst if wrong(found) else "well")
    if room > 0:
        yield f"{ink(what, 'head')}{' ' * room}{well}"
    else:
        yield from (ink(line, "head") for line in _lines(what, WIDTH))
        yield well
    paused = ", paused" if database.paused else ""
    yield f"{database.now:%Y-%m-%d %H:%M:%S} UTC, operator: {_cut(database.state, 60)}{paused}"


def _named(severity: str, count: int) -> str:
    return severity if count == 1 else _PLURALS[severity]


def _table(
    head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], name: str, ink: Ink
) -> Iterator[str]:
    """Aligned columns below a head. Each row: what its line is coloured by, and its cells; the last
    cell of a row that has fewer may be as long as it likes.

    `name`: of the database, in whose place is `…` where the columns would not fit.
    """

    def widths() -> list[int]:
        cells = [row for _, row in rows]
        return [
            max(len(row[n]) for row in (head, *cells) if n < len(row) - (len(row) < len(head)))
            for n in range(len(head))
        ]

    columns = widths()
    if len(_MARK) + sum(columns) + 2 * (len(head) - 1) > WIDTH:
        rows = [(kind, [cell.replace(name, "…") for cell in row]) for kind, row in rows]
        columns = widths()

    def line(row: Sequence[str]) -> str:
        padded = (cell.ljust(columns[n]) for n, cell in enumerate(row[:-1]))
        return "  ".join([*padded, row[-1]])

    yield ink(line((head[0].ljust(columns[0] + len(_MARK)), *head[1:])), "head")
    for severity, row in rows:
        mark = _MARK if severity in ("critical", "warning") else " " * len(_MARK)
        text = _cut(mark + line(row), WIDTH)
        yield ink(text, severity) if severity else text
    yield ""


def _worst(found: Sequence[Verdict], pod: str) -> str:
    """The worst that is said of a Pod."""
    return next((one.severity for one in found if pod in one.pods), "")


def _servers(database: Database, found: Sequence[Verdict], ink: Ink) -> Iterator[str]:
    if not database.servers:
        return
    galera = database.topology == "galera"
    head = ("servers", "role", *(("state", "nodes") if galera else ("lag", "semi-sync")))
    rows = [(_worst(found, server.pod), _server(database, server)) for server in database.servers]
    yield from _table((*head, "connections"), rows, database.name, ink)


def _server(database: Database, server: Server) -> Sequence[str]:
    if server.unknown:
        return (server.pod, f"unknown: {server.unknown}")
    used = f"{server.connections} of {server.max_connections}"
    if server.galera:
        node = server.galera
        role = "writer" if server.pod in writers(database) else "node"
        if server.read_only:
            role += ", read-only"
        return (server.pod, role, node.state, f"{node.size} of {database.servers_wanted}", used)
    if database.topology == "galera":
        return (server.pod, "NO NODE", "-", "-", used)
    primary = server.pod == database.primary
    role = "primary" if primary else "replica"
    if primary and server.read_only:
        role += ", read-only"
    if not primary and not server.read_only:
        role += ", WRITABLE"
    return (server.pod, role, _lag(server, primary), _semi_sync(server, primary), used)


def _lag(server: Server, primary: bool) -> str:
    following = server.replication
    if following is None:
        return "-" if primary else "follows nobody"
    if primary:
        return f"follows {short(following.source)}"
    if not following.runs:
        return "broken" if "No" in (following.io, following.sql) else following.io.lower()
    return "unknown" if following.lag is None else f"{following.lag} s"


def _semi_sync(server: Server, primary: bool) -> str:
    semi_sync = server.semi_sync
    if semi_sync is None:
        return "not used"
    if primary:
        noun = "replica" if semi_sync.clients == 1 else "replicas"
        return f"{'on' if semi_sync.waits else 'OFF'}, {semi_sync.clients} {noun}"
    return "acknowledges" if semi_sync.acknowledges else "no"


def _proxies(database: Database, found: Sequence[Verdict], ink: Ink) -> Iterator[str]:
    if not database.proxies:
        text = "none: clients connect to the servers"
        if database.proxied:
            text = "none run: their StatefulSet is gone" if database.proxies_gone else "none run"
        elif not database.known("statefulsets"):
            text = "unknown"
        yield f"{ink('proxies', 'head')}  {text}"
        yield ""
        return
    head = ("proxies", "writes go to", "clients", "to a server", "configuration")
    rows = [
        (_worst(found, proxy.pod) or _lost(database, proxy), _proxy(database, proxy))
        for proxy in database.proxies
    ]
    yield from _table(head, rows, database.name, ink)


def _lost(database: Database, proxy: Proxy) -> str:
    """How bad it is that its writer leads nowhere."""
    return "" if all(led_to(database, host) for host in proxy.writers) else "critical"


def _proxy(database: Database, proxy: Proxy) -> Sequence[str]:
    if proxy.unknown:
        return (proxy.pod, f"unknown: {proxy.unknown}")
    writes = ", ".join(_target(database, host) for host in proxy.writers) or "nobody"
    if proxy.held_seconds is not None:
        writes = f"wait for {proxy.held_seconds} s"
    return (
        proxy.pod,
        writes,
        "PAUSED" if proxy.paused else f"{proxy.clients} of {proxy.max_clients}",
        f"{proxy.used} of {proxy.allowed}",
        _configuration(proxy),
    )


def _target(database: Database, host: str) -> str:
    pod = led_to(database, host) or "nobody"
    return pod if pod == short(host) else f"{pod} by {short(host)}"


def _configuration(proxy: Proxy) -> str:
    if not proxy.compared:
        return "not compared"
    if proxy.drift:
        count = len(proxy.drift)
        return f"{count} {'difference' if count == 1 else 'differences'}"
    return "waits for the roll" if proxy.outdated else "as its files"


def _rest(database: Database) -> Iterator[str]:
    proofs = "; ".join(_proof(database, proof) for proof in database.proofs) or "none"
    yield from _wrapped("backups", proofs)
    ends = "; ".join(f"{one.of} {_ends(database, one.ends)}" for one in database.certificates)
    yield from _wrapped("certificates", ends or "none of Secrets")


def _wrapped(title: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{title.ljust(14)}{text}", WIDTH, subsequent_indent=" " * 14, break_on_hyphens=False
    )


def _proof(database: Database, proof: Proof) -> str:
    allowed = "" if proof.unknown else f", at most {span(proof.allowed_seconds)}"
    if proof.last is None:
        return f"{proof.kind} none yet{allowed}"
    return f"{proof.kind} {span((database.now - proof.last).total_seconds())} ago{allowed}"


def _ends(database: Database, ends: datetime | None) -> str:
    if ends is None:
        return "unknown"
    left = (ends - database.now).total_seconds()
    return f"until {ends:%Y-%m-%d}, {span(left)}" if left > 0 else f"ENDED {ends:%Y-%m-%d}"


def _todo(found: Sequence[Verdict], ink: Ink) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield ink("to do", "head")
    for one in found:
        name = one.severity.upper() if one.severity != "notice" else "notice"
        lines = _lines(one.told, WIDTH - 12) or [""]
        yield f"  {ink(name.ljust(9), one.severity)} {lines[0]}"
        yield from (f"{' ' * 12}{line}" for line in lines[1:])
        yield from (f"{' ' * 12}{line}" for line in _lines(f"→ {one.do} ({one.page})", WIDTH - 12))


def _lines(text: str, width: int) -> list[str]:
    """A text, of which no word is broken."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
