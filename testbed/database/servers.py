"""Throwaway MariaDB servers on loopback: find the binaries, start, query, stop."""

from __future__ import annotations

import atexit
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import pymysql

Topology = Literal["standalone", "replication", "galera"]
Settings = Mapping[str, str | int | None]
_T = TypeVar("_T")

HOST = "127.0.0.1"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
SBIN = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")  # often missing in a user's PATH
GALERA_PROVIDERS = ("/usr/lib/galera", "/usr/lib*/galera-4", "/usr/lib/*/galera")

# Small and quick to create; nothing here changes who may do what.
BASE_SETTINGS: Settings = {
    "bind_address": HOST,
    "socket": "mysqld.sock",  # relative to the data directory: a long path would not fit
    "log_error": "error.log",
    "pid_file": "mysqld.pid",
    "skip_name_resolve": None,
    "innodb_log_file_size": "8M",
    "innodb_buffer_pool_size": "32M",
    # The kernel's contexts for it (fs.aio-max-nr) do not last for a dozen servers at once.
    "innodb_use_native_aio": "OFF",
}


class SqlError(Exception):
    """The server refused a statement or a login."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Account:
    """A login, and how many sessions the server allows it (0: unlimited)."""

    user: str
    password: str = field(repr=False)
    max_user_connections: int = 0

    def __str__(self) -> str:
        return f"'{self.user}'@'%'"


ROOT = Account("root", "")


@dataclass(frozen=True)
class Result:
    """Rows as the wire carries them: text or NULL, which is what ProxySQL's monitor parses."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    @property
    def row(self) -> dict[str, str | None]:
        """The only row, by column."""
        (row,) = self.rows
        return dict(zip(self.columns, row, strict=True))

    @property
    def value(self) -> str | None:
        """The only column of the only row."""
        ((value,),) = self.rows
        return value

    @property
    def first_column(self) -> list[str | None]:
        return [row[0] for row in self.rows]


class Session:
    """One client connection."""

    def __init__(self, port: int, account: Account, host: str = HOST, **options: Any) -> None:
        """Log in; `options` are those of `pymysql.connect`."""
        settings: dict[str, Any] = {"autocommit": True, "connect_timeout": 5, "read_timeout": 30}
        # conv={} keeps every value the text that the server sent.
        self._connection: Any = _translated(
            lambda: pymysql.connect(
                host=host,
                port=port,
                user=account.user,
                password=account.password,
                conv={},
                **{**settings, **options},
            )
        )

    def query(self, sql: str) -> Result:
        """Run one statement."""
        with self._connection.cursor() as cursor:
            _translated(lambda: cursor.execute(sql))
            columns = tuple(str(column[0]) for column in cursor.description or ())
            return Result(columns, tuple(cursor.fetchall()))

    def ping(self) -> None:
        """Send COM_PING; the session is not reopened when it is gone."""
        _translated(lambda: self._connection.ping(reconnect=False))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def terminate(process: subprocess.Popen[bytes], patience: float) -> None:
    """SIGTERM; `patience` seconds later `kill`. Of a process that leads its own session."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """`kill -9`, of the process and what it started in its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _translated(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except pymysql.MySQLError as error:
        code, *rest = error.args or (0,)
        raise SqlError(int(code), " ".join(map(str, rest))) from error


@dataclass(frozen=True)
class Installation:
    """The binaries, and the account that they run as (None: the caller's own)."""

    server: str
    install_db: str
    run_as: str | None

    @staticmethod
    def find() -> Installation | str:
        """Look for MariaDB on this machine; a string says why it cannot be used."""
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN))
        server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
        if server is None:
            return "no mariadbd or mysqld on this machine (Debian: mariadb-server)"
        version = subprocess.run(
            (server, "--version"), capture_output=True, text=True, check=False, timeout=20
        ).stdout
        if "MariaDB" not in version:
            return f"{Path(server).name} is not MariaDB: {version.strip()}"
        install_db = shutil.which("mariadb-install-db", path=path)
        if install_db is None:
            return "no mariadb-install-db on this machine (Debian: mariadb-server)"
        if os.geteuid() != 0:
            return Installation(server, install_db, None)
        known = {entry.pw_name for entry in pwd.getpwall()}
        run_as = next((name for name in ("mysql", "nobody") if name in known), None)
        if run_as is None:
            return "running as root, and there is neither a mysql nor a nobody account"
        return Installation(server, install_db, run_as)

    @staticmethod
    def galera_provider() -> str | None:
        """The wsrep provider library, if it is installed."""
        found = (
            library
            for pattern in GALERA_PROVIDERS
            for library in Path("/").glob(f"{pattern.lstrip('/')}/libgalera_smm.so")
        )
        return str(next(found, "")) or None

    def own(self, path: Path) -> None:
        """Hand a file or directory to the account that the servers run as."""
        if self.run_as is not None:
            shutil.chown(path, self.run_as, pwd.getpwnam(self.run_as).pw_gid)

    def spawn(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command, never as root, in a session of its own."""
        group = pwd.getpwnam(self.run_as).pw_gid if self.run_as else None
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.run_as,
                group=group,
                extra_groups=None if self.run_as is None else (),
                cwd=log.parent,
            )


class Server:
    """One mariadbd with its own directory and port."""

    def __init__(
        self, installation: Installation, directory: Path, port: int, settings: Settings
    ) -> None:
        self.port = port
        self._installation = installation
        self._directory = directory
        self._data = directory / "data"
        self._temporary = directory / "tmp"
        self._settings: Settings = {**BASE_SETTINGS, **settings, "port": port}
        self._process: subprocess.Popen[bytes] | None = None
        # A server that starts removes every temporary table of its tmpdir, other servers' too
        # (mariadb: sql/sql_base.cc, mysql_rm_tmp_tables), so none of them may share one.
        self._temporary.mkdir(parents=True)
        shutil.copytree(_new_data(installation), self._data)
        for path in (directory, self._temporary, self._data, *self._data.rglob("*")):
            installation.own(path)

    def start(self, *arguments: str, settings: Settings | None = None, more: str = "") -> None:
        """Launch the server; `wait` says when it is usable.

        `more`: text at the end of its my.cnf. `arguments` win over all of that.
        """
        lines = [
            key if value is None else f"{key}={value}"
            for key, value in {**self._settings, **(settings or {})}.items()
        ]
        config = self._directory / "my.cnf"
        config.write_text("\n".join(["[mariadb]", *lines, more, ""]))
        self._installation.own(config)
        self._process = self._installation.spawn(
            self._installation.server,
            f"--defaults-file={config}",
            f"--datadir={self._data}",
            f"--tmpdir={self._temporary}",
            *arguments,
            log=self._directory / "output.log",
        )

    def wait(self, ready: Callable[[Session], bool] = lambda _: True) -> None:
        """Wait for a login as root, and until `ready` holds there."""

        def usable() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"mariadbd ended while it started\n{self.log_tail()}")
            try:
                with self.session() as session:
                    return ready(session)
            except SqlError:
                return False

        if not eventually(usable):
            raise RuntimeError(f"mariadbd did not become ready\n{self.log_tail()}")

    def stop(self) -> None:
        """Stop the server; kill it, and what it started, when it does not obey."""
        if self._process is None:
            return
        terminate(self._process, STOP_TIMEOUT)
        self._process = None

    def kill(self) -> None:
        """End the server without a goodbye."""
        assert self._process is not None
        kill(self._process)
        self._process = None

    def pause(self) -> None:
        """Let it hang: its connections stay, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self._data

    @property
    def resident(self) -> int:
        """Bytes of memory that the server occupies."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return int(kibibytes) * 1024

    def restart(self, settings: Settings | None = None) -> None:
        """Stop and start again, as a pod's container does: only the configuration survives."""
        self.stop()
        self.start(settings=settings)
        self.wait()

    def session(self, account: Account = ROOT) -> Session:
        """Log in; without TLS, for whose mere possibility the client reads this machine's
        certificates each time, which is most of the cost of a login."""
        return Session(self.port, account, ssl_disabled=True)

    def query(self, sql: str, account: Account = ROOT) -> Result:
        """Run one statement in a session of its own."""
        with self.session(account) as session:
            return session.query(sql)

    def log_tail(self, lines: int = 30) -> str:
        """The end of what the server said, for failure messages."""
        logs = (self._directory / "output.log", self._data / "error.log")
        texts = [log.read_text(errors="replace") for log in logs if log.exists()]
        return "\n".join("\n".join(text.splitlines()[-lines:]) for text in texts)


@cache
def _new_data(installation: Installation) -> Path:
    """The data directory of a server that never ran, for copies: making one takes seconds."""
    directory = Path(tempfile.mkdtemp(prefix="mysql-ha-new-data-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    installation.own(directory)
    log = directory / "output.log"
    process = installation.spawn(
        installation.install_db,
        "--no-defaults",
        f"--datadir={directory / 'data'}",
        f"--tmpdir={directory}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-log-file-size=8M",
        "--innodb-use-native-aio=0",
        log=log,
    )
    try:
        code = process.wait(START_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code != 0:
        raise RuntimeError(f"mariadb-install-db exited with {code}\n{log.read_text()[-3000:]}")
    return directory / "data"


@dataclass(frozen=True)
class Cluster:
    """Servers that hold the same data; writes go to the first."""

    topology: Topology
    servers: tuple[Server, ...]

    @property
    def primary(self) -> Server:
        return self.servers[0]

    @property
    def replicas(self) -> tuple[Server, ...]:
        return self.servers[1:]

    def execute(self, *statements: str) -> None:
        """Run statements on the primary, then wait until every server has them."""
        with self.primary.session() as session:
            for sql in statements:
                session.query(sql)
        self.settle()

    def settle(self) -> None:
        """Wait until every server has what the primary has."""
        match self.topology:
            case "standalone":
                pass
            case "replication":
                position = self.primary.query("SELECT @@global.gtid_binlog_pos").value
                for replica in self.replicas:
                    waited = replica.query(f"SELECT MASTER_GTID_WAIT('{position}', 20)").value
                    assert waited == "0", f"a replica did not reach {position}"
            case "galera":
                for server in self.servers:
                    with server.session() as session:
                        session.query("SET SESSION wsrep_sync_wait = 15")
                        session.query("SELECT 1")


def stopping(servers: Iterable[Server]) -> ExitStack:
    """A context that stops these servers at its end, one by one, the last one first.

    In turn, because Galera nodes that leave together wait for each other's eviction.
    """
    stack = ExitStack()
    for server in servers:
        stack.callback(server.stop)
    return stack


def eventually(condition: Callable[[], bool], timeout: float = START_TIMEOUT) -> bool:
    """Poll until the condition holds; False when it never does."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
