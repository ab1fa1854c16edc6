"""The watcher of the primary, in a real shell, with clients that tell what they were asked.

Real ones: tests/database/test_watch.py, tests/dataplane/test_switchover.py.
"""

import subprocess
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from components.proxysql.watcher import Watch, login, script
from components.proxysql.watcher_sql import statement
from testbed.database.servers import eventually

PATIENCE = 40
"""Seconds for what must happen: more than the longest lease, which a stopped watcher's last child
may still have renewed, on a machine that does much else."""

WATCH = Watch(host="primary.test", port=3306, hostgroup=10, wait=60)
BRIEF = replace(WATCH, wait=1)
FENCE = replace(BRIEF, replicas=1)

ADMIN = """\
#!/bin/sh
cd "$(dirname "$0")"
for sql; do :; done
case $sql in
  *OFFLINE_SOFT*) step=close ;;
  *ONLINE*) step=open ;;
  *processlist*) step=list ;;
  KILL*) step=kill ;;
  *connection_pool*) step=count ;;
esac
dies() { [ "$(cat dies)" = "$1" ] && : > dies && kill -s KILL "$(cat watch.pid)" && sleep 0.1; }
dies "before $step"
case $step in
  close) cat verdict >> closed; echo OFFLINE_SOFT > status ;;
  open) echo ONLINE > status ;;
  list) case $sql in *Sleep*) cat idle ;; *) cat idle busy ;; esac ;;
  kill) : > idle; : > busy; echo "$sql" >> killed ;;
  count) cat pool ;;
esac
dies "after $step"
exit 0
"""
SERVER = """\
#!/bin/sh
cd "$(dirname "$0")"
for sql; do :; done
case $sql in
  *"round < 250"*)
    echo >> looks
    for _ in $(seq 10); do [ "$(cat verdict)" = fit ] && sleep 0.02; done ;;
  *)
    echo >> asked
    [ "$(cat dies)" = "ask" ] && : > dies && kill -s KILL "$(cat watch.pid)" && sleep 0.1 ;;
esac
[ "$(cat verdict)" = unreachable ] && exit 1
cat verdict
"""


class Pod:
    """A data directory, and a scheduler that starts the watcher as ProxySQL's does."""

    def __init__(self, directory: Path, watch: Watch) -> None:
        self.directory = directory
        self.verdict = "fit"
        for name, text in {"status": "ONLINE", "pool": "0"}.items():
            self.write(name, text)
        for name in ("dies", "idle", "busy", "closed", "killed", "looks", "asked", "log"):
            (directory / name).touch()
        for name, text in {"admin": ADMIN, "server": SERVER}.items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)
        self._script = directory / "watch.sh"
        self._script.write_text(
            script(watch, str(directory / "admin"), str(directory / "server"), f"{directory}/watch")
        )
        self._ending = threading.Event()
        self._watchers: list[subprocess.Popen[str]] = []
        self._scheduler = threading.Thread(target=self._schedule)
        self._scheduler.start()

    def _schedule(self) -> None:
        while not self._ending.is_set():
            with (self.directory / "log").open("a") as log:
                command = ("/bin/sh", str(self._script))
                watcher = subprocess.Popen(command, env={}, stdout=log, stderr=log, text=True)
            self._watchers.append(watcher)
            self._ending.wait(0.3)

    def end(self) -> None:
        self._ending.set()
        self._scheduler.join()
        for watcher in self._watchers:
            watcher.kill()
            watcher.wait()

    def write(self, name: str, text: str) -> None:
        """Replace a file at once: a client may be reading it."""
        new = self.directory / f"{name}.written"
        new.write_text(f"{text}\n")
        new.rename(self.directory / name)

    def read(self, name: str) -> str:
        return (self.directory / name).read_text().strip()

    @property
    def verdict(self) -> str:
        return self.read("verdict")

    @verdict.setter
    def verdict(self, verdict: str) -> None:
        self.write("verdict", verdict)

    @property
    def holds(self) -> bool:
        """Whether writes wait."""
        return self.read("status") == "OFFLINE_SOFT"

    @property
    def closed(self) -> list[str]:
        """What was wrong each time that writes were stopped."""
        return self.read("closed").split()

    def stays(self, holds: bool, while_it: str = "looks", times: int = 3) -> bool:
        """Whether writes wait, or not, all the time in which the server is looked at so often:
        by a watcher that watches (`looks`) or one that holds (`asked`)."""
        end = self._count(while_it) + times
        while self._count(while_it) < end:
            if self.holds != holds:
                return False
            time.sleep(0.02)
        return True

    def _count(self, file: str) -> int:
        return (self.directory / file).read_text().count("\n")

    @property
    def running(self) -> int:
        """Watchers that have not ended."""
        return sum(watcher.poll() is None for watcher in self._watchers)


@pytest.fixture
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Pod]:
    pod = Pod(tmp_path, getattr(request, "param", WATCH))
    try:
        yield pod
    finally:
        pod.end()


def test_writes_wait_from_read_only_to_the_next_writable_primary(pod: Pod) -> None:
    pod.verdict = "read-only"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    pod.verdict = "fit"
    assert eventually(lambda: not pod.holds, timeout=PATIENCE)
    assert eventually(lambda: not (pod.directory / "watch.hold").exists(), timeout=PATIENCE)
    assert pod.closed == ["read-only"]
    assert "read-only: writes wait" in pod.read("log")
    assert eventually(lambda: "writes go on" in pod.read("log"), timeout=PATIENCE)


def test_nothing_happens_while_the_primary_is_fit(pod: Pod) -> None:
    assert pod.stays(holds=False, times=5)
    assert not pod.closed
    assert pod.running <= 2, "the watcher, and a start that is just about to end"


def test_a_server_that_does_not_answer_is_no_reason_to_stop_writes(pod: Pod) -> None:
    pod.verdict = "unreachable"
    assert pod.stays(holds=False)
    assert not pod.closed


@pytest.mark.parametrize("end", ["before close", "after close", "ask", "before open", "after open"])
@pytest.mark.parametrize("at", ["read-only", "fit"])
def test_a_watcher_that_is_killed_leaves_no_writes_stopped(pod: Pod, end: str, at: str) -> None:
    """The next start goes on where it was, and stops writes no second time."""
    pod.write("idle", "KILL CONNECTION 7;")
    if at == "read-only":
        pod.write("dies", end)
    pod.verdict = "read-only"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    pod.write("dies", end)
    pod.verdict = "fit"
    assert eventually(lambda: not pod.holds, timeout=PATIENCE)
    assert eventually(lambda: not (pod.directory / "watch.hold").exists(), timeout=PATIENCE)
    assert pod.stays(holds=False)
    assert pod.read("killed") == "KILL CONNECTION 7;"


@pytest.mark.parametrize("end", ["before list", "after list", "before kill", "before count"])
def test_a_watcher_that_is_killed_while_it_ends_sessions(pod: Pod, end: str) -> None:
    pod.verdict = "read-only"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    pod.write("busy", "KILL CONNECTION 7;")
    pod.write("dies", end)
    pod.verdict = "fit"
    assert eventually(lambda: not pod.holds, timeout=PATIENCE)
    # Twice if the one that is killed had begun: what it started goes on.
    assert set(pod.read("killed").splitlines()) == {"KILL CONNECTION 7;"}


@pytest.mark.parametrize("pod", [BRIEF], indirect=True)
def test_giving_up_is_for_good_until_the_primary_is_writable(pod: Pod) -> None:
    """Writes are refused then, and are not stopped again and again. Nor by the next watcher."""
    pod.verdict = "read-only"
    said = "read-only for 1 s, writes go on"
    assert eventually(lambda: said in pod.read("log"), timeout=PATIENCE)
    pod.write("watch.lease", "0")  # the next start takes over
    assert pod.stays(holds=False)
    assert pod.closed == ["read-only"]
    pod.verdict = "fit"
    assert eventually(lambda: not (pod.directory / "watch.gave-up").exists(), timeout=PATIENCE)
    pod.verdict = "read-only"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    assert eventually(lambda: pod.closed == ["read-only", "read-only"], timeout=PATIENCE)


def test_sessions_that_are_tied_to_the_old_primary_end(pod: Pod) -> None:
    """Those that wait for their client at once, those at work when there is a new primary."""
    pod.write("idle", "KILL CONNECTION 7;")
    pod.write("busy", "KILL CONNECTION 8;")
    pod.verdict = "read-only"
    assert eventually(lambda: pod.read("killed") == "KILL CONNECTION 7;", timeout=PATIENCE)
    pod.write("busy", "KILL CONNECTION 8;")
    pod.write("pool", "1")
    pod.verdict = "fit"
    assert eventually(lambda: "KILL CONNECTION 8;" in pod.read("killed"), timeout=PATIENCE)
    assert pod.holds, "a connection to the old primary is left"
    pod.write("pool", "0")
    assert eventually(lambda: not pod.holds, timeout=PATIENCE)


def test_a_pool_that_never_empties_does_not_stop_writes(pod: Pod) -> None:
    pod.write("pool", "1")
    pod.verdict = "read-only"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    pod.verdict = "fit"
    assert eventually(lambda: not pod.holds, timeout=15)


def test_a_watcher_that_hangs_is_ended(pod: Pod) -> None:
    """Its lease runs out; here at once."""
    pod.verdict = "read-only"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    watcher = int(pod.read("watch.pid"))
    subprocess.run(("kill", "-s", "STOP", str(watcher)), check=True)
    pod.verdict = "fit"
    pod.write("watch.lease", "0")
    assert eventually(lambda: not pod.holds, timeout=PATIENCE)
    assert "hangs" in pod.read("log")


@pytest.mark.parametrize("pod", [FENCE], indirect=True)
@pytest.mark.parametrize("verdict", ["lone", "silent", "unacknowledged"])
def test_a_server_that_nobody_follows_gets_no_writes(pod: Pod, verdict: str) -> None:
    """For as long as it lasts; what is under way ends without an acknowledgement."""
    pod.write("busy", "KILL CONNECTION 7;")
    pod.verdict = verdict
    assert eventually(lambda: pod.holds, timeout=PATIENCE)
    began = time.time()
    while time.time() < began + 2 * FENCE.wait + 1:
        assert pod.stays(holds=True, while_it="asked"), "longer than a switchover may take"
    assert pod.read("killed") == "KILL CONNECTION 7;"
    pod.verdict = "fit"
    assert eventually(lambda: not pod.holds, timeout=PATIENCE)


@pytest.mark.parametrize("pod", [replace(FENCE, wait=0)], indirect=True)
def test_a_fence_alone_does_not_wait_for_switchovers(pod: Pod) -> None:
    pod.verdict = "read-only"
    assert pod.stays(holds=False)
    assert not pod.closed
    pod.verdict = "lone"
    assert eventually(lambda: pod.holds, timeout=PATIENCE)


def test_it_ends_with_proxysql(tmp_path: Path) -> None:
    """Whose process started it."""
    for name, text in {"verdict": "fit", "status": "ONLINE", "pool": "0", "dies": ""}.items():
        (tmp_path / name).write_text(f"{text}\n")
    for name, text in {"admin": ADMIN, "server": SERVER}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    watch = tmp_path / "watch.sh"
    watch.write_text(script(WATCH, f"{tmp_path}/admin", f"{tmp_path}/server", f"{tmp_path}/watch"))
    parent = f"/bin/sh {watch} & sleep 0.5"
    subprocess.run(("/bin/sh", "-c", parent), env={}, check=True, timeout=30)
    lock = ("flock", "-w", "10", f"{tmp_path}/watch.lock", "true")
    assert subprocess.run(lock, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("watch", [WATCH, FENCE])
def test_it_is_a_script_of_a_plain_shell(watch: Watch) -> None:
    text = script(watch, "admin", "server", "/data/watch")
    command = ("/bin/sh", "-n")
    done = subprocess.run(command, input=text, text=True, timeout=30, check=False)
    assert done.returncode == 0


def test_the_login_is_a_file() -> None:
    tls = login(replace(WATCH, ca_file="/ca/ca.crt"), "monitor", "secret")
    assert "password=secret\n" in tls
    assert "host=primary.test\n" in tls
    assert "ssl_ca=/ca/ca.crt\n" in tls
    assert "ssl_ca" not in login(WATCH, "monitor", "secret")


def test_replicas_are_looked_at_only_for_the_fence() -> None:
    assert "SEMI_SYNC" not in statement(0, 1, 2)
    assert "clients < 2" in statement(2, 1, 2)
