"""`python -m bench.drill`: what a backup and its drill take, in time and bytes.

A server with so much data is copied, compressed and uploaded by mariadb-operator's own commands,
and the drill's two containers then run as processes. Needs what tests/database/test_drill.py needs.
Rewrites the table in docs/restore-drill.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import say
from components.config.credentials import HEARTBEAT_SCHEMA
from components.operations import drill_script, heartbeat_script
from components.operations.drill_script import Drill
from local import ports
from testbed.database import backups, object_store
from testbed.database.backups import Backup, Place, Ran, run
from testbed.database.object_store import ObjectStore
from testbed.database.servers import Installation, Server, stopping
from tools.marks import with_section

PAGE = Path(__file__).parents[1] / "docs" / "restore-drill.md"
MEBIBYTE = 2**20
ROW = 1024
"""Bytes of a row: hexadecimal hashes, which compress to about half."""
IDENTITY = "bench/default/orders"


def size_of(directory: Path) -> int:
    """Bytes on disk below a directory, while files come and go."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


@contextmanager
def peak(directory: Path) -> Generator[Callable[[], int]]:
    """Watch a directory: the most bytes that were in it at once."""
    found, ending = [0], threading.Event()

    def watch() -> None:
        while not ending.wait(0.1):
            found[0] = max(found[0], size_of(directory))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: max(found[0], size_of(directory))
    finally:
        ending.set()
        thread.join()


def timed(call: Callable[[], Ran]) -> float:
    """Seconds of a command that succeeds. Raises RuntimeError with what it said if it does not."""
    began = time.monotonic()
    ran = call()
    if ran.code:
        raise RuntimeError(ran.said)
    return time.monotonic() - began


def fill(server: Server, mebibytes: int) -> None:
    """So much data in one table, and a heartbeat."""
    hashes = ", ".join(f"SHA2(CONCAT(seq, '-{number}'), 512)" for number in range(ROW // 128))
    for sql in (
        "CREATE DATABASE shop",
        "CREATE TABLE shop.orders (id INT PRIMARY KEY, t TEXT CHARACTER SET ascii)",
        f"CREATE DATABASE {HEARTBEAT_SCHEMA}",
        heartbeat_script.CREATE,
        heartbeat_script.beat(IDENTITY),
    ):
        server.query(sql)
    with server.session() as session:
        for part in range(0, mebibytes, 16):
            first, last = part * MEBIBYTE // ROW + 1, (part + 16) * MEBIBYTE // ROW
            session.query(
                f"INSERT INTO shop.orders SELECT seq, CONCAT({hashes}) "
                f"FROM shop.seq_{first}_to_{last}"
            )


def measure(
    installation: Installation, operator: Path, store: ObjectStore, folder: Path, mebibytes: int
) -> list[tuple[str, str]]:
    """The rows of the table."""
    (port,) = ports.free(1)
    server = Server(installation, folder / "server", port, {"innodb_log_file_size": "256M"})
    with stopping([server]):
        server.start()
        server.wait()
        say(f"filling {mebibytes} MiB")
        fill(server, mebibytes)
        staging, place = folder / "staging", Place(store=store, prefix="bench")
        staging.mkdir()
        installation.own(staging)
        job = Backup(installation, server, place, staging, operator)
        data = size_of(server.data)
        with peak(staging) as staged:
            say("copying, compressing, uploading")
            began = time.monotonic()
            name = job.copy()
            copied = time.monotonic() - began
            uploaded = timed(job.upload)
            most_staged = staged()
    stored = store.size(place.key(name))
    scratch = folder / "scratch"
    scratch.mkdir()
    installation.own(scratch)
    wanted = Drill(identity=IDENTITY, max_age=86_400, directory=str(scratch))
    where = drill_script.s3(
        bucket=store.bucket,
        endpoint=store.endpoint,
        region="us-east-1",
        prefix=place.prefix,
        tls=False,
        ca_file=None,
    )
    with peak(scratch) as used:
        say("restoring and checking")
        fetched = timed(
            lambda: run(
                operator,
                *drill_script.fetch(wanted, where),
                environment=store.environment,
                run_as=installation.run_as,
            )
        )
        script = drill_script.mariadb(wanted)
        checked = timed(lambda: run("bash", "-c", script, run_as=installation.run_as))
        most_used = used()
    return [
        ("rows of 1 KiB, and the server's own files", f"{mebibytes} MiB, on disk {_mib(data)}"),
        ("backup: copy", _seconds(copied)),
        ("backup: compress and upload", _seconds(uploaded)),
        ("backup: most in the staging volume", f"{_mib(most_staged)}, {most_staged / data:.1f} x"),
        ("object in the store, gzip", _mib(stored)),
        ("drill: fetch and decompress", _seconds(fetched)),
        ("drill: unpack, prepare, start, check", _seconds(checked)),
        ("drill: most in the scratch volume", f"{_mib(most_used)}, {most_used / data:.1f} x"),
    ]


def _mib(count: int) -> str:
    return f"{count / MEBIBYTE:.0f} MiB"


def _seconds(duration: float) -> str:
    return f"{duration:.0f} s"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024, help="of rows; a multiple of 16")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table is")
    arguments = parser.parse_args()
    installation, weed = Installation.find(), object_store.program()
    if isinstance(installation, str) or weed is None:
        print(installation if isinstance(installation, str) else "no weed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="mysql-ha-bench-drill-") as name:
        folder = Path(name)
        installation.own(folder)
        operator = backups.operator(folder)
        if operator is None:
            print("mariadb-operator is not built: python -m local build", file=sys.stderr)
            return 1
        with object_store.object_store(weed, folder / "store") as store:
            rows = measure(installation, operator, store, folder, arguments.mebibytes)
    table = ["| what | measured |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)]
    text = "\n".join(["", *table, "", ""])
    arguments.page.write_text(with_section(arguments.page.read_text(), "drill", lambda _: text))
    print("\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
