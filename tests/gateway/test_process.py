"""The gateway as a process: its own command, uvloop and uvicorn, in front of the real development identity provider."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from hrss.enrollment.v1 import enrollment_pb2
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from tests.gateway.processes import ID_NO, NAME, Running, gateway_process
from tests.ops.conditions import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.databases import Templates

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = ids.new_id()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    templates: Templates, keys_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """One gateway for the tests of this module, which do not change it; nobody is where benefits should be."""
    folder = tmp_path_factory.mktemp("process")
    async with gateway_process(templates, keys_dir, folder, benefits="127.0.0.1:9") as process:
        yield process


async def test_staff_log_in_and_call_a_service(running: Running) -> None:
    employer = ids.to_text("emp", ids.new_id())

    answer = await running.http.get(
        f"{running.url}/v1/employers/{employer}", headers=await running.login("staff-clerk-1")
    )

    assert answer.status_code == 200
    assert running.echo.last.identity.principal.roles == {"CLERK"}


async def test_a_citizen_is_joined_to_the_insured_person_once(running: Running) -> None:
    person = enrollment_pb2.Person(person_id=ids.to_text("per", PERSON), name_masked="张*")
    running.echo.answer("FindPerson", pb.FindPersonResponse(person=person))
    headers = await running.citizen()

    me = await running.http.get(f"{running.url}/v1/me", headers=headers)
    own = await running.http.get(f"{running.url}/v1/persons/{person.person_id}/insurance", headers=headers)
    other = await running.http.get(
        f"{running.url}/v1/persons/{ids.to_text('per', ids.new_id())}/insurance", headers=headers
    )

    assert me.json()["person_id"] == person.person_id
    assert me.json()["name_masked"] == "张*"
    assert me.json()["simulated_identity"] is True
    assert own.status_code == 200
    assert (other.status_code, other.json()["code"]) == (404, "PERSON_NOT_FOUND")
    asked = [seen for seen in running.echo.seen if seen.method == "FindPerson"]
    assert [(seen.request.name, seen.request.id_no) for seen in asked] == [(NAME, ID_NO)]
    assert asked[0].identity.principal.scopes == {"persons.search"}


async def test_a_partner_logs_in_by_its_credentials(running: Running) -> None:
    secret = running.keys.password("idp-client-tax-bureau")
    form = {"grant_type": "client_credentials"}
    token = (await running.http.post(f"{running.issuer}/token", data=form, auth=("tax-bureau", secret))).json()
    headers = {"authorization": f"Bearer {token['access_token']}"}

    good = await running.http.get(f"{running.url}/v1/bills", headers=headers)
    bad = await running.http.get(f"{running.url}/v1/payrolls", headers=headers)

    assert good.status_code == 200
    assert (bad.status_code, bad.json()["code"]) == (403, "SCOPE_MISSING")


async def test_a_service_that_is_away_is_named_and_others_work(running: Running) -> None:
    headers = await running.login("staff-clerk-1")

    away = await running.http.get(f"{running.url}/v1/payrolls", headers=headers)
    here = await running.http.get(f"{running.url}/v1/bills", headers=headers)

    assert (away.status_code, away.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "待遇业务" in away.json()["detail"]
    assert int(away.headers["retry-after"]) >= 1
    assert here.status_code == 200


async def test_the_business_day_can_be_moved_and_is_sent_along(running: Running) -> None:
    operator = await running.login("staff-operator-1")
    clock = f"{running.url}/v1/test-clock"
    key = {"idempotency-key": "move-to-2026-01"}

    moved = await running.http.post(clock, json={"business_date": "2026-01-15"}, headers={**operator, **key})
    again = await running.http.post(clock, json={"business_date": "2026-01-15"}, headers={**operator, **key})
    other = await running.http.post(clock, json={"business_date": "2026-02-15"}, headers={**operator, **key})
    await running.http.get(f"{running.url}/v1/bills", headers=await running.login("staff-clerk-1"))
    shown = await running.http.get(clock, headers=operator)

    assert moved.json() == again.json() == {"business_date": "2026-01-15"}
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "REQUEST_ID_REUSED")
    assert str(running.echo.last.identity.today) == "2026-01-15"
    assert shown.json() == {"business_date": "2026-01-15", "moved": True}
    await running.http.post(clock, json={}, headers={**operator, "idempotency-key": "back-to-today"})


async def test_health_readiness_and_metrics_answer(running: Running) -> None:
    assert (await running.http.get(f"{running.url}/healthz")).json() == {"alive": True}
    assert (await running.http.get(f"{running.url}/readyz")).json() == {"ready": True, "missing": {}}
    metrics = (await running.http.get(f"{running.url}/metrics")).text
    assert 'hrss_http_server_seconds_count{method="GET",route="/v1/bills",status="200"}' in metrics
    assert "hrss_edge_breaker_open" in metrics


async def test_the_log_names_routes_and_never_paths(running: Running) -> None:
    employer = ids.to_text("emp", ids.new_id())
    await running.http.get(
        f"{running.url}/v1/employers/{employer}?secret=1", headers=await running.login("staff-clerk-1")
    )

    until(lambda: "/v1/employers/{employer_id}" in running.process.log.read_text())
    assert employer not in running.process.log.read_text()
    assert "secret" not in running.process.log.read_text()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /v1/bills HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\nConnection: close\r\n\r\n", b"431"),
        (b"GET /v1/%2e%2e/bills HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /v1/bills/bil_1%0d%0aX HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /v1/" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"BREW /v1/bills HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
        (b"POST /v1/bills:assess HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n", b"401"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"400"),
    ],
    ids=["headers", "dots", "crlf", "path", "method", "length", "tls"],
)
async def test_hostile_bytes_get_an_answer_and_harm_nobody(running: Running, sent: bytes, status: bytes) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", running.port), timeout=20)) as raw:
        raw.sendall(sent)
        began = time.monotonic()
        answer = raw.recv(65536)

    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert time.monotonic() - began < 10
    assert (await running.http.get(f"{running.url}/healthz")).status_code == 200


async def test_a_head_that_never_ends_is_not_collected(running: Running) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", running.port), timeout=20)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                raw.sendall(b"a" * 65536)
        with contextlib.suppress(ConnectionError):
            assert raw.recv(1000) == b""  # closed without a word

    assert (await running.http.get(f"{running.url}/healthz")).status_code == 200
