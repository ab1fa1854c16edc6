"""Hostile configs: each is refused, warned of or accepted as its line in a shared file says.

The file stands beside the repository and is not part of it: `HOSTILE` below, or what the variable
HOSTILE_CASES names. Kinds of it that this program must keep refusing are in `test_malformed` too.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from render import recorder
from render.recorder import ROOT, Recording, Secret, plain

pytestmark = pytest.mark.broad

NAMED = os.environ.get("HOSTILE_CASES")
PLACES = (ROOT / "../shared/hostile/cases.yaml", ROOT / "../../shared/hostile/cases.yaml")
"""Beside the clone, and beside the folder of its worktrees."""

RENAMED = {"password_secret": "existing_secret", "identity": "immutable"}
"""Keys that the file knows by an earlier name."""
MANAGERS = {"standalone": "mysql-ha", "operator": "operator"}
"""Values of the earlier `proxy.mode`."""

STILL_WRONG: frozenset[str] = frozenset()
"""Still handled wrongly. Strict: who mends one removes it here."""


def file() -> Path | None:
    """The file of cases, where there is one."""
    places = [Path(NAMED)] if NAMED else PLACES
    return next((place.resolve() for place in places if place.is_file()), None)


@cache
def cases() -> tuple[dict[str, Any], ...]:
    found = file()
    return tuple(yaml.safe_load(found.read_text())) if found else ()


# --- what a case stands for ---


def generated(value: Any) -> Any:
    """`value` with what its `$…` mappings stand for, and with today's names of keys."""
    if isinstance(value, list):
        return [generated(item) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    mapping = cast(dict[str, Any], value)
    if len(mapping) == 1 and next(iter(mapping)).startswith("$"):
        (kind, size), *_ = mapping.items()
        return GENERATORS[kind](size)
    if mapping.get("mode") in MANAGERS:
        mapping = {**mapping, "managed_by": MANAGERS[mapping["mode"]]}
        del mapping["mode"]
    return {RENAMED.get(key, key): generated(below) for key, below in mapping.items()}


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _apps(number: int) -> list[dict[str, Any]]:
    return [{"name": f"a{n}", "databases": {f"a{n}": "owner"}} for n in range(number)]


def _users(number: int) -> list[dict[str, Any]]:
    ref = {"name": "app", "key": "password"}
    return [{"username": f"user{n}", "existing_secret": ref} for n in range(number)]


def _rules(size: tuple[int, int]) -> list[dict[str, Any]]:
    number, length = size
    text = "x" * length
    return [{"rule_id": n + 1, "match_digest": text, "timeout": 100} for n in range(number)]


def _repeated(what: tuple[str, int]) -> str:
    text, times = what
    return text * times


def _surrogate(_: object) -> str:
    return "\ud800"


GENERATORS: Mapping[str, Any] = {
    "$repeat": _repeated,
    "$apps": _apps,
    "$users": _users,
    "$rules": _rules,
    "$nest": _nested,
    "$surrogate": _surrogate,
    "$json": json.loads,
}


# --- what a run of it says ---


@cache
def outcome(id: str) -> tuple[Recording, tuple[str, ...]]:
    """What a preview of a case told the engine, and what it warned of."""
    case = next(case for case in cases() if case["id"] == id)
    more: dict[str, Any] = {
        "secret_keys": tuple(case.get("secret_keys", ())),
        "existing": case.get("existing", {}),
    }
    previous = generated(case.get("previous", {}))
    if before := case.get("before"):
        first = recorder.run(generated(before), **more)
        assert first.error is None, first.error
        previous = plain(first.outputs)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pulumi.log.warn", said.append)
        config = {**generated(case.get("config", {})), **generated(case.get("raw", {}))}
        recording = recorder.run(config, preview=True, previous=previous, **more)
    return recording, tuple(said)


def paths(error: str) -> list[str]:
    """The config path of each line of an error; the whole line where it has none."""
    lines = [re.match(r"(?:mysql-ha:)?(.+?): .*\. Fix: ", line) for line in error.splitlines()]
    return [line[1] if line else "" for line in lines]


def shown(value: Any) -> Iterator[str]:
    """Every text that is not marked as secret."""
    if isinstance(value, Secret):
        return
    if isinstance(value, dict):
        for key, below in cast(dict[str, Any], value).items():
            yield key
            yield from shown(below)
    elif isinstance(value, list):
        for below in cast(list[Any], value):
            yield from shown(below)
    elif isinstance(value, str):
        yield value


def ignored(recording: Recording, secret: str) -> bool:
    """Whether no edit changes the text of a Secret."""
    fields = recording.one("Secret", secret).ignore_changes
    return any(field.startswith(("data", "stringData")) for field in fields)


PARAMETERS = [
    pytest.param(
        case["id"],
        marks=pytest.mark.xfail(strict=True, reason=f"{case['group']}: {case.get('why', '')}")
        if case["id"] in STILL_WRONG
        else (),
    )
    for case in cases()
]


@pytest.mark.skipif(not PARAMETERS, reason="there is no ../shared/hostile/cases.yaml")
@pytest.mark.parametrize("id", PARAMETERS)
def test_a_hostile_config(id: str) -> None:
    case = next(case for case in cases() if case["id"] == id)
    recording, said = outcome(id)
    texts = [recording.error or "", *said]
    for resource in recording.resources:
        texts += shown(resource.inputs)
    for secret in case.get("never_plain", ()):
        assert not any(secret in text for text in (*texts, *shown(recording.outputs)))
    if recording.error:
        assert case["expect"] == "refuse", recording.error
        found = paths(recording.error)
        wanted = generated_path(case.get("path", ".*"))
        assert found and all(re.fullmatch(wanted, path) for path in found), recording.error
        assert len(set(found)) == len(found), recording.error
        assert re.search(case.get("says", ""), recording.error), recording.error
        return
    if case["expect"] == "refuse":
        warned = "or_warns" in case and any(re.search(case["or_warns"], text) for text in said)
        kept = "or_ignores" in case and ignored(recording, case["or_ignores"])
        assert warned or kept, f"accepted; it warned of {said}"
        return
    if "warns" in case:
        assert any(re.search(case["warns"], text) for text in said), said
    if must := case.get("must_have"):
        # Proxies need theirs of the monitor, whatever the config's apps are.
        found = [r for r in recording.of_kind(must["kind"]) if "monitor" not in r.name]
        assert bool(found) is not must.get("absent", False)


def generated_path(pattern: str) -> str:
    """A case's pattern of config paths, with today's names of keys."""
    return re.sub("|".join(RENAMED), lambda old: RENAMED[old[0]], pattern)


def test_what_is_still_wrong_is_in_the_file() -> None:
    assert not cases() or {case["id"] for case in cases()} >= STILL_WRONG


def test_generators() -> None:
    assert generated({"a": {"$repeat": ["xy", 2]}}) == {"a": "xyxy"}
    assert generated({"$nest": 2}) == {"a": {"a": {}}}
    assert generated({"$rules": [1, 3]})[0]["match_digest"] == "xxx"
    assert [app["name"] for app in generated({"$apps": 2})] == ["a0", "a1"]
    assert len(generated({"$users": 3})) == 3
    assert generated([{"$surrogate": True}, {"$json": "[1]"}]) == ["\ud800", [1]]
    assert generated({"mode": "standalone", "password_secret": {}}) == {
        "managed_by": "mysql-ha",
        "existing_secret": {},
    }
