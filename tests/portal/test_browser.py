"""Every page in a real browser: no accessibility faults, within its budget, no scripts or styles inside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from hrss.card.v1 import card_service_pb2
from tests.plugins.marks import slow
from tests.portal import answers, paid, register
from tests.portal.browser import chromium, faults, needs_chromium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser, BrowserContext, Page

    from tests.portal.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]

PUBLIC = (
    "/",
    "/items",
    "/items?q=BE",
    "/items/BE01",
    "/items/EN05",
    "/bundles/PK05",
    "/help",
    "/track",
    "/no-such-page",
)
OWN = (
    "/me",
    "/insurance",
    "/contributions?year=2025",
    "/account",
    "/benefits",
    "/estimate",
    "/card",
    "/card/code",
    "/card/loss",
    "/card/lift",
    "/family",
    "/family/invite",
    f"/family/{answers.ASKED_FOR}/agree",
    f"/family/{answers.ACTED_FOR}/end",
    f"/family/{answers.ACTED_FOR}/code",
    "/apply/BE01",
    "/apply/CA06",
    "/apply/TR01",
    "/apply/CA03",
    "/apply/PK05",
    f"/cases/{answers.BUNDLE_NO}",
    f"/cases/{answers.PART_NO}/correct",
    "/cases",
    f"/cases/{answers.CASE_NO}",
    f"/cases/{answers.CASE_NO}/done",
    f"/cases/{answers.CASE_NO}/withdraw",
    "/messages",
    "/login/stronger?acr=3&next=/card",
    "/logout",
)
VARIANTS = {
    "zh": ("zh", "standard", "light"),
    "en": ("en", "standard", "dark"),
    "elder": ("zh", "elder", "light"),
    "elder-dark": ("zh", "elder", "dark"),
}
# Every page in every variant takes minutes. The default run looks at one page of each kind, the long run at all.
EACH = [slow("zh"), slow("en"), slow("elder"), slow("elder-dark")]
ONE_OF_EACH = ("/items", "/items/BE01", "/help", "/card", "/apply/BE01", f"/cases/{answers.CASE_NO}")
BUDGET_BYTES = 60 * 1024
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# What a finger has to hit. Links inside a sentence are excused, as WCAG 2.2 excuses them.
TARGETS = """least => [...document.querySelectorAll(
    'button, .button, select, summary, .choice, nav a, .tiles a, input:not([type=hidden], [type=radio], .choice input)'
)].filter(one => one.offsetParent && one.getBoundingClientRect().height < least - 0.5)
  .map(one => one.outerHTML.slice(0, 90))"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for the module."""
    async with chromium() as running:
        yield running


async def opened(browser: Browser, site: Site, variant: str, persona: str = "", **more: Any) -> BrowserContext:
    """A context with language, mode and colours, logged in when a persona is named."""
    language, mode, colours = VARIANTS[variant]
    context = await browser.new_context(locale=language, color_scheme=colours, reduced_motion="reduce", **more)  # type: ignore[arg-type] # one of two words
    page = await context.new_page()
    await page.goto(f"{site.url}/help?lang={language}&mode={mode}")
    if persona:
        await log_in(page, site, persona)
    return context


async def log_in(page: Page, site: Site, persona: str, acr: int = 3) -> None:
    """Through the provider's page, as a person does."""
    await page.goto(f"{site.url}/login")
    await page.check(f'input[name=persona][value="{persona}"]')
    await page.check(f'input[name=acr][value="{acr}"]')
    await page.click("button[type=submit]")
    await page.wait_for_url(f"{site.url}/**")
    assert await page.locator("form[action='/logout']").count() == 1, await page.inner_text("main")


@pytest.mark.parametrize(
    ("variant", "paths"),
    [("zh", ONE_OF_EACH), *(slow(variant, (*PUBLIC, *OWN)) for variant in VARIANTS)],
    ids=["zh-one-of-each", *VARIANTS],
)
async def test_no_page_has_an_accessibility_fault(
    site: Site, browser: Browser, variant: str, paths: Sequence[str]
) -> None:
    answers.program_cases(site.overlay, answers.case(todo="请补充材料", correction_points=["材料不清"]))
    elder = VARIANTS[variant][1] == "elder"
    context = await opened(browser, site, variant, await site.persona())
    page = context.pages[0]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Content Security Policy" in message.text else None)
    wrong: dict[str, list[str]] = {}
    for path in paths:
        await page.goto(site.url + path)
        found = await wrong_on(page, elder=elder)
        if found:
            wrong[path] = found
    await context.close()

    assert not wrong, "\n".join(f"{path}  {one}" for path, found in wrong.items() for one in found)
    assert said == []


async def wrong_on(page: Page, *, elder: bool) -> list[str]:
    """What is wrong with the open page: faults, small targets, scrolling sideways."""
    found = await faults(page, elder=elder)
    found += [f"too small: {one}" for one in await page.evaluate(TARGETS, 60 if elder else 44)]
    if await page.evaluate(SIDEWAYS):
        found.append("scrolls sideways")
    return found


# For the default run one page of each kind: a drawing, years, figures, forms, a file, verdicts, pairs.
_SOME = ("/insurance", "/contributions/all", "/account", "/covers", "/lists/roster", "/books", "/duplicates", "/funds")
_SOME_PAID = ("/estimate/compare", f"/payrolls/{paid.PAYROLL}")


@pytest.mark.parametrize("pages", [slow("some"), slow("all")])
async def test_pages_of_the_register_have_no_fault_on_a_telephone_and_a_desk(
    site: Site, browser: Browser, pages: str
) -> None:
    """All of them, each in one variant in turn and without scrolling at a desk too; by default some."""
    register.program(site.echo)
    answers.program_cases(site.overlay)
    visitors = (
        (await site.persona(), register.CITIZEN_PAGES, "elder-dark"),
        ("staff-clerk-1", register.CLERK_PAGES, "zh"),
        ("staff-supervisor-1", register.SUPERVISOR_PAGES, "en"),
    )
    wrong = {
        path: found
        for visitor in visitors
        for path, found in (await wrong_for(site, browser, *visitor, some=() if pages == "all" else _SOME)).items()
    }

    assert not wrong, "\n".join(f"{path}  {one}" for path, found in wrong.items() for one in found)


@pytest.mark.parametrize("pages", [slow("some"), slow("all")])
async def test_pages_of_the_benefits_have_no_fault_on_a_telephone_and_a_desk(
    site: Site, browser: Browser, pages: str
) -> None:
    """As those of the register."""
    paid.program(site.echo)
    visitors = (
        (await site.persona(), paid.CITIZEN_PAGES, "elder"),
        ("staff-clerk-1", paid.CLERK_PAGES, "zh"),
        *((("staff-supervisor-1", paid.SUPERVISOR_PAGES, "en"),) if pages == "all" else ()),
    )
    wrong = {
        path: found
        for visitor in visitors
        for path, found in (await wrong_for(site, browser, *visitor, some=() if pages == "all" else _SOME_PAID)).items()
    }

    assert not wrong, "\n".join(f"{path}  {one}" for path, found in wrong.items() for one in found)


async def wrong_for(
    site: Site, browser: Browser, who: str, paths: Sequence[str], usual: str, *, some: Sequence[str]
) -> dict[str, list[str]]:
    """What is wrong with pages of a visitor: some in the usual variant, or all, each in one variant in turn."""
    wrong: dict[str, list[str]] = {}
    for number, variant in enumerate((usual,) if some else VARIANTS):
        asked = [one for one in paths if any(part in one for part in some)] if some else paths[number :: len(VARIANTS)]
        if not asked:
            continue
        context = await opened(browser, site, variant, who)
        page = context.pages[0]
        for path in asked:
            await page.set_viewport_size({"width": 1280, "height": 800})
            await page.goto(site.url + path)
            found = ["scrolls sideways at a desk"] if await page.evaluate(SIDEWAYS) else []
            await page.set_viewport_size({"width": 375, "height": 800})
            found += await wrong_on(page, elder=VARIANTS[variant][1] == "elder")
            if found:
                wrong[f"{variant} {path}"] = found
        await context.close()
    return wrong


@pytest.mark.parametrize("paths", [ONE_OF_EACH, slow((*PUBLIC, *OWN))], ids=["one-of-each", "all"])
async def test_pages_fit_a_telephone_and_four_times_the_size(
    site: Site, browser: Browser, paths: Sequence[str]
) -> None:
    answers.program_cases(site.overlay)
    context = await opened(browser, site, "zh", await site.persona(), viewport={"width": 320, "height": 640})
    page = context.pages[0]
    wide = []
    for path in paths:
        await page.goto(site.url + path)
        if await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(path)
    await context.close()

    assert wide == []


async def test_elder_mode_has_large_letters_and_is_remembered(site: Site, browser: Browser) -> None:
    context = await opened(browser, site, "elder")
    page = context.pages[0]
    await page.goto(site.url)
    size = await page.evaluate("getComputedStyle(document.querySelector('footer a').closest('body')).fontSize")
    few = await page.locator(".tiles a").count()
    await page.click("text=返回标准模式")
    many = await page.locator(".tiles a").count()
    await context.close()

    assert size == "24px"
    assert few < many


async def test_the_catalogue_is_searched_while_typing(site: Site, browser: Browser) -> None:
    context = await opened(browser, site, "en")
    page = context.pages[0]
    await page.goto(f"{site.url}/items")
    await page.locator("#q").press_sequentially("syb")

    await expect(page.locator("#found li")).to_have_count(2)
    assert await page.evaluate("document.activeElement.id") == "q"
    await context.close()


async def test_a_life_with_the_pages(site: Site, browser: Browser) -> None:
    persona = await site.persona()  # before the provider's page is made
    context = await opened(browser, site, "en")
    page = context.pages[0]

    await page.goto(site.url)
    await page.click("text=See my contributions")
    await page.check(f'input[name=persona][value="{persona}"]')
    await page.click("button[type=submit]")
    await page.wait_for_url(f"{site.url}/contributions")
    assert await page.locator("tbody tr").count() == 12

    await page.goto(f"{site.url}/estimate")
    await page.fill("input[name=retirement_month]", "2027/3")
    await page.click("main button")
    assert "This is not a decision" in await page.inner_text("main")
    await page.click("summary >> nth=0")
    assert "Calculation base" in await page.inner_text("main")

    await page.goto(f"{site.url}/items/BE01")
    await page.click("text=Start >> visible=true")
    assert await page.input_value("input[name='form.pension.retirement_month']") == "2026-07"
    await page.fill("input[name='form.pension.payee.name']", "张示例")
    await page.click("text=Next: check")
    assert "Fill in" in await page.inner_text("#error-summary")
    await page.fill("input[name='form.pension.payee.account']", "6222 0212 3456 7890")
    await page.click("text=Next: check")
    assert "6222021234567890" in await page.inner_text("main")
    await page.click("text=Hand it in")
    await page.wait_for_url(f"{site.url}/cases/*/done")
    number = await page.inner_text(".case-no")
    await page.click("text=Follow it")
    assert "handed in" in await page.inner_text("main")
    await page.goto(f"{site.url}/messages")
    await page.goto(f"{site.url}/track")
    await page.fill("input[name=case_no]", number)
    await page.fill("input[name=last_four]", answers.ID_NO[-4:])
    await page.click("main button")
    assert "handed in" in await page.inner_text("main")
    await context.close()

    estimated = [seen.request for seen in site.echo.seen if seen.method == "EstimatePension"]
    assert (estimated[-1].retirement_month.year, estimated[-1].retirement_month.month) == (2027, 3)


async def test_the_code_is_renewed_by_script_and_by_link(site: Site, browser: Browser) -> None:
    tokens = iter(f"S1{'A' * 180}{number}" for number in range(1000))
    site.echo.answer(
        "MintToken",
        lambda _request: card_service_pb2.MintTokenResponse(token=next(tokens), valid_seconds=60, refresh_seconds=1),
    )
    context = await opened(browser, site, "en", await site.persona())
    page = context.pages[0]
    await page.goto(f"{site.url}/card/code")
    first = await page.inner_html("#code")

    await expect(page.locator("#code")).not_to_contain_text(re.search(r"[\d:]{8}", first)[0])  # type: ignore[index] # it is there
    second = await page.inner_html("#code")
    await page.click("text=A new code")
    third = await page.inner_html("#code")
    await context.close()

    assert len({first, second, third}) == 3


async def test_a_page_weighs_at_most_sixty_kilobytes(site: Site) -> None:
    answers.program_cases(site.overlay)
    weights: dict[str, int] = {}
    async with site.browser(await site.persona(), acr=3) as visitor:
        loaded = {
            name: await weigh(visitor, site.gateway.portal._assets.path(name)) for name in ("portal.css", "htmx.js")
        }
        for path in (*PUBLIC, *OWN):
            weights[path] = await weigh(visitor, path) + sum(loaded.values())

    assert {path: bytes_ for path, bytes_ in weights.items() if bytes_ > BUDGET_BYTES} == {}


async def weigh(visitor: Any, path: str) -> int:
    """Bytes on the wire of an answer's body."""
    async with visitor.http.stream("GET", path) as answer:
        return sum([len(piece) async for piece in answer.aiter_raw()])
