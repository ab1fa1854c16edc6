"""Objects that exist, read by the engine: at preview as at an update."""

from typing import Any

import pulumi


def inputs(api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
    """What names an object: as much as a refresh makes of the id by which it was read.

    Without any inputs, as in `Secret.get`, each refresh finds a change (pulumi-kubernetes,
    provider/pkg/provider/provider.go, Read).
    """
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def member(
    resource: str,
    member: str,
    *,
    api_version: str,
    kind: str,
    namespace: str,
    name: str,
    opts: pulumi.ResourceOptions | None = None,
) -> pulumi.Output[Any]:
    """A member such as `spec` of an object; the engine itself reports one that does not exist."""
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    found = pulumi.CustomResource(
        f"kubernetes:{group_version}:{kind}",
        resource,
        {**inputs(api_version, kind, namespace, name), member: None},
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=f"{namespace}/{name}")),
    )
    return found.__dict__[member]
