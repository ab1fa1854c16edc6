"""A real Prometheus on loopback, and what its tool says of rules."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from local import commands, ports
from testbed.database.servers import HOST, START_TIMEOUT, eventually, kill

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Sample:
    """One series of an instant query's answer; its name is the label `__name__`."""

    labels: Labels
    value: float


@dataclass(frozen=True)
class History:
    """One series of a range query's answer: times and values."""

    labels: Labels
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Alert:
    """A rule that holds for some labels; one that waits for its `for` is pending."""

    name: str
    labels: Labels
    state: Literal["pending", "firing"]


class Prometheus:
    """One that runs; `folder` has its configuration."""

    def __init__(self, folder: Path, port: int, interval_seconds: float) -> None:
        self.address = f"http://{HOST}:{port}"
        self.interval_seconds = interval_seconds
        """Between two readings, and between two looks at the rules."""
        self._folder = folder

    def configure(
        self, scrape: Sequence[Mapping[str, Any]], rules: Mapping[str, Any] | None = None
    ) -> None:
        """Write what it reads: `scrape_configs`, and the content of one file of rules."""
        interval = f"{round(self.interval_seconds * 1000)}ms"
        timing = {"scrape_interval": interval, "scrape_timeout": interval}
        configuration: dict[str, Any] = {
            "global": {**timing, "evaluation_interval": interval},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [dict(job) for job in scrape],
        }
        (self._folder / "rules.yaml").write_text(yaml.safe_dump(rules or {"groups": []}))
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))

    def reconfigure(
        self, scrape: Sequence[Mapping[str, Any]], rules: Mapping[str, Any] | None = None
    ) -> None:
        """Have it read something else. Raises RuntimeError with what it refuses."""
        self.configure(scrape, rules)
        request = urllib.request.Request(f"{self.address}/-/reload", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30):
                pass
        except urllib.error.HTTPError as error:
            raise RuntimeError((self._folder / "output.log").read_text()[-3000:]) from error

    def query(self, expression: str) -> list[Sample]:
        """The series that an expression has now. Raises RuntimeError when it is wrong."""
        answer = self._get("query", query=expression)
        if answer["resultType"] != "vector":
            raise RuntimeError(f"{expression} is no vector: {answer['resultType']}")
        return [Sample(each["metric"], float(each["value"][1])) for each in answer["result"]]

    def history(self, expression: str, begin: float, end: float, step: float) -> list[History]:
        """The values of each series of an expression from `begin` to `end`, every `step` seconds.

        Times are as of `time.time()`. Raises RuntimeError when the expression is wrong.
        """
        times = {"start": f"{begin:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        answer = self._get("query_range", query=expression, **times)
        return [
            History(each["metric"], tuple((at, float(value)) for at, value in each["values"]))
            for each in answer["result"]
        ]

    def alerts(self) -> list[Alert]:
        """Rules that hold."""
        return [
            Alert(each["labels"]["alertname"], each["labels"], each["state"])
            for each in self._get("alerts")["alerts"]
        ]

    def firing(self) -> set[str]:
        """The names of the rules that held for their `for`."""
        return {alert.name for alert in self.alerts() if alert.state == "firing"}

    def look(self) -> None:
        """Wait until it has looked at all rules again. Raises RuntimeError if it does not."""
        before = self._evaluated()
        if not eventually(lambda: not before & self._evaluated()):
            raise RuntimeError("the rules are not evaluated")

    def _evaluated(self) -> set[tuple[str, str]]:
        groups = self._get("rules")["groups"]
        return {(group["name"], group["lastEvaluation"]) for group in groups}

    def rule_errors(self) -> dict[str, str]:
        """Rules whose last evaluation failed, such as for series that match many to many."""
        groups = self._get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return {rule["name"]: rule["lastError"] for rule in rules if rule.get("lastError")}

    def targets(self) -> dict[str, str]:
        """The last error of each address that is read; empty: it was read."""
        active = self._get("targets")["activeTargets"]
        return {
            target["scrapeUrl"]: "" if target["health"] == "up" else target["lastError"] or "unread"
            for target in active
        }

    def ready(self) -> bool:
        """Whether it serves."""
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        address = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")) from error


@contextmanager
def prometheus(
    program: Path,
    folder: Path,
    scrape: Sequence[Mapping[str, Any]],
    rules: Mapping[str, Any] | None = None,
    *,
    interval_seconds: float = 1.0,
) -> Generator[Prometheus]:
    """Runs, with an empty memory below the new `folder`, until the block ends.

    `scrape`: its `scrape_configs`; `rules`: the content of a rules file. Raises RuntimeError when
    it does not start.
    """
    folder.mkdir(parents=True)
    (port,) = ports.free(1)
    running = Prometheus(folder, port, interval_seconds)
    running.configure(scrape, rules)
    log = folder / "output.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            (
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={HOST}:{port}",
                "--web.enable-lifecycle",
                "--log.level=warn",
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
    try:
        if not eventually(lambda: process.poll() is not None or running.ready(), START_TIMEOUT):
            raise RuntimeError(f"prometheus did not start\n{log.read_text()[-3000:]}")
        if process.poll() is not None:
            raise RuntimeError(f"prometheus ended\n{log.read_text()[-3000:]}")
        yield running
    finally:
        kill(process)  # what it keeps is not needed again
        shutil.rmtree(folder / "data", ignore_errors=True)


def check_rules(promtool: Path, rules: Path) -> str:
    """What `promtool check rules` says of a file. Raises LocalError with what is wrong."""
    return commands.run([promtool, "check", "rules", rules])


def try_rules(promtool: Path, *cases: Path) -> str:
    """What `promtool test rules` says of files with cases. Raises LocalError with those that do
    not hold."""
    return commands.run([promtool, "test", "rules", *cases])
