"""The employer's pages and the office's rooms by plain HTTP: what is shown, what is sent, and who may not come."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import (
    collection_service_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
    persons_service_pb2,
)
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused, Unavailable
from services.enrollment.store import books as proof
from services.gateway.console import books
from services.gateway.portal.employer import statements
from tests.portal import answers, register
from tests.portal.test_register import sent, text_of

if TYPE_CHECKING:
    import httpx

    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLERK, SUPERVISOR, AUDITOR, OPERATOR = "staff-clerk-1", "staff-supervisor-1", "staff-auditor-1", "staff-operator-1"
EMPLOYER = f"/employers/{register.EMPLOYER}"


async def opened(site: Site, *paths: str, who: str = CLERK) -> list[httpx.Response]:
    """Pages as a member of staff sees them."""
    register.program(site.echo)
    async with site.browser(who, acr=3) as visitor:
        return [await visitor.get(path) for path in paths]


async def pressed(site: Site, path: str, who: str = CLERK, at: str = "", **form: str) -> httpx.Response:
    """Send the form of a page."""
    async with site.browser(who, acr=3) as visitor:
        return await visitor.post(path, form, at=at)


async def uploaded(site: Site, path: str, content: bytes, **form: str) -> httpx.Response:
    """Send a form with a file."""
    async with site.browser(CLERK, acr=3) as visitor:
        page = await visitor.get(path)
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf
        values = {"csrf": csrf[1], "key": "a-key-of-the-form", **form}
        return await visitor.http.post(path, data=values, files={"file": ("list.csv", content, "text/csv")})


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_of_staff_is_there_and_says_why_it_looks(site: Site, language: str) -> None:
    register.program(site.echo)
    for who, paths in ((CLERK, register.CLERK_PAGES), (SUPERVISOR, register.SUPERVISOR_PAGES)):
        async with site.browser(who, acr=3, language=language) as visitor:
            for path in paths:
                page = await visitor.get(path)
                assert page.status_code == 200, (path, text_of(page.text)[:300])
                assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", page.text), path
    stated = {seen.method: seen.identity.principal.purpose for seen in site.echo.seen}
    assert stated["ListBillLines"] == "employer service"
    assert stated["ListPersonHistory"] == stated["ListDuplicates"] == "register keeping"
    assert stated["GetTransfer"] == "transfer of a relation"


async def test_pages_without_anything_to_show_say_so(site: Site) -> None:
    register.program(site.echo)
    collected = collection_service_pb2
    empty: dict[str, Any] = {
        "ListEmployers": persons_service_pb2.ListEmployersResponse(),
        "ListSuspense": collected.ListSuspenseResponse(),
        "ListRefunds": collected.ListRefundsResponse(),
        "ListOpenTransfers": moving_service_pb2.ListOpenTransfersResponse(),
        "ListDuplicates": persons_service_pb2.ListDuplicatesResponse(),
        "ListPersonRequests": persons_service_pb2.ListPersonRequestsResponse(),
        "ListPersonHistory": persons_service_pb2.ListPersonHistoryResponse(),
        "ListArrears": collected.ListArrearsResponse(),
        "GetFundBalances": collected.GetFundBalancesResponse(),
    }
    for rpc, message in empty.items():
        site.echo.answer(rpc, message)
    site.echo.refuse("GetBillRun", NotFound("BILL_RUN_NOT_FOUND", "none"))
    texts = {
        "/employers": "No employer fits",
        "/desk/suspense": "There is none",
        "/desk/refunds": "There is none",
        "/desk/transfers": "No transfer is open",
        "/desk/duplicates": "no likely duplicates",
        "/desk/person-requests": "Nothing waits",
        f"/desk/people/{answers.PERSON}/history": "nothing like it",
        f"{EMPLOYER}/arrears": "Nothing is open",
        "/desk/funds": "There are no balances",
        "/desk/bill-runs?month=2026-12": "This month has no run yet",
    }
    async with site.browser(SUPERVISOR, acr=3) as visitor:
        pages = {path: await visitor.get(path) for path in texts}

    assert {path for path, page in pages.items() if texts[path] not in text_of(page.text)} == set()


@pytest.mark.parametrize(
    ("who", "path"),
    [
        (OPERATOR, EMPLOYER),
        (SUPERVISOR, f"{EMPLOYER}/lists/roster"),
        (AUDITOR, "/desk/receipts"),
        (CLERK, "/desk/funds"),
    ],
    ids=["months", "roster", "receipts", "funds"],
)
async def test_a_page_is_closed_to_roles_that_the_api_refuses(site: Site, who: str, path: str) -> None:
    (page,) = await opened(site, path, who=who)

    assert page.status_code == 403
    assert "GetEmployer" not in {seen.method for seen in site.echo.seen}


async def test_a_refusal_of_the_api_is_a_page_that_says_what_to_do(site: Site) -> None:
    register.program(site.echo)
    site.echo.refuse("GetEmployerStatement", Unavailable("DATABASE_UNAVAILABLE", "away", retry_after=2))
    async with site.browser(CLERK, acr=3) as visitor:
        away = await visitor.get(EMPLOYER)
        odd = [await visitor.get(f"/employers/{one}") for one in ("emp_1", "..%2Fdesk", "per_" + "0" * 32)]

    assert away.status_code == 503
    assert "What to do:" in away.text
    assert [page.status_code for page in odd] == [404, 404, 404]


async def test_an_employer_is_found_by_its_code_and_a_wrong_one_is_explained(site: Site) -> None:
    found, wrong = await opened(site, "/employers?code=９１320600ma1nt00083", "/employers?code=123")

    assert found.headers["location"] == EMPLOYER
    assert wrong.status_code == 400
    assert "18 digits and capital letters" in wrong.text


async def test_months_show_bills_arrears_and_receipts_and_the_statement_is_a_file_too(site: Site) -> None:
    months, table, original = await opened(
        site, EMPLOYER, f"{EMPLOYER}/statement.csv?first=2026-01&last=2026-12", f"{EMPLOYER}/statement.json"
    )

    said = text_of(months.text)
    assert "39,600.00" in said
    assert "paid in part" in said
    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + 12 + 1 + 10
    assert rows[11][4:] == ["24800.00", "10000.00", "paid in part"]
    assert original.json()["totals"]["arrears_fen"] == 3_960_000
    request = sent(site, "GetEmployerStatement")[1]
    assert (request.first_month.year, request.first_month.month, request.last_month.month) == (2026, 1, 12)


async def test_a_list_is_uploaded_and_its_verdicts_are_shown_and_saved(site: Site) -> None:
    register.program(site.echo)
    job = f"{EMPLOYER}/lists/jobs/{register.JOB}"
    (template,) = await opened(site, f"{EMPLOYER}/lists/roster/template.csv")
    made = await uploaded(site, f"{EMPLOYER}/lists/roster", template.content, mode="ROSTER_MODE_PARTIAL")
    page, saved = await opened(site, job, f"{job}/rejects.csv")
    site.echo.refuse("ImportDeclarations", InvalidInput("FILE_FORMAT_INVALID", "heads", cause="HEADER"))
    refused = await uploaded(site, f"{EMPLOYER}/lists/wages", b"x", mode="DECLARATION_MODE_ALL_OR_NOTHING")
    without = await pressed(site, f"{EMPLOYER}/lists/wages", mode="DECLARATION_MODE_PARTIAL")

    assert template.content.decode("utf-8-sig").splitlines()[0] == "action,name,id_no,month,wage,post,end_reason"
    assert made.headers["location"] == job
    (request,) = sent(site, "ImportRoster")
    assert request.employer_id == register.EMPLOYER
    assert request.upload_id.startswith("upl_")
    assert len(request.digest) == 64
    assert request.mode == enrollment_service_pb2.ROSTER_MODE_PARTIAL
    assert "ID_NO_SCIENTIFIC" in page.text
    assert "2 rows were not taken" in page.text
    assert [row[1] for row in csv.reader(io.StringIO(saved.content.decode("utf-8-sig")))][1:] == [
        "ID_NO_SCIENTIFIC",
        "NAME_MISMATCH",
    ]
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert "Choose the file first" in without.text


async def test_an_instalment_plan_and_a_late_fee_are_asked_for_with_what_was_typed(site: Site) -> None:
    register.program(site.echo)
    plan = collection_service_pb2.InstalmentPlan(plan_id=register.PLAN)
    site.echo.answer("PrepareInstalments", collection_service_pb2.PrepareInstalmentsResponse(plan=plan))
    site.echo.answer("DemandLateFee", collection_service_pb2.DemandLateFeeResponse())
    parts = "2026-12-31 20000.00\r\n\r\n2027-01-31,19600.00"
    made = await pressed(site, f"{EMPLOYER}/arrears", action="plan", parts=parts, reason="停产")
    fee = await pressed(site, f"{EMPLOYER}/arrears", action="late-fee", bill_id=register.BILL)
    decided = await pressed(site, f"/desk/instalments/{register.PLAN}", SUPERVISOR, action="approve")

    assert made.headers["location"] == f"/desk/instalments/{register.PLAN}"
    assert [one.amount.fen for one in sent(site, "PrepareInstalments")[0].instalments] == [2_000_000, 1_960_000]
    assert fee.headers["location"].endswith("?done=late-fee")
    assert decided.status_code == 303
    assert sent(site, "DecideInstalments")[0].approve


async def test_money_that_waits_is_assigned_to_what_its_payer_owes_or_sent_back(site: Site) -> None:
    register.program(site.echo)
    path = f"/desk/suspense/{register.SUSPENSE}"
    (page,) = await opened(site, path)
    matched = await pressed(site, path, action="match", document=register.BILL)
    back = await pressed(site, path, action="back", reason="重复", amount="80.00")
    site.echo.refuse("DecideRefund", Forbidden("SECOND_PERSON_REQUIRED", "the same human"))
    refused = await pressed(site, "/desk/refunds", SUPERVISOR, action="approve", refund_id=register.REFUND)
    missing = await opened(site, "/desk/suspense/sus_" + "0" * 32)

    assert f'<option value="{register.BILL}"' in page.text
    assert matched.headers["location"] == "/desk/suspense?done=match"
    assert back.headers["location"] == "/desk/refunds?done=prepared"
    assert sent(site, "PrepareRefund")[0].amount.fen == 8_000
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    assert missing[0].status_code == 404


async def test_a_run_is_started_once_and_the_second_start_is_refused_on_its_page(site: Site) -> None:
    register.program(site.echo)
    site.echo.refuse("GetBillRun", NotFound("BILL_RUN_NOT_FOUND", "none"))
    path = "/desk/bill-runs?month=2026-11"
    started = await pressed(site, path, action="start")
    site.echo.refuse("StartBillRun", Refused("BILL_RUN_EXISTS", "there", month="2026-11", bill_run_id="brn_1"))
    again = await pressed(site, path, action="start")
    (odd,) = await opened(site, "/desk/bill-runs?month=13")

    assert started.headers["location"] == path
    assert again.status_code == 422
    assert 'role="alert"' in again.text
    assert odd.status_code == 400


async def test_a_supervisor_holds_a_job_and_lets_it_go_on_and_a_clerk_only_looks(site: Site) -> None:
    register.program(site.echo)
    path = f"/desk/jobs/{register.JOB}"
    running = enrollment_service_pb2.GetEnrollmentJobResponse(job=register.job(state="RUNNING"))
    site.echo.answer("GetEnrollmentJob", running)
    held = await pressed(site, path, SUPERVISOR, action="pause")
    async with site.browser(CLERK, acr=3) as visitor:
        looked = await visitor.get(path)
    site.echo.refuse("ResumeEnrollmentJob", Refused("JOB_NOT_RUNNING", "ended"))
    refused = await pressed(site, path, SUPERVISOR, action="resume")

    assert held.headers["location"] == path
    assert [one.job_id for one in sent(site, "PauseEnrollmentJob")] == [register.JOB]
    assert 'value="pause"' not in looked.text
    assert "tick=1" in looked.text
    assert refused.status_code == 422


async def test_every_rule_of_the_books_is_green_or_red_with_its_first_difference(site: Site) -> None:
    assert tuple(rule.code for rule in proof.RULES) == books.RULES
    register.program(site.echo)
    site.echo.answer("ListEnrollmentJobRejects", register.rejects("LEDGER_IS_ACCOUNTS"))
    async with site.browser(AUDITOR, acr=2) as visitor:
        page = await visitor.get(f"/desk/books?job={register.JOB}")

    assert page.text.count('class="tag good">✓') == len(books.RULES) - 1
    assert page.text.count('class="tag bad">✕') == 1
    assert "the first is bil_1" in page.text


async def test_a_pair_is_merged_the_way_it_was_chosen_and_needs_its_evidence(site: Site) -> None:
    register.program(site.echo)
    pair = {"one": answers.PERSON, "other": register.OTHER}
    without = await pressed(site, "/desk/duplicates", action="merge-one", evidence_ref="", **pair)
    merged = await pressed(site, "/desk/duplicates", action="merge-other", evidence_ref="核查-1", **pair)
    undone = await pressed(
        site, f"/desk/people/{answers.PERSON}/history", other_person_id=register.OTHER, evidence_ref="核查-2"
    )
    decided = await pressed(
        site, "/desk/person-requests", action="reject", person_request_id=register.REQUEST, reason="证件不符"
    )

    assert without.status_code == 400
    assert "Fill in" in without.text
    (request,) = sent(site, "MergePersons")
    assert (request.person_id, request.other_person_id) == (register.OTHER, answers.PERSON)
    assert merged.headers["location"] == undone.headers["location"] == "/desk/person-requests?done=asked"
    assert decided.headers["location"] == "/desk/person-requests?done=reject"
    assert sent(site, "DecidePersonRequest")[0].reason == "证件不符"


async def test_a_history_is_asked_for_as_it_was_known(site: Site) -> None:
    person = f"/desk/people/{answers.PERSON}/history"
    page, wrong = await opened(site, f"{person}?known_at=2026/07/01", f"{person}?as_of=yesterday")

    known = sent(site, "ListPersonHistory")[0].known_at
    assert (known.year, known.month, known.day) == (2026, 7, 1)
    assert "known now" in page.text
    assert wrong.status_code == 400


async def test_only_the_step_that_is_ours_has_a_button(site: Site) -> None:
    path = f"/desk/transfers/{register.TRANSFER}"
    (ours,) = await opened(site, path)
    done = await pressed(site, path, action="send-funds")
    site.echo.answer("GetTransfer", moving_service_pb2.GetTransferResponse(transfer=register.transfer("FORM", "IN")))
    async with site.browser(CLERK, acr=3) as visitor:
        theirs = await visitor.get(path)

    assert 'name="action" value="send-funds"' in ours.text
    assert done.headers["location"] == path
    assert [one.transfer_id for one in sent(site, "SendFunds")] == [register.TRANSFER]
    assert 'value="send-funds"' not in theirs.text


async def test_a_period_is_at_most_two_years_and_what_is_odd_is_left_out() -> None:
    today = date(2026, 11, 23)

    assert statements.period({}, today) == statements.Period("2025-12", "2026-11")
    assert statements.period({"first": "2020-1", "last": "2026.8"}, today) == statements.Period("2024-09", "2026-08")
    assert statements.period({"first": "later", "last": "x"}, today) == statements.Period("2025-12", "2026-11")
    assert statements.period({"first": "2026-10", "last": "2026-08"}, today) == statements.Period("2026-08", "2026-08")
