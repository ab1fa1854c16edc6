"""What may happen to a deployed stack. Each takes a site under load and ends when it is over."""

from __future__ import annotations

import time

from .site import Site, eventually

CUT_OFF = 100.0
"""Seconds that a node is cut off: longer than the 50 s after which it counts as lost
(kube-controller-manager's --node-monitor-grace-period), and its Pods with it."""


NEXT_PROXYSQL = "3.0.12-debian"
"""A tag that passes for newer than the default; what it holds is the other ProxySQL at hand."""


def primary_deleted(site: Site) -> None:
    """Somebody deletes the primary's Pod by force."""
    _delete(site, site.primary)


def primary_killed(site: Site) -> None:
    """The kernel kills the primary's mariadbd for its memory."""
    site.kill(site.primary, "mariadbd")


def replica_killed(site: Site) -> None:
    """The same of a replica."""
    site.kill(next(s for s in site.servers() if s != site.primary), "mariadbd")


def switchover(site: Site) -> None:
    """The operator's own planned switchover, as its documentation says to ask for it."""
    primary = int(site.primary.rpartition("-")[2])
    target = (primary + 1) % len(site.servers())
    patch = f'{{"spec":{{"replication":{{"primary":{{"podIndex":{target}}}}}}}}}'
    site.kubectl("patch", "mariadb", site.name, "--type=merge", f"--patch={patch}")
    eventually(lambda: site.primary == f"{site.name}-{target}", 120)


def node_cut_off(site: Site) -> None:
    """The primary's node loses its network, for longer than Kubernetes waits, and comes back."""
    node = site.cluster.node_of(site.primary, "default")
    site.cluster.network.cut(node.letter, off=True)
    try:
        time.sleep(CUT_OFF)
    finally:
        site.cluster.network.cut(node.letter, off=False)
    site.kubectl("wait", f"node/{node.name}", "--for=condition=Ready", "--timeout=120s")


def server_config_edited(site: Site) -> None:
    """Another my.cnf: the operator rolls the servers, replicas first."""
    site.up(database={"my_cnf": f"innodb_io_capacity = {200 + int(time.time()) % 1000}\n"})
    site.await_ready()


def server_image_edited(site: Site) -> None:
    """Another tag of the servers' image."""
    current = site.get(f"mariadb {site.name}")["spec"]["image"]
    tag = "11.8.5" if current.endswith(":11.8") else "11.8"
    site.up(images={"database": {"tag": tag}}, database={"version": "11.8.5"})
    site.await_ready()


def proxy_killed(site: Site) -> None:
    """The kernel kills a proxy."""
    site.kill(site.proxies()[0], "proxysql")


def proxies_rolled(site: Site) -> None:
    """Another configuration of the proxies rolls them, one after another."""
    site.up(proxy={"mysql_variables": {"long_query_time": 1000 + int(time.time()) % 1000}})
    site.await_ready()


def proxies_scaled(site: Site) -> None:
    """Three proxies become five, and three again."""
    site.up(proxy={"replicas": 5})
    site.await_ready()
    site.up(proxy={"replicas": 3})
    site.await_ready()


def proxysql_changed(site: Site) -> None:
    """The proxies get another version of ProxySQL, one after another."""
    site.up(images={"proxy": {"tag": NEXT_PROXYSQL}})
    site.await_ready()


def galera_writer_deleted(site: Site) -> None:
    """Somebody deletes the Pod of the Galera server that takes the writes."""
    _delete(site, site.servers()[0])


def everything_killed(site: Site) -> None:
    """All servers at once, as when the power fails."""
    for server in site.servers():
        site.kill(server, "mariadbd")
    time.sleep(5)
    site.await_ready(300)


def _delete(site: Site, pod: str) -> None:
    """By force, until another one of the name is there."""
    uid = site.uid(pod)
    site.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
    eventually(lambda: site.uid(pod) != uid, 120)
