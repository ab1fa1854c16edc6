"""The heartbeat: one row per database that says when it was last alive. Pure text.

A backup has the row as it was when it was made. So the row says how old the data in a file is,
whatever the file's name and the operator's status say, and whose data it is.
"""

from components.config.credentials import HEARTBEAT_SCHEMA
from components.topology import CA_DIRECTORY, CA_KEY

TABLE = f"{HEARTBEAT_SCHEMA}.heartbeat"
PRIVILEGES = ("CREATE", "INSERT", "SELECT", "UPDATE")
"""Of the account, in that database. INSERT … ON DUPLICATE KEY UPDATE wants the last three."""

DIRECTORY = "/etc/mysql-ha/heartbeat"
LOGIN_FILE = "heartbeat.cnf"

CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} ("
    "name VARCHAR(255) CHARACTER SET ascii NOT NULL PRIMARY KEY, "
    "beat_at DATETIME NOT NULL"
    ") ENGINE=InnoDB"
)


def beat(identity: str) -> str:
    """The statement that says that the database `identity` lives. UTC, whatever the time zone."""
    return (
        f"INSERT INTO {TABLE} (name, beat_at) VALUES ('{identity}', UTC_TIMESTAMP()) "
        "ON DUPLICATE KEY UPDATE beat_at = UTC_TIMESTAMP()"
    )


def newest() -> str:
    """The statement that reads whose row is the newest, and its age in seconds."""
    return (
        "SELECT name, TIMESTAMPDIFF(SECOND, beat_at, UTC_TIMESTAMP()) "
        f"FROM {TABLE} ORDER BY beat_at DESC, name LIMIT 1"
    )


def login(username: str, password: str, host: str, port: int, *, tls: bool) -> str:
    """The option file with which the client logs in: an argument would show the password.

    As the proxies' watcher, it does not look at the name in the certificate: one of the stack's own
    need not have the Service's. `loose`: not every client knows the option.
    """
    lines = [
        "[client]",
        f"user={username}",
        f"password={password}",
        f"host={host}",
        f"port={port}",
        "protocol=tcp",
        "connect_timeout=10",
    ]
    if tls:
        lines += [f"ssl_ca={CA_DIRECTORY}/{CA_KEY}", "loose-ssl=1"]
        lines += ["loose-ssl-verify-server-cert=0", "loose-ssl-mode=VERIFY_CA"]
    else:
        lines.append("loose-skip-ssl")
    return "\n".join(lines) + "\n"


def script(identity: str, directory: str = DIRECTORY) -> str:
    """Shell text of one beat. `directory`: where the option file is.

    The table is made when it is missing, not at each beat: in a Galera cluster every CREATE TABLE,
    also one that finds the table there, makes all servers wait for each other.
    """
    return f"""\
set -u
client="$(command -v mariadb || command -v mysql)"
run() {{ "$client" --defaults-file={directory}/{LOGIN_FILE} -e "$1" 2>&1; }}
said=$(run "{beat(identity)}") && exit 0
case "$said" in
*"ERROR 1146 "*) said=$(run "{CREATE}; {beat(identity)}") && exit 0 ;;
esac
echo "the heartbeat could not be written: $said"
exit 1
"""
