"""`security`: protection of data and of Pods."""

from typing import Literal

from components.config.model import Issuer, Model
from components.config.types import Bool, Namespace, ObjectName, Uid


class PodUser(Model):
    """Numeric identities of a tier's containers. Pod Security `restricted` forbids root."""

    run_as_non_root: Literal[True] = True
    """Cannot be switched off."""
    run_as_user: Uid = 999
    """User id."""
    run_as_group: Uid = 999
    """Group id."""
    fs_group: Uid = 999
    """Group id of the volumes."""


class Tls(Model):
    """TLS between proxies and servers, and among servers.

    Certificates are the operator's own, unless an issuer or an existing Secret is named.
    """

    enabled: Bool
    """TLS between proxies and servers, and among servers."""
    issuer: Issuer | None = None
    """cert-manager's issuer of the servers' certificates. Not with `secret`."""
    secret: ObjectName | None = None
    """Existing Secret with `tls.crt`, `tls.key` and `ca.crt` for the names of all servers. Not with
    `issuer`. Unset, too: the operator makes certificates."""
    # The two steps: mariadb-operator docs/tls.md.
    required: Bool = True
    """With TLS on: servers refuse plain connections; not with proxies of Percona's operator. TLS
    goes on or off in two steps, by way of false."""


class NetworkPolicy(Model):
    """Who may reach the proxies; lists hold names of namespaces.

    The admin port is for the proxies themselves, and for clients too where
    `proxy.service.expose_admin` says so.
    """

    enabled: Bool
    """A NetworkPolicy for the proxies of this program, and for the exporter of metrics."""
    clients_from: tuple[Namespace, ...] = ()
    """Namespaces whose Pods may log in. Empty: anyone who can reach the Service."""
    metrics_from: tuple[Namespace, ...] = ()
    """Namespaces besides the database's own whose Pods may read the metrics."""


class Security(Model):
    """Protection of data and of Pods."""

    protect: Bool
    """Pulumi refuses to delete or replace the database's object and the passwords of root and
    replication with their Secrets."""
    tls: Tls
    """TLS between proxies and servers, and among servers."""
    network_policy: NetworkPolicy
    """Who may reach the proxies."""
    allow_vulnerable_images: Bool = False
    """Accept a ProxySQL without the fix of CVE-2026-48773."""
    set_user_ids: Bool = True
    """False: Pods name no ids, for clusters that assign them, such as OpenShift. Elsewhere images
    that would run as root do not start."""
    database: PodUser = PodUser()
    """Ids by which the servers run."""
    proxy: PodUser = PodUser()
    """Ids by which the proxies run."""
