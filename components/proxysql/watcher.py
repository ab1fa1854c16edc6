"""The watcher beside each proxy: a shell script that makes writes wait through a switchover. Pure.

It looks at the server behind the operator's Service of the primary, through the monitor's account.
`docs/proxysql.md` says what it does and what it costs.
"""

from dataclasses import dataclass

INTERVAL = 2_000
"""Milliseconds between two starts by ProxySQL's scheduler. All but the first find a running watcher
and end; they replace one that was killed or hangs."""
FILE = "watch-primary.sh"
LOGIN_FILE = "monitor.cnf"

ROUND = 0.02
"""Seconds between two checks of `read_only`, inside the server."""
LOOK_EVERY = 5
"""Rounds between two checks of the replicas, which cost half a millisecond each."""
WATCH_ROUNDS = 250
"""Rounds of one statement, if nothing happens: 5 s, which no server calls slow."""
ASK_LOOKS = 3
"""Number of checks of the replicas while writes wait."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What the watcher needs to know. Plain: known at preview."""

    host: str
    """DNS name of the Service of the primary, the one server of the writer hostgroup."""
    port: int
    hostgroup: int
    """The writer hostgroup."""
    wait: int
    """Seconds for which writes wait while that server is read-only; 0: they fail at once."""
    replicas: int = 0
    """Writes wait while fewer semi-sync replicas than this follow that server; 0: not checked."""
    silence: float = 0
    """Seconds for which a commit may wait for a replica before writes are stopped."""
    ca_file: str | None = None
    """Of the servers' certificates; None: no TLS."""


def login(watch: Watch, username: str, password: str) -> str:
    """The option file with which the client logs in to the servers.

    ProxySQL checks no host name of a server either, and a certificate of the stack's own need not
    have the Service's. `loose`: not every client knows the option.
    """
    lines = [
        "[client]",
        f"user={username}",
        f"password={password}",
        f"host={watch.host}",
        f"port={watch.port}",
        "protocol=tcp",
        "connect_timeout=1",
    ]
    if watch.ca_file:
        lines += [f"ssl_ca={watch.ca_file}", "loose-ssl=1", "loose-ssl-verify-server-cert=0"]
    else:
        lines.append("loose-skip-ssl")
    return "\n".join(lines) + "\n"


def statement(watch: Watch, rounds: int, silent_looks: int) -> str:
    """A compound statement that returns one word when something is wrong, or after `rounds`.

    `fit`; `read-only`; `lone`, fewer semi-sync replicas than asked for; `silent`, a commit waits
    and none was acknowledged for `silent_looks` looks; `unacknowledged`, semi-sync has given up
    waiting. It goes on while a silence lasts. What it reads is open to every account. The text of
    `read_only` is a number or, from MariaDB 12 on, a word.

    With replicas to look at, a server that is fit waits for them from then on even if they leave
    (`rpl_semi_sync_master_wait_no_slave`, by REPLICATION MASTER ADMIN): what was on its way when
    the last one left is not acknowledged before the proxies have cut it off.
    """
    look = ""
    if watch.replicas:
        names = [
            f"'RPL_SEMI_SYNC_MASTER_{name}'"
            for name in ("CLIENTS", "STATUS", "WAIT_SESSIONS", "YES_TX")
        ]
        columns = ",\n          ".join(
            f"MAX(IF(VARIABLE_NAME={name}, VARIABLE_VALUE, NULL))" for name in names
        )
        look = f"""
    IF verdict = 'fit' AND MOD(round, {LOOK_EVERY}) = 0 THEN
      SELECT {columns}
        INTO clients, semi_sync, waiting, acknowledged
        FROM information_schema.GLOBAL_STATUS
        WHERE VARIABLE_NAME IN ({", ".join(names)});
      SET silent = IF(waiting > 0 AND acknowledged = last, silent + 1, 0);
      SET last = acknowledged;
      SET verdict = CASE
        WHEN clients < {watch.replicas} THEN 'lone'
        WHEN semi_sync <> 'ON' THEN 'unacknowledged'
        WHEN silent >= {silent_looks} THEN 'silent'
        ELSE 'fit' END;
      IF verdict = 'fit' AND NOT @@global.rpl_semi_sync_master_wait_no_slave THEN
        SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON;
      END IF;
    END IF;"""
    return f"""\
BEGIN NOT ATOMIC
  DECLARE round, clients, waiting, acknowledged, silent INT DEFAULT 0;
  DECLARE last INT DEFAULT -1;
  DECLARE verdict, semi_sync VARCHAR(20) DEFAULT 'fit';
  WHILE (round < {rounds} OR silent > 0) AND verdict = 'fit' DO
    IF CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF') THEN
      SET verdict = 'read-only';
    END IF;{look}
    SET round = round + 1;
    IF (round < {rounds} OR silent > 0) AND verdict = 'fit' THEN DO SLEEP({ROUND}); END IF;
  END WHILE;
  SELECT verdict;
END//"""


def script(watch: Watch, admin: str, server: str, state: str) -> str:
    """The watcher, for ProxySQL's scheduler.

    `admin`, `server`: commands of a client of the admin port and of the servers; `state`: the
    beginning of the names of its files, on the Pod's data directory.

    `.hold` says that writes wait, and since when, and is there before they do. So whoever starts
    next, however the last one ended, knows of the hold and ends it by the same rules: nothing that
    happens to a watcher leaves writes stopped for longer than INTERVAL, or the lease of one that
    hangs. `.gave-up` says that the server behind the Service stayed read-only for too long: writes
    are let through and refused there, and no hold begins before the server was seen writable.
    The lock is the kernel's, so it ends with its process: what a watcher starts and waits for must
    not inherit it.
    """
    silent_looks = max(2, round(watch.silence / (ROUND * LOOK_EVERY)))
    ask_rounds = (ASK_LOOKS - 1) * LOOK_EVERY + 1 if watch.replicas else 1
    watch_timeout = round(WATCH_ROUNDS * ROUND + watch.silence) + 3
    row = f"hostgroup_id={watch.hostgroup} AND hostname='{watch.host}'"
    used = f"hostgroup={watch.hostgroup} AND srv_host='{watch.host}'"
    return f"""\
#!/bin/sh
set -u
WATCH=$(cat <<'SQL'
{statement(watch, WATCH_ROUNDS, silent_looks)}
SQL
)
ASK=$(cat <<'SQL'
{statement(watch, ask_rounds, ASK_LOOKS - 1)}
SQL
)
now() {{ date +%s; }}
say() {{ echo "$(date '+%Y-%m-%d %H:%M:%S') [watch] $*"; }}
# At once: the next start may read it at any moment.
put() {{ echo "$2" > {state}.new && mv {state}.new "$1"; }}
lease() {{ put {state}.lease $(($(now) + $1)); }}
since_now() {{ put {state}.hold "$(now)"; }}
admin() {{ timeout -s KILL 3 {admin} -e "$1"; }}
server() {{ timeout -s KILL "$1" {server} --delimiter=// -e "$2" 2> {state}.error; }}
status() {{
  # First what runs: half an edit that somebody makes by hand must not be loaded along.
  admin "SAVE MYSQL SERVERS TO MEMORY; UPDATE mysql_servers SET status='$1' WHERE {row};
    LOAD MYSQL SERVERS TO RUNTIME"
}}
cut() {{
  kills=$(admin "SELECT 'KILL CONNECTION '||SessionID||';' FROM stats_mysql_processlist
    WHERE {used} $1")
  [ -z "$kills" ] || admin "$kills"
}}
connections() {{
  admin "SELECT SUM(ConnUsed+ConnFree) FROM stats_mysql_connection_pool WHERE {used}"
}}
held() {{ echo $(($(now) - $(cat {state}.hold))); }}
open() {{
  (exec 9>&-; status ONLINE) || return
  say "$1, writes go on"
  closed= fit=
  rm {state}.hold
}}

exec 9>> {state}.lock
if ! flock -n 9; then
  [ "$(now)" -gt "$(cat {state}.lease)" ] || exit 0
  say "the watcher before this one hangs: ended"
  kill -s KILL "$(cat {state}.pid)"
  flock -w 1 9 || exit 1
fi
lease {watch_timeout + 5}
put {state}.pid $$
closed= fit= said=
while kill -0 "$PPID"; do
  if [ ! -e {state}.hold ]; then
    lease {watch_timeout + 5}
    if ! verdict=$(exec 9>&-; server {watch_timeout} "$WATCH"); then
      [ -n "$said" ] || say "cannot watch: $(grep '^ERROR' {state}.error)"
      said=yes
      sleep 0.1
      continue
    fi
    said=
    case $verdict in
      fit) rm -f {state}.gave-up; continue ;;
      read-only) if [ {watch.wait} = 0 ] || [ -e {state}.gave-up ]; then sleep 1; continue; fi ;;
      lone | silent | unacknowledged) ;;
      *) sleep 1; continue ;;
    esac
    since_now
  fi
  if [ -z "$closed" ]; then
    (exec 9>&-; status OFFLINE_SOFT) && closed=yes && say "${{verdict:-hold before}}: writes wait"
  fi
  lease 15
  verdict=$(exec 9>&-; server 2 "$ASK") || verdict=unreachable
  case $verdict in
    fit)
      # No connection to the server before may be left, and a session that is tied to one ends.
      fit=${{fit:-$(now)}}
      (exec 9>&-; cut "")
      if [ "$(exec 9>&-; connections)" = 0 ] || [ $(($(now) - fit)) -ge 5 ]; then
        open "fit after $(held) s"
      fi
      ;;
    lone | silent | unacknowledged)
      # What is under way there would be acknowledged by that server alone.
      fit=
      (exec 9>&-; cut "")
      since_now
      sleep 0.1
      ;;
    *)
      # A session that waits for its client and is tied to the server would be refused for ever.
      fit=
      (exec 9>&-; cut "AND command='Sleep'")
      if [ "$(held)" -ge {watch.wait} ]; then
        : > {state}.gave-up
        open "$verdict for {watch.wait} s"
      else
        sleep 0.1
      fi
      ;;
  esac
done
"""
