"""The Starlette shell: everything that is not `/v1`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from prometheus_client import REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as Page

from services.gateway.pages import docs, openapi
from services.gateway.pages.html import Html

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from services.gateway.edge.catalogue import Catalogue
    from services.gateway.edge.contract import Route
    from services.gateway.portal.portal import Portal
    from services.gateway.settings import GatewaySettings

FOLDER = Path(__file__).resolve().parent
_CACHE = "public, max-age=60"
_STATIC = {"site.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8"}


def make_shell(
    settings: GatewaySettings,
    routes: tuple[Route, ...],
    catalogue: Catalogue,
    *,
    readiness: Callable[[], Awaitable[Mapping[str, str]]],
    portal: Portal,
) -> Starlette:
    """The application for the portal, the reference, health and metrics."""
    html = Html(settings)
    description = openapi.describe(routes, catalogue, settings.idp_issuer)
    specification = orjson.dumps(description, option=orjson.OPT_INDENT_2)
    reference = docs.Reference(routes, catalogue, html)

    async def openapi_json(_request: Request) -> Response:
        return Response(specification, media_type="application/json", headers={"Cache-Control": _CACHE})

    async def healthz(_request: Request) -> Response:
        return _json({"alive": True})

    async def readyz(_request: Request) -> Response:
        missing = await readiness()
        return _json({"ready": not missing, "missing": dict(missing)}, 503 if missing else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def security_txt(_request: Request) -> Response:
        return PlainTextResponse((FOLDER / "security.txt").read_text("utf-8"))

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("not found\n", 404)
        return Response((FOLDER / name).read_bytes(), media_type=_STATIC[name], headers={"Cache-Control": _CACHE})

    async def home(request: Request) -> Response:
        return html.page(request, "home.html", counts=len(routes) + 1, missing=await readiness())

    pages = [
        *portal.routes,
        Page("/developers", home),
        Page("/docs", reference.page),
        Page("/docs/problems", reference.problems),
        Page("/docs/problems/{code}", reference.problem),
        Page("/static/{name}", static),
        Page("/openapi.json", openapi_json),
        Page("/healthz", healthz),
        Page("/readyz", readyz),
        Page("/.well-known/security.txt", security_txt),
    ]
    if not settings.is_prod:  # in production only the metrics port shows them
        pages.insert(0, Page("/metrics", metrics))
    return Starlette(routes=pages, exception_handlers={404: portal.missing, 500: portal.failed})


def _json(value: dict[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, {"Cache-Control": "no-store"}, "application/json")
