"""A Kubernetes control plane of ordinary processes on loopback, with kwok as its kubelet."""

from __future__ import annotations

import json
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import yaml

from local import LocalError, locks, ports
from local.certificates import Authority
from local.kubectl import Kubectl, write_kubeconfig
from local.processes import Process, Processes
from local.toolchain import Toolchain, crds, installation

CLUSTER = Path(__file__).parent / "cluster"
PORTS = (
    "etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok",
    "mariadb-operator",
)  # fmt: skip
SERVICE_RANGE = "10.96.0.0/16"
PUBLISHED_TIMEOUT = 60  # seconds in which the API server publishes the schema of a new kind


class ControlPlane:
    """Everything of one control plane is in `directory`; control planes do not share anything."""

    def __init__(self, directory: Path, tools: Toolchain, say: Callable[[str], None] = print):
        self.directory = directory.resolve()
        self.tools = tools
        self.say = say
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubectl = Kubectl.of(tools.path("kubectl"), self.kubeconfig)
        self.processes = Processes(self.directory)

    def start(self) -> None:
        """Start what does not run yet."""
        with locks.locked(self.directory / locks.NAME):
            self.choose_ports()
            self.write_credentials()
            started: list[str] = []
            began = time.monotonic()
            etcd, apiserver, *others = self._declared()
            for process in (etcd, apiserver):
                if self.processes.launch(process):
                    started.append(process.name)
                self.wait_healthy(process)
            if started or any(not self.processes.up_to_date(process) for process in others):
                self._mark.unlink(missing_ok=True)
            self._apply_objects()
            for process in others:
                if self.processes.launch(process):
                    started.append(process.name)
            for process in others:
                self.wait_healthy(process)
            self._await_nodes()
            self.kubectl.await_service_account("default")
        if started:
            seconds = time.monotonic() - began
            self.say(f"control plane: {', '.join(started)} started in {seconds:.0f} s")
        else:
            self.say("control plane: already running")

    def stop(self) -> None:
        """End the processes that `start` started, last one first, and remove `directory`."""
        with locks.locked(self.directory / locks.NAME):
            self.processes.end_all()
            locks.remove(self.directory)

    def remains(self) -> bool:
        """Whether anything of it exists, even without its folder."""
        return self.directory.exists() or bool(self.processes.descendants())

    def status(self) -> dict[str, bool]:
        """Whether each process that was started still runs."""
        return self.processes.status()

    # Files

    @property
    def ports(self) -> dict[str, int]:
        return json.loads((self.directory / "ports.json").read_text())

    def choose_ports(self) -> None:
        """Pick free ports once; again only when none of our processes runs and another program took
        one."""
        file = self.directory / "ports.json"
        if any(self.status().values()):
            return
        if file.exists() and ports.all_free(self.ports.values()):
            return
        file.write_text(json.dumps(dict(zip(PORTS, ports.free(len(PORTS)), strict=True))))

    def write_credentials(self) -> None:
        pki = self.directory / "pki"
        if not (pki / "complete").exists():
            shutil.rmtree(pki, ignore_errors=True)
            authority = Authority(pki)
            service = SERVICE_RANGE.replace("0.0/16", "0.1")
            names = ["localhost", "kubernetes.default.svc", "127.0.0.1", service]
            authority.issue("server", "mysql-ha-local", names=names)
            authority.issue("admin", "admin", organization="system:masters")
            authority.issue("kube-controller-manager", "system:kube-controller-manager")
            authority.issue("kube-scheduler", "system:kube-scheduler")
            authority.key("service-account")
            (pki / "complete").touch()
        identities = ("kube-controller-manager", "kube-scheduler")
        files = {"admin": self.kubeconfig}
        files |= {name: self.directory / f"{name}.kubeconfig" for name in identities}
        for identity, file in files.items():
            server = f"https://127.0.0.1:{self.ports['kube-apiserver']}"
            write_kubeconfig(file, server=server, pki=pki, identity=identity)
        scheduler = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": str(self.directory / "kube-scheduler.kubeconfig")},
            "leaderElection": {"leaderElect": False},
            "profiles": [{
                "schedulerName": "default-scheduler",
                # Claims are bound by kwok with no PersistentVolume, which these would look for.
                "plugins": {"multiPoint": {"disabled": [
                    {"name": "VolumeBinding"}, {"name": "VolumeZone"}, {"name": "NodeVolumeLimits"},
                ]}},
            }],
        }  # fmt: skip
        (self.directory / "scheduler.json").write_text(json.dumps(scheduler, indent=2))

    # Processes

    def _declared(self) -> list[Process]:
        """In starting order: each needs the ones before it."""
        pki, ports, tools = self.directory / "pki", self.ports, self.tools
        server = (f"{pki}/server.crt", f"{pki}/server.key")
        etcd = f"https://127.0.0.1:{ports['etcd']}"
        peer = f"https://127.0.0.1:{ports['etcd-peer']}"

        def serving(name: str) -> list[str]:
            return [
                "--bind-address=127.0.0.1",
                f"--secure-port={ports[name]}",
                f"--tls-cert-file={server[0]}",
                f"--tls-private-key-file={server[1]}",
            ]

        def health(name: str, path: str, scheme: str = "https") -> str:
            return f"{scheme}://127.0.0.1:{ports[name]}{path}"

        return [
            Process(
                "etcd",
                [
                    str(tools.path("etcd")),
                    f"--data-dir={self.directory}/etcd",
                    f"--listen-client-urls={etcd}",
                    f"--advertise-client-urls={etcd}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster=default={peer}",
                    f"--cert-file={server[0]}",
                    f"--key-file={server[1]}",
                    f"--trusted-ca-file={pki}/ca.crt",
                    "--client-cert-auth",
                    f"--peer-cert-file={server[0]}",
                    f"--peer-key-file={server[1]}",
                    f"--peer-trusted-ca-file={pki}/ca.crt",
                    "--peer-client-cert-auth",
                    "--unsafe-no-fsync",  # a power cut may lose this throw-away cluster
                ],
                health("etcd", "/health"),
            ),
            Process(
                "kube-apiserver",
                [
                    str(tools.path("kube-apiserver")),
                    *serving("kube-apiserver"),
                    "--advertise-address=127.0.0.1",
                    "--endpoint-reconciler-type=none",  # refuses loopback addresses otherwise
                    f"--etcd-servers={etcd}",
                    f"--etcd-cafile={pki}/ca.crt",
                    f"--etcd-certfile={pki}/admin.crt",
                    f"--etcd-keyfile={pki}/admin.key",
                    f"--client-ca-file={pki}/ca.crt",
                    # This etcd cannot report watch progress, and clients would wait for it.
                    "--feature-gates=WatchList=false",
                    "--anonymous-auth=false",
                    "--authorization-mode=Node,RBAC",
                    f"--admission-control-config-file={CLUSTER}/admission.yaml",
                    f"--service-cluster-ip-range={SERVICE_RANGE}",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    f"--service-account-key-file={pki}/service-account.key",
                    f"--service-account-signing-key-file={pki}/service-account.key",
                ],
                health("kube-apiserver", "/readyz"),
                files=(CLUSTER / "admission.yaml",),
            ),
            Process(
                "kube-controller-manager",
                [
                    str(tools.path("kube-controller-manager")),
                    *serving("kube-controller-manager"),
                    f"--kubeconfig={self.directory}/kube-controller-manager.kubeconfig",
                    # kwok binds and grows the claims.
                    "--controllers=*,-persistentvolume-binder-controller,"
                    "-persistentvolume-expander-controller,"
                    "-persistentvolume-attach-detach-controller",
                    # kwok sets Ready once: a pod must not lose it when this machine sleeps.
                    "--node-monitor-grace-period=8760h",
                    "--leader-elect=false",
                    "--use-service-account-credentials",
                    f"--root-ca-file={pki}/ca.crt",
                    f"--service-account-private-key-file={pki}/service-account.key",
                ],
                health("kube-controller-manager", "/healthz"),
            ),
            Process(
                "kube-scheduler",
                [
                    str(tools.path("kube-scheduler")),
                    *serving("kube-scheduler"),
                    f"--config={self.directory}/scheduler.json",
                ],
                health("kube-scheduler", "/healthz"),
            ),
            Process(
                "kwok",
                [
                    str(tools.path("kwok")),
                    f"--kubeconfig={self.kubeconfig}",
                    f"--config={CLUSTER}/kwok.yaml",
                    "--manage-all-nodes",
                    "--node-ip=127.0.0.1",
                    f"--server-address=127.0.0.1:{ports['kwok']}",
                ],
                health("kwok", "/healthz", "http"),
                {"KWOK_WORKDIR": str(self.directory / "kwok")},
                (CLUSTER / "kwok.yaml",),
            ),
            Process(
                "mariadb-operator",
                [
                    str(tools.path("mariadb-operator")),
                    "--health-addr=0",  # none: it has checks only together with its webhook
                    f"--metrics-addr=127.0.0.1:{ports['mariadb-operator']}",
                ],
                health("mariadb-operator", "/metrics", "http"),
                {"KUBECONFIG": str(self.kubeconfig), **tools.operator_environment()},
            ),
        ]

    def wait_healthy(self, process: Process) -> None:
        """Until its URL answers."""
        self.processes.wait(process.name, lambda: self._healthy(process.health))

    def _healthy(self, url: str) -> bool:
        pki = self.directory / "pki"
        tls = ssl.create_default_context(cafile=pki / "ca.crt")
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )
        try:
            with opener.open(url, timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    # Objects

    @property
    def _mark(self) -> Path:
        """Holds what is applied."""
        return self.directory / "installed"

    def _apply_objects(self) -> None:
        objects = (CLUSTER / "objects.yaml").read_text()
        wanted = installation(objects)
        if self._mark.exists() and self._mark.read_text() == wanted:
            return
        self.kubectl.apply([*crds(), *yaml.safe_load_all(objects)])
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self._await_schema("pxc.percona.com/v1", "perconaxtradbclusters")
        self._mark.write_text(wanted)

    def _await_schema(self, api_version: str, plural: str) -> None:
        """kwok ends when it finds no schema of a custom resource that it plays."""
        deadline = time.monotonic() + PUBLISHED_TIMEOUT
        while True:
            try:
                schema = self.kubectl("get", "--raw", f"/openapi/v3/apis/{api_version}")
            except LocalError:
                schema = ""
            if f"/{plural}/{{name}}" in schema:
                return
            if time.monotonic() > deadline:
                raise LocalError(f"the API server does not publish the schema of {plural}")
            time.sleep(0.2)

    def _await_nodes(self) -> None:
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
