"""The proxysql.cnf of every stack, read back by a libconfig parser."""

import re

import pytest

from components import names
from render.recorder import Recording, Resource
from tests.program.cases import all_cases, by_id, is_proxied, mounted, recorded, trees
from tests.program.cases import cnf as parsed

pytestmark = pytest.mark.broad

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
        files = mounted(recording, stateful_set)
        own = bool(proxy.get("tls", {}).keys() & {"secret", "issuer"})
        names_of_files = {"proxysql.cnf", "admin.cnf", "self-check.sql", "reload.sh"}
        names_of_files |= {"reload-tls.sh"} if own else set()
        if (
            database.kind == "MariaDB"
            and "replication" in database.inputs["spec"]
            and proxy.get("routing", "primary_service") == "primary_service"
            and proxy.get("clustering", "membership") != "runtime"
        ):
            names_of_files |= {"watch-primary.sh", "monitor.cnf"}
        assert files.keys() == {
            *(f"/etc/proxysql/{name}" for name in names_of_files),
            *(
                f"/etc/proxysql-users/{name}"
                for name in ("users.cnf", "peers.cnf", "read.sql", "in-use.sql")
            ),
        }
        cnf = parsed(recording, stateful_set)
        home = metadata["namespace"]
        spec = database.inputs["spec"]
        foreign = {other["host"] for other in proxy.get("other_servers", [])}
        addresses = [server["address"] for server in cnf["mysql_servers"]]
        assert foreign <= {*addresses}
        servers = [s for s in cnf["mysql_servers"] if s["address"] not in foreign]
        assert [server["address"] for server in servers] == backends(
            database, home, proxy.get("routing", "primary_service")
        )
        tls = spec["tls"]["enabled"]
        assert {server["use_ssl"] for server in servers} == {int(tls)}
        assert ("ssl_p2s_ca" in cnf["mysql_variables"]) == tls
        peers = cnf.get("proxysql_servers", [])
        assert len(peers) in (0, stateful_set.inputs["spec"]["replicas"])
        admin = re.search(r"admin:([^;]+)", cnf["admin_variables"]["admin_credentials"])
        assert admin
        assert f"password={admin[1]}\n" in files["/etc/proxysql/admin.cnf"]
        assert cnf["mysql_variables"]["monitor_username"] in accounts(recording, database)
        # Whoever logs in has an account in the servers, unless the stack says that it makes none.
        others = {user["username"] for user in proxy.get("users", [])}
        logins = {user["username"] for user in cnf.get("mysql_users", [])}
        assert logins - others <= accounts(recording, database)


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


def accounts(recording: Recording, database: Resource) -> set[str]:
    """The names of the accounts that the operator is told to make."""
    if database.kind == "PerconaXtraDBCluster":
        return {user["name"] for user in database.inputs["spec"]["users"]}
    return {
        r.inputs["spec"]["name"]
        for r in recording.of_kind("User")
        if r.inputs["spec"]["mariaDbRef"]["name"] == database.inputs["metadata"]["name"]
    }
