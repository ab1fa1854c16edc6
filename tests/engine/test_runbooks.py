"""43: the commands of docs/runbooks that need no container run on a real API server, on a database.

What they ask servers and proxies is asked in tests/database and tests/dataplane.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import REPOSITORY
from local.control_plane import ControlPlane
from local.engine import Engine
from tests.engine.stacks import Cluster
from tests.unit.test_runbooks import NAMES, blocks

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NAMESPACE, NAME, STACK = "runbooks", "orders", "runbooks"
"""Not the namespace of the pages, which other tests have too."""
CONFIG: dict[str, Any] = {
    "size": "small",
    "name": NAME,
    "namespace": NAMESPACE,
    "backup": {"store": {"s3": {"endpoint": "s3.example.com", "bucket": "backups"}}},
    "monitoring": {"scrape": "prometheus_operator"},
    "security": {"protect": False},
}


@pytest.fixture(scope="module")
def cluster(engine: Engine, control_plane: ControlPlane) -> Iterator[Cluster]:
    """One that has the database of the pages."""
    control_plane.kubectl.ensure_namespace(NAMESPACE)
    stack = engine.open(STACK, {f"mysql-ha:{key}": value for key, value in CONFIG.items()})
    stack.up(on_output=print)
    yield Cluster(control_plane, NAMESPACE)
    engine.destroy(STACK, on_output=print, color="never")


def commands() -> list[tuple[str, str]]:
    """(page, block) of what is not said to need something."""
    return [(name, text) for name in NAMES for text in blocks(name) if not text.startswith("# ")]


def here(text: str) -> str:
    """A page's commands for this Python and the database of this file."""
    return re.sub(r"\bshop\b", NAMESPACE, text).replace("python ", f"{sys.executable} ")


def test_the_commands_run(cluster: Cluster, tmp_path: Path) -> None:
    """Each once: many pages have the same."""
    failed: list[tuple[str, str, str]] = []
    for text, page in {text: page for page, text in commands()}.items():
        done = subprocess.run(
            ("bash", "-o", "pipefail", "-ec", here(text)),
            env={
                "PATH": f"{cluster.control_plane.tools.path('kubectl').parent}:/usr/bin:/bin",
                "KUBECONFIG": str(cluster.control_plane.kubeconfig),
                "HOME": str(tmp_path),
            },
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            failed.append((page, text, done.stderr))
    assert not failed
