"""Draws docs/topology.svg: what each size makes with each engine.

`python -m tools.topology` runs the program for every panel and writes the picture; `--check` writes
nothing and fails when the picture is not what the program makes.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

from components.config.engine import ENGINES
from components.config.presets import SIZES
from components.names import pxc
from render import recorder

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "topology.svg"
NAME, APP = "orders", "shop"

Maker = Literal["program", "operator"]


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where the proxies send statements."""

    use: Literal["writes", "reads"]
    port: int
    service: str | None
    """The operator's Service that leads there; None where proxies connect to the servers."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What one stack makes, read from a recorded run."""

    size: str
    engine: str
    namespace: str
    service: str
    """Where applications connect."""
    service_by: Maker
    port: int
    app_secret: str
    root_secret: str
    ca_secret: str | None
    proxies: str | None
    """What the proxies belong to; None without proxies."""
    proxies_by: Maker
    proxy_count: int
    routes: tuple[Route, ...]
    server_object: str
    """Kind and name of the object that the operator makes servers of."""
    topology: str
    storage: str
    servers: tuple[str, ...]
    roles: tuple[str, ...]


def stack(size: str, engine: str) -> dict[str, Any]:
    """The config of a stack with one app."""
    app = {"name": APP, "databases": {APP: "owner"}}
    return {"size": size, "engine": engine, "name": NAME, "apps": [app]}


def panel(size: str, engine: str) -> Panel:
    """Run the program for a stack of this size and engine."""
    # A warning about an image is for whoever deploys, not for whoever draws.
    with redirect_stderr(StringIO()):
        run = recorder.run(stack(size, engine))
    if run.error is not None:
        raise SystemExit(run.error)
    outputs = recorder.plain(run.outputs)
    service = _service(outputs["host"])
    kind = ENGINES[engine].api.kind
    spec = recorder.plain(run.one(kind, NAME).inputs["spec"])
    sets = run.of_kind("StatefulSet")
    operators = spec.get("proxysql", {})
    proxies, count = None, 0
    if sets:
        metadata, count = sets[0].inputs["metadata"], sets[0].inputs["spec"]["replicas"]
        proxies = f"StatefulSet {metadata['name']}"
    elif operators.get("enabled"):
        proxies, count = f"ProxySQL of {kind} {NAME}", operators["size"]
    servers, roles, topology, storage = _servers(engine, spec)
    made = {resource.inputs["metadata"]["name"] for resource in run.of_kind("Service")}
    return Panel(
        size=size,
        engine=engine,
        namespace=outputs["namespace"],
        service=service,
        service_by="program" if service in made else "operator",
        port=outputs["port"],
        app_secret=outputs["apps"][APP]["secret"],
        root_secret=outputs["admin_secret"]["name"],
        ca_secret=outputs["ca_secret"]["name"] if "ca_secret" in outputs else None,
        proxies=proxies,
        proxies_by="program" if sets else "operator",
        proxy_count=count,
        routes=_routes(run) if sets else (),
        server_object=f"{kind} {NAME}",
        topology=topology,
        storage=storage,
        servers=servers,
        roles=roles,
    )


def _service(host: str) -> str:
    return host.partition(".")[0]


def _servers(engine: str, spec: Any) -> tuple[tuple[str, ...], tuple[str, ...], str, str]:
    """(names, roles, topology, storage) of the servers in an operator's object."""
    if engine == "percona":
        count = spec["pxc"]["size"]
        claim = spec["pxc"]["volumeSpec"]["persistentVolumeClaim"]
        storage, topology, prefix = claim["resources"]["requests"]["storage"], "galera", pxc(NAME)
    else:
        count, storage, prefix = spec["replicas"], spec["storage"]["size"], NAME
        topology = next((kind for kind in ("replication", "galera") if kind in spec), "standalone")
    names = tuple(f"{prefix}-{ordinal}" for ordinal in range(count))
    first, other = {
        "replication": ("primary", "replica"),
        "galera": ("node", "node"),
        "standalone": ("server", ""),
    }[topology]
    return names, (first, *[other] * (count - 1)), topology, storage


def _routes(run: recorder.Recording) -> tuple[Route, ...]:
    """The servers in the proxies' file: where each hostgroup leads first."""
    texts = [recorder.plain(secret.inputs.get("stringData")) for secret in run.of_kind("Secret")]
    file = next(text["proxysql.cnf"] for text in texts if text and "proxysql.cnf" in text)
    found = re.findall(r'address = "([^"]+)"\s+port = (\d+)\s+hostgroup = (\d+)', file)
    first: dict[str, tuple[str, int]] = {}
    for host, port, hostgroup in found:
        first.setdefault(hostgroup, (_service(host), int(port)))
    uses: tuple[Literal["writes", "reads"], ...] = ("writes", "reads")
    return tuple(
        Route(use=use, port=port, service=service)
        for use, (service, port) in zip(uses, first.values(), strict=True)
    )


# --- the drawing; all lengths in pixels --------------------------------------------------------

WIDTH, HEIGHT = 336, 508
"""Of a panel."""
HEAD = 62
"""Height of the title and the legend."""
LEFT, RIGHT = 18, WIDTH - 18
"""Between these lie a panel's boxes."""
COLUMN = (RIGHT - LEFT - 14) // 2
"""Width of one of two boxes side by side."""
CLIENT, NAMESPACE, SERVICE, PROXIES, ROUTES, SERVERS, SECRETS, END = (
    28, 84, 102, 174, 278, 350, 436, 496,
)  # fmt: skip
"""Where each row begins."""
BOX, GROUP = 38, 74
"""Height of a box, and of a group of boxes with a caption."""
STYLE = """\
text { font: 13px sans-serif; fill: #24292f }
.title { font-weight: bold; font-size: 15px }
.small { font-size: 11px; fill: #57606a }
.paper { fill: #ffffff }
.namespace { fill: #f6f8fa; stroke: #8c959f }
.program { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.5 }
.operator { fill: #fff8c5; stroke: #9a6700; stroke-width: 1.5; stroke-dasharray: 5 3 }
.yours { fill: #ffffff; stroke: #57606a; stroke-width: 1.5 }
.arrow { stroke: #24292f; stroke-width: 1.5; fill: none }
.look { stroke-dasharray: 2 3 }
.head { fill: #24292f }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9da7b3 }
  .paper { fill: #0d1117 }
  .namespace { fill: #161b22; stroke: #6e7681 }
  .program { fill: #0c2d6b; stroke: #58a6ff }
  .operator { fill: #3b2300; stroke: #d29922 }
  .yours { fill: #0d1117; stroke: #9da7b3 }
  .arrow { stroke: #e6edf3 }
  .head { fill: #e6edf3 }
}"""
LEGEND = (
    ("yours", "yours"),
    ("program", "made by this program"),
    ("operator", "made by the operator"),
)


def svg(panels: Sequence[Panel]) -> str:
    """The panels in rows, a row for each engine."""
    columns = len(dict.fromkeys(panel.size for panel in panels))
    width, height = columns * WIDTH, HEAD + -(-len(panels) // columns) * HEIGHT
    about = "; ".join(f"{p.size} with {p.engine}: {_told(p)}" for p in panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="What each size makes">',
        f"<desc>{escape(about)}</desc>",
        f"<style>\n{STYLE}\n</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect class="paper" width="{width}" height="{height}"/>',
        _text(LEFT, 24, "What each size makes, by engine", "title"),
        *_legend(),
    ]
    for number, shown in enumerate(panels):
        x, y = number % columns * WIDTH, HEAD + number // columns * HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_panel(shown), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _told(panel: Panel) -> str:
    proxies = f"{panel.proxy_count} proxies" if panel.proxies else "no proxy"
    return f"Service {panel.service}:{panel.port}, {proxies}, {', '.join(panel.servers)}"


def _legend() -> Iterator[str]:
    x = LEFT
    for style, text in LEGEND:
        yield f'<rect class="{style}" x="{x}" y="36" width="22" height="14" rx="3"/>'
        yield _text(x + 30, 48, text)
        x += 52 + 7 * len(text)
    yield _arrow(x, 43, x + 26, 43)
    yield _text(x + 34, 48, "connects, with the port")
    x += 214
    yield _arrow(x, 43, x + 26, 43, look=True)
    yield _text(x + 34, 48, "reads")


def _panel(panel: Panel) -> Iterator[str]:
    second = RIGHT - COLUMN
    left, right = LEFT + COLUMN // 2, second + COLUMN // 2
    yield _text(LEFT, 18, f"size: {panel.size}, engine: {panel.engine}", "title")
    yield (
        f'<rect class="namespace" x="6" y="{NAMESPACE}" width="{WIDTH - 12}" '
        f'height="{END - NAMESPACE}" rx="6"/>'
    )
    yield _text(RIGHT, END - 6, f"namespace {panel.namespace}", "small", "end")
    yield _box(
        "yours", LEFT, CLIENT, RIGHT - LEFT, "your application", "connects, and reads its Secret"
    )
    yield _arrow(left, CLIENT + BOX, left, SERVICE)
    yield _text(left + 6, CLIENT + BOX + 16, str(panel.port), "small")
    yield _arrow(right, CLIENT + BOX, right, SERVICE, look=True)
    yield _box(panel.service_by, LEFT, SERVICE, COLUMN, panel.service, "Service")
    yield _box("program", second, SERVICE, COLUMN, panel.app_secret, "Secret to connect by")
    if panel.proxies:
        pods = [(f"ProxySQL {ordinal}", "") for ordinal in range(panel.proxy_count)]
        yield _arrow(left, SERVICE + BOX, left, PROXIES)
        yield from _group(panel.proxies_by, PROXIES, panel.proxies, pods, panel.proxies_by)
    yield from _to_servers(panel, left, right)
    each = " each" if len(panel.servers) > 1 else ""
    caption = f"{panel.server_object}: {panel.topology}, {panel.storage}{each}"
    servers = list(zip(panel.servers, panel.roles, strict=True))
    yield from _group("program", SERVERS, caption, servers, "operator")
    yield _box("program", LEFT, SECRETS, COLUMN, panel.root_secret, "Secret: root's password")
    if panel.ca_secret:
        yield _box("operator", second, SECRETS, COLUMN, panel.ca_secret, "Secret: the CA")


def _to_servers(panel: Panel, left: int, right: int) -> Iterator[str]:
    """From the proxies, or without them from the Service, to the servers."""
    places = [x + width // 2 for x, width in _places(len(panel.servers))]
    if not panel.proxies:
        yield _arrow(left, SERVICE + BOX, left, SERVERS)
        yield _text(left + 6, PROXIES, "no proxies", "small")
        return
    if not panel.routes:
        for place in places:
            yield _arrow(place, PROXIES + GROUP, place, SERVERS)
            use = "writes" if place == places[0] else "reads"
            yield _text(place + 6, PROXIES + GROUP + 16, use, "small")
        return
    for route, x, targets in zip(
        panel.routes, (left, right), (places[:1], places[1:]), strict=True
    ):
        if route.service is None:
            continue
        yield _arrow(x, PROXIES + GROUP, x, ROUTES)
        yield _text(x + 6, PROXIES + GROUP + 16, f"{route.use}, {route.port}", "small")
        yield _box("operator", x - COLUMN // 2, ROUTES, COLUMN, route.service, "Service")
        for target in targets:
            yield _arrow(min(max(target, x - 40), x + 40), ROUTES + BOX, target, SERVERS)


def _places(count: int) -> list[tuple[int, int]]:
    """(x, width) of the boxes of a group."""
    gap, inner = 8, RIGHT - LEFT - 16
    width = min((inner - gap * (count - 1)) // count, COLUMN - 16)
    return [(LEFT + 8 + number * (width + gap), width) for number in range(count)]


def _group(
    style: str, y: int, caption: str, boxes: Sequence[tuple[str, str]], inner: str
) -> Iterator[str]:
    yield (
        f'<rect class="{style}" x="{LEFT}" y="{y}" width="{RIGHT - LEFT}" height="{GROUP}" rx="4"/>'
    )
    yield _text(LEFT + 8, y + 17, caption, "small")
    for (x, width), (name, below) in zip(_places(len(boxes)), boxes, strict=True):
        yield _box(inner, x, y + 28, width, name, below)


def _box(style: str, x: int, y: int, width: int, name: str, below: str) -> str:
    middle = x + width // 2
    lines = _text(middle, y + (17 if below else 24), name, "", "middle")
    if below:
        lines += "\n" + _text(middle, y + 32, below, "small", "middle")
    return f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{BOX}" rx="4"/>\n{lines}'


def _text(x: int, y: int, text: str, style: str = "", anchor: str = "") -> str:
    style = f' class="{style}"' if style else ""
    anchor = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text{style} x="{x}" y="{y}"{anchor}>{escape(text)}</text>'


def _arrow(x: int, y: int, to_x: int, to_y: int, *, look: bool = False) -> str:
    style = "arrow look" if look else "arrow"
    return f'<path class="{style}" d="M{x} {y}L{to_x} {to_y}" marker-end="url(#head)"/>'


def main(argv: Sequence[str] | None = None) -> int:
    """Write the picture, or with `--check` compare it."""
    parser = argparse.ArgumentParser(prog="python -m tools.topology", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when it is stale")
    check = parser.parse_args(argv).check
    drawn = svg([panel(size, engine) for engine in ENGINES for size in SIZES])
    if check and (not PICTURE.exists() or PICTURE.read_text() != drawn):
        name = PICTURE.relative_to(ROOT)
        print(f"{name} is stale; run `python -m tools.topology`", file=sys.stderr)
        return 1
    if not check:
        PICTURE.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
