"""Namespaces that a stack made: they stay its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.config.errors import Fault


def made(facts: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The namespaces that a stack of these databases makes."""
    return {one["namespace"] for one in facts.values() if one.get("create_namespace")}


def stay_made(
    name: str, known: Mapping[str, Mapping[str, Any]], current: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fault]:
    """Whether the namespace of database `name` leaves the stack, and not that. It is protected."""
    if name not in known or name not in current:
        return
    namespace = current[name]["namespace"]
    left = made(known) - made(current)
    if known[name].get("create_namespace") and namespace in left:
        yield (
            "create_namespace",
            f"namespace '{namespace}' was made by this stack and is protected; without this key, "
            "the edit would remove it from the stack",
            "set it to true again",
        )
