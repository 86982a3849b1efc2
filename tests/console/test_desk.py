"""The desk and the counter: what is sent for each button, what is never sent, and what a member of staff is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment
from hrss.gateway.v1 import cases_service_pb2 as pb
from services.gateway.console.desk import actions
from tests.console import shown_cases as cases
from tests.console.shown_cases import CASE_NO, DIGEST, PERSON
from tests.portal import answers

if TYPE_CHECKING:
    import httpx

    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLERK, SUPERVISOR, AUDITOR = "staff-clerk-1", "staff-supervisor-1", "staff-auditor-1"
PAGE = f"/desk/cases/{CASE_NO}"
ID_NO = "990000199003151234"


async def opened(site: Site, path: str, persona: str = CLERK) -> str:
    """The text of a page."""
    async with site.browser(persona, acr=3) as visitor:
        answer = await visitor.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def sent(site: Site, persona: str, **form: str) -> httpx.Response:
    """Press a button of the case's page."""
    async with site.browser(persona, acr=3) as visitor:
        return await visitor.post(PAGE, form)


def last_post(site: Site) -> tuple[str, dict[str, str], Any]:
    """The change that the API was asked for last: path, headers, body."""
    found = [(path, headers, body) for method, path, headers, body in site.overlay.seen if method == "POST"]
    path, headers, body = found[-1]
    return path, headers, orjson.loads(body)


def allow(site: Site, verb: str, case: pb.Case) -> None:
    """Let the API accept one change."""
    site.overlay.answers["POST", f"/v1/cases/{CASE_NO}:{verb}"] = pb.GetCaseResponse(case=case)


async def test_the_queue_counts_what_waits_and_marks_what_is_late_or_stuck(site: Site) -> None:
    late = cases.a_case(clock=pb.CaseClock(is_overdue=True))
    site.overlay.answers["GET", "/v1/cases"] = cases.a_queue(cases.stuck(), late)

    page = await opened(site, "/desk/cases?queue=overdue")

    assert 'aria-current="page">Overdue <span class="tag bad">1</span>' in page
    assert '>To accept <span class="tag brand">3</span>' in page
    assert "! overdue" in page
    assert "! stuck" in page
    assert "320613-20261123-1-000017-4" in page


async def test_an_empty_queue_says_so(site: Site) -> None:
    site.overlay.answers["GET", "/v1/cases"] = cases.a_queue(to_accept_count=0, overdue_count=0)

    page = await opened(site, "/desk/cases")

    assert "No case waits here." in page


async def test_a_case_shows_the_form_the_insurance_and_the_steps(site: Site) -> None:
    page = await opened(site, PAGE)

    for text in ("张**", "****3334", "December 2026", "Settle the account", "277 paid months, 24 deemed", "April 2003"):
        assert text in page
    asked = {path: headers for _, path, headers, _ in site.overlay.seen if path != "/v1/me"}
    assert len(asked) == 3
    assert {headers["hrss-purpose"] for headers in asked.values()} == {"case%20handling"}
    assert {headers["hrss-case-no"] for headers in asked.values()} == {CASE_NO}


async def test_a_case_can_be_read_while_enrolment_is_away(site: Site) -> None:
    away = cases.refusal(503, "SERVICE_UNAVAILABLE")
    site.overlay.answers["GET", "/v1/persons/per_[0-9a-f]+/insurance"] = away

    page = await opened(site, PAGE)

    assert "Enrolment does not answer now" in page
    assert "Retirement and pension" in page


async def test_a_clerk_accepts_once_with_a_key(site: Site) -> None:
    allow(site, "accept", cases.in_review(accepted_by_me=True))

    answer = await sent(site, CLERK, action="accept")

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=accept")
    path, headers, body = last_post(site)
    assert path == f"/v1/cases/{CASE_NO}:accept"
    assert body == {}
    assert len(headers["idempotency-key"]) >= 16
    assert headers["hrss-case-no"] == CASE_NO


async def test_several_points_are_sent_at_once(site: Site) -> None:
    allow(site, "request-correction", cases.a_case(state=pb.CASE_STATE_CORRECTION_REQUESTED))

    await sent(site, CLERK, action="correction", points="The account is missing\r\n\r\n  The month is wrong \n")

    path, _, body = last_post(site)
    assert path.endswith(":request-correction")
    assert body == {"points": ["The account is missing", "The month is wrong"]}


async def test_declining_and_rejecting_carry_a_reason(site: Site) -> None:
    allow(site, "decline", cases.a_case(state=pb.CASE_STATE_NOT_ACCEPTED))
    await sent(site, CLERK, action="decline", reason="not our city")
    assert last_post(site)[2] == {"reason": "not our city"}

    cases.program(site.overlay, cases.in_review())
    allow(site, "decide", cases.a_case(state=pb.CASE_STATE_REJECTED))
    await sent(site, SUPERVISOR, action="reject", reason="too few months")
    assert last_post(site)[2] == {"outcome": "CASE_OUTCOME_REJECTED", "reason": "too few months"}


async def test_a_supervisor_approves_exactly_what_the_page_showed(site: Site) -> None:
    cases.program(site.overlay, cases.in_review())
    allow(site, "decide", cases.a_case(state=pb.CASE_STATE_APPROVED))
    page = await opened(site, PAGE, SUPERVISOR)
    assert "3,038.05" in page
    assert "Basic pension" in page

    await sent(site, SUPERVISOR, action="approve", digest=DIGEST)

    assert last_post(site)[2] == {"outcome": "CASE_OUTCOME_APPROVED", "statement_digest": DIGEST}
    assert f'name="digest" value="{DIGEST}"' in page


async def test_a_statement_that_changed_meanwhile_is_told_and_shown_anew(site: Site) -> None:
    cases.program(site.overlay, cases.in_review())
    site.overlay.answers["POST", f"/v1/cases/{CASE_NO}:decide"] = cases.refusal(409, "CASE_CHANGED")

    answer = await sent(site, SUPERVISOR, action="approve", digest="old")

    assert answer.status_code == 409
    assert "CASE_CHANGED happened" in answer.text
    assert f'value="{DIGEST}"' in answer.text


async def test_a_reason_that_was_refused_is_not_lost(site: Site) -> None:
    site.overlay.answers["POST", f"/v1/cases/{CASE_NO}:decline"] = cases.refusal(400, "REASON_REQUIRED")

    answer = await sent(site, CLERK, action="decline", reason="x")

    assert "REASON_REQUIRED happened" in answer.text
    assert ">x</textarea>" in answer.text


async def test_whoever_accepted_is_told_why_another_decides(site: Site) -> None:
    cases.program(site.overlay, cases.in_review(accepted_by_me=True))

    page = await opened(site, PAGE, SUPERVISOR)

    assert "You accepted this case; another person decides" in page
    assert 'value="approve"' not in page


async def test_a_step_that_was_refused_can_be_tried_again(site: Site) -> None:
    cases.program(site.overlay, cases.stuck())
    allow(site, "retry", cases.a_case(state=pb.CASE_STATE_ACCEPTED))
    page = await opened(site, PAGE)
    assert "CONTRIBUTIONS_MISSING" in page

    await sent(site, CLERK, action="retry")

    assert last_post(site)[0].endswith(":retry")


async def test_a_stuck_case_is_sent_back_by_a_clerk_or_rejected_by_a_supervisor(site: Site) -> None:
    cases.program(site.overlay, cases.stuck())

    clerk, supervisor = await opened(site, PAGE), await opened(site, PAGE, SUPERVISOR)

    assert re.findall(r'name="action" value="(\w+)"', clerk) == ["retry", "correction"]
    assert re.findall(r'name="action" value="(\w+)"', supervisor) == ["retry", "reject"]


async def test_a_stronger_login_is_asked_for_before_anything_can_be_lost(site: Site) -> None:
    async with site.browser(CLERK, acr=2) as visitor:
        answer = await visitor.get(PAGE)
        asked = await visitor.get(answer.headers["location"])

    assert answer.status_code == 303
    assert "other people&#39;s benefits" in asked.text


async def test_an_auditor_reads_and_changes_nothing(site: Site) -> None:
    cases.program(site.overlay, cases.stuck())

    page = await opened(site, PAGE, AUDITOR)

    assert "Settle the account" in page
    assert 'name="action"' not in page


@pytest.mark.parametrize(
    "path", ["/desk/cases/x", "/desk/cases/%0d%0aevil", "/desk/counter/per_x", "/desk/counter/x/BE01"]
)
async def test_addresses_that_name_nothing_ask_nobody(site: Site, path: str) -> None:
    async with site.browser(CLERK, acr=3) as visitor:
        answer = await visitor.get(path)

    assert answer.status_code == 404
    assert {path for _, path, _, _ in site.overlay.seen} <= {"/v1/me", "/v1/items", "/v1/bundles"}


async def test_the_counter_finds_a_person_and_keeps_the_number_out_of_addresses(site: Site) -> None:
    search = "/v1/persons:search"
    site.overlay.answers["POST", search] = enrollment.FindPersonResponse(person=cases.a_person())

    async with site.browser(CLERK, acr=3) as visitor:
        answer = await visitor.post("/desk/counter", {"id_no": f" {ID_NO} ", "name": ""})

    assert (answer.status_code, answer.headers["location"]) == (303, f"/desk/counter/{PERSON}")
    path, headers, body = last_post(site)
    assert path == search
    assert body == {"id_no": ID_NO}
    assert headers["hrss-purpose"] == "counter%20visit"


async def test_a_person_who_is_not_found_is_said_so(site: Site) -> None:
    site.overlay.answers["POST", "/v1/persons:search"] = cases.refusal(404, "PERSON_NOT_FOUND")

    async with site.browser(CLERK, acr=3) as visitor:
        answer = await visitor.post("/desk/counter", {"id_no": ID_NO})

    assert answer.status_code == 404
    assert "PERSON_NOT_FOUND happened" in answer.text
    assert "/desk/counter/new/EN05" in answer.text


async def test_the_counter_offers_what_it_may_hand_in(site: Site) -> None:
    page = await opened(site, f"/desk/counter/{PERSON}")

    for code in ("BE01", "BE09", "BE10", "TR01", "PK05"):
        assert f"/desk/counter/{PERSON}/{code}" in page
    assert "/CA06" not in page
    assert "/PK02" not in page
    assert "/EN05" not in page


async def test_a_bundle_is_handed_in_for_the_person_at_the_counter(site: Site) -> None:
    site.overlay.answers["POST", "/v1/cases"] = pb.CreateCaseResponse(case=cases.a_case())
    payee = {"form.unemployment.payee.name": "张示例", "form.unemployment.payee.account": "6222 0210 0111 2223 334"}

    async with site.browser(CLERK, acr=3) as visitor:
        answer = await visitor.post(f"/desk/counter/{PERSON}/PK05", payee)

    assert answer.headers["location"] == f"{PAGE}?done=created"
    _, headers, body = last_post(site)
    assert body == {
        "code": "PK05",
        "channel": "CASE_CHANNEL_COUNTER",
        "submit": True,
        "person_id": PERSON,
        "form": {"unemployment": {"payee": {"name": "张示例", "account": "6222021001112223334"}}},
    }
    assert headers["idempotency-key"]


async def test_somebody_new_is_enrolled_without_a_person(site: Site) -> None:
    site.overlay.answers["POST", "/v1/cases"] = pb.CreateCaseResponse(case=cases.a_case(item_code="EN05"))
    form = {
        "form.enrollment.employer_id": "emp_1",
        "form.enrollment.name": "张示例",
        "form.enrollment.id_no": ID_NO,
        "form.enrollment.start_month": "2026.1",
        "form.enrollment.wage": "¥6,200.00",
        "form.enrollment.post": "POST_MANAGEMENT",
    }

    async with site.browser(CLERK, acr=3) as visitor:
        missing = await visitor.post("/desk/counter/new/EN05", {"form.enrollment.name": "张示例"})
        answer = await visitor.post("/desk/counter/new/EN05", form)

    assert missing.status_code == 400
    assert answer.status_code == 303
    body = last_post(site)[2]
    assert "person_id" not in body
    assert body["form"]["enrollment"]["start_month"] == "2026-01"
    assert body["form"]["enrollment"]["wage"] == "6200.00"


async def test_a_supervisor_does_not_sit_at_the_counter_and_a_citizen_at_no_desk(site: Site) -> None:
    async with site.browser(SUPERVISOR, acr=3) as visitor:
        assert (await visitor.get("/desk/counter")).status_code == 403
    answers.program(site.echo)
    async with site.browser(await site.persona(), acr=3) as citizen:
        for path in ("/desk/cases", PAGE, "/desk/counter"):
            assert (await citizen.get(path)).status_code == 403


@pytest.mark.parametrize(
    ("state", "role", "may"),
    [
        ("SUBMITTED", "CLERK", {"decline", "correction", "retry"}),
        ("ACCEPTED", "CLERK", {"correction", "retry"}),
        ("ACCEPTED", "SUPERVISOR", {"reject", "retry"}),
        ("APPROVED", "SUPERVISOR", {"reject", "retry"}),
    ],
)
async def test_a_case_that_stands_still_can_be_moved_from_the_desk(state: str, role: str, may: set[str]) -> None:
    case = {"state": f"CASE_STATE_{state}", "accepted_by_me": False, "steps": [{"state": "CASE_STEP_STATE_REFUSED"}]}

    assert actions(case, frozenset({role})) == may
