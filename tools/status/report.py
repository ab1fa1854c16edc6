"""What the commands print of databases, and their exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from .gather import gather
from .kubectl import Cluster, Unreachable
from .model import Wanted
from .screen import SCHEMA_VERSION, render, to_json
from .verdicts import verdicts, wrong

NOTHING_TO_SHOW = 2
"""The exit code where there is no such database, or its cluster does not answer."""


def show(
    databases: Sequence[tuple[Cluster, str, Wanted | None]],
    *,
    as_json: bool,
    output: TextIO | None = None,
) -> int:
    """Print each database; the exit code.

    `databases`: the cluster and namespace where one is, its name, and what its stack's file says
    of its proxies, where that is known.
    """
    out = output or sys.stdout
    colour = out.isatty() and not os.environ.get("NO_COLOR")
    documents: list[dict[str, Any]] = []
    unreachable: list[dict[str, str]] = []
    screens: list[str] = []
    code = 0
    for cluster, name, wanted in databases:
        try:
            database = gather(cluster, name, wanted=wanted)
        except Unreachable as error:
            print(f"{name}: {error}", file=sys.stderr)
            unreachable.append({"name": name, "reason": str(error)})
            code = NOTHING_TO_SHOW
            continue
        found = verdicts(database)
        code = max(code, int(wrong(found)))
        if as_json:
            documents.append(to_json(database, found))
        else:
            screens.append(render(database, found, colour=colour))
    print("\n".join(screens), end="", file=out)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "databases": documents,
            "unreachable": unreachable,
        }
        print(json.dumps(document, indent=2), file=out)
    return code
