"""An application of a mysql-ha database: its Deployment with the Secret of its login bound to it.

The database's stack says where everything is; no password passes through this program.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

BINDINGS = "/bindings"
"""Where the bound Secrets are; `SERVICE_BINDING_ROOT` says so (servicebinding.io)."""

# The files are read for every query, so a new login is used without a restart. The password
# goes through a pipe: neither an argument nor the environment shows it. MariaDB's client verifies
# certificates by default, and without `proxy.tls` nobody can verify the proxies'.
QUERY = """\
set -eu
entry() { cat "$SERVICE_BINDING_ROOT/database/$1"; }
tls=--skip-ssl-verify-server-cert
if [ -f "$SERVICE_BINDING_ROOT/database/ca.crt" ]; then
  tls="--ssl-verify-server-cert --ssl-ca=$SERVICE_BINDING_ROOT/database/ca.crt"
fi
while true; do
  printf '[client]\\npassword="%s"\\n' "$(entry password)" |
    mariadb --defaults-extra-file=/dev/stdin $tls --host "$(entry host)" --port "$(entry port)" \\
      --user "$(entry username)" --execute 'SELECT CURRENT_USER(), NOW()' \\
      "$(entry database)" || true
  sleep 10
done
"""

config = pulumi.Config("consumer")
name, stack = config.require("app"), config.require("database")


def contract(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The app's part of the outputs, with the namespace and the CA's Secret of its database.

    A stack of several databases has the outputs of each below `databases`.
    """
    chosen = config.get("name")
    several: Mapping[str, Any] = outputs.get("databases") or {}
    known: Mapping[str, Any] = several.get(chosen, {}) if chosen else outputs
    apps: Mapping[str, Any] = known.get("apps") or {}  # Pulumi drops empty outputs
    if name not in apps:
        raise pulumi.RunError(
            f"consumer:app: stack {stack} has no app '{name}'. "
            f"Fix: use one of {', '.join(sorted(apps)) or '(it has none)'}."
        )
    return {"app": apps[name], "namespace": known["namespace"], "ca": known.get("ca_secret")}


def bound(known: dict[str, Any]) -> list[k8s.core.v1.VolumeProjectionArgs]:
    """The app's Secret and, where the server's certificate can be verified, the CA beside it."""
    secrets = [k8s.core.v1.SecretProjectionArgs(name=known["app"]["secret"])]
    if ca := known["ca"]:
        item = k8s.core.v1.KeyToPathArgs(key=ca["key"], path="ca.crt")
        secrets.append(k8s.core.v1.SecretProjectionArgs(name=ca["name"], items=[item]))
    return [k8s.core.v1.VolumeProjectionArgs(secret=secret) for secret in secrets]


database = pulumi.StackReference(stack).outputs.apply(contract)
labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "consumer"}
deployment = k8s.apps.v1.Deployment(
    name,
    metadata=k8s.meta.v1.ObjectMetaArgs(
        name=name, namespace=database.apply(lambda known: known["namespace"]), labels=labels
    ),
    spec=k8s.apps.v1.DeploymentSpecArgs(
        replicas=2,
        selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
        template=k8s.core.v1.PodTemplateSpecArgs(
            metadata=k8s.meta.v1.ObjectMetaArgs(
                labels=labels,
                # For applications that read the files once: the next `pulumi up` after a rotation
                # rolls the Pods, and the last login works until the rotation after.
                annotations={
                    "mysql-ha/username": database.apply(lambda known: known["app"]["username"])
                },
            ),
            spec=k8s.core.v1.PodSpecArgs(
                automount_service_account_token=False,
                security_context=k8s.core.v1.PodSecurityContextArgs(
                    run_as_non_root=True,
                    run_as_user=1000,
                    run_as_group=1000,
                    fs_group=1000,
                    seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
                ),
                containers=[
                    k8s.core.v1.ContainerArgs(
                        name="app",
                        image=config.require("image"),
                        command=["sh", "-c", QUERY],
                        env=[
                            k8s.core.v1.EnvVarArgs(name="SERVICE_BINDING_ROOT", value=BINDINGS),
                            k8s.core.v1.EnvVarArgs(name="HOME", value="/tmp"),
                        ],
                        security_context=k8s.core.v1.SecurityContextArgs(
                            allow_privilege_escalation=False,
                            read_only_root_filesystem=True,
                            capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
                        ),
                        volume_mounts=[
                            k8s.core.v1.VolumeMountArgs(
                                name="database", mount_path=f"{BINDINGS}/database", read_only=True
                            )
                        ],
                    )
                ],
                volumes=[
                    k8s.core.v1.VolumeArgs(
                        name="database",
                        projected=k8s.core.v1.ProjectedVolumeSourceArgs(
                            sources=database.apply(bound), default_mode=0o440
                        ),
                    )
                ],
            ),
        ),
    ),
)
pulumi.export("deployment", deployment.metadata.name)
pulumi.export("host", database.apply(lambda known: known["app"]["host"]))
