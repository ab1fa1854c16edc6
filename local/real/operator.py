"""mariadb-operator in a cluster, installed by its chart, with webhook and certificate
controller."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import yaml

from local import LocalError, go
from local.kubectl import Kubectl, Object
from local.toolchain import OPERATOR, Toolchain

NAMESPACE = "mariadb-system"
ROLLOUT_TIMEOUT = 180  # seconds for one Deployment
WEBHOOK_TIMEOUT = 120  # seconds from then to its webhook's first answer
PROBE: Object = {
    "apiVersion": "k8s.mariadb.com/v1alpha1",
    "kind": "MariaDB",
    "metadata": {"name": "probe", "namespace": "default"},
    "spec": {
        "rootPasswordSecretKeyRef": {"name": "probe", "key": "password"},
        "storage": {"size": "1Gi"},
    },
}
"""Asks the webhook for an answer, in a dry run."""


def image(tools: Toolchain) -> str:
    """The image reference that the chart names."""
    repository = yaml.safe_load((_chart() / "values.yaml").read_text())["image"]["repository"]
    return f"{repository}:{tools.program('mariadb-operator').version.removeprefix('v')}"


def install(kubectl: Kubectl, tools: Toolchain, chart: Path) -> None:
    """Apply the chart's objects, its CRDs apart, and wait until the webhook answers.

    `chart`: where its copy is made. An `up` before that answer would fail at preview.
    """
    shutil.rmtree(chart, ignore_errors=True)  # of another version, or half a copy
    shutil.copytree(_chart(), chart)
    _writable(chart)
    # helm wants the chart of the CRDs beside it, which is off by default.
    crds = chart / "charts" / "mariadb-operator-crds"
    shutil.copytree(_chart().parent / crds.name, crds)
    _writable(chart)
    rendered = tools.run(
        "helm", "template", "mariadb-operator", str(chart), f"--namespace={NAMESPACE}",
        f"--kube-version={tools.program('kube-apiserver').version}",
    )  # fmt: skip
    arguments = ("-n", NAMESPACE, "--server-side", "--force-conflicts", "-f", "-")
    kubectl("apply", *arguments, stdin=rendered)
    await_deployments(kubectl, NAMESPACE)
    _await_webhook(kubectl)


def await_deployments(kubectl: Kubectl, namespace: str) -> None:
    """Until no Pod of a former version is left. Raises LocalError with what each Pod waits for."""
    for name in kubectl("get", "deployments", "-n", namespace, "-o", "name").split():
        try:
            kubectl("rollout", "status", name, "-n", namespace, f"--timeout={ROLLOUT_TIMEOUT}s")
        except LocalError as error:
            pods = kubectl("get", "pods", "-n", namespace, "-o", "wide")
            raise LocalError(f"{name} in {namespace} does not run: {error}\n{pods}") from None


def _chart() -> Path:
    return go.module_directory("mariadb-operator", OPERATOR) / "deploy/charts/mariadb-operator"


def _writable(folder: Path) -> None:
    """Go's module cache is read-only, and so is a copy of it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def _await_webhook(kubectl: Kubectl) -> None:
    deadline = time.monotonic() + WEBHOOK_TIMEOUT
    while True:
        try:
            kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(PROBE))
        except LocalError as error:
            if time.monotonic() > deadline:
                raise LocalError(f"the operator's webhook does not answer: {error}") from None
            time.sleep(0.5)
        else:
            return
