"""Tier 4: the real program on the real engine, API server and mariadb-operator.

The tests of one class share a stack and run in order: each looks at what the last one left. The
namespace enforces Pod Security `restricted`, so a Pod that exists has passed it.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pytest
import yaml
from pulumi.automation import CommandError, Stack

from components.config.engine import MARIADB
from components.proxysql.live import native_password_hash
from local.control_plane import ControlPlane
from local.engine import Engine
from local.go import module_directory
from local.toolchain import OPERATOR
from tests.engine.api import Api
from tests.engine.stacks import Cluster, changes, passwords_in_state, raw_state, refused
from tools import why

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

KEPT = {"PersistentVolumeClaim": "persistentvolumeclaims", "Secret": "secrets"}
"""Kinds that outlive a stack, with their plurals."""


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    Api(control_plane).ensure_namespace("tier4")
    return Cluster(control_plane, "tier4")


def config(size: str, name: str, **overrides: Any) -> dict[str, Any]:
    return {
        "mysql-ha:size": size,
        "mysql-ha:name": name,
        "mysql-ha:namespace": "tier4",
        **{f"mysql-ha:{key}": value for key, value in overrides.items()},
    }


class TestSmall:
    """The size `small`: replication with three servers behind three proxies."""

    NAME = "orders"

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, engine: Engine, cluster: Cluster) -> Stack:
        return engine.open("tier4-small", config("small", cls.NAME))

    def test_preview_is_a_dry_run_and_makes_nothing(self, stack: Stack, cluster: Cluster) -> None:
        result = stack.preview(on_output=print)
        assert cast(Mapping[str, int], result.change_summary)["create"] > 20
        assert self.NAME not in cluster.list("mariadbs")

    def test_up_makes_the_objects(self, stack: Stack, cluster: Cluster) -> None:
        stack.up(on_output=print)
        assert self.NAME in cluster.list("mariadbs")
        assert f"{self.NAME}-proxysql-monitor" in cluster.list("users")
        assert f"{self.NAME}-proxysql-monitor" in cluster.list("grants")
        assert {self.NAME, f"{self.NAME}-proxysql"} <= set(cluster.list("statefulsets"))
        assert {
            f"{self.NAME}-internal",
            f"{self.NAME}-primary",
            f"{self.NAME}-secondary",
            f"{self.NAME}-proxysql",
            f"{self.NAME}-proxysql-cluster",
        } <= set(cluster.list("services"))
        assert {self.NAME, f"{self.NAME}-proxysql"} <= set(cluster.list("poddisruptionbudgets"))

    @pytest.mark.parametrize(
        "proxy", [{"service": {"port": 6034}}, {"interfaces": "0.0.0.0:7000"}], ids=str
    )
    def test_the_first_change_of_a_port_passes_the_preview(
        self, engine: Engine, stack: Stack, proxy: dict[str, Any]
    ) -> None:
        """A dry run still sees the entry that the create wrote, and two of one name are refused."""
        try:
            edited = engine.open("tier4-small", config("small", self.NAME, proxy=proxy))
            summary = cast(Mapping[str, int], edited.preview(on_output=print).change_summary)
        finally:
            engine.open("tier4-small", config("small", self.NAME))
        assert summary["update"] >= 1

    def test_three_pods_of_each_tier_passed_pod_security(self, cluster: Cluster) -> None:
        running = [
            name
            for name, pod in cluster.list("pods").items()
            if pod["status"].get("phase") == "Running"
        ]
        for tier in (self.NAME, f"{self.NAME}-proxysql"):
            assert {f"{tier}-{ordinal}" for ordinal in range(3)} <= set(running)

    def test_the_operator_reports_ready(self, cluster: Cluster) -> None:
        conditions = cluster.list("mariadbs")[self.NAME]["status"]["conditions"]
        assert {c["type"]: c["status"] for c in conditions if c["type"] == "Ready"} == {
            "Ready": "True"
        }

    def test_hosts_in_the_file_are_services_of_the_operator(self, cluster: Cluster) -> None:
        """Hosts that are Pods: test_examples.py."""
        services = cluster.list("services")
        servers = cluster.proxysql_cnf(self.NAME)["mysql_servers"]
        for server, role in zip(servers, ("primary", "secondary", "primary"), strict=True):
            service, namespace, *rest = server["address"].split(".")
            assert service == f"{self.NAME}-{role}"
            assert service in services
            assert (namespace, rest) == (cluster.namespace, ["svc", "cluster", "local"])

    def test_peers_in_the_file_are_the_proxy_pods(self, cluster: Cluster) -> None:
        pods = cluster.list("pods")
        peers = cluster.proxysql_cnf(self.NAME)["proxysql_servers"]
        assert len(peers) == 3
        for peer in peers:
            pod, service, *_ = peer["hostname"].split(".")
            assert pods[pod]["spec"]["subdomain"] == service

    def test_the_root_secret_is_the_one_the_operator_uses(self, cluster: Cluster) -> None:
        spec = cluster.list("mariadbs")[self.NAME]["spec"]
        assert spec["rootPasswordSecretKeyRef"]["name"] == f"{self.NAME}-root"
        assert len(cluster.secret(f"{self.NAME}-root")["password"]) == 32

    def test_the_policies_select_the_pods_that_are_there(self, cluster: Cluster) -> None:
        """Servers by what the operator put on them, proxies by what this program did."""
        pods = {name: pod["metadata"]["labels"] for name, pod in cluster.list("pods").items()}
        servers, proxies = (
            {f"{tier}-{ordinal}" for ordinal in range(3)}
            for tier in (self.NAME, f"{self.NAME}-proxysql")
        )
        policies = cluster.list("networkpolicies")

        def selected(selector: Mapping[str, Any]) -> set[str]:
            wanted = selector["matchLabels"].items()
            return {name for name, labels in pods.items() if wanted <= labels.items()}

        spec = policies[self.NAME]["spec"]
        assert selected(spec["podSelector"]) == servers
        assert selected(policies[f"{self.NAME}-proxysql"]["spec"]["podSelector"]) == proxies
        sql = {"port": 3306, "protocol": "TCP"}
        (sources,) = (rule["from"] for rule in spec["ingress"] if sql in rule["ports"])
        selectors = [peer["podSelector"] for peer in sources if peer.keys() == {"podSelector"}]
        inside = [selected(selector) for selector in selectors if "matchLabels" in selector]
        assert servers in inside
        assert proxies in inside

    def test_the_operators_chart_gives_its_pods_the_label(self) -> None:
        chart = module_directory("mariadb-operator", OPERATOR) / "deploy/charts/mariadb-operator"
        name = yaml.safe_load((chart / "Chart.yaml").read_text())["name"]
        helpers = (chart / "templates/_helpers.tpl").read_text()
        assert 'app.kubernetes.io/name: {{ include "mariadb-operator.name" . }}' in helpers
        assert "default .Chart.Name .Values.nameOverride" in helpers
        assert (name,) == MARIADB.operators

    def test_up_again_changes_nothing(self, stack: Stack) -> None:
        assert changes(stack.up(on_output=print)) == {}

    def test_refresh_finds_no_drift(self, stack: Stack) -> None:
        result = stack.refresh()
        done = cast(Mapping[str, int], result.summary.resource_changes or {})
        assert set(done) <= {"same", "update"}, done
        assert changes(stack.up(on_output=print)) == {}

    def test_state_holds_no_password_in_clear(
        self, engine: Engine, stack: Stack, cluster: Cluster
    ) -> None:
        passwords = cluster.passwords()
        assert len(passwords) >= 6
        stored = raw_state(engine, stack)
        for password in passwords:
            assert password not in stored
            assert base64.b64encode(password.encode()).decode() not in stored
        file = cluster.proxysql_cnf(self.NAME)
        assert file["mysql_variables"]["monitor_password"] in passwords

    def test_no_password_outside_secrets_in_the_cluster(self, cluster: Cluster) -> None:
        others = "configmaps,statefulsets,pods,services,mariadbs,users,grants,events"
        text = cluster.control_plane.kubectl("get", others, "-n", "tier4", "-o", "json")
        for password in cluster.passwords():
            assert password not in text

    def test_what_people_set_for_the_operator_stays(
        self, engine: Engine, stack: Stack, cluster: Cluster
    ) -> None:
        """The provider takes over whatever kubectl wrote, and drops what the program does not."""
        primary = {"autoFailover": False}
        theirs = {
            "cleanupPolicy": "Skip",
            "podMetadata": {"annotations": {"edited": "by hand"}},
            "replication": {"primary": primary, "replica": {"syncTimeout": "11s"}},
        }
        patch = json.dumps({"spec": theirs})
        cluster.control_plane.kubectl(
            "patch", "mariadb", self.NAME, "-n", cluster.namespace, "--type=merge", "-p", patch
        )
        edited = config("small", self.NAME, scheduling={"database": {"disruption_budget": False}})
        for values in (edited, config("small", self.NAME)):
            engine.open("tier4-small", values)
            stack.up(on_output=print)
            spec = cluster.list("mariadbs")[self.NAME]["spec"]
            assert spec["cleanupPolicy"] == "Skip"
            assert "edited" not in spec["podMetadata"].get("annotations", {}), "a key of ours"
            assert spec["replication"]["primary"] == {
                "autoFailover": False,
                "autoFailoverDelay": "2s",
                "podIndex": 0,  # the operator's own default
            }
            assert spec["replication"]["replica"]["syncTimeout"] == "11s"
            assert ("podDisruptionBudget" in spec) == (values != edited)
        assert changes(stack.up(on_output=print)) == {}

    def test_a_config_edit_rolls_every_proxy_and_nothing_else(
        self, engine: Engine, stack: Stack, cluster: Cluster
    ) -> None:
        before = {name: pod["metadata"]["uid"] for name, pod in cluster.list("pods").items()}
        secrets = set(cluster.list("secrets"))
        edited = config("small", self.NAME, proxy={"mysql_variables": {"long_query_time": 500}})
        engine.open("tier4-small", edited)
        done = changes(stack.up(on_output=print))
        assert done.pop("update") == 1
        assert set(done) <= {"replace", "create-replacement", "delete-replaced", "discard"}
        after = {name: pod["metadata"]["uid"] for name, pod in cluster.list("pods").items()}
        for ordinal in range(3):
            proxy, server = f"{self.NAME}-proxysql-{ordinal}", f"{self.NAME}-{ordinal}"
            assert before[proxy] != after[proxy]
            assert before[server] == after[server]
        assert cluster.proxysql_cnf(self.NAME)["mysql_variables"]["long_query_time"] == 500
        # The old file is gone, the new one is there.
        assert len(set(cluster.list("secrets")) - secrets) == 1
        assert len(secrets - set(cluster.list("secrets"))) == 1

    def test_rotation_and_scale_in(self, engine: Engine, stack: Stack, cluster: Cluster) -> None:
        """One update, as each roll of the proxies takes its time."""
        before = passwords_in_state(stack)
        edited = config(
            "small", self.NAME, proxy={"replicas": 2}, credentials={"monitor": {"rotation": 1}}
        )
        engine.open("tier4-small", edited)
        stack.up(on_output=print)
        after = passwords_in_state(stack)
        # The monitor has a second account; proxies that wait for their roll still have the first.
        current = after.pop(f"{self.NAME}-monitor.b")
        assert after == before
        assert cluster.secret(f"{self.NAME}-monitor") == {
            "password": before[f"{self.NAME}-monitor"],
            "password-b": current,
        }
        users = cluster.list("users")
        for mark in ("", ".b"):
            assert f"{self.NAME}-proxysql-monitor{mark}" in users
        cnf = cluster.proxysql_cnf(self.NAME)
        assert cnf["mysql_variables"]["monitor_username"] == "proxysql_monitor_b"
        assert cnf["mysql_variables"]["monitor_password"] == current
        # Nobody is left in the list of peers who is not there.
        peers = [peer["comment"] for peer in cnf["proxysql_servers"]]
        assert peers == [f"{self.NAME}-proxysql-{ordinal}" for ordinal in range(2)]
        assert f"{self.NAME}-proxysql-2" not in cluster.list("pods")

    @pytest.mark.parametrize(
        ("overrides", "paths"),
        [
            (
                {
                    "database": {"storage": {"size": "5Gi", "storage_class": "x"}, "replicas": 5},
                    "credentials": {"root": {"existing_secret": {"name": "a", "key": "b"}}},
                    "security": {"tls": {"enabled": False}},
                },
                (
                    "database.storage.size",
                    "database.storage.storage_class",
                    "credentials.root",
                    "database.replicas",
                    "security.tls",
                ),
            ),
            ({"database": {"topology": "galera"}}, ("database.topology",)),
            ({"namespace": "elsewhere"}, ("namespace",)),
            ({"name": "renamed"}, ("name",)),
            (
                {"database": {"replicas": 0}, "proxy": {"replicsa": 2}},
                ("database.replicas", "proxy.replicsa"),
            ),
        ],
    )
    def test_a_dangerous_or_malformed_edit_is_refused_at_preview(
        self,
        engine: Engine,
        stack: Stack,
        cluster: Cluster,
        overrides: dict[str, Any],
        paths: tuple[str, ...],
    ) -> None:
        uid = cluster.list("mariadbs")[self.NAME]["metadata"]["uid"]
        base = {"credentials": {"monitor": {"rotation": 1}}, "proxy": {"replicas": 2}}
        text = refused(
            engine,
            "tier4-small",
            config("small", self.NAME)
            | config("small", overrides.pop("name", self.NAME), **{**base, **overrides}),
        )
        for path in paths:
            assert f"mysql-ha:{path}: " in text
        assert text.count("Fix: ") >= len(paths)
        assert cluster.list("mariadbs")[self.NAME]["metadata"]["uid"] == uid

    def test_a_consumer_reads_the_outputs(self, engine: Engine, stack: Stack) -> None:
        def consumer() -> None:
            database = pulumi.StackReference("organization/mysql-ha/tier4-small")
            pulumi.export(
                "url",
                pulumi.Output.format(
                    "mysql://{0}:{1}",
                    database.get_output("MYSQL_HOST"),
                    database.get_output("MYSQL_PORT"),
                ),
            )

        outputs = engine.open("tier4-consumer", {}, consumer).up().outputs
        assert outputs["url"].value == f"mysql://{self.NAME}-proxysql.tier4.svc.cluster.local:6033"

    def test_destroy_is_refused_while_protected(self, stack: Stack, cluster: Cluster) -> None:
        with pytest.raises(CommandError, match="protect"):
            stack.destroy()
        assert self.NAME in cluster.list("mariadbs")

    def test_the_proxies_can_go(self, engine: Engine, stack: Stack, cluster: Cluster) -> None:
        """Their passwords can be made anew, so nothing of them is protected."""
        engine.open("tier4-small", config("small", self.NAME, proxy={"enabled": False}))
        outputs = stack.up(on_output=print).outputs
        assert outputs["MYSQL_HOST"].value == f"{self.NAME}-primary.tier4.svc.cluster.local"
        assert f"{self.NAME}-proxysql" not in cluster.list("statefulsets")
        assert self.NAME in cluster.list("mariadbs")

    def test_destroy_when_meant_keeps_the_volumes(self, engine: Engine, cluster: Cluster) -> None:
        """And what else the documentation names, no more."""
        engine.destroy("tier4-small", on_output=print, color="never")
        for kind in ("mariadbs", "statefulsets", "users", "poddisruptionbudgets"):
            assert not [name for name in cluster.list(kind) if name.startswith(self.NAME)], kind
        stayed = [
            (kind, name)
            for kind, plural in KEPT.items()
            for name in cluster.list(plural)
            if self.NAME in name
        ]
        assert stayed == MARIADB.left_behind(self.NAME, "replication", 3)

    def test_the_name_is_refused_until_the_volumes_are_gone(
        self, engine: Engine, cluster: Cluster
    ) -> None:
        """They have the data and the root password of the database that was."""
        text = refused(engine, "tier4-small", config("small", self.NAME))
        claims = MARIADB.claims(self.NAME, "replication", 3)
        assert f"mysql-ha:name: namespace 'tier4' has the volume claims {', '.join(claims)}" in text
        cluster.control_plane.kubectl("delete", "pvc", "-n", "tier4", *claims)
        result = engine.open("tier4-small", config("small", self.NAME)).preview()
        assert cast(Mapping[str, int], result.change_summary)["create"] > 20


def test_a_first_update_that_failed_may_go_on(engine: Engine, cluster: Cluster) -> None:
    """Although claims are there that no finished update has made."""
    nowhere = config(
        "dev",
        "slow",
        database={"ready_timeout": "5s"},
        scheduling={"database": {"node_selector": {"example.com/room": "none"}}},
    )
    with pytest.raises(CommandError, match="timed out"):
        engine.open("tier4-slow", nowhere).up(on_output=print)
    assert "storage-slow-0" in cluster.list("persistentvolumeclaims")
    engine.open("tier4-slow", config("dev", "slow")).preview(on_output=print)
    cluster.abandon("slow")


def test_a_quota_that_lets_no_pod_be_made_is_named(engine: Engine, cluster: Cluster) -> None:
    """The update says only that it timed out."""
    kubectl = cluster.control_plane.kubectl
    cluster.api.ensure_namespace("tier4-quota")
    kubectl("create", "quota", "none", "--hard=pods=0", "-n", "tier4-quota")
    values = config("dev", "poor", database={"ready_timeout": "15s"})
    with pytest.raises(CommandError, match="timed out"):
        engine.open("tier4-quota", {**values, "mysql-ha:namespace": "tier4-quota"}).up()
    there = Cluster(cluster.control_plane, "tier4-quota")
    made = json.loads(kubectl("get", why.KINDS, "-n", "tier4-quota", "-o", "json"))["items"]
    objects = [*there.list("mariadbs").values(), *why.belonging(made, "poor")]
    told = [*why.reasons(objects, [*there.list("events").values()])]
    assert any(text.startswith("MariaDB poor: Ready is False") for text in told), told
    assert "StatefulSet poor: 0 of 1 Pods are ready, 0 are made" in told
    assert any("exceeded quota: none" in text for text in told), told
    there.abandon("poor")


class TestExistingSecrets:
    """Every credential, and a user's password, from Secrets that exist already."""

    NAME = "legacy"
    CANARY = {
        role: f"canary_{role}_{'x' * 16}"
        for role in (
            "root",
            "replication",
            "monitor",
            "proxy_admin",
            "proxy_stats",
            "proxy_cluster",
        )
    }
    USER_PASSWORD = 'canary: it\'s \\a "user" password;'

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, cluster: Cluster) -> dict[str, Any]:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "vault", "namespace": cluster.namespace},
            "stringData": {**cls.CANARY, "app": cls.USER_PASSWORD},
        }
        cluster.control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
        return config(
            "small",
            cls.NAME,
            credentials={
                role: {"existing_secret": {"name": "vault", "key": role}} for role in cls.CANARY
            },
            proxy={
                "users": [{"username": "app", "existing_secret": {"name": "vault", "key": "app"}}]
            },
        )

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, engine: Engine, settings: dict[str, Any]) -> Stack:
        return engine.open("tier4-existing", settings)

    def test_nothing_tells_a_password(self, engine: Engine, stack: Stack, cluster: Cluster) -> None:
        output: list[str] = []
        stack.preview(on_output=output.append, diff=True)
        stack.up(on_output=output.append)
        stack.refresh(on_output=output.append)
        assert changes(stack.up(on_output=output.append)) == {}
        text = "".join(output) + raw_state(engine, stack)
        for password in (*self.CANARY.values(), self.USER_PASSWORD):
            for form in (password, base64.b64encode(password.encode()).decode()):
                assert form not in text
                assert json.dumps(form)[1:-1] not in text
        assert native_password_hash(self.USER_PASSWORD) not in text

    def test_the_file_holds_the_existing_passwords(self, cluster: Cluster) -> None:
        file = cluster.proxysql_cnf(self.NAME)
        assert file["mysql_variables"]["monitor_password"] == self.CANARY["monitor"]
        assert file["admin_variables"]["cluster_password"] == self.CANARY["proxy_cluster"]
        assert file["mysql_users"][0]["password"] == native_password_hash(self.USER_PASSWORD)

    def test_destroy_leaves_the_existing_secret(
        self, engine: Engine, stack: Stack, cluster: Cluster
    ) -> None:
        engine.destroy("tier4-existing", on_output=print, color="never")
        assert cluster.secret("vault")["root"] == self.CANARY["root"]


def test_a_missing_secret_is_named_and_nothing_is_made(engine: Engine, cluster: Cluster) -> None:
    missing = {"existing_secret": {"name": "nowhere", "key": "x"}}
    before = set(cluster.list("secrets"))
    text = refused(
        engine, "tier4-missing", config("small", "missing", credentials={"monitor": missing})
    )
    assert "nowhere" in text
    assert set(cluster.list("secrets")) == before


def test_a_malformed_first_config_makes_nothing(engine: Engine, cluster: Cluster) -> None:
    text = refused(engine, "tier4-bad", config("small", "bad", database={"replicas": 1}))
    assert "mysql-ha:database" in text
    assert not [name for name in cluster.list("secrets") if name.startswith("bad")]


class TestDev:
    """The size `dev`: one server and no proxy. Other topologies: test_examples.py."""

    def test_dev_has_no_proxy(self, engine: Engine, cluster: Cluster) -> None:
        stack = engine.open("tier4-solo", config("dev", "solo"))
        outputs = stack.up(on_output=print).outputs
        assert outputs["MYSQL_HOST"].value == "solo.tier4.svc.cluster.local"
        assert "solo-0" in cluster.list("pods")
        assert "solo-proxysql" not in cluster.list("statefulsets")
        assert changes(stack.up()) == {}
        cluster.abandon("solo")
