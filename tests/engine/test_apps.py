"""Tier 4: the example of five apps, an application that connects as one, and edits of apps.

The tests run in order, each on what the last one left. No SQL server runs here: what an account may
do is tier 5, and how proxies load a login is tier 6.
"""

import base64
import copy
import json
import re
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from pulumi.automation import OutputMap, UpResult

from components.proxysql.live import native_password_hash
from local import REPOSITORY, LocalError
from local import engine as local_engine
from local.control_plane import ControlPlane
from local.engine import Engine
from tests.engine.api import Api
from tests.engine.stacks import Cluster, changes, raw_state, refused
from tests.unit import libconfig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NAME, STACK, CONSUMER = "mysql-apps", "apps", "consumer"
HOST = "mysql-apps-proxysql.default.svc.cluster.local"
LEGACY = 'of "legacy": 1/2 @ 3% #4 \u00fcber'
"""Quotes, blanks and what a URI would take for its own; mariadb-operator takes no other quotes."""
LEGACY_LATER = "another one: 5/6 @ 7% #8"

SECRETS = "/api/v1/namespaces/default/secrets"
USERS, GRANTS = (
    f"/apis/k8s.mariadb.com/v1alpha1/namespaces/default/{kind}" for kind in ("users", "grants")
)
OBJECTS = (
    "secrets,services,statefulsets,pods,pvc,poddisruptionbudgets,networkpolicies,mariadbs,"
    "databases.k8s.mariadb.com,users.k8s.mariadb.com,grants.k8s.mariadb.com"
)

READ = ["SELECT", "SHOW VIEW"]
WRITE = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE TEMPORARY TABLES", "EXECUTE", "LOCK TABLES",
    "SHOW VIEW",
]  # fmt: skip


def settings(*without: str, **edits: Mapping[str, Any]) -> dict[str, Any]:
    """The example's config without some apps and with other values for others, by name."""
    file = REPOSITORY / "examples" / "Pulumi.apps.yaml"
    config = copy.deepcopy(local_engine.stack_config(file))
    config["mysql-ha:apps"] = [
        {**app, **edits.get(app["name"], {})}
        for app in config["mysql-ha:apps"]
        if app["name"] not in without
    ]
    return config


def consumer_program() -> None:
    runpy.run_path(str(REPOSITORY / "examples" / "consumer" / "__main__.py"))


def consumer_config(app: str) -> dict[str, Any]:
    """The example's own files with another app in them; the CLI fills in a project's defaults."""
    folder = REPOSITORY / "examples" / "consumer"
    declared = yaml.safe_load((folder / "Pulumi.yaml").read_text())["config"]
    defaults = {key: entry["default"] for key, entry in declared.items() if "default" in entry}
    return defaults | local_engine.stack_config(folder / "Pulumi.dev.yaml") | {"consumer:app": app}


@dataclass
class Site:
    """The stack, and every password that it ever had: none may be told anywhere."""

    engine: Engine
    cluster: Cluster
    known: set[str] = field(default_factory=set[str])
    said: str = ""
    """The output of the last update."""

    def up(self, config: Mapping[str, Any]) -> UpResult:
        output: list[str] = []
        stack = self.engine.open(STACK, config)
        result = stack.up(on_output=output.append)
        self.known |= self.cluster.passwords()
        self.said = "".join(output)
        self.tells_nothing(self.said, raw_state(self.engine, stack))
        return result

    def preview(self, config: Mapping[str, Any]) -> str:
        """What a preview with all details says."""
        output: list[str] = []
        stack = self.engine.open(STACK, config)
        # With the details, warnings go to the other stream.
        stack.preview(on_output=output.append, on_error=output.append, diff=True)
        self.tells_nothing("".join(output))
        return "".join(output)

    def tells_nothing(self, *texts: str) -> None:
        assert self.known
        for password in self.known:
            encoded = base64.b64encode(password.encode()).decode()
            hashed = native_password_hash(password)
            for form in (password, encoded, hashed, json.dumps(password)[1:-1]):
                assert not [text for text in texts if form in text]

    def users(self) -> dict[str, dict[str, Any]]:
        """Who may log in through the proxies, by user name."""
        found = libconfig.parse(self.cluster.secret(f"{NAME}-proxysql-users")["users.cnf"])
        return {user["username"]: user for user in found["mysql_users"]}

    def events(self, collection: str, since: str) -> list[tuple[int, str, str]]:
        """What happened to this stack's objects; others have the namespace too."""
        happened = self.cluster.events(collection, since)
        return [event for event in happened if event[2].startswith(f"{NAME}-")]

    def binding(self, app: str) -> dict[str, str]:
        return self.cluster.secret(f"{NAME}-app-{app}")

    def specs(self, kind: str) -> list[dict[str, Any]]:
        """The specs of a kind that belong to apps."""
        found = self.cluster.list(kind).values()
        return [
            item["spec"]
            for item in found
            if item["metadata"].get("labels")
            == {
                "app.kubernetes.io/name": "account",
                "app.kubernetes.io/instance": NAME,
                "app.kubernetes.io/part-of": "mysql-ha",
            }
        ]

    def snapshot(self) -> dict[str, str]:
        """Every object of the database by kind and name, without what its controller reports."""
        text = self.cluster.control_plane.kubectl(
            "get", OBJECTS, "-n", self.cluster.namespace, "-o", "json"
        )
        found: dict[str, str] = {}
        for item in json.loads(text)["items"]:
            metadata = item["metadata"]
            if NAME not in metadata["name"]:
                continue
            item.pop("status", None)
            for key in ("resourceVersion", "managedFields"):
                metadata.pop(key, None)
            found[f"{item['kind']}/{metadata['name']}"] = json.dumps(item, sort_keys=True)
        return found


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {key for key in (*before, *after) if before.get(key) != after.get(key)}


def secrets_of(app: str) -> set[str]:
    """The Secrets through which an app's password passes, in a snapshot."""
    return {
        f"Secret/{NAME}-account-{app}",
        f"Secret/{NAME}-proxysql-users",
        f"Secret/{NAME}-app-{app}",
    }


def give_legacy(control_plane: ControlPlane, password: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "legacy-credentials", "namespace": "default"},
        "stringData": {"password": password},
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(secret))


@pytest.fixture(scope="module")
def site(engine: Engine, control_plane: ControlPlane) -> Iterator[Site]:
    Api(control_plane).ensure_namespace("default")
    give_legacy(control_plane, LEGACY)
    yield Site(engine, Cluster(control_plane, "default"))
    if STACK in local_engine.stacks_in(engine.directory):
        engine.destroy(STACK, on_output=print, color="never")


@pytest.fixture(scope="module")
def outputs(site: Site) -> OutputMap:
    """Of the example as it is."""
    return site.up(settings()).outputs


def test_the_servers_are_told_of_every_app(site: Site, outputs: OutputMap) -> None:
    """Read back: mariadb-operator's API dropped nothing and added only its defaults."""
    databases = {
        spec["name"]: (spec["characterSet"], spec["collate"], spec["cleanupPolicy"])
        for spec in site.specs("databases")
    }
    kept = ("utf8mb4", "utf8mb4_unicode_ci", "Skip")
    assert databases == {
        "shop": kept,
        "billing": kept,
        "erp": kept,
        "exchange": ("utf8mb4", "utf8mb4_unicode_ci", "Delete"),
    }
    users = {spec.pop("name"): spec for spec in site.specs("users")}
    # Of every server: from each of five proxies that there may be and one that is replaced, in two
    # hostgroups, what the app may hold, or 40, a tenth of 80 % of the server's 500.
    limits = {"shop": 480, "billing": 480, "reports": 240, "legacy_erp": 480, "partner": 480}
    assert users == {
        username: {
            "mariaDbRef": {"name": NAME, "waitForIt": True},
            "host": "%",
            "passwordSecretKeyRef": {
                "name": f"{NAME}-account-{username.removesuffix('_erp')}",
                "key": "password",
            },
            "maxUserConnections": limit,
            "cleanupPolicy": "Delete" if username == "partner" else "Skip",
        }
        for username, limit in limits.items()
    }
    secrets = site.cluster.list("secrets")
    for user in users.values():
        metadata = secrets[user["passwordSecretKeyRef"]["name"]]["metadata"]
        assert "k8s.mariadb.com/watch" in metadata["labels"]
    grants = {(spec["username"], spec["database"]): spec for spec in site.specs("grants")}
    assert {key: spec["privileges"] for key, spec in grants.items()} == {
        ("shop", "shop"): ["ALL PRIVILEGES"],
        ("billing", "billing"): WRITE,
        ("billing", "shop"): READ,
        ("reports", "shop"): READ,
        ("reports", "billing"): READ,
        ("legacy_erp", "erp"): ["SELECT", "INSERT", "UPDATE", "EXECUTE"],
        ("partner", "exchange"): WRITE,
    }
    for spec in grants.values():
        assert (spec["host"], spec["table"], spec["grantOption"]) == ("%", "*", False)
        assert (spec["mariaDbRef"]["name"], spec["cleanupPolicy"]) == (NAME, "Delete")


def test_the_proxies_know_every_login(site: Site, outputs: OutputMap) -> None:
    """In the file that the Pods mount and that their configuration includes."""
    users = site.users()
    assert site.cluster.proxysql_cnf(NAME)["mysql_users"] == list(users.values())
    columns = ("default_hostgroup", "default_schema", "max_connections", "use_ssl", "active")
    assert {name: tuple(user[column] for column in columns) for name, user in users.items()} == {
        "shop": (10, "shop", 100, 0, 1),
        "billing": (10, "billing", 200, 0, 1),
        "reports": (20, "shop", 20, 0, 1),
        "legacy_erp": (10, "erp", 200, 0, 1),
        "partner": (10, "exchange", 200, 1, 1),
    }
    for app in outputs["apps"].value:
        login = site.binding(app)
        hashed = native_password_hash(login["password"])
        assert users[login["username"]]["password"] == hashed


def test_each_app_has_a_secret_to_connect_by(site: Site, outputs: OutputMap) -> None:
    """The well-known entries of servicebinding.io, and the variables of MySQL's images."""
    passwords: set[str] = set()
    for app, known in outputs["apps"].value.items():
        assert site.cluster.list("secrets")[known["secret"]]["type"] == "servicebinding.io/mysql"
        found = site.cluster.secret(known["secret"])
        password = site.cluster.secret(f"{NAME}-account-{app}")["password"]
        passwords.add(password)
        uri = found.pop("uri")
        assert found == {
            "type": "mysql",
            "provider": "mariadb",
            "host": known["host"],
            "port": str(known["port"]),
            "database": known["database"],
            "username": known["username"],
            "password": password,
            "MYSQL_HOST": known["host"],
            "MYSQL_PORT": str(known["port"]),
            "MYSQL_DATABASE": known["database"],
            "MYSQL_USER": known["username"],
            "MYSQL_PASSWORD": password,
        }
        parts = urlsplit(uri)
        assert (parts.scheme, parts.hostname, parts.port) == ("mysql", HOST, 6033)
        assert (parts.path, parts.query, parts.fragment) == (f"/{known['database']}", "", "")
        assert parts.username == known["username"]
        assert unquote(parts.password or "") == password
    assert LEGACY in passwords
    assert len(passwords) == 5


def test_the_outputs_say_where_each_app_connects(outputs: OutputMap) -> None:
    where = {"host": HOST, "port": 6033, "reader_host": HOST, "reader_port": 6033}
    assert outputs["apps"].value == {
        app: {"secret": f"{NAME}-app-{app}", "database": database, "username": username, **where}
        for app, database, username in (
            ("shop", "shop", "shop"),
            ("billing", "billing", "billing"),
            ("reports", "shop", "reports"),
            ("legacy", "erp", "legacy_erp"),
            ("partner", "exchange", "partner"),
        )
    }
    assert not outputs["apps"].secret


def test_up_again_changes_nothing(site: Site, outputs: OutputMap) -> None:
    assert changes(site.up(settings())) == {}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"partner": {"name": "shop"}}, ("apps[4].name", "'shop' is used twice")),
        ({"billing": {"databases": {"billing": "admin"}}}, ("apps[1].databases.billing", "owner")),
    ],
    ids=["duplicate", "role"],
)
def test_a_malformed_app_is_refused_at_preview(
    edit: dict[str, dict[str, Any]], said: tuple[str, str], site: Site, outputs: OutputMap
) -> None:
    text = refused(site.engine, STACK, settings(**edit))
    assert f"mysql-ha:{said[0]}: " in text
    assert said[1] in text
    assert "Fix: " in text


def test_the_namespace_refuses_what_is_not_restricted(control_plane: ControlPlane) -> None:
    """Else the Pods of the consumers below would prove nothing."""
    run = ("run", "loose", "--image=example.invalid/x:1", "--dry-run=server", "-n", "default")
    with pytest.raises(LocalError, match="violates PodSecurity"):
        control_plane.kubectl(*run)


def pods_of(cluster: Cluster, app: str) -> dict[str, dict[str, Any]]:
    """The Pods of a consumer that do not stop."""
    return {
        pod["metadata"]["uid"]: pod
        for pod in cluster.list("pods").values()
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == app
        and "deletionTimestamp" not in pod["metadata"]
    }


def test_a_consumer_binds_the_secret_of_its_app(site: Site, outputs: OutputMap) -> None:
    said: list[str] = []
    stack = site.engine.open(CONSUMER, consumer_config("billing"), consumer_program)
    done = stack.up(on_output=said.append)
    assert {key: output.value for key, output in done.outputs.items()} == {
        "deployment": "billing",
        "host": HOST,
    }
    pods = pods_of(site.cluster, "billing")
    assert [pod["status"]["phase"] for pod in pods.values()] == ["Running"] * 2
    for pod in pods.values():
        assert pod["metadata"]["annotations"]["mysql-ha/username"] == "billing"
        (volume,) = pod["spec"]["volumes"]
        secret = outputs["apps"].value["billing"]["secret"]
        assert volume["projected"]["sources"] == [{"secret": {"name": secret}}]
    objects = site.cluster.control_plane.kubectl("get", "deploy,rs,pods", "-A", "-o", "json")
    site.tells_nothing("".join(said), raw_state(site.engine, stack), objects)


def test_a_consumer_of_no_app_is_refused_at_preview(site: Site, outputs: OutputMap) -> None:
    text = refused(site.engine, CONSUMER, consumer_config("nobody"), consumer_program)
    assert (
        "consumer:app: stack organization/mysql-ha/apps has no app 'nobody'. "
        "Fix: use one of billing, legacy, partner, reports, shop."
    ) in text


def test_a_rotation_is_a_new_login_and_reaches_the_app_last(site: Site, outputs: OutputMap) -> None:
    """A Secret never names a login before the servers and the proxies were told of it.

    No object of another app differs, nor any Pod.
    """
    before, users, old = site.snapshot(), site.users(), site.binding("billing")
    since = {collection: site.cluster.now(collection) for collection in (SECRETS, USERS, GRANTS)}
    result = site.up(settings(billing={"rotation": 1}))
    # The password, the account and its two Grants; the three Secrets.
    assert changes(result) == {"create": 4, "update": 3}
    changed = differing(before, site.snapshot())
    added = changed - secrets_of("billing")
    assert changed > secrets_of("billing")
    assert sorted(key.partition("/")[0] for key in added) == ["Grant", "Grant", "User"]
    assert not added & set(before)

    new = site.binding("billing")
    assert (old["username"], new["username"]) == ("billing", "billing_b")
    assert new["password"] != old["password"]
    assert result.outputs["apps"].value["billing"]["username"] == "billing_b"
    account = site.cluster.secret(f"{NAME}-account-billing")
    assert account == {"password": old["password"], "password-b": new["password"]}
    (user,) = (spec for spec in site.specs("users") if spec["name"] == "billing_b")
    assert user["passwordSecretKeyRef"]["key"] == "password-b"
    logins = site.users()
    assert {name: logins[name] for name in users} == users
    assert set(logins) - set(users) == {"billing_b"}
    password = native_password_hash(new["password"])
    assert logins["billing_b"] == {
        **users["billing"],
        "username": "billing_b",
        "password": password,
    }

    first: dict[str, int] = {}
    for collection, version in since.items():
        kind = collection.rpartition("/")[2]
        for number, event, name in site.events(collection, version):
            # Other stacks live in the namespace; the operator tries the other accounts again and
            # again, and says so in their status.
            if name.startswith(f"{NAME}-") and (kind == "secrets" or event == "ADDED"):
                first.setdefault(f"{kind} {name}", number)
    order = sorted(first, key=first.__getitem__)
    account, user, *grants, proxies, app = order
    assert account == f"secrets {NAME}-account-billing"
    assert user.startswith(f"users {NAME}-user-billing-b-")
    assert [grant.partition(" ")[0] for grant in grants] == ["grants"] * 2
    assert (proxies, app) == (f"secrets {NAME}-proxysql-users", f"secrets {NAME}-app-billing")


def test_the_consumer_rolls_onto_the_new_login(site: Site) -> None:
    before = pods_of(site.cluster, "billing")
    stack = site.engine.open(CONSUMER, consumer_config("billing"), consumer_program)
    assert changes(stack.up(on_output=print)) == {"update": 1}
    after = pods_of(site.cluster, "billing")
    assert len(after) == 2
    assert not set(after) & set(before)
    for pod in after.values():
        assert pod["metadata"]["annotations"]["mysql-ha/username"] == "billing_b"
    site.engine.destroy(CONSUMER, on_output=print, color="never")
    assert "billing" not in site.cluster.list("deployments")


def test_later_passwords_touch_their_own_apps_only(site: Site, control_plane: ControlPlane) -> None:
    """The next rotation renews the other account; a given password follows its source."""
    config = settings(billing={"rotation": 2})
    before, users, old = (
        site.snapshot(),
        site.users(),
        site.cluster.secret(f"{NAME}-account-billing"),
    )
    give_legacy(control_plane, LEGACY_LATER)
    site.known.add(LEGACY_LATER)
    site.preview(config)
    site.up(config)
    assert differing(before, site.snapshot()) == secrets_of("billing") | secrets_of("legacy")
    logins = site.users()

    new = site.binding("billing")
    assert new["username"] == "billing"
    assert new["password"] not in old.values()
    assert site.cluster.secret(f"{NAME}-account-billing") == {**old, "password": new["password"]}
    hashed = native_password_hash(new["password"])
    renewed = {"billing": {**users["billing"], "password": hashed}}

    found = site.binding("legacy")
    assert (found["username"], found["password"]) == ("legacy_erp", LEGACY_LATER)
    assert unquote(urlsplit(found["uri"]).password or "") == LEGACY_LATER
    assert site.cluster.secret(f"{NAME}-account-legacy") == {"password": LEGACY_LATER}
    hashed = native_password_hash(LEGACY_LATER)
    renewed["legacy_erp"] = {**users["legacy_erp"], "password": hashed}
    assert logins == {**users, **renewed}


def test_a_plain_deployment_takes_the_login(site: Site, control_plane: ControlPlane) -> None:
    """examples/consumer/deployment.yaml, for those who have no Pulumi."""
    file = REPOSITORY / "examples" / "consumer" / "deployment.yaml"
    control_plane.kubectl("apply", "-f", str(file))
    control_plane.kubectl("rollout", "status", "deployment/billing", "--timeout=60s")
    pods = pods_of(site.cluster, "billing")
    assert [pod["status"]["phase"] for pod in pods.values()] == ["Running"] * 2
    template = yaml.safe_load(file.read_text())["spec"]["template"]["spec"]
    (container,), (volume,) = template["containers"], template["volumes"]
    (source,) = container["envFrom"]
    assert volume["projected"]["sources"] == [{"secret": source["secretRef"]}]
    used = set(re.findall(r"\$(MYSQL_\w+)", container["command"][-1]))
    assert used == {"MYSQL_HOST", "MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"}
    assert used <= set(site.cluster.secret(source["secretRef"]["name"]))
    control_plane.kubectl("delete", "-f", str(file), "--wait=false")


def test_an_app_is_not_active_for_a_while(site: Site) -> None:
    """Its privileges go after the proxies' login, and come back before it."""
    before, grants, binding = site.snapshot(), site.specs("grants"), site.binding("billing")
    had = site.cluster.secret(f"{NAME}-account-billing")
    since = {collection: site.cluster.now(collection) for collection in (SECRETS, GRANTS)}
    config = settings(billing={"rotation": 2, "active": False})
    site.preview(config)
    site.up(config)
    after = site.snapshot()
    gone = set(before) - set(after)
    assert {key.partition("/")[0] for key in gone} == {"Grant"}
    left = site.specs("grants")
    assert [spec for spec in grants if spec not in left] == [
        spec for spec in grants if spec["username"] in ("billing", "billing_b")
    ]
    assert differing(before, after) - gone == secrets_of("billing") - {f"Secret/{NAME}-app-billing"}
    assert not set(had.values()) & set(site.cluster.secret(f"{NAME}-account-billing").values())
    assert {user["active"] for name, user in site.users().items() if "billing" in name} == {0}
    times = [
        [
            number
            for number, event, name in site.events(collection, since[collection])
            if event == "DELETED" or name == f"{NAME}-proxysql-users"
        ]
        for collection in (SECRETS, GRANTS)
    ]
    (renewed, *_), deleted = times
    assert len(deleted) == len(gone) == 2 * 2  # accounts and databases
    assert renewed < min(deleted)

    since = {collection: site.cluster.now(collection) for collection in (SECRETS, GRANTS)}
    site.up(settings(billing={"rotation": 2}))
    assert site.specs("grants") == grants
    assert site.binding("billing") == binding
    assert site.cluster.secret(f"{NAME}-account-billing") == had
    assert differing(before, site.snapshot()) == gone  # made anew
    (renewed, *_) = (
        number
        for number, _, name in site.events(SECRETS, since[SECRETS])
        if name == f"{NAME}-proxysql-users"
    )
    made = [number for number, event, _ in site.events(GRANTS, since[GRANTS]) if event == "ADDED"]
    assert max(made) < renewed


def test_an_app_leaves_and_the_others_stay_as_they_are(site: Site) -> None:
    config = settings("reports", billing={"rotation": 2})
    before, users = site.snapshot(), site.users()
    since = {collection: site.cluster.now(collection) for collection in (SECRETS, USERS)}
    said = site.preview(config)
    assert (
        "these accounts leave the config and stay in the servers (cleanup: keep): 'reports'"
    ) in said
    assert "these databases leave" not in said
    outputs = site.up(config).outputs
    assert set(outputs["apps"].value) == {"shop", "billing", "legacy", "partner"}
    after = site.snapshot()
    assert differing(before, after) == {
        *secrets_of("reports"),
        f"User/{NAME}-user-reports",
        f"Grant/{NAME}-user-reports.shop",
        f"Grant/{NAME}-user-reports.billing",
    }
    assert set(before) - set(after) == differing(before, after) - {f"Secret/{NAME}-proxysql-users"}
    del users["reports"]
    assert site.users() == users
    # Nobody can log in through the proxies any more when the account goes.
    (renewed, *_) = (
        number
        for number, _, name in site.events(SECRETS, since[SECRETS])
        if name == f"{NAME}-proxysql-users"
    )
    (gone,) = (
        number for number, event, _ in site.events(USERS, since[USERS]) if event == "DELETED"
    )
    assert renewed < gone


def test_what_nobody_names_any_more_is_said_at_preview(site: Site) -> None:
    """`cleanupPolicy`, read above, is what the operator follows."""
    alone = settings(
        "reports",
        "shop",
        "legacy",
        "partner",
        billing={"rotation": 2, "databases": {"billing": "readwrite"}},
    )
    said = site.preview(alone)
    for what, names in (("accounts", "'legacy_erp', 'shop'"), ("databases", "'erp', 'shop'")):
        assert (
            f"these {what} leave the config and stay in the servers (cleanup: keep): {names}"
        ) in said
    for what, names in (("accounts", "'partner'"), ("databases", "'exchange'")):
        fate = f"these {what} leave the config and are DELETED (cleanup: delete): {names}"
        assert fate in said
    assert "app 'shop' leaves database" in said


def test_destroy_leaves_the_secret_that_was_given(site: Site) -> None:
    site.engine.destroy(STACK, on_output=print, color="never")
    left = site.snapshot()
    for kind in ("Database", "User", "Grant", "StatefulSet", "MariaDB"):
        assert not [key for key in left if key.startswith(f"{kind}/")]
    assert not [key for key in left if re.match(r"Secret/.*-(app|account|proxysql)-", key)]
    assert site.cluster.secret("legacy-credentials") == {"password": LEGACY_LATER}
