"""Valid configs to test with: named ones, and a hypothesis strategy over many."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from components import mariadb, names, proxysql_cnf
from components.config import resolve
from components.schema import StackConfig

SECRETS = proxysql_cnf.Secrets(
    admin="adminADMINadminADMINadmin_",
    stats="statsSTATSstatsSTATSstats-",
    cluster="clusterCLUSTERclusterCLUST",
    monitor="monitorMONITORmonitorMONIT",
    users={},
)


def config(size: str = "small", **overrides: Any) -> StackConfig:
    """A size with overrides, in the shape of a stack file."""
    return resolve({"size": size, **overrides})


def cnf_model(config: StackConfig) -> proxysql_cnf.CnfModel:
    """What the proxy tier renders for a config; as components/proxysql.py puts it together."""
    return proxysql_cnf.CnfModel(
        proxy=config.proxy,
        topology=mariadb.topology(config),
        peers=names.proxysql_pod_hosts(config.name, config.namespace, config.proxy.replicas),
        backend_max_connections=config.backend_max_connections,
    )


def secrets(config: StackConfig, salt: str = "") -> proxysql_cnf.Secrets:
    """A different safe password for every role and user."""
    return proxysql_cnf.Secrets(
        admin=SECRETS.admin + salt,
        stats=SECRETS.stats + salt,
        cluster=SECRETS.cluster + salt,
        monitor=SECRETS.monitor + salt,
        users={user.username: f"pw of {user.username}{salt}" for user in config.proxy.users},
    )


user_names = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True).filter(
    lambda name: name not in ("root", "admin", "stats", "monitor", "cluster", "proxysql_monitor")
)


@st.composite
def proxied_trees(draw: st.DrawFn) -> dict[str, Any]:
    """Overrides of a proxied database: every topology, clustering mode and many values."""
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
            "rotation": draw(st.integers(0, 5)),
        }
        for name in usernames
    ]
    return {
        "size": "small",
        "name": draw(st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)),
        "database": {"topology": topology, "replicas": draw(st.sampled_from(replicas))},
        "security": {"tls": {"enabled": draw(st.booleans())}},
        "proxy": {
            "replicas": draw(st.integers(2, 5)),
            "clustering": draw(st.sampled_from(["membership", "runtime", "off"])),
            "threads": draw(st.integers(1, 255)),
            "max_connections": draw(st.integers(1000, 1_000_000)),
            "hostgroups": {**groups, "comment": draw(st.sampled_from(["", "a b", "# = {x}", "é"]))},
            "users": users,
            "mysql_variables": draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "wait_timeout": st.integers(0, 2**31 - 1),
                        "multiplexing": st.booleans(),
                        "init_connect": st.just("SET NAMES utf8mb4"),
                    },
                )
            ),
            "admin_variables": draw(
                st.fixed_dictionaries({}, optional={"refresh_interval": st.integers(100, 9999)})
            ),
        },
    }


def proxied_configs() -> st.SearchStrategy[StackConfig]:
    """Valid configs of proxied databases."""
    return proxied_trees().map(_resolved)


def _resolved(tree: Mapping[str, Any]) -> StackConfig:
    return resolve(tree)
