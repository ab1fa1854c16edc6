"""The rules that span several parts of a config."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from components import names
from components.config.checks import apps
from components.config.credentials import PROXY_ROLES, ROTATED_BY_OPERATOR, SET_AT_FIRST_BOOT
from components.config.errors import Fault
from components.config.proxy import CONNECT_TIMEOUT, SERVICE_CONNECTION_AGE
from components.config.proxysql_variables import ADMIN_VARIABLES, MYSQL_VARIABLES
from components.config.stack import StackConfig, version_in
from components.config.types import MAX_INT, Variable, seconds

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
        # What proxy.routing, proxy.read_write_split and proxy.tls rely on.
        | {"reset_connection_algorithm", "connpoll_reset_queue_length"}
        | {"autocommit_false_is_transaction", "have_ssl"}
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


MAX_SERVICE_AGE = 60_000
"""Milliseconds for which a connection to the primary's Service may live at most."""

OPERATOR_PROXY_KEYS = frozenset(
    {"enabled", "managed_by", "replicas", "resources", "pod_annotations", "pod_labels"}
    | {"service.type", "service.annotations", "storage.size", "storage.storage_class"}
)
"""What Percona's operator takes for its own ProxySQL; it writes the configuration itself."""


def cross_checks(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """Every rule, spanning several parts of the config, that is broken.

    `given`: the stack's own values, to refuse one that nothing would follow.
    """
    longest = names.MAX_NAME[config.engine]
    if len(config.name) > longest:
        yield (
            "name",
            f"is longer than {longest} characters, and names or labels derived from it would be "
            "longer than Kubernetes or the operator takes",
            "choose a shorter name",
        )
    database = config.database
    yield from _mariadb_checks(config) if config.engine == "mariadb" else _percona_checks(config)
    if (
        config.adopt == "import"
        and config.engine == "percona"
        and (config.own_proxies or config.apps)
    ):
        yield (
            "adopt",
            "leaves the cluster as it is, and the accounts of proxies and apps are part of it",
            "adopt it without apps, and with proxy.enabled false (or proxy.managed_by operator, if "
            "the cluster has that ProxySQL); add the rest afterwards",
        )
    for path in FOREIGN_KEYS[config.engine]:
        if _is_given(given, path):
            yield path, f"is not for engine {config.engine}", "remove it"
    for path in OWN_TIER_KEYS if config.proxy.managed_by == "operator" else ():
        if _is_given(given, path):
            yield (
                path,
                "is not for proxy.managed_by operator",
                "remove it, or set managed_by to mysql-ha",
            )
    tag = config.images.database.tag
    if not database.version and not version_in(tag):
        yield (
            "database.version",
            "cannot be read from images.database.tag, which does not start with a version",
            f"set database.version, for example {EXAMPLE_VERSION[config.engine]}",
        )
    elif config.server_version < OLDEST_SERVER[config.engine]:
        oldest = ".".join(map(str, OLDEST_SERVER[config.engine]))
        yield (
            "database.version" if database.version else "images.database.tag",
            f"is older than {oldest}, the oldest that {config.engine}'s operator supports here",
            f"use {oldest} or later",
        )
    image = config.images.proxy
    if (
        config.proxy.managed_by == "mysql-ha"
        and not config.security.allow_vulnerable_images
        and not proxysql_is_patched(image.tag)
    ):
        yield (
            "images.proxy.tag",
            "is not known to have the fix of CVE-2026-48773 (2.7.4, 3.0.9 and later have it)",
            "use a fixed version, or set security.allow_vulnerable_images to true",
        )
    for role, credential in config.credentials.items():
        rotated = ROTATED_BY_OPERATOR[config.engine]
        if role in SET_AT_FIRST_BOOT and role not in rotated and credential.rotation:
            yield (
                f"credentials.{role}.rotation",
                "is not supported: the servers would keep the old password and the operator lose "
                "its access (mariadb-operator reads it at first boot only)",
                "leave it at 0; docs/migration.md has the manual procedure",
            )
    tls = config.security.tls
    if tls.issuer and tls.secret:
        yield "security.tls", "has two certificates", "keep either issuer or secret"
    if (tls.issuer or tls.secret) and not tls.enabled:
        yield "security.tls", "has a certificate and is off", "set enabled to true"
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
    yield from _proxy_checks(config, given)
    yield from _rule_checks(config)
    yield from apps.checks(config)


OLDEST_SERVER = {"mariadb": (10, 6), "percona": (8, 0)}
"""mariadb-operator docs/README.md, "MariaDB compatibility"; percona's 5.7 has reached its end."""
EXAMPLE_VERSION = {"mariadb": "11.8.5", "percona": "8.0.42"}
FOREIGN_KEYS = {
    "mariadb": ("percona", "images.log_collector"),
    "percona": ("images.data_plane", "credentials.replication"),
}
"""Config of the other engine."""


OWN_TIER_KEYS = (
    *(f"credentials.{role}" for role in PROXY_ROLES),
    "security.proxy",
    "security.network_policy",
)
"""Config of this program's own proxies, beside that of `proxy`."""


def _is_given(given: Any, path: str) -> bool:
    """Whether the stack sets a value at a path; an empty mapping says nothing."""
    key, _, rest = path.partition(".")
    if not isinstance(given, Mapping) or key not in given:
        return False
    below = cast(Mapping[str, Any], given)[key]
    return _is_given(below, rest) if rest else below != {}


def _mariadb_checks(config: StackConfig) -> Iterator[Fault]:
    database = config.database
    if database.topology == "galera" and (database.replicas < 3 or database.replicas % 2 == 0):
        yield (
            "database",
            "Galera needs an odd number of replicas, at least 3, to keep a quorum",
            "set replicas to 3 or 5",
        )
    if config.proxy.managed_by == "operator":
        yield "proxy.managed_by", "mariadb-operator runs no ProxySQL", "set it to mysql-ha"
    if "podAffinity" in config.scheduling.database.affinity:
        yield (
            "scheduling.database.affinity.podAffinity",
            "is not in the operator's MariaDB object",
            "use nodeAffinity or podAntiAffinity",
        )


def _percona_checks(config: StackConfig) -> Iterator[Fault]:
    database = config.database
    if database.topology != "galera":
        yield (
            "database.topology",
            "a Percona XtraDB Cluster is a Galera cluster, of one node too",
            "remove it",
        )
    if database.replicas not in (1, 3, 5):
        # pkg/apis/pxc/v1/pxc_types.go, checkUnsafe: 3 to 5, and odd.
        yield (
            "database.replicas",
            "a Percona XtraDB Cluster has 1 (unsafe: development only), 3 or 5 nodes",
            "set it to 3 or 5",
        )
    if config.percona is None:
        yield "percona", "is required by engine percona", "remove the null"
    elif tuple(map(int, config.percona.cr_version.split("."))) < (1, 18, 0):
        yield "percona.cr_version", "is older than 1.18.0", "use 1.18.0 or later"
    if config.own_proxies and config.server_version >= (9,):
        # lib/MySQL_Monitor.cpp asks a server of 5.7 or 8 for the state of its node, no other.
        yield (
            "database.version" if database.version else "images.database.tag",
            "is newer than the 8.x whose state ProxySQL can read",
            "use 8.0 or 8.4, or proxy.managed_by operator",
        )
    if "{{" in database.my_cnf and not database.resources.limits.memory:
        # pkg/apis/pxc/v1/pxc_types.go, executeConfigurationTemplate.
        yield (
            "database.my_cnf",
            "is a template for the operator, which needs a memory limit to fill it in",
            "set database.resources.limits.memory, or leave the braces out",
        )
    if config.create_namespace and config.operator_proxies:
        # pkg/pxc/app/statefulset: pxc-monit and proxysql-monit get no security context.
        yield (
            "create_namespace",
            "makes a namespace that enforces Pod Security `restricted`, which the operator's "
            "ProxySQL does not pass",
            "make the namespace yourself, or set proxy.managed_by to mysql-ha",
        )


def _keys(value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The paths of all leaves below a mapping, `service.type` as well as `replicas`."""
    for key, below in value.items():
        if isinstance(below, Mapping) and key in ("service", "storage"):
            yield from _keys(cast(Mapping[str, Any], below), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _proxy_checks(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    proxy = config.proxy
    if proxy.managed_by == "operator":
        for key in sorted(set(_keys(given.get("proxy", {}))) - OPERATOR_PROXY_KEYS):
            yield (
                f"proxy.{key}",
                "is not for proxy.managed_by operator: Percona's operator writes its ProxySQL's "
                "configuration itself",
                "remove it, or set proxy.managed_by to mysql-ha",
            )
    for key in ("switchover_wait", "min_semi_sync_replicas"):
        if (
            config.follows_service
            or not _is_given(given, f"proxy.{key}")
            or not getattr(proxy, key)
        ):
            continue
        yield (
            f"proxy.{key}",
            "is for database.topology replication with proxy.routing primary_service, and not for "
            "proxy.clustering runtime, where a hold of one proxy would be copied by all",
            "remove it",
        )
    if config.database.topology != "replication":
        for path in (
            *("proxy.routing", "database.semi_sync", "database.semi_sync_timeout"),
            "database.failover_delay_seconds",
        ):
            if _is_given(given, path):
                yield path, "is for database.topology replication only", "remove it"
    if config.database.topology == "replication" and config.own_proxies:
        yield from _replication_checks(config, given)
    known = config.hostgroups_in_use
    seen: set[str] = set()
    for index, user in enumerate(proxy.users):
        path = f"proxy.users[{index}]"
        if not user.password and not user.existing_secret:
            yield (
                path,
                f"user '{user.username}' has no password source",
                "set password (a secret config value) or existing_secret {name, key}",
            )
        if user.password and user.existing_secret:
            yield (
                path,
                f"user '{user.username}' has two password sources",
                "keep either password or existing_secret",
            )
        if user.username in seen:
            yield (f"{path}.username", f"'{user.username}' is listed twice", "remove one entry")
        seen.add(user.username)
        if user.username in config.monitor_accounts:
            yield (
                f"{path}.username",
                f"'{user.username}' is the account of proxy.monitor",
                "choose another user",
            )
        elif user.username in ("admin", "stats", "monitor", "cluster"):
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
    if proxy.max_replicas is not None and proxy.max_replicas < proxy.replicas:
        yield (
            "proxy.max_replicas",
            f"is below the {proxy.replicas} of proxy.replicas",
            "raise it; connections are shared out among so many proxies",
        )
    # A number of the stack's own is for the proxies that there are, a share for all there may be.
    proxies = config.proxy_shares if proxy.backend_max_connections is None else proxy.replicas
    total = proxies * config.connections_per_proxy
    if config.own_proxies and (
        config.backend_max_connections < 1 or total > config.connection_budget
    ):
        yield (
            "proxy.backend_max_connections",
            f"{proxies} proxies may open {max(total, proxies)} connections to one "
            f"server, and {max(config.connection_budget, 0)} of its database.max_connections "
            f"({config.database.max_connections}) are for them",
            "lower it or proxy.max_replicas, use fewer proxies, or raise database.max_connections",
        )
    if proxy.service.expose_admin and proxy.clustering == "off":
        yield (
            "proxy.service.expose_admin",
            "has no login without clustering: ProxySQL lets only the cluster account in remotely",
            "set proxy.clustering to membership",
        )
    if proxy.max_replication_lag and (
        config.database.topology != "replication" or proxy.routing == "primary_service"
    ):
        yield (
            "proxy.max_replication_lag",
            "applies to database.topology replication with proxy.routing monitor only",
            "remove it",
        )
    elif proxy.max_replication_lag and config.hostgroups_per_server == 1:
        yield (
            "proxy.max_replication_lag",
            "has no reader to leave out: nothing is sent to the reader hostgroup",
            "remove it, or set read_write_split or a user's default_hostgroup",
        )


def _replication_checks(config: StackConfig, given: Mapping[str, Any]) -> Iterator[Fault]:
    """What proxies in front of a replicated database must wait for, and may not hold on to."""
    database, proxy = config.database, config.proxy
    waits = _number(proxy.mysql_variables, "connect_timeout_server_max", CONNECT_TIMEOUT)
    if _is_given(given, "database.semi_sync_timeout") and not database.semi_sync:
        yield "database.semi_sync_timeout", "is of no use without semi_sync", "remove it"
    if proxy.min_semi_sync_replicas and not database.semi_sync:
        yield "proxy.min_semi_sync_replicas", "needs semi_sync", "remove it"
    if config.fence >= database.replicas:
        yield (
            "proxy.min_semi_sync_replicas",
            f"can never be met: {database.replicas} servers are a primary and "
            f"{database.replicas - 1} replicas",
            "lower it; a replica that restarts is missing too",
        )
    # Behind the fence no promotion waits (rpl_semi_sync_master_wait_no_slave=OFF).
    slowest = 0 if config.fence else seconds(config.semi_sync_timeout) + 5
    if database.semi_sync and slowest * 1000 > waits:
        yield (
            "database.semi_sync_timeout",
            "is as long as a promotion takes at least, and statements wait for one no longer than "
            f"{waits} ms (connect_timeout_server_max), less 5 s for the operator",
            "shorten it, or raise proxy.mysql_variables.connect_timeout_server_max",
        )
    if proxy.routing != "primary_service":
        return
    age = _number(proxy.mysql_variables, "connection_max_age_ms", SERVICE_CONNECTION_AGE)
    if not 0 < age <= MAX_SERVICE_AGE:
        yield (
            "proxy.mysql_variables.connection_max_age_ms",
            "is how long connections lead to an old primary (proxy.routing primary_service)",
            f"use 1 to {MAX_SERVICE_AGE}, or remove it",
        )
    if not _number(proxy.mysql_variables, "multiplexing", 1):
        yield (
            "proxy.mysql_variables.multiplexing",
            "off would keep a client's connection to an old primary for as long as it stays "
            "(proxy.routing primary_service)",
            "remove it",
        )


def _number(variables: Mapping[str, Variable], name: str, default: int) -> int:
    """A variable as ProxySQL takes it: text that is no number leaves the default."""
    value = variables.get(name, default)
    if isinstance(value, str):
        words = {"true": 1, "false": 0}
        return int(value) if value.isdecimal() else words.get(value.lower(), default)
    return int(value)


def _rule_checks(config: StackConfig) -> Iterator[Fault]:
    """The query rules among themselves and with the hostgroups."""
    proxy, groups = config.proxy, config.proxy.hostgroups
    if proxy.read_write_split and not config.has_readers:
        yield (
            "proxy.read_write_split",
            "needs replicas, and the database has a single server",
            "remove it, or raise database.replicas",
        )
    known = config.hostgroups_in_use
    logins = {user.username for user in config.logins}
    seen: set[int] = set()
    for index, rule in enumerate(proxy.query_rules):
        path = f"proxy.query_rules[{index}]"
        if rule.rule_id in seen:
            yield f"{path}.rule_id", f"{rule.rule_id} is used twice", "number every rule apart"
        seen.add(rule.rule_id)
        if rule.destination_hostgroup is not None and rule.destination_hostgroup not in known:
            yield (
                f"{path}.destination_hostgroup",
                "is no hostgroup of this topology that takes statements",
                f"use one of {', '.join(map(str, sorted(known)))}",
            )
        text = (rule.match_digest or rule.match_pattern or "").upper()
        reads = rule.destination_hostgroup == groups.reader and text.startswith("^SELECT")
        if rule.retries and not (reads and rule.apply and not rule.negate_match_pattern):
            # Also of a rule that does not end the search (lib/Query_Processor.cpp), and on a node
            # of Galera, which takes writes as a reader too.
            yield (
                f"{path}.retries",
                "could run a write twice whose result was lost",
                "set it only in a rule that matches '^SELECT…', goes to the reader hostgroup and "
                "has apply",
            )
        entered = {0} | {
            other.flag_out
            for other in proxy.query_rules
            if other.active and other.rule_id < rule.rule_id
        }
        if rule.proxy_port is not None and rule.proxy_port not in proxy.ports:
            yield (
                f"{path}.proxy_port",
                f"{rule.proxy_port} is not in proxy.interfaces, so that this rule never runs",
                f"use one of {', '.join(map(str, sorted(proxy.ports)))}, or add it to "
                "proxy.interfaces",
            )
        if rule.username is not None and rule.username not in logins:
            yield (
                f"{path}.username",
                f"'{rule.username}' is no user of the proxies, so that this rule never runs",
                "correct it, or add the user",
            )
        if rule.flag_in not in entered:
            yield (
                f"{path}.flag_in",
                f"{rule.flag_in} is the flag_out of no active rule before, so that this one never "
                "runs",
                "correct it",
            )


def _variable_checks(
    path: str, variables: Mapping[str, Variable], known: frozenset[str], reserved: frozenset[str]
) -> Iterator[Fault]:
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
