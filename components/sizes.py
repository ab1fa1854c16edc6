"""The presets `dev`, `small` and `large`: complete plain data, in the shape of the stack config.

They live in Python because a stack value in `Pulumi.<stack>.yaml` replaces a project value whole;
`config.merge` lets a stack override single fields instead. The figures are those of the README's
size table. A stack's own values win over these field by field.
"""

from typing import Any

_HA: dict[str, Any] = {
    "database": {"topology": "replication", "replicas": 3},
    "proxy": {"enabled": True, "replicas": 3},
    "scheduling": {
        "database": {"disruption_budget": True, "spread": "preferred"},
        "proxy": {"disruption_budget": True, "spread": "preferred"},
    },
    "security": {"protect": True, "tls": {"enabled": True}},
}

SIZES: dict[str, dict[str, Any]] = {
    "dev": {
        "database": {
            "topology": "standalone",
            "replicas": 1,
            "max_connections": 151,
            "storage": {"size": "1Gi"},
        },
        "proxy": {"enabled": False, "replicas": 1, "threads": 2},
        "scheduling": {
            "database": {"disruption_budget": False, "spread": "none"},
            "proxy": {"disruption_budget": False, "spread": "none"},
        },
        "security": {"protect": False, "tls": {"enabled": False}},
    },
    "small": {
        **_HA,
        "database": {
            **_HA["database"],
            "max_connections": 500,
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
    },
    "large": {
        **_HA,
        "database": {
            **_HA["database"],
            "max_connections": 1000,
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
    },
}
