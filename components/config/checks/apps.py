"""The rules of apps among themselves, and with what the engine and the proxies can do."""

import re
from collections.abc import Iterator

from components.config.apps import ROLES, App, privileges
from components.config.credentials import SYSTEM_ACCOUNTS
from components.config.errors import Fault
from components.config.stack import StackConfig

SYSTEM_DATABASES = frozenset({"mysql", "sys", "information_schema", "performance_schema"})

MAX_USER_NAME = {"mariadb": 80, "percona": 32}
"""Characters (mariadb.com/docs, "Identifier Names"; dev.mysql.com, "Account User Names")."""


def checks(config: StackConfig) -> Iterator[Fault]:
    """Every rule about `apps` that is broken."""
    accounts = {
        user.username: f"proxy.users[{index}]"
        for index, user in enumerate(config.proxy.users if config.own_proxies else ())
    }
    by_rules = {rule.username for rule in config.proxy.query_rules}
    seen: set[str] = set()
    spelled: dict[str, str] = {}
    for index, app in enumerate(config.apps):
        path = f"apps[{index}]"
        if app.name in seen:
            yield f"{path}.name", f"'{app.name}' is used twice", "give each app its own name"
        seen.add(app.name)
        at = f"{path}.username" if app.username else f"{path}.name"
        for account in app.accounts:
            if account in config.monitor_accounts:
                yield at, f"'{account}' is the account of proxy.monitor", "set another username"
            elif account in SYSTEM_ACCOUNTS:
                yield at, f"'{account}' is an account of the system", "set another username"
            elif account in accounts:
                other = accounts[account]
                yield at, f"the account '{account}' is that of {other} too", "set another username"
            elif len(account) > MAX_USER_NAME[config.engine]:
                yield (
                    at,
                    f"the account '{account}' is longer than {MAX_USER_NAME[config.engine]} "
                    "characters",
                    "set a shorter username",
                )
            accounts[account] = path
        if app.generated and by_rules.intersection(app.accounts):
            yield (
                path,
                "has a query rule for its user name, which a rotation changes",
                "let the rule match something else, such as the schema, or give the app a password "
                "(existing_secret), which keeps one user name",
            )
        yield from _reach_checks(path, app, config)
        for database in app.databases:
            if database.lower() in SYSTEM_DATABASES:
                yield (
                    f"{path}.databases.{database}",
                    "is a database of the server itself",
                    "name one of the app's",
                )
            if spelled.setdefault(database.lower(), database) != database:
                yield (
                    f"{path}.databases.{database}",
                    f"differs from '{spelled[database.lower()]}' by case only, which servers with "
                    "lower_case_table_names take for the same",
                    "spell it the same, or choose another name",
                )
        if config.engine == "percona":
            yield from _percona_checks(path, app, config)
    if config.engine == "percona":
        yield from _wildcards(config)


def _reach_checks(path: str, app: App, config: StackConfig) -> Iterator[Fault]:
    """How an app reaches the servers."""
    if app.routing == "reader" and config.engine == "percona" and not config.own_proxies:
        yield (
            f"{path}.routing",
            "needs proxies that send a login to readers; those of Percona's operator do not",
            "remove it, or set proxy.managed_by to mysql-ha",
        )
    elif app.routing == "reader" and not config.has_readers:
        yield (
            f"{path}.routing",
            "has no readers to go to: there are no replicas",
            "remove it, or raise database.replicas",
        )
    elif (
        app.routing == "reader"
        and config.database.topology == "replication"
        and config.adopt == "import"
        and any(set(privileges(g)) - set(ROLES["readonly"]) for g in app.databases.values())
    ):
        yield (
            f"{path}.routing",
            "leads to replicas, which take writes after a restart as long as the database is only "
            "imported, and the app may write",
            "give it the role readonly, or set adopt to take_over first: then servers start "
            "read-only",
        )
    if config.own_proxies and app.max_connections > config.proxy.max_connections:
        yield (
            f"{path}.max_connections",
            "is more than proxy.max_connections, the limit of all clients of a proxy",
            "lower it, or raise proxy.max_connections",
        )
    if not app.active and not config.own_proxies:
        yield (
            f"{path}.active",
            "cannot be false: only this program's own proxies can refuse a login",
            "remove it, or the app",
        )
    if app.require_tls and not config.own_proxies:
        # mariadb-operator can ask an account for TLS but never stop asking (pkg/sql/sql.go,
        # AlterUser), and Percona's cannot ask.
        yield (
            f"{path}.require_tls",
            "cannot be true: only this program's own proxies ask a single login for TLS",
            "remove it; security.tls.required is for all connections to the servers",
        )


def _percona_checks(path: str, app: App, config: StackConfig) -> Iterator[Fault]:
    """What Percona's operator does with an account (pkg/controller/pxc/users_custom.go)."""
    if len({frozenset(privileges(granted)) for granted in app.databases.values()}) > 1:
        yield (
            f"{path}.databases",
            "has different privileges in different databases; Percona's operator grants an account "
            "the same in all of them",
            "give it one role, or make two apps",
        )
    for database in app.databases:
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", database) is None:
            yield (
                f"{path}.databases.{database}",
                "is a name that Percona's operator, which writes it without quotes, cannot create",
                "use letters, digits and '_', and no digit first",
            )
    if app.cleanup == "delete":
        yield f"{path}.cleanup", "is not for Percona's operator, which drops nothing", "remove it"
    if not config.own_proxies and "max_connections" in app.model_fields_set:
        yield (
            f"{path}.max_connections",
            "is nothing that Percona's operator gives an account, nor its proxies",
            "remove it, or set proxy.managed_by to mysql-ha",
        )


def _wildcards(config: StackConfig) -> Iterator[Fault]:
    """In a GRANT, `_` is any character, and Percona's operator does not escape it."""
    by_length: dict[int, set[str]] = {}
    for name in SYSTEM_DATABASES.union(*(app.databases for app in config.apps)):
        by_length.setdefault(len(name), set()).add(name)
    for index, app in enumerate(config.apps):
        for database in (name for name in app.databases if "_" in name):
            pattern = re.compile(database.replace("_", "."))
            for other in sorted(by_length[len(database)] - {database}):
                if pattern.fullmatch(other):
                    yield (
                        f"apps[{index}].databases.{database}",
                        f"would give privileges on database '{other}' too: '_' stands for any "
                        "character in the GRANT of Percona's operator",
                        "choose another name",
                    )
