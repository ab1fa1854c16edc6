"""Valid configs to test with: named ones, and a hypothesis strategy over many."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from components.config.credentials import SYSTEM_ACCOUNTS
from components.config.load import resolve
from components.config.proxysql import STATS_READER
from components.config.stack import StackConfig
from components.engines import mariadb
from components.proxysql import cnf, live, model
from tests.unit import libconfig

SECRETS = model.Secrets(
    proxy_admin="adminADMINadminADMINadmin_",
    proxy_stats="statsSTATSstatsSTATSstats-",
    proxy_cluster="clusterCLUSTERclusterCLUST",
    proxy_stats_reader="readerREADERreaderREADER-",
    monitor="monitorMONITORmonitorMONIT",
)


def config(size: str = "small", **overrides: Any) -> StackConfig:
    """A size with overrides, in the shape of a stack file."""
    return resolve({"size": size, **overrides})


def cnf_model(config: StackConfig) -> model.CnfModel:
    """What the proxy tier renders for a config."""
    return model.cnf_model(config, mariadb.topology(config))


def live_model(config: StackConfig) -> live.Live:
    """Logins and peers of a config."""
    return live.live(config, mariadb.topology(config))


def passwords(config: StackConfig) -> dict[str, str]:
    """A different password for everyone who may log in."""
    return {user.username: f"pw of {user.username}" for user in config.logins}


def parsed_cnf(config: StackConfig) -> dict[str, Any]:
    """The rendered files of a config, parsed as one."""
    known = live_model(config)
    users, peers = libconfig.INCLUDED
    included = {
        users: live.render_users(known, passwords(config)),
        peers: live.render_peers(known),
    }
    text = cnf.render(cnf_model(config), SECRETS)
    return libconfig.parse(libconfig.whole(text, included))


user_names = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True).filter(
    lambda name: (
        name not in SYSTEM_ACCOUNTS | {STATS_READER, "proxysql_monitor"}
        and not name.startswith("app-")
    )
)


@st.composite
def apps(draw: st.DrawFn, *, readers: bool) -> list[dict[str, Any]]:
    """Up to three apps for our own proxies, whose account names no user has."""
    drawn: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        given = draw(st.booleans())
        databases: dict[str, Any] = draw(
            st.dictionaries(
                st.sampled_from(["shop", "stock", "Old_$-1"]),
                st.sampled_from(["readonly", "readwrite", "owner", ["SELECT", "DROP"]]),
                min_size=1,
            )
        )
        drawn.append(
            {
                "name": f"app-{number}",
                "databases": databases,
                "default_database": draw(st.sampled_from(sorted(databases))),
                # Who may write goes to replicas only where these start read-only.
                "routing": draw(st.sampled_from(["writer", "reader"]))
                if readers and all(granted == "readonly" for granted in databases.values())
                else "writer",
                "max_connections": draw(st.integers(1, 1000)),
                "require_tls": draw(st.sampled_from([None, False, True])),
                "active": draw(st.booleans()),
                "cleanup": draw(st.sampled_from(["keep", "delete"])),
                **({"password": "(secret)"} if given else {"rotation": draw(st.integers(0, 5))}),
            }
        )
    return drawn


query_rules = st.fixed_dictionaries(
    {"destination_hostgroup": st.none()},
    optional={
        "active": st.booleans(),
        "schemaname": st.just("shop"),
        "client_addr": st.sampled_from(["10.0.0.7", "10.0.%", "%", "fe80::1"]),
        "proxy_port": st.just(6033),
        "digest": st.just("0x0123456789abcDEF"),
        "match_digest": st.sampled_from(["^SELECT a FROM t$", r"\bt\b", "it's", "a\\\\b", "é|{}"]),
        "match_pattern": st.sampled_from(["x", "^SELECT .* FROM `t`"]),
        "negate_match_pattern": st.booleans(),
        "re_modifiers": st.sampled_from(["CASELESS", "GLOBAL", "CASELESS,GLOBAL"]),
        "cache_ttl": st.integers(1, 2**31 - 1),
        "timeout": st.integers(100, 10_000),
        "delay": st.integers(100, 10_000),
        "error_msg": st.just("not here, it's closed"),
        "multiplex": st.sampled_from([0, 1, 2]),
        "log": st.booleans(),
        "apply": st.booleans(),
        "comment": st.sampled_from(["", "a rule"]),
    },
)
"""Rules without what must agree with other parts of the config."""


@st.composite
def proxied_trees(draw: st.DrawFn) -> dict[str, Any]:
    """Overrides of a proxied database: every topology, routing, clustering and many values."""
    topology = draw(st.sampled_from(["standalone", "replication", "galera"]))
    replicas = {"standalone": [1], "replication": [2, 3, 5], "galera": [3, 5]}[topology]
    groups = draw(
        st.lists(st.integers(1, 2**31 - 1), min_size=4, max_size=4, unique=True).map(
            lambda numbers: dict(
                zip(("writer", "reader", "backup_writer", "offline"), numbers, strict=True)
            )
        )
    )
    usernames = draw(st.lists(user_names, unique=True, max_size=4))
    users: list[dict[str, Any]] = [
        {
            "username": name,
            "password": "(secret)",  # what the loader leaves in place of a password
            "active": draw(st.booleans()),
            "max_connections": draw(st.integers(1, 1000)),
            "require_tls": draw(st.sampled_from([None, False, True])),
        }
        for name in usernames
    ]
    readers = topology != "standalone"
    rule_ids = draw(st.lists(st.integers(1, 999_999_999), unique=True, max_size=3))
    targets = [groups["writer"], *([groups["reader"]] if readers else [])]
    rules = [
        {
            **draw(query_rules),
            "rule_id": number,
            "destination_hostgroup": draw(st.sampled_from(targets)),
            "username": draw(st.sampled_from([None, *usernames])),
        }
        for number in rule_ids
    ]
    for rule in rules:
        if not rule.keys() & {"match_digest", "match_pattern"}:
            rule.pop("negate_match_pattern", None)
    routing = {"routing": draw(st.sampled_from(["monitor", "primary_service"]))}
    certificates: list[dict[str, Any]] = [
        {},
        {"secret": "shown"},
        {"issuer": {"name": "ca", "kind": "ClusterIssuer"}},
    ]
    return {
        "size": "small",
        "name": draw(st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)),
        "database": {"topology": topology, "replicas": draw(st.sampled_from(replicas))},
        "security": {"tls": {"enabled": draw(st.booleans())}},
        "apps": draw(apps(readers=readers)),
        "proxy": {
            "replicas": draw(st.integers(2, 5)),
            "clustering": draw(st.sampled_from(["membership", "runtime", "off"])),
            **(routing if topology == "replication" else {}),
            "stats_readers": draw(st.sampled_from([[], [{"namespace": "monitoring"}]])),
            "read_write_split": readers and draw(st.booleans()),
            "query_rules": rules,
            "tls": {**draw(st.sampled_from(certificates)), "required": draw(st.booleans())},
            "threads": draw(st.integers(1, 255)),
            "max_connections": draw(st.integers(1000, 1_000_000)),
            "hostgroups": {**groups, "comment": draw(st.sampled_from(["", "a b", "# = {x}", "é"]))},
            "users": users,
            "mysql_variables": draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "wait_timeout": st.integers(1, 1_728_000_000),
                        "verbose_query_error": st.booleans(),
                        "init_connect": st.just("SET NAMES utf8mb4"),
                    },
                )
            ),
            "admin_variables": draw(
                st.fixed_dictionaries({}, optional={"refresh_interval": st.integers(101, 9999)})
            ),
        },
    }


def proxied_configs() -> st.SearchStrategy[StackConfig]:
    """Valid configs of proxied databases."""
    return proxied_trees().map(_resolved)


def _resolved(tree: Mapping[str, Any]) -> StackConfig:
    return resolve(tree)
