"""How pages are served: find the visitor, let nobody in who may not, render, and say what went wrong in words.

Order: session → who may come → form and its token → the page → problems in words → headers and compression.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import jinja2
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from chassis.logs import get_logger
from chassis.sealed import Sealer
from kernel.errors import DomainError
from services.gateway.portal import kept, login
from services.gateway.portal.assets import Assets, takes_gzip
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem, PublicApi, Visitor
from services.gateway.portal.sessions import Login, Session, Sessions
from services.gateway.portal.visit import TICK, FormRefused, LoginNeeded, NotInsured, Visit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import date

    from starlette.requests import Request

    from chassis.database import Database
    from services.gateway.portal.public_api import Asgi
    from services.gateway.settings import GatewaySettings

log = get_logger(__name__)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # A page shows a person, or a form that is bound to a browser: no cache keeps either.
    "Cache-Control": "private, no-store",
    "Vary": "Accept-Language, Accept-Encoding, Cookie",
}
_REMEMBER_SECONDS = 365 * 86_400  # language and mode
_REFRESH_SECONDS = 30.0  # a token that ends sooner is renewed before the page
_PACK_BYTES = 600  # below that packing gains nothing
_NEXT = re.compile(r"/(?![/\\])[\x21-\x7e]{0,500}", re.ASCII)  # a path of our own, never another site
_SERVER_ERROR = 500


class Portal:
    """The pages with what they need. Make it inside the running event loop.

    Args:
        settings: Of the gateway.
        database: Of the gateway; holds the sessions.
        api: The gateway's own `/v1`.
        today: The business day.
        pages: What is served.
        values: What every template may use besides.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        database: Database,
        api: Asgi,
        today: Callable[[], date],
        pages: Iterable[Page],
        **values: Any,
    ) -> None:
        sealer = Sealer.load(settings.keys_dir / "gateway.sealed.key")
        self._sealer = sealer
        self._is_prod = settings.is_prod
        self._api = PublicApi(api)
        self._sessions = Sessions(database, sealer, today)
        self._provider = login.Provider(settings.idp_issuer, sealer, url=settings.idp_url)
        self._assets = Assets()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("services.gateway.portal", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._shared = {"asset": self._assets.path, "is_prod": settings.is_prod, "today": today, **values}
        # In production browsers hold these two to the host itself and to encrypted connections.
        self._session_cookie = "__Host-hrss" if settings.is_prod else "hrss-session"
        self._browser_cookie = "__Host-hrss-form" if settings.is_prod else "hrss-form"
        self._login_cookie = "__Host-hrss-login" if settings.is_prod else "hrss-login"
        self._kept_cookie = "__Host-hrss-kept" if settings.is_prod else "hrss-kept"
        self._refreshing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        own = (
            Page("/login", self._login),
            Page("/login/callback", self._callback),
            Page("/login/stronger", self._stronger),
            Page("/logout", self._logout, methods=("GET", "POST")),
        )
        self.routes = [
            Route("/assets/{digest}/{name}", self._assets.serve),
            *(Route(page.path, self._endpoint(page), methods=list(page.methods)) for page in (*own, *pages)),
        ]

    async def close(self) -> None:
        """Let go of the connections to the provider."""
        await self._provider.close()

    async def missing(self, request: Request, _error: Exception) -> Response:
        """A page that does not exist."""
        visit = await self._visit(request)
        return self._finish(visit, visit.render("missing.html", 404))

    async def failed(self, request: Request, error: Exception) -> Response:
        """A page that we failed to make; without session, which may be what failed."""
        log.error("page_failed", exc_info=error)
        visit = self._plain_visit(request, None)
        return self._finish(visit, visit.render("failed.html", _SERVER_ERROR, problem=None))

    # -- one request

    def _endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                visit = await self._visit(request)
            except DomainError as error:  # the database is away
                log.warning("session_not_read", reason=error.reason)
                visit = self._plain_visit(request, None)
                return self._finish(visit, visit.render("failed.html", 503, problem=None))
            return self._finish(visit, await self._answer(visit, page))

        return answer

    async def _answer(self, visit: Visit, page: Page) -> Response:
        try:
            _admit(visit, page)
            if visit.request.method == "POST":
                await visit.read_form(page.file_max)
            return self._kept(visit) or await page.handler(visit)
        except LoginNeeded as need:
            return self._keep(visit, self._ask_for_login(visit, need.acr, page))
        except FormRefused:
            return visit.render("stale.html", 400)
        except NotInsured:
            return visit.render("not_insured.html", 403)
        except ApiProblem as problem:
            if not problem.needs_login:
                return problem_page(visit, problem)
            if problem.acr == 0 and visit.session is not None:  # the provider took the login back
                await self._sessions.end(visit.session.id)
                visit.session = None
            return self._keep(visit, self._ask_for_login(visit, problem.acr, page))

    def _keep(self, visit: Visit, response: Response) -> Response:
        """Let what was filled in come back after the stronger login."""
        if visit.session is None or not visit.form or visit.files:
            return response
        subject = visit.session.login.subject
        cookie = kept.seal(self._sealer, subject=subject, path=visit.path, form=visit.form)
        if cookie:
            self._set_cookie(response, self._kept_cookie, cookie, kept.KEPT_SECONDS)
        return response

    def _kept(self, visit: Visit) -> Response | None:
        """The form of before, to be sent again with one press; None where there is none for this page and login."""
        cookie = visit.request.cookies.get(self._kept_cookie, "")
        if not cookie or visit.session is None or visit.request.method != "GET":
            return None
        form = kept.unseal(self._sealer, cookie, subject=visit.session.login.subject, path=visit.path)
        if form is None:
            return None
        response = visit.render("kept.html", form=form)
        response.delete_cookie(self._kept_cookie, path="/", secure=self._is_prod, httponly=True, samesite="lax")
        return response

    def _ask_for_login(self, visit: Visit, acr: int, page: Page) -> Response:
        if visit.session is not None and page.roles and not page.roles & visit.roles:
            return visit.render("other_role.html", 403)
        path = "/login/stronger" if visit.session is not None and acr else "/login"
        return visit.go(f"{path}?{_query(next=visit.address, acr=acr)}")

    async def _visit(self, request: Request) -> Visit:
        session_id = request.cookies.get(self._session_cookie, "")
        used = request.method != "GET" or TICK not in request.query_params
        session = await self._sessions.find(session_id, touch=used) if session_id else None
        if session is not None and session.login.token_end - time.time() < _REFRESH_SECONDS:
            session = await self._refreshed(session)
        return self._plain_visit(request, session)

    def _plain_visit(self, request: Request, session: Session | None) -> Visit:
        return Visit(
            request,
            session=session,
            browser=session.id if session else request.cookies.get(self._browser_cookie, ""),
            api=self._api,
            templates=self._templates,
            shared=self._shared,
        )

    async def _refreshed(self, session: Session) -> Session | None:
        """The session with a token that lives. A refresh token is good once: whoever was faster is followed."""
        lock = self._refreshing.setdefault(session.id, asyncio.Lock())
        async with lock:
            now = await self._sessions.find(session.id, touch=False)
            if now is None or now.login.token_end - time.time() >= _REFRESH_SECONDS:
                return now
            try:
                tokens = await self._provider.refresh(now.login.refresh_token)
            except login.LoginFailed as failure:
                if now.login.token_end > time.time():
                    return now  # good for a moment still
                if failure.reason == "provider_away":
                    return None
                again = await self._sessions.find(session.id, touch=False)  # another process may have refreshed it
                if again is not None and again.login.token_end > time.time():
                    return again
                await self._sessions.end(session.id)
                return None
            return await self._sessions.keep(
                now, token=tokens.token, refresh_token=tokens.refresh_token, token_end=tokens.end
            )

    def _finish(self, visit: Visit, response: Response) -> Response:
        request = visit.request
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Content-Language"] = "zh-CN" if visit.language == "zh" else "en"
        if self._is_prod:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        for name, value in (("lang", visit.language), ("mode", "elder" if visit.elder else "standard")):
            if request.query_params.get(name) == value:
                self._set_cookie(response, f"hrss-{name}", value, _REMEMBER_SECONDS)
        if visit.is_new_browser and visit.browser:
            self._set_cookie(response, self._browser_cookie, visit.browser)
        if isinstance(response, HTMLResponse) and len(response.body) > _PACK_BYTES and takes_gzip(request):
            response.body = gzip.compress(bytes(response.body), 6)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Length"] = str(len(response.body))
        return response

    def _set_cookie(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self._is_prod, httponly=True, samesite="lax")

    # -- login and logout

    async def _login(self, visit: Visit) -> Response:
        asked = visit.query.get("acr", "0")
        acr = int(asked) if asked in {"1", "2", "3", "4"} else 0
        try:
            url, cookie = await self._provider.depart(
                home=self._own_address(visit.request), next_path=_own_path(visit.query.get("next", "")), acr=acr
            )
        except login.LoginFailed as failure:
            return visit.render("login_failed.html", 503, reason=failure.reason)
        response = visit.go(url)
        self._set_cookie(response, self._login_cookie, cookie, login.DEPARTURE_SECONDS)
        return response

    async def _stronger(self, visit: Visit) -> Response:
        asked = visit.query.get("acr", "3")
        acr = int(asked) if asked in {"2", "3", "4"} else 3
        return visit.render("stronger.html", acr=acr, next=_own_path(visit.query.get("next", "")))

    async def _callback(self, visit: Visit) -> Response:
        try:
            cookie = visit.request.cookies.get(self._login_cookie, "")
            tokens, next_path, acr = await self._provider.arrive(cookie, visit.query)
        except login.LoginFailed as failure:
            return visit.render("login_failed.html", 400, reason=failure.reason)
        me = await self._api.get(Visitor(visit.language, tokens.token), "/v1/me")
        entered = Login(
            token=tokens.token,
            refresh_token=tokens.refresh_token,
            token_end=tokens.end,
            subject=me["subject"],
            roles=tuple(me["roles"]),
            acr=me["acr"],
            person_id=me["person_id"],
            name_masked=me["name_masked"],
        )
        old = visit.request.cookies.get(self._session_cookie, "")
        visit.session = await self._sessions.start(entered, instead_of=old)
        if entered.acr < acr:  # asking again at once would go round in circles
            response = visit.render("login_failed.html", 403, reason="too_weak")
        else:
            response = visit.go(next_path or visit.home)
        self._set_cookie(response, self._session_cookie, visit.session.id)
        response.delete_cookie(self._login_cookie, path="/", secure=self._is_prod, httponly=True, samesite="lax")
        return response

    async def _logout(self, visit: Visit) -> Response:
        if visit.request.method == "GET":
            return visit.render("logout.html") if visit.session else visit.go("/")
        if visit.session is not None:
            await self._sessions.end(visit.session.id)
        response = visit.go("/?bye=1")
        for name in (self._session_cookie, self._browser_cookie, self._kept_cookie):
            response.delete_cookie(name, path="/", secure=self._is_prod, httponly=True, samesite="lax")
        return response

    def _own_address(self, request: Request) -> str:
        """How the browser calls this gateway. The provider holds it against the addresses that were registered."""
        scheme = "https" if self._is_prod else request.url.scheme
        return f"{scheme}://{request.url.netloc}"


def _admit(visit: Visit, page: Page) -> None:
    """Let in who may come. Raises LoginNeeded."""
    if page.roles and not page.roles & visit.roles:
        raise LoginNeeded(page.acr)
    if page.acr and (visit.session is None or visit.session.login.acr < page.acr):
        raise LoginNeeded(page.acr)


def problem_page(visit: Visit, problem: ApiProblem) -> Response:
    """A page that says what the API refused, why, and what to do."""
    template = "missing.html" if problem.status == 404 else "failed.html"  # noqa: PLR2004 - HTTP
    return visit.render(template, problem.status, problem=problem)


def _own_path(given: str) -> str:
    return given if _NEXT.fullmatch(given) else ""


def _query(**given: object) -> str:
    return urlencode({name: value for name, value in given.items() if value})
