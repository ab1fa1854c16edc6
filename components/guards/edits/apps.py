"""Rules of `apps`."""

from collections.abc import Iterator

from components.config.collations import DEFAULT
from components.config.errors import Fault
from components.guards.edits.facts import Facts, changed, lower_rotation, staying_apps

TWO_ENTRIES = (
    "add a second app with another account, move the application to its Secret, then remove the "
    "first (docs/apps.md)"
)


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
    for app, had, has in staying_apps(before, now):
        for field, what in (("account", "username"), ("password", "source of its password")):
            if had[field] != has[field]:
                yield (
                    "apps",
                    f"app '{app}' of database '{name}' has another {what} than before, and the "
                    "login that it uses would stop working",
                    TWO_ENTRIES,
                )


def an_app_keeps_its_host(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for app, had, has in staying_apps(before, now):
        if (host := had.get("host", "%")) != has.get("host", "%"):
            yield (
                "apps",
                f"app '{app}' of database '{name}' logs in from '{host}'; from elsewhere it would "
                "be another account of the servers",
                TWO_ENTRIES,
            )


def an_apps_rotation_does_not_go_down(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    for app, had, has in staying_apps(before, now):
        if not changed("password", had, has):  # a given one has no rotation
            subject = f"app '{app}' of database '{name}'"
            yield from lower_rotation("apps", subject, int(had["rotation"]), int(has["rotation"]))


def a_database_keeps_its_collation(name: str, before: Facts, now: Facts) -> Iterator[Fault]:
    had = _collations(before)
    for schema, collation in sorted(_collations(now).items()):
        if had.get(schema, collation) != collation:
            yield (
                "apps",
                f"database '{schema}' of '{name}' was made with the collation {had[schema]}, which "
                "the operator cannot change",
                f"set collations.{schema} to it; ALTER DATABASE changes it for new tables",
            )


def _collations(facts: Facts) -> dict[str, str]:
    """By database of an app. A program before this key made all with the default."""
    return {
        schema: app.get("collations", {}).get(schema, DEFAULT)
        for app in facts.get("apps", {}).values()
        for schema in app["databases"]
    }


RULES = (
    an_account_keeps_its_app,
    an_app_keeps_its_login,
    an_app_keeps_its_host,
    an_apps_rotation_does_not_go_down,
    a_database_keeps_its_collation,
)
