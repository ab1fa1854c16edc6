"""The local plugins as forks of one process that has imported what they need.

The engine starts two or three of them for each operation, and half a CPU second of each would be
imports. What it starts here instead hands its arguments, variables and output over and lives as
long as the fork: a killed one takes the fork along. test_plugins.py starts the real ones too.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib import metadata as distributions
from pathlib import Path
from typing import Any, cast

from local import REPOSITORY
from local.toolchain import PLUGINS

CLIENT = """\
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
request = {"name": sys.argv[2], "arguments": sys.argv[3:], "environment": dict(os.environ)}
text = json.dumps(request).encode()
socket.send_fds(server, [len(text).to_bytes(4)], [0, 1, 2])
server.sendall(text)
server.recv(1)
"""


@contextmanager
def plugins(folder: Path) -> Generator[Path]:
    """A folder with programs of the plugins' names, and the process behind them."""
    address, client = folder / "socket", folder / "client.py"
    client.write_text(CLIENT)
    programs = folder / "bin"
    programs.mkdir()
    for name in PLUGINS:
        program = programs / f"pulumi-resource-{name}"
        # Isolated and without site: it needs no more than the standard library.
        command = shlex.join([sys.executable, "-I", "-S", str(client), str(address), name])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.engine.nursery", str(address)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin and server.stdout
        assert server.stdout.readline() == b"ready\n"
        yield programs
        server.stdin.close()


def _serve(address: str) -> None:
    """Fork for every client, until whoever started this has closed its input or ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    modules = {name: importlib.import_module(f"local.plugins.{name}") for name in PLUGINS}
    gc.freeze()  # a collection in a fork would copy what both have
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in (readable := select.select([listener, sys.stdin], [], [])[0]):
            assert readable
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _become_plugin(client, modules)
            client.close()


def _become_plugin(client: socket.socket, modules: dict[str, Any]) -> None:
    """The plugin that a client asks for, in this process, until it or the client ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, *_ = socket.recv_fds(client, 4, 3)
    with client.makefile("rb") as stream:
        request = cast(dict[str, Any], json.loads(stream.read(int.from_bytes(size))))
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]

    def end_with_client() -> None:
        client.recv(1)
        os._exit(0)

    threading.Thread(target=end_with_client, daemon=True).start()
    plugin = modules[request["name"]]
    provider = getattr(plugin, f"{request['name'].capitalize()}Provider")
    plugin.serve(distributions.version(plugin.PACKAGE), provider)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
