"""One Kubernetes API server: requests as JSON, without blocking the event loop.

The `kubernetes` client reads the kubeconfig and does TLS and authentication; its typed API and its
discovery of everything (seconds per start) are not needed: one request per API group tells what a
kind is called and whether it has a namespace.
"""

import asyncio
import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

import urllib3
import yaml

# The client has no types: it is used through these two names only.
kubernetes_client: Any = importlib.import_module("kubernetes.client")
kubernetes_config: Any = importlib.import_module("kubernetes.config")

Object = dict[str, Any]

CONNECTIONS = 16
TIMEOUT = (10, 60)
"""Seconds to connect and to read: an API server that hangs must not hang a deployment."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Where objects of a kind live."""

    api_version: str
    plural: str
    namespaced: bool


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str, details: Object) -> None:
        super().__init__(message)
        self.status, self.reason, self.details = status, reason, details

    @property
    def namespace_missing(self) -> bool:
        """Upstream: `IsNamespaceNotFoundErr` in provider/pkg/await/error.go."""
        return self.status == 404 and self.details.get("kind") == "namespaces"


class NoSuchKind(ApiError):
    """The API server has no such kind, for example because its CRD is not there yet."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(404, "NotFound", f'no matches for kind "{kind}" in "{api_version}"', {})


class Unreachable(Exception):
    """No answer from the API server, or no way to find it."""


class Cluster:
    """A connection pool to one API server and what is known of its kinds."""

    def __init__(self, kubeconfig: str | Object | None, context: str | None) -> None:
        """`kubeconfig`: a path or the contents, as upstream's `parseKubeconfigString`."""
        configuration = kubernetes_client.Configuration()
        loaded: Object | None = {}
        try:
            loaded = parse_kubeconfig(kubeconfig)
            if isinstance(kubeconfig, str) and loaded is None:
                path = str(Path(kubeconfig).expanduser())
                kubernetes_config.load_kube_config(
                    path, context, configuration, persist_config=False
                )
            elif loaded is not None:
                kubernetes_config.load_kube_config_from_dict(
                    loaded, context, configuration, persist_config=False
                )
            else:
                kubernetes_config.load_kube_config(
                    None, context, configuration, persist_config=False
                )
        except Exception as error:
            # The text may quote the kubeconfig and so its credentials: name the kind of error only.
            where = f" at {kubeconfig}" if isinstance(kubeconfig, str) and loaded is None else ""
            which = f" with context {context}" if context else ""
            raise Unreachable(
                f"no usable kubeconfig{where}{which} ({type(error).__name__})"
            ) from None
        configuration.connection_pool_maxsize = CONNECTIONS
        if not configuration.verify_ssl:
            urllib3.disable_warnings()  # would be one line of noise per request
        self._host: str = configuration.host
        self._api = kubernetes_client.ApiClient(configuration)
        # Its own pool: asyncio's default of CPUs + 4 is too few for a preview of many resources.
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="cluster")
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._discovering: dict[str, asyncio.Lock] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """The decoded answer, without warnings, which upstream does not show either.

        Raises `ApiError` or `Unreachable`.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, self._request, method, path, body, query or {}, content_type
        )

    def _request(
        self, method: str, path: str, body: Any, query: dict[str, str], content_type: str
    ) -> Object:
        headers = {"Accept": "application/json", "User-Agent": "pulumi-kubernetes-mysql-ha"}
        if body is not None:
            headers["Content-Type"] = content_type
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._api.call_api(method, url, headers, body=body, _request_timeout=TIMEOUT)
            text: str = response.read().decode()
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self._host} does not answer ({type(error).__name__})") from None
        except kubernetes_client.ApiException as error:
            raise Unreachable(f"{self._host} does not answer ({error.reason})") from None
        status: int = response.status
        try:
            decoded: Any = json.loads(text) if text else {}
        except ValueError:
            decoded = {"message": text.strip()[:500]}
        answer: Object = cast(Object, decoded) if isinstance(decoded, dict) else {}
        if status >= 400:
            raise ApiError(
                status,
                str(answer.get("reason") or ""),
                str(answer.get("message") or f"HTTP {status}"),
                answer.get("details") or {},
            )
        return answer

    async def kind(self, api_version: str, kind: str) -> Kind:
        """Where the kind lives. A miss asks again: a CRD may have arrived since."""
        lock = self._discovering.setdefault(api_version, asyncio.Lock())
        async with lock:  # 30 resources at once ask once
            if (api_version, kind) not in self._kinds:
                try:
                    answer = await self.request("GET", _group_path(api_version))
                except ApiError as error:
                    if error.status == 404:
                        raise NoSuchKind(api_version, kind) from None
                    raise
                for found in answer.get("resources", []):
                    if "/" not in found["name"]:
                        self._kinds[api_version, found["kind"]] = Kind(
                            api_version=api_version,
                            plural=found["name"],
                            namespaced=found["namespaced"],
                        )
            if (api_version, kind) not in self._kinds:
                raise NoSuchKind(api_version, kind)
            return self._kinds[api_version, kind]

    async def path(self, obj: Object, name: str | None = None) -> str:
        """Path of the object, or of its collection when it has no name."""
        kind = await self.kind(obj["apiVersion"], obj["kind"])
        metadata: Object = obj.get("metadata") or {}
        parts = [_group_path(kind.api_version)]
        if kind.namespaced:
            parts += ["namespaces", quote(metadata.get("namespace") or "default")]
        parts.append(kind.plural)
        if name is not None:
            parts.append(quote(name))
        return "/".join(parts)

    async def get(self, obj: Object, name: str | None = None) -> Object:
        """The live object of this kind, namespace and name."""
        path = await self.path(obj, name or obj["metadata"]["name"])
        return await self.request("GET", path)


def _group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def parse_kubeconfig(kubeconfig: str | Object | None) -> Object | None:
    """The kubeconfig when it was given by its contents; None for a path or nothing."""
    if isinstance(kubeconfig, dict) or not kubeconfig:
        return kubeconfig or None
    if "\n" not in kubeconfig and not kubeconfig.lstrip().startswith("{"):
        return None
    loaded: Any = yaml.safe_load(kubeconfig)
    if not isinstance(loaded, dict):
        raise ValueError("a kubeconfig is a mapping")
    return cast(Object, loaded)
