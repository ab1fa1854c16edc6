"""The text of a given password of root or replication: no edit may change it unseen."""

from typing import Any

import pytest

from components import names
from components.guards import fingerprints
from render import recorder
from render.recorder import Recording, Secret, plain

OLD, NEW = "CANARYold00000000000000000000", "CANARYnew00000000000000000000"
BOTH = pytest.mark.parametrize("role", ["root", "replication"])
SOURCES = pytest.mark.parametrize("inline", [True, False], ids=["config", "Secret"])


def run(role: str, text: str, *, inline: bool, rotation: int = 0, **more: Any) -> Recording:
    source: dict[str, Any] = {"existing_secret": {"name": "given", "key": "pw"}}
    if inline:
        source = {"password": text}
    config = {"size": "small", "credentials": {role: {**source, "rotation": rotation}}}
    return recorder.run(
        {**config, **more.pop("config", {})},
        secret_keys=("credentials",) if inline else (),
        existing={"default/given": {"pw": text}},
        **more,
    )


@BOTH
@SOURCES
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_another_text_is_refused(role: str, inline: bool, preview: bool) -> None:
    first = run(role, OLD, inline=inline)
    assert first.error is None
    before = plain(first.outputs)
    assert run(role, OLD, inline=inline, previous=before, preview=preview).error is None
    again = run(role, NEW, inline=inline, previous=before, preview=preview)
    assert again.error is not None
    key = "password" if inline else "existing_secret"
    assert again.error.startswith(f"mysql-ha:credentials.{role}.{key}: has another text")
    assert "set rotation to 1" in again.error
    assert "CANARY" not in again.error
    assert [r.kind for r in again.resources if not r.read] in ([], ["kubernetes"])
    assert "immutable" not in again.outputs and fingerprints.OUTPUT not in again.outputs


@BOTH
@SOURCES
def test_the_procedure_ends_with_a_rotation(role: str, inline: bool) -> None:
    before = plain(run(role, OLD, inline=inline).outputs)
    changed = run(role, NEW, inline=inline, rotation=1, previous=before)
    assert changed.error is None
    after = plain(changed.outputs)
    assert run(role, NEW, inline=inline, rotation=1, previous=after).error is None
    assert run(role, OLD, inline=inline, rotation=1, previous=after).error is not None
    if inline:
        secret = changed.one("Secret", names.credential_secret("mysql", role))
        assert NEW in str(plain(secret.inputs))


def test_what_is_remembered_is_secret_and_no_text() -> None:
    outputs = run("root", OLD, inline=True).outputs
    assert isinstance(outputs[fingerprints.OUTPUT], Secret)
    remembered = plain(outputs)[fingerprints.OUTPUT]["mysql"]["root"]
    assert remembered.keys() == {"scrypt", "rotation"}
    assert OLD not in str(plain(outputs))


def test_generated_passwords_and_those_of_percona_leave_nothing() -> None:
    assert fingerprints.OUTPUT not in recorder.run({"size": "small"}).outputs
    percona = run("root", OLD, inline=True, config={"engine": "percona"})
    assert percona.error is None
    assert fingerprints.OUTPUT not in percona.outputs


@pytest.mark.parametrize("value", [[1], {"mysql": "x"}, {"mysql": {"root": {"scrypt": 1}}}])
def test_a_damaged_output_is_one_clear_error(value: Any) -> None:
    error = run("root", OLD, inline=True, previous={fingerprints.OUTPUT: value}).error
    assert error is not None
    assert error.startswith("mysql-ha:fingerprints: ")
    assert "\n" not in error
