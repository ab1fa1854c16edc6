"""Go programs, built from pinned modules into a cache that clones and parallel runs share."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import LocalError, commands, locks

TOOLS = Path(__file__).parent / "tools"
BUILD = ("go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false")


@dataclass(frozen=True)
class Program:
    """A main package of a module that local/tools/<directory>/go.mod pins.

    `package` is its path in the module, empty for the module itself, or `.` for a
    main package of our own in that folder.
    """

    name: str
    directory: str
    module: str
    package: str
    minutes: float
    """A cold build on 2 cores, with nothing in Go's own cache."""
    stamps: tuple[str, ...] = ()
    """Linker symbols and their values; without them clients cannot parse the program's version."""
    static: bool = False
    """Linked to no library: it also runs in an image that has nothing else."""

    @property
    def version(self) -> str:
        return required_version(self.directory, self.module)

    def command(self, output: Path) -> list[str]:
        major, minor, _ = self.version.removeprefix("v").split(".")
        stamps = (s.format(version=self.version, major=major, minor=minor) for s in self.stamps)
        ldflags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])
        package = "." if self.package == "." else f"{self.module}/{self.package}".rstrip("/")
        return [*BUILD, f"-ldflags={ldflags}", "-o", str(output), package]

    def key(self, go_version: str) -> str:
        """Changes when anything changes that decides the binary."""
        module = TOOLS / self.directory
        digest = hashlib.sha256()
        for part in (
            (module / "go.mod").read_bytes(),
            (module / "go.sum").read_bytes(),
            "\0".join(self.command(Path("-"))).encode(),
            go_version.encode(),
            *((b"static",) if self.static else ()),
            *(file.read_bytes() for file in sorted(module.glob("*.go"))),
        ):
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()[:16]

    def binary(self, cache: Path) -> Path:
        """Where the binary is, or will be; in a folder `bin`, as `PulumiCommand` expects."""
        return cache / f"{self.name}-{self.key(go_version())}" / "bin" / self.name

    def build(self, cache: Path) -> bool:
        """Build unless it is cached; say whether that was needed."""
        binary = self.binary(cache)
        if binary.exists():
            return False
        with locks.locked(cache / f"{self.name}.lock"):
            if binary.exists():  # another run has just built it
                return False
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                built = Path(folder) / self.name
                cgo = {"CGO_ENABLED": "0"} if self.static else {}
                run(self.command(built), TOOLS / self.directory, cgo)
                binary.parent.mkdir(parents=True, exist_ok=True)
                built.rename(binary)
        return True


def required_version(directory: str, module: str) -> str:
    """The version in local/tools/<directory>/go.mod: the one place that pins it."""
    text = (TOOLS / directory / "go.mod").read_text()
    match = re.search(rf"^(?:\s+|require ){re.escape(module)} (v\S+)", text, re.MULTILINE)
    if not match:
        raise LocalError(f"local/tools/{directory}/go.mod does not require {module}")
    return match[1]


def module_directory(directory: str, module: str) -> Path:
    """The unpacked module, downloaded if need be and checked against that folder's go.sum."""
    version = required_version(directory, module)
    answer = run(["go", "mod", "download", "-json", f"{module}@{version}"], TOOLS / directory)
    found: dict[str, Any] = json.loads(answer)
    return Path(found["Dir"])


def go_version() -> str:
    return run(["go", "env", "GOVERSION"], TOOLS).strip()


def run(command: list[str], directory: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a go command without the user's workspace file, with `environment` added to ours."""
    if not shutil.which("go"):
        raise LocalError(
            "The local mode builds its control plane with Go, and there is no `go` on PATH.\n"
            "Install Go 1.25 or later (https://go.dev/dl/), or name a cluster in the stack file."
        )
    variables = {**os.environ, "GOWORK": "off", **(environment or {})}
    what = f"`{' '.join(command)}` in {directory}"
    return commands.run(command, what=what, directory=directory, environment=variables)
