"""Server-rendered pages: one base, one style sheet, no request to anybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2
from starlette.responses import HTMLResponse, Response

from services.gateway.edge.problems import language_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.gateway.edge.catalogue import Language
    from services.gateway.settings import GatewaySettings

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Language",
}


class Html:
    """Renders templates in the language that is asked for: `?lang=`, else Accept-Language."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("services.gateway", "pages"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        """A page."""
        language = language_asked(request)
        text = self._templates.get_template(name).render(
            language=language,
            other="en" if language == "zh" else "zh",
            path=request.url.path,
            base=f"{request.url.scheme}://{request.url.netloc}",
            env=self._settings.env,
            issuer=self._settings.idp_issuer,
            **values,
        )
        headers = {**_HEADERS, "Content-Language": "zh-CN" if language == "zh" else "en"}
        return HTMLResponse(text, status, headers)

    async def not_found(self, request: Request, _error: Exception) -> Response:
        """A page that does not exist."""
        return self.page(request, "missing.html", 404)

    async def failed(self, request: Request, _error: Exception) -> Response:
        """A page that we failed to make."""
        return self.page(request, "missing.html", 500)


def language_asked(request: Request) -> Language:
    """The language of a page."""
    asked = request.query_params.get("lang", "")
    if asked in {"zh", "en"}:
        return "zh" if asked == "zh" else "en"
    return language_of(request.headers.get("accept-language", ""))
