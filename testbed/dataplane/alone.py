"""One ProxySQL without servers: what it makes of variables and patterns."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from components.config.proxysql_variables import Value
from local import ports
from testbed.database.servers import (
    HOST,
    Account,
    Installation,
    Result,
    Session,
    SqlError,
    eventually,
    terminate,
)

from .deployment import Lab

ADMIN = Account("admin", "adminpw")
CLIENT = Account("client", "clientpw")
NO = 1148
"""The error of a rule with error_msg (lib/MySQL_Session.cpp)."""

LAST = 1_000_000
"""The rule that refuses what no pattern matched."""


class Alone:
    """A process whose admin port is at hand; clients log in as CLIENT."""

    def __init__(self, binary: str, installation: Installation, directory: Path) -> None:
        self._binary, self._installation, self._directory = binary, installation, directory
        self._admin_port, self._port, pgsql_admin, pgsql = ports.free(4)
        self._process: subprocess.Popen[bytes] | None = None
        listens = f'interfaces="{HOST}:'
        postgresql = f'pgsql_variables={{ {listens}{pgsql}" }}\n'
        (directory / "proxysql.cnf").write_text(
            f'admin_variables={{ admin_credentials="{ADMIN.user}:{ADMIN.password}" '
            f'mysql_ifaces="{HOST}:{self._admin_port}" pgsql_ifaces="{HOST}:{pgsql_admin}" }}\n'
            f'mysql_variables={{ {listens}{self._port}" monitor_enabled=false threads=1 '
            "connect_timeout_server_max=100 }\n"
            f'mysql_users=({{ username="{CLIENT.user}" password="{CLIENT.password}" }})\n'
            + postgresql
        )
        installation.own(directory / "proxysql.cnf")

    @staticmethod
    @contextmanager
    def started(lab: Lab) -> Generator[Alone]:
        """One that ends with the block."""
        alone = Alone(lab.binary, lab.installation, lab.folder("alone"))
        try:
            alone.start()
            yield alone
        finally:
            alone.stop()

    def start(self) -> None:
        """Start it, or start it again."""
        self._process = self._installation.spawn(
            *(self._binary, "-f", "--initial", "--no-version-check"),
            *("-c", str(self._directory / "proxysql.cnf"), "-D", str(self._directory)),
            log=self._directory / "proxysql.log",
        )
        if not eventually(self._answers, timeout=30):
            raise RuntimeError((self._directory / "proxysql.log").read_text()[-3000:])

    def stop(self) -> None:
        if self._process:
            terminate(self._process, 10)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def admin(self, *statements: str) -> Result:
        """Run statements on the admin port; the result of the last one."""
        # None is the server's default, which is on: nothing more is sent.
        with Session(self._admin_port, ADMIN, autocommit=None) as session:
            results = [session.query(sql) for sql in statements]
        return results[-1]

    # --- variables ---

    def variables(self, kind: str) -> dict[str, str]:
        """What runs, by name without the prefix; `kind` as in a stack file."""
        prefix = kind.removesuffix("variables").replace("_", "-")
        rows = self.admin("SELECT variable_name, variable_value FROM runtime_global_variables").rows
        return {
            str(name).removeprefix(prefix): str(value)
            for name, value in rows
            if str(name).startswith(prefix)
        }

    def set(self, kind: str, values: Mapping[str, Value]) -> dict[str, str]:
        """What runs after variables were set and loaded."""
        module = kind.partition("_")[0]
        self.admin(
            *(
                f"UPDATE global_variables SET variable_value='{value}' "
                f"WHERE variable_name='{module}-{name}'"
                for name, value in values.items()
            ),
            f"LOAD {module.upper()} VARIABLES TO RUNTIME",
        )
        return self.variables(kind)

    # --- patterns ---

    def compiled(self, patterns: Sequence[str]) -> list[bool]:
        """Which patterns ProxySQL compiles: with nothing as an alternative each matches all."""
        self._load(f"({n}, 1, '{_quoted(text)}|', 0)" for n, text in enumerate(patterns, 1))
        hits: dict[int, int] = {}

        def counted() -> bool:
            self.matches("x")
            rows = self.admin("SELECT rule_id, hits FROM stats_mysql_query_rules").rows
            hits.update({int(str(number)): int(str(count)) for number, count in rows})
            return hits[LAST] > 0

        assert eventually(counted, timeout=20)
        return [hits[number] > 0 for number in range(1, len(patterns) + 1)]

    def load(self, pattern: str) -> None:
        """Let one pattern be what `matches` looks for."""
        self._load([f"(1, 1, '{_quoted(pattern)}', 1)"])

    def matches(self, statement: str) -> bool | None:
        """Whether the pattern matches a statement; None if ProxySQL ended over it."""
        try:
            with Session(self._port, CLIENT, autocommit=None) as session:
                session.query(statement)
        except SqlError as error:
            return None if error.code != NO else False
        return True

    def _load(self, rows: Sequence[str] | Generator[str]) -> None:
        self.admin(
            "DELETE FROM mysql_query_rules",
            *(
                "INSERT INTO mysql_query_rules (rule_id, active, match_pattern, apply) VALUES "
                + row
                for row in rows
            ),
            "UPDATE mysql_query_rules SET OK_msg='yes' WHERE apply=1",
            "INSERT INTO mysql_query_rules (rule_id, active, error_msg, apply) VALUES "
            f"({LAST}, 1, 'no', 1)",
            "LOAD MYSQL QUERY RULES TO RUNTIME",
        )

    def _answers(self) -> bool:
        with suppress(SqlError):
            self.admin("SELECT 1")
            with Session(self._port, CLIENT, autocommit=None):
                return True
        return False


def _quoted(text: str) -> str:
    return text.replace("'", "''")
