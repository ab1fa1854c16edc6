"""The real Pulumi engine on a private backend, running the repository's own program."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import runpy
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pulumi.automation import (
    LocalWorkspaceOptions,
    PulumiCommand,
    Stack,
    create_or_select_stack,
    select_stack,
)

from local import REPOSITORY, LocalError
from local.toolchain import Toolchain

PROJECT = "mysql-ha"
# Keys by which a stack names its cluster; without one, it never leaves this machine.
CLUSTER_KEYS = ("kubernetes:context", "kubernetes:kubeconfig")


def stack_file(wanted: str) -> tuple[str, Path]:
    """A stack's name and file, from its name or from a path such as examples/Pulumi.x.yaml."""
    path = REPOSITORY / (wanted if wanted.endswith(".yaml") else f"Pulumi.{wanted}.yaml")
    match = re.fullmatch(r"Pulumi\.([\w-]+)\.yaml", path.name)
    if not match:
        raise LocalError(f"{wanted}: a stack file is called Pulumi.<stack>.yaml.")
    if not path.is_file():
        known = ", ".join(sorted(f.name.split(".")[1] for f in REPOSITORY.glob("Pulumi.*.yaml")))
        raise LocalError(f"There is no stack file {path}. Stacks here: {known}.")
    return match[1], path


def stack_config(file: Path) -> dict[str, Any]:
    """The `config` section of a stack file. Raises LocalError for a file that has none."""
    try:
        content: Any = yaml.safe_load(file.read_text()) or {}
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or type(error).__name__
        raise LocalError(f"{file.name}{place}: this is not YAML ({reason}).") from None
    section: Any = cast(Any, content).get("config") or {} if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise LocalError(f"{file.name}: `config` must be a mapping.")
    config = cast(dict[Any, Any], section)
    if wrong := [key for key in config if not isinstance(key, str)]:
        raise LocalError(f"{file.name}: config key {wrong[0]!r} is not text; put it in quotes.")
    try:
        return copy.deepcopy(config)
    except RecursionError:
        raise LocalError(f"{file.name}: `config` is nested too deep.") from None


def names_cluster(config: Mapping[str, Any]) -> bool:
    return any(config.get(key) for key in CLUSTER_KEYS)


def namespaces(config: Mapping[str, Any]) -> set[str]:
    """The namespaces that a stack expects to find; none when it creates its own."""
    return set() if config.get(f"{PROJECT}:create_namespace") else values(config, "namespace")


def values(config: Mapping[str, Any], key: str) -> set[str]:
    """What a stack and each of its databases have for `key`; the project's default included."""
    project = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())
    full = f"{PROJECT}:{key}"
    found = [config.get(full) or project["config"][full]["default"]]
    databases = config.get(f"{PROJECT}:databases")
    several = cast(dict[str, Any], databases).values() if isinstance(databases, dict) else ()
    own = (cast(dict[str, Any], one).get(key) for one in several if isinstance(one, dict))
    # The program itself refuses what is no text.
    return {value for value in (*found, *own) if isinstance(value, str) and value}


def run_program() -> None:
    """What `pulumi up` would run; its modules keep no state, so a process may run it again."""
    # The engine reports a failed output once; asyncio would again, for every output that hangs on
    # it. Pulumi's own language host does the same (sdk/python/cmd/pulumi-language-python-exec).
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))
    runpy.run_path(str(REPOSITORY / "__main__.py"))


def write_stack_file(
    work: Path, name: str, config: Mapping[str, Any], *, answers_sql: bool = False
) -> None:
    """Write the engine's own copy of a stack file, keeping the salt that encrypts its state.

    Without a SQL server no user or grant would ever become ready: `await_sql` is then off.
    """
    file = work / f"Pulumi.{name}.yaml"
    content: dict[str, Any] = {}
    if file.exists():
        old: Mapping[str, Any] = yaml.safe_load(file.read_text()) or {}
        content = {key: value for key, value in old.items() if key == "encryptionsalt"}
    content["config"] = dict(config) if answers_sql else {**config, f"{PROJECT}:await_sql": False}
    partial = file.with_suffix(".partial")
    partial.write_text(yaml.safe_dump(content, sort_keys=False))
    partial.replace(file)


@dataclass(frozen=True)
class Engine:
    """Stacks on a private backend in `directory`; one run at a time may use it."""

    directory: Path
    command: PulumiCommand
    kubeconfig: Path
    plugin_path: Path | None
    """Folder of the local plugins; None if the official ones are installed."""
    pulumi_home: Path
    answers_sql: bool = False
    """Whether servers run in the cluster instead of being simulated."""

    def open(
        self,
        name: str,
        config: Mapping[str, Any] | None = None,
        program: Callable[[], Any] = run_program,
    ) -> Stack:
        """Create or select a stack that deploys to the local cluster.

        `config` is the `config` section of its stack file; by default that of the repository's
        Pulumi.<name>.yaml. The repository's own files are copied and never written.
        """
        if config is None:
            config = stack_config(stack_file(name)[1])
        if names_cluster(config):
            raise LocalError(f"Stack {name} names a cluster: {' or '.join(CLUSTER_KEYS)}.")
        if _has_encrypted(config):
            raise LocalError(
                f"Stack {name} has encrypted values, which only its own passphrase opens, and the "
                "local engine has another. Use existing Secrets here, or name a cluster."
            )
        options = self._options()
        # The program looks at the cluster too, and runs here, not in the engine's environment.
        config = {**config, "kubernetes:kubeconfig": str(self.kubeconfig)}
        self._unlock()
        write_stack_file(self._work, name, config, answers_sql=self.answers_sql)
        return create_or_select_stack(name, PROJECT, program, opts=options)

    def outputs(self, name: str) -> dict[str, Any]:
        """What a deployed stack exports, without what is secret."""
        stack = create_or_select_stack(name, PROJECT, run_program, opts=self._options())
        return {key: found.value for key, found in stack.outputs().items() if not found.secret}

    def config(self, name: str) -> dict[str, Any]:
        """The `config` section that a stack was deployed with."""
        return stack_config(self.stack_file(name))

    def stack_file(self, name: str) -> Path:
        """The file that a stack was deployed with, as the engine has it."""
        return self._work / f"Pulumi.{name}.yaml"

    def destroy(self, name: str, on_output: Callable[[str], Any], color: str) -> None:
        """Destroy a stack and forget it, protected resources too."""
        self._unlock()
        stack = create_or_select_stack(name, PROJECT, run_program, opts=self._options())
        self.command.run(
            ["state", "unprotect", "--all", "--yes", "--stack", name],
            cwd=str(self._work),
            additional_env=self.environment(),
        )
        stack.destroy(on_output=on_output, color=color, remove=True)
        on_output(f"stack {name}: removed")

    @property
    def _work(self) -> Path:
        return self.directory / "work"

    def _unlock(self) -> None:
        """Nobody else changes stacks here, so an existing lock belongs to a killed run."""
        shutil.rmtree(self.directory / "state" / ".pulumi" / "locks", ignore_errors=True)

    def _options(self) -> LocalWorkspaceOptions:
        self._work.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.directory / "state").mkdir(exist_ok=True, mode=0o700)
        shutil.copyfile(REPOSITORY / "Pulumi.yaml", self._work / "Pulumi.yaml")
        return LocalWorkspaceOptions(
            work_dir=str(self._work), pulumi_command=self.command, env_vars=self.environment()
        )

    def environment(self) -> dict[str, str]:
        """For its processes: no other variable decides about backend, secrets or cluster."""
        path = os.environ.get("PATH", os.defpath)
        if self.plugin_path:
            path = os.pathsep.join((str(self.plugin_path), path))
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "MYSQL_HA_PYTHON": sys.executable,  # runs the local plugins
            "PATH": path,
            "PULUMI_BACKEND_URL": (self.directory / "state").resolve().as_uri(),
            # Not the variable that names a file: an ambient PULUMI_CONFIG_PASSPHRASE would win.
            "PULUMI_CONFIG_PASSPHRASE": passphrase(self.directory),
            "PULUMI_HOME": str(self.pulumi_home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


def _has_encrypted(value: Any) -> bool:
    """Whether a config holds a value that `pulumi config set --secret` wrote."""
    if isinstance(value, dict):
        mapping = cast(dict[str, Any], value)
        return list(mapping) == ["secure"] or any(map(_has_encrypted, mapping.values()))
    return isinstance(value, list) and any(map(_has_encrypted, cast(list[Any], value)))


def stacks_in(directory: Path) -> list[str]:
    """The stacks that an engine in `directory` has made."""
    stacks = directory / "state" / ".pulumi" / "stacks" / PROJECT
    return sorted(file.stem for file in stacks.glob("*.json"))


def passphrase(directory: Path) -> str:
    """Generated once; without it the state in `directory` cannot be read."""
    file = directory / "passphrase"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text()


def cluster_settings(
    name: str, file: Path, config: Mapping[str, Any], tools: Toolchain
) -> dict[str, str]:
    """The settings by which a stack names its cluster, decrypted. Nothing is written.

    Only what is encrypted needs the engine; there must be such a stack then.
    """
    given = {key: config[key] for key in CLUSTER_KEYS if config.get(key)}
    if not _has_encrypted(given):
        return {key: str(value) for key, value in given.items()}
    if file.parent != REPOSITORY:
        raise LocalError(f"{file} names a cluster: copy it next to Pulumi.yaml first.")
    tools.prepare()
    # Not `Stack.select`: that makes the stack the current one, in a file of the user's.
    command = ["config", "--json", "--show-secrets", "--stack", name]
    done = tools.pulumi().run(command, cwd=str(REPOSITORY), additional_env={})
    found: Mapping[str, Mapping[str, Any]] = json.loads(done.stdout)
    return {key: str(found[key]["value"]) for key in given}


def open_cluster_stack(name: str, command: PulumiCommand, *, create: bool) -> Stack:
    """The stack as plain `pulumi -s <name>` sees it: the user's backend, secrets and cluster.

    `create`: make it if it is not there.
    """
    options = LocalWorkspaceOptions(work_dir=str(REPOSITORY), pulumi_command=command)
    opened = create_or_select_stack if create else select_stack
    return opened(name, PROJECT, run_program, opts=options)
