"""The login of a browser: leaving, coming back, step-up, forms that belong to a browser, and the end."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from hrss.card.v1 import card_pb2, card_service_pb2
from services.gateway.portal.all_pages import ALL_PAGES
from services.gateway.portal.portal import Portal
from services.gateway.portal.sessions import IDLE, LIFE
from tests.plugins.databases import owner_execute, owner_fetch
from tests.portal.answers import CARD, card
from tests.portal.site import HIDDEN

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_page_of_records_asks_for_a_login_and_comes_back(site: Site) -> None:
    persona = await site.persona()
    async with site.browser() as visitor:
        asked = await visitor.get("/contributions?year=2025")

        arrived = await visitor.log_in(persona, path=asked.headers["location"])
        page = await visitor.get(arrived.headers["location"])

    assert asked.status_code == 303
    assert arrived.headers["location"] == "/contributions?year=2025"
    assert page.status_code == 200
    assert "Contributions in 2025" in page.text


async def test_a_session_lies_hashed_and_sealed(site: Site) -> None:
    async with site.browser(await site.persona()) as visitor:
        cookie = visitor.http.cookies["hrss-session"]
        token = site.overlay.seen[-1][2]["authorization"].removeprefix("Bearer ")
        rows = await owner_fetch(site.gateway.database, "SELECT * FROM portal_session")

    stored = b"".join(bytes(value) for row in rows for value in row.values() if isinstance(value, bytes))
    assert rows
    assert cookie.encode() not in stored
    assert token.encode() not in stored
    assert "张".encode() not in stored


async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    async with site.browser() as visitor:
        leaving = await visitor.get("/login")
        arrived = await visitor.log_in(await site.persona())

    for answer, name in ((leaving, "hrss-login"), (arrived, "hrss-session")):
        cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie


async def test_in_production_cookies_are_bound_to_the_host_and_to_tls(site: Site) -> None:
    gateway = site.gateway
    settings = gateway.settings.model_copy(update={"env": "prod"})
    portal = Portal(settings, gateway.database, site.overlay, lambda: gateway.clock.today, ALL_PAGES, sources={})
    transport = httpx.ASGITransport(Starlette(routes=portal.routes))
    async with httpx.AsyncClient(transport=transport, base_url="https://hrss.example") as http:
        leaving = await http.get("/login")
        page = await http.get("/track")
    await portal.close()

    left, shown = leaving.headers["set-cookie"], page.headers["set-cookie"]
    assert left.startswith("__Host-hrss-login=")
    assert shown.startswith("__Host-hrss-form=")
    for cookie in (left, shown):
        assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie
    assert parse_qs(urlsplit(leaving.headers["location"]).query)["redirect_uri"] == [
        "https://hrss.example/login/callback"
    ]
    assert "max-age" in page.headers["strict-transport-security"]
    assert "Development platform" not in page.text


async def test_leaving_shows_the_provider_a_challenge_and_no_verifier(site: Site) -> None:
    async with site.browser() as visitor:
        leaving = await visitor.get("/login?acr=3&next=/card")

    asked = parse_qs(urlsplit(leaving.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["client_id"] == ["hrss-portal"]
    assert asked["acr_values"] == ["3"]
    assert "code_verifier" not in asked
    assert "card" not in leaving.headers["location"]


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", ""]
)
async def test_a_login_never_leads_to_another_site(site: Site, elsewhere: str) -> None:
    async with site.browser() as visitor:
        arrived = await visitor.log_in(await site.persona(), path=f"/login?next={elsewhere}")

    assert arrived.headers["location"] == "/me"


async def test_a_code_that_another_browser_fetched_is_not_taken(site: Site) -> None:
    persona = await site.persona()
    async with site.browser() as victim, site.browser() as thief:
        await thief.get("/login")
        leaving = await victim.get("/login")
        page = await victim.http.get(leaving.headers["location"])
        form = {name: unescape(value) for name, value in _hidden(page.text).items()}
        back = await victim.http.post(f"{site.issuer}/authorize", data=form | {"persona": persona, "acr": "2"})

        stolen = await thief.get(back.headers["location"])

    assert stolen.status_code == 400
    assert "not begun here" in stolen.text


async def test_a_step_that_needs_more_asks_for_it_and_goes_on(site: Site) -> None:
    site.echo.answer("ListCards", card_service_pb2.ListCardsResponse(cards=[card(card_pb2.CARD_STATE_ISSUED)]))
    persona = await site.persona()
    async with site.browser(persona, acr=2) as visitor:
        refused = await visitor.get("/card/activate")
        explained = await visitor.get(refused.headers["location"])
        arrived = await visitor.log_in(persona, acr=3, path="/login?acr=3&next=/card/activate")
        page = await visitor.get(arrived.headers["location"])

    assert refused.headers["location"].startswith("/login/stronger?next=%2Fcard%2Factivate&acr=3")
    assert "confirm who you are" in explained.text
    assert "Put the card into use" in page.text


async def test_a_login_that_stays_too_weak_does_not_go_in_circles(site: Site) -> None:
    async with site.browser() as visitor:
        arrived = await visitor.log_in(await site.persona(), acr=2, path="/login?acr=3&next=/card/lift")

    assert arrived.status_code == 403
    assert "not strong enough" in arrived.text


async def test_a_form_belongs_to_the_browser_that_was_shown_it(site: Site) -> None:
    persona = await site.persona()
    async with site.browser(persona) as mine, site.browser(persona) as other:
        form = _hidden((await other.get("/card/loss")).text)

        without = await mine.http.post("/card/loss", data={"key": "key-12345678"})
        foreign = await mine.http.post("/card/loss", data=form)
        good = await mine.post("/card/loss")

    assert (without.status_code, foreign.status_code, good.status_code) == (400, 400, 303)
    assert [seen.request.card_id for seen in site.echo.seen if seen.method == "ReportLoss"] == [CARD]


async def test_a_form_without_a_login_has_its_token_too(site: Site) -> None:
    async with site.browser() as visitor:
        refused = await visitor.http.post("/track", data={"case_no": "1", "last_four": "1234"})
        shown = await visitor.post("/track", {"case_no": "", "last_four": ""})

    assert refused.status_code == 400
    assert "expired" in refused.text
    assert 'aria-invalid="true"' in shown.text


async def test_logging_out_ends_the_session_on_the_server(site: Site) -> None:
    async with site.browser(await site.persona()) as visitor:
        cookie = visitor.http.cookies["hrss-session"]
        by_link = await visitor.get("/logout")
        out = await visitor.post("/logout", at="/me")
        visitor.http.cookies.set("hrss-session", cookie)
        page = await visitor.get("/me")

    assert by_link.status_code == 200
    assert out.headers["location"] == "/?bye=1"
    assert page.headers["location"].startswith("/login?")


@pytest.mark.parametrize(
    ("column", "back"), [("use_time", IDLE["person"] + timedelta(seconds=1)), ("end_time", LIFE + timedelta(seconds=1))]
)
async def test_a_session_ends_by_itself(site: Site, column: str, back: timedelta) -> None:
    async with site.browser(await site.persona()) as visitor:
        moved = f"{column} = {column} - {_sql(back)}"
        if column == "end_time":
            moved += f", create_time = create_time - {_sql(back)}"
        await owner_execute(site.gateway.database, f"UPDATE portal_session SET {moved}")

        page = await visitor.get("/me")

    assert page.headers["location"].startswith("/login?")


async def test_staff_are_logged_out_sooner(site: Site) -> None:
    assert IDLE["staff"] == timedelta(minutes=15)
    assert IDLE["person"] == timedelta(minutes=30)
    async with site.browser("staff-clerk-1", acr=4) as visitor:
        ago = timedelta(minutes=16)
        await owner_execute(
            site.gateway.database, f"UPDATE portal_session SET use_time = use_time - {_sql(ago)} WHERE kind = 'staff'"
        )
        page = await visitor.get("/logout")

    assert page.headers["location"] == "/"


async def test_a_token_that_ends_is_renewed_without_a_word(site: Site) -> None:
    async with site.browser(await site.persona()) as visitor:
        session = await site.gateway.portal._sessions.find(visitor.http.cookies["hrss-session"])
        assert session is not None
        login = session.login
        await site.gateway.portal._sessions.keep(
            session, token=login.token, refresh_token=login.refresh_token, token_end=1.0
        )

        page = await visitor.get("/me")
        renewed = await site.gateway.portal._sessions.find(session.id)

    assert page.status_code == 200
    assert renewed is not None
    assert renewed.login.token_end > 1.0
    assert renewed.login.refresh_token != login.refresh_token


async def test_a_login_that_cannot_be_renewed_asks_for_a_new_one(site: Site) -> None:
    async with site.browser(await site.persona()) as visitor:
        session = await site.gateway.portal._sessions.find(visitor.http.cookies["hrss-session"])
        assert session is not None
        await site.gateway.portal._sessions.keep(session, token="gone", refresh_token="gone", token_end=1.0)

        page = await visitor.get("/me")

    assert page.headers["location"].startswith("/login?next=%2Fme")


async def test_somebody_else_is_told_that_the_page_is_not_for_them(site: Site) -> None:
    async with site.browser("staff-clerk-1", acr=4) as visitor:
        page = await visitor.get("/me")

    assert page.status_code == 403
    assert "another login" in page.text


def _sql(span: timedelta) -> str:
    return f"interval '{int(span.total_seconds())} seconds'"


def _hidden(text: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in HIDDEN.findall(text)}
