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

from components.config import checks
from components.config.apps import owned
from components.config.engine import ENGINES
from components.config.errors import PROJECT, ConfigError, Fault, below, refuse, reject
from components.config.images import DATA_PLANE_IMAGE, LOG_COLLECTOR_IMAGE
from components.config.password_sources import Holder, sources
from components.config.presets import ADOPTED, PROXY_MANAGERS, SIZES
from components.config.stack import StackConfig, StackKeys


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A validated config and the passwords that its stack file gave, by who has them."""

    config: StackConfig
    passwords: Mapping[Holder, pulumi.Output[str]]
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
    a value is refused that nothing follows. Raises ConfigError with every fault of what the models
    or else of what the rules between keys refuse.
    """
    try:
        config = _validated(tree)
        refuse(checks.faults(config, given=tree if own is None else own))
    except ConfigError as error:
        raise ConfigError(below(where, error.faults)) from None
    return config


def _validated(tree: Mapping[str, Any]) -> StackConfig:
    """A database's overrides on top of its size, as the models take it. Raises ConfigError."""
    preset = _preset(tree)
    # An empty mapping is what a declared config key holds when a stack does not set it.
    said = {k: v for k, v in tree.items() if v != {} or k not in StackConfig.model_fields}
    try:
        return StackConfig.model_validate(merge(preset, said))
    except ValidationError as error:
        raise ConfigError(map(_explain, error.errors())) from None


def _preset(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What a database starts from, by its size, engine and kind of proxies. Raises ConfigError."""
    size, engine = tree.get("size", "dev"), tree.get("engine", DEFAULTS["engine"])
    refuse([*_choice("size", size, SIZES), *_choice("engine", engine, ENGINES)])
    preset = merge(merge({**DEFAULTS, "size": size}, SIZES[size]), ENGINES[engine].presets[size])
    proxy: Any = tree.get("proxy")
    managed_by = preset["proxy"]["managed_by"]
    if isinstance(proxy, Mapping):
        managed_by = cast(Mapping[str, Any], proxy).get("managed_by", managed_by)
    refuse(_choice("proxy.managed_by", managed_by, PROXY_MANAGERS))
    preset = merge(preset, PROXY_MANAGERS[managed_by])
    return preset if tree.get("adopt", "none") == "none" else merge(preset, ADOPTED)


def _choice(path: str, value: Any, choices: Mapping[str, Any]) -> Iterator[Fault]:
    """A value by which a preset would be found and that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        yield path, f"must be one of {', '.join(choices)}", "choose one of them"


RENAMED = {"mode": "managed_by", "password_secret": "existing_secret"}
"""New names of keys, by their old ones."""


def _explain(detail: ErrorDetails) -> Fault:
    """The fault of one pydantic error; it never quotes the input."""
    keys = [str(key) for key in detail["loc"] if not _is_union_branch(key)]
    path = re.sub(r"\.(\d+)", r"[\1]", ".".join(keys))
    return path, *_rule_and_fix(detail, keys)


def _rule_and_fix(detail: ErrorDetails, keys: Sequence[str]) -> tuple[str, str]:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "rule":
            return context["rule"], context["fix"]
        case "extra_forbidden":
            return _unknown(keys[-1], _fields_at(keys[:-1]))
        case "missing":
            return "is required", "set it"
        case "literal_error":
            return f"must be {context['expected']}", "choose one of these"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}", "correct the text"
        case "greater_than_equal":
            return f"must be at least {context['ge']}", "raise it"
        case "less_than_equal":
            return f"must be at most {context['le']}", "lower it"
        case "model_type" | "dict_type":
            return "must be a mapping", "write it as a YAML mapping below the key"
        case "tuple_type":
            return "must be a list", "write it as a YAML list below the key"
        case _:
            return detail["msg"].lower(), "give a value of that type"


def _unknown(key: str, known: Sequence[str]) -> tuple[str, str]:
    """The rule and the fix of a key that is none of those known at its place."""
    if (new := RENAMED.get(key)) in known:
        return f"is called {new} now", f"write {new}"
    close = difflib.get_close_matches(key, known, 1)
    fix = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
    return "is not a config key", fix


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

KEYS = tuple(StackKeys.model_fields)
"""The config keys of a stack, below the project's name."""
_PASSWORD_PATH = re.compile(
    r"(databases\.[^.]+\.)?(credentials\.\w+|(proxy\.users|apps)\[\d+\])\.password"
)
_STRUCTURED = frozenset(
    {"database", "proxy", "credentials", "scheduling", "security", "images", "percona"}
    | {"operator"}
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
    config key is secret (`pulumi config set --secret --path …`): they are taken out of the tree
    here and leave as Outputs. Raises ConfigError.
    """
    tree, unreadable = _parsed()
    faults = [*_unknown_keys()]
    if unreadable:  # of a stack with holes nothing more can be said
        raise ConfigError((*unreadable, *faults))
    passwords = {path: text for key in tree for path, text in _take_passwords(tree[key], key)}
    faults += _badly_given(passwords)
    retire = tree.pop("retire", [])
    faults += _no_names("retire", retire)
    databases, refused = _databases(tree)
    refuse((*faults, *refused))
    return Stack(
        databases=tuple(
            Loaded(config=config, passwords=dict(_own(passwords, config, where)), where=where)
            for where, config in databases.items()
        ),
        several=bool(tree.get("databases")),
        retire=tuple(retire),
    )


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
    databases, refused = _databases(tree)
    refuse(refused)
    return tuple(databases.values())


# --- the keys ---


def _parsed() -> tuple[dict[str, Any], list[Fault]]:
    """The stack's values by key, as plain data, and the faults of those that are none."""
    tree: dict[str, Any] = {}
    faults: list[Fault] = []
    for key in KEYS:
        raw = pulumi.runtime.get_config(f"{PROJECT}:{key}")
        try:
            if raw is not None:
                tree[key] = _parse(key, raw)
        except json.JSONDecodeError:
            kinds = {"create_namespace": "true or false", "await_sql": "true or false"}
            listed = "a YAML list" if key in ("apps", "retire") else "a YAML mapping"
            wanted = kinds.get(key, listed)
            faults.append((key, f"must be {wanted}", f"write {wanted} below the key"))
    return tree, faults


def _parse(key: str, raw: Any) -> Any:
    """A config value as plain data; objects and lists arrive as JSON text."""
    return json.loads(raw) if key in _STRUCTURED and isinstance(raw, str) else raw


def _unknown_keys() -> Iterator[Fault]:
    """A misspelt top-level key would otherwise be ignored."""
    every_key = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    for full in every_key:
        namespace, _, key = full.partition(":")
        if namespace == PROJECT and key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, 1)
            fix = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(KEYS)}"
            yield key, "is not a config key", fix


def _no_names(path: str, value: Any) -> Iterator[Fault]:
    items = cast(list[Any], value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        yield path, "must be a list of names", "write it as a YAML list"


# --- the passwords in them ---


def _take_passwords(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Replace what stands at the paths of passwords by a marker and yield (path, password)."""
    if isinstance(value, dict):
        mapping = cast(dict[str, Any], value)
        for key, below in mapping.items():
            if _PASSWORD_PATH.fullmatch(f"{path}.{key}") and below is not None:
                mapping[key] = "(secret)"
                yield f"{path}.{key}", below
            else:
                yield from _take_passwords(below, f"{path}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(cast(list[Any], value)):
            yield from _take_passwords(below, f"{path}[{index}]")


def _badly_given(passwords: Mapping[str, Any]) -> Iterator[Fault]:
    """Passwords, by config path, that are no text or not secret."""
    for path, password in passwords.items():
        key = re.split(r"[.\[]", path)[0]
        if not isinstance(password, str):
            yield path, "must be text", "put the password in quotes"
        elif not pulumi.runtime.is_config_secret(f"{PROJECT}:{key}"):
            yield (
                path,
                "is a password in clear text",
                f"run `pulumi config set --secret --path {PROJECT}:{path}`, "
                "or name an existing Secret",
            )


def _own(
    passwords: Mapping[str, str], config: StackConfig, where: str
) -> Iterator[tuple[Holder, pulumi.Output[str]]]:
    """The passwords of one database, its own before those that it has in common."""
    for source in sources(config):
        if source.declared.password:
            path = f"{source.path}.password"
            text = passwords.get(f"{where}{path}", passwords.get(path))
            yield source.holder, pulumi.Output.secret(cast(str, text))


# --- the databases ---


def _databases(tree: Mapping[str, Any]) -> tuple[dict[str, StackConfig], list[Fault]]:
    """The databases of a stack's tree by what stands before their config paths, and all faults."""
    declared = tree.get("databases", {})
    if not isinstance(declared, Mapping):
        return {}, [("databases", *NO_MAPPING)]
    common = {key: value for key, value in tree.items() if key != "databases"}
    name = common.get("name", DEFAULTS["name"])
    faults: list[Fault] = []
    if declared and name != DEFAULTS["name"]:
        rule = "cannot be set beside databases, whose keys are the names"
        faults.append(("name", rule, "remove name"))
    found: dict[str, StackConfig] = {}
    for one, own in cast(Mapping[str, Any], declared or {name: {}}).items():
        where = f"databases.{one}." if declared else ""
        try:
            found[where] = _database(common, where, one, own)
        except ConfigError as error:
            faults += error.faults
    return found, [*faults, *_shared_objects(found), *_shared_ports(found)]


NO_MAPPING = ("must be a mapping", "write it as a YAML mapping")


def _database(common: Mapping[str, Any], where: str, name: str, own: Any) -> StackConfig:
    """One database of a stack; where it is the only one, all is in common. Raises ConfigError."""
    if not isinstance(own, Mapping):
        reject(where.rstrip("."), *NO_MAPPING)
    overrides = cast(Mapping[str, Any], own)
    if "name" in overrides:
        reject(f"{where}name", "is given by the mapping key", "remove it")
    return resolve(merge(common, {**overrides, "name": name}), where, overrides if where else None)


def _shared_objects(databases: Mapping[str, StackConfig]) -> Iterator[Fault]:
    """Two databases of one stack must not claim the same object."""
    owners: dict[tuple[str, str], str] = {}
    for where, config in databases.items():
        of_apps = owned(config.name, config.apps)
        every = ENGINES[config.engine].owned(config.name) | of_apps
        # Logical names know no namespace.
        claims = {(config.namespace, name) for name in every} | {("", name) for name in of_apps}
        taken = [claim for claim in sorted(claims) if owners.setdefault(claim, where) != where]
        if taken:
            other = databases[owners[taken[0]]].name
            yield (
                where.rstrip("."),
                f"has an object '{taken[0][1]}', which database '{other}' has too",
                "choose another name for the database, or for an app, account or schema in it "
                "(the engine's names do not contain the namespace)",
            )


def _shared_ports(databases: Mapping[str, StackConfig]) -> Iterator[Fault]:
    """Two databases of one stack must not claim the same node port."""
    owners: dict[int, str] = {}
    for where, config in databases.items():
        service = config.proxy.service
        for field, port in (
            ("node_port", service.node_port),
            ("admin_node_port", service.admin_node_port),
        ):
            if config.proxy.enabled and port and owners.setdefault(port, where) != where:
                yield (
                    f"{where}proxy.service.{field}",
                    f"is the node port of database '{databases[owners[port]].name}' too",
                    "choose another port",
                )
