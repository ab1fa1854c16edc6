"""Network namespaces: one for the control plane, one for each node, none with an uplink.

A bridge in the control plane's namespace joins them. Interfaces, routes, firewall rules and sysctls
exist only in these namespaces (network_namespaces(7)); the machine's own are not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local import LocalError, commands
from local.real.programs import Programs

NODES = ("a", "b", "c")
SERVER = "10.200.0.1"
"""Of the control plane, on the bridge."""
PODS, SERVICES, DNS = "10.244.0.0/16", "10.96.0.0/16", "10.96.0.10"
KUBERNETES = "10.96.0.1"
NAMESPACES = Path("/run/netns")
MADE = Path("/run/mysql-ha-netns")
"""There while NAMESPACES is a mount that iproute2 made for a cluster of ours (ip-netns(8))."""
MOUNTS = Path("/proc/self/mountinfo")


def address(node: str) -> str:
    """A node's address on the bridge."""
    return f"10.200.0.{11 + NODES.index(node)}"


def pods(node: str) -> str:
    """The addresses of a node's Pods."""
    return f"10.244.{1 + NODES.index(node)}.0/24"


@dataclass(frozen=True)
class Network:
    """The namespaces `<prefix>` and `<prefix>-<node>`."""

    prefix: str
    programs: Programs

    def namespace(self, node: str | None = None) -> str:
        return f"{self.prefix}-{node}" if node else self.prefix

    def enter(self, node: str | None = None) -> list[str]:
        """What runs a command in a namespace.

        Not `ip netns exec`: that mounts another /sys, without cgroups.
        """
        return ["nsenter", f"--net={NAMESPACES / self.namespace(node)}"]

    def start(self, nodes: Sequence[str]) -> None:
        """Make what is missing. A namespace that a kill left incomplete is recreated."""
        if not _is_mounted():
            MADE.touch()
        if not self.complete():
            self._new(self.prefix)
            self._in(self.prefix, "link add nodes type bridge")
            self._in(self.prefix, f"address add {SERVER}/24 dev nodes")
            self._in(self.prefix, "link set nodes up")
            for node in NODES:
                self._in(self.prefix, f"route add {pods(node)} via {address(node)}")
            self._finish(self.prefix, SERVER)
        for node in nodes:
            space = self.namespace(node)
            if self.complete(node):
                continue
            self._new(space)
            with suppress(LocalError):  # of a namespace that a kill left incomplete
                self._in(self.prefix, f"link delete node-{node}")
            peer = f"type veth peer name eth0 netns {space}"
            self._in(self.prefix, f"link add node-{node} {peer}")
            self._in(self.prefix, f"link set node-{node} master nodes up")
            self._in(space, f"address add {address(node)}/24 dev eth0")
            self._in(space, "link set eth0 up")
            for other in NODES:
                if other != node:
                    self._in(space, f"route add {pods(other)} via {address(other)}")
            self._finish(space, address(node))

    def cut(self, node: str, *, off: bool) -> None:
        """Take a node off the bridge, or put it back: what a broken cable does."""
        self._in(self.prefix, f"link set node-{node} {'down' if off else 'up'}")

    def _new(self, space: str) -> None:
        if (NAMESPACES / space).exists():
            self._ip(f"netns delete {space}")
        self._ip(f"netns add {space}")
        self._in(space, "link set lo up")

    def _finish(self, space: str, own: str) -> None:
        """Last of all the link by which `complete` knows that nothing is missing."""
        settings = ("ipv4.ip_forward=1", "ipv4.conf.all.rp_filter=0")
        node = space.removeprefix(self.prefix).removeprefix("-") or None
        command = [*self.enter(node), "sysctl", "-qw", *(f"net.{s}" for s in settings)]
        self.programs.run(*command)
        # No uplink: packets without a route here get an answer at once, as behind a closed
        # firewall.
        self._in(space, "route add unreachable default")
        # A node's own packet to a Service needs a route before kube-proxy gives it another address.
        self._in(space, "link add services up type bridge")
        self._in(space, f"route add {SERVICES} dev services src {own}")

    def complete(self, node: str | None = None) -> bool:
        """Whether nothing is missing in a namespace; a node's may still lack its bridge."""
        space = self.namespace(node)
        if not (NAMESPACES / space).exists():
            return False
        try:
            return "dev services" in self._in(space, "route show")
        except LocalError:  # a name without a namespace
            return False

    def _in(self, space: str, arguments: str) -> str:
        return self._ip(f"-netns {space} {arguments}")

    def _ip(self, arguments: str) -> str:
        return self.programs.run("ip", *arguments.split())


# What removes namespaces needs no program that a cluster is made of.


def spaces(prefix: str) -> list[str]:
    """The namespaces of a cluster that exist now, of nodes that no longer have a folder too."""
    names = (file.name for file in NAMESPACES.glob(f"{prefix}*"))
    return sorted(n for n in names if n == prefix or n.startswith(f"{prefix}-"))


def inside(names: Sequence[str]) -> set[int]:
    """Every process in one of the namespaces, whoever started it."""
    wanted = {_identity(NAMESPACES / name) for name in names} - {None}
    processes = Path("/proc").glob("[0-9]*") if wanted else ()
    return {int(p.name) for p in processes if _identity(p / "ns" / "net") in wanted}


def remove(prefix: str) -> None:
    """Remove the namespaces of a cluster, and the mount that holds all if it was made for ours."""
    # The nodes first: one without its bridge would count as complete.
    for space in reversed(spaces(prefix)):
        with suppress(LocalError):  # a name without a namespace
            commands.run(["umount", "--lazy", NAMESPACES / space])
        (NAMESPACES / space).unlink()
    if MADE.exists() and not (NAMESPACES.exists() and any(NAMESPACES.iterdir())):
        if _is_mounted():
            commands.run(["umount", NAMESPACES])
        with suppress(FileNotFoundError):
            NAMESPACES.rmdir()
        MADE.unlink()


def _identity(namespace: Path) -> tuple[int, int] | None:
    """What tells a namespace from the others (namespaces(7)); None if there is none."""
    try:
        found = namespace.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_mounted() -> bool:
    """Whether NAMESPACES is a mount of its own (field 5 of proc_pid_mountinfo(5))."""
    return any(line.split()[4] == str(NAMESPACES) for line in MOUNTS.read_text().splitlines())
