"""Looks for objects that may not exist, which no resource of Pulumi can do (ADR 18)."""

import asyncio
import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import pulumi
import yaml

from components.config.engine import ENGINES
from components.config.load import Loaded
from components.config.stack import StackConfig

Object: TypeAlias = dict[str, Any]
"""What the API answers with, decoded."""

TIMEOUT = (3, 10)
"""Seconds to connect and to wait for an answer: a preview must not hang."""

METADATA = ", ".join(
    f"application/json;as=PartialObjectMetadata{kind};g=meta.k8s.io;v=v1" for kind in ("List", "")
)
"""Names and labels are enough (kubernetes.io/docs, "Kubernetes API Concepts", metadata-only)."""


class Unanswered(Exception):
    """The cluster cannot be asked. The message says why, and never quotes a kubeconfig."""


class Cluster:
    """The API server that Pulumi's provider uses with the same settings."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        """`kubeconfig`: a path or the contents; None, KUBECONFIG, ~/.kube/config or the Pod's own.

        Raises Unanswered.
        """
        # Imported here: most previews have nothing to look for. It has no types.
        client: Any = importlib.import_module("kubernetes.client")
        configuration = client.Configuration()
        try:
            _configure(configuration, kubeconfig, context)
        except Exception as error:
            raise Unanswered(f"no usable kubeconfig ({type(error).__name__})") from None
        configuration.retries = False
        self._host: str = configuration.host
        self._api = client.ApiClient(configuration)
        self._failures: tuple[type[Exception], ...] = (
            client.ApiException,
            importlib.import_module("urllib3.exceptions").HTTPError,
        )

    def get(self, path: str, *, whole: bool = False) -> Object | None:
        """What is at a path of the API, its metadata unless `whole`, None for nothing.

        Raises Unanswered.
        """
        headers = {"Accept": "application/json" if whole else METADATA}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        try:
            response = self._api.call_api(
                "GET", f"{self._host}{path}", headers, _request_timeout=TIMEOUT
            )
            status: int = response.status
            text = response.read().decode()
        except self._failures as error:
            raise Unanswered(f"{self._host} does not answer ({type(error).__name__})") from None
        if status == 404:
            return None
        if status != 200:
            raise Unanswered(f"{self._host} refuses GET {path} ({status})")
        return cast(Object, json.loads(text))


def object_path(config: StackConfig) -> str:
    """Where the API has the operator's object of the database's name."""
    return ENGINES[config.engine].api.path(config.namespace, config.name)


def look(
    known: pulumi.Output[Mapping[str, Any]],
    settings: Mapping[str, Any],
    concerned: Callable[[Mapping[str, Any]], list[Loaded]],
    ask: Callable[[Cluster, list[Loaded]], None],
    unanswered: Callable[[Unanswered, list[Loaded]], None] | None = None,
) -> pulumi.Output[None]:
    """Asks the cluster about the databases that are `concerned`, if there are any.

    `known`: what the last update exported as `immutable`, from which `concerned` chooses;
    `settings`: those of the Kubernetes provider. Fails as `ask` does, which runs in a thread of its
    own. `unanswered` hears of a cluster that cannot be asked; without it, that is the provider's to
    report.
    """

    def run(kubeconfig: str | None, context: str | None, databases: list[Loaded]) -> None:
        try:
            ask(Cluster(kubeconfig, context), databases)
        except Unanswered as error:
            if unanswered:
                unanswered(error, databases)

    async def start(values: Mapping[str, Any]) -> None:
        if databases := concerned(values["known"]):
            where = values.get("kubeconfig"), values.get("context")
            await asyncio.to_thread(run, *where, databases)

    return pulumi.Output.all(known=known, **settings).apply(start)


def _configure(configuration: Any, kubeconfig: str | None, context: str | None) -> None:
    """Read the settings as the provider does (pulumi-kubernetes, `provider.go`, Configure)."""
    config: Any = importlib.import_module("kubernetes.config")
    common = {"client_configuration": configuration, "persist_config": False}
    if kubeconfig and ("\n" in kubeconfig or kubeconfig.lstrip().startswith("{")):
        contents = yaml.safe_load(kubeconfig)
        config.load_kube_config_from_dict(contents, context, **common)
        return
    # Not the package's own default, which it remembers from its first import.
    path = os.path.expanduser(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG")
    if path or Path("~/.kube/config").expanduser().exists():
        config.load_kube_config(path, context, **common)
    else:
        config.load_incluster_config(client_configuration=configuration)
