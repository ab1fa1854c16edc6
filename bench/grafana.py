"""Panels of a dashboard as an SVG that looks like Grafana's, readable in light and dark. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, inf, log10
from textwrap import wrap
from typing import Any
from xml.sax.saxutils import escape

COLUMN, LINE = 50, 29
"""Pixels of one column and one line of Grafana's grid."""
WIDTH = 24 * COLUMN
INSET = 3
"""Half of what is between two panels."""
HEAD = 46
LEFT, RIGHT, TOP = 60, 12, 32
"""Margins of a plot within its panel."""
NAMES = 150
"""Pixels for the names of states' lines."""
LETTER = 5.8
"""Pixels of a letter of 11 px, about."""
COLOURS = 8
"""How many lines have a colour of their own; the next begin anew."""
STYLE = """\
text { font: 11px sans-serif; fill: #24292f }
.title { font-size: 12.5px; font-weight: bold }
.row { font-size: 15px; font-weight: bold }
.head { font-size: 17px; font-weight: bold }
.figure { font-size: 27px; font-weight: bold }
.names { font-size: 13px; font-weight: bold }
.small { font-size: 10px; fill: #57606a }
.on { fill: #ffffff; font-size: 10px; font-weight: bold }
.paper { fill: #f4f5f5 }
.panel { fill: #ffffff; stroke: #d8dee4 }
.grid { stroke: #d8dee4; fill: none }
.event { stroke: #57606a; stroke-dasharray: 3 3; fill: none }
.limit { stroke: #cf222e; stroke-dasharray: 6 4; fill: none; stroke-width: 1.2 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.area { fill-opacity: .3; stroke: none }
.l0 { stroke: #2da44e; fill: #2da44e } .l1 { stroke: #bf8700; fill: #bf8700 }
.l2 { stroke: #0969da; fill: #0969da } .l3 { stroke: #cf222e; fill: #cf222e }
.l4 { stroke: #8250df; fill: #8250df } .l5 { stroke: #1b7c83; fill: #1b7c83 }
.l6 { stroke: #bf3989; fill: #bf3989 } .l7 { stroke: #6e7781; fill: #6e7781 }
path.line { fill: none }
.green { fill: #1a7f37 } .red { fill: #cf222e } .orange { fill: #bc4c00 }
.blue { fill: #0969da } .text { fill: #24292f }
@media (prefers-color-scheme: dark) {
  text { fill: #d8d9da }
  .small { fill: #9fa7b3 }
  .on { fill: #111217 }
  .paper { fill: #111217 }
  .panel { fill: #181b1f; stroke: #2c3235 }
  .grid { stroke: #2c3235 }
  .event { stroke: #9fa7b3 }
  .limit { stroke: #f2495c }
  .l0 { stroke: #73bf69; fill: #73bf69 } .l1 { stroke: #f2cc0c; fill: #f2cc0c }
  .l2 { stroke: #5794f2; fill: #5794f2 } .l3 { stroke: #f2495c; fill: #f2495c }
  .l4 { stroke: #b877d9; fill: #b877d9 } .l5 { stroke: #5bc4bf; fill: #5bc4bf }
  .l6 { stroke: #ff9bce; fill: #ff9bce } .l7 { stroke: #9fa7b3; fill: #9fa7b3 }
  .green { fill: #73bf69 } .red { fill: #f2495c } .orange { fill: #ff9830 }
  .blue { fill: #5794f2 } .text { fill: #d8d9da }
}"""

Points = Sequence[tuple[float, float]]
"""Seconds from the event, and the value then."""


@dataclass(frozen=True)
class Series:
    """One answer of a query: what its legend calls it, and its values."""

    name: str
    points: Points

    @property
    def last(self) -> float:
        return self.points[-1][1]


@dataclass(frozen=True)
class Panel:
    """A panel of a dashboard's JSON, with what its queries answered."""

    json: Mapping[str, Any]
    series: Sequence[Series]

    @property
    def defaults(self) -> Mapping[str, Any]:
        return self.json["fieldConfig"]["defaults"]

    @property
    def unit(self) -> str:
        return self.defaults.get("unit", "short")

    @property
    def size(self) -> tuple[int, int]:
        """Pixels, without what is between panels."""
        place = self.json["gridPos"]
        return place["w"] * COLUMN - 2 * INSET, place["h"] * LINE - 2 * INSET


@dataclass(frozen=True)
class Span:
    """The time that is shown, in seconds from the event, and between two values."""

    begin: float
    end: float
    step: float


def svg(title: str, caption: str, panels: Sequence[Panel], span: Span) -> str:
    """The panels where the dashboard has them."""
    lines = wrap(caption, 220)
    head = HEAD + 15 * len(lines)
    bottom = max(p.json["gridPos"]["y"] + p.json["gridPos"]["h"] for p in panels)
    height = head + bottom * LINE + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        _text(12, 28, title, "head"),
        *(_text(12, 48 + 15 * n, line, "small") for n, line in enumerate(lines)),
    ]
    for panel in panels:
        place = panel.json["gridPos"]
        x, y = place["x"] * COLUMN + INSET, head + place["y"] * LINE + INSET
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _DRAWN[panel.json["type"]](panel, span)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(panel: Panel, span: Span) -> Iterator[str]:
    yield _text(6, 19, f"⌄ {panel.json['title']}", "row")


def _frame(panel: Panel) -> Iterator[str]:
    width, height = panel.size
    yield f'<rect class="panel" width="{width}" height="{height}" rx="3"/>'
    yield _text(9, 19, panel.json["title"], "title")


# --- a figure of now ---------------------------------------------------------------------------


def _stat(panel: Panel, span: Span) -> Iterator[str]:
    width, height = panel.size
    yield from _frame(panel)
    if not panel.series:
        empty = panel.defaults.get("noValue", "no data")
        yield _text(width / 2, height / 2 + 18, empty, "figure", "middle")
        return
    named = panel.json["options"]["textMode"] == "name"
    lines = [
        (each.name if named else shown(each.last, panel.unit), colour(panel, each.last))
        for each in sorted(panel.series, key=lambda each: each.name)
    ]
    longest = max(len(text) for text, _ in lines)
    style = "figure" if len(lines) == 1 and longest * 16 < width else "names"
    step = 34 if style == "figure" else 18
    y = (height + 28) / 2 - step * (len(lines) - 1) / 2 + (9 if style == "figure" else 3)
    for number, (text, of) in enumerate(lines):
        yield _text(width / 2, y + number * step, text, f"{style} {of}", "middle")


def colour(panel: Panel, value: float) -> str:
    """The colour of the last threshold that a value reaches."""
    steps = panel.defaults["thresholds"]["steps"]
    return [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]


# --- lines -------------------------------------------------------------------------------------


def _graph(panel: Panel, span: Span) -> Iterator[str]:
    width, height = panel.size
    yield from _frame(panel)
    series = [each for each in panel.series if each.points]
    legend, lines = _legend(series, panel.unit, width)
    plot = _Plot(panel, series, span, width, height - 15 * lines - 24)
    yield from plot.axes()
    stacked = panel.defaults["custom"].get("stacking", {}).get("mode") == "normal"
    below: dict[float, float] = {}
    for number, each in enumerate(series):
        kind = f"l{number % COLOURS}"
        points = [(at, value + below.get(at, 0.0)) for at, value in each.points]
        if stacked:
            floor_ = [(at, below.get(at, 0.0)) for at, _ in points]
            yield f'<path class="area {kind}" d="{plot.area(points, floor_)}"/>'
            below |= dict(points)
        yield f'<path class="line {kind}" d="{plot.path(points)}"/>'
    limits = [step["value"] for step in panel.defaults.get("thresholds", {}).get("steps", ())]
    if limits and limits[-1] is not None and limits[-1] <= plot.most:
        y = plot.y(limits[-1])
        yield f'<path class="limit" d="M{LEFT} {y:.1f}H{width - RIGHT}"/>'
    yield f'<g transform="translate(0 {height - 15 * lines + 2})">{legend}</g>'


def _legend(series: Sequence[Series], unit: str, width: int) -> tuple[str, int]:
    """Names with their last values, in lines; how many lines."""
    parts: list[str] = []
    x, y = 10.0, 0
    for number, each in enumerate(series):
        name = each.name or "value"
        text = f"{name}  {shown(each.last, unit)}"
        taken = 20 + LETTER * len(text)
        if x + taken > width - 4 and x > 10:
            x, y = 10.0, y + 1
        at = y * 15
        parts.append(
            f'<rect class="l{number % COLOURS}" x="{x:.0f}" y="{at + 2}" width="11" height="3"/>'
        )
        parts.append(_text(x + 15, at + 8, text))
        x += taken
    return "".join(parts), y + 1


class _Plot:
    """Where values are within a panel."""

    def __init__(
        self, panel: Panel, series: Sequence[Series], span: Span, width: int, bottom: int
    ) -> None:
        self._span, self._unit = span, panel.unit
        self._left, self._right, self._bottom = LEFT, width - RIGHT, bottom
        custom = panel.defaults["custom"]
        stacked = custom.get("stacking", {}).get("mode") == "normal"
        totals: dict[float, float] = {}
        for each in series:
            for at, value in each.points:
                totals[at] = (
                    totals.get(at, 0.0) + value if stacked else max(totals.get(at, -inf), value)
                )
        values = [*totals.values(), *(value for each in series for _, value in each.points)]
        self._least = min([*values, custom.get("axisSoftMin", inf)], default=0.0)
        top = max([*values, custom.get("axisSoftMax", -inf)], default=0.0)
        reach = top - self._least or 1.0
        size, _ = _scale(reach, panel.unit)
        self._tick = _nice(reach / size / 4) * size
        self.most = self._least + self._tick * ceil(reach / self._tick)

    def x(self, at: float) -> float:
        share = (at - self._span.begin) / (self._span.end - self._span.begin)
        return self._left + share * (self._right - self._left)

    def y(self, value: float) -> float:
        share = (value - self._least) / (self.most - self._least)
        return self._bottom - share * (self._bottom - TOP)

    def axes(self) -> Iterator[str]:
        value = self._least
        while value <= self.most * 1.0001:
            y = self.y(value)
            yield f'<path class="grid" d="M{self._left} {y:.1f}H{self._right}"/>'
            yield _text(self._left - 5, y + 4, shown(value, self._unit), "small", "end")
            value += self._tick
        yield from _times(self._span, self.x, TOP, self._bottom)

    def path(self, points: Points) -> str:
        """Lines through points; a gap where values are missing."""
        return "".join(
            _joined([(self.x(at), self.y(value)) for at, value in run])
            for run in self._runs(points)
        )

    def area(self, points: Points, floor_: Points) -> str:
        """What is between two lines of the same times."""
        there = [(self.x(at), self.y(value)) for at, value in points]
        back = [(self.x(at), self.y(value)) for at, value in reversed(floor_)]
        return _joined(there) + _joined(back).replace("M", "L", 1) + "Z"

    def _runs(self, points: Points) -> Iterator[Points]:
        begin = 0
        for index in range(1, len(points) + 1):
            if (
                index == len(points)
                or points[index][0] - points[index - 1][0] > 1.5 * self._span.step
            ):
                yield points[begin:index]
                begin = index


def _joined(places: Sequence[tuple[float, float]]) -> str:
    """A path through places, without those between others of the same height."""
    kept = [
        place
        for number, place in enumerate(places)
        if number in (0, len(places) - 1)
        or not round(places[number - 1][1], 1)
        == round(place[1], 1)
        == round(places[number + 1][1], 1)
    ]
    if len(kept) == 1:
        kept = [kept[0], (kept[0][0] + 1, kept[0][1])]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in kept)


def _times(span: Span, x: Callable[[float], float], top: float, bottom: float) -> Iterator[str]:
    yield f'<path class="event" d="M{x(0):.1f} {top}V{bottom}"/>'
    step = 30 if x(30) - x(0) > 40 else 60
    for at in range(-600, 601, step):
        if span.begin <= at <= span.end:
            text = f"{at} s" if at else "0"
            yield _text(x(at), bottom + 14, text, "small", "end" if at == span.end else "middle")


def _nice(step: float) -> float:
    """The next greater step of 1, 2 or 5."""
    power = 10.0 ** floor(log10(step))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * 0.999)


# --- states ------------------------------------------------------------------------------------


def _states(panel: Panel, span: Span) -> Iterator[str]:
    width, height = panel.size
    yield from _frame(panel)
    options = {
        float(value): state
        for mapping in panel.defaults["mappings"]
        for value, state in mapping["options"].items()
    }
    bottom = height - 44
    left, right = NAMES, width - RIGHT
    series = sorted(panel.series, key=lambda each: each.name)
    each_height = (bottom - TOP) / max(len(series), 1)

    def x(at: float) -> float:
        return left + (at - span.begin) / (span.end - span.begin) * (right - left)

    seen: dict[float, Mapping[str, Any]] = {}
    for number, one in enumerate(series):
        y = TOP + number * each_height
        tall = min(each_height * 0.8, 34)
        middle = y + each_height / 2
        yield _text(left - 8, middle + 4, one.name, "", "end")
        for value, begin, end in _held(one.points, span.step):
            state = options.get(value, {"text": f"{value:g}", "color": "text"})
            seen[value] = state
            long = x(end) - x(begin)
            yield (
                f'<rect class="{state["color"]}" x="{x(begin):.1f}" y="{middle - tall / 2:.1f}" '
                f'width="{long:.1f}" height="{tall:.1f}"/>'
            )
            if long > LETTER * len(state["text"]) + 8:
                yield _text(x(begin) + long / 2, middle + 4, state["text"], "on", "middle")
    yield from _times(span, x, TOP, bottom)
    at = 10.0
    for _, state in sorted(seen.items()):
        place = f'x="{at:.0f}" y="{height - 18}" width="10" height="10"'
        yield f'<rect class="{state["color"]}" {place}/>'
        yield _text(at + 15, height - 9, state["text"])
        at += 34 + LETTER * len(state["text"])


def _held(points: Points, step: float) -> Iterator[tuple[float, float, float]]:
    """(value, from, until) of each time in which a value stayed; a gap ends it."""
    number = iter(range(len(points)))
    keyed = [(value, round(at / step) - next(number), at) for at, value in points]
    for (value, _), group in groupby(keyed, key=lambda each: each[:2]):
        times = [at for _, _, at in group]
        yield value, times[0] - step / 2, times[-1] + step / 2


_DRAWN: Mapping[str, Callable[[Panel, Span], Iterator[str]]] = {
    "row": _row,
    "stat": _stat,
    "timeseries": _graph,
    "state-timeline": _states,
}


# --- words -------------------------------------------------------------------------------------

_SCALES: Mapping[str, Sequence[tuple[float, str]]] = {
    "s": ((60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs")),
    "µs": ((1e6, " s"), (1e3, " ms"), (1, " µs")),
    "reqps": ((1, " req/s"),),
    "ops": ((1, " ops/s"),),
    "percentunit": ((0.01, " %"),),
    "bytes": ((2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B")),
    "binBps": ((2**30, " GiB/s"), (2**20, " MiB/s"), (2**10, " KiB/s"), (1, " B/s")),
    "short": ((1e6, " M"), (1e3, " K"), (1, "")),
}
"""By unit: the first scale that a value reaches, and its name."""


def shown(value: float, unit: str) -> str:
    """A value for people, with three digits at most."""
    if unit.startswith("suffix:"):
        return f"{value:g} {unit.removeprefix('suffix:').strip()}"
    size, name = _scale(value, unit)
    scaled = value / size
    digits = max(0, 2 - floor(log10(abs(scaled)))) if scaled else 0
    return f"{round(scaled, min(digits, 2)):g}{name}"


def _scale(value: float, unit: str) -> tuple[float, str]:
    scales = _SCALES[unit]
    reached = (each for each in scales if abs(value) >= each[0] * 0.9995)
    plain = next((each for each in scales if each[0] == 1), scales[-1])
    return next(reached, scales[-1]) if value else plain


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "") -> str:
    style = f' class="{style}"' if style else ""
    anchor = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text{style} x="{x:.0f}" y="{y:.0f}"{anchor}>{escape(text)}</text>'
