"""The script by which running proxies load logins and peers, in a real shell."""

import os
import subprocess
from pathlib import Path

import pytest

from components.proxysql.layout import DATA_DIR, LIVE_DIR
from components.proxysql.scripts import ADMIN as CLIENT
from components.proxysql.scripts import reload_live

READ = (
    "DELETE FROM mysql_users; LOAD MYSQL USERS FROM CONFIG; "
    "DELETE FROM proxysql_servers; LOAD PROXYSQL SERVERS FROM CONFIG"
)
RUN = "LOAD MYSQL USERS TO RUNTIME; LOAD PROXYSQL SERVERS TO RUNTIME"
UNDO = "SAVE MYSQL USERS TO MEMORY; SAVE PROXYSQL SERVERS TO MEMORY"
CHECK = "SELECT the check;"
IN_USE = "SELECT what is in use;"


class Pod:
    """A Pod's directories, and a client that writes down its calls and gives one answer."""

    def __init__(self, directory: Path) -> None:
        self.mounted, self.data = directory / "users", directory / "data"
        self.calls, self.programs = directory / "calls", directory / "bin"
        for path in (self.mounted, self.data, self.programs):
            path.mkdir()
        (self.mounted / "users.cnf").write_text("first")
        (self.mounted / "peers.cnf").write_text("first")
        (self.mounted / "read.sql").write_text(f"{CHECK}\n")
        (self.mounted / "in-use.sql").write_text(f"{IN_USE}\n")
        self.answer("1")

    def answer(self, count: str, *, in_use: str = "1", fails: str = "nothing") -> None:
        """Make a client to which the checks say `count` and `in_use`, and which fails for one
        statement."""
        client = self.programs / "mariadb"
        client.write_text(
            "#!/bin/sh\n"
            'for last; do :; done\n[ "$last" = --skip-column-names ] && last=$(cat)\n'
            f'echo "$last" >> {self.calls}\n'
            f'[ "$last" = "{fails}" ] && exit 1\n'
            f'[ "$last" = "{CHECK}" ] && echo "{count}"\n'
            f'[ "$last" = "{IN_USE}" ] && echo "{in_use}"\nexit 0\n'
        )
        client.chmod(0o755)

    def reload(self, client: str = CLIENT, **environment: str) -> int:
        text = reload_live(client).replace(LIVE_DIR, str(self.mounted))
        script = self.data.parent / "reload.sh"
        script.write_text(text.replace(DATA_DIR, str(self.data)))
        environment = environment or {"PATH": f"{self.programs}:{os.environ['PATH']}"}
        command = ["/bin/sh", str(script)]
        return subprocess.run(command, env=environment, timeout=30, check=False).returncode

    def called(self) -> list[str]:
        """The statements since the last look."""
        found = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return found


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_it_is_a_script_of_a_plain_shell() -> None:
    done = subprocess.run(
        ["/bin/sh", "-n"], input=reload_live(CLIENT), text=True, timeout=30, check=False
    )
    assert done.returncode == 0


def test_no_password_is_an_argument() -> None:
    assert "--defaults-extra-file=/etc/proxysql/admin.cnf" in reload_live(CLIENT)
    assert " -p" not in reload_live(CLIENT)
    assert "--password" not in reload_live(CLIENT)


FILES = pytest.mark.parametrize("file", ["users.cnf", "peers.cnf"])


@FILES
def test_a_changed_file_is_loaded_once(pod: Pod, file: str) -> None:
    for text in ("first", "second"):
        (pod.mounted / file).write_text(text)
        assert pod.reload() == 0
        assert pod.called() == [READ, CHECK, RUN]
        assert pod.reload() == 0
        assert pod.called() == [IN_USE], "a look at what is in use, no load"


@pytest.mark.parametrize("in_use", ["0", "", "10"])
def test_what_got_lost_is_loaded_again(pod: Pod, in_use: str) -> None:
    """Somebody may have loaded others into a running proxy by hand: the files are the truth."""
    assert pod.reload() == 0
    pod.called()
    pod.answer("1", in_use=in_use)
    assert pod.reload() == 0
    assert pod.called() == [IN_USE, READ, CHECK, RUN]


def test_a_proxy_that_cannot_be_asked_gets_nothing(pod: Pod) -> None:
    assert pod.reload() == 0
    pod.called()
    pod.answer("0", fails=IN_USE)
    assert pod.reload() != 0
    assert pod.called() == [IN_USE, READ, CHECK, UNDO]


@FILES
def test_going_back_is_a_change_too(pod: Pod, file: str) -> None:
    for text in ("first", "second", "first"):
        (pod.mounted / file).write_text(text)
        assert pod.reload() == 0
        assert pod.called() == [READ, CHECK, RUN]


@pytest.mark.parametrize("count", ["0", "", "11", "10"])
def test_a_file_that_lost_a_row_is_not_put_to_use(pod: Pod, count: str) -> None:
    """What is in use stays, and is put back where the next reading would start."""
    pod.answer(count)
    for _ in range(2):
        assert pod.reload() != 0
        assert pod.called() == [READ, CHECK, UNDO]
        assert not list(pod.data.iterdir()), "no checksum: the next run tries again"
    pod.answer("1")
    assert pod.reload() == 0
    assert pod.called() == [READ, CHECK, RUN]


def test_a_file_that_cannot_be_read_is_not_put_to_use(pod: Pod) -> None:
    pod.answer("1", fails=READ)
    assert pod.reload() != 0
    assert pod.called() == [READ, UNDO]


def test_what_is_not_put_to_use_is_tried_again(pod: Pod) -> None:
    pod.answer("1", fails=RUN)
    for _ in range(2):
        assert pod.reload() != 0
        assert pod.called()[:3] == [READ, CHECK, RUN]
        assert not list(pod.data.iterdir())


def test_a_refused_change_keeps_the_old_checksum(pod: Pod) -> None:
    """Going back to the file that is in use then needs no load."""
    assert pod.reload() == 0
    pod.answer("0")
    (pod.mounted / "users.cnf").write_text("second")
    assert pod.reload() != 0
    pod.called()
    (pod.mounted / "users.cnf").write_text("first")
    assert pod.reload() == 0
    assert pod.called() == [IN_USE]


@FILES
def test_a_file_that_is_missing_changes_nothing(pod: Pod, file: str) -> None:
    (pod.mounted / file).unlink()
    assert pod.reload() != 0
    assert pod.called() == []


def test_it_runs_with_the_empty_environment_of_proxysqls_scheduler(pod: Pod) -> None:
    """lib/ProxySQL_Admin.cpp: `execve` with no variable, not even PATH."""
    assert pod.reload(f"{pod.programs}/mariadb --skip-column-names", NOTHING="") == 0
    assert pod.called() == [READ, CHECK, RUN]
