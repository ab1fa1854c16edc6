"""What ProxySQL loads while it runs: `users.cnf`, everyone who may log in, and `peers.cnf`. Pure.

Files of their own, in a Secret that can change without a roll (ADR 13 and 19).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.config.engine import ENGINES
from components.config.proxy import ProxyUser
from components.config.proxysql import ADMIN_PORT
from components.config.stack import StackConfig
from components.proxysql.libconfig import Group, Scalar, render_document
from components.topology import Topology

LIVE_MODULES = ("mysql_users", "proxysql_servers")
"""ProxySQL's modules that are read from these files; also the names of their tables."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """All that is not secret of what ProxySQL loads while it runs."""

    peers: tuple[str, ...]
    """DNS names of all ProxySQL Pods; none where they do not know each other."""
    users: tuple[ProxyUser, ...]
    auth_plugin: str
    """How the servers' accounts authenticate; see Topology."""
    writer: int
    """The writer hostgroup."""
    tls_required: bool
    """Whether a user without a setting for TLS must use it."""

    def requires_tls(self, user: ProxyUser) -> bool:
        """Whether a user's logins must use TLS."""
        return self.tls_required if user.require_tls is None else user.require_tls


def live(config: StackConfig, topology: Topology) -> Live:
    """Logins and peers of a config."""
    proxy = config.proxy
    engine = ENGINES[config.engine]
    peers = engine.proxy_hosts(config.name, config.namespace, proxy.replicas, config.cluster_domain)
    return Live(
        peers=() if proxy.clustering == "off" else peers,
        users=config.logins,
        auth_plugin=topology.auth_plugin,
        writer=proxy.hostgroups.writer,
        tls_required=proxy.tls.required,
    )


def render_users(model: Live, passwords: Mapping[str, str]) -> str:
    """`users.cnf`. `passwords`: in clear text, by user name."""
    if not model.users:
        return ""
    rows = [_user(model, user, passwords[user.username]) for user in model.users]
    return render_document({"mysql_users": rows})


def render_peers(model: Live) -> str:
    """`peers.cnf`: all proxies."""
    if not model.peers:
        return ""
    # weight 0: no load balancing among peers exists; it is only a label.
    rows: Sequence[Group] = [
        {"hostname": peer, "port": ADMIN_PORT, "weight": 0, "comment": peer.split(".")[0]}
        for peer in model.peers
    ]
    return render_document({"proxysql_servers": rows})


def native_password_hash(password: str) -> str:
    """What MariaDB stores for a mysql_native_password account: `*` and 40 hex digits.

    ProxySQL accepts it for clients and servers: lib/MySQL_Protocol.cpp.
    """
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def _user(model: Live, user: ProxyUser, password: str) -> Group:
    if model.auth_plugin == "mysql_native_password":
        password = native_password_hash(password)
    hostgroup = model.writer if user.default_hostgroup is None else user.default_hostgroup
    row: dict[str, Scalar] = {
        "username": user.username,
        "password": password,
        "active": int(user.active),
        "default_hostgroup": hostgroup,
        # 0 would let a transaction's statements go to several servers.
        "transaction_persistent": 1,
        # 1 would switch off multiplexing, retries and query rules.
        "fast_forward": 0,
        "max_connections": user.max_connections,
        "use_ssl": int(model.requires_tls(user)),
    }
    if user.default_schema:
        row["default_schema"] = user.default_schema
    return row
