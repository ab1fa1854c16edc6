"""Metrics and alerts on real nodes: a real Prometheus reads the exporter that the operator runs and
the proxies, as prometheus-operator tells it to, and says what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from components import names
from components.config import load as configuration
from components.config.stack import StackConfig
from components.operations import series
from local import LocalError
from local.engine import Engine
from local.kubectl import Object
from local.real.cluster import RealCluster
from testbed.cluster.inside import Inside
from testbed.cluster.metrics import RELEASE
from testbed.cluster.monitoring import INTERVAL_SECONDS, Monitoring, generated, monitored
from testbed.cluster.site import SERVER_PORT, SHOP, TABLE, Site, eventually
from testbed.database.servers import Account, Session

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1800)]
NAME = "seen"
OTHERS = 20.0
"""Seconds after the named alert fires in which no other of its severity may."""
FIRES = 240.0
"""Seconds in which it must."""


@pytest.fixture(scope="module")
def site(cluster: RealCluster, engine: Engine, inside: Inside, proxied: bool) -> Generator[Site]:
    config = {
        "size": "small",
        "name": NAME,
        "apps": [SHOP],
        "proxy": {"enabled": proxied},
        "monitoring": {
            "scrape": "prometheus_operator",
            "interval_seconds": INTERVAL_SECONDS,
            "labels": {"release": RELEASE},
        },
    }
    site = Site(cluster, engine, inside, NAME, config)
    site.up()
    yield site
    site.destroy()
    site.kubectl("delete", "pvc", "-l", f"app.kubernetes.io/instance={NAME}")


@pytest.fixture(scope="module")
def config(site: Site) -> StackConfig:
    (config,) = configuration.read({f"mysql-ha:{k}": v for k, v in site.config.items()})
    return config


@pytest.fixture(scope="module")
def monitoring(
    site: Site, prometheus_program: Path, tmp_path_factory: pytest.TempPathFactory, proxied: bool
) -> Generator[Monitoring]:
    directory = tmp_path_factory.mktemp("monitoring")
    jobs = {f"serviceMonitor/default/{names.metrics(NAME)}/0"}
    if proxied:
        jobs.add(f"podMonitor/default/{names.proxysql(NAME)}/0")
    with monitored(site, prometheus_program, directory, await_jobs=jobs) as running:
        running.calm()
        yield running


def test_a_server_has_the_labels_by_which_rules_find_it(
    config: StackConfig, monitoring: Monitoring
) -> None:
    assert not {url: error for url, error in monitoring.targets().items() if error}
    found = monitoring.query(f"mysql_up{{{series.servers(config)}}}")
    assert {sample.value for sample in found} == {1}
    hosts = names.mariadb_pod_hosts(NAME, "default", 3)
    instances = sorted(sample.labels["instance"].partition(":")[0] for sample in found)
    assert instances == sorted(hosts)
    assert (
        len(
            {
                tuple(sample.labels[label] for label in series.server_labels(config))
                for sample in found
            }
        )
        == 3
    )


def test_a_kubelet_knows_the_volumes(config: StackConfig, monitoring: Monitoring) -> None:
    found = monitoring.query(f"kubelet_volume_stats_available_bytes{{{series.volumes(config)}}}")
    claims = sorted(sample.labels["persistentvolumeclaim"] for sample in found)
    assert claims == sorted(names.mariadb_claims(NAME, "replication", 3))


def test_a_proxy_has_the_labels_by_which_rules_find_it(
    site: Site, config: StackConfig, monitoring: Monitoring, proxied: bool
) -> None:
    _needs_proxies(proxied)
    found = monitoring.query(f"proxysql_uptime_seconds_total{{{series.proxies(config)}}}")
    assert sorted(sample.labels["pod"] for sample in found) == site.proxies()
    assert len({tuple(sample.labels[label] for label in series.PROXY) for sample in found}) == 3
    # Without `honorLabels` it would be the name of the Pod's port.
    servers = monitoring.query(f"proxysql_connpool_conns_status{{{series.proxies(config)}}}")
    primary = f"{names.service_host(names.mariadb_primary(NAME), 'default')}:{SERVER_PORT}"
    assert primary in {sample.labels["endpoint"] for sample in servers}
    assert not any("exported_endpoint" in sample.labels for sample in servers)


def test_nothing_is_wrong_with_a_healthy_database(monitoring: Monitoring) -> None:
    assert any(monitoring.generated.rules.values())
    assert not monitoring.rule_errors()
    monitoring.calm()


def test_prometheus_operator_refuses_what_it_cannot_use(
    site: Site, monitoring: Monitoring, prometheus_program: Path
) -> None:
    """So that it took ours means something."""
    endpoint = {"port": "metrics", "interval": "5s", "scrapeTimeout": "10s"}
    broken: Object = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "broken", "namespace": "default", "labels": {"release": RELEASE}},
        "spec": {"selector": {}, "endpoints": [endpoint]},
    }
    site.cluster.kubectl.apply([broken])
    try:
        with pytest.raises(LocalError, match="broken"):
            generated(site.cluster, prometheus_program)
    finally:
        site.kubectl("delete", "servicemonitor", "broken")


def test_a_primary_that_is_gone(site: Site, monitoring: Monitoring) -> None:
    """Its node is closed, so that it stays away."""
    lost = site.primary
    node = site.cluster.node_of(lost, "default").name
    site.kubectl("cordon", node)

    def killed() -> None:
        site.kubectl("delete", "pod", lost, "--force", "--grace-period=0")

    def over() -> None:
        site.kubectl("uncordon", node)
        site.await_ready()

    _fires(monitoring, "warning", "DatabaseServerDown", killed, over)


def test_a_proxy_that_is_paused(site: Site, monitoring: Monitoring, proxied: bool) -> None:
    _needs_proxies(proxied)
    proxy = site.proxies()[0]

    def say(statement: str) -> None:
        login = "--defaults-file=/etc/proxysql/admin.cnf"
        site.kubectl("exec", proxy, "-c", "proxysql", "--", "mariadb", login, "-e", statement)

    _fires(
        monitoring,
        "warning",
        "ProxyPaused",
        lambda: say("PROXYSQL PAUSE"),
        lambda: say("PROXYSQL RESUME"),
    )


def test_a_replica_that_cannot_go_on(site: Site, monitoring: Monitoring) -> None:
    """It has a row already that the primary sends."""
    site.prepare()
    replica = next(server for server in site.servers() if server != site.primary)

    def unlogged(*statements: str) -> None:
        account, host = Account("root", site.secret(f"{NAME}-root")), site.address(replica)

        def run() -> None:
            with Session(SERVER_PORT, account, host) as session:
                session.query("SET sql_log_bin = 0")
                for statement in statements:
                    session.query(statement)

        site.inside(run)

    def conflict() -> None:
        unlogged(f"INSERT INTO {TABLE} VALUES (-1)")
        site.ask(site.primary, f"INSERT INTO {TABLE} VALUES (-1)")

    def over() -> None:
        def repaired() -> bool:
            unlogged(f"DELETE FROM {TABLE} WHERE id = -1", "START SLAVE")
            return True

        eventually(repaired, 120)  # it may be starting again just now
        site.await_ready()

    _fires(monitoring, "critical", "ReplicationBroken", conflict, over)


def test_a_volume_that_fills_up(config: StackConfig, monitoring: Monitoring) -> None:
    """By its figures; the kubelet's labels are its own."""
    claim = names.mariadb_claims(NAME, "replication", 3)[0]

    def fill() -> None:
        monitoring.cluster.available[claim] = 0.04

    _fires(monitoring, "critical", "VolumeFullSoon", fill, monitoring.cluster.available.clear)
    assert monitoring.fired(OTHERS)["warning"] == {"VolumeFillsUp"}


def _needs_proxies(proxied: bool) -> None:
    if not proxied:
        pytest.skip("no ProxySQL: neither named by PROXYSQL nor on PATH")


def _fires(
    monitoring: Monitoring,
    severity: str,
    alert: str,
    happen: Callable[[], None],
    over: Callable[[], None],
) -> None:
    """Nothing is wrong; then the alert fires, and no other of its severity."""
    monitoring.calm()
    began = time.monotonic()
    happen()
    try:
        eventually(lambda: alert in monitoring.firing()[severity], FIRES)
        after = time.monotonic() - began
        time.sleep(OTHERS)
        fired = monitoring.fired(time.monotonic() - began)
        print(f"{alert} after {after:.0f} s; fired: {dict(fired)}")
        assert fired[severity] == {alert}
    finally:
        over()
