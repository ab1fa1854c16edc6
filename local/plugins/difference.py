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


QUANTITIES = frozenset(("limits", "requests", "hard"))
MAPS = QUANTITIES | {"labels", "annotations", "matchLabels", "nodeSelector", "data", "binaryData"}
"""Members whose own members have names that the user gives, and are kept as they are."""
NO_POINTERS = frozenset((
    "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly",
    "publishNotReadyAddresses", "minReadySeconds", "initialDelaySeconds", "timeoutSeconds",
    "periodSeconds", "successThreshold", "failureThreshold",
))  # fmt: skip
"""Switches and numbers that are left out when they are false or 0; all others are pointers
(k8s.io/api, types.go of what this program makes)."""
POINTERS = frozenset(("storageClassName", "loadBalancerClass", "ingressClassName"))
"""Texts that are kept when they are empty."""


class Missing:
    """Stands for a member that is not there: null is a value."""


MISSING = Missing()


def normalized(obj: Object) -> Object:
    """A copy as the API server would keep it: no read-only metadata, a Secret's data encoded.

    Of other kinds that Kubernetes defines upstream makes a Go struct and back, which drops members
    that are zero and no pointers, such as `hostNetwork: false`, and writes quantities anew.
    """
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
    return _struct(obj) if is_builtin(obj) else obj


def _struct(obj: Object) -> Object:
    """Without the members that Go's `omitempty` leaves out."""
    kept: Object = {}
    for key, value in obj.items():
        if isinstance(value, dict):
            members = cast(Object, value)
            if key in QUANTITIES:
                value = {resource: canonical(amount) for resource, amount in members.items()}
            elif key not in MAPS:
                kept[key] = _struct(members)
                continue
        elif isinstance(value, list):
            items = cast(list[Any], value)
            value = [_struct(cast(Object, i)) if isinstance(i, dict) else i for i in items]
        elif isinstance(value, (bool, int)) and key not in NO_POINTERS:
            kept[key] = value
            continue
        if value or (value == "" and key in POINTERS):
            kept[key] = value
    return kept


def canonical(amount: str | float) -> str | float:
    """A resource quantity as Go writes it (k8s.io/apimachinery/pkg/api/resource, quantity.go)."""
    value = quantity(amount)
    if value is None:
        return amount
    binary = str(amount).endswith("i") and value >= 1024
    for suffix in sorted(SUFFIXES, key=lambda s: SUFFIXES[s], reverse=True):
        plain = suffix == "" or suffix.endswith("i") is binary
        if plain and value % SUFFIXES[suffix] == 0:
            return f"{int(value / SUFFIXES[suffix])}{suffix}" if value else "0"
    return amount


def pruned(live: Any, inputs: Any) -> Any:
    """The live object without what the inputs do not mention (upstream: `pruneMap`)."""
    if isinstance(live, dict) and isinstance(inputs, dict):
        found, shape = cast(Object, live), cast(Object, inputs)
        return {key: pruned(found[key], value) for key, value in shape.items() if key in found}
    if isinstance(live, list) and isinstance(inputs, list):
        pairs = zip(cast(list[Any], live), cast(list[Any], inputs), strict=False)
        return [pruned(value, shape) for value, shape in pairs]
    return cast(Any, live)


def is_builtin(obj: Object) -> bool:
    """Whether Kubernetes itself defines the kind (upstream: `kinds.KnownGroupVersions`)."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


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
    return isinstance(old, bool) == isinstance(new, bool) and old == new


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
