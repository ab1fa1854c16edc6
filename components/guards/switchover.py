"""A switchover that is under way: no update begins before it has ended.

The operator rolls servers before it moves the primary's Service, so an update in the middle of a
switchover restarts the old primary while clients are still led there (docs/upstream.md).
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from components import names
from components.config.errors import ConfigError, Fault
from components.config.load import Loaded, Stack
from components.config.stack import StackConfig
from components.engines.live import at
from components.guards import api
from components.guards.api import Cluster, Object

PATIENCE = 60.0
"""Seconds for which an update waits: a switchover takes a few, a failover ten or twenty."""
PAUSE = 1.0
"""Seconds between two checks."""
POD = "statefulset.kubernetes.io/pod-name"
"""How the Service of the primary selects it (operator: pkg/builder/labels/labels.go)."""


def over(
    stack: Stack, known: pulumi.Output[Mapping[str, Any]], settings: Mapping[str, Any]
) -> pulumi.Output[None]:
    """Waits until no operator is switching the primary of a database that exists.

    Fails with a ConfigError if one still is after PATIENCE. `known`: the facts at the last update;
    `settings`: those of the Kubernetes provider. A preview changes nothing and does not check; if
    the cluster cannot be asked, the provider reports it.
    """

    def replicated(known: Mapping[str, Any]) -> list[Loaded]:
        return [
            one
            for one in stack.databases
            if one.config.database.topology == "replication" and one.config.name in known
        ]

    if pulumi.runtime.is_dry_run():
        return known.apply(lambda _: None)
    return api.look(known, settings, replicated, _wait)


def _wait(cluster: Cluster, replicated: list[Loaded]) -> None:
    deadline = time.monotonic() + PATIENCE
    said = False
    while faults := [*_faults(cluster, replicated)]:
        if time.monotonic() > deadline:
            raise ConfigError(faults)
        if not said:
            pulumi.log.info("a primary is being switched: the update waits until that is over")
            said = True
        time.sleep(PAUSE)


def _faults(cluster: Cluster, replicated: list[Loaded]) -> Iterator[Fault]:
    for one in replicated:
        config = one.config
        live = cluster.get(api.object_path(config), whole=True)
        service = cluster.get(_service_path(config), whole=True)
        if fault := fault_of(config, one.place, live, service):
            yield fault


def fault_of(
    config: StackConfig, place: str, live: Object | None, service: Object | None
) -> Fault | None:
    """The refusal of an update while the primary is being switched, None when it is not.

    `place`: the database's config path. `live`: the MariaDB object, `service`: the Service of its
    primary; None where there is none.
    """
    status: Object = at(live, "status") or {}
    current = status.get("currentPrimaryPodIndex")
    wanted = at(live, "spec", "replication", "primary", "podIndex")
    switching = any(
        condition.get("type") == "PrimarySwitched" and condition.get("status") == "False"
        for condition in status.get("conditions") or ()
    )
    leads_to = at(service, "spec", "selector", POD)
    elsewhere = leads_to is not None and leads_to != status.get("currentPrimary")
    if current is None or not (switching or wanted not in (None, current) or elsewhere):
        return None
    return (
        place,
        f"the primary of '{config.name}' is being switched from server {current}, and has been for "
        f"{PATIENCE:g} s: an update now could restart servers in the middle of it",
        f"wait until `kubectl -n {config.namespace} get mariadb {config.name}` says Running; if it "
        'never does, see docs/failover.md, "A switchover that does not end"',
    )


def _service_path(config: StackConfig) -> str:
    service = names.mariadb_primary(config.name)
    return f"/api/v1/namespaces/{config.namespace}/services/{service}"
