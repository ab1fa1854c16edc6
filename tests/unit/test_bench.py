"""The benches' pure parts: lines over several runs, the page, the picture, watchers that die."""

import argparse
import json
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from bench import cluster, failover, figures, picture
from bench.figures import HEADER, Line, Run, choose, panels, parsed, plain, row, tables
from bench.picture import Panel
from components.proxysql.watcher import Watch, script
from testbed.dataplane.load import Event, Journal
from testbed.dataplane.release import program
from testbed.dataplane.watchers import STEPS
from tools.marks import with_section

LINE = Line("Replication", "primary crashes", "ours now")
RUN = Run(
    acknowledged=100,
    outage=2.04,
    worst_outage=2.5,
    failures=Counter({1290: 3, 2013: 1}),
    lost=0,
    missing=0,
    notes=("note",),
    beats=(5, 0, 3),
)
WORSE = replace(
    RUN, outage=9, worst_outage=10, failures={2013: 7}, lost=2, missing=1, notes=("other", "note")
)


def cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.strip("|").split("|")]


def test_one_run() -> None:
    assert cells(row(LINE, [RUN])) == [
        "primary crashes", "ours now", "1", "2.0 s", "2.0 s", "2.5 s", "3", "3 × 1290, 1 × 2013",
        "0 of 100", "0", "note",
    ]  # fmt: skip


def test_several_runs_show_the_median_the_worst_and_all_that_was_lost() -> None:
    assert cells(row(LINE, [RUN, WORSE, RUN])) == [
        "primary crashes", "ours now", "3", "2.0 s", "9.0 s", "10.0 s", "3", "7 × 2013",
        "2 of 300", "1", "note; other (1 of 3 runs)",
    ]  # fmt: skip


def test_runs_that_failed_are_counted_and_no_run_is_named() -> None:
    assert cells(row(LINE, [RUN, None]))[2] == "1, 1 failed"
    assert cells(row(LINE, [None]))[2:] == ["0, 1 failed", *[""] * 8]
    assert cells(row(LINE, []))[2:] == ["not measured", *[""] * 8]
    assert row(LINE, []).count("|") == HEADER.count("|")


def test_tables_have_their_title_and_their_lines_only() -> None:
    other = Line("Galera", "writer crashes", "ours now")
    text = tables([LINE, other], {LINE: [RUN]})
    first, second = text.split("### Galera")
    assert first.startswith(f"### Replication\n\n{HEADER}\n")
    assert "primary crashes" in first
    assert "writer crashes" not in first
    assert "| writer crashes | ours now | not measured |" in second


def test_runs_are_read_as_they_were_written() -> None:
    runs = {LINE: [RUN, None], Line("Galera", "writer crashes", "chart A"): [WORSE]}
    again = parsed(json.loads(plain(runs)))
    assert list(again) == list(runs)
    assert tables(list(again), again) == tables(list(runs), runs)
    assert plain(again) == plain(runs)


def options(only: str = "*", configuration: str = "*") -> argparse.Namespace:
    return argparse.Namespace(only=[only], configuration=[configuration])


def test_lines_are_chosen_by_patterns() -> None:
    plan = [LINE, Line("Galera", "writer crashes", "chart A")]
    assert choose(plan, options()) == plan
    assert choose(plan, options("*crashes", "ours*")) == [LINE]
    with pytest.raises(SystemExit, match="writer crashes, chart A"):
        choose(plan, options("nothing"))


def test_the_page_has_the_sections_that_the_benches_write() -> None:
    page = figures.PAGE.read_text()
    for name in ("side-by-side-2.7", "series-2.7", "series-3.0", "nodes-2.7", "nodes-3.0"):
        with_section(page, name, str)


@pytest.mark.parametrize("plan", [failover.PLAN, cluster.PLAN])
def test_a_plan_has_each_line_once(plan: list[Line]) -> None:
    assert len(plan) == len(set(plan))


def test_beats_count_acknowledged_writes_only() -> None:
    journal = Journal(
        [
            Event(0, 9.99, 1, 1, None),  # too early
            Event(0, 10.05, 1, 2, None),
            Event(0, 10.06, 1, 3, 1290),
            Event(0, 10.07, 5, None, None),  # a read
            Event(0, 10.25, 2, 4, None),
            Event(0, 10.27, 2, 5, None),
            Event(0, 10.41, 5, None, None),
        ]
    )
    assert journal.beats(10.0) == (1, 0, 2, 0)
    assert Journal().beats(10.0) == ()


def test_panels_have_the_first_run_of_each_configuration_that_was_drawn() -> None:
    other, undrawn = replace(LINE, configuration="chart A"), replace(LINE, configuration="monitor")
    runs = {
        LINE: [None, RUN, replace(RUN, beats=(9,))],
        undrawn: [replace(RUN, beats=())],
        other: [replace(RUN, beats=(1, 2))],
    }
    assert panels(list(runs), runs) == [
        Panel("primary crashes", {"ours now": (5, 0, 3), "chart A": (1, 2)})
    ]


def test_the_picture_is_xml_with_a_strip_for_each_configuration_and_its_axes() -> None:
    beats = [14] * 50 + [0] * 30 + [14] * 120
    text = picture.svg(
        [Panel("a < b", {"ours now": beats, "x & y": beats}), Panel("c", {"ours now": [3]})],
        "ProxySQL & servers",
        before=5.0,
    )
    root = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    texts = [node.text for node in root.iter(f"{name}text")]
    assert {"a < b", "c", "ProxySQL & servers", "x & y", "14", "3"} <= set(texts)
    assert texts[texts.index("a < b") :].count("ours now") == 2
    assert {"-5", "0", "5", "15", "seconds from the event", "writes per 100 ms"} <= set(texts)
    assert "prefers-color-scheme: dark" in text
    areas = [n.get("d") for n in root.iter(f"{name}path") if n.get("class") in ("c0", "c5")]
    assert len(areas) == 3
    # 200 bars on 382 pixels: a fall to the base line after 5 s, and up again after 3 s more.
    assert areas[0] == "M104 64H104.0V30.0H199.5V64.0H256.8V30.0H486.0V64Z"


@pytest.mark.parametrize("step", STEPS)
def test_each_step_after_which_a_watcher_can_die_is_in_its_script(step: str) -> None:
    watch = Watch(host="primary.test", port=3306, hostgroup=10, wait=2, replicas=1)
    assert script(watch, "admin", "server", "state").count(STEPS[step]) == 1


def test_ours_before_starts_with_the_variables_that_it_had() -> None:
    now = program("2.7.2", "10.11.6", "replication", switchover_wait=0, min_semi_sync_replicas=0)
    before = failover.earlier(now)
    assert "shun_on_failures = 5\n" in before.files["config/proxysql.cnf"]
    check = before.files["config/self-check.sql"]
    assert "'mysql-shun_on_failures' AND variable_value='5')=1" in check
    assert "'mysql-ping_interval_server_msec' AND variable_value='10000')=1" in check
    assert now.files["users/users.cnf"] == before.files["users/users.cnf"]
