"""Tier 4: metrics of a MariaDB, by the exporter of its real operator and by this program's.

Servers and exporters are simulated: what they answer is tier 5. The tests run in order, each on
what the last one left.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pulumi.automation import Stack

from local.control_plane import ControlPlane
from local.engine import Engine
from tests.engine.stacks import Cluster, changes, raw_state, refused
from tests.program import pod_security

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NAME = "watched"
OPERATORS = ("deployments", "services", "servicemonitors")
"""Kinds of what mariadb-operator makes, all of one name."""
BASE: dict[str, Any] = {
    "mysql-ha:size": "dev",
    "mysql-ha:name": NAME,
    "mysql-ha:proxy": {"enabled": True},
    "mysql-ha:database": {"network_policy": {"enabled": True}},
    "mysql-ha:security": {"network_policy": {"enabled": True, "metrics_from": ["monitoring"]}},
}


def settings(**monitoring: Any) -> dict[str, Any]:
    return {**BASE, **({"mysql-ha:monitoring": monitoring} if monitoring else {})}


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    return Cluster(control_plane, "default")


def eventually(look: Callable[[], Any]) -> Any:
    """What a look finds, once it finds something; the test's own time-out ends it."""
    while not (found := look()):
        time.sleep(0.5)
    return found


REFUSED: dict[str, Any] = {
    "matchConstraints": {
        "resourceRules": [
            {
                "apiGroups": ["k8s.mariadb.com"],
                "apiVersions": ["*"],
                "operations": ["UPDATE"],
                "resources": ["users/status", "grants/status"],
            }
        ]
    },
    "matchConditions": [{"name": "ours", "expression": f"object.spec.mariaDbRef.name == '{NAME}'"}],
    "validations": [{"expression": "object.status.conditions.all(c, c.status == 'True')"}],
}
"""No account of this database, and no privilege, is ever said to be missing."""


@pytest.fixture(scope="module")
def accounts(cluster: Cluster) -> None:
    """No server tells the operator that its accounts are there: here the API server has it so."""
    kind, name = "ValidatingAdmissionPolicy", {"name": f"{NAME}-accounts"}
    binding = {"policyName": name["name"], "validationActions": ["Deny"]}
    cluster.control_plane.kubectl.apply(
        [
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": f"{kind}{end}",
                "metadata": name,
                "spec": spec,
            }
            for end, spec in (("", REFUSED), ("Binding", binding))
        ]
    )


def exporter_of_the_operator(cluster: Cluster) -> dict[str, Any] | None:
    """Its ServiceMonitor, the last that it makes once the accounts are there."""
    ready = {"type": "Ready", "status": "True", "reason": "Created", "message": "by the test"}
    status = {"conditions": [{**ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    for kind in ("users", "grants"):
        for name, item in cluster.list(kind).items():
            conditions = item.get("status", {}).get("conditions")
            if item["spec"]["mariaDbRef"]["name"] == NAME and conditions != status["conditions"]:
                cluster.control_plane.kubectl(
                    *("patch", kind, name, "-n", cluster.namespace, "--subresource=status"),
                    *("--type=merge", "-p", json.dumps({"status": status})),
                )
    return cluster.list("servicemonitors").get(f"{NAME}-metrics")


def live(cluster: Cluster) -> Mapping[str, Any]:
    return cluster.list("mariadbs")[NAME]["spec"]


def no_password_shows(engine: Engine, stack: Stack, cluster: Cluster) -> None:
    """In what this program and the operator made, and in the state."""
    passwords = cluster.passwords()
    assert passwords
    kinds = (*OPERATORS, "podmonitors", "prometheusrules", "configmaps", "mariadbs", "users")
    texts = {kind: json.dumps(cluster.list(kind)) for kind in kinds}
    texts["state"] = raw_state(engine, stack)
    found = [where for where, text in texts.items() if any(one in text for one in passwords)]
    assert found == []


@pytest.mark.usefixtures("accounts")
def test_the_operator_runs_the_exporter_by_our_account(engine: Engine, cluster: Cluster) -> None:
    labels = {"release": "kube"}
    stack = engine.open("monitoring", settings(scrape="prometheus_operator", labels=labels))
    stack.up(on_output=print)
    account = cluster.list("users")[f"{NAME}-metrics"]
    monitor = eventually(lambda: exporter_of_the_operator(cluster))

    # Ours, which the operator found there: it made none of its own, with more privileges.
    user, grant = (cluster.list(kind)[f"{NAME}-metrics"] for kind in ("users", "grants"))
    assert user["metadata"]["uid"] == account["metadata"]["uid"]
    assert user["spec"]["name"] == "mysql_ha_exporter"
    assert grant["spec"]["privileges"] == ["SLAVE MONITOR"]

    # As this program says it, and nothing had to be added.
    assert monitor["metadata"]["labels"] == labels
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["path"], endpoint["interval"], endpoint["scrapeTimeout"]) == (
        "/probe",
        "30s",
        "10s",
    )
    pod = cluster.list("deployments")[f"{NAME}-metrics"]["spec"]["template"]["spec"]
    assert pod_security.violations(pod) == []
    (container,) = pod["containers"]
    assert container["resources"].keys() == {"requests", "limits"}
    policies = cluster.list("networkpolicies")
    selector = policies[f"{NAME}-exporter"]["spec"]["podSelector"]["matchLabels"]
    template = cluster.list("deployments")[f"{NAME}-metrics"]["spec"]["template"]["metadata"]
    assert selector.items() <= template["labels"].items()

    assert (
        cluster.list("podmonitors")[f"{NAME}-proxysql"]["metadata"]["labels"]["release"] == "kube"
    )
    assert NAME in cluster.list("prometheusrules")
    stack.preview(refresh=True, expect_no_changes=True, on_output=print)
    assert changes(stack.up(on_output=print)) == {}
    no_password_shows(engine, stack, cluster)


def test_another_label_reaches_the_operators_monitor_by_hand(
    engine: Engine, cluster: Cluster
) -> None:
    """It has a new interval, so the operator was there, and the old label. What the preview says
    brings the new one; without the Service nothing would tell the operator."""
    labels = {"release": "other"}
    monitoring = {"scrape": "prometheus_operator", "labels": labels, "interval_seconds": 20}
    stack, said = engine.open("monitoring", settings(**monitoring)), list[str]()
    stack.up(on_output=said.append)

    def monitor() -> dict[str, Any]:
        return cluster.list("servicemonitors").get(f"{NAME}-metrics", {})

    eventually(lambda: monitor()["spec"]["endpoints"][0]["interval"] == "20s")
    assert monitor()["metadata"]["labels"] == {"release": "kube"}
    command = f"servicemonitor,service {NAME}-metrics"
    assert f"kubectl -n default delete {command}" in "".join(said)
    cluster.control_plane.kubectl("delete", "-n", cluster.namespace, *command.split())
    assert eventually(monitor)["metadata"]["labels"] == labels
    eventually(lambda: f"{NAME}-metrics" in cluster.list("services"))


def test_the_key_may_not_just_go(engine: Engine) -> None:
    """The object's field would be left as it is, for an account that is gone."""
    assert "monitoring.scrape: is gone" in refused(engine, "monitoring", settings())


def test_another_scraper_takes_the_operators_entry_away(engine: Engine, cluster: Cluster) -> None:
    account = cluster.list("users")[f"{NAME}-metrics"]["metadata"]["uid"]
    stack, said = engine.open("monitoring", settings(scrape="annotations")), list[str]()
    stack.up(on_output=said.append)
    assert "metrics" not in live(cluster)
    assert f"delete deployment,service,servicemonitor {NAME}-metrics" in "".join(said)
    assert cluster.list("podmonitors").keys().isdisjoint({f"{NAME}-proxysql"})
    assert NAME not in cluster.list("prometheusrules")
    assert cluster.list("users")[f"{NAME}-metrics"]["metadata"]["uid"] == account
    service = cluster.list("services")[f"{NAME}-metrics-0"]
    target = f"{NAME}-0.{NAME}-internal.default.svc.cluster.local:3306"
    assert service["metadata"]["annotations"]["prometheus.io/param_target"] == target
    eventually(lambda: [pod for pod in cluster.list("pods") if pod.startswith(f"{NAME}-exporter-")])
    login = cluster.secret(f"{NAME}-exporter-config")["exporter.cnf"]
    assert f"password={cluster.secret(f'{NAME}-exporter')['password']}" in login.splitlines()
    stack.preview(refresh=True, expect_no_changes=True, on_output=print)
    assert changes(stack.up(on_output=print)) == {}
    no_password_shows(engine, stack, cluster)


def test_without_a_scraper_all_goes_that_is_ours(engine: Engine, cluster: Cluster) -> None:
    """What the operator made stays: it deletes nothing, of which the last update warned."""
    stack = engine.open("monitoring", settings(scrape="none"))
    stack.up(on_output=print)
    ours = {"deployments": "exporter", "services": "metrics-0", "networkpolicies": "exporter"}
    ours |= {"users": "metrics", "grants": "metrics", "configmaps": "dashboard"}
    assert [kind for kind, end in ours.items() if f"{NAME}-{end}" in cluster.list(kind)] == []
    secrets = {f"{NAME}-exporter", f"{NAME}-exporter-config"}
    assert cluster.list("secrets").keys().isdisjoint(secrets)
    assert [kind for kind in OPERATORS if f"{NAME}-metrics" in cluster.list(kind)] == [*OPERATORS]
    assert "metrics" not in live(cluster)
    # From here on the field is people's.
    assert changes(engine.open("monitoring", settings()).up(on_output=print)) == {}
    cluster.abandon(NAME)
