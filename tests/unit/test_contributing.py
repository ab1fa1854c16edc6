"""CONTRIBUTING.md: where changes go, in files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def places() -> list[list[str]]:
    """The cells of each line of "Where does this change go?"."""
    _, _, rest = TEXT.partition("<!-- begin places")
    table, end, _ = rest.partition("<!-- end places -->")
    assert end
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]


def test_a_change_begins_in_one_file_that_exists() -> None:
    found = places()
    assert len(found) >= 20
    for change, file in found:
        assert re.fullmatch(r"`[\w./-]+`", file), change
        assert (ROOT / file.strip("`")).is_file(), change


def test_a_change_is_listed_once() -> None:
    changes = [change for change, _ in places()]
    assert sorted(changes) == sorted(set(changes))


def test_every_tier_is_described() -> None:
    folders = {file.parent.name for file in ROOT.glob("tests/*/__init__.py")}
    assert {name for name in re.findall(r"`tests/(\w+)`", TEXT)} == folders


def test_what_is_linked_is_there() -> None:
    for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/compatibility.md"):
        file = ROOT / name
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
            assert (file.parent / target).exists(), f"{name}: {target}"
