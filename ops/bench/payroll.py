"""The payroll of a city: stored with gates, digests and ledger, beside a raw COPY of the same payments.

Benefits come from `ops.seed.benefits`; payrolls run in a process of their own (`ops.bench.payroll_jobs`), with the
worker of the service. What is said of 1.68 million persons is extrapolated and says so.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import asyncpg

from kernel.calendar import Month
from ops.bench import pensioners
from ops.bench.measure import median
from ops.bench.patience import NotReady
from ops.bench.result import Row
from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

PERSONS = 200_000
TENTH = 10
CITY_PERSONS = 1_680_000
FIRST = Month(2026, 1)
ROUNDS = 3
RATE = 10_000.0
TENFOLD = 10.5
MEMORY_SHARE = 0.85
JOB_SECONDS = 3_600.0  # a limit for what hangs; a busy machine is slow
PAGE_MS = 1_000.0
SWEPT = Month(2027, 3)  # nobody was certified since their pension began here


def payroll(ground: Ground, options: Options) -> Iterator[Row]:
    """Payrolls at a tenth and at the whole; answers of the bank; a raw COPY of the same rows."""
    ground.up(HRSS_ROLES="rpc")
    persons = options.persons or max(1_000, int(PERSONS * options.share))
    rounds = min(options.rounds, ROUNDS)
    months = iter(Month.range(FIRST, Month(2026, 12)))
    asyncio.run(pensioners.cleared(ground))
    step(ground, "seed", str(persons // TENTH))
    asyncio.run(analysed(ground))
    step(ground, "pay", str(next(months)))  # the first payments of everybody: not the usual month
    small = [step(ground, "pay", str(next(months))) for _ in range(rounds)]
    seeded = step(ground, "seed", str(persons))
    asyncio.run(analysed(ground))
    yield Row(
        "benefits seeded",
        seeded["done"] / seeded["seconds"],
        "/s",
        note=f"{persons:,} persons with determination, benefit and amount by COPY, accounts not sealed",
    )
    step(ground, "pay", str(next(months)))  # the others catch up with every month since the first
    asyncio.run(analysed(ground))
    large, raw = [], []
    for _ in range(rounds):
        month = next(months)
        large.append(step(ground, "pay", str(month)))
        raw.append(asyncio.run(_copied(ground, month)))
    yield from _pay_rows(small, large, raw)
    month = next(months)
    step(ground, "pay", str(month))
    said = step(ground, "answer", str(month))
    note = "a file in, checked on three levels; payments, ledger and a fact for each; "
    note += f"{said['processor'] / said['done'] * 1e6:.0f} µs of processor a row in the worker"
    yield Row("payroll: answers of the bank booked", said["done"] / said["seconds"], "rows/s", note=note)
    yield from _office_rows(ground, month)
    ground.down()


def _office_rows(ground: Ground, month: Month) -> Iterator[Row]:
    """What an office asks of the whole city: lists, the sweep of a year without certifications, the books."""
    shown = step(ground, "lists", str(month))["milliseconds"]
    name, slowest = max(shown.items(), key=lambda one: one[1])
    note = f"slowest of {', '.join(f'{one} {took:.0f}' for one, took in shown.items())}"
    yield Row(f"first page of a list: {name}", slowest, "ms", "limit", PAGE_MS, required=1, is_cost=True, note=note)
    said = step(ground, "sweep", str(SWEPT))
    note = f"{said['done']:,} pensions held back, each with a suspension and a fact; "
    note += f"{said['processor'] / max(1, said['done']) * 1e6:.0f} µs of processor each in the worker"
    yield Row("certification sweep: everybody overdue", said["done"] / said["seconds"], "persons/s", note=note)
    again = step(ground, "lists", str(month))["milliseconds"]
    name, slowest = max(again.items(), key=lambda one: one[1])
    yield Row(
        f"first page of a list after it: {name}", slowest, "ms", "limit", PAGE_MS, required=1, is_cost=True,
        note=", ".join(f"{one} {took:.0f}" for one, took in again.items()),
    )  # fmt: skip
    books = step(ground, "books", "-")
    if books["rejected"]:
        raise NotReady(f"{books['rejected']} rules of the books do not hold")
    note = f"{books['done']} proofs over every payment in {books['chunks']} chunks of a job; `books` measures it alone"
    yield Row("books of benefits proved", books["seconds"], "s", note=note)


def _pay_rows(small: list[dict[str, Any]], large: list[dict[str, Any]], raw: list[float]) -> Iterator[Row]:
    rates = [one["done"] / one["seconds"] for one in large]
    rate = median(rates)
    persons = int(median(one["done"] for one in large))
    note = f"{persons:,} benefits, {large[0]['chunks'] - 1} chunks: locked, thirteen gates, payments, digest, approval"
    note += f" ({median(one['approve_seconds'] for one in large):.1f} s), ledger; a payroll says no facts of its own"
    name = "payroll of a month, stored"
    yield Row.of(name, rates, "persons/s", peer="limit", peer_figure=RATE, required=1, note=note)
    yield Row.beside(
        "payroll: payments stored",
        list(zip(rates, raw, strict=True)),
        "rows/s",
        "one COPY of the same rows into a table with the same keys and checks",
        note="the payroll also reads the benefits, moves each on, looks through the gates and makes the digests",
    )
    times = [one["seconds"] / other["seconds"] for one, other in zip(large, small, strict=True)]
    grown = persons / median(one["done"] for one in small)
    note = f"{grown:.1f} times the benefits"
    name = "payroll: time of ten times the rows"
    yield Row.of(name, times, "times", peer="limit", peer_figure=TENFOLD, required=1, is_cost=True, note=note)
    yield Row(
        "payroll: memory of the worker",
        max(one["memory_mib"] for one in large),
        "MiB",
        "at a tenth of the persons",
        max(one["memory_mib"] for one in small),
        required=MEMORY_SHARE,
        is_cost=True,
    )
    note = "extrapolated from the rate above, not measured: indexes that outgrow the memory would cost more"
    yield Row(f"payroll of {CITY_PERSONS:,} persons", CITY_PERSONS / rate, "s", note=note)


async def analysed(ground: Ground) -> None:
    """Let the planner know what is there."""
    connection = await asyncpg.connect(ground.databases.owner_urls["benefits"])
    try:
        await connection.execute("VACUUM (ANALYZE)", timeout=JOB_SECONDS)
    finally:
        await connection.close()


async def _copied(ground: Ground, month: Month) -> float:
    """Rows a second of one COPY of the month's payments into a table with the same keys and checks."""
    connection = await asyncpg.connect(ground.databases.owner_urls["benefits"])
    try:
        held = io.BytesIO()
        await connection.copy_from_query(
            "SELECT payment.* FROM payment JOIN payroll USING (payroll_id) WHERE payroll.month = $1"
            " ORDER BY payment_id",
            month.first_day,
            output=held,
            format="binary",
            timeout=JOB_SECONDS,
        )
        await connection.execute(
            "DROP TABLE IF EXISTS bench.paid; CREATE SCHEMA IF NOT EXISTS bench;"
            "CREATE TABLE bench.paid (LIKE payment INCLUDING ALL)"
        )
        held.seek(0)
        begun = time.perf_counter()
        said = await connection.copy_to_table(
            "paid", schema_name="bench", source=held, format="binary", timeout=JOB_SECONDS
        )
        seconds = time.perf_counter() - begun
        await connection.execute("DROP TABLE bench.paid")
    finally:
        await connection.close()
    return int(said.rpartition(" ")[2]) / seconds


def step(ground: Ground, what: str, of: str) -> dict[str, Any]:
    """One step of `payroll_jobs` in a process of its own; what it says."""
    url = "owner_urls" if what == "seed" else "app_urls"
    told = {
        **{name: value for name, value in ground.environ.items() if not name.startswith("HRSS_")},
        "HRSS_ENV": "dev",
        "HRSS_DATABASE_URL": getattr(ground.databases, url)["benefits"],
        "HRSS_KEYS_DIR": str(ground.home.keys),
        "HRSS_FILES_DIR": str(ground.home.files),
        "HRSS_POLICY_LOCAL": str(ROOT / "policy" / "local" / "demo.yaml"),
    }
    command = [sys.executable, "-m", "ops.bench.payroll_jobs", what, of]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=JOB_SECONDS
    )
    if done.returncode:
        raise NotReady(f"{what} {of}: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
