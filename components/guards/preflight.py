"""What a stack must pass before anything of it is made, at preview as at an update."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pulumi

from components.config import password_sources
from components.config.load import Stack
from components.config.password_sources import Holder
from components.guards import (
    adoption,
    fingerprints,
    immutable,
    passwords,
    remembered,
    restores,
    switchover,
    target,
    volumes,
)


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The results. Each Output fails with a ConfigError when a check fails."""

    immutable: pulumi.Output[dict[str, Any]]
    """The facts of the stack that cannot change; known once everything is accepted. Plain and not
    secret."""
    given: Mapping[str, Mapping[Holder, pulumi.Output[str]]]
    """Passwords that are not generated, by database name and holder."""
    fingerprints: pulumi.Output[dict[str, Any]] | None
    """What given passwords are that must not change, hashed; secret. None without any."""
    provider: Mapping[str, Any]
    """The settings of the provider, with what tells its cluster from others: a kubeconfig may be
    renewed and replaces nothing as long as that stays (pulumi-kubernetes, DiffConfig)."""


def checked(stack: Stack, cluster: Mapping[str, Any]) -> Preflight:
    """Compare the stack with its last update, and read what it was given in the cluster.

    `cluster`: the settings of the Kubernetes provider. That must wait for `immutable`.
    """
    restores.check(stack, pulumi.get_stack(), datetime.now(UTC))
    before = remembered.outputs()
    known = before.apply(immutable.last)
    facts = immutable.guarded(stack, known)
    compared = facts.apply(lambda _: known)
    cluster_id = pulumi.Output.unsecret(target.seen(stack, compared, cluster))
    identified = {"cluster_identifier": cluster_id, **cluster}
    reads = any(
        one.config.adopting or password_sources.stored(one.config) for one in stack.databases
    )
    reader = passwords.reader(identified, cluster_id) if reads else None
    given = {one.config.name: passwords.given(one, reader) for one in stack.databases}
    adopting = [one for one in stack.databases if one.config.adopting]
    adopted = [adoption.matching_live_spec(one, reader) for one in adopting]
    prints = fingerprints.unchanged(stack, before.apply(fingerprints.last), given)
    accepted = pulumi.Output.all(
        facts,
        cluster_id,
        volumes.free(stack, compared, cluster),
        restores.begun(stack, compared, cluster),
        switchover.over(stack, compared, cluster),
        prints,
        *adopted,
        *(text for of_one in given.values() for text in of_one.values()),
        *(passwords.apart(one, given[one.config.name]) for one in stack.databases),
    )
    return Preflight(
        immutable=pulumi.Output.unsecret(accepted.apply(lambda read: _seen(*read[:2]))),
        given=given,
        provider=identified,
        fingerprints=prints and accepted.apply(lambda _: prints),
    )


def _seen(facts: Mapping[str, Any], cluster_id: str | None) -> dict[str, Any]:
    """The facts of each database, with the cluster that it is in."""
    where = {"cluster": cluster_id} if cluster_id else {}
    return {name: {**one, **where} for name, one in facts.items()}
