"""What a piece of work costs: time on the clock, and the processors' time."""

import resource
import time
from collections.abc import Callable
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    """From begin to end."""
    cpu: float
    """User and system, of this process and of those that it started and that have ended, such as
    the engine and its plugins. A busy machine changes it less than the clock."""


def clocked(work: Callable[[], object]) -> Cost:
    """What `work` costs."""
    began, used = time.perf_counter(), _cpu()
    work()
    return Cost(time.perf_counter() - began, _cpu() - used)


def _cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
