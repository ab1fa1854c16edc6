"""What a config edit must never change by accident, checked at preview.

A database's name, its topology or its volumes cannot change in place: Pulumi would replace the
object, and the data with it. Each `pulumi up` exports these facts as the output `immutable`; the
next preview reads them back from its own stack and refuses an edit that contradicts them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import pulumi

from components.config import password_sources
from components.config.apps import App, privileges
from components.config.errors import Fault, refuse
from components.config.load import Loaded, Stack
from components.config.stack import StackConfig
from components.engines import percona
from components.guards import edits

OUTPUT = "immutable"


def of(stack: Stack) -> dict[str, Any]:
    """What cannot change of every database in the stack, by name. Plain and not secret."""
    return {loaded.config.name: _facts(loaded) for loaded in stack.databases}


def _facts(loaded: Loaded) -> dict[str, Any]:
    config = loaded.config
    # Without empty members: an output that is read back has lost them.
    facts: dict[str, Any] = {
        "engine": config.engine,
        "namespace": config.namespace,
        "topology": config.database.topology,
        "storage": config.database.storage.model_dump(exclude_none=True),
        "root": password_sources.password_source(config.credentials.root),
    }
    if config.database.topology == "replication":
        facts["replication"] = password_sources.password_source(config.credentials.replication)
        facts["replicas"] = config.database.replicas
    if config.apps:
        facts["apps"] = {app.name: _app_facts(app, config) for app in config.apps}
    tls = config.security.tls
    facts["tls"] = ("required" if tls.required else "optional") if tls.enabled else "off"
    if tls.enabled:
        facts["tls_source"] = _tls_source(config)
    if config.engine == "mariadb" and config.images.pull_secrets:
        facts["pull_secrets"] = ", ".join(config.images.pull_secrets)
    if config.engine == "percona":
        facts["accounts"] = percona.auth_plugin(config)
        facts["nodes"] = config.database.replicas
    if config.proxy.enabled:
        facts["proxy_managed_by"] = config.proxy.managed_by
    if config.own_proxies:
        facts["monitor"] = config.proxy.monitor.username
        if password_sources.password_source(config.credentials.monitor) == "generated":
            facts["monitor_rotation"] = config.credentials.monitor.rotation
        facts["proxies"] = {
            "replicas": config.proxy.replicas,
            "connections": config.connections_per_proxy,
            "budget": config.connection_budget,
        }
    if config.proxy.enabled:
        storage = config.proxy.storage
        facts["proxy_volumes"] = (
            f"{storage.size} of class {storage.storage_class or 'default'}"
            if storage.persistent or config.proxy.managed_by == "operator"
            else "none"
        )
    return facts


def _tls_source(config: StackConfig) -> str:
    """Who signs the servers' certificates."""
    tls = config.security.tls
    if tls.secret:
        return f"Secret {tls.secret}"
    return f"{tls.issuer.kind} {tls.issuer.name}" if tls.issuer else "the operator"


def last() -> pulumi.Output[Mapping[str, Mapping[str, Any]]]:
    """The identities that the stack's last update exported, by database name."""
    own = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    renamed = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="identity")])
    reference = pulumi.StackReference(OUTPUT, stack_name=own, opts=renamed)

    def read(output: Any) -> Mapping[str, Mapping[str, Any]]:
        # An output that is not a mapping is somebody else's.
        return cast(Mapping[str, Any], output) if isinstance(output, dict) else {}

    return reference.get_output(OUTPUT).apply(read)


def guarded(
    stack: Stack, known: pulumi.Output[Mapping[str, Mapping[str, Any]]]
) -> pulumi.Output[dict[str, Any]]:
    """What cannot change of the stack, once what the last update exported was found to agree.

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

    `known` and `current` are identities by database name; `places` has where the stack file
    has a database's config paths. Raises ConfigError with every fault.
    """
    retired = frozenset(retire)
    placed = places or {}
    refuse(
        (placed[name](path) if name in placed else path, rule, fix)
        for name in known
        for path, rule, fix in _faults(name, known[name], current, retired)
    )
    for name in sorted(known.keys() & current.keys()):
        for text in edits.warnings(name, known[name], current[name]):
            pulumi.log.warn(text)


def _faults(
    name: str,
    before: Mapping[str, Any],
    current: Mapping[str, Mapping[str, Any]],
    retired: frozenset[str],
) -> Iterator[Fault]:
    if name in current:
        for rule in edits.RULES:
            yield from rule(name, before, current[name])
    elif name in retired:
        yield from edits.a_retired_one_is_not_emptied(name, before.get("apps", {}))
    else:
        yield from edits.nothing_is_deleted(name)


def _app_facts(app: App, config: StackConfig) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "account": app.accounts[0],
        "accounts": [login.username for login in app.logins],
        "databases": list(app.databases),
        "cleanup": app.cleanup,
        "password": "generated" if app.generated else "given",
        "rotation": app.rotation,
    }
    if config.engine == "percona":
        facts["privileges"] = privileges(next(iter(app.databases.values())))
    return facts
