"""The routes of the local trace store: a list and a tree, as JSON and as a page in Chinese and English."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jinja2
from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import config, logs
from kernel.calendar import SHANGHAI
from ops import http
from ops.traces import receiver
from ops.traces.store import SPANS_MAX, Span, Store, Trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

HOST = "127.0.0.1"  # there is no login in front of it
LIMIT_DEFAULT = 50
LIMIT_MAX = 500
TRACEPARENT_PARTS = 4
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Hrss-Local": "trace-store; development only",
}
TEXTS = {
    "zh-CN": {
        "title": "链路追踪",
        "local": "本机开发用，仅存内存",
        "other": "en",
        "switch": "English",
        "all": "全部链路",
        "latest": "最近的链路",
        "none": "还没有收到链路数据。",
        "when": "时间（北京）",
        "trace": "链路",
        "span": "环节",
        "spans": "个环节",
        "service": "服务",
        "services": "经过的服务",
        "took": "耗时",
        "waterfall": "时间轴",
        "failed": "失败",
        "contains": "名称包含",
        "search": "查找",
        "number": "链路号或请求号",
        "go": "打开",
    },
    "en": {
        "title": "Traces",
        "local": "local, for development, in memory only",
        "other": "zh-CN",
        "switch": "中文",
        "all": "all traces",
        "latest": "Latest traces",
        "none": "No trace has arrived yet.",
        "when": "time (Beijing)",
        "trace": "trace",
        "span": "span",
        "spans": "spans",
        "service": "service",
        "services": "services",
        "took": "took",
        "waterfall": "waterfall",
        "failed": "failed",
        "contains": "name contains",
        "search": "search",
        "number": "trace or request number",
        "go": "open",
    },
}


class TracesSettings(http.LocalSettings):
    """Settings of the local trace store."""

    traces_host: str = Field(HOST, description="Address it listens on; the loopback, or that of a container.")
    traces_port: int = Field(0, ge=0, le=65535, description="Port of the OTLP gRPC receiver; 0 takes a free one.")
    traces_http_port: int = Field(8082, ge=0, le=65535, description="Port of the page; 0 takes a free one.")

    def problems(self) -> list[tuple[str, str, str]]:
        """Refuse production: nobody logs in here."""
        found = super().problems()
        if self.is_prod:
            found.append(("HRSS_ENV", "本机链路存储不用于生产环境", "the local trace store does not run in production"))
        return found + self.reach_problems("HRSS_TRACES_HOST", self.traces_host)


def main() -> None:
    """Run the store until a signal ends it."""
    settings = config.load(TracesSettings, service="traces")
    logs.configure(settings)
    listener = http.listen(settings.traces_host, settings.traces_http_port, variable="HRSS_TRACES_HTTP_PORT")
    app = create_app(Store(), otlp_host=settings.traces_host, otlp_port=settings.traces_port)
    http.serve(
        app,
        listener,
        ready_file=settings.ready_file,
        name="traces",
        details=lambda: {"otlp": f"{settings.traces_host}:{app.state.otlp_port}"},
    )


def create_app(store: Store, *, otlp_host: str = HOST, otlp_port: int = 0) -> Starlette:
    """The store's pages; the OTLP receiver runs as long as the application does (`state.otlp_port`)."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        server, app.state.otlp_port = await receiver.start(store, otlp_host, otlp_port)
        try:
            yield
        finally:
            await server.stop(grace=1)

    pages = Pages(store)
    return Starlette(
        routes=[
            Route("/api/traces", pages.list_json),
            Route("/api/traces/{trace_id}", pages.trace_json),
            Route("/traces/{trace_id}", pages.trace_page),
            Route("/find", pages.find),
            Route("/healthz", http.healthy),
            Route("/", pages.list_page),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        lifespan=lifespan,
    )


class Pages:
    """The routes, around the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        environment = jinja2.Environment(loader=jinja2.PackageLoader("ops.traces", ""), autoescape=True)
        environment.globals["moment"] = _moment
        self._page = environment.get_template("page.html")

    async def list_json(self, request: Request) -> Response:
        """The latest traces: `?limit=`, `?service=`, `?q=` (text in the name of the root)."""
        return JSONResponse({"traces": [summary(trace) for trace in self._latest(request)]}, headers=_HEADERS)

    async def trace_json(self, request: Request) -> Response:
        """One trace with all its spans, in tree order."""
        trace = self._find(request)
        spans = [span_json(node.span) | {"depth": node.depth} for node in trace.tree()]
        return JSONResponse(summary(trace) | {"spans": spans}, headers=_HEADERS)

    async def list_page(self, request: Request) -> Response:
        """The latest traces as a page."""
        return self._render(
            request,
            traces=self._latest(request),
            asked={name: request.query_params.get(name, "") for name in ("q", "service")},
            span_count=self._store.span_count,
            spans_max=SPANS_MAX,
        )

    async def find(self, request: Request) -> Response:
        """Go to the trace that a number names."""
        trace = self._of_number(request.query_params.get("number", "").strip())
        return RedirectResponse(f"/traces/{trace.id}?lang={_language(request)}", 303, headers=_HEADERS)

    async def trace_page(self, request: Request) -> Response:
        """One trace as a tree with its waterfall."""
        return self._render(request, trace=self._find(request))

    def _latest(self, request: Request) -> list[Trace]:
        given = request.query_params.get("limit", "")
        is_number = given.isascii() and given.isdigit() and len(given) <= len(str(LIMIT_MAX))
        if given and not (is_number and 0 < int(given) <= LIMIT_MAX):
            raise HTTPException(400, f"limit: 1 to {LIMIT_MAX}")
        return self._store.latest(
            int(given) if given else LIMIT_DEFAULT,
            service=request.query_params.get("service", ""),
            text=request.query_params.get("q", ""),
        )

    def _find(self, request: Request) -> Trace:
        return self._of_number(request.path_params["trace_id"])

    def _of_number(self, number: str) -> Trace:
        """The trace of a trace id, of a request id, or of a whole traceparent."""
        parts = number.split("-")
        trace_id = parts[1] if len(parts) == TRACEPARENT_PARTS else number
        trace = self._store.find(trace_id.lower()) or self._store.by_request(number)
        if trace is None:
            raise HTTPException(404, "no such trace here: unknown, or dropped for newer ones")
        return trace

    def _render(self, request: Request, **values: Any) -> Response:
        lang = _language(request)
        page = self._page.render(lang=lang, text=TEXTS[lang], **values)
        return HTMLResponse(page, headers={**_HEADERS, "Content-Language": lang})


def summary(trace: Trace) -> dict[str, Any]:
    """A line of the list."""
    return {
        "trace_id": trace.id,
        "name": trace.root.name,
        "start_us": trace.start_us,
        "duration_us": trace.duration_us,
        "span_count": len(trace.spans),
        "error_count": trace.error_count,
        "services": list(trace.services),
    }


def span_json(span: Span) -> dict[str, Any]:
    """A span with everything that is known of it."""
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "service": span.service,
        "name": span.name,
        "kind": span.kind,
        "start_us": span.start_us,
        "end_us": span.end_us,
        "duration_us": span.duration_us,
        "status": span.status,
        "status_message": span.status_message,
        "attributes": dict(span.attributes),
        "events": [dict(event) for event in span.events],
        "links": [dict(link) for link in span.links],
    }


def _language(request: Request) -> str:
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "en" if asked.lower().startswith("en") else "zh-CN"


def _moment(microseconds: int) -> str:
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC).astimezone(SHANGHAI)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{microseconds // 1000 % 1000:03d}"
