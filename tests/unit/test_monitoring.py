"""What of `monitoring` is refused or warned of, and what is read of servers and proxies."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import names
from components.config import checks
from components.config.engine import ENGINES
from components.config.errors import ConfigError
from components.config.load import merge, read, resolve
from components.config.password_sources import Role
from components.config.password_texts import demand
from components.config.stack import StackConfig
from components.credentials import ResolvedCredential
from components.engines import mariadb_exporter
from components.engines.wiring import WIRING
from components.guards import edits, immutable
from components.guards.edits.warnings import warnings
from components.operations import exporter, monitors
from components.topology import Topology
from tests.unit.test_immutable import edited

SMALL: dict[str, Any] = {"size": "small", "name": "orders", "namespace": "shop"}
PERCONA: dict[str, Any] = {**SMALL, "engine": "percona"}
ENGINES_OF: dict[str, dict[str, Any]] = {"mariadb": SMALL, "percona": PERCONA}
BY_OPERATOR: dict[str, Any] = {"monitoring": {"scrape": "prometheus_operator"}}
ANNOTATED: dict[str, Any] = {"monitoring": {"scrape": "annotations"}}
SCRAPERS = {"prometheus_operator": BY_OPERATOR, "annotations": ANNOTATED}
BOTH_ENGINES = pytest.mark.parametrize("base", ENGINES_OF.values(), ids=ENGINES_OF)
BOTH_SCRAPERS = pytest.mark.parametrize("scraper", SCRAPERS.values(), ids=SCRAPERS)
LETTERS = "ABCDEFabcdef0123456789_-"


def refused(*trees: dict[str, Any]) -> dict[str, str]:
    """Path to rule of what is refused."""
    tree: dict[str, Any] = {}
    for one in trees:
        tree = merge(tree, one)
    try:
        resolve(tree)
    except ConfigError as error:
        return {path: rule for path, rule, _ in error.faults}
    return {}


def config(*trees: dict[str, Any]) -> StackConfig:
    tree: dict[str, Any] = {}
    for one in trees:
        tree = merge(tree, one)
    return resolve(tree)


def warned(*trees: dict[str, Any]) -> dict[str, str]:
    """Path to rule of what is warned of, of this program's metrics only."""
    tree: dict[str, Any] = {}
    for one in trees:
        tree = merge(tree, one)
    words = ("monitoring", "exporter", "metrics_from")
    found = checks.warnings(resolve(tree), tree)
    return {path: rule for path, rule, _ in found if any(word in path for word in words)}


def topology(chosen: StackConfig) -> Topology:
    return WIRING[chosen.engine].topology(chosen)


# --- what is refused ---


@BOTH_ENGINES
@BOTH_SCRAPERS
@pytest.mark.parametrize(
    ("tag", "accepted"),
    [("v0.14.0", False), ("0.9.1", False), ("v0.15.0", True), ("0.20.0", True), ("build-7", True)],
)
def test_an_exporter_has_the_path_by_which_it_is_asked(
    base: dict[str, Any], scraper: dict[str, Any], tag: str, accepted: bool
) -> None:
    chosen: dict[str, Any] = {"images": {"exporter": {"tag": tag}}}
    assert (refused(base, scraper, chosen) == {}) == accepted
    assert refused(base, chosen) == {}, "nobody asks it"


def test_the_operators_monitor_has_one_label() -> None:
    """R 21. v25.10.4, pkg/builder/servicemonitor_builder.go."""
    labels: dict[str, Any] = {"monitoring": {"labels": {"release": "kube", "team": "db"}}}
    assert refused(SMALL, BY_OPERATOR, labels).keys() == {"monitoring.labels.team"}
    assert refused(PERCONA, BY_OPERATOR, labels) == {}, "its monitors are this program's"
    one: dict[str, Any] = {"monitoring": {"labels": {"release": "kube"}}}
    assert refused(SMALL, BY_OPERATOR, one) == {}


@pytest.mark.parametrize(
    ("base", "scraper", "accepted"),
    [
        (SMALL, BY_OPERATOR, False),
        (SMALL, ANNOTATED, True),
        (PERCONA, BY_OPERATOR, False),
        (PERCONA, ANNOTATED, False),
    ],
)
def test_what_is_only_imported_gets_no_entry(
    base: dict[str, Any], scraper: dict[str, Any], accepted: bool
) -> None:
    imported: dict[str, Any] = {
        "adopt": "import",
        "backup": {"enabled": False},
        "credentials": {
            role: {"existing_secret": {"name": f"{role}-there", "key": "pw"}}
            for role in ("root", *(("replication",) if base is SMALL else ()))
        },
    }
    found = refused(base, scraper, imported)
    assert found.keys() == (set() if accepted else {"monitoring.scrape"})


@BOTH_ENGINES
@pytest.mark.parametrize("scraper", [*SCRAPERS, "none"])
def test_the_account_is_taken_only_where_it_is_used(base: dict[str, Any], scraper: str) -> None:
    app: dict[str, Any] = {
        "apps": [{"name": "a", "username": "mysql_ha_exporter", "databases": {"a": "owner"}}]
    }
    found = refused(base, app, {"monitoring": {"scrape": scraper}})
    assert found.keys() == (set() if scraper == "none" else {"apps[0].username"})


@pytest.mark.parametrize(
    "other", ["orders-metrics", "orders-metrics-0", "orders-exporter", "orders-exporter-config"]
)
def test_a_database_may_be_called_as_what_is_not_there(other: str) -> None:
    two: dict[str, Any] = {
        "mysql-ha:size": "small",
        "mysql-ha:databases": {"orders": {}, other: {}},
    }
    assert len(read(two)) == 2
    with pytest.raises(ConfigError, match=f"has an object '{other}'"):
        read({**two, "mysql-ha:monitoring": {"scrape": "annotations"}})


@pytest.mark.parametrize("secret", ["orders-exporter", "orders-exporter-config"])
def test_a_secret_that_is_made_here_is_no_existing_one(secret: str) -> None:
    assert ENGINES["mariadb"].makes_secret(secret, "orders", ())


def test_an_exporters_password_is_text_that_its_file_carries() -> None:
    """It expands `$`, and cuts at `#` and `;` (v0.15.1, config/config.go)."""
    pattern = demand(config(SMALL, ANNOTATED), Role("exporter")).pattern
    assert pattern.fullmatch("Abc-_019")
    for text in ("short", "with$HOME_in_it", "with #hash in it", 'with"quote"', "with;semicolon"):
        assert not pattern.fullmatch(text), text


# --- what is warned of ---


@BOTH_ENGINES
def test_keys_without_a_reader_are_warned_of(base: dict[str, Any]) -> None:
    keys: dict[str, Any] = {
        "monitoring": {"interval_seconds": 10, "alerts": {"enabled": False}},
        "images": {"exporter": {"tag": "v0.16.0"}},
        "credentials": {"exporter": {"rotation": 1}},
    }
    assert warned(base, keys).keys() == {
        "monitoring.interval_seconds",
        "monitoring.alerts",
        "images.exporter",
        "credentials.exporter",
    }
    assert "scrape is none" in warned(base, keys)["monitoring.alerts"]
    assert warned(base, {"monitoring": {"scrape": "none"}}) == {}


def test_what_prometheus_says_itself_is_warned_of() -> None:
    keys: dict[str, Any] = {"monitoring": {"interval_seconds": 10, "labels": {"release": "p"}}}
    found = warned(SMALL, ANNOTATED, keys, OPEN)
    assert found.keys() == {"monitoring.interval_seconds", "monitoring.labels"}
    assert warned(SMALL, BY_OPERATOR, keys, OPEN) == {}


OPEN: dict[str, Any] = {"security": {"network_policy": {"metrics_from": ["monitoring"]}}}


@BOTH_SCRAPERS
def test_a_prometheus_that_is_shut_out_is_warned_of(scraper: dict[str, Any]) -> None:
    path = "security.network_policy.metrics_from"
    assert warned(SMALL, scraper).keys() == {path}
    assert warned(SMALL, scraper, OPEN) == {}
    off: dict[str, Any] = {"security": {"network_policy": {"enabled": False}}}
    assert warned(SMALL, scraper, off) == {}


def test_the_exporters_policy_is_no_key_of_proxies_only() -> None:
    """Beside the operator's proxies nothing else would have it."""
    opened: dict[str, Any] = {
        "security": {"network_policy": {"enabled": True, "metrics_from": ["monitoring"]}}
    }
    assert refused(PERCONA, opened).keys() == {"security.network_policy"}
    assert refused(PERCONA, opened, ANNOTATED) == {}
    direct: dict[str, Any] = {"proxy": {"enabled": False}}
    assert warned(SMALL, direct, OPEN, ANNOTATED) == {}


# --- edits ---


def faults(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    had, has = edited(before)["orders"], edited(now)["orders"]
    return [path for path, _, _ in edits.faults("orders", had, has, frozenset())]


def said(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [*warnings("orders", edited(before)["orders"], edited(now)["orders"])]


def test_the_operators_exporter_ends_by_the_key() -> None:
    """Without it the object's field is people's, and Pulumi would leave it as it is."""
    none: dict[str, Any] = {"monitoring": {"scrape": "none"}}
    assert faults(BY_OPERATOR, {}) == ["monitoring.scrape"]
    assert faults(BY_OPERATOR, none) == faults(BY_OPERATOR, ANNOTATED) == []
    assert faults(none, {}) == faults(ANNOTATED, {}) == faults({}, BY_OPERATOR) == []
    percona: dict[str, Any] = {"engine": "percona"}
    assert faults({**percona, **BY_OPERATOR}, percona) == [], "its exporter is this program's"
    for now in (none, ANNOTATED):
        text = said(BY_OPERATOR, now)[0]
        assert "kubectl -n shop delete deployment,service,servicemonitor orders-metrics" in text
    assert said({}, BY_OPERATOR) == []


@pytest.mark.parametrize(
    ("now", "closed", "refused"),
    [
        ({"monitoring": {"scrape": "none"}}, False, True),
        (ANNOTATED, False, False),
        (ANNOTATED, True, True),
    ],
    ids=["without an account", "with one", "with a policy"],
)
def test_whether_servers_refuse_the_exporter_that_is_left(
    now: dict[str, Any], closed: bool, refused: bool
) -> None:
    """Both exporters have one account; the policy of servers lets in that of the config."""
    policy: dict[str, Any] = {"database": {"network_policy": {"enabled": closed}}}
    text = said(merge(BY_OPERATOR, policy), merge(now, policy))[0]
    assert ("the servers refuse" in text) == refused
    assert ("goes on asking the servers" in text) != refused


def test_a_label_that_the_operator_does_not_change_is_told() -> None:
    def labelled(release: str | None) -> dict[str, Any]:
        labels = {"labels": {"release": release}} if release else {}
        return {"monitoring": {**BY_OPERATOR["monitoring"], **labels}}

    command = "kubectl -n shop delete servicemonitor,service orders-metrics"
    for had, has in ((None, "kube"), ("kube", "other"), ("kube", None)):
        (text,) = said(labelled(had), labelled(has))
        assert command in text
        assert f"stays: {had or 'not set'}." in text
        assert said(labelled(has), labelled(has)) == []
        percona = {"engine": "percona"}
        assert said({**labelled(had), **percona}, {**labelled(has), **percona}) == []
    older = {key: fact for key, fact in edited(BY_OPERATOR)["orders"].items() if key != "release"}
    assert [*warnings("orders", older, edited(labelled("kube"))["orders"])] == []


NONE: dict[str, Any] = {"monitoring": {"scrape": "none"}}


def test_a_roll_of_the_proxies_is_told() -> None:
    def rolls(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
        return [text for text in said(before, now) if "rolls the proxies" in text]

    for other in (NONE, {}, BY_OPERATOR):
        assert "get the annotations" in rolls(other, ANNOTATED)[0]
        assert "lose the annotations" in rolls(ANNOTATED, other)[0]
    assert rolls(ANNOTATED, ANNOTATED) == rolls(NONE, BY_OPERATOR) == []
    direct: dict[str, Any] = {"proxy": {"enabled": False}}
    assert rolls(NONE, {**ANNOTATED, **direct}) == []
    assert rolls({**NONE, "engine": "percona"}, {**ANNOTATED, "engine": "percona"}) == []


@pytest.mark.parametrize("scraper", SCRAPERS.values(), ids=SCRAPERS)
def test_an_account_that_no_operator_drops_is_told(scraper: dict[str, Any]) -> None:
    percona: dict[str, Any] = {"engine": "percona"}
    drop = "DROP USER 'mysql_ha_exporter'@'%'"
    for now in (NONE, {}):
        (text,) = said({**scraper, **percona}, {**now, **percona})
        assert drop in text
        assert drop not in "".join(said(scraper, now)), "mariadb-operator drops it"
    assert said({**NONE, **percona}, {**scraper, **percona}) == []


def test_nobody_gets_an_account_while_servers_are_paused() -> None:
    dev: dict[str, Any] = {"size": "dev", "database": {"paused": False}}
    paused: dict[str, Any] = {"size": "dev", "database": {"paused": True}}
    assert faults(dev, merge(paused, ANNOTATED)) == ["database.paused"]
    assert faults(merge(dev, ANNOTATED), merge(paused, ANNOTATED)) == []


def test_the_facts_are_of_the_shape_that_is_read_back() -> None:
    known = {"immutable": edited(BY_OPERATOR)}
    facts = immutable.last(known)["orders"]
    assert (facts["scrape"], facts["release"]) == ("prometheus_operator", "not set")


# --- MariaDB's operator ---

PASSWORD = ResolvedCredential(
    secret="orders-exporter", key="password", password=cast(Any, None), resource=None
)


def test_what_the_operator_is_told_has_no_gap() -> None:
    """R 21. Every field that the operator would fill in (`SetDefaults`), or that is needed."""
    found = mariadb_exporter.metrics(
        config(SMALL, BY_OPERATOR, {"monitoring": {"labels": {"release": "kube"}}}), PASSWORD
    )
    assert found["enabled"] is True
    assert found["username"] == "mysql_ha_exporter"
    assert found["passwordSecretKeyRef"] == {
        "name": "orders-exporter",
        "key": "password",
        "generate": False,
    }
    assert found["exporter"].keys() >= {
        *("image", "imagePullPolicy", "port", "resources", "securityContext"),
        "podSecurityContext",
    }
    assert found["serviceMonitor"] == {
        "prometheusRelease": "kube",
        "jobLabel": "app.kubernetes.io/instance",
        "interval": "30s",
        "scrapeTimeout": "10s",
    }


@BOTH_SCRAPERS
def test_an_exporter_of_somebody_else_is_not_taken_over(scraper: dict[str, Any]) -> None:
    """Its account cannot change (`inmutableinit`), and its User has the name of ours."""
    mariadb = WIRING["mariadb"]

    def faults_of(account: str | None, *more: dict[str, Any]) -> list[str]:
        spec = {"metrics": {"enabled": True, "username": account}} if account else {}
        found = mariadb.differences(config(SMALL, *more), spec)
        return [path for path, _, _ in found if path.startswith("monitoring")]

    assert faults_of("orders-metrics", scraper) == ["monitoring.scrape"]
    assert faults_of("mysql_ha_exporter", scraper) == faults_of(None, scraper) == []
    assert faults_of("orders-metrics") == [], "it is theirs"


# --- what is read ---


@given(st.integers(5, 60))
def test_a_reading_ends_before_the_next(interval: int) -> None:
    chosen: dict[str, Any] = {"monitoring": {"interval_seconds": interval}}
    found = monitors.times(config(SMALL, BY_OPERATOR, chosen))
    assert found["interval"] == f"{interval}s"
    assert int(found["scrapeTimeout"].removesuffix("s")) <= min(10, interval)


def test_each_server_is_a_target_of_its_own() -> None:
    """R 22. So that each has an `up`: the labels are there before a reading."""
    chosen = config(PERCONA, BY_OPERATOR)
    endpoints = monitors.servers(chosen, topology(chosen))["endpoints"]
    assert len(endpoints) == 3
    for ordinal, endpoint in enumerate(endpoints):
        host = f"orders-pxc-{ordinal}.orders-pxc.shop.svc.cluster.local"
        assert endpoint["path"] == "/probe"
        assert endpoint["params"] == {"target": [f"{host}:3306"]}
        assert "metricRelabelings" not in endpoint
        labels = {r["targetLabel"]: r["replacement"] for r in endpoint["relabelings"]}
        assert labels == {"instance": host, "target": f"orders-pxc-{ordinal}"}


def test_by_annotations_each_server_has_a_service() -> None:
    for base in (SMALL, PERCONA):
        chosen = config(base, ANNOTATED)
        found = exporter.services(chosen, topology(chosen))
        assert [*found] == [f"orders-metrics-{ordinal}" for ordinal in range(3)]
        for host, annotations in zip(topology(chosen).hosts, found.values(), strict=True):
            assert annotations["prometheus.io/param_target"] == f"{host}:3306"
            assert annotations["prometheus.io/path"] == "/probe"


@BOTH_ENGINES
@BOTH_SCRAPERS
def test_the_pod_of_the_exporter_is_known_by_its_labels(
    base: dict[str, Any], scraper: dict[str, Any]
) -> None:
    chosen = config(base, scraper)
    if exporter.own(chosen):
        pod = exporter.deployment(chosen, topology(chosen))["template"]["metadata"]["labels"]
        assert exporter.selector(chosen).items() <= pod.items()
        assert exporter.selector(chosen) != names.exporter_selector("orders")
    else:
        assert exporter.selector(chosen) == names.exporter_selector("orders")


@given(st.text(LETTERS, min_size=8, max_size=40), st.booleans())
def test_the_file_has_the_login_and_verifies(password: str, tls: bool) -> None:
    lines = exporter.cnf(password, tls=tls).splitlines()
    assert lines[:3] == ["[client]", "user=mysql_ha_exporter", f"password={password}"]
    assert lines[3:] == (["ssl-ca=/etc/mysql-ha/server-ca/ca.crt"] if tls else [])


def test_a_new_password_rolls_the_exporter() -> None:
    """It reads its file once."""

    def template(**credential: Any) -> Any:
        chosen = config(SMALL, ANNOTATED, {"credentials": {"exporter": credential}})
        return exporter.deployment(chosen, topology(chosen))["template"]

    there: dict[str, Any] = {"existing_secret": {"name": "s", "key": "k"}}
    found = [template(), template(rotation=1), template(**there), template(**there, rotation=1)]
    assert all(found.count(one) == 1 for one in found)


def test_a_paused_database_has_no_exporter() -> None:
    chosen = config(PERCONA, ANNOTATED, {"database": {"paused": True}, "proxy": {"enabled": False}})
    assert exporter.deployment(chosen, topology(chosen))["replicas"] == 0
