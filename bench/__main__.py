"""`python -m bench`: what this program costs compared with an empty one, measured in one run.

Cases alternate, so that a slow moment of the machine hits all of them; a case's figure is its
median. Writes bench/results.md and bench/apps.md, and with `--all` bench/cold.md.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

from bench.alone import preview as preview_alone
from bench.alone import with_apps
from bench.cost import Cost, clocked
from components.config.load import resolve
from components.config.presets import SIZES
from components.engines import mariadb
from components.proxysql import live, self_check
from local import REPOSITORY
from local.control_plane import ControlPlane
from local.engine import namespaces, stack_config
from local.toolchain import SIMULATED, Toolchain
from render import recorder

HERE = Path(__file__).parent
EMPTY = HERE / "empty"
ONE_OBJECT = HERE / "one_object"
STACKS = {size: REPOSITORY / f"Pulumi.{size}.yaml" for size in SIZES}
APPS = (1, 10, 100, 1000)
APPS_ALONE = (1, 100, 300, 1000)
GROWTH_ROUNDS = 3
"""Fewer than elsewhere: a preview with 1000 apps takes a minute or two."""


Measured = dict[str, list[Cost]]
"""By case, its cost in each round."""


def interleaved(cases: Mapping[str, Callable[[], Cost]], rounds: int) -> Measured:
    """The cost of each case in each round; a first round, thrown away, warms everything up."""
    found: Measured = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, measure in cases.items():
            cost = measure()
            if number:
                found[name].append(cost)
        say(f"  round {number} of {rounds}")
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- cases -------------------------------------------------------------------------------------


def previews(tools: Toolchain, rounds: int) -> tuple[Measured, Measured, str]:
    """Previews by the real engine against a control plane of their own: of each size, and by
    number of apps; and what ran them."""
    tools.prepare(SIMULATED)
    engine, plugin_path = tools.pulumi(), tools.plugin_path()
    binary = Path(engine.command)
    with temporary() as folder:
        cluster = ControlPlane(folder / "cluster", tools, say)
        try:
            cluster.start()
            cluster.kubectl.ensure_namespace("default")

            def preview(name: str, program: Path, config: Mapping[str, Any]) -> Callable[[], Cost]:
                for namespace in namespaces(config):
                    cluster.kubectl.ensure_namespace(namespace)
                request = {
                    # None: found on PATH, by its bare name.
                    "engine": str(binary.parents[1]) if binary.is_absolute() else None,
                    "directory": str(folder / "engine"),
                    "kubeconfig": str(cluster.kubeconfig),
                    "plugin_path": str(plugin_path) if plugin_path else None,
                    "pulumi_home": str(tools.pulumi_home),
                    "stack": name,
                    "config": config,
                    "program": str(program),
                }
                return lambda: in_a_process("bench.preview", json.dumps(request))

            cases = {
                "empty program": preview("empty", EMPTY / "__main__.py", {}),
                "one password, one ConfigMap": preview("one", ONE_OBJECT / "__main__.py", {}),
                **{
                    size: preview(size, REPOSITORY / "__main__.py", stack_config(file))
                    for size, file in STACKS.items()
                },
            }
            measured = interleaved(cases, rounds)
            say("previews by number of apps")
            growth = interleaved(
                {
                    str(count): preview(
                        f"apps-{count}", REPOSITORY / "__main__.py", with_apps(count)
                    )
                    for count in APPS
                },
                GROWTH_ROUNDS,
            )
        finally:
            cluster.stop()
    plugins = "local plugins" if plugin_path else "official plugins"
    return measured, growth, f"pulumi {engine.version}, {plugins}"


def in_a_process(module: str, argument: str) -> Cost:
    """What a module of this bench prints as its cost."""
    return Cost(*json.loads(run([sys.executable, "-m", module, argument])))


def programs(rounds: int) -> Measured:
    """The program alone, in one warm process, on a monitor that answers at once: of each size."""

    def run_on_mocks(root: Path, config: Mapping[str, Any]) -> Callable[[], Cost]:
        def once() -> None:
            with mock.patch.object(recorder, "ROOT", root):
                preview_alone(config)

        return lambda: clocked(once)

    cases = {"empty program": run_on_mocks(EMPTY, {})}
    cases |= {size: run_on_mocks(REPOSITORY, stack_config(file)) for size, file in STACKS.items()}
    return interleaved(cases, rounds)


def programs_with_apps() -> Measured:
    """The program alone, by number of apps, each in a process of its own."""

    def alone(count: int) -> Callable[[], Cost]:
        return lambda: in_a_process("bench.alone", str(count))

    return interleaved({str(count): alone(count) for count in APPS_ALONE}, GROWTH_ROUNDS)


def rendering(rounds: int) -> Measured:
    """`users.cnf` and its two checks, by number of apps."""

    def render(count: int) -> Callable[[], Cost]:
        config = resolve(
            {key.removeprefix("mysql-ha:"): value for key, value in with_apps(count).items()}
        )
        model = live.live(config, mariadb.topology(config))
        passwords = {user.username: f"{user.username}-{'x' * 32}" for user in config.logins}

        def once() -> None:
            live.render_users(model, passwords)
            self_check.live_check(model, running=False)
            self_check.live_check(model, running=True)

        return lambda: clocked(once)

    return interleaved({str(count): render(count) for count in APPS}, rounds)


def make_up() -> dict[str, float]:
    """`make up` in a fresh clone with empty caches, again with no change, and after `make down`.

    Go's and pip's downloads are part of the first: it is what a new machine would see, on this
    network.
    """
    with temporary() as folder:
        clone = folder / "clone"
        run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)])
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "cache"),  # ours, pip's and Go's build cache
            "GOPATH": str(folder / "go"),
            "GOFLAGS": "-modcacherw",  # or the folder could not be removed
        }

        def make(target: str) -> float:
            say(f"  make {target}")
            return clocked(lambda: run(["make", target], clone, environment)).wall

        try:
            return {
                "first `make up`: nothing installed": make("up"),
                "second `make up`: no change": make("up"),
                "`make down`": make("down"),
                "`make up` after it: programs built": make("up"),
            }
        finally:
            make("down")


# --- results -----------------------------------------------------------------------------------


def medians(costs: Sequence[Cost]) -> Cost:
    """The median of the times on the clock, and that of the processors' times."""
    return Cost(*(statistics.median(seconds) for seconds in zip(*costs, strict=True)))


def spread(costs: Sequence[Cost]) -> float:
    """Seconds on the clock between the fastest and the slowest round."""
    walls = [cost.wall for cost in costs]
    return max(walls) - min(walls)


def compared(title: str, measured: Mapping[str, Sequence[Cost]]) -> str:
    """A table of medians, their spread, and ratios to the first case; on the clock and in CPU."""
    base = medians(next(iter(measured.values())))
    lines = [
        f"| {title} | median | slowest − fastest | ratio | CPU | CPU ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, costs in measured.items():
        median = medians(costs)
        lines.append(
            f"| {name} | {shown(median.wall)} | {shown(spread(costs))} "
            f"| {median.wall / base.wall:.1f} | {shown(median.cpu)} "
            f"| {median.cpu / base.cpu:.1f} |"
        )
    return "\n".join(lines)


def grown(title: str, measured: Mapping[str, Sequence[Cost]]) -> str:
    """A table of medians by number of apps, and what each app beyond the first cost."""
    by_apps = {int(apps): medians(costs) for apps, costs in measured.items()}
    (fewest, base), *_ = by_apps.items()
    lines = [
        f"| {title}: apps | median | slowest − fastest | each further app | CPU "
        "| each further app |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for apps, median in by_apps.items():
        each = ["", ""]
        if more := apps - fewest:
            each = [shown((mine - first) / more) for mine, first in zip(median, base, strict=True)]
        lines.append(
            f"| {apps} | {shown(median.wall)} | {shown(spread(measured[str(apps)]))} | {each[0]} "
            f"| {shown(median.cpu)} | {each[1]} |"
        )
    return "\n".join(lines)


def shown(seconds: float) -> str:
    """Seconds with three significant digits, in a unit that needs no exponent."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.3g} s"


def environment(*parts: str) -> str:
    """What a reader needs to judge the figures; nothing that names a machine or a day."""
    return ", ".join((f"{os.cpu_count()} cores", f"Python {platform.python_version()}", *parts))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="previews of each case, 7 or more")
    parser.add_argument("--all", action="store_true", help="also a cold `make up` (many minutes)")
    parser.add_argument("--apps", action="store_true", help="only bench/apps.md (minutes)")
    arguments = parser.parse_args()
    if arguments.rounds < 7:
        parser.error("a median needs at least 7 rounds")
    say("the program with apps")
    write(HERE / "apps.md", ["# Many apps", *apps_page(programs_with_apps())])
    if arguments.apps:
        return
    say("previews by the real engine")
    engine, engine_growth, runner = previews(Toolchain(say=say), arguments.rounds)
    say("the program on mocks")
    mocked = programs(4 * arguments.rounds)
    say("rendering users.cnf")
    rendered = rendering(4 * arguments.rounds)
    sdks = (f"{name} {version(name)}" for name in ("pulumi-kubernetes", "pulumi-random"))
    sections = [
        "# Bench results",
        f"Environment: {environment(runner, *sdks)}.",
        f"Cases alternated, {arguments.rounds} rounds after a warm-up; ratios are to the first "
        f"line of each table. {CPU}",
        compared("`pulumi preview` of a new stack, real engine", engine),
        "Each preview has a process of its own. The clock runs from the engine's start to its end; "
        "Python and the `pulumi` package are loaded before, everything else within. The empty "
        "program starts no plugin; the second line shows what starting both costs.",
        compared("the program alone, on mocks, warm", mocked),
        f"Growth with the number of apps, size `small`, {GROWTH_ROUNDS} rounds of the first two. "
        "An app with one database is six resources.",
        grown("`pulumi preview` of a new stack, real engine", engine_growth),
        grown("rendering `users.cnf`", rendered),
    ]
    write(HERE / "results.md", sections)
    if arguments.all:
        say("make up, cold")
        seconds = make_up()
        lines = ["| `make up` | time |", "| --- | --- |"]
        lines += [f"| {name} | {shown(value)} |" for name, value in seconds.items()]
        title = ["# Cold start", f"Environment: {environment(runner)}.", "\n".join(lines)]
        write(HERE / "cold.md", title)


CPU = "CPU: user and system seconds, those of the engine and its plugins among them."


def apps_page(measured: Mapping[str, Sequence[Cost]]) -> list[str]:
    """What the program alone does with many apps."""
    hundred, thousand = (_each(measured, apps) for apps in ("100", "1000"))
    return [
        f"Environment: {environment()}. {GROWTH_ROUNDS} rounds, each run in a process of its own.",
        grown("the program alone, on mocks, size `small`", measured),
        f"By CPU, each of 1000 apps costs {thousand / hundred:.2f} times as much as each of 100.",
    ]


def _each(measured: Mapping[str, Sequence[Cost]], apps: str) -> float:
    """CPU seconds of each app of a number of them."""
    return medians(measured[apps]).cpu / int(apps)


def write(file: Path, sections: Sequence[str]) -> None:
    file.write_text("\n\n".join(sections) + "\n")
    print(file.read_text())


def run(
    command: Sequence[str], directory: Path = REPOSITORY, env: Mapping[str, str] | None = None
) -> str:
    """What a command printed; its own words when it fails."""
    result = subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(f"{command[0]}: {(result.stderr or result.stdout)[-3000:]}")
    return result.stdout


@contextmanager
def temporary() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mysql-ha-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
