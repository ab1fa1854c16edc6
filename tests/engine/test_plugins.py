"""The local plugins under the real engine: what the official ones do for what we use.

Each test has its own stack and namespace on the shared control plane. The last test compares with
the official plugin, where one is installed.
"""

import asyncio
import base64
import json
import re
import string
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random
import pytest
from pulumi import automation
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import CheckRequest, DiffRequest, DiffResponse

from local import REPOSITORY
from local.control_plane import ControlPlane
from local.plugins.awaiting import endpoints_lack, json_path, parse_wait_for, stateful_set
from local.plugins.difference import canonical, detailed, merge_patch, normalized, pruned
from local.plugins.kubernetes import KubernetesProvider
from local.plugins.random import PASSWORD, SPECIAL, RandomProvider, identifier, password
from local.plugins.replacement import force_new, replaces
from local.plugins.serving import Engine
from local.plugins.values import redact, wrap_map
from local.toolchain import Toolchain
from tests.engine import quick
from tests.engine.api import Api

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

LOCAL_PLUGINS = REPOSITORY / "local" / "plugins" / "bin"
CANARY = "canary-7c1f5e"
ENCODED = base64.b64encode(CANARY.encode()).decode()
BRIEFLY = pulumi.CustomTimeouts(create="3s", update="3s", delete="3s")

Program = Callable[[], None]


@dataclass
class Place:
    """A stack and the namespace that it deploys to."""

    stack: automation.Stack
    namespace: str
    control_plane: ControlPlane
    backend: Path

    def run(self, operation: str, program: Program, **options: Any) -> tuple[dict[str, int], str]:
        """Changes by kind, without what stayed the same, and what the engine said."""
        self.stack.workspace.program = program
        result: Any = getattr(self.stack, operation)(**options)
        summary: Any = getattr(result, "summary", None)
        counted: Any = summary.resource_changes if summary else result.change_summary
        changes = {
            getattr(kind, "value", str(kind)): count
            for kind, count in cast(Mapping[Any, int], counted or {}).items()
        }
        return {kind: n for kind, n in changes.items() if kind != "same"}, result.stdout

    def up(self, program: Program) -> dict[str, int]:
        return self.run("up", program)[0]

    def preview(self, program: Program) -> dict[str, int]:
        return self.run("preview", program)[0]

    def refused(self, operation: str, program: Program) -> str:
        """What the engine says of an operation that fails."""
        with pytest.raises(automation.CommandError) as refusal:
            self.run(operation, program)
        return str(refusal.value)

    def state(self) -> dict[str, dict[str, Any]]:
        """Resources of the state file by name; an export would decrypt the secrets."""
        file = self.backend / ".pulumi" / "stacks" / self.namespace / "test.json"
        latest = json.loads(file.read_text())["checkpoint"]["latest"]
        return {item["urn"].rpartition("::")[2]: item for item in latest.get("resources", [])}

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.control_plane.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def live(self, kind: str, name: str) -> dict[str, Any]:
        found = Api(self.control_plane).find(kind, self.namespace, name)
        assert found, f"there is no {kind}/{name}"
        return found

    def exists(self, kind: str, name: str) -> bool:
        return Api(self.control_plane).find(kind, self.namespace, name) is not None

    def provider(self, mutable: bool = True, server_side: bool = True) -> pulumi.ResourceOptions:
        """Options with a provider for this control plane and namespace."""
        provider = k8s.Provider(
            "cluster",
            kubeconfig=str(self.control_plane.kubeconfig),
            namespace=self.namespace,
            enable_secret_mutable=mutable,
            enable_config_map_mutable=mutable,
            enable_server_side_apply=server_side,
        )
        return pulumi.ResourceOptions(provider=provider, custom_timeouts=BRIEFLY)


def _nothing() -> None:
    """An empty program."""


def _place(
    request: pytest.FixtureRequest,
    directory: Path,
    control_plane: ControlPlane,
    command: automation.PulumiCommand,
    environment: Mapping[str, str],
) -> Place:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50]
    stack = automation.create_or_select_stack(
        "test",
        name,
        _nothing,
        opts=automation.LocalWorkspaceOptions(
            pulumi_command=command,
            env_vars={
                "PULUMI_BACKEND_URL": directory.as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "test",
                **environment,
            },
            project_settings=automation.ProjectSettings(name, "python"),
        ),
    )
    Api(control_plane).ensure_namespace(name)
    return Place(stack, name, control_plane, directory)


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    control_plane: ControlPlane,
    pulumi_command: automation.PulumiCommand,
    local_plugins: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """A stack on the local plugins, even where the official plugins are installed."""
    monkeypatch.setenv("PATH", str(local_plugins), prepend=":")
    environment = {"MYSQL_HA_PYTHON": sys.executable, "PULUMI_HOME": str(tmp_path / "home")}
    return _place(request, tmp_path, control_plane, pulumi_command, environment)


def config_map(options: pulumi.ResourceOptions, name: str = "settings", **data: Any) -> Any:
    metadata = k8s.meta.v1.ObjectMetaArgs(name=name)
    return k8s.core.v1.ConfigMap(name, metadata=metadata, data=data, opts=options)


def workload(
    options: pulumi.ResourceOptions,
    *,
    service: str = "database",
    replicas: int = 1,
    password: pulumi.Input[str] = "plain",
) -> k8s.apps.v1.StatefulSet:
    """A StatefulSet that Pod Security `restricted` admits, with quantities to normalize."""
    labels = {"app": "database"}
    return k8s.apps.v1.StatefulSet(
        "database",
        metadata=k8s.meta.v1.ObjectMetaArgs(name="database"),
        spec=k8s.apps.v1.StatefulSetSpecArgs(
            service_name=service,
            replicas=replicas,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(labels=labels),
                spec=k8s.core.v1.PodSpecArgs(
                    automount_service_account_token=False,
                    host_network=False,
                    security_context=k8s.core.v1.PodSecurityContextArgs(
                        run_as_non_root=True,
                        run_as_user=999,
                        seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
                    ),
                    volumes=[
                        k8s.core.v1.VolumeArgs(
                            name="scratch", empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs()
                        )
                    ],
                    containers=[
                        k8s.core.v1.ContainerArgs(
                            name="database",
                            image="mariadb:11.4",
                            env=[k8s.core.v1.EnvVarArgs(name="PASSWORD", value=password)],
                            resources=k8s.core.v1.ResourceRequirementsArgs(
                                requests={"cpu": "1000m", "memory": "1024Mi"}
                            ),
                            security_context=k8s.core.v1.SecurityContextArgs(
                                allow_privilege_escalation=False,
                                capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
                            ),
                        )
                    ],
                ),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(
            options, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="60s"))
        ),
    )


def rule(options: pulumi.ResourceOptions, expression: pulumi.Input[str]) -> Any:
    """A custom resource that no controller touches."""
    return k8s.apiextensions.CustomResource(
        "rule",
        api_version="monitoring.coreos.com/v1",
        kind="PrometheusRule",
        metadata={"name": "rule"},
        spec={"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expression}]}]},
        opts=options,
    )


def database(options: pulumi.ResourceOptions, servers: int, expected: int | None = None) -> Any:
    """A Percona cluster that waits until as many servers are ready; with its status as an output.

    Its status is made by kwok (local/cluster/kwok.yaml), once for each generation.
    """
    ready = servers if expected is None else expected
    waits = [f"jsonpath={{.status.ready}}={ready}", "jsonpath={.status.state}=ready"]
    properties: dict[str, Any] = {
        "apiVersion": "pxc.percona.com/v1",
        "kind": "PerconaXtraDBCluster",
        "metadata": {
            "name": "shop",
            "annotations": {"pulumi.com/waitFor": json.dumps([*waits, "condition=ready"])},
        },
        "spec": {"crVersion": "1.18.0", "pxc": {"size": servers, "image": "example.invalid/a:1"}},
        "status": None,
    }
    if expected is None:  # kwok needs no second, a busy machine may
        long = pulumi.CustomTimeouts(create="60s", update="60s")
        options = pulumi.ResourceOptions.merge(
            options, pulumi.ResourceOptions(custom_timeouts=long)
        )
    token = "kubernetes:pxc.percona.com/v1:PerconaXtraDBCluster"
    return pulumi.CustomResource(token, "shop", properties, options)


def everything(place: Place) -> Program:
    """One of each kind that the project makes, secrets among them."""

    def program() -> None:
        options = place.provider()
        made = pulumi_random.RandomPassword("password", length=32, special=False)
        secret = pulumi.Output.secret(CANARY)
        k8s.core.v1.Secret(
            "account",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="account"),
            string_data={"password": made.result, "token": secret},
            opts=options,
        )
        config_map(options, mode="ha", token=secret)
        workload(options, password=secret)
        rule(options, pulumi.Output.format('up == 1 or vector(1) # "{0}"', secret))
        k8s.core.v1.Service(
            "database-service",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="database"),
            spec=k8s.core.v1.ServiceSpecArgs(
                selector={"app": "database"}, ports=[k8s.core.v1.ServicePortArgs(port=3306)]
            ),
            opts=pulumi.ResourceOptions.merge(
                options, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="60s"))
            ),
        )
        pulumi.export("password", made.result)

    return program


def test_lifecycle(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preview, up, up again, refresh and destroy; no step shows or stores a secret in clear.

    The first two with the plugins that `make up` starts.
    """
    program = everything(place)
    with monkeypatch.context() as as_users:
        as_users.setenv("PATH", str(LOCAL_PLUGINS), prepend=":")
        created, said = place.run("preview", program)
        assert created == {"create": 8}
        assert said.count("local Kubernetes plugin") == 2, "once as it comes, once in the summary"
        assert "local random plugin" in said
        assert not place.exists("configmaps", "settings"), "a preview changes nothing"
        assert place.up(program) == {"create": 8}

    assert place.live("statefulsets", "database")["status"]["readyReplicas"] == 1
    first = place.stack.outputs()["password"]
    assert first.secret and re.fullmatch(r"[A-Za-z0-9]{32}", first.value)
    for operation in ("preview", "up", "refresh", "up"):
        changes, said = place.run(operation, program)
        assert changes == {}, f"{operation}: {said}"
        assert CANARY not in said and ENCODED not in said
    assert place.stack.outputs()["password"].value == first.value

    text = json.dumps(place.state())
    assert CANARY not in text and ENCODED not in text and first.value not in text
    encoded = base64.b64encode(first.value.encode()).decode()
    assert encoded not in text
    assert '"mode": "ha"' in text, "what is not secret stays readable"

    place.stack.destroy()
    assert not place.exists("statefulsets", "database")


def test_what_is_read_of_an_update_is_what_the_cli_says(place: Place) -> None:
    """The other tests read it themselves (quick.py)."""

    def program(secret: bool) -> Program:
        def run() -> None:
            pulumi.export("text", pulumi.Output.secret(CANARY) if secret else "plain")
            pulumi.export(
                "shape", {"number": 3, "half": 0.5, "list": [True, None, {"a": "\u00fc"}]}
            )

        return run

    def same(one: Any, other: Any, *fields: str) -> None:
        for field in fields:
            assert getattr(one, field) == getattr(other, field)

    workspace = cast(automation.LocalWorkspace, place.stack.workspace)
    for secret in (False, True):
        place.up(program(secret))
        read, told = place.stack.outputs(), quick.ask_outputs(workspace, place.stack.name)
        assert read.keys() == told.keys() == {"text", "shape"}
        for key, output in told.items():
            same(read[key], output, "value", "secret")
        assert read["text"].secret is secret
    read, told = place.stack.info(), quick.ask_info(place.stack)
    same(read, told, "kind", "message", "result", "resource_changes")
    assert read and read.resource_changes == {"same": 1}
    with pytest.raises(automation.StackNotFoundError):
        automation.Stack.select("nowhere", workspace)


def test_reads_mark_secrets(place: Place) -> None:
    """`get`, import and refresh have no inputs to learn the marks of a Secret from."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "foreign"},
        "stringData": {"token": CANARY},
    }
    # Client-side apply: kubectl leaves a copy of the manifest in an annotation.
    place.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def get() -> None:
        found = k8s.core.v1.Secret.get("got", f"{place.namespace}/foreign", opts=place.provider())
        pulumi.export("token", found.data["token"])

    def adopt() -> None:
        get()
        k8s.core.v1.Secret(
            "adopted",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="foreign", namespace=place.namespace),
            data={"token": ENCODED},
            type="Opaque",
            opts=pulumi.ResourceOptions.merge(
                place_options(place), pulumi.ResourceOptions(import_=f"{place.namespace}/foreign")
            ),
        )

    place.up(get)
    token = place.stack.outputs()["token"]
    assert token.secret and token.value == ENCODED
    assert place.up(adopt) == {"import": 1, "create": 1, "read": 1}
    place.run("refresh", adopt)
    assert place.preview(adopt) == {"read": 1}
    text = json.dumps(place.state())
    assert "adopted" in text and "got" in text
    assert CANARY not in text and ENCODED not in text


def place_options(place: Place) -> pulumi.ResourceOptions:
    """A second provider of a program."""
    provider = k8s.Provider(
        "second",
        kubeconfig=str(place.control_plane.kubeconfig),
        enable_secret_mutable=True,
    )
    return pulumi.ResourceOptions(provider=provider)


def test_errors_show_no_secret(place: Place) -> None:
    """An API server repeats the values that it refuses; the preview already tells."""

    def program() -> None:
        k8s.core.v1.ConfigMap(
            "settings",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name="settings", labels={"token": pulumi.Output.secret(f"{CANARY} refused!")}
            ),
            opts=place.provider(),
        )

    said = place.refused("preview", program)
    assert "metadata.labels" in said and "[secret]" in said
    assert CANARY not in said


def test_previews_what_cannot_be_asked_for(place: Place) -> None:
    """A kind whose CRD is not there, or a namespace that comes in the same update."""

    def program() -> None:
        options = place.provider()
        k8s.apiextensions.CustomResource(
            "later", api_version="example.com/v1", kind="Later", spec={"size": 1}, opts=options
        )
        k8s.core.v1.ConfigMap(
            "elsewhere",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="x", namespace="not-there-yet"),
            data={"a": "1"},
            opts=options,
        )

    assert place.preview(program) == {"create": 4}


def test_update_in_place_or_replace(place: Place) -> None:
    """The force-new properties replace, delete first when the name is pinned; others update."""

    def program(
        secret: str = "one", service: str = "database", replicas: int = 1, mutable: bool = True
    ) -> Program:
        def run() -> None:
            options = place.provider(mutable)
            k8s.core.v1.Secret(
                "account",
                metadata=k8s.meta.v1.ObjectMetaArgs(name="account"),
                string_data={"password": secret},
                opts=options,
            )
            workload(options, service=service, replicas=replicas)

        return run

    place.up(program())
    uid = place.live("secrets", "account")["metadata"]["uid"]
    assert place.preview(program(secret="two")) == {"update": 1}
    assert place.preview(program(replicas=2)) == {"update": 1}
    assert place.preview(program(service="other")) == {"replace": 1}
    # The provider itself shows its changed flag.
    assert place.preview(program(secret="two", mutable=False)) == {"update": 1, "replace": 1}
    assert place.up(program(secret="two", replicas=2)) == {"update": 2}
    found = place.live("secrets", "account")
    assert found["metadata"]["uid"] == uid
    assert base64.b64decode(found["data"]["password"]).decode() == "two"
    assert place.live("statefulsets", "database")["status"]["readyReplicas"] == 2
    assert place.up(program(secret="two", replicas=2, service="other")) == {"replace": 1}
    assert place.live("statefulsets", "database")["spec"]["serviceName"] == "other"


def test_removed_fields_leave_the_cluster(place: Place) -> None:
    """The first apply takes over the fields of the create, so that it can remove them."""

    def program(**data: str) -> Program:
        return lambda: config_map(place.provider(), **data)

    place.up(program(a="1", b="2"))
    place.up(program(a="1"))
    assert place.live("configmaps", "settings")["data"] == {"a": "1"}
    assert place.preview(program(a="1")) == {}


def test_conflicts_are_refused_unless_forced(place: Place) -> None:
    """Another field manager's value is not overwritten silently."""

    def program(value: str, force: bool = False) -> Program:
        def run() -> None:
            annotations = {"pulumi.com/patchForce": "true"} if force else None
            k8s.core.v1.ConfigMap(
                "settings",
                metadata=k8s.meta.v1.ObjectMetaArgs(name="settings", annotations=annotations),
                data={"a": value},
                opts=place.provider(),
            )

        return run

    place.up(program("1"))
    place.up(program("2"))
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"a": "theirs"},
    }
    command = ("apply", "--server-side", "--force-conflicts", "--field-manager=they", "-f", "-")
    place.kubectl(*command, stdin=json.dumps(theirs))
    said = place.refused("up", program("3"))
    assert "conflict" in said and "patchForce" in said
    place.up(program("3", force=True))
    assert place.live("configmaps", "settings")["data"] == {"a": "3"}


def test_wait_for(place: Place) -> None:
    """A timeout fails the update but keeps the object in state; the next update goes on."""

    def program() -> None:
        expressions = json.dumps(["jsonpath={.data.ready}=yes", "jsonpath={.metadata.uid}"])
        k8s.core.v1.ConfigMap(
            "settings",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name="settings", annotations={"pulumi.com/waitFor": expressions}
            ),
            data={"a": "1"},
            opts=place.provider(),
        )

    said = place.refused("up", program)
    assert "timed out" in said and ".data.ready selected nothing" in said
    kept = place.state()["settings"]
    assert kept["id"] == f"{place.namespace}/settings" and kept["initErrors"]
    place.kubectl(
        "patch", "configmap", "settings", "--field-manager=they", "-p", '{"data": {"ready": "yes"}}'
    )
    assert place.up(program) == {"update": 1}
    assert "initErrors" not in place.state()["settings"]
    assert place.preview(program) == {}


def test_wait_for_needs_every_expression(place: Place) -> None:
    """One that holds is not enough; the first look may already see what the controller reports."""
    said = place.refused("up", lambda: database(place.provider(), 3, expected=4))
    assert '.status.ready is "3", not "4"' in said
    assert ".status.state" not in said, "that one holds"
    assert place.state()["shop"]["outputs"]["status"]["ready"] == 3, "the object is kept as it is"
    assert place.up(lambda: database(place.provider(), 3)) == {"update": 1}


def test_status_is_an_output(place: Place) -> None:
    """Of a custom resource too: unknown before it exists, and the last one in a preview."""
    seen: list[int] = []

    def look(status: dict[str, Any]) -> None:
        seen.append(int(status["ready"]))

    def program(servers: int) -> Program:
        def run() -> None:
            database(place.provider(), servers).status.apply(look)

        return run

    def after(operation: str, servers: int) -> tuple[dict[str, int], list[int]]:
        seen.clear()
        return place.run(operation, program(servers))[0], list(seen)

    assert after("preview", 3) == ({"create": 3}, [])
    assert after("up", 3) == ({"create": 3}, [3])
    assert after("preview", 5) == ({"update": 1}, [3]), "not yet known"
    assert after("up", 5) == ({"update": 1}, [5])
    assert after("up", 5) == ({}, [5])

    # What the operator reports later is no difference, whether a refresh has seen it or not.
    later = json.dumps({"status": {"ready": 4, "state": "initializing"}})
    place.kubectl("patch", "pxc", "shop", "--subresource=status", "--type=merge", "-p", later)
    assert after("preview", 5) == ({}, [5])
    place.run("refresh", program(5))
    assert place.state()["shop"]["outputs"]["status"]["state"] == "initializing"
    assert after("preview", 5) == ({}, [4])


def test_kinds_that_the_plugin_does_not_know(place: Place) -> None:
    """With what the API server adds to them and drops from them, and without a controller."""

    def program(port: int = 6032) -> Program:
        def run() -> None:
            options = place.provider()
            everyone = k8s.networking.v1.NetworkPolicyPeerArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs()
            )
            k8s.networking.v1.NetworkPolicy(
                "policy",
                metadata=k8s.meta.v1.ObjectMetaArgs(name="policy"),
                spec=k8s.networking.v1.NetworkPolicySpecArgs(
                    pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"app": "proxysql"}),
                    ingress=[
                        k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                            ports=[k8s.networking.v1.NetworkPolicyPortArgs(port=port)],
                            from_=[everyone],
                        ),
                        k8s.networking.v1.NetworkPolicyIngressRuleArgs(),
                    ],
                    egress=[],
                ),
                opts=options,
            )
            k8s.apiextensions.CustomResource(
                "certificate",
                api_version="cert-manager.io/v1",
                kind="Certificate",
                metadata=k8s.meta.v1.ObjectMetaArgs(name="certificate"),
                spec={
                    "secretName": "tls",
                    "dnsNames": ["proxysql"],
                    "privateKey": {"algorithm": "RSA", "size": 2048, "rotationPolicy": "Always"},
                    "issuerRef": {"name": "issuer", "kind": "Issuer", "group": "cert-manager.io"},
                },
                opts=options,
            )

        return run

    assert place.up(program()) == {"create": 4}
    assert place.preview(program()) == {}
    place.run("refresh", program())
    assert place.preview(program()) == {}
    assert place.up(program(port=6033)) == {"update": 1}
    (named, _) = place.live("networkpolicies", "policy")["spec"]["ingress"]
    assert named["ports"] == [{"port": 6033, "protocol": "TCP"}]
    place.stack.destroy()
    assert not place.exists("certificates", "certificate")


def test_client_side_apply(place: Place) -> None:
    """The other mode: a merge patch, and a label instead of a field manager."""

    def program(**data: str) -> Program:
        return lambda: config_map(place.provider(server_side=False), **data)

    place.up(program(a="1", b="2"))
    place.up(program(a="3"))
    found = place.live("configmaps", "settings")
    assert found["data"] == {"a": "3"}
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "pulumi"}
    assert place.preview(program(a="3")) == {}


def test_unreachable_cluster(place: Place) -> None:
    """A preview is silent, as upstream's; an update fails and says why."""

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig=_kubeconfig("https://127.0.0.1:1", CANARY))
        config_map(pulumi.ResourceOptions(provider=provider), a="1")

    created, said = place.run("preview", program)
    assert created == {"create": 3} and "is unreachable" not in said
    said = place.refused("up", program)
    assert "https://127.0.0.1:1 does not answer" in said and CANARY not in said


def test_already_exists(place: Place) -> None:
    """A create never takes over an object that somebody else made."""
    place.kubectl("create", "configmap", "settings", "--from-literal=a=theirs")

    def program() -> None:
        config_map(place.provider(), a="ours")

    assert place.preview(program) == {"create": 3}, "a preview cannot tell it from a replacement"
    said = place.refused("up", program)
    assert "already exists" in said and "pulumi import" in said
    assert place.live("configmaps", "settings")["data"] == {"a": "theirs"}
    assert "settings" not in place.state()


def test_refresh_sees_drift_and_loss(place: Place) -> None:
    def program() -> None:
        options = place.provider()
        config_map(options, "drifts", a="1")
        config_map(options, "goes", a="1")

    place.up(program)
    place.kubectl("patch", "configmap", "drifts", "-p", '{"data": {"a": "2", "theirs": "x"}}')
    place.kubectl("delete", "configmap", "goes")
    assert place.run("refresh", program)[0] == {"update": 1, "delete": 1}
    assert place.preview(program) == {"update": 1, "create": 1}


def test_an_ignored_field_is_whose_it_is(place: Place) -> None:
    """Of what kubectl wrote an update takes over all, and drops what is not ignored."""

    def program(value: str) -> Program:
        def run() -> None:
            opts = pulumi.ResourceOptions(ignore_changes=["data.theirs", "data.absent"])
            config_map(pulumi.ResourceOptions.merge(place.provider(), opts), "shared", ours=value)

        return run

    place.up(program("1"))
    place.kubectl("patch", "configmap", "shared", "-p", '{"data": {"theirs": "x", "other": "y"}}')
    for value in ("2", "3"):
        place.up(program(value))
        assert place.live("configmaps", "shared")["data"] == {"ours": value, "theirs": "x"}
    place.kubectl(
        "patch",
        "configmap",
        "shared",
        "--field-manager=operator",
        "-p",
        '{"data": {"theirs": "z"}}',
    )
    place.up(program("4"))
    live = place.live("configmaps", "shared")
    assert live["data"] == {"ours": "4", "theirs": "z"}
    owners = [
        entry["manager"]
        for entry in live["metadata"]["managedFields"]
        if "f:theirs" in entry["fieldsV1"].get("f:data", {})
    ]
    assert owners == ["operator"]


def test_delete_waits_for_finalizers(place: Place) -> None:
    def program() -> None:
        k8s.core.v1.ConfigMap(
            "settings",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="settings", finalizers=["example.com/hold"]),
            opts=place.provider(),
        )

    place.up(program)
    said = place.refused("up", _nothing)
    assert "finalizers might be preventing deletion (example.com/hold)" in said
    assert "settings" in place.state(), "it is still there"
    place.kubectl("patch", "configmap", "settings", "-p", '{"metadata": {"finalizers": null}}')
    place.up(_nothing)
    assert "settings" not in place.state()


def test_deletion_propagation(place: Place) -> None:
    """Only the foreground waits for what an object owns, and only orphan leaves it alone."""
    waiting, others = (
        {"default": "", "foreground": "foreground"},
        {
            "background": "background",
            "orphan": "Orphan",
        },
    )
    names = [*waiting, *others]

    def program() -> None:
        options = place.provider()
        for name, policy in {**waiting, **others}.items():
            annotations = {"pulumi.com/deletionPropagationPolicy": policy} if policy else None
            k8s.core.v1.ConfigMap(
                name,
                metadata=k8s.meta.v1.ObjectMetaArgs(name=name, annotations=annotations),
                opts=pulumi.ResourceOptions.merge(
                    options,
                    pulumi.ResourceOptions(
                        custom_timeouts=pulumi.CustomTimeouts(
                            delete="3s" if name in waiting else "60s"
                        )
                    ),
                ),
            )

    def owned(name: str) -> dict[str, Any]:
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": name,
            "uid": place.live("configmaps", name)["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        metadata = {
            "name": f"{name}-owned",
            "ownerReferences": [owner],
            "finalizers": ["example.com/hold"],
        }
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    place.up(program)
    items = [owned(name) for name in names]
    place.kubectl(
        "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    said = place.refused("up", _nothing)
    assert said.count("foregroundDeletion") >= len(waiting)
    assert [name for name in names if place.exists("configmaps", name)] == list(waiting)
    assert "ownerReferences" not in place.live("configmaps", "orphan-owned")["metadata"]
    for name in names:
        place.kubectl(
            "patch", "configmap", f"{name}-owned", "-p", '{"metadata": {"finalizers": null}}'
        )
    place.up(_nothing)
    assert not [name for name in names if place.exists("configmaps", name)]


def test_names_that_pulumi_makes(place: Place) -> None:
    """Without a name: a random suffix, kept by updates, and a new one for a replacement."""

    def program(value: str, mutable: bool) -> Program:
        def run() -> None:
            options = place.provider(mutable)
            k8s.core.v1.ConfigMap("auto", data={"a": value}, opts=options)

        return run

    def name() -> str:
        return place.state()["auto"]["outputs"]["metadata"]["name"]

    place.up(program("1", mutable=True))
    first = name()
    assert re.fullmatch(r"auto-[0-9a-f]{8}", first)
    place.up(program("2", mutable=True))
    assert name() == first
    place.up(program("3", mutable=False))
    assert name() != first and not place.exists("configmaps", first)


def test_same_as_the_official_plugin(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    place: Place,
    tools: Toolchain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Inputs, outputs and secret marks of both, on the same program."""
    homes = [tools.pulumi_home, Path.home() / ".pulumi"]
    home = next((h for h in homes if [*h.glob("plugins/resource-kubernetes-v*")]), None)
    if home is None:
        pytest.skip("no official kubernetes plugin is installed on this machine")

    def program() -> None:
        options = place.provider()
        secret = pulumi.Output.secret(CANARY)
        k8s.core.v1.Secret(
            "account",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="account"),
            string_data={"token": secret},
            opts=options,
        )
        config_map(options, mode="ha", token=secret)
        workload(options, password=secret)
        rule(options, secret)

    def shape(value: Any) -> Any:
        """Without what differs from one object to the next, and without ciphertext."""
        if isinstance(value, dict):
            members = cast(dict[str, Any], value)
            if "ciphertext" in members:
                return "[secret]"
            skipped = r"uid|resourceVersion|creationTimestamp|managedFields|status|__fieldManager"
            return {k: shape(v) for k, v in members.items() if not re.fullmatch(skipped, k)}
        if isinstance(value, list):
            return [shape(item) for item in cast(list[Any], value)]
        return value

    def deployed(place: Place) -> dict[str, Any]:
        place.up(program)
        place.run("refresh", program)
        changes = place.preview(program)
        state = {
            name: shape({part: item.get(part) for part in ("id", "inputs", "outputs")})
            for name, item in place.state().items()
            if item["type"].count(":") == 2 and item["type"].startswith("kubernetes:")
        }
        place.stack.destroy()
        return {"changes": changes, **state}

    ours = deployed(place)
    monkeypatch.undo()
    other = tmp_path / "official"
    other.mkdir()
    environment = {"PULUMI_HOME": str(home)}
    command = place.stack.workspace.pulumi_command
    official = _place(request, other, place.control_plane, command, environment)
    assert deployed(official) == ours


# Without the engine


def _diff_config(old: dict[str, Any], new: dict[str, Any]) -> DiffResponse:
    provider = KubernetesProvider(Engine("unused"))
    request = DiffRequest("urn", "id", wrap_map(old), wrap_map(new), [])
    return asyncio.run(provider.diff_config(request))


def _kubeconfig(server: str, token: str = "t") -> str:
    contexts = [{"name": "c", "context": {"cluster": "k", "user": "u"}}]
    clusters = [{"name": "k", "cluster": {"server": server}}]
    users = [{"name": "u", "user": {"token": token}}]
    return json.dumps(
        {"current-context": "c", "contexts": contexts, "clusters": clusters, "users": users}
    )


def test_another_cluster_replaces_the_provider() -> None:
    one, other = _kubeconfig("https://one"), _kubeconfig("https://other")
    assert _diff_config({"kubeconfig": one}, {"kubeconfig": other}).replaces == ["kubeconfig"]
    renewed = _diff_config({"kubeconfig": one}, {"kubeconfig": _kubeconfig("https://one", "new")})
    assert renewed.changes and not renewed.replaces
    same = {"clusterIdentifier": "a"}
    moved = _diff_config({"kubeconfig": one, **same}, {"kubeconfig": other, **same})
    assert moved.changes and not moved.replaces
    renamed = _diff_config(same, {"clusterIdentifier": "b"})
    assert renamed.replaces == ["clusterIdentifier"]
    assert not _diff_config(same, same).changes


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".status.phase", ["Ready"]),
        ("$.status['phase']", ["Ready"]),
        (".status.conditions[0].type", ["A"]),
        (".status.conditions[*].type", ["A", "B"]),
        ('.status.conditions[?(@.type=="B")].status', ["True"]),
        (".status.conditions[?(@.type=='B')].status", ["True"]),
        (".status.nothing.below", []),
        (".status.conditions[7]", []),
    ],
)
def test_json_path(path: str, expected: list[str]) -> None:
    conditions = [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}]
    assert json_path(path)({"status": {"phase": "Ready", "conditions": conditions}}) == expected


def test_wait_for_expressions() -> None:
    old = {"type": "Ready", "status": "True", "observedGeneration": 1}
    live = {"metadata": {"generation": 2}, "status": {"conditions": [old], "ok": True}}
    ready, other, path = parse_wait_for(
        '["condition=ready", "condition=Ready=False", "jsonpath={.status.ok}=true"]'
    )
    assert ready(live) and other(live) and path(live) is None
    old["observedGeneration"] = 2
    assert ready(live) is None and other(live)
    for text in ("ready", "[]", "jsonpath=.a=b", "jsonpath={.a"):
        with pytest.raises(ValueError):
            parse_wait_for(text)


def test_stateful_set_readiness() -> None:
    status = {
        "observedGeneration": 2,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "currentRevision": "a",
        "updateRevision": "a",
    }
    live = {"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}
    assert stateful_set(live) == []
    for field, value in (
        ("observedGeneration", 1),
        ("readyReplicas", 2),
        ("currentReplicas", 1),
        ("updateRevision", "b"),
    ):
        assert stateful_set({**live, "status": {**status, field: value}})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("1000m", "1"), ("1024Mi", "1Gi"), ("0.5", "500m"), ("1.5Gi", "1536Mi"), (2, "2"),
        ("1500Mi", "1500Mi"), ("2000M", "2G"), ("0.5Ki", "512"), ("0", "0"), ("large", "large"),
    ],
)  # fmt: skip
def test_quantities_are_written_as_the_api_server_does(given: str, kept: str) -> None:
    assert canonical(given) == kept


def test_what_go_leaves_out_is_no_difference() -> None:
    """What upstream's `Normalize` made of this StatefulSet."""

    def stateful(pod: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
        labels = {"app": "database", "empty": ""}
        template = {"metadata": {"labels": labels}, "spec": {**pod, "containers": [container]}}
        spec = {"serviceName": "database", "replicas": 0, "template": template}
        return {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec}

    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {}}]
    declared = stateful(
        {
            "automountServiceAccountToken": False,
            "hostNetwork": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [],
            "nodeSelector": {},
            "volumes": volumes,
        },
        {
            "name": "database",
            "stdin": False,
            "env": [{"name": "E", "value": ""}],
            "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
        },
    )
    kept = stateful(
        {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "volumes": volumes,
        },
        {
            "name": "database",
            "env": [{"name": "E"}],
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
        },
    )
    assert normalized(declared) == kept
    operators = {**declared, "apiVersion": "k8s.mariadb.com/v1alpha1"}
    assert normalized(operators) == operators


def test_only_what_the_inputs_mention_is_compared() -> None:
    live = {"apiVersion": "apps/v1", "spec": {"cpu": "1", "replicas": 1}}
    assert pruned(live, {"spec": {"replicas": 2, "other": 1}}) == {"spec": {"replicas": 1}}
    found = detailed(live, {"spec": {"cpu": "2", "a.b": [1]}}, [])
    assert list(found) == ["spec.cpu", 'spec["a.b"]', "spec.replicas", "apiVersion"]
    assert list(detailed({"a": 1, "b": 1}, {"a": True, "b": 1}, [])) == ["a"]


ENDPOINTS: list[tuple[list[dict[str, Any]], str]] = [
    ([], ""),
    ([{"ready": True}], ""),
    ([{}], ""),
    ([{"ready": False}], "does not target any Pods"),
    ([{"ready": False, "terminating": True}], ""),
    ([{"ready": True}, {"ready": False}], "1 of the Pods"),
]


@pytest.mark.parametrize(("conditions", "lacks"), ENDPOINTS)
def test_endpoints_that_a_service_waits_for(conditions: list[dict[str, Any]], lacks: str) -> None:
    reasons = endpoints_lack([{"conditions": found} for found in conditions])
    assert bool(reasons) == bool(lacks) and lacks in "".join(reasons)


def test_force_new_properties() -> None:
    stateful = force_new(
        {"apiVersion": "apps/v1", "kind": "StatefulSet"},
        secret_mutable=True,
        configmap_mutable=True,
    )
    assert replaces(("spec", "selector", "matchLabels", "app"), "x", stateful)
    assert replaces(("spec",), {"serviceName": "x"}, stateful)
    assert not replaces(("spec", "replicas"), 2, stateful)
    assert not replaces(("spec",), {"replicas": 2}, stateful)
    secret = {"apiVersion": "v1", "kind": "Secret"}
    for obj, mutable, replaced in (
        (secret, True, False),
        (secret, False, True),
        ({**secret, "immutable": True}, True, True),
    ):
        forced = force_new(obj, secret_mutable=mutable, configmap_mutable=True)
        assert replaces(("data", "a"), "x", forced) is replaced
        assert replaces(("type",), "Opaque", forced)


def test_small_rules() -> None:
    encoded = normalized({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": CANARY}})
    assert encoded["data"] == {"a": ENCODED} and "stringData" not in encoded
    assert merge_patch({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1, "d": 3}}) == {
        "a": None,
        "b": {"d": 3},
    }
    secrets = {"a": PropertyValue(CANARY, is_secret=True), "b": PropertyValue("x", is_secret=True)}
    text = f'invalid value "{CANARY}", {ENCODED}, "x" in example'
    assert redact(text, secrets) == 'invalid value "[secret]", [secret], "[secret]" in example'


@pytest.mark.parametrize(
    ("arguments", "alphabet"),
    [
        ({"length": 32, "special": False}, string.ascii_letters + string.digits),
        ({"length": 20}, string.ascii_letters + string.digits + SPECIAL),
        ({"length": 12, "upper": False, "lower": False, "special": False}, string.digits),
        ({"length": 8, "overrideSpecial": "_", "minSpecial": 8}, "_"),
        ({"length": 4, "number": False, "special": False}, string.ascii_letters),
    ],
)
def test_random_password(arguments: dict[str, Any], alphabet: str) -> None:
    values = {password(arguments) for _ in range(20)}
    assert all(len(value) == arguments["length"] for value in values)
    assert set("".join(values)) <= set(alphabet)
    assert len(values) > 1 or len(alphabet) == 1


def test_marks_survive_a_change_of_shape() -> None:
    """What was secret as a list stays secret as a mapping; the rest stays readable."""
    like = {
        "a": PropertyValue([PropertyValue("x", is_secret=True)]),
        "b": PropertyValue({"c": PropertyValue("x", is_secret=True)}),
    }
    wrapped = wrap_map({"a": {"k": "x"}, "b": {"c": "x", "d": "y"}, "e": 1}, like)
    assert wrapped["a"].is_secret and not wrapped["b"].is_secret
    members = cast(Mapping[str, PropertyValue], wrapped["b"].value)
    assert members["c"].is_secret and not members["d"].is_secret
    assert not wrapped["e"].contains_secret()


def test_random_password_minima() -> None:
    arguments = {"length": 8, "minNumeric": 2, "minUpper": 2, "minLower": 2, "minSpecial": 2}
    for _ in range(20):
        value = password(arguments)
        for characters in (string.digits, string.ascii_uppercase, string.ascii_lowercase, SPECIAL):
            assert sum(character in characters for character in value) == 2
    for refused in (
        {"length": 1, "minUpper": 2},
        {"length": 4, "upper": False, "lower": False, "numeric": False, "special": False},
    ):
        with pytest.raises(ValueError):
            password(refused)


def test_random_arguments_replace() -> None:
    provider = RandomProvider(Engine("unused"))
    old = {"length": 32, "keepers": {"rotation": "1"}, "result": CANARY}
    urn = f"urn:pulumi:s::p::{PASSWORD}::password"

    def diff(new: dict[str, Any]) -> list[str]:
        request = DiffRequest(urn, "none", wrap_map(old), wrap_map(new), [])
        return asyncio.run(provider.diff(request)).replaces

    assert diff({"length": 32, "keepers": {"rotation": "1"}}) == []
    assert diff({"length": 32, "keepers": {"rotation": "2"}}) == ["keepers"]
    assert diff({"length": 32, "keepers": {"rotation": "1"}, "upper": True}) == [], "the default"
    assert diff({"length": 16, "special": False}) == ["keepers", "length", "special"]
    refused = asyncio.run(provider.check(CheckRequest(urn, {}, wrap_map({"length": 0}), b"")))
    assert refused.failures
    made = identifier({"byteLength": 4, "prefix": "p-"})
    assert re.fullmatch(r"p-[0-9a-f]{8}", made["hex"]) and int(made["dec"][2:]) == int(
        made["hex"][2:], 16
    )
