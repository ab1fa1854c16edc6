"""What of `backup` is refused, and what is warned of."""

from typing import Any

import pytest

from components.config import checks
from components.config.errors import ConfigError, Fault
from components.config.load import merge, read, resolve
from tests.unit.test_backup import AZURE, NEW_OPERATOR, S3, STORE, VOLUME

SECRET = "backup.store.s3.credentials.existing_secret"


def s3(**more: Any) -> dict[str, Any]:
    return {"store": {"s3": {**S3, **more}}}


def keys(**more: Any) -> dict[str, Any]:
    return s3(credentials={"existing_secret": {"name": "store", **more}})


def faults(tree: dict[str, Any]) -> list[Fault]:
    try:
        resolve(tree)
    except ConfigError as error:
        return [*error.faults]
    return []


def tree(backup: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    """A stack of size small with a store."""
    stored = merge({"store": STORE}, backup) if "store" not in backup else backup
    return {"size": "small", "backup": stored, **(others or {})}


PERCONA = {"engine": "percona"}
BOTH: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    # `backup`, other keys, the path that is refused, and a part of what is said
    ({"schedule": "daily"}, {}, "backup.schedule", "five fields"),
    ({"schedule": "61 * * * *"}, {}, "backup.schedule", "five fields"),
    ({"schedule": "0 0 31 2 *"}, {}, "backup.schedule", "comes at some time"),
    ({"drill": {"schedule": "@weekly"}}, {}, "backup.drill.schedule", "five fields"),
    ({"retention": "71h"}, {}, "backup.retention", "set it to 72h"),
    (
        {"schedule": "0 4 * * 0"},
        {"database": {"binlog_expire_days": 7}},
        "backup.retention",
        "set it to 504h",
    ),
    (
        {"schedule": "0 4 * * 0", "retention": "600h"},
        {},
        "database.binlog_expire_days",
        "set it to 7",
    ),
    ({"timeout": "24h"}, {}, "backup.timeout", "not shorter"),
    ({"generation": 0}, {}, "backup.generation", "at least 1"),
    ({"environment": "a/b"}, {}, "backup.environment", "DNS label"),
    ({"store": {}}, {}, "backup.store", "exactly one"),
    ({"store": {**STORE, "volume": VOLUME}}, {}, "backup.store", "exactly one"),
    (s3(endpoint="https://s3.example.com"), {}, "backup.store.s3.endpoint", "without 'https://'"),
    (s3(endpoint="http://s3.example.com"), {}, "backup.store.s3.endpoint", "no plain HTTP"),
    (s3(endpoint="s3.example.com/backups"), {}, "backup.store.s3.endpoint", "must be a host"),
    (s3(bucket="s3://backups"), {}, "backup.store.s3.bucket", "the name alone"),
    (s3(bucket="backups/shop"), {}, "backup.store.s3.bucket", "is computed"),
    (s3(prefix="shop"), {}, "backup.store.s3.prefix", "not a config key"),
    (s3(access_key="AKIA"), {}, "backup.store.s3.access_key", "not a config key"),
    (
        {"store": {"azure": {**AZURE, "account": "shop.blob"}}},
        {"images": NEW_OPERATOR},
        "backup.store.azure.account",
        "the name alone",
    ),
    ({"store": {"azure": {**AZURE, "container": "a--b"}}}, {}, "backup.store.azure.container", ""),
]
OF_MARIADB: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (
        s3(allow_plain_http=True, ca={"name": "ca", "key": "ca.crt"}),
        {},
        "backup.store.s3.ca",
        "with allow_plain_http there is none",
    ),
    ({"store": {"azure": AZURE}}, {}, "backup.store.azure", "operator 26.3"),
    (
        {"store": {"azure": AZURE}},
        {"images": {"data_plane": {"tag": "26.2.9"}}},
        "backup.store.azure",
        "is 26.2.9",
    ),
    (
        {"store": {"azure": AZURE}, "staging": {"size": "9Gi"}},
        {"images": NEW_OPERATOR},
        "backup.staging",
        "for backup.store.s3 only",
    ),
    (
        {"store": {"azure": AZURE}, "logical": {"schedule": "0 3 * * *"}},
        {"images": NEW_OPERATOR},
        "backup.logical.schedule",
        "not for backup.store.azure",
    ),
    ({"store": {"volume": VOLUME}, "staging": {"kind": "claim"}}, {}, "backup.staging", "s3 only"),
    ({"staging": {"storage_class": "fast"}}, {}, "backup.staging.storage_class", "kind to claim"),
    ({"point_in_time": {"enabled": True}}, {}, "backup.point_in_time", "not for engine mariadb"),
    ({"delete_from_store": True}, {}, "backup.delete_from_store", "not for engine mariadb"),
    ({"logical": {"schedule": "0 3 * * 0"}}, {}, "backup.logical.retention", "set it to 504h"),
]
OF_PERCONA: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"compression": "none"}, {}, "backup.compression", "not for engine percona"),
    ({"staging": {"kind": "claim"}}, {}, "backup.staging", "not for engine percona"),
    ({"logical": {"schedule": "0 3 * * *"}}, {}, "backup.logical", "not for engine percona"),
    (keys(access_key="id"), {}, f"{SECRET}.access_key", "AWS_ACCESS_KEY_ID"),
    (keys(secret_key="key"), {}, f"{SECRET}.secret_key", "AWS_SECRET_ACCESS_KEY"),
    (keys(session_token="t"), {}, f"{SECRET}.session_token", "not read"),
    (s3(ca={"name": "ca", "key": "ca.crt"}), {}, "backup.store.s3.ca", "cr_version 1.19.0"),
    (
        {"store": {"azure": {**AZURE, "credentials": {}}}},
        {},
        "backup.store.azure.credentials.existing_secret",
        "is required",
    ),
    (
        {
            "store": {
                "azure": {**AZURE, "credentials": {"existing_secret": {"name": "a", "key": "b"}}}
            }
        },
        {},
        "backup.store.azure.credentials.existing_secret.key",
        "AZURE_STORAGE_ACCOUNT_KEY",
    ),
    (
        {"store": {"volume": VOLUME}, "point_in_time": {"enabled": True}},
        {},
        "backup.point_in_time.enabled",
        "not a volume",
    ),
    (s3(credentials={}) | {"point_in_time": {"enabled": True}}, {}, SECRET, "collector"),
    (
        {"enabled": False, "point_in_time": {"enabled": True}},
        {},
        "backup.point_in_time.enabled",
        "needs backups",
    ),
    (
        {},
        {"images": {"backup": {"tag": "8.4.0-3.1"}}},
        "images.backup.tag",
        "of the same series",
    ),
    ({}, {"images": {"backup": None}}, "images.backup", "is required"),
    ({}, {"adopt": "import"}, "backup.enabled", "leaves as it is"),
]


def check(backup: dict[str, Any], others: dict[str, Any], path: str, says: str) -> None:
    found = faults(tree(backup, others))
    assert [fault[0] for fault in found] == [path]
    assert says in f"{found[0][1]}. Fix: {found[0][2]}"


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
@pytest.mark.parametrize(("backup", "others", "path", "says"), BOTH)
def test_refused_of_both(
    engine: str, backup: dict[str, Any], others: dict[str, Any], path: str, says: str
) -> None:
    if engine == "percona":
        others = {key: value for key, value in others.items() if key != "images"}
    elif "azure" in backup.get("store", {}):
        others = {**others, "images": NEW_OPERATOR}
    check(backup, {"engine": engine, **others}, path, says)


@pytest.mark.parametrize(("backup", "others", "path", "says"), OF_MARIADB)
def test_refused_of_mariadb(
    backup: dict[str, Any], others: dict[str, Any], path: str, says: str
) -> None:
    check(backup, others, path, says)


@pytest.mark.parametrize(("backup", "others", "path", "says"), OF_PERCONA)
def test_refused_of_percona(
    backup: dict[str, Any], others: dict[str, Any], path: str, says: str
) -> None:
    if others == {"adopt": "import"}:
        others = {**others, "proxy": {"enabled": False}}
    if "s3" not in backup.get("store", STORE):
        backup = {**backup, "drill": {"enabled": False}}
    check(backup, {**PERCONA, **others}, path, says)


@pytest.mark.parametrize(
    "given",
    [
        tree({}),
        tree({"schedule": "0 */6 * * *", "timeout": "1h", "retention": "18h"}),
        tree({"store": {"azure": AZURE}}, {"images": NEW_OPERATOR}),
        tree({"store": {"volume": VOLUME}}),
        tree(s3(endpoint="s3.example.com:9000", allow_plain_http=True)),
        tree({"store": {"azure": AZURE}, "drill": {"enabled": False}}, PERCONA),
        tree(s3(ca={"name": "a", "key": "b"}), {**PERCONA, "percona": {"cr_version": "1.19.0"}}),
        tree({"point_in_time": {"enabled": True}}, PERCONA),
        tree(
            {},
            {
                **PERCONA,
                "images": {"database": {"tag": "8.4.6-6.1"}, "backup": {"tag": "8.4.0-3.1"}},
            },
        ),
        # What is off is not looked at.
        tree({"enabled": False, "retention": "1h"}),
        {"size": "small", "backup": {"retention": "1h"}},
        {"size": "dev", "backup": {"enabled": True, "store": STORE}},
    ],
)
def test_accepted(given: dict[str, Any]) -> None:
    assert faults(given) == []


NEWEST = "physicalbackup-20260102030405.xb.gz"


def warnings(given: dict[str, Any]) -> list[tuple[str, str]]:
    config = resolve(given)
    found = (*checks.warnings(config, given), *checks.warnings_of_all([config]))
    return [(path, rule) for path, rule, _ in found]


@pytest.mark.parametrize("engine", ["mariadb", "percona"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_warning_names_the_key_of_the_store(size: str, engine: str) -> None:
    given = {"size": size, "engine": engine}
    assert ("backup.store", "is not set: no backups are made") in warnings(given)
    for silent in ({"store": STORE}, {"enabled": False}):
        assert not [path for path, _ in warnings({**given, "backup": silent}) if "backup" in path]


def test_one_warning_names_the_databases_of_a_stack() -> None:
    databases = {
        "orders": {"size": "small"},
        "stock": {"size": "large", "engine": "percona"},
        "stored": {"size": "small", "backup": {"store": STORE}},
        "tried": {"size": "dev"},
    }
    configs = [resolve({**given, "name": name}) for name, given in databases.items()]
    ((path, rule, _),) = checks.warnings_of_all(configs)
    assert (path, rule) == (
        "backup.store",
        "is not set for orders, stock: no backups are made",
    )
    assert not list(checks.warnings_of_all(configs[2:]))


def test_dev_needs_no_store() -> None:
    assert warnings({"size": "dev"}) == []
    assert warnings({"size": "dev", "backup": {"store": STORE}}) == [
        ("backup.store", "has no effect while backup.enabled is false")
    ]


def test_a_restore_stages_its_files_as_a_backup_does() -> None:
    given = {
        "size": "dev",
        "backup": {"staging": {"kind": "claim"}, "retention": "72h"},
        "database": {"restore_from": {"id": "a", "prefix": "p/full", "backup": NEWEST, **STORE}},
        "credentials": {"root": {"existing_secret": {"name": "old", "key": "root"}}},
    }
    assert [path for path, _ in warnings(given) if path.startswith("backup")] == [
        "backup.retention"
    ]


def test_plain_http_is_warned_of() -> None:
    assert warnings(tree(s3(allow_plain_http=True))) == [
        (
            "backup.store.s3.allow_plain_http",
            "sends all data and every password's hash in plain text",
        )
    ]


def test_databases_share_a_store() -> None:
    """The one thing that they must share: their places are apart (tests/unit/test_places.py)."""
    one, other, third = read(
        {
            "mysql-ha:size": "small",
            "mysql-ha:backup": {"store": STORE},
            "mysql-ha:databases": {
                "a": {},
                "b": {"backup": {"schedule": "0 4 * * *"}},
                "c": {"backup": {"enabled": False}},
            },
        }
    )
    assert one.backup.store == other.backup.store
    assert (one.backup.schedule, other.backup.schedule) == ("17 2 * * *", "0 4 * * *")
    assert third.backup.target is None


def test_the_operators_image_is_read_by_backups_and_restores_too() -> None:
    image = {"size": "dev", "images": {"data_plane": {"tag": "25.10.4"}}}
    restored = {
        "database": {"restore_from": {"id": "a", "prefix": "p/full", "backup": NEWEST, **STORE}},
        "credentials": {"root": {"existing_secret": {"name": "old", "key": "root"}}},
    }
    for others, warned in (
        ({}, True),
        ({"backup": {"enabled": True, "store": STORE}}, False),
        (restored, False),
    ):
        found = [path for path, _ in warnings({**image, **others})]
        assert ("images.data_plane" in found) is warned


def test_a_store_that_percona_needs_to_end_its_backups_is_no_mistake() -> None:
    kept = {"enabled": False, "store": STORE, "environment": "eu", "generation": 2}
    given = {"size": "small", **PERCONA, "backup": {**kept, "schedule": "0 4 * * *"}}
    assert [path for path, _ in warnings(given) if "backup" in path] == ["backup.schedule"]


def test_a_cluster_that_is_only_imported_is_not_advised_to_have_backups() -> None:
    for adopt, advised in (("import", False), ("take_over", True)):
        given = {"size": "small", **PERCONA, "adopt": adopt}
        assert ("backup.store" in [path for path, _ in warnings(given)]) is advised


@pytest.mark.parametrize(
    ("backup", "others", "refused"),
    [
        ({}, {}, True),
        ({"store": {"azure": AZURE}}, {"images": NEW_OPERATOR}, True),
        ({"environment": "eu"}, {}, False),
        ({"compression": "none"}, {}, False),
        ({"store": {"volume": VOLUME}}, {}, False),
        ({}, PERCONA, False),
        ({"enabled": False}, {}, False),
    ],
)
def test_a_dot_in_the_stacks_name_harms_compressed_files_in_a_bucket_only(
    monkeypatch: pytest.MonkeyPatch,
    backup: dict[str, Any],
    others: dict[str, Any],
    refused: bool,
) -> None:
    monkeypatch.setattr("pulumi.get_stack", lambda: "prod.eu")
    given = {f"mysql-ha:{key}": value for key, value in tree(backup, others).items()}
    if refused:
        with pytest.raises(ConfigError, match="backup.environment.*has a dot"):
            read(given)
    else:
        assert read(given)


@pytest.mark.parametrize("lines", ["", "[mariadb]\n# log_bin", "[mariadb]\nlog-bin"])
def test_a_server_without_binary_logs_need_not_keep_them(lines: str) -> None:
    weekly = {"enabled": True, "store": STORE, "schedule": "0 4 * * 0", "retention": "600h"}
    given = {"size": "dev", "backup": weekly, "database": {"my_cnf": lines}}
    found = [path for path, _, _ in faults(given)]
    assert found == (["database.binlog_expire_days"] if lines.endswith("log-bin") else [])


# --- names that only a stack with a heartbeat or a reader of statistics takes ---

READERS: dict[str, Any] = {"proxy": {"stats_readers": [{"namespace": "monitoring"}]}}
DRILLED: dict[str, Any] = {"backup": {"store": STORE}}


def app(**more: Any) -> dict[str, Any]:
    return {"size": "small", "apps": [{"name": "a", "databases": {"a": "owner"}, **more}]}


def of_proxies(**more: Any) -> dict[str, Any]:
    return {"size": "small", "proxy": more}


def user(username: str) -> dict[str, Any]:
    secret = {"name": "s", "key": "k"}
    return of_proxies(users=[{"username": username, "existing_secret": secret}])


@pytest.mark.parametrize(
    ("given", "taken", "path"),
    [
        (app(username="stats_reader"), READERS, "apps[0].username"),
        (user("stats_reader"), READERS, "proxy.users[0].username"),
        (of_proxies(monitor={"username": "stats_reader"}), READERS, "proxy.monitor.username"),
        (app(username="mysql_ha_heartbeat"), DRILLED, "apps[0].username"),
        (user("mysql_ha_heartbeat"), DRILLED, "proxy.users[0].username"),
        (
            of_proxies(monitor={"username": "mysql_ha_heartbeat"}),
            DRILLED,
            "proxy.monitor.username",
        ),
        (app(databases={"mysql_ha": "owner"}), DRILLED, "apps[0].databases.mysql_ha"),
    ],
)
def test_a_name_is_refused_only_where_the_stack_has_it(
    given: dict[str, Any], taken: dict[str, Any], path: str
) -> None:
    """Stacks of an earlier version may have these names."""
    assert faults(given) == []
    assert [fault[0] for fault in faults(merge(given, taken))] == [path]


@pytest.mark.parametrize("other", ["orders-heartbeat", "orders-heartbeat-login"])
def test_a_database_may_be_called_as_a_heartbeat_that_is_not_there(other: str) -> None:
    two: dict[str, Any] = {
        "mysql-ha:size": "small",
        "mysql-ha:databases": {"orders": {}, other: {}},
    }
    assert len(read(two)) == 2
    with pytest.raises(ConfigError, match=f"has an object '{other}'"):
        read({**two, "mysql-ha:backup": {"store": STORE}})
