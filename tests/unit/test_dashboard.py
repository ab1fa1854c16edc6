"""Dashboards: the template is what its tool makes, and a database gets the rows of what it has."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models

from components.config.stack import StackConfig
from components.operations import alerts, dashboard, series
from tests.unit.models import config
from tools import dashboard as tool

STORE = {
    "s3": {
        "endpoint": "s3.example.com",
        "bucket": "backups",
        "credentials": {"existing_secret": {"name": "store"}},
    }
}
MONITORED: dict[str, Any] = {"monitoring": {"scrape": "prometheus_operator"}}
BY_ANNOTATIONS: dict[str, Any] = {"monitoring": {"scrape": "annotations"}}
BACKED_UP: dict[str, Any] = {"backup": {"store": STORE, "logical": {"schedule": "40 3 * * *"}}}
GALERA: dict[str, Any] = {"database": {"topology": "galera"}}
PERCONA: dict[str, Any] = {"engine": "percona"}
STACKS: dict[str, dict[str, Any]] = {
    "replication": {**MONITORED, **BACKED_UP},
    "annotations": {**BY_ANNOTATIONS, **BACKED_UP},
    "galera": {**MONITORED, **GALERA},
    "standalone": {**MONITORED, "size": "dev"},
    "percona": {
        **MONITORED,
        **PERCONA,
        "backup": {"store": STORE, "point_in_time": {"enabled": True}},
        "proxy": {"managed_by": "mysql-ha"},
    },
    "percona, its own proxies": {**MONITORED, **PERCONA},
}


def stack(name: str) -> StackConfig:
    return config(**{"name": "orders", "namespace": "shop", **STACKS[name]})


def made(of: StackConfig) -> dict[str, Any]:
    return json.loads(dashboard.text(of))


def rows(of: StackConfig) -> dict[str, list[str]]:
    """Titles of panels, by that of their row."""
    found: dict[str, list[str]] = {}
    for panel in made(of)["panels"]:
        if panel["type"] == "row":
            found[panel["title"]] = []
        else:
            found[list(found)[-1]].append(panel["title"])
    return found


def queries(of: StackConfig) -> Iterator[str]:
    for panel in made(of)["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_the_template_is_what_the_tool_makes() -> None:
    assert tool.main(["--check"]) == 0


@pytest.mark.parametrize("name", STACKS)
def test_the_sdk_reads_and_writes_it_as_it_is(name: str) -> None:
    register_default_plugins()
    text = dashboard.text(stack(name))

    def again(text: str) -> str:
        read = models.Dashboard.from_json(json.loads(text))
        written = json.dumps(read, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
        return written + "\n"

    assert again(text) == text


ALWAYS = ("Pair", "Server", "Storage and backups", "Operator")
PROXIED = ("Pair", "Traffic", "Routing")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("replication", (*PROXIED, "Replication", *ALWAYS[1:])),
        ("annotations", (*PROXIED, "Replication", *ALWAYS[1:])),
        ("galera", (*PROXIED, "Galera", *ALWAYS[1:])),
        ("standalone", ALWAYS),
        ("percona", (*PROXIED, "Galera", *ALWAYS[1:])),
        ("percona, its own proxies", ("Pair", "Galera", *ALWAYS[1:])),
    ],
)
def test_a_database_has_the_rows_of_what_it_has(name: str, expected: tuple[str, ...]) -> None:
    assert tuple(rows(stack(name))) == expected


def test_what_there_is_no_figure_of_has_no_panel() -> None:
    with_backups, without = rows(stack("replication")), rows(stack("galera"))
    assert {"Last backup", "Last drill", "Takes writes"} <= set(with_backups["Pair"])
    assert not {"Last backup", "Last drill", "Takes writes"} & set(without["Pair"])
    assert set(without["Storage and backups"]) == {"Volumes", "Left in four hours"}
    assert "Binary logs in the store" not in with_backups["Storage and backups"]
    assert "Binary logs in the store" in rows(stack("percona"))["Storage and backups"]
    assert not [title for title in rows(stack("standalone"))["Pair"] if "rox" in title]


def test_firing_alerts_are_shown_where_there_are_rules() -> None:
    def shown(**monitoring: Any) -> tuple[bool, bool]:
        found = made(config(monitoring=monitoring))
        stats = [panel["title"] for panel in found["panels"]]
        return "Alerts firing" in stats, bool(found["annotations"]["list"])

    assert shown(scrape="prometheus_operator") == (True, True)
    assert shown(scrape="prometheus_operator", alerts={"enabled": False}) == (False, False)
    assert shown(scrape="annotations") == (False, False)


def test_runbooks_are_linked_where_they_are() -> None:
    def links(**alerts: Any) -> set[str]:
        found = made(config(monitoring={"scrape": "prometheus_operator", "alerts": alerts}))
        return {link["url"] for panel in found["panels"] for link in panel.get("links", ())}

    assert links() == set()
    url = "https://docs.example.com/runbooks"
    assert f"{url}/ReplicationBroken.md" in links(runbooks=url)


@pytest.mark.parametrize("name", STACKS)
def test_panels_fill_their_lines_and_do_not_overlap(name: str) -> None:
    panels = made(stack(name))["panels"]
    places = [panel["gridPos"] for panel in panels]
    taken = [
        {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        for at in places
    ]
    assert not [1 for one, other in combinations(taken, 2) if one & other]
    everywhere = set[tuple[int, int]]().union(*taken)
    assert everywhere == {
        (x, y) for x in range(24) for y in range(max(at[1] for at in everywhere) + 1)
    }
    identities = [panel["id"] for panel in panels]
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("name", STACKS)
def test_panels_say_what_is_good_in_units(name: str) -> None:
    for panel in made(stack(name))["panels"]:
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults.get("unit") or defaults["mappings"], panel["title"]
            assert panel["type"] in {"stat", "timeseries", "state-timeline"}
            references = [target["refId"] for target in panel["targets"]]
            assert references == list("ABC"[: len(references)])


@pytest.mark.parametrize("name", STACKS)
def test_every_place_is_filled(name: str) -> None:
    """A wrong name of a place would look like something that the database does not have."""
    assert not dashboard.PLACE.search(dashboard.text(stack(name)))


def test_every_place_has_a_fact_in_some_stack() -> None:
    wanted = set(dashboard.PLACE.findall(dashboard.TEMPLATE.read_text()))
    linked: dict[str, Any] = {
        "monitoring": {"scrape": "annotations", "alerts": {"runbooks": "https://a.example"}}
    }
    stacks = [*map(stack, STACKS), config("small", **linked)]
    assert wanted == set[str]().union(*(dashboard.facts(of) for of in stacks))


METRICS: dict[str, dict[str, list[str]]] = json.loads(
    (Path(__file__).parent / "data" / "dashboard_metrics.json").read_text()
)
"""By who says them, metrics and their labels. tests/dataplane/test_dashboard.py finds them in real
scrapes, but for `elsewhere`: kubelet, kube-state-metrics, Percona's collector, controller-runtime
and Prometheus itself, from their sources."""
ADDED = {
    "servers": {"namespace", "service", "instance"},
    "replication": {"namespace", "service", "instance"},
    "galera": {"namespace", "service", "instance"},
    # From 3.0.2 on ProxySQL has `protocol`; earlier ones are matched by its absence.
    "proxies": {"namespace", "pod", "protocol"},
    "elsewhere": set[str](),
}
"""Labels that the jobs of a Prometheus add."""


@pytest.mark.parametrize("name", STACKS)
def test_every_metric_and_label_is_one_that_somebody_says(name: str) -> None:
    known = {
        metric: set(labels) | ADDED[of]
        for of, metrics in METRICS.items()
        for metric, labels in metrics.items()
    }
    for query in queries(stack(name)):
        used = set[str]()
        for metric, matchers in re.findall(r"([a-zA-Z_]+)\{([^}]*(?:\{6\}[^}]*)?)\}", query):
            assert metric in known, query
            assert set(re.findall(r"(\w+)(?:=|!=)~?\"", matchers)) <= known[metric], query
            used |= known[metric]
        made_here = set(re.findall(r'label_replace\(.*?, "(server|backend|peer)", ', query))
        grouped = re.findall(r"(?:by|on) \(([^)]*)\)", query)
        of_groups = {label for group in grouped for label in group.split(", ")}
        assert of_groups <= used | made_here, query


@pytest.mark.parametrize("name", STACKS)
def test_legends_have_labels_that_are_left(name: str) -> None:
    for panel in made(stack(name))["panels"]:
        for target in panel.get("targets", ()):
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            (first, *_) = [*re.findall(r"^\w+ by \(([^)]*)\)", target["expr"]), ""]
            quantile = re.findall(r"^histogram_quantile\(.*sum by \(([^)]*)\)", target["expr"])
            assert shown <= set((first or ", ".join(quantile)).split(", ")), target


@pytest.mark.parametrize("name", STACKS)
def test_every_selector_is_of_this_database(name: str) -> None:
    """Another database of the same Prometheus must not add to a panel."""
    of = stack(name)
    allowed = {
        series.servers(of),
        series.proxies(of),
        series.volumes(of),
        series.backup_jobs(of),
        series.drill(of),
        series.dump(of),
        series.collector(of),
        series.alerts(of),
        series.controllers(of),
        'namespace="shop"',
    }
    for query in queries(of):
        selectors = re.findall(r"[a-z_A-Z]\{([^}]*)\}", query)
        assert selectors
        for selector in selectors:
            assert any(selector.startswith(begin) for begin in allowed), query


def panels(of: StackConfig) -> dict[str, Any]:
    return {panel["title"]: panel for panel in made(of)["panels"]}


def steps(panel: Any) -> list[Any]:
    return [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_servers_and_proxies_are_as_many_as_run() -> None:
    found = panels(stack("replication"))
    for title in ("Servers up", "Proxies up"):
        assert steps(found[title]) == [None, 3]
        assert found[title]["fieldConfig"]["defaults"]["unit"] == "suffix:of 3"


@pytest.mark.parametrize(
    ("monitoring", "interval"),
    [
        ({"scrape": "prometheus_operator"}, "30s"),
        ({"scrape": "prometheus_operator", "interval_seconds": 60}, "60s"),
        ({"scrape": "annotations"}, "1m"),
    ],
)
def test_a_rate_has_several_readings(monitoring: Any, interval: str) -> None:
    """Grafana takes four times this interval for a rate; of one reading there is none."""
    found = made(config(monitoring=monitoring))
    targets = [target for panel in found["panels"] for target in panel.get("targets", ())]
    assert {target["interval"] for target in targets} == {interval}


LIMITS = {
    "ReplicationLag": "Lag",
    "GaleraFlowControl": "Flow control",
    "ConnectionsNearLimit": "Connections",
    "RowLockWaits": "Row locks",
    "ProxyBackendErrors": "Connections that failed",
    "ProxyConfigDrift": "Proxies that differ",
    "BackupTooOld": "Last backup",
    "RestoreDrillTooOld": "Last drill",
}


@pytest.mark.parametrize("name", STACKS)
def test_red_begins_where_an_alert_does(name: str) -> None:
    of = stack(name)
    found = panels(of)
    limits = {
        rule.name: float(rule.expression.rpartition(" > ")[2])
        for rule in alerts.rules(of)
        if rule.name in LIMITS
    }
    assert limits
    assert {alert: steps(found[LIMITS[alert]])[-1] for alert in limits} == limits


def test_volumes_are_red_where_the_alert_for_them_is() -> None:
    of = stack("replication")
    (rule,) = (rule for rule in alerts.rules(of) if rule.name == "VolumeFillsUp")
    left = float(rule.expression.rpartition(" < ")[2])
    assert steps(panels(of)["Volumes"])[-1] == 1 - left


def test_alerts_that_a_panel_names_are_there() -> None:
    named = set(re.findall(r"<runbooks>/(\w+)\.md", dashboard.TEMPLATE.read_text()))
    assert named <= {alert.name for alert in alerts.ALERTS}
    not_shown = {"KubernetesMetricsMissing"}
    assert {alert.name for alert in alerts.ALERTS} - named == not_shown


def test_a_server_is_called_by_its_pod() -> None:
    assert series.server(stack("replication")) == f'"$1", "instance", "{series.HOST}"'
    assert series.server(stack("annotations")) == '"orders-$1", "service", ".*-([0-9]+)"'
    percona = config(name="orders", **PERCONA, **BY_ANNOTATIONS)
    assert series.server(percona) == '"orders-pxc-$1", "service", ".*-([0-9]+)"'


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("orders-0.orders-internal.shop.svc.cluster.local:3306", "orders-0"),
        ("orders-primary.shop.svc.cluster.local:3306", "orders-primary"),
        ("orders-0.orders-internal.shop.svc.cluster.local", "orders-0"),
        ("10.1.2.3:3306", "10.1.2.3"),
        ("db:3306", "db"),
    ],
)
def test_an_address_is_called_by_its_first_part(address: str, name: str) -> None:
    found = re.fullmatch(series.HOST, address)
    assert found
    assert found[1] == name


def test_an_address_in_grafana_is_short_and_nobody_elses() -> None:
    assert dashboard.uid("shop", "orders") == "shop_orders"
    long = dashboard.uid("a" * 63, "b" * 40)
    assert len(long) == dashboard.LONGEST_UID
    assert long != dashboard.uid("a" * 63, "b" * 39 + "c")
    assert dashboard.uid("a-b", "c") != dashboard.uid("a", "b-c")
    assert re.fullmatch("[a-zA-Z0-9_-]+", long)


def test_it_fits_a_config_map() -> None:
    largest = config("large", **BACKED_UP, **MONITORED)
    assert len(dashboard.text(largest).encode()) < 2**18
    assert dashboard.text(largest) == dashboard.text(config("large", **BACKED_UP, **MONITORED))


def test_the_page_has_every_row() -> None:
    _, _, page = (tool.ROOT / "docs" / "monitoring.md").read_text().partition("## Dashboard")
    shown = re.findall(r"^\| ([A-Z][\w ]+) \|", page, re.MULTILINE)
    assert shown == list(tool.ROWS)
