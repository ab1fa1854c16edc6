"""What the small Pods of this program have in common: those of its CronJobs, and the exporter's."""

from collections.abc import Mapping
from typing import Any

from components import names
from components.config.security import PodUser
from components.config.stack import StackConfig
from components.pods import scheduling, security
from components.topology import CA_DIRECTORY, CA_KEY, Topology

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
                        **({"serviceAccountName": account} if account else {}),
                        **pod_spec(config, config.security.database),
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
        "securityContext": dict(security.READ_ONLY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **fields,
    }


def pod_spec(config: StackConfig, user: PodUser) -> dict[str, Any]:
    """What a Pod has beside its containers and volumes: no token, `user`, and a place wherever the
    servers may be."""
    secrets = [{"name": name} for name in config.images.pull_secrets]
    tolerations = scheduling.tolerations(config.scheduling.database)
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security.of_pod(config.security, user),
        **({"imagePullSecrets": secrets} if secrets else {}),
        **({"tolerations": tolerations} if tolerations else {}),
    }


def server_ca(topology: Topology) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Mounts and volumes of the CA of the servers' certificates, in CA_DIRECTORY; none without
    TLS."""
    if not topology.ca_secret:
        return [], []
    items = [{"key": CA_KEY, "path": CA_KEY}]
    volume = {"name": "ca", "secret": {"secretName": topology.ca_secret, "items": items}}
    return [{"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": True}], [volume]
