"""A database without servers: what the operators are asked for, and which edits pass."""

import json
from functools import cache
from typing import Any

import pytest

from render import recorder
from render.recorder import Recording, plain
from tests.program.cases import shop

DEV: dict[str, Any] = {"size": "dev", "apps": [shop()]}
PERCONA: dict[str, Any] = {"size": "small", "engine": "percona", "apps": [shop()]}
STORE: dict[str, Any] = {"s3": {"endpoint": "s3.example.com", "bucket": "backups"}}
DRILLED: dict[str, Any] = {
    "size": "dev",
    "backup": {"enabled": True, "store": STORE, "drill": {"enabled": True}},
}
PROXIED: dict[str, Any] = {**DEV, "proxy": {"enabled": True}}


@cache
def _before(config: str) -> dict[str, Any]:
    recording = recorder.run(json.loads(config))
    assert recording.error is None, recording.error
    return plain(recording.outputs)


def edited(
    base: dict[str, Any],
    paused: bool | None = True,
    before: bool | None = None,
    **more: Any,
) -> Recording:
    """A preview of `base` with another `database.paused`, whose last update had `before`."""
    known = _before(json.dumps(base))
    if before is not None:
        known = plain(_run(base, before, known, preview=False).outputs)
    return _run({**base, **more}, paused, known, preview=True)


def _run(
    base: dict[str, Any], paused: bool | None, known: dict[str, Any], *, preview: bool
) -> Recording:
    database = {} if paused is None else {"database": {"paused": paused}}
    return recorder.run({**base, **database}, preview=preview, previous=known)


def objects(recording: Recording) -> dict[str, Any]:
    assert recording.error is None, recording.error
    return {r.urn: plain(r.inputs) for r in recording.resources}


def changed(before: Recording, after: Recording) -> set[str]:
    """Kinds of objects that an edit changes; it makes and removes none."""
    old, new = objects(before), objects(after)
    assert old.keys() == new.keys()
    return {r.kind for r in after.resources if old[r.urn] != new[r.urn]}


def spec(recording: Recording, kind: str) -> dict[str, Any]:
    return plain(recording.one(kind).inputs)["spec"]


def waits(recording: Recording, kind: str) -> str:
    return recording.one(kind).inputs["metadata"]["annotations"]["pulumi.com/waitFor"]


# --- what the operators are asked for ---


def test_a_single_mariadb_goes_to_zero_and_back() -> None:
    """Nothing but the number of its servers changes."""
    runs, paused = edited(DEV, None), edited(DEV)
    assert changed(runs, paused) == {"MariaDB"}
    assert spec(paused, "MariaDB") == {**spec(runs, "MariaDB"), "replicas": 0}
    assert waits(paused, "MariaDB") == "condition=Ready=False"
    back = edited(DEV, False, before=True)
    assert changed(runs, back) == set()


@pytest.mark.parametrize("value", [True, False])
def test_percona_is_paused_and_started_by_its_own_field(value: bool) -> None:
    unset, said = edited(PERCONA, None), edited(PERCONA, value)
    assert changed(unset, said) == {"PerconaXtraDBCluster"}
    assert spec(said, "PerconaXtraDBCluster") == {
        **spec(unset, "PerconaXtraDBCluster"),
        "pause": value,
    }
    wait = waits(said, "PerconaXtraDBCluster")
    if value:
        assert json.loads(wait) == ["jsonpath={.status.state}=paused"]
    else:
        assert wait == waits(unset, "PerconaXtraDBCluster")


def test_a_pause_that_somebody_else_made_stays_without_the_key() -> None:
    """And with the key, the field is the stack's."""
    field = "spec.pause"
    for paused, left in ((None, True), (True, False), (False, False)):
        cluster = edited(PERCONA, paused).one("PerconaXtraDBCluster")
        assert (field in cluster.ignore_changes) is left
    unset, said = (edited(PERCONA, p).one("PerconaXtraDBCluster") for p in (None, True))
    assert set(unset.ignore_changes) - set(said.ignore_changes) == {field}


def test_nothing_is_written_or_proved_while_no_server_runs() -> None:
    for paused in (True, None):
        jobs = [r for r in edited(DRILLED, paused).resources if r.kind == "CronJob"]
        assert len(jobs) == 2
        assert {plain(job.inputs)["spec"].get("suspend") for job in jobs} == {paused}


def test_the_volumes_of_a_paused_database_are_looked_for_as_before() -> None:
    runs, paused = edited(DEV, None), edited(DEV)
    assert (
        runs.outputs["immutable"]["mysql"] | {"paused": "yes"}
        == paused.outputs["immutable"]["mysql"]
    )


# --- which edits pass ---


@pytest.mark.parametrize(
    ("base", "more", "rule"),
    [
        ({"size": "small"}, {"proxy": {"paused": True}}, "with topology replication"),
        (
            {"size": "small", "database": {"topology": "galera"}},
            {"proxy": {"paused": True}},
            "with topology galera",
        ),
        (PROXIED, {}, "leaves the proxies without a server"),
        ({**PERCONA, "proxy": {"managed_by": "mysql-ha"}}, {}, "leaves the proxies without"),
        (DEV, {"apps": []}, "changes accounts"),
        (DEV, {"apps": [shop(), shop(name="b", databases={"b": "owner"})]}, "changes accounts"),
        (DEV, {"apps": [shop(active=False)]}, "changes accounts"),
        (DEV, {"apps": [shop(rotation=1)]}, "changes accounts"),
        (PERCONA, {"apps": [shop(rotation=1)]}, "changes accounts"),
        (
            PROXIED,
            {
                "proxy": {"enabled": True, "paused": True},
                "credentials": {"monitor": {"rotation": 1}},
            },
            "changes accounts",
        ),
        (PROXIED, {"proxy": {"enabled": False}}, "changes accounts"),
        ({"size": "dev"}, DRILLED, "changes accounts"),
        (DRILLED, {"backup": {}}, "changes accounts"),
        (DRILLED, {"backup": {**DRILLED["backup"], "drill": {"enabled": False}}}, "changes acc"),
    ],
)
def test_refused(base: dict[str, Any], more: dict[str, Any], rule: str) -> None:
    database = {**base.get("database", {}), "paused": True}
    config = {**base, **more, "database": database}
    recording = recorder.run(config, preview=True, previous=_before(json.dumps(base)))
    assert recording.error is not None
    assert recording.error.startswith("mysql-ha:database.paused: ")
    assert rule in recording.error
    assert len(recording.error.splitlines()) == 1


def test_proxies_that_are_paused_too_are_accepted() -> None:
    paused = edited(PROXIED, proxy={"enabled": True, "paused": True})
    assert spec(paused, "MariaDB")["replicas"] == spec(paused, "StatefulSet")["replicas"] == 0


@pytest.mark.parametrize("base", [DEV, PERCONA], ids=["mariadb", "percona"])
def test_a_pause_ends_by_the_key(base: dict[str, Any]) -> None:
    """Percona's object would stay paused: what the stack does not say is left as it is."""
    gone = edited(base, None, before=True)
    assert gone.error is not None
    assert "set it to false to start the servers" in gone.error
    assert edited(base, False, before=True).error is None
    assert edited(base, None, before=False).error is None


def test_a_database_is_not_made_without_servers() -> None:
    recording = recorder.run({**DEV, "database": {"paused": True}}, preview=True)
    assert recording.error is not None
    assert "new to the stack" in recording.error


def test_apps_change_again_when_the_servers_run() -> None:
    assert edited(DEV, False, before=True, apps=[shop(rotation=1)]).error is None


@pytest.mark.parametrize(
    ("base", "accepted"), [(DEV, False), (DRILLED, False), ({"size": "dev"}, True), (PERCONA, True)]
)
def test_a_paused_database_is_retired_if_its_operator_revokes_nothing(
    base: dict[str, Any], accepted: bool
) -> None:
    known = plain(_run(base, True, _before(json.dumps(base)), preview=False).outputs)
    other: dict[str, Any] = {"size": "dev", "databases": {"other": {}}, "retire": ["mysql"]}
    recording = recorder.run(other, preview=True, previous=known)
    assert (recording.error is None) is accepted, recording.error
    assert accepted or "is paused" in str(recording.error)


def test_a_preview_says_that_no_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    edited(DEV)
    assert any(text.startswith("mysql-ha:database.paused: stops the database") for text in said)
    said.clear()
    edited(DEV, False)
    assert not said
