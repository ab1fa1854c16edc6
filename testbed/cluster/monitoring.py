"""A real Prometheus for a site. What it reads is what prometheus-operator's own code makes of the
monitors and rules in the cluster, for the Prometheus of the chart kube-prometheus-stack."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import commands, go
from local.kubectl import Object
from local.real.cluster import RealCluster
from local.real.network import SERVER
from local.toolchain import PROMETHEUS_OPERATOR
from testbed.monitoring.programs import version
from testbed.monitoring.prometheus import Prometheus, Sample, prometheus

from .metrics import RELEASE, ClusterMetrics, served
from .site import Site, eventually

OPERATOR = go.Program("prometheus-operator", "prometheus-operator", PROMETHEUS_OPERATOR, ".", 4)
"""Turns monitors and rules into a configuration."""
DISCOVERY = go.Program("prometheus", "prometheus", "github.com/prometheus/prometheus", ".", 2)
"""Asks Kubernetes for the targets of a configuration."""
RESOURCES = "namespaces,servicemonitors,podmonitors,prometheusrules"
"""What a Prometheus is made of."""
FASTER = 8
"""By so much time passes for rules: what must hold for two minutes must hold for 15 seconds."""
DURATION = re.compile(r"(?:\d+[smhd])+")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
INTERVAL_SECONDS = 5
LOOKS = 3
"""How often in a row nothing must be wrong: at the first, rules may not have been looked at."""
SHARD = "0"
"""Of a Prometheus alone; its container config-reloader writes it into the configuration."""


def read_by(cluster: RealCluster, program: Path) -> Object:
    """The object of a Prometheus as that chart makes it, that logs in from outside a Pod."""
    chosen = {"matchLabels": {"release": RELEASE}}
    pki = cluster.directory / "pki"
    files = {"caFile": "ca.crt", "certFile": "admin.crt", "keyFile": "admin.key"}
    major, minor = version(program)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "k8s", "namespace": "monitoring"},
        "spec": {
            "version": f"v{major}.{minor}.0",
            "scrapeInterval": "30s",
            "evaluationInterval": "30s",
            **{
                f"{kind}{what}": value
                for kind in ("serviceMonitor", "podMonitor", "rule")
                for what, value in (("Selector", chosen), ("NamespaceSelector", {}))
            },
            "apiserverConfig": {
                "host": f"https://{SERVER}:6443",
                "tlsConfig": {key: str(pki / file) for key, file in files.items()},
            },
        },
    }


@dataclass(frozen=True)
class Generated:
    """What prometheus-operator gives to a Prometheus."""

    scrape: list[dict[str, Any]]
    """Its `scrape_configs`."""
    rules: dict[str, list[dict[str, Any]]]
    """The groups of its rules, by file."""

    @property
    def jobs(self) -> set[str]:
        return {job["job_name"] for job in self.scrape}


def generated(cluster: RealCluster, program: Path) -> Generated:
    """Of the objects that the cluster has now, by the program OPERATOR, which is built. Raises
    LocalError if prometheus-operator refuses one."""
    listed = json.loads(cluster.kubectl("get", RESOURCES, "--all-namespaces", "-o", "json"))
    items = [read_by(cluster, program), *listed["items"]]
    command = [OPERATOR.binary(cluster.tools.cache)]
    answer = json.loads(commands.run(command, stdin=json.dumps({"items": items})))
    configuration = answer["configuration"].replace("$(SHARD)", SHARD)
    return Generated(
        yaml.safe_load(configuration)["scrape_configs"],
        {file: yaml.safe_load(text)["groups"] for file, text in answer["rules"].items()},
    )


def hurried(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same rules, which wait for less and look back on less, all in proportion."""
    return [
        {
            **group,
            "interval": f"{INTERVAL_SECONDS}s",
            "rules": [_hurried(r) for r in group["rules"]],
        }
        for group in groups
    ]


def _hurried(rule: Mapping[str, Any]) -> dict[str, Any]:
    expression = re.sub(r"\[[^]]+\]", lambda window: _shorter(window[0]), rule["expr"])
    waits = {"for": _shorter(rule["for"])} if "for" in rule else {}
    return {**rule, "expr": expression, **waits}


def _shorter(text: str) -> str:
    """A text with durations as Prometheus writes them."""

    def shorter(found: re.Match[str]) -> str:
        parts = re.findall(r"(\d+)(\w)", found[0])
        seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
        return f"{seconds * 1000 // FASTER}ms"

    return DURATION.sub(shorter, text)


@dataclass
class Monitoring:
    """A site's Prometheus, and the figures of volumes that are played to it."""

    site: Site
    generated: Generated
    cluster: ClusterMetrics
    _prometheus: Prometheus

    def query(self, expression: str) -> list[Sample]:
        """The series that an expression has now."""
        return self.site.inside(lambda: self._prometheus.query(expression))

    def targets(self) -> dict[str, str]:
        """The last error of each address that is read."""
        return self.site.inside(self._prometheus.targets)

    def rule_errors(self) -> dict[str, str]:
        """Rules whose last evaluation failed."""
        return self.site.inside(self._prometheus.rule_errors)

    def alerts(self) -> dict[str, set[str]]:
        """The alerts of this site that fire or wait to, by severity."""
        return self._alerts({"pending", "firing"})

    def firing(self) -> dict[str, set[str]]:
        """Those that fire."""
        return self._alerts({"firing"})

    def fired(self, seconds: float) -> dict[str, set[str]]:
        """Those that have fired within so many seconds, by severity."""
        found = defaultdict[str, set[str]](set)
        over = f"{max(1, round(seconds))}s"
        for sample in self.query(f'count_over_time(ALERTS{{alertstate="firing"}}[{over}])'):
            found[sample.labels["severity"]].add(sample.labels["alertname"])
        return found

    def _alerts(self, states: set[str]) -> dict[str, set[str]]:
        found = defaultdict[str, set[str]](set)
        for alert in self.site.inside(self._prometheus.alerts):
            if alert.state in states:
                found[alert.labels["severity"]].add(alert.name)
        return found

    def calm(self, timeout: float = 240) -> None:
        """Until everything is read, and no alert fires or waits to, time and again.

        Raises AssertionError with what is not so.
        """
        wrong: list[object] = []
        deadline = time.monotonic() + timeout
        looks = 0
        while looks < LOOKS:
            unread = {url: error for url, error in self.targets().items() if error}
            wrong = [each for each in (unread, dict(self.alerts())) if each]
            looks = 0 if wrong else looks + 1
            assert time.monotonic() < deadline, wrong
            time.sleep(INTERVAL_SECONDS)


@contextmanager
def _discovered(site: Site, made: Generated, folder: Path) -> Generator[list[dict[str, Any]]]:
    """The same jobs, which read their targets from files until the block ends. Debian's Prometheus
    cannot ask Kubernetes; a process with Prometheus's own code for that keeps the files."""
    folder.mkdir(parents=True)
    configuration = yaml.safe_dump({"scrape_configs": made.scrape})
    tools = site.cluster.tools
    command = [str(DISCOVERY.binary(tools.cache)), str(folder)]

    def start() -> subprocess.Popen[str]:
        with (folder / "output.log").open("ab") as output:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, text=True,
                start_new_session=True,
            )  # fmt: skip

    process = site.inside(start)
    try:
        assert process.stdin is not None  # a pipe
        with process.stdin as given:
            given.write(configuration)
        files = {
            job["job_name"]: f"{job['job_name'].replace('/', '_')}.json" for job in made.scrape
        }
        eventually(lambda: all((folder / file).exists() for file in files.values()), 60)
        yield [
            {
                **{key: value for key, value in job.items() if key != "kubernetes_sd_configs"},
                "file_sd_configs": [{"files": [str(folder / files[job["job_name"]])]}],
            }
            for job in made.scrape
        ]
    finally:
        process.kill()
        process.wait()


@contextmanager
def monitored(
    site: Site, program: Path, directory: Path, *, await_jobs: set[str]
) -> Generator[Monitoring]:
    """A Prometheus in the control plane's network namespace, which reaches Pods, until the block
    ends; its files are in `directory`. `await_jobs`: jobs that it has at least."""
    site.cluster.tools.prepare((OPERATOR, DISCOVERY))
    with ExitStack() as stack:
        cluster = stack.enter_context(served(site.cluster.kubectl, site.inside))
        eventually(lambda: await_jobs <= generated(site.cluster, program).jobs, 120)
        made = generated(site.cluster, program)
        groups = [group for groups in made.rules.values() for group in hurried(groups)]
        scrape = stack.enter_context(_discovered(site, made, directory / "targets"))
        opened = prometheus(
            program, directory / "prometheus", scrape, {"groups": groups},
            interval_seconds=INTERVAL_SECONDS,
        )  # fmt: skip
        running = site.inside(opened.__enter__)
        stack.callback(site.inside, lambda: opened.__exit__(None, None, None))
        yield Monitoring(site, made, cluster, running)
