"""`hrss bench`: the runner runs, measures something, and writes its tables. How fast anything is, is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ops.bench.main import BENCHMARKS, Options, run
from ops.bench.measure import cpu_seconds, descendants, machine, pss_mib
from ops.bench.patience import NotReady, Patience
from ops.bench.result import DOUBTFUL, Result, Row
from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_runner_measures_and_writes_both_tables(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops.cli", "bench", "codes", "pension"]
    command += ["--rounds", "1", "--share", "0.02", "--out", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (plain,) = tmp_path.glob("bench-*.json")
    (shown,) = tmp_path.glob("bench-*.md")
    result = json.loads(plain.read_text())
    assert [row["name"] for row in result["rows"]] == [
        "card codes minted",
        "card codes verified",
        "pension statement from index",
        "pension statement from 360 bases",
    ]
    assert all(row["figure"] > 0 and row["ratio"] > 0 for row in result["rows"])
    assert {"cpu", "cores", "memory_gib", "load_1_minute"} <= result["machine"].keys()
    assert "| pension statement from index |" in shown.read_text()


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "ops.cli", "bench", "nothing"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert all(name in done.stderr for name in BENCHMARKS)


def test_a_benchmark_that_fails_is_said_and_the_others_are_measured() -> None:
    def broken(*_given: object) -> Iterator[Row]:
        raise RuntimeError("no such thing")

    benchmarks = {"broken": ("broken", broken), "codes": BENCHMARKS["codes"]}

    result = run([], Options(rounds=1, share=0.01), Console(record=True), benchmarks=benchmarks)

    assert result.failures == {"broken": "RuntimeError: no such thing"}
    assert len(result.rows) == 2


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row("rate", 30.0, "/s", "peer", 10.0, required=2), 3.0, True),
        (Row("rate", 15.0, "/s", "peer", 10.0, required=2), 1.5, False),
        (Row("cost", 5.0, "µs", "peer", 10.0, required=2, is_cost=True), 2.0, True),
        (Row("cost", 5.0, "µs", "peer", 10.0, is_cost=True), 2.0, None),
        (Row("alone", 5.0, "µs"), None, None),
    ],
)
def test_more_is_always_better_in_a_ratio(row: Row, ratio: float | None, met: bool | None) -> None:  # noqa: FBT001 - a row of the table
    assert (row.ratio, row.is_met) == (ratio, met)


def test_a_row_of_rounds_shows_median_and_spread_and_takes_the_ratio_of_every_pair() -> None:
    pairs = [(10.0, 4.0), (20.0, 10.0), (30.0, 5.0)]

    rate = Row.beside("rate", pairs, "/s", "peer", required=2.5)
    cost = Row.beside("cost", [(1.0, 3.0), (2.0, 4.0)], "µs", "peer", is_cost=True)
    once = Row.of("once", [7.0], "/s", peer="limit", peer_figure=7.0, required=1)

    assert (rate.figure, rate.ratio, rate.is_met) == (20.0, 2.5, True)  # not 20 by 5
    assert (cost.figure, cost.ratio) == (1.5, 2.5)
    assert (once.ratio, once.is_met) == (1.0, True)
    assert rate.cells()[2] == "10.0 – 30.0, 3 rounds"
    assert rate.cells()[4] == "2.50 (2.00 – 6.00, 3 rounds)"
    assert once.cells()[2] == ""


def test_a_figure_of_a_busy_machine_is_marked() -> None:
    rows = [replace(Row("busy", 1.0, "/s"), load=1_000.0), replace(Row("calm", 1.0, "/s"), load=0.1)]

    shown = Result({}, "2026-11-23T00:00:00Z", rows).as_markdown()

    assert [row.is_doubtful for row in rows] == [True, False]
    assert "1000.0!" in shown
    assert DOUBTFUL in shown


def test_patience_ends_with_what_stands_still_and_not_with_what_is_slow() -> None:
    slow, stuck = Patience("slow", still=0), Patience("stuck", still=0)

    for step in range(3):
        slow.saw(step)
    stuck.saw(1)
    with pytest.raises(NotReady, match="stuck: nothing moved"):
        stuck.saw(1)


def test_a_result_keeps_what_could_not_be_measured() -> None:
    result = Result({"cpu": "one | two"}, "2026-11-23T00:00:00Z", [Row("a|b", 1.0, "/s")], {"hop": "no | such peer"})

    assert "not measured: **hop**" in result.as_markdown()
    assert "| a/b | 1.0 /s |" in result.as_markdown()
    assert result.as_json()["failures"] == {"hop": "no | such peer"}


def test_the_kernel_tells_time_and_memory_of_a_process() -> None:
    busy = "import sys; sum(range(10**7)); print(1, flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()

        assert cpu_seconds(child.pid) > 0
        assert pss_mib(child.pid) > 1
        assert child.pid in descendants(child.pid)
        assert machine()["cores"]
    finally:
        child.communicate()
