"""The dashboard as the program declares it."""

from typing import Any

import pytest

from render import recorder

MONITORED = {"scrape": "prometheus_operator"}


def config_maps(**monitoring: Any) -> list[recorder.Resource]:
    config = {"size": "small", "name": "orders", "namespace": "shop", "monitoring": monitoring}
    recording = recorder.run(config)
    assert recording.error is None, recording.error
    return [
        found
        for found in recording.of_kind("ConfigMap")
        if found.inputs["metadata"]["name"] == "orders-dashboard"
    ]


def test_a_sidecar_finds_it_by_its_label() -> None:
    (found,) = config_maps(**MONITORED)
    assert found.inputs["metadata"]["namespace"] == "shop"
    assert found.inputs["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert list(found.inputs["data"]) == ["shop-orders.json"]


def test_the_label_is_the_stacks() -> None:
    (found,) = config_maps(**MONITORED, dashboard={"labels": {"show": "yes"}})
    labels = found.inputs["metadata"]["labels"]
    assert labels["show"] == "yes"
    assert "grafana_dashboard" not in labels


@pytest.mark.parametrize(
    "monitoring", [{}, {**MONITORED, "dashboard": {"enabled": False}}], ids=["none", "off"]
)
def test_without_it_there_is_none(monitoring: dict[str, Any]) -> None:
    assert config_maps(**monitoring) == []
