"""`python -m bench.cluster`: what clients see of faults and rolls on real nodes, and what is left.

The scenarios are those of tests/cluster, one after another on one stack of size `small` and one of
Galera. Needs root, and a ProxySQL on PATH or named by PROXYSQL; the variable PROXYSQL_NEXT names
another version for the roll to it. Rewrites the section "Real nodes"
between the marks in docs/failover.md.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local import REPOSITORY
from local.real.cluster import RealCluster
from local.real.images import Plan, proxysql_program, proxysql_version
from local.real.network import NAMESPACES
from local.toolchain import REAL, Toolchain
from tests.cluster import scenarios
from tests.cluster.conftest import engine_of, missing, sources
from tests.cluster.inside import Inside
from tests.cluster.site import SHOP, Seen, Site

PAGE = Path(__file__).parents[1] / "docs" / "failover.md"
HOME = REPOSITORY / ".local" / "bench-cluster"
Happening = Callable[[Site], None]
REPLICATION: dict[str, Happening] = {
    "primary's mariadbd killed": scenarios.primary_killed,
    "primary's Pod deleted by force": scenarios.primary_deleted,
    "replica's mariadbd killed": scenarios.replica_killed,
    "server config edited": scenarios.server_config_edited,
    "server image edited": scenarios.server_image_edited,
    "proxy killed": scenarios.proxy_killed,
    "proxies rolled": scenarios.proxies_rolled,
    "proxies 3 → 5 → 3": scenarios.proxies_scaled,
    "proxies get another ProxySQL": scenarios.proxysql_changed,
    "primary's node cut off for 100 s": scenarios.node_cut_off,
    "planned switchover": scenarios.switchover,
}
GALERA: dict[str, Happening] = {
    "writer's Pod deleted by force": scenarios.galera_writer_deleted,
    "all servers killed at once": scenarios.everything_killed,
}
HEADER = (
    "| what happens | longest outage | of one writer | failed requests | acknowledged "
    "| missing, by server |"
)


def row(name: str, seen: Seen | None) -> str:
    """A line of the table."""
    if seen is None:
        return f"| {name} | the run failed | | | | |"
    failures = ", ".join(f"{n} × {code}" for code, n in sorted(seen.failures.items())) or "0"
    missing = " / ".join(str(number) for _, number in sorted(seen.missing.items()))
    cells = (
        name, f"{seen.outage:.1f} s", f"{seen.worst_outage:.1f} s", failures,
        str(seen.acknowledged), missing + ("" if seen.flows else "; writes did not flow again"),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def run(site: Site, chosen: dict[str, Happening]) -> list[str]:
    """Each scenario on one deployed stack."""
    began = time.monotonic()
    site.up()
    site.await_ready()
    say(f"{site.name}: up in {time.monotonic() - began:.0f} s")
    rows: list[str] = []
    for name, happening in chosen.items():
        try:
            seen = site.watch(happening)
        except Exception as error:  # a line without figures is better than no table
            say(f"  {name}: {error}")
            seen = None
        say(f"  {name}: {seen}")
        rows.append(row(name, seen))
    say(f"  drift: {site.changes() or 'none'}")
    site.destroy()
    site.kubectl("delete", "pvc", "-l", f"app.kubernetes.io/instance={site.name}")
    return rows


def table(rows: list[str]) -> str:
    return "\n".join([HEADER, "| --- " * (HEADER.count("|") - 1) + "|", *rows])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of scenarios; the page is left alone")
    arguments = parser.parse_args()
    program = proxysql_program()
    if reason := missing() or (None if program else "no ProxySQL"):
        raise SystemExit(reason)
    tools = Toolchain()
    tools.prepare(REAL)
    # End by way of the `finally` below, which ends the cluster.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster = RealCluster(HOME, tools)
    try:
        plan = cluster.images.plan(sources(cluster, proxied=True))
        if next_program := os.environ.get("PROXYSQL_NEXT"):
            other = cluster.images.pack_proxysql(Path(next_program).resolve())
            image = f"docker.io/proxysql/proxysql:{scenarios.NEXT_PROXYSQL}"
            plan = Plan({**plan.packed, image: other}, plan.pulled)
        else:
            REPLICATION.pop("proxies get another ProxySQL")
        cluster.start(3, plan)
        inside = Inside(NAMESPACES / cluster.prefix)
        with tempfile.TemporaryDirectory() as directory:
            engine = engine_of(cluster, Path(directory))
            tables: list[str] = []
            database: dict[str, Any] = {}
            for title, name, database, chosen in (
                ("Replication", "db", {}, REPLICATION),
                ("Galera", "gal", {"topology": "galera"}, GALERA),
            ):
                if arguments.only:
                    chosen = {n: h for n, h in chosen.items() if n in arguments.only}
                if not chosen:
                    continue
                config = {"size": "small", "name": name, "database": database, "apps": [SHOP]}
                site = Site(cluster, engine, inside, name, config)
                tables += [f"### {title}, on real nodes", table(run(site, chosen))]
        inside.close()
    finally:
        cluster.stop()
    assert program
    text = "\n\n".join([environment(tools, proxysql_version(program)), *tables])
    print(text)
    if not arguments.only:
        write(text)


def environment(tools: Toolchain, proxysql: str) -> str:
    """What the figures depend on."""
    return (
        f"Three nodes (kubelet, containerd) on {os.cpu_count()} cores shared by everything, "
        f"mariadb-operator {tools.program('mariadb-operator').version} by its chart, ProxySQL "
        f"{proxysql}, one run, one scenario after another."
    )


def write(text: str) -> None:
    """Replace the section of the page."""
    marks = r"(<!-- begin:real -->\n).*(<!-- end:real -->)"
    page = PAGE.read_text()
    PAGE.write_text(re.sub(marks, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
