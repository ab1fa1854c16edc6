"""The watcher beside each proxy: a shell script that makes writes wait through a switchover. Pure.

It looks at the server behind the operator's Service of the primary, through the monitor's account.
`docs/proxysql.md` says what it does and what it costs.
"""

from dataclasses import dataclass

from components.proxysql.watcher_sql import LOOK_EVERY, ROUND, statement

INTERVAL = 2_000
"""Milliseconds between two starts by ProxySQL's scheduler. All but the first find a running watcher
and end; they replace one that was killed or hangs."""

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

    @property
    def timeout(self) -> int:
        """Seconds after which a statement that only watches hangs."""
        return round(WATCH_ROUNDS * ROUND + self.silence) + 3


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


def script(watch: Watch, admin: str, server: str, state: str) -> str:
    """The watcher, for ProxySQL's scheduler.

    `admin`, `server`: commands of a client of the admin port and of the servers; `state`: the
    beginning of the names of its files, on the Pod's data directory.

    `.hold` says that writes wait, and since when, and is there before they do. So whoever starts
    next, however the last one ended, knows of the hold and ends it by the same rules: nothing that
    happens to a watcher leaves writes stopped for longer than INTERVAL, or the lease of one that
    hangs. `.gave-up` says that the server behind the Service stayed read-only for too long: writes
    are let through and refused there, and no hold begins before the server was seen writable.
    """
    return f"""\
#!/bin/sh
set -u
{_questions(watch)}
{_functions(admin, server, state)}
{_hostgroup(watch)}
{_hold(state)}

{_only_one(watch, state)}
closed= fit= said=
while kill -0 "$PPID"; do
  if [ ! -e {state}.hold ]; then
{_watch(watch, state)}
    since_now
  fi
{_close()}
{_ask(watch, state)}
done
"""


def _questions(watch: Watch) -> str:
    """WATCH, until something is wrong; ASK, in short, while writes wait."""
    silent_looks = max(2, round(watch.silence / (ROUND * LOOK_EVERY)))
    ask_rounds = (ASK_LOOKS - 1) * LOOK_EVERY + 1 if watch.replicas else 1
    return f"""\
WATCH=$(cat <<'SQL'
{statement(watch.replicas, WATCH_ROUNDS, silent_looks)}
SQL
)
ASK=$(cat <<'SQL'
{statement(watch.replicas, ask_rounds, ASK_LOOKS - 1)}
SQL
)"""


def _functions(admin: str, server: str, state: str) -> str:
    """What the rest is written in: time, log, files, clients."""
    return f"""\
now() {{ date +%s; }}
say() {{ echo "$(date '+%Y-%m-%d %H:%M:%S') [watch] $*"; }}
# At once: the next start may read it at any moment.
put() {{ echo "$2" > {state}.new && mv {state}.new "$1"; }}
lease() {{ put {state}.lease $(($(now) + $1)); }}
since_now() {{ put {state}.hold "$(now)"; }}
admin() {{ timeout -s KILL 3 {admin} -e "$1"; }}
server() {{ timeout -s KILL "$1" {server} --delimiter=// -e "$2" 2> {state}.error; }}"""


def _hostgroup(watch: Watch) -> str:
    """The writer hostgroup in ProxySQL: its status, its connections, and how they are cut."""
    row = f"hostgroup_id={watch.hostgroup} AND hostname='{watch.host}'"
    used = f"hostgroup={watch.hostgroup} AND srv_host='{watch.host}'"
    return f"""\
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
}}"""


def _hold(state: str) -> str:
    """How long writes have waited, and how that ends."""
    return f"""\
held() {{ echo $(($(now) - $(cat {state}.hold))); }}
open() {{
  (exec 9>&-; status ONLINE) || return
  say "$1, writes go on"
  closed= fit=
  rm {state}.hold
}}"""


def _only_one(watch: Watch, state: str) -> str:
    """Take the place of a watcher that is gone or hangs, or end.

    The lock is the kernel's, so it ends with its process: what a watcher starts and waits for must
    not inherit it, hence each `exec 9>&-`.
    """
    return f"""\
exec 9>> {state}.lock
if ! flock -n 9; then
  [ "$(now)" -gt "$(cat {state}.lease)" ] || exit 0
  say "the watcher before this one hangs: ended"
  kill -s KILL "$(cat {state}.pid)"
  flock -w 1 9 || exit 1
fi
lease {watch.timeout + 5}
put {state}.pid $$"""


def _watch(watch: Watch, state: str) -> str:
    """While writes go on: look again, until writes must wait."""
    return f"""\
    lease {watch.timeout + 5}
    if ! verdict=$(exec 9>&-; server {watch.timeout} "$WATCH"); then
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
    esac"""


def _close() -> str:
    """Make writes wait, unless they do."""
    return """\
  if [ -z "$closed" ]; then
    (exec 9>&-; status OFFLINE_SOFT) && closed=yes && say "${verdict:-hold before}: writes wait"
  fi"""


def _ask(watch: Watch, state: str) -> str:
    """While writes wait: whether they may go on."""
    return f"""\
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
  esac"""
