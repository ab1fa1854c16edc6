"""An operator's live object: how its `spec` is read, and what both engines compare alike in it."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from components.config import quantity
from components.config.errors import Fault
from components.config.stack import StackConfig


def at(value: Any, *path: str) -> Any:
    """What stands at a path of plain data; None where it ends early."""
    for key in path:
        value = cast(Mapping[str, Any], value).get(key) if isinstance(value, Mapping) else None
    return value


def image(config: StackConfig, theirs: Any) -> Iterator[Fault]:
    """Another image may be an older version. Docker Hub's names have short forms."""
    ours = config.images.database.reference
    short = [
        str(name).removeprefix("docker.io/").removeprefix("library/") for name in (ours, theirs)
    ]
    if short[0] != short[1]:
        yield from differ("images.database", ours, theirs)


def storage(config: StackConfig, size: Any, storage_class: Any) -> Iterator[Fault]:
    """Of the servers' volumes; sizes are compared as quantities."""
    ours = config.database.storage
    try:
        same = quantity.parse(str(size)) == quantity.parse(ours.size)
    except ValueError:
        same = False
    if not same:
        yield from differ("database.storage.size", ours.size, size)
    yield from differ("database.storage.storage_class", ours.storage_class, storage_class)


def password(config: StackConfig, role: str, theirs: tuple[str, str] | None) -> Iterator[Fault]:
    """Of a role, by the (name, key) of the Secret that has it."""
    ours = dict(config.credentials.items())[role].existing_secret
    references = [(ours.name, ours.key) if ours else None, theirs]
    shown = [f"{{name: {ref[0]}, key: {ref[1]}}}" if ref else None for ref in references]
    yield from differ(f"credentials.{role}.existing_secret", *shown)


def tls(config: StackConfig, enabled: Any, issuer: Any) -> Iterator[Fault]:
    """Both operators have TLS on unless told otherwise."""
    tls, theirs = config.security.tls, True if enabled is None else enabled
    yield from differ("security.tls.enabled", tls.enabled, theirs)
    if tls.enabled:
        ours = f"{tls.issuer.kind} {tls.issuer.name}" if tls.issuer else None
        found = f"{at(issuer, 'kind') or 'Issuer'} {at(issuer, 'name')}" if issuer else None
        yield from differ("security.tls.issuer", ours, found)


def differ(path: str, ours: Any, theirs: Any) -> Iterator[Fault]:
    """The fault of a value that is another one in the live object."""
    if ours != theirs:
        yield (
            path,
            f"is {_shown(ours)}, and in the database to adopt it is {_shown(theirs)}",
            "set it to what the database has; what can change at all may change after the adoption "
            "(docs/migration.md)",
        )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):  # all numbers that the engine hands over
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(str, cast(list[object], value))) or "not set"
    return "not set" if value is None else str(value)
