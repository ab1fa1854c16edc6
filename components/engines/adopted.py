"""Resource options of an operator's object that existed before this program."""

from collections.abc import Sequence

import pulumi

from components import owner
from components.config.stack import StackConfig


def options(
    config: StackConfig,
    parent: pulumi.Resource,
    *,
    after: Sequence[pulumi.Resource],
    left_alone: Sequence[str],
) -> pulumi.ResourceOptions:
    """Options of the operator's object. `left_alone`: fields that keep their live value."""
    timeout = config.database.ready_timeout
    return pulumi.ResourceOptions(
        parent=parent,
        protect=config.security.protect,
        depends_on=list(after),
        custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
        import_=f"{config.namespace}/{config.name}" if config.adopting else None,
        ignore_changes=["metadata", "spec"] if config.adopt == "import" else list(left_alone),
    )


def annotations(config: StackConfig) -> dict[str, str]:
    """Annotations of the operator's object: whose it is, and of one that is taken over also to take
    fields over from the tool that wrote them (pulumi-kubernetes, `provider/pkg/await/await.go`,
    patchForce)."""
    force = {"pulumi.com/patchForce": "true"} if config.adopt == "take_over" else {}
    return {**owner.annotations(), **force}
