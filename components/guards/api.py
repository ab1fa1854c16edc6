"""Looks for objects that may not exist, which no resource of Pulumi can do (ADR 18)."""

import asyncio
import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import pulumi
import yaml

from components.config.engine import ENGINES
from components.config.stack import StackConfig

Object: TypeAlias = dict[str, Any]
"""What the API answers with, decoded."""

TIMEOUT = (3, 10)
"""Seconds to connect and to wait for an answer: a preview must not hang."""

METADATA = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"
"""Names and labels are enough (kubernetes.io/docs, "Kubernetes API Concepts", metadata-only)."""


def metadata_of(path: str) -> str:
    """What to accept of a path: of one object a list of metadata is not acceptable (406)."""
    group = 2 if path.startswith("/api/") else 3
    steps = path.strip("/").split("/")[group:]
    return METADATA.format(list="List" if len(steps) % 2 else "")


class Unanswered(Exception):
    """The cluster cannot be asked. The message says why, and never quotes a kubeconfig."""


class Refused(Unanswered):
    """The cluster answers, but not this question of this user."""


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

        Raises Unanswered, Refused where the user lacks the right.
        """
        headers = {"Accept": "application/json" if whole else metadata_of(path)}
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
        if status == 403:
            raise Refused(f"{self._host} refuses GET {path} ({status})")
        if status != 200:
            raise Unanswered(f"{self._host} refuses GET {path} ({status})")
        return cast(Object, json.loads(text))


def object_path(config: StackConfig) -> str:
    """Where the API has the operator's object of the database's name."""
    return ENGINES[config.engine].api.path(config.namespace, config.name)


Subject = TypeVar("Subject")
Found = TypeVar("Found")


def look(
    known: pulumi.Output[Mapping[str, Any]],
    settings: Mapping[str, Any],
    concerned: Callable[[Mapping[str, Any]], Subject],
    ask: Callable[[Cluster, Subject], Found],
    unanswered: Callable[[Unanswered, Subject], Any] | None = None,
) -> pulumi.Output[Found | None]:
    """What `ask` finds in the cluster about what is `concerned`; None where nothing is.

    `known`: what the last update exported as `immutable`, from which `concerned` chooses;
    `settings`: those of the Kubernetes provider. Fails as `ask` does, which runs in a thread of its
    own. `unanswered` hears of a cluster that cannot be asked; without it, that is the provider's to
    report.
    """

    def run(kubeconfig: str | None, context: str | None, subject: Subject) -> Found | None:
        try:
            return ask(Cluster(kubeconfig, context), subject)
        except Unanswered as error:
            if unanswered:
                unanswered(error, subject)
        return None

    async def start(values: Mapping[str, Any]) -> Found | None:
        if not (subject := concerned(values["known"])):
            return None
        where = values.get("kubeconfig"), values.get("context")
        return await asyncio.to_thread(run, *where, subject)

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
