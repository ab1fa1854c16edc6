"""`python -m render STACK [--output DIR]`: write what a stack declares as YAML."""

import argparse
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from components.config import load
from local import LocalError
from local.engine import stack_config, stack_file
from render import rules
from render.case import as_new, case
from render.manifests import MADE, manifests
from render.recorder import ROOT

HOME = ROOT / ".local" / "render"


def render(wanted: str) -> tuple[str, dict[str, str]]:
    """A stack's name, and its objects and rules: file name to text.

    `wanted`: a stack's name, or its file. An adopted database is shown as a new one, since the one
    that is there is not looked at. Raises LocalError for a stack that is not there or whose config
    is refused.
    """
    name, file = stack_file(wanted)
    config = as_new(stack_config(file))
    stack = case(name, config)
    recording = stack.run()
    if recording.error:
        raise LocalError(recording.error)
    objects = manifests(recording, stack.passwords(recording))
    return name, {**objects, **rules.files(load.read(config))}


def write(files: Mapping[str, str], directory: Path) -> None:
    """Write files and remove those of an earlier rendering that are no more.

    Raises LocalError, and changes nothing, if one that was not rendered has such a name.
    """
    directory.mkdir(parents=True, exist_ok=True)
    found = (*directory.glob("*.yaml"), *(directory / rules.FOLDER).glob("*.yaml"))
    earlier = {path for path in found if path.read_text().startswith(MADE)}
    for path in (directory / name for name in files):
        if path.exists() and path not in earlier:
            raise LocalError(f"{path} was not made by `make render`. Choose another folder.")
    for path in earlier:
        path.unlink()
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m render", description=__doc__)
    parser.add_argument("stack", help="a stack's name, or a file such as examples/Pulumi.x.yaml")
    parser.add_argument("--output", type=Path, help="a folder; by default .local/render/STACK")
    args = parser.parse_args()
    # A refused config leaves futures that nobody awaits.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        name, files = render(args.stack)
        directory = args.output or (HOME / name)
        write(files, directory)
    except LocalError as error:
        sys.exit(str(error))
    print(f"{len(files)} files of {name} in {directory}")


if __name__ == "__main__":
    main()
