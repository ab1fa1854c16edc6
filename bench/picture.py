"""Acknowledged writes around an event, as an SVG that is readable in light and dark. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape

BEAT = 0.1
"""Seconds of one bar."""
COLUMNS = 2
WIDTH = 500
"""Of a panel, as all lengths here in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 104, 14, 30, 44
"""A panel's margins: names of the strips, nothing, the title, the axis."""
STRIP, GAP = 34, 8
HEAD = 62
"""Height of the caption and the legend."""
COLOURS = ("ours now", "ours before", "monitor", "chart A", "no proxies")
"""Configurations in the order of the classes below; others are grey."""
STYLE = """\
text { font: 12px sans-serif; fill: #24292f }
.title { font-weight: bold; font-size: 13px }
.small { font-size: 10px; fill: #57606a }
.paper { fill: #ffffff }
.axis, .tick { stroke: #8c959f; stroke-width: 1; fill: none }
.event { stroke: #24292f; stroke-width: 1; stroke-dasharray: 3 2 }
.c0 { fill: #0969da } .c1 { fill: #bf8700 } .c2 { fill: #1a7f37 } .c3 { fill: #cf222e }
.c4 { fill: #8250df } .c5 { fill: #6e7781 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9da7b3 }
  .paper { fill: #0d1117 }
  .axis, .tick { stroke: #6e7681 }
  .event { stroke: #e6edf3 }
  .c0 { fill: #58a6ff } .c1 { fill: #e3b341 } .c2 { fill: #56d364 } .c3 { fill: #ff7b72 }
  .c4 { fill: #bc8cff } .c5 { fill: #8b949e }
}"""


@dataclass(frozen=True)
class Panel:
    """One scenario."""

    title: str
    strips: Mapping[str, Sequence[int]]
    """Configuration to acknowledged writes per BEAT, from the same time before the event on."""

    @property
    def height(self) -> int:
        return TOP + len(self.strips) * (STRIP + GAP) + BOTTOM


def svg(panels: Sequence[Panel], caption: str, before: float) -> str:
    """All panels, each below the shorter column; `before`: seconds from the first bar to the event.

    A strip for each configuration; those of one panel share both axes.
    """
    lines = wrap(caption.replace("`", ""), 160)
    begin = HEAD + 14 * len(lines)
    ends = [begin] * COLUMNS
    parts: list[str] = []
    for panel in panels:
        column = ends.index(min(ends))
        parts.append(f'<g transform="translate({column * WIDTH} {ends[column]})">')
        parts += _panel(panel, before)
        parts.append("</g>")
        ends[column] += panel.height
    top = max(ends)
    width = COLUMNS * WIDTH
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
        f'viewBox="0 0 {width} {top}" role="img" aria-label="Acknowledged writes around an event">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="paper" width="{width}" height="{top}"/>',
        '<text class="title" x="14" y="22">Acknowledged writes around each event (dashed)</text>',
        *(
            f'<text class="small" x="14" y="{40 + 14 * number}">{escape(line)}</text>'
            for number, line in enumerate(lines)
        ),
        *_legend(panels, begin - 14),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def _legend(panels: Sequence[Panel], y: int) -> list[str]:
    names = dict.fromkeys(name for panel in panels for name in panel.strips)
    return [
        f'<rect class="{_colour(name)}" x="{14 + 120 * n}" y="{y - 10}" width="12" height="12"/>'
        f'<text x="{32 + 120 * n}" y="{y}">{escape(name)}</text>'
        for n, name in enumerate(names)
    ]


def _colour(name: str) -> str:
    return f"c{COLOURS.index(name) if name in COLOURS else len(COLOURS)}"


def _panel(panel: Panel, before: float) -> list[str]:
    bars = max(len(beats) for beats in panel.strips.values())
    most = max(1, *(max(beats, default=0) for beats in panel.strips.values()))
    scale = (WIDTH - LEFT - RIGHT) / max(bars, 1)
    """Pixels of one bar."""
    parts = [f'<text class="title" x="14" y="20">{escape(panel.title)}</text>']
    for number, (name, beats) in enumerate(panel.strips.items()):
        base = TOP + number * (STRIP + GAP) + STRIP
        parts += [
            f'<path class="{_colour(name)}" d="{_area(beats, scale, STRIP / most, base)}"/>',
            f'<path class="axis" d="M{LEFT} {base - STRIP}V{base}H{WIDTH - RIGHT}"/>',
            f'<text x="{LEFT - 24}" y="{base - STRIP / 2 + 4:g}" text-anchor="end">'
            f"{escape(name)}</text>",
            f'<text class="small" x="{LEFT - 4}" y="{base - STRIP + 8}" text-anchor="end">'
            f"{most}</text>",
            f'<text class="small" x="{LEFT - 4}" y="{base}" text-anchor="end">0</text>',
        ]
    bottom = TOP + len(panel.strips) * (STRIP + GAP) - GAP
    event = LEFT + before / BEAT * scale
    parts.append(f'<path class="event" d="M{event:.1f} {TOP - 4}V{bottom}"/>')
    seconds = bars * BEAT - before
    step = next((step for step in (5, 10, 20, 50, 100) if seconds / step <= 8), 200)
    for tick in range(-int(before // step) * step, int(seconds) + 1, step):
        x = event + tick / BEAT * scale
        parts += [
            f'<path class="tick" d="M{x:.1f} {bottom}v4"/>',
            f'<text class="small" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{tick}</text>',
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        f'<text class="small" x="{middle:g}" y="{bottom + 28}" text-anchor="middle">seconds from '
        "the event</text>",
        f'<text class="small" x="14" y="{bottom + 28}">writes per 100 ms</text>',
    ]
    return parts


def _area(beats: Sequence[int], width: float, height: float, base: float) -> str:
    """Bars without gaps, from the base line up, as one path."""
    path, level = [f"M{LEFT} {base}"], 0
    for number, beat in enumerate(beats):
        if beat != level:
            x = LEFT + number * width
            path.append(f"H{x:.1f}V{base - beat * height:.1f}")
            level = beat
    return "".join([*path, f"H{LEFT + len(beats) * width:.1f}V{base}Z"])
