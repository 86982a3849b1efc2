"""The runner of `hrss bench`: which benchmarks there are, in what order, and what becomes of their rows."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ops.bench import (
    adjusting,
    books,
    calculations,
    card_codes,
    card_issue,
    city,
    enrol,
    history,
    hop,
    payroll,
    platform,
)
from ops.bench.ground import ground
from ops.bench.measure import machine
from ops.bench.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from ops.bench.ground import Ground
    from ops.bench.result import Row

    Benchmark = tuple[str, Callable[[Ground, "Options"], Iterator[Row]]]

ROUNDS = 5
QUICK_SHARE = 0.02


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        rounds: How often everything is measured, in turns with its peer.
        share: Part of the usual amount of work in a turn; a smoke test does little.
        persons: How many persons a payroll has; 0 takes the usual number.
        size: How many cards a batch has; 0 takes the usual number.
    """

    rounds: int = ROUNDS
    share: float = 1.0
    persons: int = 0
    size: int = 0

    @property
    def seconds(self) -> float:
        """How long a turn of a calculation takes."""
        return 1.0 * self.share

    def count(self, usual: int) -> int:
        """How many requests a turn has."""
        return max(20, int(usual * self.share))


# In this order: what needs no platform first, and what stops and starts it last.
BENCHMARKS: Mapping[str, Benchmark] = {
    "pension": ("pension statements in process", lambda _ground, options: calculations.statements(options)),
    "pensions": (
        "all pensions of the city in the set form beside openfisca-core",
        lambda _ground, options: adjusting.computed(options),
    ),
    "codes": ("card codes minted and verified in process", lambda _ground, options: calculations.codes(options)),
    "card-codes": ("card codes of both profiles, status lists", lambda _ground, options: card_codes.rows(options)),
    "start": ("start of the platform", platform.start),
    "memory": ("memory of the idle platform", platform.memory),
    "hop": ("bare hop through the edge beside FastAPI", hop.rows),
    "history": ("history of a city in person-years beside COPY", history.history),
    "card-places": ("places of status lists leased from the database", card_codes.places),
    "card-batch": ("cards issued by the batch beside COPY", card_issue.rows),
    "enrol": ("enrol one person end to end; facts from outbox to consumer", enrol.enrol),
    "adjustment": ("the annual adjustment of a seeded city, stored", adjusting.stored),
    "city": ("a city: bill run, interest, point queries", city.city),
    "payroll": ("the payroll of a city beside COPY", payroll.payroll),
    "books": ("the books of benefits proved over a city", books.books),
}


def run(
    names: Sequence[str], options: Options, console: Console, *, benchmarks: Mapping[str, Benchmark] = BENCHMARKS
) -> Result:
    """Run benchmarks; one that fails is said and the others go on."""
    begun = time.perf_counter()
    result = Result(machine(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    with ground() as made:
        for name in names or benchmarks:
            title, measure = benchmarks[name]
            console.print(f"[dim]{time.perf_counter() - begun:5.0f} s[/] {title} …", highlight=False)
            try:
                for measured in measure(made, options):
                    row = replace(measured, load=round(os.getloadavg()[0], 1))
                    result.rows.append(row)
                    console.print(f"        {' · '.join(cell for cell in row.cells() if cell)}", highlight=False)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the others are measured
                result.failures[name] = f"{type(error).__name__}: {error}"
                console.print(f"✗ {name}: {result.failures[name]}", style="red", highlight=False, markup=False)
    result.seconds = time.perf_counter() - begun
    return result


def main(names: Sequence[str], options: Options, folder: Path, console: Console) -> int:
    """Run, show the table and write it; 1 when something could not be measured.

    A ratio that is not met is a line of the table and no failure: the machine may have been busy.
    """
    result = run(names, options, console)
    console.print(result.as_table())
    plain, shown = result.write(folder)
    console.print(f"{plain}\n{shown}", highlight=False)
    return 1 if result.failures else 0
