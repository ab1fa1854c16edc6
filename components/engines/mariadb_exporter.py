"""A MariaDB's part in its figures: the account of the exporter, and what its operator is told.

Field reference: mariadb-operator v25.10.4 `api/v1alpha1`, `MariadbMetrics` and `Exporter`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pulumi

from components import names
from components.config.credentials import EXPORTER_ACCOUNT
from components.config.errors import Fault
from components.config.stack import StackConfig
from components.credentials import Credentials, ResolvedCredential
from components.engines.live import at
from components.engines.sql_objects import Kind, path, sql_object
from components.operations import exporter, monitors
from components.pods import scheduling, security

PRIVILEGES = ("SLAVE MONITOR",)
"""For `SHOW ALL SLAVES STATUS`; status and variables need none (mariadb.com/docs, GRANT). The
operator would also grant SELECT on everything, PROCESS and REPLICATION CLIENT."""
RELEASE = "release"
"""The one label that the operator gives to its ServiceMonitor."""
COMPONENT = "exporter"
KINDS: tuple[Kind, ...] = ("User", "Grant")
"""Of the account."""


def metrics(config: StackConfig, password: ResolvedCredential) -> dict[str, Any]:
    """`spec.metrics`, by which the operator runs an exporter and has it read.

    Every field is explicit: what the operator fills in, nobody would take away again. But for pull
    secrets: it adds those of the servers itself (pkg/builder/deployment_builder.go).
    """
    image, monitoring = config.images.exporter, config.monitoring
    pod: dict[str, Any] = {
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "args": list(exporter.ARGUMENTS),
        "port": exporter.PORT,
        "resources": scheduling.resources(monitoring.exporter.resources),
        "podMetadata": {"labels": {"app.kubernetes.io/part-of": "mysql-ha"}},
        "podSecurityContext": security.of_pod(config.security, exporter.NOBODY),
        "securityContext": dict(security.READ_ONLY),
    }
    if tolerations := scheduling.tolerations(config.scheduling.database):
        pod["tolerations"] = tolerations
    release = monitoring.labels.get(RELEASE)
    return {
        "enabled": True,
        "exporter": pod,
        "serviceMonitor": {
            **({"prometheusRelease": release} if release else {}),
            # The job is called as Prometheus would call it by default: as the Service.
            "jobLabel": "app.kubernetes.io/instance",
            **monitors.times(config),
        },
        "username": EXPORTER_ACCOUNT,
        "passwordSecretKeyRef": {"name": password.secret, "key": password.key, "generate": False},
    }


def immutable(config: StackConfig) -> dict[str, str]:
    """The label of the operator's ServiceMonitor, which it never changes (v25.10.4 and v26.6.0,
    pkg/controller/servicemonitor/controller.go). No label is a text that no label can have."""
    if not config.monitoring.by_operator:
        return {}
    return {"release": config.monitoring.labels.get(RELEASE, "not set")}


def of_another_account(config: StackConfig, spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Whether the operator's object, by its `spec`, has an exporter with another account than ours.

    The webhook fixes the account once there is one, and the operator's User of it stays.
    """
    account = at(spec, "metrics", "username")
    if config.monitoring.enabled and account not in (None, EXPORTER_ACCOUNT):
        yield (
            "monitoring.scrape",
            f"needs the account {EXPORTER_ACCOUNT}, and the object's exporter has {account}, which "
            "cannot change",
            "remove spec.metrics from the object and delete its User and Grant "
            f"{names.metrics(config.name)} first",
        )


def of_others(
    config: StackConfig, get: Callable[[str], Mapping[str, Any] | None]
) -> Iterator[Fault]:
    """Whether the account's objects are there, and not of this program.

    `get`: the metadata at a path of the API, None for nothing.
    """
    name, ours = names.metrics(config.name), names.labels(config.name, COMPONENT)

    def is_of_others(found: Mapping[str, Any] | None) -> bool:
        labels: Mapping[str, str] = at(found, "metadata", "labels") or {}
        return bool(found) and not labels.items() >= ours.items()

    if theirs := [k for k in KINDS if is_of_others(get(path(k, config.namespace, name)))]:
        yield (
            "monitoring.scrape",
            f"needs the {' and '.join(theirs)} {name}, and namespace '{config.namespace}' has such "
            "already, which this stack did not make",
            "remove spec.metrics from the MariaDB object if it has some, and delete the User and "
            f"Grant {name} first",
        )


def exporter_account(
    name: str,
    config: StackConfig,
    credentials: Credentials,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
) -> Sequence[pulumi.Resource]:
    """The User and Grant of the exporter, before the servers: nothing waits until they are done.

    They are called as the operator would call its own, which it makes only where there are none
    (pkg/controller/auth/controller.go), and never changes: so its exporter has no more privileges
    than it needs, and its account follows another Secret.
    """
    if not config.monitoring.enabled:
        return ()

    def made(kind: Kind, spec: Mapping[str, Any], after: Sequence[pulumi.Resource]) -> Any:
        return sql_object(
            f"{name}-exporter-{kind.lower()}",
            kind,
            names.metrics(config.name),
            {"host": "%", "cleanupPolicy": "Delete", **spec},
            config=config,
            component=COMPONENT,
            parent=parent,
            after=after,
            awaited=False,
        )

    password = credentials["exporter"]
    secret = [password.resource] if password.resource else []
    user = made(
        "User",
        {
            "name": EXPORTER_ACCOUNT,
            "passwordSecretKeyRef": {"name": password.secret, "key": password.key},
            "maxUserConnections": exporter.CONNECTIONS,
        },
        [*after, *secret],
    )
    grant = made(
        "Grant",
        {
            "username": EXPORTER_ACCOUNT,
            "privileges": list(PRIVILEGES),
            "database": "*",
            "table": "*",
        },
        [user],
    )
    return user, grant
