"""What a config edit must never change by accident, checked at preview.

A database's name, its topology or its volumes cannot change in place: Pulumi would replace the
object, and the data with it. Each `pulumi up` exports these facts as the output `immutable`; the
next preview reads them back from its own stack and refuses an edit that contradicts them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pulumi

from components.config import password_sources, quantity
from components.config.apps import App, privileges
from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.errors import reject
from components.config.load import Loaded, Stack
from components.config.stack import StackConfig
from components.engines import percona

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
        # An output that is no mapping is somebody else's.
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
        check(before, current, retire=stack.retire)
        return current

    return known.apply(compare)


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
                reject(
                    "name",
                    f"the stack has a database '{name}', and this edit would delete it",
                    f"keep the name; or, to give the database up, back it up and add '{name}' to "
                    "retire. To rename, add a new stack and move the data (docs/migration.md)",
                )
            _check_retired(name, before.get("apps", {}))
            continue
        _check_one(name, before, current[name])


def _check_retired(name: str, apps: Mapping[str, Any]) -> None:
    """The volumes of a retired database stay, and must not be emptied on the way."""
    for app, facts in sorted(apps.items()):
        if facts["cleanup"] == "delete":
            reject(
                "retire",
                f"app '{app}' of database '{name}' has cleanup: delete, and its databases would be "
                "dropped before the servers go",
                "set cleanup to keep and run `pulumi up` before; or, to drop them, remove the app "
                "first",
            )


def _check_one(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    migrate = "undo the edit; to change it, move the data to a new database (docs/migration.md)"
    for field, path in (
        ("engine", "engine"),
        ("namespace", "namespace"),
        ("topology", "database.topology"),
    ):
        if before.get(field, now[field]) != now[field]:
            reject(
                path,
                f"database '{name}' has {before[field]}, which cannot change in place",
                migrate,
            )
    for field in SET_AT_FIRST_BOOT:
        if field in before and before[field] != now[field]:
            reject(
                f"credentials.{field}",
                f"the password of database '{name}' comes from: {before[field]}; another source "
                "would lose the one the servers know",
                "undo the edit (docs/migration.md says why there is no other way)",
            )
    if "monitor_rotation" in before and "monitor_rotation" in now:
        _check_rotation(
            "credentials.monitor.rotation",
            f"the monitor of database '{name}'",
            int(before["monitor_rotation"]),
            int(now["monitor_rotation"]),
        )
    if "proxies" in before and "proxies" in now:
        _check_proxies(name, before["proxies"], now["proxies"])
    _check_apps(name, before.get("apps", {}), now.get("apps", {}))
    if before.get("replicas", 99) < now.get("replicas", 0):
        reject(
            "database.replicas",
            f"database '{name}' has {before['replicas']:g} replicas; the operator would need a "
            "backup to make another from, and reconcile nothing until it has one",
            migrate,
        )
    if {before.get("tls", now["tls"]), now["tls"]} == {"off", "required"}:
        reject(
            "security.tls",
            f"database '{name}' has TLS {before['tls']}; going to {now['tls']} in one step would "
            "cut off whatever has not restarted yet",
            "go there by way of security.tls {enabled: true, required: false} (docs/migration.md)",
        )
    if (before.get("accounts"), now.get("accounts")) == (
        "caching_sha2_password",
        "mysql_native_password",
    ):
        reject(
            "proxy.managed_by",
            f"database '{name}' has run without the operator's ProxySQL, and its accounts are of "
            "a kind that one cannot use; servers refuse to start with it",
            "set proxy.managed_by to mysql-ha, or proxy.enabled to false",
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
        reject(
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
            "proxy_managed_by",
            "proxy.managed_by",
            "database '{name}' has proxies managed by {before}; the other kind has another address "
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
            reject(path, rule.format(name=name, before=before[field]), fix)
    # The operator's webhook says no as well, but not which config key it was.
    if before.get("pull_secrets") != now.get("pull_secrets"):
        reject("images.pull_secrets", f"cannot change once database '{name}' exists", migrate)
    _check_volume(
        "database.storage", before.get("storage", now["storage"]), now["storage"], migrate
    )
    volumes = before.get("proxy_volumes")
    if volumes and now.get("proxy_volumes", volumes) != volumes:
        reject(
            "proxy.storage",
            f"the persistent volumes of the proxies of database '{name}' are: {volumes}; a "
            "StatefulSet's volume claims cannot change",
            "undo the edit"
            if before.get("proxy_managed_by") == "operator"
            else "undo the edit; or remove the proxies first (proxy.enabled: false), which drops "
            "their connections but no data",
        )


def _check_proxies(name: str, before: Mapping[str, float], now: Mapping[str, float]) -> None:
    """Refuse to scale proxies and to share out connections anew at once, if too many could be open.

    New ones start, and those that go drain, while the others still wait for their roll.
    """
    fewer, more = sorted((int(before["replicas"]), int(now["replicas"])))
    total = more * int(max(before["connections"], now["connections"]))
    if fewer != more and total > now["budget"]:
        reject(
            "proxy.replicas",
            f"the proxies of database '{name}' could hold {total} connections to one server while "
            f"they go from {before['replicas']:g} to {now['replicas']:g} with another share each, "
            f"and {now['budget']:g} are for them",
            f"take two updates, between them {fewer} proxies with the share of {more}: "
            f"proxy.max_replicas {more}, or the lower proxy.backend_max_connections",
        )


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


def _check_apps(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse what would cut an app off, and say what becomes of those that leave."""
    owners = {account: app for app, facts in before.items() for account in facts["accounts"]}
    for app, facts in sorted(now.items()):
        for account in facts["accounts"]:
            if owners.get(account, app) != app:
                reject(
                    "apps",
                    f"app '{app}' of database '{name}' has the account of app "
                    f"'{owners[account]}', whose Secret and password would be replaced",
                    TWO_ENTRIES,
                )
        if app in before:
            _check_app(name, app, before[app], now[app])
    _warn_of_leaving(name, before, now)


TWO_ENTRIES = (
    "add a second app with another account, move the application to its Secret, then remove the "
    "first (docs/apps.md)"
)


def _check_app(name: str, app: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for field, what in (("account", "username"), ("password", "source of its password")):
        if before[field] != now[field]:
            reject(
                "apps",
                f"app '{app}' of database '{name}' has another {what} than before, and the login "
                "that it uses would stop working",
                TWO_ENTRIES,
            )
    last, whose = int(before["rotation"]), f"app '{app}' of database '{name}'"
    _check_rotation("apps", whose, last, int(now["rotation"]))
    if "privileges" not in now:
        return
    granted: list[str] = now["privileges"]
    kept = [had for had in before["privileges"] if had not in granted]
    if "ALL PRIVILEGES" in granted:
        kept.clear()
    kept += [f"all on '{left}'" for left in before["databases"] if left not in now["databases"]]
    if kept:
        pulumi.log.warn(
            f"database '{name}': app '{app}' keeps {', '.join(kept)} until you revoke it by hand: "
            "Percona's operator grants privileges and revokes none"
        )


def _check_rotation(path: str, whose: str, last: int, rotation: int) -> None:
    """Of accounts that take turns; numbers come back as floats."""
    if rotation < last:
        reject(
            path,
            f"{whose} has a lower rotation than before, and the login in use would stop working",
            f"undo the edit; or, for a new login, set it to {last + 1}",
        )
    if rotation > last + 1:
        pulumi.log.warn(
            f"{whose}: both logins change, as the rotation goes up by {rotation - last}; whoever "
            "holds the current one is refused before the other has arrived everywhere"
        )


def _warn_of_leaving(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for app in sorted(before.keys() - now.keys()):
        pulumi.log.warn(
            f"app '{app}' leaves database '{name}': with this update its Secret goes, and the "
            "proxies of this program refuse its login"
        )
    for kind in ("accounts", "databases"):
        named = {item for app in now.values() for item in app[kind]}
        owners: dict[str, list[str]] = {}
        for app in before.values():
            for item in app[kind]:
                owners.setdefault(item, []).append(app["cleanup"])
        for policy, fate in (("keep", "stay in the servers"), ("delete", "are DELETED")):
            gone = [
                f"'{item}'"
                for item, policies in owners.items()
                if item not in named and (policy == "keep") == ("keep" in policies)
            ]
            if gone:
                pulumi.log.warn(
                    f"database '{name}': these {kind} leave the config and {fate} "
                    f"(cleanup: {policy}): {', '.join(sorted(gone))}"
                )


def _check_volume(path: str, before: Mapping[str, Any], now: Mapping[str, Any], fix: str) -> None:
    if before.get("storage_class") != now.get("storage_class"):
        reject(f"{path}.storage_class", "the class of a volume cannot change", fix)
    if quantity.parse(now["size"]) < quantity.parse(before["size"]):
        reject(f"{path}.size", f"is below the {before['size']} that exist; volumes only grow", fix)
