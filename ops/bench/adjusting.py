"""A city of pensioners: every pension at once beside openfisca-core, and the stored adjustment of a year beside COPY.

What is said of all pensioners of the city is extrapolated and says so. The rival has an environment of its own
(`ops.bench.rival`), made when this first runs; where it cannot be made the row says "not measured".
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import time
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import numpy as np

from chassis.policy import open_policy
from kernel.calendar import Month
from kernel.dated import given
from kernel.money import Money
from ops.bench import pensioners, rival
from ops.bench.benefit_jobs import TODAY
from ops.bench.measure import median
from ops.bench.patience import NotReady
from ops.bench.result import Row
from ops.home import ROOT
from ops.platform import ASSUMED_VALUES
from ops.seed import benefits as seed
from services.benefits.domain.pension import PensionFacts, calculate
from services.benefits.domain.population import Pensioners, Pensions, pensions
from services.benefits.policy import BenefitsPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options
    from services.benefits.domain.pension import PensionRules

CITY_PENSIONERS = 1_680_000
SET_FORM = 2_500_000.0  # pensions a second, asked
FASTER = 1.5  # than the rival, in the median of the rounds
TURNS = 3  # of a round, as the rival has them
STORED = 10_000.0  # persons a second, asked
PERSONS = 200_000
TENTH = 10
TENFOLD = 10.5
MEMORY_SHARE = 0.85
ROUNDS = 3
RETIREMENT = Month(2025, 6)
YEAR = 2026
_CHECKED = 2_000  # people whose fen are compared with the one-person form
_PAYOUT = np.array([2330, 1950, 1700, 1695, 1390, 1384, 1373, 1010], dtype=np.int64)
JOB_SECONDS = 3_600.0  # a limit for what hangs; a busy machine is slow
_CALCULATION = "digest, kind, policy_version, inputs, statement, total_fen, provisional, terms_id"


# Computed -----------------------------------------------------------------------------------------------------------


def computed(options: Options) -> Iterator[Row]:
    """All pensions of the city in the set form, beside the same formula in openfisca-core."""
    count = max(10_000, int(CITY_PENSIONERS * options.share))
    rules = BenefitsPolicy(open_policy(ROOT / "policy", ASSUMED_VALUES)).pension.rules(RETIREMENT)
    people = _people(count)
    begun, first = _computed(people, rules)
    rates: list[float] = []
    theirs: list[rival.Said] = []
    problem = ""
    for _ in range(options.rounds):
        # As the rival does in its process: one that gets its memory, then the median of three.
        rates.append(median([_computed(people, rules)[1] for _ in range(1 + TURNS)][1:]))
        if not problem:
            try:
                theirs.append(rival.run(people, rules))
            except rival.Away as away:
                problem = str(away)
    off = _off(people, begun.total, rules)
    note = f"{count:,} people, processor time; {off} of {_CHECKED:,} differ from the one-person form"
    note += f"; the first in a new process, which gets its memory: {first:,.0f} /s"
    yield Row.of("pensions in the set form", rates, "/s", peer="limit", peer_figure=SET_FORM, required=1, note=note)
    if not theirs:
        yield Row.of("pensions in the set form", rates, "/s", peer="openfisca-core: not measured", note=problem)
        return
    wrong = theirs[0].totals != begun.total
    note = f"openfisca-core {theirs[0].version}, the same formula and people: {wrong.mean():.2%} of them some fen off"
    pairs = list(zip(rates, (one.rate for one in theirs), strict=False))
    yield Row.beside("pensions in the set form", pairs, "/s", "openfisca-core", required=FASTER, note=note)


def _computed(people: Pensioners, rules: PensionRules) -> tuple[Pensions, float]:
    """The pensions, and how many a second of processor time."""
    begun = time.process_time()
    found = pensions(people, rules)
    return found, len(people.months) / (time.process_time() - begun)


def _people(count: int) -> Pensioners:
    """People as a city has them; *assumed* in every figure."""
    draw = np.random.default_rng(20_251_123)
    index4 = draw.integers(4_000, 30_001, count)
    none = np.zeros(count, dtype=np.int64)
    return Pensioners(
        index4=index4,
        months=draw.integers(180, 541, count),
        balance=draw.integers(1_000_000, 40_000_001, count),
        payout=_PAYOUT[draw.integers(0, len(_PAYOUT), count)],
        transitional=index4 * 10**4,
        pre1996=draw.integers(0, 240, count) * draw.integers(0, 2, count),
        old=none,
        has_old=np.zeros(count, dtype=np.bool_),
        is_exact=np.ones(count, dtype=np.bool_),
    )


def _off(people: Pensioners, totals: Any, rules: PensionRules) -> int:
    """How many of some people differ from the one-person form by a fen or more."""
    rows = Random(1).sample(range(len(totals)), min(_CHECKED, len(totals)))  # noqa: S311 - no secret
    return sum(calculate(_facts(people, row), rules).monthly_total.fen != int(totals[row]) for row in rows)


def _facts(people: Pensioners, row: int) -> PensionFacts:
    index = Decimal(int(people.index4[row])).scaleb(-4)
    return PensionFacts(
        index=index,
        months=int(people.months[row]),
        balance=Money(int(people.balance[row])),
        payout_months=given("payout_months", Decimal(int(people.payout[row])).scaleb(-1), RETIREMENT.first_day),
        transitional_index=index,
        pre1996_months=int(people.pre1996[row]),
    )


# Stored -------------------------------------------------------------------------------------------------------------


def stored(ground: Ground, options: Options) -> Iterator[Row]:
    """The adjustment of a year over a seeded city at a tenth and at the whole, beside a raw COPY of the same rows."""
    ground.up(HRSS_ROLES="rpc")
    persons = max(1_000, int(PERSONS * options.share))
    rounds = min(options.rounds, ROUNDS)
    asyncio.run(pensioners.cleared(ground))
    asyncio.run(_grown(ground, persons // TENTH))
    small = [adjusted(ground) for _ in range(rounds)]
    asyncio.run(_grown(ground, persons))
    large = [adjusted(ground) for _ in range(rounds)]
    raw = [asyncio.run(_copied(ground, large[-1]["adjustment_id"])) for _ in range(rounds)]
    ground.down()
    yield from _stored_rows(small, large, raw)


def _stored_rows(small: list[dict[str, Any]], large: list[dict[str, Any]], raw: list[float]) -> Iterator[Row]:
    done = large[0]["run"]["done"]
    rates = [done / one["run"]["seconds"] for one in large]
    rate = median(rates)
    cost = median(one["run"]["processor"] for one in large) / done * 1e6
    note = f"{done:,} pensions, each with amount, statement terms, difference, fact; worker {cost:.0f} µs a person"
    name = "annual adjustment stored"
    yield Row.of(name, rates, "persons/s", peer="limit", peer_figure=STORED, required=1, note=note)
    note = "calculation, amount and difference of each person into tables with the same keys and checks"
    pairs = list(zip(rates, raw, strict=True))
    yield Row.beside(name, pairs, "persons/s", "one COPY of the same rows", note=note)
    times = [one["run"]["seconds"] / other["run"]["seconds"] for one, other in zip(large, small, strict=True)]
    note = f"{done / small[0]['run']['done']:.1f} times the persons"
    name = "annual adjustment: time of ten times the persons"
    yield Row.of(name, times, "times", peer="limit", peer_figure=TENFOLD, required=1, is_cost=True, note=note)
    yield Row(
        "annual adjustment: memory of the worker",
        max(one["memory_mib"] for one in large),
        "MiB",
        "at a tenth of the persons",
        max(one["memory_mib"] for one in small),
        required=MEMORY_SHARE,
        is_cost=True,
    )
    for name, key in (("dry run of an annual adjustment", "dry_run"), ("reversal of an annual adjustment", "reversal")):
        yield Row.of(name, [done / one[key]["seconds"] for one in large], "persons/s")
    note = "extrapolated from the rate above, not measured: indexes that outgrow the memory would cost more"
    yield Row(f"annual adjustment of {CITY_PENSIONERS:,} persons", CITY_PENSIONERS / rate, "s", note=note)


async def _grown(ground: Ground, persons: int) -> None:
    """Make the city so large, each paid for three months of the year; statistics fresh afterwards."""
    connection = await asyncpg.connect(ground.databases.owner_urls["benefits"])
    try:
        await seed.write(connection, persons, 1)
        await connection.execute(
            "UPDATE benefit SET next_month = $1 WHERE next_month < $1", Month(YEAR, 4).first_day, timeout=JOB_SECONDS
        )
        await connection.execute("VACUUM (ANALYZE)", timeout=JOB_SECONDS)
    finally:
        await connection.close()


async def _copied(ground: Ground, adjustment_id: str) -> float:
    """Persons a second of COPY of the rows that a run wrote, one table after the other."""
    made = {
        table: f"SELECT {columns} FROM {table} WHERE {column} = '{UUID(adjustment_id)}'{also}"  # noqa: S608 - constants and an id
        for table, columns, column, also in (
            ("calculation", _CALCULATION, "terms_id", ""),
            ("benefit_amount", "*", "cause_id", " AND cause = 'ADJUSTED'"),
            ("difference", "*", "cause_id", ""),
        )
    }
    connection = await asyncpg.connect(ground.databases.owner_urls["benefits"])
    seconds, persons = 0.0, 0
    try:
        await connection.execute("CREATE SCHEMA IF NOT EXISTS bench")
        for table, rows in made.items():
            held = io.BytesIO()
            await connection.copy_from_query(rows, output=held, format="binary", timeout=JOB_SECONDS)
            columns = [
                row["name"]
                for row in await connection.fetch(
                    "SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
                    " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
                    table,
                )
            ]
            await connection.execute(
                f"DROP TABLE IF EXISTS bench.{table}; CREATE TABLE bench.{table} (LIKE {table} INCLUDING ALL)"
            )
            held.seek(0)
            begun = time.perf_counter()
            said = await connection.copy_to_table(
                table, schema_name="bench", source=held, columns=columns, format="binary", timeout=JOB_SECONDS
            )
            seconds += time.perf_counter() - begun
            persons = int(said.rpartition(" ")[2])
            await connection.execute(f"DROP TABLE bench.{table}")
    finally:
        await connection.close()
    return persons / seconds


def adjusted(ground: Ground, *, stands: bool = False) -> dict[str, Any]:
    """Adjust, and reverse unless it stands, in a process of its own; what it says."""
    told = {
        **{name: value for name, value in ground.environ.items() if not name.startswith("HRSS_")},
        "HRSS_ENV": "dev",
        "HRSS_DATABASE_URL": ground.databases.app_urls["benefits"],
        "HRSS_KEYS_DIR": str(ground.home.keys),
        "HRSS_FILES_DIR": str(ground.home.files),
        "HRSS_POLICY_LOCAL": str(ASSUMED_VALUES),
        TODAY: f"{YEAR}-07-20",
    }
    command = [sys.executable, "-m", "ops.bench.benefit_jobs", str(YEAR), *(["stands"] if stands else [])]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=3 * JOB_SECONDS
    )
    if done.returncode:
        raise NotReady(f"annual adjustment: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for step in ("dry_run", "run", *(() if stands else ("reversal",))):
        if said[step]["state"] != "DONE":
            raise NotReady(f"{step}: {said[step]['state']} {said[step]['message']}")
    if not said["as_looked_at"]:
        raise NotReady("the run did something else than the dry run said")
    return said
