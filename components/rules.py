"""The rules that span several parts of a config."""

import difflib
import re
from collections.abc import Iterator, Mapping

from components import names
from components.fields import MAX_INT, Variable
from components.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.schema import KNOWN_TO_SERVERS, Proxy, StackConfig, version_in

RESERVED_VARIABLES = {
    "admin_variables": frozenset(
        {"admin_credentials", "stats_credentials", "mysql_ifaces", "web_enabled"}
        | {"pgsql_ifaces"}
        | {"cluster_username", "cluster_password", "restapi_enabled", "restapi_port"}
        | {name for name in ADMIN_VARIABLES if name.endswith("_diffs_before_sync")}
        | {"cluster_mysql_servers_sync_algorithm"}
    ),
    "mysql_variables": frozenset(
        {"interfaces", "threads", "max_connections", "server_version"}
        | {"default_authentication_plugin", "query_retries_on_failure", "ssl_p2s_ca"}
        | {"monitor_username", "monitor_password"}
        # Without the monitor no writer is found; without the other the last server has no readers.
        | {"monitor_enabled", "monitor_writer_is_also_reader"}
        | {"monitor_connect_interval", "monitor_connect_timeout", "monitor_ping_interval"}
        | {"monitor_ping_timeout", "monitor_ping_max_failures", "monitor_read_only_interval"}
        | {"monitor_read_only_timeout", "monitor_read_only_max_timeout_count"}
        | {"monitor_galera_healthcheck_interval", "monitor_galera_healthcheck_timeout"}
        | {"monitor_galera_healthcheck_max_timeout_count"}
    ),
}
"""Variables that the program sets itself, because another field or a safety rule decides them."""

PATCHED_PROXYSQL = ((2, 7, 4), (3, 0, 9))
"""First releases with the fix of CVE-2026-48773 (pre-auth heap overflow), per series."""


def proxysql_is_patched(tag: str) -> bool:
    """Whether the version at the start of an image tag has the fix of CVE-2026-48773."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", tag)
    if match is None:
        return False
    version = (int(match[1]), int(match[2]), int(match[3]))
    return version >= PATCHED_PROXYSQL[1] or PATCHED_PROXYSQL[0] <= version < (2, 8, 0)


def cross_checks(config: StackConfig) -> Iterator[tuple[str, str, str]]:
    """(path, rule, fix) of every rule that spans several parts of the config."""
    if len(config.name) > names.MAX_NAME:
        yield (
            "name",
            f"is longer than {names.MAX_NAME} characters, and Kubernetes labels derived from it "
            "would be longer than 63",
            "choose a shorter name",
        )
    database, proxy = config.database, config.proxy
    if "podAffinity" in config.scheduling.database.affinity:
        yield (
            "scheduling.database.affinity.podAffinity",
            "is not in the operator's MariaDB object",
            "use nodeAffinity or podAntiAffinity",
        )
    tag = config.images.database.tag
    if not database.version and not version_in(tag):
        yield (
            "database.version",
            "cannot be read from images.database.tag, which does not start with a version",
            "set database.version, for example 11.8.5",
        )
    elif config.server_version < (10, 6):
        yield (
            "database.version" if database.version else "images.database.tag",
            "is a MariaDB older than 10.6, which mariadb-operator does not support",
            "use 10.6 or later",
        )
    image = config.images.proxy
    if not config.security.allow_vulnerable_images and not proxysql_is_patched(image.tag):
        yield (
            "images.proxy.tag",
            "is not known to have the fix of CVE-2026-48773 (2.7.4, 3.0.9 and later have it)",
            "use a fixed version, or set security.allow_vulnerable_images to true",
        )
    for role, credential in config.credentials.items():
        if role in KNOWN_TO_SERVERS and credential.rotation:
            yield (
                f"credentials.{role}.rotation",
                "is not supported: the servers would keep the old password and the operator lose "
                "its access (mariadb-operator reads it at first boot only)",
                "leave it at 0; docs/migration.md has the manual procedure",
            )
    used: dict[tuple[str, str], str] = {}
    for role, credential in config.credentials.items():
        if ref := credential.existing_secret:
            other = used.setdefault((ref.name, ref.key), role)
            if other != role:
                yield (
                    f"credentials.{role}.existing_secret",
                    f"is the same Secret key as credentials.{other}; roles never share a password",
                    "use another key",
                )
    yield from _proxy_checks(config, proxy)


def _proxy_checks(config: StackConfig, proxy: Proxy) -> Iterator[tuple[str, str, str]]:
    groups = proxy.hostgroups
    known = {groups.writer}
    if config.database.topology != "standalone":
        known.add(groups.reader)
    seen: set[str] = set()
    for index, user in enumerate(proxy.users):
        path = f"proxy.users[{index}]"
        if not user.password and not user.password_secret:
            yield (
                path,
                f"user '{user.username}' has no password source",
                "set password (a secret config value) or password_secret {name, key}",
            )
        if user.password and user.password_secret:
            yield (
                path,
                f"user '{user.username}' has two password sources",
                "keep either password or password_secret",
            )
        if user.username in seen:
            yield (f"{path}.username", f"'{user.username}' is listed twice", "remove one entry")
        seen.add(user.username)
        if user.username in ("admin", "stats", "monitor", "cluster", proxy.monitor.username):
            yield (
                f"{path}.username",
                f"'{user.username}' is an account of ProxySQL itself",
                "choose another user",
            )
        if user.username == "root":
            yield (
                f"{path}.username",
                "root must not log in through the proxies: it ignores read_only on a replica",
                "use an account of the application",
            )
        if user.default_hostgroup is not None and user.default_hostgroup not in known:
            yield (
                f"{path}.default_hostgroup",
                "is no hostgroup of this topology that takes statements",
                f"use one of {', '.join(map(str, sorted(known)))}",
            )
        if user.max_connections > proxy.max_connections:
            yield (
                f"{path}.max_connections",
                "is more than proxy.max_connections, which limits all users of a proxy together",
                "lower it or raise proxy.max_connections",
            )
    for kind, variables, all_known in (
        ("admin_variables", proxy.admin_variables, ADMIN_VARIABLES),
        ("mysql_variables", proxy.mysql_variables, MYSQL_VARIABLES),
    ):
        yield from _variable_checks(f"proxy.{kind}", variables, all_known, RESERVED_VARIABLES[kind])
    total = proxy.replicas * config.backend_max_connections
    if config.backend_max_connections < 1 or total > config.database.max_connections * 8 // 10:
        yield (
            "proxy.backend_max_connections",
            f"{proxy.replicas} proxies may open {total} connections to one server, more than 80 % "
            f"of its database.max_connections ({config.database.max_connections})",
            "lower it, use fewer proxies, or raise database.max_connections",
        )
    if proxy.service.expose_admin and proxy.clustering == "off":
        yield (
            "proxy.service.expose_admin",
            "has no login without clustering: ProxySQL lets only the cluster account in remotely",
            "set proxy.clustering to membership",
        )
    if proxy.max_replication_lag and config.database.topology != "replication":
        yield (
            "proxy.max_replication_lag",
            "applies to database.topology replication only",
            "remove it",
        )


def _variable_checks(
    path: str, variables: Mapping[str, Variable], known: frozenset[str], reserved: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    for name, value in variables.items():
        if name in reserved:
            yield (
                f"{path}.{name}",
                "is set by another config field or by a safety rule of this program",
                "remove it here (docs/configuration.md names the field)",
            )
        elif name not in known:
            close = difflib.get_close_matches(name, known, 1)
            yield (
                f"{path}.{name}",
                "is no variable of ProxySQL, which would ignore it",
                f"did you mean '{close[0]}'?" if close else "use a name without the prefix",
            )
        elif not isinstance(value, str) and abs(value) > MAX_INT:
            yield (
                f"{path}.{name}",
                f"is beyond ±{MAX_INT}, which ProxySQL reads as 0",
                "use a smaller number",
            )
        elif isinstance(value, str) and re.search(r"[\x00-\x1f'\"]", value):
            yield (
                f"{path}.{name}",
                "has a quote or a control character, which ProxySQL puts into SQL unescaped",
                "remove it",
            )
