"""The merge law: mappings merge recursively, everything else replaces."""

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from components.config.load import merge

leaves = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
keys = st.sampled_from("abc")
trees: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    keys, st.recursive(leaves, lambda below: st.dictionaries(keys, below, max_size=3)), max_size=3
)


@given(trees)
def test_the_empty_mapping_is_neutral(tree: dict[str, Any]) -> None:
    assert merge({}, tree) == tree == merge(tree, {})


def _together(values: dict[str, Any], mappings: dict[str, Any]) -> dict[str, Any]:
    return {**values, **mappings}


# Trees that agree on which keys hold mappings, as all trees of one schema do.
schema_trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(st.sampled_from("ab"), leaves),
    lambda below: st.builds(
        _together,
        st.dictionaries(st.sampled_from("ab"), leaves),
        st.dictionaries(st.sampled_from("mn"), below),
    ),
    max_leaves=5,
)


@settings(max_examples=100)
@given(schema_trees, schema_trees, schema_trees)
def test_merge_is_associative(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


def test_what_replaces_a_mapping_is_no_base_for_the_next() -> None:
    """Hence associative only among trees of one schema."""
    assert merge(merge({"a": {"x": 1}}, {"a": None}), {"a": {"y": 2}}) == {"a": {"y": 2}}


@given(trees)
def test_merge_is_idempotent(tree: dict[str, Any]) -> None:
    assert merge(tree, tree) == tree


@given(trees, trees)
def test_no_argument_is_changed(a: dict[str, Any], b: dict[str, Any]) -> None:
    before = deepcopy((a, b))
    merge(a, b)
    assert (a, b) == before


@given(trees, trees)
def test_the_override_wins(base: dict[str, Any], override: dict[str, Any]) -> None:
    merged = merge(base, override)
    for key in base.keys() | override.keys():
        if key not in override:
            assert merged[key] == base[key]
        elif isinstance(override[key], dict) and isinstance(base.get(key), dict):
            assert merged[key] == merge(base[key], override[key])
        else:
            assert merged[key] == override[key]


def test_a_list_replaces_a_list() -> None:
    assert merge({"users": [1, 2]}, {"users": [3]}) == {"users": [3]}


def test_none_replaces() -> None:
    assert merge({"cpu": "1"}, {"cpu": None}) == {"cpu": None}
