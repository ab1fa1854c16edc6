"""`python -m tools.status NAMESPACE NAME [--json]`: the state of a deployed database on a screen.

By kubectl's current context, and read-only. Ends with 0 where all is well, 1 where something is
wrong, 2 where there is no such database or the cluster does not answer.
"""

from __future__ import annotations

import argparse
import sys

from .kubectl import Kubectl
from .report import show


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tools.status", description=__doc__)
    parser.add_argument("namespace")
    parser.add_argument("name")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    cluster = Kubectl(("kubectl",), arguments.namespace)
    return show([(cluster, arguments.name, None)], as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
