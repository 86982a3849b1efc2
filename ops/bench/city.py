"""A whole city: the bill run of a month, the interest of a year, and point queries beside them.

The city comes from `ops.seed`. A *line* of a bill run is a person in one scheme: a stored row holds the five amounts of
a person in three schemes, so it counts as three lines. Jobs run in a process of their own (`ops.bench.city_jobs`), with
the worker of the service. What is said of two million persons is extrapolated and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import asyncpg
from rich.console import Console

from kernel.calendar import Month
from ops.bench import city_queries
from ops.bench.city_jobs import TODAY
from ops.bench.measure import median
from ops.bench.patience import NotReady
from ops.bench.result import Row
from ops.home import ROOT
from ops.seed.main import seed, settings_of
from ops.seed.people import Plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

    Connection = asyncpg.Connection[asyncpg.Record]

PERSONS = 200_000
TENTH = 10
CITY_PERSONS = 2_000_000
SCHEMES = 3
MONTH = Month(2025, 12)
YEAR = 2025
ROUNDS = 3
LINES = 100_000.0
ACCOUNTS = 200_000.0
COPY_SHARE = 0.30
TENFOLD = 10.5
MEMORY_SHARE = 0.85  # of the memory at a tenth of the persons: more would grow with the city
JOB_SECONDS = 3_600.0  # a limit for what hangs; a busy machine is slow
_ENTRIES = f"""
    INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
    SELECT person_id, 'CONTRIBUTION', 'bench:' || month, {YEAR}, make_date({YEAR}, month, 1),
           30000 + abs(hashtext(person_id::text)) % 200000
    FROM account CROSS JOIN generate_series(1, 12) AS month WHERE settle_month IS NULL
"""  # noqa: S608 - constant text
_BALANCES = """
    UPDATE account SET balance_fen = balance_fen + booked.fen FROM (
        SELECT person_id, sum(amount_fen) AS fen FROM account_entry WHERE source LIKE 'bench:%' GROUP BY person_id
    ) AS booked WHERE account.person_id = booked.person_id
"""


def city(ground: Ground, options: Options) -> Iterator[Row]:
    """Bill runs at a tenth and at the whole, beside a raw COPY; interest; point queries."""
    ground.up(HRSS_ROLES="rpc")
    persons = max(1_000, int(PERSONS * options.share))
    months = iter(Month.range(Month(YEAR, 1), MONTH))
    rounds = min(options.rounds, ROUNDS)
    _grow(ground, persons // TENTH)
    small = [_job(ground, "bill", str(next(months)), f"{YEAR}-12-20") for _ in range(rounds)]
    seconds = _grow(ground, persons)
    large, raw = [], []
    for _ in range(rounds):
        month = next(months)
        large.append(_job(ground, "bill", str(month), f"{YEAR}-12-20"))
        raw.append(asyncio.run(_copied(ground, month)))
    note = f"{persons:,} persons by sealed COPY in two processes, of which the tenth before"
    yield Row("persons seeded", persons * (TENTH - 1) / TENTH / seconds, "/s", note=note)
    yield from _bill_rows(small, large, raw)
    asyncio.run(_booked(ground))
    yield from _interest_rows(ground)
    yield from city_queries.rows(ground, options)
    ground.down()


def _bill_rows(
    small: list[dict[str, Any]], large: list[dict[str, Any]], raw: list[tuple[float, float]]
) -> Iterator[Row]:
    rates = [one["done"] / one["seconds"] for one in large]
    rate = median(rates)
    persons = int(median(one["done"] for one in large))
    said = f"{persons:,} persons billed, {large[0]['chunks'] - 1} chunks; a line is a person in one scheme"
    lines = [one * SCHEMES for one in rates]
    yield Row.of("bill run of a month", lines, "lines/s", peer="limit", peer_figure=LINES, required=1, note=said)
    bare = median(heap for _, heap in raw)
    yield Row.beside(
        "bill run: rows stored",
        [(one, keyed) for one, (keyed, _) in zip(rates, raw, strict=True)],
        "rows/s",
        "one COPY of the same rows into a table with the same keys and checks",
        required=COPY_SHARE,
        note=f"into one without any: {bare:,.0f} rows/s; the run reads the register, sums the bills and makes them too",
    )
    times = [one["seconds"] / other["seconds"] for one, other in zip(large, small, strict=True)]
    grown = persons / median(one["done"] for one in small)
    note = f"{grown:.1f} times the persons billed; employers and rows before them grew as well"
    name = "bill run: time of ten times the rows"
    yield Row.of(name, times, "times", peer="limit", peer_figure=TENFOLD, required=1, is_cost=True, note=note)
    yield Row(
        "bill run: memory of the worker",
        max(one["memory_mib"] for one in large),
        "MiB",
        "at a tenth of the persons",
        max(one["memory_mib"] for one in small),
        required=MEMORY_SHARE,
        is_cost=True,
    )
    note = "extrapolated from the rate above, not measured: indexes that outgrow the memory would cost more"
    yield Row(f"bill run of {CITY_PERSONS:,} persons", CITY_PERSONS / rate, "s", note=note)


def _interest_rows(ground: Ground) -> Iterator[Row]:
    computed = _job(ground, "compute", str(YEAR), f"{YEAR + 1}-02-01")
    note = "the arithmetic of the set form in one process; reading and storing are in the next row"
    rate = computed["done"] / computed["seconds"]
    yield Row("interest computed", rate, "accounts/s", "limit", ACCOUNTS, required=1, note=note)
    stored = _job(ground, "interest", str(YEAR), f"{YEAR + 1}-02-01")
    rate = stored["done"] / stored["seconds"]
    note = f"{stored['done']:,} accounts with twelve credits each: read, closed, booked, a fact said of each; worker"
    note += (
        f" {stored['processor'] / stored['done'] * 1e6:.0f} µs of processor an account, {stored['memory_mib']:.0f} MiB"
    )
    beside = "COPY of the same closed years and entries into tables with the same keys"
    yield Row("interest of a year stored", rate, "accounts/s", beside, asyncio.run(_copied_interest(ground)), note=note)
    note = "extrapolated from the rate above, not measured"
    yield Row(f"interest of {CITY_PERSONS:,} accounts", CITY_PERSONS / rate, "s", note=note)


def _grow(ground: Ground, persons: int) -> float:
    """Make the city so large; the seconds. Statistics are fresh afterwards, as in a database that grew in years."""
    settings = settings_of(ground.databases.app_urls["enrollment"], ground.home.keys, env="dev")
    begun = time.perf_counter()
    plan = Plan(1, persons, MONTH, city_queries.HISTORY_YEARS, city_queries.HISTORY_EVERY)
    seed(plan, settings, Console(file=io.StringIO()))
    seconds = time.perf_counter() - begun
    asyncio.run(_analysed(ground))
    return seconds


async def _analysed(ground: Ground) -> None:
    async with _owner(ground) as connection:
        await connection.execute("VACUUM (ANALYZE)", timeout=JOB_SECONDS)


async def _copied(ground: Ground, month: Month) -> tuple[float, float]:
    """Rows a second of one COPY of the month's lines: into a table with the same keys and checks, into a bare one."""
    lines = f"SELECT * FROM bill_line WHERE month = '{month.first_day}' ORDER BY bill_id, person_id"  # noqa: S608 - a date of ours
    async with _owner(ground) as connection:
        keyed = await _copy(connection, "bill_line", lines, "INCLUDING ALL")
        return keyed, await _copy(connection, "bill_line", lines, "EXCLUDING ALL")


async def _copied_interest(ground: Ground) -> float:
    """Accounts a second of COPY of what the run stored of each: its closed year, its entry; into keyed tables."""
    years = f"SELECT * FROM account_year WHERE year = {YEAR} ORDER BY person_id"  # noqa: S608 - a constant
    entries = f"SELECT * FROM account_entry WHERE year = {YEAR} AND kind = 'INTEREST' ORDER BY person_id"  # noqa: S608 - the same
    async with _owner(ground) as connection:
        each = await _copy(connection, "account_year", years, "INCLUDING ALL")
        return 1 / (1 / each + 1 / await _copy(connection, "account_entry", entries, "INCLUDING ALL"))


@contextlib.asynccontextmanager
async def _owner(ground: Ground) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(ground.databases.owner_urls["enrollment"])
    try:
        yield connection
    finally:
        await connection.close()


async def _copy(connection: Connection, table: str, query: str, likeness: str) -> float:
    """Rows a second of one COPY of the rows of a query into an empty table like another."""
    held = io.BytesIO()
    await connection.copy_from_query(query, output=held, format="binary", timeout=JOB_SECONDS)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS bench; CREATE TABLE bench.copied (LIKE {table} {likeness})")
    held.seek(0)
    begun = time.perf_counter()
    said = await connection.copy_to_table(
        "copied", schema_name="bench", source=held, format="binary", timeout=JOB_SECONDS
    )
    seconds = time.perf_counter() - begun
    await connection.execute("DROP TABLE bench.copied")
    return int(said.rpartition(" ")[2]) / seconds


async def _booked(ground: Ground) -> None:
    """Twelve credits on every account: what a year of paid bills leaves there."""
    async with _owner(ground) as connection:
        for statement in (_ENTRIES, _BALANCES):
            await connection.execute(statement, timeout=JOB_SECONDS)
    await _analysed(ground)


def _job(ground: Ground, what: str, of: str, today: str) -> dict[str, Any]:
    """Run one job over the city in a process of its own; what it says."""
    told = {
        **{name: value for name, value in ground.environ.items() if not name.startswith("HRSS_")},
        "HRSS_ENV": "dev",
        "HRSS_DATABASE_URL": ground.databases.app_urls["enrollment"],
        "HRSS_KEYS_DIR": str(ground.home.keys),
        "HRSS_FILES_DIR": str(ground.home.files),
        "HRSS_POLICY_LOCAL": str(ROOT / "policy" / "local" / "demo.yaml"),
        TODAY: today,
    }
    command = [sys.executable, "-m", "ops.bench.city_jobs", what, of]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=JOB_SECONDS
    )
    if done.returncode:
        raise NotReady(f"{what} {of}: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if said["state"] != "DONE":
        raise NotReady(f"{what} {of}: {said['state']} {said['message']}")
    return said
