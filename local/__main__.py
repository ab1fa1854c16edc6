"""`python -m local build|up|preview|down|status|sql|drill|backup`: what the Makefile calls."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError, OutputMap, Stack

from components.config import load as configuration
from components.config.engine import ENGINES
from components.config.errors import ConfigError
from components.config.stack import StackConfig
from components.engines.wiring import WIRING
from components.proxysql import config_files
from components.proxysql.model import cnf_model
from local import REPOSITORY, LocalError, engine, jobs, locks, sql
from local.choice import choose, this_machine
from local.control_plane import ControlPlane
from local.kubectl import Kubectl
from local.place import Place, place_of, places, remains
from local.toolchain import REAL, SIMULATED, Toolchain
from tools.status.kubectl import Kubectl as StatusKubectl
from tools.status.model import Wanted
from tools.status.report import NOTHING_TO_SHOW, show

# What `status` lists; the operator's own objects show that it reconciles.
SQL_KINDS = "users.k8s.mariadb.com,grants.k8s.mariadb.com,databases.k8s.mariadb.com"
KINDS = f"mariadb,perconaxtradbcluster,statefulset,service,poddisruptionbudget,{SQL_KINDS}"
UNTOUCHED = (
    "Everything runs in network namespaces of its own, without an uplink; this machine's packages, "
    "containerd, docker, networks and firewall are not touched."
)


def up(wanted: str, yes: bool) -> None:
    """Deploy a stack: to the cluster it names, else to the best nodes that this machine offers."""
    name, file = engine.stack_file(wanted)
    config = engine.stack_config(file)
    if engine.names_cluster(config):
        stack = _cluster_stack(name, file)
        stack.preview(on_output=print, color=_color())
        _confirm(name, yes)
        _print_outputs(stack.up(on_output=print, color=_color(), show_secrets=False).outputs)
        return
    configs = _read(config)
    place = _choose(name, configs)
    with place.locked():
        stack = _open(place, name, config, configs)
        # Like `pulumi up`: whatever a preview refuses has then changed nothing.
        stack.preview(on_output=print, color=_color())
        result = stack.up(on_output=print, color=_color(), show_secrets=False)
        _print_outputs(result.outputs)
        if isinstance(place.cluster, ControlPlane):
            print(directions(place.cluster, any(c.engine == "percona" for c in configs)))
            return
        outputs = {key: o.value for key, o in result.outputs.items() if not o.secret}
        print("\nAsked")
        for one in configs:
            login = sql.login(one, sql.by_database(configs, outputs)[one.name], None)
            with sql.Sql(place.cluster.kubectl, one, login) as pod:
                answer = pod.ask_until_answered(sql.QUESTION)
            print(f"  {login.who} at {login.endpoint}: {sql.QUESTION}\n  {answer}")
        print(look_around(place.cluster.kubectl, wanted, outputs))


def preview(wanted: str) -> None:
    name, file = engine.stack_file(wanted)
    config = engine.stack_config(file)
    if engine.names_cluster(config):
        _cluster_stack(name, file).preview(on_output=print, color=_color())
        return
    configs = _read(config)
    place = _choose(name, configs)
    with place.locked():
        _open(place, name, config, configs).preview(on_output=print, color=_color())


def down(wanted: str | None) -> None:
    """Destroy one local stack, or end every local cluster with its stacks and state."""
    tools = Toolchain()
    if not wanted:
        for place in remains(tools):
            with place.locked():
                for name in place.stacks:
                    print(f"stack {name}: goes with its cluster")
                place.cluster.stop()
                locks.remove(place.directory)
            print(f"{place.kind} nodes: stopped, state removed")
        return
    name = engine.stack_file(wanted)[0] if wanted.endswith(".yaml") else wanted
    place = place_of(name, tools)
    if not place:
        known = ", ".join(s for p in places(tools) for s in p.stacks) or "none"
        raise LocalError(f"There is no local stack {name}. Stacks: {known}.")
    with place.locked():
        configs = _read(place.engine().config(name))
        place.start()  # as it is: a destroy needs no image
        place.engine().destroy(name, on_output=print, color=_color())
        print(left_behind(place.cluster.kubectl, configs))


def status() -> None:
    found = places(Toolchain(say=lambda _: None))
    if not found:
        print("nothing runs here; `make up` starts it")
    for place in found:
        print(f"{place.kind} nodes, stacks: {', '.join(place.stacks) or 'none'}")
        processes = place.cluster.status()
        for name, alive in processes.items():
            print(f"  {name:26}{'running' if alive else 'STOPPED'}")
        if processes and all(processes.values()):
            print(f"\n{place.cluster.kubectl('get', KINDS, '--all-namespaces')}", end="")


def shell(wanted: str, app: str | None, arguments: Sequence[str]) -> int:
    """A SQL client on a deployed stack, as one of its apps or root."""
    with _deployed(wanted, "no SQL") as (configs, outputs, kubectl):
        exported = sql.by_database(configs, outputs)
        having = [c for c in configs if app in (exported[c.name].get("apps") or {})]
        one = (having or list(configs))[0]
        with sql.Sql(kubectl, one, sql.login(one, exported[one.name], app)) as pod:
            return pod.shell(arguments)


def run_now(wanted: str, job: Callable[[jobs.Follower, StackConfig], bool]) -> int:
    """A backup or a drill of each database of a deployed stack, one after the other."""
    with _deployed(wanted, "no backups") as (configs, _, kubectl):
        return 0 if jobs.of_each(configs, kubectl, job) else 1


def screens(wanted: str, as_json: bool) -> int:
    """The state of each database of a deployed stack; the exit code of `tools.status`."""
    try:
        with seen(wanted) as (deployed, stack, kubectl):
            command = tuple(kubectl.command())
            now = {one.name: _configuration(one) for one in stack}
            return show(
                [
                    (
                        StatusKubectl(command, one.namespace),
                        one.name,
                        Wanted(
                            proxies=one.proxy.running if one.proxy.enabled else 0,
                            configuration=now.get(one.name, ""),
                        ),
                    )
                    for one in deployed
                ],
                as_json=as_json,
            )
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
    except CommandError as error:
        print(f"{_reason(error)}\nerror: pulumi failed; see above".lstrip(), file=sys.stderr)
    return NOTHING_TO_SHOW


def _configuration(config: StackConfig) -> str:
    """The Secret of the proxies' configuration; nothing where this program runs none."""
    if not config.own_proxies:
        return ""
    topology = WIRING[config.engine].topology(config)
    return config_files.secret_name(config, cnf_model(config, topology))


@contextmanager
def seen(
    wanted: str,
) -> Generator[tuple[Sequence[StackConfig], Sequence[StackConfig], Kubectl]]:
    """The databases of a stack as they were deployed, as far as that is known, and as its file has
    them now; and kubectl on its cluster. Nothing is written, and nothing waits: somebody looks
    while an update runs."""
    name, file = engine.stack_file(wanted)
    config = engine.stack_config(file)
    tools = Toolchain(say=lambda text: print(text, file=sys.stderr))
    if engine.names_cluster(config):
        configs = _read(config)
        settings = engine.cluster_settings(name, file, config, tools)
        with users_kubectl(tools.path("kubectl"), settings) as kubectl:
            yield configs, configs, kubectl
        return
    place = _place_of(name, wanted, tools, "nothing answers; `make status` lists its objects")
    deployed = _read(place.engine().config(name))
    try:
        configs = _read(config)
    except LocalError as error:
        print(f"not compared with the stack's file: {error}", file=sys.stderr)
        configs = ()
    yield deployed, configs, place.cluster.kubectl


@contextmanager
def _deployed(
    wanted: str, lacking: str
) -> Generator[tuple[Sequence[StackConfig], Mapping[str, Any], Kubectl]]:
    """What a deployed stack is: its databases, its outputs, and kubectl on its cluster.

    `lacking`: what simulated containers cannot do.
    """
    name, file = engine.stack_file(wanted)
    config = engine.stack_config(file)
    tools = Toolchain(say=lambda _: None)
    if engine.names_cluster(config):
        configs = _read(config)
        stack = _cluster_stack(name, file, create=False)
        outputs = {k: o.value for k, o in stack.outputs().items()}
        settings = {key: found.value for key, found in stack.get_all_config().items()}
        with users_kubectl(tools.path("kubectl"), settings) as kubectl:
            yield configs, outputs, kubectl
        return
    place = _place_of(name, wanted, tools, lacking)
    # What a run has half deployed answers no SQL.
    with place.locked():
        configs = _read(place.engine().config(name))
        outputs = place.engine().outputs(name)
    yield configs, outputs, place.cluster.kubectl


def _place_of(name: str, wanted: str, tools: Toolchain, lacking: str) -> Place:
    """Where a stack runs for real. `lacking`: what simulated containers cannot do."""
    place = place_of(name, tools)
    if not place:
        raise LocalError(f"Stack {name} is not here: `make up STACK={wanted}` first.")
    if isinstance(place.cluster, ControlPlane):
        raise LocalError(f"The containers of stack {name} are simulated: {lacking}.")
    return place


def build() -> None:
    """Everything that tests and `make up` run on this machine."""
    real = not this_machine().lacks_for_real
    Toolchain().prepare(SIMULATED, *([REAL] if real else []))


def _read(config: Mapping[str, Any]) -> tuple[StackConfig, ...]:
    try:
        return configuration.read(config)
    except ConfigError as error:
        raise LocalError(str(error)) from None


def _choose(name: str, configs: Sequence[StackConfig]) -> Place:
    """The place of a stack: where it is, else the best that can be had."""
    tools = Toolchain()
    wanted = os.environ.get("NODES") or None
    choice = choose(this_machine(), configs, wanted)
    existing = place_of(name, tools)
    if existing and existing.kind != choice.kind:
        if wanted:
            raise LocalError(
                f"Stack {name} is on {existing.kind} nodes: `make down STACK={name}` first."
            )
        return existing
    print(f"nodes: {choice.kind}, as {choice.reason}")
    if choice.better:
        print(f"better: {choice.better}")
    if choice.kind == "real":
        print(UNTOUCHED)
    return Place(choice.kind, tools)


def _open(place: Place, name: str, config: dict[str, Any], configs: Sequence[StackConfig]) -> Stack:
    """Everything that must be there before the engine can run."""
    place.start(configs, place.sources(configs))
    for namespace in sorted(engine.namespaces(config)):
        place.cluster.kubectl.ensure_namespace(namespace)
    return place.engine().open(name, config)


def _cluster_stack(name: str, file: Path, *, create: bool = True) -> Stack:
    if file.parent != REPOSITORY:
        raise LocalError(f"{file} names a cluster: copy it next to Pulumi.yaml first.")
    tools = Toolchain()
    tools.prepare()
    return engine.open_cluster_stack(name, tools.pulumi(), create=create)


@contextmanager
def users_kubectl(program: Path, settings: Mapping[str, str]) -> Generator[Kubectl]:
    """kubectl on the cluster that a stack names, by its decrypted settings.

    A kubeconfig may be given as a path or as its contents (`components/cluster.py`). Contents are
    credentials: they go to a file for its owner alone, and no command line shows them.
    """
    kubeconfig = settings.get("kubernetes:kubeconfig", "")
    options: list[str] = []
    with tempfile.NamedTemporaryFile("w", prefix="mysql-ha-kubeconfig-") as file:
        if "\n" in kubeconfig or kubeconfig.lstrip().startswith("{"):
            file.write(kubeconfig)
            file.flush()
            options.append(f"--kubeconfig={file.name}")
        elif kubeconfig:
            options.append(f"--kubeconfig={Path(kubeconfig).expanduser()}")
        if context := settings.get("kubernetes:context"):
            options.append(f"--context={context}")
        yield Kubectl(program, tuple(options))


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


def look_around(kubectl: Kubectl, wanted: str, outputs: Mapping[str, Any]) -> str:
    """What to type next on nodes that run containers."""
    apps: Mapping[str, Any] = outputs.get("apps") or {}
    app = f" APP={next(iter(apps))}" if apps else ""
    stack = "" if wanted == "dev" else f" STACK={wanted}"
    lines = [
        "",
        "Look around",
        f"  make sql{stack}{app}",
        f"  {' '.join(kubectl.command('get', 'mariadb,pods,services', '--all-namespaces'))}",
        "  make status",
        "  make down",
    ]
    return "\n".join(lines)


def left_behind(kubectl: Kubectl, configs: Sequence[StackConfig]) -> str:
    """What stays of a destroyed stack, with the command that removes it."""
    lines = ["Volumes, and what the operator made for itself, stay:"]
    for config in configs:
        database = config.database
        kept = ENGINES[config.engine].left_behind(config.name, database.topology, database.replicas)
        command = kubectl.command(
            "delete",
            "--ignore-not-found",
            "-n",
            config.namespace,
            *(f"{kind.lower()}/{object_name}" for kind, object_name in kept),
        )
        lines.append(f"  {' '.join(command)}")
    return "\n".join(lines)


def directions(cluster: ControlPlane, percona: bool) -> str:
    """How to look around, and what this machine only simulates."""
    kubectl = cluster.kubectl.command("get", "mariadb,pxc,pods,services", "--all-namespaces")
    lines = [
        "",
        "Look around",
        f"  {' '.join(kubectl)}",
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
    for name in ("build", "up", "preview", "down", "status", "sql", "drill", "backup"):
        command = commands.add_parser(name)
        if name != "build":
            default = None if name in ("down", "status") else "dev"
            command.add_argument("--stack", default=default, help="name or file of a stack")
        if name == "up":
            command.add_argument("--yes", action="store_true", help="a named cluster: do not ask")
        if name == "status":
            command.add_argument("--json", action="store_true", help="of a stack, for programs")
        if name == "sql":
            command.add_argument("--app", help="whose login; the first app's by default")
            command.add_argument("arguments", nargs="*", help="for the SQL client")
    arguments = parser.parse_args()
    if arguments.command == "status" and arguments.json and not arguments.stack:
        parser.error("--json is of a stack: name it, as `make status STACK=dev JSON=1` does")
    run: dict[str, Callable[[], int | None]] = {
        "build": build,
        "up": lambda: up(arguments.stack, arguments.yes),
        "preview": lambda: preview(arguments.stack),
        "down": lambda: down(arguments.stack),
        "status": lambda: screens(arguments.stack, arguments.json) if arguments.stack else status(),
        "sql": lambda: shell(arguments.stack, arguments.app, arguments.arguments),
        "drill": lambda: run_now(arguments.stack, jobs.drill),
        "backup": lambda: run_now(arguments.stack, jobs.backup),
    }
    try:
        return run[arguments.command]() or 0
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
    except CommandError as error:
        print(f"{_reason(error)}\nerror: pulumi failed; see above".lstrip(), file=sys.stderr)
    except OSError as error:  # a full disk, a folder that is somebody else's
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
