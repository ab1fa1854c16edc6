"""The configs that goldens and invariants run: stack files, examples, and what they leave out."""

import base64
import hashlib
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, cast

from components.config.load import merge
from local.engine import stack_config
from render.case import PREFIX, Case, case
from render.recorder import (
    ROOT,
    Recording,
    Resource,
    plain,
    without_secrets,
)
from tests.unit import libconfig

ROLES = ("root", "replication", "monitor", "proxy_admin", "proxy_stats", "proxy_cluster")
STATS_READER = "proxy_stats_reader"


def _roles(base: Case) -> tuple[str, ...]:
    """Those of its databases."""
    return (*ROLES, STATS_READER) if "stats_readers" in str(base.config) else ROLES


def with_existing(base: Case) -> Case:
    """`base` with every role's password from a Secret of its own."""
    roles = set(_roles(base))
    if "percona" in engines(base).values():
        roles -= {"replication"}
        if not is_proxied(base):  # its operator makes the others
            roles = {"root"}
    credentials = {
        role: {"existing_secret": {"name": f"given-{role.replace('_', '-')}", "key": "pw"}}
        for role in _roles(base)
        if role in roles
    }
    return case(f"{base.id}+existing", {**base.source, f"{PREFIX}credentials": credentials})


def with_inline(base: Case) -> Case:
    """`base` with every role's password in the stack file."""
    credentials = {role: {"password": {"secure": ""}} for role in _roles(base)}
    return case(f"{base.id}+inline", {**base.source, f"{PREFIX}credentials": credentials})


SECURE = {"secure": "v1:ciphertext"}
"""How a stack file holds a secret; `case` puts a canary in its place."""


def shop(**more: Any) -> dict[str, Any]:
    """An app that owns its database."""
    return {"name": "shop", "databases": {"shop": "owner"}, **more}


LEGACY: dict[str, Any] = {
    "name": "legacy",
    "username": "Legacy.ERP",
    "databases": {"erp": ["SELECT", "EXECUTE"]},
    "existing_secret": {"name": "legacy", "key": "password"},
}
"""An app whose password is managed elsewhere, and whose account no object can be called by."""
REPORTS: dict[str, Any] = {
    "name": "reports",
    "databases": {"shop": "readonly", "stock_2024": "readonly"},
    "default_database": "stock_2024",
    "routing": "reader",
}

IN_BACKGROUND = {"pulumi.com/deletionPropagationPolicy": "background"}
"""How the objects of accounts and databases are deleted."""

S3 = {
    "endpoint": "s3.eu-central-1.amazonaws.com",
    "bucket": "shop-backups",
    "region": "eu-central-1",
    "credentials": {"existing_secret": {"name": "backup-store"}},
}
"""A store whose keys are in a Secret that only the Pods of backups use."""

VARIANTS: dict[str, dict[str, Any]] = {
    "dev-proxy": {"size": "dev", "proxy": {"enabled": True}},
    "galera": {
        "size": "small",
        "database": {"topology": "galera"},
        "proxy": {
            "clustering": "runtime",
            "service": {"expose_admin": True},
            "users": [{"username": "app", "password": SECURE}],
        },
    },
    "replication-users": {
        "size": "small",
        "namespace": "shop",
        "security": {"tls": {"enabled": False}},
        "proxy": {
            "clustering": "off",
            "routing": "monitor",
            "max_replication_lag": 30,
            "drain": {"endpoint_removal": 20, "timeout": 600},
            "service": {
                "type": "LoadBalancer",
                "port": 3306,
                "external_traffic_policy": "Local",
                "load_balancer_source_ranges": ["10.0.0.0/8", "fd00::/8"],
                "load_balancer_class": "example.com/internal",
            },
            "users": [
                {"username": "app", "existing_secret": {"name": "app", "key": "password"}},
                {"username": "report", "password": SECURE, "default_hostgroup": 20},
                {"username": "old", "password": SECURE, "active": False},
            ],
            "mysql_variables": {"wait_timeout": 1800000, "default_schema": "shop"},
            "admin_variables": {"refresh_interval": 2000},
        },
    },
    "own-namespace": {"size": "small", "namespace": "shop", "create_namespace": True},
    "several": {
        "size": "small",
        "proxy": {"users": [{"username": "app", "password": SECURE}]},
        "databases": {
            "orders": {"database": {"storage": {"size": "50Gi"}}},
            "stock": {"size": "dev", "namespace": "stock", "proxy": {"enabled": True}},
        },
    },
    "placed": {
        "size": "large",
        "images": {"pull_secrets": ["registry"]},
        "scheduling": {
            tier: {
                "spread": "required",
                "node_selector": {"disk": "ssd"},
                "tolerations": [
                    {
                        "key": "db",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "toleration_seconds": 60,
                    }
                ],
                "node_loss_seconds": 120,
                "priority_class": "important",
                "affinity": {"nodeAffinity": {}},
            }
            for tier in ("database", "proxy")
        },
        "proxy": {
            "storage": {"persistent": True, "storage_class": "fast"},
            "interfaces": "0.0.0.0:3307",
            "pod_labels": {"example.com/team": "shop"},
            "pod_annotations": {"example.com/scrape": "yes"},
        },
    },
    "primary-service": {
        "size": "small",
        "name": "orders",
        "namespace": "shop",
        "proxy": {
            "routing": "primary_service",
            "users": [
                {"username": "app", "existing_secret": {"name": "app", "key": "password"}},
                {"username": "report", "password": SECURE, "default_hostgroup": 20},
            ],
        },
    },
    "split-rules": {
        "size": "large",
        "proxy": {
            "routing": "monitor",
            "read_write_split": True,
            "max_replication_lag": 30,
            "interfaces": "0.0.0.0:3307;0.0.0.0:3308",
            "query_rules": [
                {
                    "rule_id": 10,
                    "proxy_port": 3308,
                    "match_digest": "^SELECT ",
                    "destination_hostgroup": 20,
                    "retries": 1,
                },
                {"rule_id": 20, "match_digest": "^DROP ", "error_msg": "not here"},
                {"rule_id": 30, "username": "app", "flag_out": 7, "apply": False},
                {"rule_id": 40, "flag_in": 7, "match_pattern": "'x'", "log": True, "active": False},
            ],
            "users": [{"username": "app", "password": SECURE}],
        },
    },
    "tls-issuer": {
        "size": "small",
        "namespace": "shop",
        "proxy": {
            "tls": {"issuer": {"name": "company", "kind": "ClusterIssuer"}, "required": True},
            "users": [
                {"username": "app", "password": SECURE},
                {"username": "old", "password": SECURE, "require_tls": False},
            ],
        },
    },
    "tls-secret": {
        "size": "small",
        "database": {"topology": "galera"},
        "security": {"tls": {"enabled": False}},
        "proxy": {
            "storage": {"persistent": True},
            "tls": {"secret": "shown-to-clients", "ca_key": "root.pem"},
            "users": [{"username": "app", "password": SECURE, "require_tls": True}],
        },
    },
    "network-policy": {
        "size": "dev",
        "namespace": "shop",
        "security": {
            "network_policy": {
                "enabled": True,
                "clients_from": ["shop", "web"],
                "metrics_from": ["monitoring"],
            }
        },
        "proxy": {"enabled": True, "interfaces": "0.0.0.0:6033;0.0.0.0:6034"},
    },
    "network-policy-admin": {
        "size": "small",
        "security": {"network_policy": {"clients_from": ["web"]}},
        "proxy": {"service": {"type": "LoadBalancer", "expose_admin": True}},
    },
    "backup": {
        "size": "small",
        "namespace": "shop",
        "images": {"pull_secrets": ["registry"]},
        "backup": {
            "store": {"s3": S3},
            "environment": "eu",
            "generation": 2,
            "service_account": "backups",
            "staging": {"kind": "claim", "size": "30Gi", "storage_class": "fast"},
            "logical": {"schedule": "0 3 * * *", "retention": "720h"},
        },
        "scheduling": {"database": {"tolerations": [{"key": "db", "operator": "Exists"}]}},
    },
    # One store, two places.
    "backup-several": {
        "size": "large",
        "backup": {
            "store": {"s3": {**S3, "ca": {"name": "store-ca", "key": "ca.crt"}}},
            "drill": {"enabled": False},
        },
        "databases": {"orders": {}, "stock": {"backup": {"enabled": False}}},
    },
    "backup-volume": {
        "size": "dev",
        "backup": {
            "enabled": True,
            "store": {"volume": {"size": "5Gi", "storage_class": "nfs"}},
            "compression": "none",
        },
    },
    "backup-percona": {
        "engine": "percona",
        "size": "small",
        "images": {"pull_secrets": ["registry"]},
        "backup": {
            "store": {"s3": S3},
            "service_account": "backups",
            "point_in_time": {"enabled": True},
        },
        "scheduling": {"database": {"tolerations": [{"key": "db", "operator": "Exists"}]}},
    },
    # By annotations, without TLS, in a registry of one's own.
    "monitored": {
        "size": "small",
        "namespace": "shop",
        "database": {"topology": "galera", "network_policy": {"enabled": True}},
        "images": {"pull_secrets": ["registry"]},
        "security": {
            "tls": {"enabled": False},
            "network_policy": {"metrics_from": ["monitoring"]},
        },
        "proxy": {"pod_annotations": {"example.com/team": "shop"}},
        "scheduling": {"database": {"tolerations": [{"key": "db", "operator": "Exists"}]}},
        "monitoring": {"scrape": "annotations"},
    },
    "monitored-dev": {
        "size": "dev",
        "monitoring": {"scrape": "prometheus_operator", "interval_seconds": 5},
    },
    "monitored-percona": {
        "engine": "percona",
        "size": "small",
        "images": {"pull_secrets": ["registry"]},
        "proxy": {"managed_by": "mysql-ha"},
        "scheduling": {"database": {"tolerations": [{"key": "db", "operator": "Exists"}]}},
        "monitoring": {
            "scrape": "prometheus_operator",
            "labels": {"release": "prometheus", "team": "db"},
        },
    },
    "monitored-percona-operator": {
        "engine": "percona",
        "size": "large",
        "database": {"network_policy": {"enabled": True}},
        "security": {"network_policy": {"enabled": True, "metrics_from": ["monitoring"]}},
        "monitoring": {"scrape": "annotations"},
    },
    "ipv6": {"size": "small", "proxy": {"interfaces": "[::]:6033;0.0.0.0:6033;0.0.0.0:6034"}},
    "other-servers": {
        "size": "small",
        "proxy": {
            "other_servers": [{"host": "reports.example.com", "hostgroup": 50}],
            "query_rules": [{"rule_id": 1, "match_digest": "^SELECT", "destination_hostgroup": 50}],
        },
    },
    "stats-readers": {
        "size": "small",
        "proxy": {
            "stats_readers": [
                {"namespace": "monitoring", "pod_labels": {"app": "agent"}},
                {"pod_labels": {"app": "dashboard"}},
                {"namespace": "tools"},
            ]
        },
    },
    "servers-issuer": {
        "size": "large",
        "security": {"tls": {"issuer": {"name": "company", "kind": "ClusterIssuer"}}},
    },
    "servers-secret": {
        "size": "large",
        "security": {"tls": {"secret": "server-certificate"}},
        "proxy": {"enabled": False},
    },
    # Rotation 3: the account `shop_b` is the current one, `shop` still works.
    "apps": {
        "size": "small",
        "namespace": "shop",
        "proxy": {
            "tls": {"required": True},
            "users": [{"username": "old", "existing_secret": {"name": "old", "key": "pw"}}],
            "query_rules": [{"rule_id": 1, "username": "inline", "timeout": 1000}],
        },
        "apps": [
            shop(rotation=3, max_connections=50),
            {**REPORTS, "rotation": 1, "require_tls": False},
            LEGACY,
            {"name": "inline", "databases": {"stock_2024": "readwrite"}, "password": SECURE},
            {"name": "gone", "databases": {"gone": "owner"}, "active": False, "cleanup": "delete"},
        ],
    },
    # One server, which has no replica to read from.
    "apps-dev": {
        "size": "dev",
        "apps": [shop(rotation=1, cleanup="delete"), LEGACY],
    },
    "apps-direct": {
        "size": "small",
        "await_sql": False,
        "proxy": {"enabled": False},
        "apps": [shop(max_connections=30), REPORTS],
    },
    "apps-galera": {
        "size": "large",
        "database": {"topology": "galera"},
        "proxy": {"clustering": "runtime", "read_write_split": True},
        "apps": [shop(), {**REPORTS, "rotation": 2}],
    },
    "apps-percona-operator": {
        "engine": "percona",
        "size": "small",
        "apps": [
            shop(rotation=3),
            {
                "name": "reports",
                "databases": {"shop": "readonly", "stock": "readonly"},
                "default_database": "shop",
            },
            LEGACY,
        ],
    },
    "apps-percona-standalone": {
        "engine": "percona",
        "size": "small",
        "proxy": {"managed_by": "mysql-ha", "users": [{"username": "old", "password": SECURE}]},
        "apps": [
            shop(rotation=1, require_tls=True, max_connections=10),
            {"name": "reports", "databases": {"shop": "readonly"}, "routing": "reader"},
            {"name": "inline", "databases": {"erp": ["SELECT"]}, "password": SECURE},
        ],
    },
    "apps-percona-dev": {"engine": "percona", "size": "dev", "apps": [shop(rotation=2)]},
    "apps-several": {
        "size": "small",
        "apps": [shop(password=SECURE)],
        "databases": {
            "orders": {},
            "stock": {
                "namespace": "stock",
                "apps": [shop(rotation=1), {"name": "stock", "databases": {"stock": "owner"}}],
            },
            "cards": {
                "engine": "percona",
                "proxy": {"managed_by": "mysql-ha"},
                "apps": [shop(password=SECURE)],
            },
        },
    },
}


SOURCE: dict[str, Any] = {
    "id": "incident-4711",
    "backup": "physicalbackup-20260102030405.xb.gz",
    "prefix": "prod/shop/orders/1/full",
}
"""What all sources of a restore have."""
STORE: dict[str, Any] = {
    "endpoint": "s3.eu-central-1.amazonaws.com",
    "bucket": "backups",
    "region": "eu-central-1",
}
STORE_OF_SOURCE = {**STORE, "credentials": {"existing_secret": {"name": "store"}}}
ROOT_OF_SOURCE = {"root": {"existing_secret": {"name": "orders-root-then", "key": "password"}}}
PERCONA_BACKUP = "orders-2026-01-02-02:17:00-full"

RESTORED: dict[str, dict[str, Any]] = {
    "restored": {
        "size": "small",
        "name": "orders-v2",
        "namespace": "shop",
        "credentials": ROOT_OF_SOURCE,
        "database": {
            "restore_from": {
                **SOURCE,
                "s3": {
                    **STORE_OF_SOURCE,
                    "ca": {"name": "store-ca", "key": "ca.crt"},
                },
            }
        },
        "apps": [shop()],
    },
    "restored-galera": {
        "size": "large",
        "name": "orders-v2",
        "credentials": {"root": {"password": SECURE}},
        "database": {"topology": "galera", "restore_from": {**SOURCE, "s3": STORE_OF_SOURCE}},
    },
    "restored-dev": {
        "size": "dev",
        "credentials": ROOT_OF_SOURCE,
        "database": {
            "restore_from": {
                "id": "copy",
                "backup": "physicalbackup-20260102030405.xb",
                "volume": {"claim": "orders-backup-1a2b3c"},
            }
        },
    },
    "restored-percona": {
        "engine": "percona",
        "size": "small",
        "name": "orders-v2",
        "proxy": {"managed_by": "mysql-ha"},
        "credentials": ROOT_OF_SOURCE,
        "backup": {"store": {"s3": {**STORE, "credentials": {"existing_secret": {"name": "s"}}}}},
        "database": {
            "restore_from": {
                **SOURCE,
                "s3": STORE_OF_SOURCE,
                "backup": PERCONA_BACKUP,
                "at": "2026-01-02T03:04:05Z",
                "binlogs": "prod/shop/orders/1/binlogs",
            }
        },
        "apps": [shop()],
    },
    "restored-percona-operator": {
        "engine": "percona",
        "size": "large",
        "backup": {"store": {"s3": STORE}},
        "database": {
            "restore_from": {
                "id": "copy",
                "prefix": "prod/shop/orders/1/full",
                "backup": PERCONA_BACKUP,
                "azure": {
                    "account": "backups",
                    "container": "mysql",
                    "credentials": {
                        "existing_secret": {"name": "store", "key": "AZURE_STORAGE_ACCOUNT_KEY"}
                    },
                },
            }
        },
    },
}


def stack_files() -> list[Path]:
    """Every committed stack file and example."""
    return sorted([*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples").glob("Pulumi.*.yaml")])


@cache
def file_cases() -> tuple[Case, ...]:
    """One case per committed stack file and example."""
    return tuple(case(_name(path), stack_config(path)) for path in stack_files())


def _name(path: Path) -> str:
    stack = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    return stack if path.parent == ROOT else f"example-{stack}"


EXISTING = (
    "dev", "small", "galera", "own-namespace", "several", "apps",
    "apps-percona-operator", "apps-percona-standalone", "apps-percona-dev", "apps-several",
    "stats-readers",
)  # fmt: skip
"""Cases that run with existing Secrets too: what these are read for differs by engine, by who runs
the proxies, by database and namespace, and beside apps; not by placement, rules, TLS or routing."""
INLINE = ("small", "galera", "several", "stats-readers")


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case: files and variants, with their own credentials, existing ones, inline ones."""
    bases = [*file_cases(), *(case(name, config) for name, config in (VARIANTS | RESTORED).items())]
    own = [with_existing(base) for base in bases if base.id in EXISTING]
    inline = [with_inline(base) for base in bases if base.id in INLINE]
    return (*bases, *own, *inline)


def trees(case: Case) -> dict[str, dict[str, Any]]:
    """The config of each database by its name, where only the case's own values are."""
    shared = {key: value for key, value in case.config.items() if key != "databases"}
    several = cast(dict[str, dict[str, Any]], case.config.get("databases"))
    if not several:
        return {shared.get("name", "mysql"): shared}
    return {name: merge(shared, {**tree, "name": name}) for name, tree in several.items()}


def engines(case: Case) -> dict[str, str]:
    """Database name to engine."""
    return {name: tree.get("engine", "mariadb") for name, tree in trees(case).items()}


def is_proxied(case: Case) -> bool:
    """Whether a database of the case has proxies of this program."""
    for tree in trees(case).values():
        proxy = tree.get("proxy", {})
        default = "operator" if tree.get("engine") == "percona" else "mysql-ha"
        enabled = proxy.get("enabled", tree.get("size", "dev") != "dev")
        if enabled and proxy.get("managed_by", default) == "mysql-ha":
            return True
    return False


@cache
def by_id() -> dict[str, Case]:
    return {case.id: case for case in all_cases()}


@cache
def recorded(case_id: str, *, preview: bool = False) -> Recording:
    """The recording of a case that runs without an error; made once."""
    recording = by_id()[case_id].run(preview=preview)
    assert recording.error is None, recording.error
    return recording


def mounted(recording: Recording, stateful_set: Resource) -> dict[str, str]:
    """Path in the Pod to text: every file that a Secret of the stack brings into it."""
    spec = stateful_set.inputs["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    made = {r.inputs["metadata"]["name"]: r for r in recording.of_kind("Secret") if not r.read}
    return {
        f"{paths[volume['name']]}/{key}": text
        for volume in spec["volumes"]
        if volume.get("secret", {}).get("secretName") in made
        for key, text in plain(made[volume["secret"]["secretName"]].inputs)["stringData"].items()
    }


def cnf(recording: Recording, stateful_set: Resource) -> dict[str, Any]:
    """The configuration that the proxies run, logins and peers included."""
    files = mounted(recording, stateful_set)
    return libconfig.parse(libconfig.whole(files["/etc/proxysql/proxysql.cnf"], files))


def canaries(case: Case, recording: Recording) -> dict[str, str]:
    """Every text that must stay secret, with what it is: passwords and what derives from them."""
    found: dict[str, str] = {}
    for password in case.passwords(recording):
        once = hashlib.sha1(password.encode())
        found[password] = "password"
        found[base64.b64encode(password.encode()).decode()] = "base64"
        found[once.hexdigest()] = "SHA1"
        found["*" + hashlib.sha1(once.digest()).hexdigest().upper()] = "ProxySQL hash"
    return found


def configured(recording: Recording) -> dict[str, Any]:
    """The outputs, without what an operator observed: a preview cannot know it."""
    outputs = deepcopy(recording.outputs)
    for contract in (outputs, *outputs.get("databases", {}).values()):
        if "status" in contract:
            contract["status"] = "[observed]"
    return outputs


def shown(resource: Resource) -> dict[str, Any]:
    """A resource's inputs as a diff prints them.

    The text of a Secret is unknown while a preview has no password yet: `[secret]` all the same.
    """
    inputs = cast(dict[str, Any], without_secrets(resource.inputs))
    if resource.kind == "Secret" and inputs.get("stringData") == "[unknown]":
        inputs["stringData"] = "[secret]"
    return inputs
