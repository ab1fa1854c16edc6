"""What all tests share: the golden-file switch and readable program errors."""

import gc
import hashlib
import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

from local import LocalError
from testbed.monitoring import programs

# An Output that is formatted into a text raises instead of leaving a repr in it.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "true"
# The local plugin waits for the endpoints of a Service as long as upstream's (ten seconds).
os.environ["MYSQL_HA_SETTLING"] = "1"
# As the language host does: a refused config leaves futures that nobody awaits.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
# The fast tests run in seconds and never fail for a slow machine.
settings.register_profile("fast", max_examples=25, deadline=None)
settings.load_profile("fast")


@pytest.fixture(scope="session", autouse=True)
def hashed_once() -> Iterator[None]:
    """Fingerprints are slow to make on purpose; the tests make those of the same few texts again
    and again."""
    with mock.patch.object(hashlib, "scrypt", cache(hashlib.scrypt)):
        yield


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    """Prometheus, or a skip with the reason."""
    return _found(programs.PROMETHEUS)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus's tool, or a skip with the reason."""
    return _found(programs.PROMTOOL)


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Alertmanager's tool, or a skip with the reason."""
    return _found(programs.AMTOOL)


@pytest.fixture(scope="session")
def exporter_program() -> Path:
    """The exporter of the servers' figures, or a skip with the reason."""
    return _found(programs.EXPORTER)


def _found(program: programs.Program) -> Path:
    try:
        return program.find()
    except LocalError as reason:
        pytest.skip(str(reason))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="rewrite tests/golden/ from what the program registers now",
    )


def pytest_collection_finish() -> None:
    """Tests by the thousand and what is recorded for them stay: looking through them again and
    again for garbage takes time, and finds none in them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
