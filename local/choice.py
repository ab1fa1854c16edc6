"""Which kind of nodes this machine can offer a stack, and why not a better one. Pure decisions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from components.config import quantity
from components.config.stack import StackConfig
from local import REPOSITORY, LocalError
from local.real.debian import own_release
from local.real.node import PRIVATE
from local.toolchain import cache_folder

Kind = Literal["real", "kind", "simulated"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RESERVED_CPU = 0.3
"""Maximum cores of a node that DNS, operator and webhook request."""


@dataclass(frozen=True)
class Machine:
    """What decides about the kinds; see `this_machine`."""

    cores: int
    memory: int
    """Bytes."""
    lacks_for_real: tuple[str, ...]
    """What real nodes need and this machine lacks; empty if it lacks nothing."""
    lacks_for_kind: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    kind: Kind
    reason: str
    better: str = ""
    """How to get the next better kind; empty for the best."""


def this_machine() -> Machine:
    """Checks the machine; nothing is started or changed."""
    docker = bool(shutil.which("docker")) and _runs("docker", "info")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=os.cpu_count() or 1,
        memory=pages,
        lacks_for_real=tuple(_lacks_for_real()),
        lacks_for_kind=() if docker else ("docker, running",),
    )


def _lacks_for_real() -> Iterable[str]:
    if sys.platform != "linux":
        yield "Linux"
    release = own_release()
    if not release:
        yield "Debian's or Ubuntu's apt"
    elif lacks := release.lacks():
        yield lacks
    if any(p.is_relative_to(q) for p in (REPOSITORY, cache_folder()) for q in PRIVATE):
        yield f"a clone and a cache outside {', '.join(PRIVATE)}"
    if os.geteuid() != 0:
        yield "root"
        return  # who alone could tell what else there is
    if not os.access("/sys/fs/cgroup", os.W_OK):
        yield "cgroups that can be written"
    if not _runs("unshare", "--net", "--mount", "true"):
        yield "network namespaces"
    elif not overlay_works(REPOSITORY):
        yield f"overlayfs on the file system of {REPOSITORY}"


def overlay_works(folder: Path) -> bool:
    """Whether containers' file systems can be mounted below a folder; not so on an overlay.

    Tried where nobody else sees it, which also loads the kernel's module: /proc/filesystems does
    not name it before.
    """
    with tempfile.TemporaryDirectory(prefix=".overlay-", dir=folder) as name:
        script = (
            'cd "$0" && mkdir lower upper work merged && mount -t overlay overlay '
            "-o lowerdir=lower,upperdir=upper,workdir=work merged && touch merged/file"
        )
        return _runs("unshare", "--mount", "sh", "-c", script, name)


def choose(machine: Machine, configs: Sequence[StackConfig], wanted: str | None) -> Choice:
    """The best kind of nodes for a stack, or the one that NODES forces. Raises LocalError if this
    machine cannot run it, or cannot run any.
    """
    choice = _choose(machine, configs, wanted)
    if choice.kind == "simulated" and "Linux" in machine.lacks_for_real:
        raise LocalError(
            "This machine can run no nodes: real and simulated ones need Linux (a virtual machine "
            "with it does), kind needs docker and a stack that fits. Or name a cluster in it."
        )
    return choice


def _choose(machine: Machine, configs: Sequence[StackConfig], wanted: str | None) -> Choice:
    if wanted and wanted not in KINDS:
        raise LocalError(f"NODES={wanted} is none of {', '.join(KINDS)}.")
    unfit = _unfit(machine, configs)
    lacks = {"real": machine.lacks_for_real, "kind": machine.lacks_for_kind, "simulated": ()}
    if wanted:
        reasons = [*(f"this machine has no {what}" for what in lacks[wanted]), *unfit]
        if wanted != "simulated" and reasons:
            raise LocalError(f"NODES={wanted} cannot be had: {'; '.join(reasons)}.")
        return Choice(wanted, f"NODES={wanted} asks for it")
    if unfit:
        return Choice("simulated", unfit[0])
    if not machine.lacks_for_real:
        return Choice("real", "this machine has all that real nodes need")
    needs = f"real nodes need {', '.join(machine.lacks_for_real)}"
    if not machine.lacks_for_kind:
        return Choice("kind", "docker runs here", needs)
    docker = f"kind needs {', '.join(machine.lacks_for_kind)}"
    return Choice("simulated", "neither real nodes nor kind can be had", f"{needs}; {docker}")


def _unfit(machine: Machine, configs: Sequence[StackConfig]) -> list[str]:
    """Why a stack cannot run on nodes of this machine, whatever they are."""
    found: list[str] = []
    total = 0
    for config in configs:
        if config.engine == "percona":
            found.append(f"{config.name}: Percona's operator cannot be had as a Go module")
        requests = config.database.resources.requests
        cores = float(quantity.parse(requests.cpu or "0"))
        memory = int(quantity.parse(requests.memory or "0"))
        if cores > machine.cores - RESERVED_CPU:
            found.append(
                f"{config.name}: each server asks for {cores:g} cores, and this machine has "
                f"{machine.cores} for everything"
            )
        total += memory * config.database.replicas
        if total > machine.memory:
            others = " and those before" if config is not configs[0] else ""
            found.append(f"{config.name}: its servers{others} ask for more memory than there is")
    return found


def _runs(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
