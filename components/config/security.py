"""`security`: protection of data and of Pods."""

from typing import Literal

from components.config.model import Issuer, Model
from components.config.types import Bool, Namespace, ObjectName, Uid


class PodUser(Model):
    """Numeric identities of a tier's containers. Pod Security `restricted` forbids root."""

    run_as_non_root: Literal[True] = True
    run_as_user: Uid = 999
    run_as_group: Uid = 999
    fs_group: Uid = 999


class Tls(Model):
    """TLS between proxies and servers, and among servers.

    Certificates are the operator's own, unless an issuer or an existing Secret is named.
    """

    enabled: Bool
    issuer: Issuer | None = None
    secret: ObjectName | None = None
    """An existing Secret with `tls.crt`, `tls.key` and `ca.crt` for all servers' names."""
    required: Bool = True
    """With TLS on: servers refuse connections without it. Turn TLS on for an existing database in
    two steps, first with `required: false` (mariadb-operator docs/tls.md)."""


class NetworkPolicy(Model):
    """Who may reach the proxies; lists hold names of namespaces.

    The admin port is for the proxies themselves, and for clients too where
    `proxy.service.expose_admin` says so.
    """

    enabled: Bool
    clients_from: tuple[Namespace, ...] = ()
    """Namespaces whose Pods may log in. Empty: anyone who can reach the Service."""
    metrics_from: tuple[Namespace, ...] = ()
    """Namespaces besides the database's own whose Pods may read the metrics."""


class Security(Model):
    """Protection of data and of Pods."""

    protect: Bool
    """Pulumi refuses to delete or replace the database and root's and replication's passwords."""
    tls: Tls
    network_policy: NetworkPolicy
    allow_vulnerable_images: Bool = False
    database: PodUser = PodUser()
    proxy: PodUser = PodUser()
