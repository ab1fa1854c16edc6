"""`python -m bench.service`: how soon proxies follow the operator's Service of the primary.

Twice: with the variables of this program, and with those that it had before. There is no watcher,
so that the variables are compared and nothing else. Needs ProxySQL (on PATH or named by PROXYSQL)
and Debian's mariadb-server. Rewrites its version's row in docs/proxysql.md.
"""

import argparse
import time
from pathlib import Path

from bench.failover import FENCED_MS, VARIABLES
from bench.figures import end_by_contexts, say
from bench.page import seconds, with_row
from testbed.database.servers import eventually
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.load import LIFETIMES, load
from testbed.dataplane.nodes import APP, MONITOR, Servers
from testbed.dataplane.release import program

PAGE = Path(__file__).parents[1] / "docs" / "proxysql.md"
GAPS = (2.0, 3.1, 4.2, 5.3, 6.4)
"""Seconds for which the Service leads nowhere, one round each: spread over the time for which
ProxySQL shuns a server."""
EARLIER = {
    name: then for name, (_, then) in VARIABLES.items() if name != "monitor_local_dns_cache_ttl"
}
"""Of before the switchover became a pause; no address changes here."""
WARM_UP = 2.0
POOLED = 0.5
"""Seconds of load that leave young connections in the pools."""
PAUSES = (0.0, 2.1, 4.2, 6.3, 8.4)
"""Seconds before each round of idle connections: spread over the longest time between two looks."""


def after_crash(site: Deployment, gap: float) -> tuple[float, float]:
    """Seconds from the Service's return until the first client wrote, and until all have.

    The primary's connections end and the Service leads nowhere, as when it dies; after the gap it
    leads there again, where a failover would have named another.
    """
    with load(site.tier.pick, readers=0) as journal:
        time.sleep(WARM_UP)
        site.operator.unlabel()
        for account in (APP, MONITOR):
            site.primary.query(f"KILL USER '{account.user}'")
        time.sleep(gap)
        site.operator.label()
        back = time.time()
        eventually(lambda: len(journal.writers_since(back)) == len(LIFETIMES), timeout=40)
    firsts: dict[int, float] = {}
    for event in journal.events:
        if event.error is None and event.ended >= back:
            firsts.setdefault(event.client, event.ended - back)
    return min(firsts.values()), max(firsts.values())


def idle(site: Deployment, pause: float) -> float:
    """Seconds for which pooled connections that nobody uses lead to the server before."""
    before, after = site.primary, site.others[0]
    time.sleep(pause)
    with load(site.tier.pick, readers=0):
        time.sleep(POOLED)
    site.operator.primary = after
    site.operator.label()
    moved = time.monotonic()
    left = f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER='{APP.user}'"
    assert before.query(left).value != "0"
    gone = eventually(lambda: before.query(left).value == "0", timeout=60)
    took = time.monotonic() - moved
    assert gone
    site.operator.primary = before
    site.operator.label()
    return took


def measure(lab: Lab, servers: Servers, variables: dict[str, int]) -> list[str]:
    """The cells of one set of variables, set in each proxy over what this program renders."""
    release = program(
        lab.proxysql_version,
        servers.version,
        "replication",
        routing="primary_service",
        switchover_wait=0,
        min_semi_sync_replicas=0,
    )
    with lab.deploy(servers, release) as site:
        if variables:
            settings = [f"SET mysql-{name}={value}" for name, value in variables.items()]
            for proxy in site.tier.proxies:
                proxy.admin(*settings, "LOAD MYSQL VARIABLES TO RUNTIME")
        pools = [idle(site, pause) for pause in PAUSES]
        say(f"  idle: {pools}")
        waits = [after_crash(site, gap) for gap in GAPS]
        say(f"  after a crash: {waits}")
    return [
        seconds([first for first, _ in waits]),
        seconds([last for _, last in waits]),
        seconds(pools),
    ]


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.service", description=__doc__).parse_args()
    if reason := Lab.missing():
        raise SystemExit(reason)
    end_by_contexts()
    with Lab.open() as lab, lab.replication(FENCED_MS) as servers:
        sets = {"here": dict[str, int](), "before": EARLIER}
        rows = {name: measure(lab, servers, variables) for name, variables in sets.items()}
        version = lab.proxysql_version
    page = PAGE.read_text()
    for name, cells in rows.items():
        print(version, name, *cells, sep=" | ")
        page = with_row(page, "service", f"{version}, {name}", cells)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
