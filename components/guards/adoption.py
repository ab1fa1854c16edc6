"""A database that existed before this program: adopted as it is, or not at all.

With `adopt: import` the operator's object is imported instead of created, and nothing of it is
changed. With `adopt: take_over` the config applies to it, even to fields that another tool wrote.
What an edit cannot change must agree from the start.
"""

from collections.abc import Mapping
from typing import Any, cast

import pulumi

from components.config.engine import ENGINES
from components.config.errors import refuse
from components.config.load import Loaded
from components.engines.wiring import WIRING
from components.guards import existing


def matching_live_spec(
    loaded: Loaded, opts: pulumi.ResourceOptions | None = None
) -> pulumi.Output[Mapping[str, Any]]:
    """The live object's `spec`, once it was read and found to agree with the config.

    The object is read with `opts`, already at preview. Fails with a ConfigError that names every
    field that a later `pulumi up` would have to change although it cannot, or not safely; the
    engine itself reports an object that does not exist.
    """
    config = loaded.config
    api = ENGINES[config.engine].api
    live = existing.member(
        f"{config.name}-adopted",
        "spec",
        api_version=api.group_version,
        kind=api.kind,
        namespace=config.namespace,
        name=config.name,
        opts=opts,
    )

    def compare(spec: Any) -> Mapping[str, Any]:
        found = cast(Mapping[str, Any], spec or {})
        differences = WIRING[config.engine].differences(config, found)
        refuse((loaded.at(path), rule, fix) for path, rule, fix in differences)
        return found

    return live.apply(compare)
