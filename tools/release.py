"""`python -m tools.release TAG`: prints the release notes of a tag, or says why there are none.

A tag is a release if it is `v` and the version in pyproject.toml, and CHANGELOG.md has a dated
entry of that version with something in it. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]


class NoRelease(Exception):
    """The tag, the version and the changelog do not agree; the message says how."""


def version(pyproject: str) -> str:
    """The project's version, out of the text of pyproject.toml."""
    return cast(str, tomllib.loads(pyproject)["project"]["version"])


def entry(changelog: str, release: str) -> str:
    """The text below `## [release] - yyyy-mm-dd`, up to the next such heading.

    Raises NoRelease if there is no such heading or nothing below it.
    """
    heading = rf"^## \[{re.escape(release)}\] - \d{{4}}-\d{{2}}-\d{{2}}\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found:
        raise NoRelease(f"CHANGELOG.md has no entry '## [{release}] - yyyy-mm-dd'")
    if not (text := found[1].strip()):
        raise NoRelease(f"the entry of {release} in CHANGELOG.md is empty")
    return text


def notes(tag: str, pyproject: str, changelog: str) -> str:
    """The release notes of a tag. Raises NoRelease if it is none."""
    release = version(pyproject)
    if tag != f"v{release}":
        raise NoRelease(f"the tag is {tag}, and the version in pyproject.toml asks for v{release}")
    return entry(changelog, release)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("tag", help="for example v0.1.0")
    tag = cast(str, parser.parse_args().tag)
    texts = ((ROOT / name).read_text() for name in ("pyproject.toml", "CHANGELOG.md"))
    try:
        print(notes(tag, *texts))
    except NoRelease as problem:
        print(f"no release: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
