"""The testbed's Prometheus: where its programs come from, and that it reads and judges."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local import LocalError
from testbed.database.servers import eventually
from testbed.monitoring import programs, prometheus
from testbed.monitoring.prometheus import Alert


def program(folder: Path, said: str) -> Path:
    """One that says something to `--version`, where mysqld_exporter says it."""
    path = folder / programs.EXPORTER.name
    path.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("how", ["variable", "path"])
def test_a_program_at_hand_wins(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = program(tmp_path, "mysqld_exporter, version 0.15.1 (branch: x)")
    if how == "variable":
        monkeypatch.setenv("MYSQLD_EXPORTER", str(own))
    else:
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert programs.EXPORTER.find() == own


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("mysqld_exporter, version 0.14.0+ds (branch: x)", "is older than 0.15"),
        ("hello", "does not say which"),
    ],
)
def test_an_exporter_without_probe_is_refused(
    said: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSQLD_EXPORTER", str(program(tmp_path, said)))
    with pytest.raises(LocalError, match=reason):
        programs.EXPORTER.find()


def test_a_machine_without_debians_packages_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PROMTOOL", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")  # neither promtool nor apt-get
    with pytest.raises(LocalError, match=r"no promtool: .* PROMTOOL; .* Debian and Ubuntu only"):
        programs.PROMTOOL.find()


class Figure(BaseHTTPRequestHandler):
    """Says one series to whoever asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'figure{of="a test"} 42\n')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where it is said."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Figure) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def rules(expression: str) -> dict[str, object]:
    return {"groups": [{"name": "g", "rules": [{"alert": "Figure", "expr": expression}]}]}


@pytest.mark.broad
def test_it_reads_judges_and_says_what_it_cannot(
    prometheus_program: Path, address: str, tmp_path: Path
) -> None:
    job = {"job_name": "j", "static_configs": [{"targets": [address]}]}
    with prometheus.prometheus(
        prometheus_program, tmp_path / "p", [job], rules("figure > 41"), interval_seconds=0.2
    ) as running:
        assert eventually(lambda: running.firing() == {"Figure"})
        (alert,) = running.alerts()
        labels = {"alertname": "Figure", "of": "a test", "job": "j", "instance": address}
        assert alert == Alert("Figure", labels, "firing")
        assert [sample.value for sample in running.query("figure * 2")] == [84]
        assert list(running.targets().values()) == [""]
        running.reconfigure([job], rules("figure + on () group_left () {job='j'} > 1"))
        assert eventually(lambda: "Figure" in running.rule_errors())
        with pytest.raises(RuntimeError, match="parse error"):
            running.query("figure >")
        with pytest.raises(RuntimeError, match="rules.yaml"):
            running.reconfigure([job], rules("figure >"))


@pytest.mark.broad
def test_promtool_says_what_is_wrong(promtool: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]")
    assert "1 rules found" in prometheus.check_rules(promtool, file)
    cases = tmp_path / "t.yaml"
    cases.write_text(
        "rule_files: [r.yaml]\n"
        "tests: [{alert_rule_test: [{eval_time: 1m, alertname: A, exp_alerts: []}]}]"
    )
    prometheus.try_rules(promtool, cases)
    cases.write_text(cases.read_text().replace("exp_alerts: []", "exp_alerts: [{}]"))
    with pytest.raises(LocalError, match="A"):
        prometheus.try_rules(promtool, cases)
    file.write_text("groups: [{name: g, rules: [{alert: A, expr: up ==}]}]")
    with pytest.raises(LocalError, match="parse error"):
        prometheus.check_rules(promtool, file)
