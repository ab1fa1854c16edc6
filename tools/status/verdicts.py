"""What is wrong with a database and what to do, one line each, the worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from .model import SEVERITIES, Alert, Certificate, Database, Proof, Proxy, Server, Severity, Verdict

LAG = 30
"""Seconds behind the primary from which on a replica lags."""
SHARE = 0.8
"""Part of the allowed connections from which on they are nearly used."""
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
    for text in database.unknown:
        yield Verdict(
            severity="warning",
            what=f"not known: {text}",
            do="look with an account that may read it",
            page=_OPERATOR,
        )


# --- servers ---


def _servers(database: Database) -> Iterator[Verdict]:
    for server in database.servers:
        if server.unknown:
            alone = server.pod == database.primary or database.servers_wanted == 1
            yield _said(
                "critical" if alone else "warning",
                "DatabaseServerDown",
                server.unknown,
                f"kubectl -n {database.namespace} describe pod {server.pod}",
                server.pod,
            )
            continue
        if server.max_connections and server.connections > SHARE * server.max_connections:
            yield _said(
                "warning",
                "ConnectionsNearLimit",
                f"{server.connections} of {server.max_connections} connections",
                "SHOW PROCESSLIST; smaller pools, or more database.max_connections",
                server.pod,
            )
        yield from _galera(database, server)


def _galera(database: Database, server: Server) -> Iterator[Verdict]:
    node = server.galera
    if node is None:
        return
    if node.status != "Primary":
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
    """Who takes writes and who follows, with topology `replication`."""
    answered = [server for server in database.servers if not server.unknown]
    if database.topology != "replication" or not answered:
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
    for server in answered:
        if server not in writable[:1] and server.pod != database.primary:
            yield from _replica(database, server)
    for server in writable:
        if server.pod == database.primary:
            yield from _semi_sync(database, server)


def _replica(database: Database, server: Server) -> Iterator[Verdict]:
    following = server.replication
    down = [other.pod for other in database.servers if other.unknown]
    do = "SHOW ALL REPLICAS STATUS; if it cannot go on, make the replica anew"
    if following is None:
        yield _said("critical", "ReplicationBroken", "follows nobody", do, server.pod)
    elif following.sql == "Yes" and following.io != "No" and short(following.source) in down:
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
    if semi_sync and (not semi_sync.waits or not semi_sync.clients):
        yield _said(
            "warning",
            "SemiSyncOff",
            f"waits for no replica ({semi_sync.clients} acknowledge)",
            "the replicas' receiving threads: a failover now may lose writes",
            server.pod,
        )


# --- proxies ---


def _proxies(database: Database) -> Iterator[Verdict]:
    if database.proxied and not database.proxies_wanted and not database.paused:
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
    down = [proxy for proxy in database.proxies if proxy.unknown]
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
        if not proxy.unknown:
            yield from _proxy(database, proxy)


def _proxy(database: Database, proxy: Proxy) -> Iterator[Verdict]:
    if proxy.paused:
        yield _said(
            "warning", "ProxyPaused", "accepts no clients", "PROXYSQL RESUME there", proxy.pod
        )
    elif not proxy.ready:
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
    if proxy.max_clients and proxy.clients > SHARE * proxy.max_clients:
        yield _said(
            "warning",
            "ProxyClientsNearLimit",
            f"{proxy.clients} of {proxy.max_clients} clients",
            "smaller pools, more proxies, or more proxy.max_connections",
            proxy.pod,
        )
    if proxy.allowed and proxy.used > SHARE * proxy.allowed:
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
    asked = not any(text.startswith("endpointslices") for text in database.unknown)
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


def _proofs(database: Database) -> Iterator[Verdict]:
    if not database.proofs:
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
            "critical" if proof.kind == "drill" else "warning",
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
    age = (database.now - reference).total_seconds() if reference else 0
    if age > proof.allowed_seconds:
        what = f"the last {proof.kind} is {span(age)} old" if proof.last else f"no {proof.kind} yet"
        alert = "BackupMissing" if proof.kind == "backup" and not proof.last else alert
        yield _said("critical", alert, f"{what}, allowed are {span(proof.allowed_seconds)}", do)
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
