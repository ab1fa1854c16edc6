"""Encrypted values of a stack file: only passwords may be, and all of them must be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from render import recorder
from render.case import PREFIX, Case, case
from render.recorder import Recording
from tests.program.cases import by_id

SECURE = {"secure": "v1:ciphertext"}


def run(tmp_path: Path, config: dict[str, Any], secret_keys: tuple[str, ...] = ()) -> Recording:
    """A run whose stack file is there, `config` as YAML has it."""
    one = case("secret", config)
    (tmp_path / "Pulumi.yaml").write_text("name: mysql-ha\n")
    content = {"config": {f"{PREFIX}{key}": value for key, value in config.items()}}
    (tmp_path / "Pulumi.secret.yaml").write_text(yaml.safe_dump(content))
    keys = secret_keys or tuple({key for key in one.secret_keys})
    return recorder.run(
        one.config, secret_keys=keys, existing=one.existing, stack_name="secret", root=tmp_path
    )


def paths(recording: Recording) -> list[str]:
    assert recording.error is not None, "it was accepted"
    assert "CANARY" not in recording.error
    assert recording.resources == []
    return [line.split(": ")[0] for line in recording.error.splitlines()]


PASSWORD = {"monitor": {"password": SECURE}}
STORED = {"existing_secret": {"name": SECURE, "key": "k"}}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"namespace": SECURE}, "namespace"),
        ({"database": {"my_cnf": SECURE}}, "database.my_cnf"),
        ({"proxy": {"service": {"annotations": {"token": SECURE}}}}, None),
        ({"proxy": {"query_rules": [{"rule_id": 1, "error_msg": SECURE}]}}, None),
        (
            {
                "credentials": {
                    **PASSWORD,
                    "root": {"existing_secret": {"name": SECURE, "key": "k"}},
                }
            },
            None,
        ),
        ({"apps": [{"name": "a", "databases": {"a": SECURE}, "password": SECURE}]}, None),
        ({"databases": {"b": {"database": {"my_cnf": SECURE}}}}, "databases.b.database.my_cnf"),
        ({"images": {"database": {"tag": SECURE}}}, "images.database.tag"),
        # Of a store there are only references.
        (
            {"backup": {"store": {"s3": {"access_key": SECURE}}}},
            "backup.store.s3.access_key",
        ),
    ],
    ids=str,
)
def test_what_is_no_password_is_not_encrypted(
    tmp_path: Path, config: dict[str, Any], path: str | None
) -> None:
    known = {
        "proxy": ["proxy.service.annotations.token", "proxy.query_rules[0].error_msg"],
        "credentials": ["credentials.root.existing_secret.name"],
        "apps": ["apps[0].databases.a"],
    }
    recording = run(tmp_path, {"size": "small", **config})
    found = paths(recording)
    wanted = [path] if path else known[next(iter(config))]
    assert any(f"mysql-ha:{one}" in found for one in wanted)
    assert "is encrypted, but only passwords are kept secret" in str(recording.error)


def test_a_password_in_clear_beside_an_encrypted_one(tmp_path: Path) -> None:
    clear = {"proxy_admin": {"password": "CANARYclear000000000000000000"}}
    recording = run(tmp_path, {"size": "small", "credentials": {**PASSWORD, **clear}})
    assert paths(recording) == ["mysql-ha:credentials.proxy_admin.password"]
    assert "is a password in clear text" in str(recording.error)


@pytest.mark.parametrize(
    "config",
    [
        {"credentials": PASSWORD},
        {"databases": {"a": {"credentials": PASSWORD}}},
        {"apps": [{"name": "a", "databases": {"a": "owner"}, "password": SECURE}]},
        {"proxy": {"users": [{"username": "a", "password": SECURE}]}},
    ],
    ids=str,
)
def test_encrypted_passwords_are_accepted(tmp_path: Path, config: dict[str, Any]) -> None:
    assert run(tmp_path, {"size": "small", **config}).error is None


def whole(tmp_path: Path, credentials: dict[str, Any]) -> Recording:
    """A run of credentials that were encrypted as one text."""
    config = {"size": "small", "credentials": credentials}
    (tmp_path / "Pulumi.yaml").write_text("name: mysql-ha\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    content = {"config": {f"{PREFIX}credentials": SECURE}}
    (tmp_path / "stacks" / "Pulumi.secret.yaml").write_text(yaml.safe_dump(content))
    one: Case = case("secret", config)
    return recorder.run(
        one.config, secret_keys=("credentials",), stack_name="secret", root=tmp_path
    )


def test_a_key_that_is_encrypted_as_a_whole(tmp_path: Path) -> None:
    assert whole(tmp_path, PASSWORD).error is None


def test_what_else_is_in_a_key_that_is_encrypted_as_a_whole(tmp_path: Path) -> None:
    found = paths(whole(tmp_path, {**PASSWORD, "proxy_admin": {"rotation": 1}}))
    assert found == ["mysql-ha:credentials.proxy_admin.rotation"]


@pytest.mark.parametrize("content", [None, "config: [", "[]", "config: {mysql-ha:size: dev}"])
def test_without_the_file_a_secret_key_needs_a_password(
    tmp_path: Path, content: str | None
) -> None:
    """As with `--config-file`, or values of an environment."""
    (tmp_path / "Pulumi.yaml").write_text("name: mysql-ha\n")
    if content is not None:
        (tmp_path / "Pulumi.test.yaml").write_text(content)
    config = {"size": "small", "database": {"replicas": 3}}
    found = recorder.run(config, secret_keys=("database",), root=tmp_path)
    assert paths(found) == ["mysql-ha:database"]
    one = case("test", {"size": "small", "credentials": PASSWORD})
    assert recorder.run(one.config, secret_keys=one.secret_keys, root=tmp_path).error is None


def test_a_password_below_a_name_with_a_dot_is_found() -> None:
    clear = {"root": {"password": "CANARYdotted0000000000000"}}
    recording = recorder.run({"databases": {"a.b": {"credentials": clear}}})
    assert 'mysql-ha:databases["a.b"].credentials.root.password' in paths(recording)
    assert "clear text" in str(recording.error)


@pytest.mark.parametrize("name", ["apps", "apps-percona-standalone", "small+inline"])
def test_texts_of_secrets_are_data(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider would move `stringData` there, and show an edit as two changes."""
    given: list[set[str]] = []

    def look(inputs: dict[str, Any]) -> dict[str, Any]:
        given.append({*inputs} & {"data", "stringData"})
        return inputs

    monkeypatch.setattr(recorder, "readable", look)
    recording = by_id()[name].run()
    assert recording.error is None
    assert given == [{"data"}] * len(given)
    assert len(given) == len([r for r in recording.of_kind("Secret") if not r.read]) > 3
