"""`backup`: where, when and how long; and how it is proved that a backup can be restored."""

from math import ceil
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from components.config import cron
from components.config.errors import field_error
from components.config.model import Model, Resources, SecretRef
from components.config.types import (
    Bool,
    Bucket,
    Bytes,
    Container,
    Count,
    Cron,
    Duration,
    Endpoint,
    Label,
    ObjectName,
    Region,
    SecretKey,
    StorageAccount,
    seconds,
)

AZURE_SINCE = (26, 3)
"""mariadb-operator v26.3.0: `azureBlob` of PhysicalBackups and of `bootstrapFrom`."""
CA_SINCE = (1, 19, 0)
"""percona-xtradb-cluster-operator v1.19.0: `caBundle` (deploy/crd.yaml)."""


class S3Keys(Model):
    """An existing Secret with the keys of the store, in the database's namespace."""

    name: ObjectName
    """Existing Secret in the database's namespace."""
    access_key: SecretKey = "AWS_ACCESS_KEY_ID"
    """The Secret's key with the access key's id. Fixed with engine `percona`."""
    secret_key: SecretKey = "AWS_SECRET_ACCESS_KEY"
    """The Secret's key with the secret access key. Fixed with engine `percona`."""
    session_token: SecretKey | None = None
    """The Secret's key with a session token. Not with engine `percona`."""


class S3Credentials(Model):
    """How Pods log in to the store: no password of a store is ever in a config."""

    existing_secret: S3Keys | None = None
    """Unset: the Pods' own identity, by `backup.service_account` or their node. Required in
    `database.restore_from`, whose Pods have the servers' identity."""


class S3(Model):
    """A bucket of a store that speaks S3."""

    endpoint: Endpoint
    """Host of the store, and port if it is not the usual one: `s3.eu-central-1.amazonaws.com`.
    No scheme: it is HTTPS."""
    bucket: Bucket
    """An existing bucket. Whoever can read it has every row and every password's hash."""
    region: Region = "us-east-1"
    """Region of the bucket; most stores that are not Amazon's ignore it."""
    ca: SecretRef | None = None
    """The authority of the store's certificate, if no public one: PEM. Percona: from
    `percona.cr_version` 1.19.0."""
    credentials: S3Credentials = S3Credentials()
    """How Pods log in to the store."""
    allow_plain_http: Bool = False
    """Speak HTTP, without TLS: everybody on the way reads all data. For tests."""

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"{'http' if self.allow_plain_http else 'https'}://{self.endpoint}"


class AzureCredentials(Model):
    """How Pods log in to the store."""

    existing_secret: SecretRef | None = None
    """Existing Secret and its key with the storage account's key. With engine `percona` it is
    required, the key is `AZURE_STORAGE_ACCOUNT_KEY`, and beside it is `AZURE_STORAGE_ACCOUNT_NAME`.
    Unset: the Pods' own identity. Required in `database.restore_from`."""


class Azure(Model):
    """A container of Azure Blob Storage. MariaDB: from operator 26.3."""

    account: StorageAccount
    """Name of the storage account."""
    container: Container
    """An existing container. Whoever can read it has every row and every password's hash."""
    credentials: AzureCredentials = AzureCredentials()
    """How Pods log in to the store."""

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"https://{self.account}.blob.core.windows.net"


class BackupVolume(Model):
    """A volume in the same cluster: for tests, and for stores that are mounted as volumes."""

    size: Bytes
    """In bytes: all backups that `retention` keeps; with engine `percona`, whose backups have a
    volume each, one of them."""
    storage_class: ObjectName | None = None
    """Unset: the cluster's default."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    """A `ReadWriteOnce` volume is in one zone, and so must be the server that is copied."""


class Store(Model):
    """Where backups go: exactly one of the keys."""

    s3: S3 | None = None
    """A bucket of a store that speaks S3."""
    azure: Azure | None = None
    """A container of Azure Blob Storage."""
    volume: BackupVolume | None = None
    """A volume in the same cluster, which is lost with it."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(kind is not None for kind in (self.s3, self.azure, self.volume)) != 1:
            raise field_error("must have exactly one of s3, azure and volume", "keep one of them")
        return self


class Staging(Model):
    """Where a backup is kept while it is made, before it goes to `store.s3`. MariaDB only."""

    kind: Literal["node", "claim"]
    """`node`: the disk of the node, up to `size`; `claim`: a volume of its own. The claim must be
    in the zone of the server that is copied."""
    size: Bytes | None = None
    """In bytes: the backup, twice while it is compressed. Unset: twice `database.storage.size`."""
    storage_class: ObjectName | None = None
    """Of the claim. Unset: the cluster's default."""


class Logical(Model):
    """A dump of SQL beside the copy of the files. MariaDB only."""

    schedule: Cron | None = None
    """When, in UTC. Unset: no dumps."""
    retention: Duration | None = None
    """Age at which a dump is deleted. Unset: `backup.retention`."""


class PointInTime(Model):
    """Binary logs in the store, to restore to any time. Percona only."""

    enabled: Bool = False
    """Percona: a collector uploads the binary logs."""
    upload_seconds: Annotated[int, Strict(), Field(ge=1, le=3600)] = 60
    """Seconds between uploads."""


class Scratch(Model):
    """The volume into which a drill restores; it goes with the drill."""

    size: Bytes | None = None
    """Unset: twice `database.storage.size`."""
    storage_class: ObjectName | None = None
    """Unset: the cluster's default."""


class Drill(Model):
    """A Job that restores the newest backup into a scratch server and looks at every table."""

    enabled: Bool
    """Whether there are drills."""
    schedule: Cron = "43 4 * * 0"
    """When, in UTC."""
    resources: Resources = Resources()
    """CPU and memory of each container of the drill."""
    scratch: Scratch = Scratch()
    """The volume into which it restores."""


DRILL_TIMES = 2
"""A drill may take so many times as long as a backup: it copies once and reads once."""


class Backup(Model):
    """Scheduled backups of the database."""

    enabled: Bool
    """Whether backups are made. They need a store."""
    store: Store | None = None
    """Where they go. Unset: none are made."""
    delete_from_store: Bool = False
    """Percona only: whether its operator deletes the files of expired backups. It then also does
    when somebody deletes the backups' objects, or the namespace. False: a rule of the bucket must
    delete them. MariaDB's files are always deleted, after a later backup succeeded."""
    environment: Label | None = None
    """First part of the place in the store, which is
    `<environment>/<namespace>/<name>/<generation>`. Unset: the Pulumi stack's name. Set it if
    stacks of one name share a store."""
    generation: Count = 1
    """Raise it when a database is made anew under an old name, so that it does not touch the old
    one's backups."""
    schedule: Cron = "17 2 * * *"
    """When, in UTC."""
    retention: Duration
    """Age at which a backup is deleted, after a later one has succeeded; at least three times the
    longest time between two. Percona keeps the number of backups that are made in this time."""
    compression: Literal["none", "gzip", "bzip2"] = "gzip"
    """Of the files. MariaDB only."""
    timeout: Duration
    """Longest time that one backup may take."""
    staging: Staging
    """Where a backup is kept while it is made. MariaDB with `store.s3` only."""
    service_account: ObjectName | None = None
    """Existing ServiceAccount of the Pods that make backups, for an identity in the cloud. Unset:
    the one that the operator makes, with Percona `default`."""
    resources: Resources = Resources()
    """CPU and memory of each container of a Pod that makes a backup."""
    logical: Logical = Logical()
    """A dump of SQL beside the copy of the files. MariaDB only."""
    point_in_time: PointInTime = PointInTime()
    """Binary logs in the store, to restore to any time. Percona only."""
    drill: Drill
    """A proof that the newest backup can be restored."""

    @property
    def target(self) -> Store | None:
        """Where backups go; None if none are made."""
        return self.store if self.enabled else None

    @property
    def drilled(self) -> bool:
        """Whether there are backups, and drills of them."""
        return self.target is not None and self.drill.enabled

    @property
    def newest_allowed_age(self) -> int:
        """Seconds after which the newest backup is too old: no run may have failed.

        A backup counts from its end. It has the data of that time.
        """
        return cron.runs(self.schedule).longest + seconds(self.timeout)

    @property
    def drill_timeout(self) -> int:
        """Seconds that a drill may take."""
        return DRILL_TIMES * seconds(self.timeout)

    @property
    def drill_allowed_age(self) -> int:
        """Seconds after which the last drill that succeeded is too old: no run may have failed."""
        return cron.runs(self.drill.schedule).longest + self.drill_timeout

    @property
    def count(self) -> int:
        """How many backups `retention` keeps."""
        return ceil(seconds(self.retention) / cron.runs(self.schedule).average)
