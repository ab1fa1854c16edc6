"""The programs that nodes are made of, and how they are run."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from local import commands


@dataclass(frozen=True)
class Programs:
    """Where a node's programs are: those built from Go, and Debian's, unpacked in a folder."""

    kubelet: Path
    kube_proxy: Path
    unpacked: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the unpacked programs find each other and their libraries."""
        root = self.unpacked
        folders = [str(root / f) for f in ("usr/sbin", "usr/bin", "sbin", "bin")]
        libraries = [
            str(folder)
            for parent in ("usr/lib", "lib")
            for folder in (root / parent, *sorted((root / parent).glob("*-linux-gnu")))
            if folder.is_dir()
        ]
        return {
            "PATH": os.pathsep.join((*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin")),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "XTABLES_LIBDIR": next(map(str, root.glob("usr/lib/*/xtables")), ""),
        }

    def run(self, *command: str) -> str:
        """What a command prints, an unpacked one before the machine's own.

        Raises LocalError with what it says when it fails.
        """
        environment = {**os.environ, **self.environment}
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        return commands.run(
            [program, *command[1:]], what=" ".join(command), environment=environment
        )
