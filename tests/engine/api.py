"""What tests ask the API server again and again, without a process for each question."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from local.control_plane import ControlPlane

KINDS = {
    "/api/v1": (
        "configmaps",
        "events",
        "persistentvolumeclaims",
        "pods",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    "/apis/apps/v1": ("deployments", "statefulsets"),
    "/apis/batch/v1": ("cronjobs", "jobs"),
    "/apis/cert-manager.io/v1": ("certificates",),
    "/apis/k8s.mariadb.com/v1alpha1": (
        *("backups", "databases", "grants", "mariadbs", "physicalbackups", "users"),
    ),
    "/apis/monitoring.coreos.com/v1": ("podmonitors", "prometheusrules", "servicemonitors"),
    "/apis/networking.k8s.io/v1": ("networkpolicies",),
    "/apis/policy/v1": ("poddisruptionbudgets",),
    "/apis/pxc.percona.com/v1": ("perconaxtradbclusterrestores", "perconaxtradbclusters"),
}
GROUPS = {kind: group for group, kinds in KINDS.items() for kind in kinds}


class Api:
    """The API server of a control plane, asked as its admin."""

    def __init__(self, control_plane: ControlPlane) -> None:
        pki = control_plane.directory / "pki"
        tls = ssl.create_default_context(cafile=pki / "ca.crt")
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._server = f"https://127.0.0.1:{control_plane.ports['kube-apiserver']}"
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )

    def text(self, path: str, body: Any = None) -> str:
        """What is answered to a GET, or to a POST of a body. Raises HTTPError."""
        request = urllib.request.Request(f"{self._server}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with self._opener.open(request, timeout=60) as answer:
            return answer.read().decode()

    def list(self, kind: str, namespace: str) -> dict[str, Any]:
        """The objects of a kind, in the plural, by name."""
        items = json.loads(self.text(_path(kind, namespace)))["items"]
        return {item["metadata"]["name"]: item for item in items}

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object, if it is there."""
        try:
            return json.loads(self.text(f"{_path(kind, namespace)}/{name}"))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def ensure_namespace(self, name: str) -> None:
        """As `Kubectl.ensure_namespace`, for this control plane, which restricts all of them."""
        metadata = {"name": name}
        try:
            self.text("/api/v1/namespaces", {"kind": "Namespace", "metadata": metadata})
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        deadline = time.monotonic() + 60
        while True:
            try:
                self.text(account)
                return
            except urllib.error.HTTPError:
                assert time.monotonic() < deadline, f"{account} is not made"
                time.sleep(0.05)


def _path(kind: str, namespace: str) -> str:
    return f"{GROUPS[kind]}/namespaces/{namespace}/{kind}"
