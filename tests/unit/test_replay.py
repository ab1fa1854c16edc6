"""What a replay of binary logs would do: planned from the logs alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import binlogs, replay
from tools.binlogs import Event, Gtid, Position, Refused, position
from tools.replay import plan


@dataclass(frozen=True)
class Made:
    """A log of a test: what it begins after, and its events."""

    begins: Position
    made: Sequence[Event]

    def events(self) -> Sequence[Event]:
        return self.made


def log(begins: str, *events: tuple[int, str]) -> Made:
    """`events`: time and GTID, or nothing where no transaction begins."""
    texts = [(at, position(text)) for at, text in events]
    return Made(
        position(begins),
        [Event(at, next(iter(gtid.values()), None)) for at, gtid in texts],
    )


LOGS = [
    log("", (10, ""), (11, "0-1-1"), (12, "0-1-2"), (13, "")),
    log("0-1-2", (13, ""), (20, "0-1-3"), (21, "0-1-4"), (30, "0-1-5"), (31, "")),
]


def planned(start: str, until: int | None, logs: Sequence[Made] = LOGS) -> tuple[str, int]:
    made = plan(logs, position(start), until)
    return binlogs.text_of(made.end), made.transactions


@pytest.mark.parametrize(
    ("start", "until", "end", "transactions"),
    [
        ("0-1-2", None, "0-1-5", 3),
        ("0-1-3", None, "0-1-5", 2),
        ("", None, "0-1-5", 5),
        ("0-1-5", None, "0-1-5", 0),
        ("0-1-3", 30, "0-1-4", 1),
        ("0-1-3", 31, "0-1-5", 2),
        ("0-1-3", 21, "0-1-3", 0),
        ("", 5, "", 0),
    ],
)
def test_what_follows_the_backup_and_is_before_the_time(
    start: str, until: int | None, end: str, transactions: int
) -> None:
    assert planned(start, until) == (end, transactions)


REFUSED = {
    "older logs are missing": ("0-1-1", None, LOGS[1:], "add older logs"),
    "of a domain that the backup does not know": (
        "0-1-2",
        None,
        [log("0-1-2,1-5-7", (20, "0-1-3"))],
        "add older logs",
    ),
    "a log is missing between": (
        "0-1-1",
        None,
        [LOGS[0], log("0-1-3", (20, "0-1-4"))],
        "without a RESET MASTER",
    ),
    "a later life of the server": (
        "0-1-2",
        None,
        [LOGS[0], log("", (20, "0-1-1"))],
        "without a RESET MASTER",
    ),
    "newer than the logs": ("0-1-6", None, LOGS, "do not have 0-1-6"),
    "of another server": ("0-2-3", None, LOGS, "do not have 0-2-3"),
    "of another domain": ("0-1-3,1-5-7", None, LOGS, "do not have 1-5-7"),
    "the backup is newer than the time": ("0-1-4", 20, LOGS, "older backup"),
    "as old as the time": ("0-1-4", 21, LOGS, "older backup"),
    "the logs end too early": ("0-1-3", 32, LOGS, "FLUSH BINARY LOGS"),
    "nobody knows how old the backup is": ("0-1-2", 13, LOGS[1:], "add the log before"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_corrupt_is_refused(case: str) -> None:
    start, until, logs, why = REFUSED[case]
    with pytest.raises(Refused, match=why):
        planned(start, until, logs)


def test_two_domains_each_go_on_behind_their_own() -> None:
    logs = [log("", (1, "0-1-1"), (2, "7-1-1"), (3, "0-1-2"), (4, "7-1-2"), (5, "8-1-1"))]
    assert planned("0-1-2,7-1-1", None, logs) == ("0-1-2,7-1-2,8-1-1", 2)
    assert planned("0-1-1", 4, logs[:1]) == ("0-1-2,7-1-1", 2)


def test_a_slow_statement_behind_the_stop_is_left_out_and_told() -> None:
    logs = [log("", (1, "0-1-1"), (9, "0-1-2"), (5, "0-1-3"), (10, ""))]
    made = plan(logs, position("0-1-1"), 8)
    assert (made.transactions, made.earlier) == (0, 1)
    assert "1 transactions behind" in "\n".join(replay.described(made))


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.lists(st.integers(0, 9), max_size=8),
    st.integers(0, 11),
)
def test_what_is_applied_is_a_beginning_of_what_follows(
    in_backup: list[int], after: list[int], until: int
) -> None:
    """In any order of times: never something without what was before it."""
    times = [*in_backup, *after]
    made = log("", *((at, f"0-1-{number}") for number, at in enumerate(times, 1)), (12, ""))
    start = position(f"0-1-{len(in_backup)}")
    if max(in_backup) >= until:
        with pytest.raises(Refused):
            plan([made], start, until)
        return
    applied = plan([made], start, until).transactions
    assert all(at < until for at in after[:applied])
    assert applied == len(after) or after[applied] >= until


@pytest.mark.parametrize("text", ["0-1", "0-1-2,0-2-3", "a-b-c", "0-1-2 OR 1", "0-1-²"])
def test_a_position_that_is_none(text: str) -> None:
    with pytest.raises(Refused, match="mariadb_backup_binlog_info"):
        position(text)


def test_the_position_of_a_backup() -> None:
    assert binlogs.position_of_backup("mariadb-bin.000002\t642\t0-10-5,1-11-3\n") == {
        0: Gtid(0, 10, 5),
        1: Gtid(1, 11, 3),
    }
    with pytest.raises(Refused, match="wrote no binary log"):
        binlogs.position_of_backup("")


def event(kind: int, body: bytes = b"", at: int = 7, server: int = 10) -> bytes:
    return binlogs.HEADER.pack(at, kind, server, 19 + len(body), 0, 0) + body


LIST = event(binlogs.GTID_LIST, struct.pack("<IIIQIIQ", 2, 0, 10, 5, 0, 11, 4))


def write(directory: Path, name: str, *events: bytes) -> Path:
    (directory / name).write_bytes(b"".join((binlogs.MAGIC, *events)))
    return directory


def test_a_log_is_read_by_its_headers(tmp_path: Path) -> None:
    gtid = event(binlogs.GTID, struct.pack("<QIB6x", 6, 3, 0), at=9, server=12)
    write(tmp_path, "bin.000009", event(15), LIST, gtid, event(2, b"\xfebin" + LIST))
    write(tmp_path, "bin.index")
    (found,) = binlogs.logs(tmp_path)
    assert found.begins == {0: Gtid(0, 11, 4)}
    assert list(found.events()) == [
        Event(7, None),
        Event(7, None),
        Event(9, Gtid(3, 12, 6)),
        Event(7, None),
    ]


def test_directories_of_logs_that_are_refused(tmp_path: Path) -> None:
    def refused(why: str) -> None:
        with pytest.raises(Refused, match=why):
            for log in binlogs.logs(tmp_path):
                list(log.events())

    refused("has no binary log")
    write(tmp_path, "bin.000001", LIST)
    write(tmp_path, "bin.000003", LIST)
    refused("bin.000003 does not follow")
    write(tmp_path, "bin.000002", event(binlogs.ENCRYPTION), LIST)
    refused("encrypted")
    write(tmp_path, "bin.000002", event(15))
    refused("nothing of GTIDs")
    write(tmp_path, "bin.000002", LIST, event(2, b"body")[:-1])
    refused("cut off")
    write(tmp_path, "bin.000002", LIST, bytes(19))
    refused("cut off")
    (tmp_path / "bin.000002").write_bytes(b"text")
    refused("is no binary log")
    write(tmp_path, "bin.000002", LIST)
    write(tmp_path, "other.000004", LIST)
    refused("several servers: bin, other")


def test_a_time_needs_its_zone() -> None:
    assert replay.instant("1970-01-02T01:00:00+01:00") == 86_400
    for text in ("1970-01-02T00:00:00", "1970-01-02T00:00:00.5Z", "yesterday"):
        with pytest.raises(ValueError):
            replay.instant(text)


def test_no_password_is_in_a_command() -> None:
    """Neither of them takes one; the Pod's shell names a variable of its own environment."""
    for client in (replay.Client.in_pod("ns", "db-0"), replay.Client.of_options(Path("file"))):
        assert not [word for word in client.command if word.startswith(("-p", "--password"))]
    assert "$MARIADB_ROOT_PASSWORD" in " ".join(replay.Client.in_pod("ns", "db-0").command)
