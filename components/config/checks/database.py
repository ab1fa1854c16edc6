"""Rules of `database`: the servers, and the version that they are of."""

from collections.abc import Iterator

from components.config.checks.variables import waits
from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig, version_in
from components.config.types import seconds


def galera_keeps_a_quorum(config: StackConfig) -> Iterator[Fault]:
    database = config.database
    if database.topology == "galera" and (database.replicas < 3 or database.replicas % 2 == 0):
        yield (
            "database",
            "Galera needs an odd number of replicas, at least 3, to keep a quorum",
            "set replicas to 3 or 5",
        )


def percona_is_galera(config: StackConfig) -> Iterator[Fault]:
    if config.database.topology != "galera":
        yield (
            "database.topology",
            "a Percona XtraDB Cluster is always a Galera cluster, even with one node",
            "remove it",
        )


def percona_has_so_many_nodes(config: StackConfig) -> Iterator[Fault]:
    # pkg/apis/pxc/v1/pxc_types.go, checkUnsafe: 3 to 5, and odd.
    if config.database.replicas not in (1, 3, 5):
        yield (
            "database.replicas",
            "a Percona XtraDB Cluster has 1 (unsafe: development only), 3 or 5 nodes",
            "set it to 3 or 5",
        )


def version_is_known(config: StackConfig) -> Iterator[Fault]:
    if not config.server_version:
        yield (
            "database.version",
            "cannot be read from images.database.tag, which does not start with a version",
            f"set database.version, for example {version_in(ENGINES[config.engine].image['tag'])}",
        )


def version_is_not_too_old(config: StackConfig) -> Iterator[Fault]:
    required = ENGINES[config.engine].oldest_server
    if config.server_version and config.server_version < required:
        oldest = ".".join(map(str, required))
        yield (
            _version_path(config),
            f"is older than {oldest}, the oldest that {config.engine}'s operator supports here",
            f"use {oldest} or later",
        )


def version_is_one_that_proxies_can_read(config: StackConfig) -> Iterator[Fault]:
    # lib/MySQL_Monitor.cpp asks a server of 5.7 or 8 for the state of its node, no other.
    if config.own_proxies and config.server_version >= (9,):
        yield (
            _version_path(config),
            "is newer than the 8.x whose state ProxySQL can read",
            "use 8.0 or 8.4, or proxy.managed_by operator",
        )


def _version_path(config: StackConfig) -> str:
    return "database.version" if config.database.version else "images.database.tag"


def statements_wait_as_long_as_a_promotion(config: StackConfig) -> Iterator[Fault]:
    # Behind the fence no promotion waits (rpl_semi_sync_master_wait_no_slave=OFF).
    if not (config.replicated_behind_proxies and config.database.semi_sync) or config.fence:
        return
    longest = waits(config)
    if (seconds(config.semi_sync_timeout) + 5) * 1000 > longest:
        yield (
            "database.semi_sync_timeout",
            "is too long: a promotion takes this time and 5 s for the operator, but statements "
            f"wait for {longest} ms only (connect_timeout_server_max)",
            "shorten it, or raise proxy.mysql_variables.connect_timeout_server_max",
        )


def no_proxy_looks_for_paused_servers(config: StackConfig) -> Iterator[Fault]:
    if config.database.paused and config.own_proxies and not config.proxy.paused:
        yield (
            "database.paused",
            "leaves the proxies without a server, and they would not get ready",
            "set proxy.paused to true too: best in an update before this one, so that clients go "
            "before the servers",
        )


def an_imported_database_is_left_as_it_is(config: StackConfig) -> Iterator[Fault]:
    if config.database.paused is not None and config.adopt == "import":
        yield (
            "database.paused",
            "has no effect with adopt: import, which leaves the operator's object as it is",
            "remove it, or set adopt to take_over first",
        )


def mariadb_pauses_a_single_server(config: StackConfig) -> Iterator[Fault]:
    # internal/webhook/v1alpha1/mariadb_webhook.go, validateHA
    if config.database.paused and config.database.topology != "standalone":
        yield (
            "database.paused",
            f"cannot be true with topology {config.database.topology}: mariadb-operator takes "
            "no fewer than 2 replicas of such a database",
            "remove it; proxy.paused keeps clients out, and docs/operations.md says how to stop "
            "the servers by hand",
        )


RULES = (
    version_is_known,
    version_is_not_too_old,
    statements_wait_as_long_as_a_promotion,
    no_proxy_looks_for_paused_servers,
    an_imported_database_is_left_as_it_is,
)
MARIADB_RULES = (galera_keeps_a_quorum, mariadb_pauses_a_single_server)
PERCONA_RULES = (
    percona_is_galera,
    percona_has_so_many_nodes,
    version_is_one_that_proxies_can_read,
)
