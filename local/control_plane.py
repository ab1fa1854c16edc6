"""A Kubernetes control plane of ordinary processes on loopback, with kwok as its kubelet."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local import LocalError, go, ports
from local.certificates import Authority
from local.toolchain import Toolchain, crds

CONTEXT = "mysql-ha-local"
CLUSTER = Path(__file__).parent / "cluster"
PORTS = (
    "etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok",
    "mariadb-operator",
)  # fmt: skip
SERVICE_RANGE = "10.96.0.0/16"
START_TIMEOUT = 90  # seconds for one process; all of them take about 15 s on 2 cores
STOP_TIMEOUT = 20  # seconds between SIGTERM and SIGKILL
PUBLISHED_TIMEOUT = 60  # seconds in which the API server publishes the schema of a new kind
LOG_TAIL = 15  # lines shown of the log of a process that failed


@dataclass(frozen=True)
class Process:
    """One program, and the URL that answers 200 once it works."""

    name: str
    argv: list[str]
    health: str
    env: dict[str, str] = field(default_factory=dict[str, str])
    files: tuple[Path, ...] = ()
    """Files of this repository that it reads once, when it starts."""

    def configuration(self) -> list[str]:
        """What it is started with: a change restarts it."""
        return [*self.argv, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in self.files)]


def identity(pid: int) -> str | None:
    """What tells a process from every other one that had or gets its number; None once it ended.

    It ends when its last thread does: until then it may hold its ports, though /proc may show
    neither its arguments nor, when only the first thread has gone, anything but a zombie. Only a
    pidfd tells (pidfd_open(2): readable when the whole thread group has exited). The start time is
    field 22 of proc_pid_stat(5), in ticks since boot.
    """
    try:
        with os.fdopen(os.pidfd_open(pid)) as process:
            if select.select([process], [], [], 0)[0]:
                return None
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[22 - 3]}"


class ControlPlane:
    """Everything of one control plane lives in `directory`; two directories never meet."""

    def __init__(self, directory: Path, tools: Toolchain, say: Callable[[str], None] = print):
        self.directory = directory.resolve()
        self.tools = tools
        self.say = say
        self.kubeconfig = self.directory / "kubeconfig"

    def start(self) -> None:
        """Start what does not run yet; a no-op when all of it does."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with go.locked(self.directory / "lock"):
            self.choose_ports()
            self.write_credentials()
            started: list[str] = []
            began = time.monotonic()
            etcd, apiserver, *others = self._processes()
            for process in (etcd, apiserver):
                if self.launch(process):
                    started.append(process.name)
                self.wait_healthy(process)
            if started or any(not self._up_to_date(process) for process in others):
                self._apply_objects()
            for process in others:
                if self.launch(process):
                    started.append(process.name)
            for process in others:
                self.wait_healthy(process)
            self._await_nodes()
            self._await_service_account("default")
        if started:
            seconds = time.monotonic() - began
            self.say(f"control plane: {', '.join(started)} started in {seconds:.0f} s")
        else:
            self.say("control plane: already running")

    def stop(self) -> None:
        """End the processes that `start` started, last one first, and remove `directory`."""
        if not self.directory.exists():
            return
        with go.locked(self.directory / "lock"):
            for pid_file in sorted(
                self.directory.glob("*.pid"), key=lambda f: f.stat().st_mtime_ns, reverse=True
            ):
                self._end(pid_file.stem)
        shutil.rmtree(self.directory)

    def status(self) -> dict[str, bool]:
        """Whether each process that was started still runs."""
        return {
            pid_file.stem: self._pid(pid_file.stem) is not None
            for pid_file in sorted(self.directory.glob("*.pid"))
        }

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Run kubectl against this control plane and return what it printed."""
        command = [str(self.tools.path("kubectl")), "--kubeconfig", str(self.kubeconfig), *args]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if result.returncode:
            raise LocalError(f"kubectl {' '.join(args[:3])}: {result.stderr.strip()}")
        return result.stdout

    def ensure_namespace(self, name: str) -> None:
        """Make the namespace that a stack expects; the label repeats what admission.yaml does."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": name, "labels": labels}
        namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.kubectl("apply", "--server-side", "-f", "-", stdin=namespace)
        self._await_service_account(name)

    # Files

    @property
    def ports(self) -> dict[str, int]:
        return json.loads((self.directory / "ports.json").read_text())

    def choose_ports(self) -> None:
        """Pick free ports once; again only when nothing of ours runs and a stranger took one."""
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
        self._write_kubeconfig(self.kubeconfig, "admin")
        for identity in ("kube-controller-manager", "kube-scheduler"):
            self._write_kubeconfig(self.directory / f"{identity}.kubeconfig", identity)
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

    def _write_kubeconfig(self, path: Path, identity: str) -> None:
        pki = self.directory / "pki"

        def embed(file: str) -> str:
            return base64.b64encode((pki / file).read_bytes()).decode()

        server = f"https://127.0.0.1:{self.ports['kube-apiserver']}"
        cluster = {"server": server, "certificate-authority-data": embed("ca.crt")}
        user = {
            "client-certificate-data": embed(f"{identity}.crt"),
            "client-key-data": embed(f"{identity}.key"),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": identity, "user": user}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": identity}}],
            "current-context": CONTEXT,
        }
        text = yaml.safe_dump(config)
        if not path.exists() or path.read_text() != text:
            path.touch(mode=0o600)
            path.write_text(text)

    # Processes

    def _processes(self) -> list[Process]:
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
                    "--unsafe-no-fsync",  # a lost power supply may cost this throw-away cluster
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

    def _record(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.directory / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return {"pid": 0}

    def _pid(self, name: str) -> int | None:
        """The process id, unless the process has gone or its number belongs to another one."""
        record = self._record(name)
        found = identity(record["pid"])
        return record["pid"] if found and found == record.get("identity") else None

    def _up_to_date(self, process: Process) -> bool:
        return self._pid(process.name) is not None and (
            self._record(process.name).get("configuration") == process.configuration()
        )

    def launch(self, process: Process) -> bool:
        """Start a process unless it runs already, as it would be started; say whether it did."""
        if self._up_to_date(process):
            return False
        self._end(process.name)
        with (self.directory / f"{process.name}.log").open("wb") as log:
            child = subprocess.Popen(
                process.argv,
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "HOME": str(self.directory), **process.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = {
            "pid": child.pid,
            "identity": identity(child.pid),
            "configuration": process.configuration(),
        }
        (self.directory / f"{process.name}.pid").write_text(json.dumps(record))
        return True

    def _end(self, name: str) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT
        while pid := self._pid(name):
            kill = time.monotonic() > deadline
            os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
            _reap(pid)
            time.sleep(0.1)
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def wait_healthy(self, process: Process) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._healthy(process.health):
            _reap(self._record(process.name)["pid"])
            if not self._pid(process.name):
                raise LocalError(f"{process.name} ended while starting\n{self._tail(process.name)}")
            if time.monotonic() > deadline:
                reason = f"{process.name} is not healthy after {START_TIMEOUT} s"
                raise LocalError(f"{reason}\n{self._tail(process.name)}")
            time.sleep(0.1)

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

    def _tail(self, name: str) -> str:
        log = self.directory / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL:]
        return "\n".join([f"the end of {log}:", *(f"  {line}" for line in lines)])

    # Objects

    def _apply_objects(self) -> None:
        nodes_and_classes = yaml.safe_load_all((CLUSTER / "objects.yaml").read_text())
        items = [*crds(), *nodes_and_classes]
        objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=objects)
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self._await_schema("pxc.percona.com/v1", "perconaxtradbclusters")

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

    def _await_service_account(self, namespace: str) -> None:
        """No pod can be made in a namespace before this."""
        account = "serviceaccount/default"
        self.kubectl("wait", "--namespace", namespace, "--for=create", account, "--timeout=60s")


def _reap(pid: int) -> None:
    """Collect a child of ours that has ended, or it would stay in /proc as a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
