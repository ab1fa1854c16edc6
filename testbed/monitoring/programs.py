"""Finds Prometheus and its companions, or fetches Debian's into the project's cache.

Nothing is installed: apt verifies the packages, which are then unpacked (`local.real.debian`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import LocalError, commands
from local.real import images
from local.real.debian import Packages, Release, own_release
from local.toolchain import cache_folder


@dataclass(frozen=True)
class Program:
    """One of Debian's programs.

    `variable` names one that wins over PATH; `oldest` is the first version that the tests accept.
    """

    name: str
    package: str
    variable: str
    release: Callable[[], Release | None]
    oldest: tuple[int, int] = (0, 0)

    def find(self) -> Path:
        """Where it is, fetched if need be. Raises LocalError with the reason when it is not to be
        had."""
        if named := os.environ.get(self.variable):
            return self._accepted(Path(named))
        if on_path := shutil.which(self.name):
            try:
                return self._accepted(Path(on_path))
            except LocalError:
                pass  # too old, and what is fetched is not
        return self._accepted(self._fetched())

    def _fetched(self) -> Path:
        missing = f"no {self.name}: put one on PATH or name it by the variable {self.variable}"
        release = self.release()
        if release is None or own_release() is None:
            raise LocalError(f"{missing}; packages are fetched on Debian and Ubuntu only")
        if lacks := release.lacks():
            raise LocalError(f"{missing}; to fetch it, this machine lacks {lacks}")
        packages = Packages(cache_folder(), release)
        return packages.unpack((self.package,), beside_installed=True) / "usr/bin" / self.name

    def _accepted(self, path: Path) -> Path:
        if version(path) < self.oldest:
            oldest = ".".join(map(str, self.oldest))
            raise LocalError(f"{path} is older than {oldest}, the first that the tests can use")
        return path


PROMETHEUS = Program("prometheus", "prometheus", "PROMETHEUS", own_release)
PROMTOOL = Program("promtool", "prometheus", "PROMTOOL", own_release)
AMTOOL = Program("amtool", "prometheus-alertmanager", "AMTOOL", own_release)
EXPORTER = Program(
    images.EXPORTER,
    images.EXPORTER,
    "MYSQLD_EXPORTER",
    lambda: images.EXPORTER_RELEASE,
    oldest=(0, 15),  # `/probe` (its CHANGELOG.md, 0.15.0)
)


def version(path: Path) -> tuple[int, int]:
    """The first two numbers of a program's version. Raises LocalError when it says none."""
    said = commands.run(["sh", "-c", 'exec "$0" --version 2>&1', path])
    if not (found := re.search(r"version (\d+)\.(\d+)", said)):
        raise LocalError(f"{path} --version does not say which: {said[:100]}")
    return int(found[1]), int(found[2])
