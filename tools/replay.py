"""`python -m tools.replay`: bring a restored MariaDB forward to a time, from binary logs.

    python -m tools.replay --logs DIRECTORY --info FILE \\
        --until 2026-11-27T02:00:00Z --pod NAMESPACE POD

It reads the position of the backup and the logs, and says what it would do; with `--run` it does
it. It refuses logs with a gap, logs that do not know the position, a time before the backup or
behind the logs, and a server that others use. A replay that broke off goes on where it ended when
it is run again. Passwords stay in the Pod, or in an option file.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tools import binlogs
from tools.binlogs import Event, Gtid, Log, Position, Refused, text_of

MARK = "mysql_ha_replay"
"""The database by which a server says that a replay into it has begun, and from where."""
OWN = ("root", "mariadb.sys", "system user", "event_scheduler")
"""Accounts whose sessions are no clients."""


class Events(Protocol):
    """What a plan needs of a log."""

    @property
    def begins(self) -> Position: ...
    def events(self) -> Iterable[Event]: ...


@dataclass(frozen=True)
class Plan:
    """What of the logs is to be applied."""

    start: Position
    """What the server has."""
    end: Position
    """What it has afterwards."""
    transactions: int
    last: Event | None
    """The last transaction that is applied."""
    stop: Event | None
    """What ends it; None: the logs do."""
    earlier: int
    """Transactions that are left out, though their time is before the stop: they are behind it."""


def plan(logs: Sequence[Events], start: Position, until: int | None = None) -> Plan:
    """What to apply after `start`, up to the first event that is not before `until`.

    It stops as `mariadb-binlog --stop-datetime` does: what is applied is a beginning of what the
    server wrote, without a hole. `until`: seconds since 1970. Raises Refused.
    """
    end = dict(start)
    count = earlier = 0
    last = stop = None
    older = not start
    for event, new in _walk(logs, start):
        if until is not None and stop is None and event.at >= until:
            stop = event
        if event.gtid is None:
            continue
        if not new:
            older = True
            if stop:
                raise Refused(
                    f"the backup has {event.gtid}, which is not from before the time to stop",
                    "restore an older backup",
                )
        elif stop is None:
            end[event.gtid.domain], last = event.gtid, event
            count += 1
        elif until is not None and event.at < until:
            earlier += 1
    if until is not None and stop is None:
        raise Refused(
            "the logs end before the time to stop, and there may have been more",
            "on their server, FLUSH BINARY LOGS after that time and copy them again; if it is "
            "gone, leave --until out, which applies all that there is",
        )
    if not (older or count):
        raise Refused(
            "whether the backup is from before the time to stop, these logs do not say",
            "add the log before them",
        )
    return Plan(start, end, count, last, stop, earlier)


def _walk(logs: Sequence[Events], start: Position) -> Iterator[tuple[Event, bool]]:
    """Every event, and whether it is behind `start`. Raises Refused where that cannot be said."""
    at = dict(logs[0].begins)
    for domain, gtid in at.items():
        if domain not in start or start[domain].number < gtid.number:
            raise Refused(
                f"the logs begin after {text_of(at)}, and the backup has only "
                f"{text_of(start) or 'nothing'}",
                "add older logs; if they are deleted, use a newer backup",
            )
    awaited = {domain: gtid for domain, gtid in start.items() if at.get(domain) != gtid}
    for log in logs:
        if log.begins != at:
            raise Refused(
                f"a log begins after {text_of(log.begins) or 'nothing'}, but the one before it "
                f"ends with {text_of(at) or 'nothing'}",
                "use logs of one server, without a RESET MASTER between them",
            )
        for event in log.events():
            if event.gtid is None:
                yield event, not awaited
                continue
            wanted = awaited.get(event.gtid.domain)
            yield event, wanted is None
            at[event.gtid.domain] = event.gtid
            if wanted == event.gtid:
                del awaited[event.gtid.domain]
            elif wanted and event.gtid.number >= wanted.number:
                _unknown(wanted)
    for wanted in awaited.values():
        _unknown(wanted)


def _unknown(wanted: Gtid) -> None:
    raise Refused(
        f"the logs do not have {wanted}, up to which the server goes",
        "use logs of the server that was backed up, or of one that replicated with it then; if a "
        "replay has begun, something else wrote into the server: restore the backup again",
    )


# --- the server ---


Rows = Sequence[tuple[str, ...]]
Query = Callable[[str], Rows]


@dataclass(frozen=True)
class Client:
    """A command that runs the SQL of its input as root and has the password from elsewhere."""

    command: tuple[str, ...]

    @classmethod
    def of_options(cls, file: Path) -> Client:
        """By an option file with host, port and password."""
        return cls(("mariadb", f"--defaults-extra-file={file}", *_OPTIONS))

    @classmethod
    def in_pod(cls, namespace: str, pod: str) -> Client:
        """In a server's container, whose environment has root's password."""
        shell = 'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mariadb -u root "$@"'
        kubectl = ("kubectl", "-n", namespace, "exec", "-i", pod, "-c", "mariadb", "--")
        return cls((*kubectl, "sh", "-c", shell, "mariadb", *_OPTIONS))

    def query(self, sql: str) -> Rows:
        """Rows of texts. Raises Refused with the server's words."""
        done = subprocess.run(self.command, input=sql, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(f"the server said: {done.stderr.strip()}", "see its log")
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


_OPTIONS = ("--batch", "--skip-column-names", "--binary-mode", "--max-allowed-packet=1G")
"""Binary: a zero byte or a carriage return in a statement is one."""


def gone_on(query: Query, start: Position) -> Position | None:
    """How far a replay from `start` came in a server; None: none has begun.

    Raises Refused for a server into which nothing may be replayed.
    """
    ((log_bin, galera),) = query(
        "SELECT @@log_bin, (SELECT COUNT(*) FROM information_schema.GLOBAL_VARIABLES "
        "WHERE VARIABLE_NAME = 'WSREP_ON' AND VARIABLE_VALUE = 'ON')"
    )
    if galera != "0":
        raise Refused("the server is one of a Galera cluster", "restore into a standalone one")
    if log_bin != "1":
        raise Refused(
            "the server writes no binary log, by which it knows what it has already",
            'add "[mariadb]\\nlog_bin" to database.my_cnf of the copy',
        )
    if query("SHOW ALL SLAVES STATUS"):
        raise Refused("the server is a replica", "restore into a standalone one")
    clients = query(
        f"SELECT DISTINCT USER FROM information_schema.PROCESSLIST WHERE USER NOT IN {OWN}"
    )
    if clients:
        raise Refused(
            f"others are logged in: {', '.join(sorted(user for (user,) in clients))}",
            "replay into a copy that has neither proxies, apps nor replicas",
        )
    if not query(f"SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{MARK}'"):
        return None
    ((begun, written),) = query(f"SELECT start, @@gtid_binlog_pos FROM {MARK}.begun")
    if binlogs.position(begun) != start:
        raise Refused(
            f"a replay from {begun or 'nothing'} has begun in this server",
            "restore the backup again for another one",
        )
    return {**start, **binlogs.position(written)}


def beginning(start: Position) -> str:
    """Makes a restored server forget what it wrote itself, and remember where it began.

    A database restored by mariadb-operator has written its accounts, under names of transactions
    that the logs have too. The mark comes last: without it the whole is done again.
    """
    text = text_of(start)
    return (
        f"RESET MASTER; SET GLOBAL gtid_slave_pos = '{text}'; SET SESSION sql_log_bin = 0; "
        f"CREATE DATABASE {MARK}; CREATE TABLE {MARK}.begun AS SELECT '{text}' AS start"
    )


def command(logs: Sequence[Log], start: Position, until: int | None) -> tuple[str, ...]:
    """What prints the statements; its times are UTC by the environment (TZ)."""
    times = (
        () if until is None else (f"--stop-datetime={datetime.fromtimestamp(until, UTC):%F %T}",)
    )
    after = (f"--start-position={text_of(start)}",) if start else ()
    return ("mariadb-binlog", *after, *times, *(str(log.path) for log in logs))


def run(client: Client, logs: Sequence[Log], planned: Plan, until: int | None) -> None:
    """Apply a plan. Raises Refused if that fails, or ends elsewhere than planned.

    In strict mode a server refuses what it has already (1950).
    """
    ((strict,),) = client.query("SELECT @@gtid_strict_mode")
    client.query("SET GLOBAL gtid_strict_mode = 1")
    try:
        _pipe(command(logs, planned.start, until), client.command)
    finally:
        client.query(f"SET GLOBAL gtid_strict_mode = {strict}")
    ((written,),) = client.query("SELECT @@gtid_binlog_pos")
    if {**planned.start, **binlogs.position(written)} != planned.end:
        raise Refused(
            f"the server ended at {written}, and {text_of(planned.end)} was planned",
            "restore the backup again: something else wrote meanwhile",
        )


def _pipe(source: Sequence[str], sink: Sequence[str]) -> None:
    """Both must succeed: of a source that ends early the sink sees only the end."""
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            source, stdout=subprocess.PIPE, stderr=said, env={**os.environ, "TZ": "UTC"}
        ) as reader,
    ):
        applied = subprocess.run(
            sink, stdin=reader.stdout, capture_output=True, text=True, check=False
        )
        assert reader.stdout
        reader.stdout.close()
        code = reader.wait()
        said.seek(0)
        words = said.read().strip()
    if applied.returncode:
        raise Refused(f"the server said: {applied.stderr.strip()}", _fix(applied.stderr))
    if code:
        raise Refused(f"mariadb-binlog said: {words}", "run it again: it goes on where it ended")


def _fix(words: str) -> str:
    if "ERROR 1950" in words:
        return (
            "something else wrote into the server since the replay began: suspend the operator and "
            "restore the backup again"
        )
    return "mend what it says, and run it again: it goes on behind the last whole transaction"


# --- the command ---


def instant(text: str) -> int:
    """Seconds since 1970 of a time with its zone, such as `2026-11-27T02:00:00Z`."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or at.microsecond:
        raise ValueError("whole seconds with a zone, such as 2026-11-27T02:00:00Z")
    return int(at.timestamp())


def _said(event: Event) -> str:
    return f"{event.gtid or 'the end of a log'} of {datetime.fromtimestamp(event.at, UTC):%FT%TZ}"


def described(planned: Plan) -> Iterator[str]:
    """A plan for people, line by line."""
    yield f"the server has {text_of(planned.start) or 'nothing'}"
    if planned.last:
        yield f"{planned.transactions} transactions follow; the last is {_said(planned.last)}"
    else:
        yield "nothing follows"
    yield f"it stops before {_said(planned.stop)}" if planned.stop else "it stops where the logs do"
    if planned.earlier:
        yield (
            f"{planned.earlier} transactions behind that have an earlier time (slow statements, a "
            "clock that was set, SET timestamp) and are left out: see them with mariadb-binlog"
        )


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    found = argparse.ArgumentParser(
        prog="python -m tools.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--logs", type=Path, required=True, help="directory of the binary logs")
    begins = found.add_mutually_exclusive_group(required=True)
    begins.add_argument("--info", type=Path, help="the file with it, mariadb-operator.info")
    begins.add_argument("--after", help="the position of the backup, such as 0-10-5")
    found.add_argument("--until", type=instant, help="a time with its zone; none: everything")
    server = found.add_mutually_exclusive_group(required=True)
    server.add_argument("--pod", nargs=2, metavar=("NAMESPACE", "POD"), help="the server's Pod")
    server.add_argument("--options", type=Path, help="an option file of mariadb's client")
    found.add_argument("--run", action="store_true", help="do it")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done, or could be done; 1: refused."""
    given = parser().parse_args(arguments)
    client = Client.in_pod(*given.pod) if given.pod else Client.of_options(given.options)
    try:
        start = (
            binlogs.position_of_backup(given.info.read_text())
            if given.info
            else binlogs.position(given.after)
        )
        _replay(client, binlogs.logs(given.logs), start, given.until, really=given.run)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


def _replay(
    client: Client, logs: Sequence[Log], start: Position, until: int | None, *, really: bool
) -> None:
    print(f"logs: {binlogs.names(logs)}; the backup goes up to {text_of(start) or 'nothing'}")
    reached = gone_on(client.query, start)
    planned = plan(logs, start if reached is None else reached, until)
    print(*described(planned), sep="\n")
    if not planned.transactions:
        return
    if not really:
        if reached is None:
            print(f"would run in the server: {beginning(start)}")
        print("would run: set -o pipefail; TZ=UTC", shlex.join(command(logs, planned.start, until)))
        print("    |", shlex.join(client.command))
        print("nothing was changed; --run does it")
        return
    if reached is None:
        client.query(beginning(start))
    run(client, logs, planned, until)
    print(f"done: the server has {text_of(planned.end)}")


if __name__ == "__main__":
    sys.exit(main())
