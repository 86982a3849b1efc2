"""A bundle in the browser: one form for its parts, one number, what is left; and who applies for everything else."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import orjson
import pytest

from hrss.card.v1 import card_pb2, card_service_pb2
from hrss.gateway.v1 import cases_service_pb2
from tests.portal import answers

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILLED = {
    "form.end_enrollment.enrollment_id": answers.ENROLLMENT,
    "form.end_enrollment.end_month": "2026.10",
    "form.end_enrollment.reason": "END_REASON_DISMISSED",
    "form.registration.registration_date": "2026-11-3",
    "form.unemployment.payee.name": "张示例",
    "form.unemployment.payee.account": "6222 0212 3456 7890",
}


async def test_the_bundle_is_begun_at_its_page_and_on_the_start_page_it_is_marked(site: Site) -> None:
    async with site.browser() as visitor:
        page = await visitor.get("/bundles/PK05")
        other = await visitor.get("/bundles/PK04")
        home = await visitor.get("/")

    assert '<a class="button" href="/apply/PK05">' in page.text
    assert "/apply/" not in other.text
    marked = re.findall(r'href="/bundles/(\w+)">(?:(?!</a>).)*tag good', home.text)
    assert marked == ["PK05"]


async def test_one_form_for_all_parts_is_prefilled_checked_and_handed_in_once(site: Site) -> None:
    made = cases_service_pb2.CreateCaseResponse(case=answers.bundle(cases_service_pb2.CASE_STATE_SUBMITTED))
    answers.program_cases(site.overlay)
    site.overlay.answers["POST", r"/v1/cases"] = made
    async with site.browser(await site.persona()) as visitor:
        form = await visitor.get("/apply/PK05")
        checked = await visitor.post("/apply/PK05", FILLED)
        hidden = {
            name: unescape(value) for name, value in re.findall(r'name="([a-z_.]+)" value="([^"]*)"', checked.text)
        }
        sent = [await visitor.http.post("/apply/PK05", data={**hidden, "step": "submit"}) for _ in range(2)]
        done = await visitor.get(sent[0].headers["location"])

    chosen = re.findall(
        r'<input type="radio" name="form.end_enrollment.enrollment_id" value="(\w+)"( checked)?', form.text
    )
    assert chosen == [(answers.ENROLLMENT, " checked")]  # the one that ended is not offered
    assert f"{answers.EMPLOYER_NAME} (insured since January 2025)" in form.text
    assert re.search(r'name="form.end_enrollment.end_month" value="\d{4}-\d\d"', form.text)
    assert answers.EMPLOYER_NAME in checked.text
    assert {one.headers["location"] for one in sent} == {f"/cases/{answers.BUNDLE_NO}/done"}
    bodies = {body for method, path, _, body in site.overlay.seen if (method, path) == ("POST", "/v1/cases")}
    assert [orjson.loads(body) for body in bodies] == [
        {
            "code": "PK05",
            "person_id": answers.PERSON,
            "channel": "CASE_CHANNEL_WEB",
            "submit": True,
            "form": {
                "end_enrollment": {
                    "enrollment_id": answers.ENROLLMENT,
                    "end_month": "2026-10",
                    "reason": "END_REASON_DISMISSED",
                },
                "registration": {"registration_date": "2026-11-03"},
                "unemployment": {"payee": {"name": "张示例", "account": "6222021234567890"}},
            },
        }
    ]
    assert done.text.count('class="case-no"') == 1


async def test_an_employment_of_somebody_else_cannot_be_named(site: Site) -> None:
    answers.program_cases(site.overlay)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.post("/apply/PK05", {**FILLED, "form.end_enrollment.enrollment_id": "enr_other"})

    assert page.status_code == 400
    assert "#f-form-end_enrollment-enrollment_id" in page.text


async def test_who_has_no_employment_is_shown_the_single_items(site: Site) -> None:
    nobodys = answers.insurance()
    nobodys.ClearField("employments")
    site.echo.answer("GetInsurance", nobodys)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/apply/PK05")

    assert page.status_code == 409
    assert 'href="/apply/BE10"' in page.text


async def test_the_progress_shows_the_parts_what_is_left_and_what_to_correct(site: Site) -> None:
    answers.program_cases(site.overlay)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get(f"/cases/{answers.BUNDLE_NO}")
        form = await visitor.get(f"/cases/{answers.PART_NO}/correct")

    assert "0 done, 3 left" in page.text
    assert f'class="button" href="/cases/{answers.PART_NO}/correct"' in page.text
    assert "最后月份不对" in form.text
    assert re.search(rf'value="{answers.ENROLLMENT}" checked', form.text)
    assert 'value="2026-10"' in form.text


async def test_a_bundle_that_ended_in_part_says_why_and_how_to_go_on(site: Site) -> None:
    ended = answers.bundle(
        cases_service_pb2.CASE_STATE_DELIVERED,
        cases_service_pb2.CASE_STATE_REJECTED,
        end_date={"year": 2026, "month": 11, "day": 20},
    )
    ended.state = cases_service_pb2.CASE_STATE_PARTLY_DONE
    answers.program_cases(site.overlay)
    site.overlay.answers["GET", f"/v1/cases/{answers.BUNDLE_NO}"] = cases_service_pb2.GetCaseResponse(case=ended)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get(f"/cases/{answers.BUNDLE_NO}")

    assert "1 done, 2 not" in page.text
    assert "本人辞职" in page.text
    assert "not begun" in page.text
    assert 'href="/items/BE10"' in page.text


@pytest.mark.parametrize(("code", "said"), [("EN05", "Employers do this"), ("EN06", "Employers do this")])
async def test_what_employers_apply_for_says_so_instead_of_a_form(site: Site, code: str, said: str) -> None:
    async with site.browser(await site.persona()) as visitor:
        asked = await visitor.get(f"/apply/{code}")
        page = await visitor.get(asked.headers["location"])
        listed = await visitor.get(f"/items?q={code}")

    assert asked.headers["location"] == f"/items/{code}"
    assert said in page.text
    assert f"/apply/{code}" not in page.text
    assert "by employers" in listed.text


async def test_lifting_a_loss_asks_for_the_stronger_login_before_its_form(site: Site) -> None:
    suspended = card_service_pb2.ListCardsResponse(cards=[answers.card(card_pb2.CARD_STATE_SUSPENDED_TEMP)])
    async with site.browser(await site.persona()) as visitor:
        reporting = await visitor.get("/apply/CA03")
        site.echo.answer("ListCards", suspended)
        lifting = await visitor.get("/apply/CA03")
    async with site.browser(await site.persona(), acr=3) as visitor:
        allowed = await visitor.get("/apply/CA03")

    offered = r'<input type="radio" name="form.card_loss.lift" value="(\w+)"'
    assert re.findall(offered, reporting.text) == ["report_loss"]
    assert lifting.status_code == 303
    assert "stronger" in lifting.headers["location"]
    assert re.findall(offered, allowed.text) == ["lift_loss"]
