"""The settings of Pulumi's Kubernetes provider, for each provider that the program makes.

The engine gives `kubernetes:…` to its default provider only, which this program never uses.
"""

import re
from collections.abc import Iterator
from typing import Any

import pulumi

from components.config.errors import Fault, refuse
from components.config.provider import OBJECTS, RENDERING, SWITCHES, TEXTS


def read() -> dict[str, Any]:
    """The settings that the stack gives, as arguments of a provider; `context` always.

    Raises a ConfigError for one that would not deploy.
    """
    refuse(_not_for_this_program())
    config = pulumi.Config("kubernetes")
    found: dict[str, Any] = {
        **{key: config.get(key) for key in TEXTS},
        **{key: config.get_bool(key) for key in SWITCHES},
        **{key: config.get_object(key) for key in OBJECTS},
        "kubeconfig": config.get_secret("kubeconfig"),  # it may hold a credential
    }
    return {
        re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key): value
        for key, value in found.items()
        if value is not None or key in ("context", "kubeconfig")
    }


def _not_for_this_program() -> Iterator[Fault]:
    every = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    for key in RENDERING:
        if f"kubernetes:{key}" in every:
            yield (
                f"kubernetes:{key}",
                "writes files instead of deploying, with every password in clear",
                "remove it; `make render` writes a stack's objects without passwords",
            )
