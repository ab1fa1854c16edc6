"""Processes that outlive the command that started them, each known by a file in one folder."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import LocalError

START_TIMEOUT = 90  # seconds for one process; all of a control plane take about 15 s on 2 cores
STOP_TIMEOUT = 20  # seconds between SIGTERM and SIGKILL
LOG_TAIL = 15  # lines shown of the log of a process that failed


@dataclass(frozen=True)
class Process:
    """One program; `health` is the URL that answers 200 once it works, if it has one."""

    name: str
    argv: list[str]
    health: str = ""
    env: dict[str, str] = field(default_factory=dict[str, str])
    files: tuple[Path, ...] = ()
    """Files that it reads once, when it starts."""

    def configuration(self) -> list[str]:
        """Its configuration at the start: a change restarts it."""
        variables = (f"{name}={value}" for name, value in sorted(self.env.items()))
        digests = (hashlib.sha256(file.read_bytes()).hexdigest() for file in self.files)
        return [*self.argv, *variables, *digests]


KEPT = ("PATH",)
"""Variables that processes take over."""


def identity(pid: int) -> str | None:
    """What tells a process from every other one that had or gets its number; None once it ended.

    It ends when its last thread does: until then it may hold its ports, though /proc may show
    neither its arguments nor, when only the first thread has gone, anything but a zombie. Only a
    pidfd tells (pidfd_open(2): readable when the whole thread group has exited). The start time is
    field 22 of proc_pid_stat(5), in ticks since boot.
    """
    try:
        with os.fdopen(os.pidfd_open(pid)) as process:
            if select.select([process], [], [], 0)[0]:
                return None
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[22 - 3]}"


class Processes:
    """`<name>.pid` and `<name>.log` in `directory`, which is also where each of them runs."""

    def __init__(self, directory: Path):
        self.directory = directory

    def record(self, name: str) -> dict[str, Any]:
        """What its file says: `pid`, `identity`, `configuration`."""
        try:
            return json.loads((self.directory / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return {"pid": 0}

    def pid(self, name: str) -> int | None:
        """The process id, unless the process has gone or its number belongs to another one."""
        record = self.record(name)
        found = identity(record["pid"])
        return record["pid"] if found and found == record.get("identity") else None

    def up_to_date(self, process: Process) -> bool:
        """Whether it runs with the configuration with which it would be started now."""
        return self.pid(process.name) is not None and (
            self.record(process.name).get("configuration") == process.configuration()
        )

    def launch(self, process: Process) -> bool:
        """Start a process unless it runs already with this configuration; returns whether it
        did."""
        if self.up_to_date(process):
            return False
        self.end(process.name)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        with (self.directory / f"{process.name}.log").open("wb") as log:
            child = subprocess.Popen(
                process.argv,
                cwd=self.directory,
                env={**kept, "HOME": str(self.directory), **process.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = {
            "pid": child.pid,
            "identity": identity(child.pid),
            "configuration": process.configuration(),
        }
        (self.directory / f"{process.name}.pid").write_text(json.dumps(record))
        return True

    def end(self, name: str) -> None:
        """End a process, by force after STOP_TIMEOUT; does nothing if it does not run."""
        deadline = time.monotonic() + STOP_TIMEOUT
        while pid := self.pid(name):
            kill = time.monotonic() > deadline
            os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
            _reap(pid)
            time.sleep(0.1)
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def wait(self, name: str, works: Callable[[], bool]) -> None:
        """Until it works. Raises LocalError with the end of its log if it ends or never does."""
        deadline = time.monotonic() + START_TIMEOUT
        while not works():
            _reap(self.record(name)["pid"])
            if not self.pid(name):
                raise LocalError(f"{name} ended while starting\n{self.tail(name)}")
            if time.monotonic() > deadline:
                reason = f"{name} is not healthy after {START_TIMEOUT} s"
                raise LocalError(f"{reason}\n{self.tail(name)}")
            time.sleep(0.1)

    def status(self) -> dict[str, bool]:
        """Whether each process that was started still runs."""
        return {name: self.pid(name) is not None for name in sorted(self.names())}

    def names(self) -> list[str]:
        """What was started, the last one first."""
        files = sorted(self.directory.glob("*.pid"), key=lambda f: f.stat().st_mtime_ns)
        return [file.stem for file in reversed(files)]

    def end_all(self) -> None:
        """End what was started, the last one first, and by force what a kill left unrecorded."""
        for name in self.names():
            self.end(name)
        end_by_force(self.descendants)

    def descendants(self) -> set[int]:
        """All that was started here and what those started, whether or not a file tells of it.

        They have the folder as HOME, as `launch` says; somebody's shell in the folder has not.
        """
        return started_with("HOME", str(self.directory))

    def tail(self, name: str) -> str:
        """The end of its log, for an error."""
        log = self.directory / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL:]
        return "\n".join([f"the end of {log}:", *(f"  {line}" for line in lines)])


def started_with(name: str, value: str) -> set[int]:
    """Processes in whose environment a variable was when they began (proc_pid_environ(5))."""
    wanted, found = f"{name}={value}".encode(), set[int]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.add(int(process.name))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found - {os.getpid()}


def end_by_force(find: Callable[[], set[int]]) -> None:
    """SIGKILL to all that `find` finds, until there are none.

    Raises LocalError if some do not end in time.
    """
    deadline = time.monotonic() + STOP_TIMEOUT
    while left := find():
        kill_all(left)
        if time.monotonic() > deadline:
            raise LocalError(f"processes {sorted(left)} do not end")
        time.sleep(0.05)


def kill_all(pids: set[int]) -> None:
    """SIGKILL to each that still exists."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        _reap(pid)


def _reap(pid: int) -> None:
    """Collect a child of ours that has ended, or it would stay in /proc as a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
