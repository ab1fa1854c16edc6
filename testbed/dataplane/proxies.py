"""Proxy Pods: real ProxySQL processes, their StatefulSet and the Service in front of them."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from local import ports
from testbed.database.servers import (
    Account,
    Installation,
    Result,
    Session,
    SqlError,
    eventually,
    kill,
    terminate,
)

from .loopback import ADMIN_PORT, CLIENT_PORT, Network, RemoteSession
from .release import Release, directories, substitutions

ENDPOINT_LAG = 1.0
"""Seconds from a Pod's change until every node sends new connections accordingly (kube-proxy)."""
DETECTION = 1.0
"""Seconds from a container's death until the kubelet reports it."""
GRACE = 20.0
"""Seconds between SIGTERM and SIGKILL."""


def find() -> str | None:
    """The ProxySQL at hand: named by PROXYSQL, or on PATH."""
    named = os.environ.get("PROXYSQL")
    return shutil.which(named) if named else shutil.which("proxysql")


def version(binary: str) -> str:
    """What it calls itself, e.g. 2.7.2-14-g5cc418b."""
    said = subprocess.run(
        (binary, "--version"), capture_output=True, text=True, check=False, timeout=20
    )
    words = (said.stdout + said.stderr).split()
    return words[words.index("version") + 1].rstrip(",")


class Proxy:
    """One proxy Pod: a process, its configuration directory and its data directory."""

    def __init__(
        self,
        binary: str,
        installation: Installation,
        directory: Path,
        network: Network,
        ordinal: int,
    ) -> None:
        self.host = network.proxy(ordinal)
        self.directory = directory
        (self.metrics_port,) = ports.free(1)
        self._binary = binary
        self._installation = installation
        self._texts = {**directories(str(directory)), **substitutions(network, ordinal)}
        self._process: subprocess.Popen[bytes] | None = None
        self._release: Release | None = None
        self._users = 0
        """How many versions of the Secret of logins and peers were mounted."""
        self.fenced_by_admin = False
        """Whether the fence had to be set by SQL, because the binary does not read it from the
        file (`mysql_hostgroup_attributes`: 2.7.4, 3.0.9 and later do)."""
        for name in ("", "config", "ca", "tls", "data"):
            (directory / name).mkdir()
            installation.own(directory / name)

    def create(self, release: Release) -> None:
        """A new Pod: the configuration directory is written, an emptyDir begins empty."""
        self._release = release
        if not release.persistent:
            shutil.rmtree(self.directory / "data")
            (self.directory / "data").mkdir()
            self._installation.own(self.directory / "data")
        self.renew_users(release.users)
        for name, text in release.files.items():
            if name.startswith("users/"):
                continue
            # The metrics port has no address: it listens on all of the machine's.
            port = f"restapi_port = {self.metrics_port}"
            self.mount(name, self._local(text).replace("restapi_port = 6070", port))
        self.start()

    def mount(self, name: str, text: str) -> None:
        """Write a file of a mounted Secret."""
        file = self.directory / name
        file.write_text(text)
        self._installation.own(file)

    def renew_users(self, files: Mapping[str, str]) -> None:
        """The Secret of logins and peers has changed: all files at once, as the kubelet does it."""
        self._users += 1
        folder = self.directory / f"users-{self._users}"
        folder.mkdir()
        self._installation.own(folder)
        for name, text in files.items():
            self.mount(f"{folder.name}/{name}", self._local(text))
        link = self.directory / "users-new"
        link.symlink_to(folder.name)
        link.rename(self.directory / "users")

    @property
    def pid(self) -> int:
        """Another one after each start."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the container: the files stay as they are."""
        assert self._release is not None
        self._process = self._installation.spawn(
            *(
                self._binary if word == "proxysql" else self._local(word)
                for word in self._release.command
            ),
            log=self.directory / "proxysql.log",
        )

    def await_start(self) -> None:
        """The startup probe, as often as the kubelet runs it; or else until the port listens."""
        assert self._release is not None
        script = self._release.startup

        def started() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"proxysql ended\n{self.log()[-3000:]}")
            return self.listens() if script is None else self.passes_the_startup_probe()

        if not eventually(started, timeout=30):
            raise RuntimeError(f"proxysql did not start\n{self.log()[-3000:]}")

    def passes_the_startup_probe(self) -> bool:
        """Whether one run of it succeeds."""
        assert self._release is not None
        assert self._release.startup is not None
        self._fence()
        return self._succeeds(self._release.startup)

    def stop(self) -> None:
        """End the container as the kubelet does: preStop, SIGTERM, in the end SIGKILL."""
        if self._process is None:
            return
        if self._release and self._release.drain and self._process.poll() is None:
            self._succeeds(self._release.drain)
        self.terminate()

    def terminate(self) -> None:
        """SIGTERM without a preStop hook."""
        if self._process is None:
            return
        terminate(self._process, GRACE)
        self._process = None

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    def listens(self) -> bool:
        """The readiness probe: a TCP connection to the client port."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.host, CLIENT_PORT)) == 0

    def admin(self, *statements: str) -> Result:
        """Run statements on the admin port; the result of the last one."""
        assert self._release is not None
        with RemoteSession(self.host, ADMIN_PORT, self._release.admin) as session:
            results = [session.query(sql) for sql in statements]
        return results[-1]

    def session(self, account: Account) -> Session:
        """Log in as a client does."""
        return RemoteSession(self.host, CLIENT_PORT, account)

    def writers(self, hostgroup: int) -> list[str]:
        """The servers that it would send writes to, but for the fence."""
        rows = self.admin(
            "SELECT hostname FROM runtime_mysql_servers "
            f"WHERE hostgroup_id={hostgroup} AND status='ONLINE'"
        )
        return [str(host) for host in rows.first_column]

    def log(self) -> str:
        """All that it said."""
        file = self.directory / "proxysql.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _fence(self) -> None:
        assert self._release is not None
        if self._release.routing != "fenced":
            return
        with suppress(SqlError):  # not up yet
            rows = self.admin("SELECT hostgroup_id FROM runtime_mysql_hostgroup_attributes")
            if not rows.rows:
                self.fenced_by_admin = True
                self.admin(
                    "INSERT INTO mysql_hostgroup_attributes (hostgroup_id, max_num_online_servers) "
                    f"VALUES ({self._release.writer}, 1)",
                    "LOAD MYSQL SERVERS TO RUNTIME",
                )

    def run(self, script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A shell script in the container."""
        return subprocess.run(
            ("sh", "-c", self._local(script)),
            input=stdin,
            capture_output=True,
            text=True,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            check=False,
        )

    def _succeeds(self, script: str) -> bool:
        return self.run(script).returncode == 0

    def _local(self, text: str) -> str:
        for name, here in self._texts.items():
            text = text.replace(name, here)
        return text


class Tier:
    """The StatefulSet and the client Service: a connection goes to any proxy that is routed to.

    As kube-proxy does it: a new connection gets one of the endpoints, an established one stays.
    """

    def __init__(self, make: Callable[[int], Proxy], release: Release) -> None:
        """`make`: a Pod that is not started yet, by its ordinal."""
        self.proxies: tuple[Proxy, ...] = ()
        self.release = release
        self._make = make
        self._routed: dict[str, tuple[float, float]] = {}
        """Host to the times from which on, and until which, new connections go there."""
        self._add()

    def pick(self) -> str:
        """The address that a new connection gets."""
        now = time.monotonic()
        hosts = [host for host, (since, until) in self._routed.items() if since <= now < until]
        if not hosts:
            raise SqlError(2003, "the Service has no endpoint")
        return random.choice(hosts)

    def roll(self, release: Release) -> None:
        """A rolling update: from the last Pod to the first, one after the other.

        The Secret of logins and peers has one name, so they reach every Pod before.
        """
        for proxy in self.proxies:
            proxy.renew_users(release.users)
        for proxy in reversed(self.proxies):
            self.replace(proxy, release)

    def scale(self, release: Release) -> None:
        """Another number of Pods: the others stay, and only see the Secret change."""
        self.release = release
        for proxy in self.proxies:
            proxy.renew_users(release.users)
        for proxy in reversed(self.proxies[release.replicas :]):
            self._unroute(proxy, ENDPOINT_LAG)
            proxy.stop()
        self.proxies = self.proxies[: release.replicas]
        self._add()

    def replace(self, proxy: Proxy, release: Release) -> None:
        """One step of a roll."""
        self.release = release
        self._unroute(proxy, ENDPOINT_LAG)
        proxy.stop()
        proxy.create(release)
        if release.startup is None:
            self._route(proxy)
        proxy.await_start()
        self._route(proxy)
        time.sleep(release.min_ready)

    def crash(self, proxy: Proxy, restart_after: float) -> None:
        """A container dies and is started again, with what its emptyDir or volume holds."""
        proxy.kill()
        self._unroute(proxy, DETECTION + ENDPOINT_LAG)
        time.sleep(restart_after)
        proxy.start()
        if self.release.startup is None:
            self._route(proxy)
        proxy.await_start()
        self._route(proxy)

    def agrees_on(self, hosts: set[str]) -> bool:
        """Whether every proxy sends writes to exactly these servers."""
        try:
            return all(set(p.writers(self.release.writer)) == hosts for p in self.proxies)
        except SqlError:
            return False

    def _add(self) -> None:
        """Start the Pods that are missing, all at once."""
        new = tuple(self._make(n) for n in range(len(self.proxies), self.release.replicas))
        self.proxies += new
        for proxy in new:
            proxy.create(self.release)
            if self.release.startup is None:
                self._route(proxy)
        for proxy in new:
            proxy.await_start()
            self._route(proxy)

    def _route(self, proxy: Proxy) -> None:
        self._routed[proxy.host] = (time.monotonic(), float("inf"))

    def _unroute(self, proxy: Proxy, after: float) -> None:
        since, _ = self._routed[proxy.host]
        self._routed[proxy.host] = (since, time.monotonic() + after)


@contextmanager
def tier(
    binary: str, installation: Installation, directory: Path, network: Network, release: Release
) -> Generator[Tier]:
    """Started proxies; all processes have ended afterwards."""
    made: list[Proxy] = []

    def make(ordinal: int) -> Proxy:
        folder = directory / f"proxysql-{len(made)}"
        made.append(Proxy(binary, installation, folder, network, ordinal))
        return made[-1]

    try:
        yield Tier(make, release)
    finally:
        for proxy in made:
            proxy.kill()
