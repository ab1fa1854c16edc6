"""`engine`: one record per engine, of everything plain in which engines differ.

What an engine needs of Pulumi and of whole configs is in the other record, `engines.wiring.Wiring`:
a config imports no component.
"""

from collections.abc import Callable, Mapping
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
    reader_service: bool
    """Whether the operator has a Service of its own for reads."""
    revokes: bool
    """Whether the operator takes privileges back that an account no longer has in the config."""
    hashes: bool
    """Whether this program's proxies hold hashes of their users' passwords, not the passwords."""
    proxies: Callable[[str], str]
    """Of a database: the StatefulSet of this program's proxies and their client Service."""
    claims: Callable[[str, str, int], tuple[str, ...]]
    """Of a database, its topology and its replicas: the servers' volume claims."""
    ownerless: Callable[[str, str], tuple[str, ...]]
    """Of a database and its topology: Secrets that the operator leaves behind."""
    objects: Callable[[str], frozenset[str]]
    """Of a database: names of objects that only this engine has."""

    def owned(self, name: str) -> frozenset[str]:
        """Every name that database `name` may give to an object, its own and the operator's."""
        roles = Credentials.model_fields
        return names.common_objects(name, roles) | self.objects(name)

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
    foreign_keys=("percona", "images.log_collector", "database.termination_grace_seconds"),
    # The label `controller-revision-hash` is the StatefulSet's name plus 11 characters and a label
    # holds 63, so `<name>-proxysql` must stay below 52.
    longest_name=40,
    longest_account=80,  # mariadb.com/docs, "Identifier Names"
    oldest_server=(10, 6),  # mariadb-operator docs/README.md, "MariaDB compatibility"
    reader_service=True,
    revokes=True,
    hashes=True,
    proxies=names.proxysql,
    claims=names.mariadb_claims,
    ownerless=names.mariadb_ownerless,
    objects=names.mariadb_objects,
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
    foreign_keys=("images.data_plane", "credentials.replication", "database.probes.startup"),
    longest_name=22,  # of the operator: pkg/apis/pxc/v1/pxc_types.go, clusterNameMaxLen
    longest_account=32,  # dev.mysql.com, "Account User Names"
    oldest_server=(8, 0),  # 5.7 has reached its end
    # percona-xtradb-cluster-operator v1.18.0 pkg/controller/pxc/users.go, handleRootUser
    rotates=frozenset({"root"}),
    reader_service=False,
    revokes=False,  # pkg/controller/pxc/users_custom.go
    hashes=False,
    proxies=names.proxysql_beside_pxc,
    claims=names.pxc_claims,
    ownerless=names.pxc_ownerless,
    objects=names.pxc_objects,
)

ENGINES: Mapping[str, Engine] = {"mariadb": MARIADB, "percona": PERCONA}
"""By the value of the key `engine`."""
