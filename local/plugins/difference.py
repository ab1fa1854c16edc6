"""What an update would change: the live object, cut to the shape of its inputs, against new inputs.

Upstream: `Diff`, `convertPatchToDiff` in provider/pkg/provider/provider.go, `pruneMap` in util.go
and `Normalize` in provider/pkg/clients/unstructured.go.
"""

import base64
import copy
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from local.plugins.replacement import replaces

Object = dict[str, Any]
Path = tuple[str | int, ...]

READ_ONLY = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)

REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}

SUFFIXES = {
    "": 1, "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


class Missing:
    """Stands for a member that is not there: null is a value."""


MISSING = Missing()


def normalized(obj: Object) -> Object:
    """A copy as the API server would keep it: no read-only metadata, a Secret's data encoded."""
    obj = copy.deepcopy(obj)
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        for field in READ_ONLY:
            cast(Object, metadata).pop(field, None)
    if obj.get("apiVersion") == "v1" and obj.get("kind") == "Secret":
        data, strings = obj.get("data"), obj.get("stringData")
        if isinstance(strings, dict) and strings:
            encoded = {
                key: base64.b64encode(str(value).encode()).decode()
                for key, value in cast(Object, strings).items()
            }
            obj["data"] = {**cast(Object, data if isinstance(data, dict) else {}), **encoded}
            del obj["stringData"]
    return obj


def pruned(live: Object, inputs: Object) -> Object:
    """The live object without what the inputs do not mention, spelt as the inputs spell it.

    Upstream normalizes inputs through Go types. Here `1000m` stays where the server made it `1`,
    and an empty member stays where the API server dropped it (which it does for built-in kinds).
    """
    return _pruned(live, inputs, builtin=is_builtin(inputs))


def is_builtin(obj: Object) -> bool:
    """Whether Kubernetes itself defines the kind (upstream: `kinds.KnownGroupVersions`)."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def _pruned(live: Any, inputs: Any, *, builtin: bool) -> Any:
    if isinstance(live, dict) and isinstance(inputs, dict):
        found, shape = cast(Object, live), cast(Object, inputs)
        return {
            key: _pruned(found[key], value, builtin=builtin) if key in found else value
            for key, value in shape.items()
            if key in found or (builtin and not value)
        }
    if isinstance(live, list) and isinstance(inputs, list):
        pairs = zip(cast(list[Any], live), cast(list[Any], inputs), strict=False)
        return [_pruned(value, shape, builtin=builtin) for value, shape in pairs]
    return cast(Any, inputs if _same(live, inputs) else live)


def detailed(old: Object, new: Object, forced: list[tuple[str, ...]]) -> dict[str, PropertyDiff]:
    """The differences by property path, those on a forced path as replacements."""
    found: dict[str, PropertyDiff] = {}
    for path, before, after in _walk((), old, new):
        if after is MISSING:
            kind = PropertyDiffKind.DELETE
        elif before is MISSING:
            kind = PropertyDiffKind.ADD
        else:
            kind = PropertyDiffKind.UPDATE
        deleted = kind is PropertyDiffKind.DELETE
        if replaces(path, None if deleted else after, forced):
            kind = REPLACING[kind]
        found[written(path)] = PropertyDiff(kind, input_diff=deleted)
    return found


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    """Paths that differ, as deep as both sides have the same shape."""
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast(Object, old), cast(Object, new)
        for key in dict.fromkeys((*after, *before)):
            yield from _walk((*path, key), before.get(key, MISSING), after.get(key, MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        left, right = cast(list[Any], old), cast(list[Any], new)
        for index in range(max(len(left), len(right))):
            yield from _walk((*path, index), _at(left, index), _at(right, index))
    elif not _same(old, new):
        yield path, old, new


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else MISSING


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if old == new:
        return True
    if isinstance(old, (str, int, float)) and isinstance(new, (str, int, float)):
        before, after = quantity(old), quantity(new)
        return before is not None and before == after
    return False


def quantity(value: str | float) -> Decimal | None:
    """The number that a resource quantity stands for: 1000m is 1, 1024Mi is 1Gi."""
    match = re.fullmatch(r"([+-]?\d+(?:\.\d*)?)([numkMGTPE]|[KMGTPE]i)?", str(value))
    return Decimal(match[1]) * SUFFIXES[match[2] or ""] if match else None


def written(path: Path) -> str:
    """A property path as the engine writes it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.search(r'[."\[\]]', part):
            text += '["' + part.replace('"', '\\"') + '"]'
        else:
            text += f".{part}" if text else part
    return text


def merge_patch(old: Object, new: Object) -> Object:
    """The JSON merge patch (RFC 7386) from old to new inputs, for client-side apply."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            inner = merge_patch(cast(Object, before), cast(Object, value))
            if inner:
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = value
    return patch
