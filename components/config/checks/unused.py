"""Values of a stack that would have no effect. Every stack has the values of its size and engine,
so these rules look only at those that the stack itself gives.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from components.config.credentials import PROXY_ROLES, STATS_READER_ROLE
from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig

OWN_TIER_KEYS = (
    *(f"credentials.{role}" for role in (*PROXY_ROLES, STATS_READER_ROLE)),
    "security.proxy",
    "security.network_policy",
)
"""Config of this program's own proxies, in addition to `proxy`."""

OPERATOR_PROXY_KEYS = frozenset(
    {"enabled", "managed_by", "replicas", "resources", "pod_annotations", "pod_labels"}
    | {"service.type", "service.annotations", "service.external_traffic_policy"}
    | {"service.load_balancer_source_ranges", "service.load_balancer_class"}
    | {"storage.size", "storage.storage_class"}
)
"""Keys that Percona's operator uses for its own ProxySQL; it writes the configuration itself."""


def is_given(given: Any, path: str) -> bool:
    """Whether the stack sets a value at a path; an empty mapping says nothing."""
    key, _, rest = path.partition(".")
    if not isinstance(given, Mapping) or key not in given:
        return False
    below = cast(Mapping[str, Any], given)[key]
    return is_given(below, rest) if rest else below != {}


def _keys(value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The paths of all leaves below a mapping, `service.type` as well as `replicas`."""
    for key, below in value.items():
        if isinstance(below, Mapping) and key in ("service", "storage"):
            yield from _keys(cast(Mapping[str, Any], below), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def keys_are_of_the_engine(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    for path in ENGINES[config.engine].foreign_keys:
        if is_given(given, path):
            yield path, f"is not for engine {config.engine}", "remove it"


def own_proxies_have_the_keys_beside(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    for path in OWN_TIER_KEYS if config.proxy.managed_by == "operator" else ():
        # The exporter has this policy too.
        if path == "security.network_policy" and config.monitoring.enabled:
            continue
        if is_given(given, path):
            yield (
                path,
                "is not for proxy.managed_by operator",
                "remove it, or set managed_by to mysql-ha",
            )


def the_operator_takes_the_keys_of_its_proxies(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    if config.proxy.managed_by == "operator":
        for key in set(_keys(given.get("proxy", {}))) - OPERATOR_PROXY_KEYS:
            yield (
                f"proxy.{key}",
                "is not for proxy.managed_by operator: Percona's operator writes its ProxySQL's "
                "configuration itself",
                "remove it, or set proxy.managed_by to mysql-ha",
            )


def a_watcher_looks_at_the_primary(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    if config.follows_service:
        return
    proxy = config.proxy
    for key, value in (
        ("switchover_wait", proxy.switchover_wait),
        ("min_semi_sync_replicas", proxy.min_semi_sync_replicas),
    ):
        if value and is_given(given, f"proxy.{key}"):
            yield (
                f"proxy.{key}",
                "needs database.topology replication, proxy.routing primary_service and a "
                "proxy.clustering other than runtime, with which all proxies would copy a hold of "
                "one",
                "remove it",
            )


def keys_are_of_the_topology(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    if config.database.topology != "replication":
        for path in (
            *("proxy.routing", "database.semi_sync", "database.semi_sync_timeout"),
            "database.failover_delay_seconds",
        ):
            if is_given(given, path):
                yield path, "is for database.topology replication only", "remove it"


def provider_options_are_galeras(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    if config.database.topology != "galera" and is_given(given, "database.galera"):
        yield "database.galera", "is for database.topology galera only", "remove it"


def a_size_without_proxies_has_no_keys_of_them(
    config: StackConfig, given: Mapping[str, Any]
) -> Iterator[Fault]:
    """Where the stack itself switches them off, it is warned (`advice`)."""
    if config.proxy.enabled or is_given(given, "proxy.enabled"):
        return
    for key in sorted(given.get("proxy", {}).keys() - {"managed_by"}):
        if is_given(given, f"proxy.{key}"):
            yield (
                f"proxy.{key}",
                f"has no effect: size {config.size} has no proxies",
                "remove it, or set proxy.enabled to true",
            )


def ids_are_set(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    if config.security.set_user_ids:
        return
    for tier in ("database", "proxy"):
        for key in ("run_as_user", "run_as_group", "fs_group"):
            if is_given(given, f"security.{tier}.{key}"):
                yield (
                    f"security.{tier}.{key}",
                    "has no effect: with security.set_user_ids false, the cluster assigns ids",
                    "remove it, or set security.set_user_ids to true",
                )


def a_login_has_its_readers(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    path = f"credentials.{STATS_READER_ROLE}"
    if config.own_proxies and not config.proxy.stats_readers and is_given(given, path):
        yield path, "has no effect without proxy.stats_readers", "remove it, or say who reads"


def semi_sync_has_its_timeout(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    unused = config.replicated_behind_proxies and not config.database.semi_sync
    if unused and is_given(given, "database.semi_sync_timeout"):
        yield "database.semi_sync_timeout", "has no effect without semi_sync", "remove it"


def a_policy_has_its_keys(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    if not config.database.network_policy.enabled:
        for path in ("database.network_policy.clients", "operator"):
            if is_given(given, path):
                yield (
                    path,
                    "is for the NetworkPolicy of the servers, which is off",
                    "set database.network_policy.enabled to true, or remove it",
                )


def what_goes_to_s3_is_staged(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    # mariadb-operator api/v1alpha1/physicalbackup_types.go, Validate
    target = config.backup.target
    mariadb = config.engine == "mariadb"
    if mariadb and target and not target.s3 and is_given(given, "backup.staging"):
        yield "backup.staging", "is for backup.store.s3 only", "remove it"
    on_node = config.backup.staging.kind == "node"
    if mariadb and on_node and is_given(given, "backup.staging.storage_class"):
        yield (
            "backup.staging.storage_class",
            "is for backup.staging.kind claim",
            "remove it, or set kind to claim",
        )


RULES = (
    what_goes_to_s3_is_staged,
    keys_are_of_the_engine,
    own_proxies_have_the_keys_beside,
    the_operator_takes_the_keys_of_its_proxies,
    a_watcher_looks_at_the_primary,
    keys_are_of_the_topology,
    provider_options_are_galeras,
    a_size_without_proxies_has_no_keys_of_them,
    ids_are_set,
    a_login_has_its_readers,
    semi_sync_has_its_timeout,
    a_policy_has_its_keys,
)
