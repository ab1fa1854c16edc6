"""Debian packages, fetched and unpacked into the cache; none is installed.

apt resolves and verifies them with lists, state and archives of our own (apt.conf(5), `Dir`).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import LocalError, commands, locks

OS_RELEASE = Path("/etc/os-release")
SOURCES = Path("/etc/apt")
STATUS = Path("/var/lib/dpkg/status")
COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
)
"""What a container never reads, half of what some packages hold."""

ALTERNATIVES = (
    ("usr/bin", "awk", "mawk"),
    *(
        ("usr/sbin", f"{family}{suffix}", f"{family}-nft{suffix}")
        for family in ("iptables", "ip6tables")
        for suffix in ("", "-save", "-restore")
    ),
)
"""Folder, name, and what Debian's default choice for it is."""


@dataclass(frozen=True)
class Release:
    """A distribution's release: what `deb` lines need."""

    distribution: str
    codename: str

    def lines(self, sources: str) -> list[str]:
        """`deb` lines on the mirrors that apt sources name; empty if they name none."""
        keyring = f"/usr/share/keyrings/{self.distribution}-archive-keyring.gpg"
        found = dict.fromkeys(re.findall(r"https?://[^\s]+", sources))
        mirrors = [uri.rstrip("/") for uri in found]
        main = next((m for m in mirrors if m.endswith(f"/{self.distribution}")), None)
        if not main:
            return []
        security = next((m for m in mirrors if m.endswith(f"/{self.distribution}-security")), main)
        suites = ((main, ""), (main, "-updates"), (security, "-security"))
        components = COMPONENTS[self.distribution]
        return [
            f"deb [signed-by={keyring}] {mirror} {self.codename}{suffix} {components}"
            for mirror, suffix in suites
        ]


def own_release() -> Release | None:
    """This machine's, if its packages are Debian's or Ubuntu's."""
    if not OS_RELEASE.exists() or not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
        return None
    facts = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', OS_RELEASE.read_text(), re.MULTILINE))
    if facts.get("ID") not in COMPONENTS or not facts.get("VERSION_CODENAME"):
        return None
    return Release(facts["ID"], facts["VERSION_CODENAME"])


def own_sources() -> str:
    """The text of this machine's own apt sources, comments apart."""
    files = [*SOURCES.glob("sources.list"), *sorted((SOURCES / "sources.list.d").glob("*"))]
    texts = [file.read_text() for file in files if file.suffix in (".list", ".sources")]
    return "\n".join(line for text in texts for line in text.splitlines() if line[:1] != "#")


class Packages:
    """Packages of one release; what is fetched stays in the cache."""

    def __init__(self, cache: Path, release: Release):
        self.root = cache / "debian" / release.codename
        self.release = release

    def unpack(self, names: Sequence[str], *, beside_installed: bool = False) -> Path:
        """A folder with the packages and all they depend on, without their install scripts.

        `beside_installed`: only what this machine lacks for them, though it may have them itself.
        """
        recipe = "\0".join((*names, str(beside_installed), repr(ALTERNATIVES)))
        key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        folder = self.root / "unpacked" / key
        with locks.locked(self.root / f"{key}.lock"):
            if folder.exists():
                return folder
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            status = STATUS.read_text() if beside_installed else ""
            archives = self._fetch(names, status, partial.with_suffix(".apt"))
            # The links /bin, /lib, … of a merged /usr must be there before anything follows them.
            for archive in sorted(archives, key=lambda a: not a.name.startswith("base-files_")):
                unpack_archive(archive, partial)
            (partial / "packages.txt").write_text(
                "".join(f"{archive.stem}\n" for archive in sorted(archives))
            )
            _link_alternatives(partial)
            shutil.rmtree(partial.with_suffix(".apt"))
            partial.rename(folder)
        return folder

    def version(self, folder: Path, package: str) -> str:
        """The upstream version of a package in an unpacked folder, e.g. 11.8.9."""
        text = (folder / "packages.txt").read_text()
        match = re.search(rf"^{re.escape(package)}_(?:\d+%3a)?([\d.]+)", text, re.MULTILINE)
        if not match:
            raise LocalError(f"{folder} has no {package}")
        return match[1]

    def _fetch(self, names: Sequence[str], status: str, state: Path) -> list[Path]:
        for folder in ("lists/partial", "archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        (state / "status").write_text(status)
        (state / "sources.list").write_text("\n".join(self.release.lines(own_sources())) + "\n")
        settings = (
            f"Dir::Etc::sourcelist={state}/sources.list", "Dir::Etc::sourceparts=-",
            f"Dir::State::lists={state}/lists", f"Dir::State::status={state}/status",
            f"Dir::Cache={state}", f"Dir::Cache::archives={state}/archives",
            "APT::Sandbox::User=root", "APT::Install-Recommends=0", "Acquire::Languages=none",
            "Debug::NoLocking=1", "Acquire::Retries=3",
        )  # fmt: skip
        apt = ["apt-get", "-qq", *(f"-o{setting}" for setting in settings)]
        commands.run([*apt, "update"], what="apt-get update")
        install = [*apt, "--yes", "--download-only", "--reinstall", "install", *names]
        commands.run(install, what=f"apt-get install {' '.join(names)}")
        return list((state / "archives").glob("*.deb"))


def _link_alternatives(root: Path) -> None:
    """The names that install scripts give to one of several programs (update-alternatives(1))."""
    for folder, name, chosen in ALTERNATIVES:
        if (root / folder / chosen).exists() and not (root / folder / name).exists():
            (root / folder / name).symlink_to(chosen)


def unpack_archive(archive: Path, directory: Path) -> None:
    """Unpack one .deb over what is in a folder."""
    left_out = [f"--exclude=./{path}/*" for path in LEFT_OUT]
    content = archive.with_suffix(".tar")
    commands.run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$0" >"$1"', archive, content])
    # A directory that is a link already stays one: /bin of base-files.
    options = (f"--file={content}", f"--directory={directory}", "--keep-directory-symlink")
    commands.run(["tar", "--extract", *options, *left_out])
    content.unlink()
