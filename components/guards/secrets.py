"""Existing Secrets of stores: they are there and have their keys, or a preview says so.

A Pod without its Secret does not start, and nothing but its own events tells why. Of a Secret only
the names of its keys are looked at.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from components.config.errors import Fault
from components.config.load import Loaded
from components.config.store_secrets import Needed, of_backups, of_restore
from components.guards.api import Object


@dataclass(frozen=True)
class Wanted:
    """A need of a database, by its place in the stack file."""

    path: str
    namespace: str
    secret: str
    keys: tuple[str, ...]


def wanted(one: Loaded, *, new: bool) -> Iterator[Wanted]:
    """`new`: whether the database is to be made. A restore happens then, and never again."""
    yield from _placed(one, of_backups(one.config))
    if new:
        yield from _placed(one, of_restore(one.config))


def _placed(one: Loaded, found: Iterable[Needed]) -> Iterator[Wanted]:
    for need in found:
        yield Wanted(one.at(need.path), one.config.namespace, need.secret, need.keys)


def missing(needs: Sequence[Wanted], get: Callable[[str], Object | None]) -> Iterator[Fault]:
    """One fault for each Secret, whoever names it.

    `get`: the object at a path of the API; None for nothing, `{}` if the user may not see it.
    """
    for namespace, secret in dict.fromkeys((need.namespace, need.secret) for need in needs):
        of_it = [need for need in needs if (need.namespace, need.secret) == (namespace, secret)]
        found = get(f"/api/v1/namespaces/{namespace}/secrets/{secret}")
        if found is None:
            yield (
                *_named(of_it, f"Secret '{secret}' is not in namespace '{namespace}'"),
                "create it there, or name another",
            )
        elif found:
            has: Object = found.get("data") or {}
            lacking = [need for need in of_it if not has.keys() >= {*need.keys}]
            if keys := dict.fromkeys(k for need in lacking for k in need.keys if k not in has):
                lacks = " or ".join(f"'{key}'" for key in keys)
                yield (
                    *_named(
                        lacking, f"Secret '{secret}' in namespace '{namespace}' has no key {lacks}"
                    ),
                    "add what is missing, or name another",
                )


def _named(needs: Sequence[Wanted], rule: str) -> tuple[str, str]:
    """The first path that names a Secret, and the rule with all others."""
    first, *others = dict.fromkeys(need.path for need in needs)
    also = f", which {', '.join(others)} needs too" if others else ""
    return first, f"{rule}{also}"


def too_early(one: Loaded) -> Iterator[Fault]:
    """Of a database whose namespace this update makes: no Secret can be there before."""
    for need in _placed(one, of_restore(one.config)):
        yield (
            need.path,
            f"a restore needs Secret '{need.secret}' in namespace '{need.namespace}', which this "
            "update makes",
            "create the namespace and the Secret first, and remove create_namespace",
        )


def afterwards(one: Loaded) -> Iterator[Fault]:
    """The same of its backups, which wait until the Secret is there."""
    for need in _placed(one, of_backups(one.config)):
        yield (
            need.path,
            f"no backup is made before Secret '{need.secret}' is in namespace '{need.namespace}', "
            "which this update makes",
            f"create it there afterwards, with {' and '.join(need.keys)}",
        )
