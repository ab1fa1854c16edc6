"""What Pod Security `restricted` asks of Pods and of the operators' containers."""

from typing import Any

from components.config.security import PodUser, Security

SECCOMP = {"type": "RuntimeDefault"}

CONTAINER: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The security context of every container; seccomp is set for the whole Pod."""


READ_ONLY: dict[str, Any] = {**CONTAINER, "readOnlyRootFilesystem": True}
"""The same of one that writes into its volumes only."""


def of_pod(security: Security, user: PodUser) -> dict[str, Any]:
    """The security context of a Pod whose containers run as `user`, if anything says so.

    Both operators take it as it is, without ids too; on OpenShift mariadb-operator leaves all of it
    out (pkg/builder/securitycontext_builder.go) and the cluster fills it in.
    """
    ids = {
        "runAsUser": user.run_as_user,
        "runAsGroup": user.run_as_group,
        "fsGroup": user.fs_group,
    }
    return {
        "runAsNonRoot": True,
        **(ids if security.set_user_ids else {}),
        "seccompProfile": SECCOMP,
    }
