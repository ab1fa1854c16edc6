"""What Pod Security `restricted` asks of Pods and of the operators' containers."""

from typing import Any

from components.config.security import PodUser

SECCOMP = {"type": "RuntimeDefault"}

CONTAINER: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The security context of every container; seccomp is set for the whole Pod."""


def of_pod(user: PodUser) -> dict[str, Any]:
    """The security context of a Pod whose containers run as `user`."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user.run_as_user,
        "runAsGroup": user.run_as_group,
        "fsGroup": user.fs_group,
        "seccompProfile": SECCOMP,
    }
