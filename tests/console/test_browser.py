"""The pages of staff in a real browser: no accessibility faults, light, usable by keyboard, and two persons decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from hrss.gateway.v1 import cases_service_pb2 as pb
from tests.console import shown_cases as cases
from tests.console import shown_platform as platform
from tests.console.shown_cases import CASE_NO, PERSON
from tests.plugins.marks import slow
from tests.portal.browser import chromium, faults, needs_chromium
from tests.portal.test_browser import TARGETS, VARIANTS, log_in, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.portal.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]

PAGE = f"/desk/cases/{CASE_NO}"
PAGES = {
    "staff-operator-1": (
        "/console/platform",
        "/console/jobs",
        f"/console/traces?number={CASE_NO}",
        "/console/indicators",
    ),
    "staff-clerk-1": (
        "/desk/cases",
        PAGE,
        "/desk/counter",
        f"/desk/counter/{PERSON}",
        f"/desk/counter/{PERSON}/PK05",
        "/desk/counter/new/EN05",
    ),
}
BUDGET_BYTES = 350 * 1024
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for the module."""
    async with chromium() as running:
        yield running


@pytest.mark.parametrize("persona", PAGES)
@pytest.mark.parametrize("variant", ["zh", slow("en"), slow("elder")])
async def test_no_page_of_staff_has_an_accessibility_fault(
    site: Site, browser: Browser, variant: str, persona: str
) -> None:
    elder = VARIANTS[variant][1] == "elder"
    context = await opened(browser, site, variant, persona)
    page = context.pages[0]
    wrong: dict[str, list[str]] = {}
    for path in PAGES[persona]:
        await page.goto(site.url + path)
        for closed in await page.locator("section summary").all():
            await closed.click()
        found = await faults(page, elder=elder)
        found += [f"too small: {one}" for one in await page.evaluate(TARGETS, 60 if elder else 44)]
        if await page.evaluate(SIDEWAYS):
            found.append("scrolls sideways")
        if found:
            wrong[path] = found
    await context.close()

    assert not wrong, "\n".join(f"{path}  {one}" for path, found in wrong.items() for one in found)


@pytest.mark.parametrize("persona", PAGES)
async def test_pages_of_staff_fit_a_telephone(site: Site, browser: Browser, persona: str) -> None:
    context = await opened(browser, site, "zh", persona, viewport={"width": 320, "height": 640})
    page = context.pages[0]
    wide = []
    for path in PAGES[persona]:
        await page.goto(site.url + path)
        if await page.evaluate(SIDEWAYS):
            wide.append(path)
    await context.close()

    assert wide == []


async def test_a_console_page_with_all_it_loads_is_light(site: Site, browser: Browser) -> None:
    context = await opened(browser, site, "zh", "staff-operator-1")
    page = context.pages[0]
    heavy = {}
    for path in PAGES["staff-operator-1"]:
        await page.goto(site.url + path)
        loaded = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        total = await page.evaluate(f"{loaded}.reduce((sum, one) => sum + one.decodedBodySize, 0)")
        if not 0 < total <= BUDGET_BYTES:
            heavy[path] = total
    await context.close()

    assert heavy == {}


async def test_health_comes_up_to_date_by_itself_and_survives_a_failure(site: Site, browser: Browser) -> None:
    context = await opened(browser, site, "en", "staff-operator-1")
    page = context.pages[0]
    await page.clock.install()
    await page.goto(f"{site.url}/console/platform")
    assert await page.locator("text=2 services are not well").count() == 1

    site.overlay.answers["GET", "/v1/platform"] = cases.refusal(503, "SERVICE_UNAVAILABLE")
    async with page.expect_response("**/console/platform"):
        await page.clock.run_for(6_000)
    assert await page.locator("text=2 services are not well").count() == 1

    site.overlay.answers["GET", "/v1/platform"] = platform.well()
    async with page.expect_response("**/console/platform"):
        await page.clock.run_for(6_000)
    await page.locator("text=All 5 services are well").wait_for()
    await context.close()


async def test_one_person_accepts_by_keyboard_and_another_decides(site: Site, browser: Browser) -> None:
    answers = site.overlay.answers
    clerk = await opened(browser, site, "zh", "staff-clerk-1")
    page = clerk.pages[0]
    await page.goto(site.url + PAGE)
    answers["POST", f"/v1/cases/{CASE_NO}:accept"] = pb.AcceptCaseResponse(case=cases.in_review())
    cases.program(site.overlay, cases.in_review(accepted_by_me=True))
    await page.locator("section button").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**?done=accept")
    assert await page.locator("text=须由另一人决定").count() >= 1
    assert await page.locator("button", has_text="批准").count() == 0
    await clerk.close()

    supervisor = await opened(browser, site, "zh")
    page = supervisor.pages[0]
    await log_in(page, site, "staff-supervisor-1")
    cases.program(site.overlay, cases.in_review())
    answers["GET", "/v1/cases"] = cases.a_queue(cases.in_review())
    await page.goto(f"{site.url}/desk/cases?queue=to_decide")
    await page.locator("tbody a").click()
    answers["POST", f"/v1/cases/{CASE_NO}:decide"] = pb.DecideCaseResponse(case=cases.a_case())
    decided = cases.in_review(state=pb.CASE_STATE_APPROVED, outcome=pb.CASE_OUTCOME_APPROVED)
    answers["GET", f"/v1/cases/{CASE_NO}"] = cases.shown(decided)
    await page.get_by_role("button", name="批准", exact=True).click()
    await page.wait_for_url("**?done=approve")
    assert await page.locator("text=已批准，正在办理。").count() == 1
    await supervisor.close()
