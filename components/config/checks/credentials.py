"""Rules of `credentials`."""

from collections.abc import Iterator

from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig


def what_servers_know_from_their_first_start_stays(config: StackConfig) -> Iterator[Fault]:
    rotated = ENGINES[config.engine].rotates
    for role, credential in config.credentials.items():
        if role in SET_AT_FIRST_BOOT and role not in rotated and credential.rotation:
            yield (
                f"credentials.{role}.rotation",
                "is not supported: the servers would keep the old password and the operator lose "
                "its access (mariadb-operator reads it at first boot only)",
                "leave it at 0; docs/migration.md has the manual procedure",
            )


def roles_share_no_password(config: StackConfig) -> Iterator[Fault]:
    used: dict[tuple[str, str], str] = {}
    for role, credential in config.credentials.items():
        ref = credential.existing_secret
        if ref and (other := used.setdefault((ref.name, ref.key), role)) != role:
            yield (
                f"credentials.{role}.existing_secret",
                f"is the same Secret key as credentials.{other}; roles never share a password",
                "use another key",
            )


RULES = (what_servers_know_from_their_first_start_stays, roles_share_no_password)
