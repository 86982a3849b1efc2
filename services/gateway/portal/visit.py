"""One request of one visitor: who it is, in which language, how the page should look, and what a page needs to answer.

Pages call the API through it, read their form from it and render with it; nothing of a visit outlives the answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.gateway.edge.problems import language_of
from services.gateway.portal import multipart
from services.gateway.portal.page import ELDER_LINKS, HOMES, NAVIGATION
from services.gateway.portal.public_api import Visitor
from services.gateway.portal.texts import Texts
from services.gateway.portal.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import jinja2
    from starlette.requests import Request

    from services.gateway.edge.catalogue import Language
    from services.gateway.portal.page import Link
    from services.gateway.portal.public_api import PublicApi
    from services.gateway.portal.sessions import Session

FORM_MAX = 64 * 1024
_FIELDS_MAX = 100
_PATH_CHARACTERS = "/:@!$&'()*+,;=~"
TICK = "tick"  # in the query: a page renews itself, nobody has touched it
_TOKEN = "csrf"  # noqa: S105 - the name of the form's field, not a secret


class LoginNeeded(Exception):  # noqa: N818 - it says what happened
    """The page needs a login, or one of a higher level."""

    def __init__(self, acr: int = 0) -> None:
        super().__init__(f"acr {acr}")
        self.acr = acr


class FormRefused(Exception):  # noqa: N818 - it says what happened
    """A form that was not shown to this browser, or that is too large."""


class NotInsured(Exception):  # noqa: N818 - it says what happened
    """No insured person stands behind the login."""


class Visit:
    """One request and what is known of the visitor.

    Args:
        request: The request.
        session: The login of the browser.
        browser: The secret that the browser's cookie holds, session or not; forms are bound to it.
        api: The public API.
        templates: The environment of the templates.
        shared: Values that every template may use.
    """

    def __init__(
        self,
        request: Request,
        *,
        session: Session | None,
        browser: str,
        api: PublicApi,
        templates: jinja2.Environment,
        shared: Mapping[str, Any],
    ) -> None:
        self.request = request
        self.session = session
        self.browser = browser
        self.is_new_browser = not browser  # it has to be given its cookie
        self.api = api
        self.language: Language = _language(request)
        self.elder = _chosen(request, "mode", ("elder", "standard"), default="standard") == "elder"
        self.t = Texts(self.language)
        self.words = Words(self.t)
        self.form: dict[str, str] = {}
        self.files: dict[str, multipart.Upload] = {}
        self._templates = templates
        self._shared = shared
        self._person_id = session.login.person_id if session else ""

    @property
    def visitor(self) -> Visitor:
        """What API calls pass on."""
        client = self.request.client
        return Visitor(
            language=self.language,
            token=self.session.login.token if self.session else "",
            client=(client.host, client.port) if client else None,
            forwarded=self.request.headers.get("x-forwarded-for", ""),
            traceparent=self.request.headers.get("traceparent", ""),
        )

    @property
    def roles(self) -> frozenset[str]:
        """The roles of the login."""
        return frozenset(self.session.login.roles) if self.session else frozenset()

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for a part of the page that is open."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def query(self) -> Mapping[str, str]:
        """The query of the address."""
        return self.request.query_params

    @property
    def path(self) -> str:
        """The address without its query, as a link of our own: never "//elsewhere", whatever was asked for."""
        return "/" + quote(self.request.scope["path"].lstrip("/"), safe=_PATH_CHARACTERS)

    @property
    def address(self) -> str:
        """Path and query, without the switches of language and mode."""
        return self.here()

    @property
    def links(self) -> tuple[Link, ...]:
        """The navigation for this visitor."""
        found = next((links for role, links in NAVIGATION.items() if role in self.roles), NAVIGATION[""])
        return found[:ELDER_LINKS] if self.elder else found

    @property
    def home(self) -> str:
        """Where this login begins."""
        return next((path for role, path in HOMES.items() if role in self.roles), "/")

    def today(self) -> date:
        """The business day."""
        found: date = self._shared["today"]()
        return found

    def here(self, **switches: str) -> str:
        """The address of this page with switches (`lang`, `mode`) added or values of its query replaced."""
        kept = {name: value for name, value in self.query.items() if name not in {"lang", "mode", TICK}}
        query = urlencode({**kept, **switches})
        return f"{self.path}?{query}" if query else self.path

    # -- the API

    async def get(self, path: str, *, purpose: str = "", case_no: str = "", **query: object) -> Any:
        """Read through the public API; raises ApiProblem."""
        return await self.api.get(self.visitor, path, purpose=purpose, case_no=case_no, **query)

    async def look_up(self, path: str, **query: object) -> Any:
        """Read what is public, remembered for a minute; raises ApiProblem."""
        return await self.api.look_up(self.visitor, path, **query)

    async def post(
        self, path: str, body: Mapping[str, Any], *, key: str = "", purpose: str = "", case_no: str = ""
    ) -> Any:
        """Change through the public API; raises ApiProblem."""
        return await self.api.post(self.visitor, path, body, key=key, purpose=purpose, case_no=case_no)

    async def upload(self, name: str) -> dict[str, str]:
        """Hand the file of a field over; id and digest as commands name it. Raises ApiProblem."""
        file = self.files.get(name)
        stored = await self.api.upload(self.visitor, file.data if file else b"")
        return {"upload_id": stored["upload_id"], "digest": stored["digest"]}

    async def person_id(self) -> str:
        """The insured person behind the login, "per_…".

        Raises:
            NotInsured: There is none.
        """
        if not self._person_id:  # insured perhaps since the login
            self._person_id = (await self.get("/v1/me")).get("person_id", "")
        if not self._person_id:
            raise NotInsured
        return self._person_id

    # -- forms

    @property
    def csrf(self) -> str:
        """The token of a form, masked anew each time, so that compression betrays nothing of it."""
        if not self.browser:
            self.browser = secrets.token_urlsafe(32)
        mask = secrets.token_bytes(32)
        return base64.urlsafe_b64encode(mask + _xor(mask, _token_of(self.browser))).decode()

    @property
    def fresh_key(self) -> str:
        """An idempotency key for a form: sending it twice does it once."""
        return secrets.token_urlsafe(18)

    async def read_form(self, file_max: int = 0) -> None:
        """Read the form of a POST and check that this browser was shown it.

        Args:
            file_max: Bytes of the files that it may bring.

        Raises:
            FormRefused: It was not, or the form is too large.
        """
        pieces, size = [], 0
        async for piece in self.request.stream():
            pieces.append(piece)
            size += len(piece)
            if size > FORM_MAX + file_max:
                raise FormRefused
        body = b"".join(pieces)
        kind = self.request.headers.get("content-type", "")
        try:
            if file_max and multipart.is_multipart(kind):
                pairs, self.files = multipart.parse(kind, body)
            else:
                pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
            given = base64.urlsafe_b64decode(dict(pairs).get(_TOKEN, "").encode())
        except ValueError:
            raise FormRefused from None
        if not self.browser or len(given) != 64:  # noqa: PLR2004 - mask and token
            raise FormRefused
        if not hmac.compare_digest(_xor(given[:32], given[32:]), _token_of(self.browser)):
            raise FormRefused
        self.form = {name: value.strip() for name, value in pairs if name != _TOKEN}

    # -- answers

    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page."""
        words = self.words
        text = self._templates.get_template(template).render(
            **self._shared,
            visit=self,
            t=self.t,
            w=self.t.word,
            money=words.money,
            month=words.month,
            day=words.day,
            instant=words.instant,
            case_number=words.case_number,
            language=self.language,
            elder=self.elder,
            **values,
        )
        return HTMLResponse(text, status)

    def go(self, path: str) -> Response:
        """On to another page."""
        if self.is_partial:
            return Response(status_code=200, headers={"HX-Redirect": path})
        return RedirectResponse(path, 303)


def _language(request: Request) -> Language:
    chosen = _chosen(request, "lang", ("zh", "en"), default="")
    if chosen:
        return "zh" if chosen == "zh" else "en"
    return language_of(request.headers.get("accept-language", ""))


def _chosen(request: Request, name: str, known: tuple[str, ...], *, default: str) -> str:
    """A switch: of the address, else as it was remembered."""
    for given in (request.query_params.get(name, ""), request.cookies.get(f"hrss-{name}", "")):
        if given in known:
            return given
    return default


def _token_of(browser: str) -> bytes:
    return hmac.digest(browser.encode(), b"form", hashlib.sha256)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
