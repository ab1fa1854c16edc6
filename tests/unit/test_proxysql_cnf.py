"""proxysql.cnf, read back by a libconfig parser; R rows of the acceptance list by number."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.config import credentials
from components.config.load import merge, resolve
from components.config.proxysql_variables import (
    ADMIN_VARIABLES,
    MYSQL_VARIABLES,
    RESERVED_VARIABLES,
)
from components.config.stack import StackConfig
from components.proxysql.cnf import digest, render
from components.proxysql.libconfig import quote, render_document
from components.proxysql.live import Live, native_password_hash, render_users
from components.proxysql.self_check import live_check, self_check
from components.proxysql.variables import SYNCED_MODULES
from tests.unit import libconfig
from tests.unit.models import (
    SECRETS,
    cnf_model,
    config,
    live_model,
    parsed_cnf,
    passwords,
    proxied_configs,
    proxied_trees,
)

SHOP: dict[str, Any] = {"name": "shop", "databases": {"shop": "owner"}}
REFERENCE = Path(__file__).parents[3] / "shared" / "proxysql-ref"
"""Files that a real ProxySQL loaded completely, beside the checkout."""

ROW_KEYS = {
    # What ProxySQL reads of each table (lib/ProxySQL_Config.cpp); it ignores other keys silently.
    "mysql_users": "username password default_hostgroup active use_ssl default_schema "
    "schema_locked transaction_persistent fast_forward max_connections attributes comment",
    "mysql_servers": "address port gtid_port hostgroup status weight compression max_connections "
    "max_replication_lag use_ssl max_latency_ms comment",
    "mysql_replication_hostgroups": "writer_hostgroup reader_hostgroup comment check_type",
    "mysql_galera_hostgroups": "writer_hostgroup backup_writer_hostgroup reader_hostgroup "
    "offline_hostgroup max_writers writer_is_also_reader max_transactions_behind comment",
    "mysql_hostgroup_attributes": "hostgroup_id max_num_online_servers",
    "proxysql_servers": "hostname port weight comment",
    "mysql_query_rules": "rule_id active username schemaname flagIN client_addr proxy_addr "
    "proxy_port digest match_digest match_pattern negate_match_pattern re_modifiers flagOUT "
    "replace_pattern destination_hostgroup next_query_flagIN mirror_flagOUT mirror_hostgroup "
    "cache_ttl cache_empty_result cache_timeout reconnect timeout retries delay error_msg OK_msg "
    "sticky_conn multiplex gtid_from_hostgroup log apply attributes comment",
    "scheduler": "id active interval_ms filename arg1 arg2 arg3 arg4 arg5 comment",
}
TOPOLOGY_TABLES = {
    "standalone": set[str](),
    "replication": {"mysql_replication_hostgroups", "mysql_hostgroup_attributes"},
    "galera": {"mysql_galera_hostgroups"},
}


# --- libconfig syntax ---


@settings(max_examples=300)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_survives(text: str) -> None:
    rendered = render_document({"key": text, "after": 1})
    assert libconfig.parse(rendered) == {"key": text, "after": 1}
    assert len(rendered.split("\n")) == 3, "a string never spans lines"


def test_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


scalars = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.booleans()
groups = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    scalars | st.integers(-(2**31) + 1, 2**31 - 1),
    min_size=1,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), groups | st.lists(groups)))
def test_any_document_survives(document: dict[str, Any]) -> None:
    parsed = libconfig.parse(render_document(document))
    assert parsed == document
    assert repr(parsed) == repr(document), "1 stays an integer and true a boolean"


@pytest.mark.parametrize("number", [2**31, -(2**31), 10**12])
def test_an_integer_that_libconfig_cannot_hold_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="beyond"):
        render_document({"key": number})


# --- the whole file: laws over many configs (R 7, 9, 10) ---


@given(proxied_configs())
def test_the_file_parses_and_every_key_is_one_that_proxysql_reads(config: StackConfig) -> None:
    parsed = parsed_cnf(config)
    tables = {"datadir", "admin_variables", "mysql_variables", "pgsql_variables", *ROW_KEYS}
    assert parsed.keys() <= tables
    assert parsed["admin_variables"].keys() <= ADMIN_VARIABLES.keys()
    assert parsed["mysql_variables"].keys() <= MYSQL_VARIABLES.keys()
    for table, keys in ROW_KEYS.items():
        for row in parsed.get(table, []):
            assert row.keys() <= set(keys.split())
            assert not any(isinstance(value, bool) for value in row.values()), "flags are 0 and 1"


@given(proxied_configs())
def test_one_topology_table(config: StackConfig) -> None:
    """R 18, 20; none where the operator's Service leads to the primary."""
    parsed = parsed_cnf(config)
    every = set[str]().union(*TOPOLOGY_TABLES.values())
    topology = config.database.topology
    through_service = topology == "replication" and config.proxy.routing == "primary_service"
    assert parsed.keys() & every == (set() if through_service else TOPOLOGY_TABLES[topology])
    hostgroups = config.proxy.hostgroups
    if topology == "replication" and not through_service:
        (row,) = parsed["mysql_replication_hostgroups"]
        assert row["check_type"] == "read_only"
        assert (row["writer_hostgroup"], row["reader_hostgroup"]) == (
            hostgroups.writer,
            hostgroups.reader,
        )
        assert parsed["mysql_hostgroup_attributes"] == [
            {"hostgroup_id": hostgroups.writer, "max_num_online_servers": 1}
        ]
    if config.database.topology == "galera":
        (row,) = parsed["mysql_galera_hostgroups"]
        numbers = [value for key, value in row.items() if key.endswith("_hostgroup")]
        assert len(set(numbers)) == 4
        assert row["reader_hostgroup"] > 0
        assert (row["max_writers"], row["writer_is_also_reader"]) == (1, 2)


@given(proxied_configs())
def test_servers(config: StackConfig) -> None:
    """R 19, 22, 23, 31, 32."""
    topology = config.database.topology
    assume(topology != "replication" or config.proxy.routing == "monitor")
    servers = parsed_cnf(config)["mysql_servers"]
    home = f".{config.name}-internal.{config.namespace}.svc.cluster.local"
    assert [s["address"] for s in servers] == [
        f"{config.name}-{ordinal}{home}" for ordinal in range(config.database.replicas)
    ]
    hostgroups = config.proxy.hostgroups
    expected = hostgroups.writer if topology == "standalone" else hostgroups.reader
    assert {s["hostgroup"] for s in servers} == {expected}
    assert {s["port"] for s in servers} == {3306}
    assert {s["max_replication_lag"] for s in servers} == {0}
    assert {s["use_ssl"] for s in servers} == {int(config.security.tls.enabled)}
    assert {s["max_connections"] for s in servers} == {config.backend_max_connections}
    if topology == "galera":
        weights = [s["weight"] for s in servers]
        assert weights == sorted(set(weights), reverse=True)


@given(proxied_configs())
def test_users(config: StackConfig) -> None:
    """R 29: everything goes to the writer, but for apps that only read; no row but the stack's."""
    rows = parsed_cnf(config).get("mysql_users", [])
    apps = [(login.username, app) for app in config.apps for login in app.logins]
    users = [user.username for user in config.proxy.users]
    assert [row["username"] for row in rows] == [*users, *(name for name, _ in apps)]
    readers = {name for name, app in apps if app.routing == "reader"}
    groups = config.proxy.hostgroups
    for row, user in zip(rows, config.logins, strict=True):
        reads = user.username in readers
        assert row["default_hostgroup"] == (groups.reader if reads else groups.writer)
        assert row["transaction_persistent"] == 1
        assert row["fast_forward"] == 0
        assert row["active"] == int(user.active)
        required = config.proxy.tls.required if user.require_tls is None else user.require_tls
        assert row["use_ssl"] == int(required)
        assert row["max_connections"] == user.max_connections
        assert re.fullmatch(r"\*[0-9A-F]{40}", row["password"])


@pytest.mark.parametrize(
    ("tag", "serves"),
    [("2.7.4", False), ("v2.7.4-debian", False), ("3.0.11-debian", True), ("20.0.1", True)],
)
def test_postgresql_stays_off_the_network(tag: str, serves: bool) -> None:
    """2.7 has no such variables; a `v` before the version changes nothing."""
    text = parsed_cnf(config(images={"proxy": {"tag": tag}}))
    assert ("pgsql_ifaces" in text["admin_variables"]) is serves
    assert text.get("pgsql_variables") == ({"interfaces": "127.0.0.1:6133"} if serves else None)


@given(proxied_configs())
def test_admin_accounts(config: StackConfig) -> None:
    """R 5, 16, 17."""
    variables = parsed_cnf(config)["admin_variables"]
    clustering = config.proxy.clustering
    accounts = dict(pair.split(":") for pair in variables["admin_credentials"].split(";"))
    assert accounts.pop("admin") == SECRETS.proxy_admin
    readers = dict(pair.split(":") for pair in variables["stats_credentials"].split(";"))
    assert readers.pop("stats") == SECRETS.proxy_stats
    reader = {"stats_reader": SECRETS.proxy_stats_reader}
    assert readers == (reader if config.proxy.stats_readers else {})
    assert variables["web_enabled"] is False
    diffs = {key: value for key, value in variables.items() if key.endswith("_before_sync")}
    if clustering == "off":
        assert not accounts
        assert not any(key.startswith("cluster_") for key in variables)
    else:
        name = variables["cluster_username"]
        assert name not in ("admin", "stats", "monitor")
        assert accounts == {name: variables["cluster_password"]}
        assert set(diffs) == {f"cluster_{module}_diffs_before_sync" for module in SYNCED_MODULES}
        assert len(diffs) == 7
        # They have a source of their own, which changes in each Pod at another moment.
        for module in ("mysql_users", "proxysql_servers"):
            assert diffs.pop(f"cluster_{module}_diffs_before_sync") == 0
        assert set(diffs.values()) == ({0} if clustering == "membership" else {3})
    assert variables.get("cluster_mysql_servers_sync_algorithm") == (
        2 if clustering == "runtime" else None
    )


@pytest.mark.parametrize(
    ("interfaces", "ports", "admin"),
    [
        ("0.0.0.0:6033", (6033,), "0.0.0.0:6032"),
        ("[::]:6033", (6033,), "0.0.0.0:6032;[::]:6032"),
        ("0.0.0.0:6033;[::]:6033;[::]:6034", (6033, 6034), "0.0.0.0:6032;[::]:6032"),
        ("0.0.0.0:6033;[::1]:6034", (6033, 6034), "0.0.0.0:6032"),
    ],
)
def test_the_admin_port_listens_on_ipv6_as_the_client_port(
    interfaces: str, ports: tuple[int, ...], admin: str
) -> None:
    chosen = config(proxy={"interfaces": interfaces})
    file = parsed_cnf(chosen)
    assert file["admin_variables"]["mysql_ifaces"] == admin
    assert file["mysql_variables"]["interfaces"] == interfaces
    assert chosen.proxy.ports == ports


OTHERS = [
    {"host": "reports.example.com", "hostgroup": 50, "weight": 3, "tls": True},
    {"host": "reports.example.com", "port": 3307, "hostgroup": 50, "max_connections": 7},
]


@pytest.mark.parametrize("more", [{}, {"routing": "monitor"}], ids=str)
def test_other_servers_are_beside_those_of_the_database(more: dict[str, Any]) -> None:
    before = config(proxy=more)
    after = config(
        proxy={
            **more,
            "other_servers": OTHERS,
            "query_rules": [{"rule_id": 1, "match_digest": "^SELECT", "destination_hostgroup": 50}],
        }
    )
    own, both = parsed_cnf(before), parsed_cnf(after)
    count = len(own["mysql_servers"])
    assert both["mysql_servers"][:count] == own["mysql_servers"]
    first, second = both["mysql_servers"][count:]
    assert first == {
        "address": "reports.example.com",
        "port": 3306,
        "hostgroup": 50,
        "max_connections": 100,
        "max_replication_lag": 0,
        "use_ssl": 1,
        "comment": "reports",
        "weight": 3,
    }
    assert (second["port"], second["max_connections"], second["use_ssl"]) == (3307, 7, 0)
    tables = ("mysql_replication_hostgroups", "mysql_hostgroup_attributes")
    assert [both.get(table) for table in tables] == [own.get(table) for table in tables]
    # The database's own connections are not shared out anew.
    assert before.backend_max_connections == after.backend_max_connections
    found = len({(row["address"], row["port"]) for row in both["mysql_servers"]})
    assert f"runtime_mysql_servers)={found} " in self_check(cnf_model(after))


@given(proxied_configs())
def test_peers_are_the_replicas(config: StackConfig) -> None:
    """R 39."""
    peers = parsed_cnf(config).get("proxysql_servers", [])
    expected = config.proxy.replicas if config.proxy.clustering != "off" else 0
    home = f".{config.name}-proxysql-cluster.{config.namespace}.svc.cluster.local"
    assert [(peer["hostname"], peer["port"]) for peer in peers] == [
        (f"{config.name}-proxysql-{ordinal}{home}", 6032) for ordinal in range(expected)
    ]


@given(proxied_configs())
def test_mysql_variables(config: StackConfig) -> None:
    """R 24, 27, 28, 33, and that the stack's own variables arrive."""
    variables = parsed_cnf(config)["mysql_variables"]
    assert variables["server_version"] == "11.8.5-MariaDB"
    assert variables["default_authentication_plugin"] == "mysql_native_password"
    assert variables["query_retries_on_failure"] == 0
    assert variables["connect_timeout_server_max"] == 20_000
    retries = variables["connect_retries_on_failure"] * variables["connect_retries_delay"]
    assert retries >= variables["connect_timeout_server_max"]
    assert variables["monitor_writer_is_also_reader"] is True
    assert variables["monitor_password"] == SECRETS.monitor
    # A look that comes just before an address is too old leaves it until the next.
    ttl, look = (
        variables[f"monitor_local_dns_cache_{name}"] for name in ("ttl", "refresh_interval")
    )
    assert 0 < look <= ttl / 5
    assert ("ssl_p2s_ca" in variables) == config.security.tls.enabled
    assert variables["threads"] == config.proxy.threads
    assert config.proxy.mysql_variables.items() <= variables.items()


@pytest.mark.parametrize(
    ("kind", "proxy"),
    [
        ("admin_variables", {}),
        ("mysql_variables", {"routing": "monitor"}),
        ("mysql_variables", {"routing": "primary_service"}),
        ("mysql_variables", {"routing": "monitor", "read_write_split": True}),
    ],
)
def test_a_variable_that_the_program_decides_cannot_be_overridden(
    kind: str, proxy: dict[str, Any]
) -> None:
    """Otherwise an override would undo a safety rule. Tunable ones are free."""
    tunable = re.compile(
        r"monitor_(?!username|password)|connect_|connection_max_age|shun_|free_|tcp_|use_tcp"
        "|set_query|ping_interval_server"
    )
    rendered = parsed_cnf(config("small", proxy=proxy))[kind]
    decided = {key for key in rendered if not tunable.match(key)}
    assert decided <= RESERVED_VARIABLES[kind].keys()


def test_a_users_own_hostgroup_and_schema() -> None:
    user = {
        "username": "report",
        "password": "(secret)",
        "default_hostgroup": 20,
        "default_schema": "shop",
    }
    (row,) = parsed_cnf(config(proxy={"users": [user]}))["mysql_users"]
    assert (row["default_hostgroup"], row["default_schema"]) == (20, "shop")


def test_every_interval_of_the_monitor_arrives() -> None:
    fields = {
        "connect_interval": 10_001,
        "connect_timeout": 1_001,
        "ping_interval": 2_001,
        "ping_timeout": 1_002,
        "ping_max_failures": 4,
        "read_only_interval": 1_003,
        "read_only_timeout": 801,
        "read_only_max_timeout_count": 5,
    }
    variables = parsed_cnf(config(proxy={"monitor": {**fields, "galera_interval": 1_004}}))
    for key, value in fields.items():
        assert variables["mysql_variables"][f"monitor_{key}"] == value
    assert variables["mysql_variables"]["monitor_galera_healthcheck_interval"] == 1_004


# --- the reference files ---

REFERENCE_DIFFERENCES = {
    # Sized per stack, or left to `proxy.mysql_variables`.
    "default_schema",
    "wait_timeout",
    "max_transaction_idle_time",
    "threads",
    "server_version",
    "monitor_password",
    "ssl_p2s_ca",
    # 10 of them end before `connect_timeout_server_max` where a server refuses connections.
    "connect_retries_on_failure",
    # 3.0 keeps a dead address for as long as both together.
    "monitor_local_dns_cache_ttl",
    "monitor_local_dns_cache_refresh_interval",
}
ROW_DIFFERENCES = {
    "mysql_servers": {"address", "comment", "max_connections", "max_replication_lag"},
    # use_ssl: 0 is the default.
    "mysql_users": {"comment", "password", "max_connections", "default_schema", "use_ssl"},
    "mysql_replication_hostgroups": {"comment"},
    "mysql_galera_hostgroups": {"comment"},
}


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no ../shared/proxysql-ref beside the checkout")
@pytest.mark.parametrize(
    ("file", "topology"),
    [("replication", "replication"), ("galera", "galera"), ("single", "standalone")],
)
def test_it_is_the_reference_file_but_for_listed_differences(file: str, topology: str) -> None:
    import libconf  # pyright: ignore

    reference: Any = libconf.loads((REFERENCE / f"{file}.cnf").read_text())  # pyright: ignore
    ours = parsed_cnf(
        config(
            name="mariadb",
            namespace="db",
            database={"topology": topology, "replicas": 1 if topology == "standalone" else 3},
            proxy={
                **({"routing": "monitor"} if topology == "replication" else {}),
                "hostgroups": {"writer": 10, "reader": 11, "backup_writer": 12, "offline": 13},
                "users": [{"username": "app", "password": "(secret)"}],
            },
        )
    )
    # The reference is for 2.7, which serves no PostgreSQL, and its users never change.
    assert ours.keys() - {"pgsql_variables", "scheduler"} == reference.keys()
    changed = {
        key
        for key in {*ours["mysql_variables"], *reference["mysql_variables"]}
        if ours["mysql_variables"].get(key) != reference["mysql_variables"].get(key)
    }
    assert changed == REFERENCE_DIFFERENCES
    admin = {
        key
        for key in {*ours["admin_variables"], *reference["admin_variables"]}
        if ours["admin_variables"].get(key) != reference["admin_variables"].get(key)
    }
    assert admin == {
        "admin_credentials",
        "stats_credentials",
        "cluster_password",
        "pgsql_ifaces",  # not of 2.7
    }
    for table, rows in ours.items():
        if table.startswith("mysql_") and table != "mysql_variables":
            known = ROW_DIFFERENCES.get(table, set[str]())
            assert _without(rows, known) == _without(reference[table], known), table


def _without(rows: Any, keys: set[str]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key not in keys} for row in rows]


# --- the self-check, run by SQLite like in ProxySQL's admin ---


def runtime_tables(parsed: dict[str, Any]) -> sqlite3.Connection:
    """ProxySQL's runtime tables after it loaded the file without losing anything."""
    db = sqlite3.connect(":memory:")
    db.executescript(
        """
        CREATE TABLE runtime_mysql_users (username, frontend INT, backend INT, use_ssl INT);
        CREATE TABLE runtime_mysql_servers (hostgroup_id INT, hostname, port INT);
        CREATE TABLE runtime_mysql_query_rules (rule_id INT);
        CREATE TABLE runtime_scheduler (id INT);
        CREATE TABLE runtime_mysql_replication_hostgroups (writer_hostgroup INT);
        CREATE TABLE runtime_mysql_galera_hostgroups (writer_hostgroup INT);
        CREATE TABLE runtime_mysql_hostgroup_attributes (hostgroup_id INT, max_num_online_servers);
        CREATE TABLE runtime_proxysql_servers (hostname);
        CREATE TABLE runtime_global_variables (variable_name, variable_value);
        """
    )
    for user in parsed.get("mysql_users", []):
        if user["active"]:  # each appears once as frontend and once as backend
            for frontend in (0, 1):
                row = (user["username"], frontend, 1 - frontend, user["use_ssl"])
                db.execute("INSERT INTO runtime_mysql_users VALUES (?, ?, ?, ?)", row)
    for peer in parsed.get("proxysql_servers", []):
        db.execute("INSERT INTO runtime_proxysql_servers VALUES (?)", (peer["hostname"],))
    for server in parsed["mysql_servers"]:
        for hostgroup in {server["hostgroup"], 77}:  # the monitor copies the writer
            row = (hostgroup, server["address"], server["port"])
            db.execute("INSERT INTO runtime_mysql_servers VALUES (?, ?, ?)", row)
    for table, key in (
        ("mysql_replication_hostgroups", "writer_hostgroup"),
        ("mysql_galera_hostgroups", "writer_hostgroup"),
        ("mysql_query_rules", "rule_id"),
        ("scheduler", "id"),
    ):
        for row in parsed.get(table, []):
            if row.get("active", 1):  # only these are loaded
                db.execute(f"INSERT INTO runtime_{table} VALUES (?)", (row[key],))
    for attributes in parsed.get("mysql_hostgroup_attributes", []):
        db.execute(
            "INSERT INTO runtime_mysql_hostgroup_attributes VALUES (?, ?)",
            (attributes["hostgroup_id"], attributes["max_num_online_servers"]),
        )
    for module in ("admin", "mysql"):
        for name, value in parsed[f"{module}_variables"].items():
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            db.execute(
                "INSERT INTO runtime_global_variables VALUES (?, ?)", (f"{module}-{name}", shown)
            )
    return db


def checked(db: sqlite3.Connection, config: StackConfig) -> str:
    """What the startup probe finds: 1 if both queries do, or what the first says instead."""
    in_use = live_check(live_model(config), running=True)
    queries = (self_check(cnf_model(config)), in_use)
    answers = [str(db.execute(query).fetchone()[0]) for query in queries]
    return next((answer for answer in answers if answer != "1"), "1")


@given(proxied_configs())
def test_the_self_check_accepts_a_complete_load(config: StackConfig) -> None:
    assert checked(runtime_tables(parsed_cnf(config)), config) == "1"


def checked_config(topology: str) -> StackConfig:
    """A config with at least one row for every check; `topology` may also be a routing."""
    routing = {"replication": "monitor", "primary_service": "primary_service"}.get(topology)
    kind = "replication" if routing else topology
    return config(
        database={"topology": kind, "replicas": 1 if topology == "standalone" else 3},
        proxy={
            **({"routing": routing} if routing else {}),
            "users": [
                {"username": "app", "password": "(secret)"},
                {"username": "safe", "password": "(secret)", "require_tls": True},
                {"username": "old", "password": "(secret)", "active": False, "require_tls": True},
            ],
            "query_rules": [
                {"rule_id": 1, "match_digest": "^SELECT ?$", "cache_ttl": 1000},
                {"rule_id": 2, "match_digest": "^DROP", "error_msg": "no", "active": False},
            ],
            "tls": {"secret": "shown"},
            "mysql_variables": {"wait_timeout": 1000},
        },
    )


CHECKED = checked_config("replication")
LOSSES = {
    "replication": [
        "DELETE FROM runtime_mysql_servers WHERE hostname LIKE 'mysql-1.%'",
        "DELETE FROM runtime_mysql_replication_hostgroups",
        "INSERT INTO runtime_mysql_galera_hostgroups VALUES (10)",
        "DELETE FROM runtime_mysql_hostgroup_attributes",
        "UPDATE runtime_mysql_hostgroup_attributes SET max_num_online_servers = 1000000",
        "UPDATE runtime_mysql_hostgroup_attributes SET hostgroup_id = 20",
    ],
    "primary_service": [
        "DELETE FROM runtime_mysql_servers WHERE hostname LIKE 'mysql-primary.%'",
        "DELETE FROM runtime_mysql_servers WHERE hostname LIKE 'mysql-secondary.%'",
        "INSERT INTO runtime_mysql_servers VALUES (10, 'mysql-0', 3306)",
        "INSERT INTO runtime_mysql_replication_hostgroups VALUES (10)",
        "INSERT INTO runtime_mysql_galera_hostgroups VALUES (10)",
        "INSERT INTO runtime_mysql_hostgroup_attributes VALUES (10, 1)",
    ],
    "galera": [
        "DELETE FROM runtime_mysql_servers WHERE hostname LIKE 'mysql-1.%'",
        "DELETE FROM runtime_mysql_galera_hostgroups",
        "INSERT INTO runtime_mysql_replication_hostgroups VALUES (10)",
        "INSERT INTO runtime_mysql_hostgroup_attributes VALUES (10, 1)",
    ],
    "standalone": [
        "DELETE FROM runtime_mysql_servers",
        "INSERT INTO runtime_mysql_replication_hostgroups VALUES (10)",
        "INSERT INTO runtime_mysql_galera_hostgroups VALUES (10)",
        "INSERT INTO runtime_mysql_hostgroup_attributes VALUES (10, 1)",
    ],
}
"""What each topology's file can lose or gain, beside what they all can."""


@pytest.mark.parametrize("topology", LOSSES)
@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM runtime_mysql_users WHERE username = 'app'",
        "INSERT INTO runtime_mysql_users VALUES ('stranger', 1, 0, 0)",
        "UPDATE runtime_mysql_users SET use_ssl = 0 WHERE username = 'safe'",
        "UPDATE runtime_mysql_users SET use_ssl = 1 WHERE username = 'app'",
        "DELETE FROM runtime_proxysql_servers WHERE hostname LIKE 'mysql-proxysql-2.%'",
        "INSERT INTO runtime_proxysql_servers VALUES ('mysql-proxysql-3')",
        "UPDATE runtime_proxysql_servers SET hostname = 'other' WHERE hostname LIKE '%-2.%'",
        "DELETE FROM runtime_mysql_query_rules",
        "INSERT INTO runtime_mysql_query_rules VALUES (2)",
        "DELETE FROM runtime_scheduler",
        "INSERT INTO runtime_scheduler VALUES (2)",
        "UPDATE runtime_global_variables SET variable_value = 'monitor' "
        "WHERE variable_name = 'mysql-monitor_username'",
        "DELETE FROM runtime_global_variables WHERE variable_name = 'mysql-wait_timeout'",
    ],
)
def test_the_self_check_notices_a_loss(topology: str, loss: str) -> None:
    config = checked_config(topology)
    db = runtime_tables(parsed_cnf(config))
    assert checked(db, config) == "1"
    assert db.execute(loss).rowcount > 0
    assert checked(db, config) != "1"


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("DELETE FROM runtime_mysql_query_rules", "number of query rules, query rule 1"),
        (
            "DELETE FROM runtime_mysql_servers WHERE hostname LIKE 'mysql-1.%'",
            "number of servers, server mysql-1.mysql-internal.default.svc.cluster.local",
        ),
        (
            "UPDATE runtime_global_variables SET variable_value = '1001' "
            "WHERE variable_name = 'mysql-wait_timeout'",
            "variable mysql-wait_timeout",
        ),
        ("DELETE FROM runtime_mysql_users WHERE username = 'app'", "0"),
    ],
)
def test_the_self_check_says_what_is_lost(loss: str, said: str) -> None:
    db = runtime_tables(parsed_cnf(CHECKED))
    db.execute(loss)
    assert checked(db, CHECKED) == said


@pytest.mark.parametrize(
    "loss", ["SET port = 3307", "SET hostgroup_id = 51", "SET hostname = 'b.example.com'"]
)
def test_the_self_check_tells_other_servers_of_one_host_apart(loss: str) -> None:
    """Another row of the host stays, and so does the number of servers."""
    host = {"host": "a.example.com", "max_connections": 10}
    mine = config(
        proxy={
            "enabled": True,
            "other_servers": [{**host, "hostgroup": 50}, {**host, "hostgroup": 51, "port": 3308}],
        }
    )
    db = runtime_tables(parsed_cnf(mine))
    assert checked(db, mine) == "1"
    db.execute(f"UPDATE runtime_mysql_servers {loss} WHERE hostname LIKE 'a.%' AND port = 3306")
    assert checked(db, mine) == "server a.example.com:3306 in 50"


@pytest.mark.parametrize(("topology", "loss"), [(t, loss) for t in LOSSES for loss in LOSSES[t]])
def test_the_self_check_notices_what_a_topology_lost(topology: str, loss: str) -> None:
    test_the_self_check_notices_a_loss(topology, loss)


def test_a_self_check_is_one_statement_without_secrets() -> None:
    every = (*vars(SECRETS).values(), *passwords(CHECKED).values())
    model = live_model(CHECKED)
    for text in (
        self_check(cnf_model(CHECKED)),
        live_check(model, running=False),
        live_check(model, running=True),
    ):
        assert text.count(";") == 1
        assert text.endswith(";\n")
        assert not any(secret in text for secret in every)


# --- users.cnf and what must be true of it before it is put to use ---


def read_tables(parsed: dict[str, Any]) -> sqlite3.Connection:
    """Users and peers after LOAD … FROM CONFIG; nothing of it is in use yet."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE mysql_users (username, active INT, use_ssl INT)")
    db.execute("CREATE TABLE proxysql_servers (hostname)")
    for row in parsed.get("mysql_users", []):
        fields = (row["username"], row["active"], row["use_ssl"])
        db.execute("INSERT INTO mysql_users VALUES (?, ?, ?)", fields)
    for peer in parsed.get("proxysql_servers", []):
        db.execute("INSERT INTO proxysql_servers VALUES (?)", (peer["hostname"],))
    return db


@given(proxied_configs())
def test_a_complete_reading_is_put_to_use(config: StackConfig) -> None:
    """With users that are inactive, with apps, and without peers."""
    db = read_tables(parsed_cnf(config))
    assert db.execute(live_check(live_model(config), running=False)).fetchone() == (1,)


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM mysql_users WHERE username = 'app'",
        "DELETE FROM mysql_users WHERE username = 'old'",
        "DELETE FROM mysql_users",
        "INSERT INTO mysql_users VALUES ('stranger', 1, 0)",
        "UPDATE mysql_users SET use_ssl = 0 WHERE username = 'old'",
        "UPDATE mysql_users SET use_ssl = 1 WHERE username = 'app'",
        "DELETE FROM proxysql_servers WHERE hostname LIKE 'mysql-proxysql-0.%'",
        "INSERT INTO proxysql_servers VALUES ('mysql-proxysql-3')",
    ],
)
def test_an_incomplete_reading_is_not(loss: str) -> None:
    db = read_tables(parsed_cnf(CHECKED))
    assert db.execute(loss).rowcount > 0
    assert db.execute(live_check(live_model(CHECKED), running=False)).fetchone() == (0,)


def test_without_logins_the_file_is_empty() -> None:
    """An empty list would be one user without a name."""
    assert render_users(live_model(config()), {}) == ""
    db = read_tables(parsed_cnf(config()))
    assert db.execute(live_check(live_model(config()), running=False)).fetchone() == (1,)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_a_server_of_another_kind_is_told_the_password_itself(password: str) -> None:
    """caching_sha2_password: ProxySQL has no hash that it could give to a server."""
    model = Live(
        peers=(),
        users=CHECKED.logins[:1],
        auth_plugin="caching_sha2_password",
        writer=10,
        tls_required=False,
    )
    (row,) = libconfig.parse(render_users(model, {"app": password}))["mysql_users"]
    assert row["password"] == password


@given(proxied_trees())
def test_users_and_peers_are_files_of_their_own(tree: dict[str, Any]) -> None:
    """The other one knows nobody; only how many hostgroups logins use, and how many proxies there
    may be, decides a server's share."""
    rules = [{**rule, "username": None} for rule in tree["proxy"]["query_rules"]]
    tree = merge(tree, {"proxy": {"query_rules": rules}})
    everyone = resolve(tree)
    nobody = resolve(merge(tree, {"apps": [], "proxy": {"users": [], "replicas": 4}}))
    assert not nobody.logins
    assume(nobody.hostgroups_per_server == everyone.hostgroups_per_server)
    text = render(cnf_model(everyone), SECRETS)
    assert text == render(cnf_model(nobody), SECRETS)
    assert "mysql_users =" not in text
    assert "proxysql_servers =" not in text


# --- the digest (R 4) ---


@given(proxied_configs())
def test_the_digest_is_short_and_always_the_same(config: StackConfig) -> None:
    """Secrets cannot be in it: it takes none."""
    assert digest(cnf_model(config), {}) == digest(cnf_model(config), {})
    assert re.fullmatch("[0-9a-f]{12}", digest(cnf_model(config), {}))


@given(proxied_trees(), proxied_trees())
def test_the_digest_changes_iff_the_file_does(a: dict[str, Any], b: dict[str, Any]) -> None:
    one, two = resolve(a), resolve(b)
    files = [render(cnf_model(config), SECRETS) for config in (one, two)]
    digests = [digest(cnf_model(config), {}) for config in (one, two)]
    assert (files[0] == files[1]) == (digests[0] == digests[1])


@pytest.mark.parametrize(
    "edit",
    [
        {"proxy": {"threads": 9}},
        {"proxy": {"hostgroups": {"writer": 5}}},
        {"proxy": {"mysql_variables": {"wait_timeout": 5}}},
        {"proxy": {"clustering": "off"}},
        {"proxy": {"max_replicas": 4}},
        {"proxy": {"replicas": 6}},
        {"database": {"replicas": 2}},
        {"database": {"max_connections": 600}},
        {"security": {"tls": {"enabled": False}}},
        {"proxy": {"routing": "primary_service"}},
        {"proxy": {"read_write_split": True}},
        {"proxy": {"query_rules": [{"rule_id": 1, "timeout": 100}]}},
        {"proxy": {"tls": {"secret": "shown"}}},
    ],
    ids=str,
)
def test_an_edit_of_the_file_changes_the_digest(edit: dict[str, Any]) -> None:
    base = {"size": "small", "proxy": {"routing": "monitor"}}
    before, after = resolve(base), resolve(merge(base, edit))
    assert digest(cnf_model(before), {}) != digest(cnf_model(after), {})


@pytest.mark.parametrize("replicas", [2, 3, 4, 5])
@pytest.mark.parametrize("clustering", ["membership", "runtime", "off"])
def test_the_number_of_proxies_leaves_the_digest(replicas: int, clustering: str) -> None:
    """R 4, 39: proxies load peers while they run, and their share of connections stays."""
    before, after = (
        config(proxy={"replicas": n, "clustering": clustering}, apps=[SHOP]) for n in (3, replicas)
    )
    assert digest(cnf_model(before), {}) == digest(cnf_model(after), {})
    assert self_check(cnf_model(before)) == self_check(cnf_model(after))


@pytest.mark.parametrize(
    "edit",
    [
        {"proxy": {"users": [{"username": "a", "password": "(secret)"}]}},
        {"proxy": {"tls": {"required": True}}},
        {"apps": [{**SHOP, "rotation": 3}]},
        {"apps": [{**SHOP, "routing": "reader", "max_connections": 5}]},
        {"apps": [SHOP, {"name": "b", "databases": {"shop": "readonly"}, "routing": "reader"}]},
    ],
    ids=str,
)
def test_an_edit_of_the_logins_leaves_the_digest(edit: dict[str, Any]) -> None:
    """Proxies load logins while they run: no such edit may roll a Pod."""
    base = {
        "size": "small",
        "proxy": {"users": [{"username": "app", "password": "(secret)"}]},
        "apps": [SHOP],
    }
    before, after = resolve(base), resolve(merge(base, edit))
    assert digest(cnf_model(before), {}) == digest(cnf_model(after), {})
    users = [render_users(live_model(c), passwords(c)) for c in (before, after)]
    assert users[0] != users[1]


sources = st.dictionaries(st.text(max_size=3), st.text(max_size=3))


@given(sources, sources)
def test_the_digest_changes_iff_a_source_does(a: dict[str, str], b: dict[str, str]) -> None:
    model = cnf_model(config("small"))
    assert (digest(model, a) == digest(model, b)) == (a == b)


def test_the_order_of_sources_does_not_matter() -> None:
    model = cnf_model(config("small"))
    assert digest(model, {"a": "x", "b": "y"}) == digest(model, {"b": "y", "a": "x"})


# --- passwords (R 8) ---


def test_the_known_vector_of_the_native_hash() -> None:
    assert native_password_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


@given(st.text(), st.text())
def test_the_native_hash_is_a_hash(one: str, other: str) -> None:
    assume(one != other)
    assert re.fullmatch(r"\*[0-9A-F]{40}", native_password_hash(one))
    assert native_password_hash(one) != native_password_hash(other)


def test_a_password_is_never_in_the_file_in_clear_where_a_hash_does() -> None:
    text = render_users(live_model(CHECKED), passwords(CHECKED))
    assert native_password_hash("pw of app") in text
    assert "pw of app" not in text
    assert hashlib.sha1(b"pw of app").hexdigest() not in text


@pytest.mark.parametrize("password", ["x" * 24, "A-_9" * 6, "0123456789abcdefghijklmnop"])
def test_safe_passwords(password: str) -> None:
    assert credentials.PASSWORD_RULE.fullmatch(password)


def unsafe() -> Iterator[str]:
    yield "x" * 23
    yield ""
    for character in "'\":;*$\\ \n\té":
        yield "x" * 24 + character
        yield character + "x" * 24


@pytest.mark.parametrize("password", list(unsafe()))
def test_unsafe_passwords(password: str) -> None:
    assert not credentials.PASSWORD_RULE.fullmatch(password)
