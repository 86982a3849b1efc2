"""`/v1`: one HTTP request → one RPC → one HTTP answer.

Outermost first: trace → errors → head → route → who is calling → body → whose record → the call. A pure ASGI
application: middleware that wraps the response would cost more than all of this.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import grpc
import orjson
from opentelemetry.trace import Status, StatusCode
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars

from chassis import telemetry
from chassis.client import Deadline
from chassis.logs import get_logger
from chassis.problems import Fault
from kernel.errors import DomainError, InvalidInput, NotFound
from services.gateway.edge import media
from services.gateway.edge.contract import REQUEST_ID, Route
from services.gateway.edge.decoder import Decoder, Notes, token
from services.gateway.edge.encoder import Encoder
from services.gateway.edge.exchange import Answer, Disconnected, Exchange
from services.gateway.edge.problems import Occurrence
from services.gateway.edge.router import Router, WrongMethod
from services.gateway.own import LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import date

    from google.protobuf.message import Message

    from chassis.client import Reply
    from services.gateway.edge.access import Access
    from services.gateway.edge.access_log import AccessLog
    from services.gateway.edge.backends import Guarded
    from services.gateway.edge.exchange import Receive, Scope, Send
    from services.gateway.edge.problems import Problems

    Handler = Callable[[Exchange], Awaitable[Answer]]

logger = get_logger(__name__)

DEADLINE_SECONDS = 5.0  # a person at a screen waits no longer; what takes longer is a job
BODY_MAX = 1024 * 1024
QUERY_MAX = 2048
_PARAMETERS_MAX = 32
_OUR_FAULT = 500
_MIN_VERSION_MAX = 2048

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
REQUEST_SECONDS = Histogram(
    "hrss_http_server_seconds",
    "Time from a request to its answer, by route template.",
    ["method", "route", "status"],
    buckets=_SECONDS,
)
PROBLEMS = Counter("hrss_http_problems", "Refusals and faults, by route template and reason.", ["route", "code"])

_KEY = re.compile(r"[\x21-\x7e]{8,255}", re.ASCII)
_JSON_TYPE = re.compile(r"application/json(?:\s*;\s*charset=\"?utf-8\"?)?", re.ASCII | re.IGNORECASE)
_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", b"application/problem+json")
_CACHE = (b"cache-control", b"private, no-store")
_ANY_ORIGIN = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"ETag"))
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"Accept, If-None-Match"),
    (b"access-control-max-age", b"86400"),
)
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is worked out once per route."""

    route: Route
    label: str
    closed: frozenset[str]
    query_names: Mapping[str, str]
    encode: Callable[[Message], bytes]
    backend: Guarded
    must_be_insured: bool


class Transcoder:
    """The ASGI application of `/v1`.

    Args:
        routes: The public routes.
        access: Who is calling, and may they.
        backends: The way to each service, by name.
        problems: Puts refusals into words.
        today: The business day.
        log: Writes a line per request.
        extra: Routes that are no RPC, by method and path (the upload of files).
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        *,
        access: Access,
        backends: Mapping[str, Guarded],
        problems: Problems,
        today: Callable[[], date],
        log: AccessLog,
        extra: Mapping[tuple[str, str], Handler] | None = None,
    ) -> None:
        self._router = Router(routes)
        self._decoder, encoder = Decoder(), Encoder()
        self._access = access
        self._problems = problems
        self._today = today
        self._log = log
        self._extra = extra or {}
        self._plans = {route.rpc: self._plan(route, encoder, backends[route.service]) for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the only place where an error becomes an answer."""
        exchange = Exchange.of(scope, receive)
        handler = self._find(exchange)
        attributes = {
            "http.request.method": exchange.method,
            "http.route": exchange.label,
            "url.scheme": scope["scheme"],
            "hrss.request_id": exchange.request_id,
        }
        with (
            telemetry.remote(exchange.header(b"traceparent")),
            telemetry.span(f"{exchange.method} {exchange.label}", kind="server", attributes=attributes) as span,
        ):
            # Not unbound again: every request is a task of its own, with a context of its own.
            bind_contextvars(request_id=exchange.request_id, trace_id=telemetry.trace_id())
            try:
                answer = await handler(exchange)
            except Disconnected:
                return
            except (DomainError, Fault) as error:
                answer = self._refusal(error, exchange)
            except Exception:  # our own bug: told to the log, never to the caller
                logger.exception("request_failed", route=exchange.label)
                fault = Fault(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")
                answer = self._refusal(fault, exchange)
            self._finish(answer, exchange)
            if span.is_recording():
                span.set_attribute("http.response.status_code", answer.status)
                if answer.code:
                    span.set_attribute("error.type", answer.code)
                if answer.status >= _OUR_FAULT:
                    span.set_status(Status(StatusCode.ERROR))
            await answer.send(send)
            self._record(answer, exchange)

    def _find(self, exchange: Exchange) -> Handler:
        """The handler of a request; one that refuses where there is no route."""
        if exchange.method == "OPTIONS" and (plan := self._public_list(exchange.path)) is not None:
            exchange.route, exchange.label = plan.route, plan.label
            return _preflight
        found = self._router.find(exchange.method, exchange.path)
        if found is None:
            for (method, path), handler in self._extra.items():
                if path == exchange.path:
                    exchange.label = path
                    return handler if method == exchange.method else partial(_wrong_method, (method,))
            exchange.label = "(none)"
            return _not_found
        if isinstance(found, WrongMethod):
            exchange.label = "(wrong method)"
            return partial(_wrong_method, found.allowed)
        plan = self._plans[found.route.rpc]
        exchange.route, exchange.label = plan.route, plan.label
        return partial(self._call, plan, found.variables)

    def _public_list(self, path: str) -> _Plan | None:
        """The plan of a list that is everybody's and has a form of its own, when there is one under a path."""
        found = self._router.find("GET", path)
        if found is None or isinstance(found, WrongMethod) or not found.route.media:
            return None
        return self._plans[found.route.rpc]

    async def _call(self, plan: _Plan, variables: tuple[str, ...], exchange: Exchange) -> Answer:
        exchange.check_head()
        LANGUAGE.set(exchange.language)  # a request is a task of its own, with a context of its own
        route = plan.route
        caller = await self._access.admit(exchange, route.rule, route.rate_class)
        key = _idempotency_key(exchange) if route.idempotent_by_key else ""
        request = route.request()
        notes = Notes()
        if route.has_body:
            if not _JSON_TYPE.fullmatch(exchange.header(b"content-type").strip()):
                raise InvalidInput("CONTENT_TYPE_WRONG", "the body is application/json")
            self._decoder.read(request, await exchange.body(BODY_MAX), plan.closed)
        deadline = Deadline.after(DEADLINE_SECONDS)  # from here it is our time and not the caller's line
        self._set_query(request, plan, exchange, notes)
        for name, value in zip(route.path_fields, variables, strict=True):
            self._decoder.set_text(request, name, value, notes)
        notes.refuse()
        principal = await self._access.relate(
            caller, route.rule, request, must_be_insured=plan.must_be_insured, changes=route.idempotent_by_key
        )
        if key:
            request.request_id = request_id_of(principal.caller, route.rpc, key)  # type: ignore[attr-defined] # checked at start
        reply = await plan.backend.call(
            route.rpc,
            request.SerializeToString(deterministic=True),
            principal=principal,
            today=self._today(),
            deadline=deadline,
            priority=caller.priority,
            request_id=exchange.request_id,
            min_version="" if key else _min_version(exchange),
        )
        return _answer(plan, exchange, reply)

    def _set_query(self, request: Message, plan: _Plan, exchange: Exchange, notes: Notes) -> None:
        given = exchange.scope["query_string"]
        if not given:
            return
        if len(given) > QUERY_MAX:
            raise InvalidInput("QUERY_INVALID", f"a query has at most {QUERY_MAX} bytes")
        try:
            pairs = parse_qsl(
                given.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=_PARAMETERS_MAX,
            )
        except ValueError:
            raise InvalidInput("QUERY_INVALID", "the query cannot be read") from None
        seen: set[str] = set()
        for name, value in pairs:
            field = plan.query_names.get(name)
            if field is None:
                notes.add(f"/{token(name)}", "UNKNOWN_FIELD", "the route has no such parameter")
            elif field in seen:
                raise InvalidInput("QUERY_INVALID", "a parameter stands twice", field=f"/{field}")
            else:
                seen.add(field)
                self._decoder.set_text(request, field, value, notes)

    def _refusal(self, error: DomainError | Fault, exchange: Exchange) -> Answer:
        where = Occurrence(
            exchange.language, exchange.path[:200], exchange.request_id, telemetry.trace_id(), exchange.route
        )
        problem = self._problems.answer(error, where)
        headers = [_PROBLEM, (b"content-language", b"zh-CN" if exchange.language == "zh" else b"en")]
        headers += [(b"vary", b"Accept-Language"), *problem.headers]
        if isinstance(error, InvalidInput) and error.reason == "METHOD_NOT_ALLOWED":
            headers.append((b"allow", error.metadata["allow"].encode()))
        return Answer(problem.status, problem.body, headers, problem.code)

    def _finish(self, answer: Answer, exchange: Exchange) -> None:
        answer.headers.append(_NO_SNIFF)
        if not any(name == _CACHE[0] for name, _ in answer.headers):
            answer.headers.append(_CACHE)
        if exchange.route is not None and exchange.route.media:
            answer.headers += _ANY_ORIGIN  # signed and the same for everybody: a verifier's page may read it
        answer.headers.append((b"x-request-id", exchange.request_id.encode()))
        if exchange.allowance is not None:
            answer.headers.append((b"ratelimit-policy", exchange.allowance.policy))
            answer.headers.append((b"ratelimit", exchange.allowance.state))
        if trace := telemetry.traceparent():
            answer.headers.append((b"traceparent", trace.encode()))

    def _record(self, answer: Answer, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        method = exchange.method if exchange.route is not None or exchange.label.startswith("/") else "(any)"
        _seconds_of(method, exchange.label, answer.status).observe(seconds)
        if answer.code:
            PROBLEMS.labels(exchange.label, answer.code).inc()
        self._log.write(exchange, answer, seconds)

    def _plan(self, route: Route, encoder: Encoder, backend: Guarded) -> _Plan:
        fields = route.request.DESCRIPTOR.fields_by_name
        bound_names = {REQUEST_ID, *route.path_fields}.intersection(fields)
        encode = encoder.of(route.response.DESCRIPTOR)
        self._decoder.table(route.request.DESCRIPTOR)
        return _Plan(
            route=route,
            label=route.template,
            closed=frozenset(spelling for name in bound_names for spelling in (name, fields[name].json_name)),
            query_names={spelling: name for name in route.query_fields for spelling in (name, fields[name].json_name)},
            encode=partial(_encoded, encode),
            backend=backend,
            must_be_insured=route.rule.relation == "SELF",
        )


@lru_cache(maxsize=4096)
def _seconds_of(method: str, label: str, status: int) -> Histogram:
    """The histogram of a route and status; all three come from us, so there are not many."""
    return REQUEST_SECONDS.labels(method, label, status)


def request_id_of(caller: str, rpc: str, key: str) -> str:
    """The request id of a service for a caller's key: the same for the same, and nobody else's."""
    return hashlib.sha256(f"{caller}\0{rpc}\0{key}".encode()).hexdigest()


def _answer(plan: _Plan, exchange: Exchange, reply: Reply) -> Answer:
    route = plan.route
    if route.media:
        form = media.chosen(route.media, exchange.header(b"accept"))
        if form is not None:
            return media.answer(
                form,
                route.response.FromString(reply.body),
                route.success_status,
                route.max_age_seconds,
                exchange.header(b"accept-encoding"),
                lambda etag: _matches(exchange.headers.get(b"if-none-match", b""), etag),
            )
    body = plan.encode(plan.route.response.FromString(reply.body))
    headers = [_JSON]
    if route.media:
        headers.append((b"vary", b"Accept"))
    if reply.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    if reply.min_version:
        headers.append((b"hrss-min-version", reply.min_version.encode()))
    if plan.route.has_etag:
        etag = b'"%b"' % hashlib.blake2b(body, digest_size=16).hexdigest().encode()
        headers.append((b"etag", etag))
        if _matches(exchange.headers.get(b"if-none-match", b""), etag):
            return Answer(304, b"", headers[1:])
    return Answer(plan.route.success_status, body, headers)


def _encoded(encode: Callable[[Any], dict[str, Any]], message: Message) -> bytes:
    return orjson.dumps(encode(message))


def _matches(header: bytes, etag: bytes) -> bool:
    """Whether If-None-Match names the ETag; weak comparison, as RFC 9110 asks for it."""
    if not header:
        return False
    if header.strip() == b"*":
        return True
    return any(one.strip().removeprefix(b"W/") == etag for one in header[:QUERY_MAX].split(b","))


def _idempotency_key(exchange: Exchange) -> str:
    key = exchange.header(b"idempotency-key")
    if not key:
        raise InvalidInput("IDEMPOTENCY_KEY_REQUIRED", "a change needs the header Idempotency-Key")
    if not _KEY.fullmatch(key):
        raise InvalidInput("IDEMPOTENCY_KEY_INVALID", "a key has 8 to 255 visible ASCII characters")
    return key


def _min_version(exchange: Exchange) -> str:
    given = exchange.header(b"hrss-min-version")
    if len(given) > _MIN_VERSION_MAX or not given.isascii():
        raise InvalidInput("MIN_VERSION_MALFORMED", "the version token is malformed")
    return given


async def _preflight(_exchange: Exchange) -> Answer:
    """What a browser may ask of a public list from a page of somebody else: to read it, and nothing with a login."""
    return Answer(204, b"", list(_PREFLIGHT))


async def _not_found(_exchange: Exchange) -> Answer:
    raise NotFound("ROUTE_NOT_FOUND", "no such route")


async def _wrong_method(allowed: tuple[str, ...], _exchange: Exchange) -> Answer:
    raise InvalidInput("METHOD_NOT_ALLOWED", "the path has other methods", allow=", ".join(allowed))
