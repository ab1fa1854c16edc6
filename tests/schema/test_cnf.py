"""The proxysql.cnf of every stack, read back by a libconfig parser."""

import re

import pytest

from components import names
from tests.program.cases import all_cases, by_id, is_proxied, recorded, trees
from tests.program.recorder import Recording, Resource, plain
from tests.unit import libconfig

CASES = [case.id for case in all_cases() if is_proxied(case)]


@pytest.mark.parametrize("name", CASES)
def test_the_file_of_a_stack(name: str) -> None:
    recording = recorded(name)
    for stateful_set in recording.of_kind("StatefulSet"):
        metadata = stateful_set.inputs["metadata"]
        name_of_database = metadata["labels"]["app.kubernetes.io/instance"]
        (database,) = [
            r
            for kind in ("MariaDB", "PerconaXtraDBCluster")
            for r in recording.of_kind(kind)
            if r.inputs["metadata"]["name"] == name_of_database
        ]
        proxy = trees(by_id()[name])[name_of_database].get("proxy", {})
        (volume,) = [
            v
            for v in stateful_set.inputs["spec"]["template"]["spec"]["volumes"]
            if v["name"] == "config"
        ]
        files = plain(recording.one("Secret", volume["secret"]["secretName"]).inputs)["stringData"]
        own = bool(proxy.get("tls", {}).keys() & {"secret", "issuer"})
        script = {"reload-tls.sh"} if own else set[str]()
        assert files.keys() == {"proxysql.cnf", "admin.cnf", "self-check.sql", *script}
        cnf = libconfig.parse(files["proxysql.cnf"])
        home = metadata["namespace"]
        spec = database.inputs["spec"]
        assert [server["address"] for server in cnf["mysql_servers"]] == backends(
            database, home, proxy.get("routing", "primary_service")
        )
        tls = spec["tls"]["enabled"]
        assert {server["use_ssl"] for server in cnf["mysql_servers"]} == {int(tls)}
        assert ("ssl_p2s_ca" in cnf["mysql_variables"]) == tls
        peers = cnf.get("proxysql_servers", [])
        assert len(peers) in (0, stateful_set.inputs["spec"]["replicas"])
        admin = re.search(r"admin:([^;]+)", cnf["admin_variables"]["admin_credentials"])
        assert admin
        assert f"password={admin[1]}\n" in files["admin.cnf"]
        assert cnf["mysql_variables"]["monitor_username"] == monitor(recording, database)


def backends(database: Resource, namespace: str, routing: str) -> list[str]:
    """What the proxies connect to: the servers' Pods, or the operator's two Services."""
    name, spec = database.inputs["metadata"]["name"], database.inputs["spec"]
    if database.kind == "PerconaXtraDBCluster":
        return list(names.pxc_pod_hosts(name, namespace, spec["pxc"]["size"]))
    if "replication" in spec and routing == "primary_service":
        primary, secondary = names.mariadb_primary(name), names.mariadb_secondary(name)
        # The primary reads too, when no replica is there.
        services = (primary, secondary, primary)
        return [names.service_host(service, namespace) for service in services]
    return list(names.mariadb_pod_hosts(name, namespace, spec["replicas"]))


def monitor(recording: Recording, database: Resource) -> str:
    """The name of the account that the operator is told to make."""
    if database.kind == "PerconaXtraDBCluster":
        (user,) = database.inputs["spec"]["users"]
        return user["name"]
    (made,) = [
        r
        for r in recording.of_kind("User")
        if r.inputs["spec"]["mariaDbRef"]["name"] == database.inputs["metadata"]["name"]
    ]
    return made.inputs["spec"]["name"]
