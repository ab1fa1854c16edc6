"""26: what goes wrong with real proxies, and what a real Prometheus says of it.

Labels are as a PodMonitor and a ServiceMonitor give them. The rules are those of the stack, but
that seconds are enough for what must hold for minutes.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.database.servers import Account, SqlError
from testbed.dataplane.deployment import Deployment, Lab
from testbed.dataplane.nodes import APP, Servers
from testbed.dataplane.proxies import Proxy
from testbed.monitoring import monitored
from testbed.monitoring.watch import Watch, watch
from tests.unit.test_runbooks import NAMES, lines

from .conftest import release_of

pytestmark = pytest.mark.dataplane

WRONG = Account(APP.user, "not-the-password")
FAILED_LOGINS = 400
"""More than one a second, on average of five minutes."""


@dataclass(frozen=True)
class Site:
    """Servers behind proxies, and what is said of both."""

    at: Deployment
    watch: Watch

    @property
    def proxy(self) -> Proxy:
        return self.at.tier.proxies[1]


def watched(
    lab: Lab, servers: Servers, kind: str, prometheus_program: Path, exporter_program: Path
) -> Generator[Site]:
    """Until it is closed. `kind`: a routing mode or `galera`."""
    topology = "galera" if kind == "galera" else "replication"
    of = monitored.config(topology, **({} if kind == "galera" else {"proxy": {"routing": kind}}))
    with ExitStack() as stack:
        at = stack.enter_context(lab.deploy(servers, release_of(lab, servers, kind)))
        jobs = stack.enter_context(monitored.jobs(lab, at, of, exporter_program))
        folder = lab.folder("alerts") / "prometheus"
        yield Site(at, stack.enter_context(watch(prometheus_program, folder, of, jobs)))


@pytest.fixture(scope="module")
def pair(
    lab: Lab, replication: Servers, prometheus_program: Path, exporter_program: Path
) -> Iterator[Site]:
    """A replicated database, of which all is well."""
    kind = "primary_service"
    for found in watched(lab, replication, kind, prometheus_program, exporter_program):
        found.watch.says()
        yield found


def test_every_series_of_the_rules_is_there(pair: Site) -> None:
    """23: of servers and proxies."""
    with pair.proxy.session(APP) as session:
        session.query("SELECT 1")
    assert not pair.watch.unknown("mysql_")
    assert not pair.watch.unknown("proxysql_")


def commands() -> list[tuple[str, int, str]]:
    """(page, ordinal of the proxy, script) of what docs/runbooks has proxies asked."""
    return [
        (name, int(words[4].rpartition("-")[2]), words[-1])
        for name in NAMES
        for _, line in lines(name)
        if "admin.cnf" in line
        for words in [shlex.split(line)]
    ]


@pytest.mark.parametrize(("page", "ordinal", "script"), commands())
def test_a_proxy_answers_what_the_runbook_asks(
    pair: Site, page: str, ordinal: int, script: str
) -> None:
    """43: by the client and the login that its Pod has."""
    proxy = pair.at.tier.proxies[ordinal]
    if "RESUME" in script:
        proxy.admin("PROXYSQL PAUSE")
    done = proxy.run(script)
    assert (done.returncode, done.stderr) == (0, ""), page
    if "stats_mysql_connection_pool" in script or "monitor_ping" in script:
        assert done.stdout


def test_a_paused_proxy(pair: Site) -> None:
    pair.proxy.admin("PROXYSQL PAUSE")
    pair.watch.says("ProxyPaused")
    pair.proxy.admin("PROXYSQL RESUME")
    pair.watch.says()


def test_a_proxy_that_is_not_read(pair: Site) -> None:
    """It was killed. Kubernetes sees that later."""
    pair.proxy.kill()
    pair.watch.says("ProxyMetricsMissing")
    undo = pair.watch.change("kube_statefulset_status_replicas_ready", 'proxysql"', 2)
    pair.watch.says("ProxyDown")
    undo()
    pair.proxy.start()
    pair.proxy.await_start()
    pair.watch.says()


def test_clients_use_what_a_proxy_takes(pair: Site) -> None:
    pair.proxy.admin("SET mysql-max_connections = 10", "LOAD MYSQL VARIABLES TO RUNTIME")
    with ExitStack() as stack:
        for _ in range(9):
            stack.enter_context(pair.proxy.session(APP))
        pair.watch.says_too("ProxyClientsNearLimit")
    pair.proxy.admin("SET mysql-max_connections = 2048", "LOAD MYSQL VARIABLES TO RUNTIME")
    pair.watch.says()


def test_another_configuration_for_long(pair: Site) -> None:
    before = pair.proxy.admin("SELECT @@mysql-wait_timeout").value
    pair.proxy.admin("SET mysql-wait_timeout = 12345678", "LOAD MYSQL VARIABLES TO RUNTIME")
    pair.watch.says("ProxyConfigDrift")
    pair.proxy.admin(f"SET mysql-wait_timeout = {before}", "LOAD MYSQL VARIABLES TO RUNTIME")
    pair.watch.says()


def test_wrong_passwords(pair: Site) -> None:
    for _ in range(FAILED_LOGINS):
        with suppress(SqlError), pair.proxy.session(WRONG):
            pytest.fail("a wrong password let somebody in")
    pair.watch.says("LoginsRefused")


def test_the_primary_is_read_only(pair: Site) -> None:
    """Writes wait. The alert of the passwords before goes on for some minutes."""
    pair.at.primary.query("SET GLOBAL read_only = 1")
    pair.watch.says_too("DatabaseNoWritableServer", "ProxyNoWriter")
    pair.at.primary.query("SET GLOBAL read_only = 0")


def test_a_proxy_that_cannot_connect(pair: Site) -> None:
    """To a port where nobody listens. Its clients wait, here not for long."""
    proxy = pair.proxy
    proxy.admin(
        "SET mysql-connect_timeout_server_max = 2000",
        "LOAD MYSQL VARIABLES TO RUNTIME",
        "UPDATE mysql_servers SET port = 1",
        "LOAD MYSQL SERVERS TO RUNTIME",
    )

    def ask() -> None:
        with suppress(SqlError), proxy.session(APP) as session:
            session.query("SELECT 1")

    while_asking(ask, pair.watch, "ProxyBackendErrors", "ProxyWaitTimeouts")


def while_asking(ask: Callable[[], None], watch: Watch, *names: str) -> None:
    """What fires while somebody asks again and again."""
    for _ in range(60):
        if watch.prometheus.firing() >= set(names):
            break
        ask()
    watch.says_too(*names)
