"""Facts of a database before an edit and after it, as all rules look at them."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from components.config.engine import ENGINES
from components.config.errors import Fault

Facts: TypeAlias = Mapping[str, Any]

MIGRATE = "undo the edit; to change it, move the data to a new database (docs/migration.md)"

OLDER_KIND, NEWER_KIND = "mysql_native_password", "caching_sha2_password"
"""How accounts of a Percona XtraDB Cluster log in, with the operator's ProxySQL and without."""


def changed(field: str, before: Facts, now: Facts) -> bool:
    """Whether a fact of both sides is another one."""
    return field in before and field in now and before[field] != now[field]


def is_scraped(facts: Facts) -> bool:
    """Whether metrics are read, and there is an account for that."""
    return facts.get("scrape", "none") != "none"


def operators_exporter(facts: Facts) -> bool:
    """Whether the operator runs the exporter."""
    by_operator = facts.get("scrape") == "prometheus_operator"
    return by_operator and ENGINES[facts["engine"]].exports


def staying_apps(before: Facts, now: Facts) -> Iterator[tuple[str, Facts, Facts]]:
    """Each app of both sides, with its facts."""
    apps: Facts = before.get("apps", {})
    for app, facts in sorted(now.get("apps", {}).items()):
        if app in apps:
            yield app, apps[app], facts


def lower_rotation(path: str, subject: str, last: int, rotation: int) -> Iterator[Fault]:
    """The rule for alternating accounts."""
    if rotation < last:
        yield (
            path,
            f"{subject} has a lower rotation than before, and the login in use would stop working",
            f"undo the edit; or, for a new login, set it to {last + 1}",
        )
