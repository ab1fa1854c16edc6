"""Rules of passwords that a stack names: nobody shares one, and the stack makes none of them."""

from collections.abc import Iterator, Sequence

from components import names
from components.config.credentials import SET_AT_FIRST_BOOT
from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.model import SecretRef
from components.config.stack import StackConfig


def _references(config: StackConfig) -> Iterator[tuple[str, SecretRef]]:
    """Each reference to an existing Secret, with the config path of who has it."""
    declared = (
        *((f"credentials.{role}", source) for role, source in config.credentials.items()),
        *((f"proxy.users[{index}]", user) for index, user in enumerate(config.proxy.users)),
        *((f"apps[{index}]", app) for index, app in enumerate(config.apps)),
    )
    for path, source in declared:
        if source.existing_secret:
            yield path, source.existing_secret


def nobody_shares_a_password(config: StackConfig) -> Iterator[Fault]:
    """Whoever learns one would have the rights of the other."""
    used: dict[tuple[str, str], str] = {}
    for path, ref in _references(config):
        if (other := used.setdefault((ref.name, ref.key), path)) != path:
            yield (
                f"{path}.existing_secret",
                f"is the same Secret key as {other}; roles, users and apps never share a password",
                "use another key",
            )


RULES = (nobody_shares_a_password,)


def made_here(config: StackConfig, databases: Sequence[StackConfig]) -> list[Fault]:
    """References to Secrets that the stack makes: it would write over them, and delete them.

    `databases`: all of the stack. Root and replication may have theirs where the engine's operator
    or this program would put it: nothing else is made there then, and their source never changes.
    """
    return [
        (
            f"{path}.existing_secret.name",
            f"'{ref.name}' is a Secret that database '{other.name}' of this stack makes itself",
            "name one that is made elsewhere, or remove the reference to have a password generated",
        )
        for path, ref in _references(config)
        for other in databases
        if other.namespace == config.namespace
        and _makes(other, ref.name)
        and not (other.name == config.name and _is_at_home(path, ref, config))
    ]


def _makes(config: StackConfig, secret: str) -> bool:
    apps = (app.name for app in config.apps)
    return ENGINES[config.engine].makes_secret(secret, config.name, apps)


def _is_at_home(path: str, ref: SecretRef, config: StackConfig) -> bool:
    """Whether the servers' own password is where it would be if it was made here."""
    role = path.removeprefix("credentials.")
    places = (names.credential_secret(config.name, role), names.pxc_secrets(config.name))
    return role in SET_AT_FIRST_BOOT and ref.name in places
