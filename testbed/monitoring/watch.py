"""A Prometheus with the rules of a stack, over what a test breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.config.stack import StackConfig
from components.operations import alerts
from testbed.database.servers import eventually

from . import rules, series, site
from .prometheus import Prometheus, prometheus
from .series import Series

LOOKS = 3
"""So often the rules are looked at, and say the same, before it is believed."""
PATIENCE = 120.0


@dataclass(frozen=True)
class Watch:
    """What its rules say."""

    config: StackConfig
    prometheus: Prometheus
    elsewhere: Series
    """What the rest of a cluster says: whoever changes it changes what is read next."""

    def says(self, *names: str) -> None:
        """These alerts fire and no other. Raises AssertionError if not."""
        wanted = set(names)
        if not eventually(lambda: self.prometheus.firing() == wanted, PATIENCE):
            raise AssertionError(
                f"not {wanted}: {self.prometheus.alerts()}, read {self.prometheus.targets()}"
            )
        for _ in range(LOOKS):
            self.prometheus.look()
            if self.prometheus.firing() != wanted:
                raise AssertionError(f"not for long {wanted}: {self.prometheus.alerts()}")
        if errors := self.prometheus.rule_errors():
            raise AssertionError(str(errors))

    def says_too(self, *names: str) -> None:
        """These fire, whatever else does. Raises AssertionError if not."""
        if not eventually(lambda: self.prometheus.firing() >= set(names), PATIENCE):
            raise AssertionError(f"not {names}: {self.prometheus.alerts()}")

    def has(self, expression: str) -> bool:
        """Whether an expression has an answer."""
        return bool(self.prometheus.query(expression))

    def unknown(self, beginning: str) -> list[str]:
        """Selectors of the rules that have no series, of metrics whose names begin so."""
        named = {
            f"{metric}{{{matchers}}}"
            for rule in alerts.rules(self.config)
            for metric, matchers in rules.selectors(rule.expression)
            if metric.startswith(beginning)
        }
        return sorted(selector for selector in named if not self.has(selector))

    def change(self, metric: str, text: str, value: float) -> Callable[[], None]:
        """Have series of the rest of a cluster say something else; what this returns ends it."""
        before = {
            name: old
            for name, old in self.elsewhere.items()
            if name.startswith(f"{metric}{{") and text in name
        }
        if not before:
            raise KeyError(metric)
        self.elsewhere.update(dict.fromkeys(before, value))
        return lambda: self.elsewhere.update(before)


@contextmanager
def watch(
    program: Path, folder: Path, config: StackConfig, jobs: Sequence[site.Job]
) -> Generator[Watch]:
    """Until the block ends. `jobs`: what is real; the rest of a cluster is made up and well."""
    elsewhere = series.kubernetes(config, time.time())
    with site.served(lambda: series.exposition({**elsewhere})) as address:
        read = [*jobs, site.elsewhere(address)]
        with prometheus(program, folder, read, rules.hurried(config)) as running:
            if not eventually(lambda: _read(running), PATIENCE):
                raise RuntimeError(f"not all are read: {running.targets()}")
            for _ in range(LOOKS):  # at what was missing before
                running.look()
            yield Watch(config, running, elsewhere)


def _read(running: Prometheus) -> bool:
    """Whether all that it is to read was read."""
    found = running.targets()
    return bool(found) and not any(found.values())
