"""The monitor's account in the whole program: two alternate when its password is rotated."""

import hashlib
import json
from functools import cache
from typing import Any

import pytest

from render.case import case
from render.recorder import Recording, Resource, generated_password, plain
from tests.program.cases import IN_BACKGROUND, SECURE, cnf, mounted

GALERA: dict[str, Any] = {"database": {"topology": "galera"}}
PERCONA: dict[str, Any] = {"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}
ENGINES = pytest.mark.parametrize("config", [{}, GALERA, PERCONA], ids=["mariadb", "galera", "pxc"])
STORED = {"existing_secret": {"name": "given", "key": "pw"}}


def run(rotation: int = 0, source: Any = None, **config: Any) -> Recording:
    return _run(json.dumps([rotation, source, config]))


@cache
def _run(text: str) -> Recording:
    rotation, source, config = json.loads(text)
    monitor: dict[str, Any] = {**({"rotation": rotation} if rotation else {}), **(source or {})}
    if monitor:
        config["credentials"] = {"monitor": monitor}
    recording = case("monitor", {"size": "small", **config}).run()
    assert recording.error is None, recording.error
    return recording


def named(recording: Recording) -> dict[str, Resource]:
    """What the stack makes, by kind and name of the object, or logical name."""
    return {
        f"{r.kind} {r.inputs.get('metadata', {}).get('name', r.name)}": r
        for r in recording.resources
        if not r.read
    }


def texts(recording: Recording, secret: str) -> dict[str, str]:
    return plain(named(recording)[f"Secret {secret}"].inputs)["stringData"]


def variables(recording: Recording) -> dict[str, Any]:
    return cnf(recording, recording.one("StatefulSet"))["mysql_variables"]


def password(turn: str, generation: int) -> str:
    return generated_password(f"mysql-monitor{turn}", str(generation))


@ENGINES
def test_before_the_first_rotation_there_is_one_account(config: dict[str, Any]) -> None:
    recording = run(**config)
    assert texts(recording, "mysql-monitor") == {"password": password("", 0)}
    assert not [key for key in named(recording) if key.endswith(".b")]
    assert variables(recording)["monitor_username"] == "proxysql_monitor"
    assert variables(recording)["monitor_password"] == password("", 0)


@pytest.mark.parametrize("config", [{}, GALERA], ids=["replication", "galera"])
def test_the_first_rotation_adds_an_account(config: dict[str, Any]) -> None:
    before, after = named(run(**config)), named(run(1, **config))
    (old_file,) = before.keys() - after.keys()
    (new_file,) = [key for key in after.keys() - before.keys() if key.startswith("Secret ")]
    assert old_file.startswith("Secret mysql-proxysql-cnf-")
    assert new_file.startswith("Secret mysql-proxysql-cnf-")
    assert after.keys() - before.keys() - {new_file} == {
        "RandomPassword mysql-monitor.b",
        "User mysql-proxysql-monitor.b",
        "Grant mysql-proxysql-monitor.b",
    }
    for key in (
        "RandomPassword mysql-monitor",
        "User mysql-proxysql-monitor",
        "Grant mysql-proxysql-monitor",
    ):
        assert after[key] == before[key], "who waits for the roll still logs in by it"
    assert texts(run(1, **config), "mysql-monitor") == {
        "password": password("", 0),
        "password-b": password(".b", 1),
    }


@pytest.mark.parametrize("n", [1, 2, 3])
@ENGINES
def test_a_later_rotation_gives_the_older_account_a_new_password(
    n: int, config: dict[str, Any]
) -> None:
    before, after = run(n, **config), run(n + 1, **config)
    turn, other = ("", ".b") if n % 2 else (".b", "")
    keys = {"": "password", ".b": "password-b"}
    assert texts(after, "mysql-monitor") == {
        keys[turn]: password(turn, n + 1),
        keys[other]: password(other, n),
    }
    assert texts(before, "mysql-monitor")[keys[other]] == password(other, n)
    changed = {
        key
        for key, resource in named(after).items()
        if key not in named(before) or resource.inputs != named(before)[key].inputs
    }
    assert {key for key in changed if "-cnf-" not in key} == {
        f"RandomPassword mysql-monitor{turn}",
        "Secret mysql-monitor",
        f"StatefulSet {named_tier(config)}",
    }
    assert len(changed) == 4


def named_tier(config: dict[str, Any]) -> str:
    return "mysql-proxysql-ha" if "engine" in config else "mysql-proxysql"


@pytest.mark.parametrize("n", [0, 1, 2])
@ENGINES
def test_the_proxies_roll_to_the_other_account(n: int, config: dict[str, Any]) -> None:
    """And none of the Pods that wait loses its own: what it logs in by is as it was."""
    before, after = variables(run(n, **config)), variables(run(n + 1, **config))
    accounts = ("proxysql_monitor", "proxysql_monitor_b")
    assert before["monitor_username"] == accounts[n % 2]
    assert after["monitor_username"] == accounts[(n + 1) % 2]
    assert after["monitor_password"] == password((".b", "")[n % 2], n + 1)
    stored = texts(run(n + 1, **config), "mysql-monitor").values()
    assert {before["monitor_password"], after["monitor_password"]} == set(stored)
    pods = [run(m, **config).one("StatefulSet").inputs["spec"]["template"] for m in (n, n + 1)]
    assert pods[0] != pods[1]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_startup_check_asks_for_the_current_account(n: int) -> None:
    """ProxySQL keeps the old value of a variable that it cannot read."""
    recording = run(n)
    files = mounted(recording, recording.one("StatefulSet"))
    account = ("proxysql_monitor", "proxysql_monitor_b")[n % 2]
    (line,) = [
        line
        for line in files["/etc/proxysql/self-check.sql"].splitlines()
        if "mysql-monitor_username" in line
    ]
    assert f"variable_value='{account}')=1" in line


@pytest.mark.parametrize("await_sql", [True, False])
def test_both_accounts_are_made_alike(await_sql: bool) -> None:
    """The operator's default of 10 connections would starve the proxies with either."""
    found = named(run(1, await_sql=await_sql))
    one, other = found["User mysql-proxysql-monitor"], found["User mysql-proxysql-monitor.b"]
    assert one.inputs["spec"] == {
        "mariaDbRef": {"name": "mysql"},
        "host": "%",
        "cleanupPolicy": "Delete",
        "name": "proxysql_monitor",
        "passwordSecretKeyRef": {"name": "mysql-monitor", "key": "password"},
        "maxUserConnections": 42,
    }
    assert other.inputs["spec"] == {
        **one.inputs["spec"],
        "name": "proxysql_monitor_b",
        "passwordSecretKeyRef": {"name": "mysql-monitor", "key": "password-b"},
    }
    grants = [found[f"Grant mysql-proxysql-monitor{turn}"] for turn in ("", ".b")]
    assert [grant.inputs["spec"]["username"] for grant in grants] == [
        "proxysql_monitor",
        "proxysql_monitor_b",
    ]
    assert {**grants[0].inputs["spec"], "username": ""} == {
        **grants[1].inputs["spec"],
        "username": "",
    }
    expected = {"pulumi.com/waitFor": "condition=Ready"} if await_sql else {}
    for resource in (one, other, *grants):
        assert resource.inputs["metadata"]["annotations"] == {**IN_BACKGROUND, **expected}


def test_the_proxies_wait_for_both_accounts() -> None:
    recording = run(1)
    made = {r.urn for kind in ("User", "Grant") for r in recording.of_kind(kind)}
    assert len(made) == 4
    assert made <= set(recording.one("StatefulSet").depends_on)


def test_the_name_of_the_account_may_be_another() -> None:
    recording = run(1, proxy={"monitor": {"username": "watch"}})
    assert variables(recording)["monitor_username"] == "watch_b"
    users = {r.inputs["spec"]["name"] for r in recording.of_kind("User")}
    assert users == {"watch", "watch_b"}


# --- a password that is given ---


@ENGINES
@pytest.mark.parametrize("source", [STORED, {"password": SECURE}], ids=["stored", "inline"])
@pytest.mark.parametrize("rotation", [0, 1, 2])
def test_a_given_password_has_one_account(
    source: dict[str, Any], rotation: int, config: dict[str, Any]
) -> None:
    """The key is the owner's: it decides no name."""
    recording = run(rotation, source, **config)
    assert variables(recording)["monitor_username"] == "proxysql_monitor"
    assert not [r.name for r in recording.resources if r.name.endswith(".b")]
    reference = {"name": "given", "key": "pw"}
    if source is not STORED:
        reference = {"name": "mysql-monitor", "key": "password"}
        assert texts(recording, "mysql-monitor").keys() == {"password"}
    if config.get("engine") == "percona":
        (user,) = recording.one("PerconaXtraDBCluster").inputs["spec"]["users"]
        assert (user["name"], user["passwordSecretRef"]) == ("proxysql_monitor", reference)
    else:
        user = recording.one("User", "mysql-proxysql-monitor").inputs["spec"]
        assert (user["name"], user["passwordSecretKeyRef"]) == ("proxysql_monitor", reference)
        recording.one("Grant", "mysql-proxysql-monitor")


@pytest.mark.parametrize("key", ["password", "password-b", "pw", "x.b"])
def test_no_key_of_a_given_secret_makes_another_object(key: str) -> None:
    """Else an update would delete the account, the proxies' only one, after making it anew."""
    given = run(0, {"existing_secret": {"name": "given", "key": key}})
    urns = {r.urn for kind in ("User", "Grant") for r in given.of_kind(kind)}
    assert urns == {r.urn for kind in ("User", "Grant") for r in run().of_kind(kind)}


# --- how Percona's operator learns of a new password ---

SHOP = {"name": "shop", "databases": {"shop": "owner"}}


def password_changed(secret: Resource, user: str, key: str, *, exists: bool = True) -> bool:
    """percona-xtradb-cluster-operator v1.18.0 pkg/controller/pxc/users_custom.go, the function
    userPasswordChanged; later releases take a Secret without annotations for changed too."""
    annotations = secret.inputs["metadata"].get("annotations")
    if annotations is None:
        return False
    digest = annotations.get(f"percona.com/mysql-{user}-hash")
    if digest is None:
        return exists
    text = plain(secret.inputs)["stringData"][key]
    return digest != hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("proxy", [{"managed_by": "mysql-ha"}, {"managed_by": "operator"}], ids=str)
def test_a_secret_of_an_account_that_exists_counts_as_changed(proxy: dict[str, Any]) -> None:
    """Whoever made the account: a database that was kept, or one that this program lost."""
    recording = run(proxy=proxy, engine="percona", apps=[{**SHOP, "rotation": 1}])
    accounts = [("mysql-account-shop", "shop", "password")]
    accounts.append(("mysql-account-shop", "shop_b", "password-b"))
    if proxy["managed_by"] == "mysql-ha":
        accounts.append(("mysql-monitor", "proxysql_monitor", "password"))
    users = recording.one("PerconaXtraDBCluster").inputs["spec"]["users"]
    assert {(u["passwordSecretRef"]["name"], u["name"]) for u in users} == {
        (secret, user) for secret, user, _ in accounts
    }
    for name, user, key in accounts:
        secret = named(recording)[f"Secret {name}"]
        assert password_changed(secret, user, key)
        assert not password_changed(secret, user, key, exists=False), "made as a new one"


@pytest.mark.parametrize("config", [{}, PERCONA], ids=["mariadb", "percona"])
def test_the_annotation_says_whose_password_it_is(config: dict[str, Any]) -> None:
    """A constant, so that no rotation adds or takes away one: the operator writes beside it."""
    first, second = (
        {
            key: r.inputs["metadata"].get("annotations")
            for key, r in named(run(n, **config, apps=[{**SHOP, "rotation": n}])).items()
            if key.startswith(("Secret mysql-monitor", "Secret mysql-account-"))
        }
        for n in (0, 1)
    )
    assert (
        first
        == second
        == {
            "Secret mysql-monitor": {"mysql-ha/account": "monitor"},
            "Secret mysql-account-shop": {"mysql-ha/account": "shop"},
        }
    )
