"""Runs commands; a failure is an error with their output."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import LocalError

SAID = 15  # lines shown of what a command that failed said


def run(
    command: Sequence[str | Path],
    *,
    what: str = "",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """What a command prints.

    `what`: its name in the error, by default the whole of it. Raises LocalError with the end of its
    output when it fails, and when there is no such program.
    """
    name = what or " ".join(map(str, command))
    try:
        result = subprocess.run(
            command, input=stdin, cwd=directory, env=environment, capture_output=True, text=True,
            errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise LocalError(f"{name}: {error.strerror}: {error.filename}") from None
    if result.returncode:
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()[-SAID:]
        reason = "\n".join(lines) or f"ended with {result.returncode}, and said nothing"
        raise LocalError(f"{name}: {reason}")
    return result.stdout
