"""What a restore drill runs: a backup is fetched, restored into a scratch server and looked at.

Pure text. Two containers share a scratch volume. `fetch` is of the operator's own program, which
picks the newest file as a restore does; its image has no shell. `check` is of the servers' image:
the steps of mariadb-operator's restore (v25.10.4, pkg/command/backup.go, MariadbBackupRestore),
then a server without network and accounts that reads every row, and the heartbeat, which says
whose data that is and from when.
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


def check(drill: Drill) -> str:
    """bash text that succeeds if the fetched backup restores to a sound and recent database.

    What is wrong is its last line and the message with which the container ends. The copy is moved,
    not copied, into the data directory, so that the volume needs room for two copies, not three:
    the fetched file and what is unpacked of it.
    """
    directory = drill.directory
    kept = "|".join(KEPT_OPTIONS)
    options = " ".join(drill.options)
    return f"""\
set -uo pipefail
cd {directory} || exit 1
server=
end=/dev/termination-log
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null' EXIT
say() {{ echo "drill: $*"; }}
fail() {{
  echo "drill failed: $*"
  [ -w $end ] && echo "$*" > $end
  exit 1
}}
sql() {{ mariadb --no-defaults --socket={directory}/sock --user=root --batch -N -e "$1"; }}

file=$(cat {drill.target_file}) && [ -n "$file" ] || fail "no backup was fetched"
name=$(basename "$file")
[ -s "$file" ] || fail "$name is empty"
size=$(stat -c %s "$file")
find {directory} -name "$name.*" -type f -delete
say "unpacking $name, $size bytes"
rm -rf full data tmp && mkdir full tmp || fail "the scratch volume cannot be written"
mbstream -x -C full < "$file" > unpack.log 2>&1 ||
  fail "$name is damaged: $(tail -n 1 unpack.log)"
rm -f "$file"
[ -s full/backup-my.cnf ] && [ -s full/xtrabackup_info -o -s full/mariadb_backup_info ] ||
  fail "$name is not a complete backup: the copy did not end"
say "preparing"
mariadb-backup --no-defaults --prepare --target-dir=full > prepare.log 2>&1 ||
  fail "$name cannot be prepared: $(grep -i error prepare.log | tail -n 1)"
grep -E '^({kept})=' full/backup-my.cnf | sed 's/^/--loose-/' > options
mariadb-backup --no-defaults --move-back --target-dir=full --datadir={directory}/data \\
  > move.log 2>&1 || fail "$name cannot be moved into place: $(tail -n 1 move.log)"

say "starting a server"
mariadbd --no-defaults --datadir={directory}/data --tmpdir={directory}/tmp \\
  --socket={directory}/sock --pid-file={directory}/pid --skip-networking --skip-grant-tables \\
  --skip-slave-start --skip-log-bin --performance-schema=OFF $(cat options) {options} \\
  > server.log 2>&1 &
server=$!
end_of_start=$(($(date +%s) + {START_SECONDS}))
until sql "SELECT 1" > /dev/null 2>&1; do
  kill -0 $server 2>/dev/null ||
    fail "a server does not start from $name: $(grep ERROR server.log | tail -n 1)"
  [ "$(date +%s)" -lt $end_of_start ] ||
    fail "a server did not start from $name within {START_SECONDS} s"
  sleep 1
done

tables=$(sql "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
  AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')") ||
  fail "the server did not answer: $(tail -n 1 server.log)"
say "checking every table"
mariadb-check --no-defaults --socket={directory}/sock --user=root --all-databases \\
  > check.log 2>&1 || fail "tables of $name cannot be checked: $(tail -n 1 check.log)"
kill -0 $server 2>/dev/null || fail "$name has a table that ends the server that reads it"
broken=$(grep -iE '^(error|warning) *:' -B 1 check.log | head -n 4 | tr '\\n' ' ')
[ -z "$broken" ] || fail "$name has a broken table: $broken"

beat=$(sql "{heartbeat_script.newest()}" 2>/dev/null) || fail \\
  "$name has no heartbeat: it is older than the heartbeat, or of a database without one"
[ -n "$beat" ] || fail "$name has no heartbeat: the table has no row"
whose=${{beat%%$'\\t'*}} age=${{beat##*$'\\t'}}
[ "$whose" = "{drill.identity}" ] || fail "$name is a backup of $whose, not of {drill.identity}"
[ "$age" -le {drill.max_age} ] || fail \\
  "$name has data that is $((age / 60)) minutes old, more than {drill.max_age // 60}:" \\
  "no newer backup, or no heartbeat before it"
say "passed: $name of {drill.identity}, $tables tables, data of $((age / 60)) minutes ago"
"""
