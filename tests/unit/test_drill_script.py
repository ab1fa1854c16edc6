"""What a drill of a Percona XtraDB Cluster fetches, with replacements of XtraBackup's programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.operations import drill_script
from components.operations.drill_script import Drill

SOURCE = "s3://backups/prod/shop/orders/1/full"
LISTED = """\
                           PRE orders-2026-11-26-02:17:00-full.sst_info/
                           PRE orders-2026-11-26-02:17:00-full/
                           PRE orders-2026-11-27-02:17:00-full.sst_info/
                           PRE orders-2026-11-27-02:17:00-full/
                           PRE orders-2026-11-25-02:17:00-full/
2026-11-27 02:20:00         32 orders-2026-11-27-02:17:00-full.md5
"""
PROGRAMS = {
    "aws": f"printf '%s' '{LISTED}'",
    "xbcloud": 'echo "xbcloud $*" >> "$CALLS"; echo stream',
    "xbstream": "cat > /dev/null; echo x > full/xtrabackup_info",
    "xtrabackup": 'echo "xtrabackup $*" >> "$CALLS"',
}


def fetched(folder: Path, **programs: str) -> tuple[int, str, str]:
    """The exit code, the last line, and what was called, with other programs than usual."""
    bin_folder, scratch, calls = folder / "bin", folder / "scratch", folder / "calls"
    for made in (bin_folder, scratch):
        made.mkdir()
    calls.touch()
    texts: Mapping[str, str] = {**PROGRAMS, **programs}
    for name, text in texts.items():
        program = bin_folder / name
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    drill = Drill(identity="prod/shop/orders", max_age=1, directory=str(scratch))
    script = drill_script.percona_fetch(drill, SOURCE, ("--storage=s3",))
    done = subprocess.run(
        ("bash", "-c", script),
        env={"PATH": f"{bin_folder}:{os.environ['PATH']}", "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1], calls.read_text()


def test_the_newest_backup_is_fetched_and_prepared(tmp_path: Path) -> None:
    code, said, calls = fetched(tmp_path)
    assert (code, said) == (0, "drill: preparing")
    newest = "orders-2026-11-27-02:17:00-full"
    get, prepare, move = calls.splitlines()
    assert get == f"xbcloud get --storage=s3 {SOURCE}/{newest}"
    assert "--prepare" in prepare
    assert "--move-back" in move
    assert (tmp_path / "scratch" / "target").read_text() == f"{newest}\n"


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        # It exits with 1 where there is nothing, too, but then says nothing.
        ("aws", "exit 1", f"there is no backup in {SOURCE}"),
        (
            "aws",
            "echo 'Could not connect to the endpoint' >&2; exit 255",
            "the store did not answer: Could not connect to the endpoint",
        ),
        (
            "xbcloud",
            "echo 'chunk 3 is missing' >&2; exit 1",
            "orders-2026-11-27-02:17:00-full is damaged: chunk 3 is missing",
        ),
        ("xbstream", "cat > /dev/null", "is not a complete backup"),
        (
            "xtrabackup",
            "echo 'log block checksum mismatch'; exit 1",
            "cannot be prepared: log block checksum mismatch",
        ),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, program: str, text: str, said: str) -> None:
    code, last, _ = fetched(tmp_path, **{program: text})
    assert code == 1
    assert last.startswith("drill failed: ")
    assert said in last
