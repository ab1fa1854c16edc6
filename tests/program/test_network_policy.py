"""Who may reach the proxies: the NetworkPolicy of every stack."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.config.engine import ENGINES
from render.case import case
from render.recorder import Recording, Resource
from tests.program.cases import all_cases, by_id, cnf, is_proxied, recorded, trees

pytestmark = pytest.mark.broad

PROXIED = [case.id for case in all_cases() if is_proxied(case)]
ALL_PROXIED = pytest.mark.parametrize("name", PROXIED)
ADMIN, METRICS = 6032, 6070


def policies(recording: Recording) -> dict[tuple[str, str], Resource]:
    """Those of proxies, by namespace and name. The servers': test_server_policy.py."""
    return {
        (r.inputs["metadata"]["namespace"], r.inputs["metadata"]["name"]): r
        for r in recording.of_kind("NetworkPolicy")
        if r.inputs["metadata"]["labels"]["app.kubernetes.io/name"] == "proxysql"
    }


def protected(name: str) -> list[tuple[Resource, dict[str, Any], Mapping[str, Any]]]:
    """(StatefulSet, spec of its policy, config of its database) of every protected tier."""
    recording = recorded(name)
    found = policies(recording)
    result: list[tuple[Resource, dict[str, Any], Mapping[str, Any]]] = []
    for stateful_set in recording.of_kind("StatefulSet"):
        metadata = stateful_set.inputs["metadata"]
        policy = found.get((metadata["namespace"], metadata["name"]))
        if policy:
            database = metadata["labels"]["app.kubernetes.io/instance"]
            result.append((stateful_set, policy.inputs["spec"], trees(by_id()[name])[database]))
    return result


def sources(spec: Mapping[str, Any]) -> dict[int, list[dict[str, Any]] | None]:
    """Port to who may reach it; None is everyone."""
    found: dict[int, list[dict[str, Any]] | None] = {}
    for rule in spec["ingress"]:
        assert rule["ports"], "a rule without ports would open all of them"
        # An empty list is the same as none: everyone.
        assert rule.get("from") != []
        assert {} not in rule.get("from", [])
        for port in rule["ports"]:
            assert port["protocol"] == "TCP"
            assert port["port"] not in found
            found[port["port"]] = rule.get("from")
    return found


def namespaces(*names: str) -> list[dict[str, Any]]:
    return [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in names
    ]


def reader(who: Mapping[str, Any]) -> dict[str, Any]:
    """Who reads statistics, as a policy says it."""
    there = namespaces(who["namespace"])[0] if "namespace" in who else {}
    if "pod_labels" in who or not there:
        there["podSelector"] = {"matchLabels": who["pod_labels"]}
    return there


def listened(recording: Recording, stateful_set: Resource) -> set[int]:
    """The ports of the interfaces in the file that the Pods run."""
    interfaces = cnf(recording, stateful_set)["mysql_variables"]["interfaces"]
    return {int(interface.rpartition(":")[2]) for interface in interfaces.split(";")}


@ALL_PROXIED
def test_a_policy_follows_the_config(name: str) -> None:
    expected = {
        (tree.get("namespace", "default"), ENGINES[tree.get("engine", "mariadb")].proxies(database))
        for database, tree in trees(by_id()[name]).items()
        if tree.get("proxy", {}).get("enabled", tree.get("size", "dev") != "dev")
        and tree.get("security", {})
        .get("network_policy", {})
        .get("enabled", tree.get("size", "dev") != "dev")
    }
    assert policies(recorded(name)).keys() == expected


@pytest.mark.parametrize("name", ["dev", "servers-secret"])
def test_without_proxies_there_is_nothing_to_protect(name: str) -> None:
    assert not policies(recorded(name))


@ALL_PROXIED
def test_it_selects_the_proxies_and_no_other_pod(name: str) -> None:
    recording = recorded(name)
    for stateful_set, spec, _ in protected(name):
        assert spec["podSelector"] == stateful_set.inputs["spec"]["selector"]
        labels = stateful_set.inputs["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"].items() <= labels.items()
        others = [r for r in recording.of_kind("StatefulSet") if r is not stateful_set]
        for other in others:
            elsewhere = other.inputs["spec"]["template"]["metadata"]["labels"]
            assert not spec["podSelector"]["matchLabels"].items() <= elsewhere.items()


@ALL_PROXIED
def test_it_restricts_what_comes_in_only(name: str) -> None:
    """A proxy reaches its servers, DNS and its peers."""
    for _, spec, _ in protected(name):
        assert spec["policyTypes"] == ["Ingress"]
        assert spec.keys() == {"podSelector", "policyTypes", "ingress"}


@ALL_PROXIED
def test_every_interface_is_open_to_clients(name: str) -> None:
    """R 17."""
    for stateful_set, spec, tree in protected(name):
        allowed = tree.get("security", {}).get("network_policy", {}).get("clients_from", [])
        found = sources(spec)
        clients = listened(recorded(name), stateful_set)
        assert found.keys() == clients | {ADMIN, METRICS}
        for port in clients:
            assert found[port] == (namespaces(*allowed) or None)


@ALL_PROXIED
def test_the_admin_port_is_for_the_proxies_alone(name: str) -> None:
    """R 17: it is full control. Beside them for those who read statistics and, with
    `expose_admin`, for those who may be clients."""
    for stateful_set, spec, tree in protected(name):
        exposed = tree.get("proxy", {}).get("service", {}).get("expose_admin", False)
        allowed = tree.get("security", {}).get("network_policy", {}).get("clients_from", [])
        peers = {"podSelector": stateful_set.inputs["spec"]["selector"]}
        readers = tree.get("proxy", {}).get("stats_readers", [])
        expected: list[dict[str, Any]] | None = [peers, *map(reader, readers)]
        if exposed:
            expected = [*expected, *namespaces(*allowed)] if allowed else None
        assert sources(spec)[ADMIN] == expected


@ALL_PROXIED
def test_the_metrics_are_for_the_namespace_and_those_listed(name: str) -> None:
    for _, spec, tree in protected(name):
        allowed = tree.get("security", {}).get("network_policy", {}).get("metrics_from", [])
        assert sources(spec)[METRICS] == [{"podSelector": {}}, *namespaces(*allowed)]


@ALL_PROXIED
def test_every_port_of_a_service_is_let_through(name: str) -> None:
    recording = recorded(name)
    for stateful_set, spec, _ in protected(name):
        (container,) = stateful_set.inputs["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        labels = stateful_set.inputs["spec"]["template"]["metadata"]["labels"]
        open_ports = sources(spec)
        for service in recording.of_kind("Service"):
            if service.inputs["spec"]["selector"].items() <= labels.items():
                for port in service.inputs["spec"]["ports"]:
                    assert ports[port["targetPort"]] in open_ports


def test_the_variants_say_something() -> None:
    """So that the laws above are about lists, several ports and an open admin port."""
    ((_, lists, _),) = protected("network-policy")
    ((_, admin, _),) = protected("network-policy-admin")
    assert sources(lists) == {
        6033: namespaces("shop", "web"),
        6034: namespaces("shop", "web"),
        6032: [
            {
                "podSelector": {
                    "matchLabels": {
                        "app.kubernetes.io/name": "proxysql",
                        "app.kubernetes.io/instance": "mysql",
                    }
                }
            }
        ],
        6070: [{"podSelector": {}}, *namespaces("monitoring")],
    }
    admins = sources(admin)[6032]
    assert admins
    assert admins[1:] == namespaces("web")
    ((_, read, _),) = protected("stats-readers")
    assert (sources(read)[6032] or [])[1:] == [
        {**namespaces("monitoring")[0], "podSelector": {"matchLabels": {"app": "agent"}}},
        {"podSelector": {"matchLabels": {"app": "dashboard"}}},
        *namespaces("tools"),
    ]
    ((_, plain_one, _),) = protected("small")
    assert sources(plain_one)[6033] is None


@pytest.mark.parametrize(
    "policy",
    [{"enabled": False}, {"clients_from": ["a"], "metrics_from": ["b"]}, {"enabled": True}],
    ids=str,
)
def test_pods_and_their_probes_do_not_depend_on_it(policy: dict[str, Any]) -> None:
    """Probes come from the node, which a policy never keeps out; nor does an edit roll the Pods."""
    before = case("policy", {"size": "small"}).run()
    after = case("policy", {"size": "small", "security": {"network_policy": policy}}).run()
    assert after.error is None, after.error
    assert before.one("StatefulSet").inputs == after.one("StatefulSet").inputs
    assert bool(policies(after)) == policy.get("enabled", True)


def test_a_policy_comes_before_no_proxy_and_blocks_nothing() -> None:
    """It may come at any time: nothing waits for it."""
    recording = recorded("small")
    assert len(recording.of_kind("NetworkPolicy")) == 2
    for policy in recording.of_kind("NetworkPolicy"):
        assert not any(policy.urn in r.depends_on for r in recording.resources)
