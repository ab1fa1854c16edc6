"""A stack on real nodes under a write load: what clients see, and what every server then holds."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation import CommandError, Stack, UpResult

from components.config.load import merge
from local import LocalError
from local.engine import Engine
from local.real.cluster import RealCluster
from testbed.database.servers import Account, Session, SqlError
from testbed.dataplane.load import CLIENT_TIMEOUT, LIFETIMES, READ_ONLY, Journal, clients

from .inside import Inside, enter

WARM_UP = 3.0
"""Seconds of load before something happens."""
ENOUGH = 100
"""Acknowledged writes without which a scenario tells nothing."""
FLOW = 2.0
"""Seconds of load after writes flow again."""
SETTLE = 60.0
"""Seconds in which servers may catch up before a row counts as missing."""
PATIENCE = 150.0
"""Seconds in which all writers must write again."""
SERVER_PORT = 3306
TABLE = "shop.writes"
UP_ATTEMPTS = 5
PAUSE = 2.0
"""Seconds between two of them, in which the operator writes less."""
CHANGED_MEANWHILE = "the object has been modified; please apply your changes to the latest version"
SHOP = {"name": "shop", "databases": {"shop": "owner"}}
"""The app whose login writes to it."""


@dataclass(frozen=True)
class Seen:
    """What happened to the writes of one scenario."""

    acknowledged: int
    outage: float
    """Seconds: the longest time in which no write was acknowledged."""
    worst_outage: float
    """Seconds: the same of one writer."""
    failures: Counter[int]
    messages: dict[int, str]
    missing: dict[str, int]
    """By server: rows that were acknowledged and that it does not have."""
    flows: bool
    """Whether all writers wrote again in the end."""
    primary: str
    """The server that the operator's status names afterwards."""
    journal: Journal

    @property
    def lost(self) -> int:
        """Of the server that lacks most."""
        return max(self.missing.values())

    def __str__(self) -> str:
        failures = ", ".join(f"{n} × {code}" for code, n in sorted(self.failures.items())) or "0"
        return (
            f"{self.acknowledged} acknowledged, outage {self.outage:.1f} s, of one writer "
            f"{self.worst_outage:.1f} s, failed {failures}, missing {self.missing}"
            f"{'' if self.flows else ', WRITES DO NOT FLOW'}"
        )


@dataclass
class Site:
    """One database with an app `shop`, deployed by the real engine.

    `config`: the stack's config without the project's name, e.g. {"size": "small"}.
    """

    cluster: RealCluster
    engine: Engine
    inside: Inside
    stack_name: str
    config: dict[str, Any]
    output: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        return self.config["name"]

    # The engine

    def open(self, config: Mapping[str, Any] | None = None) -> Stack:
        tree = {f"mysql-ha:{key}": value for key, value in (config or self.config).items()}
        return self.engine.open(self.stack_name, tree)

    def up(self, **edit: Any) -> UpResult:
        """Apply an edit of the config for good: mappings are merged into what is there."""
        self.config = merge(self.config, edit)
        return self._up(self.open())

    def _up(self, stack: Stack) -> UpResult:
        """Again while the provider says so: after an edit by kubectl it takes the object's fields
        over at the version that it has read, and the operator writes its status meanwhile."""
        for attempts_left in reversed(range(UP_ATTEMPTS)):
            began = len(self.output)
            try:
                return stack.up(on_output=self.output.append, on_error=self.output.append)
            except CommandError:
                said = "\n".join(line for line in self.output[began:] if "error" in line.lower())
                assert attempts_left and CHANGED_MEANWHILE in said, said
                print(f"another attempt, {attempts_left} left: {said}")
                time.sleep(PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def refused(self, **edit: Any) -> str:
        """What a preview of an edit says that must fail; nothing is changed."""
        output: list[str] = []
        try:
            self.open(merge(self.config, edit)).preview(on_output=output.append)
        except Exception:
            self.open()
            return "".join(output)
        raise AssertionError("the preview accepted the edit")

    def changes(self) -> dict[str, int]:
        """What another `up` and a refresh would change; empty when all is as declared."""
        stack = self.open()
        found: Counter[str] = Counter()
        for result in (self._up(stack), stack.refresh()):
            for kind, number in (result.summary.resource_changes or {}).items():
                if str(kind) not in ("same", "read"):
                    found[str(kind)] += int(number)
        return dict(found)

    def destroy(self) -> None:
        self.engine.destroy(self.stack_name, self.output.append, "never")

    # The cluster

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl(*arguments)

    def get(self, what: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", *what.split(), "-o", "json"))

    def secret(self, name: str, key: str = "password") -> str:
        return base64.b64decode(self.get(f"secret {name}")["data"][key]).decode()

    @property
    def primary(self) -> str:
        """The Pod that the operator's status names."""
        return self.get(f"mariadb {self.name}")["status"]["currentPrimary"]

    def servers(self) -> list[str]:
        return self._pods("mariadb")

    def proxies(self) -> list[str]:
        return self._pods("proxysql")

    def _pods(self, kind: str) -> list[str]:
        labels = f"app.kubernetes.io/name={kind},app.kubernetes.io/instance={self.name}"
        text = self.kubectl("get", "pods", "-l", labels, "-o", "jsonpath={.items[*].metadata.name}")
        # The operator's Galera init and recovery Jobs have the same labels.
        return sorted(pod for pod in text.split() if pod.rpartition("-")[2].isdigit())

    def uid(self, pod: str) -> str:
        return self.get(f"pod {pod}")["metadata"]["uid"]

    def kill(self, pod: str, program: str) -> None:
        """SIGKILL to a Pod's program, as the kernel's OOM killer would."""
        killed = self.cluster.node_of(pod, "default").kill(self.uid(pod), program)
        assert killed, f"{program} does not run in {pod}"

    def address(self, pod: str) -> str:
        return self.get(f"pod {pod}")["status"]["podIP"]

    @property
    def proxied(self) -> bool:
        return self.config.get("proxy", {}).get("enabled", self.config["size"] != "dev")

    def endpoint(self) -> tuple[str, int]:
        """Address and port of the Service that apps connect to."""
        if self.proxied:
            service, port = f"{self.name}-proxysql", 6033
        else:
            high = self.config["size"] != "dev"
            service, port = (f"{self.name}-primary" if high else self.name), SERVER_PORT
        return self.get(f"service {service}")["spec"]["clusterIP"], port

    def await_ready(self, timeout: int = 180) -> None:
        """Until every Pod of the database is as its StatefulSet says, and all is ready.

        The operator replaces Pods itself, and for a moment after an edit reports that it is ready.
        """
        eventually(lambda: not self.rolling(), timeout)
        for kind in ("mariadb", "proxysql"):
            labels = f"app.kubernetes.io/name={kind},app.kubernetes.io/instance={self.name}"
            if self._pods(kind):
                self.kubectl(
                    "wait", "pod", "-l", labels, "--for=condition=Ready", f"--timeout={timeout}s"
                )
        self.kubectl(
            "wait", f"mariadb/{self.name}", "--for=condition=Ready", f"--timeout={timeout}s"
        )

    def rolling(self) -> bool:
        """Whether a Pod is not yet of its StatefulSet's last revision."""
        revision = "controller-revision-hash"
        for name, pods in ((self.name, self.servers()), (f"{self.name}-proxysql", self.proxies())):
            if pods:
                status = self.get(f"statefulset {name}")["status"]
                hashes = {self.get(f"pod {pod}")["metadata"]["labels"][revision] for pod in pods}
                if hashes != {status["updateRevision"]}:
                    return True
        return False

    # SQL

    def account(self) -> Account:
        """The app's login, as its Secret has it."""
        secret = f"{self.name}-app-shop"
        return Account(self.secret(secret, "username"), self.secret(secret))

    def ask(self, server: str, sql: str) -> list[tuple[Any, ...]]:
        """A statement as root on one server."""
        own = {"name": f"{self.name}-root", "key": "password"}
        secret = self.config.get("credentials", {}).get("root", {}).get("existing_secret", own)
        return self.ask_as(Account("root", self.secret(secret["name"], secret["key"])), server, sql)

    def ask_as(self, account: Account, server: str, sql: str) -> list[tuple[Any, ...]]:
        """The same with any login."""
        return self.ask_at(account, self.address(server), SERVER_PORT, sql)

    def ask_at(self, account: Account, host: str, port: int, sql: str) -> list[tuple[Any, ...]]:
        """The same at any address."""

        def query() -> list[tuple[Any, ...]]:
            with Session(port, account, host) as session:
                return list(session.query(sql).rows)

        return self.inside(query)

    def rows(self) -> dict[str, set[int]]:
        """The ids that each server holds."""
        return {
            server: {int(id) for (id,) in self.ask(server, f"SELECT id FROM {TABLE}")}
            for server in self.servers()
        }

    def prepare(self) -> None:
        """Make the table, or empty it; until the proxies have loaded the app's login."""
        host, port = self.endpoint()
        account = self.account()

        def make() -> None:
            with Session(port, account, host) as session:
                session.query(f"CREATE TABLE IF NOT EXISTS {TABLE} (id BIGINT PRIMARY KEY)")
                session.query(f"DELETE FROM {TABLE}")

        eventually(lambda: self.inside(make) is None, 120)

    @contextmanager
    def load(self) -> Generator[Journal]:
        """Four writers on the app's endpoint, with connections of four lifetimes, until the end."""
        (host, port), account = self.endpoint(), self.account()

        def connect() -> Session:
            enter(self.inside.namespace)
            return Session(port, account, host, autocommit=None, read_timeout=CLIENT_TIMEOUT)

        leave_on = frozenset[int]() if self.proxied else READ_ONLY
        with clients(connect, LIFETIMES, 0, leave_on) as journal:
            yield journal

    def watch(
        self, happening: Callable[[Site], None], *, before: float = WARM_UP, after: float = 0.0
    ) -> Seen:
        """Let something happen under load, wait until all writers write, compare every server.

        `before`: seconds of load until it happens; `after`: at least so many from then on.
        """
        self.prepare()
        with self.load() as journal:
            time.sleep(before)
            journal.moment = time.time()
            happening(self)
            over = time.time()
            flows = eventually(
                lambda: len(journal.writers_since(over)) == len(LIFETIMES), PATIENCE, strict=False
            )
            time.sleep(max(FLOW, journal.moment + after - time.time()))
        self.await_ready()
        acknowledged = journal.acknowledged
        return Seen(
            acknowledged=len(acknowledged),
            outage=journal.outage(),
            worst_outage=journal.worst_outage(),
            failures=journal.failures(),
            messages=journal.messages(),
            missing=self._missing(acknowledged),
            flows=flows,
            primary=self.primary,
            journal=journal,
        )

    def _missing(self, acknowledged: set[int]) -> dict[str, int]:
        deadline = time.monotonic() + SETTLE
        while True:
            missing = {server: len(acknowledged - held) for server, held in self.rows().items()}
            if not any(missing.values()) or time.monotonic() > deadline:
                return missing
            time.sleep(1)


def passes(site: Site, happening: Callable[[Site], None]) -> Seen:
    """No acknowledged write is lost on any server, all clients write again, no drift."""
    seen = site.watch(happening)
    print(f"{site.name}, {happening.__name__}: {seen}")
    assert seen.acknowledged > ENOUGH, seen
    assert not seen.lost, seen
    assert seen.flows, seen
    assert not site.changes()
    return seen


def eventually(check: Callable[[], bool], timeout: float, *, strict: bool = True) -> bool:
    """Whether `check` became true in time; errors of servers on the way count as not yet.

    Raises AssertionError if it did not, unless not `strict`.
    """
    deadline = time.monotonic() + timeout
    error: Exception | None = None
    while True:
        try:
            if check():
                return True
        except (SqlError, LocalError, OSError) as caught:
            error = caught
        if time.monotonic() > deadline:
            assert not strict, f"not after {timeout:g} s: {error}"
            return False
        time.sleep(0.2)
