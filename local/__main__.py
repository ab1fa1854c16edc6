"""`python -m local build|up|preview|down|status`: what the Makefile calls."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError, OutputMap, Stack

from local import REPOSITORY, LocalError, engine, go
from local.control_plane import ControlPlane
from local.engine import Engine
from local.toolchain import Toolchain

HOME = REPOSITORY / ".local"
# What `status` lists; the operator's own objects show that it reconciles.
SQL_KINDS = "users.k8s.mariadb.com,grants.k8s.mariadb.com,databases.k8s.mariadb.com"
KINDS = f"mariadb,perconaxtradbcluster,statefulset,service,poddisruptionbudget,{SQL_KINDS}"


class Local:
    """The local control plane and engine of this clone."""

    def __init__(self) -> None:
        self.tools = Toolchain()
        self.cluster = ControlPlane(HOME / "cluster", self.tools)

    def engine(self) -> Engine:
        return Engine(
            directory=HOME / "engine",
            command=self.tools.pulumi(),
            kubeconfig=self.cluster.kubeconfig,
            plugin_path=self.tools.plugin_path(),
            pulumi_home=self.tools.pulumi_home,
        )

    def open(self, name: str, config: dict[str, Any]) -> Stack:
        """Everything that must be there before the engine can run."""
        self.tools.prepare()
        self.cluster.start()
        for namespace in sorted(engine.namespaces(config)):
            self.cluster.kubectl.ensure_namespace(namespace)
        return self.engine().open(name, config)


def up(wanted: str, yes: bool) -> None:
    name, file = engine.stack_file(wanted)
    config = engine.stack_config(file)
    if engine.names_cluster(config):
        stack = _cluster_stack(name, file)
        stack.preview(on_output=print, color=_color())
        _confirm(name, yes)
        _print_outputs(stack.up(on_output=print, color=_color(), show_secrets=False).outputs)
        return
    local = Local()
    stack = local.open(name, config)
    # Like `pulumi up`: whatever a preview refuses has then changed nothing.
    stack.preview(on_output=print, color=_color())
    result = stack.up(on_output=print, color=_color(), show_secrets=False)
    _print_outputs(result.outputs)
    print(directions(local.cluster, "percona" in engine.values(config, "engine")))


def preview(wanted: str) -> None:
    name, file = engine.stack_file(wanted)
    config = engine.stack_config(file)
    named = engine.names_cluster(config)
    stack = _cluster_stack(name, file) if named else Local().open(name, config)
    stack.preview(on_output=print, color=_color())


def down(wanted: str | None) -> None:
    """Destroy one local stack, or all of them and the control plane with them."""
    local = Local()
    existing = engine.stacks_in(HOME / "engine")
    if wanted:
        name = engine.stack_file(wanted)[0] if wanted.endswith(".yaml") else wanted
        if name not in existing:
            known = ", ".join(existing) or "none"
            raise LocalError(f"There is no local stack {name}. Stacks: {known}.")
        existing = [name]
    if existing:
        local.tools.prepare()
        local.cluster.start()
        running = local.engine()
        for name in existing:
            try:
                running.destroy(name, on_output=print, color=_color())
            except CommandError as error:
                if wanted:
                    raise
                print(f"{_reason(error)}\nstack {name}: goes with its cluster all the same")
    if not wanted:
        local.cluster.stop()
        shutil.rmtree(HOME / "engine", ignore_errors=True)
        print("control plane stopped, state removed")


def status() -> None:
    local = Local()
    processes = local.cluster.status()
    if not processes:
        print("nothing runs here; `make up` starts it")
        return
    for name, alive in processes.items():
        print(f"{name:26}{'running' if alive else 'STOPPED'}")
    print(f"\nstacks: {', '.join(engine.stacks_in(HOME / 'engine')) or 'none'}\n")
    if all(processes.values()):
        print(local.cluster.kubectl("get", KINDS, "--all-namespaces"), end="")


def _cluster_stack(name: str, file: Path) -> Stack:
    if file.parent != REPOSITORY:
        raise LocalError(f"{file} names a cluster: copy it next to Pulumi.yaml first.")
    tools = Toolchain()
    tools.prepare(cluster=False)
    return engine.open_cluster_stack(name, tools.pulumi())


def _confirm(name: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise LocalError(f"Stack {name} names a cluster: pass --yes to deploy unattended.")
    if input(f"Deploy {name} to the cluster it names? Type yes: ") != "yes":
        raise LocalError("Nothing was deployed.")


def _color() -> str:
    return "always" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else "never"


def _print_outputs(outputs: OutputMap) -> None:
    print("\nOutputs")
    for key, output in sorted(outputs.items()):
        value = output.value if isinstance(output.value, str) else json.dumps(output.value)
        print(f"  {key:16}{'[secret]' if output.secret else value}")


def directions(cluster: ControlPlane, percona: bool) -> str:
    """How to look around, and what this machine only simulates."""
    kubectl = f"{cluster.tools.path('kubectl')} --kubeconfig {cluster.kubeconfig}"
    lines = [
        "",
        "Look around",
        f"  {kubectl} get mariadb,pxc,pods,services --all-namespaces",
        "  make status",
        "  make down",
        "",
        "Containers are simulated, so no SQL server runs.",
    ]
    if pending := cluster.kubectl("get", SQL_KINDS, "--all-namespaces", "--output=name").split():
        lines += ["Pending for that reason, and only here:", *(f"  {name}" for name in pending)]
    if percona:
        lines += [
            "No Percona operator runs either: KWOK says in its place that each",
            "PerconaXtraDBCluster is ready. What this shows is that the API server accepts the",
            "object; the Pods, Services and accounts that the operator would make do not exist.",
        ]
    lines.append("The engine, the API server and mariadb-operator are the real ones.")
    return "\n".join(lines)


def _reason(error: CommandError) -> str:
    """What the engine wrote to stderr; its stdout has been shown as it came."""
    return str(error).partition("\n stderr: ")[2].strip()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("build", "up", "preview", "down", "status"):
        command = commands.add_parser(name)
        if name not in ("build", "status"):
            default = None if name == "down" else "dev"
            command.add_argument("--stack", default=default, help="name or file of a stack")
        if name == "up":
            command.add_argument("--yes", action="store_true", help="a named cluster: do not ask")
    arguments = parser.parse_args()
    run: dict[str, Callable[[], None]] = {
        "build": Toolchain().prepare,
        "up": lambda: up(arguments.stack, arguments.yes),
        "preview": lambda: preview(arguments.stack),
        "down": lambda: down(arguments.stack),
        "status": status,
    }
    try:
        if arguments.command == "status":
            status()
        else:
            with go.locked(HOME / "lock"):
                run[arguments.command]()
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
    except CommandError as error:
        print(f"{_reason(error)}\nerror: pulumi failed; see above".lstrip(), file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
