"""`database.my_cnf`: what a server would read of it, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import my_cnf, server_options
from components.config.errors import ConfigError, Fault
from tests.unit.models import config

NAMES = [
    line
    for line in (Path(__file__).parent / "data/mariadb-10.11-options.txt").read_text().splitlines()
    if not line.startswith("#")
]
"""What MariaDB knows; tests/database/test_my_cnf.py holds it against the server."""
REFUSED = sorted({*server_options.EVERYWHERE, *server_options.CLUSTERED, *server_options.GALERA})


def faults(text: str, **overrides: Any) -> tuple[Fault, ...]:
    database = {"my_cnf": text, **overrides.pop("database", {})}
    try:
        config(overrides.pop("size", "small"), database=database, **overrides)
    except ConfigError as error:
        return error.faults
    return ()


def is_refused(text: str, **overrides: Any) -> bool:
    """By a single fault, at the right path."""
    found = faults(text, **overrides)
    assert len(found) <= 1, found
    assert {path for path, _, _ in found} <= {"database.my_cnf"}
    return bool(found)


def test_no_whole_name_passes_for_an_abbreviation() -> None:
    """All of a server's options are either refused by name or free."""
    assert len(NAMES) > 700
    for topology in ("standalone", "replication", "galera"):
        short = [
            name for name in NAMES if "abbreviate" in (server_options.refusal(name, topology) or "")
        ]
        assert short == []


def test_most_options_are_free() -> None:
    free = [name for name in NAMES if server_options.refusal(name, "replication") is None]
    assert len(free) > 500
    assert {"innodb_buffer_pool_size", "sync_binlog", "plugin_load_add", "sql_mode"} <= set(free)
    assert {"log_bin_trust_function_creators", "lower_case_table_names"} <= set(free)


def test_what_is_free_is_written_as_servers_know_it() -> None:
    lower = {name.casefold() for name in NAMES}
    assert lower >= server_options.FREE
    assert lower >= server_options.WHOLE
    assert lower | {"innodb_redo_log_capacity"} >= server_options.INTERPRETED


@st.composite
def forms(draw: st.DrawFn) -> str:
    """What a server takes for a reserved option."""
    prefixes = draw(st.lists(st.sampled_from(server_options.PREFIXES), max_size=2))
    name = "_".join([*prefixes, draw(st.sampled_from(REFUSED))])
    text = name.replace("_", draw(st.sampled_from(["-", "_"])))
    return draw(st.sampled_from([text, text.upper()]))


@given(forms(), st.sampled_from(["", "x.", "loose."]), st.sampled_from(["", " = 1", "=1 # on"]))
def test_every_form_of_a_name_is_refused(form: str, struct: str, value: str) -> None:
    assert is_refused(f"{struct}{form}{value}", database={"topology": "galera"})


@given(st.sampled_from(REFUSED), st.data())
def test_every_start_of_a_name_is_refused(name: str, data: st.DataObject) -> None:
    start = name[: data.draw(st.integers(1, len(name)))]
    free = server_options.WHOLE | server_options.INTERPRETED
    assert is_refused(f"{start} = 1", database={"topology": "galera"}) == (start not in free)


@pytest.mark.parametrize(
    "text",
    [
        "!include /tmp/x.cnf",
        "  !includedir /tmp",
        "[client]\nuser=root",
        "[mysql]\nprompt=x",
        "[ mysqld]\nsync_binlog=1",
        "[mysqld\nsync_binlog=1",
        "[mysqld-10.4]\nsync_binlog=1",
        "[galera]\nsync_binlog=1",
        "[sst]\nencrypt=0",
        "max\u2010connections = 9",
        "--sync_binlog=1",
        "sync_binlog 1",
        "a=1\0b",
        "sync_binlog=1\x0cread_only",
        "sync_binlog=1\rread_only",
        "sql_mode=" + "x" * 4000,
        "password=secret",
        "report-password = secret",
        "wsrep_provider_options = 'gcache.size=1G'",
        "innodb_buffer_pool_siz = 64G",
    ],
)
def test_a_line_that_is_no_setting_of_this_server_is_refused(text: str) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# read_only\n; read_only\n   # read_only",
        "[mysqld]\nsync_binlog = 1\n[mariadb-11.8] # this one\nsync-binlog=1\n[server ]\n",
        "sql_mode = 'read_only # = x'",
        "sync_binlog = 1\r\nslow_query_log\r\n",
        "plugin_load_add = server_audit\nserver_audit_logging = ON",
        "loose-innodb-io-capacity = 200",
        "hot.key_buffer_size = 1M",
        "init_connect = 'SET @é = 1'",
        "wsrep_retry_autocommit = 3",
    ],
)
def test_settings_are_accepted(text: str) -> None:
    assert not is_refused(text)


def test_a_single_server_may_have_a_binary_log() -> None:
    assert not is_refused("log_bin\nserver_id = 7", size="dev")
    assert is_refused("read_only", size="dev")


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("[mysqld-8.0]\nsync_binlog = 1", False),
        ("[mariadb]\nsync_binlog = 1", True),
        ("innodb_buffer_pool_size = {{ containerMemoryLimit / 2 }}", False),
        ("long_query_time = {% if 1 %}1{% endif %}", True),
        ('sql_mode = {{ "x\\nread_only" }}', True),
        ("offline_mode = ON", True),
        ("pxc-encrypt-cluster-traffic = OFF", True),
        ("skip-ssl", True),
    ],
)
def test_of_percona(text: str, refused: bool) -> None:
    assert is_refused(text, engine="percona") == refused


def test_no_fault_repeats_a_value() -> None:
    for text in ("password = CANARY", "[client]\npassword=CANARY", "a CANARY"):
        assert "CANARY" not in str(faults(text))


def test_the_last_value_counts() -> None:
    text = "sort-buffer-size = 1M\nloose_sort_buffer_size='2M' # two\nsort_buffer_size"
    assert my_cnf.values(text, frozenset({"sort_buffer_size"})) == {"sort_buffer_size": "2M"}


def test_every_fault_names_its_line() -> None:
    found = faults("sync_binlog = 1\n\nread_only\nserver_id = 1")
    assert [rule.split()[:2] for _, rule, _ in found] == [["line", "3"], ["line", "4"]]
