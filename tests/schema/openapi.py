"""CRDs as strict JSON schemas: what the API server would prune or refuse is an error here."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import jsonschema

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"


def schemas(crds: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """(apiVersion, kind) to JSON schema, for every served version."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for crd in crds:
        spec = crd["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            found[key] = strict(version["schema"]["openAPIV3Schema"])
            # The API server knows these by itself.
            found[key]["properties"]["metadata"] = {"type": "object"}
    return found


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI v3 to JSON schema; an object takes no member that it does not declare."""
    result = {key: _below(key, value) for key, value in schema.items()}
    if result.pop(INT_OR_STRING, False):
        result.pop("anyOf", None)
        result["type"] = ["integer", "string"]
    if result.pop("nullable", False) and "type" in result:
        result["type"] = [result["type"], "null"]
    if "properties" in result and not result.get(PRESERVE):
        result.setdefault("additionalProperties", False)
    return result


def _below(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: strict(below) for name, below in value.items()}
    if key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
        return strict(cast(Mapping[str, Any], value))
    return value


def faults(schema: Mapping[str, Any], value: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object, by path."""
    validator = jsonschema.Draft202012Validator(schema)
    errors = cast(Iterable[Any], validator.iter_errors(value))  # pyright: ignore[reportUnknownMemberType]
    return sorted(f"{error.json_path}: {error.message}" for error in errors)
