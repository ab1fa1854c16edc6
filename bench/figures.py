"""What the benches of faults have measured: kept as JSON, shown as tables in docs/failover.md.

Each line is written as soon as it is measured, so a bench that is ended early keeps its lines.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tools.marks import with_section

from . import picture
from .picture import Panel

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "failover.md"
READ_ONLY = 1290
BEFORE = 5.0
"""Seconds before the event that a picture shows."""
AFTER = 15.0
"""Seconds after it that it shows at least."""
CONNECTING = 1.0
"""Seconds of load before a picture begins."""
HEADER = (
    "| what happens | proxies | runs | outage | worst | of one writer | refused | failed requests "
    "| lost | missing | notes |"
)


@dataclass(frozen=True)
class Line:
    """What a line of a table is about."""

    table: str
    """The table's title."""
    scenario: str
    configuration: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of one line."""

    acknowledged: int
    outage: float
    """Seconds in which no writer got an acknowledgement."""
    worst_outage: float
    """Seconds in which one writer got none."""
    failures: Mapping[int, int]
    """Failed requests by error."""
    lost: int
    """Acknowledged writes that the primary does not have."""
    missing: int
    """Acknowledged writes that the worst other server does not have."""
    notes: Sequence[str] = ()
    beats: Sequence[int] = ()
    """Acknowledged writes per 100 ms from BEFORE on, for a picture."""


Runs = Mapping[Line, Sequence[Run | None]]
"""Each with its runs in order; None: the run failed."""


def row(line: Line, runs: Sequence[Run | None]) -> str:
    """One line of a table, over all its runs."""
    cells = [line.scenario, line.configuration]
    done = [run for run in runs if run]
    failed = len(runs) - len(done)
    cells.append(f"{len(done)}{f', {failed} failed' if failed else ''}" if runs else "not measured")
    if done:
        worst = max(done, key=lambda run: sum(run.failures.values()))
        failures = ", ".join(f"{n} × {code}" for code, n in sorted(worst.failures.items()))
        cells += [
            f"{statistics.median(run.outage for run in done):.1f} s",
            f"{max(run.outage for run in done):.1f} s",
            f"{max(run.worst_outage for run in done):.1f} s",
            str(max(run.failures.get(READ_ONLY, 0) for run in done)),
            failures or "0",
            f"{sum(run.lost for run in done)} of {sum(run.acknowledged for run in done)}",
            str(sum(run.missing for run in done)),
            "; ".join(_notes(done)),
        ]
    cells += [""] * (HEADER.count("|") - 1 - len(cells))
    return "| " + " | ".join(cells) + " |"


def _notes(done: Sequence[Run]) -> list[str]:
    """Each note once, with the number of runs that it is of unless it is of all."""
    times = Counter(note for run in done for note in run.notes)
    return [note if n == len(done) else f"{note} ({n} of {len(done)} runs)"
            for note, n in times.items()]  # fmt: skip


def tables(lines: Sequence[Line], runs: Runs) -> str:
    """Every table below its title."""
    sections: list[str] = []
    for title in dict.fromkeys(line.table for line in lines):
        rows = [row(line, runs.get(line, ())) for line in lines if line.table == title]
        rule = "| --- " * (HEADER.count("|") - 1) + "|"
        sections += [f"### {title}", "\n".join([HEADER, rule, *rows])]
    return "\n\n".join(sections)


def panels(lines: Sequence[Line], runs: Runs) -> list[Panel]:
    """A panel for each scenario of which a run was drawn."""
    found: dict[str, dict[str, Sequence[int]]] = {}
    for line in lines:
        for run in runs.get(line, ()):
            if run and run.beats:
                drawn = found.setdefault(line.scenario, {})
                drawn.setdefault(line.configuration, run.beats)
    return [Panel(scenario, drawn) for scenario, drawn in found.items()]


def release(version: str) -> str:
    """`3.0` of 3.0.12-…: what sections of the page are named by."""
    return ".".join(version.split(".")[:2])


@dataclass
class Figures:
    """A section of the page, its runs, and its picture."""

    name: str
    """Of the section, and of the file with the runs."""
    plan: Sequence[Line]
    """All lines that the section may have, in order."""
    chosen: Collection[Line]
    """Those that are measured now; the others stay as they were measured before."""
    environment: str = ""
    """What the figures depend on."""
    picture: Path | None = None
    runs: dict[Line, list[Run | None]] = field(default_factory=dict[Line, "list[Run | None]"])

    @property
    def file(self) -> Path:
        return HERE / "measured" / f"{self.name}.json"

    def begin(self) -> None:
        """Read what is kept; raises ValueError if the page has no such section."""
        with_section(PAGE.read_text(), self.name, str)
        kept: list[dict[str, Any]] = json.loads(self.file.read_text()) if self.file.exists() else []
        self.runs = {
            line: found
            for line, found in parsed(kept).items()
            if line in self.plan and line not in self.chosen
        }

    def add(self, line: Line, run: Run | None) -> None:
        """Show a run, and write all that there is."""
        self.runs.setdefault(line, []).append(run)
        say(f"{datetime.now():%H:%M:%S} {row(line, [run])}")
        self.write()

    def write(self) -> None:
        """The file, the section and the picture."""
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(plain(self.runs))
        PAGE.write_text(with_section(PAGE.read_text(), self.name, lambda _: f"{self.text()}\n"))
        if self.picture and (shown := panels(self.plan, self.runs)):
            self.picture.write_text(picture.svg(shown, self.environment, BEFORE))

    def text(self) -> str:
        """Of the section: lines that were chosen and not reached are there, without figures."""
        lines = [line for line in self.plan if line in self.chosen or line in self.runs]
        return f"{self.environment}\n\n{tables(lines, self.runs)}"


def plain(runs: Runs) -> str:
    """Runs as JSON."""
    entries = [
        json.dumps({**vars(line), "runs": [run and vars(run) for run in found]})
        for line, found in runs.items()
    ]
    return "[\n" + ",\n".join(entries) + "\n]\n"


def parsed(entries: Sequence[Mapping[str, Any]]) -> dict[Line, list[Run | None]]:
    """The same, read again."""

    def run(of: Mapping[str, Any] | None) -> Run | None:
        if of is None:
            return None
        fields: dict[str, Any] = {**of}
        fields["failures"] = {int(code): n for code, n in of["failures"].items()}
        return Run(**fields)

    return {
        Line(e["table"], e["scenario"], e["configuration"]): [run(of) for of in e["runs"]]
        for e in entries
    }


def parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """Options of both benches."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--runs", type=int, default=1, help="how often each line is measured")
    parser.add_argument("--only", nargs="+", default=["*"], help="scenarios, or patterns of them")
    parser.add_argument("--configuration", nargs="+", default=["*"], help="the same of proxies")
    return parser


def choose(plan: Sequence[Line], arguments: argparse.Namespace) -> list[Line]:
    """The lines that the options ask for; ends the program when there is none."""

    def asked(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    chosen = [
        line
        for line in plan
        if asked(line.scenario, arguments.only)
        and asked(line.configuration, arguments.configuration)
    ]
    if not chosen:
        known = "\n".join(dict.fromkeys(f"{x.scenario}, {x.configuration}" for x in plan))
        raise SystemExit(f"No such line. There are:\n{known}")
    return chosen


def end_by_contexts() -> None:
    """Let SIGTERM end the program by way of its contexts, which stop what was started."""

    def stop(signum: int, _: object) -> None:
        raise SystemExit(signal.strsignal(signum))

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
