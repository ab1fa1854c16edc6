"""Commands and shell scripts of a proxy's Pod, apart from the watcher's. Pure."""

from components.config import proxysql
from components.config.proxy import Drain
from components.proxysql.layout import (
    ADMIN_LOGIN_FILE,
    CA_FILE,
    CERT_FILE,
    CNF_FILE,
    CONFIG_DIR,
    DATA_DIR,
    IN_USE_CHECK_FILE,
    KEY_FILE,
    LIVE_DIR,
    PEERS_FILE,
    READ_CHECK_FILE,
    SELF_CHECK_FILE,
    TLS_DIR,
    USERS_FILE,
)
from components.proxysql.live import LIVE_MODULES


def client(login: str) -> str:
    """The command of a client that logs in by a file of the configuration directory.

    The image has one of the two clients, by Debian release.
    """
    return (
        '"$(command -v mariadb || command -v mysql)" '
        f"--defaults-extra-file={CONFIG_DIR}/{login} --batch --skip-column-names"
    )


ADMIN = client(ADMIN_LOGIN_FILE)
"""The command of a client of the Pod's own admin port."""


def admin_login(password: str) -> str:
    """The option file of ADMIN: an argument would show the password to every `ps`."""
    return f"""\
[client]
user={proxysql.ADMIN}
password={password}
host=127.0.0.1
port={proxysql.ADMIN_PORT}
protocol=tcp
loose-skip-ssl
"""


PROXYSQL_ARGUMENTS = (
    "-f",
    "--idle-threads",
    # Only so the file wins over a database that an earlier start left (lib/ProxySQL_Admin.cpp).
    "--initial",
    "--no-version-check",
    *("-c", f"{CONFIG_DIR}/{CNF_FILE}"),
    *("-D", DATA_DIR),
)


def start(data_dir: str, *, linked: bool) -> str:
    """Shell text that starts its own arguments, once ProxySQL's names lead to the mounted files.

    Links, not copies: what the kubelet renews is what PROXYSQL RELOAD TLS reads. Not `linked`: a
    volume that outlived a certificate has links to nothing, on which ProxySQL would stop.
    """
    steps = [
        f"ln -sf {TLS_DIR}/{file} {data_dir}/" if linked else f"rm -f {data_dir}/{file}"
        for file in (CERT_FILE, KEY_FILE, CA_FILE)
    ]
    return " && ".join([*steps, 'exec "$0" "$@"'])


def started() -> str:
    """The startup probe: shell text that succeeds once ProxySQL runs every row of its files.

    What is missing is its output, which the kubelet puts into an event. It is also written once to
    the container's log, and is the message with which the container ends when the kubelet gives up.
    """
    return f"""\
lacks=$({ADMIN} < {CONFIG_DIR}/{SELF_CHECK_FILE}) || exit 1
[ "$lacks" = 1 ] && {{ lacks=$({ADMIN} < {LIVE_DIR}/{IN_USE_CHECK_FILE}) || exit 1; }}
[ "$lacks" = 1 ] && exit 0
[ "$lacks" = 0 ] && lacks="logins or peers"
said="ProxySQL did not load from its files: $lacks"
echo "$said"
end=/dev/termination-log
[ -w $end ] && [ "$said" != "$(cat $end)" ] && echo "$said" > $end &&
    {{ echo "$said" > /proc/1/fd/2; }} 2>/dev/null
exit 1"""


def stop(drain: Drain) -> str:
    """Stop accepting, then wait for sessions to end: SIGTERM alone cuts them within 0.05 s.

    PAUSE closes the client port and leaves sessions alone; SHUTDOWN SLOW would kill them.
    """
    sessions = (
        "SELECT Variable_Value FROM stats_mysql_global "
        "WHERE Variable_Name='Client_Connections_connected'"
    )
    return (
        f"sleep {drain.endpoint_removal}; {ADMIN} -e 'PROXYSQL PAUSE'; "
        f"end=$(($(date +%s) + {drain.timeout})); "
        'while [ "$(date +%s)" -lt "$end" ]; do '
        f'[ "$({ADMIN} -e "{sessions}")" = 0 ] && exit 0; sleep 1; done'
    )


def reload_live(client: str) -> str:
    """For ProxySQL's scheduler: load logins and peers unless they are in use.

    LOAD … FROM CONFIG only adds, hence the DELETE; files that it cannot read, or a row that it
    loses, leave what is in use as it is, and the next run tries again. All is loaded or nothing:
    FROM CONFIG reads all files anyway. Peers that stay keep their connections to each other, those
    that went are forgotten (lib/ProxySQL_Cluster.cpp, load_servers_list). The cluster versions of
    both modules only matter where peers copy, which they never do for these.
    """
    state, in_use = f"{DATA_DIR}/live.sha256", f"{LIVE_DIR}/{IN_USE_CHECK_FILE}"
    modules = {table: table.replace("_", " ").upper() for table in LIVE_MODULES}
    read = [f"DELETE FROM {table}; LOAD {name} FROM CONFIG" for table, name in modules.items()]
    use = [f"LOAD {name} TO RUNTIME" for name in modules.values()]
    undo = [f"SAVE {name} TO MEMORY" for name in modules.values()]
    return f"""\
#!/bin/sh
set -eu
client() {{ {client} "$@"; }}
now=$(sha256sum {LIVE_DIR}/{USERS_FILE} {LIVE_DIR}/{PEERS_FILE})
[ "$now" = "$(cat {state} 2>/dev/null)" ] && client < {in_use} | grep -qx 1 && exit 0
if client -e '{"; ".join(read)}' &&
    client < {LIVE_DIR}/{READ_CHECK_FILE} | grep -qx 1
then
    client -e '{"; ".join(use)}'
    echo "$now" > {state}
else
    client -e '{"; ".join(undo)}'
    exit 1
fi
"""


def reload_tls(client: str, data_dir: str) -> str:
    """For ProxySQL's scheduler: load the certificate for clients again when it changed.

    A pair that does not fit, as in the middle of a change, is refused by ProxySQL, which keeps the
    old one; the next run tries again.
    """
    return f"""\
#!/bin/sh
set -eu
now=$(cat {TLS_DIR}/*.pem | sha256sum)
[ "$now" = "$(cat {data_dir}/tls.sha256 2>/dev/null)" ] && exit 0
{client} -e 'PROXYSQL RELOAD TLS'
echo "$now" > {data_dir}/tls.sha256
"""
