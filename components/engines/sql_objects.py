"""The User, Grant and Database objects, with which mariadb-operator works inside the servers."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.engine import MARIADB
from components.config.stack import StackConfig

Kind: TypeAlias = Literal["User", "Grant", "Database"]

_DELETION = {"pulumi.com/deletionPropagationPolicy": "background"}
"""In the foreground, Pulumi's default, the API server adds a finalizer of its own, and the garbage
collector takes it away while the operator finalizes. The operator then writes the list that it has
read, less its own entry (internal/controller/grant_controller_finalizer.go, `patch`): that would
bring the other one back, which is forbidden on an object that is being deleted. It tries again, the
second REVOKE fails with 1141 (no such grant), and the object stays for good. These objects own
nothing that the foreground would wait for."""


def path(kind: Kind, namespace: str, name: str) -> str:
    """Where the API has such an object."""
    return f"/apis/{MARIADB.api.group_version}/namespaces/{namespace}/{kind.lower()}s/{name}"


def sql_object(
    logical_name: str,
    kind: Kind,
    object_name: str,
    spec: Mapping[str, Any],
    *,
    config: StackConfig,
    component: str,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
    awaited: bool = True,
) -> pulumi.Resource:
    """An object about something in the servers of `config`; `spec` without the reference to them.

    Waits until the operator has done it, unless `await_sql` is off or it is not `awaited`. `after`:
    what it needs. Pulumi deletes it before those, so a Grant is revoked while its account exists.
    """
    waits = {"pulumi.com/waitFor": "condition=Ready"} if awaited and config.await_sql else {}
    return k8s.apiextensions.CustomResource(
        logical_name,
        api_version=MARIADB.api.group_version,
        kind=kind,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=object_name,
            namespace=config.namespace,
            labels=names.labels(config.name, component),
            annotations={**_DELETION, **waits},
        ),
        spec={"mariaDbRef": {"name": config.name}, **spec},
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )
