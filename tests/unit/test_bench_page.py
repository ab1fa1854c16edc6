"""Tables of measurements in the docs."""

import pytest

from bench.page import seconds, with_row

PAGE = """\
# Title

<!-- begin:dns -->
| ProxySQL | found |
| --- | --- |
| 2.7.2 | 1 s |
<!-- end:dns -->

The rest.
"""


def test_a_version_has_one_row() -> None:
    page = with_row(PAGE, "dns", "2.7.2", ["3 s"])
    assert page == PAGE.replace("1 s", "3 s")


def test_another_version_comes_below() -> None:
    page = with_row(PAGE, "dns", "3.0.1", ["4 s"])
    assert page == PAGE.replace("| 2.7.2 | 1 s |\n", "| 2.7.2 | 1 s |\n| 3.0.1 | 4 s |\n")


def test_a_page_without_the_section_is_an_error() -> None:
    with pytest.raises(ValueError, match="no section 'service'"):
        with_row(PAGE, "service", "3.0.1", [])


def test_the_median_and_the_worst_are_shown() -> None:
    assert seconds([9.0, 1.0, 2.04]) == "2.0 s, at worst 9.0 s"
    assert seconds([7.0]) == "7.0 s"
