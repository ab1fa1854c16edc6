"""The Pod Security Standard `restricted`, as a check of a Pod spec.

By the published rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

from typing import Any, cast

VOLUMES = frozenset(
    "configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split()
)


def violations(pod: dict[str, Any]) -> list[str]:
    """What `restricted` would refuse; empty when it admits the Pod."""
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", []):
        found += [f"volume type {kind}" for kind in volume.keys() - {"name"} - VOLUMES]
    context = cast(dict[str, Any], pod.get("securityContext", {}))
    if context.get("sysctls"):
        found.append("sysctls")
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in pod.get(kind, []):
            found += [f"{container['name']}: {rule}" for rule in _container(container, context)]
    return found


def _container(container: dict[str, Any], pod: dict[str, Any]) -> list[str]:
    own = cast(dict[str, Any], container.get("securityContext", {}))
    both = {**pod, **own}
    capabilities = own.get("capabilities", {})
    rules = {
        "privileged": not own.get("privileged"),
        "privilege escalation": own.get("allowPrivilegeEscalation") is False,
        "may run as root": both.get("runAsNonRoot") is True,
        "runs as root": both.get("runAsUser") != 0,
        "no seccomp profile": both.get("seccompProfile", {}).get("type")
        in ("RuntimeDefault", "Localhost"),
        "capabilities are not dropped": "ALL" in capabilities.get("drop", []),
        "capabilities are added": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "host ports": not any(port.get("hostPort") for port in container.get("ports", [])),
        "procMount": own.get("procMount", "Default") == "Default",
    }
    return [rule for rule, kept in rules.items() if not kept]
