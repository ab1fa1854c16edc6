"""Threads in a cluster's network namespace, where its Services and Pods have their addresses."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_CLONE_NEWNET = 0x40000000  # setns(2); os.setns exists from Python 3.12 on
_T = TypeVar("_T")


def enter(namespace: Path) -> None:
    """Move the calling thread, and no other, into a network namespace."""
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(namespace))
    finally:
        os.close(descriptor)


class Inside:
    """Runs calls in a thread of the namespace."""

    def __init__(self, namespace: Path) -> None:
        self.namespace = namespace
        self._threads = ThreadPoolExecutor(8, "inside", initializer=enter, initargs=(namespace,))

    def __call__(self, call: Callable[[], _T]) -> _T:
        """What `call` returns or raises."""
        return self._threads.submit(call).result()

    def close(self) -> None:
        self._threads.shutdown()
