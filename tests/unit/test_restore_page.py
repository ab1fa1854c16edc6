"""docs/restore.md: every command can be read, and every stack file is one that is accepted.

What runs on a control plane runs there: tests/engine/test_restore.py. What needs containers runs on
real nodes: tests/cluster/test_backups.py.
"""

import re
import shlex
import subprocess
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from components.config import load
from components.config.presets import RESTORED
from components.guards import restores
from components.operations import places
from tools import replay

PAGE = Path(__file__).parents[2] / "docs" / "restore.md"


def blocks(kind: str) -> list[str]:
    """The texts of the page's blocks, as they are when they stand alone."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for _, text in found]


SHELL = blocks("sh")
NEVER_RUN = {
    "orders-v2-0": 2,  # logs, and a look at the rows
    "aws s3 ls": 2,  # no such client here; the store's server is asked otherwise
    "pxc": 2,  # no operator of Percona's
    "make backup-now": 1,  # the first command: tests/cluster/test_backup_stores.py
}
"""What is in blocks that no test runs as they are, and in how many."""
MODULES = [line for text in SHELL for line in text.splitlines() if line.startswith("python -m ")]


def test_what_needs_more_than_a_control_plane_runs_on_nodes() -> None:
    on_nodes = (PAGE.parents[1] / "tests" / "cluster" / "test_backups.py").read_text()
    parts = set(re.findall(r'\bblock\("([^"]+)"\)', on_nodes))
    left = [
        text for text in SHELL if text.startswith("# needs") and not any(p in text for p in parts)
    ]
    found = {part: sum(part in text for text in left) for part in NEVER_RUN}
    assert found == NEVER_RUN
    assert len(left) == sum(NEVER_RUN.values())


def test_there_is_something_to_look_at() -> None:
    assert len(SHELL) >= 8
    assert len(blocks("yaml")) == 3


@pytest.mark.parametrize("text", SHELL)
def test_a_shell_reads_it(text: str) -> None:
    read = subprocess.run(("bash", "-n"), input=text, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_stack_of_it_is_accepted(text: str) -> None:
    for config in load.read(yaml.safe_load(text)["config"]):
        assert config.database.restore_from
        place = places.of(config, "prod")
        assert not list(restores.faults(config, place, datetime(2026, 6, 1, tzinfo=UTC)))
        assert not config.apps or config.proxy.paused


def test_it_says_how_long_an_update_waits() -> None:
    by_size = {size: preset.get("database", {}) for size, preset in RESTORED.items()}
    assert by_size["small"]["ready_timeout"] == "45m"
    assert by_size["large"]["ready_timeout"] == "4h"
    assert "45 minutes in `small`, 4 hours in\n   `large`" in PAGE.read_text()


def test_the_replay_takes_its_arguments() -> None:
    (line,) = (line for line in MODULES if "tools.replay" in line)
    given = replay.parser().parse_args(shlex.split(line)[3:])
    assert not given.run
    assert given.pod == ["shop", "orders-copy-0"]
    assert given.until == replay.instant("2026-01-02T09:59:00Z")


def test_modules_that_it_runs_exist() -> None:
    modules = {line.split()[2] for line in MODULES}
    assert modules == {"tools.replay", "tools.rows", "tools.why"}
    for module in modules:
        assert (PAGE.parents[1] / f"{module.replace('.', '/')}.py").exists()


def test_only_this_databases_backups_are_suspended() -> None:
    """And the new one makes its own: no stack of the page but the copy's is without."""
    (text,) = (
        text
        for text in SHELL
        if "suspend" in text and "physicalbackups" in text and "patch" in text
    )
    assert "-l app.kubernetes.io/instance=orders " in text
    kept = [
        config.backup.target is not None
        for text in blocks("yaml")
        for config in load.read(yaml.safe_load(text)["config"])
    ]
    assert kept == [True, True, False]


def test_examples_are_of_one_source() -> None:
    """Its folder is what its stack says: the environment, and not the name of the stack."""
    for text in blocks("yaml"):
        for config in load.read(yaml.safe_load(text)["config"]):
            chosen = config.database.restore_from
            assert chosen and chosen.prefix == "prod/shop/orders/1/full"
            assert config.namespace == "shop"
            if config.backup.target:
                own = places.of(config, config.name).prefix("full")
                assert own == "prod/shop/orders-v2/1/full"


KUBECTL = """#!/bin/bash
case "$*" in
  *"get pxc"*) printf 'shop %% orders-v2-a-shop password\\nheartbeat 127.0.0.1 s key\\n' ;;
  *"get secret s -o"*".data \\"key\\" "*) printf beat ;;
  *"get secret orders-v2-a-shop -o"*".data \\"password\\" "*) printf shopping ;;
  *"exec -i orders-v2-pxc-0"*) cat ;;
  *) exit 1 ;;
esac
"""
"""Answers as the API would. Templates are not executed."""


def test_passwords_of_a_percona_are_changed_to_those_of_the_secrets(tmp_path: Path) -> None:
    (text,) = (text for text in SHELL if "ALTER USER" in text)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    ran = subprocess.run(
        ("bash", "-o", "pipefail", "-ec", text),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "ALTER USER 'shop'@'%' IDENTIFIED BY 'shopping';",
        "ALTER USER 'heartbeat'@'127.0.0.1' IDENTIFIED BY 'beat';",
    ]


def test_no_password_is_typed() -> None:
    for text in SHELL:
        assert not re.search(r"--from-literal|--password|\s-p\S", text.replace("-p '{", ""))
