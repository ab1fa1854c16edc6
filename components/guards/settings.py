"""The settings of Pulumi's Kubernetes provider, for each provider that the program makes.

The engine gives `kubernetes:…` to its default provider only, which this program never uses.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any

import pulumi

from components.config.errors import PROJECT, Fault, refuse

TEXTS = ("cluster", "clusterIdentifier", "context", "namespace")
SWITCHES = (
    *("deleteUnreachable", "enablePatchForce", "enableServerSideApply", "skipUpdateUnreachable"),
    *("suppressDeprecationWarnings", "suppressHelmHookWarnings", "upsertExistingObjects"),
)
OBJECTS = ("helmReleaseSettings", "kubeClientSettings")
OWN = ("enableSecretMutable", "enableConfigMapMutable")
"""What the program sets itself."""
RENDERING = ("renderYamlToDirectory", "alwaysRender")
KNOWN = (*TEXTS, *SWITCHES, *OBJECTS, *OWN, "kubeconfig")


def read() -> dict[str, Any]:
    """The settings that the stack gives, as arguments of a provider; `context` always.

    Raises a ConfigError for one that the provider does not know, or that would not deploy.
    """
    refuse([*_misspelt(), *_not_for_this_program()])
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


def _keys() -> Iterator[tuple[str, str]]:
    """(namespace, key) of everything that the stack sets."""
    every = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    for full in every:
        namespace, _, key = full.partition(":")
        yield namespace, key


def _misspelt() -> Iterator[Fault]:
    """A key that nothing reads: the stack would go to another cluster, or have other values."""
    for namespace, key in _keys():
        path = f"{namespace}:{key}"
        if namespace == "kubernetes" and key not in (*KNOWN, *RENDERING):
            close = difflib.get_close_matches(key, KNOWN, 1)
            fix = f"did you mean 'kubernetes:{close[0]}'?" if close else "remove it"
            yield path, "is not a setting of the Kubernetes provider", fix
        elif namespace not in (PROJECT, "kubernetes"):
            close = difflib.get_close_matches(namespace, (PROJECT, "kubernetes"), 1, 0.8)
            if close:
                yield path, "is read by nothing", f"did you mean '{close[0]}:{key}'?"


def _not_for_this_program() -> Iterator[Fault]:
    for namespace, key in _keys():
        if namespace == "kubernetes" and key in RENDERING:
            yield (
                f"kubernetes:{key}",
                "writes files instead of deploying, with every password in clear",
                "remove it; `make render` writes a stack's objects without passwords",
            )
