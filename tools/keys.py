"""The keys of a stack, read off the models: path, accepted values, defaults and meaning."""

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.config.affinity import Affinity
from components.config.engine import ENGINES
from components.config.load import resolve
from components.config.presets import SIZES
from components.config.stack import StackConfig
from components.config.types import Described

TIERS = ("database", "proxy")
SIDECARS = ("data_plane", "log_collector", "exporter", "backup")
PROBES = ("liveness", "readiness", "startup")
SHARED = {
    **{f"scheduling.{tier}": "scheduling.<tier>" for tier in TIERS},
    **{f"security.{tier}": "security.<tier>" for tier in TIERS},
    **{f"images.{image}": "images.<image>" for image in (*TIERS, *SIDECARS)},
    **{f"database.probes.{probe}": "database.probes.<probe>" for probe in PROBES},
    **{f"credentials.{role}": "credentials.<role>" for role, _ in resolve({}).credentials.items()},
}
"""Parts of the tree with one shape; one table each, with a placeholder in the path."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(path, type, default, meaning) of every config key, in declaration order."""
    found: dict[str, tuple[str, str]] = {}
    defaults: dict[str, dict[str, str]] = {}
    for real, path, model, name in _leaves(StackConfig, "", ""):
        field = model.model_fields[name]
        found[path] = type_text(field), meaning(real, model)
        part = real.split(".")[-2] if "." in real else real
        defaults.setdefault(path, {})[part] = default(real, field)
    for path, (kind, text) in found.items():
        yield path, kind, _joined(defaults[path]), text


def _joined(by_part: Mapping[str, str]) -> str:
    """One default, or one for each part that shares the path."""
    if len(set(by_part.values())) == 1:
        return next(iter(by_part.values()))
    return "; ".join(f"{part}: {default}" for part, default in by_part.items())


def _leaves(
    model: type[BaseModel], real: str, shown: str
) -> Iterator[tuple[str, str, type[BaseModel], str]]:
    """(real path, shown path, model, name in it) of every leaf below `model`."""
    for name, field in model.model_fields.items():
        path = f"{real}.{name}" if real else name
        text = SHARED.get(path, f"{shown}.{name}" if shown else name)
        below, listed = model_of(field.annotation)
        # Kubernetes' own reference explains what stands below.
        if below is None or below is Affinity:
            yield path, text, model, name
        else:
            mark = "[]" if listed else ""
            yield from _leaves(below, f"{path}{mark}", f"{text}{mark}")


def model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, and whether it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return model_of(arguments[0])[0], True
    if get_origin(annotation) in (Union, types.UnionType):
        found = [model_of(argument) for argument in arguments]
        return next((pair for pair in found if pair[0]), (None, False))
    return None, False


def type_text(field: FieldInfo) -> str:
    """What a value of the field may be, with its range."""
    return _type(field.annotation, field.metadata)


def _type(annotation: Any, metadata: list[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0], [*_flat(arguments[1:]), *metadata])
    for item in metadata:
        if isinstance(item, Described):
            return item.words
    if origin in (Union, types.UnionType):
        kinds = [_type(a, metadata) for a in arguments if a is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    if origin is Literal:
        return ", ".join(f"`{yaml_text(argument)}`" for argument in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0], [])}"
    if origin is dict:
        if arguments[0] is str:
            return "mapping of name to value"
        values = f" to {_type(arguments[1], [])}" if get_origin(arguments[1]) is Annotated else ""
        return f"mapping of {_type(arguments[0], [])}{values}"
    if annotation is bool:
        return "`true`, `false`"
    if annotation is int:
        low = next((cast(Any, item.ge) for item in metadata if isinstance(item, Ge)), None)
        high = next((cast(Any, item.le) for item in metadata if isinstance(item, Le)), None)
        return "integer" if low is None else f"integer, {low} to {high}"
    patterns = [item.pattern for item in metadata if getattr(item, "pattern", None)]
    if patterns:
        return "text: `" + patterns[0].replace("|", "\\|") + "`"
    longest = [item.max_length for item in metadata if isinstance(item, MaxLen)]
    return f"text, at most {longest[0]} characters" if longest else "text"


def _flat(items: tuple[Any, ...]) -> Iterator[Any]:
    """Constraints; a `Field(...)` inside Annotated carries its own list."""
    for item in items:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def default(path: str, field: FieldInfo) -> str:
    """The value by engine and size, or `required` inside a list or an optional mapping."""
    if path in ("size", "engine"):
        return shown(getattr(resolve({}), path))
    by_engine: dict[str, str] = {}
    for engine in ENGINES:
        values = [_value(_preset(size, engine), path) for size in SIZES]
        if ... not in values:
            by_engine[engine] = _by_size(values)
    if not by_engine:
        return "required" if field.is_required() else shown(field.default)
    if len(set(by_engine.values())) == 1:
        return next(iter(by_engine.values()))
    first, *others = by_engine.items()
    return f"{first[1]} ({', '.join(f'{engine}: {text}' for engine, text in others)})"


@cache
def _preset(size: str, engine: str) -> StackConfig:
    return resolve({"size": size, "engine": engine})


def _by_size(values: list[Any]) -> str:
    if all(value == values[0] for value in values):
        return shown(values[0])
    return ", ".join(f"{size} {shown(value)}" for size, value in zip(SIZES, values, strict=True))


def _value(model: Any, path: str) -> Any:
    """The value at a path; `...` below a list or an unset mapping."""
    for key in path.split("."):
        if key.endswith("[]") or model is None:
            return ...
        model = getattr(model, key)
    return model


def shown(value: Any) -> str:
    if value is None or value == "":
        return "unset"
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    if isinstance(value, (dict, tuple)) and not value:
        return "empty"
    return f"`{yaml_text(value)}`"


def yaml_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def meaning(path: str, model: type[BaseModel]) -> str:
    """The text below the field of a path in its model, on one line; its links start in docs/.

    Raises SystemExit.
    """
    text = _texts(model).get(path.rpartition(".")[2])
    if not text:
        raise SystemExit(f"tools/keys.py: the field of {path} has no text below it")
    return " ".join(text.split())


@cache
def _texts(model: type[BaseModel]) -> Mapping[str, str]:
    """The text below each field of a model and of those that it extends, by the field's name."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(body, ast.ClassDef)
        for statement, below in pairwise(body.body):
            match statement, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = text
                case _:
                    pass
    return found
