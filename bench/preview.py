"""One preview in a process of its own, as `pulumi preview` is. Prints its cost.

The clock runs from the engine's start to its end; the program's imports happen in between.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

from pulumi.automation import PulumiCommand

from bench.cost import clocked
from local.engine import Engine


def main() -> None:
    request: dict[str, Any] = json.loads(sys.argv[1])
    program, plugin_path = request["program"], request["plugin_path"]
    stack = Engine(
        directory=Path(request["directory"]),
        command=PulumiCommand(root=request["engine"]),
        kubeconfig=Path(request["kubeconfig"]),
        plugin_path=Path(plugin_path) if plugin_path else None,
        pulumi_home=Path(request["pulumi_home"]),
    ).open(request["stack"], request["config"], lambda: runpy.run_path(program) and None)
    print(json.dumps(clocked(stack.preview)))


if __name__ == "__main__":
    main()
