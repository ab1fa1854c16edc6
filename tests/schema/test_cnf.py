"""The proxysql.cnf of every stack, read back by a libconfig parser."""

import re

import pytest

from components import names
from tests.program.cases import all_cases, is_proxied, recorded
from tests.program.recorder import plain
from tests.unit import libconfig

CASES = [case.id for case in all_cases() if is_proxied(case)]


@pytest.mark.parametrize("name", CASES)
def test_the_file_of_a_stack(name: str) -> None:
    recording = recorded(name)
    for stateful_set in recording.of_kind("StatefulSet"):
        metadata = stateful_set.inputs["metadata"]
        database = recording.one("MariaDB", metadata["labels"]["app.kubernetes.io/instance"])
        (volume,) = [
            v
            for v in stateful_set.inputs["spec"]["template"]["spec"]["volumes"]
            if v["name"] == "config"
        ]
        files = plain(recording.one("Secret", volume["secret"]["secretName"]).inputs)["stringData"]
        assert files.keys() == {"proxysql.cnf", "admin.cnf", "self-check.sql"}
        cnf = libconfig.parse(files["proxysql.cnf"])
        home = metadata["namespace"]
        spec = database.inputs["spec"]
        assert [server["address"] for server in cnf["mysql_servers"]] == list(
            names.mariadb_pod_hosts(database.inputs["metadata"]["name"], home, spec["replicas"])
        )
        tls = spec["tls"]["enabled"]
        assert {server["use_ssl"] for server in cnf["mysql_servers"]} == {int(tls)}
        assert ("ssl_p2s_ca" in cnf["mysql_variables"]) == tls
        peers = cnf.get("proxysql_servers", [])
        assert len(peers) in (0, stateful_set.inputs["spec"]["replicas"])
        admin = re.search(r"admin:([^;]+)", cnf["admin_variables"]["admin_credentials"])
        assert admin
        assert f"password={admin[1]}\n" in files["admin.cnf"]
        (user,) = [
            u
            for u in recording.of_kind("User")
            if u.inputs["spec"]["mariaDbRef"]["name"] == database.inputs["metadata"]["name"]
        ]
        assert cnf["mysql_variables"]["monitor_username"] == user.inputs["spec"]["name"]
