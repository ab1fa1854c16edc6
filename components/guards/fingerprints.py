"""Given passwords that servers learn at their first start: an edit of their text is refused.

mariadb-operator brings no new text to servers that run, but uses it itself: it would be locked out.
Each update exports what the texts were, as a secret output and hashed, since whoever reads the
stack's outputs reads that one too.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from components.config import password_sources
from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.engine import ENGINES
from components.config.errors import Fault, refuse
from components.config.load import Loaded, Stack
from components.config.password_sources import Holder, Role
from components.guards import remembered

OUTPUT = "fingerprints"


def last(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the stack's last update exported, by database and role."""
    return remembered.checked(OUTPUT, outputs.get(OUTPUT), remembered.FINGERPRINTS)


def unchanged(
    stack: Stack,
    known: pulumi.Output[Mapping[str, Any]],
    given: Mapping[str, Mapping[Holder, pulumi.Output[str]]],
) -> pulumi.Output[dict[str, Any]] | None:
    """What the texts are now, by database and role, once they were found to be the ones of before.

    None without such a password. Fails with a ConfigError when a text is another one and its
    `rotation` is not. `known`: what the last update exported; `given`: by database and holder.
    """
    texts = {
        one.config.name: {role: given[one.config.name][Role(role)] for role in _roles(one)}
        for one in stack.databases
        if _roles(one)
    }
    if not texts:
        return None

    def compare(values: Mapping[str, Any]) -> dict[str, Any]:
        found = values["texts"]
        now = {
            one.config.name: {
                role: fingerprint(one, role, found[one.config.name][role]) for role in _roles(one)
            }
            for one in stack.databases
            if one.config.name in found
        }
        refuse(
            fault
            for one in stack.databases
            for fault in faults(
                one, values["known"].get(one.config.name, {}), now.get(one.config.name, {})
            )
        )
        return now

    return pulumi.Output.secret(pulumi.Output.all(texts=texts, known=known).apply(compare))


def _roles(one: Loaded) -> list[str]:
    """The roles whose given password the servers know once for all."""
    rotated, sources = ENGINES[one.config.engine].rotates, dict(one.config.credentials.items())
    return [
        role
        for role in password_sources.roles(one.config)
        if role in SET_AT_FIRST_BOOT
        and role not in rotated
        and password_sources.password_source(sources[role]) != "generated"
    ]


def fingerprint(one: Loaded, role: str, text: str) -> dict[str, Any]:
    """Of a password: slow to guess from (16 MiB and some hundredths of a second for each guess)."""
    salt = f"mysql-ha/{one.config.name}/{role}".encode()
    digest = hashlib.scrypt(text.encode(), salt=salt, n=2**14, r=8, p=1, dklen=24)
    rotation = dict(one.config.credentials.items())[role].rotation
    return {"scrypt": digest.hex(), "rotation": rotation}


def faults(one: Loaded, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Fault]:
    """Texts that changed although nobody says that the servers have them."""
    for role, has in now.items():
        had = before.get(role, has)
        if had["scrypt"] != has["scrypt"] and had["rotation"] == has["rotation"]:
            kind = dict(one.config.credentials.items())[role]
            key = "existing_secret" if kind.existing_secret else "password"
            yield (
                one.at(f"credentials.{role}.{key}"),
                "has another text than before: the servers keep the old one, and the operator "
                "would be locked out",
                "put the old text back; or change it in the servers as docs/migration.md says "
                f"(passwords of root and replication) and set rotation to {has['rotation'] + 1}",
            )
