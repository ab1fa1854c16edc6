"""Every Kubernetes name, label set and host of one database, as pure functions of plain strings.

The operators' own names follow mariadb-operator v25 `api/v1alpha1/mariadb_keys.go` (Services
`<name>`, `<name>-internal`, `<name>-primary`, `<name>-secondary`; CA bundle `<name>-ca-bundle`)
and `pkg/statefulset` (Pods `<name>-<ordinal>`); percona-xtradb-cluster-operator v1.18.0
`pkg/pxc/service.go`, `pkg/naming` and `pkg/apis/pxc/v1/pxc_types.go` (Services `<name>-pxc`,
`<name>-pxc-unready`, `<name>-proxysql`, `<name>-proxysql-unready`; Secrets `<name>-secrets`,
`<name>-ssl`, `<name>-ssl-internal`, `internal-<name>`).
"""

import hashlib
import re
from collections.abc import Iterable

DNS_LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"


def is_dns_label(text: str) -> bool:
    """Whether `text` is an RFC 1035 label, as Kubernetes requires for a Service name."""
    return re.fullmatch(DNS_LABEL, text) is not None


CLIENT_PORT = 6033
"""Where ProxySQL listens for clients by default."""

MOST_SERVERS = 9
"""A database has at most so many."""

CLUSTER_DOMAIN = "cluster.local"
"""The DNS domain of most clusters (key `cluster_domain`)."""


def service_host(service: str, namespace: str, domain: str = CLUSTER_DOMAIN) -> str:
    """The cluster-internal DNS name of a Service."""
    return f"{service}.{namespace}.svc.{domain}"


def pod_host(pod: str, headless_service: str, namespace: str, domain: str = CLUSTER_DOMAIN) -> str:
    """The stable DNS name of a StatefulSet's Pod behind its headless Service."""
    return f"{pod}.{service_host(headless_service, namespace, domain)}"


def mariadb_internal(name: str) -> str:
    """The operator's headless Service; it publishes Pods that are not ready too."""
    return f"{name}-internal"


def mariadb_servers(name: str) -> str:
    """The operator's StatefulSet of servers."""
    return name


def mariadb_primary(name: str) -> str:
    """The operator's Service that follows the primary."""
    return f"{name}-primary"


def mariadb_secondary(name: str) -> str:
    """The operator's Service over the ready replicas."""
    return f"{name}-secondary"


def mariadb_pod_hosts(
    name: str, namespace: str, replicas: int, *, domain: str = CLUSTER_DOMAIN
) -> tuple[str, ...]:
    """DNS names of all database Pods, in ordinal order."""
    return tuple(
        pod_host(f"{name}-{ordinal}", mariadb_internal(name), namespace, domain)
        for ordinal in range(replicas)
    )


def mariadb_ca_bundle(name: str) -> str:
    """The Secret in which the operator publishes the server CA (key `ca.crt`)."""
    return f"{name}-ca-bundle"


def mariadb_agent(name: str) -> str:
    """The Secret with which the operator logs in to the agents beside the servers of a cluster."""
    return f"{name}-agent-auth"


def pxc(name: str) -> str:
    """Percona's StatefulSet of servers and its headless Service, which publishes the ready ones."""
    return f"{name}-pxc"


def pxc_pod_hosts(
    name: str, namespace: str, replicas: int, *, domain: str = CLUSTER_DOMAIN
) -> tuple[str, ...]:
    """DNS names of all server Pods, in ordinal order.

    Of the StatefulSet's own Service: under `<name>-pxc-unready` Pods have no names of their own.
    A Pod that is not ready does not resolve, and ProxySQL treats it as down.
    """
    return tuple(
        pod_host(f"{pxc(name)}-{ordinal}", pxc(name), namespace, domain)
        for ordinal in range(replicas)
    )


def pxc_secrets(name: str) -> str:
    """The Secret of the Percona operator's accounts; keys are their names."""
    return f"{name}-secrets"


def pxc_internal(name: str) -> str:
    """The Secret in which Percona's operator keeps the passwords that the servers have."""
    return f"internal-{name}"


def pxc_ssl(name: str) -> str:
    """The Secret of the certificate that Percona's ProxySQL shows (key `ca.crt`)."""
    return f"{name}-ssl"


def pxc_ssl_internal(name: str) -> str:
    """The Secret of the servers' certificate (build/pxc-configure-pxc.sh); its CA is another one
    unless cert-manager makes both."""
    return f"{name}-ssl-internal"


def pxc_proxysql_unready(name: str) -> str:
    """The headless Service of Percona's ProxySQL, with its admin port."""
    return f"{name}-proxysql-unready"


def pxc_scheduled_backup(name: str, storage: str) -> str:
    """A pattern of the names of backups that Percona's operator makes by a schedule.

    pkg/naming/backup.go, ScheduledBackupName: a time, and five digits of base 32.
    """
    return f"cron-{name[:16]}-{storage[:16]}-[0-9]+-[0-9a-v]+"


def pxc_collector(name: str) -> str:
    """The Deployment that uploads the binary logs of Percona's servers, and its Service, where it
    tells its figures (pkg/naming/binlog_collector.go)."""
    return f"{name}-pitr"


def pxc_restore(name: str, restore: str) -> str:
    """The object by which Percona's operator restores a backup into the cluster."""
    return f"{name}-{restore}"


def pxc_restore_job(name: str, restore: str) -> str:
    """The longest name of a Job of that restore, which the operator does not trim (v1.18.0,
    pkg/pxc/backup/restore.go; pkg/naming/restore.go, as long)."""
    return f"restore-job-{pxc_restore(name, restore)}-{name}"


def pxc_haproxy(name: str) -> tuple[str, ...]:
    """Names that Percona's operator gives to its HAProxy, which this program never asks for."""
    return f"{name}-haproxy", f"{name}-haproxy-replicas"


def pxc_proxysql(name: str) -> str:
    """The StatefulSet and Service of Percona's own ProxySQL."""
    return f"{name}-proxysql"


def proxysql(name: str) -> str:
    """The ProxySQL StatefulSet and its client Service."""
    return f"{name}-proxysql"


def proxysql_beside_pxc(name: str) -> str:
    """The same beside a Percona cluster, under another name.

    Every few seconds its operator deletes a Service `<name>-proxysql` when its own ProxySQL is off,
    whoever made it (pkg/controller/pxc/controller.go, `deleteServices`).
    """
    return f"{name}-proxysql-ha"


def proxysql_tls(name: str) -> str:
    """The Certificate of the proxies, and the Secret that cert-manager puts it into."""
    return f"{name}-proxysql-tls"


def proxysql_peers(name: str) -> str:
    """The headless Service with which ProxySQL Pods find each other."""
    return f"{name}-proxysql-cluster"


def proxysql_admin(name: str) -> str:
    """The optional Service of the admin interface."""
    return f"{name}-proxysql-admin-port"


def proxysql_config(name: str, digest: str) -> str:
    """The Secret that holds one version of the ProxySQL configuration."""
    return f"{name}-proxysql-cnf-{digest}"


def proxysql_monitor(name: str, suffix: str = "") -> str:
    """The User and Grant objects of ProxySQL's monitor account; `.b`: of the second one."""
    return f"{name}-proxysql-monitor{suffix}"


def service_port(kind: str, number: int) -> str:
    """The name of a Service's port. It has the number: a preview's server-side apply still sees the
    entry that a create wrote, and two of one name are refused (`Duplicate value`)."""
    return f"{kind}-{number}"


def client_port(number: int) -> str:
    """The name of a proxy's port for clients, by which Services find it. For the same reason it has
    a number other than the default's."""
    return "mysql" if number == CLIENT_PORT else f"mysql-{number}"


def credential_secret(name: str, role: str) -> str:
    """The Secret of a generated credential; `role` is a key of `credentials`."""
    return f"{name}-{role.replace('proxy_', 'proxysql-').replace('_', '-')}"


def app_secret(name: str, app: str) -> str:
    """The Secret with which an app connects."""
    return f"{name}-app-{app}"


def account_secret(name: str, app: str) -> str:
    """The Secret from which the servers get the passwords of an app's accounts."""
    return f"{name}-account-{app}"


def account(name: str, username: str) -> str:
    """The User object of an account."""
    return f"{name}-user-{_kubernetes_safe(username)}"


def grant(name: str, username: str, schema: str) -> str:
    """The Grant object of an account's privileges in a database; a database's name has no dot."""
    return f"{name}-user-{_kubernetes_safe(f'{username}.{schema}')}"


def backup(name: str, digest: str) -> str:
    """The PhysicalBackup of one version of what its webhook fixes, and its volumes.

    Its Jobs add 15 characters (mariadb-operator internal/controller/physicalbackup_controller.go,
    getObjectName), and a Job's name becomes a label's value, which has at most 63. The digest is
    also of the name, of which a long one is cut.
    """
    return f"{name[:34].rstrip('-')}-backup-{digest}"


def dump(name: str, digest: str) -> str:
    """The same of a logical Backup, and its CronJob, whose name has at most 52 characters."""
    return f"{name}-dump-{digest}"


def restore_drill(name: str) -> str:
    """The CronJob that proves backups; its name has at most 52 characters."""
    if len(name) > 38:
        digest = hashlib.sha256(name.encode()).hexdigest()[:6]
        name = f"{name[:31].rstrip('-')}-{digest}"
    return f"{name}-restore-drill"


def heartbeat(name: str) -> str:
    """The CronJob, and the User, Grant and Database objects, of the row that shows a backup's
    age."""
    return f"{name}-heartbeat"


def heartbeat_login(name: str) -> str:
    """The Secret with which that CronJob logs in."""
    return f"{name}-heartbeat-login"


def schema(name: str, schema: str) -> str:
    """The Database object of a database within the servers."""
    return f"{name}-db-{_kubernetes_safe(schema)}"


def _kubernetes_safe(text: str) -> str:
    """The part of an object's name for a text in which SQL allows more than Kubernetes does.

    Such a text is marked with a hash of itself, so that no two have the same name.
    """
    if re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", text):
        return text
    suffix = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{re.sub('[^a-z0-9]+', '-', text.lower()).strip('-')}-{suffix}".lstrip("-")


def proxysql_users(name: str) -> str:
    """The Secret that running proxies load: logins and peers."""
    return f"{name}-proxysql-users"


def mariadb_selector(name: str) -> dict[str, str]:
    """The labels that mariadb-operator puts on database Pods (`pkg/builder/labels/labels.go`)."""
    return {"app.kubernetes.io/name": "mariadb", "app.kubernetes.io/instance": name}


def pxc_selector(name: str, component: str) -> dict[str, str]:
    """The labels that Percona's operator puts on Pods (`pkg/naming/labels.go`).

    `component`: `pxc` or `proxysql`.
    """
    return {**pxc_pods(name), "app.kubernetes.io/component": component}


def pxc_pods(name: str) -> dict[str, str]:
    """The labels of all Pods that Percona's operator makes for a cluster, with whatever component.

    Servers and its proxies, jobs of backups and restores, the collector of binary logs.
    """
    return {"app.kubernetes.io/name": "percona-xtradb-cluster", "app.kubernetes.io/instance": name}


def pxc_backup_selector(name: str) -> dict[str, str]:
    """The labels of Percona's backups, which join the cluster (`pkg/naming/labels.go`)."""
    return {"percona.com/backup-type": "xtrabackup", "percona.com/cluster": name}


def metrics(name: str) -> str:
    """The Service by which the servers' figures are read, as mariadb-operator calls its own
    (`api/v1alpha1/mariadb_keys.go`, `MetricsKey`)."""
    return f"{name}-metrics"


def metrics_config(name: str) -> str:
    """The Secret from which mariadb-operator's exporter logs in (`MetricsConfigSecretKeyRef`)."""
    return f"{metrics(name)}-config"


def server_metrics(name: str, ordinal: int) -> str:
    """The Service by which one server's figures are read, where annotations say so."""
    return f"{metrics(name)}-{ordinal}"


def exporter(name: str) -> str:
    """This program's own exporter: not a name of mariadb-operator's, which may have one too."""
    return f"{name}-exporter"


def exporter_config(name: str) -> str:
    """The Secret from which it logs in."""
    return f"{exporter(name)}-config"


def own_exporter_selector(name: str) -> dict[str, str]:
    """The labels that select its Pods. Immutable, as a Deployment's selector is."""
    return {"app.kubernetes.io/name": "exporter", "app.kubernetes.io/instance": name}


def dashboard(name: str) -> str:
    """The ConfigMap of the dashboard."""
    return f"{name}-dashboard"


def exporter_selector(name: str) -> dict[str, str]:
    """The labels of mariadb-operator's exporter (`pkg/builder/labels/labels.go`, `MetricsKey`)."""
    return {
        "app.kubernetes.io/name": "exporter",
        "app.kubernetes.io/instance": metrics(name),
    }


ROLE = "mysql-ha/role"
"""The label of Pods that people or their jobs run against the servers, which are its clients."""
ROLES = ("backup", "heartbeat", "sql")
"""Its values: of jobs that copy a database, as mariadb-operator's have no labels of their own, of
the one that writes its heartbeat, and of shells."""


def proxysql_selector(name: str) -> dict[str, str]:
    """The labels that select ProxySQL Pods. Immutable: a StatefulSet's selector cannot change."""
    return {"app.kubernetes.io/name": "proxysql", "app.kubernetes.io/instance": name}


def labels(name: str, component: str) -> dict[str, str]:
    """Recommended labels of every object of database `name`."""
    return {
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/part-of": "mysql-ha",
    }


def mariadb_claims(name: str, topology: str, replicas: int) -> tuple[str, ...]:
    """The volume claims of a MariaDB's servers, by volume and ordinal.

    mariadb-operator `pkg/builder/statefulset_builder.go` (mariadbVolumeClaimTemplates; Galera's
    second volume has its configuration).
    """
    return _claims(("storage", "galera") if topology == "galera" else ("storage",), name, replicas)


def pxc_claims(name: str, topology: str, replicas: int) -> tuple[str, ...]:
    """The volume claims of Percona's servers, by ordinal (`pkg/pxc/app/app.go`, DataVolumeName).

    They are the same in each `topology`, of which there is one.
    """
    return _claims(("datadir",), pxc(name), replicas)


def _claims(volumes: tuple[str, ...], stateful_set: str, replicas: int) -> tuple[str, ...]:
    """As Kubernetes names them (kubernetes.io/docs, "StatefulSets", stable storage)."""
    return tuple(
        f"{volume}-{stateful_set}-{ordinal}" for volume in volumes for ordinal in range(replicas)
    )


def mariadb_ownerless(name: str, topology: str) -> tuple[str, ...]:
    """Secrets that mariadb-operator makes without an owner, so that they stay.

    That of the agents (pkg/controller/secret/controller.go, ReconcilePassword), which a standalone
    server has not.
    """
    return (mariadb_agent(name),) if topology != "standalone" else ()


def mariadb_secrets(name: str) -> frozenset[str]:
    """Secrets that mariadb-operator makes (pkg/builder, api/v1alpha1/mariadb_tls_types.go)."""
    return frozenset(
        {
            mariadb_ca_bundle(name),
            mariadb_agent(name),
            metrics_config(name),
            *(f"{name}-{kind}" for kind in ("ca", "server-ca", "client-ca")),
            *(f"{name}-{kind}-cert" for kind in ("server", "client")),
        }
    )


def pxc_secrets_of_operator(name: str) -> frozenset[str]:
    """Secrets that Percona's operator makes, or writes its accounts into."""
    return frozenset({pxc_secrets(name), f"{name}-ca-cert", *pxc_ownerless(name, "")})


def pxc_ownerless(name: str, topology: str) -> tuple[str, ...]:
    """Secrets that Percona's operator makes without an owner, whatever the `topology`.

    Its copy of its accounts, its certificates with TLS, and the statements of passwords that
    changed (pkg/controller/pxc/users.go, tls.go).
    """
    return pxc_internal(name), pxc_ssl(name), pxc_ssl_internal(name), f"{name}-mysql-init"


def common_objects(name: str, roles: Iterable[str]) -> frozenset[str]:
    """Every name that database `name` may give to an object whichever its engine.

    `roles`: those that have a password. Without the ProxySQL configuration Secrets, whose names end
    in a hash.
    """
    return frozenset(
        {
            name,
            proxysql_peers(name),
            proxysql_admin(name),
            proxysql_tls(name),
            proxysql_users(name),
            *(credential_secret(name, role) for role in roles),
        }
    )


def drill_objects(name: str) -> frozenset[str]:
    """What the objects of a database with drills are called beside those."""
    return frozenset({heartbeat(name), heartbeat_login(name), restore_drill(name)})


def monitoring_objects(name: str) -> frozenset[str]:
    """What the objects of a database whose metrics are read are called beside those."""
    return frozenset(
        {
            metrics(name),
            metrics_config(name),
            exporter(name),
            exporter_config(name),
            dashboard(name),
            *(server_metrics(name, ordinal) for ordinal in range(MOST_SERVERS)),
        }
    )


def mariadb_objects(name: str) -> frozenset[str]:
    """What a MariaDB's objects are called beside `common_objects`, the operator's included."""
    return frozenset(
        {
            mariadb_internal(name),
            mariadb_primary(name),
            mariadb_secondary(name),
            mariadb_ca_bundle(name),
            mariadb_agent(name),
            proxysql_monitor(name),
            proxysql_monitor(name, ".b"),
            proxysql(name),
        }
    )


def pxc_objects(name: str) -> frozenset[str]:
    """What a Percona cluster's objects are called beside those, the operator's included."""
    return frozenset(
        {
            pxc(name),
            f"{pxc(name)}-unready",
            pxc_secrets(name),
            pxc_ssl(name),
            pxc_ssl_internal(name),
            pxc_internal(name),
            pxc_collector(name),
            pxc_proxysql(name),
            pxc_proxysql_unready(name),
            proxysql_beside_pxc(name),
            # Its operator deletes what is called so while its HAProxy is off, whoever made it
            # (pkg/controller/pxc/controller.go, deleteServices and deleteStatefulSet).
            *pxc_haproxy(name),
        }
    )
