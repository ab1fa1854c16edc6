"""`python -m bench.failover`: what clients see of failovers, and what the servers hold afterwards.

Our proxies as they are, as they were before they had a watcher, with `proxy.routing: monitor`, and
the original chart's alternate in one run. Needs ProxySQL (on PATH or named by PROXYSQL) and
Debian's mariadb-server. Writes docs/failover.svg and a section of docs/failover.md for the release
of ProxySQL: `side-by-side` with one run of each line, `series` with several. What an option leaves
out stays as it was measured before.
"""

import os
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from testbed.database.servers import eventually
from testbed.dataplane import deployment, release, watchers
from testbed.dataplane.deployment import Happening, Lab, watch
from testbed.dataplane.mariadb_operator import Delays
from testbed.dataplane.nodes import APP, UNFENCED, Servers
from testbed.dataplane.release import Release, chart_a, program

from . import figures
from .figures import AFTER, BEFORE, CONNECTING, Figures, Line, Run, choose

UNFENCED_MS = 2_000
"""`database.semi_sync_timeout`, as it is by default without the fence."""
FENCED_MS = 10_000
"""The same with the fence; it is the server's own default too."""
BY_HAND = 15.0
DELAYS = Delays()

NOW, EARLIER, MONITOR, CHART_A = "ours now", "ours before", "monitor", "chart A"
ALL = (EARLIER, NOW, MONITOR, CHART_A)


@dataclass(frozen=True)
class Configuration:
    """A proxy tier, and the next version of it."""

    now: Release
    next: Release

    @property
    def watched(self) -> bool:
        """Whether the proxies have a watcher."""
        return watchers.SCRIPT in self.now.files


@dataclass(frozen=True)
class Scenario:
    """What happens, and to which configurations."""

    happening: Callable[[Configuration], Happening]
    to: tuple[str, ...] = ALL
    watcher_dies: str | None = None
    """After which of its steps."""


REPLICATION: Mapping[str, Scenario] = {
    "primary crashes": Scenario(lambda _: deployment.primary_crash),
    "old primary returns": Scenario(lambda _: deployment.old_primary_returns),
    "planned switchover": Scenario(lambda _: deployment.switchover),
    **{
        f"switchover, watcher dies once it {step}": Scenario(
            lambda _: deployment.switchover, (NOW,), step
        )
        for step in watchers.STEPS
    },
    "switchover with tied sessions": Scenario(lambda _: deployment.tied_switchover),
    "Service of the primary gone for 10 s": Scenario(
        lambda _: deployment.service_gone(10), (EARLIER, NOW)
    ),
    "replica restarts": Scenario(lambda _: deployment.replica_restart(BY_HAND)),
    "proxy crashes": Scenario(lambda _: deployment.proxy_crash),
    "proxies are rolled": Scenario(lambda _: deployment.proxy_roll),
    "configuration changes": Scenario(lambda of: deployment.config_change(of.next)),
}
GALERA: Mapping[str, Scenario] = {
    "Galera writer crashes": Scenario(lambda _: deployment.primary_crash, (NOW, CHART_A)),
    "Galera writer restarts": Scenario(lambda _: deployment.writer_restart, (NOW, CHART_A)),
}
SCENARIOS = {**REPLICATION, **GALERA}
PLAN = [
    Line(table, name, configuration)
    for table, scenarios in {"Replication": REPLICATION, "Galera": GALERA}.items()
    for name, scenario in scenarios.items()
    for configuration in scenario.to
]


VARIABLES = {
    "monitor_ping_max_failures": (10, 3),
    "monitor_local_dns_cache_ttl": (5_000, 30_000),
    "ping_interval_server_msec": (1_000, 10_000),
    "shun_on_failures": (10_000_000, 5),
    "connect_retries_on_failure": (1_000, 200),
    "shun_recovery_time_sec": (1, 5),
}
"""As they are, and as they were before the watcher (the commit that brought it has the reasons)."""


def earlier(now: Release) -> Release:
    """A release with the variables of before the watcher."""
    check = "config/self-check.sql"
    for name, (value, then) in VARIABLES.items():
        now = now.edited(f"{name} = {value}\n", f"{name} = {then}\n")
        # The startup probe compares some of them with what it was given.
        expected = rf"('mysql-{name}' AND variable_value=)'[^']*'"
        text = re.sub(expected, rf"\g<1>'{then}'", now.files[check])
        now = replace(now, files={**now.files, check: text})
    return now


def replication(lab: Lab, version: str) -> Mapping[str, Configuration]:
    """What is in front of a replication cluster."""

    def ours(edit: Callable[[Release], Release] = lambda it: it, **proxy: Any) -> Configuration:
        def render(**more: Any) -> Release:
            whole = program(lab.proxysql_version, version, "replication", **{**proxy, **more})
            return edit(whole)

        return Configuration(render(), render(users=(APP,), max_connections=2000))

    return {
        EARLIER: ours(earlier, switchover_wait=0, min_semi_sync_replicas=0),
        NOW: ours(),
        MONITOR: ours(routing="monitor"),
        CHART_A: chart(),
    }


def galera(lab: Lab, version: str) -> Mapping[str, Configuration]:
    """What is in front of a Galera cluster."""

    def render(**more: Any) -> Release:
        return program(lab.proxysql_version, version, "galera", **more)

    after = render(users=(APP,), max_connections=2000)
    return {NOW: Configuration(render(), after), CHART_A: chart()}


def chart() -> Configuration:
    after = chart_a(users=(APP,)).edited("max_connections=2048", "max_connections=2000")
    return Configuration(chart_a(), after)


def measured(
    lab: Lab, servers: Servers, configuration: Configuration, scenario: Scenario, *, drawn: bool
) -> Run | None:
    """One run; None if it failed, after it has said why."""
    start = configuration.now
    if scenario.watcher_dies:
        start = watchers.dying_after(start, scenario.watcher_dies)
    before, after = (BEFORE + CONNECTING, AFTER) if drawn else (deployment.WARM_UP, 0.0)
    try:
        with lab.deploy(servers, start, DELAYS) as site:
            if configuration.watched and not eventually(lambda: watchers.watched(site), 20):
                raise RuntimeError(f"nobody watches\n{site.tier.proxies[0].log()[-3000:]}")
            seen = watch(site, scenario.happening(configuration), before=before, after=after)
            proxies = site.tier.proxies
            if scenario.watcher_dies:
                died = sum(watchers.state(proxy, "died").exists() for proxy in proxies)
                seen.notes.append(f"{died} of {len(proxies)} watchers died")
            if any(proxy.fenced_by_admin for proxy in proxies):
                seen.notes.append("this ProxySQL does not read the fence from its file")
    except Exception:  # a line without figures is better than no table
        traceback.print_exc()
        return None
    if seen.stray:
        seen.notes.append(f"{seen.stray} carried out by another server than the primary")
    if seen.broken:
        seen.notes.append("replication has stopped on a server")
    return Run(
        acknowledged=seen.acknowledged,
        outage=seen.outage,
        worst_outage=seen.worst_outage,
        failures=seen.failures,
        lost=seen.lost,
        missing=max(seen.missing.values(), default=0),
        notes=seen.notes,
        beats=seen.journal.beats(seen.journal.moment - BEFORE) if drawn else (),
    )


def measure(
    lab: Lab,
    result: Figures,
    table: str,
    configurations: Mapping[str, tuple[Configuration, Servers]],
    runs: int,
) -> None:
    """The chosen lines of one table, with the configurations of each scenario in turn."""
    lines = [line for line in result.plan if line.table == table and line in result.chosen]
    for scenario in dict.fromkeys(line.scenario for line in lines):
        for _ in range(runs):
            for line in lines:
                if line.scenario == scenario:
                    what, servers = configurations[line.configuration]
                    drawn = result.picture is not None
                    run = measured(lab, servers, what, SCENARIOS[scenario], drawn=drawn)
                    result.add(line, run)


def environment(proxysql: str, version: str) -> str:
    """What the figures depend on."""
    drain = release.DRAIN
    return (
        f"ProxySQL {proxysql}, MariaDB {version}, {os.cpu_count()} cores shared by everything. "
        f"Operator: acts {DELAYS.detection:g} s after a container's death, moves "
        f"`<name>-primary` {DELAYS.relabel:g} s after a switchover, makes an old primary a "
        f"replica {DELAYS.adoption:g} s after its return; containers start again "
        f"{DELAYS.restart:g} s after their death. `rpl_semi_sync_master_timeout`: "
        f"{FENCED_MS // 1000} s with the fence, which only ours now has, {UNFENCED_MS // 1000} s "
        f"without. Drain: {drain['endpoint_removal']} s and at most {drain['timeout']} s; a "
        f"restarted replica that is writable stays so for {BY_HAND:g} s."
    )


def main() -> None:
    arguments = figures.parser("bench.failover", __doc__).parse_args()
    chosen = choose(PLAN, arguments)
    if reason := Lab.missing():
        raise SystemExit(reason)
    figures.end_by_contexts()
    with Lab.open() as lab:
        several = arguments.runs > 1
        result = Figures(
            f"{'series' if several else 'side-by-side'}-{figures.release(lab.proxysql_version)}",
            PLAN,
            chosen,
            picture=None if several else figures.PAGE.with_suffix(".svg"),
        )
        result.begin()
        if any(line.table == "Replication" for line in chosen):
            # The fence is the proxies' and the servers' together: others have servers without.
            with (
                lab.replication(FENCED_MS) as fenced,
                lab.replication(UNFENCED_MS, UNFENCED) as unfenced,
                lab.replication(UNFENCED_MS, ()) as plain,
            ):
                result.environment = environment(lab.proxysql_version, fenced.version)
                servers_of = {NOW: fenced, MONITOR: unfenced}
                of = {
                    name: (configuration, servers_of.get(name, plain))
                    for name, configuration in replication(lab, fenced.version).items()
                }
                measure(lab, result, "Replication", of, arguments.runs)
        if any(line.table == "Galera" for line in chosen):
            with lab.galera() as servers:
                result.environment = environment(lab.proxysql_version, servers.version)
                of = {name: (c, servers) for name, c in galera(lab, servers.version).items()}
                measure(lab, result, "Galera", of, arguments.runs)
    print(result.text())


if __name__ == "__main__":
    main()
