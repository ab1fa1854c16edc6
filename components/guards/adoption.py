"""A database that existed before this program: adopted as it is, or not at all.

With `adopt: import` the operator's object is imported instead of created, and nothing of it is
changed. With `adopt: take_over` the config applies to it, even to fields that another tool wrote.
What an edit cannot change must agree from the start.
"""

from collections.abc import Mapping
from typing import Any, cast

import pulumi

from components.config.engine import ENGINES
from components.config.errors import below, refuse
from components.config.stack import StackConfig
from components.engines.wiring import WIRING


def matching_live_spec(
    config: StackConfig, where: str, opts: pulumi.ResourceOptions | None = None
) -> pulumi.Output[Mapping[str, Any]]:
    """The live object's `spec`, once it was read and found to agree with the config.

    `where`: the config path of the database (`databases.<name>.`), if it has one. The object is
    read with `opts`, already at preview. Fails with a ConfigError that names every field that a
    later `pulumi up` would have to change although it cannot, or not safely; the engine itself
    reports an object that does not exist.
    """
    live = pulumi.CustomResource(
        ENGINES[config.engine].api.type_token,
        f"{config.name}-adopted",
        {"spec": None},
        pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(id=f"{config.namespace}/{config.name}")
        ),
    )

    def compare(spec: Any) -> Mapping[str, Any]:
        found = cast(Mapping[str, Any], spec or {})
        refuse(below(where, WIRING[config.engine].differences(config, found)))
        return found

    return cast(pulumi.Output[Any], live.__dict__["spec"]).apply(compare)
