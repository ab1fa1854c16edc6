"""Every field of the operators' objects is this program's, or survives what it does.

An update of the official provider takes over whatever kubectl wrote and drops what the program
does not say, unless the field is left alone by name. So a field that nobody thought of is an
admin's switchover undone.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from components.engines.mariadb import KEPT_OF
from render.recorder import Resource, plain
from tests.program.cases import all_cases, recorded
from tests.schema.test_crds import (
    NEWEST,
    PERCONA,
    PROXIES,
    Schemas,
    folders,
    percona_cluster,
    schemas_in,
)

KINDS = ("MariaDB", "PerconaXtraDBCluster")
OWNED = {
    "MariaDB": {
        *("imagePullSecrets", "nodeSelector", "priorityClassName", "tolerations"),
        *("resources", "podDisruptionBudget", "topologySpreadConstraints"),
        "myCnfConfigMapKeyRef",  # the operator's, made of myCnf
        *("galera", "replication"),  # of another topology
    },
    "PerconaXtraDBCluster": {"sslInternalSecretName", "sslSecretName", "users", "haproxy"},
}
"""Fields that are a config key's where they are not set."""
OWNED_OF_TIER = {
    *("annotations", "imagePullSecrets", "labels", "nodeSelector", "priorityClassName"),
    *("tolerations", "enabled"),
    # Given up by the operator, some under another name.
    *("externalTrafficPolicy", "loadBalancerSourceRanges", "replicasExternalTrafficPolicy"),
    *("replicasServiceAnnotations", "replicasServiceLabels", "replicasServiceType"),
    *("serviceAnnotations", "serviceLabels", "serviceType"),
    *("sslInternalSecretName", "sslSecretName", "vaultSecretName"),
}
"""The same below `pxc` and `proxysql`."""


def clusters() -> Iterator[Resource]:
    """The operator's object of every stack that is not only imported."""
    for case in all_cases():
        for resource in recorded(case.id).resources:
            if resource.type.rpartition(":")[2] in KINDS and not resource.read:
                yield resource


def set_at(spec: Mapping[str, Any], path: str) -> bool:
    """Whether a spec has something at a path."""
    value: Any = {"spec": spec}
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = cast(Mapping[str, Any], value)[key]
    return True


AT_CREATION = {
    "spec.rootPasswordSecretKeyRef",
    "spec.bootstrapFrom",
    "spec.replication.replica.replPasswordSecretKeyRef",
    *("spec.galera.config", "spec.galera.initJob", "spec.galera.recovery"),
}
"""What is set when a cluster is made, and left alone from then on."""


def test_nothing_that_is_set_is_left_alone() -> None:
    """An edit of such a key would be ignored."""
    seen = 0
    for resource in clusters():
        spec = plain(resource.inputs)["spec"]
        for path in resource.ignore_changes:
            assert path in AT_CREATION or not set_at(spec, path), (resource.urn, path)
        seen += 1
    assert seen > 20


def forgotten(fields: Mapping[str, Any], spec: Any, left: set[str], at: str = "") -> set[str]:
    """Fields below `at` that are neither set nor left alone."""
    return {
        field
        for field in fields
        if field not in spec
        and not any(f"{path}.".startswith(f"spec.{at}{field}.") for path in left)
    }


def properties(schemas: Schemas, api: str, kind: str) -> Mapping[str, Any]:
    return schemas[(api, kind)]["properties"]["spec"]["properties"]


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ["dev", "small", "galera"])
def test_mariadb(name: str, folder: Any) -> None:
    fields = properties(schemas_in(folder), "k8s.mariadb.com/v1alpha1", "MariaDB")
    mariadb = recorded(name).one("MariaDB")
    spec, left = plain(mariadb.inputs)["spec"], set(mariadb.ignore_changes)
    assert forgotten(fields, spec, left) <= OWNED["MariaDB"]
    for topology in KEPT_OF.keys() & spec.keys():
        below = fields[topology]["properties"]
        assert not forgotten(below, spec[topology], left, f"{topology}.")
        for part in {"primary", "replica"} & spec[topology].keys():
            inner = below[part]["properties"]
            assert not forgotten(inner, spec[topology][part], left, f"{topology}.{part}.")


@pytest.mark.parametrize("version", PERCONA)
@pytest.mark.parametrize("mode", PROXIES)
def test_percona(mode: str, version: str) -> None:
    crds = schemas_in(NEWEST / f"percona-xtradb-cluster-operator-{version}.yaml")
    fields = properties(crds, "pxc.percona.com/v1", "PerconaXtraDBCluster")
    cluster = percona_cluster("small", mode, False)
    spec, left = plain(cluster.inputs)["spec"], set(cluster.ignore_changes)
    assert forgotten(fields, spec, left) <= OWNED["PerconaXtraDBCluster"]
    for tier in ("pxc", *(["proxysql"] if mode == "operator" else [])):
        below = fields[tier]["properties"]
        assert forgotten(below, spec[tier], left, f"{tier}.") <= OWNED_OF_TIER
