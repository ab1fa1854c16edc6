"""Which version a server that exists may get."""

from typing import Any

import pytest

from components.config.errors import ConfigError
from components.config.load import resolve
from components.guards import immutable
from tests.unit.test_immutable import facts


def of(engine: str, tag: str, version: str | None = None) -> dict[str, Any]:
    given = {"version": version} if version else {}
    tree = {"engine": engine, "images": {"database": {"tag": tag}}, "database": given}
    return facts(resolve({"size": "small", "name": "orders", **tree}))


@pytest.mark.parametrize(
    ("engine", "before", "after", "says"),
    [
        ("mariadb", "11.8.5", "11.4.9", "is a downgrade"),
        ("mariadb", "11.8.5", "10.11.16", "is a downgrade"),
        ("percona", "8.4.5-5.1", "8.0.42-33.1", "is a downgrade"),
        ("percona", "8.0.42-33.1", "8.0.41-32.1", "is a downgrade"),
        ("mariadb", "10.6.22", "11.4.9", "skips 10.11"),
        ("mariadb", "10.6.22", "11.8.5", "skips 10.11"),
        ("mariadb", "10.11.16", "11.8.5", "skips 11.4"),
        ("mariadb", "11.4.9", "12.0.2", "skips 11.8"),
    ],
)
def test_refused(engine: str, before: str, after: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"^mysql-ha:images\.database\.tag: {says}.* Fix: "):
        immutable.check(of(engine, before), of(engine, after))


def test_mysql_9_comes_after_8_4() -> None:
    known = of("percona", "8.0.42-33.1")
    now = {"orders": {**known["orders"], "version": "9.1.0"}}
    with pytest.raises(ConfigError, match=r"skips 8\.4"):
        immutable.check(known, now)


@pytest.mark.parametrize(
    ("engine", "before", "after"),
    [
        ("mariadb", "11.8.5", "11.8.6"),
        ("mariadb", "11.4.9", "11.8.5"),
        ("mariadb", "10.6.22", "10.11.16"),
        ("mariadb", "11.4.9", "11.5.2"),
        ("percona", "8.0.41-32.1", "8.0.42-33.1"),
        ("percona", "8.0.42-33.1", "8.4.5-5.1"),
    ],
)
def test_accepted(engine: str, before: str, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    immutable.check(of(engine, before), of(engine, after))
    assert said == []


def test_a_version_may_be_said_in_fewer_words() -> None:
    for versions in (
        (("8.0.42-33.1", None), ("8.0.42-33.1", "8.0")),
        (("x", "8.0"), ("x", "8.0.42")),
    ):
        one, other = (of("percona", tag, version) for tag, version in versions)
        immutable.check(one, other)
        immutable.check(other, one)


def test_back_within_a_series_of_mariadb_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    immutable.check(of("mariadb", "11.8.6"), of("mariadb", "11.8.5"))
    assert [text for text in said if "from 11.8.6 back to 11.8.5" in text] == said != []


def test_a_version_that_is_only_said_counts_too() -> None:
    with pytest.raises(ConfigError, match="downgrade"):
        immutable.check(of("mariadb", "x", "11.8.5"), of("mariadb", "x", "11.4"))
