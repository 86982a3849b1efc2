"""One person enrolled from HTTP to the answer: durable, with its events and its audit row; beside a bare commit.

The bare commit is two rows by asyncpg on the same PostgreSQL in the same run: less cannot be durable. It is measured
with relay and consumers at work, as the platform runs, and again with them paused; what piles up in the pause is then
handed over, which is the rate of facts from outbox to consumer.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from kernel.calendar import Month
from kernel.identity import TEST_REGION, make_credit_code, make_resident_id
from ops.bench.load import Outcome, http, send
from ops.bench.measure import cpu_seconds, descendants, median
from ops.bench.patience import Patience
from ops.bench.result import Row
from ops.status import Settlement, look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

SHARE = 0.12
AT_ONCE = 16
_QUIET_SECONDS = 1.0  # nothing more was heard for so long: then it is asked whether anything is left
LEAST_MS = 0.05  # of processor per request to be named
PARTNER = "front-office"
_HEARD = "SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM participation)"
_POLL_SECONDS = 0.05
_FIRST_SHARE, _LAST_SHARE = 0.1, 0.9  # of the backlog: neither the start of a process nor the last lonely fact counts


class Enrolments:
    """Requests that each enrol a person who was never seen before."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.url = str(ground.state["gateway_url"])
        self.token = ground.partner_token(PARTNER)
        self.employer_id = ""
        self._people = 0
        self._month = str(Month.of(datetime.now(UTC).date()))

    def register(self) -> None:
        """The employer of everybody."""
        self.token, self.url = self.ground.partner_token(PARTNER), str(self.ground.state["gateway_url"])
        body = {
            "credit_code": make_credit_code("320601", "MA0BENCH"),
            "name": "南通量尺示例厂",
            "division": "320613",
            "injury_class": 2,
        }
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": "bench-employer"}
        answer = httpx.post(f"{self.url}/v1/employers", json=body, headers=headers, timeout=30).raise_for_status()
        self.employer_id = answer.json()["employer"]["employer_id"]

    def request(self, _number: int) -> bytes:
        """The next one."""
        number, self._people = self._people, self._people + 1
        id_no = make_resident_id(TEST_REGION, date(1970, 1, 1) + timedelta(days=number // 400), 2 * (number % 400) + 1)
        body = {
            "employer_id": self.employer_id,
            "name": "张示例",
            "id_no": id_no,
            "start_month": self._month,
            "wage": "6200.00",
            "post": "POST_MANAGEMENT",
        }
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": f"bench-{id_no}"}
        # Not sampled, as all but a few calls of a city are.
        headers["traceparent"] = f"00-{number + 1:032x}-{number + 1:016x}-00"
        return http("POST", "/v1/enrollments", headers, json.dumps(body, ensure_ascii=False).encode())

    async def turn(self, count: int) -> tuple[Outcome, dict[str, float]]:
        """So many enrolments: outcome, and seconds of processor by name of the process."""
        pids = self.ground.pids()
        every = descendants(pids["supervisor"])
        before = _spent(every, pids)
        outcome = await send(int(self.url.rpartition(":")[2]), self.request, count, connections=AT_ONCE)
        after = _spent(every, pids)
        return outcome, {name: after[name] - before[name] for name in after}


class BareCommits:
    """Two rows in one transaction, as fast as the driver and the disk allow."""

    def __init__(self, ground: Ground) -> None:
        self._url = ground.databases.owner_urls["enrollment"]

    async def turn(self, count: int) -> float:
        """Commits a second."""
        connections = [await asyncpg.connect(self._url) for _ in range(AT_ONCE)]
        await connections[0].execute(
            "CREATE SCHEMA IF NOT EXISTS bench;"
            "CREATE TABLE IF NOT EXISTS bench.fact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);"
            "CREATE TABLE IF NOT EXISTS bench.event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)"
        )
        body = "x" * 200
        left = count

        async def work(connection: Any) -> None:
            nonlocal left
            fact = await connection.prepare("INSERT INTO bench.fact (body) VALUES ($1)")
            event = await connection.prepare("INSERT INTO bench.event (body) VALUES ($1)")
            while left > 0:
                left -= 1
                async with connection.transaction():
                    await fact.fetchval(body)
                    await event.fetchval(body)

        begun = time.perf_counter()
        await asyncio.gather(*(work(connection) for connection in connections))
        seconds = time.perf_counter() - begun
        for connection in connections:
            await connection.close()
        return count / seconds


def enrol(ground: Ground, options: Options) -> Iterator[Row]:
    """Enrolments at work and paused, then the facts of the pause handed over."""
    ground.up()
    enrolments = Enrolments(ground)
    enrolments.register()
    at_work, lags = asyncio.run(_turns(ground, enrolments, options, is_paused=False))
    worst = f"relay and consumers had caught up {max(lags):.1f} s after the load ended"
    yield from _rows("enrol one person", at_work, SHARE, worst)

    ground.down()
    ground.up(HRSS_ROLES="rpc")
    enrolments.register()
    paused, _ = asyncio.run(_turns(ground, enrolments, options, is_paused=True))
    yield from _rows("the same, relay and consumers paused", paused, None, "")
    yield asyncio.run(_handed_over(ground, options))
    ground.down()


async def _turns(
    ground: Ground, enrolments: Enrolments, options: Options, *, is_paused: bool
) -> tuple[list[tuple[float, Outcome, dict[str, float]]], list[float]]:
    """Bare commits and enrolments in turns; for each pair the rates, and how long the rest took to settle."""
    bare = BareCommits(ground)
    found, lags = [], []
    await bare.turn(options.count(200))
    await enrolments.turn(options.count(100))
    for _ in range(options.rounds):
        if not is_paused:
            await _settled(ground)
        commits = await bare.turn(options.count(4000))
        outcome, spent = await enrolments.turn(options.count(600))
        begun = time.perf_counter()
        if not is_paused:
            await _settled(ground)
        lags.append(time.perf_counter() - begun)
        found.append((commits, outcome, spent))
    return found, lags


def _rows(
    name: str, turns: list[tuple[float, Outcome, dict[str, float]]], share: float | None, note: str
) -> Iterator[Row]:
    count = len(turns[0][1].latencies)
    p50 = median(one.percentile(0.5) for _, one, _ in turns) * 1000
    p99 = median(one.percentile(0.99) for _, one, _ in turns) * 1000
    every = median(sum(spent.values()) for _, _, spent in turns) / count * 1000
    each = {who: median(spent.get(who, 0.0) for _, _, spent in turns) / count * 1000 for who in turns[0][2]}
    shares = ", ".join(
        f"{who} {cost:.2f}" for who, cost in sorted(each.items(), key=lambda one: -one[1]) if cost >= LEAST_MS
    )
    said = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms at {AT_ONCE} at once; processor per request {every:.2f} ms: {shares}"
    yield Row.beside(
        name,
        [(one.rate, commits) for commits, one, _ in turns],
        "/s",
        "bare two-row commit by asyncpg",
        required=share,
        note="; ".join(part for part in (said, note) if part),
    )


async def _handed_over(ground: Ground, options: Options) -> Row:
    """Facts a second from the outbox of enrollment to the rows of benefits, a relay and a consumer at work."""
    bare = await BareCommits(ground).turn(options.count(4000))
    databases, broker = ground.databases, ground.broker
    connection = await asyncpg.connect(databases.owner_urls["benefits"])
    heard = int(await connection.fetchval(_HEARD))
    processes = [
        ground.program(
            f"services.{service}",
            f"{role}-{service}",
            HRSS_ROLES=role,
            HRSS_DATABASE_URL=databases.app_urls[service],
            HRSS_NATS_URL=broker.urls[service],
        )
        for service, role in (("benefits", "consumer"), ("enrollment", "relay"))
    ]
    try:
        seen: list[tuple[float, int]] = []
        patience = Patience("facts from outbox to consumer")
        is_heard = False
        while not is_heard:
            await asyncio.sleep(_POLL_SECONDS)
            seen.append((time.perf_counter(), int(await connection.fetchval(_HEARD)) - heard))
            patience.saw(seen[-1][1])
            still = [count for moment, count in seen if moment > seen[-1][0] - _QUIET_SECONDS]
            is_heard = len(still) < len(seen) and len(set(still)) == 1 and await _is_heard(ground)
        total = int(await connection.fetchval(_HEARD)) - heard
        seen.append((time.perf_counter(), total))
    finally:
        for process in processes:
            process.stop()
        await connection.close()
    part = [one for one in seen if total * _FIRST_SHARE <= one[1] <= total * _LAST_SHARE]
    first, last = (part[0], part[-1]) if len(part) > 1 else (seen[0], seen[-1])
    rate = (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else 0.0
    note = f"{total} facts by one relay and one consumer"
    return Row(
        "facts from outbox to consumer", rate, "/s", peer="bare two-row commit by asyncpg", peer_figure=bare, note=note
    )


async def _settled(ground: Ground) -> None:
    patience = Patience("everything that was said has arrived")
    while (now := await _look(ground)) is None or not now.is_settled:
        patience.saw(now)
        await asyncio.sleep(_POLL_SECONDS)


async def _look(ground: Ground) -> Settlement | None:
    """One look; None when a server was too busy to answer at once."""
    try:
        return await look(ground.databases, ground.broker)
    except (TimeoutError, OSError):
        return None


async def _is_heard(ground: Ground) -> bool:
    """Whether benefits has heard all that enrollment said; nobody else listens just now.

    Looked at twice: in one look the consumer may be asked before, and the outbox after, the relay has handed over.
    """
    for _ in range(2):
        now = await _look(ground)
        if now is None:
            return False
        theirs = [one for one in now.consumers if (one.producer, one.consumer) == ("enrollment", "benefits")]
        if now.services["enrollment"].outbox or not theirs or not all(one.is_settled for one in theirs):
            return False
    return True


def _spent(every: list[int], named: dict[str, int]) -> dict[str, float]:
    """Seconds of processor so far; processes without a name are PostgreSQL's."""
    names = {pid: name for name, pid in named.items()}
    spent: dict[str, float] = {}
    for pid in every:
        try:
            name = names.get(pid, "postgres")
            spent[name] = spent.get(name, 0.0) + cpu_seconds(pid)
        except (FileNotFoundError, ProcessLookupError):  # a connection of PostgreSQL that was closed
            continue
    return spent
