"""The heartbeat of a database: a CronJob that writes one row, so that backups show their age.

ADR 22 says why it is that.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.credentials import HEARTBEAT_ACCOUNT
from components.config.stack import StackConfig
from components.credentials import ResolvedCredential, encoded
from components.operations import heartbeat_script, jobs
from components.operations.places import Place
from components.topology import Topology

SCHEDULE = "7 * * * *"
"""Each hour. A drill cannot tell the age of a backup more precisely than that."""
TOLERANCE = 2 * 3600
"""Seconds by which the row may be older than the backup: one beat may have failed."""
DEADLINE = 300
"""Seconds for one beat, with a server that is slow to answer."""
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "200m", "memory": "128Mi"},
}
"""Of a client that sends one statement."""


def heartbeat(
    name: str,
    config: StackConfig,
    place: Place,
    topology: Topology,
    password: ResolvedCredential,
    *,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """The CronJob `<name>-heartbeat`, and the Secret by which it logs in.

    `after`: what the account needs.
    """
    login = password.password.apply(
        lambda text: heartbeat_script.login(
            HEARTBEAT_ACCOUNT,
            text,
            topology.writer_service,
            topology.port,
            tls=topology.ca_secret is not None,
        )
    )
    labels = names.labels(config.name, "heartbeat")
    secret = k8s.core.v1.Secret(
        f"{name}-heartbeat-login",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=names.heartbeat_login(config.name), namespace=config.namespace, labels=labels
        ),
        type="Opaque",
        data=encoded({heartbeat_script.LOGIN_FILE: login}),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )
    k8s.batch.v1.CronJob(
        f"{name}-heartbeat",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=names.heartbeat(config.name), namespace=config.namespace, labels=labels
        ),
        spec=cast(k8s.batch.v1.CronJobSpecArgs, spec(config, place, topology)),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[secret])),
    )


def spec(config: StackConfig, place: Place, topology: Topology) -> dict[str, Any]:
    """The `spec` of the CronJob."""
    login = {"secretName": names.heartbeat_login(config.name), "defaultMode": 0o440}
    ca_mounts, ca_volumes = jobs.server_ca(topology)
    image = config.images.database
    beat = jobs.container(
        "beat",
        image=image.reference,
        imagePullPolicy=image.pull_policy,
        command=["bash", "-c", heartbeat_script.script(place.identity)],
        resources=dict(RESOURCES),
        volumeMounts=[
            {"name": "login", "mountPath": heartbeat_script.DIRECTORY, "readOnly": True},
            *ca_mounts,
        ],
    )
    return jobs.cron_job(
        config,
        schedule=SCHEDULE,
        role="heartbeat",
        deadline=DEADLINE,
        pod={"containers": [beat], "volumes": [{"name": "login", "secret": login}, *ca_volumes]},
    )
