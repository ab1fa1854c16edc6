"""The presets `dev`, `small` and `large`: complete plain data, in the shape of the stack config.

They live in Python because a stack value in `Pulumi.<stack>.yaml` replaces a project value whole;
`config.merge` lets a stack override single fields instead. docs/configuration.md has
them in a table. A stack's own values win over these field by field.

What differs by engine is in MARIADB and PERCONA (`engine.Engine.presets`) and, by who runs the
proxies, in PROXY_MANAGERS: each is laid over the size.
"""

from typing import Any

from components.config.images import (
    MARIADB_IMAGE,
    PROXYSQL_IMAGE,
    PXC_BACKUP_IMAGE,
    PXC_IMAGE,
    PXC_PROXYSQL_IMAGE,
)

_HA: dict[str, Any] = {
    "database": {
        "topology": "replication",
        "replicas": 3,
        "network_policy": {"enabled": True},
    },
    "proxy": {"enabled": True, "replicas": 3},
    "scheduling": {
        "database": {"disruption_budget": True, "spread": "preferred"},
        "proxy": {"disruption_budget": True, "spread": "preferred"},
    },
    "security": {
        "protect": True,
        "tls": {"enabled": True},
        "network_policy": {"enabled": True},
    },
}

_HELPER: dict[str, Any] = {
    "requests": {"cpu": "20m", "memory": "64Mi"},
    "limits": {"cpu": "500m", "memory": "256Mi"},
}
"""A quota of the namespace counts every container, and refuses Pods in which one has no numbers."""

_JOB: dict[str, Any] = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
_LARGE_JOB: dict[str, Any] = {
    "requests": {"cpu": "500m", "memory": "512Mi"},
    "limits": {"cpu": "2", "memory": "2Gi"},
}
"""Of what makes or restores a backup, which is done when it is done."""


def _backup(enabled: bool, retention: str, timeout: str, staging: str, job: Any) -> dict[str, Any]:
    """Backups of a size; on, they need a store too."""
    return {
        "enabled": enabled,
        "retention": retention,
        "timeout": timeout,
        "staging": {"kind": staging},
        "resources": job,
        "drill": {"enabled": enabled, "resources": job},
    }


SIZES: dict[str, dict[str, Any]] = {
    "dev": {
        "database": {
            "topology": "standalone",
            "replicas": 1,
            "max_connections": 151,
            "binlog_expire_days": 1,
            "storage": {"size": "1Gi"},
            "network_policy": {"enabled": False},
        },
        "proxy": {"enabled": False, "replicas": 1, "threads": 2},
        "scheduling": {
            "database": {"disruption_budget": False, "spread": "none"},
            "proxy": {"disruption_budget": False, "spread": "none"},
        },
        "security": {
            "protect": False,
            "tls": {"enabled": False},
            "network_policy": {"enabled": False},
        },
        "backup": _backup(False, "72h", "1h", "node", _JOB),
    },
    "small": {
        **_HA,
        "database": {
            **_HA["database"],
            "max_connections": 500,
            "binlog_expire_days": 3,
            "helper_resources": _HELPER,
            "storage": {"size": "10Gi"},
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "1", "memory": "2Gi"},
            },
        },
        "proxy": {
            **_HA["proxy"],
            "threads": 1,
            "resources": {
                "requests": {"cpu": "100m", "memory": "128Mi"},
                "limits": {"cpu": "1", "memory": "512Mi"},
            },
        },
        "backup": _backup(True, "336h", "2h", "node", _JOB),
    },
    "large": {
        **_HA,
        "database": {
            **_HA["database"],
            "max_connections": 1000,
            "binlog_expire_days": 7,
            "helper_resources": _HELPER,
            "storage": {"size": "100Gi"},
            "resources": {
                "requests": {"cpu": "2", "memory": "8Gi"},
                "limits": {"cpu": "4", "memory": "8Gi"},
            },
        },
        "proxy": {
            **_HA["proxy"],
            "threads": 2,
            "resources": {
                "requests": {"cpu": "500m", "memory": "512Mi"},
                "limits": {"cpu": "2", "memory": "1Gi"},
            },
        },
        "backup": _backup(True, "840h", "6h", "claim", _LARGE_JOB),
    },
}

_PERCONA: dict[str, Any] = {
    # With one node or several it is the same kind of cluster, which may grow from one to three.
    "database": {"topology": "galera"},
    "proxy": {"managed_by": "operator"},
    "percona": {"log_collector": False},
    # The user of Percona's images (build/pxc-entrypoint.sh runs as mysql, 1001).
    "security": {"database": {"run_as_user": 1001, "run_as_group": 1001, "fs_group": 1001}},
    "images": {"database": PXC_IMAGE, "backup": PXC_BACKUP_IMAGE},
}

MARIADB: dict[str, dict[str, Any]] = dict.fromkeys(
    SIZES, {"proxy": {"managed_by": "mysql-ha"}, "images": {"database": MARIADB_IMAGE}}
)

PERCONA: dict[str, dict[str, Any]] = {
    "dev": {**_PERCONA, "percona": {"log_collector": True}},
    "small": _PERCONA,
    "large": _PERCONA,
}

PROXY_MANAGERS: dict[str, dict[str, Any]] = {
    "mysql-ha": {
        "images": {"proxy": PROXYSQL_IMAGE},
        # These proxies hold no data. The servers and the operator's proxies have volumes and follow
        # the cluster's default: a volume may not follow its Pod, and an evicted Pod restarts even
        # if its node comes back.
        "scheduling": {"proxy": {"node_loss_seconds": 30}},
    },
    "operator": {"images": {"proxy": PXC_PROXYSQL_IMAGE}},
}

ADOPTED: dict[str, Any] = {"database": {"network_policy": {"enabled": False}}}
"""Over all that, of a database that was there before: its clients still connect as they did."""

RESTORED: dict[str, dict[str, Any]] = {
    "dev": {},
    "small": {"database": {"ready_timeout": "45m"}},
    "large": {"database": {"ready_timeout": "4h"}},
}
"""The same, by size, of a database that is made from a backup: one server after the other downloads
it, unpacks it and copies it, and the volume may be full."""
