"""How the program ends when Pulumi's language host interrupts it."""

import subprocess
import sys

import pytest

from render.recorder import ROOT

pytestmark = pytest.mark.broad

PROGRAM = """\
import runpy, signal, sys
try:
    runpy.run_path("__main__.py", run_name=sys.argv[1])
except BaseException:
    pass  # there is no engine
print(signal.getsignal(signal.SIGINT) is signal.SIG_DFL)
"""


@pytest.mark.parametrize(("name", "ends_at_once"), [("__main__", "True"), ("<run_path>", "False")])
def test_an_interrupt_is_no_traceback(name: str, ends_at_once: str) -> None:
    """Under another name it runs inside a process that has its own way to end: `make up`."""
    command = [sys.executable, "-c", PROGRAM, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [ends_at_once], done.stderr
