"""Words that were retired, as nobody could guess them or as they had two meanings, stay away."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RETIRED = {
    r"\bstand(s|ing)? in (for|the)\b|\bstand-?ins?\b|\bstood in\b": "stored in, local",
    r"(?<![a-z])(take|takes|taking|took|taken)[ _]up(?![a-z])(?! to)": "loads",
    r"\bis no config key\b": "is not a config key",
    r"\bknown[ _]to\b": "set in, set at first boot",
    r"\b(take|takes|taking|took|by|in)[ _]turns\b": "alternate",
    r"\brows_in_use\b": "hostgroups per server",
    r"\bagreed\(": "matching_live_spec",
    r"\b_readable\(": "Kubernetes-safe",
    r"\bdef (broken|fault|whose|describe|turns)\(|\bwhose [:=]": "what it does, what it is",
    r"\bproxy\.mode\b|\bpassword_secret\b": "proxy.managed_by, existing_secret",
    r"\b(and|or) the like\b|\bmakes that\b": "a plain sentence",
}
"""Patterns of `git grep --perl-regexp`, and what to write instead."""

QUOTED = {
    "CHANGELOG.md",  # says what a key was called
    "components/config/load.py",  # RENAMED, of which the error names the new key
    "tests/program/test_hostile.py",  # renames the keys of older cases
    "tests/program/test_malformed.py",  # that error
    "tests/unit/test_words.py",
    "LICENSE",
}
"""Files that may have a retired word, because they quote it."""


def found(pattern: str) -> list[str]:
    """`file:line:text` of each tracked line with the pattern, in files that must not have it."""
    quoted = [f":!{file}" for file in sorted(QUOTED)]
    command = ["git", "grep", "-nIiP", pattern, "--", ".", *quoted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("pattern", RETIRED)
def test_a_retired_word_stays_away(pattern: str) -> None:
    assert not found(pattern), f"write: {RETIRED[pattern]}"


def test_a_word_is_found_where_it_is() -> None:
    assert any(line.startswith("README.md:1:") for line in found(r"^# MYSQL-ha$"))


@pytest.mark.parametrize("file", sorted(QUOTED - {"tests/unit/test_words.py", "LICENSE"}))
def test_a_file_that_may_quote_does(file: str) -> None:
    text = (ROOT / file).read_text()
    assert any(re.search(pattern, text, re.IGNORECASE) for pattern in RETIRED)
