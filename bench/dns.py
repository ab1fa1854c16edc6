"""`python -m bench.dns`: how long proxies look for a server at an address that is dead.

Two proxies side by side know a Galera node by a name: one with the DNS cache of this program, one
with ProxySQL's own default. The node's address dies, a while later it answers at another, and the
name leads there. Needs ProxySQL (on PATH or named by PROXYSQL), Debian's mariadb-server and
galera-4, and user namespaces. Rewrites its version's row in docs/proxysql.md.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.figures import end_by_contexts, say
from bench.page import seconds, with_row
from testbed.database.servers import SqlError
from testbed.dataplane.deployment import Lab
from testbed.dataplane.hosts import in_use, lead, moved, with_hosts
from testbed.dataplane.nodes import Node, Servers
from testbed.dataplane.proxies import Proxy
from testbed.dataplane.release import Release, program
from testbed.dataplane.service import service

PAGE = Path(__file__).parents[1] / "docs" / "proxysql.md"
DEAD = (2.0, 3.1, 4.2, 5.3, 6.4)
"""Seconds between the death of the address and the answer at the next, one round each: spread over
more than the lifetime of an entry of this program's cache."""
ONCE = 60.0
"""Seconds above which a round is not repeated."""
PATIENCE = 420.0
"""More than an entry may live by ProxySQL's default, which is looked at once a minute."""
IN_USE = 3.0
"""Seconds for which an address is in use before it dies."""
TTL, REFRESH = "monitor_local_dns_cache_ttl", "monitor_local_dns_cache_refresh_interval"


def releases(lab: Lab, version: str) -> tuple[Release, Release]:
    """What this program renders, and the same with the cache as ProxySQL has it."""
    ours = moved(program(lab.proxysql_version, version, "galera"))
    default = ours.edited(f"{TTL} = 5000", f"{TTL} = 300000")
    return ours, default.edited(f"{REFRESH} = 1000", f"{REFRESH} = 60000")


def found(proxy: Proxy) -> bool:
    """Whether a proxy uses the server; not while it does not answer."""
    try:
        return in_use(proxy)
    except SqlError:
        return False


def waited(condition: Callable[[], bool]) -> float:
    """Seconds until a condition holds. Raises TimeoutError after PATIENCE."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError("the server was not found")
        time.sleep(0.05)
    return time.monotonic() - began


def rounds(proxy: Proxy, hosts: Path, node: Node, addresses: tuple[str, str]) -> list[float]:
    """Seconds from the answer at a new address until the proxy uses it, of each round.

    The addresses alternate, and the first round, in which none was known, does not count.
    """
    times: list[float] = []
    for number, dead in enumerate((0.0, *DEAD)):
        address = addresses[number % 2]
        time.sleep(dead)
        with service(address) as pod:
            pod.lead_to(node.host)
            lead(hosts, address)
            times.append(waited(lambda: found(proxy)))
            say(f"  {proxy.host}: found at {address} after {times[-1]:.1f} s")
            if number and times[-1] > ONCE:
                break
            time.sleep(IN_USE)
        waited(lambda: not found(proxy))
    return times[1:]


def measure(lab: Lab, servers: Servers) -> tuple[list[float], list[float]]:
    """Both proxies at the same time."""
    ours, default = releases(lab, servers.version)
    node, prefix = servers.nodes[-1], servers.network.prefix
    tables = [lab.directory / "hosts-ours", lab.directory / "hosts-default"]
    addresses = [(f"{prefix}.31", f"{prefix}.32"), (f"{prefix}.41", f"{prefix}.42")]
    for table, (first, _) in zip(tables, addresses, strict=True):
        lead(table, first)
        lab.installation.own(table)
    with lab.deploy(servers, with_hosts(ours, tables[0])) as site:
        site.tier.replace(site.tier.proxies[1], with_hosts(default, tables[1]))
        with ThreadPoolExecutor() as pool:
            pending = [
                pool.submit(rounds, proxy, table, node, pair)
                for proxy, table, pair in zip(site.tier.proxies, tables, addresses, strict=False)
            ]
            one, other = (future.result() for future in pending)
    return one, other


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.dns", description=__doc__).parse_args()
    if reason := Lab.missing():
        raise SystemExit(reason)
    end_by_contexts()
    with Lab.open() as lab, lab.galera() as servers:
        ours, default = measure(lab, servers)
        cells = [seconds(ours), seconds(default)]
        version = lab.proxysql_version
    print(version, *cells, sep=" | ")
    PAGE.write_text(with_row(PAGE.read_text(), "dns", version, cells))


if __name__ == "__main__":
    main()
