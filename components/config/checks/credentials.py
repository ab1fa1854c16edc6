"""Rules of `credentials`."""

from collections.abc import Iterator

from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig


def what_servers_know_from_their_first_start_stays(config: StackConfig) -> Iterator[Fault]:
    rotated = ENGINES[config.engine].rotates
    for role, credential in config.credentials.items():
        # Of a given one it says that the servers have the new text (guards/fingerprints.py).
        given = credential.existing_secret or credential.password
        fixed = role in SET_AT_FIRST_BOOT and role not in rotated
        if fixed and credential.rotation and not given:
            yield (
                f"credentials.{role}.rotation",
                "is not supported for a generated password: the servers would keep the old one and "
                "the operator lose its access (mariadb-operator reads it at first boot only)",
                "leave it at 0; docs/migration.md has the manual procedure",
            )


RULES = (what_servers_know_from_their_first_start_stays,)
