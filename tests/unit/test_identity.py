"""Which edits of a database that exists are refused, and which are not."""

from typing import Any, cast

import pytest
from hypothesis import given

from components import identity
from components.config import Loaded, Stack, merge, resolve
from components.errors import ConfigError
from components.schema import StackConfig
from tests.unit.models import proxied_configs

BASE: dict[str, Any] = {"size": "small", "name": "orders", "namespace": "shop"}
REF = {"existing_secret": {"name": "s", "key": "k"}}


def facts(*configs: StackConfig) -> dict[str, Any]:
    """The identity that a stack of these databases exports."""
    loaded = tuple(Loaded(config=config, passwords={}) for config in configs)
    return identity.of(Stack(databases=loaded, several=len(loaded) > 1, retire=()))


def edited(edit: dict[str, Any], base: dict[str, Any] = BASE) -> dict[str, Any]:
    return facts(resolve(merge(base, edit)))


@given(proxied_configs())
def test_no_edit_is_no_fault(config: StackConfig) -> None:
    identity.check(facts(config), facts(config))


def test_a_new_stack_knows_nothing() -> None:
    identity.check({}, edited({}))


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
        identity.check(edited({}), edited(edit))


def test_going_from_standalone_to_replication_names_the_migration() -> None:
    dev = {"size": "dev", "name": "orders"}
    with pytest.raises(ConfigError, match=r"database.topology: .*docs/migration.md"):
        identity.check(edited({}, dev), edited({"size": "small"}, dev))


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
    identity.check(edited({}), edited(edit))


def test_a_second_database_may_come() -> None:
    one, two = resolve(BASE), resolve({**BASE, "name": "stock"})
    identity.check(facts(one), facts(one, two))


def test_a_database_leaves_only_when_it_is_retired() -> None:
    one, two = resolve(BASE), resolve({**BASE, "name": "stock"})
    with pytest.raises(ConfigError, match="'stock'.*delete.*add 'stock' to retire"):
        identity.check(facts(one, two), facts(one))
    identity.check(facts(one, two), facts(one), retire=["stock"])


def test_to_retire_a_database_does_not_excuse_another() -> None:
    with pytest.raises(ConfigError, match="'orders'"):
        identity.check(edited({}), edited({"name": "stock"}), retire=["stock"])


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
        identity.check(edited(PERSISTENT), edited(merge(PERSISTENT, edit)))


def test_proxies_may_go_with_their_volumes() -> None:
    """The fix that the refusal itself names."""
    identity.check(edited(PERSISTENT), edited(merge(PERSISTENT, {"proxy": {"enabled": False}})))


def test_running_proxies_cannot_gain_volumes() -> None:
    with pytest.raises(ConfigError, match="proxy.storage"):
        identity.check(edited({}), edited(PERSISTENT))


def test_the_size_limit_of_an_empty_dir_may_change() -> None:
    identity.check(edited({}), edited({"proxy": {"storage": {"size": "3Gi"}}}))


def test_the_servers_authority_stays() -> None:
    issuer = {"security": {"tls": {"issuer": {"name": "company"}}}}
    secret = {"security": {"tls": {"secret": "own"}}}
    for before, after in (({}, issuer), (issuer, secret), (secret, {})):
        with pytest.raises(ConfigError, match=r"mysql-ha:security\.tls: "):
            identity.check(edited(before), edited(after))
    identity.check(edited({"security": {"tls": {"enabled": False}}}), edited(OPTIONAL))


OPTIONAL = {"security": {"tls": {"required": False}}}
PERCONA = {"engine": "percona"}
WITHOUT_PROXIES = {"engine": "percona", "proxy": {"enabled": False}}


def test_a_cluster_does_not_shrink_to_one_node() -> None:
    one = edited({**PERCONA, "database": {"replicas": 1}})
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.replicas: "):
        identity.check(edited(PERCONA), one)
    identity.check(edited({**PERCONA, "database": {"replicas": 5}}), edited(PERCONA))


def test_to_give_up_the_operators_proxies_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    identity.check(edited(PERCONA), edited(WITHOUT_PROXIES))
    assert len(said) == 1
    assert "cannot get it again" in said[0]
    with pytest.raises(ConfigError, match=r"mysql-ha:proxy\.mode: "):
        identity.check(edited(WITHOUT_PROXIES), edited(PERCONA))


def test_the_operators_proxies_keep_their_volumes() -> None:
    """Without the advice to remove them, which would be final."""
    larger = edited({**PERCONA, "proxy": {"storage": {"size": "9Gi"}}})
    with pytest.raises(ConfigError, match=r"proxy\.storage: .* Fix: undo the edit\.$"):
        identity.check(edited(PERCONA), larger)


# --- what an identity is ---


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
    identity.check(known, edited(edit))


@given(proxied_configs())
def test_an_identity_without_fields_agrees_with_every_config(config: StackConfig) -> None:
    identity.check({config.name: {}}, facts(config))


def test_it_is_plain_and_without_secrets() -> None:
    found = edited({"credentials": {"root": REF, "replication": {"password": "(secret)"}}})
    assert found == {
        "orders": {
            "engine": "mariadb",
            "namespace": "shop",
            "topology": "replication",
            "storage": {"size": "10Gi"},
            "root": "Secret s, key k",
            "replication": "config",
            "replicas": 3,
            "tls": "required",
            "tls_source": "the operator",
            "proxy_mode": "standalone",
            "monitor": "proxysql_monitor",
            "proxy_volumes": "none",
        }
    }
