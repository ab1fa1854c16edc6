"""Who may reach the servers: the flow table of docs/operations.md, asked of the policies.

A small matcher answers as Kubernetes says that a network plugin must. Nothing enforces policies on
this machine; that the labels are those of real Pods: tests/engine/test_stack.py.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from components.config.engine import ENGINES
from components.config.errors import ConfigError
from components.config.load import resolve
from components.guards.edits.facts import Facts
from components.guards.edits.warnings import warnings
from local import sql
from render.case import case
from render.recorder import Recording, Resource, plain
from tests.program.cases import all_cases, by_id, recorded, trees

pytestmark = pytest.mark.broad

DATABASE = "shop"
"""The namespace of the databases here."""


@dataclass(frozen=True)
class Pod:
    """Somebody who connects; without an address, from inside the cluster."""

    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace: str = DATABASE
    address: str | None = None


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector; an empty one selects everything."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_from(peer: Mapping[str, Any], pod: Pod, namespace: str) -> bool:
    """Whether a peer of a policy in `namespace` is this Pod or address."""
    if "ipBlock" in peer:
        assert peer.keys() == {"ipBlock"}
        network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return pod.address is not None and ipaddress.ip_address(pod.address) in network
    assert peer, "a peer without selectors means nothing"
    if pod.address is not None:
        return False
    if "namespaceSelector" in peer:
        there = {"kubernetes.io/metadata.name": pod.namespace}
        if not selects(peer["namespaceSelector"], there):
            return False
    elif pod.namespace != namespace:
        return False
    return selects(peer.get("podSelector", {}), pod.labels)


def lets(policy: Mapping[str, Any], pod: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether the Pods of a policy accept a connection."""
    assert policy["spec"]["policyTypes"] == ["Ingress"], "what leaves is not restricted"
    for rule in policy["spec"]["ingress"]:
        assert rule["ports"], "a rule without ports opens all"
        assert rule.get("from") != [], "an empty list admits everyone"
        if {"port": port, "protocol": protocol} in rule["ports"] and (
            "from" not in rule
            or any(is_from(peer, pod, policy["metadata"]["namespace"]) for peer in rule["from"])
        ):
            return True
    return False


def policies(recording: Recording) -> list[dict[str, Any]]:
    return [
        plain(r.inputs)
        for r in recording.of_kind("NetworkPolicy")
        if r.inputs["metadata"]["labels"]["app.kubernetes.io/name"] == "servers"
    ]


def policy(**config: Any) -> dict[str, Any]:
    """The policy of the servers of a small stack in the namespace `shop`."""
    recording = case("policy", {"size": "small", "namespace": DATABASE, **config}).run()
    assert recording.error is None, recording.error
    (found,) = policies(recording)
    return found


REPLICATION: dict[str, Any] = {}
STANDALONE: dict[str, Any] = {"database": {"topology": "standalone", "replicas": 1}}
GALERA: dict[str, Any] = {"database": {"topology": "galera"}}
PERCONA: dict[str, Any] = {"engine": "percona"}
BESIDE: dict[str, Any] = {"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}

APP = "app.kubernetes.io"


def labelled(name: str, instance: str = "mysql", **more: str) -> Pod:
    """A Pod by the labels that both operators and this program use."""
    labels = {f"{APP}/name": name, f"{APP}/instance": instance}
    return Pod({**labels, **{f"{APP}/{key}": text for key, text in more.items()}})


def elsewhere(pod: Pod, namespace: str) -> Pod:
    return Pod(pod.labels, namespace)


PROXY, SERVER = labelled("proxysql"), labelled("mariadb")
OPERATOR = elsewhere(labelled("mariadb-operator", "any-release"), "mariadb-system")
EXPORTER = labelled("exporter", "mysql-metrics")
BACKUP, SHELL = Pod({"mysql-ha/role": "backup"}), Pod({"mysql-ha/role": "sql"})
WEB, OTHER = labelled("web", "web"), elsewhere(labelled("web", "web"), "web")
NODE = Pod(address="10.20.3.4")
NEIGHBOUR = labelled("mariadb", "mysql2")
NEIGHBOUR_PROXY = labelled("proxysql", "mysql2")
AWAY = elsewhere(SERVER, "web")
STRANGERS = (WEB, OTHER, NODE, NEIGHBOUR, NEIGHBOUR_PROXY, AWAY)

PXC = labelled("percona-xtradb-cluster", component="pxc")
PXC_PROXY = labelled("percona-xtradb-cluster", component="proxysql")
PITR = labelled("percona-xtradb-cluster", component="pitr")
PXC_BACKUP = Pod(
    {
        **labelled("percona-xtradb-cluster").labels,
        "percona.com/backup-type": "xtrabackup",
        "percona.com/cluster": "mysql",
    }
)
PXC_OPERATOR = labelled("percona-xtradb-cluster-operator", "op", component="operator")
PXC_CHART = elsewhere(labelled("pxc-operator", "op", component="operator"), "percona")
PXC_NEIGHBOUR = labelled("percona-xtradb-cluster", "mysql2", component="pxc")

Flows = dict[tuple[int, str], tuple[Pod, ...]]
SQL, AGENT, PROBES = (3306, "TCP"), (5555, "TCP"), (5566, "TCP")
ADMIN = (33062, "TCP")
GROUP, GROUP_UDP = (4567, "TCP"), (4567, "UDP")
INCREMENTAL, TRANSFER = (4568, "TCP"), (4444, "TCP")
PORTS = (SQL, AGENT, PROBES, ADMIN, GROUP, GROUP_UDP, INCREMENTAL, TRANSFER)

OF_MARIADB = (PROXY, SERVER, OPERATOR, EXPORTER, BACKUP, SHELL)
OF_PERCONA = (PXC, PXC_PROXY, PITR, PXC_BACKUP, PXC_OPERATOR, PXC_CHART)
MARIADB_AGENT: Flows = {AGENT: (OPERATOR,), PROBES: (OPERATOR,)}
MARIADB_GROUP: Flows = {port: (SERVER,) for port in (GROUP, GROUP_UDP, INCREMENTAL, TRANSFER)}
PERCONA_GROUP: Flows = {
    port: (PXC, PXC_BACKUP) for port in (GROUP, GROUP_UDP, INCREMENTAL, TRANSFER)
}
TABLE: list[tuple[str, dict[str, Any], Flows]] = [
    ("replication", REPLICATION, {SQL: OF_MARIADB, **MARIADB_AGENT}),
    ("standalone", STANDALONE, {SQL: OF_MARIADB}),
    ("galera", GALERA, {SQL: OF_MARIADB, **MARIADB_AGENT, **MARIADB_GROUP}),
    (
        "percona",
        PERCONA,
        {SQL: (*OF_PERCONA, BACKUP, SHELL), ADMIN: OF_PERCONA, **PERCONA_GROUP},
    ),
    (
        "beside-percona",
        BESIDE,
        {SQL: (*OF_PERCONA, PROXY, BACKUP, SHELL), ADMIN: OF_PERCONA, **PERCONA_GROUP},
    ),
]
"""Who may reach which port, by topology; nobody else of EVERYONE, and no other port."""
EVERYONE = (*OF_MARIADB, *OF_PERCONA, *STRANGERS, PXC_NEIGHBOUR)


@pytest.mark.parametrize(("config", "flows"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_the_flow_table(config: dict[str, Any], flows: Flows) -> None:
    found = policy(**config)
    for port, protocol in PORTS:
        allowed = flows.get((port, protocol), ())
        for pod in EVERYONE:
            assert lets(found, pod, port, protocol) == (pod in allowed), (port, protocol, pod)


@pytest.mark.parametrize(("config", "flows"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_without_proxies_apps_reach_the_servers(config: dict[str, Any], flows: Flows) -> None:
    """By SQL only: the other ports are as they were."""
    found = policy(**{**config, "proxy": {"enabled": False}})
    for pod in (*EVERYONE, NODE):
        assert lets(found, pod, 3306)
        for port, protocol in PORTS[1:]:
            allowed = flows.get((port, protocol), ())
            assert lets(found, pod, port, protocol) == (pod in allowed)


CLIENTS: list[tuple[dict[str, Any], tuple[Pod, ...]]] = [
    ({"namespace": "web"}, (OTHER, AWAY)),
    ({"namespace": "web", "pod_labels": {f"{APP}/name": "web"}}, (OTHER,)),
    ({"pod_labels": {f"{APP}/name": "web"}}, (WEB,)),
    ({"namespace": DATABASE}, (WEB, NEIGHBOUR, NEIGHBOUR_PROXY)),
    ({"cidr": "10.20.0.0/16"}, (NODE,)),
    ({"cidr": "10.21.0.0/16"}, ()),
]


@pytest.mark.parametrize("proxies", [True, False])
@pytest.mark.parametrize(("client", "allowed"), CLIENTS, ids=str)
def test_a_client_is_named(client: dict[str, Any], allowed: Sequence[Pod], proxies: bool) -> None:
    """With a list nobody else may connect, with proxies or without."""
    found = policy(database={"network_policy": {"clients": [client]}}, proxy={"enabled": proxies})
    for pod in STRANGERS:
        assert lets(found, pod, 3306) == (pod in allowed), pod
        assert not lets(found, pod, 5555)
    assert lets(found, PROXY, 3306) == (proxies or client == {"namespace": DATABASE})
    assert all(lets(found, pod, 3306) for pod in (SERVER, OPERATOR))


@pytest.mark.parametrize(
    ("operator", "allowed", "refused"),
    [
        ({}, (OPERATOR, elsewhere(OPERATOR, "default")), (Pod({f"{APP}/name": "op"}, "ops"),)),
        ({"namespace": "mariadb-system"}, (OPERATOR,), (elsewhere(OPERATOR, "web"),)),
        (
            {"namespace": "ops", "pod_labels": {f"{APP}/name": "op", "tier": "a"}},
            (Pod({f"{APP}/name": "op", "tier": "a", "more": "b"}, "ops"),),
            (Pod({f"{APP}/name": "op"}, "ops"), elsewhere(OPERATOR, "ops"), OPERATOR),
        ),
        (
            {"pod_labels": {"control-plane": "op"}},
            (Pod({"control-plane": "op"}, "ops"), Pod({"control-plane": "op"}, "web")),
            (OPERATOR,),
        ),
    ],
    ids=str,
)
def test_where_the_operator_is(
    operator: dict[str, Any], allowed: Sequence[Pod], refused: Sequence[Pod]
) -> None:
    """Unset, the label of its chart counts wherever it runs: no default can cut it off."""
    found = policy(operator=operator)
    for port in (3306, 5555, 5566):
        assert all(lets(found, pod, port) for pod in allowed)
        assert not any(lets(found, pod, port) for pod in refused)


def expected(name: str) -> Iterator[tuple[str, str]]:
    """(namespace, name) of the policies that a case must have."""
    for database, tree in trees(by_id()[name]).items():
        given = tree.get("database", {}).get("network_policy", {})
        if given.get("enabled", tree.get("size", "dev") != "dev"):
            servers = database if tree.get("engine", "mariadb") == "mariadb" else f"{database}-pxc"
            yield tree.get("namespace", "default"), servers


@pytest.mark.parametrize("name", [case.id for case in all_cases()])
def test_it_follows_the_config_and_selects_servers_only(name: str) -> None:
    found = policies(recorded(name))
    assert {(p["metadata"]["namespace"], p["metadata"]["name"]) for p in found} == {*expected(name)}
    proxies: list[Resource] = recorded(name).of_kind("StatefulSet")
    for one in found:
        labels = one["spec"]["podSelector"]["matchLabels"]
        assert labels
        for stateful_set in proxies:
            pods = stateful_set.inputs["spec"]["template"]["metadata"]["labels"]
            assert not selects({"matchLabels": labels}, pods)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", ["dev", "small", "large"])
def test_a_database_that_was_there_is_left_open(engine: str, size: str) -> None:
    for adopt in ("import", "take_over"):
        tree = {"engine": engine, "size": size, "adopt": adopt}
        assert not resolve(tree).database.network_policy.enabled
        insisting = {"database": {"network_policy": {"enabled": True}}}
        assert resolve({**tree, **insisting}).database.network_policy.enabled


def test_an_existing_stack_is_warned() -> None:
    """Once, and not where anyone may still connect."""
    before: Facts = {"engine": "mariadb"}
    closed, still_open = (
        plain(case("warned", {"size": "small", "proxy": proxy}).run().outputs["immutable"])["mysql"]
        for proxy in ({"enabled": True}, {"enabled": False})
    )
    (told,) = warnings("orders", before, closed)
    assert "database.network_policy.clients" in told
    assert not [*warnings("orders", closed, closed)]
    assert not [*warnings("orders", before, still_open)]


def test_the_shell_of_make_sql_is_let_in() -> None:
    config = resolve({"size": "small", "namespace": DATABASE})
    outputs = {"host": "h", "port": "6033", "admin_secret": {"name": "s", "key": "k"}}
    shell = sql.pod(config, sql.login(config, outputs, None), "shell")["metadata"]
    assert lets(policy(), Pod(shell["labels"], shell["namespace"]), 3306)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"clients": [{}]}, "clients[0]"),
    ({"clients": [{"namespace": "a", "cidr": "10.0.0.0/8"}]}, "clients[0]"),
    ({"clients": [{"cidr": "10.0.0.1/8"}]}, "clients[0].cidr"),
    ({"clients": [{"cidr": "10.0.0.1"}]}, "clients[0].cidr"),
    ({"clients": [{"cidr": "everyone"}]}, "clients[0].cidr"),
    ({"clients": ["web"]}, "clients[0]"),
    ({"enabled": False, "clients": [{"namespace": "a"}]}, "clients"),
    ({"enabled": "yes"}, "enabled"),
]


@pytest.mark.parametrize(("tree", "path"), REFUSED, ids=str)
def test_refused(tree: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve({"size": "small", "database": {"network_policy": tree}})
    assert [fault[0] for fault in error.value.faults] == [f"database.network_policy.{path}"]


def test_an_operator_without_a_policy_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        resolve({"operator": {"namespace": "ops"}})
    assert [fault[0] for fault in error.value.faults] == ["operator"]
    shared = {"operator": {"namespace": "ops"}}
    assert resolve({"size": "small", **shared}).operator.namespace == "ops"
    assert resolve(shared, own={}).operator.namespace == "ops", "other databases need it"
