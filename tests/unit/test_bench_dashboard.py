"""The picture of a dashboard: what is drawn of panels and their answers."""

from typing import Any
from xml.etree import ElementTree

import pytest

from bench import dashboard, grafana
from bench.grafana import Panel, Series, Span, shown
from testbed.monitoring import dashboards, monitored

SPAN = Span(-10, 20, 2)
SVG = "{http://www.w3.org/2000/svg}"


def template(title: str) -> dict[str, Any]:
    """A panel of a real dashboard."""
    panels = dashboards.panels(monitored.config("replication"))
    return next(panel for panel in panels if panel["title"] == title)


def drawn(title: str, *series: Series) -> ElementTree.Element:
    return ElementTree.fromstring(
        grafana.svg("A title", "caption", [Panel(template(title), series)], SPAN)
    )


def texts(picture: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in picture.iter(f"{SVG}text")]


def of_class(picture: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [node for node in picture.iter() if name in node.get("class", "").split()]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "0 s"),
        (0.0021, "s", "2.1 ms"),
        (90, "s", "1.5 min"),
        (0.056, "percentunit", "5.6 %"),
        (2048, "short", "2.05 K"),
        (3 * 2**20, "bytes", "3 MiB"),
        (0.25, "ops", "0.25 ops/s"),
        (3, "suffix:of 3", "3 of 3"),
    ],
)
def test_values_are_for_people(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize(("up", "colour"), [(3, "green"), (2, "red")])
def test_a_figure_has_the_colour_of_its_threshold(up: float, colour: str) -> None:
    picture = drawn("Servers up", Series("", [(20, up)]))
    (figure,) = of_class(picture, "figure")
    assert figure.text == f"{up} of 3"
    assert colour in figure.get("class", "")


def test_names_stand_one_below_the_other() -> None:
    lines = [Series(f"p-{n} → db-primary", [(20, 1)]) for n in (1, 0)]
    names = of_class(drawn("Writer of each proxy", *lines), "names")
    assert [node.text for node in names] == ["p-0 → db-primary", "p-1 → db-primary"]
    assert texts(drawn("Writer of each proxy"))[-1] == "no writer"


def test_a_gap_in_figures_is_a_gap_in_the_line() -> None:
    whole = [(float(at), 1.0 + at % 4) for at in range(-10, 21, 2)]
    holed = [point for point in whole if not 0 <= point[0] <= 6]

    def beginnings(points: grafana.Points) -> int:
        (line,) = (n for n in of_class(drawn("Lag", Series("db-1", points)), "line"))
        return line.get("d", "").count("M")

    assert (beginnings(whole), beginnings(holed)) == (1, 2)


def test_the_limit_is_drawn_where_values_reach_it() -> None:
    assert not of_class(drawn("Lag", Series("db-1", [(0, 1), (2, 3)])), "limit")
    assert of_class(drawn("Lag", Series("db-1", [(0, 1), (2, 60)])), "limit")


def test_a_state_lasts_until_the_next_or_a_gap() -> None:
    points = [(-10.0, 0.0), (-8.0, 0.0), (-6.0, 1.0), (-4.0, 1.0), (6.0, 1.0)]
    picture = drawn("Who takes writes", Series("db-0", points))
    bars = [node for node in picture.iter(f"{SVG}rect") if node.get("class") in ("blue", "green")]
    # Three bars, and the legend's two.
    assert [bar.get("class") for bar in bars] == ["blue", "green", "green", "blue", "green"]


def test_no_row_is_drawn_of_made_up_figures() -> None:
    config = monitored.config("replication")
    rows = {panel["title"] for panel in dashboards.panels(config) if panel["type"] == "row"}
    assert set(dashboard.LEFT_OUT) < rows


def test_a_legend_has_the_labels_of_its_series() -> None:
    query = dashboards.Query("Writer", "up", "{{pod}} → {{backend}}")
    assert query.named({"pod": "a", "backend": "b"}) == "a → b"
