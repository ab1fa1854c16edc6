"""`python -m bench.cluster`: what clients see of faults and rolls on real nodes, and what is left.

The scenarios are those of tests/cluster, one after another on a stack of size `small`, on one
without proxies and on one of Galera. Needs root, and a ProxySQL on PATH or named by PROXYSQL; the
variable PROXYSQL_NEXT names another version for the roll to it. Writes docs/failover-nodes.svg and
the section `nodes` of docs/failover.md for the release of ProxySQL; what an option leaves out stays
as it was measured before.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError

from local import REPOSITORY
from local.real.cluster import RealCluster
from local.real.images import Plan, proxysql_program, proxysql_version
from local.real.network import NAMESPACES
from local.toolchain import REAL, Toolchain
from testbed.cluster import scenarios, site
from testbed.cluster.inside import Inside
from testbed.cluster.setup import engine_of, missing, sources
from testbed.cluster.site import SHOP, Seen, Site

from . import figures
from .figures import AFTER, BEFORE, CONNECTING, Figures, Line, Run, choose, say

HOME = REPOSITORY / ".local" / "bench-cluster"
PICTURE = figures.PAGE.with_name("failover-nodes.svg")
Happening = Callable[[Site], None]
EDITS: Mapping[str, Happening] = {
    "server config edited": scenarios.server_config_edited,
    "server config edited 6 s after a switchover by hand": (
        scenarios.server_config_edited_after_a_switchover
    ),
    "server config edited during a switchover by hand": (
        scenarios.server_config_edited_during_a_switchover
    ),
    "server config edited while the servers roll": scenarios.server_config_edited_during_a_roll,
}
OTHER_PROXYSQL = "proxies get another ProxySQL"
REPLICATION: Mapping[str, Happening] = {
    "primary's mariadbd killed": scenarios.primary_killed,
    "primary's Pod deleted by force": scenarios.primary_deleted,
    "replica's mariadbd killed": scenarios.replica_killed,
    "planned switchover": scenarios.switchover,
    **EDITS,
    "server image edited": scenarios.server_image_edited,
    "proxy killed": scenarios.proxy_killed,
    "proxies rolled": scenarios.proxies_rolled,
    "proxies 3 → 5 → 3": scenarios.proxies_scaled,
    OTHER_PROXYSQL: scenarios.proxysql_changed,
    "primary's node cut off for 100 s": scenarios.node_cut_off,
}
GALERA: Mapping[str, Happening] = {
    "Galera writer's Pod deleted by force": scenarios.galera_writer_deleted,
    "all Galera servers killed at once": scenarios.everything_killed,
}
TITLES = "Replication, on real nodes", "Galera, on real nodes"
NOW, BARE = "ours now", "no proxies"
STACKS: Mapping[str, tuple[str, str, Mapping[str, Any], Mapping[str, Happening]]] = {
    "db": (TITLES[0], NOW, {}, REPLICATION),
    "bare": (TITLES[0], BARE, {"proxy": {"enabled": False}}, EDITS),
    "gal": (TITLES[1], NOW, {"database": {"topology": "galera"}}, GALERA),
}
"""By name: the table, what clients connect to, the config, and what happens to it."""
PLAN = [
    Line(title, scenario, configuration)
    for title in TITLES
    for scenario in {**REPLICATION, **GALERA}
    for table, configuration, _, happenings in STACKS.values()
    if table == title and scenario in happenings
]


def measured(stack: Site, happening: Happening, *, drawn: bool) -> Run | None:
    """One run; None if it failed, after it has said why."""
    before, after = (BEFORE + CONNECTING, AFTER) if drawn else (site.WARM_UP, 0.0)
    try:
        seen = stack.watch(happening, before=before, after=after)
    except Exception as error:  # a line without figures is better than no table
        say(f"  {happening.__name__}: {error}")
        return None
    return as_run(seen, drawn=drawn)


def as_run(seen: Seen, *, drawn: bool) -> Run:
    """What the table shows of it."""
    return Run(
        acknowledged=seen.acknowledged,
        outage=seen.outage,
        worst_outage=seen.worst_outage,
        failures=seen.failures,
        lost=seen.missing[seen.primary],
        missing=max(number for name, number in seen.missing.items() if name != seen.primary),
        notes=[] if seen.flows else ["writes did not flow again for all clients"],
        beats=seen.journal.beats(seen.journal.moment - BEFORE) if drawn else (),
    )


def run(stack: Site, result: Figures, lines: Mapping[Line, Happening], runs: int) -> None:
    """Each scenario on one deployed stack, so often; the first run of each is drawn."""
    began = time.monotonic()
    stack.up()
    stack.await_ready()
    say(f"{stack.name}: up in {time.monotonic() - began:.0f} s")
    for line, happening in lines.items():
        for number in range(runs):
            result.add(line, measured(stack, happening, drawn=number == 0))
    try:
        say(f"{stack.name}: drift: {stack.changes() or 'none'}")
    except CommandError as error:
        say(f"{stack.name}: drift: {error}")
    stack.destroy()
    stack.kubectl("delete", "pvc", "-l", f"app.kubernetes.io/instance={stack.name}")


def environment(tools: Toolchain, proxysql: str) -> str:
    """What the figures depend on."""
    return (
        f"Three nodes (kubelet, containerd) on {os.cpu_count()} cores shared by everything, "
        f"mariadb-operator {tools.program('mariadb-operator').version} by its chart, ProxySQL "
        f"{proxysql}, one scenario after another."
    )


def main() -> None:
    arguments = figures.parser("bench.cluster", __doc__).parse_args()
    next_program = os.environ.get("PROXYSQL_NEXT")
    plan = [line for line in PLAN if next_program or line.scenario != OTHER_PROXYSQL]
    chosen = choose(plan, arguments)
    program = proxysql_program()
    if reason := missing():
        raise SystemExit(reason)
    if not program:
        raise SystemExit("no ProxySQL")
    tools = Toolchain()
    tools.prepare(REAL)
    version = proxysql_version(program)
    name = f"nodes-{figures.release(version)}"
    result = Figures(name, PLAN, chosen, environment(tools, version), PICTURE)
    result.begin()
    figures.end_by_contexts()
    cluster = RealCluster(HOME, tools)
    try:
        images = cluster.images.plan(sources(cluster, proxied=True))
        if next_program:
            other = cluster.images.pack_proxysql(Path(next_program).resolve())
            image = f"docker.io/proxysql/proxysql:{scenarios.NEXT_PROXYSQL}"
            images = Plan({**images.packed, image: other}, images.pulled)
        cluster.start(3, images)
        inside = Inside(NAMESPACES / cluster.prefix)
        with tempfile.TemporaryDirectory() as directory:
            engine = engine_of(cluster, Path(directory))
            for name, (table, configuration, config, happenings) in STACKS.items():
                lines = {
                    line: happening
                    for scenario, happening in happenings.items()
                    if (line := Line(table, scenario, configuration)) in chosen
                }
                if lines:
                    config = {"size": "small", "name": name, "apps": [SHOP], **config}
                    stack = Site(cluster, engine, inside, name, config)
                    run(stack, result, lines, arguments.runs)
        inside.close()
    finally:
        cluster.stop()
    print(result.text())


if __name__ == "__main__":
    main()
