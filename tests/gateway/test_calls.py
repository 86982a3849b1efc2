"""A call through the whole edge: HTTP in, gRPC out, and back."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.calendar import shanghai_day
from kernel.errors import InvalidInput, NotFound, PolicyParameterMissing, Refused, Violation

if TYPE_CHECKING:
    from tests.gateway.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

EMPLOYER = ids.to_text("emp", ids.new_id())
ENROLMENT = {
    "employer_id": EMPLOYER,
    "name": "㼆·张",
    "id_no": "990000199003151234",
    "start_month": "2025-11",
    "wage": "8000.00",
    "post": "POST_MANAGEMENT",
}


async def test_a_change_reaches_its_service_as_the_message_of_the_contract(edge: Edge) -> None:
    answer = await edge.post("/v1/enrollments", ENROLMENT, edge.provider.partner("enrollment.write"))

    assert answer.status_code == 201
    request = edge.echo.last.request
    assert (request.name, request.wage.fen, request.start_month.month) == ("㼆·张", 800000, 11)
    assert request.post == 1
    assert re.fullmatch(r"[0-9a-f]{64}", request.request_id)
    assert answer.json()["enrollment"]["start_month"] == "2025-11"
    assert answer.headers["hrss-min-version"].startswith("person:per_")


async def test_camel_case_is_understood_too(edge: Edge) -> None:
    body = {"employerId": EMPLOYER, "month": "2025-11"}

    answer = await edge.post("/v1/bills:assess", body, edge.provider.staff())

    assert answer.status_code == 200
    assert edge.echo.last.request.employer_id == EMPLOYER


async def test_the_service_hears_who_is_calling_and_on_which_day(edge: Edge) -> None:
    await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff("SUPERVISOR"), hrss_purpose="%E5%A4%8D%E6%A0%B8")

    principal = edge.echo.last.identity.principal
    assert principal.subject == "idp|staff-supervisor-1"
    assert principal.client == "hrss-portal"
    assert principal.roles == {"SUPERVISOR"}
    assert principal.purpose == "复核"
    assert edge.echo.last.identity.today == shanghai_day(datetime.now(UTC))
    assert 4 < edge.echo.last.seconds_left < 5


async def test_path_and_query_are_bound(edge: Edge) -> None:
    person = ids.to_text("per", ids.new_id())

    answer = await edge.get(f"/v1/persons/{person}/contributions?year=2024&pageSize=20", edge.provider.staff())

    assert answer.status_code == 200
    request = edge.echo.last.request
    assert (request.person_id, request.year, request.page_size) == (person, 2024, 20)


async def test_a_whole_number_in_the_path_is_bound(edge: Edge) -> None:
    good = await edge.post("/v1/account-years/2024:close", {}, edge.provider.staff())
    bad = await edge.post("/v1/account-years/20x4:close", {}, edge.provider.staff())

    assert good.status_code == 202
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/year")


async def test_the_same_key_is_the_same_request_and_another_callers_is_not(edge: Edge) -> None:
    first = await edge.post("/v1/enrollments", ENROLMENT, edge.provider.staff())
    again = await edge.post("/v1/enrollments", ENROLMENT, edge.provider.staff())
    other = await edge.post("/v1/enrollments", ENROLMENT, edge.provider.partner("enrollment.write"))

    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in other.headers
    mine, same, foreign = (seen.request.request_id for seen in edge.echo.seen)
    assert mine == same != foreign


async def test_the_same_key_for_another_rpc_is_another_request(edge: Edge) -> None:
    await edge.post("/v1/bills:assess", {"employer_id": EMPLOYER, "month": "2025-11"}, edge.provider.staff())
    await edge.post("/v1/enrollments", ENROLMENT, edge.provider.staff())

    assert edge.echo.seen[0].request.request_id != edge.echo.seen[1].request.request_id


async def test_a_request_id_is_given_back_and_a_strange_one_replaced(edge: Edge) -> None:
    mine = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff(), x_request_id="abc-1.2_3")
    made = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff(), x_request_id="a" * 65)

    assert mine.headers["x-request-id"] == "abc-1.2_3"
    assert edge.echo.seen[0].identity.request_id == "abc-1.2_3"
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["x-request-id"])


async def test_the_trace_goes_in_and_out(edge: Edge) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    answer = await edge.get(
        f"/v1/employers/{EMPLOYER}", edge.provider.staff(), traceparent=f"00-{trace}-00f067aa0ba902b7-01"
    )

    assert trace in answer.headers["traceparent"]
    assert trace in edge.echo.last.metadata["traceparent"]


async def test_a_read_may_ask_for_a_version_it_must_have_seen(edge: Edge) -> None:
    token = "person:per_" + "0" * 32 + ":3"

    await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff(), hrss_min_version=token)

    assert edge.echo.last.metadata["hrss-min-version"] == token


async def test_an_unchanged_record_is_not_sent_again(edge: Edge) -> None:
    first = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff())
    etag = first.headers["etag"]
    same = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff(), if_none_match=f'"x", W/{etag}')
    edge.echo.answer("GetEmployer", pb.GetEmployerResponse())
    other = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff(), if_none_match=etag)

    assert (same.status_code, same.content) == (304, b"")
    assert (other.status_code, other.json()) == (200, {})


async def test_personal_data_is_never_cached(edge: Edge) -> None:
    answer = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff())

    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_refusal_speaks_the_language_that_was_asked_for(edge: Edge) -> None:
    edge.echo.refuse("GetEmployer", NotFound("EMPLOYER_NOT_FOUND", "internal words"))

    chinese = await edge.get(f"/v1/employers/{EMPLOYER}", edge.provider.staff())
    english = await edge.get(
        f"/v1/employers/{EMPLOYER}", edge.provider.staff(), accept_language="fr, en;q=0.8, zh;q=0.2"
    )

    assert chinese.headers["content-language"] == "zh-CN"
    assert english.headers["content-language"] == "en"
    assert chinese.json()["title"] == "找不到单位"
    assert english.json()["title"] == "There is no such employer"
    assert chinese.json()["code"] == english.json()["code"] == "EMPLOYER_NOT_FOUND"
    assert "internal words" not in chinese.text + english.text


async def test_a_refusal_tells_what_a_client_needs(edge: Edge) -> None:
    edge.echo.refuse(
        "EnrollPerson",
        Refused("REQUEST_ID_REUSED", "words of the service", field="rows[3].id_no", source=["RSBF-2024-94"]),
    )

    answer = await edge.post("/v1/enrollments", ENROLMENT, edge.provider.staff(), x_request_id="mine")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/docs/problems/REQUEST_ID_REUSED"
    assert problem["request_id"] == "mine"
    assert problem["trace_id"] in answer.headers["traceparent"]
    assert problem["retryable"] is False
    assert problem["source"] == ["RSBF-2024-94"]
    assert problem["errors"][0]["pointer"] == "/rows/3/id_no"
    assert "words of the service" not in answer.text
    assert problem["instance"] == "/v1/enrollments"


async def test_each_cause_of_a_wrong_identity_number_has_its_own_hint(edge: Edge) -> None:
    hints = set()
    for cause in ("FORMAT", "BIRTH_DATE", "FUTURE_BIRTH", "CHECKSUM"):
        edge.echo.refuse("EnrollPerson", InvalidInput("ID_NO_INVALID", "wrong", field="id_no", cause=cause))
        problem = (await edge.post("/v1/enrollments", ENROLMENT, edge.provider.staff())).json()
        assert problem["errors"][0]["pointer"] == "/id_no"
        hints.add((problem["detail"], problem["hint"], problem["errors"][0]["detail"]))

    assert len(hints) == 4


async def test_several_wrong_fields_are_listed(edge: Edge) -> None:
    violations = [Violation("name", "NAME_INVALID", "n"), Violation("wage", "WAGE_INVALID", "w")]
    edge.echo.refuse("EnrollPerson", InvalidInput("INVALID_INPUT", "two", violations=violations))

    problem = (await edge.post("/v1/enrollments", ENROLMENT, edge.provider.staff())).json()

    assert [error["pointer"] for error in problem["errors"]] == ["/name", "/wage"]
    assert all(error["hint"] for error in problem["errors"])


async def test_an_id_of_another_kind_in_the_path_is_not_found(edge: Edge) -> None:
    edge.echo.refuse("GetBill", NotFound("BILL_NOT_FOUND", "no such bill"))
    missing = await edge.get(
        f"/v1/bills/{ids.to_text('bil', ids.new_id())}", edge.provider.staff(), x_request_id="same"
    )
    edge.echo.refuse("GetBill", InvalidInput("ID_MALFORMED", "malformed", field="bill_id"))
    foreign = await edge.get(f"/v1/bills/{EMPLOYER}", edge.provider.staff(), x_request_id="same")

    assert missing.status_code == foreign.status_code == 404
    assert _without_place(missing.json()) == _without_place(foreign.json())


def _without_place(problem: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in problem.items() if name not in {"instance", "trace_id"}}


async def test_a_missing_parameter_names_file_key_and_day(edge: Edge) -> None:
    missing = PolicyParameterMissing("work-injury.yaml", "phase_factor", date(2025, 11, 1))
    edge.echo.refuse("AssessBill", missing)
    body = {"employer_id": EMPLOYER, "month": "2025-11"}

    answer = await edge.post("/v1/bills:assess", body, edge.provider.staff())

    assert answer.status_code == 422
    assert answer.json()["values"] == {"file": "work-injury.yaml", "key": "phase_factor", "on": "2025-11-01"}
    assert "phase_factor" in answer.json()["detail"]


async def test_two_hosts_of_one_path_share_nothing(edge: Edge) -> None:
    wrong_method = await edge.http.delete("/v1/bills")
    unknown = await edge.get("/v1/no-such-thing", edge.provider.staff())

    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "GET")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "ROUTE_NOT_FOUND")
