"""What makes a release: tag, version and changelog agree."""

import pytest

from tools.release import ROOT, NoRelease, entry, notes, version

PYPROJECT = '[project]\nversion = "1.2.0"\n'
CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.2.0] - 2026-01-31

### Added

- A thing.

## [1.1.0] - 2026-01-01

- Another.

## [1.0.0] - 2025-12-01
"""


def test_the_notes_are_the_entry_of_the_version() -> None:
    assert notes("v1.2.0", PYPROJECT, CHANGELOG) == "### Added\n\n- A thing."


@pytest.mark.parametrize("tag", ["1.2.0", "v1.2", "v1.1.0", "v1.2.0-rc1"])
def test_another_tag_is_no_release(tag: str) -> None:
    with pytest.raises(NoRelease, match="asks for v1.2.0"):
        notes(tag, PYPROJECT, CHANGELOG)


@pytest.mark.parametrize("release", ["1.3.0", "1x2.0", "Unreleased"])
def test_a_release_has_a_dated_entry(release: str) -> None:
    with pytest.raises(NoRelease, match="has no entry"):
        entry(CHANGELOG, release)


def test_an_entry_says_something() -> None:
    with pytest.raises(NoRelease, match="is empty"):
        entry(CHANGELOG, "1.0.0")


def test_an_undated_version_is_no_release() -> None:
    with pytest.raises(NoRelease, match="has no entry"):
        entry(CHANGELOG.replace("2026-01-31", "unreleased"), "1.2.0")


def test_the_changelog_and_the_readme_agree_on_this_version() -> None:
    release = version((ROOT / "pyproject.toml").read_text())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    unreleased = f"## [{release}] - unreleased\n"
    dated = entry(changelog.replace(unreleased, f"## [{release}] - 2026-01-31\n"), release)
    assert dated, "a date is all that it lacks"
    told = f"{release} — unreleased" in (ROOT / "README.md").read_text()
    assert told == (unreleased in changelog)
