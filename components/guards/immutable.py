"""What a config edit must never change by accident, checked at preview.

A database's name, its topology or its volumes cannot change in place: Pulumi would replace the
object, and the data with it. Each `pulumi up` exports these facts as the output `immutable`; the
next preview reads them back from its own stack and refuses an edit that contradicts them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pulumi

from components.config import password_sources
from components.config.apps import App, collations_of, privileges
from components.config.collations import DEFAULT
from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.engine import ENGINES
from components.config.errors import refuse
from components.config.load import Loaded, Stack
from components.config.stack import StackConfig
from components.engines.wiring import WIRING
from components.guards import edits, namespaces, remembered
from components.guards.edits.warnings import warnings
from components.operations import backups
from components.operations.places import of as place_of
from components.operations.places import url

OUTPUT = "immutable"
FORMER = "identity"
"""What the output was called before."""


def of(stack: Stack) -> dict[str, Any]:
    """The facts of every database in the stack that cannot change, by name. Plain and not
    secret."""
    return {loaded.config.name: _facts(loaded) for loaded in stack.databases}


def _facts(loaded: Loaded) -> dict[str, Any]:
    """Without empty members: an output that is read back has lost them."""
    config = loaded.config
    return {
        **_servers(config),
        **_backups(config),
        **_passwords(config),
        **_tls(config),
        **({"scrape": config.monitoring.scrape} if config.monitoring.said else {}),
        **WIRING[config.engine].immutable(config),
        **(_proxies(config) if config.proxy.enabled else {}),
        **(_own_proxies(config) if config.own_proxies else {}),
        **({"apps": {app.name: _app(app, config) for app in config.apps}} if config.apps else {}),
    }


def _servers(config: StackConfig) -> dict[str, Any]:
    database = config.database
    facts: dict[str, Any] = {
        "engine": config.engine,
        "namespace": config.namespace,
        "topology": database.topology,
        "version": ".".join(map(str, config.server_version)),
        "storage": database.storage.model_dump(exclude_none=True),
    }
    if config.create_namespace:
        facts["create_namespace"] = True
    if database.topology == "replication":
        facts["replicas"] = database.replicas
    if config.servers_closed:
        facts["clients"] = "named"
    if database.paused is not None:
        facts["paused"] = "yes" if database.paused else "no"
    if restore := database.restore_from:
        facts["restored"] = f"{restore.id}: {restore.source}"
    return facts


def _backups(config: StackConfig) -> dict[str, str]:
    """Where they are, which may change, with a warning; and whether a heartbeat has an account."""
    if config.backup.target is None:
        return {}
    place = place_of(config, pulumi.get_stack())
    # Percona's backups have a claim each, which stays what it is.
    one_claim = config.backup.target.volume and config.engine == "mariadb"
    where = f"claim {backups.claim_of(config, place)}" if one_claim else url(config, place.root)
    return {"backup": where, **({"heartbeat": "yes"} if config.backup.drilled else {})}


def _passwords(config: StackConfig) -> dict[str, str]:
    """Where those come from that servers have from their first start."""
    credentials, needed = dict(config.credentials.items()), password_sources.roles(config)
    return {
        role: password_sources.password_source(credentials[role])
        for role in SET_AT_FIRST_BOOT
        if role in needed
    }


def _tls(config: StackConfig) -> dict[str, str]:
    tls = config.security.tls
    if not tls.enabled:
        return {"tls": "off"}
    return {"tls": "required" if tls.required else "optional", "tls_source": _tls_source(config)}


def _tls_source(config: StackConfig) -> str:
    """Who signs the servers' certificates."""
    tls = config.security.tls
    if tls.secret:
        return f"Secret {tls.secret}"
    return f"{tls.issuer.kind} {tls.issuer.name}" if tls.issuer else "the operator"


def _proxies(config: StackConfig) -> dict[str, str]:
    """Of all proxies, whoever runs them."""
    proxy, storage, service = config.proxy, config.proxy.storage, config.proxy.service
    of_class = {"load_balancer_class": service.load_balancer_class or "the cluster's default"}
    return {
        **(of_class if service.type == "LoadBalancer" else {}),
        "proxy_managed_by": proxy.managed_by,
        "proxy_volumes": (
            f"{storage.size} of class {storage.storage_class or 'default'}"
            if storage.persistent or proxy.managed_by == "operator"
            else "none"
        ),
    }


def _own_proxies(config: StackConfig) -> dict[str, Any]:
    """Of this program's own."""
    facts: dict[str, Any] = {
        "monitor": config.proxy.monitor.username,
        "proxies": {
            "replicas": config.proxy.replicas,
            "connections": config.connections_per_proxy,
            "budget": config.connection_budget,
        },
    }
    if password_sources.password_source(config.credentials.monitor) == "generated":
        facts["monitor_rotation"] = config.credentials.monitor.rotation
    return facts


def _app(app: App, config: StackConfig) -> dict[str, Any]:
    chosen = collations_of(config.apps)
    facts: dict[str, Any] = {
        "account": app.accounts[0],
        "accounts": [login.username for login in app.logins],
        "databases": list(app.databases),
        "cleanup": app.cleanup,
        "password": "generated" if app.generated else "given",
        "rotation": app.rotation,
    }
    if app.host != "%":
        facts["host"] = app.host
    if not app.active:
        facts["inactive"] = True
    if collations := {
        schema: chosen[schema] for schema in app.databases if chosen[schema] != DEFAULT
    }:
        facts["collations"] = collations
    if not ENGINES[config.engine].revokes:
        facts["privileges"] = privileges(next(iter(app.databases.values())))
    return facts


def last(outputs: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The facts that the stack's last update exported, by database name."""
    name = FORMER if outputs.get(OUTPUT) is None else OUTPUT
    return remembered.checked(name, outputs.get(name))


def guarded(
    stack: Stack, known: pulumi.Output[Mapping[str, Mapping[str, Any]]]
) -> pulumi.Output[dict[str, Any]]:
    """The facts of the stack that cannot change, once they agree with those of the last update.

    Resources must wait for it, and so must the output: after a refused edit the old one then
    stays. Fails with a ConfigError when an edit contradicts it.
    """
    current = of(stack)

    def compare(before: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        places = {one.config.name: one.at for one in stack.databases}
        check(before, current, retire=stack.retire, places=places)
        return current

    return known.apply(compare)


def check(
    known: Mapping[str, Mapping[str, Any]],
    current: Mapping[str, Mapping[str, Any]],
    *,
    retire: Iterable[str] = (),
    places: Mapping[str, Callable[[str], str]] | None = None,
) -> None:
    """Refuse edits that would replace, shrink or drop a database that exists; warn of others.

    `known` and `current` are facts by database name; `places` has where the stack file has a
    database's config paths. Raises ConfigError with every fault.
    """
    retired, placed = frozenset(retire), places or {}
    refuse(
        (placed[name](path) if name in placed else path, rule, fix)
        for name in {**known, **current}
        for path, rule, fix in (
            *edits.faults(name, known.get(name), current.get(name), retired),
            *namespaces.stay_made(name, known, current),
        )
    )
    for name in sorted(known.keys() & current.keys()):
        for text in warnings(name, known[name], current[name]):
            pulumi.log.warn(text)
