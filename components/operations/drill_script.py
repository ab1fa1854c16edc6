"""What a restore drill runs: a backup is fetched, restored into a scratch server and looked at.

Pure text. Two containers share a scratch volume. The first brings the newest backup: of a MariaDB
the operator's own program, which picks it as a restore does and whose image has no shell; of a
Percona XtraDB Cluster XtraBackup's tools. The second has the servers' image: a server without
network and accounts reads every row, and the heartbeat, which says whose data that is and from
when.
"""

from dataclasses import dataclass

from components.operations import heartbeat_script

DIRECTORY = "/drill"
"""Where the scratch volume is."""
START_SECONDS = 300
"""How long the scratch server may take to start."""
KEPT_OPTIONS = ("innodb_data_file_path", "innodb_page_size", "innodb_undo_tablespaces")
"""Options of the copied server without which another one does not read its files."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """What is expected of the newest backup. Plain: known at preview."""

    identity: str
    """The name in the heartbeat's row."""
    max_age: int
    """Seconds that the newest row may be old."""
    directory: str = DIRECTORY
    options: tuple[str, ...] = ()
    """Arguments of the scratch server, of options in which it must be like the copied one."""

    @property
    def target_file(self) -> str:
        """Where `fetch` says which file it has brought."""
        return f"{self.directory}/target"


def fetch(drill: Drill, store: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments of the operator's program that brings the newest backup, decompressed.

    `store`: those that say where backups are.
    """
    return (
        *("backup", "restore", "--path", drill.directory),
        *("--target-file-path", drill.target_file, "--backup-content-type", "Physical"),
        *store,
    )


def s3(
    *, bucket: str, endpoint: str, region: str, prefix: str, tls: bool, ca_file: str | None
) -> tuple[str, ...]:
    """Those arguments for an S3 store (the same file, s3Args). Keys are in the environment."""
    return (
        *("--s3", "--s3-bucket", bucket, "--s3-endpoint", endpoint),
        *("--s3-region", region, "--s3-prefix", prefix),
        *(("--s3-tls",) if tls else ()),
        *(("--s3-ca-cert-path", ca_file) if tls and ca_file else ()),
    )


def azure(*, container: str, url: str, prefix: str) -> tuple[str, ...]:
    """The same for Azure (v26.6.0, the same file, absArgs)."""
    return ("--abs", "--abs-container", container, "--abs-service-url", url, "--abs-prefix", prefix)


def link(drill: Drill, backups: str) -> str:
    """bash text that makes the files of a volume look as if they were on the scratch volume, where
    `fetch` decompresses beside what it finds: the volume stays as it is."""
    files = "physicalbackup-*"
    return f"cd {drill.directory} && rm -f {files} && ln -s {backups}/{files} ."


def mariadb(drill: Drill) -> str:
    """bash text that succeeds if the fetched backup restores to a sound and recent database.

    What is wrong is its last line, and the message with which the container ends. The steps are
    those of mariadb-operator's restore (v25.10.4, pkg/command/backup.go, MariadbBackupRestore), but
    the copy is moved into the data directory, not copied. So the volume needs room for two copies,
    not three: the fetched file, and what is unpacked of it.
    """
    return f"""\
{_functions(drill, client="mariadb")}
[ -s "$file" ] || fail "$name is empty"
find {drill.directory} -name "$name.*" -type f -delete
say "unpacking $name, $(stat -Lc %s "$file") bytes"
rm -rf full data && mkdir full || fail "the scratch volume cannot be written"
mbstream -x -C full < "$file" > unpack.log 2>&1 ||
  fail "$name is damaged: $(tail -n 1 unpack.log)"
rm -f "$file"
[ -s full/backup-my.cnf ] && [ -s full/xtrabackup_info -o -s full/mariadb_backup_info ] ||
  fail "$name is not a complete backup: the copy did not end"
say "preparing"
mariadb-backup --no-defaults --prepare --target-dir=full > prepare.log 2>&1 ||
  fail "$name cannot be prepared: $(grep -i error prepare.log | tail -n 1)"
mariadb-backup --no-defaults --move-back --target-dir=full --datadir={drill.directory}/data \\
  > move.log 2>&1 || fail "$name cannot be moved into place: $(tail -n 1 move.log)"
{_serve(drill, "mariadbd", ("--skip-slave-start",))}
{_look(drill, "mariadb-check")}"""


def percona_fetch(drill: Drill, source: str, options: tuple[str, ...]) -> str:
    """bash text that brings the newest backup below `source`, `s3://<bucket>/<prefix>`, and
    prepares it.

    `options`: of xbcloud. Names are `<cluster>-<time>-full`, which sort by time; beside each is one
    that ends in `.sst_info`. The steps are those of Percona's restore (v1.18.0,
    build/backup/recovery-cloud.sh).
    """
    arguments = " ".join(options)
    return f"""\
{_failure(drill)}
listed=$(aws s3 ls "{source}/" 2> list.log) ||
  [ ! -s list.log ] || fail "the store did not answer: $(tail -n 1 list.log)"
name=$(echo "$listed" | sed -n 's/^ *PRE \\(.*-full\\)\\/$/\\1/p' | sort | tail -n 1)
[ -n "$name" ] || fail "there is no backup in {source}"
echo "$name" > {drill.target_file}
say "fetching $name"
rm -rf full data && mkdir full || fail "the scratch volume cannot be written"
xbcloud get {arguments} "{source}/$name" 2> fetch.log |
  xbstream -x -C full --decompress 2> unpack.log ||
  fail "$name is damaged: $(tail -qn 1 fetch.log unpack.log | tr '\\n' ' ')"
[ -s full/xtrabackup_info ] || fail "$name is not a complete backup: the copy did not end"
say "preparing"
xtrabackup --no-defaults --prepare --rollback-prepared-trx --target-dir=full \\
  > prepare.log 2>&1 || fail "$name cannot be prepared: $(tail -n 1 prepare.log)"
xtrabackup --no-defaults --move-back --target-dir=full --datadir={drill.directory}/data \\
  > move.log 2>&1 || fail "$name cannot be moved into place: $(tail -n 1 move.log)"
"""


def percona(drill: Drill) -> str:
    """bash text that looks at what `percona_fetch` has left."""
    arguments = ("--wsrep-provider=none", "--mysqlx=OFF", "--loose-skip-replica-start")
    return f"""\
{_functions(drill, client="mysql")}
{_serve(drill, "mysqld", arguments)}
{_look(drill, "mysqlcheck")}"""


def _failure(drill: Drill) -> str:
    """What every script begins with."""
    return f"""\
set -uo pipefail
cd {drill.directory} || exit 1
export HOME={drill.directory} TMPDIR={drill.directory}
server=
end=/dev/termination-log
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null' EXIT
say() {{ echo "drill: $*"; }}
fail() {{
  echo "drill failed: $*"
  [ -w $end ] && echo "$*" > $end
  exit 1
}}"""


def _functions(drill: Drill, client: str) -> str:
    """`sql`, and the name of what was fetched."""
    socket = f"{drill.directory}/sock"
    return f"""\
{_failure(drill)}
sql() {{ {client} --no-defaults --socket={socket} --user=root --batch -N -e "$1"; }}
file=$(cat {drill.target_file}) && [ -n "$file" ] || fail "no backup was fetched"
name=$(basename "$file")"""


def _serve(drill: Drill, program: str, arguments: tuple[str, ...]) -> str:
    """A server on the restored files, which nothing but this script reaches."""
    directory, kept = drill.directory, "|".join(KEPT_OPTIONS)
    options = " ".join([*arguments, *drill.options])
    return f"""\
say "starting a server"
rm -rf tmp && mkdir tmp || fail "the scratch volume cannot be written"
grep -hE '^({kept})=' full/backup-my.cnf data/backup-my.cnf 2>/dev/null |
  sed 's/^/--loose-/' > options
{program} --no-defaults --datadir={directory}/data --tmpdir={directory}/tmp \\
  --socket={directory}/sock --pid-file={directory}/pid --skip-networking --skip-grant-tables \\
  --skip-log-bin --performance-schema=OFF $(cat options) {options} > server.log 2>&1 &
server=$!
end_of_start=$(($(date +%s) + {START_SECONDS}))
until sql "SELECT 1" > /dev/null 2>&1; do
  kill -0 $server 2>/dev/null ||
    fail "a server does not start from $name: $(grep ERROR server.log | tail -n 1)"
  [ "$(date +%s)" -lt $end_of_start ] ||
    fail "a server did not start from $name within {START_SECONDS} s"
  sleep 1
done"""


def _look(drill: Drill, check: str) -> str:
    """Every table, then whose data it is and from when."""
    return f"""\
tables=$(sql "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
  AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')") ||
  fail "the server did not answer: $(tail -n 1 server.log)"
say "checking every table"
{check} --no-defaults --socket={drill.directory}/sock --user=root --all-databases \\
  > check.log 2>&1 || fail "tables of $name cannot be checked: $(tail -n 1 check.log)"
kill -0 $server 2>/dev/null || fail "$name has a table that ends the server that reads it"
broken=$(grep -iE '^(error|warning) *:' -B 1 check.log | head -n 4 | tr '\\n' ' ')
[ -z "$broken" ] || fail "$name has a broken table: $broken"

beat=$(sql "{heartbeat_script.newest()}" 2>/dev/null) && [ -n "$beat" ] || fail \\
  "$name has no heartbeat: it is older than the first one, or of a database without." \\
  "A newer backup has it: make backup-now"
whose=${{beat%%$'\\t'*}} age=${{beat##*$'\\t'}}
[ "$whose" = "{drill.identity}" ] || fail "$name is a backup of $whose, not of {drill.identity}"
[ "$age" -le {drill.max_age} ] || fail \\
  "$name has data that is $((age / 60)) minutes old, more than {drill.max_age // 60}:" \\
  "no newer backup, or no heartbeat before it"
say "passed: $name of {drill.identity}, $tables tables, data of $((age / 60)) minutes ago"
"""
