"""Cron expressions: what is one, and how far apart its runs are."""

import pytest

from components.config import cron

HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("text", "longest", "average"),
    [
        ("17 2 * * *", DAY, DAY),
        ("0 */6 * * *", 6 * HOUR, 6 * HOUR),
        ("0 1,2 * * *", 23 * HOUR, DAY / 2),
        ("*/5 * * * *", 300, 300),
        ("30 4 * * 0", 7 * DAY, 7 * DAY),
        ("0 3 * * MON-fri", 3 * DAY, DAY * 7 / 5),
        ("0 0 1 jan *", 366 * DAY, 365.25 * DAY),
        ("0 0 29 2 *", 1461 * DAY, 1461 * DAY),
        # Either of the days is enough; with a star in one, both must be.
        ("0 0 1 * 0", 7 * DAY, 5.87 * DAY),
        ("0 0 * * 0", 7 * DAY, 7 * DAY),
        ("0 0 1-7 * */1", 25 * DAY, 365.25 / 84 * DAY),
    ],
)
def test_runs(text: str, longest: int, average: float) -> None:
    found = cron.runs(text)
    assert found.longest == longest
    assert abs(found.average / average - 1) < 0.01


@pytest.mark.parametrize(
    "text",
    "|60 * * * *|* 24 * * *|0 0 0 * *|0 0 32 * *|0 0 * 13 *|0 0 * * 7|* * * *|* * * * * *|@daily"
    "|5-1 * * * *|*/0 * * * *|a * * * *|0 0 30 2 *|0  0 * * *|0 0 * * *\n|-1 * * * *|1, * * * *"
    "|CRON_TZ=UTC 0 0 * * *|? * * * *|0 0 * * sunday".split("|"),
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        cron.runs(text)
