"""What an error or a warning says of the place: the path that the stack file has, once."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import keys_of, path_of
from render import recorder
from render.recorder import plain

keys = st.lists(st.text(min_size=1, max_size=80) | st.integers(0, 99), min_size=1)


@given(keys)
def test_a_path_has_all_keys(found: list[str | int]) -> None:
    assert keys_of(path_of(found)) == tuple(found)
    assert path_of(found).isprintable()


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (("proxy", "users", 0, "username"), "proxy.users[0].username"),
        (("databases", "a.b"), 'databases["a.b"]'),
        (("a", "x" * 81), f'a["{"x" * 79}\\u2026"]'),
        (("0", "1"), "0.1"),
    ],
)
def test_paths(found: tuple[str | int, ...], path: str) -> None:
    assert path_of(found) == path


BAD, GOOD = {"replicas": 99}, {"replicas": 3}


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({"database": BAD}, ["database.replicas"]),
        ({"database": BAD, "databases": {"a": {}, "b": {}}}, ["database.replicas"]),
        ({"databases": {"a": {"database": BAD}, "b": {}}}, ["databases.a.database.replicas"]),
        (
            {"database": BAD, "databases": {"a": {"database": BAD}, "b": {"database": GOOD}}},
            ["databases.a.database.replicas"],
        ),
        (
            {"apps": [{"name": "a", "databases": {"mysql": "owner"}}], "databases": {"a": {}}},
            ["apps[0].databases.mysql"],
        ),
        (
            {
                "apps": [{"name": "a", "databases": {"a": "owner"}, "default_database": "a"}],
                "databases": {
                    "a": {"apps": [{"name": "a", "databases": {"a": "owner", "b": "owner"}}]}
                },
            },
            ["databases.a.apps[0]"],
        ),
        ({"images": {"database": {"tag": "x"}}, "databases": {"a": {}}}, ["databases.a.database"]),
        ({"databases": {"a.b": {}}}, ['databases["a.b"]']),
    ],
)
def test_a_fault_is_where_the_stack_file_has_it(config: dict[str, Any], paths: list[str]) -> None:
    recording = recorder.run({"size": "small", **config})
    found = [line.split(": ")[0] for line in (recording.error or "").splitlines()]
    assert len(found) == len(paths)
    for path, one in zip(paths, found, strict=True):
        assert one.startswith(f"mysql-ha:{path}"), recording.error


def test_a_password_of_all_databases_has_their_path() -> None:
    config: dict[str, Any] = {
        "credentials": {"monitor": {"password": "CANARYshort"}},
        "databases": {"a": {}},
    }
    error = recorder.run({"size": "small", **config}, secret_keys=("credentials",)).error
    assert error and error.startswith("mysql-ha:credentials.monitor.password: ")
    assert len(error.splitlines()) == 1 and "CANARY" not in error


def test_an_edit_has_the_path_of_today() -> None:
    first = recorder.run({"size": "small", "name": "orders"})
    config = {"size": "small", "databases": {"orders": {"namespace": "shop"}}}
    error = recorder.run(config, previous=plain(first.outputs)).error
    assert error and error.startswith("mysql-ha:databases.orders.namespace: ")


# --- warnings ---


def warned(monkeypatch: pytest.MonkeyPatch, config: Mapping[str, Any]) -> list[str]:
    """The paths of what an accepted config is warned of."""
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    recording = recorder.run(config)
    assert recording.error is None
    return [text.removeprefix("mysql-ha:").split(": ")[0] for text in said]


SMALL: dict[str, Any] = {"size": "small", "backup": {"enabled": False}}
OFF: dict[str, Any] = {**SMALL, "proxy": {"enabled": False}}


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        (SMALL, []),
        (OFF, []),
        ({"size": "small"}, ["backup.store"]),
        ({"size": "large", "engine": "percona", "proxy": OFF["proxy"]}, ["backup.store"]),
        (
            {"size": "small", "databases": {"a": {}, "b": {"size": "dev"}}},
            ["backup.store"],
        ),
        ({**OFF, "proxy": {"enabled": False, "threads": 2}}, ["proxy.threads"]),
        ({**OFF, "images": {"proxy": {"tag": "3.0.11"}}}, ["images.proxy"]),
        ({**OFF, "credentials": {"monitor": {"rotation": 1}}}, ["credentials.monitor"]),
        (
            {**SMALL, "proxy": {"hostgroups": {"offline": 99}}},
            ["proxy.hostgroups.offline"],
        ),
        ({**SMALL, "proxy": {"service": {"admin_port": 7}}}, ["proxy.service.admin_port"]),
        (
            {**SMALL, "proxy": {"storage": {"storage_class": "fast"}}},
            ["proxy.storage.storage_class"],
        ),
        (
            {"security": {"network_policy": {"clients_from": ["a"]}}, "proxy": {"enabled": True}},
            ["security.network_policy.clients_from"],
        ),
        ({**SMALL, "proxy": {"paused": True}}, ["proxy.paused"]),
        ({"security": {"tls": {"required": True}}}, ["security.tls.required"]),
        ({"images": {"data_plane": {"tag": "25.10.4"}}}, ["images.data_plane"]),
        ({"credentials": {"replication": {"rotation": 0}}}, ["credentials.replication"]),
        ({"credentials": {"heartbeat": {"rotation": 1}}}, ["credentials.heartbeat"]),
        ({"database": {"topology": "galera", "replicas": 3}}, ["security.tls.enabled"]),
        (
            {**OFF, "database": {"semi_sync_timeout": "24h"}},
            ["database.semi_sync_timeout"],
        ),
        (
            {**OFF, "databases": {"a": {"proxy": {"threads": 2, "enabled": False}}, "b": {}}},
            ["databases.a.proxy.threads"],
        ),
    ],
)
def test_what_is_accepted_and_has_no_effect_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], paths: list[str]
) -> None:
    assert warned(monkeypatch, config) == paths


def test_a_login_for_statistics_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """By it the other passwords can be read (docs/security.md)."""
    config = {
        "size": "small",
        "proxy": {"stats_readers": [{"namespace": "monitoring"}]},
        "backup": {"enabled": False},
    }
    assert warned(monkeypatch, config) == ["proxy.stats_readers"]


def test_an_open_admin_port_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    service = {"type": "NodePort", "expose_admin": True, "admin_node_port": 30100}
    closed = {"security": {"network_policy": {"enabled": True}}}
    config: dict[str, Any] = {"size": "dev", "proxy": {"enabled": True, "service": service}}
    assert warned(monkeypatch, config) == ["proxy.service.admin_node_port"]
    assert warned(monkeypatch, {**config, **closed}) == []


# --- keys of others ---


@pytest.mark.parametrize(
    "key",
    ["kubernetes:context", "kubernetes:kubeClientSettings.qps", "pulumi:tags", "aws:region"],
)
def test_keys_of_others_are_left_alone(key: str) -> None:
    assert recorder.run({key: "x"}).error is None
