"""SQL on a deployed stack, through its endpoint: a SELECT after `make up`, a shell for `make sql`.

Both run in a Pod of their own, with the image of the servers and the login of an application's (or
root's) Secret, so they connect as an application does.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.config.stack import StackConfig
from components.engines.wiring import WIRING
from components.names import ROLE
from components.pods import security
from local import LocalError
from local.kubectl import Kubectl, Object

NAME = "mysql-ha-sql"
"""Label of the Pods, and what their names begin with: several may ask at once."""
READY_TIMEOUT = 120  # seconds from the Pod's creation to its shell
QUESTION = "SELECT CONCAT_WS(' ', @@hostname, @@version, CURRENT_USER())"
ANSWER_TIMEOUT = 120  # seconds: proxies load a new login within a minute and a half


@dataclass(frozen=True)
class Login:
    """A login: an account's Secret, the key of its password, and the endpoint."""

    who: str
    namespace: str
    host: str
    port: int
    username: str
    secret: str
    key: str
    database: str = ""

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"


def login(config: StackConfig, outputs: Mapping[str, Any], app: str | None) -> Login:
    """The login of an app of one database's outputs; by default of its first, else root's.

    Root cannot log in through the proxies: without an app, the servers' own Service is asked.
    Raises LocalError for an app that the stack does not have.
    """
    apps: Mapping[str, Any] = outputs.get("apps") or {}
    if app and app not in apps:
        known = ", ".join(apps) or "none"
        raise LocalError(f"{config.name} has no app {app}. Apps: {known}.")
    if apps:
        name = app or next(iter(apps))
        found = apps[name]
        return Login(
            f"app {name}", config.namespace, found["host"], int(found["port"]), found["username"],
            found["secret"], "password", found["database"] or "",
        )  # fmt: skip
    host, port = outputs["host"], int(outputs["port"])
    if config.own_proxies:
        servers = WIRING[config.engine].topology(config)
        host, port = servers.service, servers.port
    secret = outputs["admin_secret"]
    return Login("root", config.namespace, host, port, "root", secret["name"], secret["key"])


def pod(config: StackConfig, login: Login, name: str) -> Object:
    """The Pod of a shell. The password comes from the Secret, as an application takes it."""
    variables = {"MYSQL_PWD": {"secretKeyRef": {"name": login.secret, "key": login.key}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": login.namespace,
            # The role by which a NetworkPolicy of the servers lets it in.
            "labels": {"app.kubernetes.io/name": NAME, ROLE: "sql"},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": 8 * 3600,
            "restartPolicy": "Never",
            "securityContext": security.of_pod(config.security, config.security.database),
            "imagePullSecrets": [{"name": name} for name in config.images.pull_secrets],
            "containers": [{
                "name": "sql",
                "image": config.images.database.reference,
                "command": ["sleep", "infinity"],
                "env": [{"name": name, "valueFrom": source} for name, source in variables.items()],
                "securityContext": {
                    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    }  # fmt: skip


def client(login: Login, *arguments: str) -> list[str]:
    """The command of a SQL client in the Pod: encrypted where the other side can be.

    MariaDB's image and Percona's have clients of other names; MariaDB's would refuse a certificate
    that it cannot verify, as the proxies' own.
    """
    options = shlex.join([
        f"--host={login.host}", f"--port={login.port}", f"--user={login.username}", *arguments,
        *([login.database] if login.database else []),
    ])  # fmt: skip
    return ["sh", "-c", (
        "if command -v mariadb >/dev/null; "
        f"then exec mariadb --disable-ssl-verify-server-cert {options}; "
        f"else exec mysql {options}; fi"
    )]  # fmt: skip


class Sql:
    """A Pod for queries, while the `with` lasts."""

    def __init__(self, kubectl: Kubectl, config: StackConfig, login: Login) -> None:
        self.kubectl, self.config, self.login = kubectl, config, login
        self.pod = f"{NAME}-{secrets.token_hex(4)}"

    def __enter__(self) -> Sql:
        # Of runs that were killed, once their time (`activeDeadlineSeconds`) is over.
        self._delete(
            f"--selector=app.kubernetes.io/name={NAME}", "--field-selector=status.phase=Failed"
        )
        try:
            self.kubectl.apply([pod(self.config, self.login, self.pod)])
            self.kubectl(
                "wait", "-n", self.login.namespace, f"pod/{self.pod}", "--for=condition=Ready",
                f"--timeout={READY_TIMEOUT}s",
            )  # fmt: skip
        except BaseException:
            self._delete(self.pod)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._delete(self.pod)

    def ask(self, statement: str) -> str:
        """The answer without column names. Raises LocalError with the server's reason."""
        command = client(self.login, "--batch", "--skip-column-names", f"--execute={statement}")
        return self.kubectl("exec", "-n", self.login.namespace, self.pod, "--", *command).strip()

    def ask_until_answered(self, statement: str) -> str:
        """`ask`, until the proxies have loaded a login that was made a moment ago."""
        deadline = time.monotonic() + ANSWER_TIMEOUT
        while True:
            try:
                return self.ask(statement)
            except LocalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(1)

    def shell(self, arguments: Sequence[str]) -> int:
        """A client on this terminal, or one that reads statements from a pipe."""
        terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
        command = self.kubectl.command(
            "exec", "--stdin", *terminal, "-n", self.login.namespace, self.pod, "--",
            *client(self.login, *arguments),
        )  # fmt: skip
        return subprocess.run(command, check=False).returncode

    def _delete(self, *which: str) -> None:
        self.kubectl(
            "delete", "pod", *which, "-n", self.login.namespace, "--ignore-not-found", "--force",
            "--grace-period=0",
        )  # fmt: skip


def by_database(configs: Sequence[StackConfig], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Each database's outputs by its name, whether or not the stack has several."""
    several: Mapping[str, Any] | None = outputs.get("databases")
    return dict(several) if several else {configs[0].name: dict(outputs)}
