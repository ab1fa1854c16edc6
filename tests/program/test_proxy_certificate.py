"""The certificate that the proxies show to clients, and what of it the program ever sees."""

import json
from typing import Any

import pytest

from render.recorder import Recording, Resource, plain
from tests.program.cases import all_cases, by_id, cnf, is_proxied, recorded, trees

pytestmark = pytest.mark.broad

DIR = "/etc/proxysql-tls"
UNLINK = " && ".join(
    [f"rm -f /var/lib/proxysql/proxysql-{file}.pem" for file in ("cert", "key", "ca")]
    + ['exec "$0" "$@"']
)
PROXIED = [case.id for case in all_cases() if is_proxied(case)]
ALL_PROXIED = pytest.mark.parametrize("name", PROXIED)
WITH_ONE = [
    name
    for name in PROXIED
    if any(
        tree.get("proxy", {}).get("tls", {}).keys() & {"secret", "issuer"}
        for tree in trees(by_id()[name]).values()
    )
]
EACH = pytest.mark.parametrize("name", WITH_ONE)


def pod(recording: Recording) -> dict[str, Any]:
    return recording.one("StatefulSet").inputs["spec"]["template"]["spec"]


def volume(recording: Recording) -> dict[str, Any]:
    (found,) = [v for v in pod(recording)["volumes"] if v["name"] == "tls"]
    return found["secret"]


def files(recording: Recording) -> dict[str, str]:
    (secret,) = [v for v in pod(recording)["volumes"] if v["name"] == "config"]
    return plain(recording.one("Secret", secret["secret"]["secretName"]).inputs)["stringData"]


def test_there_are_such_stacks() -> None:
    assert {"tls-issuer", "tls-secret"} <= set(WITH_ONE)


@EACH
def test_the_secret_is_mounted_under_proxysqls_names(name: str) -> None:
    """All three or none, else it exits (src/proxy_tls.cpp); a missing key keeps the Pod waiting."""
    recording, config = recorded(name), by_id()[name].config["proxy"]["tls"]
    found = volume(recording)
    assert found["secretName"] == config.get("secret", "mysql-proxysql-tls")
    assert {item["path"]: item["key"] for item in found["items"]} == {
        "proxysql-cert.pem": "tls.crt",
        "proxysql-key.pem": "tls.key",
        "proxysql-ca.pem": config.get("ca_key", "ca.crt"),
    }
    assert "optional" not in found
    (container,) = pod(recording)["containers"]
    (mount,) = [m for m in container["volumeMounts"] if m["name"] == "tls"]
    assert mount == {"name": "tls", "mountPath": DIR, "readOnly": True}


@EACH
def test_the_key_is_readable_for_the_pods_group_only(name: str) -> None:
    assert volume(recorded(name))["defaultMode"] == 0o440
    assert pod(recorded(name))["securityContext"]["fsGroup"] == 999


@EACH
def test_proxysql_starts_by_way_of_the_links(name: str) -> None:
    (container,) = pod(recorded(name))["containers"]
    shell, flag, script, program = container["command"]
    assert (shell, flag, program) == ("sh", "-c", "proxysql")
    assert script.endswith('exec "$0" "$@"')
    for file in ("proxysql-cert.pem", "proxysql-key.pem", "proxysql-ca.pem"):
        assert f"ln -sf {DIR}/{file} /var/lib/proxysql/ && " in script


@EACH
def test_the_scheduler_runs_the_mounted_script(name: str) -> None:
    found = files(recorded(name))
    rows = cnf(recorded(name), recorded(name).one("StatefulSet"))["scheduler"]
    (row,) = [row for row in rows if "tls" in row["arg1"]]
    (container,) = pod(recorded(name))["containers"]
    (mount,) = [m for m in container["volumeMounts"] if m["name"] == "config"]
    assert row["arg1"] == f"{mount['mountPath']}/reload-tls.sh"
    script = found["reload-tls.sh"]
    assert "PROXYSQL RELOAD TLS" in script
    assert f"cat {DIR}/*.pem" in script
    assert "--defaults-extra-file=/etc/proxysql/admin.cnf" in script
    assert " -p" not in script


@ALL_PROXIED
def test_without_a_certificate_nothing_of_it_is_there(name: str) -> None:
    if name not in WITH_ONE:
        recording = recorded(name)
        for stateful_set in recording.of_kind("StatefulSet"):
            spec = stateful_set.inputs["spec"]["template"]["spec"]
            assert "tls" not in {v["name"] for v in spec["volumes"]}
            command = spec["containers"][0]["command"]
            # A persistent directory may have links of a certificate that is no longer given.
            kept = "volumeClaimTemplates" in stateful_set.inputs["spec"]
            assert command[:-1] == (["sh", "-c", UNLINK] if kept else [])
            assert command[-1] == "proxysql"
        assert not recording.of_kind("Certificate")
        for secret in recording.of_kind("Secret"):
            assert "reload-tls.sh" not in plain(secret.inputs).get("stringData", {})


# --- cert-manager ---


def certificate() -> Resource:
    return recorded("tls-issuer").one("Certificate")


def test_the_certificate_names_every_host_that_clients_use() -> None:
    """The outputs' `host`, and the shorter forms of it inside the cluster."""
    recording = recorded("tls-issuer")
    names = certificate().inputs["spec"]["dnsNames"]
    outputs = recording.outputs
    assert {outputs["host"], outputs["reader_host"], outputs["MYSQL_HOST"]} <= set(names)
    service, namespace, *rest = outputs["host"].split(".")
    assert [service, f"{service}.{namespace}", f"{service}.{namespace}.{rest[0]}"] == names[:3]
    assert len(set(names)) == len(names)


def test_the_certificate_fills_the_secret_that_is_mounted_and_named() -> None:
    recording = recorded("tls-issuer")
    inputs = certificate().inputs
    assert inputs["spec"]["secretName"] == volume(recording)["secretName"]
    assert inputs["spec"]["secretName"] == recording.outputs["ca_secret"]["name"]
    stateful_set = recording.one("StatefulSet")
    assert inputs["metadata"]["namespace"] == stateful_set.inputs["metadata"]["namespace"]
    assert inputs["spec"]["issuerRef"] == {
        "name": "company",
        "kind": "ClusterIssuer",
        "group": "cert-manager.io",
    }


def test_the_common_name_fits() -> None:
    """X.509 takes 64 characters; a longer one would be refused by the issuer."""
    assert len("x" * 40 + "-proxysql") <= 64
    assert certificate().inputs["spec"]["commonName"] == "mysql-proxysql"


def test_nothing_waits_for_the_certificate() -> None:
    """cert-manager may be slower than the engine waits; a Pod starts once the Secret is there."""
    recording = recorded("tls-issuer")
    urn = certificate().urn
    assert not any(urn in r.depends_on for r in recording.resources)


def test_an_existing_secret_needs_no_cert_manager() -> None:
    assert not recorded("tls-secret").of_kind("Certificate")


# --- the private key ---


@EACH
def test_the_program_never_reads_or_makes_the_secret(name: str) -> None:
    """So its key can be in no input, output or state; the kubelet alone reads it."""
    recording = recorded(name)
    secret = volume(recording)["secretName"]
    assert secret not in {
        r.inputs.get("metadata", {}).get("name") for r in recording.of_kind("Secret")
    }
    naming = {r.kind for r in recording.resources if secret in json.dumps(plain(r.inputs))}
    # The stack's component has it as an output.
    assert naming <= {"StatefulSet", "Certificate", "DatabaseStack"}


@EACH
def test_no_password_is_near_it(name: str) -> None:
    """The client in the scheduler's script reads a file; `admin.cnf` alone has the password."""
    password = plain(files(recorded(name))["admin.cnf"]).partition("password=")[2].split()[0]
    assert password
    (container,) = pod(recorded(name))["containers"]
    assert password not in json.dumps(container)
    assert password not in files(recorded(name))["reload-tls.sh"]


# --- logins ---


def test_who_must_use_tls() -> None:
    """`required` is for all; a user's own word wins."""
    rows = {
        name: {
            row["username"]: row["use_ssl"]
            for row in cnf(recorded(name), recorded(name).one("StatefulSet"))["mysql_users"]
        }
        for name in WITH_ONE
    }
    assert rows["tls-issuer"] == {"app": 1, "old": 0}
    assert rows["tls-secret"] == {"app": 1}
