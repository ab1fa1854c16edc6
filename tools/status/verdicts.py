"""What is wrong with a database and what to do, one line each, the worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from components.operations.alerts import ALERTS, CLIENTS_SHARE, CONNECTIONS_SHARE, LAG

from .model import (
    SEVERITIES,
    Alert,
    Certificate,
    Database,
    Proof,
    Proxy,
    Replication,
    Server,
    Severity,
    Verdict,
)

RENEWAL = timedelta(days=14)
"""Whoever renews certificates has done so earlier."""

_ALERT = "docs/runbooks/{}.md"
_OPERATOR = "docs/operations.md#when-an-update-times-out"


def verdicts(database: Database) -> list[Verdict]:
    """Of a whole database; empty where all is well and nothing is to be said."""
    found = [
        *_database(database),
        *_servers(database),
        *_roles(database),
        *_proxies(database),
        *_writers(database),
        *_proofs(database),
        *_certificates(database),
    ]
    return sorted(_merged(found), key=lambda one: SEVERITIES.index(one.severity))


def _merged(found: Sequence[Verdict]) -> Iterator[Verdict]:
    """Pods of which the same is said, together; what to do names the first."""
    groups: dict[tuple[str, ...], list[Verdict]] = {}
    for number, one in enumerate(found):
        alone = "" if one.pods else str(number)
        groups.setdefault((one.severity, one.alert, one.what, alone), []).append(one)
    for same in groups.values():
        yield replace(same[0], pods=tuple(pod for one in same for pod in one.pods))


def wrong(found: Sequence[Verdict]) -> bool:
    """Whether something is: a notice is not."""
    return any(one.severity != "notice" for one in found)


def short(host: str) -> str:
    """The first label of a name; an address as it is."""
    label = host.partition(".")[0]
    return host if label.isdigit() else label


def led_to(database: Database, host: str) -> str:
    """The Pods that a host is, or to which it leads as the Service of the primary; else nothing."""
    if database.service and short(host) == database.service:
        return ", ".join(database.leads_to)
    return short(host)


def _said(severity: Severity, alert: Alert, what: str, do: str, *pods: str) -> Verdict:
    page = _ALERT.format(alert)
    return Verdict(severity=severity, alert=alert, pods=pods, what=what, do=do, page=page)


def _database(database: Database) -> Iterator[Verdict]:
    if database.paused:
        yield Verdict(
            severity="notice",
            what="the servers are paused",
            do="database.paused: false, then `pulumi up`",
            page="docs/operations.md#pause-the-servers",
        )
    elif database.state != "ready":
        why = next((text for text in database.reasons if text.startswith("Pod ")), "")
        yield Verdict(
            severity="warning",
            what=f"the operator reports: {database.state}{f' ({why})' if why else ''}",
            do=f"python -m tools.why {database.namespace} {database.name}",
            page=_OPERATOR,
        )
    if database.suspended:
        yield Verdict(
            severity="warning",
            what="the operator leaves the database alone: spec.suspend",
            do="take `suspend` away; until then nobody fails over",
            page=_OPERATOR,
        )
    for text in database.unknown:
        yield Verdict(
            severity="warning",
            what=f"not known: {text}",
            do="look with an account that may read it",
            page=_OPERATOR,
        )


# --- servers ---


def _servers(database: Database) -> Iterator[Verdict]:
    none = all(server.unknown for server in database.servers)
    for server in database.servers:
        if server.refused:
            yield _not_asked(server.pod, server.unknown)
            continue
        if server.unknown:
            alone = server.pod == database.primary or none
            yield _said(
                "critical" if alone else "warning",
                "DatabaseServerDown",
                server.unknown,
                f"kubectl -n {database.namespace} describe pod {server.pod}",
                server.pod,
            )
            continue
        if server.ready is False:
            yield _said(
                "warning",
                "DatabaseServerDown",
                "answers, but Kubernetes calls it not ready and leads nobody to it",
                f"kubectl -n {database.namespace} describe pod {server.pod}",
                server.pod,
            )
        if (
            server.max_connections
            and server.connections > CONNECTIONS_SHARE * server.max_connections
        ):
            yield _said(
                "warning",
                "ConnectionsNearLimit",
                f"{server.connections} of {server.max_connections} connections",
                "SHOW PROCESSLIST; smaller pools, or more database.max_connections",
                server.pod,
            )
        if database.topology == "galera":
            yield from _galera(database, server)


def _not_asked(pod: str, reason: str) -> Verdict:
    return Verdict(
        severity="warning",
        pods=(pod,),
        what=f"not known: this account may not ask in the Pod ({reason})",
        do="look with an account that may `create` pods/exec",
        page="docs/operations.md#look-at-a-database",
    )


def _galera(database: Database, server: Server) -> Iterator[Verdict]:
    node = server.galera
    if node is None:
        takes = "takes none" if server.read_only else "takes writes that no other node gets"
        yield _said(
            "critical",
            "GaleraNodeMissing",
            f"is in no cluster (wsrep_on is off), and {takes}",
            "keep clients from it, then delete its Pod: it starts as a node",
            server.pod,
        )
    elif node.status != "Primary":
        yield _said(
            "critical",
            "GaleraNotPrimary",
            f"{node.status}, it takes no statements",
            "look for the network between the nodes first",
            server.pod,
        )
    elif node.state != "Synced":
        yield _said("warning", "GaleraNodeMissing", node.state, "wait for the transfer", server.pod)
    elif node.size < database.servers_wanted:
        yield _said(
            "warning",
            "GaleraNodeMissing",
            f"sees {node.size} of {database.servers_wanted} nodes",
            "the Pods of the others, and the operator's log",
            server.pod,
        )


def _roles(database: Database) -> Iterator[Verdict]:
    """Who takes writes and who follows."""
    answered = [server for server in database.servers if not server.unknown]
    if database.topology == "replication":
        yield from _replicated(database, answered)
        return
    chosen = writers(database) or {server.pod for server in answered}
    for server in answered:
        if server.read_only and server.pod in chosen:
            yield _said(
                "critical",
                "DatabaseNoWritableServer",
                "is read-only",
                "whoever set read_only may have a reason; then SET GLOBAL read_only = 0",
                server.pod,
            )
        for following in _connections(server):
            yield _foreign(server, following)


def _connections(server: Server) -> tuple[Replication, ...]:
    first = (server.replication,) if server.replication else ()
    return (*first, *server.more_replication)


def _foreign(server: Server, following: Replication) -> Verdict:
    """Of a server that is to follow nobody."""
    state = "" if following.runs else f", receives {following.io}, applies {following.sql}"
    return _said(
        "warning",
        "ReplicationBroken",
        f"replicates from {following.source}, and is to follow nobody{state}",
        "a migration has this; otherwise STOP SLAVE and RESET SLAVE ALL there",
        server.pod,
    )


def writers(database: Database) -> set[str]:
    """The Pods to which proxies send writes."""
    hosts = {host for proxy in database.proxies for host in proxy.writers}
    return {led_to(database, host) for host in hosts} - {""}


def _replicated(database: Database, answered: Sequence[Server]) -> Iterator[Verdict]:
    if not answered:
        return
    writable = [server for server in answered if not server.read_only]
    if not writable:
        yield _said(
            "critical",
            "DatabaseNoWritableServer",
            "no server takes writes",
            f"wait for the operator (its primary: {database.primary or 'none'}), then its log",
        )
    elif len(writable) > 1:
        yield _said(
            "critical",
            "DatabaseTwoWritableServers",
            "take writes",
            f"SET GLOBAL read_only = 1 on all but {database.primary}, compare with tools.rows",
            *(server.pod for server in writable),
        )
    elif writable[0].pod != database.primary:
        yield Verdict(
            severity="warning",
            pods=(writable[0].pod,),
            what=f"takes writes, the operator's primary is {database.primary or 'none'}",
            do="wait: a switchover or failover is under way",
            page="docs/failover.md#a-switchover-that-does-not-end",
        )
    # While the operator's status is behind, the one that takes writes is the primary.
    primary = writable[0].pod if len(writable) == 1 else database.primary
    for server in answered:
        if server not in writable[:1] and server.pod != database.primary:
            yield from _replica(database, server, primary)
        elif server.pod == primary:
            for following in _connections(server):
                yield _foreign(server, following)
    for server in writable:
        if server.pod == database.primary:
            yield from _semi_sync(database, server)


def _replica(database: Database, server: Server, primary: str) -> Iterator[Verdict]:
    if server.replication is None:
        do = "if it cannot go on, make the replica anew"
        yield _said("critical", "ReplicationBroken", "follows nobody", do, server.pod)
    for following in _connections(server):
        yield from _follows(database, server, following, primary)
    if server.more_replication:
        sources = ", ".join(one.source for one in _connections(server))
        yield _said(
            "warning",
            "ReplicationBroken",
            f"follows several: {sources}",
            "RESET REPLICA of the connection that somebody added",
            server.pod,
        )
    following = server.replication
    acknowledges = server.semi_sync and server.semi_sync.acknowledges
    if database.semi_sync and following and following.runs and not acknowledges:
        yield _said(
            "warning",
            "SemiSyncOff",
            "acknowledges no commits",
            "SET GLOBAL rpl_semi_sync_slave_enabled = 1 there, then STOP and START its IO thread",
            server.pod,
        )


def _follows(
    database: Database, server: Server, following: Replication, primary: str
) -> Iterator[Verdict]:
    down = [other.pod for other in database.servers if other.unknown]
    do = "SHOW ALL REPLICAS STATUS; if it cannot go on, make the replica anew"
    source = short(following.source)
    known = {other.pod for other in database.servers}
    # A source that is down is told of itself; one that was the primary is followed for a moment.
    if primary and source not in (primary, database.primary, database.service, *down):
        yield _said(
            "warning" if source in known else "critical",
            "ReplicationBroken",
            f"follows {following.source}, and not the primary {primary}",
            "the operator's log; if it does not change, make the replica anew",
            server.pod,
        )
    if following.sql == "Yes" and following.io != "No" and source in down:
        return  # that it waits for a server that is down says nothing more
    elif not following.runs:
        error = f": {following.error}" if following.error else ""
        yield _said(
            "critical",
            "ReplicationBroken",
            f"receives {following.io}, applies {following.sql}{error}",
            do,
            server.pod,
        )
    elif following.lag is None:
        yield _said("warning", "ReplicationBroken", "does not know its lag", do, server.pod)
    elif following.lag > LAG:
        yield _said(
            "warning",
            "ReplicationLag",
            f"{following.lag} s behind",
            "a long transaction, or the disk",
            server.pod,
        )


def _semi_sync(database: Database, server: Server) -> Iterator[Verdict]:
    semi_sync = server.semi_sync
    if database.semi_sync and not semi_sync:
        yield _said(
            "warning",
            "SemiSyncOff",
            "commits wait for no replica: semi-sync is switched off",
            "SET GLOBAL rpl_semi_sync_master_enabled = 1: a failover now may lose writes",
            server.pod,
        )
    elif database.semi_sync and semi_sync and not semi_sync.clients:
        yield _said(
            "warning",
            "SemiSyncOff",
            "waits for no replica: none acknowledges",
            "the replicas' receiving threads: a failover now may lose writes",
            server.pod,
        )
    elif database.semi_sync and semi_sync and not semi_sync.waits:
        yield _said(
            "notice",
            "SemiSyncOff",
            f"waits for no replica before the next commit, though {semi_sync.clients} acknowledge",
            "so it is after a failover until somebody writes; if it stays, replicas are too slow",
            server.pod,
        )


# --- proxies ---


def _proxies(database: Database) -> Iterator[Verdict]:
    made, wanted = database.proxies_made, database.proxies_wanted
    if database.proxies_gone:
        yield _said(
            "critical",
            "ProxiesDown",
            f"the StatefulSet of the proxies is gone: {database.proxies_gone} says that there are "
            "to be some",
            "the operator's log, or where this program runs them `pulumi refresh` and `pulumi up`",
        )
    elif wanted and not database.proxied and database.known("statefulsets"):
        yield _said(
            "warning",
            "ProxiesDown",
            f"there are no proxies, and the stack's file wants {wanted}",
            "`make preview` shows whether they were never deployed, or somebody deleted them",
        )
    elif made < wanted:
        yield _said(
            "warning" if made else "critical",
            "ProxyDown" if made else "ProxiesDown",
            f"the StatefulSet is to have {made} of {wanted} proxies",
            "somebody scaled it, or the stack's file is not deployed: `make preview`",
        )
    elif database.proxied and not made and not database.paused:
        yield _said(
            "warning",
            "ProxyPaused",
            "no proxy runs: clients are kept out",
            "remove proxy.paused, then `pulumi up`",
        )
    if database.undeployed:
        yield Verdict(
            severity="notice",
            what="the stack's file says otherwise of the proxies than what is deployed",
            do="make preview, then make up",
            page="docs/local.md#commands",
        )
    down = [proxy for proxy in database.proxies if proxy.unknown and not proxy.refused]
    every = len(down) == len(database.proxies)
    for proxy in down:
        yield _said(
            "critical" if every else "warning",
            "ProxiesDown" if every else "ProxyDown",
            proxy.unknown,
            f"kubectl -n {database.namespace} describe pod {proxy.pod}",
            proxy.pod,
        )
    for proxy in database.proxies:
        if proxy.refused:
            yield _not_asked(proxy.pod, proxy.unknown)
        elif not proxy.unknown:
            yield from _proxy(database, proxy)


def _proxy(database: Database, proxy: Proxy) -> Iterator[Verdict]:
    if proxy.paused:
        yield _said(
            "warning", "ProxyPaused", "accepts no clients", "PROXYSQL RESUME there", proxy.pod
        )
    elif proxy.ready is False:
        yield _said(
            "warning",
            "ProxyDown",
            "not ready",
            f"kubectl -n {database.namespace} describe pod {proxy.pod}",
            proxy.pod,
        )
    if proxy.held_seconds is not None:
        yield _said(
            "critical",
            "ProxyNoWriter",
            f"lets writes wait for {proxy.held_seconds} s",
            "wait: it looks for a fit primary several times a second",
            proxy.pod,
        )
    elif not proxy.writers:
        others = f" ({'; '.join(map(short_status, proxy.others))})" if proxy.others else ""
        yield _said(
            "critical",
            "ProxyNoWriter",
            f"no server for writes{others}",
            "the servers first; then its log",
            proxy.pod,
        )
    elif len(proxy.writers) > 1:
        yield _said(
            "critical",
            "ProxyTwoWriters",
            f"{len(proxy.writers)} servers for writes: {', '.join(map(short, proxy.writers))}",
            "read_only of the servers",
            proxy.pod,
        )
    for text in proxy.shunned[:1]:
        yield _said(
            "warning",
            "ProxyBackendErrors",
            f"does without a server for reads: {short_status(text)}",
            "its log: what the server refuses, or its lag",
            proxy.pod,
        )
    if proxy.gave_up:
        yield _said(
            "warning",
            "ProxyNoWriter",
            "lets writes through to a read-only primary, which refuses them",
            "the operator's log: the switchover did not end",
            proxy.pod,
        )
    for first in proxy.drift[:1]:
        more = f", and {len(proxy.drift) - 1} more" if len(proxy.drift) > 1 else ""
        yield _said(
            "warning",
            "ProxyConfigDrift",
            f"{first}{more}",
            f"undo it there, or kubectl -n {database.namespace} delete pod {proxy.pod}",
            proxy.pod,
        )
    if proxy.outdated:
        yield Verdict(
            severity="notice",
            pods=(proxy.pod,),
            what="has the configuration before the last edit",
            do="wait for the roll",
            page="docs/proxysql.md",
        )
    if proxy.max_clients and proxy.clients > CLIENTS_SHARE * proxy.max_clients:
        yield _said(
            "warning",
            "ProxyClientsNearLimit",
            f"{proxy.clients} of {proxy.max_clients} clients",
            "smaller pools, more proxies, or more proxy.max_connections",
            proxy.pod,
        )
    if proxy.allowed and proxy.used > CONNECTIONS_SHARE * proxy.allowed:
        yield _said(
            "warning",
            "ConnectionsNearLimit",
            f"uses {proxy.used} of {proxy.allowed} connections to a server",
            "long transactions; more database.max_connections",
            proxy.pod,
        )


def short_status(text: str) -> str:
    """`host STATUS` with a short host."""
    host, _, status = text.partition(" ")
    return f"{short(host)} {status}"


def _writers(database: Database) -> Iterator[Verdict]:
    """Whether the proxies agree, and with the operator, and lead anywhere."""
    hosts = {short(host) for proxy in database.proxies for host in proxy.writers}
    used = database.service in hosts if database.proxies else bool(database.service)
    asked = database.known("endpointslices")
    if used and asked and not (database.leads_to or database.paused):
        waits = "statements wait in the proxies" if database.proxies else "connections are refused"
        yield _said(
            "critical",
            "ProxyNoWriter" if database.proxies else "DatabaseNoWritableServer",
            f"{database.service} leads to no server: {waits}",
            "wait for the operator's failover, then its log",
        )
    chosen = {
        proxy.pod: pod
        for proxy in database.proxies
        if len(proxy.writers) == 1
        for host in proxy.writers
        if (pod := led_to(database, host))
    }
    found = sorted(set(chosen.values()))
    if len(found) > 1:
        told = ", ".join(f"{pod} to {server}" for pod, server in chosen.items())
        yield _said(
            "critical", "ProxyTwoWriters", f"proxies write to several servers: {told}", "their logs"
        )
    elif found and database.topology == "replication" and database.primary not in ("", *found):
        yield Verdict(
            severity="warning",
            what=f"the proxies write to {found[0]}, the operator's primary is {database.primary}",
            do="wait: a switchover or failover is under way",
            page="docs/failover.md#a-switchover-that-does-not-end",
        )


# --- backups and certificates ---

_TOO_OLD: Mapping[str, tuple[Alert, str]] = {
    "backup": ("BackupTooOld", "make backup-now"),
    "dump": ("DumpTooOld", "the Jobs of its CronJob"),
    "drill": ("RestoreDrillTooOld", "make restore-drill"),
}
_FAILED: Mapping[str, Alert] = {
    "backup": "BackupFailed",
    "dump": "BackupFailed",
    "drill": "RestoreDrillFailed",
}


def _severity(alert: Alert) -> Severity:
    """What the alert itself has, where it is the same for every database."""
    return next(one.severity for one in ALERTS if one.name == alert)


def _proofs(database: Database) -> Iterator[Verdict]:
    if database.collector is False and any(
        one.kind == "backup" and one.last for one in database.proofs
    ):
        yield _said(
            "critical",
            "PointInTimeStalled",
            "the collector of binary logs does not run",
            f"kubectl -n {database.namespace} describe pod -l app.kubernetes.io/component=pitr",
        )
    kinds = ("physicalbackups", "perconaxtradbclusterbackups", "cronjobs", "backups")
    if not database.proofs and all(map(database.known, kinds)):
        yield Verdict(
            severity="notice",
            what="no backups are made",
            do="set backup.store",
            page="docs/backup.md",
        )
    for proof in database.proofs:
        if not database.paused:
            yield from _proof(database, proof)


def _proof(database: Database, proof: Proof) -> Iterator[Verdict]:
    alert, do = _TOO_OLD[proof.kind]
    if proof.failed:
        yield _said(
            _severity(_FAILED[proof.kind]),
            _FAILED[proof.kind],
            f"the last {proof.kind} failed: {proof.failed}",
            f"kubectl -n {database.namespace} logs job/{proof.failed} --all-containers",
        )
    if proof.suspended:
        yield Verdict(
            severity="warning",
            alert=alert,
            what=f"{proof.name} is suspended",
            do="whoever suspended it may have a reason",
            page="docs/backup.md",
        )
    if proof.unknown:
        yield Verdict(
            severity="warning",
            alert=alert,
            what=f"{proof.name}: not known {proof.unknown}",
            do="look at the schedule",
            page="docs/backup.md",
        )
        return
    reference = proof.last or proof.since
    if reference is None:
        yield _said(
            "warning",
            "BackupMissing",
            f"no {proof.kind} yet, and nothing says since when there are to be some: one is due "
            f"every {span(proof.allowed_seconds)}",
            do,
        )
        return
    age = (database.now - reference).total_seconds()
    if age > proof.allowed_seconds:
        what = f"the last {proof.kind} is {span(age)} old" if proof.last else f"no {proof.kind} yet"
        alert = "BackupMissing" if proof.kind == "backup" and not proof.last else alert
        allowed = f"allowed are {span(proof.allowed_seconds)}"
        yield _said(_severity(alert), alert, f"{what}, {allowed}", do)
    elif proof.last is None:
        yield Verdict(
            severity="notice",
            what=f"no {proof.kind} yet: due within {span(proof.allowed_seconds - age)}",
            do=do,
            page="docs/backup.md",
        )


def _certificates(database: Database) -> Iterator[Verdict]:
    for one in database.certificates:
        yield from _certificate(database, one)


def _certificate(database: Database, one: Certificate) -> Iterator[Verdict]:
    what, severity = "", "warning"
    if one.ends is None:
        what = f"not known when the certificate of the {one.of} ends: {one.unknown}"
    elif one.ends <= database.now:
        severity = "critical"
        what = f"the certificate of the {one.of} has ended ({one.ends:%Y-%m-%d})"
    elif one.ends - database.now < RENEWAL:
        left = span((one.ends - database.now).total_seconds())
        what = f"the certificate of the {one.of} ends in {left}, and was not renewed"
    if what:
        yield Verdict(
            severity="critical" if severity == "critical" else "warning",
            what=what,
            do=f"Secret {one.secret}: whoever issues it, cert-manager or the operator",
            page="docs/security.md",
        )


def span(seconds: float) -> str:
    """A time in its largest unit: `26 h`, `3 d`."""
    if seconds < 120:
        return f"{int(seconds)} s"
    if seconds < 7_200:
        return f"{int(seconds / 60)} min"
    return f"{int(seconds / 3600)} h" if seconds < 172_800 else f"{int(seconds / 86_400)} d"
