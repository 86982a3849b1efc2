"""The citizen's pages of the register by plain HTTP: time and gaps, years, certificates, arrears, covers, transfers."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hrss.enrollment.v1 import (
    cover_service_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
)
from kernel.errors import InvalidInput, NotFound, Refused
from services.gateway.portal.citizen.arrears import unbilled
from services.gateway.portal.citizen.contributions import by_year
from services.gateway.portal.citizen.timeline import Span, after, before, months_between, with_gaps
from tests.portal import answers, register

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")


def text_of(page: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))


def sent(site: Site, rpc: str) -> list[Any]:
    """The requests that arrived for an RPC."""
    return [seen.request for seen in site.echo.seen if seen.method == rpc]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_of_a_citizen_is_there_in_both_languages_and_runs_nothing_inside(
    site: Site, language: str
) -> None:
    register.program(site.echo)
    async with site.browser(await site.persona(), language=language) as visitor:
        for path in register.CITIZEN_PAGES:
            page = await visitor.get(path)
            assert page.status_code == 200, (path, text_of(page.text)[:300])
            assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", page.text), path


async def test_every_page_of_a_citizen_stands_with_nothing_to_show(site: Site) -> None:
    empty = {
        "GetInsurance": enrollment_service_pb2.GetInsuranceResponse(),
        "ListContributions": enrollment_service_pb2.ListContributionsResponse(),
        "ExplainAccount": moving_service_pb2.ExplainAccountResponse(),
        "GetOverlap": cover_service_pb2.GetOverlapResponse(),
        "ListTransfers": moving_service_pb2.ListTransfersResponse(),
    }
    for rpc, message in empty.items():
        site.echo.answer(rpc, message)
    async with site.browser(await site.persona()) as visitor:
        pages = {
            path: await visitor.get(path) for path in ("/insurance", "/contributions/all", "/arrears", "/transfers")
        }
        account = await visitor.get("/account?year=1990")

    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(pages, 200)
    assert 'class="note' in pages["/insurance"].text
    assert "There are no contributions yet" in pages["/contributions/all"].text
    assert "Nothing is unpaid" in pages["/arrears"].text
    assert "There are no transfers" in pages["/transfers"].text
    assert "nothing for 1990" in account.text


async def test_insurance_shows_gaps_and_what_was_true_in_a_month(site: Site) -> None:
    register.program(site.echo)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/insurance?in=2010/5")
        gap = await visitor.get("/insurance?in=2006-12")
        wrong = await visitor.get("/insurance?in=soon")

    said = text_of(page.text)
    assert "32 months without insurance" in said  # 26 between the employers, 6 before the cover
    assert page.text.count('class="gap"') >= 4
    then = said[said.index("May 2010") :][:200]
    assert answers.EMPLOYER_NAME in then
    assert "Nothing insured you in this month" in gap.text
    assert "Write the month as 2020-06" in wrong.text


async def test_thirty_years_are_read_by_pages_and_summed_exactly(site: Site) -> None:
    register.program(site.echo)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/contributions/all")
        file = await visitor.get("/contributions/all.csv")

    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    paid = [row for row in rows[1:] if row[5] == "paid"]
    assert len(rows) == 1 + (29 * 12 - 3) * 3
    assert f"{len(paid) * 520:,}.00" in page.text
    assert "1 months are not paid" in page.text
    assert "no record: months 1–12" in text_of(page.text)
    assert "not paid: months 2" in text_of(page.text)


async def test_a_year_of_the_account_names_every_entry(site: Site) -> None:
    register.program(site.echo)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/account?year=2024")

    assert [one.year for one in sent(site, "ExplainAccount")] == [2024]
    said = text_of(page.text)
    assert said.count("Contribution") >= 12
    assert "Interest rate 0.0250" in said
    assert "not booked yet" in said


async def test_a_certificate_is_issued_once_saved_and_checked(site: Site) -> None:
    register.program(site.echo)
    async with site.browser(await site.persona()) as visitor:
        made = await visitor.post(
            "/certificates", {"kind": "INSURANCE_CERTIFICATE_KIND_CONTRIBUTIONS", "first_month": "2025/1"}
        )
        shown = await visitor.get(made.headers["location"])
        saved = await visitor.get(f"/certificates/{register.NUMBER}/facts.json")
        table = await visitor.get(f"/certificates/{register.NUMBER}/months.csv")
        page = await visitor.get("/certificates/check")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf
        checked = [
            await visitor.http.post(
                "/certificates/check",
                data={"csrf": csrf[1], "number": register.NUMBER.lower()},
                files={"file": ("saved.json", content, "application/json")},
            )
            for content in (saved.content, saved.content.replace(b"520", b"521"))
        ]
        without = await visitor.http.post("/certificates/check", data={"csrf": csrf[1], "number": register.NUMBER})

    assert sent(site, "IssueInsuranceCertificate")[0].first_month.month == 1
    digest = hashlib.sha256(saved.content).hexdigest()
    assert digest in shown.text
    assert "attachment" in saved.headers["content-disposition"]
    assert answers.NAME not in saved.headers["content-disposition"]
    assert orjson.loads(saved.content)["months"][0]["months"] == "22"
    assert table.content.decode("utf-8-sig").splitlines()[1].startswith("Pension,2025-01,2026-10,22,6500.00")
    assert "It is what was issued" in checked[0].text
    assert "It is not what was issued" in checked[1].text
    assert without.status_code == 400
    assert "Choose the saved file" in without.text


async def test_a_certificate_of_somebody_else_is_not_there(site: Site) -> None:
    register.program(site.echo)
    site.echo.refuse("GetInsuranceCertificate", NotFound("PERSON_NOT_FOUND", "another's"))
    async with site.browser(await site.persona()) as visitor:
        other = await visitor.get(f"/certificates/{register.NUMBER}")
        odd = await visitor.get("/certificates/..%2Fme")

    assert other.status_code == 404
    assert odd.status_code == 404


async def test_a_month_of_the_own_cover_is_billed_from_the_arrears(site: Site) -> None:
    register.program(site.echo)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/arrears")
        made = await visitor.post("/arrears", {"cover_id": register.COVER, "month": "2026-10"})
        site.echo.refuse("AssessCoverBill", Refused("MONTH_NOT_INSURED", "not insured"))
        refused = await visitor.post("/arrears", {"cover_id": register.COVER, "month": "2026-10"})

    said = text_of(page.text)
    assert "February 2026" in said
    assert "Gaps in the pension insurance" in said
    assert "166.67" in said
    assert "The bill for November 2026 is made" in text_of(made.text)
    request = sent(site, "AssessCoverBill")[0]
    assert (request.cover_id, request.month.year, request.month.month) == (register.COVER, 2026, 10)
    assert 'role="alert"' in refused.text
    assert "What to do:" in refused.text


async def test_a_cover_rests_by_its_own_form_and_a_wrong_month_stands_beside_its_field(site: Site) -> None:
    register.program(site.echo)
    path = f"/covers/{register.COVER}"
    suspended = {"action": "suspend", "from_month": "2026-12", "reason": "SUSPEND_REASON_NO_INCOME"}
    async with site.browser(await site.persona()) as visitor:
        good = await visitor.post(path, suspended)
        done = await visitor.get(good.headers["location"])
        site.echo.refuse("ChangeCoverBase", InvalidInput("WAGE_INVALID", "too low", field="base"))
        bad = await visitor.post(path, {"action": "change-base", "from_month": "2026-12", "base": "1.00"})

    assert sent(site, "SuspendCover")[0].reason == cover_service_pb2.SUSPEND_REASON_NO_INCOME
    assert "Done." in done.text
    assert bad.status_code == 400
    assert 'value="1.00"' in bad.text
    assert re.search(r'id="f-base-error"', bad.text)


async def test_a_transfer_is_applied_for_and_its_steps_are_shown(site: Site) -> None:
    register.program(site.echo)
    site.echo.answer(
        "ApplyForTransfer", moving_service_pb2.ApplyForTransferResponse(transfer=register.transfer("APPLIED"))
    )
    form = {"direction": "TRANSFER_DIRECTION_IN", "other_area": "３１０１１５"}
    async with site.browser(await site.persona()) as visitor:
        made = await visitor.post("/transfers", form)
        page = await visitor.get(made.headers["location"])

    assert sent(site, "ApplyForTransfer")[0].other_area == "310115"
    assert "Your application has arrived" in page.text
    assert "no. NT-2026-2" in page.text


async def test_gaps_lie_between_spans_and_overlaps_make_none() -> None:
    spans = [
        Span("2010-01", "2010-06", state="x"),
        Span("2009-01", "2010-03", state="x"),
        Span("2012-02", "", state="x"),
    ]

    found = [(one.first, one.last) for one in with_gaps(spans) if one.is_gap]

    assert found == [("2010-07", "2012-01")]
    assert months_between("2010-07", "2012-01") == 19
    assert (after("2010-12"), before("2011-01"), after("9999-12")) == ("2011-01", "2010-12", "9999-12")


async def test_only_months_of_this_year_that_nobody_billed_are_offered() -> None:
    cover = {
        "kind": "COVER_KIND_FLEXIBLE",
        "start_month": "2025-10",
        "suspensions": [{"from_month": "2026-03", "until_month": "2026-04"}],
    }

    assert unbilled(cover, {"2026-01"}, "2026-06", 2026) == ["2026-02", "2026-05", "2026-06"]
    assert unbilled(cover | {"end_month": "2026-02"}, set(), "2026-06", 2026) == ["2026-01", "2026-02"]
    assert unbilled(cover | {"kind": "COVER_KIND_RESIDENT"}, set(), "2026-06", 2026) == []


async def test_a_month_with_two_employers_counts_once_and_its_money_twice() -> None:
    row = {
        "month": "2026-01",
        "scheme": "SCHEME_UNEMPLOYMENT",
        "employee": "0.10",
        "employer": "0.20",
        "state": "CONTRIBUTION_STATE_PAID",
    }

    (year,) = by_year([row, row, row | {"month": "2026-03", "state": "CONTRIBUTION_STATE_UNPAID"}])

    assert year.counts == {"SCHEME_UNEMPLOYMENT": 1}
    assert year.sums == ("0.20", "0.40")
    assert (year.unpaid, year.missing) == (["2026-03"], ["2026-02"])
