"""What a config edit must never change by accident, checked at preview.

A database's name, its topology or its volumes cannot change in place: Pulumi would replace the
object, and the data with it. Each `pulumi up` exports these facts as the output `identity`; the
next preview reads them back from its own stack and refuses an edit that contradicts them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pulumi

from components import passwords, percona, quantity
from components.config import Loaded, Stack
from components.errors import refuse
from components.schema import KNOWN_TO_SERVERS, StackConfig

OUTPUT = "identity"


def of(stack: Stack) -> dict[str, Any]:
    """The identity of every database in the stack, by name. Plain and not secret."""
    return {loaded.config.name: _facts(loaded) for loaded in stack.databases}


def _facts(loaded: Loaded) -> dict[str, Any]:
    config = loaded.config
    # Without empty members: an output that is read back has lost them.
    facts: dict[str, Any] = {
        "engine": config.engine,
        "namespace": config.namespace,
        "topology": config.database.topology,
        "storage": config.database.storage.model_dump(exclude_none=True),
        "root": passwords.describe(config.credentials.root),
    }
    if config.database.topology == "replication":
        facts["replication"] = passwords.describe(config.credentials.replication)
        facts["replicas"] = config.database.replicas
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
        facts["proxy_mode"] = config.proxy.mode
    if config.own_proxies:
        facts["monitor"] = config.proxy.monitor.username
    if config.proxy.enabled:
        storage = config.proxy.storage
        facts["proxy_volumes"] = (
            f"{storage.size} of class {storage.storage_class or 'default'}"
            if storage.persistent or config.proxy.mode == "operator"
            else "none"
        )
    return facts


def _tls_source(config: StackConfig) -> str:
    """Who signs the servers' certificates."""
    tls = config.security.tls
    if tls.secret:
        return f"Secret {tls.secret}"
    return f"{tls.issuer.kind} {tls.issuer.name}" if tls.issuer else "the operator"


def guarded(stack: Stack) -> pulumi.Output[dict[str, Any]]:
    """The stack's identity, once the last known one was read and found to agree.

    Resources must wait for it, and so must the output: after a refused edit the old identity then
    stays. Fails with a ConfigError when an edit contradicts it.
    """
    own = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    reference = pulumi.StackReference("identity", stack_name=own)
    current = of(stack)

    def compare(known: Any) -> dict[str, Any]:
        # An output that is no mapping is somebody else's.
        last = cast(Mapping[str, Any], known if isinstance(known, dict) else {})
        check(last, current, retire=stack.retire)
        return current

    return reference.get_output(OUTPUT).apply(compare)


def check(
    known: Mapping[str, Mapping[str, Any]],
    current: Mapping[str, Mapping[str, Any]],
    *,
    retire: Iterable[str] = (),
) -> None:
    """Refuse an edit that would replace, shrink or drop a database that exists.

    `known` and `current` are identities by database name. Raises ConfigError.
    """
    for name, before in known.items():
        if name not in current:
            if name not in retire:
                refuse(
                    "name",
                    f"the stack has a database '{name}', and this edit would delete it",
                    f"keep the name; or, to give the database up, back it up and add '{name}' to "
                    "retire. To rename, add a new stack and move the data (docs/migration.md)",
                )
            continue
        _check_one(name, before, current[name])


def _check_one(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    migrate = "undo the edit; to change it, move the data to a new database (docs/migration.md)"
    for field, path in (
        ("engine", "engine"),
        ("namespace", "namespace"),
        ("topology", "database.topology"),
    ):
        if before.get(field, now[field]) != now[field]:
            refuse(
                path,
                f"database '{name}' has {before[field]}, which cannot change in place",
                migrate,
            )
    for field in KNOWN_TO_SERVERS:
        if field in before and before[field] != now[field]:
            refuse(
                f"credentials.{field}",
                f"the password of database '{name}' comes from: {before[field]}; another source "
                "would lose the one the servers know",
                "undo the edit (docs/migration.md says why there is no other way)",
            )
    if before.get("replicas", 99) < now.get("replicas", 0):
        refuse(
            "database.replicas",
            f"database '{name}' has {before['replicas']:g} replicas; the operator would need a "
            "backup to make another from, and reconcile nothing until it has one",
            migrate,
        )
    if {before.get("tls", now["tls"]), now["tls"]} == {"off", "required"}:
        refuse(
            "security.tls",
            f"database '{name}' has TLS {before['tls']}; going to {now['tls']} in one step would "
            "cut off whatever has not restarted yet",
            "go there by way of security.tls {enabled: true, required: false} (docs/migration.md)",
        )
    if (before.get("accounts"), now.get("accounts")) == (
        "caching_sha2_password",
        "mysql_native_password",
    ):
        refuse(
            "proxy.mode",
            f"database '{name}' has run without the operator's ProxySQL, and its accounts are of "
            "a kind that one cannot use; servers refuse to start with it",
            "set proxy.mode to standalone, or proxy.enabled to false",
        )
    if (before.get("accounts"), now.get("accounts")) == (
        "mysql_native_password",
        "caching_sha2_password",
    ):
        pulumi.log.warn(
            f"database '{name}' loses the operator's ProxySQL and cannot get it again: its "
            "accounts will be of another kind (docs/percona.md)"
        )
    if before.get("nodes", 1) > 1 and now.get("nodes") == 1:
        refuse(
            "database.replicas",
            f"database '{name}' has {before['nodes']:g} nodes; one alone has no quorum to lose and "
            "nobody to recover from",
            "keep at least 3",
        )
    for field, path, rule, fix in (
        (
            "tls_source",
            "security.tls",
            "the certificates of database '{name}' come from {before}; a server with one of "
            "another authority would not be let into the cluster by the rest",
            "undo the edit (docs/migration.md has the procedure)",
        ),
        (
            "proxy_mode",
            "proxy.mode",
            "database '{name}' has proxies of mode {before}; the other kind has another address "
            "and other accounts, and both would run for a while",
            "remove the proxies first (proxy.enabled: false), and move the clients",
        ),
        (
            "monitor",
            "proxy.monitor.username",
            "the operator cannot rename the account of database '{name}'",
            "undo the edit, or remove the proxies first (docs/migration.md)",
        ),
    ):
        # What is missing on one side comes or goes as a whole, which is another matter.
        if field in before and field in now and before[field] != now[field]:
            refuse(path, rule.format(name=name, before=before[field]), fix)
    # The operator's webhook says no as well, but not which config key it was.
    if before.get("pull_secrets") != now.get("pull_secrets"):
        refuse("images.pull_secrets", f"cannot change once database '{name}' exists", migrate)
    _check_volume(
        "database.storage", before.get("storage", now["storage"]), now["storage"], migrate
    )
    volumes = before.get("proxy_volumes")
    if volumes and now.get("proxy_volumes", volumes) != volumes:
        refuse(
            "proxy.storage",
            f"the persistent volumes of the proxies of database '{name}' are: {volumes}; a "
            "StatefulSet's volume claims cannot change",
            "undo the edit"
            if before.get("proxy_mode") == "operator"
            else "undo the edit; or remove the proxies first (proxy.enabled: false), which drops "
            "their connections but no data",
        )


def _check_volume(path: str, before: Mapping[str, Any], now: Mapping[str, Any], fix: str) -> None:
    if before.get("storage_class") != now.get("storage_class"):
        refuse(f"{path}.storage_class", "the class of a volume cannot change", fix)
    if quantity.parse(now["size"]) < quantity.parse(before["size"]):
        refuse(f"{path}.size", f"is below the {before['size']} that exist; volumes only grow", fix)
