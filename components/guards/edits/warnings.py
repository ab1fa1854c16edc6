"""What an edit that is accepted leads to, told beforehand."""

from collections.abc import Iterator

from components import names
from components.config.credentials import EXPORTER_ACCOUNT
from components.config.engine import ENGINES
from components.guards.edits import versions
from components.guards.edits.facts import (
    NEWER_KIND,
    OLDER_KIND,
    Facts,
    changed,
    is_scraped,
    operators_exporter,
    staying_apps,
)


def warnings(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """What an edit of a database leads to, for its servers, its apps and its proxies."""
    yield from _downgrade(name, before, now)
    yield from _closed(name, before, now)
    yield from _backups(name, before, now)
    yield from _exporter(name, before, now)
    yield from _annotated(name, before, now)
    yield from _logins(name, before, now)
    yield from _privileges(name, before, now)
    yield from _removals(name, before.get("apps", {}), now.get("apps", {}))
    if (before.get("accounts"), now.get("accounts")) == (OLDER_KIND, NEWER_KIND):
        yield (
            f"database '{name}' loses the operator's ProxySQL and cannot get it again: its "
            "accounts will be of another kind (docs/percona.md)"
        )


def _downgrade(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Within a series of servers, where that is no fault: the files are the same."""
    if "version" in before and "version" in now:
        had, has = versions.alike(before["version"], now["version"])
        if has < had:
            yield (
                f"database '{name}' goes from {before['version']} back to {now['version']}: the "
                "fixes between them go"
            )


def _closed(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Of servers that anyone could reach until now."""
    if "clients" in now and "clients" not in before:
        yield (
            f"database '{name}' gets a NetworkPolicy: clients that connect to its servers past the "
            "proxies are refused unless database.network_policy.clients names them, and so are "
            "backup jobs without the label mysql-ha/role: backup (docs/operations.md)"
        )


def _backups(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """What becomes of those that are there."""
    had, has = before.get("backup"), now.get("backup")
    if had and not has:
        yield f"database '{name}' is backed up no more. {_left(had)}"
        if now["engine"] == "percona":
            yield (
                f"the operator of database '{name}' ends its backups only if backup.store stays "
                "and backup.enabled is false"
            )
    elif had and had != has:
        yield f"database '{name}' is backed up to {has} from now on. {_left(had)}"


def _exporter(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Of operators that leave what they made: mariadb-operator never deletes these objects
    (v25.10.4, internal/controller/mariadb_controller_metrics.go). Nor does it watch ServiceMonitors
    (`SetupWithManager` in mariadb_controller.go): a Service that is deleted too has it look."""
    kubectl, metrics = f"kubectl -n {now['namespace']} delete", names.metrics(name)
    if operators_exporter(before) and not operators_exporter(now):
        # Its account goes, or the policy of the servers lets in the other exporter only.
        refused = not is_scraped(now) or "clients" in now
        fate = "the servers refuse from now on" if refused else "goes on asking the servers"
        yield (
            f"database '{name}': mariadb-operator leaves its exporter, which {fate}. Delete it: "
            f"{kubectl} deployment,service,servicemonitor {metrics}, and secret "
            f"{names.metrics_config(name)}"
        )
    if operators_exporter(before) and operators_exporter(now) and changed("release", before, now):
        yield (
            f"database '{name}': mariadb-operator does not change the label release of its "
            f"ServiceMonitor, which stays: {before['release']}. After this update delete it, and "
            f"the operator makes it anew: {kubectl} servicemonitor,service {metrics}"
        )
    if is_scraped(before) and not is_scraped(now) and not ENGINES[now["engine"]].revokes:
        yield (
            f"database '{name}': the account '{EXPORTER_ACCOUNT}' stays in the servers with its "
            "password, as Percona's operator drops none. After this update: "
            f"DROP USER '{EXPORTER_ACCOUNT}'@'%'"
        )


def _annotated(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Of this program's proxies, whose Pods say so themselves."""
    had, has = (facts.get("scrape") == "annotations" for facts in (before, now))
    if had != has and "proxies" in before and "proxies" in now:
        yield (
            f"database '{name}': this update rolls the proxies, as their Pods "
            f"{'get' if has else 'lose'} the annotations by which they are read"
        )


def _left(place: str) -> str:
    return f"What is in {place} stays, and nothing deletes it"


def _logins(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Of the monitor and of apps: both logins of one change at once."""
    if "monitor_rotation" in before and "monitor_rotation" in now:
        last, rotation = int(before["monitor_rotation"]), int(now["monitor_rotation"])
        yield from _rotated_twice(f"the monitor of database '{name}'", last, rotation)
    for app, had, has in staying_apps(before, now):
        subject = f"app '{app}' of database '{name}'"
        yield from _rotated_twice(subject, int(had["rotation"]), int(has["rotation"]))


def _privileges(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """That nobody takes away."""
    for app, had, has in staying_apps(before, now):
        if kept := _kept_privileges(had, has):
            yield (
                f"database '{name}': app '{app}' keeps {', '.join(kept)} until you revoke it by "
                "hand: Percona's operator never revokes privileges"
            )


def _removals(name: str, before: Facts, now: Facts) -> Iterator[str]:
    """Of apps, and of what no app names any more."""
    for app in sorted(before.keys() - now.keys()):
        yield (
            f"app '{app}' leaves database '{name}': this update deletes its Secret, and the "
            "proxies of this program refuse its login"
        )
    for kind in ("accounts", "databases"):
        yield from _leaving(name, kind, before, now)


def _rotated_twice(subject: str, last: int, rotation: int) -> Iterator[str]:
    if rotation > last + 1:
        yield (
            f"{subject}: both logins change, as the rotation goes up by {rotation - last}; clients "
            "with the current one are refused before the new one has arrived everywhere"
        )


def _kept_privileges(before: Facts, now: Facts) -> list[str]:
    """What an app's account may do after an edit that takes it away; of Percona's only."""
    if "privileges" not in now:
        return []
    granted: list[str] = now["privileges"]
    had: list[str] = [] if "ALL PRIVILEGES" in granted else before["privileges"]
    left = [f"all on '{one}'" for one in before["databases"] if one not in now["databases"]]
    return [one for one in had if one not in granted] + left


def _leaving(name: str, kind: str, before: Facts, now: Facts) -> Iterator[str]:
    """What becomes of the accounts or databases that no app names any more."""
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
