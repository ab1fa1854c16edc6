"""`python -m tools.why NAMESPACE NAME`: why a database is not ready, when an update timed out.

Pulumi's provider waits for the operator's object alone: it says "timed out", and warns of that
object's own events. The cause is mostly told elsewhere, such as a quota's refusal by the
StatefulSet. This prints what is unready and every warning of the database's objects.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.config.engine import ENGINES

Object = Mapping[str, Any]
KINDS = "statefulsets,pods,persistentvolumeclaims"
"""What operators and this program make of a database, with `events` beside."""
WANTED = ("ready", "podscheduled")
"""Conditions that are true where all is well, in lower case."""


def belonging(objects: Sequence[Object], name: str) -> list[Object]:
    """Those of a database: its operator owns them, or labels them with its name."""
    found: list[Object] = []
    for each in objects:
        metadata = each["metadata"]
        owners = [owner["name"] for owner in metadata.get("ownerReferences") or ()]
        labels: Object = metadata.get("labels") or {}
        if name in (*owners, labels.get("app.kubernetes.io/instance")):
            found.append(each)
    return found


def reasons(objects: Sequence[Object], events: Sequence[Object]) -> Iterator[str]:
    """What is unready, one line each, then the warnings about the same objects, oldest first."""
    for found in objects:
        for text in unready(found):
            yield f"{_called(found)}: {text}"
    known = {_called(found) for found in objects}
    told = [
        f"{event['involvedObject']['kind']} {event['involvedObject']['name']}: "
        f"{event['reason']}: {event['message']}"
        for event in sorted(events, key=lambda event: str(event["metadata"]["creationTimestamp"]))
        if event["type"] == "Warning"
        and f"{event['involvedObject']['kind']} {event['involvedObject']['name']}" in known
    ]
    yield from dict.fromkeys(told)


def unready(found: Object) -> Iterator[str]:
    """What an object itself says of what it lacks."""
    status: Object = found.get("status") or {}
    for condition in _all(status, "conditions"):
        if condition["type"].lower() in WANTED and condition["status"] != "True":
            yield _because(f"{condition['type']} is {condition['status']}", condition)
    if "state" in status and status["state"] != "ready":  # Percona's
        yield ": ".join([f"state is {status['state']}", *map(str, status.get("message") or ())])
    if found["kind"] == "StatefulSet" and (status.get("readyReplicas") or 0) < (
        wanted := found["spec"]["replicas"]
    ):
        made, ready = status.get("replicas") or 0, status.get("readyReplicas") or 0
        yield f"{ready} of {wanted} Pods are ready, {made} are made"
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in _all(status, kind):
            waiting: Object = container["state"].get("waiting") or {}
            if waiting and waiting.get("reason") != "PodInitializing":
                yield _because(f"container {container['name']} waits", waiting)


def _all(status: Object, key: str) -> Sequence[Object]:
    return status.get(key) or ()


def _because(text: str, of: Object) -> str:
    """A text with the reason and the message that there are."""
    return ": ".join([text, *(str(of[key]) for key in ("reason", "message") if of.get(key))])


def _called(found: Object) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


# --- the command ---


def _get(namespace: str, *arguments: str) -> list[Object]:
    """Raises CalledProcessError, with kubectl's own words on standard error."""
    done = subprocess.run(
        ("kubectl", "-n", namespace, "get", *arguments, "-o", "json"),
        capture_output=True,
        text=True,
        check=True,
    )
    found: Any = json.loads(done.stdout or '{"items": []}')
    return found["items"] if found["kind"] == "List" else [found]


def main() -> int:
    """0: nothing is unready and there is no warning; 1: there is; 2: there is no such database."""
    parser = argparse.ArgumentParser(prog="python -m tools.why", description=__doc__)
    parser.add_argument("namespace")
    parser.add_argument("name")
    arguments = parser.parse_args()
    namespace, name = arguments.namespace, arguments.name
    objects: list[Object] = []
    refusals: list[str] = []
    for engine in ENGINES.values():
        try:
            objects += _get(namespace, f"{engine.api.plural}.{engine.api.group}", name)
        except subprocess.CalledProcessError as error:  # its operator may not be installed
            refusals.append(error.stderr.strip())
    if not objects:
        print("\n".join(refusals), file=sys.stderr)
        return 2
    objects += belonging(_get(namespace, KINDS), name)
    found = [*reasons(objects, _get(namespace, "events"))]
    print("\n".join(found) or "everything is ready, and nothing warns")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
