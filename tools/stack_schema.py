"""The JSON schema of a `Pulumi.<stack>.yaml`, with which editors complete and check one.

Draft 7, which yaml-language-server knows best. It accepts whatever `components.config.load` does:
a stack names only what it overrides, so that nothing is required but the keys without which an
entry of a list says nothing. Only the program checks rules about several keys.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from pydantic import BaseModel

from components.config.errors import PROJECT
from components.config.proxysql_variables import (
    ADMIN_VARIABLES,
    MYSQL_VARIABLES,
    RESERVED_VARIABLES,
)
from components.config.stack import StackConfig, StackKeys
from components.names import DNS_LABEL
from tools.keys import default, meaning, model_of

Schema = dict[str, Any]

VARIABLES: Mapping[str, frozenset[str]] = {
    "proxy.admin_variables": frozenset(
        ADMIN_VARIABLES.keys() - RESERVED_VARIABLES["admin_variables"].keys()
    ),
    "proxy.mysql_variables": frozenset(
        MYSQL_VARIABLES.keys() - RESERVED_VARIABLES["mysql_variables"].keys()
    ),
}
"""The names that a mapping of ProxySQL's variables may have, by config path."""


def text() -> str:
    """The file."""
    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


def stack_schema() -> Schema:
    """A whole stack file.

    The keys beside `config` are Pulumi's (pulumi sdk/go/common/workspace/project.go, ProjectStack).
    """
    fields = _fields(StackConfig, "", required=False)
    entry = {
        name: {"$ref": f"#/definitions/{name}"} for name in fields["properties"] if name != "name"
    }
    databases = {
        **_object({}),
        "description": meaning("databases", StackKeys),
        "patternProperties": {
            f"^{DNS_LABEL}$": {
                **_object(entry),
                "description": "Overrides for the database of this name.",
            }
        },
    }
    retire = _leaf(StackKeys, "retire", "retire")
    keys: Schema = {
        **{f"{PROJECT}:{name}": _set_by_cli(name, field) for name, field in _tops(fields)},
        f"{PROJECT}:databases": databases,
        f"{PROJECT}:retire": retire,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A stack of {PROJECT}",
        "description": "Made by `python -m tools.tables` from components/config.",
        **_object(
            {
                "config": {
                    "description": "The stack's config. Whatever is not set comes from its size.",
                    "type": "object",
                    "properties": keys,
                    # Another namespace's, such as kubernetes:context.
                    "patternProperties": {f"^(?!{PROJECT}:)[^:]+:.+$": True},
                    "additionalProperties": False,
                },
                "environment": {
                    "description": "Pulumi ESC environments.",
                    "type": ["array", "object"],
                },
                "secretsprovider": {
                    "description": "What encrypts the stack's secrets, written by Pulumi.",
                    "type": "string",
                },
                "encryptedkey": {
                    "description": "The key of a cloud's secrets provider, written by Pulumi.",
                    "type": "string",
                },
                "encryptionsalt": {
                    "description": "The salt of the passphrase, written by Pulumi.",
                    "type": "string",
                },
            }
        ),
        "definitions": fields["properties"],
    }


def _tops(fields: Schema) -> list[tuple[str, Schema]]:
    return list(cast(dict[str, Schema], fields["properties"]).items())


def _set_by_cli(name: str, schema: Schema) -> Schema:
    """A top-level key; `pulumi config set` writes true and false as text."""
    if schema.get("type") != "boolean":
        return {"$ref": f"#/definitions/{name}"}
    return {
        "description": schema["description"],
        "enum": [True, False, "true", "false"],
    }


def _object(properties: Mapping[str, Any]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _fields(model: type[BaseModel], path: str, *, required: bool) -> Schema:
    """The keys of a model at a path; `required`: a list is replaced whole, so it has them all."""
    properties: Schema = {}
    for name, field in model.model_fields.items():
        where = f"{path}.{name}" if path else name
        below, listed = model_of(field.annotation)
        if below is None:
            properties[name] = _leaf(model, name, where)
            continue
        nested = _fields(below, f"{where}[]" if listed else where, required=required or listed)
        if listed:
            nested = {"type": "array", "items": nested}
        elif field.default is None:
            nested["type"] = ["object", "null"]
        properties[name] = {"description": _linked(meaning(where, model)), **nested}
    found = _object(properties)
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    return {**found, "required": needed} if required and needed else found


def _leaf(model: type[BaseModel], name: str, path: str) -> Schema:
    """A key that holds no keys of ours: pydantic's own schema of it, with what it does not tell."""
    field = model.model_fields[name]
    shape = _simple(_shapes(model)[name])
    schema = {k: v for k, v in shape.items() if k not in ("title", "default")}
    if names := VARIABLES.get(path):
        value = schema.pop("additionalProperties")
        schema |= _object({variable: value for variable in sorted(names)})
    said = default(path, field) if model is not StackKeys else "unset"
    known = "" if said in ("required", "unset", "empty") else f" Default: {said}."
    return {"description": _linked(meaning(path, model)) + known, **schema}


@cache
def _shapes(model: type[BaseModel]) -> dict[str, Schema]:
    """pydantic's own schemas of the fields of a model."""
    return model.model_json_schema()["properties"]


def _simple(schema: Schema) -> Schema:
    """A schema without a choice between it and null, and with named keys for a rule of names."""
    schema = dict(schema)
    choice = cast(list[Schema], schema.pop("anyOf", []))
    shapes = [one for one in choice if one != {"type": "null"}]
    if len(shapes) == 1:
        (one,) = shapes
        schema |= {**one, "type": [one["type"], "null"]}
        if "enum" in one:
            schema["enum"] = [*one["enum"], None]
    elif all(one.keys() == {"type"} for one in shapes) and shapes:
        schema["type"] = [one["type"] for one in choice]
    elif shapes:
        schema["anyOf"] = choice
    below = schema.get("additionalProperties")
    if isinstance(below, dict):
        schema["additionalProperties"] = _simple(cast(Schema, below))
    named = cast(Schema, schema.get("propertyNames", {})).get("enum")
    if named:
        del schema["propertyNames"]
        schema |= _object(dict.fromkeys(named, schema["additionalProperties"]))
    if patterns := cast(Schema | None, schema.get("patternProperties")):
        schema["patternProperties"] = {key: _simple(value) for key, value in patterns.items()}
        schema["additionalProperties"] = False
    return schema


def _linked(description: str) -> str:
    """Without Markdown's links: an editor does not know where they start."""
    return re.sub(r"\[([^]]+)\]\(([^)]+)\)", r"\1: docs/\2", description)
