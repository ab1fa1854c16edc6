"""Container images: what to pull, what is packed here, and from what.

A packed image is one layer of Debian packages or of a program built from its Go module, as an
archive that `ctr images import` reads. It is imported under a name of our own and then tagged as
whatever a stack calls it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.config.images import Image
from components.config.stack import StackConfig
from local import LocalError, commands, locks
from local.real.debian import Packages, Release, own_release
from local.toolchain import Toolchain

HERE = Path(__file__).parent
MARIADB_RELEASE = Release("debian", "trixie")
MARIADB_SERIES = "11.8"
"""That release's for as long as it lives: the one that `components` names by default."""
BASE = ("?essential",)  # apt-patterns(7)
MARIADB = (*BASE, "mariadb-server", "mariadb-backup", "galera-4", "socat", "procps", "iproute2",
           "rsync", "pv", "tzdata")  # fmt: skip
"""The server, and what its state transfers and the operator's scripts run."""
PROXYSQL = (*BASE, "mariadb-client", "procps")
EXPORTER_RELEASE = MARIADB_RELEASE
"""The first of Debian's whose exporter has `/probe`; it runs with the libc of the one before."""
EXPORTER = "prometheus-mysqld-exporter"
"""The package and its program, which needs a libc and the links of a merged /usr."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MYSQL_ID = 999
"""User and group of the official MariaDB and ProxySQL images."""
NOBODY = "65534:65534"
"""Who runs the official image of the exporter."""
KEPT = 30 * 24 * 3600  # seconds from an archive's last use to its removal
REGISTRY_TIMEOUT = 3  # seconds until a registry counts as out of reach
PROXYSQL_WAYS = """\
ProxySQL's image {image} can neither be pulled (no registry answers) nor be packed: nothing to pack
it from. Three ways out:
  PROXYSQL=/path/to/proxysql make up …   packs that program, of whatever version it is
  kubernetes:context: … in the stack     deploys to a cluster that can pull
  NODES=simulated make up …              simulates the containers; no SQL is answered"""


@dataclass(frozen=True)
class Archive:
    """A packed image: the file, the name it is imported by, and what is in it."""

    file: Path
    name: str
    content: str


@dataclass(frozen=True)
class Config:
    """The parts of an image's configuration that we set (OCI image spec, config.md)."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    env: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The source of each image reference of a stack."""

    packed: Mapping[str, Archive] = field(default_factory=dict[str, Archive])
    pulled: tuple[str, ...] = ()


Sources = dict[str, Callable[[], Archive] | None]
"""What packs an image, by its reference; None where it is pulled."""


class Images:
    """Makes archives in the cache, and tells the source of each image."""

    def __init__(self, tools: Toolchain) -> None:
        self.tools = tools
        self.folder = tools.cache / "images"

    # What the nodes themselves run.

    def pause(self) -> Archive:
        """Holds a Pod's namespaces: catatonit in its pause mode (catatonit(1), -P)."""
        packages = self._debian(self._own_release())

        def build(root: Path) -> str:
            folder = packages.unpack(("catatonit",))
            _copy(folder / "usr/bin/catatonit", root / "pause")
            return f"catatonit {packages.version(folder, 'catatonit')}"

        return self._pack("pause", Config(entrypoint=("/pause", "-P")), build)

    def dns(self) -> Archive:
        """CoreDNS, built from its Go module."""
        return self._program("dns", "/dns")

    def operator(self) -> Archive:
        """mariadb-operator; the same image runs beside the servers (`images.data_plane`)."""
        return self._program("mariadb-operator", "/bin/mariadb-operator")

    # What a stack runs.

    def sources(self, configs: Sequence[StackConfig]) -> Sources:
        """What packs each image of a stack; None for one that a registry has.

        Fetches and packs nothing. Raises LocalError if an image is available in neither way.
        """
        found: Sources = {}
        for config in configs:
            for image, pack in self._needed(config):
                if image.reference in found:
                    continue
                own = image == config.images.data_plane and image.tag == self._operator_version
                pulled = not own and registry_answers(image.registry)
                found[image.reference] = None if pulled else pack(image)
        return found

    def plan(self, sources: Sources) -> Plan:
        """Pack what is to be packed."""
        packed = {reference: pack() for reference, pack in sources.items() if pack}
        return Plan(packed, tuple(reference for reference, pack in sources.items() if not pack))

    def _needed(
        self, config: StackConfig
    ) -> Iterable[tuple[Image, Callable[[Image], Callable[[], Archive]]]]:
        yield config.images.database, self._mariadb
        # It also fetches the backups of drills.
        if config.database.topology != "standalone" or config.backup.drilled:
            yield config.images.data_plane, self._operator_image
        if config.own_proxies:
            yield config.images.proxy, self._proxysql
        if config.monitoring.enabled:
            yield config.images.exporter, self._exporter

    @property
    def _operator_version(self) -> str:
        return self.tools.program("mariadb-operator").version.removeprefix("v")

    def _operator_image(self, image: Image) -> Callable[[], Archive]:
        _refuse_digest(image)
        if image.tag != self._operator_version:
            raise LocalError(
                f"{image.reference}: the operator that runs here is {self._operator_version}, and "
                "no registry answers. Remove images.data_plane.tag, or set it to that."
            )
        return self.operator

    def _mariadb(self, image: Image) -> Callable[[], Archive]:
        _refuse_digest(image)
        _refuse_without(MARIADB_RELEASE, image)
        if _series(image.tag) != _series(MARIADB_SERIES):
            raise LocalError(
                f"{image.reference} cannot be pulled (no registry answers), and Debian "
                f"{MARIADB_RELEASE.codename} has MariaDB {MARIADB_SERIES}, another series. Set "
                "images.database.tag to one of that series, or NODES=simulated."
            )
        return self._pack_mariadb

    def _pack_mariadb(self) -> Archive:
        packages = self._debian(MARIADB_RELEASE)
        folder = packages.unpack(MARIADB)
        version = packages.version(folder, "mariadb-server")

        def build(root: Path) -> str:
            _clone(folder, root)
            _base(root)
            shutil.rmtree(root / "etc/mysql/mariadb.conf.d")
            shutil.rmtree(root / "var/lib/mysql", ignore_errors=True)
            for data in ("var/lib/mysql", "run/mysqld"):
                (root / data).mkdir(parents=True)
                os.chown(root / data, MYSQL_ID, MYSQL_ID)
            (root / "run/mysqld").chmod(0o1777)
            # The operator's init Job of Galera lists it (pkg/galera/recovery).
            (root / "docker-entrypoint-initdb.d").mkdir()
            _copy(HERE / "mariadb/entrypoint.sh", root / "usr/local/bin/docker-entrypoint.sh")
            shutil.copy(HERE / "mariadb/docker.cnf", root / "etc/mysql/conf.d")
            includes = "!includedir /etc/mysql/mariadb.conf.d/\n!includedir /etc/mysql/conf.d/\n"
            (root / "etc/mysql/mariadb.conf.d").mkdir()
            (root / "etc/mysql/mariadb.cnf").write_text(
                f"[client-server]\nsocket = /run/mysqld/mysqld.sock\n{includes}"
            )
            (root / "etc/mysql/my.cnf").unlink(missing_ok=True)
            (root / "etc/mysql/my.cnf").symlink_to("mariadb.cnf")
            return f"MariaDB {version} of Debian {MARIADB_RELEASE.codename}"

        config = Config(
            entrypoint=("docker-entrypoint.sh",), cmd=("mariadbd",), env=("LANG=C.UTF-8",)
        )
        recipe = [f.read_bytes() for f in sorted((HERE / "mariadb").iterdir())]
        return self._pack(f"mariadb-{version}", config, build, *recipe)

    def _proxysql(self, image: Image) -> Callable[[], Archive]:
        _refuse_digest(image)
        program = proxysql_program()
        if not program:
            raise LocalError(PROXYSQL_WAYS.format(image=image.reference))
        return lambda: self.pack_proxysql(program)

    def pack_proxysql(self, program: Path) -> Archive:
        """The image of a ProxySQL program, with the libraries that it is linked to here."""
        packages = self._debian(self._own_release())
        version = proxysql_version(program)

        def build(root: Path) -> str:
            # The image gets the packages that own the program's libraries here.
            _clone(packages.unpack((*PROXYSQL, *_libraries(program))), root)
            _base(root)
            _copy(program, root / "usr/bin/proxysql")
            data = root / "var/lib/proxysql"
            data.mkdir()
            os.chown(data, MYSQL_ID, MYSQL_ID)
            return f"ProxySQL {version}, packed from {program}"

        stat = program.stat()
        stamp = f"{program} {stat.st_size} {stat.st_mtime_ns}".encode()
        return self._pack(f"proxysql-{version}", Config(cmd=("proxysql",)), build, stamp)

    def _exporter(self, image: Image) -> Callable[[], Archive]:
        _refuse_digest(image)
        _refuse_without(EXPORTER_RELEASE, image)
        return self._pack_exporter

    def _pack_exporter(self) -> Archive:
        packages = self._debian(EXPORTER_RELEASE)
        folder = packages.unpack(("base-files", "base-passwd", EXPORTER))
        version = packages.version(folder, EXPORTER)

        def build(root: Path) -> str:
            _clone(folder, root)
            _base(root)
            return f"mysqld_exporter {version} of Debian {EXPORTER_RELEASE.codename}"

        config = Config(entrypoint=(f"/usr/bin/{EXPORTER}",), user=NOBODY)
        return self._pack(f"exporter-{version}", config, build)

    # Packing

    def _own_release(self) -> Release:
        if not (release := own_release()):
            raise LocalError("Images can be packed only where packages are Debian's or Ubuntu's.")
        return release

    def _debian(self, release: Release) -> Packages:
        return Packages(self.tools.cache, release)

    def _program(self, name: str, path: str) -> Archive:
        program = self.tools.program(name)

        def build(root: Path) -> str:
            _copy(self.tools.path(name), root / path.lstrip("/"))
            (root / "tmp").mkdir()
            (root / "tmp").chmod(0o1777)
            return f"{name} {program.version}, built from its Go module"

        config = Config(entrypoint=(path,), user="65532:65532")
        return self._pack(name, config, build, str(self.tools.path(name)).encode())

    def _pack(
        self, name: str, config: Config, build: Callable[[Path], str], *recipe: bytes
    ) -> Archive:
        """Build the root file system and pack it, unless the cache has it from the same recipe."""
        digest = hashlib.sha256(Path(__file__).read_bytes())
        for part in (repr(config).encode(), *recipe):
            digest.update(hashlib.sha256(part).digest())
        key = digest.hexdigest()[:12]
        safe = re.sub(r"[^a-z0-9.-]", "-", name.lower())
        file = self.folder / f"{safe}-{key}.tar"
        note = file.with_suffix(".txt")
        with locks.locked(self.folder / f"{safe}-{key}.lock"):
            if not note.exists():
                root = file.with_suffix(".root")
                shutil.rmtree(root, ignore_errors=True)
                root.mkdir(parents=True)
                self.tools.say(f"image {name}: packing…")
                content = build(root)
                tag = f"mysql-ha.local/{safe}:{key}"
                write_archive(root, file, tag, config)
                shutil.rmtree(root)
                note.write_text(content)
                self.forget()
            os.utime(note)
        return Archive(file, f"mysql-ha.local/{safe}:{key}", note.read_text())

    def forget(self) -> None:
        """Remove archives that no clone has used for long, so that the cache does not grow."""
        for note in self.folder.glob("*.txt"):
            if note.stat().st_mtime < time.time() - KEPT:
                note.unlink()
                note.with_suffix(".tar").unlink(missing_ok=True)


def write_archive(root: Path, file: Path, tag: str, config: Config) -> None:
    """Pack a folder as an image of one layer (docker-archive: manifest.json, config, layer)."""
    layer = file.with_suffix(".layer")
    commands.run(
        ["tar", "--create", f"--file={layer}", f"--directory={root}", "--numeric-owner", "."]
    )
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    text = json.dumps({
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
        "os": "linux",
        "config": {
            "Env": [f"PATH={PATH}", *config.env],
            "User": config.user,
            "Entrypoint": list(config.entrypoint),
            "Cmd": list(config.cmd),
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [],
    }).encode()  # fmt: skip
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = json.dumps(
        [{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]
    ).encode()
    with tarfile.open(file, "w") as archive:
        archive.add(layer, f"{digest}/layer.tar")
        for member, content in ((name, text), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    layer.unlink()


def _refuse_digest(image: Image) -> None:
    if image.digest:
        raise LocalError(
            f"{image.reference} is pinned by digest, and no registry answers here: an image that "
            "is packed has another digest. Leave the digest out, or NODES=simulated."
        )


def _refuse_without(release: Release, image: Image) -> None:
    if lacks := release.lacks():
        raise LocalError(
            f"{image.reference} cannot be pulled (no registry answers) nor packed: this machine "
            f"has no {lacks}. NODES=simulated goes without."
        )


@functools.cache
def registry_answers(registry: str) -> bool:
    """Whether something that speaks the registry protocol answers (OCI distribution spec, /v2/)."""
    host = "registry-1.docker.io" if registry == "docker.io" else registry
    try:
        with urllib.request.urlopen(f"https://{host}/v2/", timeout=REGISTRY_TIMEOUT):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False


def proxysql_program() -> Path | None:
    """The program that the variable PROXYSQL names, else the one on PATH."""
    found = os.environ.get("PROXYSQL") or shutil.which("proxysql")
    if not found:
        return None
    program = Path(found).resolve()
    if not os.access(program, os.X_OK) or program.is_dir():
        raise LocalError(f"PROXYSQL={found} is not a program.")
    return program


def proxysql_version(program: Path) -> str:
    """The version that it reports, e.g. 2.7.2-14-g5cc418b."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"ProxySQL version v?([\w.-]+)", said.stdout + said.stderr)
    if not match:
        raise LocalError(f"{program} --version does not name a version.")
    return match[1].rstrip(",")


def _libraries(program: Path) -> list[str]:
    """The Debian packages of the libraries that a program is linked to."""
    linked = commands.run(["ldd", program])
    files = re.findall(r"=> (/\S+)", linked)
    # dpkg knows a file by the path that its package has, of a merged /usr by either.
    paths = {form for file in files for form in (file, os.path.realpath(file))}
    owners = subprocess.run(
        ["dpkg-query", "--search", *sorted(paths)], capture_output=True, text=True, check=False
    ).stdout
    return sorted({line.partition(":")[0] for line in owners.splitlines()})


def _series(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _clone(folder: Path, root: Path) -> None:
    """Copy a folder with owners and links; hard links where the file system has them."""
    commands.run(["cp", "--archive", f"{folder}/.", root])


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _base(root: Path) -> None:
    """What install scripts would do: accounts, and folders for mounts."""
    master = root / "usr/share/base-passwd"
    for kind, line in (
        ("passwd", f"mysql:x:{MYSQL_ID}:{MYSQL_ID}::/var/lib/mysql:/usr/sbin/nologin\n"),
        ("group", f"mysql:x:{MYSQL_ID}:\n"),
    ):
        (root / "etc" / kind).write_text((master / f"{kind}.master").read_text() + line)
    for folder in ("proc", "sys", "dev", "run", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
