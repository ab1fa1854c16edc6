"""Rules of `proxy`, and of the account by which proxies check the servers."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.guards.edits.facts import NEWER_KIND, OLDER_KIND, Facts, changed, lower_rotation


def proxies_keep_their_manager(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if changed("proxy_managed_by", before, now):
        yield (
            "proxy.managed_by",
            f"database '{name}' has proxies managed by {before['proxy_managed_by']}; the other "
            "kind has another address and other accounts, and both would run for a while",
            "remove the proxies first (proxy.enabled: false), and move the clients",
        )


def accounts_are_of_a_kind_the_operators_proxies_use(
    name: str, before: Facts, now: Facts
) -> Iterator[Fault]:
    if (before.get("accounts"), now.get("accounts")) == (NEWER_KIND, OLDER_KIND):
        yield (
            "proxy.managed_by",
            f"database '{name}' has run without the operator's ProxySQL, which cannot use its "
            "kind of accounts; servers refuse to start with it",
            "set proxy.managed_by to mysql-ha, or proxy.enabled to false",
        )


def the_monitor_keeps_its_name(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if changed("monitor", before, now):
        yield (
            "proxy.monitor.username",
            f"the operator cannot rename the account of database '{name}'",
            "undo the edit, or remove the proxies first (docs/migration.md)",
        )


def the_monitors_rotation_does_not_go_down(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if "monitor_rotation" in before and "monitor_rotation" in now:
        yield from lower_rotation(
            "credentials.monitor.rotation",
            f"the monitor of database '{name}'",
            int(before["monitor_rotation"]),
            int(now["monitor_rotation"]),
        )


def proxies_scale_within_their_shares(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Or share out connections anew, and not both at once if too many could then be open.

    New ones start, and those that go drain, while the others still wait for their roll.
    """
    if "proxies" not in before or "proxies" not in now:
        return
    had, has = before["proxies"], now["proxies"]
    fewer, more = sorted((int(had["replicas"]), int(has["replicas"])))
    total = more * int(max(had["connections"], has["connections"]))
    if fewer != more and total > has["budget"]:
        yield (
            "proxy.replicas",
            f"the proxies of database '{name}' could hold {total} connections to one server while "
            f"they go from {had['replicas']:g} to {has['replicas']:g} with another share each, "
            f"but only {has['budget']:g} are for them",
            f"make two updates; after the first, {fewer} proxies have the share of {more}: "
            f"set proxy.max_replicas {more}, or the lower proxy.backend_max_connections",
        )


def volumes_of_proxies_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    volumes = before.get("proxy_volumes")
    if volumes and now.get("proxy_volumes", volumes) != volumes:
        yield (
            "proxy.storage",
            f"the persistent volumes of the proxies of database '{name}' are: {volumes}; a "
            "StatefulSet's volume claims cannot change",
            "undo the edit"
            if before.get("proxy_managed_by") == "operator"
            else "undo the edit; or remove the proxies first (proxy.enabled: false), which drops "
            "their connections but no data",
        )


def the_class_of_a_load_balancer_stays(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if changed("load_balancer_class", before, now):
        yield (
            "proxy.service.load_balancer_class",
            f"the load balancer of database '{name}' is of class {before['load_balancer_class']}, "
            "which cannot change in place",
            "undo the edit; or set type to ClusterIP first, which takes the address away",
        )


RULES = (
    proxies_keep_their_manager,
    accounts_are_of_a_kind_the_operators_proxies_use,
    the_monitor_keeps_its_name,
    the_monitors_rotation_does_not_go_down,
    proxies_scale_within_their_shares,
    volumes_of_proxies_stay,
    the_class_of_a_load_balancer_stays,
)
