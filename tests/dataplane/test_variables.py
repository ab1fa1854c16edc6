"""The limits of ProxySQL's variables, asked of a ProxySQL that runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import pytest

from components.config.proxysql_variables import (
    ADMIN_VARIABLES,
    CHARSETS,
    MYSQL_VARIABLES,
    RESERVED_VARIABLES,
    Kind,
    Networks,
    Number,
    Switch,
    Text,
    Value,
    charset_of,
)
from testbed.dataplane.alone import Alone
from testbed.dataplane.deployment import Lab

pytestmark = pytest.mark.dataplane

FREE: Mapping[str, Mapping[str, Kind]] = {
    kind: {name: known for name, known in table.items() if name not in RESERVED_VARIABLES[kind]}
    for kind, table in (("admin_variables", ADMIN_VARIABLES), ("mysql_variables", MYSQL_VARIABLES))
}
"""What a stack can set."""
NUMBERS = {
    "admin_variables": {n: k for n, k in FREE["admin_variables"].items() if isinstance(k, Number)},
    "mysql_variables": {
        name: known
        for name, known in MYSQL_VARIABLES.items()
        if isinstance(known, Number)
        # Those of the monitor have keys of their own, with the same limits.
        and (name in FREE["mysql_variables"] or name.startswith("monitor_"))
    },
}
LIMITS: Mapping[str, tuple[bool, Callable[[Number], int]]] = {
    "least": (True, lambda known: known.least),
    "most": (True, lambda known: known.most),
    "below": (False, lambda known: known.least - 1),
    "above": (False, lambda known: known.most + 1),
}
"""A number at or beside each limit, and whether it is taken."""
TEXTS = (
    *("", "a", "ev.log", "OFF", "OWN_GTID", "t.x", "`t`.`x`", "10.0.0.0/8", "10.0.0.1/8"),
    *("10.0.0.0/8,fe80::/10", "tx_isolation,version", "SET NAMES utf8mb4"),
)


@pytest.fixture(scope="module")
def proxysql(lab: Lab) -> Generator[Alone]:
    """One for all; each test sets what it looks at."""
    with Alone.started(lab) as alone:
        yield alone


@pytest.mark.parametrize("kind", FREE)
def test_the_table_is_complete(proxysql: Alone, kind: str) -> None:
    """But for `version`, which is read-only, and a listener that only 3.0 has."""
    known = {"admin_variables": ADMIN_VARIABLES, "mysql_variables": MYSQL_VARIABLES}[kind]
    there = proxysql.variables(kind).keys()
    assert there - known.keys() <= {"version"}
    assert known.keys() - there <= {"pgsql_ifaces"}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("kind", FREE)
def test_limits_of_numbers(proxysql: Alone, kind: str, limit: str) -> None:
    taken, number = LIMITS[limit]
    wanted = {name: number(known) for name, known in NUMBERS[kind].items()}
    running = proxysql.set(kind, wanted)
    wrong = {n: running[n] for n in wanted if (running[n] == str(wanted[n])) is not taken}
    assert wrong == {}
    assert {n: (NUMBERS[kind][n].wanted(wanted[n]) is None) for n in wanted} == dict.fromkeys(
        wanted, taken
    )


def test_steps_of_numbers(proxysql: Alone) -> None:
    stepped = {n: known for n, known in NUMBERS["admin_variables"].items() if known.steps}
    for step in range(1, 121):
        running = proxysql.set("admin_variables", dict.fromkeys(stepped, step))
        for name, known in stepped.items():
            assert (running[name] == str(step)) is (known.wanted(step) is None), (name, step)


@pytest.mark.parametrize("value", ["true", "FALSE", "1", "0", "on", "2", ""])
@pytest.mark.parametrize("kind", FREE)
def test_switches(proxysql: Alone, kind: str, value: str) -> None:
    """One that is not taken leaves them all as they were."""
    switches = {n: known for n, known in FREE[kind].items() if isinstance(known, Switch)}
    for before in ("true", "false"):
        proxysql.set(kind, dict.fromkeys(switches, before))
        running = proxysql.set(kind, dict.fromkeys(switches, value))
        for name, known in switches.items():
            refused = known.wanted(value) is not None
            assert running[name] == (before if refused else known.shown(value)), name


def test_a_text_that_is_taken_runs(proxysql: Alone) -> None:
    texts = {
        name: known
        for name, known in FREE["mysql_variables"].items()
        if isinstance(known, Networks) or (isinstance(known, Text) and known.among is None)
    }
    for value in TEXTS:
        wanted: dict[str, Value] = {n: value for n in texts if texts[n].wanted(value) is None}
        running = proxysql.set("mysql_variables", wanted)
        assert {name: running[name] for name in wanted} == wanted


def test_character_sets(proxysql: Alone) -> None:
    for charset in sorted(CHARSETS):
        running = proxysql.set("mysql_variables", {"default_charset": charset})
        assert running["default_charset"] == charset
        # ProxySQL chose a collation that fits.
        assert charset_of(running["default_collation_connection"]) == charset
    assert proxysql.set("mysql_variables", {"default_charset": "utf9"})["default_charset"] != "utf9"


def test_collations(proxysql: Alone) -> None:
    known = MYSQL_VARIABLES["default_collation_connection"]
    assert isinstance(known, Text)
    assert known.among
    # One of each character set, and the last of them: each takes ProxySQL a moment.
    for collation in sorted({charset_of(name): name for name in sorted(known.among)}.values()):
        values: dict[str, Value] = {
            "default_charset": charset_of(collation),
            "default_collation_connection": collation,
        }
        running = proxysql.set("mysql_variables", values)
        assert {name: running[name] for name in values} == values
    there = proxysql.admin("SELECT collation FROM mysql_collations").first_column
    assert known.among <= set(there)
