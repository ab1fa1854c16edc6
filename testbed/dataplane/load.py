"""Clients of the database: writers that remember what was acknowledged, and readers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from testbed.database.servers import Account, Session, SqlError

from .loopback import CLIENT_PORT, RemoteSession
from .nodes import APP

PACE = 0.01
"""Seconds between two statements of a client."""
CLIENT_TIMEOUT = 40.0
"""Seconds that a client waits for an answer: longer than the proxy makes it wait for a writer."""
LOST = frozenset({0, 2003, 2006, 2013, 2055})
"""Errors after which there is no connection any more."""
READ_ONLY = frozenset({1290, 1836})
"""Errors of a server that is no primary (any more): a client without proxies must connect again, or
it stays with that server, as Go's driver does with `rejectReadOnly`."""
BEAT = 0.1
"""Seconds for which acknowledged writes are counted together."""
LIFETIMES: tuple[float | None, ...] = (0.0, 0.2, 3.0, None)
"""Of the writers' connections, in seconds: one statement, a short session, a pool with a bounded
lifetime, a pool without."""


@dataclass(frozen=True)
class Event:
    """One request of a client."""

    began: float
    ended: float
    client: int
    id: int | None
    """Of the row that it inserted; None for a read."""
    error: int | None
    message: str = ""


@dataclass
class Journal:
    """What all clients lived through; times as `time.time()`."""

    events: list[Event] = field(default_factory=list[Event])
    moment: float = 0.0
    """When something happened."""

    @property
    def acknowledged(self) -> set[int]:
        return {event.id for event in self.events if event.id is not None and event.error is None}

    def failures(self) -> Counter[int]:
        """Failed requests, by error code; reads and writes."""
        return Counter(event.error for event in self.events if event.error is not None)

    def messages(self) -> dict[int, str]:
        """An example of each error."""
        return {event.error: event.message for event in self.events if event.error is not None}

    def outage(self, client: int | None = None) -> float:
        """The longest time without an acknowledged write, of one writer or of all together."""
        moments = sorted(
            event.ended
            for event in self.events
            if event.id is not None
            and (event.error is None)
            and (client is None or event.client == client)
        )
        last = max((event.ended for event in self.events), default=0.0)
        gaps = [
            later - earlier for earlier, later in zip(moments, [*moments[1:], last], strict=True)
        ]
        return max(gaps, default=0.0)

    def writers_since(self, moment: float) -> set[int]:
        """The writers of whom a write was acknowledged that began after a moment."""
        return {e.client for e in self.events if e.id and not e.error and e.began >= moment}

    def worst_outage(self) -> float:
        """The longest time that one writer had no acknowledged write."""
        writers = {event.client for event in self.events if event.id is not None}
        return max((self.outage(writer) for writer in writers), default=0.0)

    def beats(self, since: float) -> tuple[int, ...]:
        """Acknowledged writes of each BEAT, from a time to the end of the load."""
        end = max((event.ended for event in self.events), default=since)
        counts = [0] * max(0, int((end - since) / BEAT))
        for event in self.events:
            beat = int((event.ended - since) // BEAT)
            if event.id is not None and event.error is None and 0 <= beat < len(counts):
                counts[beat] += 1
        return tuple(counts)


class _Client(threading.Thread):
    def __init__(
        self,
        number: int,
        lifetime: float | None,
        connect: Callable[[], Session],
        journal: Journal,
        ending: threading.Event,
        *,
        writes: bool,
        leave_on: frozenset[int],
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._number = number
        self._lifetime = lifetime
        self._connect = connect
        self._journal = journal
        self._ending = ending
        self._writes = writes
        self._leave_on = LOST | leave_on

    def run(self) -> None:
        session: Session | None = None
        opened = 0.0
        count = 0
        while not self._ending.is_set():
            count += 1
            # Never the same id twice: a request that failed may have been carried out.
            row = self._number * 10_000_000 + count if self._writes else None
            sql = (
                f"INSERT INTO shop.writes (id) VALUES ({row})"
                if row
                else "SELECT 1 FROM shop.writes LIMIT 1"
            )
            began = time.time()
            code, message = None, ""
            try:
                if session is None:
                    session, opened = self._connect(), began
                session.query(sql)
            except SqlError as error:
                code, message = error.code, str(error)
            except OSError as error:
                code, message = 2013, str(error)
            ended = time.time()
            self._journal.events.append(Event(began, ended, self._number, row, code, message))
            lost = code in self._leave_on
            if session and code is not None and not lost:
                # As connection pools do. Without it a proxy that does not know whether an error
                # ended a transaction keeps the session on its server (IsActiveTransaction).
                with suppress(SqlError):
                    session.query("ROLLBACK")
            if session and (lost or self._old(ended - opened)):
                with suppress(Exception):
                    session.close()
                session = None
            self._ending.wait(PACE)
        if session:
            with suppress(Exception):
                session.close()

    def _old(self, age: float) -> bool:
        return self._lifetime is not None and age >= self._lifetime


@contextmanager
def load(
    pick: Callable[[], str],
    *,
    account: Account = APP,
    lifetimes: Sequence[float | None] = LIFETIMES,
    readers: int = 1,
) -> Generator[Journal]:
    """One writer for each lifetime, and readers, until the block ends.

    `pick`: the address that a new connection gets.
    """

    def connect() -> Session:
        return RemoteSession(
            pick(), CLIENT_PORT, account, connect_timeout=5, read_timeout=CLIENT_TIMEOUT
        )

    with clients(connect, lifetimes, readers) as journal:
        yield journal


@contextmanager
def clients(
    connect: Callable[[], Session],
    lifetimes: Sequence[float | None],
    readers: int,
    leave_on: frozenset[int] = frozenset(),
) -> Generator[Journal]:
    """The same with connections of any kind, which each client opens in a thread of its own.

    `leave_on`: errors after which a client closes its connection and opens another one, besides
    those after which there is none.
    """
    journal, ending = Journal(), threading.Event()
    threads = [
        _Client(
            number,
            lifetime,
            connect,
            journal,
            ending,
            writes=number <= len(lifetimes),
            leave_on=leave_on,
        )
        for number, lifetime in enumerate((*lifetimes, *[0.2] * readers), start=1)
    ]
    for client in threads:
        client.start()
    try:
        yield journal
    finally:
        ending.set()
        for client in threads:
            client.join(CLIENT_TIMEOUT + 10)
