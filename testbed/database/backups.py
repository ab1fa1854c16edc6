"""Backups as mariadb-operator makes them: the same commands, as processes, not containers.

A PhysicalBackup's Job has two containers that share a staging volume (github.com/mariadb-operator/
mariadb-operator v25.10.4, pkg/builder/batch_builder.go, BuildPhysicalBackupJob): the server's image
writes the stream, then the operator's image compresses it, uploads it and applies the retention
(pkg/command/backup.go). `Place` is what the operator is told of the store, `Backup` such a Job.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from local.toolchain import Toolchain

from .object_store import ObjectStore
from .servers import HOST, Installation, Server

TIMEOUT = 120
"""Seconds for one command."""
STAMP = "%Y%m%d%H%M%S"
"""The time in a file's name, UTC (v25.10.4, pkg/time/time.go)."""


def operator(directory: Path) -> Path | None:
    """The operator's program, if it is built (`python -m local build`).

    A copy in `directory`, which the servers' account may enter: all containers of a Job have one
    account, and its home folder is not open to that.
    """
    program = Toolchain().path("mariadb-operator")
    return Path(shutil.copy2(program, directory)) if program.exists() else None


@dataclass(frozen=True)
class Ran:
    """How a command ended: its exit code, and all that it said."""

    code: int
    said: str


def run(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    run_as: str | None = None,
    timeout: float = TIMEOUT,
) -> Ran:
    """Run a command to its end, with nothing of this machine's environment but PATH."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    done = subprocess.run(
        [str(argument) for argument in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": path, "TZ": "UTC", **(environment or {})},
        timeout=timeout,
        check=False,
        user=run_as,
        group=run_as,
        extra_groups=None if run_as is None else (),
        cwd="/",
    )
    return Ran(done.returncode, done.stdout.decode(errors="replace"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where backups of one database are: what the operator's program is told of it."""

    store: ObjectStore
    prefix: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """v25.10.4, pkg/command/backup.go, s3Args; without TLS."""
        return (
            *("--s3", "--s3-bucket", self.store.bucket),
            *("--s3-endpoint", self.store.endpoint, "--s3-region", "us-east-1"),
            *("--s3-prefix", self.prefix),
        )

    @property
    def names(self) -> list[str]:
        """The files that are there, the newest last."""
        return self.store.objects(self.prefix)

    def key(self, name: str) -> str:
        """An object's key in the bucket."""
        return f"{self.prefix}/{name}"


@dataclass
class Backup:
    """One Job of a PhysicalBackup: Pods of one server's data, to one place.

    `staging`: a folder that a new Pod finds empty. `restart_policy` decides what a failed upload
    is followed by: `Never` makes a new Pod, `OnFailure` starts the container again in the same one.
    """

    installation: Installation
    server: Server
    place: Place
    staging: Path
    operator: Path
    compression: Literal["none", "gzip", "bzip2"] = "gzip"
    retention: str = "720h"
    restart_policy: Literal["Never", "OnFailure"] = "Never"
    pods: int = field(default=0, init=False)

    def run(self, *, age: float = 0) -> str:
        """Take a backup; the name of its file, which says that it is `age` seconds old.

        Raises RuntimeError with what was said when a container fails.
        """
        name = self.copy(age=age)
        uploaded = self.upload()
        if uploaded.code:
            raise RuntimeError(uploaded.said)
        return name

    def copy(self, *, age: float = 0) -> str:
        """The first container, in a new Pod: the stream in the staging folder, and its name."""
        extension = {"none": "", "gzip": ".gz", "bzip2": ".bz2"}[self.compression]
        stamp = datetime.fromtimestamp(time.time() - age, UTC).strftime(STAMP)
        name = f"physicalbackup-{stamp}.xb{extension}"
        self.pods += 1
        self._pod.mkdir(parents=True)
        self.installation.own(self._pod)
        self._target.write_text(str(self._pod / name))
        script = 'exec mariadb-backup "$@" > "$0"'
        # pkg/command/backup.go, mariadbBackupArgs.
        copied = run(
            *("bash", "-c", script, self._pod / name, "--no-defaults", "--backup"),
            *("--stream=xbstream", "--databases-exclude=lost+found"),
            *(f"--host={HOST}", f"--port={self.server.port}", "--user=root"),
            *(f"--datadir={self.server.data}", "--skip-ssl", "--innodb-use-native-aio=0"),
            run_as=self.installation.run_as,
        )
        if copied.code:
            raise RuntimeError(copied.said)
        return name

    def upload(self, **keys: str) -> Ran:
        """The second container: compress, push, retain. `keys`: of the store, other ones."""
        # pkg/command/backup.go, MariadbOperatorBackup.
        return run(
            *(self.operator, "backup", "--path", self._pod, "--target-file-path", self._target),
            *("--backup-content-type", "Physical", "--max-retention", self.retention),
            *("--compression", self.compression, *self.place.arguments),
            environment={**self.place.store.environment, **keys},
            run_as=self.installation.run_as,
        )

    def retry(self, *, age: float = 0) -> Ran:
        """What follows a failed upload by the restart policy."""
        if self.restart_policy == "Never":
            self.copy(age=age)
        return self.upload()

    @property
    def _pod(self) -> Path:
        return self.staging / f"pod-{self.pods}"

    @property
    def _target(self) -> Path:
        return self._pod / "0-backup-target.txt"


@dataclass(frozen=True, kw_only=True)
class Restore:
    """A restore as the operator's init Job does it, into a data directory that a server can use.

    The Job's containers (v25.10.4, pkg/command/backup.go, MariadbOperatorRestore and
    MariadbBackupRestore): fetch the file, then unpack, prepare and copy it back.
    """

    installation: Installation
    place: Place
    staging: Path
    operator: Path

    def fetch(self, *arguments: str) -> Ran:
        """The first container; `arguments`: `--target-time` and a time."""
        self.staging.mkdir(parents=True)
        self.installation.own(self.staging)
        return run(
            *(self.operator, "backup", "restore", "--path", self.staging),
            *("--target-file-path", self._target, "--backup-content-type", "Physical"),
            *("--physical-backup-dir-path", self._full, *self.place.arguments, *arguments),
            environment=self.place.store.environment,
            run_as=self.installation.run_as,
        )

    def into(self, data: Path) -> Ran:
        """The second container: `data` is made, or emptied, and filled."""
        script = """set -euo pipefail
rm -rf "$2" && mkdir -p "$1" "$2"
mbstream -x -C "$1" < "$0"
mariadb-backup --no-defaults --prepare --target-dir="$1" --innodb-use-native-aio=0
mariadb-backup --no-defaults --copy-back --target-dir="$1" --datadir="$2"
"""
        fetched = self._target.read_text()
        return run(
            *("bash", "-c", script, fetched, self._full, data), run_as=self.installation.run_as
        )

    @property
    def _full(self) -> Path:
        return self.staging / "full"

    @property
    def _target(self) -> Path:
        return self.staging / "0-backup-target.txt"
