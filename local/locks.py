"""Locks between runs: a file that one process holds, and the removal of a folder with its lock."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "lock"
"""Of the lock in a folder that `remove` can remove."""


@contextmanager
def locked(file: Path, waiting: Callable[[], None] | None = None) -> Generator[None]:
    """Held by one process at a time; the kernel releases it when that process ends. `waiting` is
    called once if another process holds it. The last holder may have removed the file: then the
    next one makes a new file.
    """
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = file.open("w")
        except FileNotFoundError:  # the folder has just gone
            continue
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting:
                    waiting()
                    waiting = None
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is(file, os.fstat(handle.fileno())):
                continue
            yield
            return


def remove(folder: Path) -> None:
    """Remove a folder, given that the caller holds its lock. The lock goes last: until then no
    other process is in."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != NAME:
            path.unlink()
    (folder / NAME).unlink()
    with suppress(OSError):  # a process that waited has recreated it
        folder.rmdir()


def _is(file: Path, held: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), held)
    except FileNotFoundError:
        return False
