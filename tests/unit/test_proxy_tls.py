"""`proxy.tls`: rows of the file, and the scripts, which run here in a real shell."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from components.config.stack import StackConfig
from components.proxysql import certificate, layout, scripts
from components.proxysql.self_check import live_check, self_check
from tests.unit.models import cnf_model, config, live_model, parsed_cnf, proxied_configs

FILES = ("proxysql-cert.pem", "proxysql-key.pem", "proxysql-ca.pem")
"""What ProxySQL looks for in its data directory (src/proxy_tls.cpp)."""


# --- the file ---


@given(proxied_configs())
def test_the_scheduler_runs_the_scripts(config: StackConfig) -> None:
    """That of a certificate only where one can change, the watcher by the routing."""
    given_one = bool(config.proxy.tls.secret or config.proxy.tls.issuer)
    watched = config.watches_primary
    rows = parsed_cnf(config)["scheduler"]
    assert [(row["id"], row["active"], row["filename"], row["arg1"]) for row in rows] == [
        (1, 1, "/bin/sh", "/etc/proxysql/reload.sh"),
        *([(2, 1, "/bin/sh", "/etc/proxysql/reload-tls.sh")] if given_one else []),
        *([(2 + given_one, 1, "/bin/sh", "/etc/proxysql/watch-primary.sh")] if watched else []),
    ]
    # lib/ProxySQL_Admin.cpp, table scheduler: CHECK (interval_ms>=100 AND interval_ms<=100000000).
    assert all(100 <= row["interval_ms"] <= 60_000 for row in rows)
    counted = f"(SELECT COUNT(*) FROM runtime_scheduler)={len(rows)} "
    assert counted in self_check(cnf_model(config))


@given(proxied_configs())
def test_the_self_check_counts_users_that_need_tls(config: StackConfig) -> None:
    """A lost flag would let a password through in clear. An inactive user is not in use."""
    users = parsed_cnf(config).get("mysql_users", [])
    needed = sum(row["use_ssl"] and row["active"] for row in users)
    counted = f"WHERE frontend=1 AND use_ssl=1)={needed}\n"
    assert counted in live_check(live_model(config), running=True)
    read = f"WHERE 1 AND use_ssl=1)={sum(row['use_ssl'] for row in users)}\n"
    assert read in live_check(live_model(config), running=False)


@pytest.mark.parametrize(
    ("required", "own", "expected"),
    [
        (False, None, 0),
        (False, True, 1),
        (False, False, 0),
        (True, None, 1),
        (True, False, 0),
        (True, True, 1),
    ],
)
def test_a_user_overrides_the_tier(required: bool, own: bool | None, expected: int) -> None:
    user = {"username": "app", "password": "(secret)", "require_tls": own}
    chosen = config(proxy={"tls": {"required": required}, "users": [user]})
    assert [row["use_ssl"] for row in parsed_cnf(chosen)["mysql_users"]] == [expected]


def test_nothing_is_required_by_default() -> None:
    """Each Pod's own certificate proves nothing, and drivers differ in what they make of it."""
    assert not config("large").proxy.tls.required
    assert certificate.secret(config("large")) is None


# --- scripts ---


class Pod:
    """A Pod's directories, and a database client that writes down its calls."""

    def __init__(self, directory: Path) -> None:
        self.mounted, self.data = directory / "tls", directory / "data"
        self.calls, self.programs = directory / "calls", directory / "bin"
        for path in (self.mounted, self.data, self.programs):
            path.mkdir()
        for name in FILES:
            (self.mounted / name).write_text(f"first {name}")
        self.answer(0)

    def answer(self, code: int, name: str = "mariadb") -> None:
        """Make a client that ends with `code`."""
        client = self.programs / name
        client.write_text(f'#!/bin/sh\necho "$@" >> {self.calls}\nexit {code}\n')
        client.chmod(0o755)

    def run(self, script: str, *arguments: str) -> int:
        text = script.replace(layout.TLS_DIR, str(self.mounted))
        return subprocess.run(
            ["sh", "-c", text, *arguments],
            env={"PATH": f"{self.programs}:{os.environ['PATH']}"},
            timeout=30,
            check=False,
        ).returncode

    def reload(self) -> int:
        return self.run(scripts.reload_tls(scripts.ADMIN, str(self.data)))

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_the_start_links_the_certificate_and_then_is_proxysql(pod: Pod) -> None:
    stub = pod.programs / "proxysql"
    stub.write_text(f'#!/bin/sh\necho "$$ $@" > {pod.calls}\nexit 7\n')
    stub.chmod(0o755)
    assert pod.run(scripts.start(str(pod.data), linked=True), "proxysql", "-f", "-c", "a b") == 7
    assert pod.called()[0].endswith(" -f -c a b")
    for name in FILES:
        assert (pod.data / name).readlink() == pod.mounted / name
        assert (pod.data / name).read_text() == f"first {name}"


def test_the_start_takes_the_place_of_the_shell(pod: Pod) -> None:
    """So that ProxySQL gets the kubelet's SIGTERM."""
    text = scripts.start(str(pod.data), linked=True).replace(layout.TLS_DIR, str(pod.mounted))
    process = subprocess.Popen(
        ["sh", "-c", text, "sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True
    )
    assert int(process.communicate(timeout=30)[0]) == process.pid


def test_a_second_start_replaces_what_is_there(pod: Pod) -> None:
    """A persistent data directory has the links, or the certificate that an older Pod made."""
    for name in FILES:
        (pod.data / name).write_text("self-signed")
    for _ in range(2):
        assert pod.run(scripts.start(str(pod.data), linked=True), "true") == 0
        assert (pod.data / FILES[0]).read_text() == f"first {FILES[0]}"


def test_links_that_lead_nowhere_are_removed(pod: Pod) -> None:
    """Of a certificate that a persistent directory outlived: ProxySQL would exit with 0."""
    pod.run(scripts.start(str(pod.data), linked=True), "true")
    for name in FILES:
        (pod.mounted / name).unlink()
    stub = pod.programs / "proxysql"
    stub.write_text(f'#!/bin/sh\necho "$@" > {pod.calls}\nexit 7\n')
    stub.chmod(0o755)
    for _ in range(2):
        assert pod.run(scripts.start(str(pod.data), linked=False), "proxysql", "-f") == 7
        assert pod.called() == ["-f"]
        assert not list(pod.data.iterdir())


def test_what_else_is_in_the_data_directory_stays(pod: Pod) -> None:
    for linked in (True, False):
        (pod.data / "proxysql_stats.db").write_text("history")
        assert pod.run(scripts.start(str(pod.data), linked=linked), "true") == 0
        assert (pod.data / "proxysql_stats.db").read_text() == "history"


def test_proxysql_does_not_start_without_the_links(pod: Pod) -> None:
    """It would make a certificate of its own."""
    pod.data.rmdir()
    assert pod.run(scripts.start(str(pod.data), linked=True), "touch", str(pod.calls)) != 0
    assert not pod.calls.exists()


def test_links_follow_the_kubelets_change(pod: Pod) -> None:
    pod.run(scripts.start(str(pod.data), linked=True), "true")
    (pod.mounted / FILES[0]).write_text("second")
    assert (pod.data / FILES[0]).read_text() == "second"


def test_an_unchanged_certificate_is_loaded_once(pod: Pod) -> None:
    for _ in range(3):
        assert pod.reload() == 0
    assert pod.called() == [
        "--defaults-extra-file=/etc/proxysql/admin.cnf --batch --skip-column-names "
        "-e PROXYSQL RELOAD TLS"
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_loaded_once(pod: Pod, name: str) -> None:
    pod.reload()
    (pod.mounted / name).write_text("second")
    for _ in range(3):
        assert pod.reload() == 0
    assert len(pod.called()) == 2


def test_what_proxysql_refuses_is_tried_again(pod: Pod) -> None:
    """As in the middle of a change, when key and certificate do not fit."""
    pod.answer(1)
    for attempt in (1, 2):
        assert pod.reload() != 0
        assert len(pod.called()) == attempt
        assert not list(pod.data.iterdir()), "no checksum"
    pod.answer(0)
    assert [pod.reload(), pod.reload()] == [0, 0]
    assert len(pod.called()) == 3


def test_a_refused_change_keeps_the_old_checksum(pod: Pod) -> None:
    """Going back to the old certificate then needs no load."""
    pod.reload()
    (checksum,) = pod.data.iterdir()
    known = checksum.read_text()
    (pod.mounted / FILES[0]).write_text("second")
    pod.answer(1)
    assert pod.reload() != 0
    assert checksum.read_text() == known


def test_it_runs_with_the_empty_environment_of_proxysqls_scheduler(pod: Pod) -> None:
    """lib/ProxySQL_Admin.cpp: `execve` with no variable, not even PATH."""
    client = str(pod.programs / "mariadb")
    script = pod.data.parent / "reload-tls.sh"
    text = scripts.reload_tls(client, str(pod.data)).replace(layout.TLS_DIR, str(pod.mounted))
    script.write_text(text)
    done = subprocess.run(["/bin/sh", str(script)], env={}, timeout=30, check=False)
    assert done.returncode == 0
    assert len(pod.called()) == 1


def test_the_client_is_found_without_a_path() -> None:
    """The shell's own default has the directories of Debian's packages."""
    done = subprocess.run(
        ["/bin/sh", "-c", "command -v cat && command -v sha256sum && echo $PATH"],
        env={},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "/usr/bin" in done.stdout.splitlines()[-1].split(":")


@pytest.mark.parametrize("client", ["mariadb", "mysql"])
def test_either_client_will_do(pod: Pod, client: str) -> None:
    for name in ("mariadb", "mysql"):
        pod.answer(0 if name == client else 1, name)
    if client == "mysql":  # `mariadb` first, where an image has both
        (pod.programs / "mariadb").unlink()
        tools = {name: f"/usr/bin/{name}" for name in ("cat", "sha256sum")}
        for name, path in tools.items():
            (pod.programs / name).symlink_to(path)
        text = scripts.reload_tls(scripts.ADMIN, str(pod.data))
        done = subprocess.run(
            ["/bin/sh", "-c", text.replace(layout.TLS_DIR, str(pod.mounted))],
            env={"PATH": str(pod.programs)},
            timeout=30,
            check=False,
        )
        assert done.returncode == 0
    else:
        assert pod.reload() == 0
    assert len(pod.called()) == 1
