"""Rules of `apps`: among themselves, and with what the engine and the proxies can do."""

import re
from collections.abc import Callable, Iterator

from components.config import collations
from components.config.apps import ROLES, App, privileges
from components.config.credentials import HEARTBEAT_SCHEMA
from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig

SYSTEM_DATABASES = frozenset({"mysql", "sys", "information_schema", "performance_schema"})


def _system_databases(config: StackConfig) -> frozenset[str]:
    """Databases that no app may have."""
    return SYSTEM_DATABASES | ({HEARTBEAT_SCHEMA} if config.backup.drilled else set[str]())


def _apps(config: StackConfig) -> Iterator[tuple[str, App]]:
    """Each app with its config path."""
    for index, app in enumerate(config.apps):
        yield f"apps[{index}]", app


# --- the app and its account ---


def app_has_its_own_name(config: StackConfig) -> Iterator[Fault]:
    seen: set[str] = set()
    for path, app in _apps(config):
        if app.name in seen:
            yield f"{path}.name", f"'{app.name}' is used twice", "give each app its own name"
        seen.add(app.name)


def _accounts(config: StackConfig, refused: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """The first refused account of each app, with the config path that names it."""
    for path, app in _apps(config):
        if wrong := [account for account in app.accounts if refused(account)]:
            yield _account_path(path, app), wrong[0]


def _account_path(path: str, app: App) -> str:
    return f"{path}.username" if app.username else f"{path}.name"


def account_is_not_the_monitor(config: StackConfig) -> Iterator[Fault]:
    for path, account in _accounts(config, config.monitor_accounts.__contains__):
        yield path, f"'{account}' is the account of proxy.monitor", "set another username"


def account_is_not_of_the_system(config: StackConfig) -> Iterator[Fault]:
    for path, account in _accounts(config, config.system_accounts.__contains__):
        yield path, f"'{account}' is an account of the system", "set another username"


def account_is_nobody_elses(config: StackConfig) -> Iterator[Fault]:
    """Two apps of one name are reported for the name only, not for the account too."""
    users = enumerate(config.proxy.users if config.own_proxies else ())
    owners = {user.username: (f"proxy.users[{index}]", "") for index, user in users}
    for path, app in _apps(config):
        for account in app.accounts:
            other, name = owners.setdefault(account, (path, app.name))
            if other != path and (app.username or name != app.name):
                yield (
                    _account_path(path, app),
                    f"the account '{account}' is that of {other} too",
                    "set another username",
                )
                break


def account_is_short_enough(config: StackConfig) -> Iterator[Fault]:
    longest = ENGINES[config.engine].longest_account
    for path, account in _accounts(config, lambda account: len(account) > longest):
        yield (
            path,
            f"the account '{account}' is longer than {longest} characters",
            "set a shorter username",
        )


def an_account_that_alternates_is_in_no_query_rule(config: StackConfig) -> Iterator[Fault]:
    by_rules = {rule.username for rule in config.proxy.query_rules}
    for path, app in _apps(config):
        if app.generated and by_rules.intersection(app.accounts):
            yield (
                path,
                "has a query rule for its user name, which a rotation changes",
                "let the rule match something else, such as the schema, or give the app a password "
                "(existing_secret), which keeps one user name",
            )


# --- how it reaches the servers ---


def somebody_sends_readers_to_replicas(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if app.routing == "reader" and not _sends_readers(config):
            yield (
                f"{path}.routing",
                "needs proxies that send a login to readers; those of Percona's operator do not",
                "remove it, or set proxy.managed_by to mysql-ha",
            )


def _sends_readers(config: StackConfig) -> bool:
    return ENGINES[config.engine].reader_service or config.own_proxies


def readers_have_replicas(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if app.routing == "reader" and _sends_readers(config) and not config.has_readers:
            yield (
                f"{path}.routing",
                "needs replicas, and there are none",
                "remove it, or raise database.replicas",
            )


def readers_do_not_write_to_imported_replicas(config: StackConfig) -> Iterator[Fault]:
    if config.database.topology != "replication" or config.adopt != "import":
        return
    for path, app in _apps(config):
        if app.routing == "reader" and _may_write(app):
            yield (
                f"{path}.routing",
                "leads to replicas, and the app may write: in a database that is only imported, a "
                "replica that restarts accepts writes",
                "give it the role readonly, or set adopt to take_over first: then servers start "
                "read-only",
            )


def _may_write(app: App) -> bool:
    reads = set(ROLES["readonly"])
    return any(set(privileges(granted)) - reads for granted in app.databases.values())


def proxies_have_the_connections(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if config.own_proxies and app.max_connections > config.proxy.max_connections:
            yield (
                f"{path}.max_connections",
                "is more than proxy.max_connections, the limit of all clients of a proxy",
                "lower it, or raise proxy.max_connections",
            )


def proxies_ask_for_tls(config: StackConfig) -> Iterator[Fault]:
    """mariadb-operator can ask an account for TLS but never stop asking (pkg/sql/sql.go,
    AlterUser), and Percona's cannot ask."""
    for path, app in _apps(config):
        if app.require_tls and not config.own_proxies:
            yield (
                f"{path}.require_tls",
                "cannot be true: only this program's own proxies can require TLS of a single login",
                "remove it; security.tls.required is for all connections to the servers",
            )


# --- its databases ---


def database_is_not_the_servers(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        for database in app.databases:
            if database.lower() in _system_databases(config):
                yield (
                    f"{path}.databases.{database}",
                    "is a database of the server itself",
                    "name one of the app's",
                )


def database_is_spelled_one_way(config: StackConfig) -> Iterator[Fault]:
    spelled: dict[str, str] = {}
    for path, app in _apps(config):
        for database in app.databases:
            if (other := spelled.setdefault(database.lower(), database)) != database:
                yield (
                    f"{path}.databases.{database}",
                    f"differs from '{other}' by case only: servers with "
                    "lower_case_table_names treat both as the same name",
                    "spell it the same, or choose another name",
                )


def database_has_one_collation(config: StackConfig) -> Iterator[Fault]:
    said: dict[str, str] = {}
    for path, app in _apps(config):
        for database, collation in app.collations.items():
            if (other := said.setdefault(database, collation)) != collation:
                yield (
                    f"{path}.collations.{database}",
                    f"is another one than '{other}', which another app says of this database",
                    "say it once, or the same",
                )


def servers_have_the_collations(config: StackConfig) -> Iterator[Fault]:
    if config.server_version >= collations.OLDEST_UCA1400:
        return
    for path, app in _apps(config):
        for database, collation in app.collations.items():
            if "uca1400" in collation:
                yield (
                    f"{path}.collations.{database}",
                    "needs MariaDB 10.10",
                    "use one such as utf8mb4_unicode_520_ci",
                )


# --- what Percona's operator does with it (pkg/controller/pxc/users_custom.go) ---


def percona_grants_the_same_everywhere(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if len({frozenset(privileges(granted)) for granted in app.databases.values()}) > 1:
            yield (
                f"{path}.databases",
                "has different privileges in different databases; Percona's operator grants an "
                "account the same privileges in all of them",
                "give it one role, or make two apps",
            )


def percona_writes_names_without_quotes(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        for database in app.databases:
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", database) is None:
                yield (
                    f"{path}.databases.{database}",
                    "cannot be created by Percona's operator, which writes names without quotes",
                    "use letters, digits and '_', and do not begin with a digit",
                )


def percona_makes_databases_as_servers_do(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if app.collations:
            yield (
                f"{path}.collations",
                "cannot be set: Percona's operator makes databases with the servers' own collation",
                "remove it, and set collation_server in database.my_cnf",
            )


def percona_grants_on_databases(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if app.global_privileges:
            yield (
                f"{path}.global_privileges",
                "cannot be set: Percona's operator grants an account's privileges on its databases",
                "remove it, and grant them by hand",
            )


def percona_drops_nothing(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if app.cleanup == "delete":
            yield (
                f"{path}.cleanup",
                "is not possible with Percona's operator, which never drops anything",
                "remove it",
            )


def percona_limits_no_account(config: StackConfig) -> Iterator[Fault]:
    for path, app in _apps(config):
        if not config.own_proxies and "max_connections" in app.model_fields_set:
            yield (
                f"{path}.max_connections",
                "cannot be set: neither Percona's operator nor its proxies limit an account",
                "remove it, or set proxy.managed_by to mysql-ha",
            )


def percona_grants_by_pattern(config: StackConfig) -> Iterator[Fault]:
    """In a GRANT, `_` is any character, and Percona's operator does not escape it."""
    by_length: dict[int, list[str]] = {}
    for name in sorted(_system_databases(config).union(*(app.databases for app in config.apps))):
        by_length.setdefault(len(name), []).append(name)
    for path, app in _apps(config):
        for database in (name for name in app.databases if "_" in name):
            pattern = re.compile(re.escape(database).replace("_", "."))
            for other in by_length[len(database)]:
                if other != database and pattern.fullmatch(other):
                    yield (
                        f"{path}.databases.{database}",
                        f"would also give privileges on database '{other}' too: '_' stands for any "
                        "character in the GRANT of Percona's operator",
                        "choose another name",
                    )


RULES = (
    app_has_its_own_name,
    account_is_not_the_monitor,
    account_is_not_of_the_system,
    account_is_nobody_elses,
    account_is_short_enough,
    an_account_that_alternates_is_in_no_query_rule,
    somebody_sends_readers_to_replicas,
    readers_have_replicas,
    readers_do_not_write_to_imported_replicas,
    proxies_have_the_connections,
    proxies_ask_for_tls,
    database_is_not_the_servers,
    database_is_spelled_one_way,
    database_has_one_collation,
)
MARIADB_RULES = (servers_have_the_collations,)
PERCONA_RULES = (
    percona_grants_the_same_everywhere,
    percona_writes_names_without_quotes,
    percona_makes_databases_as_servers_do,
    percona_grants_on_databases,
    percona_drops_nothing,
    percona_limits_no_account,
    percona_grants_by_pattern,
)
