"""Runs the whole `__main__` on a monitor that records what the engine would be told.

No engine, no cluster: inputs are kept as the engine receives them, with the marks of secret and
unknown values, so that goldens and invariants look at exactly what would go into state.
"""

# pulumi.runtime.mocks declares its dictionaries without types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
import base64
import gc
import json
import runpy
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi import _types  # pyright: ignore[reportPrivateUsage]
from pulumi.runtime import mocks, rpc, settings, stack
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import provider_pb2, resource_pb2, source_pb2

from components.config.backup import S3Keys
from components.config.store_secrets import AZURE_ACCOUNT
from components.guards import api
from components.guards.api import Unanswered
from components.guards.remembered import READ_OUTPUTS
from components.operations import monitors

ROOT = Path(__file__).parents[1]
MONITORING = f"/apis/{monitors.API}"
MONITORING_KINDS = ("PodMonitor", "PrometheusRule", "ServiceMonitor")
"""Kinds of prometheus-operator's, and where a cluster says that it has them."""
_KEYS = S3Keys(name="store")
STORE_KEYS = (_KEYS.access_key, _KEYS.secret_key, AZURE_ACCOUNT)
"""Keys of a store's Secret that a config need not name."""
SECRET = "4dabf18193072939515e22adb298388d"
"""The key that marks a special value (pulumi sdk/python runtime/rpc.py)."""


@dataclass(frozen=True)
class Secret:
    """A value that reached the engine marked as secret."""

    value: Any


@dataclass(frozen=True)
class Unknown:
    """A value that a preview does not know."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One registration, as the engine would see it."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    """Of a Secret `stringData`, whichever way its texts were given: to be read."""
    protect: bool
    retain_on_delete: bool
    parent: str
    provider: str
    depends_on: tuple[str, ...]
    aliases: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    import_id: str
    """Of the object that it takes over; empty where it makes one."""
    timeouts: dict[str, str]
    secret_outputs: tuple[str, ...]
    """Outputs that the engine encrypts although they are computed or read."""
    read: bool

    @property
    def kind(self) -> str:
        """The Kubernetes kind, or the last part of the Pulumi type."""
        return self.inputs.get("kind") or self.type.rpartition(":")[2]


@dataclass
class Recording:
    """What one run told the engine."""

    resources: list[Resource] = field(default_factory=list[Resource])
    asked: list[str] = field(default_factory=list[str])
    """Paths of the cluster's API at which something was looked for."""
    called: list[str] = field(default_factory=list[str])
    """Functions of the engine that it was asked for."""
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None

    def of_kind(self, kind: str) -> list[Resource]:
        return [r for r in self.resources if r.kind == kind]

    def one(self, kind: str, name: str | None = None) -> Resource:
        """The only resource of a kind, or the one whose object is called `name`."""
        found = [
            r
            for r in self.of_kind(kind)
            if name is None or r.inputs.get("metadata", {}).get("name") == name
        ]
        assert len(found) == 1, [r.name for r in found]
        return found[0]


def marked(value: Any) -> Any:
    """Plain data of a serialized property, with Secret and Unknown in place of the marks."""
    if isinstance(value, dict):
        mapping = cast(dict[str, Any], value)
        if mapping.get(SECRET) == rpc._special_secret_sig:  # pyright: ignore[reportPrivateUsage]
            return Secret(marked(mapping["value"]))
        return {key: marked(below) for key, below in mapping.items()}
    if isinstance(value, list):
        return [marked(below) for below in cast(list[Any], value)]
    if value == rpc.UNKNOWN:
        return Unknown()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def readable(secret: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a Secret with the texts of its `data` as `stringData`."""
    rest = {key: value for key, value in secret.items() if key != "data"}
    return {**rest, "stringData": decoded(secret["data"])} if "data" in secret else secret


def decoded(value: Any) -> Any:
    """A Secret's `data` as the texts that it holds, secret where it was."""
    if isinstance(value, Secret):
        return Secret(decoded(value.value))
    if isinstance(value, dict):
        return {key: decoded(below) for key, below in cast(dict[str, Any], value).items()}
    return base64.b64decode(value).decode() if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """`value` with secrets opened."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(below) for key, below in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [plain(below) for below in cast(list[Any], value)]
    return value


def without_secrets(value: Any) -> Any:
    """`value` as a diff would print it: every secret is `[secret]`."""
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, Unknown):
        return "[unknown]"
    if isinstance(value, dict):
        return {key: without_secrets(below) for key, below in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [without_secrets(below) for below in cast(list[Any], value)]
    return value


class Recorder(mocks.MockMonitor):
    """Answers like an engine with an empty state and writes everything down.

    `existing`: Secrets of the cluster, `namespace/name` to key to text; a surrogate escape in it
    is a byte that is no UTF-8. `live`: operators' objects of the cluster, kind and `namespace/name`
    (`MariaDB shop/orders`) to spec. `previous`: the outputs of the stack's last update.
    """

    def __init__(
        self,
        recording: Recording,
        stack_name: str,
        preview: bool,
        existing: Mapping[str, Mapping[str, str]],
        live: Mapping[str, Mapping[str, Any]],
        previous: Mapping[str, Any],
    ) -> None:
        self.recording, self.stack_name, self.preview = recording, stack_name, preview
        self.existing, self.live, self.previous = existing, live, previous

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's URN: all parents' types but the Stack's (sdk/go/common/resource/urn)."""
        qualified = parent.split("::")[2] if parent else "pulumi:pulumi:Stack"
        if qualified != "pulumi:pulumi:Stack":
            type_ = f"{qualified}${type_}"
        return f"urn:pulumi:{self.stack_name}::mysql-ha::{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        resource = self._record(request, request.object, read=False)
        return resource_pb2.RegisterResourceResponse(
            urn=urn,
            id=resource.import_id or f"id-{resource.name}",
            object=self._made(resource, request.object),
        )

    def ReadResource(self, request: Any) -> Any:
        resource = self._record(request, request.properties, read=True)
        return resource_pb2.ReadResourceResponse(
            urn=resource.urn, properties=_struct(self._found(resource, request.id))
        )

    def Invoke(self, request: Any) -> Any:
        assert request.tok == READ_OUTPUTS, f"unexpected invoke {request.tok}"
        self.recording.called.append(request.tok)
        answer: dict[str, Any] = {
            "name": request.args["name"],
            "outputs": dict(self.previous),
            "secretOutputNames": [],
        }
        return provider_pb2.InvokeResponse(**cast(Any, {"return": _struct(answer)}))

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if "::pulumi:pulumi:Stack::" in request.urn:
            self.recording.outputs = marked(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)

    def _made(self, resource: Resource, inputs: struct_pb2.Struct) -> struct_pb2.Struct:
        """The outputs of a resource: its inputs, and the text of a password.

        A preview of a new password does not know it, like the official provider.
        """
        if resource.type != "random:index/randomPassword:RandomPassword" or self.preview:
            return inputs
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(inputs)
        rotation = resource.inputs["keepers"]["rotation"]
        outputs["result"] = generated_password(resource.name, rotation)
        return outputs

    def _found(self, resource: Resource, object_id: str) -> dict[str, Any]:
        """What the cluster has of an object that is read."""
        kind = resource.type.rpartition(":")[2]
        if kind == "Secret":
            if object_id not in self.existing:
                raise ValueError(f"Secret {object_id} not found")
            return {
                "data": {
                    key: base64.b64encode(text.encode(errors="surrogateescape")).decode()
                    for key, text in self.existing[object_id].items()
                }
            }
        assert kind in ("MariaDB", "PerconaXtraDBCluster"), f"unexpected read of a {kind}"
        if f"{kind} {object_id}" not in self.live:
            raise ValueError(f"{kind} {object_id} not found")
        return {"spec": self.live[f"{kind} {object_id}"]}

    def _record(self, request: Any, properties: Any, *, read: bool) -> Resource:
        inputs = marked(json_format.MessageToDict(properties))
        if request.type == "kubernetes:core/v1:Secret" and not read:
            inputs = readable(inputs)
        timeouts = getattr(request, "customTimeouts", None)
        resource = Resource(
            urn=self.make_urn(request.parent, request.type, request.name),
            type=request.type,
            name=request.name,
            inputs=inputs,
            protect=getattr(request, "protect", False),
            retain_on_delete=getattr(request, "retainOnDelete", False),
            parent=request.parent,
            provider=request.provider,
            depends_on=tuple(getattr(request, "dependencies", ())),
            aliases=tuple(str(alias) for alias in getattr(request, "aliases", ())),
            ignore_changes=tuple(getattr(request, "ignoreChanges", ())),
            import_id=getattr(request, "importId", ""),
            timeouts={"create": timeouts.create, "update": timeouts.update}
            if timeouts and timeouts.create
            else {},
            secret_outputs=tuple(sorted(set(getattr(request, "additionalSecretOutputs", ())))),
            read=read,
        )
        self.recording.resources.append(resource)
        return resource


def _struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """Plain data as the engine sends it."""
    return json_format.ParseDict(values, struct_pb2.Struct())


_unwrapped = cache(_types.unwrap_type)
"""The SDK takes the same few types apart for every value that it sends."""


def _at_once(
    loop: asyncio.AbstractEventLoop,
    executor: Executor | None,
    function: Callable[..., Any],
    *arguments: Any,
) -> asyncio.Future[Any]:
    """In place of `run_in_executor`: nothing here waits for a server that threads would be for."""
    done = loop.create_future()
    try:
        done.set_result(function(*arguments))
    except Exception as error:
        done.set_exception(error)
    return done


@contextmanager
def _shortcuts() -> Generator[None]:
    """Without threads, and without work that the SDK does again and again."""
    with (
        mock.patch.object(asyncio.BaseEventLoop, "run_in_executor", _at_once),
        mock.patch.object(_types, "unwrap_type", _unwrapped),
        # The SDK waits for all outputs, and looks at every one again whenever one is known.
        mock.patch.object(asyncio, "FIRST_COMPLETED", asyncio.FIRST_EXCEPTION),
    ):
        yield


def generated_password(logical_name: str, rotation: str = "0") -> str:
    """The password that the recorder's RandomPassword gives; a canary to look for."""
    letters = "".join(c for c in logical_name if c.isalnum() or c == "_")
    return f"CANARYgenerated{letters}{rotation}".ljust(32, "x")


def _full(key: str) -> str:
    """A config key with its namespace."""
    return key if ":" in key else f"mysql-ha:{key}"


def _texts(value: Any) -> Iterator[str]:
    """Every text below a value of a config."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in cast(Mapping[str, Any], value).values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in cast(list[Any], value):
            yield from _texts(below)


def _made(config: Mapping[str, Any]) -> set[str]:
    """The namespaces that a config makes."""
    common = {key.removeprefix("mysql-ha:"): value for key, value in config.items()}
    databases = common.get("databases")
    trees = [
        {**common, **cast(Mapping[str, Any], own)}
        for own in (cast(dict[str, Any], databases).values() if isinstance(databases, dict) else ())
        if isinstance(own, dict)
    ]
    return {str(tree.get("namespace")) for tree in (common, *trees) if tree.get("create_namespace")}


def run(
    config: Mapping[str, Any],
    *,
    preview: bool = False,
    secret_keys: tuple[str, ...] = (),
    existing: Mapping[str, Mapping[str, str]] | None = None,
    live: Mapping[str, Mapping[str, Any]] | None = None,
    previous: Mapping[str, Any] | None = None,
    stack_name: str = "test",
    found: Mapping[str, Any] | Unanswered | None = None,
    root: Path | None = None,
    shortcuts: bool = True,
) -> Recording:
    """Run `__main__` with `config` (keys without or with a namespace, values as in YAML).

    `secret_keys`: config keys that the stack file keeps encrypted. `found`: what a look at the
    cluster's API finds, by path; or why the cluster does not answer. `root`: the project's folder,
    where the stack's file may be. `shortcuts`: the SDK does less than under an engine, and the same
    comes of it. An error of the program is kept in `Recording.error`, as the
    engine would print it.
    """
    recording = Recording()
    values = {
        _full(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }
    collecting = gc.isenabled()
    monitor = Recorder(
        recording, stack_name, preview, existing or {}, live or {}, plain(previous or {})
    )
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            engine=mocks.MockEngine(None),
            project="mysql-ha",
            stack=stack_name,
            dry_run=preview,
            organization="organization",
        )
    )
    set_all_config(values, [_full(key) for key in secret_keys])
    runtime = cast(Any, settings.SETTINGS)
    runtime.root_directory = None if root is None else str(root)
    runtime.rpc_manager.clear()
    runtime.outputs.clear()
    settings.set_root_resource(cast(Any, None))

    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"))

    class Cluster:
        def __init__(self, kubeconfig: str | None, context: str | None) -> None:
            """No server: nothing of the machine's own is asked."""

        def get(self, path: str, *, whole: bool = False) -> Any:
            """What every stack is in is there, and not asked for: namespaces, existing Secrets;
            those of stores have every key that a config may name."""
            if isinstance(found, Unanswered):
                raise found
            if path == MONITORING:
                served = [{"kind": kind} for kind in MONITORING_KINDS]
                return (found or {}).get(path, {"resources": served})
            if whole and "/secrets/" in path:
                every = {key: "" for key in (*STORE_KEYS, *_texts(config))}
                return (found or {}).get(path, {"metadata": {}, "data": every})
            place = path.removeprefix("/api/v1/namespaces/").replace("/secrets/", "/")
            if place not in (existing or {}) and "/" in place:
                recording.asked.append(path)
                return (found or {}).get(path)
            if path in (found or {}) or place in _made(config):
                return (found or {}).get(path)
            return {"metadata": {"name": place, "uid": f"uid-of-{place}"}}

    try:
        with (
            mock.patch.object(api, "Cluster", Cluster),
            # The engine would be told where each resource was made, for its messages: under pytest
            # that takes a third of a run, and nothing here records it.
            mock.patch("pulumi.runtime.resource._get_stack_trace", source_pb2.StackTrace),
            _shortcuts() if shortcuts else nullcontext(),
        ):
            # In a loop of its own: what a refused config leaves there ends with it.
            asyncio.run(stack.run_in_stack(program))
    except pulumi.RunError as error:
        recording.error = str(error)
    finally:
        # The program looks for no garbage: its process would end here.
        if collecting:
            gc.enable()
    return recording
