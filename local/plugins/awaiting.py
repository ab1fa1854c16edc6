"""When an object counts as ready, and waiting for it without holding a thread.

Upstream: provider/pkg/await/ (statefulset.go, service.go, deployment.go, condition/*.go),
provider/pkg/metadata/overrides.go and provider/pkg/jsonpath/jsonpath.go. Upstream watches; this
polls, which needs no event machinery and is exact enough for a control plane next door.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from local.plugins.cluster import ApiError, Cluster, Object

SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"

DEFAULT_TIMEOUT = 600.0
SETTLING = float(os.environ.get("MYSQL_HA_SETTLING", 10))
"""Seconds for which the endpoints of a Service stay as they are before it is ready: 10 upstream
(service.go). Tests have no time for that."""
INTERVALS = (0.1, 0.2, 0.3, 0.5, 0.5, 1.0)
"""Seconds between looks; the last one repeats."""


class TimedOut(Exception):
    """The time is over. Has the last known object and what it still lacked."""

    def __init__(self, live: Object, reasons: list[str]) -> None:
        super().__init__(f"'{live['metadata']['name']}' timed out waiting to be Ready")
        self.live, self.reasons = live, reasons


Check = Callable[[Object], Awaitable[list[str]]]
"""What an object still lacks: nothing when it is ready."""


def annotation(obj: Object, key: str) -> str:
    """An annotation, or an empty text."""
    return str(at(obj, "metadata", "annotations", key) or "")


def timeout(custom: float, inputs: Object) -> float:
    """Seconds: custom_timeouts, else the annotation, else ten minutes (`TimeoutDuration`)."""
    if custom:
        return custom
    text = annotation(inputs, TIMEOUT_SECONDS)
    return float(text) if re.fullmatch(r"\d+", text) else DEFAULT_TIMEOUT


class Readiness:
    """The conditions of one object: its `waitFor` if it has one, else those of its kind."""

    def __init__(self, cluster: Cluster, inputs: Object) -> None:
        self._cluster = cluster
        self._settling = SETTLING
        self._endpoints: list[Object] | None = None
        self._changed = 0.0
        self._check = self._choose(inputs)

    def _choose(self, inputs: Object) -> Check | None:
        if annotation(inputs, SKIP_AWAIT) == "true":
            return None
        wait_for = annotation(inputs, WAIT_FOR)
        if wait_for:
            conditions = parse_wait_for(wait_for)

            async def custom(live: Object) -> list[str]:
                return [lack for condition in conditions if (lack := condition(live))]

            return custom
        claim = {"v1/PersistentVolumeClaim": self._claim}
        return (self._of_kinds() | claim).get(_kind(inputs))

    def _of_kinds(self) -> dict[str, Check]:
        return {
            "apps/v1/StatefulSet": _direct(stateful_set),
            "apps/v1/Deployment": _direct(deployment),
            "batch/v1/Job": _direct(job),
            "v1/Pod": _direct(pod),
            "v1/Service": self._service,
        }

    async def lacks(self, live: Object) -> list[str]:
        """What the object lacks now."""
        return await self._check(live) if self._check else []

    async def lacks_when_read(self, live: Object, inputs: Object) -> list[str]:
        """The same of a refresh, which has no time to wait and asks for no `waitFor` (`Read`)."""
        self._settling = 0
        check = self._of_kinds().get(_kind(live))
        return await check(live) if check and annotation(inputs, SKIP_AWAIT) != "true" else []

    async def reached(self, live: Object, seconds: float, cancelled: asyncio.Event) -> Object:
        """The live object once it is ready; `TimedOut` otherwise."""
        deadline = time.monotonic() + seconds
        step = 0
        while reasons := await self.lacks(live):
            if cancelled.is_set() or time.monotonic() >= deadline:
                self._settling = 0  # what is there counts
                if not (reasons := await self.lacks(live)):
                    break
                stopped = ["the operation was cancelled"] if cancelled.is_set() else []
                raise TimedOut(live, [*stopped, *reasons])
            await asyncio.sleep(INTERVALS[min(step, len(INTERVALS) - 1)])
            step += 1
            live = await self._cluster.get(live)
        return live

    async def _service(self, live: Object) -> list[str]:
        """Upstream: service.go. Ready once no endpoint waits and none has changed for a while."""
        spec: Object = live.get("spec") or {}
        reasons: list[str] = []
        if spec.get("type") == "LoadBalancer" and not at(live, "status", "loadBalancer", "ingress"):
            reasons.append(
                "Service was not allocated an IP address; does your cloud provider support this?"
            )
        if (
            spec.get("type") == "ExternalName"
            or spec.get("clusterIP") == "None"
            or not spec.get("selector")
        ):
            return reasons
        found = await self._cluster.request(
            "GET",
            await self._cluster.path(
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {"namespace": live["metadata"].get("namespace")},
                }
            ),
            query={"labelSelector": f"kubernetes.io/service-name={live['metadata']['name']}"},
        )
        slices: list[Object] = found.get("items", [])
        endpoints = [e for part in slices for e in cast(list[Object], part.get("endpoints") or [])]
        reasons += endpoints_lack(endpoints)
        now = time.monotonic()
        if endpoints != self._endpoints:
            self._endpoints, self._changed = endpoints, now
        if now - self._changed < self._settling:
            reasons.append(f"the endpoints have not been the same for {self._settling:g} s")
        return reasons

    async def _claim(self, live: Object) -> list[str]:
        """Upstream: `untilCoreV1PersistentVolumeClaimReady` in awaiters.go."""
        phase = at(live, "status", "phase")
        if phase == "Bound":
            return []
        storage_class = at(live, "spec", "storageClassName")
        if phase == "Pending" and storage_class:
            found = {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": storage_class},
            }
            try:
                mode = (await self._cluster.get(found)).get("volumeBindingMode")
            except ApiError:
                mode = None
            if mode == "WaitForFirstConsumer":
                return []
        return [f"PersistentVolumeClaim is {phase}, not Bound"]


def _kind(obj: Object) -> str:
    return f"{obj['apiVersion']}/{obj['kind']}"


def _direct(check: Callable[[Object], list[str]]) -> Check:
    async def run(live: Object) -> list[str]:
        return check(live)

    return run


def at(value: Any, *path: str) -> Any:
    """The member at a path of names, None where there is none."""
    for part in path:
        value = cast(Object, value).get(part) if isinstance(value, dict) else None
    return value


def _observed(live: Object) -> bool:
    generation = at(live, "metadata", "generation") or 0
    return (at(live, "status", "observedGeneration") or 0) >= generation


def stateful_set(live: Object) -> list[str]:
    """Upstream: `processStatefulSetEvent` in statefulset.go."""
    if not _observed(live):
        return ["StatefulSet controller has not seen this generation yet"]
    status: Object = live.get("status") or {}
    wanted = at(live, "spec", "replicas") or 0
    counted = ["replicas", "readyReplicas"]
    reasons: list[str] = []
    current, updated = status.get("currentRevision"), status.get("updateRevision")
    on_delete = at(live, "spec", "updateStrategy", "type") == "OnDelete"
    if not (on_delete and live["metadata"]["generation"] > 1):
        counted.append("currentReplicas")
        if not current or current != updated:
            reasons.append(
                f'StatefulSet controller failed to advance from revision "{current}" '
                f'to revision "{updated}"'
            )
    if any((status.get(field) or 0) != wanted for field in counted):
        ready = status.get("readyReplicas") or 0
        reasons.insert(0, f"{ready} out of {wanted} replicas succeeded readiness checks")
    return reasons


def deployment(live: Object) -> list[str]:
    """Upstream: deployment.go, without its look at ReplicaSets and Pods."""
    if not _observed(live):
        return ["Deployment controller has not seen this generation yet"]
    wanted = at(live, "spec", "replicas") or 0
    status: Object = live.get("status") or {}
    counted = ("replicas", "updatedReplicas", "availableReplicas")
    if any((status.get(field) or 0) != wanted for field in counted):
        return [f"{status.get('availableReplicas') or 0} out of {wanted} replicas are available"]
    return []


def endpoints_lack(endpoints: list[Object]) -> list[str]:
    """Upstream: `processEndpointEvent` in service.go, of the endpoints in EndpointSlices.

    Without any the Service is ready. A Pod that ends counts for none, as in the Endpoints object
    that upstream reads.
    """
    conditions: list[Object] = [endpoint.get("conditions") or {} for endpoint in endpoints]
    ready = [found for found in conditions if found.get("ready") is not False]
    waiting = [found for found in conditions if found not in ready and not found.get("terminating")]
    if not waiting:
        return []
    if ready:
        return [f"{len(waiting)} of the Pods that the Service targets are not ready"]
    return [
        "Service does not target any Pods. Selected Pods may not be ready, or field "
        "'.spec.selector' may not match labels on any Pods"
    ]


def job(live: Object) -> list[str]:
    """Upstream: checker/job/check.go."""
    return [] if condition_status(live, "Complete") == "True" else ["Job is not complete"]


def pod(live: Object) -> list[str]:
    """Upstream: checker/pod/check.go."""
    done = at(live, "status", "phase") == "Succeeded" or condition_status(live, "Ready") == "True"
    return [] if done else [f"Pod is {at(live, 'status', 'phase')}, not Ready"]


def condition_status(live: Object, name: str) -> str | None:
    """Status of a condition if it is about this generation (condition/kubectl.go)."""
    for found in cast(list[Object], at(live, "status", "conditions") or []):
        if str(found.get("type", "")).lower() != name.lower():
            continue
        observed = found.get("observedGeneration", at(live, "status", "observedGeneration"))
        if observed is not None and observed < (at(live, "metadata", "generation") or 0):
            return None
        return str(found.get("status", ""))
    return None


Condition = Callable[[Object], str | None]
"""What the object lacks of one condition."""


def parse_wait_for(text: str) -> list[Condition]:
    """Conditions of a `pulumi.com/waitFor` annotation: one expression or a JSON array of them."""
    expressions: Any = text
    try:
        decoded: Any = json.loads(text)
        if isinstance(decoded, list):
            expressions = cast(list[Any], decoded)
    except ValueError:
        pass
    if isinstance(expressions, str):
        expressions = [expressions]
    if not expressions:
        raise ValueError("at least one condition must be specified")
    return [_condition(str(expression)) for expression in expressions]


def _condition(expression: str) -> Condition:
    if expression.startswith("condition="):
        name, _, status = expression.removeprefix("condition=").partition("=")
        wanted = status or "True"

        def on_condition(live: Object) -> str | None:
            found = condition_status(live, name)
            if found is not None and found.lower() == wanted.lower():
                return None
            return f"condition {name} is {found or 'not there'}, not {wanted}"

        return on_condition
    if not expression.startswith("jsonpath="):
        raise ValueError(f'expected a "jsonpath=" or "condition=" prefix, got "{expression}"')
    return _json_path_condition(expression)


def _json_path_condition(expression: str) -> Condition:
    match = re.fullmatch(r"jsonpath=\{\s*(.*?)\s*\}(?:=(.+))?", expression)
    if not match:
        raise ValueError(f"format should be jsonpath={{.path}}=value or {{.path}}: {expression}")
    select, wanted = json_path(match[1]), match[2]

    def on_path(live: Object) -> str | None:
        observed = at(live, "status", "observedGeneration")
        if observed is not None and not _observed(live):
            return "the controller has not seen this generation yet"
        found = select(live)
        if not found:
            return f"{match[1]} selected nothing"
        if wanted is None:
            return None
        value = found[0]
        if isinstance(value, dict | list):
            raise ValueError(f"{match[1]} is not a primitive value")
        # As Go prints it.
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return None if text == wanted else f'{match[1]} is "{text}", not "{wanted}"'

    return on_path


TOKEN = re.compile(
    r"""\.(?P<name>[\w-]+) | \[(?P<index>-?\d+)\] | (?P<all>\[\*\]|\.\*)
    | \[(?P<quote>['"])(?P<member>.*?)(?P=quote)\]
    | \[\?\(?\s*@(?P<filter>(?:\.[\w-]+)+)\s*==\s*(?P<q2>['"])(?P<value>.*?)(?P=q2)\s*\)?\]""",
    re.VERBOSE,
)


def json_path(path: str) -> Callable[[Any], list[Any]]:
    """The part of JSONPath that status fields need: members, indices, `*` and `?(@.a=="b")`."""
    steps: list[re.Match[str]] = []
    position = len("$") if path.startswith("$") else 0
    while position < len(path):
        step = TOKEN.match(path, position)
        if not step:
            raise ValueError(f"JSONPath not understood from {path[position:]!r}")
        steps.append(step)
        position = step.end()

    def select(root: Any) -> list[Any]:
        found: list[Any] = [root]
        for step in steps:
            found = [item for value in found for item in _step(value, step)]
        return found

    return select


def _step(value: Any, step: re.Match[str]) -> list[Any]:
    mapping = cast(Object, value) if isinstance(value, dict) else None
    items = cast(list[Any], value) if isinstance(value, list) else None
    children = list(mapping.values()) if mapping is not None else items or []
    if step["all"]:
        return children
    if step["index"] is not None:
        index = int(step["index"])
        return [items[index]] if items and -len(items) <= index < len(items) else []
    if step["filter"]:
        path = step["filter"].split(".")[1:]
        return [item for item in children if at(item, *path) == step["value"]]
    name = step["name"] if step["name"] is not None else step["member"]
    return [mapping[name]] if mapping is not None and name in mapping else []
