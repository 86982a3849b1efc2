"""What every page says and keeps to itself, without a browser: headers, languages, problems, script-free forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import card_pb2, card_service_pb2, family_service_pb2
from hrss.gateway.v1 import cases_service_pb2
from kernel.errors import NotFound, Refused, Unavailable
from tests.portal import answers

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = ("/", "/items", "/items/BE01", "/bundles/PK05", "/help", "/track", "/no-such-page", "/login/stronger?acr=3")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_page_asks_nobody_else_and_runs_nothing_inside(site: Site, path: str, language: str) -> None:
    async with site.browser(language=language) as visitor:
        page = await visitor.get(path)

    assert page.status_code == (404 if path == "/no-such-page" else 200)
    assert page.headers["content-language"] == {"zh": "zh-CN", "en": "en"}[language]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "private, no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-encoding"] == "gzip"
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', page.text)
    assert loaded
    assert all(one.startswith(("/assets/", "data:")) for one in loaded), loaded
    assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", page.text)
    assert "12333" in page.text
    assert {"zh": "开发测试环境", "en": "Development platform"}[language] in page.text


async def test_language_and_mode_are_remembered(site: Site) -> None:
    async with site.browser(language="zh") as visitor:
        await visitor.get("/?lang=en&mode=elder")
        page = await visitor.get("/help")
        back = await visitor.get("/help?lang=zh&mode=standard")

    assert 'class="elder"' in page.text
    assert "Talk to somebody" in page.text
    assert 'class="elder"' not in back.text
    assert "人工服务电话" in back.text


async def test_switching_the_language_keeps_the_page(site: Site) -> None:
    async with site.browser(language="zh") as visitor:
        page = await visitor.get("/items?q=退休&service=benefits")

    assert "/items?q=%E9%80%80%E4%BC%91&amp;service=benefits&amp;lang=en" in page.text


async def test_what_is_typed_is_shown_as_text(site: Site) -> None:
    async with site.browser() as visitor:
        page = await visitor.get('/items?q="><script>alert(1)</script>')

    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_assets_are_kept_for_ever_under_a_name_of_their_content(site: Site) -> None:
    path = site.gateway.portal._assets.path("portal.css")
    async with site.browser() as visitor:
        good = await visitor.get(path)
        other = await visitor.get("/assets/000000000000/portal.css")

    assert "immutable" in good.headers["cache-control"]
    assert good.headers["content-encoding"] == "gzip"
    assert other.status_code == 404


async def test_a_refusal_says_what_happened_and_what_to_do(site: Site) -> None:
    site.echo.refuse("ListContributions", Unavailable("DATABASE_UNAVAILABLE", "away", retry_after=2))
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/contributions")

    assert page.status_code == 503
    assert 'role="alert"' in page.text
    assert "What to do:" in page.text
    assert re.search(r"reference <code>\w+</code>", page.text)


async def test_the_overview_stands_when_one_service_is_away(site: Site) -> None:
    site.echo.refuse("ListCards", Unavailable("SERVICE_UNAVAILABLE", "away", retry_after=2))
    site.echo.refuse("GetAccount", NotFound("ACCOUNT_NOT_FOUND", "none yet"))
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/me")

    assert page.status_code == 200
    assert "3,664.70" in page.text
    assert "166,399.67" not in page.text


async def test_somebody_who_is_not_insured_is_told_so(site: Site) -> None:
    site.echo.refuse("FindPerson", NotFound("PERSON_NOT_FOUND", "nobody"))
    async with site.browser(await site.persona("990000198001011239")) as visitor:
        page = await visitor.get("/me")

    assert page.status_code == 403
    assert "not insured here yet" in page.text


async def test_an_estimate_that_the_rules_refuse_shows_the_months_that_are_allowed(site: Site) -> None:
    refused = Refused("TOO_EARLY", "too early", earliest="2040-12", latest="2046-12")
    site.echo.refuse("EstimatePension", refused)
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/estimate?retirement_month=2030-01")

    assert "between December 2040 and December 2046" in page.text
    assert 'value="2030-01"' in page.text


async def test_a_card_is_activated_once_with_consent_and_pin(site: Site) -> None:
    waiting = card_service_pb2.ListCardsResponse(cards=[answers.card(card_pb2.CARD_STATE_ISSUED)])
    site.echo.answer("ListCards", waiting)
    async with site.browser(await site.persona(), acr=3) as visitor:
        differ = await visitor.post("/card/activate", {"pin": "385216", "again": "385217", "consent": "true"})
        without = await visitor.post("/card/activate", {"pin": "385216", "again": "385216"})
        good = await visitor.post("/card/activate", {"pin": "３８５２１６", "again": "385216", "consent": "true"})

    assert "The two PINs differ" in differ.text
    assert "Fill in" in without.text
    assert "385216" not in differ.text + without.text
    assert good.headers["location"] == "/card"
    sent = [seen.request for seen in site.echo.seen if seen.method == "ActivateCard"]
    assert [(one.pin, one.consent, one.card_id) for one in sent] == [("385216", True, answers.CARD)]


async def test_a_family_account_is_begun_agreed_to_and_ended_on_its_pages(site: Site) -> None:
    asked = {"relation": "FAMILY_RELATION_ELDER", "ward_name": "张母亲", "ward_id_no": answers.ID_NO, "QUERY": "true"}
    site.echo.answer("InviteWard", family_service_pb2.InviteWardResponse())
    async with site.browser(await site.persona(), acr=3) as visitor:
        page = await visitor.get("/family")
        first = await visitor.post("/family/invite", {**asked, "to_date": "2027/12/31"})
        site.echo.refuse("InviteWard", NotFound("FAMILY_WARD_NOT_FOUND", "nobody", field="ward_id_no"))
        refused = await visitor.post("/family/invite", asked)
        for path in (f"{answers.ASKED_FOR}/agree", f"{answers.ASKED_FOR}/end"):
            assert (await visitor.post(f"/family/{path}")).headers["location"].startswith("/family?done=")
        code = await visitor.get(f"/family/{answers.ACTED_FOR}/code")
        # Nobody agrees for whom they asked, shows whom they may not, or opens what is not theirs.
        for path in (
            f"{answers.ACTED_FOR}/agree",
            f"{answers.CHILD}/code",
            f"{answers.ASKED_FOR}/code",
            f"dlg_{'0' * 32}/end",
            "x/end",
        ):
            assert (await visitor.get(f"/family/{path}")).headers["location"] == "/family"

    assert all(name in page.text for name in ("张*亲", "张*儿", "李*例", "王*例", "household register"))
    assert first.headers["location"] == "/family?done=invited"
    assert "No such family member" in refused.text
    assert "Nobody with this name and number has a card" in refused.text
    assert "<svg viewBox=" in code.text
    sent = {seen.method: seen.request for seen in site.echo.seen}
    assert [list(seen.request.scopes) for seen in site.echo.seen if seen.method == "InviteWard"] == [[2], [2]]
    assert sent["ConsentToDelegation"].delegation_id == sent["EndDelegation"].delegation_id == answers.ASKED_FOR
    assert sent["MintWardToken"].delegation_id == answers.ACTED_FOR


async def test_the_code_is_drawn_and_its_validity_is_a_time(site: Site) -> None:
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get("/card/code")

    assert "<svg viewBox=" in page.text
    assert re.search(r"Good until \d\d:\d\d:\d\d", page.text)
    assert "S1AAAA" not in page.text


async def test_an_application_is_checked_and_handed_in_once(site: Site) -> None:
    answers.program_cases(site.overlay)
    filled = {
        "form.pension.retirement_month": "2026/7",
        "form.pension.payee.name": "张示例",
        "form.pension.payee.account": "6222 0212 3456 7890",
    }
    async with site.browser(await site.persona()) as visitor:
        checked = await visitor.post("/apply/BE01", filled)
        hidden = dict(re.findall(r'name="([a-z_.]+)" value="([^"]*)"', checked.text))
        first = await visitor.http.post("/apply/BE01", data={**hidden, "step": "submit"})
        second = await visitor.http.post("/apply/BE01", data={**hidden, "step": "submit"})

    assert first.headers["location"] == second.headers["location"] == f"/cases/{answers.CASE_NO}/done"
    sent = [
        (headers["idempotency-key"], body) for method, path, headers, body in site.overlay.seen if path == "/v1/cases"
    ]
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert b'"retirement_month":"2026-07"' in sent[0][1]
    assert b'"account":"6222021234567890"' in sent[0][1]
    assert b'"submit":true' in sent[0][1]


async def test_what_the_platform_says_about_a_field_stands_beside_it(site: Site) -> None:
    site.overlay.answers["POST", "/v1/cases"] = {
        "status": 400,
        "code": "ACCOUNT_INVALID",
        "title": "The account number is wrong",
        "errors": [{"pointer": "/form/pension/payee/account", "code": "X", "detail": "Not a number of a bank."}],
    }
    filled = {
        "form.pension.retirement_month": "2026-07",
        "form.pension.payee.name": "张示例",
        "form.pension.payee.account": "6222021234567890",
    }
    async with site.browser(await site.persona()) as visitor:
        checked = await visitor.post("/apply/BE01", filled)
        hidden = dict(re.findall(r'name="([a-z_.]+)" value="([^"]*)"', checked.text))
        page = await visitor.http.post("/apply/BE01", data={**hidden, "step": "submit"})

    assert page.status_code == 400
    assert '<a href="#f-form-pension-payee-account">Not a number of a bank.</a>' in page.text
    assert page.text.startswith("<!doctype html>")
    assert "<title>Error: " in page.text


async def test_a_correction_shows_its_points_and_hides_what_was_masked(site: Site) -> None:
    sent_back = answers.case(cases_service_pb2.CASE_STATE_CORRECTION_REQUESTED, correction_points=["账号不清楚"])
    answers.program_cases(site.overlay, sent_back)
    form = cases_service_pb2.CaseForm(
        pension=cases_service_pb2.PensionForm(
            retirement_month={"year": 2026, "month": 7},  # type: ignore[arg-type] # protobuf takes a dictionary
            payee=cases_service_pb2.CasePayee(name="张**", account="************7890"),
        )
    )
    found = cases_service_pb2.GetCaseResponse(case=sent_back, form=form)
    site.overlay.answers["GET", f"/v1/cases/{answers.CASE_NO}"] = found
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get(f"/cases/{answers.CASE_NO}/correct")

    assert "账号不清楚" in page.text
    assert 'value="2026-07"' in page.text
    assert "7890" not in page.text


async def test_withdrawing_asks_once(site: Site) -> None:
    answers.program_cases(site.overlay)
    async with site.browser(await site.persona()) as visitor:
        answer = await visitor.post(f"/cases/{answers.CASE_NO}/withdraw")

    assert answer.headers["location"] == f"/cases/{answers.CASE_NO}"
    assert [path for method, path, _, _ in site.overlay.seen if method == "POST"][-1].endswith(":withdraw")


async def test_staff_pages_of_the_reference_are_still_there(site: Site) -> None:
    async with site.browser() as visitor:
        assert (await visitor.get("/developers")).status_code == 200
        assert (await visitor.get("/docs")).status_code == 200


@pytest.mark.parametrize("path", ["//elsewhere.example/", "/%5Celsewhere.example", "/a%3Fnext=//elsewhere.example"])
async def test_links_of_a_page_that_does_not_exist_stay_here(site: Site, path: str) -> None:
    async with site.browser() as visitor:
        page = await visitor.get(f"{site.url}{path}")

    assert page.status_code == 404
    assert not re.findall(r'(?:href|action)="(?:/[/\\]|https?:)[^"]*elsewhere', page.text)
    assert re.search(r'href="/[^"?]*elsewhere[^"?]*\?', page.text)


@pytest.mark.parametrize(
    ("persona", "home"), [("staff-clerk-1", "/desk/cases"), ("staff-operator-1", "/console/platform")]
)
async def test_staff_begin_at_their_own_page(site: Site, persona: str, home: str) -> None:
    async with site.browser() as visitor:
        assert 'href="/login"' in (await visitor.get("/")).text
        assert 'href="/login?next=/items"' in (await visitor.get("/items")).text
    async with site.browser(persona) as visitor:
        answer = await visitor.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, home)


async def test_only_what_has_a_form_here_is_listed_as_online(site: Site) -> None:
    async with site.browser() as visitor:
        page = (await visitor.get("/items")).text
        start = (await visitor.get("/")).text

    online, _, elsewhere = page.partition("Through an employer or at a counter")
    assert "/items/BE01" in online
    assert "/items/EN05" in elsewhere
    assert start.count("at a counter</span>") == 10


@pytest.mark.parametrize(
    ("state", "step", "offered"),
    [
        ("SUBMITTED", "", True),
        ("ACCEPTED", "REFUSED", True),
        ("ACCEPTED", "WORKING", False),
        ("IN_REVIEW", "DONE", False),
    ],
)
async def test_withdrawing_is_offered_where_it_can_be_done(site: Site, state: str, step: str, *, offered: bool) -> None:
    steps = [cases_service_pb2.CaseStep(name="settle", state=f"CASE_STEP_STATE_{step}")] if step else []  # type: ignore[arg-type] # the stubs know numbers only
    number = cases_service_pb2.CaseState.Value(f"CASE_STATE_{state}")
    answers.program_cases(site.overlay, answers.case(number, steps=steps))
    async with site.browser(await site.persona()) as visitor:
        page = await visitor.get(f"/cases/{answers.CASE_NO}")

    assert page.status_code == 200
    assert ("/withdraw" in page.text) is offered
