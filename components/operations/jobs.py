"""What the Pods of this program's own CronJobs have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from components import names
from components.config.stack import StackConfig
from components.pods import scheduling, security

CONTAINER: Mapping[str, Any] = {**security.CONTAINER, "readOnlyRootFilesystem": True}
NOT_A_FAILURE: Mapping[str, Any] = {
    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
}
"""`podFailurePolicy`: a Pod that is evicted, as when its node is drained, is made anew."""


def cron_job(
    config: StackConfig,
    *,
    schedule: str,
    role: str,
    deadline: int,
    pod: Mapping[str, Any],
    account: str | None = None,
) -> dict[str, Any]:
    """The `spec` of a CronJob, in UTC, of which one Job runs at a time and tries once.

    `role`: label of its Pods. `deadline`: seconds after which a Job is ended. `pod`: containers,
    volumes, and init containers. `account`: its ServiceAccount, of which no token is mounted.
    """
    tolerations = scheduling.pod_spec(config.scheduling.database, {}).get("tolerations")
    return {
        "schedule": schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        # A database without servers has no newer backup, and nothing can be written into it.
        **({"suspend": True} if config.database.paused else {}),
        # Of a run that was missed, as by a control plane that was away.
        "startingDeadlineSeconds": 1800,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "metadata": {"labels": names.labels(config.name, role)},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": deadline,
                "podFailurePolicy": NOT_A_FAILURE,
                "template": {
                    "metadata": {"labels": {**names.labels(config.name, role), names.ROLE: role}},
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": False,
                        "enableServiceLinks": False,
                        "securityContext": security.of_pod(
                            config.security, config.security.database
                        ),
                        **({"serviceAccountName": account} if account else {}),
                        **_pull_secrets(config.images.pull_secrets),
                        **({"tolerations": tolerations} if tolerations else {}),
                        **pod,
                    },
                },
            },
        },
    }


def container(name: str, **fields: Any) -> dict[str, Any]:
    """A container; the end of what it says is its message, if it fails."""
    return {
        "name": name,
        "securityContext": dict(CONTAINER),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **fields,
    }


def _pull_secrets(secrets: Sequence[str]) -> dict[str, Any]:
    return {"imagePullSecrets": [{"name": name} for name in secrets]} if secrets else {}
