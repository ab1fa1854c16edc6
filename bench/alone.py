"""The program alone, on a monitor that answers at once, in a process of its own. Prints its cost.

A run with one app comes first: what a process loads once is not a cost of its apps.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from bench.cost import clocked
from render import recorder


def with_apps(count: int) -> dict[str, Any]:
    """The config of a stack of size `small` with a number of apps, each with a database."""
    apps = [
        {"name": f"app-{number}", "databases": {f"app{number}": "owner"}} for number in range(count)
    ]
    return {"mysql-ha:size": "small", "mysql-ha:apps": apps}


def preview(config: Mapping[str, Any]) -> None:
    """Run the program. Raises SystemExit with its error."""
    error = recorder.run(config, preview=True, shortcuts=False).error
    if error:
        raise SystemExit(error)


def main() -> None:
    preview(with_apps(1))
    config = with_apps(int(sys.argv[1]))
    print(json.dumps(clocked(lambda: preview(config))))


if __name__ == "__main__":
    main()
