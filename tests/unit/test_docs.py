"""The documentation: links lead somewhere, and the README keeps to what it is for."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from components.config.proxy import NOT_OFFERED

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob(".github/*.md"),
    ]
)


def prose(page: Path) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(page: Path) -> frozenset[str]:
    """What GitHub makes of the headings."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return frozenset(
        re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in found
    )


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """(as written, file, anchor or nothing) of every link to a file of the repository.

    Without pictures: those of the benches come with the runs that they show.
    """
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield target, (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for written, file, anchor in links(page):
        assert file.exists(), written
        if anchor:
            assert anchor in anchors(file), written


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [file for _, file, _ in links(page)]
    pages = {page for page in PAGES if page.parent in (ROOT, ROOT / "docs")}
    assert pages <= reached


def test_the_readme_fits_a_first_look() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_what_is_not_offered_is_explained() -> None:
    """By name, on the page that the error names."""
    text = (ROOT / "docs" / "proxysql.md").read_text()
    missing = [path for path in NOT_OFFERED if f"`{path.rpartition('.')[2]}`" not in text]
    assert missing == []
