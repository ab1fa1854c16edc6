"""One node: a mount namespace, a cgroup, and containerd, kubelet and kube-proxy in them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import time
from pathlib import Path

import yaml

from local import LocalError
from local.processes import Process, Processes, end_by_force, started_with
from local.real import network
from local.real.images import Plan
from local.real.network import Network
from local.real.programs import Programs

CGROUPS = Path("/sys/fs/cgroup")
PRIVATE = ("/run", "/var/lib", "/var/log")
"""Folders of which a node has its own: containerd, kubelet and CNI keep state at paths in them that
cannot all be configured (e.g. the shims' sockets in /run/containerd/s)."""
HIDDEN_SYSCTLS = (
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip
"""The kubelet sets them for the whole machine (pkg/kubelet/cm/container_manager_linux.go)."""
OWNER = "MYSQL_HA_NODE"
"""The variable that marks a node's processes, including the containers' shims."""
KILL_TIMEOUT = 10  # seconds until the kernel lets go of a cgroup


class Node:
    """`directory` has its files; its name in Kubernetes is that of its network namespace."""

    def __init__(
        self, letter: str, directory: Path, net: Network, programs: Programs, processes: Processes
    ) -> None:
        self.letter, self.network, self.programs = letter, net, programs
        self.name = net.namespace(letter)
        self.directory = directory / "nodes" / letter
        self.cluster = directory
        self.processes = processes

    def start(self) -> bool:
        """Start what does not run yet; say whether something was started.

        Where the mounts are not those of now, the whole node is restarted: containers would stay in
        the old mounts.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        holder = self._declare("node", self._holder())
        started = not self.processes.up_to_date(holder)
        if started:
            self.end()
            self._make_folders()
            self.processes.launch(holder)
            self.processes.wait(holder.name, self._mounted.exists)
        make_cgroup(f"{self.network.prefix}/{self.letter}")
        self._configure()
        config = self._file("containerd.toml")
        containerd = self._declare(
            "containerd", self.inside("containerd", f"--config={config}"), config
        )
        if self.processes.launch(containerd):
            started = True
            self.processes.wait(containerd.name, self._containerd_answers)
        return started

    def end(self) -> None:
        """End all of it at once, as a power cut does: what is on disk stays, /run does not."""

        def running() -> set[int]:
            return started_with(OWNER, self.name) | network.inside([self.name])

        end_by_force(running)
        remove_cgroup(f"{self.network.prefix}/{self.letter}")
        shutil.rmtree(self._file("root/run"), ignore_errors=True)

    def join(self) -> bool:
        """Start the kubelet, which registers the node; its images must be there."""
        labels = f"topology.kubernetes.io/zone={self.name},topology.kubernetes.io/region=local"
        config = self._file("kubelet.yaml")
        kubelet = self._declare("kubelet", self.inside(
            str(self.programs.kubelet), f"--config={config}",
            f"--hostname-override={self.name}",
            f"--kubeconfig={self.cluster}/kubelet-{self.letter}.kubeconfig",
            f"--node-ip={network.address(self.letter)}", "--cert-dir=/var/lib/kubelet/pki",
            f"--node-labels={labels}",
        ), config)  # fmt: skip
        started = self.processes.launch(kubelet)
        proxy = kube_proxy(
            self.programs, self.cluster, self.network, self.letter, network.address(self.letter)
        )
        return self.processes.launch(proxy) or started

    def provide(self, plan: Plan) -> None:
        """Import and tag, or pull, every image of the plan that this node lacks."""
        present = set(self._ctr("images", "list", "--quiet").split())
        for reference, archive in plan.packed.items():
            if archive.name not in present:
                self._ctr("images", "import", str(archive.file))
                present.add(archive.name)
            if reference == archive.name:
                continue
            mark = self._file(f"tags/{reference.replace('/', '_')}")
            known = mark.read_text() if mark.exists() else None
            if reference not in present or known != archive.name:
                self._ctr("images", "tag", "--force", archive.name, reference)
                mark.parent.mkdir(exist_ok=True)
                mark.write_text(archive.name)
        for reference in plan.pulled:
            if reference not in present:
                self.pull(reference)

    def kill(self, pod_uid: str, program: str, number: int = signal.SIGKILL) -> int:
        """A signal to a program in a Pod, by default as the kernel's OOM killer's; how many."""
        killed = 0
        for pid in processes_in(f"{self.network.prefix}/{self.letter}", pod_uid):
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == program:
                    os.kill(pid, number)
                    killed += 1
            except (FileNotFoundError, ProcessLookupError):
                continue
        return killed

    def written(self, pod_uid: str, pattern: str) -> int:
        """Bytes of the files of a Pod's scratch volumes (`emptyDir`) whose name is like that."""
        volumes = self._file("root/var/lib/kubelet/pods") / pod_uid / "volumes"
        files = volumes.glob(f"kubernetes.io~empty-dir/*/{pattern}")
        return sum(file.stat().st_size for file in files)

    # Files

    def _file(self, name: str) -> Path:
        return self.directory / name

    @property
    def _mounted(self) -> Path:
        """There once the holder has made the node's mounts."""
        return self._file("mounted")

    def _private(self) -> dict[Path, str]:
        """What is mounted over the machine's own, in the node's mount namespace only."""
        sysctls = {
            self._file(f"sysctl/{name.replace('/', '-')}"): f"/proc/sys/{name}"
            for name in HIDDEN_SYSCTLS
        }
        return {**sysctls, **{self._file(f"root{path}"): path for path in PRIVATE}}

    def _make_folders(self) -> None:
        for own, path in self._private().items():
            if Path(path).is_dir():
                own.mkdir(parents=True, exist_ok=True)
            else:
                own.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, own)
        self._mounted.unlink(missing_ok=True)

    def _holder(self) -> list[str]:
        """A process that holds the mount namespace in which the node's programs run."""
        script = [
            "set -e",
            "mount --make-rprivate /",
            *(
                f"mount --bind {shlex.quote(str(own))} {path}"
                for own, path in self._private().items()
            ),
            "mkdir -p /run/netns",
            "mount -t tmpfs none /run/netns",
            "mount --make-rshared /",
            f"touch {shlex.quote(str(self._mounted))}",
            "exec sleep infinity",
        ]
        shell = ["bash", "-c", "\n".join(script)]
        unshare = ["unshare", "--mount", "--propagation=private"]
        return [*self.network.enter(self.letter), *unshare, *shell]

    def _configure(self) -> None:
        cni = self._file("root/var/lib/cni-config/10-nodes.conflist")
        cni.parent.mkdir(exist_ok=True)
        cni.write_text(json.dumps({
            "cniVersion": "1.0.0",
            "name": "nodes",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "mtu": 1500,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": network.pods(self.letter)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }))  # fmt: skip
        plugins = self.programs.unpacked / "usr/lib/cni"
        self._file("containerd.toml").write_text(f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # To lower a score needs CAP_SYS_RESOURCE, which a sandbox may lack.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins if plugins.is_dir() else "/usr/lib/cni"}"
    conf_dir = "/var/lib/cni-config"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
""")
        self._file("kubelet.yaml").write_text(yaml.safe_dump({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": network.address(self.letter),
            "failCgroupV1": False,  # 1.35 and later refuse cgroup v1 altogether
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.network.prefix}/{self.letter}",
            "enforceNodeAllocatable": ["pods"],
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{self.cluster}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDomain": "cluster.local",
            "clusterDNS": [network.DNS],
            "resolvConf": str(self.cluster / "resolv.conf"),
            "failSwapOn": False,
            "evictionHard": {
                "nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "200Mi",
            },
            "imageGCHighThresholdPercent": 100,
            "healthzPort": 0,
            "readOnlyPort": 0,
        }))  # fmt: skip

    # Processes

    def _process(self, name: str) -> str:
        return f"{name}-{self.letter}"

    def _declare(self, name: str, argv: list[str], *files: Path) -> Process:
        env = {**self.programs.environment, OWNER: self.name}
        return Process(self._process(name), argv, env=env, files=files)

    def inside(self, *command: str) -> list[str]:
        """A command line that runs in the node's namespaces."""
        holder = self.processes.pid(self._process("node"))
        if not holder:
            raise LocalError(f"node {self.name} does not run")
        return ["nsenter", f"--target={holder}", "--mount", "--net", *command]

    @property
    def _socket(self) -> Path:
        return self._file("root/run/containerd/containerd.sock")

    def _containerd_answers(self) -> bool:
        try:
            return self._socket.exists() and bool(self._ctr("version"))
        except LocalError:
            return False

    def _ctr(self, *arguments: str) -> str:
        return self.programs.run(*self.inside("ctr", "--namespace=k8s.io", *arguments))

    def pull(self, reference: str) -> None:
        """By a client outside the node's namespaces, as those have no uplink."""
        where = (f"--address={self._socket}", "--namespace=k8s.io")
        # From containerd 2.0 on, the daemon would pull; before 1.7 there is no such option.
        known = "--local" in self.programs.run("ctr", "images", "pull", "--help")
        local = ("--local",) if known else ()
        self.programs.run("ctr", *where, "images", "pull", *local, reference)


PAUSE = "mysql-ha.local/pause:current"
"""What containerd calls the image that holds a Pod's namespaces."""


def kube_proxy(
    programs: Programs, cluster: Path, net: Network, node: str | None, address: str
) -> Process:
    """A kube-proxy; the control plane has one too, as it calls webhooks by their Services."""
    host = net.namespace(node)
    name = f"kube-proxy-{node}" if node else "kube-proxy"
    config = cluster / f"{name}.yaml"
    text = yaml.safe_dump({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{cluster}/kube-proxy.kubeconfig"},
        "mode": "iptables",
        "clusterCIDR": network.PODS,
        "detectLocalMode": "ClusterCIDR",
        "hostnameOverride": host,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # Not a namespace's to set.
        "conntrack": {
            "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
        },
    })  # fmt: skip
    # It ends when its file is written, though nothing changes (cmd/kube-proxy/app/server.go).
    if not config.exists() or config.read_text() != text:
        config.write_text(text)
    command = [*net.enter(node), str(programs.kube_proxy), f"--config={config}"]
    env = {**programs.environment, **({OWNER: host} if node else {})}
    return Process(name, command, env=env, files=(config,))


# Control groups


def hierarchies() -> list[Path]:
    """The cgroup hierarchies: one for each controller in version 1, one in version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return sorted(
        folder for folder in CGROUPS.glob("*") if folder.is_dir() and not folder.is_symlink()
    )


def make_cgroup(path: str) -> None:
    """Make a group and its parents in every hierarchy (cgroups(7))."""
    for hierarchy in hierarchies():
        group = hierarchy
        for part in path.split("/"):
            parent, group = group, group / part
            if hierarchy == CGROUPS:
                controllers = (parent / "cgroup.controllers").read_text().split()
                enabled = (parent / "cgroup.subtree_control").read_text().split()
                for controller in set(controllers) - set(enabled):
                    (parent / "cgroup.subtree_control").write_text(f"+{controller}")
            group.mkdir(exist_ok=True)
            for value in ("cpuset.cpus", "cpuset.mems") if hierarchy.name == "cpuset" else ():
                (group / value).write_text((parent / value).read_text())


def processes_in(path: str, part: str = "") -> set[int]:
    """The processes in a group and those below it whose path contains `part`."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        if hierarchy.name not in ("memory", CGROUPS.name):
            continue
        for file in (hierarchy / path).glob("**/cgroup.procs"):
            if part in str(file):
                found |= {int(pid) for pid in file.read_text().split()}
    return found


def remove_cgroup(path: str) -> None:
    """Kill what is left in a group and remove it, with all below it."""
    end_by_force(lambda: processes_in(path))
    for hierarchy in hierarchies():
        groups = sorted((hierarchy / path).glob("**/"), reverse=True)
        for group in groups:
            _remove_group(group)


def _remove_group(group: Path) -> None:
    """The kernel lets go of a group a little after its last process."""
    deadline = time.monotonic() + KILL_TIMEOUT
    while True:
        try:
            return group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
