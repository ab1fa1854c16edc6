"""Servers, their operator and the proxies in front of them: one whole, and what happens to it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from testbed.database.servers import Account, Installation, Session, SqlError, eventually

from . import proxies
from .load import LIFETIMES, LOST, Journal, load
from .mariadb_operator import Delays, Operator, reconcile
from .nodes import APP, FENCED, SECOND, Node, Servers, galera, replication, synced
from .proxies import Proxy, Tier
from .release import PROXIES, Release
from .service import service

WARM_UP = 2.0
"""Seconds of load before anything happens."""
FLOW = 2.0
"""Seconds of load after writes flow again."""
PATIENCE = 40.0
"""Seconds that writes may take to flow again before a scenario ends without them."""


@dataclass(kw_only=True)
class Deployment:
    """One database with its proxies."""

    servers: Servers
    operator: Operator
    tier: Tier
    release: Release
    notes: list[str] = field(default_factory=list[str])
    """What a scenario has to say besides its figures."""
    began: float = 0.0
    """When what happens began; a scenario that has to prepare it says so itself."""

    @property
    def primary(self) -> Node:
        """Where writes belong: the operator's primary, or the node that the proxies chose."""
        if self.servers.topology == "replication":
            return self.operator.primary
        chosen = self.tier.proxies[0].writers(self.release.writer)
        return next(node for node in self.servers.nodes if node.host in chosen)

    def start(self, node: Node) -> None:
        """A server's container starts again; returns when it takes part."""
        node.start()
        node.wait(synced if self.servers.topology == "galera" else lambda _: True)

    @property
    def others(self) -> tuple[Node, ...]:
        return tuple(node for node in self.servers.nodes if node is not self.primary)


@dataclass
class Lab:
    """A machine's part in it: binaries and a directory."""

    binary: str
    installation: Installation
    directory: Path
    _count: int = 0

    @staticmethod
    def missing() -> str | None:
        """Why this machine cannot run ProxySQL in front of MariaDB, if so."""
        if proxies.find() is None:
            return "no proxysql: put one on PATH or name it by the variable PROXYSQL"
        found = Installation.find()
        return found if isinstance(found, str) else None

    @staticmethod
    @contextmanager
    def open() -> Generator[Lab]:
        """In a temporary directory; raises RuntimeError with what `missing` says."""
        binary, installation = proxies.find(), Installation.find()
        if binary is None or isinstance(installation, str):
            raise RuntimeError(Lab.missing())
        with tempfile.TemporaryDirectory(prefix="mysql-ha-dataplane-") as name:
            installation.own(Path(name))
            yield Lab(binary, installation, Path(name))

    @property
    def proxysql_version(self) -> str:
        return proxies.version(self.binary)

    @contextmanager
    def replication(
        self, semi_sync_timeout_ms: int, my_cnf: Sequence[str] = FENCED
    ) -> Generator[Servers]:
        """A primary and two semi-sync replicas."""
        folder = self.folder("replication")
        with replication(self.installation, folder, semi_sync_timeout_ms, my_cnf) as servers:
            servers.pristine()
            yield servers

    @contextmanager
    def galera(self) -> Generator[Servers]:
        """Three Galera nodes; raises RuntimeError without the provider."""
        provider = self.installation.galera_provider()
        if provider is None:
            raise RuntimeError("no Galera provider on this machine (Debian: galera-4)")
        with galera(self.installation, self.folder("galera"), provider) as servers:
            servers.pristine()
            yield servers

    @contextmanager
    def deploy(
        self, servers: Servers, release: Release, delays: Delays | None = None
    ) -> Generator[Deployment]:
        """Pristine servers behind started proxies that agree on the writer."""
        servers.pristine()
        reconcile(servers.nodes[0], release.monitors)
        with ExitStack() as stack:
            primary_service = stack.enter_context(service(servers.network.primary_service))
            secondary_service = stack.enter_context(service(servers.network.secondary_service))

            def relabel(primary: Node | None) -> None:
                replicas = (n.host for n in servers.nodes if n is not primary and n.running)
                primary_service.lead_to(*([primary.host] if primary else []))
                secondary_service.lead_to(*replicas)

            operator = Operator(servers, delays or Delays(), relabel)
            tier = stack.enter_context(
                proxies.tier(
                    self.binary, self.installation, self.folder("tier"), servers.network, release
                )
            )
            expected = self._writers(servers, release)
            if not eventually(lambda: tier.agrees_on(expected), timeout=20):
                found = [proxy.writers(release.writer) for proxy in tier.proxies]
                raise RuntimeError(f"writers are {found}\n{tier.proxies[0].log()[-3000:]}")
            yield Deployment(servers=servers, operator=operator, tier=tier, release=release)

    def _writers(self, servers: Servers, release: Release) -> set[str]:
        match release.routing:
            case "primary_service":
                return {servers.network.primary_service}
            case "every_writable" if servers.topology == "galera":
                return {node.host for node in servers.nodes}
            case _:
                return {servers.nodes[0].host}

    def folder(self, name: str) -> Path:
        """An empty directory of this run, for the user that the servers run as."""
        self._count += 1
        path = self.directory / f"{name}-{self._count}"
        path.mkdir()
        self.installation.own(path)
        return path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the clients of one scenario saw, and what the servers hold afterwards."""

    acknowledged: int
    outage: float
    """The longest time in which no writer got an answer."""
    worst_outage: float
    """The longest time in which one writer got none."""
    failures: Counter[int]
    messages: dict[int, str]
    lost: int
    """Acknowledged writes that the primary does not have."""
    missing: dict[str, int]
    """Acknowledged writes that another server does not have, after it had time to catch up."""
    stray: int
    """Writes that a server carried out while another was the primary."""
    writers: int
    """Servers that carried out writes of clients."""
    broken: dict[str, str]
    """Servers whose replication has stopped, with its error."""
    notes: list[str]
    journal: Journal = field(repr=False)


Happening = Callable[[Deployment], None]


def watch(
    site: Deployment,
    happening: Happening,
    *,
    lifetimes: Sequence[float | None] = LIFETIMES,
    readers: int = 1,
    before: float = WARM_UP,
    after: float = 0.0,
) -> Outcome:
    """Let something happen under load, wait until writes flow, and count.

    `before`: seconds of load until it happens; `after`: at least so many from then on.
    """
    with load(site.tier.pick, lifetimes=lifetimes, readers=readers) as journal:
        time.sleep(before)
        site.began = time.time()
        happening(site)
        journal.moment = site.began
        over = time.time()

        def flow() -> bool:
            return len(journal.writers_since(over)) == len(lifetimes)

        if not eventually(flow, timeout=PATIENCE):
            site.notes.append("writes did not flow again for all clients")
        time.sleep(max(FLOW, journal.moment + after - time.time()))
    return _count(site, journal)


def _count(site: Deployment, journal: Journal) -> Outcome:
    acknowledged = journal.acknowledged
    _recover(site)
    broken = _settle(site, acknowledged)
    primary = site.primary
    rows = {node: node.writes() for node in site.servers.nodes}
    everything: dict[int, tuple[int, float]] = {}
    for found in rows.values():
        everything |= found
    stray = 0
    if site.servers.topology == "replication":
        stray = sum(
            site.operator.primary_at(moment).server_id != server
            for server, moment in everything.values()
        )
    return Outcome(
        acknowledged=len(acknowledged),
        outage=journal.outage(),
        worst_outage=journal.worst_outage(),
        failures=journal.failures(),
        messages=journal.messages(),
        lost=len(acknowledged - rows[primary].keys()),
        missing={
            node.host: len(acknowledged - found.keys())
            for node, found in rows.items()
            if node is not primary
        },
        stray=stray,
        writers=len({server for server, _ in everything.values()}),
        broken=broken,
        notes=site.notes,
        journal=journal,
    )


def _recover(site: Deployment) -> None:
    """Servers that a scenario left dead come back, after the load."""
    for node in site.servers.nodes:
        if not node.running:
            site.start(node)
            if site.servers.topology == "replication":
                site.operator.adopt(node)


def _settle(site: Deployment, acknowledged: set[int]) -> dict[str, str]:
    """Wait until every server has everything, or has stopped, or has had ten seconds."""
    broken: dict[str, str] = {}

    def done() -> bool:
        broken.clear()
        complete = True
        for node in site.servers.nodes:
            complete &= not acknowledged - node.writes().keys()
            if site.servers.topology == "replication" and node is not site.primary:
                status = node.query("SHOW REPLICA STATUS").row
                for thread in ("IO", "SQL"):
                    if status[f"Slave_{thread}_Running"] == "No":
                        broken[node.host] = str(status[f"Last_{thread}_Error"])[:200]
        return complete or bool(broken)

    eventually(done, timeout=10)
    return broken


# --- what may happen ---------------------------------------------------------------------------


def primary_crash(site: Deployment) -> None:
    """`kill -9` of the primary; it stays away."""
    if site.servers.topology == "replication":
        site.primary.kill()
        site.operator.failover()
    else:
        site.primary.kill()


def old_primary_returns(site: Deployment) -> None:
    """A failover, then the old primary's container starts again, with `read_only` off.

    The operator makes it a replica after a while (controller.go, ReconcileReplicationInPod).
    """
    old = site.primary
    primary_crash(site)
    time.sleep(site.operator.delays.restart)
    site.start(old)
    site.operator.adopt(old)


def switchover(site: Deployment) -> None:
    """A planned switchover to the next server."""
    site.operator.switchover(site.others[0])


TIES: Mapping[str, tuple[str, ...]] = {
    "user variable": ("SET @mine = 5",),
    "lock": ("SELECT GET_LOCK('mine', 0)",),
    "temporary table": ("CREATE TEMPORARY TABLE shop.mine (id INT)",),
    "transaction": ("BEGIN", "SELECT COUNT(*) FROM shop.writes"),
    "auto increment": ("INSERT INTO shop.counted () VALUES ()",),
}
"""What ties a client's session to the server where it ran (ProxySQL: disabled multiplexing)."""
COUNTED = "CREATE TABLE shop.counted (id INT AUTO_INCREMENT PRIMARY KEY)"
FOR_EVER = 10.0
"""Seconds after a switchover from which on a session counts as refused for ever."""


def tied_switchover(site: Deployment) -> None:
    """A planned switchover while each proxy has an idle session of each of TIES.

    Afterwards all write until they can, and after an error do what a pool does: roll back, or
    connect again when the connection is lost. Notes how many errors that took.
    """
    site.primary.query(COUNTED)
    sessions = [(proxy, proxy.session(APP)) for proxy in site.tier.proxies for _ in TIES]
    for (_, session), statements in zip(sessions, [*TIES.values()] * PROXIES, strict=True):
        for sql in statements:
            session.query(sql)
    site.began = time.time()
    switchover(site)
    end = time.monotonic() + FOR_EVER
    with ThreadPoolExecutor(len(sessions)) as pool:
        tries = [
            pool.submit(_write, number, proxy, session, end)
            for number, (proxy, session) in enumerate(sessions, start=1)
        ]
    errors = [future.result() for future in tries]
    found = Counter(-1 if n is None else min(n, 2) for n in errors)
    site.notes.append(
        f"of {len(errors)} tied sessions {found[0]} went on without an error, {found[1]} after "
        f"one, {found[2]} after more, {found[-1]} were refused for ever"
    )


def _write(number: int, proxy: Proxy, session: Session, end: float) -> int | None:
    """How many errors it took to write a row; None if it was not written in time."""
    errors = 0
    try:
        while time.monotonic() < end:
            code = refused(session, number)
            if code is None:
                return errors
            errors += 1
            if code in LOST:
                session.close()
                session = proxy.session(APP)
            else:
                with suppress(SqlError):
                    session.query("ROLLBACK")
            time.sleep(0.5)
    except (SqlError, OSError):  # no proxy lets it in any more
        return None
    finally:
        session.close()
    return None


def refused(session: Session, number: int) -> int | None:
    """The error of a write, if any."""
    try:
        session.query(f"INSERT INTO shop.writes (id) VALUES ({number})")
    except SqlError as error:
        return error.code
    return None


def service_gone(seconds: float) -> Happening:
    """The Service of the primary leads nowhere for a while."""

    def happening(site: Deployment) -> None:
        site.operator.unlabel()
        time.sleep(seconds)
        site.operator.label()

    return happening


def replica_restart(by_hand: float) -> Happening:
    """A replica's Pod is restarted: `read_only` was set by SQL only and is off now.

    After `by_hand` seconds somebody sets it. The operator does not: in v25.10.4 only
    ConfigureReplica sets it, which known replicas do not get again (controller.go).
    """

    def happening(site: Deployment) -> None:
        replica = site.others[-1]
        replica.restart()
        time.sleep(by_hand)
        replica.query("SET @@global.read_only=1")

    return happening


def writer_restart(site: Deployment) -> None:
    """The Pod of the node that takes writes is restarted in an orderly way."""
    node = site.primary
    node.stop()
    time.sleep(site.operator.delays.restart)
    site.start(node)


def proxy_crash(site: Deployment) -> None:
    """`kill -9` of a proxy; its container is started again two seconds later."""
    site.tier.crash(site.tier.proxies[0], restart_after=2.0)


def proxy_roll(site: Deployment) -> None:
    """Every proxy Pod is replaced, without a change."""
    site.tier.roll(site.release)


def config_change(after: Release) -> Happening:
    """An ad-hoc change of one proxy's settings, then a roll to a new configuration."""

    def happening(site: Deployment) -> None:
        site.tier.proxies[0].admin(
            "SET mysql-default_query_delay=0",
            "LOAD MYSQL VARIABLES TO RUNTIME",
            "LOAD MYSQL USERS TO RUNTIME",
            "LOAD MYSQL SERVERS TO RUNTIME",
        )
        site.tier.roll(after)
        time.sleep(5)  # peers compare each other every second, and copy after three differences
        new = sum(max_connections(proxy) == 2000 for proxy in site.tier.proxies)
        logins = sum(logs_in(proxy, SECOND) for proxy in site.tier.proxies)
        site.notes.append(f"new configuration on {new} of {len(site.tier.proxies)} proxies")
        site.notes.append(f"the removed user logs in on {logins}")

    return happening


def max_connections(proxy: Proxy) -> int:
    """The setting that a config change changes."""
    value = proxy.admin(
        "SELECT variable_value FROM runtime_global_variables "
        "WHERE variable_name='mysql-max_connections'"
    ).value
    return int(value or 0)


def logs_in(proxy: Proxy, account: Account) -> bool:
    """Whether a proxy lets a user in."""
    try:
        proxy.session(account).close()
    except SqlError as error:
        if error.code != 1045:
            raise
        return False
    return True
