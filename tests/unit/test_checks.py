"""The rules between config keys: all faults at once, in one order, whatever the config is."""

import inspect
import itertools
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import checks
from components.config.checks import advice, unused
from components.config.errors import ConfigError, Fault
from components.config.load import merge, read, resolve
from tests.program import test_malformed as malformed

UNREADABLE = {"images": {"database": {"tag": "pxc-8.0"}}}
OURS = {"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}


def refusal(tree: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The faults of one database; an error that is none is one of the test."""
    try:
        resolve(tree)
    except ConfigError as error:
        return error.faults
    return ()


def paths(tree: Mapping[str, Any]) -> list[str]:
    return [path for path, _, _ in refusal(tree)]


def test_a_check_does_not_need_what_another_one_refuses() -> None:
    """ProxySQL's 8.x needs the version that cannot be read."""
    assert paths({**OURS, **UNREADABLE}) == ["database.version"]


def test_a_user_name_may_be_too_long_for_a_second_one() -> None:
    """`_b` is two characters more than the type of a user name takes."""
    app = {"name": "shop", "username": "x" * 80, "databases": {"shop": "owner"}}
    assert paths({"size": "small", "apps": [app]}) == ["apps[0].username"]


SMALL = {"size": "small"}
ALONE: dict[str, dict[str, Any]] = {
    "name": {"name": "x" * 60},
    "images.proxy.tag": {"images": {"proxy": {"tag": "2.7.3"}}},
    "images.exporter.tag": {
        "images": {"exporter": {"tag": "v0.14.0"}},
        "monitoring": {"scrape": "annotations"},
    },
    "images.database.tag": {"images": {"database": {"tag": "10.5.1"}}},
    "credentials.root.rotation": {"credentials": {"root": {"rotation": 1}}},
    "security.tls": {"security": {"tls": {"enabled": False, "secret": "s"}}},
    "scheduling.database.affinity.podAffinity": {
        "scheduling": {"database": {"affinity": {"podAffinity": {}}}}
    },
    "database.semi_sync_timeout": {
        "database": {"semi_sync_timeout": "1h"},
        "proxy": {"min_semi_sync_replicas": 0},
    },
    "proxy.users[0].username": {"proxy": {"users": [{"username": "root", "password": "(secret)"}]}},
    "proxy.query_rules[0].flag_in": {
        "proxy": {"query_rules": [{"rule_id": 1, "timeout": 100, "flag_in": 7}]}
    },
    "proxy.mysql_variables.threads": {"proxy": {"mysql_variables": {"threads": 2}}},
    "proxy.max_replication_lag": {"proxy": {"max_replication_lag": 5}},
    "proxy.max_replicas": {"proxy": {"max_replicas": 1}},
    "percona": {"percona": {"log_collector": True}},
    "apps[0].databases.mysql": {"apps": [{"name": "shop", "databases": {"mysql": "owner"}}]},
}
"""Of most modules of checks one fault, by the path that is refused."""


@pytest.mark.parametrize("path", ALONE)
def test_one_fault(path: str) -> None:
    assert paths(SMALL | ALONE[path]) == [path]


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(ALONE, 2)])
def test_two_faults_are_told_at_once(one: str, other: str) -> None:
    both = merge(merge(SMALL, ALONE[one]), ALONE[other])
    assert refusal(both) == tuple(
        sorted((*refusal(SMALL | ALONE[one]), *refusal(SMALL | ALONE[other])))
    )


def test_all_faults_are_told_at_once() -> None:
    tree: dict[str, Any] = SMALL
    for overrides in ALONE.values():
        tree = merge(tree, overrides)
    assert paths(tree) == sorted(ALONE)


def test_indexes_are_in_the_order_of_numbers() -> None:
    app: dict[str, Any] = {"databases": {"mysql": "owner"}}
    found = paths({"size": "small", "apps": [{**app, "name": f"a{n}"} for n in range(11)]})
    assert found == [f"apps[{n}].databases.mysql" for n in range(11)]


def test_faults_of_all_databases_are_told_at_once() -> None:
    """Of the models, of the rules and between databases."""
    port = {"proxy": {"service": {"type": "NodePort", "node_port": 30001}}}
    section = {
        "mysql-ha:size": "small",
        "mysql-ha:databases": {
            "a": port,
            "b": port,
            "c": {"proxy": {"replicas": 99, "threads": 0}},
            "d": ALONE["images.proxy.tag"],
            "e": {"size": "huge", "engine": "oracle"},
            "f": {"name": "g"},
        },
    }
    with pytest.raises(ConfigError) as caught:
        read(section)
    assert [path for path, _, _ in caught.value.faults] == [
        "databases.b.proxy.service.node_port",
        "databases.c.proxy.replicas",
        "databases.c.proxy.threads",
        "databases.d.images.proxy.tag",
        "databases.e.engine",
        "databases.e.size",
        "databases.f.name",
    ]
    assert len(str(caught.value).splitlines()) == 7


# --- whatever the config is ---

CORPUS = [
    bad.config
    for bad in (*malformed.PLAIN, *malformed.APPS, *malformed.IMMUTABLE, *malformed.STORED_SECRETS)
    if "databases" not in bad.config and "retire" not in bad.config
]
"""What other tests refuse, by some stage or other."""


@pytest.fixture(scope="module")
def combined() -> list[Mapping[str, Any]]:
    """Configs of the corpus, each upon another: a sample of all pairs, the same every time."""
    chosen = random.Random(0).sample([*itertools.permutations(range(len(CORPUS)), 2)], 1500)
    return [merge(CORPUS[one], CORPUS[other]) for one, other in chosen]


def test_no_check_fails_whatever_others_refuse(combined: list[Mapping[str, Any]]) -> None:
    """Anything else than a ConfigError would leave `refusal`."""
    several = [tree for tree in combined if len(refusal(tree)) > 1]
    assert len(several) > 500


def mapping(
    required: dict[str, Any], optional: dict[str, Any] | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional or dict[str, Any]())


S3 = {"endpoint": "a", "bucket": "abc"}
STORES: list[dict[str, Any]] = [
    {"s3": {**S3, "allow_plain_http": True, "ca": {"name": "a", "key": "b"}}},
    {"s3": {**S3, "credentials": {"existing_secret": {"name": "a", "access_key": "b"}}}},
    {"azure": {"account": "abc", "container": "abc"}},
    {"volume": {"size": "1Gi"}},
]

trees = mapping(
    {"size": st.sampled_from(["dev", "small", "large"])},
    optional={
        "name": st.sampled_from(["a", "x" * 63]),
        "engine": st.sampled_from(["mariadb", "percona"]),
        "adopt": st.sampled_from(["none", "import", "take_over"]),
        "create_namespace": st.booleans(),
        "percona": st.sampled_from([None, {"cr_version": "1.2.3"}]),
        "backup": mapping(
            {},
            optional={
                "enabled": st.booleans(),
                "store": st.sampled_from([*STORES, None]),
                "schedule": st.sampled_from(["* * * * *", "0 0 29 2 *"]),
                "retention": st.sampled_from(["1s", "99999999h"]),
                "timeout": st.sampled_from(["1s", "99999999h"]),
                "staging": st.just({"storage_class": "a"}),
                "logical": st.just({"schedule": "0 0 1 1 *"}),
                "point_in_time": st.just({"enabled": True}),
            },
        ),
        "images": mapping(
            {}, optional={"database": st.just({"tag": "pxc-8.0"}), "proxy": st.just({"tag": "x"})}
        ),
        "database": mapping(
            {},
            optional={
                "topology": st.sampled_from(["standalone", "replication", "galera"]),
                "replicas": st.sampled_from([1, 2, 3, 9]),
                "version": st.sampled_from(["5.7", "9.1", "8" * 20]),
                "max_connections": st.sampled_from([20, 100_000]),
                "semi_sync": st.booleans(),
                "semi_sync_timeout": st.sampled_from(["1s", "99999999h"]),
                "my_cnf": st.just("a = {{ 1 }}"),
            },
        ),
        "proxy": mapping(
            {},
            optional={
                "enabled": st.booleans(),
                "managed_by": st.sampled_from(["mysql-ha", "operator"]),
                "routing": st.sampled_from(["monitor", "primary_service"]),
                "clustering": st.sampled_from(["membership", "runtime", "off"]),
                "replicas": st.sampled_from([1, 20]),
                "max_replicas": st.sampled_from([1, 20]),
                "backend_max_connections": st.sampled_from([1, 2**31 - 1]),
                "min_semi_sync_replicas": st.sampled_from([0, 8]),
                "read_write_split": st.booleans(),
                "mysql_variables": st.dictionaries(
                    st.sampled_from(
                        ["connect_timeout_server_max", "connection_max_age_ms", "multiplexing", ""]
                    ),
                    st.sampled_from([10**40, -1, True, "", "9" * 5000, "²", "true"]),
                ),
                "users": st.lists(mapping({"username": st.sampled_from(["root", "x" * 80])})),
                "query_rules": st.lists(
                    mapping(
                        {"rule_id": st.integers(1, 3), "timeout": st.just(100)},
                        optional={"username": st.sampled_from(["root", "x" * 80, "nobody"])},
                    )
                ),
            },
        ),
        "apps": st.lists(
            mapping(
                {
                    "name": st.sampled_from(["a", "root", "x" * 63]),
                    "databases": st.dictionaries(
                        st.sampled_from(["a_", "$_", "aa", "Mysql", "-"]),
                        st.sampled_from(["owner", ["SELECT"]]),
                        min_size=1,
                        max_size=1,
                    ),
                },
                optional={
                    "username": st.sampled_from(["x" * 80, "proxysql_monitor"]),
                    "routing": st.just("reader"),
                },
            ),
            max_size=4,
        ),
    },
)
"""Overrides that the models take for the most part, and the rules for the least."""


@given(trees, st.randoms(use_true_random=False))
def test_the_order_of_checks_never_matters(tree: dict[str, Any], chance: random.Random) -> None:
    """Nor does any of them fail."""
    first: list[ConfigError] = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            try:
                resolve(tree)
            except ConfigError as error:
                first.append(error)
            for module in (checks, unused):
                shuffled = chance.sample(module.RULES, len(module.RULES))
                patch.setattr(module, "RULES", tuple(shuffled))
            for engine, rules in checks.ENGINE_RULES.items():
                patch.setitem(checks.ENGINE_RULES, engine, tuple(chance.sample(rules, len(rules))))
    assert len({str(error) for error in first}) <= 1
    assert len(first) in (0, 2)


def test_every_rule_is_run_once() -> None:
    modules = [module for module in vars(checks).values() if inspect.ismodule(module)]
    written = [
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isgeneratorfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
    folder = Path(str(checks.__file__)).parent
    assert len(modules) == len([*folder.glob("[a-z]*.py")])
    run = [*checks.RULES, *unused.RULES, *advice.RULES, *advice.RULES_OF_ALL]
    for rules in checks.ENGINE_RULES.values():
        run += rules
    assert sorted(map(id, written)) == sorted(map(id, run))
