"""Which properties cannot change in place: a change of one replaces the object.

Upstream: provider/pkg/provider/diff.go (`forceNew` and `forceNewProperties`).
"""

from typing import Any

WORKLOAD = ("spec.selector",)
ROLE_BINDING = ("roleRef",)
CONTAINER = """args command env imagePullPolicy image lifecycle livenessProbe ports readinessProbe
resources securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty
volumeDevices volumeMounts workingDir"""
POD = """affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases
hostIPC hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead
preemptionPolicy priority priorityClassName readinessGates restartPolicy runtimeClassName
schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace subdomain
terminationGracePeriodSeconds volumes"""
VOLUME = """awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker
gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte
rbd scaleIO storageos vsphereVolume"""

FORCE_NEW: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("apps", "DaemonSet"): WORKLOAD,
    ("apps", "Deployment"): WORKLOAD,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ROLE_BINDING,
    ("rbac.authorization.k8s.io", "RoleBinding"): ROLE_BINDING,
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("", "PersistentVolume"): tuple(f"spec.{field}" for field in VOLUME.split()),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("", "Pod"): (
        *(f"spec.{field}" for field in POD.split()),
        *(f"spec.{c}.*.{f}" for c in ("containers", "initContainers") for f in CONTAINER.split()),
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
}
"""By API group and kind; `*` is any item of a list. Only what is still served (v1)."""


def force_new(
    obj: dict[str, Any], *, secret_mutable: bool, configmap_mutable: bool
) -> list[tuple[str, ...]]:
    """Paths of the object whose change replaces it."""
    version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    group = version.rpartition("/")[0]
    fields = ("metadata.name", "metadata.namespace", *FORCE_NEW.get((group, kind), ()))
    if version == "v1" and kind == "Secret" and (not secret_mutable or obj.get("immutable")):
        fields += ("stringData", "data")
    if version == "v1" and kind == "ConfigMap" and (not configmap_mutable or obj.get("immutable")):
        fields += ("binaryData", "data")
    return [tuple(field.split(".")) for field in fields]


def replaces(path: tuple[str | int, ...], value: Any, forced: list[tuple[str, ...]]) -> bool:
    """Whether setting `path` to `value` touches a forced path.

    Upstream: `PatchPropertiesChanged` in provider/pkg/openapi/openapi.go: a change below a forced
    path counts, and so does one above it that holds the forced member.
    """
    for pattern in forced:
        shared = list(zip(path, pattern, strict=False))
        if not all(want in ("*", part) for part, want in shared):
            continue
        if len(path) >= len(pattern) or _holds(value, pattern[len(path) :]):
            return True
    return False


def _holds(value: Any, path: tuple[str, ...]) -> bool:
    if not path:
        return True
    if path[0] == "*":
        return isinstance(value, list) and any(_holds(item, path[1:]) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return isinstance(value, dict) and path[0] in value and _holds(value[path[0]], path[1:])  # pyright: ignore[reportUnknownArgumentType]
