"""What a stack must pass before anything of it is made, at preview as at an update."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.config import password_sources
from components.config.load import Stack
from components.config.password_sources import Holder
from components.guards import adoption, immutable, passwords, switchover, volumes


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The results. Each Output fails with a ConfigError when a check fails."""

    immutable: pulumi.Output[dict[str, Any]]
    """The facts of the stack that cannot change; known once everything is accepted. Plain and not
    secret."""
    given: Mapping[str, Mapping[Holder, pulumi.Output[str]]]
    """Passwords that are not generated, by database name and holder."""


def checked(stack: Stack, cluster: Mapping[str, Any]) -> Preflight:
    """Compare the stack with its last update, and read what it was given in the cluster.

    `cluster`: the settings of the Kubernetes provider. That must wait for `immutable`.
    """
    known = immutable.last()
    facts = immutable.guarded(stack, known)
    compared = facts.apply(lambda _: known)
    reads = any(
        one.config.adopting or password_sources.stored(one.config) for one in stack.databases
    )
    reader = passwords.reader(cluster, facts) if reads else None
    given = {one.config.name: passwords.given(one, reader) for one in stack.databases}
    adopting = [one for one in stack.databases if one.config.adopting]
    adopted = [adoption.matching_live_spec(one, reader) for one in adopting]
    accepted = pulumi.Output.all(
        facts,
        volumes.free(stack, compared, cluster),
        switchover.over(stack, compared, cluster),
        *adopted,
        *(text for of_one in given.values() for text in of_one.values()),
    )
    return Preflight(
        immutable=pulumi.Output.unsecret(accepted.apply(lambda read: read[0])), given=given
    )
