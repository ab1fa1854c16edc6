"""Values of ProxySQL's variables; tests/dataplane/test_variables.py asks ProxySQL itself."""

from typing import Any

import pytest

from components.config.errors import ConfigError
from components.config.load import resolve
from components.config.proxy import Monitor, Proxy
from components.config.proxysql_variables import (
    ADMIN_VARIABLES,
    MYSQL_VARIABLES,
    RESERVED_VARIABLES,
    Number,
    Switch,
    Value,
)
from components.proxysql.self_check import self_check
from tests.unit.models import cnf_model, config

KNOWN = {"admin_variables": ADMIN_VARIABLES, "mysql_variables": MYSQL_VARIABLES}


def refusal(kind: str, variables: dict[str, Any], **proxy: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve({"size": "small", "proxy": {**proxy, kind: variables}})
    return str(caught.value)


OWN_KEYS = {
    key: name
    for name, (rule, _) in RESERVED_VARIABLES["mysql_variables"].items()
    if (key := rule.removeprefix("is decided by ")).startswith("proxy.")
    and isinstance(MYSQL_VARIABLES[name], Number)
    and key.rpartition(".")[2] in (*Proxy.model_fields, *Monitor.model_fields)
    and key not in ("proxy.routing",)
}
"""Variables that have a key of their own, by its path."""


@pytest.mark.parametrize("key", OWN_KEYS)
def test_a_key_has_the_limits_of_its_variable(key: str) -> None:
    """ProxySQL would run on with its own value, and no Pod become ready."""
    known = MYSQL_VARIABLES[OWN_KEYS[key]]
    assert isinstance(known, Number)
    _, *path, last = key.split(".")
    for value in (known.least - 1, known.most + 1):
        tree: dict[str, Any] = {last: value}
        for name in reversed(path):
            tree = {name: tree}
        with pytest.raises(ConfigError) as caught:
            resolve({"size": "small", "proxy": tree})
        assert f"{key}: " in str(caught.value)
    model = Monitor if path else Proxy
    schema = model.model_json_schema()["properties"][last]
    found = next((s for s in schema.get("anyOf", []) if "minimum" in s), schema)
    assert (found["minimum"], found["maximum"]) == (known.least, known.most)


def test_keys_with_limits_are_found() -> None:
    assert len(OWN_KEYS) == 13


@pytest.mark.parametrize("value", [True, False, 0, 1, "0", "1", "true", "FALSE"])
def test_a_switch(value: Value) -> None:
    variables = {"verbose_query_error": value}
    on = str(value).lower() in ("1", "true")
    shown = f"'mysql-verbose_query_error' AND variable_value='{str(on).lower()}')=1"
    assert shown in self_check(cnf_model(config(proxy={"mysql_variables": variables})))


@pytest.mark.parametrize("value", ["off", "on", 2, -1, "", "yes", " 1"])
def test_what_is_no_switch(value: Value) -> None:
    said = refusal("mysql_variables", {"verbose_query_error": value})
    assert "proxy.mysql_variables.verbose_query_error: must be true, false, 1 or 0" in said


@pytest.mark.parametrize("value", [99, 604_800_001, -1, True, "1e3", "0200", "", " 200", "٢٠٠"])
def test_what_is_no_number_of_a_range(value: Value) -> None:
    said = refusal("mysql_variables", {"monitor_query_interval": value})
    assert "must be a whole number from 100 to 604800000" in said


@pytest.mark.parametrize("value", [100, 604_800_000, "200"])
def test_a_number_of_a_range(value: Value) -> None:
    own = config(proxy={"mysql_variables": {"monitor_query_interval": value}})
    shown = f"'mysql-monitor_query_interval' AND variable_value='{value}')=1"
    assert shown in self_check(cnf_model(own))


def test_a_number_that_proxysql_would_round() -> None:
    said = refusal("admin_variables", {"stats_mysql_connections": 20})
    assert "must be one of 0, 1, 5, 10, 30, 60, 120, 300. " in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_charset", "utf9"),
        ("default_charset", "UTF8"),
        ("default_charset", "utf16"),
        ("default_collation_connection", "utf8mb4_nonsense_ci"),
        ("default_schema", ""),
        ("default_session_track_gtids", "off"),
        ("eventslog_filename", "/var/log/events"),
        ("eventslog_filename", ".."),
        ("init_connect", "(null)"),
        ("keep_multiplexing_variables", "a, b"),
        ("monitor_replication_lag_use_percona_heartbeat", "heartbeat"),
        ("proxy_protocol_networks", "*"),
        ("proxy_protocol_networks", "10.0.0.0"),
        ("proxy_protocol_networks", "10.0.0.0/8, 192.168.0.0/16"),
        ("proxy_protocol_networks", "10.0.0.0/33"),
        ("init_connect", 5),
    ],
)
def test_a_text_that_is_not_taken(name: str, value: Value) -> None:
    assert f"proxy.mysql_variables.{name}: must be " in refusal("mysql_variables", {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_charset", "utf8mb4"),
        ("default_collation_connection", "utf8mb4_unicode_ci"),
        ("eventslog_filename", "events.log"),
        ("init_connect", "SET NAMES utf8mb4"),
        ("init_connect", ""),
        ("keep_multiplexing_variables", "tx_isolation,version"),
        ("proxy_protocol_networks", "10.0.0.0/8,fe80::/10"),
    ],
)
def test_a_text_that_is_taken(name: str, value: str) -> None:
    config(proxy={"mysql_variables": {name: value}})


def test_character_set_and_collation_agree() -> None:
    """ProxySQL would change one of them, and the self-check would wait for ever."""
    both = {"default_charset": "latin1", "default_collation_connection": "utf8mb4_bin"}
    assert "default_collation_connection: is not of default_charset" in refusal(
        "mysql_variables", both
    )
    config(proxy={"mysql_variables": {**both, "default_charset": "utf8mb4"}})


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in KNOWN for name in RESERVED_VARIABLES[kind]],
)
def test_what_breaks_the_tier_is_refused_with_the_reason(kind: str, name: str) -> None:
    said = refusal(kind, {name: 1})
    rule, _ = RESERVED_VARIABLES[kind][name]
    assert said.startswith(f"mysql-ha:proxy.{kind}.{name}: {rule}. Fix: remove it")
    assert said.count("\n") == 0


def test_reserved_variables_exist() -> None:
    for kind, known in KNOWN.items():
        assert RESERVED_VARIABLES[kind].keys() <= known.keys()


def test_no_client_is_dropped_at_once() -> None:
    assert "0 would end every client's connection" in refusal(
        "mysql_variables", {"wait_timeout": 0}
    )


@pytest.mark.parametrize("kind", KNOWN)
def test_every_limit_can_be_set(kind: str) -> None:
    """But for rules that look at more than one value."""
    values: dict[str, Value] = {
        name: known.most if isinstance(known, Number) and not known.steps else True
        for name, known in KNOWN[kind].items()
        if name not in RESERVED_VARIABLES[kind]
        and (isinstance(known, Switch) or (isinstance(known, Number) and not known.steps))
    }
    values.pop("connection_max_age_ms", None)
    config(proxy={kind: values})
