"""The contracts of pyproject.toml between packages are ones that a wrong import breaks."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from render.recorder import ROOT

pytestmark = pytest.mark.broad

BREAKS = {
    "Imports go down": ("credentials.py", "from components import apps"),
    "the models know no checks": ("config/database.py", "from components.config import presets"),
    "Of the proxies": ("proxysql/model.py", "from components.proxysql import variables"),
    "are plain": ("proxysql/cnf.py", "import pulumi"),
    "needs nothing of its local clusters": ("stack.py", "import render"),
    "it knows neither of them": ("../testbed/__init__.py", "import bench"),
    "Only tests import tests": ("../bench/__init__.py", "import tests"),
}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    command = (Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo")
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("contract", BREAKS)
def test_a_wrong_import_breaks_its_contract(contract: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "components", tmp_path / "components")
    for package in ("local", "bench", "render", "testbed", "tools"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    file, statement = BREAKS[contract]
    with (tmp_path / "components" / file).open("a") as text:
        text.write(f"\n{statement}\n")
    done = lint(tmp_path)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stderr
    assert "6 kept, 1 broken" in said
    assert contract in said
