"""`python -m bench`: what this program costs compared with an empty one, measured in one run.

Cases alternate, so that a slow moment of the machine hits all of them; a case's figure is its
median. Writes bench/results.md, and with `--all` bench/cold.md.
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
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

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
GROWTH_ROUNDS = 3
"""Fewer than elsewhere: a preview with 1000 apps takes a minute or two."""


def interleaved(cases: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each case in each round; a first round, thrown away, warms everything up."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, measure in cases.items():
            seconds = measure()
            if number:
                found[name].append(seconds)
        say(f"  round {number} of {rounds}")
    return found


def clocked(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- cases -------------------------------------------------------------------------------------


Measured = dict[str, list[float]]


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

            def preview(name: str, program: Path, config: Mapping[str, Any]) -> Callable[[], float]:
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
                command = [sys.executable, "-m", "bench.preview", json.dumps(request)]
                return lambda: float(run(command))

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


def with_apps(count: int) -> dict[str, Any]:
    """The config of a stack of size `small` with a number of apps, each with a database."""
    apps = [
        {"name": f"app-{number}", "databases": {f"app{number}": "owner"}} for number in range(count)
    ]
    return {"mysql-ha:size": "small", "mysql-ha:apps": apps}


def programs(rounds: int) -> tuple[Measured, Measured]:
    """The program alone, in one warm process, on a monitor that answers at once: of each size, and
    by number of apps."""

    def run_on_mocks(root: Path, config: Mapping[str, Any]) -> Callable[[], float]:
        def once() -> None:
            with mock.patch.object(recorder, "ROOT", root):
                error = recorder.run(config, preview=True).error
            if error:
                raise SystemExit(error)

        return lambda: clocked(once)

    cases = {"empty program": run_on_mocks(EMPTY, {})}
    cases |= {size: run_on_mocks(REPOSITORY, stack_config(file)) for size, file in STACKS.items()}
    measured = interleaved(cases, rounds)
    growth = {str(count): run_on_mocks(REPOSITORY, with_apps(count)) for count in APPS}
    return measured, interleaved(growth, GROWTH_ROUNDS)


def rendering(rounds: int) -> Measured:
    """`users.cnf` and its two checks, by number of apps."""

    def render(count: int) -> Callable[[], float]:
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
            return clocked(lambda: run(["make", target], clone, environment))

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


def compared(title: str, measured: Mapping[str, Sequence[float]]) -> str:
    """A table of medians, their spread, and ratios to the first case."""
    base = statistics.median(next(iter(measured.values())))
    lines = [
        f"| {title} | median | slowest − fastest | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for name, seconds in measured.items():
        median = statistics.median(seconds)
        spread = max(seconds) - min(seconds)
        lines.append(f"| {name} | {shown(median)} | {shown(spread)} | {median / base:.1f} |")
    return "\n".join(lines)


def grown(title: str, measured: Mapping[str, Sequence[float]]) -> str:
    """A table of medians by number of apps, and what each app beyond the first cost."""
    medians = {int(apps): statistics.median(seconds) for apps, seconds in measured.items()}
    (fewest, base), *_ = medians.items()
    lines = [
        f"| {title}: apps | median | slowest − fastest | each further app |",
        "| --- | --- | --- | --- |",
    ]
    for apps, median in medians.items():
        spread = max(measured[str(apps)]) - min(measured[str(apps)])
        more = shown((median - base) / (apps - fewest)) if apps > fewest else ""
        lines.append(f"| {apps} | {shown(median)} | {shown(spread)} | {more} |")
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
    arguments = parser.parse_args()
    if arguments.rounds < 7:
        parser.error("a median needs at least 7 rounds")
    say("previews by the real engine")
    engine, engine_growth, runner = previews(Toolchain(say=say), arguments.rounds)
    say("the program on mocks")
    mocked, mocked_growth = programs(4 * arguments.rounds)
    say("rendering users.cnf")
    rendered = rendering(4 * arguments.rounds)
    sdks = (f"{name} {version(name)}" for name in ("pulumi-kubernetes", "pulumi-random"))
    sections = [
        "# Bench results",
        f"Environment: {environment(runner, *sdks)}.",
        f"Cases alternated, {arguments.rounds} rounds after a warm-up; ratios are to the first "
        "line of each table.",
        compared("`pulumi preview` of a new stack, real engine", engine),
        "Each preview has a process of its own. The clock runs from the engine's start to its end; "
        "Python and the `pulumi` package are loaded before, everything else within. The empty "
        "program starts no plugin; the second line shows what starting both costs.",
        compared("the program alone, on mocks, warm", mocked),
        f"Growth with the number of apps, size `small`, {GROWTH_ROUNDS} rounds of the first two. "
        "An app with one database is six resources.",
        grown("`pulumi preview` of a new stack, real engine", engine_growth),
        grown("the program alone, on mocks, warm", mocked_growth),
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
