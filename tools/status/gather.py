"""Asks a cluster, everything at once; each part that does not answer says why in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from components import names
from components.config.engine import ENGINES
from components.topology import CA_KEY
from tools import why

from . import ask, drift, objects
from .kubectl import Absent, Cluster, Refused, Unreachable
from .model import (
    Certificate,
    Database,
    Galera,
    Proof,
    Proxy,
    Replication,
    SemiSync,
    Server,
    Wanted,
)
from .objects import Facts, Object

T = TypeVar("T")
THREADS = 16
"""More than a database has Pods, nearly always."""
NOT_UNDERSTOOD = (LookupError, ValueError, TypeError, AttributeError)
"""What reading an answer raises that is not as expected."""


def gather(
    cluster: Cluster, name: str, *, wanted: Wanted | None = None, now: datetime | None = None
) -> Database:
    """What is known of a database. Raises Absent if there is none, Unreachable if no cluster.

    `wanted`: what its stack's file says of the proxies, where known.
    """
    found = _operators(cluster, name)
    try:
        known = objects.facts(found)
        with ThreadPoolExecutor(THREADS) as pool:
            return _Gathering(cluster, pool, found, known, now or datetime.now(UTC)).whole(wanted)
    except NOT_UNDERSTOOD as error:
        raise Unreachable(f"its objects are not understood: {error!r}") from error


def _operators(cluster: Cluster, name: str) -> Object:
    """The object of whichever operator runs the database."""
    refusals: list[Unreachable] = []
    for engine in ENGINES.values():
        try:
            return cluster.get(f"{engine.api.plural}.{engine.api.group}", name)[0]
        except Unreachable as error:  # also where that operator is not installed
            refusals.append(error)
    for error in refusals:
        if not isinstance(error, Absent):
            raise error
    raise Absent("; ".join(dict.fromkeys(map(str, refusals))))


class _Gathering:
    """One look."""

    def __init__(
        self, cluster: Cluster, pool: ThreadPoolExecutor, found: Object, known: Facts, now: datetime
    ) -> None:
        self._cluster, self._pool = cluster, pool
        self._found, self._facts, self._now = found, known, now
        self._unknown: list[str] = []

    def whole(self, stack: Wanted | None) -> Database:
        """Everything. `stack`: what its file says."""
        facts, name = self._facts, self._facts.name
        # One by one: who may not read one of them is told of the others.
        listed = [self._list(kind) for kind in why.KINDS.split(",")]
        services = self._list("services")
        events = self._list("events")
        slices = self._list(
            "endpointslices", f"--selector=kubernetes.io/service-name={facts.service}"
        )
        jobs, cron_jobs = self._list("jobs"), self._list("cronjobs")
        copies = self._list(_COPIES[facts.engine])
        own = why.belonging([one for each in listed for one in each.result()], name)
        tier = self._tier(own, services.result(), stack)
        proxies, spec = tier.pods, tier.spec
        servers = [
            self._pool.submit(self._server, pod, self._pod(own, pod))
            for pod in (f"{facts.pods}-{ordinal}" for ordinal in range(facts.servers))
        ]
        asked = [self._pool.submit(self._proxy, pod, self._pod(own, pod), spec) for pod in proxies]
        secrets = dict(facts.certificate_secrets)
        if shown := objects.volume_secret(spec, "tls"):
            secrets["proxies"] = shown
        certificates = [
            self._pool.submit(self._certificate, of, secret) for of, secret in secrets.items()
        ]
        return Database(
            namespace=str(self._found["metadata"].get("namespace", "")),
            name=name,
            engine=facts.engine,
            topology=facts.topology,
            now=self._now,
            state=facts.state,
            primary=facts.primary,
            service=facts.service,
            leads_to=self._read("endpointslices", lambda: objects.leads_to(slices.result())),
            paused=facts.paused,
            suspended=facts.suspended,
            semi_sync=facts.semi_sync,
            servers_wanted=facts.servers,
            servers=tuple(one.result() for one in servers),
            proxied=bool(spec or tier.gone),
            proxies_wanted=tier.wanted,
            proxies_made=tier.made,
            proxies_gone=tier.gone,
            proxies=tuple(one.result() for one in asked),
            undeployed=bool(
                spec
                and stack
                and stack.configuration
                and objects.volume_secret(spec, "config") != stack.configuration
            ),
            collector=self._collector(own),
            proofs=self._read(
                "backups", lambda: self._proofs(copies.result(), jobs.result(), cron_jobs.result())
            ),
            certificates=tuple(one.result() for one in certificates),
            reasons=self._read(
                "events", lambda: why.reasons([self._found, *own], self._recent(events.result()))
            ),
            unknown=tuple(self._unknown),
        )

    # --- objects ---

    def _list(self, *what: str) -> Future[list[Object]]:
        def listed() -> list[Object]:
            try:
                return self._cluster.get(*what)
            except Absent:  # a kind that nothing here needs
                return []
            except Unreachable as error:
                self._unknown.append(f"{_kind(what[0])}: {error}")
                return []

        return self._pool.submit(listed)

    def _recent(self, events: Sequence[Object]) -> list[Object]:
        """Events of the last quarter of an hour: older ones tell of what is over."""
        since = self._now - timedelta(minutes=15)
        return [
            event
            for event in events
            if (at := objects.moment(event.get("lastTimestamp") or event.get("eventTime")))
            and at > since
        ]

    def _read(self, kind: str, read: Callable[[], Iterable[T]]) -> tuple[T, ...]:
        """What objects say; nothing, and that it is not known, where they are not as expected."""
        try:
            return tuple(read())
        except NOT_UNDERSTOOD as error:
            self._unknown.append(f"{kind}: not understood: {error!r}")
            return ()

    def _known(self, kind: str) -> bool:
        return not any(text.startswith(f"{kind}: ") for text in self._unknown)

    @staticmethod
    def _pod(own: Sequence[Object], name: str) -> Object | None:
        return next((o for o in own if o["kind"] == "Pod" and o["metadata"]["name"] == name), None)

    def _tier(
        self, own: Sequence[Object], services: Sequence[Object], stack: Wanted | None
    ) -> _Tier:
        """The proxies that there are to be."""
        facts, engine = self._facts, ENGINES[self._facts.engine]
        called = engine.proxies(facts.name)
        wanted = stack.proxies if stack else 0
        says = "the stack's file" if wanted else ""
        if facts.operator_proxies:
            called, wanted = names.pxc_proxysql(facts.name), facts.operator_proxies
            says = "" if facts.paused else "the operator's object"
        for found in own:
            if found["kind"] == "StatefulSet" and found["metadata"]["name"] == called:
                made = int(found["spec"]["replicas"])
                return _Tier(
                    pods=[f"{called}-{ordinal}" for ordinal in range(made)],
                    wanted=made if facts.paused else wanted or made,
                    made=made,
                    spec=found["spec"]["template"]["spec"],
                )
        if not self._known("statefulsets"):
            there = sorted(
                str(pod["metadata"]["name"])
                for pod in own
                if pod["kind"] == "Pod"
                and str(pod["metadata"]["name"]).rpartition("-")[0] == called
            )
            pods = there or [f"{called}-{ordinal}" for ordinal in range(wanted)]
            return _Tier(pods=pods, wanted=wanted or len(pods), made=len(pods), spec={})
        # Clients connect to these Services, which go when somebody does without proxies.
        left = {called, names.proxysql_peers(facts.name)} & {
            str(one["metadata"]["name"]) for one in services
        }
        if not facts.operator_proxies:
            if not stack and left:
                says = f"Service {min(left)}"
            elif stack and not left and self._known("services"):
                says = ""  # perhaps they were not deployed yet
        return _Tier(pods=[], wanted=wanted, made=0, spec={}, gone=says)

    def _collector(self, own: Sequence[Object]) -> bool | None:
        """Whether the collector of binary logs runs; None: there is to be none, or not known."""
        if not self._facts.collects or not self._known("pods"):
            return None
        begins = f"{names.pxc_collector(self._facts.name)}-"
        return any(
            found["kind"] == "Pod"
            and found["metadata"]["name"].startswith(begins)
            and objects.ready(found)
            for found in own
        )

    # --- Pods ---

    def _server(self, name: str, pod: Object | None) -> Server:
        if pod is None and self._known("pods"):
            return Server(pod=name, unknown="there is no such Pod")
        facts, is_ready = self._facts, objects.ready(pod) if pod else None
        script, sql = (
            (ask.MARIADB, ask.MARIADB_SQL)
            if facts.engine == "mariadb"
            else (ask.PERCONA, ask.PERCONA_SQL)
        )
        try:
            return server(name, is_ready, self._asked(name, facts.container, script, sql))
        except Unreachable as error:
            refused = isinstance(error, Refused)
            return Server(pod=name, ready=is_ready, unknown=str(error), refused=refused)
        except NOT_UNDERSTOOD as error:
            return Server(pod=name, ready=is_ready, unknown=f"not understood: {error!r}")

    def _proxy(self, name: str, pod: Object | None, spec: Object) -> Proxy:
        if pod is None and self._known("pods"):
            return Proxy(pod=name, unknown="there is no such Pod")
        is_ready, theirs = objects.ready(pod) if pod else None, self._facts.operator_proxies
        made_of = objects.volume_secret(pod["spec"], "config") if pod else ""
        outdated = bool(pod and spec) and made_of != objects.volume_secret(spec, "config")
        writer = ask.PERCONA_WRITER if theirs else None
        try:
            answer = self._asked(
                name, "proxysql", ask.PERCONA_PROXY if theirs else ask.PROXY, ask.PROXY_SQL
            )
            return proxy(name, is_ready, answer, writer=writer, outdated=outdated)
        except Unreachable as error:
            refused = isinstance(error, Refused)
            return Proxy(pod=name, ready=is_ready, unknown=str(error), refused=refused)
        except NOT_UNDERSTOOD as error:
            return Proxy(pod=name, ready=is_ready, unknown=f"not understood: {error!r}")

    def _asked(self, pod: str, container: str, script: str, sql: str) -> dict[str, list[str]]:
        answer = ask.parts(self._cluster.run(pod, container, script, sql))
        if ask.END not in answer:
            raise Unreachable("it stopped answering")
        return answer

    # --- the rest ---

    def _certificate(self, of: str, secret: str) -> Certificate:
        key = CA_KEY if of.endswith("CA") else "tls.crt"
        try:
            ends = objects.ends(self._cluster.certificate(secret, key))
            return Certificate(of=of, secret=secret, ends=ends)
        except Unreachable as error:
            return Certificate(of=of, secret=secret, unknown=str(error))
        except ValueError:
            return Certificate(of=of, secret=secret, unknown=f"{key} is not a certificate")

    def _proofs(
        self, copies: Sequence[Object], jobs: Sequence[Object], cron_jobs: Sequence[Object]
    ) -> list[Proof]:
        name = self._facts.name
        found = list(objects.backups(self._found, copies, jobs, self._now))
        if self._facts.engine == "mariadb" and not self._known("jobs"):
            found = [replace(one, unknown="when the last was made: no Jobs") for one in found]
        if not self._known(_kind(_COPIES[self._facts.engine])):
            found = [replace(one, unknown="when the last was made: no backups") for one in found]
        for one in cron_jobs:
            called = str(one["metadata"]["name"])
            if called == names.restore_drill(name):
                found.append(objects.cron_proof("drill", one, jobs, objects.DRILL_TOLERANCE))
            elif called.startswith(names.dump(name, "")):
                found.append(objects.cron_proof("dump", one, jobs, objects.DUMP_TOLERANCE))
        return found


@dataclass(frozen=True, kw_only=True)
class _Tier:
    """The proxies that there are to be."""

    pods: Sequence[str]
    wanted: int
    made: int
    spec: Object
    """What a new Pod is made of; empty where the StatefulSet is not known."""
    gone: str = ""
    """See Database.proxies_gone."""


def _kind(resource: str) -> str:
    """Of `physicalbackups.k8s.mariadb.com`: `physicalbackups`."""
    return resource.partition(".")[0]


_COPIES = {
    "mariadb": f"physicalbackups.{ENGINES['mariadb'].api.group}",
    "percona": f"perconaxtradbclusterbackups.{ENGINES['percona'].api.group}",
}


def server(name: str, is_ready: bool | None, answer: dict[str, list[str]]) -> Server:
    """What a server answered."""
    variables = ask.pairs(ask.table(answer["variables"]))
    status = ask.pairs(ask.table(answer["status"]))
    following = tuple(map(_replication, ask.table(answer.get("replication", ()))))
    semi_sync = galera = None
    if any(_on(variables, f"rpl_semi_sync_{role}_enabled") for role in ("master", "slave")):
        semi_sync = SemiSync(
            waits=_on(status, "rpl_semi_sync_master_status"),
            clients=_number(status, "rpl_semi_sync_master_clients"),
            acknowledges=_on(status, "rpl_semi_sync_slave_status"),
        )
    if _on(variables, "wsrep_on"):
        galera = Galera(
            status=status.get("wsrep_cluster_status", "unknown"),
            state=status.get("wsrep_local_state_comment", "unknown"),
            size=_number(status, "wsrep_cluster_size"),
        )
    return Server(
        pod=name,
        ready=is_ready,
        version=variables.get("version", "").partition("-")[0],
        read_only=_on(variables, "read_only"),
        connections=_number(status, "threads_connected"),
        max_connections=_number(variables, "max_connections"),
        replication=following[0] if following else None,
        more_replication=following[1:],
        semi_sync=semi_sync,
        galera=galera,
    )


def _replication(row: ask.Row) -> Replication:
    lag = row.get("Seconds_Behind_Master")
    return Replication(
        source=row.get("Master_Host") or "",
        io=row.get("Slave_IO_Running") or "unknown",
        sql=row.get("Slave_SQL_Running") or "unknown",
        lag=int(lag) if lag is not None else None,
        error=_without_query(row.get("Last_SQL_Error") or row.get("Last_IO_Error") or ""),
    )


def _without_query(error: str) -> str:
    """A replica's error without the statement, which may show data."""
    return error.partition(" Query: ")[0].replace("\n", " ")


def proxy(
    name: str,
    is_ready: bool | None,
    answer: dict[str, list[str]],
    *,
    writer: int | None = None,
    outdated: bool = False,
) -> Proxy:
    """What a proxy answered. `writer`: its writer hostgroup, where no file tells."""
    tables = {title: ask.table(answer.get(title, ())) for title in ask.TABLES}
    variables = ask.pairs(ask.table(answer.get("variables", ())))
    counters = ask.pairs(ask.table(answer.get("counters", ())))
    file = drift.parse(answer.get("files", ()))
    hostgroup = writer if writer is not None else drift.writer_hostgroup(file)
    servers = tables["mysql_servers"]
    in_writer = [row for row in servers if row["hostgroup_id"] == str(hostgroup)]
    readers = [row for row in servers if row["hostgroup_id"] != str(hostgroup)]
    online = [str(row["hostname"]) for row in in_writer if row["status"] == "ONLINE"]
    held = _held(answer)
    compared = "files" in answer
    unnamed = {
        title: drift.defaults(ask.table(answer.get(f"{ask.DEFAULTS}{title}", ())))
        for title in ask.TABLES
    }
    found: list[str] = []
    if compared:
        found += drift.drift(file, tables, variables, unnamed, held=held is not None)
        found += _unused(answer)
    used, allowed = _shares(ask.table(answer.get("pool", ())), servers)
    return Proxy(
        pod=name,
        ready=is_ready,
        writers=tuple(sorted(online)),
        others=tuple(
            f"{row['hostname']} {row['status']}" for row in in_writer if row["status"] != "ONLINE"
        ),
        shunned=tuple(
            f"{row['hostname']} {row['status']}"
            for row in readers
            if str(row["status"]).startswith("SHUNNED")
        ),
        held_seconds=held,
        gave_up=len(answer.get("gave-up", ())) > 1,
        paused=counters.get("mysql_listener_paused", "false") not in ("false", "0"),
        clients=_number(counters, "client_connections_connected"),
        max_clients=_number(variables, "mysql-max_connections"),
        used=used,
        allowed=allowed,
        drift=tuple(found or (_lacks(answer) if compared else ())),
        compared=compared,
        outdated=outdated,
    )


def _unused(answer: dict[str, list[str]]) -> list[str]:
    """Rows of tables of which no file has any."""
    counts = {table: answer.get(f"{ask.ROWS}{table}", ())[1:] for table in ask.UNUSED}
    return [
        f"table {table}: has {rows[0]} rows, the file has none"
        for table, rows in counts.items()
        if rows and rows[0] != "0"
    ]


def _held(answer: dict[str, list[str]]) -> int | None:
    """Seconds for which writes have waited, of the watcher's file; 0 if it has no time."""
    since, now = answer.get("hold", ())[1:], answer.get("watch", ())[1:]
    if not since or not now:
        return None
    return max(0, int(now[0]) - int(since[0])) if since[0].isdigit() and now[0].isdigit() else 0


def _lacks(answer: dict[str, list[str]]) -> list[str]:
    """What the Pod's own checks miss, by which the startup probe decides."""
    found: list[str] = []
    for text in answer.get("lacks", ())[1:]:
        if text != "1":
            found.append(f"the self check misses: {text}")
    if answer.get("live", ())[1:] == ["0"]:
        found.append("the self check misses: logins or peers")
    return found


def _shares(pool: ask.Table, servers: ask.Table) -> tuple[int, int]:
    """Connections that are used and allowed, of the server where most of them are."""
    allowed = {
        (row["hostgroup_id"], row["hostname"], row["port"]): int(row["max_connections"] or 0)
        for row in servers
    }
    found = [
        (int(row["ConnUsed"] or 0), allowed[where])
        for row in pool
        if (where := (row["hostgroup"], row["srv_host"], row["srv_port"])) in allowed
    ]
    return max(found, key=lambda one: (one[0] / max(one[1], 1), one[0]), default=(0, 0))


def _on(values: dict[str, str], name: str) -> bool:
    """A switch: `read_only` is a word from MariaDB 12 on."""
    return values.get(name, "OFF").upper() not in ("OFF", "0", "NO", "")


def _number(values: dict[str, str], name: str) -> int:
    text = values.get(name, "")
    return int(text) if text.isdigit() else 0
