"""kubectl, of which every call ends in time, with its credentials and nothing else."""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .objects import Object

ASK_LIMIT = 10
"""Seconds that the API server may take."""
EXEC_LIMIT = 20
"""Seconds that a script in a Pod may take, beside the limit of each client in it."""
GRACE = 2
"""Seconds more in which kubectl itself must end."""


class Unreachable(Exception):
    """What was asked did not answer; the message says why."""


class Absent(Unreachable):
    """There is no such object, or no such kind of object."""


class Refused(Unreachable):
    """This account may not ask that."""


class Cluster(Protocol):
    """A namespace of a cluster, read-only. Each method raises Unreachable."""

    def get(self, *what: str) -> list[Object]:
        """Objects: `pods`, or `mariadb` and a name. Raises Absent too."""
        ...

    def certificate(self, secret: str, key: str) -> bytes:
        """A public certificate of a Secret, of which nothing else is printed or kept."""
        ...

    def run(self, pod: str, container: str, script: str, stdin: str = "") -> str:
        """What a shell script prints in a container."""
        ...


@dataclass(frozen=True)
class Kubectl:
    """By kubectl: `command` with its options, such as a kubeconfig and a context."""

    command: tuple[str, ...]
    namespace: str

    def get(self, *what: str) -> list[Object]:
        """See Cluster."""
        text = self._call(("get", *what, "-o", "json"), ASK_LIMIT)
        try:
            found: Any = json.loads(text or '{"kind": "List", "items": []}')
        except ValueError:
            raise Unreachable("what it answered is no JSON") from None
        return found["items"] if found["kind"].endswith("List") else [found]

    def certificate(self, secret: str, key: str) -> bytes:
        """See Cluster."""
        path = "{.data." + key.replace(".", r"\.") + "}"
        text = self._call(("get", "secret", secret, "-o", f"jsonpath={path}"), ASK_LIMIT)
        try:
            return base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            raise Unreachable(f"{key} of Secret {secret} is not base64") from None

    def run(self, pod: str, container: str, script: str, stdin: str = "") -> str:
        """See Cluster."""
        command = ("exec", "-i", pod, "-c", container, "--", "sh", "-c", script)
        return self._call(command, EXEC_LIMIT, stdin)

    def _call(self, arguments: Sequence[str], limit: int, stdin: str = "") -> str:
        """The output; also of a script that failed in the end: the reader sees what is missing."""
        command = (*self.command, "-n", self.namespace, f"--request-timeout={limit}s", *arguments)
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, errors="replace",
                timeout=limit + GRACE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unreachable(f"no answer in {limit} s") from None
        except OSError as error:
            raise Unreachable(f"{self.command[0]}: {error.strerror}") from None
        if done.returncode and not (done.stdout and arguments[0] == "exec"):
            raise refused(done.stderr)
        return done.stdout


def refused(said: str) -> Unreachable:
    """The error of what kubectl said: its last line, which has the reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    absent = ("NotFound", "the server doesn't have a resource type")
    forbids = ("Error from server (Forbidden)", "error: unable to upgrade connection: Forbidden")
    if forbidden := [line for line in lines if line.startswith(forbids)]:
        return Refused(forbidden[-1])
    if any(word in line for line in lines for word in absent):
        return Absent(lines[-1])
    told = [line for line in lines if not line.startswith("command terminated")]
    if any("exit code 137" in line for line in lines):  # `timeout` ended the client
        return Unreachable("it hangs: no answer in time")
    reason = re.sub(r"^ERROR \d+ \(\w+\)( at line \d+)?: ", "", told[-1]) if told else ""
    return Unreachable(reason or "no answer, and no reason")
