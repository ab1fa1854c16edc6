"""Where stacks are on this machine: each kind of nodes has its own cluster and engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from components.config.stack import StackConfig
from local import REPOSITORY, locks
from local.choice import KINDS, Kind
from local.control_plane import ControlPlane
from local.engine import Engine, stacks_in
from local.kind import KindCluster
from local.real.cluster import RealCluster
from local.real.images import Sources
from local.toolchain import KIND, REAL, SIMULATED, Toolchain

HOME = REPOSITORY / ".local"


class Place:
    """Everything is below `.local/<kind>`; the kinds do not know each other."""

    def __init__(self, kind: Kind, tools: Toolchain) -> None:
        self.kind, self.tools = kind, tools
        self.directory = HOME / kind
        folder = self.directory / "cluster"
        self.cluster: ControlPlane | RealCluster | KindCluster
        if kind == "real":
            self.cluster = RealCluster(folder, tools)
        elif kind == "kind":
            self.cluster = KindCluster(folder, tools)
        else:
            self.cluster = ControlPlane(folder, tools)

    @property
    def stacks(self) -> list[str]:
        """The stacks that were deployed here."""
        return stacks_in(self.directory / "engine")

    def sources(self, configs: Sequence[StackConfig]) -> Sources:
        """Where the images of a stack come from. Raises LocalError if an image is not available."""
        if isinstance(self.cluster, RealCluster):
            return self.cluster.images.sources(configs)
        return {}

    def start(self, configs: Sequence[StackConfig] = (), sources: Sources | None = None) -> None:
        """Build what is missing, then start the cluster with room for a stack."""
        spread = any(
            max(c.database.replicas, c.proxy.replicas if c.proxy.enabled else 0) > 1
            for c in configs
        )
        if isinstance(self.cluster, RealCluster):
            self.tools.prepare(REAL)
            plan = self.cluster.images.plan(sources or {})
            for reference, archive in plan.packed.items():
                self.tools.say(f"image {reference}: {archive.content}")
            for reference in plan.pulled:
                self.tools.say(f"image {reference}: pulled from its registry")
            self.cluster.start(3 if spread else 1, plan)
        elif isinstance(self.cluster, KindCluster):
            self.tools.prepare(KIND)
            self.cluster.start(3 if spread else 1)
        else:
            self.tools.prepare(SIMULATED)
            self.cluster.start()

    def engine(self) -> Engine:
        """The engine that deploys to this cluster, on a state of its own."""
        return Engine(
            directory=self.directory / "engine",
            command=self.tools.pulumi(),
            kubeconfig=self.cluster.kubeconfig,
            plugin_path=self.tools.plugin_path(),
            pulumi_home=self.tools.pulumi_home,
            answers_sql=self.kind != "simulated",
        )

    def locked(self) -> AbstractContextManager[None]:
        """One run at a time; says so when it has to wait."""
        return locks.locked(self.directory / locks.NAME, waiting=lambda: self.tools.say(
            f"waiting: another `make` of this clone works on its {self.kind} nodes…"
        ))  # fmt: skip


def places(tools: Toolchain) -> list[Place]:
    """Those that have a folder."""
    return [place for place in _all(tools) if place.directory.exists()]


def remains(tools: Toolchain) -> list[Place]:
    """The places of which anything exists, even if somebody removed the folder."""
    return [p for p in _all(tools) if p.directory.exists() or p.cluster.remains()]


def _all(tools: Toolchain) -> list[Place]:
    return [Place(kind, tools) for kind in KINDS]


def place_of(stack: str, tools: Toolchain) -> Place | None:
    """Where a stack was deployed."""
    return next((place for place in places(tools) if stack in place.stacks), None)
