"""The rooms of the benefits by plain HTTP: what is shown, what is sent, what a second person may not do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hrss.benefits.v1 import adjusting_service_pb2, benefits_service_pb2, determinations_service_pb2, paying_service_pb2
from kernel.errors import Forbidden, InvalidInput, PolicyParameterMissing, Refused
from services.benefits.paying import RELEASABLE, Gate
from services.benefits.store import books as proof
from services.gateway.console import benefit_books
from services.gateway.console import paid as room
from services.gateway.portal.comparing import side_by_side
from tests.plugins.marks import slow
from tests.portal import paid
from tests.portal.answers import BENEFIT, PERSON
from tests.portal.test_employer import CLERK, SUPERVISOR, pressed, uploaded
from tests.portal.test_register import sent, text_of

if TYPE_CHECKING:
    import httpx

    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAYROLL, BENEFIT_PAGE = f"/desk/payrolls/{paid.PAYROLL}", f"/desk/benefits/{BENEFIT}"


async def opened(site: Site, *paths: str, who: str = CLERK, language: str = "en") -> list[httpx.Response]:
    """Pages as somebody sees them."""
    async with site.browser(who or await site.persona(), acr=3, language=language) as visitor:
        return [await visitor.get(path) for path in paths]


@pytest.mark.parametrize("language", ["en", slow("zh")])
async def test_every_page_is_there_and_says_why_it_looks(site: Site, language: str) -> None:
    paid.program(site.echo)
    everybody = (
        ("", paid.CITIZEN_PAGES),
        (CLERK, paid.CLERK_PAGES),
        (SUPERVISOR, paid.SUPERVISOR_PAGES),
        ("staff-auditor-1", (PAYROLL, BENEFIT_PAGE)),
    )
    for who, paths in everybody:
        for path, page in zip(paths, await opened(site, *paths, who=who, language=language), strict=True):
            assert page.status_code == 200, (path, text_of(page.text)[:300])
            assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", page.text), path
            shown = text_of(page.text)
            assert not re.search(r"\b(PAYROLL|BENEFIT|ADJUSTMENT|KEEPING|FINDING|RETURNED|RECOVERY)_[A-Z_]+", shown), (
                path
            )
    stated = {seen.method: seen.identity.principal.purpose for seen in site.echo.seen}
    assert stated["GetDetermination"] == "determination of benefits"
    assert stated["GetBenefitKeeping"] == stated["ListSuspendedBenefits"] == "keeping of benefits"


async def test_names_of_rules_and_gates_are_those_of_the_benefits() -> None:
    assert tuple(rule.code for rule in proof.RULES) == benefit_books.RULES
    assert tuple(gate.value for gate in Gate) == room.GATES
    assert {gate.value for gate in RELEASABLE} == room.RELEASABLE


async def test_a_payroll_is_approved_as_it_was_seen_and_a_changed_one_shows_both_digests(site: Site) -> None:
    paid.program(site.echo)
    site.echo.answer("ApprovePayroll", benefits_service_pb2.ApprovePayrollResponse(payroll=paid.payroll("APPROVED")))
    approved = await pressed(site, PAYROLL, who=SUPERVISOR, action="approve")
    now = "99ee88dd" * 8
    site.echo.refuse("ApprovePayroll", Refused("PAYROLL_CHANGED", "changed", digest=now))
    changed = await pressed(site, PAYROLL, who=SUPERVISOR, action="approve")
    site.echo.refuse("ApprovePayroll", Forbidden("SAME_PERSON", "the maker"))
    same = await pressed(site, PAYROLL, who=SUPERVISOR, action="approve")
    (clerks,) = await opened(site, PAYROLL)

    assert approved.status_code == 303
    assert [one.digest for one in sent(site, "ApprovePayroll")] == [paid.DIGEST] * 3
    compared = text_of(changed.text).replace(" ", "")
    assert now in compared
    assert paid.DIGEST in compared
    assert same.status_code == 403
    assert "What to do" in same.text
    assert 'value="approve"' not in clerks.text


async def test_a_payroll_under_way_shows_how_far_it_is(site: Site) -> None:
    paid.program(site.echo)
    preparing = paid.payroll("PREPARING", payment_count=0, digest="")
    site.echo.answer("GetPayroll", benefits_service_pb2.GetPayrollResponse(payroll=preparing))
    site.echo.answer("GetPayrollProgress", paid.progress(preparing=True, ready=False))
    (page,) = await opened(site, PAYROLL, who=SUPERVISOR)

    assert "<progress" in page.text
    assert 'hx-trigger="every 3s"' in page.text
    assert 'value="approve"' not in page.text


async def test_a_finding_says_why_and_only_what_two_persons_may_open_is_asked_for(site: Site) -> None:
    paid.program(site.echo)
    path = f"{PAYROLL}/findings?effect=BLOCK"
    released = paying_service_pb2.PrepareReleaseResponse()
    site.echo.answer("PrepareRelease", released)
    (page,) = await opened(site, path)
    form = {"benefit_id": BENEFIT, "gate": "PAYROLL_GATE_JUMP", "reason": "checked"}
    asked = await pressed(site, path, **form)

    said = text_of(page.text)
    for why in ("died in September 2026", "¥ 3,664.70 last month, ¥ 7,330.50 now", "12 persons share"):
        assert why in said
    assert page.text.count('name="reason"') == len({"DOUBLE", "JUMP", "ACCOUNT_SHARED"})
    assert asked.headers["location"] == "/desk/releases?done=asked"
    assert sent(site, "PrepareRelease")[0].reason == "checked"


async def test_the_bank_file_is_for_a_supervisor_and_comes_in_parts(site: Site) -> None:
    paid.program(site.echo)
    site.echo.answer(
        "ReadPaymentFile",
        lambda request: paying_service_pb2.ReadPaymentFileResponse(
            content=f"part {request.part}\n", next_part=2 if request.part == 1 else 0
        ),
    )
    (file,) = await opened(site, f"{PAYROLL}/payments.csv", who=SUPERVISOR)
    (refused,) = await opened(site, f"{PAYROLL}/payments.csv")

    assert file.text == "part 1\npart 2\n"
    assert "payments-2026-11-1.csv" in file.headers["content-disposition"]
    assert refused.status_code == 403


async def test_an_answer_of_the_bank_of_another_month_is_refused_where_it_was_handed_in(site: Site) -> None:
    paid.program(site.echo)
    site.echo.answer("GetPayroll", benefits_service_pb2.GetPayrollResponse(payroll=paid.payroll("APPROVED")))
    site.echo.refuse("ImportReturns", Refused("RETURN_FILE_OF_ANOTHER", "another", month="2026-10"))
    page = await uploaded(site, PAYROLL, b"#hrss-returns,1\n", action="returns")

    assert page.status_code == 422
    assert 'role="alert"' in page.text


async def test_a_determination_is_decided_by_its_digest(site: Site) -> None:
    paid.program(site.echo)
    path = f"/desk/determinations/{paid.DETERMINATION}"
    site.echo.answer("ApproveDetermination", benefits_service_pb2.ApproveDeterminationResponse())
    site.echo.answer("RejectDetermination", benefits_service_pb2.RejectDeterminationResponse())
    approved = await pressed(site, path, action="approve")
    rejected = await pressed(site, path, action="reject", reason="the account is another")
    empty = await pressed(site, path, action="reject", reason="")

    assert approved.headers["location"].endswith("?done=approve")
    assert sent(site, "ApproveDetermination")[0].statement_digest == paid.DIGEST
    assert rejected.headers["location"].endswith("?done=reject")
    assert empty.status_code == 400
    assert len(sent(site, "RejectDetermination")) == 1


async def test_a_benefit_is_held_back_by_a_clerk_and_shows_where_it_differs(site: Site) -> None:
    paid.program(site.echo)
    site.echo.refuse("AskSuspension", Refused("MONTH_NOT_STARTED", "later"))
    asked = {"reason": "SUSPENSION_REASON_SUSPECTED", "from_month": "2027/1", "evidence_ref": "核查-1"}
    refused = await pressed(site, BENEFIT_PAGE, action="suspend", **asked)
    (page,) = await opened(site, f"{BENEFIT_PAGE}?recompute=1", who=SUPERVISOR)

    assert sent(site, "AskSuspension")[0].from_month.month == 1
    assert 'value="2027-01"' in refused.text
    assert 'role="alert"' in refused.text
    assert "lines[0].amount_fen" in page.text
    assert 'value="end"' in page.text
    assert 'value="suspend"' not in page.text


async def test_amounts_that_nobody_published_are_refused_by_name(site: Site) -> None:
    paid.program(site.echo)
    missing = PolicyParameterMissing("pension-employee.yaml", "annual_adjustment.jiangsu_amounts", "2027-01-01")
    site.echo.refuse("CreateAdjustment", missing)
    source = {"year": "2027", "kind": "BENEFIT_KIND_EMPLOYEE_PENSION", "source": "ADJUSTMENT_SOURCE_POLICY"}
    page = await pressed(site, "/desk/adjustments", action="create", **source)

    assert page.status_code == 422
    assert "annual_adjustment.jiangsu_amounts" in page.text
    assert "none is invented" in page.text


async def test_a_published_notice_is_entered_with_its_bands_and_a_line_that_is_none_is_shown(site: Site) -> None:
    paid.program(site.echo)
    made = adjusting_service_pb2.CreateAdjustmentResponse(adjustment=paid.adjustment("DRAFT"))
    site.echo.answer("CreateAdjustment", made)
    notice = {
        "action": "notice",
        "year": "2027",
        "kind": "BENEFIT_KIND_EMPLOYEE_PENSION",
        "notice_no": "NOTICE-1",
        "amounts.flat": "20",
        "amounts.per_year": "15 1.0\r\n* 1.5",
        "amounts.tilt": "70-74 15\r\n80- 40.00",
    }
    entered = await pressed(site, "/desk/adjustments", **notice)
    wrong = await pressed(site, "/desk/adjustments", **notice | {"amounts.tilt": "seventy 15"})
    odd = await pressed(site, "/desk/adjustments", **notice | {"year": "soon"})

    assert entered.status_code == 303
    (asked,) = sent(site, "CreateAdjustment")
    assert [(band.upto_years, band.amount.decimal) for band in asked.amounts.per_year] == [(15, "1.0"), (0, "1.5")]
    ages = [(band.age_from, band.age_to, band.amount.fen) for band in asked.amounts.tilt]
    assert ages == [(70, 74, 1500), (80, 0, 4000)]
    assert "This line is no band: seventy 15" in wrong.text
    assert "Write a whole number" in odd.text


async def test_a_determination_is_prepared_from_a_document(site: Site) -> None:
    paid.program(site.echo)
    prepared = determinations_service_pb2.PrepareInjuryResponse(determinations=[paid.determination()])
    site.echo.answer("PrepareInjury", prepared)
    path = f"/desk/people/{PERSON}/prepare/injury"
    facts = {
        "event_date": "2026/3/1",
        "appraisal_date": "2026-09-01",
        "grade": "7",
        "payee.name": "张三",
        "payee.account": "6222 0212 3456 7890",
        "document": "劳鉴2026001",
    }
    done = await pressed(site, path, **facts)
    missing = await pressed(site, path, **facts | {"document": ""})

    assert done.headers["location"] == f"/desk/determinations/{paid.DETERMINATION}?done=prepared"
    (asked,) = sent(site, "PrepareInjury")
    assert (asked.grade, asked.payee.account, asked.event_date.month) == (7, "6222021234567890", 3)
    assert missing.status_code == 400
    assert "6222021234567890" in missing.text


async def test_dependants_of_a_death_from_work_are_those_with_a_relation(site: Site) -> None:
    paid.program(site.echo)
    wrong = InvalidInput("PAYEE_INVALID", "too short", field="dependants[0].payee.account")
    site.echo.refuse("PrepareWorkDeath", wrong)
    path = f"/desk/people/{PERSON}/prepare/work-death"
    facts = {
        "event_date": "2026-03-01",
        "payee.name": "张三",
        "payee.account": "6222021234567890",
        "document": "工认2026001",
        "dependant1.alone": "true",
        "dependant2.relation": "DEPENDANT_RELATION_OTHER",
        "dependant2.last_month": "2030-6",
        "dependant2.payee.name": "张小",
        "dependant2.payee.account": "6222",
    }
    page = await pressed(site, path, **facts)

    (asked,) = sent(site, "PrepareWorkDeath")
    assert [(one.relation, one.last_month.year, one.payee.account) for one in asked.dependants] == [
        (determinations_service_pb2.DEPENDANT_RELATION_OTHER, 2030, "6222")
    ]
    assert 'id="f-dependant2-payee-account-error"' in page.text


async def test_an_adjustment_is_approved_and_reversed_by_its_digest(site: Site) -> None:
    paid.program(site.echo)
    path = f"/desk/adjustments/{paid.ADJUSTMENT}"
    site.echo.answer("ApproveAdjustment", adjusting_service_pb2.ApproveAdjustmentResponse())
    site.echo.answer("ReverseAdjustment", adjusting_service_pb2.ReverseAdjustmentResponse())
    (page,) = await opened(site, path, who=SUPERVISOR)
    await pressed(site, path, who=SUPERVISOR, action="approve")
    done = adjusting_service_pb2.GetAdjustmentResponse(adjustment=paid.adjustment("DONE"))
    site.echo.answer("GetAdjustment", done)
    reversed_ = await pressed(site, path, action="reverse", reason="wrong notice")

    said = text_of(page.text)
    assert "Flat increase" in said
    assert "+¥ 20.00" in said
    assert sent(site, "ApproveAdjustment")[0].digest == paid.DIGEST
    assert reversed_.status_code == 303
    assert (sent(site, "ReverseAdjustment")[0].digest, sent(site, "ReverseAdjustment")[0].reason) == (
        paid.DIGEST,
        "wrong notice",
    )


async def test_a_citizen_sees_lines_certification_and_debts_and_compares_two_plans(site: Site) -> None:
    paid.program(site.echo)
    mine, own, plans = await opened(site, "/benefits", f"/benefits/{BENEFIT}", "/estimate/compare", who="")
    asked = sent(site, "ComparePensions")[0].scenarios
    late = determinations_service_pb2.ScenarioResult(
        refusal_reason="TOO_LATE", refusal_details=["earliest=2026-03", "latest=2029-07"]
    )
    both = paid.compared()
    both.results[1].CopyFrom(late)
    site.echo.answer("ComparePensions", both)
    (refused,) = await opened(site, "/estimate/compare?two.retirement_month=2031-01&two.future_base=9000", who="")

    said = text_of(mine.text)
    assert "Be certified by 30 November 2026" in said
    assert "6329.40 is owed" in said
    assert "a simulator, which says so" in said
    assert "account closed" in said
    assert text_of(own.text).count("Flat increase") == 1
    assert [one.employee.retirement_month.year for one in asked] == [2026, 2027]
    assert "+¥ 20.00" in text_of(plans.text)
    assert "later than the law allows" in text_of(refused.text)
    assert sent(site, "ComparePensions")[-1].scenarios[1].employee.future_base.fen == 900_000


async def test_what_belongs_to_another_is_not_there(site: Site) -> None:
    paid.program(site.echo)
    pages = await opened(site, "/desk/benefits/ben_1", "/desk/payrolls/prl_1", f"/desk/recoveries/{PERSON}")

    assert [page.status_code for page in pages] == [404, 404, 404]


async def test_statements_stand_beside_each_other_by_their_codes() -> None:
    line = {"title_zh": "基础", "title_en": "basic"}
    one = {
        "total": "30.00",
        "lines": [{**line, "code": "a", "amount": "10.00"}, {**line, "code": "b", "amount": "20.00"}],
    }
    other = {
        "total": "26.50",
        "lines": [{**line, "code": "c", "amount": "1.00"}, {**line, "code": "a", "amount": "25.50"}],
    }

    rows = side_by_side(one, other, "en")

    assert [(row.first, row.second, row.difference) for row in rows] == [
        ("10.00", "25.50", "15.50"),
        ("20.00", "", ""),
        ("", "1.00", ""),
        ("30.00", "26.50", "-3.50"),
    ]
    assert side_by_side(one, None, "en") == []


async def test_forms_of_one_page_keep_their_fields_apart(site: Site) -> None:
    paid.program(site.echo)
    wrong = await pressed(site, BENEFIT_PAGE, action="change-payee")

    ids = re.findall(r'\sid="([^"]+)"', wrong.text)
    assert len(ids) == len(set(ids))
    assert 'href="#f-change-payee-payee-account"' in wrong.text
    assert "f-change-payee-payee-account" in ids
