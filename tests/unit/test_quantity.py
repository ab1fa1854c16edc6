"""Kubernetes quantities as numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Decimal(0)),
        ("2", Decimal(2)),
        ("500m", Decimal("0.5")),
        ("1.5", Decimal("1.5")),
        ("1k", Decimal(1000)),
        ("1Ki", Decimal(1024)),
        ("10Gi", Decimal(10 * 2**30)),
        ("10G", Decimal(10**10)),
        ("1.5Ti", Decimal(3 * 2**39)),
        ("1E", Decimal(10**18)),
    ],
)
def test_parse(text: str, value: Decimal) -> None:
    assert quantity.parse(text) == value


@pytest.mark.parametrize(
    "text", ["", "Gi", "10 Gi", "10GB", "10gi", "-1", "1e", "1,5", ".5", "ten", "1K", "10Gi\n"]
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity.parse(text)


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["", "m", "Mi", "Gi", "M", "E"])
)
def test_the_order_is_that_of_the_numbers(a: int, b: int, unit: str) -> None:
    assert (quantity.parse(f"{a}{unit}") < quantity.parse(f"{b}{unit}")) == (a < b)


@given(st.integers(1, 10**6))
def test_units_are_consistent(number: int) -> None:
    assert quantity.parse(f"{number}Gi") == quantity.parse(f"{number * 1024}Mi")
    assert quantity.parse(f"{number}000m") == quantity.parse(f"{number}")
