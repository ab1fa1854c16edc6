"""What of a live PerconaXtraDBCluster a config must agree with, to adopt it.

Fields that are absent have the operator's defaults (pkg/apis/pxc/v1/pxc_types.go).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components import names
from components.config.errors import Fault
from components.config.stack import StackConfig
from components.engines import live
from components.engines.live import at, differ


def differences(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Where the config says something else than the live object's `spec`."""
    yield from _servers(config, spec)
    yield from _passwords(config, spec)
    yield from _tls(config, spec)
    yield from _proxies(config, spec)


def _servers(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    assert config.percona is not None  # the preset of the engine has it
    yield from differ("percona.cr_version", config.percona.cr_version, at(spec, "crVersion"))
    yield from differ("database.replicas", config.database.replicas, at(spec, "pxc", "size"))
    yield from live.image(config, at(spec, "pxc", "image"))
    claim = at(spec, "pxc", "volumeSpec", "persistentVolumeClaim")
    size = at(claim, "resources", "requests", "storage")
    yield from live.storage(config, size, at(claim, "storageClassName"))


def _passwords(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    ours = names.pxc_secrets(config.name)
    if (secret := at(spec, "secretsName") or ours) == ours:
        yield from live.password(config, "root", (ours, "root"))
        return
    yield (
        "adopt",
        f"needs the passwords in a Secret '{ours}', and the cluster has them in '{secret}'",
        "copy that Secret under the other name and set spec.secretsName to it, before the "
        "adoption (docs/migration.md)",
    )


def _tls(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    yield from live.tls(config, at(spec, "tls", "enabled"), at(spec, "tls", "issuerConf"))
    # Both, for clients and among the nodes, are `<name>-ssl…` unless they come from one Secret.
    secrets = {at(spec, field) for field in ("sslSecretName", "sslInternalSecretName")}
    usual = {None, names.pxc_ssl(config.name), names.pxc_ssl_internal(config.name)}
    if config.security.tls.enabled and (given := secrets - usual):
        theirs = ", ".join(sorted(map(str, given)))
        yield from differ("security.tls.secret", config.security.tls.secret, theirs)


def _proxies(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    if at(spec, "proxysql", "enabled"):
        mode = config.proxy.managed_by if config.proxy.enabled else None
        yield from differ("proxy.managed_by", mode, "operator")
    elif config.operator_proxies:
        yield (
            "proxy.managed_by",
            "is operator, and the cluster to adopt has run without the operator's ProxySQL: its "
            "accounts are of a kind that one cannot use, and servers refuse to start with it",
            "set proxy.managed_by to mysql-ha, or proxy.enabled to false",
        )
