"""The account that writes a MariaDB's heartbeat, and the database that holds it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components import names
from components.config.credentials import HEARTBEAT_ACCOUNT, HEARTBEAT_SCHEMA
from components.config.stack import StackConfig
from components.credentials import Credentials
from components.engines.sql_objects import Kind, sql_object
from components.operations import heartbeat_script


def heartbeat_account(
    name: str,
    config: StackConfig,
    credentials: Credentials,
    *,
    servers: pulumi.Resource,
    parent: pulumi.Resource,
) -> Sequence[pulumi.Resource]:
    """What must exist before the first heartbeat; nothing without drills, which read it."""
    if not config.backup.drilled:
        return ()

    def made(kind: Kind, spec: Mapping[str, Any], *after: pulumi.Resource) -> pulumi.Resource:
        return sql_object(
            f"{name}-heartbeat-{kind.lower()}",
            kind,
            names.heartbeat(config.name),
            spec,
            config=config,
            component="heartbeat",
            parent=parent,
            after=after,
        )

    password = credentials["heartbeat"]
    database = made(
        "Database",
        {
            "name": HEARTBEAT_SCHEMA,
            "characterSet": "utf8mb4",
            "collate": "utf8mb4_bin",
            # Nothing is ever dropped because a key went out of a stack's file.
            "cleanupPolicy": "Skip",
        },
        servers,
    )
    user = made(
        "User",
        {
            "name": HEARTBEAT_ACCOUNT,
            "host": "%",
            "passwordSecretKeyRef": {"name": password.secret, "key": password.key},
            # One beat, and a few that hang.
            "maxUserConnections": 5,
            # Nothing is lost with it. Skip would wait for the servers too: the finalizer reads the
            # policy once it has connected (v25.10.4, pkg/controller/sql/finalizer.go, Finalize).
            "cleanupPolicy": "Delete",
        },
        servers,
        *([password.resource] if password.resource else []),
    )
    grant = made(
        "Grant",
        {
            "username": HEARTBEAT_ACCOUNT,
            "host": "%",
            # In GRANT, `_` stands for any character (mariadb.com/docs, GRANT).
            "database": HEARTBEAT_SCHEMA.replace("_", "\\_"),
            "table": "*",
            "privileges": list(heartbeat_script.PRIVILEGES),
            "cleanupPolicy": "Delete",
        },
        user,
        database,
    )
    return (grant,)
