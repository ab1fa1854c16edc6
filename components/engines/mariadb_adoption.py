"""What of a live MariaDB object a config must agree with, to adopt it.

Fields that are absent have the operator's defaults (api/v1alpha1).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components.config.errors import Fault
from components.config.stack import StackConfig
from components.engines import live, mariadb_exporter
from components.engines.live import at, differ
from components.engines.mariadb import PORT


def differences(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Where the config says something else than the live object's `spec`."""
    yield from _servers(config, spec)
    yield from _passwords(config, spec)
    yield from _tls(config, spec)
    yield from _backed_up(config, spec)
    yield from mariadb_exporter.of_another_account(config, spec)
    if (port := at(spec, "port") or PORT) != PORT:
        yield (
            "adopt",
            f"cannot take over a database on port {port:g}",
            f"change its port to {PORT} first",
        )
    pulled = [at(secret, "name") for secret in at(spec, "imagePullSecrets") or ()]
    yield from differ("images.pull_secrets", list(config.images.pull_secrets), pulled)


def _topology(spec: Mapping[str, Any]) -> str:
    if at(spec, "galera", "enabled"):
        return "galera"
    return "replication" if at(spec, "replication", "enabled") else "standalone"


def _servers(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    yield from differ("database.topology", config.database.topology, _topology(spec))
    yield from differ("database.replicas", config.database.replicas, at(spec, "replicas") or 1)
    yield from live.image(config, at(spec, "image"))
    claim = at(spec, "storage", "volumeClaimTemplate")
    yield from live.storage(
        config,
        at(spec, "storage", "size") or at(claim, "resources", "requests", "storage"),
        at(spec, "storage", "storageClassName") or at(claim, "storageClassName"),
    )


def _passwords(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    if at(spec, "rootEmptyPassword"):
        yield "adopt", "cannot take over a database without a root password", "give root a password"
    yield from _password(config, "root", at(spec, "rootPasswordSecretKeyRef"))
    if _topology(spec) == "replication":
        replica = at(spec, "replication", "replica", "replPasswordSecretKeyRef")
        yield from _password(config, "replication", replica)


def _password(config: StackConfig, role: str, found: Any) -> Iterator[Fault]:
    reference = (str(at(found, "name")), str(at(found, "key"))) if found else None
    yield from live.password(config, role, reference)


def _tls(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    tls, theirs = config.security.tls, at(spec, "tls")
    yield from live.tls(config, at(theirs, "enabled"), at(theirs, "serverCertIssuerRef"))
    if tls.enabled:
        secret = at(theirs, "serverCertSecretRef", "name")
        yield from differ("security.tls.secret", tls.secret, secret)
        required = bool(at(theirs, "required"))
        yield from differ("security.tls.required", tls.required, required)


def _backed_up(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """What backups of the operator do not work with, and nothing would say so."""
    if config.backup.target is None:
        return
    why = "and then no backup is made"
    strategy = at(spec, "updateStrategy", "type")
    if config.adopt == "import" and strategy in ("OnDelete", "Never"):
        # internal/controller/physicalbackup_controller.go, shouldReconcilePhysicalBackup
        yield (
            "backup.enabled",
            f"is on, and updates of the servers wait for somebody ({strategy}), {why}",
            "set it to false, or spec.updateStrategy.type of the object to another",
        )
    modes = at(spec, "storage", "volumeClaimTemplate", "accessModes") or ()
    if at(spec, "storage", "ephemeral") or "ReadWriteOncePod" in modes:
        # docs/physical_backup.md, "Important considerations and limitations"
        yield (
            "backup.enabled",
            f"is on, and no other Pod can mount a server's volume, {why}",
            "set it to false, and make dumps",
        )
