"""The local control plane: private, strict, repairable, and able to run what a stack asks for."""

from __future__ import annotations

import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import LocalError
from local.control_plane import ControlPlane
from local.toolchain import Toolchain
from tests.engine.conftest import HOME, RUN, running

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
NAMESPACE = "control-plane"
LISTEN = "0A"  # a listening TCP socket in /proc/net/tcp (include/net/tcp_states.h)


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    """With a namespace for what these tests make."""
    control_plane.kubectl.ensure_namespace(NAMESPACE)
    return control_plane


@pytest.fixture(scope="module")
def killed(tools: Toolchain) -> Iterator[ControlPlane]:
    """Of its own: its processes are killed, which the stacks of other tests would notice."""
    with running(ControlPlane(HOME / f"{RUN}-killed", tools)) as plane:
        plane.kubectl.ensure_namespace(NAMESPACE)
        yield plane


def apply(plane: ControlPlane, *objects: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    plane.kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=text)


def wait_for(plane: ControlPlane, what: str, path: str, value: str) -> None:
    plane.kubectl("wait", "-n", NAMESPACE, what, f"--for=jsonpath={path}={value}", "--timeout=30s")


def claim(name: str, storage_class: str | None, size: str = "1Gi") -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def pod(name: str, *, claims: tuple[str, ...] = (), restricted: bool = True) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": "example.invalid/main:1"}
    spec: dict[str, Any] = {"containers": [container]}
    if restricted:
        spec["securityContext"] = {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    spec["volumes"] = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def percona(name: str, **spec: Any) -> dict[str, Any]:
    images = {"pxc": "example.invalid/pxc:8.0", "proxysql": "example.invalid/proxysql:2"}
    full: dict[str, Any] = {
        "crVersion": "1.18.0",
        "pxc": {"size": 3, "image": images["pxc"]},
        "proxysql": {"enabled": True, "size": 3, "image": images["proxysql"]},
        **spec,
    }
    metadata = {"name": name, "finalizers": ["percona.com/delete-pxc-pods-in-order"]}
    kind = {"apiVersion": "pxc.percona.com/v1", "kind": "PerconaXtraDBCluster"}
    return {**kind, "metadata": metadata, "spec": full}


def get(plane: ControlPlane, what: str) -> dict[str, Any]:
    return json.loads(plane.kubectl("get", "-n", NAMESPACE, what, "-o", "json"))


def process_ids(plane: ControlPlane) -> dict[str, int]:
    return {f.stem: json.loads(f.read_text())["pid"] for f in plane.directory.glob("*.pid")}


def listening_addresses(pid: int) -> set[str]:
    """Addresses, in hex, of the sockets on which a process listens."""
    inodes = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].partition(":")[0])
    return found


def test_all_processes_run_and_listen_on_loopback_only(plane: ControlPlane) -> None:
    pids = process_ids(plane)
    assert len(pids) == 6
    assert all(plane.status().values())
    for name, pid in pids.items():
        assert listening_addresses(pid) == {"0100007F"}, name


def test_nobody_gets_in_without_a_certificate(plane: ControlPlane) -> None:
    url = f"https://127.0.0.1:{plane.ports['kube-apiserver']}/api"
    tls = ssl.create_default_context(cafile=plane.directory / "pki" / "ca.crt")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        opener.open(url, timeout=10)


@pytest.mark.parametrize("namespace", [NAMESPACE, "default"])
def test_every_namespace_enforces_restricted(plane: ControlPlane, namespace: str) -> None:
    text = json.dumps(pod("loose", restricted=False))
    with pytest.raises(LocalError, match="restricted"):
        plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)


@pytest.mark.parametrize("storage_class", [None, "a-class-nobody-made"])
def test_a_pod_with_a_claim_of_any_class_becomes_ready(
    plane: ControlPlane, storage_class: str | None
) -> None:
    name = f"uses-{storage_class or 'the-default-class'}"
    apply(plane, claim(name, storage_class), pod(name, claims=(name,)))
    wait_for(plane, f"pvc/{name}", "{.status.phase}", "Bound")
    plane.kubectl("wait", "-n", NAMESPACE, f"pod/{name}", "--for=condition=Ready", "--timeout=30s")


def test_a_claim_grows(plane: ControlPlane) -> None:
    apply(plane, claim("grows", None))
    wait_for(plane, "pvc/grows", "{.status.phase}", "Bound")
    apply(plane, claim("grows", None, "2Gi"))
    wait_for(plane, "pvc/grows", "{.status.capacity.storage}", "2Gi")


def test_a_load_balancer_gets_an_address(plane: ControlPlane) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 6033}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb"}, "spec": spec}
    apply(plane, service)
    wait_for(plane, "service/lb", "{.status.loadBalancer.ingress[0].ip}", "192.0.2.1")


class TestPercona:
    """No Percona operator runs: kwok answers in its place."""

    def test_fields_of_a_newer_release_are_kept(self, plane: ControlPlane) -> None:
        account = {
            "name": "app",
            "dbs": ["app"],
            "hosts": ["%"],
            "grants": ["SELECT"],
            "withGrantOption": False,
            "passwordSecretRef": {"name": "app", "key": "password"},
        }
        schedule = {
            "name": "daily",
            "schedule": "0 0 * * *",
            "storageName": "s3",
            "retention": {"type": "count", "count": 7, "deleteFromStorage": True},
        }
        cluster = percona(
            "newer",
            users=[account],
            enableVolumeExpansion=True,
            initContainer={"containerSecurityContext": {"capabilities": {"drop": ["ALL"]}}},
            backup={"schedule": [schedule]},
        )
        apply(plane, cluster)  # refuses unknown fields
        assert get(plane, "pxc/newer")["spec"] == cluster["spec"]

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ({"userz": []}, "unknown field"),
            ({"users": [{"nam": "app"}]}, "unknown field"),
            ({"users": [{"name": 1}]}, "users"),
            ({"pxc": {"size": "three"}}, "pxc.size"),
            ({"pxc": {"expose": {"loadBalancerClass": "x", "type": "ClusterIP"}}}, "LoadBalancer"),
        ],
    )
    def test_other_fields_are_refused(
        self, plane: ControlPlane, spec: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(LocalError, match=said):
            apply(plane, percona("wrong", **spec))

    def test_the_status_follows_the_spec(self, plane: ControlPlane) -> None:
        apply(plane, percona("shop"))
        wait_for(plane, "pxc/shop", "{.status.ready}", "6")
        first = get(plane, "pxc/shop")["status"]
        (condition,) = first.pop("conditions")
        assert (condition["type"], condition["status"]) == ("ready", "True")
        three = {"size": 3, "ready": 3, "status": "ready"}
        assert first == {
            "state": "ready",
            "size": 6,
            "ready": 6,
            "pxc": three,
            "proxysql": three,
            "haproxy": {},
            "host": f"shop-proxysql.{NAMESPACE}",
            "observedGeneration": 1,
        }

        apply(plane, percona("shop", pxc={"size": 5}))
        wait_for(plane, "pxc/shop", "{.status.observedGeneration}", "2")
        assert get(plane, "pxc/shop")["status"]["ready"] == 8

        expose = {"type": "LoadBalancer"}
        off = {"enabled": False, "size": 3}
        apply(plane, percona("shop", proxysql=off, pxc={"size": 3, "expose": expose}))
        wait_for(plane, "pxc/shop", "{.status.observedGeneration}", "3")
        last = get(plane, "pxc/shop")["status"]
        assert (last["ready"], last["pxc"], last["proxysql"]) == (3, three, {})
        assert last["host"] == "192.0.2.1"
        assert last["conditions"] == [condition]

    def test_a_cluster_is_deleted_with_the_operators_finalizers(self, plane: ControlPlane) -> None:
        apply(plane, percona("goes"))
        plane.kubectl(
            "delete", "-n", NAMESPACE, "pxc/goes", "--cascade=foreground", "--timeout=30s"
        )


def test_a_pod_is_deleted(plane: ControlPlane) -> None:
    apply(plane, pod("goes"))
    plane.kubectl("delete", "-n", NAMESPACE, "pod/goes", "--timeout=30s")


def test_a_second_start_changes_nothing(killed: ControlPlane) -> None:
    before = process_ids(killed)
    killed.start()
    assert process_ids(killed) == before


@pytest.mark.parametrize(
    "victims", [("etcd",), ("kwok", "kube-apiserver", "mariadb-operator")], ids=" ".join
)
def test_a_killed_process_is_started_again(killed: ControlPlane, victims: tuple[str, ...]) -> None:
    """It and no other."""
    apply(killed, pod("stays"))
    before = process_ids(killed)
    for victim in victims:
        os.kill(before[victim], signal.SIGKILL)
    _until(lambda: not any(killed.status()[victim] for victim in victims))
    killed.start()
    after = process_ids(killed)
    assert {name for name in after if after[name] != before[name]} == set(victims)
    killed.kubectl("wait", "-n", NAMESPACE, "pod/stays", "--for=condition=Ready", "--timeout=120s")


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
