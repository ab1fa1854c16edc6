"""The check of the invariants can fail: each broken rule is found."""

from copy import deepcopy
from typing import Any

import pytest

from tests.program.pod_security import violations

GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "v", "emptyDir": {}}],
    "containers": [
        {
            "name": "c",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}


def test_a_restricted_pod_is_admitted() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hostNetwork",), True),
        (("hostPID",), True),
        (("volumes", 0), {"name": "v", "hostPath": {"path": "/"}}),
        (("securityContext", "runAsNonRoot"), False),
        (("securityContext", "runAsUser"), 0),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}),
        (("securityContext", "sysctls"), [{"name": "a", "value": "b"}]),
        (("containers", 0, "securityContext"), {}),
        (("containers", 0, "securityContext", "privileged"), True),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True),
        (("containers", 0, "securityContext", "capabilities"), {"drop": ["ALL"], "add": ["SYS"]}),
        (("containers", 0, "securityContext", "procMount"), "Unmasked"),
        (("containers", 0, "ports"), [{"containerPort": 1, "hostPort": 1}]),
    ],
    ids=str,
)
def test_a_broken_rule_is_found(path: tuple[Any, ...], value: Any) -> None:
    pod: Any = deepcopy(GOOD)
    target = pod
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    assert violations(pod)
