"""Point queries on a city through gRPC, as the gateway asks them: what somebody is insured in, and the months paid.

The caller signs each call as the gateway does and shares the machine with the service; calls are not sampled, as all
but a few of a city are.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import asyncpg
import grpc.aio

from chassis.principal import METADATA_KEY, Principal, Signer
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from ops.bench.load import Outcome
from ops.bench.measure import median
from ops.bench.patience import NotReady
from ops.bench.result import Row
from ops.home import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from google.protobuf.message import Message

    from ops.bench.ground import Ground
    from ops.bench.main import Options

SERVICE = "/hrss.enrollment.v1.EnrollmentService"
QUERIES = 1_000.0
CALLS = 3_000
AT_ONCE = 32
HISTORY_YEARS, HISTORY_EVERY = 30, 250
LONGEST = 200  # persons with the longest history
DAY = date(2025, 12, 20)
DEADLINE_SECONDS = 60.0
SEED = 20261123


def rows(ground: Ground, options: Options) -> Iterator[Row]:
    """Insurance of anybody, and a page of the months of persons with the longest history."""
    everybody, longest, months = asyncio.run(_people(ground))
    yield _row(
        "insurance of a person",
        lambda person: ("GetInsurance", pb.GetInsuranceRequest(person_id=ids.to_text("per", person))),
        everybody,
        ground,
        options,
        note=f"participations, counted months and employments; one person of {HISTORY_EVERY} has months to count",
    )
    yield _row(
        "insurance after a long life",
        lambda person: ("GetInsurance", pb.GetInsuranceRequest(person_id=ids.to_text("per", person))),
        longest,
        ground,
        options,
        required=None,
        note=f"the same of persons with up to {months:,} rows to count",
    )
    years = f"of persons with up to {months / 36:.0f} years"
    yield _row(
        "contribution list, a page",
        lambda person: ("ListContributions", pb.ListContributionsRequest(person_id=ids.to_text("per", person))),
        longest,
        ground,
        options,
        note=f"the first fifty rows {years}: {months} rows are 22 pages",
    )


def _row(
    name: str,
    request: Callable[[UUID], tuple[str, Message]],
    people: Sequence[UUID],
    ground: Ground,
    options: Options,
    *,
    note: str,
    required: float | None = 1,
) -> Row:
    draw = random.Random(SEED)  # noqa: S311 - whom to ask about
    turns = []
    for _ in range(max(2, min(options.rounds, 3))):
        asked = [request(people[draw.randrange(len(people))]) for _ in range(options.count(CALLS))]
        turns.append(asyncio.run(_turn(ground, asked)))
    warm = turns[1:]
    p50 = median(one.percentile(0.5) for one in warm) * 1000
    p99 = median(one.percentile(0.99) for one in warm) * 1000
    said = f"{note}; p50 {p50:.0f} ms, p99 {p99:.0f} ms at {AT_ONCE} at once, one service process"
    rates = [one.rate for one in warm]
    return Row.of(name, rates, "/s", peer="limit", peer_figure=QUERIES, required=required, note=said)


async def _turn(ground: Ground, asked: Sequence[tuple[str, Message]]) -> Outcome:
    port = read_json(ground.home.ready_file("enrollment")).get("rpc_port")
    if not port:
        raise NotReady("enrollment has no port")
    signer = Signer(ground.home.keys)
    principal = Principal(
        subject="bench", client="bench", roles=frozenset({"PARTNER"}), scopes=frozenset({"enrollment.read"})
    )
    waiting = list(enumerate(asked, start=1))
    latencies: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {
            name: channel.unary_unary(f"{SERVICE}/{name}") for name in {name for name, _ in asked}
        }

        async def work() -> None:
            while waiting:
                number, (name, message) = waiting.pop()
                body = message.SerializeToString()
                begun = time.perf_counter()
                assertion = signer.sign(
                    principal,
                    method=f"{SERVICE}/{name}",
                    digest=hashlib.sha256(body).digest(),
                    now=datetime.now(UTC),
                    business_date=DAY,
                    request_id=f"bench-{number}",
                )
                trace = f"00-{number:032x}-{number:016x}-00"
                metadata = ((METADATA_KEY, assertion), ("traceparent", trace))
                await methods[name](body, timeout=DEADLINE_SECONDS, metadata=metadata)
                latencies.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return Outcome(time.perf_counter() - begun, latencies)


async def _people(ground: Ground) -> tuple[list[UUID], list[UUID], int]:
    """Some thousand persons, those with the most contribution rows, and how many rows the first of them has."""
    connection = await asyncpg.connect(ground.databases.owner_urls["enrollment"])
    try:
        anybody = await connection.fetch("SELECT person_id FROM person ORDER BY id_no_index LIMIT 5000")
        longest = await connection.fetch(
            "SELECT person_id, count(*) AS months FROM contribution GROUP BY person_id ORDER BY 2 DESC LIMIT $1",
            LONGEST,
        )
    finally:
        await connection.close()
    return [row["person_id"] for row in anybody], [row["person_id"] for row in longest], longest[0]["months"]
