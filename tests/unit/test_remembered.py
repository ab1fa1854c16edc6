"""What the last update exported: whatever is in it, an error of one line or facts to compare."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.errors import ConfigError
from components.config.load import resolve
from components.config.stack import StackConfig
from components.guards import immutable, remembered
from tests.unit.models import proxied_configs
from tests.unit.test_immutable import facts

APP = {"account": "a", "accounts": ["a"], "databases": ["a"], "cleanup": "keep", "password": "x"}


@given(proxied_configs())
def test_what_this_program_exports_is_taken(config: StackConfig) -> None:
    assert remembered.checked("immutable", facts(config)) == facts(config)


@pytest.mark.parametrize(
    "value",
    [
        [1],
        "text",
        {"mysql": [1]},
        {"mysql": {"engine": ["CANARY"]}},
        {"mysql": {"storage": "10Gi"}},
        {"mysql": {"storage": {"size": "CANARY"}}},
        {"mysql": {"storage": {}}},
        {"mysql": {"replicas": "3"}},
        {"mysql": {"replicas": True}},
        {"mysql": {"nodes": float("nan")}},
        {"mysql": {"proxies": {"replicas": 3}}},
        {"mysql": {"version": "11.x"}},
        {"mysql": {"apps": ["CANARY"]}},
        {"mysql": {"apps": {"a": APP}}},
        {"mysql": {"apps": {"a": {**APP, "rotation": "1"}}}},
        {"mysql": {"create_namespace": "yes"}},
    ],
    ids=str,
)
def test_what_it_never_writes_is_one_clear_error(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^mysql-ha:immutable: .* Fix: ") as caught:
        remembered.checked("immutable", value)
    assert "\n" not in str(caught.value)
    assert "CANARY" not in str(caught.value)


json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["mysql", "storage", "size", "apps"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(json)
def test_nothing_in_it_is_a_traceback(value: Any) -> None:
    current = facts(resolve({"size": "small", "name": "mysql"}))
    try:
        immutable.check(remembered.checked("immutable", value), current)
    except ConfigError as error:
        assert str(error)
