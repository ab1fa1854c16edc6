"""Which edits of a database that exists are refused, and which are not."""

import inspect
import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given

from components.config.errors import ConfigError
from components.config.load import Loaded, Stack, merge, resolve
from components.config.stack import StackConfig
from components.guards import edits, immutable
from components.guards.edits.warnings import warnings
from tests.unit.models import proxied_configs

BASE: dict[str, Any] = {"size": "small", "name": "orders", "namespace": "shop"}
REF = {"existing_secret": {"name": "s", "key": "k"}}


def facts(*configs: StackConfig) -> dict[str, Any]:
    """What a stack of these databases exports as `immutable`."""
    loaded = tuple(Loaded(config=config, passwords={}) for config in configs)
    return immutable.of(Stack(databases=loaded, several=len(loaded) > 1, retire=()))


def edited(edit: dict[str, Any], base: dict[str, Any] = BASE) -> dict[str, Any]:
    return facts(resolve(merge(base, edit)))


@given(proxied_configs())
def test_no_edit_is_no_fault(config: StackConfig) -> None:
    immutable.check(facts(config), facts(config))


def test_a_new_stack_knows_nothing() -> None:
    immutable.check({}, edited({}))


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        ({"namespace": "elsewhere"}, "namespace"),
        ({"name": "other"}, "name"),
        ({"database": {"topology": "galera"}}, "database.topology"),
        ({"database": {"topology": "standalone", "replicas": 1}}, "database.topology"),
        ({"database": {"storage": {"size": "9Gi"}}}, "database.storage.size"),
        ({"database": {"storage": {"size": "10239Mi"}}}, "database.storage.size"),
        ({"database": {"storage": {"storage_class": "fast"}}}, "database.storage.storage_class"),
        ({"credentials": {"root": REF}}, "credentials.root"),
        ({"credentials": {"root": {"password": "(secret)"}}}, "credentials.root"),
        ({"credentials": {"replication": REF}}, "credentials.replication"),
        ({"images": {"pull_secrets": ["registry"]}}, "images.pull_secrets"),
    ],
    ids=str,
)
def test_refused(edit: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"^mysql-ha:{path}: .*Fix: "):
        immutable.check(edited({}), edited(edit))


def test_all_faults_of_an_edit_are_told_at_once() -> None:
    """Also those of another database, and nothing is warned of beside."""
    edit = {
        "namespace": "elsewhere",
        "database": {"storage": {"size": "9Gi", "storage_class": "fast"}},
        "credentials": {"root": REF},
        "images": {"pull_secrets": ["registry"]},
    }
    other = resolve({**BASE, "name": "stock"})
    with pytest.raises(ConfigError) as caught:
        immutable.check(facts(resolve(BASE), other), edited(edit))
    assert [path for path, _, _ in caught.value.faults] == [
        "credentials.root",
        "database.storage.size",
        "database.storage.storage_class",
        "images.pull_secrets",
        "name",
        "namespace",
    ]


def test_every_rule_of_an_edit_is_run() -> None:
    modules = [module for module in vars(edits).values() if inspect.ismodule(module)]
    written = [
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isgeneratorfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if list(inspect.signature(function).parameters) == ["name", "before", "now"]
    ]
    folder = Path(str(edits.__file__)).parent
    assert len(modules) == len([*folder.glob("[a-z]*.py")])
    assert sorted(map(id, written)) == sorted(map(id, (*edits.RULES, warnings)))


def test_going_from_standalone_to_replication_names_the_migration() -> None:
    dev = {"size": "dev", "name": "orders"}
    with pytest.raises(ConfigError, match=r"database.topology: .*docs/migration.md"):
        immutable.check(edited({}, dev), edited({"size": "small"}, dev))


@pytest.mark.parametrize(
    "edit",
    [
        {"database": {"storage": {"size": "11Gi"}}},
        {"database": {"storage": {"size": "10240Mi"}}},
        {"database": {"replicas": 2}},
        {"database": {"resources": {"limits": {"cpu": "2"}}}},
        {"database": {"my_cnf": "innodb_flush_log_at_trx_commit = 2"}},
        {"proxy": {"replicas": 2}},
        {"proxy": {"enabled": False}},
        {"credentials": {"monitor": {"rotation": 1}}},
        {"credentials": {"monitor": REF}},
        {"images": {"database": {"tag": "11.8.6"}}},
        {"security": {"protect": False}},
    ],
    ids=str,
)
def test_allowed(edit: dict[str, Any]) -> None:
    immutable.check(edited({}), edited(edit))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # 5 x 80 of 400 connections, then 6 x 40: five and a new one could hold 5 x 80 + 40.
        ({"replicas": 5}, {"replicas": 6}),
        ({"replicas": 6}, {"replicas": 5}),
        ({"replicas": 1}, {"replicas": 3}),
        ({"max_replicas": 3}, {"replicas": 5}),
        ({"backend_max_connections": 133}, {"replicas": 5}),
        ({"backend_max_connections": 133}, {"replicas": 5, "backend_max_connections": 80}),
    ],
    ids=str,
)
def test_proxies_that_scale_and_share_out_anew_at_once(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """The way that the message tells is open: between both, the fewer with the more's share."""
    one, other = ({"replicas": 3, **proxy} for proxy in (before, after))
    steps = [edited({"proxy": proxy}) for proxy in (one, other)]
    with pytest.raises(ConfigError, match=r"^mysql-ha:proxy.replicas: .*Fix: "):
        immutable.check(*steps)
    fewer, more = sorted(proxy["replicas"] for proxy in (one, other))
    between = edited({"proxy": {"replicas": fewer, "max_replicas": more}})
    immutable.check(steps[0], between)
    immutable.check(between, edited({"proxy": {"replicas": more, "max_replicas": more}}))
    immutable.check(between, steps[1])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"replicas": 3}, {"replicas": 5}),
        ({"replicas": 5}, {"replicas": 2}),
        ({"replicas": 6}, {"replicas": 9}),
        ({"replicas": 3}, {"replicas": 3, "max_replicas": 3}),
        ({"replicas": 3, "max_replicas": 8}, {"replicas": 8}),
        ({"replicas": 3}, {"replicas": 4, "backend_max_connections": 60}),
    ],
    ids=str,
)
def test_proxies_may_scale_within_their_shares(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    immutable.check(edited({"proxy": before}), edited({"proxy": after}))


def test_a_second_database_may_come() -> None:
    one, two = resolve(BASE), resolve({**BASE, "name": "stock"})
    immutable.check(facts(one), facts(one, two))


def test_a_database_leaves_only_when_it_is_retired() -> None:
    one, two = resolve(BASE), resolve({**BASE, "name": "stock"})
    with pytest.raises(ConfigError, match="'stock'.*delete.*add 'stock' to retire"):
        immutable.check(facts(one, two), facts(one))
    immutable.check(facts(one, two), facts(one), retire=["stock"])


def test_to_retire_a_database_does_not_excuse_another() -> None:
    with pytest.raises(ConfigError, match="'orders'"):
        immutable.check(edited({}), edited({"name": "stock"}), retire=["stock"])


# --- the proxies' volumes: claims of a StatefulSet cannot change ---

PERSISTENT = {"proxy": {"storage": {"persistent": True, "size": "2Gi"}}}


@pytest.mark.parametrize(
    "edit",
    [
        {"proxy": {"storage": {"size": "3Gi"}}},
        {"proxy": {"storage": {"storage_class": "fast"}}},
        {"proxy": {"storage": {"persistent": False}}},
    ],
    ids=str,
)
def test_proxy_volumes_cannot_change(edit: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="proxy.storage"):
        immutable.check(edited(PERSISTENT), edited(merge(PERSISTENT, edit)))


BALANCED: dict[str, Any] = {
    **BASE,
    "proxy": {"service": {"type": "LoadBalancer", "load_balancer_class": "a"}},
}


@pytest.mark.parametrize("value", ["b", None])
@pytest.mark.parametrize("managed_by", ["mysql-ha", "operator"])
def test_a_load_balancer_keeps_its_class(value: str | None, managed_by: str) -> None:
    """Kubernetes refuses the edit, after the proxies have rolled."""
    base = BALANCED | ({"engine": "percona"} if managed_by == "operator" else {})
    edit = {"proxy": {"service": {"load_balancer_class": value}}}
    with pytest.raises(ConfigError, match=r"^mysql-ha:proxy\.service\.load_balancer_class: "):
        immutable.check(edited({}, base), edited(edit, base))
    gone = {"proxy": {"service": {"type": "ClusterIP", "load_balancer_class": None}}}
    immutable.check(edited({}, base), edited(gone, base))
    immutable.check(edited(gone, base), edited({}, base))


def test_proxies_may_go_with_their_volumes() -> None:
    """The fix that the refusal itself names."""
    immutable.check(edited(PERSISTENT), edited(merge(PERSISTENT, {"proxy": {"enabled": False}})))


def test_running_proxies_cannot_gain_volumes() -> None:
    with pytest.raises(ConfigError, match="proxy.storage"):
        immutable.check(edited({}), edited(PERSISTENT))


def test_the_size_limit_of_an_empty_dir_may_change() -> None:
    immutable.check(edited({}), edited({"proxy": {"storage": {"size": "3Gi"}}}))


def test_the_servers_authority_stays() -> None:
    issuer = {"security": {"tls": {"issuer": {"name": "company"}}}}
    secret = {"security": {"tls": {"secret": "own"}}}
    for before, after in (({}, issuer), (issuer, secret), (secret, {})):
        with pytest.raises(ConfigError, match=r"mysql-ha:security\.tls: "):
            immutable.check(edited(before), edited(after))
    immutable.check(edited({"security": {"tls": {"enabled": False}}}), edited(OPTIONAL))


OPTIONAL = {"security": {"tls": {"required": False}}}
PERCONA = {"engine": "percona"}
WITHOUT_PROXIES = {"engine": "percona", "proxy": {"enabled": False}}


def test_a_cluster_does_not_shrink_to_one_node() -> None:
    one = edited({**PERCONA, "database": {"replicas": 1}})
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.replicas: "):
        immutable.check(edited(PERCONA), one)
    immutable.check(edited({**PERCONA, "database": {"replicas": 5}}), edited(PERCONA))


def test_to_give_up_the_operators_proxies_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    immutable.check(edited(PERCONA), edited(WITHOUT_PROXIES))
    assert len(said) == 1
    assert "cannot get it again" in said[0]
    with pytest.raises(ConfigError, match=r"mysql-ha:proxy\.managed_by: "):
        immutable.check(edited(WITHOUT_PROXIES), edited(PERCONA))


def test_the_operators_proxies_keep_their_volumes() -> None:
    """Without the advice to remove them, which would be final."""
    larger = edited({**PERCONA, "proxy": {"storage": {"size": "9Gi"}}})
    with pytest.raises(ConfigError, match=r"proxy\.storage: .* Fix: undo the edit\.$"):
        immutable.check(edited(PERCONA), larger)


# --- what is immutable ---


def without_nulls(value: Any) -> Any:
    """As the SDK reads outputs back: members that are null are gone."""
    if isinstance(value, dict):
        members = cast(dict[str, Any], value).items()
        return {key: without_nulls(below) for key, below in members if below is not None}
    return value


@given(proxied_configs())
def test_it_survives_being_read_back(config: StackConfig) -> None:
    assert without_nulls(facts(config)) == facts(config)


@pytest.mark.parametrize("field", ["engine", "namespace", "topology", "storage", "root"])
@pytest.mark.parametrize("edit", [{}, PERSISTENT], ids=str)
def test_a_field_that_an_older_program_did_not_export_is_not_compared(
    edit: dict[str, Any], field: str
) -> None:
    known = edited(edit)
    del known["orders"][field]
    immutable.check(known, edited(edit))


@given(proxied_configs())
def test_facts_without_fields_agree_with_every_config(config: StackConfig) -> None:
    immutable.check({config.name: {}}, facts(config))


def test_it_is_plain_and_without_secrets() -> None:
    found = edited({"credentials": {"root": REF, "replication": {"password": "(secret)"}}})
    assert found == {
        "orders": {
            "engine": "mariadb",
            "namespace": "shop",
            "topology": "replication",
            "version": "11.8.5",
            "storage": {"size": "10Gi"},
            "root": "Secret s, key k",
            "replication": "config",
            "replicas": 3,
            "clients": "named",
            "tls": "required",
            "tls_source": "the operator",
            "proxy_managed_by": "mysql-ha",
            "monitor": "proxysql_monitor",
            "monitor_rotation": 0,
            "proxies": {"replicas": 3, "connections": 80, "budget": 400},
            "proxy_volumes": "none",
        }
    }


# --- apps: what would cut one off is refused, and what stays or goes is said ---

SHOP: dict[str, Any] = {"name": "shop", "databases": {"shop": "owner"}}
BILLING: dict[str, Any] = {"name": "billing", "databases": {"billing": "readwrite"}}


def with_apps(*apps: dict[str, Any], engine: str = "mariadb") -> dict[str, Any]:
    """The facts of a database with these apps, as the SDK reads them back."""
    found = facts(resolve({**BASE, "engine": engine, "apps": list(apps)}))
    return without_nulls(json.loads(json.dumps(found)))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is warned of."""
    texts: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", texts.append)
    return texts


def test_apps_that_come_or_stay_are_nothing_to_warn_of(said: list[str]) -> None:
    immutable.check(edited({}), with_apps(SHOP))
    immutable.check(with_apps(SHOP), with_apps(SHOP, BILLING))
    immutable.check(with_apps(SHOP, BILLING), with_apps(BILLING, SHOP))
    assert said == []


def with_store(bucket: str = "abc", **backup: Any) -> dict[str, Any]:
    store = {"s3": {"endpoint": "s3.example.com", "bucket": bucket}}
    return edited({"backup": {"store": store, **backup}})


def test_backups_that_begin_or_stay_are_nothing_to_warn_of(said: list[str]) -> None:
    immutable.check(edited({}), with_store())
    immutable.check(with_store(), with_store(schedule="0 5 * * *"))
    assert said == []


@pytest.mark.parametrize("now", [edited({}), with_store(enabled=False)])
def test_a_database_that_is_backed_up_no_more(said: list[str], now: dict[str, Any]) -> None:
    immutable.check(with_store(), now)
    (text,) = said
    assert text.startswith("database 'orders' is backed up no more. What is in s3://abc/")


def test_percona_s_operator_goes_on_without_a_store(said: list[str]) -> None:
    percona = {"engine": "percona"}
    stored = merge(percona, {"backup": {"store": {"volume": {"size": "9Gi"}}}})
    no_drill = {"backup": {"drill": {"enabled": False}}}
    immutable.check(edited(merge(stored, no_drill)), edited(percona))
    assert [text.split(" stays")[0] for text in said] == [
        "database 'orders' is backed up no more. What is in volume",
        "the operator of database 'orders' ends its backups only if backup.store",
    ]


def on_volume(volume: dict[str, Any] | None = None, **backup: Any) -> dict[str, Any]:
    store = {"volume": {"size": "9Gi", **(volume or {})}}
    return edited({"backup": {"store": store, **backup}})


@pytest.mark.parametrize(
    "edit",
    [
        {"schedule": "0 5 * * *"},
        {"volume": {"size": "10Gi"}},
        {"volume": {"storage_class": "fast"}},
        {"volume": {"access_mode": "ReadWriteMany"}},
    ],
    ids=str,
)
def test_backups_move_to_another_volume(said: list[str], edit: dict[str, Any]) -> None:
    """The operator fixes these, and the claim has the name of the object."""
    immutable.check(on_volume(), on_volume(**edit))
    (text,) = said
    assert re.fullmatch(
        r"database 'orders' is backed up to claim orders-backup-(\w+) from now on. "
        r"What is in claim orders-backup-(?!\1)\w+ stays, and nothing deletes it",
        text,
    )


def test_a_volume_stays_when_nothing_moves(said: list[str]) -> None:
    immutable.check(on_volume(), on_volume(timeout="1h", retention="100h"))
    assert said == []


@pytest.mark.parametrize("edit", [{"bucket": "other"}, {"generation": 2}, {"environment": "eu"}])
def test_a_new_place_leaves_the_old_backups(said: list[str], edit: dict[str, Any]) -> None:
    immutable.check(with_store(), with_store(**edit))
    (text,) = said
    assert text.startswith("database 'orders' is backed up to s3://")
    assert "/shop/orders/1 stays, and nothing deletes it" in text


def test_an_app_that_leaves_is_kept(said: list[str]) -> None:
    immutable.check(with_apps(SHOP, BILLING), with_apps(BILLING))
    assert said == [
        "app 'shop' leaves database 'orders': this update deletes its Secret, and the proxies of "
        "this program refuse its login",
        "database 'orders': these accounts leave the config and stay in the servers "
        "(cleanup: keep): 'shop'",
        "database 'orders': these databases leave the config and stay in the servers "
        "(cleanup: keep): 'shop'",
    ]


def test_the_last_app_may_leave(said: list[str]) -> None:
    """The facts then have no apps at all."""
    immutable.check(with_apps(SHOP), edited({}))
    assert len(said) == 3


def test_both_accounts_of_a_rotated_app_leave(said: list[str]) -> None:
    immutable.check(with_apps({**SHOP, "rotation": 2}, BILLING), with_apps(BILLING))
    assert said[1].endswith("(cleanup: keep): 'shop', 'shop_b'")


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_rotation_leaves_nothing_behind(said: list[str], n: int) -> None:
    immutable.check(
        with_apps({**SHOP, "rotation": n}), with_apps({**SHOP, "rotation": n + 1}, BILLING)
    )
    assert said == []


def test_a_rotation_by_two_is_warned_of(said: list[str]) -> None:
    immutable.check(with_apps(SHOP, BILLING), with_apps({**SHOP, "rotation": 2}, BILLING))
    (text,) = said
    assert (
        "app 'shop' of database 'orders': both logins change, as the rotation goes up by 2" in text
    )


def test_a_new_app_may_start_with_any_rotation(said: list[str]) -> None:
    immutable.check(with_apps(BILLING), with_apps(BILLING, {**SHOP, "rotation": 7}))
    assert said == []


def test_what_is_deleted_is_said_in_capitals(said: list[str]) -> None:
    """The edit may have been of `cleanup` too: what counts is what the objects have now."""
    immutable.check(with_apps({**SHOP, "cleanup": "delete"}, BILLING), with_apps(BILLING))
    assert said[0].startswith("app 'shop' leaves database 'orders': ")
    assert len(said) == 3
    assert all("are DELETED (cleanup: delete): 'shop'" in text for text in said[1:])


def test_a_database_that_another_app_has_stays(said: list[str]) -> None:
    other = {**BILLING, "databases": {"shop": "readonly"}}
    immutable.check(with_apps({**SHOP, "cleanup": "delete"}, other), with_apps(other))
    _, text = said
    assert "these accounts leave the config and are DELETED" in text


def test_a_shared_database_goes_only_when_all_say_so(said: list[str]) -> None:
    """As its object's policy does (components/apps.py)."""
    leaving = {**SHOP, "cleanup": "delete"}
    keeping = {**BILLING, "databases": {"shop": "readonly"}}
    immutable.check(with_apps(leaving, keeping), edited({}))
    (databases,) = [text for text in said if "databases leave" in text]
    assert "stay in the servers (cleanup: keep): 'shop'" in databases
    said.clear()
    immutable.check(with_apps(leaving, {**keeping, "cleanup": "delete"}), edited({}))
    assert ["are DELETED" in text for text in said] == [False, False, True, True]


def test_accounts_of_both_kinds_are_told_apart(said: list[str]) -> None:
    immutable.check(with_apps(SHOP, {**BILLING, "cleanup": "delete"}), edited({}))
    assert len(said) == 6
    assert [("DELETED" in text, text.rpartition(": ")[2]) for text in said[2:]] == [
        (False, "'shop'"),
        (True, "'billing'"),
    ] * 2


def test_a_database_may_leave_alone(said: list[str]) -> None:
    both = {"databases": {"shop": "owner", "stock": "owner"}, "default_database": "shop"}
    before = {**SHOP, **both}
    immutable.check(with_apps(before), with_apps(SHOP))
    (text,) = said
    assert "these databases leave the config and stay in the servers" in text
    assert text.endswith(": 'stock'")


def test_perconas_operator_revokes_nothing(said: list[str]) -> None:
    before = {**SHOP, "databases": {"shop": ["SELECT", "INSERT", "DROP"]}}
    after = {**SHOP, "databases": {"shop": ["SELECT", "UPDATE"]}}
    immutable.check(with_apps(before, engine="percona"), with_apps(after, engine="percona"))
    (text,) = said
    assert text.startswith("database 'orders': app 'shop' keeps INSERT, DROP until you revoke")


def test_more_privileges_are_nothing_to_warn_of(said: list[str]) -> None:
    before = {**SHOP, "databases": {"shop": "readonly"}}
    after = {**SHOP, "databases": {"shop": "readwrite"}}
    immutable.check(with_apps(before, engine="percona"), with_apps(after, engine="percona"))
    assert said == []


def test_grants_of_the_other_engine_go_with_their_objects(said: list[str]) -> None:
    after = {**SHOP, "databases": {"shop": "readonly"}}
    immutable.check(with_apps(SHOP), with_apps(after))
    assert said == []


def test_apps_among_the_facts_are_plain() -> None:
    assert with_apps({**SHOP, "rotation": 1, "password": None})["orders"]["apps"] == {
        "shop": {
            "account": "shop",
            "accounts": ["shop_b", "shop"],
            "databases": ["shop"],
            "cleanup": "keep",
            "password": "generated",
            "rotation": 1,
        }
    }
    (found,) = with_apps(SHOP, engine="percona")["orders"]["apps"].values()
    assert found["privileges"] == ["ALL PRIVILEGES"]


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
def test_an_app_keeps_its_host(engine: str) -> None:
    """It is a part of the account; a program before this key made all for every host."""
    other = {**SHOP, "host": "10.%"}
    for before, after in ((SHOP, other), (other, SHOP)):
        with pytest.raises(ConfigError, match="'shop' of database 'orders' logs in from"):
            immutable.check(with_apps(before, engine=engine), with_apps(after, engine=engine))
    immutable.check(with_apps(other, engine=engine), with_apps(other, engine=engine))


def test_a_database_keeps_its_collation() -> None:
    """The operator's webhook refuses the edit; what a program before exported has no such fact."""
    other = {**SHOP, "collations": {"shop": "utf8mb4_bin"}}
    reader = {"name": "reports", "databases": {"shop": "readonly"}}
    for before, after in ((SHOP, other), (other, SHOP)):
        with pytest.raises(ConfigError, match="'shop' of 'orders' was made with the collation"):
            immutable.check(with_apps(before), with_apps(after))
    # Whichever of its apps says so.
    said = {**reader, "collations": {"shop": "utf8mb4_bin"}}
    immutable.check(with_apps(other, reader), with_apps(SHOP, said))
    new = {**SHOP, "databases": {"shop": "owner", "stock": "owner"}, "default_database": "shop"}
    immutable.check(with_apps(SHOP), with_apps({**new, "collations": {"stock": "binary"}}))


# --- apps: edits that are refused ---

STORED: dict[str, Any] = {**SHOP, **REF}
INLINE: dict[str, Any] = {**SHOP, "password": "(secret)"}
"""The same app with a password that is given."""


TWO = "add a second app with another account"
REFUSED_OF_APPS: list[tuple[list[dict[str, Any]], list[dict[str, Any]], str, str]] = [
    # (apps before, apps after, piece of the rule, start of the fix)
    ([SHOP], [{**SHOP, "username": "store"}], "'shop' of database 'orders' has another user", TWO),
    ([{**SHOP, "username": "store"}], [SHOP], "has another username than before", TWO),
    ([SHOP], [INLINE], "has another source of its password than before", TWO),
    ([SHOP], [STORED], "has another source of its password than before", TWO),
    ([INLINE], [SHOP], "has another source of its password than before", TWO),
    ([STORED], [SHOP], "has another source of its password than before", TWO),
    # Another app takes the account over: of one that leaves, and of one that stays.
    (
        [SHOP],
        [{**SHOP, "name": "store", "username": "shop"}],
        "app 'store' of database 'orders' has the account of app 'shop'",
        TWO,
    ),
    (
        [{**SHOP, "rotation": 1}],
        [{**INLINE, "name": "store", "username": "shop_b"}],
        "app 'store' of database 'orders' has the account of app 'shop'",
        TWO,
    ),
    (
        [SHOP, BILLING],
        [{**SHOP, "username": "billing"}, {**BILLING, "username": "shop"}],
        "has the account of app",
        TWO,
    ),
    # The login that the app's Secret names would stop working at once.
    *(
        (
            [BILLING, {**SHOP, "rotation": high}],
            [BILLING, {**SHOP, "rotation": low}],
            "app 'shop' of database 'orders' has a lower rotation",
            f"undo the edit; or, for a new login, set it to {high + 1}",
        )
        for high, low in ((1, 0), (2, 1), (7, 5))
    ),
]


@pytest.mark.parametrize(("before", "after", "rule", "fix"), REFUSED_OF_APPS, ids=str)
def test_a_login_that_an_app_holds_is_never_taken_away(
    before: list[dict[str, Any]], after: list[dict[str, Any]], rule: str, fix: str
) -> None:
    """Whoever reads the text knows which app of which database it is about, and what to do."""
    with pytest.raises(ConfigError) as error:
        immutable.check(with_apps(*before), with_apps(*after))
    lines = str(error.value).splitlines()
    for line in lines:
        assert line.startswith("mysql-ha:apps: app '"), line
        assert "of database 'orders'" in line
    (line, *_) = [line for line in lines if rule in line]
    assert f". Fix: {fix}" in line


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
@pytest.mark.parametrize(
    ("before", "edit"),
    [
        (
            SHOP,
            {"databases": {"shop": "readonly", "stock": "readonly"}, "default_database": "shop"},
        ),
        (SHOP, {"default_database": "shop"}),
        (SHOP, {"databases": {"shop": "readonly"}}),
        ({**SHOP, "databases": {"shop": "readonly"}}, {"databases": {"shop": ["DELETE"]}}),
        (SHOP, {"routing": "reader"}),
        (SHOP, {"max_connections": 5}),
        (SHOP, {"require_tls": True}),
        (SHOP, {"active": False}),
        ({**SHOP, "active": False, "require_tls": False}, {"active": True, "require_tls": None}),
        (SHOP, {"rotation": 1}),
        ({**SHOP, "rotation": 6}, {"rotation": 7}),
        # The name that it had anyway, spelled out.
        (SHOP, {"username": "shop"}),
        # A given password stays given, wherever it is kept.
        (STORED, {"existing_secret": {"name": "other", "key": "k"}}),
        (STORED, {"existing_secret": None, "password": "(secret)"}),
        (INLINE, {"password": None, **REF}),
    ],
    ids=str,
)
def test_an_edit_of_an_app_that_takes_no_login_away(
    engine: str, before: dict[str, Any], edit: dict[str, Any]
) -> None:
    one, other = (
        facts(
            resolve({**BASE, "engine": engine, "apps": [app], "proxy": {"managed_by": "mysql-ha"}})
        )
        for app in (before, {**before, **edit})
    )
    immutable.check(without_nulls(json.loads(json.dumps(one))), other)


@pytest.mark.parametrize(("first", "second"), [("keep", "delete"), ("delete", "keep")])
def test_what_becomes_of_an_app_may_change(said: list[str], first: str, second: str) -> None:
    immutable.check(with_apps({**SHOP, "cleanup": first}), with_apps({**SHOP, "cleanup": second}))
    assert said == []


def test_an_account_that_was_kept_may_have_another_app(said: list[str]) -> None:
    """It left with an earlier update, and no Secret holds its password any more."""
    again = {**SHOP, "name": "store", "username": "shop"}
    immutable.check(with_apps(BILLING), with_apps(BILLING, again))
    assert said == []


def test_apps_of_several_databases_are_apart() -> None:
    """The same account in another database is another account."""
    one = resolve({**BASE, "apps": [SHOP]})
    two = resolve({**BASE, "name": "stock", "apps": [{**SHOP, "name": "b", "username": "shop"}]})
    immutable.check(facts(one, two), facts(one, two))
    moved = resolve({**BASE, "name": "stock", "apps": [SHOP]})
    with pytest.raises(ConfigError, match="app 'shop' of database 'stock' has the account of"):
        immutable.check(facts(one, two), facts(one, moved))


# --- apps of a database that is given up ---


def test_data_of_a_retired_database_is_not_dropped_on_the_way() -> None:
    """Its volumes stay, and with `cleanup: delete` the operator would empty them before."""
    leaving = with_apps(BILLING, {**SHOP, "cleanup": "delete"})
    with pytest.raises(
        ConfigError,
        match=r"^mysql-ha:retire: app 'shop' of database 'orders' has cleanup: delete, .* Fix: set "
        r"cleanup to keep and run `pulumi up` before; or, to drop them, remove the app first\.$",
    ):
        immutable.check(leaving, {}, retire=["orders"])


def test_a_database_is_retired_once_its_data_is_kept(said: list[str]) -> None:
    immutable.check(with_apps(SHOP, BILLING), {}, retire=["orders"])
    immutable.check(edited({}), {}, retire=["orders"])
    # To retire one that stays says nothing about its apps.
    stays = with_apps({**SHOP, "cleanup": "delete"})
    immutable.check(stays, stays, retire=["orders"])
    assert said == []


# --- apps: privileges that Percona's operator leaves ---


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ({"shop": "readwrite"}, {"shop": "readonly"}, "INSERT, UPDATE, DELETE, CREATE TEMPORARY"),
        ({"shop": "owner"}, {"shop": "readonly"}, "ALL PRIVILEGES"),
        ({"shop": ["DROP"], "old": ["DROP"]}, {"shop": ["DROP"]}, "all on 'old'"),
        ({"shop": "readonly", "old": "readonly"}, {"shop": "owner"}, "all on 'old'"),
    ],
    ids=str,
)
def test_what_an_account_of_percona_keeps(
    said: list[str], before: dict[str, Any], after: dict[str, Any], kept: str
) -> None:
    one, other = ({**SHOP, "databases": d, "default_database": "shop"} for d in (before, after))
    immutable.check(with_apps(one, engine="percona"), with_apps(other, engine="percona"))
    (text,) = [text for text in said if "until you revoke it by hand" in text]
    assert text.startswith(f"database 'orders': app 'shop' keeps {kept}")


def test_who_may_do_everything_has_lost_nothing(said: list[str]) -> None:
    before = {**SHOP, "databases": {"shop": ["SELECT", "DROP"]}}
    immutable.check(with_apps(before, engine="percona"), with_apps(SHOP, engine="percona"))
    assert said == []


def monitored(rotation: int) -> dict[str, Any]:
    return {"credentials": {"monitor": {"rotation": rotation}}}


@pytest.mark.parametrize(("high", "low"), [(1, 0), (2, 1), (5, 2)])
def test_the_account_that_proxies_check_servers_with_is_not_taken_away(high: int, low: int) -> None:
    with pytest.raises(ConfigError) as caught:
        immutable.check(edited(monitored(high)), edited(monitored(low)))
    text = str(caught.value)
    assert text.startswith(
        "mysql-ha:credentials.monitor.rotation: the monitor of database 'orders'"
    )
    assert text.endswith(f"set it to {high + 1}.")


@pytest.mark.parametrize(
    ("last", "rotation", "warned"), [(0, 0, 0), (0, 1, 0), (1, 2, 0), (0, 2, 1)]
)
def test_a_jump_of_the_monitors_rotation_warns(
    last: int, rotation: int, warned: int, said: list[str]
) -> None:
    immutable.check(edited(monitored(last)), edited(monitored(rotation)))
    assert len(said) == warned
    assert all("the monitor of database 'orders': both logins change" in text for text in said)


def test_a_given_password_of_the_monitor_may_have_any_rotation() -> None:
    given = {"credentials": {"monitor": {**REF, "rotation": 3}}}
    for before, after in ((given, monitored(0)), (monitored(3), given), (given, {**given})):
        immutable.check(edited(before), edited(after))
