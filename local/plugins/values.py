"""Property values of the engine to JSON and back, without losing the mark of a secret.

Upstream: `propMapToUnstructured` and `annotateSecrets` in provider/pkg/provider/provider.go.
"""

import base64
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime import rpc

Properties = Mapping[str, PropertyValue]

UNKNOWN: str = rpc.UNKNOWN
"""How the engine writes a value that a preview does not know yet."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl's copy of a whole manifest: for a Secret it holds the data in clear."""

SHORT = 4
"""A secret shorter than this is only redacted where it stands as a word of its own."""


def plain(value: PropertyValue) -> Any:
    """JSON of a value: marks dropped, whole numbers as int, unknowns as `UNKNOWN`.

    Null members of a mapping are left out: for Kubernetes they mean the same as absent ones.
    """
    inner = value.value
    if isinstance(inner, Computed):
        return UNKNOWN
    if isinstance(inner, str) or inner is None or isinstance(inner, bool):
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return plain_map(inner)
    if isinstance(inner, Sequence):
        return [plain(item) for item in inner]
    raise TypeError(f"a {type(inner).__name__} has no place in a Kubernetes object")


def plain_map(values: Properties) -> dict[str, Any]:
    """JSON of a property map; the SDKs write `x-kubernetes-*` with underscores."""
    return {
        key.replace("_", "-") if key.startswith("x_kubernetes_") else key: item
        for key, item in ((key, plain(value)) for key, value in values.items())
        if item is not None
    }


def wrap(value: Any, like: PropertyValue | None = None) -> PropertyValue:
    """Property value of JSON, secret wherever `like` is.

    Two mappings are compared member by member, so that one secret member does not hide the rest.
    A list with any secret in it becomes secret whole: items may move.
    """
    secret = like is not None and like.is_secret
    if like is not None and not (isinstance(value, dict) and isinstance(like.value, Mapping)):
        secret = like.contains_secret()
    if isinstance(value, dict):
        items = cast(dict[str, Any], value)
        return PropertyValue(wrap_map(items, members(like)), is_secret=secret)
    if isinstance(value, list):
        return PropertyValue([wrap(item) for item in cast(list[Any], value)], is_secret=secret)
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    return PropertyValue(value, is_secret=secret)


def wrap_map(values: Mapping[str, Any], like: Properties | None = None) -> dict[str, PropertyValue]:
    """Property map of a JSON object; see `wrap`.

    `data` and `stringData` of a Secret are always secret, whatever `like` says: a read or an import
    has no earlier inputs to learn the marks from. So is kubectl's copy of the manifest.
    """
    like = like or {}
    wrapped: dict[str, PropertyValue] = {}
    for key, value in values.items():
        name = key.replace("-", "_") if key.startswith("x-kubernetes-") else key
        wrapped[name] = wrap(value, like.get(name))
        of_secret = values.get("kind") == "Secret" and key in ("data", "stringData")
        if of_secret or key == LAST_APPLIED:
            wrapped[name] = wrapped[name].with_secret(True)
    return wrapped


def members(value: PropertyValue | None) -> Properties:
    """Members of a mapping value, none for anything else."""
    inner = value.value if value is not None else None
    return inner if isinstance(inner, Mapping) else {}


def has_unknown(value: Any) -> bool:
    """Whether a preview lacks some part of this JSON."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in cast(dict[str, Any], value).values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in cast(list[Any], value))
    return value == UNKNOWN


def redact(text: str, *sources: Properties) -> str:
    """The text without the secrets of `sources`: an API server repeats values that it refuses."""
    found = {form for source in sources for form in _secret_forms(PropertyValue(source))}
    for form in sorted(found, key=len, reverse=True):
        pattern = re.escape(form)
        if len(form) < SHORT:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, "[secret]", text)
    return text


def _secret_forms(value: PropertyValue, secret: bool = False) -> Iterator[str]:
    """Each secret text in `value`, in the forms in which an error message may quote it."""
    secret = secret or value.is_secret
    inner = value.value
    if isinstance(inner, Mapping):
        for item in inner.values():
            yield from _secret_forms(item, secret)
    elif isinstance(inner, str):
        if secret and inner and inner != UNKNOWN:
            encoded = base64.b64encode(inner.encode()).decode()
            texts = [inner, encoded]
            with contextlib.suppress(ValueError):  # not base64, or not text
                texts.append(base64.b64decode(inner, validate=True).decode())
            for text in filter(None, texts):
                yield from {
                    text,
                    json.dumps(text)[1:-1],
                    json.dumps(text, ensure_ascii=False)[1:-1],
                }
    elif isinstance(inner, float):
        if secret:
            yield str(plain(value))
    elif isinstance(inner, Sequence):
        for item in inner:
            yield from _secret_forms(item, secret)
