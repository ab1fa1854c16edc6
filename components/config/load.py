"""Reading a stack: sizes, the merge law, and `load()`, the only reader of the project's config.

A stack names a size; its own values override the size's field by field. Everything here is plain
and non-secret: a password given in the config is taken out before validation (see `load`), so
that no model, error or diff can hold one.
"""

import copy
import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.config import checks, encrypted, provider
from components.config.apps import owned
from components.config.checks.passwords import made_here
from components.config.encrypted import Place
from components.config.engine import ENGINES
from components.config.errors import (
    PROJECT,
    ConfigError,
    Fault,
    format_fault,
    keys_of,
    path_of,
    refuse,
    reject,
)
from components.config.images import DATA_PLANE_IMAGE, EXPORTER_IMAGE, LOG_COLLECTOR_IMAGE
from components.config.password_sources import Holder, sources
from components.config.presets import ADOPTED, PROXY_MANAGERS, RESTORED, SIZES
from components.config.proxy import NOT_OFFERED
from components.config.stack import StackConfig, StackKeys


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A validated config and the passwords from its stack file, by their holder."""

    config: StackConfig
    passwords: Mapping[Holder, pulumi.Output[str]]
    where: str = ""
    """The prefix of its config paths: empty, or `databases.<name>.`."""
    own: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The stack's values of this database alone."""
    common: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Those of all databases; empty where there is only one."""

    @property
    def place(self) -> str:
        """The config path of the database as a whole: that of its name, or of its entry."""
        return self.where.rstrip(".") or "name"

    def at(self, path: str) -> str:
        """The path in the stack file of a config path of this database."""
        return _place(path, self.where, self.own, self.common)


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
    "images": {
        "data_plane": DATA_PLANE_IMAGE,
        "exporter": EXPORTER_IMAGE,
        "log_collector": LOG_COLLECTOR_IMAGE,
    },
}


def resolve(tree: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> StackConfig:
    """Validate one database's overrides on top of its size.

    `tree` has the shape of StackConfig without passwords; `own` is the part of it that no other
    database shares (None: all of it); a value in it that has no effect is refused. Raises
    ConfigError with every fault that the models find or, if they find none, the rules between keys.
    """
    config = _validated(tree)
    refuse(checks.faults(config, given=tree if own is None else own))
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
    database: Any = tree.get("database")
    if isinstance(database, Mapping) and cast(Mapping[str, Any], database).get("restore_from"):
        preset = merge(preset, RESTORED[size])
    return preset if tree.get("adopt", "none") == "none" else merge(preset, ADOPTED)


def _choice(path: str, value: Any, choices: Mapping[str, Any]) -> Iterator[Fault]:
    """The fault of a value that selects a preset but is not one of the choices."""
    if not isinstance(value, str) or value not in choices:
        yield path, f"must be one of {', '.join(choices)}", "choose one of them"


RENAMED = {"mode": "managed_by", "password_secret": "existing_secret"}
"""New names of keys, by their old ones."""


def _explain(detail: ErrorDetails) -> Fault:
    """The fault of one pydantic error; it never quotes the input."""
    keys = detail["loc"]
    # pydantic's mark of a key of a mapping that is wrong itself; it may also be a key's name.
    if len(keys) > 1 and keys[-1] == "[key]" and detail["type"] != "extra_forbidden":
        keys = keys[:-1]
    return path_of(keys), *_rule_and_fix(detail, keys)


def _rule_and_fix(detail: ErrorDetails, keys: Sequence[int | str]) -> tuple[str, str]:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "rule":
            return context["rule"], context["fix"]
        case "extra_forbidden":
            if harm := _not_offered(keys):
                return harm, "remove it; docs/proxysql.md"
            return _unknown(str(keys[-1]), _fields_at(keys[:-1]))
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


def _not_offered(keys: Sequence[int | str]) -> str | None:
    """Why a key of ProxySQL's does not exist, in whatever way it is spelled."""
    path = ".".join(name for name in keys if isinstance(name, str))
    return next(
        (harm for known, harm in NOT_OFFERED.items() if _plain(known) == _plain(path)), None
    )


def _plain(path: str) -> str:
    """`mirror_flag_out` and ProxySQL's `mirror_flagOUT` are the same."""
    return path.lower().replace("_", "")


def _unknown(key: str, known: Sequence[str]) -> tuple[str, str]:
    """The rule and the fix of a key that does not exist at its path."""
    if (new := RENAMED.get(key)) in known:
        return f"is called {new} now", f"write {new}"
    close = difflib.get_close_matches(key, known, 1)
    fix = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
    return "is not a config key", fix


def _fields_at(keys: Sequence[int | str]) -> list[str]:
    """The config keys that are allowed at a path."""
    model: type[BaseModel] = StackConfig
    for key in keys:
        if isinstance(key, int):
            continue
        annotation: Any = model.model_fields[key].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)


# --- reading the stack -------------------------------------------------------------------------

KEYS = tuple(StackKeys.model_fields)
"""The config keys of a stack, below the project's name."""
_STRUCTURED = frozenset(
    {"database", "proxy", "credentials", "scheduling", "security", "images", "percona"}
    | {"backup", "monitoring", "operator"}
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
    other keys but `name` are then what they have in common. Passwords may be at
    `credentials.<role>.password`, `proxy.users[i].password` and `apps[i].password`, if their
    config key is secret (`pulumi config set --secret --path …`): they are taken out of the tree
    here and leave as Outputs. Nothing else may be encrypted, as it would be plain text from here
    on. Raises ConfigError.
    """
    tree, unreadable = _parsed()
    faults = [*_unknown_keys(), *_of_others()]
    if unreadable:  # an incomplete stack cannot be checked further
        raise ConfigError((*unreadable, *faults))
    taken = dict(_take_passwords(tree, ()))
    faults += _badly_given(taken, tree)
    passwords = {path_of(place): text for place, text in taken.items()}
    retire = tree.pop("retire", [])
    faults += _no_names("retire", retire)
    databases, refused = _databases(tree)
    faults += _not_retired(retire, tree.get("databases", {}), tree.get("name", DEFAULTS["name"]))
    refuse((*faults, *refused))
    for text in _warnings(databases):
        pulumi.log.warn(text)
    return Stack(
        databases=tuple(replace(one, passwords=dict(_own(passwords, one))) for one in databases),
        several=bool(tree.get("databases")),
        retire=tuple(retire),
    )


def read(section: Mapping[str, Any]) -> tuple[StackConfig, ...]:
    """The databases of a stack file's `config` section, for programs beside Pulumi's.

    Passwords are left out; what only `load` checks is not checked. Raises ConfigError.
    """
    prefix = f"{PROJECT}:"
    tree = {
        key.removeprefix(prefix): value
        for key, value in section.items()
        if key.startswith(prefix) and key != f"{prefix}retire"
    }
    refuse(_unfit((), tree))
    tree = copy.deepcopy(tree)
    for _ in _take_passwords(tree, ()):
        pass
    databases, refused = _databases(tree)
    refuse(refused)
    return tuple(one.config for one in databases)


# --- the keys ---


def _parsed() -> tuple[dict[str, Any], list[Fault]]:
    """The stack's values by key, as plain data, and the faults of those that are not."""
    tree: dict[str, Any] = {}
    faults: list[Fault] = []
    for key in KEYS:
        raw = pulumi.runtime.get_config(f"{PROJECT}:{key}")
        try:
            if raw is not None:
                tree[key] = _parse(key, raw)
        except RecursionError:
            faults.append((key, *TOO_DEEP))
        except ValueError:  # also of an integer of more digits than Python reads
            kinds = {"create_namespace": "true or false", "await_sql": "true or false"}
            listed = "a YAML list" if key in ("apps", "retire") else "a YAML mapping"
            wanted = kinds.get(key, listed)
            faults.append((key, f"must be {wanted}", f"write {wanted} below the key"))
    return tree, [*faults, *_unfit((), tree)]


def _parse(key: str, raw: Any) -> Any:
    """A config value as plain data; objects and lists arrive as JSON text."""
    return json.loads(raw) if key in _STRUCTURED and isinstance(raw, str) else raw


MAX_DEPTH = 32
TOO_DEEP = (f"is nested more than {MAX_DEPTH} deep", "remove what no key of this program has")


def _unfit(keys: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
    """What JSON or YAML can hold and a model, a message or Pulumi's state cannot."""
    match value:
        case dict() | list() if len(keys) > MAX_DEPTH:
            yield path_of(keys[:3]), *TOO_DEEP
        case dict():
            for key, below in cast(dict[Any, Any], value).items():
                if not isinstance(key, str):
                    yield path_of(keys), "has a key that is not text", "put the key in quotes"
                elif not _is_unicode(key):
                    yield path_of(keys), "has a key that is not Unicode text", "correct it"
                else:
                    yield from _unfit((*keys, key), below)
        case list():
            for index, below in enumerate(cast(list[Any], value)):
                yield from _unfit((*keys, index), below)
        case str() if not _is_unicode(value):
            yield path_of(keys), "is not Unicode text", "remove the lone surrogate"
        case float() if not math.isfinite(value):
            yield path_of(keys), "is not a number", "give a number"
        case _:
            return


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which no encoding has."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _unknown_keys() -> Iterator[Fault]:
    """A misspelt top-level key would otherwise be ignored."""
    for full in _every_key():
        namespace, _, key = full.partition(":")
        if namespace == PROJECT and key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, 1)
            fix = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(KEYS)}"
            yield path_of((key,)), "is not a config key", fix


_PROVIDERS = {"kubernetes": provider.KNOWN}


def _of_others() -> Iterator[Fault]:
    """A misspelt project or provider, or a setting that a provider does not have.

    With one that is ignored, a stack would go to the current context. Other namespaces are left
    alone: `pulumi`, or what an environment of many stacks has for other providers.
    """
    for full in _every_key():
        namespace, _, key = full.partition(":")
        if known := _PROVIDERS.get(namespace):
            if key.partition(".")[0] not in known:
                close = difflib.get_close_matches(key, known, 1)
                fix = f"did you mean '{close[0]}'?" if close else "remove it"
                yield f"{namespace}:{key}", "is not a setting of this provider", fix
        elif namespace != PROJECT:
            for close in difflib.get_close_matches(namespace, (PROJECT, *_PROVIDERS), 1, 0.7):
                yield (
                    f"{namespace}:{key}",
                    "is of no project or provider of this program",
                    f"did you mean '{close}:{key}'?",
                )


def _every_key() -> Iterator[str]:
    """All config keys that the engine passes, with their namespaces."""
    yield from {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}


def _no_names(path: str, value: Any) -> Iterator[Fault]:
    items = cast(list[Any], value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        yield path, "must be a list of names", "write it as a YAML list"


def _not_retired(retire: Any, databases: Any, name: Any) -> Iterator[Fault]:
    """A name that is in the stack and is to be removed: one of the two is a mistake."""
    if isinstance(retire, list) and isinstance(databases, dict):
        there = set(cast(dict[str, Any], databases) or {name})
        for index, item in enumerate(cast(list[Any], retire)):
            if isinstance(item, str) and item in there:
                yield (
                    f"retire[{index}]",
                    f"database '{item}' is in the stack still",
                    "remove its entry too, or take the name out of retire",
                )


# --- the passwords in them ---


def _take_passwords(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Replace what stands at the places of passwords by a marker and yield (place, password)."""
    for key, item in [*encrypted.entries(value)]:
        inner = (*place, key)
        if encrypted.is_password(inner) and item is not None:
            value[key] = "(secret)"
            yield inner, item
        else:
            yield from _take_passwords(item, inner)


def _badly_given(passwords: Mapping[Place, Any], tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Passwords that are not text or not encrypted, and what is encrypted and no password."""
    file = encrypted.section(pulumi.get_root_directory(), pulumi.get_stack())
    for key, value in tree.items():
        given = {place: text for place, text in passwords.items() if place[0] == key}
        secret = {*given} if pulumi.runtime.is_config_secret(f"{PROJECT}:{key}") else set[Place]()
        # Where the file does not say which value it was, a key with a password may be secret.
        said = {*encrypted.below(file.get(f"{PROJECT}:{key}"), (key,))}
        if said == {(key,)}:
            said = {*encrypted.leaves(value, (key,))}
        elif not said and pulumi.runtime.is_config_secret(f"{PROJECT}:{key}") and not given:
            said = {(key,)}
        if said:
            secret &= said
        for place in said - {*given}:
            yield (
                path_of(place),
                "is encrypted, but only passwords are kept secret: this would be plain text in the "
                "state and in the cluster",
                "write it in clear, or remove it (docs/security.md)",
            )
        for place, password in given.items():
            path = path_of(place)
            if not isinstance(password, str):
                yield path, "must be text", "put the password in quotes"
            elif place not in secret:
                yield (
                    path,
                    "is a password in clear text",
                    f"run `pulumi config set --secret --path {PROJECT}:{path}`, "
                    "or name an existing Secret",
                )


def _own(
    passwords: Mapping[str, str], loaded: Loaded
) -> Iterator[tuple[Holder, pulumi.Output[str]]]:
    """The passwords of one database, its own before those that it has in common."""
    for source in sources(loaded.config):
        if source.declared.password:
            text = passwords[loaded.at(f"{source.path}.password")]
            yield source.holder, pulumi.Output.secret(text)


# --- the databases ---


def _databases(tree: Mapping[str, Any]) -> tuple[list[Loaded], list[Fault]]:
    """The databases of a stack's tree, without passwords, and all faults."""
    declared = tree.get("databases", {})
    if not isinstance(declared, Mapping):
        return [], [("databases", *NO_MAPPING)]
    common = {key: value for key, value in tree.items() if key != "databases"}
    name = common.get("name", DEFAULTS["name"])
    faults: list[Fault] = []
    if declared and name != DEFAULTS["name"]:
        rule = "cannot be set beside databases, whose keys are the names"
        faults.append(("name", rule, "remove name"))
    found: list[Loaded] = []
    named = cast(Mapping[str, Any], declared)
    for one, own in named.items() if declared else [(name, common)]:
        where = f"{path_of(('databases', one))}." if declared else ""
        shared = common if declared else {}
        try:
            found.append(_database(shared, where, one, own))
        except ConfigError as error:
            for path, rule, fix in error.faults:
                faults.append((_place(path, where, own, shared), rule, fix))
    configs = [one.config for one in found]
    for one in found:
        for path, rule, fix in made_here(one.config, configs):
            faults.append((one.at(path), rule, fix))
    return found, [
        *faults,
        *_shared_objects(found),
        *_shared_ports(found),
        *_dotted_places(found, pulumi.get_stack()),
    ]


def _place(path: str, where: str, own: Any, common: Mapping[str, Any]) -> str:
    """Where a stack file has what is at a config path of the database below `where`.

    With the common values only if they alone have it: what the database says itself takes their
    place.
    """
    of_all: Any = common
    for key in keys_of(path):
        if not isinstance(own, Mapping) or not isinstance(of_all, Mapping):
            break
        if key not in own:
            if key in of_all:
                return path
            break
        own, of_all = cast(Any, own[key]), cast(Any, of_all).get(key)
    # A key in brackets follows no dot.
    return f"{where.rstrip('.')}{path}" if path.startswith("[") else f"{where}{path}".rstrip(".")


def _warnings(databases: Sequence[Loaded]) -> list[str]:
    """What is accepted and not as its writer may think, once each."""
    found = {
        (one.at(path), rule, fix): None
        for one in databases
        for path, rule, fix in checks.warnings(one.config, one.own)
    }
    found |= dict.fromkeys(checks.warnings_of_all([one.config for one in databases]))
    return [format_fault(*fault) for fault in found]


NO_MAPPING = ("must be a mapping", "write it as a YAML mapping")


def _database(common: Mapping[str, Any], where: str, name: str, own: Any) -> Loaded:
    """One database of a stack; where it is the only one, all is its own. Raises ConfigError."""
    if not isinstance(own, Mapping):
        reject("", *NO_MAPPING)
    overrides = cast(Mapping[str, Any], own)
    if where and "name" in overrides:
        reject("name", "is given by the mapping key", "remove it")
    try:
        config = resolve(merge(common, {**overrides, "name": name}), overrides)
    except ConfigError as error:
        if not where:
            raise
        # The name is the mapping key.
        raise ConfigError(
            ("" if path == "name" else path, rule, fix) for path, rule, fix in error.faults
        ) from None
    return Loaded(config=config, passwords={}, where=where, own=overrides, common=common)


def _shared_objects(databases: Sequence[Loaded]) -> Iterator[Fault]:
    """Two databases of one stack must not claim the same object."""
    owners: dict[tuple[str, str], Loaded] = {}
    for one in databases:
        config = one.config
        of_apps = owned(config.name, config.apps)
        every = of_apps | ENGINES[config.engine].owned(
            config.name, drilled=config.backup.drilled, scraped=config.monitoring.enabled
        )
        # Logical names know no namespace.
        claims = {(config.namespace, name) for name in every} | {("", name) for name in of_apps}
        taken = [claim for claim in sorted(claims) if owners.setdefault(claim, one) is not one]
        if taken:
            other = owners[taken[0]].config.name
            yield (
                one.place,
                f"has an object '{taken[0][1]}', which database '{other}' has too",
                "choose another name for the database, or for an app, account or schema in it "
                "(the engine's names do not contain the namespace)",
            )


def _shared_ports(databases: Sequence[Loaded]) -> Iterator[Fault]:
    """Two databases of one stack must not claim the same node port."""
    owners: dict[int, Loaded] = {}
    for one in databases:
        service = one.config.proxy.service
        for key, port in (
            ("node_port", service.node_port),
            ("admin_node_port", service.admin_node_port),
        ):
            enabled = one.config.proxy.enabled
            if enabled and port and owners.setdefault(port, one) is not one:
                yield (
                    one.at(f"proxy.service.{key}"),
                    f"is the node port of database '{owners[port].config.name}' too",
                    "choose another port",
                )


def _dotted_places(databases: Sequence[Loaded], stack: str) -> Iterator[Fault]:
    """The stack's name is the first part of the place of backups where no other is given.

    mariadb-operator splits the whole path of a compressed backup in a bucket at dots when it
    restores it (v25.10.4, pkg/backup/processor.go): it would find none.
    """
    for one in databases:
        backup = one.config.backup
        bucket = backup.target and (backup.target.s3 or backup.target.azure)
        split = one.config.engine == "mariadb" and bucket and backup.compression != "none"
        if split and backup.environment is None and "." in stack:
            yield (
                one.at("backup.environment"),
                f"is unset, and the name of the stack, '{stack}', has a dot: no backup in a folder "
                "of that name could be restored",
                "set it to a name without dots",
            )
