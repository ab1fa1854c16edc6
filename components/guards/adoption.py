"""A database that was there before this program: taken over as it is, or not at all.

With `adopt: import` the operator's object is imported instead of created, and nothing of it is
changed. With `adopt: take_over` the config applies to it, also where another tool wrote the field.
What an edit could never undo must agree from the start.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pulumi

from components import names
from components.config import quantity
from components.config.errors import Fault, refuse
from components.config.load import Loaded
from components.config.stack import StackConfig
from components.guards.api import at


def matching_live_spec(
    loaded: Loaded, opts: pulumi.ResourceOptions | None = None
) -> pulumi.Output[Mapping[str, Any]]:
    """The live object's `spec`, once it was read and found to agree with the config.

    The object is read with `opts`, already at preview. Fails with a ConfigError that names every
    field that a later `pulumi up` would have to change although it cannot, or not safely; the
    engine itself reports an object that does not exist.
    """
    config = loaded.config
    live = pulumi.CustomResource(
        f"kubernetes:{names.OPERATOR_OBJECTS[config.engine]}",
        f"{config.name}-adopted",
        {"spec": None},
        pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(id=f"{config.namespace}/{config.name}")
        ),
    )

    def compare(spec: Any) -> Mapping[str, Any]:
        found = cast(Mapping[str, Any], spec or {})
        refuse((loaded.at(path), rule, fix) for path, rule, fix in differences(config, found))
        return found

    return cast(pulumi.Output[Any], live.__dict__["spec"]).apply(compare)


def differences(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Where the config says something else than the live object's `spec`."""
    yield from _mariadb(config, spec) if config.engine == "mariadb" else _percona(config, spec)


def _mariadb(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Fields that are absent have the operator's defaults (api/v1alpha1)."""
    topology = "standalone"
    if at(spec, "galera", "enabled"):
        topology = "galera"
    elif at(spec, "replication", "enabled"):
        topology = "replication"
    yield from _differ("database.topology", config.database.topology, topology)
    yield from _differ("database.replicas", config.database.replicas, at(spec, "replicas") or 1)
    yield from _image(config, at(spec, "image"))
    claim = at(spec, "storage", "volumeClaimTemplate")
    yield from _storage(
        config,
        at(spec, "storage", "size") or at(claim, "resources", "requests", "storage"),
        at(spec, "storage", "storageClassName") or at(claim, "storageClassName"),
    )
    passwords = {"root": at(spec, "rootPasswordSecretKeyRef")}
    if topology == "replication":
        replica = at(spec, "replication", "replica", "replPasswordSecretKeyRef")
        passwords["replication"] = replica
    for role, found in passwords.items():
        reference = (str(at(found, "name")), str(at(found, "key"))) if found else None
        yield from _password(config, role, reference)
    if at(spec, "rootEmptyPassword"):
        yield "adopt", "cannot take a database whose root has no password", "give root one"
    tls, issuer = config.security.tls, at(spec, "tls", "serverCertIssuerRef")
    yield from _tls(config, at(spec, "tls", "enabled"), issuer)
    if tls.enabled:
        yield from _differ(
            "security.tls.secret", tls.secret, at(spec, "tls", "serverCertSecretRef", "name")
        )
        required = bool(at(spec, "tls", "required"))
        yield from _differ("security.tls.required", tls.required, required)
    if (port := at(spec, "port") or 3306) != 3306:
        yield "adopt", f"cannot take a database on port {port:g}", "let it listen on 3306 before"
    pulled = [at(secret, "name") for secret in at(spec, "imagePullSecrets") or ()]
    yield from _differ("images.pull_secrets", list(config.images.pull_secrets), pulled)


def _percona(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Fields that are absent have the operator's defaults (pkg/apis/pxc/v1/pxc_types.go)."""
    assert config.percona is not None  # the preset of the engine has it
    yield from _differ("database.replicas", config.database.replicas, at(spec, "pxc", "size"))
    yield from _image(config, at(spec, "pxc", "image"))
    yield from _differ("percona.cr_version", config.percona.cr_version, at(spec, "crVersion"))
    claim = at(spec, "pxc", "volumeSpec", "persistentVolumeClaim")
    size = at(claim, "resources", "requests", "storage")
    yield from _storage(config, size, at(claim, "storageClassName"))
    ours = names.pxc_secrets(config.name)
    if (secret := at(spec, "secretsName") or ours) != ours:
        yield (
            "adopt",
            f"needs the passwords in a Secret '{ours}', and the cluster has them in '{secret}'",
            "copy that Secret under the other name and set spec.secretsName to it, before the "
            "adoption (docs/migration.md)",
        )
    else:
        yield from _password(config, "root", (ours, "root"))
    yield from _tls(config, at(spec, "tls", "enabled"), at(spec, "tls", "issuerConf"))
    # Both, for clients and among the nodes, are `<name>-ssl…` unless they come from one Secret.
    secrets = {at(spec, field) for field in ("sslSecretName", "sslInternalSecretName")}
    usual = {None, names.pxc_ssl(config.name), names.pxc_ssl_internal(config.name)}
    if config.security.tls.enabled and (given := secrets - usual):
        theirs = ", ".join(sorted(map(str, given)))
        yield from _differ("security.tls.secret", config.security.tls.secret, theirs)
    if at(spec, "proxysql", "enabled"):
        mode = config.proxy.managed_by if config.proxy.enabled else None
        yield from _differ("proxy.managed_by", mode, "operator")
    elif config.operator_proxies:
        yield (
            "proxy.managed_by",
            "is operator, and the cluster to adopt has run without the operator's ProxySQL: its "
            "accounts are of a kind that one cannot use, and servers refuse to start with it",
            "set proxy.managed_by to mysql-ha, or proxy.enabled to false",
        )


def _image(config: StackConfig, theirs: Any) -> Iterator[Fault]:
    """Another image may be an older version. Docker Hub's names have short forms."""
    ours = config.images.database.reference
    short = [
        str(name).removeprefix("docker.io/").removeprefix("library/") for name in (ours, theirs)
    ]
    if short[0] != short[1]:
        yield from _differ("images.database", ours, theirs)


def _storage(config: StackConfig, size: Any, storage_class: Any) -> Iterator[Fault]:
    ours = config.database.storage
    try:
        same = quantity.parse(str(size)) == quantity.parse(ours.size)
    except ValueError:
        same = False
    if not same:
        yield from _differ("database.storage.size", ours.size, size)
    yield from _differ("database.storage.storage_class", ours.storage_class, storage_class)


def _password(config: StackConfig, role: str, theirs: tuple[str, str] | None) -> Iterator[Fault]:
    ours = dict(config.credentials.items())[role].existing_secret
    references = [(ours.name, ours.key) if ours else None, theirs]
    shown = [f"{{name: {ref[0]}, key: {ref[1]}}}" if ref else None for ref in references]
    yield from _differ(f"credentials.{role}.existing_secret", *shown)


def _tls(config: StackConfig, enabled: Any, issuer: Any) -> Iterator[Fault]:
    """Both operators have TLS on unless told otherwise."""
    tls, theirs = config.security.tls, True if enabled is None else enabled
    yield from _differ("security.tls.enabled", tls.enabled, theirs)
    if tls.enabled:
        ours = f"{tls.issuer.kind} {tls.issuer.name}" if tls.issuer else None
        found = f"{at(issuer, 'kind') or 'Issuer'} {at(issuer, 'name')}" if issuer else None
        yield from _differ("security.tls.issuer", ours, found)


def _differ(path: str, ours: Any, theirs: Any) -> Iterator[Fault]:
    if ours != theirs:
        yield (
            path,
            f"is {_shown(ours)}, and in the database to adopt it is {_shown(theirs)}",
            "set it to what the database has; what can change at all may change after the adoption "
            "(docs/migration.md)",
        )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):  # all numbers that the engine hands over
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(str, cast(list[object], value))) or "not set"
    return "not set" if value is None else str(value)
