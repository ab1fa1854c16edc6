"""Debian packages, fetched and unpacked into the cache; none is installed.

apt resolves and verifies them with lists, state and archives of our own (apt.conf(5), `Dir`).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import LocalError, commands, locks

OS_RELEASE = Path("/etc/os-release")
KEYRINGS = Path("/usr/share/keyrings")
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

HOOKS = (
    "APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success",
    "APT::Update::Post-Invoke-Stats", "DPkg::Pre-Invoke", "DPkg::Post-Invoke",
    "DPkg::Pre-Install-Pkgs", "AptCli::Hooks",
)  # fmt: skip
"""Commands that apt would run (apt.conf(5)): Docker's images empty the machine's cache by one."""

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
class Source:
    """One repository that apt reads: sources.list(5)."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keys: str = ""
    """Keys of which one must have signed it: files, or the keys themselves; empty for any key that
    apt trusts."""

    def signed_by(self, distribution: str) -> bool:
        """Whether it can be the distribution's own."""
        return not self.keys or f"/{distribution}-archive-keyring" in self.keys


@dataclass(frozen=True)
class Release:
    """A distribution's release: what `deb` lines need."""

    distribution: str
    codename: str

    @property
    def keyring(self) -> Path:
        """The distribution's own keys; its package may be missing on another distribution."""
        return KEYRINGS / f"{self.distribution}-archive-keyring.gpg"

    def lines(self, sources: Sequence[Source]) -> list[str]:
        """`deb` lines on the mirrors that apt sources name; empty if they name none.

        A repository of somebody else may have the same path: the distribution's is not signed by
        other keys, and has updates of its releases.
        """
        own = [s for s in sources if "main" in s.components and s.signed_by(self.distribution)]
        own.sort(key=lambda source: not any(s.endswith("-updates") for s in source.suites))
        main = next((s.uri for s in own if s.uri.endswith(f"/{self.distribution}")), None)
        if not main:
            return []
        security = f"/{self.distribution}-security"
        fixes = next((s.uri for s in own if s.uri.endswith(security)), main)
        suites = ((main, ""), (main, "-updates"), (fixes, "-security"))
        components = COMPONENTS[self.distribution]
        return [
            f"deb [signed-by={self.keyring}] {mirror} {self.codename}{suffix} {components}"
            for mirror, suffix in suites
        ]

    def lacks(self) -> str:
        """What this machine lacks to fetch packages of this release; empty if it lacks nothing."""
        if not self.lines(own_sources()):
            return f"a mirror of {self.distribution} in the apt sources"
        return "" if self.keyring.exists() else f"{self.keyring}"


def own_release() -> Release | None:
    """This machine's, if its packages are Debian's or Ubuntu's."""
    if not OS_RELEASE.exists() or not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
        return None
    facts = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', OS_RELEASE.read_text(), re.MULTILINE))
    if facts.get("ID") not in COMPONENTS or not facts.get("VERSION_CODENAME"):
        return None
    return Release(facts["ID"], facts["VERSION_CODENAME"])


def own_sources() -> list[Source]:
    """The repositories of this machine's own apt sources that are in use."""
    files = [*SOURCES.glob("sources.list"), *sorted((SOURCES / "sources.list.d").glob("*"))]
    found: list[Source] = []
    for file in files:
        if file.suffix in (".list", ".sources") and os.access(file, os.R_OK):
            read = _one_line if file.suffix == ".list" else _deb822
            found += read(file.read_text(errors="replace"))
    return found


def _one_line(text: str) -> list[Source]:
    """`deb [options] uri suite components` (sources.list(5))."""
    found: list[Source] = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+([^\s#]+)([^#]*)", line)
        if match:
            options, uri, suite, components = match.groups()
            keys = re.search(r"signed-by=(\S+)", options or "", re.IGNORECASE)
            for mirror in _mirrors(uri):
                source = (mirror, (suite,), tuple(components.split()), keys[1] if keys else "")
                found.append(Source(*source))
    return found


def _deb822(text: str) -> list[Source]:
    """Paragraphs of fields; a field goes on in lines that begin with a blank (deb822(5))."""
    found: list[Source] = []
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", lines):
        matches = re.findall(r"^([\w-]+):(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        fields = {name.lower(): value.strip() for name, value in matches}
        if fields.get("enabled", "yes").lower() in ("no", "false", "off", "0", "without"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            suites, components = (
                tuple(fields.get(f, "").split()) for f in ("suites", "components")
            )
            keys = fields.get("signed-by", "")
            found += [Source(mirror, suites, components, keys) for mirror in _mirrors(uri)]
    return found


def _mirrors(uri: str) -> list[str]:
    """What a URI leads to: cloud images name a file with a list (apt-transport-mirror(1))."""
    if uri.startswith("mirror+file:"):
        file = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
        lines = file.read_text().splitlines() if file.exists() else []
        return [
            line.split()[0].rstrip("/") for line in lines if re.match(r"https?://", line.strip())
        ]
    return [uri.rstrip("/")] if re.match(r"https?://", uri) else []


class Packages:
    """Packages of one release; fetched packages stay in the cache."""

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
        # The machine's settings hold, such as a proxy; what they run is for its own cache.
        (state / "apt.conf").write_text(without_hooks())
        chosen = (f"-o{setting}" for setting in settings)
        apt = ["apt-get", "-qq", f"--config-file={state}/apt.conf", *chosen]
        commands.run([*apt, "update"], what="apt-get update")
        install = [*apt, "--yes", "--download-only", "--reinstall", "install", *names]
        commands.run(install, what=f"apt-get install {' '.join(names)}")
        return list((state / "archives").glob("*.deb"))


def without_hooks() -> str:
    """Configuration of apt that forgets every command which it was told to run before."""
    return "".join(f"#clear {hook};\n" for hook in HOOKS)


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
