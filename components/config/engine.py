"""`engine`: one record per engine, of everything plain in which engines differ.

What an engine needs of Pulumi and of whole configs is in the other record, `engines.wiring.Wiring`:
a config imports no component.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from components import names
from components.config import presets
from components.config.credentials import Credentials
from components.config.images import MARIADB_IMAGE, PXC_IMAGE


@dataclass(frozen=True, kw_only=True)
class Api:
    """The kind of object from which an operator runs a database."""

    group: str
    version: str
    kind: str
    plural: str
    """What a path calls objects of that kind."""

    @property
    def group_version(self) -> str:
        """The object's `apiVersion`."""
        return f"{self.group}/{self.version}"

    @property
    def type_token(self) -> str:
        """What Pulumi calls the type."""
        return f"kubernetes:{self.group_version}:{self.kind}"

    def path(self, namespace: str, name: str) -> str:
        """Where the API server has one of them."""
        return f"/apis/{self.group_version}/namespaces/{namespace}/{self.plural}/{name}"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Plain facts of an engine and its operator."""

    api: Api
    image: Mapping[str, str]
    """The default image of the servers."""
    presets: Mapping[str, Mapping[str, Any]]
    """By size, what is laid over it."""
    foreign_keys: tuple[str, ...]
    """Config paths of the other engine."""
    longest_name: int
    """Of a database, in characters."""
    longest_account: int
    """Of an account's name, in characters."""
    oldest_server: tuple[int, ...]
    """The oldest version that the operator supports here."""
    rotates: frozenset[str] = frozenset()
    """Roles of `credentials.SET_AT_FIRST_BOOT` whose new password the operator brings to servers
    that run."""
    exports: bool
    """Whether the operator runs an exporter of its own, where prometheus-operator is."""
    reader_service: bool
    """Whether the operator has a Service of its own for reads."""
    revokes: bool
    """Whether the operator takes privileges back that an account no longer has in the config."""
    hashes: bool
    """Whether this program's proxies hold hashes of their users' passwords, not the passwords."""
    operators: tuple[str, ...]
    """What the label `app.kubernetes.io/name` of the operator's Pods may be."""
    servers: Callable[[str], str]
    """Of a database: the StatefulSet of its servers."""
    proxies: Callable[[str], str]
    """Of a database: the StatefulSet of this program's proxies and their client Service."""
    claims: Callable[[str, str, int], tuple[str, ...]]
    """Of a database, its topology and its replicas: the servers' volume claims."""
    ownerless: Callable[[str, str], tuple[str, ...]]
    """Of a database and its topology: Secrets that the operator leaves behind."""
    objects: Callable[[str], frozenset[str]]
    """Of a database: names of objects that only this engine has."""
    secrets: Callable[[str], frozenset[str]]
    """Of a database: names of Secrets that its operator makes or writes into."""
    steps: tuple[tuple[int, int], ...]
    """Series of servers that an upgrade must not pass over."""
    patches_go_back: bool
    """Whether a server takes the files of a later one of its series."""
    unsafe_in_root: str = ""
    """Characters that root's password must not have, whatever the topology: its image and operator
    put it into SQL."""
    unasked: Callable[[str], tuple[str, ...]] = lambda _: ()
    """Of a database: Services that the operator deletes, whoever made them, as this program never
    asks for them."""
    deleted_ends: tuple[str, ...] = ()
    """Ends of names of all Services that the operator deletes, whoever made them, while its object
    does not ask for them."""

    def owned(self, name: str, *, drilled: bool, scraped: bool) -> frozenset[str]:
        """Every name that database `name` may give to an object, its own and the operator's.

        `drilled`: whether it has drills, and a heartbeat. `scraped`: whether its metrics are read.
        """
        absent = {*(() if drilled else ("heartbeat",)), *(() if scraped else ("exporter",))}
        roles = Credentials.model_fields.keys() - absent
        drills = names.drill_objects(name) if drilled else frozenset[str]()
        metrics = names.monitoring_objects(name) if scraped else frozenset[str]()
        return names.common_objects(name, roles) | drills | metrics | self.objects(name)

    def makes_secret(self, secret: str, name: str, apps: Iterable[str]) -> bool:
        """Whether database `name` or its operator may make a Secret of that name. `apps`: theirs.

        The Secret of its proxies' configuration has a hash at the end.
        """
        made = (
            names.proxysql_tls(name),
            names.proxysql_users(name),
            names.exporter_config(name),
            *(names.credential_secret(name, role) for role in Credentials.model_fields),
            *(of(name, app) for app in apps for of in (names.app_secret, names.account_secret)),
        )
        configuration = names.proxysql_config(name, "")
        return secret in self.secrets(name) or secret in made or secret.startswith(configuration)

    def proxy_hosts(
        self, name: str, namespace: str, replicas: int, domain: str = names.CLUSTER_DOMAIN
    ) -> tuple[str, ...]:
        """DNS names of the Pods of this program's proxies, in ordinal order."""
        peers, proxies = names.proxysql_peers(name), self.proxies(name)
        return tuple(
            names.pod_host(f"{proxies}-{ordinal}", peers, namespace, domain)
            for ordinal in range(replicas)
        )

    def left_behind(self, name: str, topology: str, replicas: int) -> list[tuple[str, str]]:
        """(kind, name) of what the servers may leave when their database goes, claims first.

        No StatefulSet takes its claims along. Not here: the claims of proxies.
        """
        return [
            *(("PersistentVolumeClaim", claim) for claim in self.claims(name, topology, replicas)),
            *(("Secret", secret) for secret in self.ownerless(name, topology)),
        ]


MARIADB = Engine(
    api=Api(group="k8s.mariadb.com", version="v1alpha1", kind="MariaDB", plural="mariadbs"),
    image=MARIADB_IMAGE,
    presets=presets.MARIADB,
    # No grace period: mariadb-operator has it since 26.6, and an earlier one would drop it.
    foreign_keys=(
        *("percona", "images.log_collector", "database.termination_grace_seconds"),
        *("backup.point_in_time", "backup.delete_from_store", "images.backup"),
    ),
    # The label `controller-revision-hash` is the StatefulSet's name plus 11 characters and a label
    # holds 63, so `<name>-proxysql` must stay below 52.
    longest_name=40,
    longest_account=80,  # mariadb.com/docs, "Identifier Names"
    oldest_server=(10, 6),  # mariadb-operator docs/README.md, "MariaDB compatibility"
    exports=True,  # api/v1alpha1/mariadb_types.go, MariadbMetrics
    reader_service=True,
    revokes=True,
    hashes=True,
    operators=("mariadb-operator",),  # deploy/charts/mariadb-operator/templates/_helpers.tpl
    servers=names.mariadb_servers,
    proxies=names.proxysql,
    claims=names.mariadb_claims,
    ownerless=names.mariadb_ownerless,
    objects=names.mariadb_objects,
    secrets=names.mariadb_secrets,
    # Releases with long support. mariadb.com/docs, "Upgrading": Galera only from one to the next.
    steps=((10, 6), (10, 11), (11, 4), (11, 8), (12, 3)),
    patches_go_back=True,
)

PERCONA = Engine(
    api=Api(
        group="pxc.percona.com",
        version="v1",
        kind="PerconaXtraDBCluster",
        plural="perconaxtradbclusters",
    ),
    image=PXC_IMAGE,
    presets=presets.PERCONA,
    foreign_keys=(
        *("images.data_plane", "credentials.replication", "database.probes.startup"),
        *("backup.compression", "backup.staging", "backup.logical"),
    ),
    longest_name=22,  # of the operator: pkg/apis/pxc/v1/pxc_types.go, clusterNameMaxLen
    longest_account=32,  # dev.mysql.com, "Account User Names"
    oldest_server=(8, 0),  # 5.7 has reached its end
    # percona-xtradb-cluster-operator v1.18.0 pkg/controller/pxc/users.go, handleRootUser
    rotates=frozenset({"root"}),
    exports=False,
    reader_service=False,
    revokes=False,  # pkg/controller/pxc/users_custom.go
    hashes=False,
    # deploy/bundle.yaml, and the chart pxc-operator of percona-helm-charts
    operators=("percona-xtradb-cluster-operator", "pxc-operator"),
    servers=names.pxc,
    proxies=names.proxysql_beside_pxc,
    claims=names.pxc_claims,
    ownerless=names.pxc_ownerless,
    objects=names.pxc_objects,
    secrets=names.pxc_secrets_of_operator,
    # dev.mysql.com, "Upgrade Paths": from 8.0 to 8.4, and only from there to 9.
    steps=((8, 0), (8, 4)),
    patches_go_back=False,
    unsafe_in_root="'\"\\",
    unasked=names.pxc_haproxy,
    # pkg/controller/pxc/controller.go, deleteServices
    deleted_ends=("-haproxy", "-haproxy-replicas", "-proxysql", "-proxysql-unready"),
)

ENGINES: Mapping[str, Engine] = {"mariadb": MARIADB, "percona": PERCONA}
"""By the value of the key `engine`."""
