"""What a directory of a server's binary logs holds, read from the files alone.

A log is a row of events, each with a header of 19 bytes. What stands in between is skipped, so that
nothing an application wrote is taken for an event, as it may be in the text of `mariadb-binlog`.

Format: mariadb.com/docs, "Binary Log File Structure", "Gtid event", "Gtid_list event".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

MAGIC = b"\xfebin"
HEADER = struct.Struct("<IBIIIH")
"""Time, type, server's id, length, where the next one begins, flags."""
GTID, GTID_LIST, ENCRYPTION = 162, 163, 164
"""Types of events."""


class Refused(Exception):
    """What must not be replayed, with what to do about it."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(f"{rule}. Fix: {fix}.")


class Gtid(NamedTuple):
    """The name of a transaction: unique among all servers that replicate to each other."""

    domain: int
    server: int
    number: int

    def __str__(self) -> str:
        return f"{self.domain}-{self.server}-{self.number}"


Position: TypeAlias = Mapping[int, Gtid]
"""By domain the last transaction that a server has."""


class Event(NamedTuple):
    """Something in a log; with a `gtid`, a transaction begins."""

    at: int
    """Seconds since 1970."""
    gtid: Gtid | None


@dataclass(frozen=True)
class Log:
    """A binary log: what the server had when it began, and what follows."""

    path: Path
    begins: Position

    def events(self) -> Iterator[Event]:
        """In the order of the log. Raises Refused where an event is cut off."""
        for at, kind, server, file, length in _events(self.path):
            body = file.read(min(length, 12)) if kind == GTID else b""
            yield Event(at, _gtid(server, body) if body else None)


def position(text: str) -> Position:
    """A position as servers write it, such as `0-10-5,1-11-3`; empty for nothing at all.

    Raises Refused.
    """
    found: dict[int, Gtid] = {}
    for one in text.replace(" ", "").split(","):
        match = re.fullmatch(r"([0-9]+)-([0-9]+)-([0-9]+)", one, re.ASCII)
        if one and (match is None or int(match[1]) in found):
            raise Refused(
                f"'{text}' is not a position of a server",
                "use the text in the third column of mariadb_backup_binlog_info, such as 0-10-5",
            )
        if match:
            found[int(match[1])] = Gtid(*map(int, match.groups()))
    return found


def text_of(where: Position) -> str:
    """A position as servers read it."""
    return ",".join(str(where[domain]) for domain in sorted(where))


def position_of_backup(info: str) -> Position:
    """That of a backup, by its file `mariadb_backup_binlog_info`, in older series
    `xtrabackup_binlog_info`: the log, the offset and the position. Raises Refused."""
    columns = info.rstrip("\n").split("\t")
    if len(columns) != 3 or not columns[2]:
        raise Refused(
            "the backup says no position: its server wrote no binary log",
            "nothing can be replayed into this backup",
        )
    return position(columns[2])


def logs(directory: Path) -> list[Log]:
    """The logs of a directory in their order. Raises Refused where one is missing or unreadable."""
    numbered = sorted(
        (int(match[2]), match[1], path)
        for path in directory.iterdir()
        if (match := re.fullmatch(r"(.+)\.([0-9]{6,})", path.name, re.ASCII))
    )
    if not numbered:
        raise Refused(f"{directory} has no binary log", "copy the files *.000001, … there")
    if len(names := {name for _, name, _ in numbered}) > 1:
        raise Refused(
            f"{directory} has the logs of several servers: {', '.join(sorted(names))}",
            "keep those of one server: each has all transactions",
        )
    for (before, _, _), (number, _, path) in zip(numbered, numbered[1:], strict=False):
        if number != before + 1:
            raise Refused(
                f"{path.name} does not follow the log of number {before}",
                "copy the logs in between too",
            )
    return [Log(path, _begins(path)) for _, _, path in numbered]


def _begins(path: Path) -> Position:
    """What the server had when it began the log."""
    for _, kind, _, file, length in _events(path):
        if kind == ENCRYPTION:
            raise Refused(
                f"{path.name} is encrypted",
                "read it from its server: mariadb-binlog --read-from-remote-server --raw",
            )
        if kind == GTID_LIST:
            return _listed(file.read(length))
    raise Refused(f"{path.name} says nothing of GTIDs", "use logs of a MariaDB server")


def _listed(body: bytes) -> Position:
    """Of several servers of a domain, the last in the list wrote last (sql/rpl_gtid.cc,
    rpl_binlog_state::get_gtid_list)."""
    (count,) = struct.unpack_from("<I", body)
    entries = struct.iter_unpack("<IIQ", body[4 : 4 + 16 * (count & 0x0FFFFFFF)])
    return {domain: Gtid(domain, server, number) for domain, server, number in entries}


def _gtid(server: int, body: bytes) -> Gtid:
    number, domain = struct.unpack_from("<QI", body)
    return Gtid(domain, server, number)


def _events(path: Path) -> Iterator[tuple[int, int, int, BinaryIO, int]]:
    """(time, type, server, file, bytes that follow the header) of each event."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise Refused(f"{path.name} is no binary log", "copy it again, from its server")
        at = len(MAGIC)
        while at < size:
            header = file.read(HEADER.size)
            if len(header) == HEADER.size:
                time, kind, server, length, _, _ = HEADER.unpack(header)
                if HEADER.size <= length <= size - at:
                    yield time, kind, server, file, length - HEADER.size
                    at += length
                    file.seek(at)
                    continue
            raise Refused(
                f"{path.name} is cut off after {at} bytes",
                "copy it again; of a server that runs, after FLUSH BINARY LOGS",
            )


def names(found: Sequence[Log]) -> str:
    """The logs, for people."""
    first, last = found[0].path.name, found[-1].path.name
    return first if first == last else f"{first} to {last}"
