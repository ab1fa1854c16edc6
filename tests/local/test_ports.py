"""Servers get ports that no outgoing connection takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import ports


@pytest.mark.parametrize(
    ("ephemeral", "expected"),
    [
        ("32768\t60999\n", range(10_000, 30_000)),
        ("20000\t65535\n", range(10_000, 20_000)),
        ("11000\t65535\n", range(10_000, 11_000)),
        ("1024\t65535\n", range(10_000, 30_000)),
    ],
)
def test_servers_stay_below_outgoing_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ephemeral: str, expected: range
) -> None:
    file = tmp_path / "ip_local_port_range"
    file.write_text(ephemeral)
    monkeypatch.setattr(ports, "EPHEMERAL", file)
    assert ports.servers() == expected
    assert set(ports.free(20)) <= set(expected)


def test_this_machine_says_where_they_begin() -> None:
    assert ports.servers().start < ports.servers().stop
    assert len(set(ports.free(20))) == 20
