"""The bare hop: JSON in, checked, one gRPC call to a stub, JSON out; our edge beside a FastAPI gateway.

The peer runs twice: bare, and with the duties that our edge always has (assertion, limit, log line, metric).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from ops.bench.load import http, send
from ops.bench.measure import cpu_seconds, median
from ops.bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ops.bench.ground import Ground, Process
    from ops.bench.main import Options

PARTNER = "front-office"
REQUESTS = 2000  # per turn; a partner may send so many changes at once before its limit of 1,000 a second counts
ROUNDS = 5
WARM_UP = 300
LIST_REQUESTS = 700  # per turn: a list counts as heavy, and a partner may ask for 500 a second
REQUIRED = 2.0
KINDS = {"change": "change", "look-up": "look-up", "list": "list of 36 rows"}
PEERS = (
    ("peer", "bare FastAPI and pydantic gateway", REQUIRED),
    ("dutiful", "the same with assertion, limit, log line and metric", None),
)


def change(token: str, employer_id: str, tag: str) -> Callable[[int], bytes]:
    """Enrolments, each with a key of its own."""
    body = json.dumps(
        {
            "employer_id": employer_id,
            "name": "张示例",
            "id_no": "990000199001010017",
            "start_month": "2026-11",
            "wage": "6200.00",
            "post": "POST_MANAGEMENT",
        },
        ensure_ascii=False,
    ).encode()
    headers = {"authorization": f"Bearer {token}", "accept-language": "zh-CN", "hrss-purpose": "bench"}

    def request(number: int) -> bytes:
        return http("POST", "/v1/enrollments", {**headers, "idempotency-key": f"bench-{tag}-{number:08d}"}, body)

    return request


def look_up(token: str, enrollment_id: str) -> Callable[[int], bytes]:
    """Reads of one enrolment."""
    headers = {"authorization": f"Bearer {token}", "accept-language": "zh-CN", "hrss-purpose": "bench"}
    sent = http("GET", f"/v1/enrollments/{enrollment_id}", headers)
    return lambda _number: sent


def a_year(token: str, person_id: str) -> Callable[[int], bytes]:
    """Reads of one person's contributions of a year: 36 rows."""
    headers = {"authorization": f"Bearer {token}", "accept-language": "zh-CN", "hrss-purpose": "bench"}
    sent = http("GET", f"/v1/persons/{person_id}/contributions?year=2026&page_size=200", headers)
    return lambda _number: sent


def start(ground: Ground) -> tuple[Process, dict[str, Process]]:
    """The stub and the gateways in front of it."""
    stub = ground.program("ops.bench.stub", "stub")
    address = f"127.0.0.1:{stub.ready['port']}"
    issuer = str(ground.state["issuer"])
    addresses = {f"HRSS_{name}_ADDRESS": address for name in ("ENROLLMENT", "BENEFITS", "TRAINING", "CARD")}
    ours = ground.program(
        "services.gateway",
        "gateway",
        HRSS_DATABASE_URL=ground.databases.app_urls["gateway"],
        HRSS_HTTP_PORT="0",
        HRSS_IDP_ISSUER=issuer,
        **addresses,
    )
    peer = ground.program("ops.bench.peer", "peer", HRSS_IDP_ISSUER=issuer, **addresses)
    dutiful = ground.program("ops.bench.peer", "dutiful", HRSS_IDP_ISSUER=issuer, PEER_DUTIES="yes", **addresses)
    return stub, {"ours": ours, "peer": peer, "dutiful": dutiful}


async def turn(process: Process, request: Callable[[int], bytes], count: int) -> tuple[float, float]:
    """One turn of load: requests a second, and microseconds of processor per request."""
    before = cpu_seconds(process.pid)
    outcome = await send(int(process.ready["port"]), request, count)
    return outcome.rate, (cpu_seconds(process.pid) - before) / count * 1e6


async def measure(ground: Ground, *, rounds: int = ROUNDS, count: int = REQUESTS) -> dict[str, dict[str, list[float]]]:
    """All gateways in turns: processor per request and rate, for each kind of request."""
    stub, gateways = start(ground)
    try:
        token = ground.partner_token(PARTNER)
        found: dict[str, dict[str, list[float]]] = {}
        for kind in KINDS:
            for number in range(-1, rounds):  # the first turn warms all up
                for name, process in gateways.items():
                    request = _request(kind, token, stub, f"{name}-{number}")
                    asked = min(count, LIST_REQUESTS) if kind == "list" else count
                    rate, cpu = await turn(process, request, asked if number >= 0 else WARM_UP)
                    if number >= 0:
                        found.setdefault(f"{kind} {name}", {"rate": [], "cpu": []})["rate"].append(rate)
                        found[f"{kind} {name}"]["cpu"].append(cpu)
    finally:
        for process in (*gateways.values(), stub):
            process.stop()
    return found


def _request(kind: str, token: str, stub: Process, tag: str) -> Callable[[int], bytes]:
    if kind == "change":
        return change(token, str(stub.ready["employer_id"]), tag)
    if kind == "list":
        return a_year(token, str(stub.ready["person_id"]))
    return look_up(token, str(stub.ready["enrollment_id"]))


def rows(ground: Ground, options: Options) -> Iterator[Row]:
    """The hop as a cost: processor per request of each gateway."""
    ground.up()
    found = asyncio.run(measure(ground, rounds=options.rounds, count=options.count(REQUESTS)))
    for kind, title in KINDS.items():
        ours = found[f"{kind} ours"]
        for name, peer_title, required in PEERS:
            peer = found[f"{kind} {name}"]
            note = f"requests a second as measured: ours {median(ours['rate']):.0f}, peer {median(peer['rate']):.0f}"
            pairs = list(zip(ours["cpu"], peer["cpu"], strict=True))
            yield Row.beside(
                f"hop, {title}", pairs, "µs processor", peer_title, required=required, is_cost=True, note=note
            )
