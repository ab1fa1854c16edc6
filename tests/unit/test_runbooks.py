"""docs/runbooks: a page for each alert, in one shape, whose commands a shell can read.

What is asked of servers and proxies runs in tests/database/test_runbooks.py and
tests/dataplane/test_alerts.py.
"""

import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.operations import alerts

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbooks"
NAMES = sorted({alert.name for alert in alerts.ALERTS})
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
MARK = "# needs containers"
"""The first line of a block of commands that a cluster without containers cannot run: they ask a
process, or its log."""
INSIDE = ("exec", "logs", "port-forward", "top", "create job")
"""What of kubectl needs a container."""


def blocks(name: str) -> list[str]:
    """The commands of a page, block by block."""
    text = (FOLDER / f"{name}.md").read_text()
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def lines(name: str) -> Iterator[tuple[bool, str]]:
    """(whether it is said to need containers, command) of each line of a page."""
    for block in blocks(name):
        marked = block.startswith(f"{MARK}\n")
        for line in block.splitlines():
            if not line.startswith("#"):
                yield marked, line


def test_there_is_a_page_for_each_alert_and_no_other() -> None:
    assert sorted(page.stem for page in FOLDER.glob("*.md")) == sorted([*NAMES, "README"])


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_four_sections(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    for section in text.split("\n## ")[1:]:
        assert len(section.partition("\n")[2].split()) >= 4, section
    assert blocks(name)


def test_the_list_leads_to_each() -> None:
    assert re.findall(r"^- \[(\w+)\]", (FOLDER / "README.md").read_text(), re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_each_command(name: str) -> None:
    for text in blocks(name):
        read = subprocess.run(
            ("bash", "-n"), input=text, capture_output=True, text=True, check=False
        )
        assert (read.returncode, read.stderr) == (0, ""), text


@pytest.mark.parametrize("name", NAMES)
def test_what_needs_containers_says_so(name: str) -> None:
    for marked, line in lines(name):
        program, *rest = shlex.split(line)
        if program == "kubectl":
            needs = any(f" {word} " in f" {' '.join(rest[:4])} " for word in INSIDE)
        else:
            needs = program in ("make", "curl", "kill")
        assert needs == marked, line


@pytest.mark.parametrize("name", NAMES)
def test_programs_of_the_repository_exist(name: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for _, line in lines(name):
        program, *rest = shlex.split(line)
        assert program in ("kubectl", "make", "python", "curl", "kill"), line
        if program == "make":
            assert rest[0] in targets
        if program == "python":
            assert (ROOT / f"{rest[1].replace('.', '/')}.py").exists()


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_shown(name: str) -> None:
    """Root's password stays in the container that has it, and out of its arguments."""
    text = (FOLDER / f"{name}.md").read_text()
    assert not re.search(r"\b(get|describe|edit) (secret|secrets)\b", text)
    assert not re.search(r"-p[\"'$]|--password|base64", text)
    for variable in re.findall(r"\$\{?([A-Z_]*PASSWORD)", text):
        assert f'MYSQL_PWD="${variable}" ' in text
