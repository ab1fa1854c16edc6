"""A Kubernetes of real nodes on this machine, with mariadb-operator installed by its chart."""

from __future__ import annotations

import functools
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import yaml

from local import LocalError, locks, ports
from local.certificates import Authority
from local.kubectl import CONTEXT, Kubectl, write_kubeconfig
from local.processes import Process, Processes, end_by_force, kill_all
from local.real import network, operator
from local.real.debian import Packages, own_release
from local.real.images import Images, Plan
from local.real.network import NODES, SERVER, Network
from local.real.node import PAUSE, Node, hierarchies, kube_proxy, remove_cgroup
from local.real.programs import Programs
from local.toolchain import Toolchain, crds, installation

HERE = Path(__file__).parent
ADMISSION = HERE.parent / "cluster" / "admission.yaml"
NODE_PACKAGES = (
    "containerd", "runc", "containernetworking-plugins", "iptables", "iproute2", "socat", "procps",
)  # fmt: skip
"""What runs a node; socat leads from this machine's loopback to the API server."""
DNS_IMAGE = "mysql-ha.local/dns:current"
"""In objects.yaml, for the packed image's own name, by which another one rolls the Pods."""


class RealCluster:
    """Everything of one cluster is in `directory`, and under names derived from it."""

    def __init__(self, directory: Path, tools: Toolchain, say: Callable[[str], None] = print):
        self.directory = directory.resolve()
        self.tools = tools
        self.say = say
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubectl = Kubectl.of(tools.path("kubectl"), self.kubeconfig)
        self.processes = Processes(self.directory)
        self.images = Images(tools)
        self.prefix = f"mysql-ha-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:6]}"

    def start(self, nodes: int, plan: Plan) -> None:
        """Start what does not run yet, with at least that many nodes (1 to 3) and these images."""
        began = time.monotonic()
        with self._locked():
            letters = sorted({*NODES[:nodes], *self._letters()})
            self.connect(letters)
            self.choose_port()
            self._write_credentials()
            started = self._start_control_plane()
            dns = self.images.dns()
            objects = (HERE / "objects.yaml").read_text().replace(DNS_IMAGE, dns.name)
            own = {
                PAUSE: self.images.pause(),
                dns.name: dns,
                operator.image(self.tools): self.images.operator(),
            }
            for letter in letters:
                node = self.node(letter)
                started = node.start() or started
                node.provide(Plan({**own, **plan.packed}, plan.pulled))
                started = node.join() or started
            if self.install(objects, anew=started):
                count = f"{len(letters)} node{'s' if len(letters) > 1 else ''}"
                self.say(f"cluster: {count}, ready in {time.monotonic() - began:.0f} s")
            else:
                self.say("cluster: already running")
            for name, alive in self.status().items():
                if not alive:
                    raise LocalError(f"{name} ended\n{self.processes.tail(name)}")

    def stop(self) -> None:
        """End and remove all of it, also what a start left behind that was killed.

        Needs no file of it, and no program that it was made of.
        """
        with self._locked():
            self._end()
            locks.remove(self.directory)

    def remains(self) -> bool:
        """Whether anything of it exists, even without its folder."""
        return (
            self.directory.exists()
            or bool(network.spaces(self.prefix) or self.processes.descendants())
            or any((hierarchy / self.prefix).exists() for hierarchy in hierarchies())
        )

    def status(self) -> dict[str, bool]:
        """Whether each process that was started still runs."""
        return self.processes.status()

    @functools.cached_property
    def programs(self) -> Programs:
        """The programs of the nodes; fetched and unpacked when first needed."""
        release = own_release()
        if not release:
            raise LocalError("Real nodes need Debian's or Ubuntu's packages.")
        packages = Packages(self.tools.cache, release)
        return Programs(
            kubelet=self.tools.path("kubelet"),
            kube_proxy=self.tools.path("kube-proxy"),
            unpacked=packages.unpack(NODE_PACKAGES, beside_installed=True),
        )

    @property
    def network(self) -> Network:
        """The cluster's network namespaces."""
        return Network(self.prefix, self.programs)

    def node(self, letter: str) -> Node:
        """The node `a`, `b` or `c`."""
        return Node(letter, self.directory, self.network, self.programs, self.processes)

    def node_of(self, pod: str, namespace: str) -> Node:
        """The node that a Pod runs on."""
        name = self.kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.spec.nodeName}")
        return self.node(name.rpartition("-")[2])

    # Steps

    def _locked(self) -> AbstractContextManager[None]:
        return locks.locked(self.directory / locks.NAME)

    def connect(self, letters: Sequence[str]) -> None:
        """Make namespaces that are missing; what ran in a former one of that name ends first."""
        if not self.network.complete():
            self._end()  # a node is on the bridge that it was made with
        for letter in letters:
            if not self.network.complete(letter):
                self.node(letter).end()
        self.network.start(letters)

    def _letters(self) -> list[str]:
        return [folder.name for folder in (self.directory / "nodes").glob("?")]

    def _write_credentials(self) -> None:
        pki = self.directory / "pki"
        kubelets = {f"kubelet-{n}": f"system:node:{self.network.namespace(n)}" for n in NODES}
        parts = ("kube-controller-manager", "kube-scheduler", "kube-proxy")
        if not (pki / "complete").exists():
            shutil.rmtree(pki, ignore_errors=True)
            authority = Authority(pki)
            names = ["localhost", "127.0.0.1", SERVER, network.KUBERNETES, "kubernetes"]
            names += ["kubernetes.default", "kubernetes.default.svc"]
            authority.issue("server", CONTEXT, names=names)
            authority.issue("admin", "admin", organization="system:masters")
            for part in parts:
                authority.issue(part, f"system:{part}")
            for name, user in kubelets.items():
                authority.issue(name, user, organization="system:nodes")
            authority.key("service-account")
            (pki / "complete").touch()
        (self.directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        for name in (*parts, *kubelets, "admin"):
            write_kubeconfig(
                self.directory / f"{name}.kubeconfig",
                server=f"https://{SERVER}:6443", pki=pki, identity=name,
            )  # fmt: skip
        write_kubeconfig(
            self.kubeconfig,
            server=f"https://127.0.0.1:{self._port}", pki=pki, identity="admin",
        )  # fmt: skip

    def choose_port(self) -> None:
        """Pick a free port once; again only when the relay does not run and another program took
        it."""
        file = self.directory / "port"
        if self.processes.pid("relay"):
            return
        if not file.exists() or not ports.all_free([self._port]):
            file.write_text(str(ports.free(1)[0]))

    @property
    def _port(self) -> int:
        """On this machine's loopback; it leads to the API server."""
        return int((self.directory / "port").read_text())

    def _start_control_plane(self) -> bool:
        etcd, apiserver, relay, *others = self._control_plane()
        started = [self.processes.launch(process) for process in (etcd, apiserver, relay)]
        self.processes.wait("kube-apiserver", self._api_answers)
        started += [self.processes.launch(process) for process in others]
        return any(started)

    def _api_answers(self) -> bool:
        try:
            return self.kubectl("get", "--raw", "/readyz") == "ok"
        except LocalError:
            return False

    def _control_plane(self) -> list[Process]:
        """In starting order. etcd has no credentials: only this namespace reaches it."""
        pki, enter, here = self.directory / "pki", self.network.enter(), self.directory
        tls = (f"--tls-cert-file={pki}/server.crt", f"--tls-private-key-file={pki}/server.key")
        etcd, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"

        def component(name: str, *arguments: str, files: tuple[Path, ...] = ()) -> Process:
            return Process(name, [*enter, str(self.tools.path(name)), *arguments], files=files)

        relay = (
            f"TCP-LISTEN:{self._port},bind=127.0.0.1,reuseaddr,fork",
            f"EXEC:'{' '.join(enter)} socat STDIO TCP:{SERVER}:6443'",
        )
        kubeconfig = "--kubeconfig={}/{}.kubeconfig"
        return [
            component(
                "etcd", f"--data-dir={here}/etcd", "--unsafe-no-fsync",
                f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
            ),
            component(
                "kube-apiserver", *tls, "--secure-port=6443", f"--advertise-address={SERVER}",
                f"--etcd-servers={etcd}", f"--client-ca-file={pki}/ca.crt",
                "--anonymous-auth=false", "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                f"--admission-control-config-file={ADMISSION}",
                f"--service-cluster-ip-range={network.SERVICES}",
                # This etcd cannot report watch progress, and clients would wait for it.
                "--feature-gates=WatchList=false",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={pki}/service-account.key",
                f"--service-account-signing-key-file={pki}/service-account.key",
                f"--kubelet-client-certificate={pki}/admin.crt",
                f"--kubelet-client-key={pki}/admin.key",
                "--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true",
                files=(ADMISSION,),
            ),
            Process("relay", ["socat", *relay], env=self.programs.environment),
            component(
                "kube-controller-manager", *tls,
                kubeconfig.format(here, "kube-controller-manager"), "--leader-elect=false",
                "--use-service-account-credentials", f"--root-ca-file={pki}/ca.crt",
                f"--service-account-private-key-file={pki}/service-account.key",
                f"--cluster-signing-cert-file={pki}/ca.crt",
                f"--cluster-signing-key-file={pki}/ca.key",
            ),
            component(
                "kube-scheduler", *tls, kubeconfig.format(here, "kube-scheduler"),
                "--leader-elect=false",
            ),
            kube_proxy(self.programs, here, self.network, None, SERVER),
            Process(
                "provisioner",
                [
                    *enter, str(self.tools.path("provisioner")),
                    f"-kubeconfig={here}/admin.kubeconfig", f"-root={here}/volumes",
                ],
            ),
        ]  # fmt: skip

    def install(self, objects: str, *, anew: bool) -> bool:
        """Apply what a cluster has before its first stack, and the operator with its webhook.

        Does and returns nothing if all of it is there, unless `anew`.
        """
        mark = self.directory / "installed"
        wanted = installation(objects)
        if not anew and mark.exists() and mark.read_text() == wanted:
            return False
        mark.unlink(missing_ok=True)
        self.kubectl.await_service_account("default")
        self.kubectl.apply([*crds(), *yaml.safe_load_all(objects)])
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
        operator.await_deployments(self.kubectl, "kube-system")
        operator.install(self.kubectl, self.tools, self.directory / "chart")
        mark.write_text(wanted)
        return True

    # The end

    def _end(self) -> None:
        """End all processes and remove the namespaces.

        Nothing of them is needed again, so nothing is asked to end in order; but containers go
        after the kubelet that would start them again.
        """

        def running() -> set[int]:
            return self.processes.descendants() | network.inside(network.spaces(self.prefix))

        kill_all(running())
        remove_cgroup(self.prefix)
        end_by_force(running)
        network.remove(self.prefix)
