"""History of a city in person-years: how fast a delivery takes effect, beside a raw COPY of the same rows.

A delivery goes through the public API as an office would send it: upload, start, and the job to its end, with every
check, sealed persons, facts in the outbox and audit. The peer is the least that could be done: the person-years alone,
already parsed, by COPY into a table with the same columns and key on the same PostgreSQL.
"""

from __future__ import annotations

import asyncio
import io
import random
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import httpx

from kernel.identity import TEST_REGION, make_resident_id
from kernel.money import Money
from ops.bench.measure import cpu_of, median
from ops.bench.patience import Patience
from ops.bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

PARTNER = "front-office"
PEOPLE, FIRST_YEAR, LAST_YEAR = 8000, 2000, 2024
ROUNDS = 3
TARGET = 50_000.0  # person-years a second on two cores
CITY = 1_700_000 * 25
_POLL_SECONDS = 0.1
COLUMNS = ("person_id", "year", "schemes", "months", "deemed", "bases", "source", "line", "employer_code")
_TABLE = """
    CREATE SCHEMA IF NOT EXISTS bench;
    DROP TABLE IF EXISTS bench.history_year;
    CREATE TABLE bench.history_year (LIKE history_year INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)
"""


def history(ground: Ground, options: Options) -> Iterator[Row]:
    """Deliveries in turns with COPY; relay and consumers wait, as in the night in which an office switches over."""
    ground.down()
    ground.up(HRSS_ROLES="rpc,jobs")
    people = options.count(PEOPLE)
    found = []
    for number in range(min(options.rounds, ROUNDS)):
        data, rows = _file(people, number)
        bare = asyncio.run(_copied(ground, rows))
        before = _spent(ground)
        mine = _delivered(ground, data, rows)
        found.append((bare, mine, (_spent(ground) - before) / len(rows)))
    rate = median(mine for _, mine, _ in found)
    cost = median(cost for _, _, cost in found) * 1e6
    yield Row.of(
        "history brought in, from upload to effect",
        [mine for _, mine, _ in found],
        "person-years/s",
        peer="required of two cores",
        peer_figure=TARGET,
        required=1.0,
        note=f"processor of all processes {cost:.0f} µs a person-year; {people} persons of"
        f" {LAST_YEAR - FIRST_YEAR + 1} years,"
        " three schemes, two bases a year; a city of 1.7 million persons would take"
        f" {CITY / rate / 60:.0f} minutes (extrapolated)",
    )
    pairs = [(mine, bare) for bare, mine, _ in found]
    peer = "raw COPY of the parsed rows into one table with its key"
    yield Row.beside("the same beside COPY", pairs, "person-years/s", peer)
    ground.down()


def _file(people: int, number: int) -> tuple[bytes, list[str]]:
    """A file of layout 2, and its person-years as COPY takes them; other persons for each number."""
    chance = random.Random(number)  # noqa: S311 - the same file every time
    lines, rows = [], []
    bases = Money.ZERO
    for place in range(people):
        born = date(1950 + 10 * number, 1, 1) + timedelta(days=place // 400)
        id_no = make_resident_id(TEST_REGION, born, 2 * (place % 400) + 1)
        key = uuid4()
        for year in range(FIRST_YEAR, LAST_YEAR + 1):
            one, other = (chance.randrange(200_000, 900_000) for _ in range(2))
            lines.append(f"year,{id_no},张示例,{year},110+210+410,PPPPPPPPPPPP,{Money(one)}*6;{Money(other)}*6,,")
            fen = ",".join([str(one)] * 6 + [str(other)] * 6)
            rows.append(f"{key}\t{year}\t7\t4095\t0\t{{{fen}}}\t1\t{len(lines)}\t\\N\n")
            bases += Money(18 * (one + other))
        lines.append(f"account,{id_no},张示例,{LAST_YEAR},,,,,118432.77")
    months = 12 * len(rows)
    totals = f"#totals,{len(lines)},{people},{months},{months},{months},{bases},{Money(11_843_277 * people)}"
    head = ("#hrss-history,2", "kind,id_no,name,year,schemes,months,bases,employer_code,balance")
    return "\n".join((*head, *lines, totals, "")).encode(), rows


def _delivered(ground: Ground, data: bytes, rows: list[str]) -> float:
    """Person-years a second of a delivery, from the start of its job to its end."""
    url = str(ground.state["gateway_url"])
    with httpx.Client(
        base_url=url, timeout=60, headers={"authorization": f"Bearer {ground.partner_token(PARTNER)}"}
    ) as http:
        upload = _ok(http.post("/v1/files", content=data, headers=_keyed("upload", {"content-type": "text/csv"})))
        body = {"upload_id": upload["upload_id"], "digest": upload["digest"], "source_system": "bench-system"}
        begun = time.perf_counter()
        job = _ok(http.post("/v1/history-imports", json=body, headers=_keyed("import")))["job"]
        patience = Patience("the delivery of a history")
        while job["state"] not in {"JOB_STATE_DONE", "JOB_STATE_FAILED"}:
            patience.saw(job)
            time.sleep(_POLL_SECONDS)
            job = _ok(http.get(f"/v1/enrollment-jobs/{job['job_id']}"))["job"]
        seconds = time.perf_counter() - begun
    if job["done_count"] < len(rows):
        raise RuntimeError(f"the delivery did not take effect: {job['message']}")
    return len(rows) / seconds


def _spent(ground: Ground) -> float:
    """Processor seconds of the platform with its servers and worker processes."""
    return cpu_of(ground.pids()["supervisor"])


async def _copied(ground: Ground, rows: list[str]) -> float:
    """Person-years a second by COPY."""
    connection = await asyncpg.connect(ground.databases.owner_urls["enrollment"])
    await connection.execute(_TABLE)
    data = io.BytesIO("".join(rows).encode())
    begun = time.perf_counter()
    await connection.copy_to_table(
        "history_year", schema_name="bench", source=data, columns=list(COLUMNS), format="text"
    )
    seconds = time.perf_counter() - begun
    await connection.close()
    return len(rows) / seconds


def _keyed(what: str, more: dict[str, str] | None = None) -> dict[str, str]:
    return {"idempotency-key": f"bench-{what}-{uuid4()}", **(more or {})}


def _ok(answer: httpx.Response) -> Any:
    return answer.raise_for_status().json()
