"""The restore drill's scripts and the heartbeat's, on real backups in a real S3 server."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.config.credentials import HEARTBEAT_SCHEMA
from components.operations import drill_script, heartbeat_script
from components.operations.drill_script import Drill
from testbed.database import object_store, operator_sql
from testbed.database.backups import Backup, Place, Ran, run
from testbed.database.object_store import ObjectStore
from testbed.database.servers import HOST, Account, Installation, Server

pytestmark = pytest.mark.database

DAY = 86_400
MAX_AGE = 26 * 3600
WRITER = Account("heartbeat", "heartbeat-password")


def identity(name: str) -> str:
    return f"test/default/{name}"


@dataclass(frozen=True)
class Heartbeat:
    """Writes the row of a database as its CronJob does."""

    directory: Path
    server: Server
    name: str

    def beat(self) -> Ran:
        """With the password in a file, as the mounted Secret has it."""
        login = heartbeat_script.login(
            WRITER.user, WRITER.password, HOST, self.server.port, tls=False
        )
        self.directory.mkdir(exist_ok=True)
        (self.directory / heartbeat_script.LOGIN_FILE).write_text(login)
        text = heartbeat_script.script(identity(self.name), str(self.directory))
        return run("bash", "-c", text)


@pytest.fixture(scope="module")
def hearts(servers: dict[str, Server], workspace: Path) -> Iterator[dict[str, Heartbeat]]:
    """Of both databases, with an account as the operator makes it."""
    found: dict[str, Heartbeat] = {}
    for name, server in servers.items():
        server.query(operator_sql.create_database(HEARTBEAT_SCHEMA, "utf8mb4", "utf8mb4_bin"))
        for sql in operator_sql.create_user(WRITER):
            server.query(sql)
        schema = HEARTBEAT_SCHEMA.replace("_", "\\_")
        server.query(operator_sql.grant(heartbeat_script.PRIVILEGES, WRITER, schema))
        found[name] = Heartbeat(workspace / f"heartbeat-{name}", server, name)
    yield found


@pytest.fixture
def drilled(
    installation: Installation, store: ObjectStore, folder: Path, operator: Path
) -> Callable[..., Ran]:
    """`drilled("a", "prefix")`: how a drill of database `a` ends, one container after the other.

    `other`: a store other than the usual one; `volume`: a folder instead of one.
    """

    def drill(
        name: str, prefix: str, other: ObjectStore | None = None, volume: Path | None = None
    ) -> Ran:
        where = other or store
        directory = folder / "drill"
        directory.mkdir()
        installation.own(directory)
        asked = Drill(
            identity=identity(name),
            max_age=MAX_AGE,
            directory=str(directory),
            # This machine gives few contexts of it (fs.aio-max-nr).
            options=("--innodb-use-native-aio=0",),
        )
        arguments = drill_script.s3(
            bucket=where.bucket,
            endpoint=where.endpoint,
            region="us-east-1",
            prefix=prefix,
            tls=where.authority is not None,
            ca_file=str(where.authority) if where.authority else None,
        )
        if volume:
            arguments = ()
            linked = run("bash", "-c", drill_script.link(asked, str(volume)))
            assert linked.code == 0, linked.said
        fetched = run(
            operator,
            *drill_script.fetch(asked, arguments),
            environment=where.environment,
            run_as=installation.run_as,
        )
        if fetched.code:
            return fetched
        return run("bash", "-c", drill_script.mariadb(asked), run_as=installation.run_as)

    return drill


def last_line(ran: Ran) -> str:
    return ran.said.splitlines()[-1]


def damaged(content: bytes) -> bytes:
    """Other bytes in the middle, as a failing disk has them."""
    middle = len(content) // 2
    flipped = bytes(byte ^ 0xFF for byte in content[middle : middle + 256])
    return content[:middle] + flipped + content[middle + 256 :]


def test_a_heartbeat_makes_its_table_and_renews_its_row(hearts: dict[str, Heartbeat]) -> None:
    heart = hearts["b"]
    heart.server.query(f"DROP TABLE IF EXISTS {heartbeat_script.TABLE}")
    for _ in range(2):
        ran = heart.beat()
        assert (ran.code, ran.said) == (0, "")
        rows = heart.server.query(heartbeat_script.newest()).rows
        assert [row[0] for row in rows] == [identity("b")]
        heart.server.query(f"UPDATE {heartbeat_script.TABLE} SET beat_at = '2020-01-01'")


def test_a_heartbeat_that_cannot_be_written_says_why(hearts: dict[str, Heartbeat]) -> None:
    heart = hearts["b"]
    heart.server.query("SET GLOBAL read_only = 1")
    try:
        ran = heart.beat()
    finally:
        heart.server.query("SET GLOBAL read_only = 0")
    assert ran.code == 1
    assert "--read-only option" in ran.said
    assert WRITER.password not in ran.said


@pytest.mark.parametrize("compression", ["none", "gzip", "bzip2"])
def test_a_good_backup_passes(
    compression: str,
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
) -> None:
    assert hearts["a"].beat().code == 0
    prefix = f"good-{compression}"
    name = backup("a", prefix, compression=compression).run()
    ran = drilled("a", prefix)
    assert ran.code == 0, ran.said
    plain = name.removesuffix(".gz").removesuffix(".bz2")
    assert last_line(ran).startswith(f"drill: passed: {plain} of {identity('a')}, 2 tables")


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_volume_stays_as_it_is(
    compression: str,
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
    folder: Path,
    store: ObjectStore,
) -> None:
    assert hearts["a"].beat().code == 0
    job = backup("a", f"volume-{compression}", compression=compression)
    volume = folder / "volume"
    volume.mkdir()
    content = store.read(job.place.key(name := job.run()))
    (volume / name).write_bytes(content)
    ran = drilled("a", "", volume=volume)
    assert ran.code == 0, ran.said
    assert f" {stream_size(content, compression)} bytes" in ran.said
    assert [file.name for file in volume.iterdir()] == [name]
    assert (volume / name).read_bytes() == content


def stream_size(content: bytes, compression: str) -> int:
    """Bytes of the stream in a file."""
    return len(gzip.decompress(content) if compression == "gzip" else content)


def test_a_store_with_its_own_authority(
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
    weed: str,
    folder: Path,
) -> None:
    assert hearts["a"].beat().code == 0
    with object_store.object_store(weed, folder / "store", tls=True) as secure:
        job = backup("a", "secure")
        job.place = Place(store=secure, prefix="secure")
        job.run()
        ran = drilled("a", "secure", secure)
    assert ran.code == 0, ran.said


def test_the_newest_backup_is_the_one_that_is_tried(
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
    store: ObjectStore,
) -> None:
    assert hearts["a"].beat().code == 0
    job = backup("a", "newest")
    old = job.run(age=3600)
    store.write(job.place.key(old), b"")
    job.run()
    ran = drilled("a", "newest")
    assert ran.code == 0, ran.said


@pytest.mark.parametrize(
    ("compression", "said"),
    [("none", "xb_stream_read_chunk(): invalid checksum"), ("gzip", "error decompressing backup")],
)
def test_a_damaged_object_fails(
    compression: str,
    said: str,
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
    store: ObjectStore,
) -> None:
    assert hearts["a"].beat().code == 0
    job = backup("a", f"damaged-{compression}", compression=compression)
    key = job.place.key(job.run())
    store.write(key, damaged(store.read(key)))
    ran = drilled("a", job.place.prefix)
    assert ran.code == 1
    assert said in last_line(ran)


@pytest.mark.parametrize(
    ("compression", "said"), [("none", "is empty"), ("gzip", "error decompressing backup")]
)
def test_an_empty_object_fails(
    compression: str,
    said: str,
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
    store: ObjectStore,
) -> None:
    job = backup("a", f"empty-{compression}", compression=compression)
    store.write(job.place.key(job.run()), b"")
    ran = drilled("a", job.place.prefix)
    assert ran.code == 1
    assert said in last_line(ran)


def test_a_cut_object_fails(
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
    store: ObjectStore,
) -> None:
    """A copy that ended between two of its chunks, and was compressed and uploaded all the same."""
    assert hearts["a"].beat().code == 0
    job = backup("a", "cut")
    key = job.place.key(job.run())
    stream = gzip.decompress(store.read(key))
    last_chunk = stream.rindex(b"XBSTCK", 0, stream.index(b"xtrabackup_info"))
    store.write(key, gzip.compress(stream[:last_chunk]))
    ran = drilled("a", "cut")
    assert ran.code == 1
    assert last_line(ran).endswith("is not a complete backup: the copy did not end")


def test_a_backup_of_another_database_fails(
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
) -> None:
    assert hearts["b"].beat().code == 0
    backup("b", "foreign").run()
    ran = drilled("a", "foreign")
    assert ran.code == 1
    assert last_line(ran).endswith(f"is a backup of {identity('b')}, not of {identity('a')}")


def test_a_stale_heartbeat_fails(
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
) -> None:
    heart = hearts["a"]
    assert heart.beat().code == 0
    heart.server.query(f"UPDATE {heartbeat_script.TABLE} SET beat_at = beat_at - INTERVAL 2 DAY")
    backup("a", "stale").run()
    ran = drilled("a", "stale")
    assert ran.code == 1
    assert "has data that is 2880 minutes old, more than 1560" in last_line(ran)


def test_a_backup_without_heartbeat_fails(
    servers: dict[str, Server], backup: Callable[..., Backup], drilled: Callable[..., Ran]
) -> None:
    servers["a"].query(f"DROP TABLE IF EXISTS {heartbeat_script.TABLE}")
    backup("a", "silent").run()
    ran = drilled("a", "silent")
    assert ran.code == 1
    assert "has no heartbeat" in last_line(ran)


def test_no_backup_at_all_fails(drilled: Callable[..., Ran]) -> None:
    ran = drilled("a", "nothing")
    assert ran.code == 1
    assert "no valid backup files were found" in last_line(ran)


def test_a_broken_table_fails(
    hearts: dict[str, Heartbeat],
    backup: Callable[..., Backup],
    drilled: Callable[..., Ran],
) -> None:
    """The copy is faithful, and what it copies is broken."""
    heart = hearts["a"]
    assert heart.beat().code == 0
    server = heart.server
    server.query("CREATE TABLE shop.old (id INT PRIMARY KEY, t TEXT) ENGINE=MyISAM")
    server.query("INSERT INTO shop.old SELECT seq, REPEAT('x', 99) FROM shop.seq_1_to_1000")
    server.query("FLUSH TABLES shop.old")
    rows = server.data / "shop" / "old.MYD"
    rows.write_bytes(damaged(rows.read_bytes()))
    try:
        backup("a", "broken").run()
    finally:
        server.query("DROP TABLE shop.old")
    ran = drilled("a", "broken")
    assert ran.code == 1
    assert "has a broken table: shop.old" in last_line(ran)
