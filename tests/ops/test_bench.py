"""`hrss bench`: the runner runs, measures something, and writes its tables. How fast anything is, is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ops.bench.main import BENCHMARKS, Options, run
from ops.bench.measure import cpu_seconds, descendants, machine, pss_mib
from ops.bench.result import Result, Row
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
