"""What a proxy Pod runs: taken from the program itself, or from the original chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from components import names
from components.config.engine import MARIADB
from components.proxysql.layout import CA_DIR, CONFIG_DIR, DATA_DIR, LIVE_DIR, TLS_DIR
from render import recorder
from testbed.database.servers import Account

from .loopback import ADMIN_PORT, CLIENT_PORT, IPV6, SERVER_PORT, Network
from .nodes import APP, MONITOR, SECOND

NAME, NAMESPACE = "db", "default"
ADMIN = Account("admin", "adminADMINadminADMINadmin_")
PASSWORDS: Mapping[str, str] = {
    "monitor": MONITOR.password,
    "proxy_admin": ADMIN.password,
    "proxy_cluster": "clusterCLUSTERclusterCLUST",
}
"""Of the credentials that the proxies need, by role."""
PROXIES = 3
MOST_PROXIES = 5
"""How many may be named; Network has addresses for so many."""
DATABASES = 3
SECRET = "passwords"
CNF = "config/proxysql.cnf"
USERS = (APP, SECOND)
DRAIN = {"endpoint_removal": 2, "timeout": 10}
"""Shorter than the defaults, so that a roll is."""


Routing = Literal["fenced", "primary_service", "galera", "every_writable"]
"""Who gets writes: the one server with read_only=0, with the fence; whom the Service leads to; the
node that ProxySQL elects; or every server with read_only=0."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One version of the proxy Pods, with the names and addresses of the cluster still in it."""

    files: Mapping[str, str]
    """What is mounted: texts by folder and name, as in `config/proxysql.cnf`."""
    command: tuple[str, ...]
    """Of the container, with its arguments; `proxysql` is the binary."""
    startup: str | None
    """The startup probe's script; without one a Pod counts as ready when its process runs."""
    drain: str | None
    """The preStop script."""
    persistent: bool
    """Whether the data directory outlives the Pod."""
    replicas: int
    """How many proxies there are."""
    min_ready: float
    """Seconds between a Pod's readiness and the next Pod of a roll."""
    routing: Routing
    monitors: Mapping[Account, tuple[str, ...]]
    """Accounts that check the servers, with their privileges: what the operator is told."""
    writer: int = 10
    """The writer hostgroup."""
    admin: Account = ADMIN

    @property
    def users(self) -> dict[str, str]:
        """The files of the Secret of logins and peers, by name."""
        folder = "users/"
        return {
            name.removeprefix(folder): text
            for name, text in self.files.items()
            if name.startswith(folder)
        }

    def edited(self, old: str, new: str) -> Release:
        """A release with one text of `proxysql.cnf` replaced."""
        assert old in self.files[CNF], old
        return replace(self, files={**self.files, CNF: self.files[CNF].replace(old, new)})


def program(
    version: str,
    server_version: str,
    topology: Literal["replication", "galera"],
    *,
    users: tuple[Account, ...] = USERS,
    passwords: Mapping[str, str] | None = None,
    monitor_rotation: int | None = None,
    certificates: Mapping[str, str] | None = None,
    **proxy: Any,
) -> Release:
    """What `__main__` makes of a stack: its Secrets' files, its Pod's command and scripts.

    `version`: of the ProxySQL at hand; `passwords`: of credentials, by role, where they are not
    PASSWORDS; `monitor_rotation`: the monitor's password is generated, and was rotated so often;
    `certificates`: turns TLS on, and the files of the other Secrets that the Pod mounts; `proxy`:
    config below `proxy`.
    """
    credentials = {**PASSWORDS, **(passwords or {})}
    if certificates is not None:
        proxy = {"tls": {"secret": "proxy-certificate", "required": True}, **proxy}
    config: dict[str, Any] = {
        "size": "small",
        "name": NAME,
        "namespace": NAMESPACE,
        "database": {
            "topology": topology,
            "replicas": DATABASES,
            "version": server_version.split("-")[0],
            "max_connections": 300,
        },
        "security": {"tls": {"enabled": certificates is not None}},
        # 2.x has no PostgreSQL variables; which release it is follows from the tag alone.
        "images": {"proxy": {"tag": "2.7.4"}} if version.startswith("2.") else {},
        "credentials": {
            role: {"existing_secret": {"name": SECRET, "key": role}} for role in credentials
        }
        | ({} if monitor_rotation is None else {"monitor": {"rotation": monitor_rotation}}),
        "proxy": {
            "replicas": PROXIES,
            "threads": 2,
            "drain": DRAIN,
            "users": [
                {
                    "username": user.user,
                    "existing_secret": {"name": SECRET, "key": user.user},
                    "default_schema": "shop",
                }
                for user in users
            ],
            **proxy,
        },
    }
    existing = {**credentials, **{user.user: user.password for user in users}}
    recording = recorder.run(config, existing={f"{NAMESPACE}/{SECRET}": existing})
    assert recording.error is None, recording.error
    stateful_set = recording.one("StatefulSet").inputs["spec"]
    pod = stateful_set["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {
        volume["name"]: volume["secret"]["secretName"]
        for volume in pod["volumes"]
        if volume["name"] in ("config", "users")
    }
    files = {
        f"{folder}/{name}": text
        for folder, secret in mounted.items()
        for name, text in recorder.plain(
            recording.one("Secret", secret).inputs["stringData"]
        ).items()
    }
    routing: Routing = "primary_service"
    if "mysql_replication_hostgroups" in files[CNF]:
        routing = "fenced"
    elif "mysql_galera_hostgroups" in files[CNF]:
        routing = "galera"
    return Release(
        files={**files, **(certificates or {})},
        command=(*container["command"], *container["args"]),
        startup=container["startupProbe"]["exec"]["command"][-1],
        drain=container["lifecycle"]["preStop"]["exec"]["command"][-1],
        persistent=False,
        replicas=stateful_set["replicas"],
        min_ready=1.0,
        routing=routing,
        monitors=_monitors(recording, existing),
        admin=Account(ADMIN.user, credentials["proxy_admin"]),
    )


def _monitors(
    recording: recorder.Recording, existing: Mapping[str, str]
) -> Mapping[Account, tuple[str, ...]]:
    """Of the User and Grant objects; `existing`: what the Secret that was there holds."""
    privileges = {
        grant.inputs["spec"]["username"]: tuple(grant.inputs["spec"]["privileges"])
        for grant in recording.of_kind("Grant")
    }
    accounts: dict[Account, tuple[str, ...]] = {}
    for user in recording.of_kind("User"):
        spec = user.inputs["spec"]
        at, texts = spec["passwordSecretKeyRef"], existing
        if at["name"] != SECRET:
            secret = recording.one("Secret", at["name"])
            texts = recorder.plain(secret.inputs["stringData"])
        account = Account(spec["name"], texts[at["key"]], spec["maxUserConnections"])
        accounts[account] = privileges[account.user]
    return accounts


def substitutions(network: Network, ordinal: int) -> dict[str, str]:
    """What the cluster's DNS and network do: names and addresses to those of this machine."""
    primary, secondary = names.mariadb_primary(NAME), names.mariadb_secondary(NAME)
    hosts = {
        names.service_host(primary, NAMESPACE): network.primary_service,
        names.service_host(secondary, NAMESPACE): network.secondary_service,
    }
    for index, host in enumerate(names.mariadb_pod_hosts(NAME, NAMESPACE, DATABASES)):
        hosts[host] = network.server(index)
    for index, host in enumerate(MARIADB.proxy_hosts(NAME, NAMESPACE, MOST_PROXIES)):
        hosts[host] = network.proxy(index)
    own = network.proxy(ordinal)
    return {**hosts, "0.0.0.0": own, "127.0.0.1": own, "[::]": f"[{IPV6}]"}


def directories(directory: str) -> dict[str, str]:
    """The Pod's mounts, as folders of this machine."""
    return {
        CA_DIR: f"{directory}/ca",
        TLS_DIR: f"{directory}/tls",
        LIVE_DIR: f"{directory}/users",
        # Last of those that begin like it.
        CONFIG_DIR: f"{directory}/config",
        DATA_DIR: f"{directory}/data",
    }


def chart_a(*, users: tuple[Account, ...] = USERS) -> Release:
    """The original chart A: its template with its default values.

    Its StatefulSet has a volume, no probe and no preStop hook. Two things are not its own: the
    users (it proxies root), and `cluster_sync_interfaces` is off, because each proxy of this
    machine has one address where a Pod has all of them.
    """
    servers = ",\n".join(
        f'{{ address="{host}", port={SERVER_PORT}, hostgroup=10, max_connections=100 }}'
        for host in names.mariadb_pod_hosts(NAME, NAMESPACE, DATABASES)
    )
    peers = ",\n".join(
        f'{{ hostname="{host}", port={ADMIN_PORT}, weight=1 }}'
        for host in MARIADB.proxy_hosts(NAME, NAMESPACE, PROXIES)
    )
    logins = ",\n".join(
        f'{{ username="{user.user}", password="{user.password}", default_hostgroup=10, '
        "max_connections=200, active=1 }"
        for user in users
    )
    text = f"""\
datadir="{DATA_DIR}"
admin_variables=
{{
    admin_credentials="{ADMIN.user}:{ADMIN.password};cluster:clusterCLUSTERclusterCLUST"
    mysql_ifaces="0.0.0.0:{ADMIN_PORT}"
    refresh_interval=2000
    cluster_username="cluster"
    cluster_password="clusterCLUSTERclusterCLUST"
    cluster_sync_interfaces=false
}}
mysql_variables=
{{
    threads=4
    max_connections=2048
    interfaces="0.0.0.0:{CLIENT_PORT}"
    server_version="8.0.23"
    monitor_username="{MONITOR.user}"
    monitor_password="{MONITOR.password}"
    monitor_connect_interval=60000
    monitor_ping_interval=10000
    monitor_read_only_interval=1500
    monitor_read_only_timeout=500
}}
mysql_replication_hostgroups =
(
    {{ writer_hostgroup=10, reader_hostgroup=20, comment="MariaDB Cluster" }}
)
mysql_servers =
(
{servers}
)
mysql_users =
(
{logins}
)
proxysql_servers =
(
{peers}
)
"""
    return Release(
        files={CNF: text},
        # The image's own command, with the file where the chart mounts it.
        command=(
            *("proxysql", "-f", "--idle-threads", "--no-version-check"),
            *("-c", f"{CONFIG_DIR}/proxysql.cnf", "-D", DATA_DIR),
        ),
        startup=None,
        drain=None,
        persistent=True,
        replicas=PROXIES,
        min_ready=0.0,
        routing="every_writable",
        monitors={MONITOR: ("USAGE",)},
    )
