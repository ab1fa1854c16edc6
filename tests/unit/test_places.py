"""Where backups are: computed, and no two databases share a place."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from components.operations.places import Place

LABELS = st.from_regex(r"[a-z]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
PLACES = st.builds(Place, LABELS, LABELS, LABELS, st.integers(1, 200))


def test_a_place_names_what_it_holds() -> None:
    place = Place("prod", "shop", "orders", 2)
    assert place.prefix("full") == "prod/shop/orders/2/full"
    assert place.prefix("logical") == "prod/shop/orders/2/logical"
    assert place.prefix("binlogs") == "prod/shop/orders/2/binlogs"


@given(st.sets(PLACES, min_size=2, max_size=5))
def test_no_place_is_in_another(places: set[Place]) -> None:
    roots = [f"{place.root}/" for place in places]
    assert not any(a.startswith(b) or b.startswith(a) for a, b in combinations(roots, 2))
