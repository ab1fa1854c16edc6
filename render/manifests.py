"""From a recording to Kubernetes objects as YAML: one file each, without secrets. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import yaml

from components.proxysql.live import native_password_hash
from render.recorder import Recording, Resource, plain

MADE = "# Made by `make render`."
"""How a file that may be replaced begins."""
HEADER = f"{MADE} Every password is (secret): apply it with --dry-run only.\n"
PLACEHOLDER = "(secret)"
FIRST = ("apiVersion", "kind", "metadata", "type", "name", "namespace")
"""Keys of an object that come before the others."""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(_: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def manifests(recording: Recording, passwords: Collection[str]) -> dict[str, str]:
    """File name to text, of each object that a run makes.

    `passwords`: those of the run, which a placeholder replaces, also where a login's hash is.
    Raises ValueError if two objects would be one file.
    """
    files: dict[str, str] = {}
    for resource in sorted(filter(is_object, recording.resources), key=file_name):
        name = file_name(resource)
        if name in files:
            raise ValueError(f"two objects would be {name}; render the databases one by one")
        files[name] = HEADER + dump(blanked(plain(resource.inputs), passwords))
    return files


def is_object(resource: Resource) -> bool:
    """Whether a registration makes a Kubernetes object, rather than reading or grouping some."""
    return "apiVersion" in resource.inputs and not resource.read


def file_name(resource: Resource) -> str:
    """`<kind>-<name>.yaml`, in lower case."""
    return f"{resource.kind}-{resource.inputs['metadata']['name']}.yaml".lower()


def blanked(value: Any, passwords: Collection[str]) -> Any:
    """`value` with a placeholder for each password and for its hash in `users.cnf`."""
    if isinstance(value, dict):
        mapping = cast(dict[str, Any], value)
        return {key: blanked(below, passwords) for key, below in mapping.items()}
    if isinstance(value, list):
        return [blanked(below, passwords) for below in cast(list[Any], value)]
    if isinstance(value, str):
        # One may begin with another: the longest first.
        for password in sorted(passwords, key=len, reverse=True):
            for secret in (password, native_password_hash(password)):
                value = value.replace(secret, PLACEHOLDER)
    return value


def dump(document: Any, first: Sequence[str] = FIRST) -> str:
    """YAML whose mappings begin with the keys `first`; the others follow by name."""
    return yaml.dump(_ordered(document, first), Dumper=_Dumper, sort_keys=False, width=100)


def _ordered(value: Any, first: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        mapping = cast(Mapping[str, Any], value)
        keys = [*(key for key in first if key in mapping), *sorted(set(mapping) - set(first))]
        return {key: _ordered(mapping[key], first) for key in keys}
    if isinstance(value, list):
        return [_ordered(below, first) for below in cast(list[Any], value)]
    return value
