"""Namespaces that a stack was asked to make."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components import owner
from components.config.load import Stack


def create(stack: Stack, opts: pulumi.ResourceOptions) -> dict[str, k8s.core.v1.Namespace]:
    """One protected Namespace for each that a database wants made, by name.

    Its Pods must pass Pod Security `restricted`. It is kept when the stack is destroyed, because it
    holds the volumes.
    """
    wanted = {c.config.namespace for c in stack.databases if c.config.create_namespace}
    opts = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(protect=True, retain_on_delete=True)
    )
    return {
        name: k8s.core.v1.Namespace(
            f"{name}-namespace",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=name,
                labels={"pod-security.kubernetes.io/enforce": "restricted"},
                annotations=owner.annotations(),
            ),
            opts=opts,
        )
        for name in sorted(wanted)
    }
