"""A real exporter, as this program's Pod runs it: with its file, its arguments and no more."""

from __future__ import annotations

import subprocess
import urllib.parse
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from components.operations.exporter import ARGUMENTS, CONFIG_FILE, PROBE, cnf, target
from local import ports
from testbed.database.servers import HOST, eventually, kill


class Exporter:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.address = address
        self._process, self._log = process, log

    def figures(self, server: int) -> Mapping[str, float]:
        """What is read of the server on a port, each series as its text has it."""
        return samples(self.text(f"{PROBE}?target={urllib.parse.quote(target(HOST, server))}"))

    def text(self, path: str) -> str:
        """What it answers."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=30) as answer:
            return answer.read().decode()

    @property
    def shown(self) -> str:
        """What other processes of the machine see of it, and what it logs."""
        process = Path("/proc", str(self._process.pid))
        seen = "".join((process / file).read_text() for file in ("cmdline", "environ"))
        return seen + self._log.read_text()

    def serves(self) -> bool:
        """Whether it answers, as its probes ask."""
        try:
            self.text("/")
        except OSError:
            return False
        return True


def samples(text: str) -> dict[str, float]:
    """Series to value, of Prometheus's text format without time stamps."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}


@contextmanager
def exporter(
    program: Path, folder: Path, password: str, *, authority: Path | None = None
) -> Generator[Exporter]:
    """Runs until the block ends. Raises RuntimeError if it does not start.

    `authority`: the folder of the servers' `ca.crt`; None: without TLS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, log = folder / CONFIG_FILE, folder / "exporter.log"
    directory = {} if authority is None else {"ca_directory": str(authority)}
    config.write_text(cnf(password, tls=authority is not None, **directory))
    (port,) = ports.free(1)
    address = f"{HOST}:{port}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            (program, f"--config.my-cnf={config}", *ARGUMENTS, f"--web.listen-address={address}"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        running = Exporter(process, address, log)
        if not eventually(lambda: process.poll() is not None or running.serves()):
            raise RuntimeError(f"the exporter did not start\n{log.read_text()[-3000:]}")
        if process.poll() is not None:
            raise RuntimeError(f"the exporter ended\n{log.read_text()[-3000:]}")
        yield running
    finally:
        kill(process)
