"""Sections of pages that programs write."""

import pytest

from tools.marks import with_section, with_sections

PAGE = """\
<!-- begin:first -->
1
<!-- end:first -->

By hand.

<!-- begin:series-2.7 -->
<!-- end:series-2.7 -->
"""


def test_one_section_changes_and_the_rest_stays() -> None:
    assert with_section(PAGE, "first", lambda text: text + "\\2\n") == PAGE.replace("1", "1\n\\2")
    assert with_section(PAGE, "series-2.7", lambda _: "3\n") == PAGE.replace(
        "2.7 -->\n<", "2.7 -->\n3\n<"
    )


def test_every_section_is_written_by_its_name() -> None:
    page = with_sections(PAGE, lambda name, text: f"{name}, {text!r}\n")
    assert "first, '1\\n'\n<!-- end:first -->" in page
    assert "series-2.7, ''\n<!-- end:series-2.7 -->" in page
    assert "By hand." in page


@pytest.mark.parametrize("name", ["second", "series-2x7"])
def test_a_page_without_the_section_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"no section '{name}'"):
        with_section(PAGE, name, str)
