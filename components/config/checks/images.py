"""Rules of `images`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.images import proxysql_is_patched
from components.config.stack import StackConfig


def proxysql_has_its_fixes(config: StackConfig) -> Iterator[Fault]:
    own = config.proxy.managed_by == "mysql-ha"
    if (
        own
        and not config.security.allow_vulnerable_images
        and not proxysql_is_patched(config.images.proxy.tag)
    ):
        yield (
            "images.proxy.tag",
            "may lack the fix of CVE-2026-48773 (2.7.4, 3.0.9 and later have it)",
            "use a fixed version, or set security.allow_vulnerable_images to true",
        )


def a_pull_secret_is_named_once(config: StackConfig) -> Iterator[Fault]:
    """The API server merges the entries of a Pod by their names."""
    names = config.images.pull_secrets
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"images.pull_secrets[{number}]", f"'{name}' is listed twice", "remove one entry"


RULES = (proxysql_has_its_fixes, a_pull_secret_is_named_once)
