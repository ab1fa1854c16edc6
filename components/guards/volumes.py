"""Volumes that exist before their servers: no server may start on another database's data unasked.

A StatefulSet uses an existing claim of the right name as it is. After `pulumi destroy` the claims
still exist, but root's generated password is gone, so the servers would never become ready.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pulumi

from components.config.engine import ENGINES
from components.config.errors import Fault, refuse
from components.config.load import Loaded, Stack
from components.config.stack import StackConfig
from components.guards import api
from components.guards.api import Cluster, Object, Unanswered
from components.guards.target import owner_fault


def free(
    stack: Stack, known: pulumi.Output[Mapping[str, Any]], settings: Mapping[str, Any]
) -> pulumi.Output[None]:
    """Fails with a ConfigError if a new database would find volumes that this stack did not make.

    `known`: the facts at the last update. Databases in it are not new, nor are adopted ones.
    `settings`: those of the Kubernetes provider. If the user may not look, this only warns.
    """

    def new(known: Mapping[str, Any]) -> list[Loaded]:
        return [
            one
            for one in stack.databases
            if one.config.name not in known and not one.config.adopting
        ]

    return api.look(known, settings, new, _ask, _warn)


def _ask(cluster: Cluster, new: list[Loaded]) -> None:
    refuse(_faults(cluster, new))


def _warn(error: Unanswered, new: list[Loaded]) -> None:
    which = ", ".join(f"'{one.config.name}'" for one in new)
    pulumi.log.warn(
        f"could not look for volumes that an earlier {which} left; with such volumes the servers "
        f"would never get ready: {error}"
    )


def _faults(cluster: Cluster, new: list[Loaded]) -> Iterator[Fault]:
    for one in new:
        claims = cluster.get(claims_path(one.config)) or {}
        # An empty list of metadata is null.
        found = [item["metadata"]["name"] for item in claims.get("items") or ()]
        if _taken(one.config, found):
            live = cluster.get(api.object_path(one.config))
            if fault := fault_of(one.config, one.place, found, live):
                yield fault


def fault_of(
    config: StackConfig, place: str, claims: Collection[str], live: Object | None
) -> Fault | None:
    """The refusal of a new database, if `claims` of its namespace are ones of its servers.

    `place`: its config path. `live`: the operator's object of its name, if there is one. If this
    program made that, its first update has begun and not ended, and the claims are its own.
    """
    if not (taken := _taken(config, claims)):
        return None
    namespace = config.namespace
    if live is None:
        return (
            place,
            f"namespace '{namespace}' has the volume claims {', '.join(taken)} already, which this "
            "stack did not make: the servers would start on their data, with its root password",
            f"choose another name; delete them with their data (`kubectl -n {namespace} delete pvc "
            f"{' '.join(taken)}`); or bring that database back and adopt it (docs/migration.md)",
        )
    return owner_fault(place, config.engine, config.name, namespace, live)


def _taken(config: StackConfig, claims: Collection[str]) -> list[str]:
    """The claims that servers of the config would use."""
    database = config.database
    named = ENGINES[config.engine].claims
    wanted = named(config.name, database.topology, database.replicas)
    return [claim for claim in wanted if claim in claims]


def claims_path(config: StackConfig) -> str:
    """Where the API has the claims of the database's namespace."""
    return f"/api/v1/namespaces/{config.namespace}/persistentvolumeclaims"
