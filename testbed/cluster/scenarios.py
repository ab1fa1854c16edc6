"""What may happen to a deployed stack. Each takes a site under load and ends when it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from components.config.images import PROXYSQL_IMAGE

from .site import Site, eventually

CUT_OFF = 100.0
"""Seconds that a node is cut off: longer than the 50 s after which it counts as lost
(kube-controller-manager's --node-monitor-grace-period), and its Pods with it."""

AFTER_SWITCHOVER = 6.0
"""Seconds from the wish for a switchover to an edit: it is done, and has just been."""
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
    target = _ask_for_switchover(site)
    eventually(lambda: site.primary == target, 120)


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


def server_config_edited_after_a_switchover(site: Site) -> None:
    """The same edit soon after a switchover that somebody asked for by hand."""
    _ask_for_switchover(site)
    time.sleep(AFTER_SWITCHOVER)
    server_config_edited(site)


def server_config_edited_during_a_switchover(site: Site) -> None:
    """The same edit while the operator still switches over."""
    _ask_for_switchover(site)
    server_config_edited(site)


def server_config_edited_during_a_roll(site: Site) -> None:
    """The same edit while the servers roll already, for an annotation that somebody gave them."""
    before = _uids(site)
    _patch(site, {"podMetadata": {"annotations": {"edited": str(time.time())}}})
    eventually(lambda: _uids(site) != before, 120)
    server_config_edited(site)


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
    """The proxies get another version of ProxySQL, one after another; the next time, the first."""
    changed = site.config.get("images", {}).get("proxy", {}).get("tag") == NEXT_PROXYSQL
    site.up(images={"proxy": {"tag": PROXYSQL_IMAGE["tag"] if changed else NEXT_PROXYSQL}})
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


def _ask_for_switchover(site: Site) -> str:
    """By the field that says who shall be the primary; the server that it names."""
    target = (int(site.primary.rpartition("-")[2]) + 1) % len(site.servers())
    _patch(site, {"replication": {"primary": {"podIndex": target}}})
    return f"{site.name}-{target}"


def _patch(site: Site, spec: Mapping[str, Any]) -> None:
    """An edit of the MariaDB object by hand."""
    patch = json.dumps({"spec": spec})
    site.kubectl("patch", "mariadb", site.name, "--type=merge", f"--patch={patch}")


def _uids(site: Site) -> dict[str, str]:
    return {server: site.uid(server) for server in site.servers()}


def _delete(site: Site, pod: str) -> None:
    """By force, until another one of the name is there."""
    uid = site.uid(pod)
    site.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
    eventually(lambda: site.uid(pod) != uid, 120)
