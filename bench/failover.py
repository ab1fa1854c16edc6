"""`python -m bench.failover`: what clients see of failovers, and what the servers hold afterwards.

Our configurations and the original chart's take turns in front of the same servers, in one run.
Needs ProxySQL (on PATH or named by PROXYSQL) and Debian's mariadb-server. Rewrites the section
between the marks in docs/failover.md.
"""

import argparse
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.dataplane import deployment, release
from tests.dataplane.deployment import Happening, Lab, Outcome, watch
from tests.dataplane.mariadb_operator import Delays
from tests.dataplane.nodes import APP, Servers
from tests.dataplane.release import Release, chart_a, program

PAGE = Path(__file__).parents[1] / "docs" / "failover.md"
OURS_MS = 2_000
"""`database.semi_sync_timeout`, as it is by default without the fence."""
SERVER_DEFAULT_MS = 10_000
"""The same with the fence; it is the server's own default too."""
BY_HAND = 15.0
DELAYS = Delays()


@dataclass(frozen=True)
class Configuration:
    """A proxy tier, and the next version of it."""

    name: str
    now: Release
    next: Release


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    scenario: str
    configuration: str
    outcome: Outcome | None


def replication(lab: Lab, version: str) -> list[Configuration]:
    """What stands in front of a replication cluster."""

    def ours(name: str, **proxy: Any) -> Configuration:
        def render(**more: Any) -> Release:
            return program(lab.proxysql_version, version, "replication", **{**proxy, **more})

        return Configuration(name, render(), render(users=(APP,), max_connections=2000))

    return [
        ours("`primary_service`", routing="primary_service"),
        ours("`monitor`", routing="monitor"),
        chart("chart A"),
    ]


def galera(lab: Lab, version: str) -> list[Configuration]:
    """What stands in front of a Galera cluster."""

    def render(**more: Any) -> Release:
        return program(lab.proxysql_version, version, "galera", **more)

    after = render(users=(APP,), max_connections=2000)
    return [Configuration("ours", render(), after), chart("chart A")]


def chart(name: str) -> Configuration:
    after = chart_a(users=(APP,)).edited("max_connections=2048", "max_connections=2000")
    return Configuration(name, chart_a(), after)


Scenarios = Mapping[str, Callable[[Configuration], Happening]]

DATABASE: Scenarios = {
    "primary crashes": lambda _: deployment.primary_crash,
    "old primary returns": lambda _: deployment.old_primary_returns,
    "planned switchover": lambda _: deployment.switchover,
}
REPLICA: Scenarios = {"replica restarts": lambda _: deployment.replica_restart(BY_HAND)}
PROXIES: Scenarios = {
    "proxy crashes": lambda _: deployment.proxy_crash,
    "proxies are rolled": lambda _: deployment.proxy_roll,
    "configuration changes": lambda of: deployment.config_change(of.next),
}
GALERA: Scenarios = {
    "writer crashes": lambda _: deployment.primary_crash,
    "writer restarts": lambda _: deployment.writer_restart,
}


def measured(
    lab: Lab, servers: Servers, configurations: list[Configuration], scenarios: Scenarios
) -> Iterator[Line]:
    """Each scenario with each configuration, in turn."""
    for name, happening in scenarios.items():
        for configuration in configurations:
            say(f"  {name}, {configuration.name}")
            try:
                with lab.deploy(servers, configuration.now, DELAYS) as site:
                    outcome = watch(site, happening(configuration))
                    by_admin = any(proxy.fenced_by_admin for proxy in site.tier.proxies)
                FENCED_BY_ADMIN.append(by_admin)
                say(f"    {outcome}")
            except Exception:  # a line without figures is better than no table
                traceback.print_exc()
                outcome = None
            yield Line(name, configuration.name, outcome)


FENCED_BY_ADMIN: list[bool] = []

HEADER = (
    "| what happens | proxies | longest outage | of one writer | failed requests | lost "
    "| missing on a replica | on another server | notes |"
)


def table(lines: list[Line]) -> str:
    rows = [HEADER, "| --- " * (HEADER.count("|") - 1) + "|"]
    for line in lines:
        cells = [line.scenario, line.configuration]
        outcome = line.outcome
        if outcome is None:
            cells += ["the run failed", *[""] * 6]
        else:
            failures = ", ".join(
                f"{count} × {code}" for code, count in sorted(outcome.failures.items())
            )
            notes = [*outcome.notes]
            notes += ["replication has stopped on a server"] if outcome.broken else []
            cells += [
                f"{outcome.outage:.1f} s",
                f"{outcome.worst_outage:.1f} s",
                failures or "0",
                f"{outcome.lost} of {outcome.acknowledged}",
                str(max(outcome.missing.values(), default=0)),
                str(outcome.stray),
                "; ".join(notes),
            ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def title(timeout_ms: int) -> str:
    return f"### Replication, `rpl_semi_sync_master_timeout` {timeout_ms // 1000} s"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def stop(signum: int, _: object) -> None:
    """End by way of the contexts, which stop what was started."""
    raise SystemExit(signal.strsignal(signum))


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.failover", description=__doc__).parse_args()
    if reason := Lab.missing():
        raise SystemExit(reason)
    signal.signal(signal.SIGTERM, stop)
    sections: list[str] = []
    with Lab.open() as lab:
        with lab.replication(SERVER_DEFAULT_MS) as servers:
            version = servers.version
            ours, *others = replication(lab, version)
            lines = list(measured(lab, servers, [ours], {**DATABASE, **REPLICA, **PROXIES}))
        sections += ["### Replication with the fence", table(lines)]
        # The fence is the proxies' and the servers' together: others have servers without.
        with lab.replication(OURS_MS, fenced=False) as servers:
            lines = list(measured(lab, servers, others, {**DATABASE, **REPLICA}))
            # Whom the proxies ask for the writer makes no difference to these.
            lines += measured(lab, servers, others[-1:], PROXIES)
        sections += [title(OURS_MS), table(lines)]
        with lab.galera() as servers:
            lines = list(measured(lab, servers, galera(lab, version), GALERA))
        sections += ["### Galera", table(lines)]
        fence = (
            "The fence was set by admin SQL after each start: this ProxySQL does not read it from "
            "its file."
            if any(FENCED_BY_ADMIN)
            else "ProxySQL read the fence from its file."
        )
        drain = release.DRAIN
        environment = [
            f"ProxySQL {lab.proxysql_version}, MariaDB {version}, {os.cpu_count()} cores shared by "
            "everything, one run.",
            fence,
            f"Operator: acts {DELAYS.detection:g} s after a container's death, moves "
            f"`<name>-primary` {DELAYS.relabel:g} s after a switchover, makes an old primary a "
            f"replica {DELAYS.adoption:g} s after its return; containers start again "
            f"{DELAYS.restart:g} s after their death. Drain: {drain['endpoint_removal']} s and at "
            f"most {drain['timeout']} s; a restarted replica stays writable for {BY_HAND:g} s.",
        ]
    text = "\n\n".join([" ".join(environment), *sections])
    page = PAGE.read_text()
    marks = r"(<!-- begin:figures -->\n).*(<!-- end:figures -->)"
    PAGE.write_text(re.sub(marks, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL))
    print(text)


if __name__ == "__main__":
    main()
