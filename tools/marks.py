"""Sections of pages that programs write: between `<!-- begin:NAME -->` and `<!-- end:NAME -->`."""

import re
from collections.abc import Callable

SECTION = re.compile(r"(<!-- begin:([\w.-]+) -->\n)(.*?)(<!-- end:\2 -->)", re.DOTALL)


def with_sections(page: str, write: Callable[[str, str], str]) -> str:
    """A page whose sections are what `write` returns for their name and their text until now.

    A text ends with a newline.
    """
    return SECTION.sub(
        lambda found: f"{found[1]}{write(found[2], found[3])}{found[4]}",
        page,
    )


def with_section(page: str, name: str, write: Callable[[str], str]) -> str:
    """The same for one section. Raises ValueError if the page does not have it."""
    if name not in {found[2] for found in SECTION.finditer(page)}:
        raise ValueError(f"the page has no section '{name}'")
    return with_sections(page, lambda other, text: write(text) if other == name else text)
