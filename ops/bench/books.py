"""The proof of the benefit books over a city with payrolls, the bank's answers and an adjustment behind it.

Every rule over everybody as the job of the service does it (`ops.bench.payroll_jobs books`), at a tenth and at the
whole: the proof reads everything that was ever paid, so both cities have the same months behind them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ops.bench import adjusting, payroll, pensioners
from ops.bench.measure import median
from ops.bench.patience import NotReady
from ops.bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

MONTHS = ("2026-01", "2026-02")
AFTER = "2026-03"  # pays the differences of the adjustment as well
SECONDS = 60.0  # asked of the usual number of persons


def books(ground: Ground, options: Options) -> Iterator[Row]:
    """Persons a second, time and memory of ten times the persons."""
    ground.up(HRSS_ROLES="rpc")
    persons = options.persons or max(1_000, int(payroll.PERSONS * options.share))
    rounds = min(options.rounds, payroll.ROUNDS)
    small = _proofs(ground, persons // payroll.TENTH, rounds)
    large = _proofs(ground, persons, rounds)
    ground.down()
    seconds = median(one["seconds"] for one in large)
    note = f"{persons:,} benefits with three payrolls, answers, an adjustment and its differences; "
    note += f"{large[0]['done']} proofs in {large[0]['chunks']} chunks, {seconds:.1f} s"
    limit = payroll.PERSONS / SECONDS
    yield Row("books of benefits proved", persons / seconds, "persons/s", "limit", limit, required=1, note=note)
    times = seconds / median(one["seconds"] for one in small)
    name = "books of benefits: time of ten times the persons"
    yield Row(name, times, "times", "limit", payroll.TENFOLD, required=1, is_cost=True)
    yield Row(
        "books of benefits: memory of the worker",
        max(one["memory_mib"] for one in large),
        "MiB",
        "at a tenth of the persons",
        max(one["memory_mib"] for one in small),
        required=payroll.MEMORY_SHARE,
        is_cost=True,
    )


def _proofs(ground: Ground, persons: int, rounds: int) -> list[dict[str, Any]]:
    """A city of so many, lived through, and its books proved so often."""
    asyncio.run(pensioners.cleared(ground))
    payroll.step(ground, "seed", str(persons))
    asyncio.run(payroll.analysed(ground))
    for month in MONTHS:
        payroll.step(ground, "pay", month)
    payroll.step(ground, "answer", MONTHS[0])
    adjusting.adjusted(ground, stands=True)
    payroll.step(ground, "pay", AFTER)
    said = [payroll.step(ground, "books", "-") for _ in range(rounds)]
    for one in said:
        if one["state"] != "DONE" or one["rejected"]:
            raise NotReady(f"the books: {one['state']}, {one['rejected']} proofs do not hold")
    return said
