"""What an edit must not do to an existing database: one function per rule.

Each takes the database's name and its facts (`immutable.of`), before and now. A fact that is
missing in `before` was unknown to an earlier version; a part that is missing on one side was added
or removed.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from components.config import quantity
from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.errors import Fault

Facts: TypeAlias = Mapping[str, Any]

MIGRATE = "undo the edit; to change it, move the data to a new database (docs/migration.md)"

TWO_ENTRIES = (
    "add a second app with another account, move the application to its Secret, then remove the "
    "first (docs/apps.md)"
)


def _changed(field: str, before: Facts, now: Facts) -> bool:
    """Whether a fact that both sides have has changed."""
    return field in before and field in now and before[field] != now[field]


# --- the database ---


def its_place_and_kind_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for field, path in (
        ("engine", "engine"),
        ("namespace", "namespace"),
        ("topology", "database.topology"),
    ):
        if _changed(field, before, now):
            yield (
                path,
                f"database '{name}' has {before[field]}, which cannot change in place",
                MIGRATE,
            )


def passwords_of_the_first_start_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for field in SET_AT_FIRST_BOOT:
        if _changed(field, before, now):
            yield (
                f"credentials.{field}",
                f"the password of database '{name}' comes from: {before[field]}; with another "
                "source, the program would lose the password that the servers have",
                "undo the edit (docs/migration.md says why there is no other way)",
            )


def replicas_are_not_added(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if before.get("replicas", 99) < now.get("replicas", 0):
        yield (
            "database.replicas",
            f"database '{name}' has {before['replicas']:g} replicas; to make another, the operator "
            "needs a backup, and it would stop reconciling until it has one",
            MIGRATE,
        )


def nodes_are_not_left_alone(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if before.get("nodes", 1) > 1 and now.get("nodes") == 1:
        yield (
            "database.replicas",
            f"database '{name}' has {before['nodes']:g} nodes; a single one has no other node to "
            "recover from",
            "keep at least 3",
        )


def tls_comes_and_goes_in_steps(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if {before.get("tls", now["tls"]), now["tls"]} == {"off", "required"}:
        yield (
            "security.tls",
            f"database '{name}' has TLS {before['tls']}; going to {now['tls']} in one step would "
            "cut off every server that has not restarted yet",
            "first set security.tls to {enabled: true, required: false} (docs/migration.md)",
        )


def the_authority_stays(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if _changed("tls_source", before, now):
        yield (
            "security.tls",
            f"the certificates of database '{name}' come from {before['tls_source']}; the other "
            "servers would not accept one with a certificate of another authority",
            "undo the edit (docs/migration.md has the procedure)",
        )


def pull_secrets_stay(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    # The operator's webhook says no as well, but not which config key it was.
    if before.get("pull_secrets") != now.get("pull_secrets"):
        yield "images.pull_secrets", f"cannot change once database '{name}' exists", MIGRATE


def the_class_of_a_volume_stays(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    had, has = before.get("storage", now["storage"]), now["storage"]
    if had.get("storage_class") != has.get("storage_class"):
        yield "database.storage.storage_class", "the class of a volume cannot change", MIGRATE


def volumes_only_grow(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    had, has = before.get("storage", now["storage"]), now["storage"]
    if quantity.parse(has["size"]) < quantity.parse(had["size"]):
        yield (
            "database.storage.size",
            f"is below the {had['size']} that exist; volumes only grow",
            MIGRATE,
        )


# --- the proxies ---


def proxies_keep_their_manager(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if _changed("proxy_managed_by", before, now):
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


OLDER_KIND, NEWER_KIND = "mysql_native_password", "caching_sha2_password"
"""How accounts of a Percona XtraDB Cluster log in, with the operator's ProxySQL and without."""


def the_monitor_keeps_its_name(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if _changed("monitor", before, now):
        yield (
            "proxy.monitor.username",
            f"the operator cannot rename the account of database '{name}'",
            "undo the edit, or remove the proxies first (docs/migration.md)",
        )


def the_monitors_rotation_does_not_go_down(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    if "monitor_rotation" in before and "monitor_rotation" in now:
        yield from _lower_rotation(
            "credentials.monitor.rotation",
            f"the monitor of database '{name}'",
            int(before["monitor_rotation"]),
            int(now["monitor_rotation"]),
        )


def proxies_scale_within_their_shares(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    """Either may change, but not both at once if too many connections could then be open. New
    proxies start, and removed ones drain, while the others still wait for their roll.
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


# --- the apps ---


def _stays(before: Facts, now: Facts) -> Iterator[tuple[str, Facts, Facts]]:
    """Each app of both sides, with its facts."""
    apps: Facts = before.get("apps", {})
    for app, facts in sorted(now.get("apps", {}).items()):
        if app in apps:
            yield app, apps[app], facts


def an_account_keeps_its_app(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    had: Facts = before.get("apps", {})
    owners = {account: app for app, facts in had.items() for account in facts["accounts"]}
    for app, facts in sorted(now.get("apps", {}).items()):
        others = [owners[a] for a in facts["accounts"] if owners.get(a, app) != app]
        if others:
            yield (
                "apps",
                f"app '{app}' of database '{name}' has the account of app '{others[0]}', and "
                "would replace its Secret and password",
                TWO_ENTRIES,
            )


def an_app_keeps_its_login(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for app, had, has in _stays(before, now):
        for field, what in (("account", "username"), ("password", "source of its password")):
            if had[field] != has[field]:
                yield (
                    "apps",
                    f"app '{app}' of database '{name}' has another {what} than before, and the "
                    "login that it uses would stop working",
                    TWO_ENTRIES,
                )


def an_apps_rotation_does_not_go_down(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for app, had, has in _stays(before, now):
        if not _changed("password", had, has):  # a given one has no rotation
            subject = f"app '{app}' of database '{name}'"
            yield from _lower_rotation("apps", subject, int(had["rotation"]), int(has["rotation"]))


def _lower_rotation(path: str, subject: str, last: int, rotation: int) -> Iterator[Fault]:
    """The rule for alternating accounts."""
    if rotation < last:
        yield (
            path,
            f"{subject} has a lower rotation than before, and the login in use would stop working",
            f"undo the edit; or, for a new login, set it to {last + 1}",
        )


RULES = (
    its_place_and_kind_stay,
    passwords_of_the_first_start_stay,
    replicas_are_not_added,
    nodes_are_not_left_alone,
    tls_comes_and_goes_in_steps,
    the_authority_stays,
    pull_secrets_stay,
    the_class_of_a_volume_stays,
    volumes_only_grow,
    proxies_keep_their_manager,
    accounts_are_of_a_kind_the_operators_proxies_use,
    the_monitor_keeps_its_name,
    the_monitors_rotation_does_not_go_down,
    proxies_scale_within_their_shares,
    volumes_of_proxies_stay,
    an_account_keeps_its_app,
    an_app_keeps_its_login,
    an_apps_rotation_does_not_go_down,
)
"""Rules of a database that stays."""


def a_retired_one_is_not_emptied(name: str, apps: Facts) -> Iterator[Fault]:
    """Its volumes stay, and `cleanup: delete` would empty them before."""
    for app, facts in sorted(apps.items()):
        if facts["cleanup"] == "delete":
            yield (
                "retire",
                f"app '{app}' of database '{name}' has cleanup: delete, and its databases would be "
                "dropped before the servers are removed",
                "set cleanup to keep and run `pulumi up` before; or, to drop them, remove the app "
                "first",
            )


def nothing_is_deleted(name: str) -> Iterator[Fault]:
    """Of a database that is neither in the stack any more nor retired."""
    yield (
        "name",
        f"the stack has a database '{name}', and this edit would delete it",
        f"keep the name; or, to remove the database, back it up and add '{name}' to "
        "retire. To rename, add a new stack and move the data (docs/migration.md)",
    )


# --- what is done and said ---


def warnings(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Warnings: the consequences of an accepted edit."""
    if "monitor_rotation" in before and "monitor_rotation" in now:
        last, rotation = int(before["monitor_rotation"]), int(now["monitor_rotation"])
        yield from _rotated_twice(f"the monitor of database '{name}'", last, rotation)
    for app, had, has in _stays(before, now):
        subject = f"app '{app}' of database '{name}'"
        yield from _rotated_twice(subject, int(had["rotation"]), int(has["rotation"]))
        if kept := _kept_privileges(had, has):
            yield (
                f"database '{name}': app '{app}' keeps {', '.join(kept)} until you revoke it by "
                "hand: Percona's operator never revokes privileges"
            )
    had, has = before.get("apps", {}), now.get("apps", {})
    for app in sorted(had.keys() - has.keys()):
        yield (
            f"app '{app}' leaves database '{name}': this update deletes its Secret, and the "
            "proxies of this program refuse its login"
        )
    for kind in ("accounts", "databases"):
        yield from _leaving(name, kind, had, has)
    if (before.get("accounts"), now.get("accounts")) == (OLDER_KIND, NEWER_KIND):
        yield (
            f"database '{name}' loses the operator's ProxySQL and cannot get it again: its "
            "accounts will be of another kind (docs/percona.md)"
        )


def _rotated_twice(subject: str, last: int, rotation: int) -> Iterator[str]:
    if rotation > last + 1:
        yield (
            f"{subject}: both logins change, as the rotation goes up by {rotation - last}; clients "
            "with the current one are refused before the new one has arrived everywhere"
        )


def _kept_privileges(before: Facts, now: Facts) -> list[str]:
    """Privileges that an app's account keeps after an edit that removes them; with Percona only."""
    if "privileges" not in now:
        return []
    granted: list[str] = now["privileges"]
    had: list[str] = [] if "ALL PRIVILEGES" in granted else before["privileges"]
    left = [f"all on '{one}'" for one in before["databases"] if one not in now["databases"]]
    return [one for one in had if one not in granted] + left


def _leaving(name: str, kind: str, before: Facts, now: Facts) -> Iterator[str]:
    """What happens to the accounts or databases that no app names any more."""
    named = {item for app in now.values() for item in app[kind]}
    policies: dict[str, set[str]] = {}
    for app in before.values():
        for item in app[kind]:
            policies.setdefault(item, set()).add(app["cleanup"])
    kept = {item for item, of_apps in policies.items() if "keep" in of_apps}
    for policy, items, fate in (
        ("keep", kept, "stay in the servers"),
        ("delete", policies.keys() - kept, "are DELETED"),
    ):
        if gone := sorted(f"'{item}'" for item in items - named):
            yield (
                f"database '{name}': these {kind} leave the config and {fate} "
                f"(cleanup: {policy}): {', '.join(gone)}"
            )
