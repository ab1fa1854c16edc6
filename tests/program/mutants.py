"""Configs with one leaf replaced by something nasty: each is accepted or refused, in words."""

import random
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, TypeAlias, cast

from components.config.engine import ENGINES
from components.config.load import merge, resolve
from components.config.presets import SIZES
from render.case import PREFIX
from tests.program.cases import all_cases

Keys: TypeAlias = tuple[str | int, ...]


def _nest(depth: int, *, listed: bool = False) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value] if listed else {"a": value}
    return value


DEEPEST = _nest(600)
NASTY: tuple[Any, ...] = (
    # Of other types.
    *(None, True, False, 0, 1, -1, 0.5, -0.0, "", [], {}, [None], {"": None}, [[]], [{}]),
    # Numbers: of 32 bits, of 64, and beyond; what is none.
    *(2**31 - 1, 2**31, -(2**31), 2**63 - 1, 2**63, 10**30, 1e308, float("inf"), float("nan")),
    # Texts: long, of many lines, of other scripts, with what SQL, YAML, shells and files read.
    *("x" * 64, "x" * 254, "x" * 3000, "a\nb", "a\n", " ", "\t", "a\0b", "\x7f", "é", "数据", "🙂"),
    *("\u0665", "\uff15\uff11\uff12Mi", "a\u2010b", "\u202ea", "\ud800", "null", "true", "~", "1"),
    *("'", '"', "\\", "`", "a'b", "%", "*", "..", ".", "a..b", "-a", "a-", "_", "/", "a/b", "//"),
    *(
        "${a}",
        "$(a)",
        "{{ a }}",
        "!include a",
        "@",
        "#",
        ";",
        ":",
        "a:b",
        "[0]",
        "(",
        "(?",
        "a{,3}",
    ),
    # Words of other keys.
    *("500m", "1Gi", "0", "-1", "1e3", "99999999999999999999Ei", "99999999999999999999h", "10s"),
    *("latest", "11.8.5", "root", "admin", "kube-system", "Equal", "Exists", "owner", "galera"),
    # Keys by which code may be misled.
    {"str": 1},
    {"int": [1]},
    {"bool": True},
    {"[key]": 1},
    {"a.b": 1},
    {"a[0]": {}},
    {"\ud800": 1},
    {"x" * 300: "x"},
    {"pulumi.com/a": "b"},
    {"secure": "v1:a"},
    {"name": "a", "key": ".."},
    [{"name": "a"}],
    ["a", "a"],
    _nest(40),
    _nest(40, listed=True),
    DEEPEST,
)


def leaves(value: Any, keys: Keys = ()) -> Iterator[Keys]:
    """The path of everything below a value that has nothing below it."""
    below: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        below = list(cast(dict[str | int, Any], value).items())
    elif isinstance(value, list):
        below = list(enumerate(cast(list[Any], value)))
    if not below:
        yield keys
    for key, one in below:
        yield from leaves(one, (*keys, key))


def replaced(tree: Any, keys: Keys, value: Any) -> Any:
    """A copy of a tree with another value at a path."""
    if not keys:
        return value
    copy: Any = tree.copy()
    copy[keys[0]] = replaced(tree[keys[0]], keys[1:], value)
    return copy


@cache
def valid() -> dict[str, dict[str, Any]]:
    """Every valid config by its name: examples, cases, and every size with all that it presets."""
    found = {case.id: _section(case.source) for case in all_cases()}
    for size in SIZES:
        for engine in ENGINES:
            given = {"size": size, "engine": engine, "proxy": {"managed_by": "mysql-ha"}}
            found[f"{engine}-{size}"] = _section(_whole(merge(given, {"proxy": {"enabled": True}})))
    return found


def _whole(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Every key that a config has, with its default; without those of the other engine."""
    config = resolve(tree)
    whole = config.model_dump(mode="json", exclude_none=True)
    for path in (*ENGINES[config.engine].foreign_keys, *NOT_OF_EVERY_STACK):
        *above, last = path.split(".")
        part = whole
        for key in above:
            part = part.get(key, {})
        part.pop(last, None)
    return whole


NOT_OF_EVERY_STACK = (
    *("database.network_policy.clients", "operator"),
    *("proxy.switchover_wait", "proxy.min_semi_sync_replicas", "proxy.routing"),
    *("database.semi_sync", "database.failover_delay_seconds", "database.galera"),
    *("proxy.tls.ca_key", "credentials.proxy_stats_reader"),
)
"""Keys that some topologies or certificates refuse; stacks that have them are among the cases."""


def _section(source: Mapping[str, Any]) -> dict[str, Any]:
    """A stack file's `config` section of what may lack the project's name."""
    full = {key if ":" in key else f"{PREFIX}{key}": value for key, value in source.items()}
    return {key: deepcopy(value) for key, value in full.items() if key.startswith(PREFIX)}


@cache
def every() -> tuple[tuple[str, Keys, int], ...]:
    """Each mutant: the config's name, the path of its leaf, and which nasty value is there."""
    return tuple(
        (name, keys, number)
        for name, config in valid().items()
        for keys in leaves(config)
        if keys
        for number in range(len(NASTY))
    )


def sample(number: int, seed: int = 0) -> list[tuple[str, Keys, int]]:
    """Some mutants, the same every time."""
    return random.Random(seed).sample(every(), number)


def mutant(name: str, keys: Keys, number: int) -> dict[str, Any]:
    """The `config` section of a mutant."""
    return replaced(valid()[name], keys, NASTY[number])
