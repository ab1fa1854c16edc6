"""Apps in the whole program: what an edit of one of them touches, and the Secret it connects by."""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from render.case import case
from render.recorder import Recording, Resource, plain
from tests.program.cases import (
    IN_BACKGROUND,
    LEGACY,
    REPORTS,
    all_cases,
    configured,
    recorded,
    shop,
    trees,
)

CASES = [case.id for case in all_cases() if any(tree.get("apps") for tree in trees(case).values())]
KEYS = {
    *("type", "provider", "host", "port", "database", "username", "password", "uri"),
    *("MYSQL_HOST", "MYSQL_PORT", "MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD"),
}
USERS = "Secret mysql-proxysql-users"


def run(*apps: dict[str, Any], **config: Any) -> Recording:
    return _run(json.dumps({"size": "small", **config, "apps": list(apps)}))


@cache
def _run(config: str) -> Recording:
    recording = case("apps", json.loads(config)).run()
    assert recording.error is None, recording.error
    return recording


def named(recording: Recording) -> dict[str, Resource]:
    """Kind and name of the object, or the logical name, to the resource."""
    found = {
        f"{r.kind} {r.inputs.get('metadata', {}).get('name', r.name)}": r
        for r in recording.resources
    }
    assert len(found) == len(recording.resources)
    return found


def edit(before: Recording, after: Recording) -> tuple[set[str], set[str], set[str]]:
    """What an edit adds, removes, and changes: the inputs, or another option than its place."""
    old, new = named(before), named(after)

    def told(resource: Resource) -> Any:
        return {**vars(resource), "depends_on": None, "inputs": plain(resource.inputs)}

    changed = {key for key in old.keys() & new.keys() if told(old[key]) != told(new[key])}
    return new.keys() - old.keys(), old.keys() - new.keys(), changed


def outputs_that_differ(before: Recording, after: Recording) -> set[str]:
    one, other = ({**configured(r), "immutable": None} for r in (before, after))
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


# --- the Secret by which an app connects ---


@pytest.mark.parametrize("name", CASES)
def test_a_secret_is_a_service_binding(name: str) -> None:
    """servicebinding.io/spec/core/1.1.0: the type, and texts under the well-known keys."""
    bindings = [
        r
        for r in recorded(name).of_kind("Secret")
        if r.type == "kubernetes:core/v1:Secret" and "-app-" in r.name and not r.read
    ]
    assert bindings
    for secret in bindings:
        inputs = plain(secret.inputs)
        entries = inputs["stringData"]
        assert inputs["type"] == "servicebinding.io/mysql"
        assert entries.keys() == KEYS
        assert all(isinstance(text, str) and text for text in entries.values())
        assert entries["type"] == "mysql"
        # For `envFrom`: what MySQL's own images call it.
        assert [entries[f"MYSQL_{key}"] for key in ("HOST", "PORT", "DATABASE", "USER")] == [
            entries[key] for key in ("host", "port", "database", "username")
        ]
        assert entries["MYSQL_PASSWORD"] == entries["password"]
        parts = urlsplit(str(entries["uri"]))
        assert (parts.scheme, parts.hostname, parts.port, parts.path) == (
            "mysql",
            entries["host"],
            int(entries["port"]),
            f"/{entries['database']}",
        )
        assert unquote(parts.username or "") == entries["username"]
        assert unquote(parts.password or "") == entries["password"]


def test_any_text_may_be_a_given_password() -> None:
    """It is the server's, and must arrive as it is."""
    text = 'p@ss/w:rd "é" #?&=%20*'
    secret_case = case("apps", {"size": "small", "apps": [LEGACY]})
    secret_case.existing["default/legacy"]["password"] = text
    recording = secret_case.run()
    assert recording.error is None, recording.error
    entries = plain(named(recording)["Secret mysql-app-legacy"].inputs)["stringData"]
    assert entries["password"] == entries["MYSQL_PASSWORD"] == text
    assert unquote(urlsplit(str(entries["uri"])).password or "") == text
    account = plain(named(recording)["Secret mysql-account-legacy"].inputs)["stringData"]
    assert account == {"password": text}


def test_mariadbs_operator_follows_an_accounts_secret() -> None:
    """mariadb-operator docs/sql_resources.md: only with this label. An app's own is not its."""
    found = named(run(shop()))
    labels = found["Secret mysql-account-shop"].inputs["metadata"]["labels"]
    assert "k8s.mariadb.com/watch" in labels
    assert (
        "k8s.mariadb.com/watch" not in found["Secret mysql-app-shop"].inputs["metadata"]["labels"]
    )


# --- databases, accounts and privileges in a MariaDB ---


def specs(recording: Recording, kind: str) -> list[dict[str, Any]]:
    """What the operator is told of apps, in the order of accounts and databases."""
    found = [plain(r.inputs["spec"]) for r in recording.of_kind(kind) if "monitor" not in r.name]
    keys = ("name", "username", "database")
    return sorted(found, key=lambda spec: [spec.get(key, "") for key in keys])


def test_what_one_app_makes() -> None:
    recording = run(
        shop(
            databases={"shop": "owner", "stock_2024": ["SELECT"]},
            default_database="shop",
            rotation=1,
        )
    )
    assert specs(recording, "Database") == [
        {
            "mariaDbRef": {"name": "mysql"},
            "name": name,
            "characterSet": "utf8mb4",
            "collate": "utf8mb4_unicode_ci",
            "cleanupPolicy": "Skip",
        }
        for name in ("shop", "stock_2024")
    ]
    assert specs(recording, "User") == [
        {
            "mariaDbRef": {"name": "mysql"},
            "name": user,
            "host": "%",
            "passwordSecretKeyRef": {"name": "mysql-account-shop", "key": key},
            "maxUserConnections": 480,
            "cleanupPolicy": "Skip",
        }
        for user, key in (("shop", "password"), ("shop_b", "password-b"))
    ]
    assert specs(recording, "Grant") == [
        {
            "mariaDbRef": {"name": "mysql"},
            "username": user,
            "host": "%",
            # A lone `_` would be any character.
            "database": database,
            "table": "*",
            "privileges": granted,
            "cleanupPolicy": "Delete",
        }
        for user in ("shop", "shop_b")
        for database, granted in (("shop", ["ALL PRIVILEGES"]), ("stock\\_2024", ["SELECT"]))
    ]


def test_global_privileges_are_a_grant_of_their_own() -> None:
    recording = run(shop(global_privileges=["PROCESS", "SLAVE MONITOR"], rotation=1))
    (*ours,) = (spec for spec in specs(recording, "Grant") if spec["database"] == "*")
    assert ours == [
        {
            "mariaDbRef": {"name": "mysql"},
            "username": user,
            "host": "%",
            "database": "*",
            "table": "*",
            "privileges": ["PROCESS", "SLAVE MONITOR"],
            "cleanupPolicy": "Delete",
        }
        for user in ("shop", "shop_b")
    ]
    grants = [r for r in recording.of_kind("Grant") if "monitor" not in r.name]
    assert len({r.inputs["metadata"]["name"] for r in grants}) == len(grants) == 2 + 2


def test_accounts_and_grants_have_the_host() -> None:
    """With the other engine as well."""
    recording = run(shop(host="10.244.%", global_privileges=["PROCESS"]))
    found = [*specs(recording, "User"), *specs(recording, "Grant")]
    assert [spec["host"] for spec in found] == ["10.244.%"] * 3
    (cluster,) = run(shop(host="10.244.%"), engine="percona").of_kind("PerconaXtraDBCluster")
    (user,) = cluster.inputs["spec"]["users"]
    assert user["hosts"] == ["10.244.%"]


def test_a_database_is_made_with_its_collation() -> None:
    """Whichever of its apps says so, with the character set of it."""
    recording = run(
        shop(databases={"shop": "owner", "blobs": "owner"}, default_database="shop"),
        {"name": "b", "databases": {"shop": "readonly"}, "collations": {"shop": "utf8mb4_bin"}},
        {"name": "c", "databases": {"old": "owner"}, "collations": {"old": "latin1_swedish_ci"}},
    )
    assert [
        (spec["name"], spec["characterSet"], spec["collate"])
        for spec in specs(recording, "Database")
    ] == [
        ("blobs", "utf8mb4", "utf8mb4_unicode_ci"),
        ("old", "latin1", "latin1_swedish_ci"),
        ("shop", "utf8mb4", "utf8mb4_bin"),
    ]


@pytest.mark.parametrize("await_sql", [True, False])
def test_whether_it_waits_for_the_operator(await_sql: bool) -> None:
    recording = run(shop(), await_sql=await_sql)
    expected = {"pulumi.com/waitFor": "condition=Ready"} if await_sql else {}
    for kind in ("Database", "User", "Grant"):
        for resource in recording.of_kind(kind):
            assert resource.inputs["metadata"]["annotations"] == {**IN_BACKGROUND, **expected}


@pytest.mark.parametrize(
    ("first", "second", "policy"),
    [
        ("keep", "keep", "Skip"),
        ("keep", "delete", "Skip"),
        ("delete", "keep", "Skip"),
        ("delete", "delete", "Delete"),
    ],
)
def test_a_shared_database_goes_only_when_all_say_so(first: str, second: str, policy: str) -> None:
    recording = run(
        shop(cleanup=first),
        {"name": "reports", "databases": {"shop": "readonly"}, "cleanup": second},
    )
    (database,) = specs(recording, "Database")
    assert database["cleanupPolicy"] == policy
    own = {"keep": "Skip", "delete": "Delete"}
    assert {user["name"]: user["cleanupPolicy"] for user in specs(recording, "User")} == {
        "shop": own[first],
        "reports": own[second],
    }
    # A privilege that the config no longer names is none.
    assert {grant["cleanupPolicy"] for grant in specs(recording, "Grant")} == {"Delete"}


def test_the_proxies_ask_an_app_for_tls() -> None:
    """A server sees no client, and mariadb-operator could never stop asking (pkg/sql/sql.go)."""
    (user,) = specs(run(shop(require_tls=True)), "User")
    assert "require" not in user


# --- rotation: nothing changes but what is the app's own ---


def bump(n: int, *others: dict[str, Any], **config: Any) -> tuple[set[str], set[str], set[str]]:
    before = run(shop(rotation=n), *others, **config)
    after = run(shop(rotation=n + 1), *others, **config)
    assert outputs_that_differ(before, after) == {"apps"}
    assert after.outputs["apps"].keys() == before.outputs["apps"].keys()
    for app, entry in after.outputs["apps"].items():
        known = before.outputs["apps"][app]
        differing = {key for key in entry if entry[key] != known[key]}
        assert differing == ({"username"} if app == "shop" else set())
    return edit(before, after)


OTHERS = (REPORTS, {"name": "billing", "databases": {"shop": "readonly"}, "rotation": 1})


def test_the_first_rotation_adds_a_login() -> None:
    added, removed, changed = bump(0, *OTHERS)
    (user,) = [key for key in added if key.startswith("User")]
    (grant,) = [key for key in added if key.startswith("Grant")]
    assert re.fullmatch(r"User mysql-user-shop-b-[0-9a-f]{8}", user)
    assert re.fullmatch(r"Grant mysql-user-shop-b-shop-[0-9a-f]{8}", grant)
    assert added == {"RandomPassword mysql-app-shop.b", user, grant}
    assert not removed
    assert changed == {"Secret mysql-account-shop", "Secret mysql-app-shop", USERS}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_later_rotation_gives_the_older_login_a_new_password(n: int) -> None:
    """The other one, which is in use until the app restarts, is the same resource."""
    added, removed, changed = bump(n, *OTHERS)
    assert not added | removed
    turn = "" if n % 2 else ".b"
    assert changed == {
        f"RandomPassword mysql-app-shop{turn}",
        "Secret mysql-account-shop",
        "Secret mysql-app-shop",
        USERS,
    }


@pytest.mark.parametrize("n", [0, 1])
def test_a_rotation_leaves_the_last_login_alone(n: int) -> None:
    before, after = (named(run(shop(rotation=number), *OTHERS)) for number in (n, n + 1))
    last = plain(before["Secret mysql-app-shop"].inputs)["stringData"]
    now = plain(after["Secret mysql-app-shop"].inputs)["stringData"]
    assert now["username"] != last["username"]
    assert now["password"] != last["password"]
    key = "password-b" if last["username"] == "shop_b" else "password"
    stored = plain(after["Secret mysql-account-shop"].inputs)["stringData"]
    assert stored[key] == last["password"]
    logins = plain(after[USERS].inputs)["stringData"]["users.cnf"]
    assert f'username = "{last["username"]}"' in logins


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_rotation_with_perconas_operator_touches_its_cluster_once(n: int) -> None:
    """When the second account comes. Later it is the Secret that the operator follows."""
    added, removed, changed = bump(n, engine="percona")
    turn = "" if n % 2 else ".b"
    password = f"RandomPassword mysql-app-shop{turn}"
    assert added == ({password} if n == 0 else set())
    assert not removed
    assert changed == {
        password if n else "PerconaXtraDBCluster mysql",
        "Secret mysql-account-shop",
        "Secret mysql-app-shop",
    }


@pytest.mark.parametrize("config", [{}, {"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}])
@pytest.mark.parametrize("n", [0, 1])
def test_a_rotation_rolls_no_proxy(n: int, config: dict[str, Any]) -> None:
    _, _, changed = bump(n, *OTHERS[1:], **config)
    assert USERS in changed
    assert not [key for key in changed if key.startswith(("StatefulSet", "Service"))]
    assert not [key for key in changed if "-proxysql-cnf-" in key]


# --- apps that come and go ---


def test_an_app_more_touches_the_proxies_users_only() -> None:
    before, after = run(shop()), run(shop(), {**LEGACY, "databases": {"erp": "owner"}})
    added, removed, changed = edit(before, after)
    kinds = sorted(key.partition(" ")[0] for key in added)
    # The existing Secret is read, by a provider of its own.
    assert kinds == ["Database", "Grant", "Secret", "Secret", "Secret", "User", "kubernetes"]
    assert {key for key in added if key.startswith("Secret")} == {
        "Secret mysql-account-legacy",
        "Secret mysql-app-legacy",
        "Secret legacy",
    }
    assert not removed
    assert changed == {USERS}


def test_a_generated_app_more() -> None:
    added, removed, changed = edit(run(shop()), run(shop(), OTHERS[1]))
    assert sorted(key.partition(" ")[0] for key in added) == sorted(
        ["RandomPassword"] * 2 + ["Secret"] * 2 + ["User"] * 2 + ["Grant"] * 2
    )
    assert not removed
    assert changed == {USERS}


def test_the_order_of_apps_means_nothing() -> None:
    """But for the order of the logins in a file."""
    assert edit(run(shop(), *OTHERS), run(*OTHERS, shop())) == (set(), set(), {USERS})


@pytest.mark.parametrize(
    "proxy", [{"read_write_split": True}, {"managed_by": "mysql-ha", "replicas": 1}], ids=str
)
def test_the_first_app_changes_nothing_that_was_there(proxy: dict[str, Any]) -> None:
    """Where both hostgroups are in use already, or there is only one."""
    size = "small" if "read_write_split" in proxy else "dev"
    config = {"size": size, "proxy": {"enabled": True, **proxy}}
    added, removed, changed = edit(run(**config), run(shop(), **config))
    assert {key for key in added if "app-" not in key and "shop" not in key} == {
        f"{component} mysql" for component in ("AppPasswords", "Bindings", "MariaDbAccounts")
    }
    assert not removed
    assert changed == {USERS}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_connections": 5}, (USERS, "User mysql-user-shop")),
        ({"require_tls": True}, (USERS,)),
        ({"cleanup": "delete"}, ("User mysql-user-shop", "Database mysql-db-shop")),
        ({"databases": {"shop": "readonly"}}, ("Grant mysql-user-shop.shop",)),
    ],
    ids=str,
)
def test_an_edit_of_an_app_touches_what_it_is_about(
    fields: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert edit(run(shop()), run(shop(**fields))) == (set(), set(), set(expected))


def test_the_first_app_of_servers_with_replicas_rolls_the_proxies_once() -> None:
    """Any app may read from replicas one day: from now on each hostgroup has half of a server."""
    _, removed, changed = edit(run(), run(shop()))
    assert {key for key in changed if "-cnf-" not in key} == {USERS, "StatefulSet mysql-proxysql"}
    assert [key.partition("-cnf-")[0] for key in removed] == ["Secret mysql-proxysql"]


# --- an app that is not active ---

ACCOUNT = "Secret mysql-account-shop"
LOCKED = "RandomPassword mysql-app-shop.locked"


def texts(recording: Recording, secret: str) -> dict[str, str]:
    return plain(named(recording)[secret].inputs)["stringData"]


def test_an_app_that_is_not_active_keeps_its_account_its_data_and_its_password() -> None:
    """It loses its Grants; the proxies refuse it, and the servers have another password of it."""
    app = shop(rotation=1, global_privileges=["PROCESS"])
    before, after = run(app, *OTHERS), run({**app, "active": False}, *OTHERS)
    added, removed, changed = edit(before, after)
    assert added == {LOCKED}
    assert {key.partition(" ")[0] for key in removed} == {"Grant"}
    assert len(removed) == 2 * 2
    assert changed == {ACCOUNT, USERS}
    assert texts(after, "Secret mysql-app-shop") == texts(before, "Secret mysql-app-shop")
    assert texts(after, USERS)["users.cnf"].count("active = 0") == 2


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
@pytest.mark.parametrize("proxy", [{}, {"enabled": False}], ids=["proxies", "direct"])
@pytest.mark.parametrize("app", [shop(rotation=1), LEGACY], ids=["generated", "given"])
def test_no_client_has_the_password_of_an_account_that_is_not_active(
    engine: str, proxy: dict[str, Any], app: dict[str, Any]
) -> None:
    """Which an operator cannot lock."""
    before, after = (
        run({**app, "active": active}, engine=engine, proxy=proxy) for active in (True, False)
    )
    account, binding = f"Secret mysql-account-{app['name']}", f"Secret mysql-app-{app['name']}"
    had, has = texts(before, account), texts(after, account)
    assert had.keys() == has.keys()
    assert texts(before, binding)["password"] in had.values()
    assert not set(has.values()) & {*had.values(), texts(after, binding)["password"]}


def test_perconas_cluster_keeps_the_account_of_an_app_that_is_not_active() -> None:
    before, after = (run(shop(active=active), engine="percona") for active in (True, False))
    assert edit(before, after) == ({LOCKED}, set(), {ACCOUNT})


def test_the_secret_of_an_app_that_is_not_active_waits_for_its_accounts() -> None:
    """So that it may be turned active in the update that makes it."""
    found = named(run(shop(active=False)))
    assert found["User mysql-user-shop"].urn in found["Secret mysql-app-shop"].depends_on


# --- many ---


@pytest.mark.broad
@pytest.mark.parametrize(
    ("config", "each"),
    [
        # RandomPassword, two Secrets; Database, User, Grant.
        ({}, 6),
        ({"proxy": {"enabled": False}}, 6),
        ({"engine": "percona"}, 3),
        ({"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}, 3),
    ],
    ids=str,
)
def test_a_hundred_apps_are_a_hundred_times_one(config: dict[str, Any], each: int) -> None:
    def count(number: int) -> int:
        apps = [
            {"name": f"app-{i}", "databases": {f"app_{i:03d}": "owner"}, "max_connections": 1}
            for i in range(number)
        ]
        if "engine" in config:
            for app in apps:
                app.pop("max_connections")
        recording = run(*apps, **config)
        assert len(recording.outputs.get("apps", {})) == number
        return len(recording.resources)

    one = count(1)
    assert count(2) - one == each
    assert count(100) - one == 99 * each


def test_logins_share_their_database() -> None:
    """A rotated app has one password, User and Grant more; an app of the same database none."""
    base = len(run(shop()).resources)
    assert len(run(shop(rotation=1)).resources) - base == 3
    assert len(run(shop(), {**shop(), "name": "b"}).resources) - base == 5
