"""The local Kubernetes plugin: any kind, no Helm, no YAML, no `...Patch` resources.

Upstream: provider/pkg/provider/provider.go and provider/pkg/await/await.go. State is written in
upstream's form (`__inputs`, `__fieldManager`), so a stack can move to the official plugin later.
"""

import asyncio
import hashlib
import os
import re
import secrets
from importlib import metadata as distributions
from typing import Any, cast

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckFailure,
    CheckRequest,
    CheckResponse,
    ConfigureRequest,
    ConfigureResponse,
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    PropertyDiffKind,
    Provider,
    ReadRequest,
    ReadResponse,
    UpdateRequest,
    UpdateResponse,
)

from local.plugins import awaiting
from local.plugins.cluster import (
    ApiError,
    Cluster,
    NoSuchKind,
    Object,
    Unreachable,
    parse_kubeconfig,
)
from local.plugins.difference import (
    READ_ONLY,
    REPLACING,
    detailed,
    is_builtin,
    merge_patch,
    normalized,
    pruned,
)
from local.plugins.replacement import force_new
from local.plugins.serving import Engine, Failure, NotReady, serve
from local.plugins.values import (
    LAST_APPLIED,
    UNKNOWN,
    Properties,
    has_unknown,
    plain_map,
    redact,
    wrap_map,
)

PACKAGE = "pulumi-kubernetes"
ANNOUNCEMENT = (
    "This is the local Kubernetes plugin of mysql-ha, not Pulumi's official one. "
    "Install the official plugin wherever it can be downloaded."
)

INPUTS = "__inputs"
FIELD_MANAGER = "__fieldManager"
INITIAL_API_VERSION = "__initialApiVersion"

AUTONAMED = "pulumi.com/autonamed"
PATCH_FORCE = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER = "pulumi.com/patchFieldManager"
DELETION_PROPAGATION = "pulumi.com/deletionPropagationPolicy"
MANAGED_BY = "app.kubernetes.io/managed-by"

CREATOR = "pulumi-kubernetes"
"""Field manager of a plain create; the first apply takes its fields over (`adopted`)."""
ADOPTED = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    ("pulumi-kubernetes", "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)
"""Managers (by prefix, with operation) whose fields become ours (`fixCSAFieldManagers`)."""

CREATE_ATTEMPTS = 5
REPLACE_KINDS = frozenset(REPLACING.values())
ALREADY_EXISTS = (
    "\nThe resource already exists in the cluster. After a rename of the Pulumi resource use an "
    "alias; to adopt the object use `pulumi import`; for an intentional upsert set "
    "upsertExistingObjects on the provider."
)


class Settings:
    """Provider configuration; a flag may come as a bool, as JSON text or from the environment."""

    def __init__(self, values: Object) -> None:
        self._values = values
        self.kubeconfig: Any = values.get("kubeconfig") or None
        self.context: str | None = values.get("context") or None
        self.namespace: str = values.get("namespace") or ""
        self.server_side = self._flag("enableServerSideApply", "ENABLE_SERVER_SIDE_APPLY", "true")
        self.secret_mutable = self._flag("enableSecretMutable", "ENABLE_SECRET_MUTABLE")
        self.configmap_mutable = self._flag("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE")
        self.patch_force = self._flag("enablePatchForce", "ENABLE_PATCH_FORCE")
        self.upsert = self._flag("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS")
        self.delete_unreachable = self._flag("deleteUnreachable", "DELETE_UNREACHABLE")

    def _flag(self, name: str, variable: str, default: str = "false") -> bool:
        value = self._values.get(name)
        if value is None:
            value = os.environ.get(f"PULUMI_K8S_{variable}", default)
        return str(value).lower() == "true"


class KubernetesProvider(Provider):
    """One configured provider; the engine starts a process for each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._settings = Settings({})
        self._cluster: Cluster | None = None
        self._unreachable = "the provider is not configured"
        self._cancelled = asyncio.Event()
        self._announced = False

    # Provider configuration

    async def diff_config(self, request: DiffRequest) -> DiffResponse:
        """Upstream: `DiffConfig`. Another cluster replaces the provider and all it made."""
        old, new = plain_map(request.old_state), plain_map(request.new_inputs)
        keys = sorted({key for key in {*old, *new} if old.get(key) != new.get(key)} - {"version"})
        if not keys:
            return DiffResponse(changes=False)
        moves = [key for key in ("kubeconfig", "context", "cluster") if key in keys]
        if any(new.get(key) == UNKNOWN for key in moves):
            replaced = [key for key in moves if new.get(key) == UNKNOWN]
        else:
            before, after = _active_cluster(old), _active_cluster(new)
            replaced = moves if before and after and before != after else []
        identifier = "clusterIdentifier"
        if old.get(identifier) and new.get(identifier):
            replaced = [identifier] if identifier in keys else []
        return DiffResponse(changes=True, diffs=keys, replaces=replaced)

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        """Upstream: `Configure`. An unreachable cluster only fails what needs it."""
        if not self._announced:
            self._announced = True
            await self._engine.warn(ANNOUNCEMENT)
        self._settings = Settings(plain_map(request.args))
        try:
            cluster = Cluster(self._settings.kubeconfig, self._settings.context)
            await cluster.request("GET", "/version")
            self._cluster = cluster
        except Unreachable as error:
            self._unreachable = str(error)
        except ApiError as error:
            self._unreachable = f"the API server refuses the request: {error}"
        return ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def cancel(self) -> None:
        self._cancelled.set()

    def _reach(self) -> Cluster:
        if self._cluster is None:
            raise Failure(
                f"configured Kubernetes cluster is unreachable: {self._unreachable}. If it was "
                "deleted, set PULUMI_K8S_DELETE_UNREACHABLE=true to drop its resources from state"
            )
        return self._cluster

    async def _given_up(self, urn: str) -> bool:
        """Whether a resource of an unreachable cluster is only dropped from state; warns of it."""
        if self._cluster is None:
            await self._engine.warn(
                f"configured Kubernetes cluster is unreachable: {self._unreachable}", urn
            )
        return self._cluster is None and self._settings.delete_unreachable

    # Check and Diff

    async def check(self, request: CheckRequest) -> CheckResponse:
        """Upstream: `Check`. Names the object, sets the default namespace, normalizes."""
        old, new = plain_map(request.old_inputs), plain_map(request.new_inputs)
        api_version, kind = _token(request.type)
        if kind.endswith("Patch") and new.get("kind") != kind or not api_version:
            reason = f"the local Kubernetes plugin does not support {request.type}"
            return CheckResponse(request.new_inputs, [CheckFailure("", reason)])
        if awaiting.annotation(new, AUTONAMED):
            await self._engine.warn(
                f'ignoring user-specified value for internal annotation "{AUTONAMED}"', request.urn
            )
        new.setdefault("apiVersion", api_version)
        new.setdefault("kind", kind)
        if new.get("metadata") != UNKNOWN:
            self._name(new, old, request)
            await self._place(new)
            if _labels(old).get(MANAGED_BY) == "pulumi" or not (old or self._settings.server_side):
                labels = new["metadata"].setdefault("labels", {})
                if labels != UNKNOWN:
                    labels[MANAGED_BY] = "pulumi"
        if not has_unknown(new):
            new = normalized(new)
            try:
                awaiting.Readiness(cast(Cluster, None), new)
            except ValueError as error:
                path = f'metadata.annotations["{awaiting.WAIT_FOR}"]'
                return CheckResponse(request.new_inputs, [CheckFailure(path, str(error))])
        return CheckResponse(wrap_map(new, request.new_inputs))

    def _name(self, new: Object, old: Object, request: CheckRequest) -> None:
        """Upstream: provider/pkg/metadata/naming.go."""
        metadata: Object = new.setdefault("metadata", {})
        if metadata.get("name") or metadata.get("generateName"):
            return
        if old:
            if awaiting.annotation(old, AUTONAMED) != "true":
                return
            metadata["name"] = old["metadata"]["name"]
        else:
            seed = request.random_seed
            suffix = hashlib.sha256(seed).hexdigest()[:8] if seed else secrets.token_hex(4)
            metadata["name"] = f"{request.name}-{suffix}"
        annotations = metadata.setdefault("annotations", {})
        if annotations != UNKNOWN:
            annotations[AUTONAMED] = "true"

    async def _place(self, new: Object) -> None:
        """The provider's default namespace, for kinds that have one."""
        namespace = self._settings.namespace
        metadata: Object = new["metadata"]
        if namespace and not metadata.get("namespace") and await self._namespaced(new):
            metadata["namespace"] = namespace

    async def _namespaced(self, obj: Object) -> bool:
        """Whether the kind has namespaces; a kind that is not there yet is taken to have them."""
        try:
            kind = (
                await self._cluster.kind(obj["apiVersion"], obj["kind"]) if self._cluster else None
            )
        except (ApiError, Unreachable):
            kind = None
        return kind is None or kind.namespaced

    async def diff(self, request: DiffRequest) -> DiffResponse:
        """Upstream: `Diff`. The pruned live object against the new inputs."""
        old_inputs, live, _ = _parse(request.old_state)
        new = plain_map(request.new_inputs)
        old_inputs = normalized(old_inputs)
        if not has_unknown(new):
            new = normalized(new)
        old = normalized(pruned(live, old_inputs))
        live_metadata: Object = live.get("metadata") or {}
        namespaced = await self._namespaced(new)
        for side in (old, new):
            metadata = side.get("metadata")
            if isinstance(metadata, dict):
                space: Object = cast(Object, metadata)
                namespace = space.pop("namespace", None)
                if namespaced:
                    space["namespace"] = namespace or "default"
        name = awaiting.at(new, "metadata", "name")
        if name:
            old.setdefault("metadata", {})["name"] = live_metadata.get("name")
        forced = force_new(
            new,
            secret_mutable=self._settings.secret_mutable,
            configmap_mutable=self._settings.configmap_mutable,
        )
        found = detailed(old, new, forced)
        ignored = tuple(request.ignore_changes)
        found = {path: diff for path, diff in found.items() if not _below(path, ignored)}
        replaces = [path for path, diff in found.items() if diff.kind in REPLACE_KINDS]
        replaces += [
            path
            for path, diff in found.items()
            if path == "metadata" and diff.kind is PropertyDiffKind.DELETE
        ]
        same_name = name == live_metadata.get("name")
        same_namespace = not namespaced or awaiting.at(new, "metadata", "namespace") == (
            live_metadata.get("namespace") or "default"
        )
        autonamed = awaiting.annotation(new, AUTONAMED) == "true"
        return DiffResponse(
            changes=bool(found),
            replaces=replaces,
            delete_before_replace=bool(
                replaces and name and same_name and same_namespace and not autonamed
            ),
            detailed_diff=found,
        )

    # Create, Update, Delete

    async def create(self, request: CreateRequest) -> CreateResponse:
        """Upstream: `Create` and `await.Creation`. A plain POST: an existing object is an error."""
        inputs = plain_map(request.properties)
        settings = self._settings
        cannot_preview = not settings.server_side or has_unknown(inputs)
        if request.preview and (cannot_preview or not await self._kind_exists(inputs)):
            return CreateResponse("", request.properties)
        cluster = self._reach()
        manager = awaiting.annotation(inputs, PATCH_FIELD_MANAGER) or (
            f"pulumi-kubernetes-{secrets.token_hex(4)}" if settings.server_side else CREATOR
        )
        try:
            live = await self._post(cluster, inputs, manager, request)
        except ApiError as error:
            unknowable = error.status == 403 or error.reason == "AlreadyExists"
            if request.preview and (unknowable or error.namespace_missing):
                return CreateResponse("", request.properties)
            advice = ALREADY_EXISTS if error.reason == "AlreadyExists" else ""
            raise self._failed(
                f"create {_called(inputs)}", error, request.properties, advice
            ) from None
        except Unreachable as error:
            raise self._failed(f"create {_called(inputs)}", error, request.properties) from None
        if request.preview:
            live.pop("status", None)  # not true yet, and programs may read it
            return CreateResponse("", _checkpoint(inputs, live, request.properties, manager))
        return CreateResponse(
            _id(live), await self._settled(cluster, inputs, live, manager, request)
        )

    async def _post(
        self, cluster: Cluster, inputs: Object, manager: str, request: CreateRequest
    ) -> Object:
        query = {"dryRun": "All"} if request.preview else {}
        attempt = 0
        while True:
            try:
                if self._settings.upsert and self._settings.server_side:
                    force = str(self._forced(inputs, None, request.preview)).lower()
                    query |= {"fieldManager": manager, "force": force}
                    answer = await cluster.request(
                        "PATCH",
                        await cluster.path(inputs, inputs["metadata"]["name"]),
                        body=inputs,
                        query=query,
                        content_type="application/apply-patch+yaml",
                    )
                else:
                    query |= {"fieldManager": CREATOR}
                    answer = await cluster.request(
                        "POST", await cluster.path(inputs), body=inputs, query=query
                    )
                break
            except ApiError as error:
                # Its namespace or its CRD may be on the way (upstream: retry in await.Creation).
                attempt += 1
                hopeless = error.status != 404 or attempt == CREATE_ATTEMPTS
                if hopeless or request.preview or self._cancelled.is_set():
                    raise
                await self._engine.info(
                    redact(f"Retry #{attempt}; creation failed: {error}", request.properties),
                    request.urn,
                )
                await asyncio.sleep(2 ** (attempt - 1))
        return answer

    async def update(self, request: UpdateRequest) -> UpdateResponse:
        """Upstream: `Update` and `await.Update`. Server-side apply, dry in a preview."""
        old_inputs, old_live, manager = _parse(request.olds)
        inputs = plain_map(request.news)
        if request.preview and (has_unknown(inputs) or not await self._kind_exists(inputs)):
            return UpdateResponse(request.news)
        cluster = self._reach()
        inputs = normalized(inputs)
        manager = awaiting.annotation(inputs, PATCH_FIELD_MANAGER) or manager
        if not self._settings.server_side:
            manager = CREATOR
        query = {"fieldManager": manager} | ({"dryRun": "All"} if request.preview else {})
        what = f"update {_called(inputs)}"
        try:
            live = await cluster.get(old_live)
            path = await cluster.path(old_live, old_live["metadata"]["name"])
            replaced = inputs["kind"] == "CustomResourceDefinition"  # whole, as upstream does
            applied = self._settings.server_side and not replaced
            if applied and not request.preview:
                live = await self._adopted(cluster, path, live, manager)
            sent = _ignoring(inputs, live, request.ignore_changes, manager if applied else None)
            if replaced:
                sent["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
                answer = await cluster.request("PUT", path, body=sent, query=query)
            elif applied:
                force = str(self._forced(inputs, live, request.preview)).lower()
                answer = await cluster.request(
                    "PATCH",
                    path,
                    body=sent,
                    query=query | {"force": force},
                    content_type="application/apply-patch+yaml",
                )
            else:
                answer = await cluster.request(
                    "PATCH",
                    path,
                    body=merge_patch(normalized(old_inputs), sent),
                    query=query,
                    content_type="application/merge-patch+json",
                )
        except ApiError as error:
            if request.preview and error.status == 403:
                return UpdateResponse(request.news)
            advice = ""
            if error.status == 409:
                advice = (
                    "\nAnother controller or tool manages the field. To take it over set the "
                    f'annotation {PATCH_FORCE}: "true"'
                )
            raise self._failed(what, error, request.news, advice, request.olds) from None
        except Unreachable as error:
            raise self._failed(what, error, request.news) from None
        if request.preview:
            return UpdateResponse(_checkpoint(inputs, answer, request.news, manager))
        return UpdateResponse(await self._settled(cluster, inputs, answer, manager, request))

    async def _adopted(self, cluster: Cluster, path: str, live: Object, manager: str) -> Object:
        """Fields of the create (or of kubectl) become ours, or a removal would leave them behind.

        Upstream: `fixCSAFieldManagers` in provider/pkg/await/await.go.
        """
        metadata: Object = live["metadata"]
        entries = cast(list[Object], metadata.get("managedFields") or [])
        taken = [entry for entry in entries if _adoptable(entry) and entry["manager"] != manager]
        if not taken:
            return live
        ours = [entry for entry in entries if _applied_by(entry, manager)]
        fields: Object = {}
        for entry in (*ours, *taken):
            fields = _merged(fields, entry.get("fieldsV1") or {})
        kept = [entry for entry in entries if entry not in taken and entry not in ours]
        kept.append({**taken[0], "manager": manager, "operation": "Apply", "fieldsV1": fields})
        version = metadata["resourceVersion"]
        answer = await cluster.request(
            "PATCH",
            path,
            body=[
                {"op": "replace", "path": "/metadata/managedFields", "value": kept},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ],
            content_type="application/json-patch+json",
        )
        return answer

    def _forced(self, inputs: Object, live: Object | None, preview: bool) -> bool:
        """Upstream: `patchForce` in provider/pkg/await/await.go."""
        if awaiting.annotation(inputs, PATCH_FORCE) == "true" or self._settings.patch_force:
            return True
        if live is None:
            return preview
        entries = cast(list[Object], live["metadata"].get("managedFields") or [])
        # A preview has not adopted the fields of the create, which would conflict with itself.
        created_by_us = any(
            entry.get("operation") == "Update" and str(entry.get("manager")).startswith("pulumi-")
            for entry in entries
        )
        return not entries or (preview and created_by_us)

    async def _settled(
        self,
        cluster: Cluster,
        inputs: Object,
        live: Object,
        manager: str,
        request: CreateRequest | UpdateRequest,
    ) -> dict[str, PropertyValue]:
        """The state once the object is ready; otherwise `NotReady`, with the object kept."""
        like = request.properties if isinstance(request, CreateRequest) else request.news
        seconds = awaiting.timeout(request.timeout, inputs)
        reasons: list[str] = []
        try:
            readiness = awaiting.Readiness(cluster, inputs)
            live = await readiness.reached(live, seconds, self._cancelled)
            return _checkpoint(inputs, live, like, manager)
        except awaiting.TimedOut as error:
            live, reasons, text = error.live, error.reasons, f"{error} after {seconds:g} s"
        except (ApiError, Unreachable, ValueError) as error:
            text = str(error)
        raise NotReady(
            redact(
                f"{_called(inputs)} is in the cluster, but failed to fully initialize or become "
                f"live: {text}",
                like,
            ),
            [redact(reason, like) for reason in reasons],
            _id(live),
            _checkpoint(inputs, live, like, manager),
        )

    async def delete(self, request: DeleteRequest) -> None:
        """Upstream: `Delete` and `await.Deletion`. Done when the object is gone."""
        inputs, live, _ = _parse(request.properties)
        if await self._given_up(request.urn):
            return
        cluster = self._reach()
        policy = awaiting.annotation(inputs, DELETION_PROPAGATION).lower()
        policies = {"orphan": "Orphan", "background": "Background"}
        seconds = awaiting.timeout(request.timeout, inputs)
        try:
            path = await cluster.path(live, live["metadata"]["name"])
            await cluster.request(
                "DELETE",
                path,
                body={
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "propagationPolicy": policies.get(policy, "Foreground"),
                },
            )
            loop = asyncio.get_running_loop()
            deadline, step = loop.time() + seconds, 0
            while True:
                left = await cluster.get(live)
                if left["metadata"]["uid"] != live["metadata"].get("uid"):
                    return  # deleted, and made again by someone else
                if loop.time() >= deadline or self._cancelled.is_set():
                    holders = ", ".join(left["metadata"].get("finalizers") or []) or "none"
                    await self._engine.warn(
                        f"finalizers might be preventing deletion ({holders})", request.urn
                    )
                    raise Failure(
                        f"{_called(live)} is still there {seconds:g} s after its deletion; "
                        f"finalizers that hold it: {holders}"
                    )
                await asyncio.sleep(awaiting.INTERVALS[min(step, len(awaiting.INTERVALS) - 1)])
                step += 1
        except ApiError as error:
            if error.status != 404:
                raise self._failed(f"delete {_called(live)}", error, request.properties) from None
        except Unreachable as error:
            raise self._failed(f"delete {_called(live)}", error, request.properties) from None

    # Read: refresh, get and import

    async def read(self, request: ReadRequest) -> ReadResponse:
        """Upstream: `Read`. Without earlier inputs (get, import) the live object gives them."""
        if await self._given_up(request.urn):
            return ReadResponse("")
        cluster = self._reach()
        inputs, known = self._read_inputs(request)
        namespace, _, name = request.resource_id.rpartition("/")
        place = {"namespace": namespace, "name": name}
        declared: Object = inputs.get("metadata") or {}
        obj: Object = {**inputs, "metadata": {**declared, **place}}
        try:
            live = await cluster.get(obj)
            lacks: list[str] = []
            if known:
                readiness = awaiting.Readiness(cluster, obj)
                lacks = await readiness.lacks_when_read(live, inputs)
        except ApiError as error:
            if error.status == 404:
                return ReadResponse("")
            raise self._failed(f"read {_called(obj)}", error, request.properties) from None
        except Unreachable as error:
            raise self._failed(f"read {_called(obj)}", error, request.properties) from None
        live_inputs: Object = pruned(live, inputs)
        if not known and is_builtin(live):
            live_inputs = {key: value for key, value in live.items() if key != "status"}
            live_inputs["metadata"] = _declared(live["metadata"])
        _, _, manager = _parse(request.properties)
        state = _checkpoint(live_inputs, live, request.inputs, manager)
        answer = wrap_map(live_inputs, request.inputs)
        if lacks:
            raise NotReady(
                f"{_called(live)} was read, but is not ready",
                [redact(lack, request.inputs) for lack in lacks],
                request.resource_id,
                state,
                answer,
            )
        return ReadResponse(request.resource_id, state, answer)

    def _read_inputs(self, request: ReadRequest) -> tuple[Object, bool]:
        """The inputs that a read compares with, and whether anything but the id tells of them.

        A program's `get` and an import have an id alone. What was read by one has a state from then
        on, but still no inputs: a refresh then has those that name the object.
        """
        inputs = normalized(plain_map(request.inputs))
        if inputs.get("apiVersion") or inputs.get("kind"):
            return inputs, True
        _, live, _ = _parse(request.properties)
        of_type = dict(zip(("apiVersion", "kind"), _token(request.type), strict=True))
        known = bool(live.get("kind"))
        which = {key: live[key] if known else of_type[key] for key in of_type}
        namespace, _, name = request.resource_id.rpartition("/")
        metadata: Object = dict(inputs.get("metadata") or {})
        metadata.setdefault("name", name)
        if namespace:
            metadata.setdefault("namespace", namespace)
        return {**inputs, **which, "metadata": metadata}, known

    # Diagnostics

    async def _kind_exists(self, obj: Object) -> bool:
        try:
            return self._cluster is not None and bool(
                await self._cluster.kind(obj["apiVersion"], obj["kind"])
            )
        except (NoSuchKind, Unreachable):
            return False

    def _failed(
        self,
        what: str,
        error: Exception,
        inputs: Properties,
        advice: str = "",
        old: Properties | None = None,
    ) -> Failure:
        if isinstance(error, NoSuchKind):
            advice = "\nVerify that the CustomResourceDefinition has been created."
        return Failure(redact(f"could not {what}: {error}", inputs, old or {}) + advice)


def _token(type_token: str) -> tuple[str, str]:
    """apiVersion and kind of a type token such as kubernetes:core/v1:Secret.

    The token comes from a URN, where the types of the parents stand before it (`a$b$token`).
    """
    own = type_token.rpartition("$")[2]
    match = re.fullmatch(r"kubernetes:(?:(.+)/)?([^/:]+):([^:]+)", own)
    if not match:
        return "", type_token
    group, version, kind = match.groups()
    return (version if group in (None, "core") else f"{group}/{version}"), kind


def _parse(state: Properties) -> tuple[Object, Object, str]:
    """Old inputs, live object and field manager of a state (`parseCheckpointObject`)."""
    live = plain_map(state)
    inputs = live.pop(INPUTS, {})
    live.pop(INITIAL_API_VERSION, None)
    manager = live.pop(FIELD_MANAGER, None) or f"pulumi-kubernetes-{secrets.token_hex(4)}"
    return inputs, live, manager


def _checkpoint(
    inputs: Object, live: Object, like: Properties, manager: str
) -> dict[str, PropertyValue]:
    """The state of an object (`checkpointObject`): live, with its inputs beside it."""
    return {
        **wrap_map(live, like),
        INPUTS: PropertyValue(wrap_map(inputs, like)),
        INITIAL_API_VERSION: PropertyValue(str(inputs.get("apiVersion", ""))),
        FIELD_MANAGER: PropertyValue(manager),
    }


def _declared(metadata: Object) -> Object:
    """The metadata that a program could have declared."""
    kept = {key: value for key, value in metadata.items() if key not in READ_ONLY}
    annotations: Object = dict(kept.pop("annotations", None) or {})
    for made in (LAST_APPLIED, "deployment.kubernetes.io/revision"):
        annotations.pop(made, None)
    return kept | ({"annotations": annotations} if annotations else {})


def _labels(obj: Object) -> Object:
    labels = awaiting.at(obj, "metadata", "labels")
    return cast(Object, labels) if isinstance(labels, dict) else {}


def _id(obj: Object) -> str:
    metadata: Object = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else metadata["name"]


def _called(obj: Object) -> str:
    return f"{obj['kind']} {_id(obj)}"


def _active_cluster(values: Object) -> Any:
    """Server settings that the configuration points at (`getActiveClusterFromConfig`)."""
    given: Any = values.get("kubeconfig")
    try:
        config = parse_kubeconfig(given)
        if config is None and isinstance(given, str) and given:
            with open(os.path.expanduser(given), encoding="utf-8") as file:
                config = parse_kubeconfig("\n" + file.read())
    except (OSError, ValueError):
        return None
    if not config:
        return None
    context = values.get("context") or config.get("current-context")
    named: dict[str, dict[str, Object]] = {
        key: {item["name"]: item[key] for item in cast(list[Object], config.get(f"{key}s") or [])}
        for key in ("context", "cluster")
    }
    chosen = named["context"].get(str(context)) or {}
    return named["cluster"].get(str(values.get("cluster") or chosen.get("cluster")))


def _below(path: str, ignored: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith((f"{top}.", f"{top}[")) for top in ignored)


def _ignoring(inputs: Object, live: Object, paths: list[str], manager: str | None) -> Object:
    """Inputs with ignored members at their live value, or without those that are others' alone.

    `manager`: ours, None where updates are merge patches. Upstream: `handleSSAIgnoreFields` and
    `handleCSAIgnoreFields`.
    """
    sent = normalized(inputs)
    for path in paths:
        *above, last = [
            found[0] or found[1] for found in re.findall(r'([^.\["\]]+)|\["(.*?)"\]', path)
        ]
        owners = _managers(live, [*above, last])
        source = awaiting.at(live, *above)
        if manager and owners and manager not in owners:
            cast(Object, awaiting.at(sent, *above) or {}).pop(last, None)
        elif isinstance(source, dict) and last in source:
            target = sent
            for part in above:
                target = cast(Object, target.setdefault(part, {}))
            target[last] = source[last]
    return sent


def _managers(live: Object, path: list[str]) -> list[str]:
    """Names of the managers of a member, or of something below it."""
    entries = cast(list[Object], live["metadata"].get("managedFields") or [])
    found: list[str] = []
    for entry in entries:
        keys = [f"f:{part}" for part in path]
        fields = awaiting.at(entry.get("fieldsV1"), *keys)
        found += [str(entry.get("manager"))] if fields is not None else []
    return found


def _adoptable(entry: Object) -> bool:
    return not entry.get("subresource") and any(
        str(entry.get("manager")).startswith(prefix) and entry.get("operation") == operation
        for prefix, operation in ADOPTED
    )


def _applied_by(entry: Object, manager: str) -> bool:
    wanted = (manager, "Apply", None)
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource")) == wanted


def _merged(one: Object, other: Object) -> Object:
    """Union of two field sets (fieldsV1 is a tree of mappings)."""
    return {key: _merged(one.get(key) or {}, other.get(key) or {}) for key in {**one, **other}}


if __name__ == "__main__":
    serve(distributions.version(PACKAGE), KubernetesProvider)
