"""Cron expressions of five fields, in UTC: what the operators and Kubernetes accept, and how far
apart the runs are.

Grammar: github.com/robfig/cron/v3 parser.go, ParseStandard, which mariadb-operator, Percona's
operator and Kubernetes' CronJobs use. Not taken here: `@daily` and its like, `@every` and time
zones, because the operators have no key for a zone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

PATTERN = r"[0-9a-zA-Z*/,-]+( [0-9a-zA-Z*/,-]+){4}"
"""What editors check; `runs` is stricter."""
DAY = 86_400
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
"""Lowest, highest and names of each field. Sunday is 0 only: robfig/cron refuses 7."""
_START = date(2024, 1, 1).toordinal()
_CYCLE = 28 * 365 + 7
"""Days after which every date has its weekday again, from 1901 to 2099."""


@dataclass(frozen=True)
class Runs:
    """When a cron expression comes, in seconds of UTC without a date."""

    longest: int
    """The longest time between two runs."""
    average: float
    """The mean time between two runs."""


@lru_cache
def runs(text: str) -> Runs:
    """How far apart the runs of an expression are.

    Raises ValueError when it is none, or never comes.
    """
    minutes, hours, days, months, weekdays = _parsed(text)
    times = sorted(hour * 3600 + minute * 60 for hour in hours for minute in minutes)
    # If neither field takes every day, either is enough (robfig/cron spec.go, dayMatches).
    fields = text.split(" ")
    either = not (_is_any(fields[2]) or _is_any(fields[4]))
    starts = [
        number
        for number, day in enumerate(map(date.fromordinal, range(_START, _START + _CYCLE)))
        if day.month in months
        and (any if either else all)((day.day in days, day.isoweekday() % 7 in weekdays))
    ]
    if not starts:
        raise ValueError("never comes")
    within = max((b - a for a, b in zip(times, times[1:], strict=False)), default=0)
    around = zip(starts, [*starts[1:], starts[0] + _CYCLE], strict=True)
    between = max((b - a) * DAY - (times[-1] - times[0]) for a, b in around)
    return Runs(max(within, between), _CYCLE * DAY / (len(starts) * len(times)))


def _is_any(field: str) -> bool:
    """Whether robfig/cron sets its star bit (parser.go, getRange); a step clears it."""
    return not {"*", "*/1"}.isdisjoint(field.split(","))


def _parsed(text: str) -> list[frozenset[int]]:
    """The numbers of each field. Raises ValueError."""
    fields = text.split(" ")
    if len(fields) != len(_FIELDS):
        raise ValueError("not five fields")
    return [
        frozenset(
            number
            for part in field.split(",")
            for number in _numbers(part.lower(), lowest, highest, names)
        )
        for field, (lowest, highest, names) in zip(fields, _FIELDS, strict=True)
    ]


def _numbers(part: str, lowest: int, highest: int, names: dict[str, int]) -> Iterator[int]:
    """Those of `*`, `5`, `mon`, `1-5`, each also with `/step`. Raises ValueError."""
    match = re.fullmatch(r"(?:(\*)|([a-z0-9]{1,3})(?:-([a-z0-9]{1,3}))?)(?:/([0-9]{1,2}))?", part)
    if match is None:
        raise ValueError("not a field")
    star, first, last, step = match.groups()
    start = lowest if star else _number(first, names)
    # `5/15` is `5-59/15`.
    end = highest if star or (step and not last) else _number(last or first, names)
    if not lowest <= start <= end <= highest or step == "0":
        raise ValueError("out of range")
    return iter(range(start, end + 1, int(step or 1)))


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)
