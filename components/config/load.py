"""Reading a stack: sizes, the merge law, and `load()`, the only reader of the project's config.

A stack names a size; its own values override the size's field by field. Everything here is plain
and non-secret: a password given in the config is taken out before validation (see `load`), so
that no model, error or diff can hold one.
"""

import copy
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components import names
from components.config.apps import owned
from components.config.checks.rules import cross_checks
from components.config.errors import PROJECT, ConfigError, format_fault, reject
from components.config.images import DATA_PLANE_IMAGE, LOG_COLLECTOR_IMAGE
from components.config.presets import ENGINES, PROXY_MANAGERS, SIZES
from components.config.stack import StackConfig


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A validated config and the passwords that its stack file gave, by config path."""

    config: StackConfig
    passwords: Mapping[str, pulumi.Output[str]]
    where: str = ""
    """What stands before its config paths: empty, or `databases.<name>.`."""


# --- merge and validation ----------------------------------------------------------------------


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`base` overlaid with `override`: mappings merge recursively, everything else replaces.

    Neither argument is changed. The empty mapping is neutral on both sides, and the operation is
    associative among trees that agree on which keys hold mappings.
    """
    merged = dict(base)
    for key, value in override.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(cast(Mapping[str, Any], below), cast(Mapping[str, Any], value))
        else:
            merged[key] = value
    return merged


DEFAULTS: dict[str, Any] = {
    "engine": "mariadb",
    "name": "mysql",
    "namespace": "default",
    "images": {"data_plane": DATA_PLANE_IMAGE, "log_collector": LOG_COLLECTOR_IMAGE},
}


def resolve(
    tree: Mapping[str, Any], where: str = "", own: Mapping[str, Any] | None = None
) -> StackConfig:
    """Validate one database's overrides on top of its size.

    `tree` has the shape of StackConfig without passwords; `where` prefixes config paths in
    errors; `own` is the part of `tree` that no other database shares (None: all of it), in which
    a value is refused that nothing follows. Raises ConfigError.
    """
    size = _choice("size", tree.get("size", "dev"), SIZES, where)
    engine = _choice("engine", tree.get("engine", DEFAULTS["engine"]), ENGINES, where)
    preset = merge(merge(DEFAULTS, SIZES[size]), ENGINES[engine][size])
    proxy: Any = tree.get("proxy")
    managed_by = preset["proxy"]["managed_by"]
    if isinstance(proxy, Mapping):
        managed_by = cast(Mapping[str, Any], proxy).get("managed_by", managed_by)
    preset = merge(
        preset, PROXY_MANAGERS[_choice("proxy.managed_by", managed_by, PROXY_MANAGERS, where)]
    )
    # An empty mapping is what a declared config key holds when a stack does not set it.
    said = {k: v for k, v in tree.items() if v != {} or k not in StackConfig.model_fields}
    try:
        config = StackConfig.model_validate(merge(preset, {**said, "size": size}))
    except ValidationError as error:
        faults = dict.fromkeys(_explain(detail, where) for detail in error.errors())
        raise ConfigError("\n".join(faults)) from None
    for path, rule, fix in cross_checks(config, given=tree if own is None else own):
        reject(f"{where}{path}", rule, fix)
    return config


def _choice(path: str, value: Any, choices: Mapping[str, Any], where: str) -> str:
    """`value`, if it is one of the choices by which a preset is found. Raises ConfigError."""
    if not isinstance(value, str) or value not in choices:
        rule = f"must be one of {', '.join(choices)}"
        reject(f"{where}{path}", rule, "choose one of them")
    return value


RENAMED = {"mode": "managed_by", "password_secret": "existing_secret"}
"""New names of keys, by their old ones."""


def _explain(detail: ErrorDetails, where: str) -> str:
    """A ConfigError line for one pydantic error: path, rule and fix, never the input."""
    keys = [str(key) for key in detail["loc"] if not _is_union_branch(key)]
    path = where + re.sub(r"\.(\d+)", r"[\1]", ".".join(keys))
    context = detail.get("ctx", {})
    match detail["type"]:
        case "rule":
            return format_fault(path, context["rule"], context["fix"])
        case "extra_forbidden":
            known = _fields_at(keys[:-1])
            if (new := RENAMED.get(keys[-1])) in known:
                return format_fault(path, f"is called {new} now", f"write {new}")
            close = difflib.get_close_matches(keys[-1], known, 1)
            fix = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
            return format_fault(path, "is not a config key", fix)
        case "missing":
            return format_fault(path, "is required", "set it")
        case "literal_error":
            return format_fault(path, f"must be {context['expected']}", "choose one of these")
        case "string_pattern_mismatch":
            return format_fault(path, f"must match {context['pattern']}", "correct the text")
        case "greater_than_equal":
            return format_fault(path, f"must be at least {context['ge']}", "raise it")
        case "less_than_equal":
            return format_fault(path, f"must be at most {context['le']}", "lower it")
        case "model_type" | "dict_type":
            return format_fault(
                path, "must be a mapping", "write it as a YAML mapping below the key"
            )
        case "tuple_type":
            return format_fault(path, "must be a list", "write it as a YAML list below the key")
        case _:
            return format_fault(path, detail["msg"].lower(), "give a value of that type")


def _is_union_branch(key: int | str) -> bool:
    """pydantic adds the tried branch of a union (`int`, `str`, `bool`) to an error's location."""
    return isinstance(key, str) and (key in ("int", "str", "bool") or "[" in key)


def _fields_at(keys: Sequence[str]) -> list[str]:
    """The config keys that may stand at a path."""
    model: type[BaseModel] = StackConfig
    for key in keys:
        if key.isdigit():
            continue
        annotation: Any = model.model_fields[key].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)


# --- reading the stack -------------------------------------------------------------------------

KEYS = (*StackConfig.model_fields, "databases", "retire")
"""The config keys of a stack, below the project's name."""
_PASSWORD_PATH = re.compile(
    r"(databases\.[^.]+\.)?(credentials\.\w+|(proxy\.users|apps)\[\d+\])\.password"
)
_STRUCTURED = frozenset(
    {"database", "proxy", "credentials", "scheduling", "security", "images", "percona"}
    | {"apps", "databases", "retire", "create_namespace", "await_sql"}
)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """All that a stack declares."""

    databases: tuple[Loaded, ...]
    several: bool
    """Whether the stack uses `databases`; its outputs are then keyed by name."""
    retire: tuple[str, ...]
    """Names of databases whose removal from the stack is intended."""


def load() -> Stack:
    """Read and validate the stack's config.

    `databases`, a mapping of name to overrides, declares several databases in one stack; the
    other keys but `name` are then what they have in common. Passwords may stand at
    `credentials.<role>.password`, `proxy.users[i].password` and `apps[i].password`, if their
    config key is secret
    (`pulumi config set --secret --path …`): they are taken out of the tree here and leave as
    Outputs. Raises ConfigError.
    """
    tree: dict[str, Any] = {}
    passwords: dict[str, str] = {}
    for key in KEYS:
        full = f"{PROJECT}:{key}"
        raw = pulumi.runtime.get_config(full)
        if raw is None:
            continue
        value = _parse(key, raw)
        found = dict(_take_passwords(value, key))
        if found and not pulumi.runtime.is_config_secret(full):
            reject(
                next(iter(found)),
                "is a password in clear text",
                f"run `pulumi config set --secret --path {PROJECT}:{next(iter(found))}`, "
                "or name an existing Secret",
            )
        passwords.update(found)
        tree[key] = value
    _refuse_unknown_keys()
    retire = _string_list("retire", tree.pop("retire", []))
    several = bool(tree.get("databases"))
    loaded: list[Loaded] = []
    for where, config in _databases(tree):
        secrets = {
            path.removeprefix(where): pulumi.Output.secret(value)
            for path, value in passwords.items()
            if path.startswith(where) or not path.startswith("databases.")
        }
        loaded.append(Loaded(config=config, passwords=secrets, where=where))
    _refuse_clashes(loaded)
    return Stack(databases=tuple(loaded), several=several, retire=retire)


def read(section: Mapping[str, Any]) -> tuple[StackConfig, ...]:
    """The databases of a stack file's `config` section, for programs beside Pulumi's.

    Passwords are left out; what only `load` checks is not checked. Raises ConfigError.
    """
    prefix = f"{PROJECT}:"
    tree = {
        key.removeprefix(prefix): copy.deepcopy(value)
        for key, value in section.items()
        if key.startswith(prefix) and key != f"{prefix}retire"
    }
    for key, value in tree.items():
        for _ in _take_passwords(value, key):
            pass
    return tuple(config for _, config in _databases(tree))


def _databases(tree: Mapping[str, Any]) -> Iterator[tuple[str, StackConfig]]:
    """Each database of a stack's tree, and what stands before its config paths."""
    declared = _mapping("databases", tree.get("databases", {}))
    common = {key: value for key, value in tree.items() if key != "databases"}
    if declared and common.get("name", DEFAULTS["name"]) != DEFAULTS["name"]:
        reject("name", "does not go with databases, whose keys are the names", "remove name")
    entries = declared or {common.get("name", DEFAULTS["name"]): dict[str, Any]()}
    for name, overrides in entries.items():
        where = f"databases.{name}." if declared else ""
        own = _mapping(where.rstrip("."), overrides)
        if declared and "name" in own:
            reject(f"{where}name", "is given by the mapping key", "remove it")
        merged = merge(common, {**own, "name": name})
        yield where, resolve(merged, where, own if declared else None)


def _refuse_clashes(loaded: Sequence[Loaded]) -> None:
    """Two databases of one stack must not claim the same object or node port."""
    objects: dict[tuple[str, str], str] = {}
    ports: dict[int, str] = {}
    for one in loaded:
        own, of_apps = (
            names.owned(one.config.name, one.config.engine),
            owned(one.config.name, one.config.apps),
        )
        claims = {(one.config.namespace, claimed) for claimed in own | of_apps}
        # Logical names know no namespace.
        claims |= {("", claimed) for claimed in of_apps}
        for namespace, object_name in sorted(claims):
            other = objects.setdefault((namespace, object_name), one.config.name)
            if other != one.config.name:
                reject(
                    one.where.rstrip("."),
                    f"has an object '{object_name}', which database '{other}' has too",
                    "choose another name for the database, or for an app, account or schema in it "
                    "(the engine's names know no namespace)",
                )
        service = one.config.proxy.service
        for field in ("node_port", "admin_node_port") if one.config.proxy.enabled else ():
            port = cast(int | None, getattr(service, field))
            if port and ports.setdefault(port, one.config.name) != one.config.name:
                reject(
                    f"{one.where}proxy.service.{field}",
                    f"is the node port of database '{ports[port]}' too",
                    "choose another port",
                )


def _parse(key: str, raw: Any) -> Any:
    """A config value as plain data; objects and lists arrive as JSON text."""
    if key not in _STRUCTURED or not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        kinds = {"create_namespace": "true or false", "await_sql": "true or false"}
        wanted = kinds.get(key, "a YAML list" if key in ("apps", "retire") else "a YAML mapping")
        reject(key, f"must be {wanted}", f"write {wanted} below the key")


def _take_passwords(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Replace the texts at the paths of passwords by a marker and yield (path, text)."""
    if isinstance(value, dict):
        mapping = cast(dict[str, Any], value)
        for key, below in mapping.items():
            if _PASSWORD_PATH.fullmatch(f"{path}.{key}") and below is not None:
                if not isinstance(below, str):
                    reject(f"{path}.{key}", "must be text", "put the password in quotes")
                mapping[key] = "(secret)"
                yield f"{path}.{key}", below
            else:
                yield from _take_passwords(below, f"{path}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(cast(list[Any], value)):
            yield from _take_passwords(below, f"{path}[{index}]")


def _mapping(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        reject(path, "must be a mapping", "write it as a YAML mapping")
    return cast(dict[str, Any], value)


def _string_list(path: str, value: Any) -> tuple[str, ...]:
    items = cast(list[Any], value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        reject(path, "must be a list of names", "write it as a YAML list")
    return tuple(cast(list[str], items))


def _refuse_unknown_keys() -> None:
    """A misspelt top-level key would otherwise be ignored."""
    every_key = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    for full in every_key:
        namespace, _, key = full.partition(":")
        if namespace == PROJECT and key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, 1)
            fix = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(KEYS)}"
            reject(key, "is not a config key", fix)
