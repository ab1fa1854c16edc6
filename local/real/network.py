"""Network namespaces: one for the control plane, one for each node, none with an uplink.

A bridge in the control plane's namespace joins them. Interfaces, routes, firewall rules and sysctls
exist only in these namespaces (network_namespaces(7)); the machine's own are not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local import LocalError
from local.real.programs import Programs

NODES = ("a", "b", "c")
SERVER = "10.200.0.1"
"""Of the control plane, on the bridge."""
PODS, SERVICES, DNS = "10.244.0.0/16", "10.96.0.0/16", "10.96.0.10"
KUBERNETES = "10.96.0.1"
NAMESPACES = Path("/run/netns")


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

    def existing(self) -> list[str]:
        """The namespaces that exist now, of nodes that no longer have a folder too."""
        names = (file.name for file in NAMESPACES.glob(f"{self.prefix}*"))
        return sorted(n for n in names if n == self.prefix or n.startswith(f"{self.prefix}-"))

    def start(self, nodes: Sequence[str]) -> None:
        """Make what is missing. A namespace that a kill left half made is made anew."""
        if not self._complete(self.prefix):
            self._new(self.prefix)
            self._in(self.prefix, "link add nodes type bridge")
            self._in(self.prefix, f"address add {SERVER}/24 dev nodes")
            self._in(self.prefix, "link set nodes up")
            for node in NODES:
                self._in(self.prefix, f"route add {pods(node)} via {address(node)}")
            self._finish(self.prefix, SERVER)
        for node in nodes:
            space = self.namespace(node)
            if self._complete(space):
                continue
            self._new(space)
            with suppress(LocalError):  # of a namespace that a kill left half made
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

    def stop(self) -> None:
        """Remove the namespaces, and with them all that is in them."""
        # The nodes first: one without its bridge would count as complete.
        for space in reversed(self.existing()):
            self._ip(f"netns delete {space}")

    def processes(self) -> set[int]:
        """Every process in one of the namespaces, whoever started it."""
        found = (self._ip(f"netns pids {space}") for space in self.existing())
        return {int(pid) for pids in found for pid in pids.split()}

    def cut(self, node: str, *, off: bool) -> None:
        """Take a node off the bridge, or put it back: what a broken cable does."""
        self._in(self.prefix, f"link set node-{node} {'down' if off else 'up'}")

    def _new(self, space: str) -> None:
        if (NAMESPACES / space).exists():
            self._ip(f"netns delete {space}")
        self._ip(f"netns add {space}")
        self._in(space, "link set lo up")

    def _finish(self, space: str, own: str) -> None:
        """Last of all the link by which `_complete` knows that nothing is missing."""
        settings = ("ipv4.ip_forward=1", "ipv4.conf.all.rp_filter=0")
        node = space.removeprefix(self.prefix).removeprefix("-") or None
        command = [*self.enter(node), "sysctl", "-qw", *(f"net.{s}" for s in settings)]
        self.programs.run(*command)
        # No way out: what has no route here gets an answer at once, as behind a closed firewall.
        self._in(space, "route add unreachable default")
        # A node's own packet to a Service needs a route before kube-proxy gives it another address.
        self._in(space, "link add services up type bridge")
        self._in(space, f"route add {SERVICES} dev services src {own}")

    def _complete(self, space: str) -> bool:
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
