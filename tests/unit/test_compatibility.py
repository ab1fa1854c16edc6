"""docs/compatibility.md: the pinned versions are those of the code, and its sources exist."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from components.config.checks.monitoring import OLDEST_EXPORTER
from components.config.engine import ENGINES
from components.config.images import (
    DATA_PLANE_IMAGE,
    EXPORTER_IMAGE,
    MARIADB_IMAGE,
    PATCHED_PROXYSQL,
    PROXYSQL_IMAGE,
    PXC_BACKUP_IMAGE,
    PXC_IMAGE,
    PXC_PROXYSQL_IMAGE,
)
from components.config.percona import Percona
from local import go
from local.toolchain import CRDS, PROGRAMS
from tests.unit.test_project import pins

ROOT = Path(__file__).parents[2]
VERSION = re.compile(r"`(v?\d+(?:\.\d+)+[\w.-]*)`")


def rows() -> dict[str, list[str]]:
    """The other cells of a row, by its first."""
    lines = (ROOT / "docs" / "compatibility.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    cells = ([cell.strip() for cell in line[1:-1].split("|")] for line in table)
    return {first: rest for first, *rest in cells}


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def of_crds(module: str) -> str:
    """The version of a module that is used for its CRDs only."""
    ((folder, path),) = ((folder, path) for folder, path, _ in CRDS if path.endswith(module))
    return go.required_version(folder, path)


def pythons() -> set[str]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    return {asked.removeprefix(">="), *workflow["jobs"]["fast"]["strategy"]["matrix"]["python"]}


def newest_go() -> str:
    """What the most demanding of the local programs asks for."""
    texts = (file.read_text() for file in go.TOOLS.glob("*/go.mod"))
    asked = [re.findall(r"^go (\S+)", text, re.MULTILINE)[0] for text in texts]
    return max(asked, key=lambda version: [int(part) for part in version.split(".")])


PYTHON = pins(ROOT / "requirements.txt")
CR_VERSION = Percona().cr_version
PINNED = {
    "mariadb-operator": {PROGRAMS["mariadb-operator"].version, DATA_PLANE_IMAGE["tag"]},
    "Percona's operator": {
        of_crds("percona-xtradb-cluster-operator"),
        CR_VERSION,
        f"v{CR_VERSION}",
    },
    "MariaDB": {MARIADB_IMAGE["tag"], dotted(ENGINES["mariadb"].oldest_server)},
    "Percona XtraDB Cluster": {PXC_IMAGE["tag"], dotted(ENGINES["percona"].oldest_server)},
    "ProxySQL, this program's": {PROXYSQL_IMAGE["tag"], *map(dotted, PATCHED_PROXYSQL)},
    "ProxySQL, Percona's operator's": {PXC_PROXYSQL_IMAGE["tag"]},
    "Percona XtraBackup": {PXC_BACKUP_IMAGE["tag"]},
    "Pulumi": {PYTHON["pulumi"], PROGRAMS["pulumi"].version},
    "Pulumi's providers": {PYTHON["pulumi-kubernetes"], PYTHON["pulumi-random"]},
    "Kubernetes": {PROGRAMS["kube-apiserver"].version},
    "prometheus-operator": {of_crds("prometheus-operator/prometheus-operator")},
    "cert-manager": {of_crds("cert-manager")},
    "Prometheus, mysqld_exporter": {EXPORTER_IMAGE["tag"], dotted(OLDEST_EXPORTER)},
    "Python": pythons(),
    "Go, for the local mode and its tests": {newest_go()},
    "Machine, for real nodes": set[str](),
}
"""The versions that a row has in code font."""


def test_every_row_is_known() -> None:
    assert rows().keys() == PINNED.keys()


@pytest.mark.parametrize("row", PINNED)
def test_a_pinned_version_is_that_of_the_code(row: str) -> None:
    assert set(VERSION.findall(" | ".join(rows()[row]))) == PINNED[row]


@pytest.mark.parametrize("row", PINNED)
def test_the_sources_of_a_row_exist(row: str) -> None:
    sources = re.findall(r"`([^`]+)`", rows()[row][-1])
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
