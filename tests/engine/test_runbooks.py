"""43: the commands of docs/runbooks that need no container run on a real API server, on a database.

What they ask servers and proxies is asked in tests/database and tests/dataplane.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    "backup": {
        "store": {"s3": {"endpoint": "s3.example.com", "bucket": "backups"}},
        "logical": {"schedule": "0 3 * * *"},
    },
    "monitoring": {"scrape": "prometheus_operator"},
    "security": {"protect": False},
}


def operators_own() -> list[dict[str, Any]]:
    """What operators make without labels of their own: a dump's CronJob and a backup's Job
    (mariadb-operator v25.10.4, pkg/builder/batch_builder.go), the uploader's Deployment
    (percona-xtradb-cluster-operator v1.18.0)."""
    pod = {"containers": [{"name": "main", "image": "registry.example.com/main:1.0"}]}
    labels = {"app.kubernetes.io/instance": NAME, "app.kubernetes.io/component": "pitr"}
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{NAME}-backup-0a1b2c-1", "namespace": NAMESPACE},
            "spec": {
                "suspend": True,
                "template": {"spec": {**pod, "restartPolicy": "Never"}},
            },
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": f"{NAME}-dump-0a1b2c", "namespace": NAMESPACE},
            "spec": {
                "schedule": "0 3 * * *",
                "jobTemplate": {"spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}},
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": f"{NAME}-pitr", "namespace": NAMESPACE},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


@pytest.fixture(scope="module")
def cluster(engine: Engine, control_plane: ControlPlane) -> Iterator[Cluster]:
    """One that has the database of the pages."""
    control_plane.kubectl.ensure_namespace(NAMESPACE)
    stack = engine.open(STACK, {f"mysql-ha:{key}": value for key, value in CONFIG.items()})
    stack.up(on_output=print)
    control_plane.kubectl.apply(operators_own())
    drill = f"{NAME}-restore-drill"
    control_plane.kubectl("create", "job", f"{drill}-1", f"--from=cronjob/{drill}", "-n", NAMESPACE)
    cluster = Cluster(control_plane, NAMESPACE)
    yield cluster
    # Not destroyed: its backups would wait for the garbage collector of a busy control plane.
    cluster.abandon(NAME)


def commands() -> list[tuple[str, str]]:
    """(page, block) of what is not said to need something."""
    return [(name, text) for name in NAMES for text in blocks(name) if not text.startswith("# ")]


def run(text: str, cluster: Cluster, home: Path) -> subprocess.CompletedProcess[str]:
    """A page's commands, about the database of this file."""
    return cluster.shell(re.sub(r"\bshop\b", NAMESPACE, text), home)


def test_the_commands_run(cluster: Cluster, tmp_path: Path) -> None:
    """Each once: many pages have the same."""
    failed: list[tuple[str, str, str]] = []
    for text, page in {text: page for page, text in commands()}.items():
        done = run(text, cluster, tmp_path)
        if done.returncode:
            failed.append((page, text, done.stderr))
    assert not failed


NOT_HERE = ("exporter", "kube-state-metrics", "mariadb-operator")
"""Of `app.kubernetes.io/name`: what no operator makes on a cluster without one."""


def test_labels_find_what_there_is(cluster: Cluster, tmp_path: Path) -> None:
    """A command that chooses by the database alone finds all that bears its name, and one that
    chooses more finds something if there is any of that kind. Its kinds one by one, as one may have
    the labels and another not."""
    missed: list[tuple[str, str]] = []
    for line, page in {one: page for page, text in commands() for one in text.splitlines()}.items():
        found = re.match(r"kubectl (.*)get (\S+) (.*)-l ('[^']+'|\S+)", line)
        if not found or any(name in found[4] for name in NOT_HERE):
            continue
        where, kinds, more, labels = found.groups()
        for kind in kinds.split(","):
            every = f"kubectl {where}get {kind} {more}"
            there, chosen = (
                {
                    name
                    for name in run(f"{get} -o name", cluster, tmp_path).stdout.split()
                    if f"/{NAME}" in name
                }
                for get in (every, f"{every} -l {labels}")
            )
            of_all = labels == f"app.kubernetes.io/instance={NAME}"
            if (there - chosen) if of_all else (there and not chosen):
                missed.append((page, f"{kind}: {labels}: {sorted(there - chosen)}"))
    assert not missed
