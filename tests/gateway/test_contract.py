"""One contract for all routes: what every route answers to whom, generated from the descriptors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

from chassis.problems import KINDS, Fault
from hrss.enrollment.v1 import enrollment_pb2, enrollment_service_pb2
from services.gateway.edge.catalogue import load
from services.gateway.edge.contract import SCALARS, Route, routes
from services.gateway.pages import examples
from tests.gateway.echo import filled
from tests.gateway.messages import reference

if TYPE_CHECKING:
    import httpx

    from tests.gateway.conftest import Edge
    from tests.gateway.identity_provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = {route.descriptor.name: route for route in routes()}
OWN = {name for name, route in ROUTES.items() if route.service == "gateway"}
every_route = pytest.mark.parametrize("name", ROUTES)
IS_OPEN = {name for name, route in ROUTES.items() if route.rule.is_public}
OF_CASES = {name for name, route in ROUTES.items() if "CaseService" in route.rpc}  # need rows: tests/gateway_cases
every_closed_route = pytest.mark.parametrize("name", [name for name in ROUTES if name not in IS_OPEN])
every_change = pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.idempotent_by_key])
every_body = pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.has_body])
of_services = pytest.mark.parametrize("name", [name for name in ROUTES if name not in OWN])
STAFF = ("CLERK", "SUPERVISOR", "AUDITOR", "OPERATOR")


def may_call(route: Route, provider: Provider) -> str:
    """A token that may call a route."""
    for role in STAFF:
        if role in route.rule.roles:
            return provider.staff(role)
    return provider.citizen(acr=4) if is_for_persons_only(route) else provider.partner(*route.rule.scopes)


def is_for_persons_only(route: Route) -> bool:
    """Whether neither staff nor partners may call a route."""
    return route.rule.roles.isdisjoint((*STAFF, "PARTNER"))


@pytest.fixture(autouse=True)
def known_citizen(edge: Edge, request: pytest.FixtureRequest) -> None:
    """Routes for persons alone are called by a citizen, whom enrollment has to know."""
    name = getattr(getattr(request.node, "callspec", None), "params", {}).get("name", "")
    if name in ROUTES and is_for_persons_only(ROUTES[name]):
        person = enrollment_pb2.Person(person_id="per_" + "1" * 32, name_masked="张*")
        edge.echo.answer("FindPerson", enrollment_service_pb2.FindPersonResponse(person=person))


def may_not_call(route: Route, provider: Provider) -> str:
    """A token of somebody whom a route is not for; empty when it is for everybody."""
    for role in reversed(STAFF):
        if role not in route.rule.roles:
            return provider.staff(role)
    if "CITIZEN" not in route.rule.roles:
        return provider.citizen()
    return "" if "*" in route.rule.scopes else provider.partner("scope.of.another")


def path_of(route: Route) -> str:
    """The path of a route with example values."""
    fields = route.request.DESCRIPTOR.fields_by_name
    return route.template.format(**{name: examples.of_field(fields[name]) for name in route.path_fields})


def body_of(route: Route) -> dict[str, Any]:
    """The example body of the documentation."""
    return examples.of_message(route.request.DESCRIPTOR, without=route.path_fields)


async def call(edge: Edge, route: Route, token: str, body: Any = None, **headers: str) -> httpx.Response:
    """Call a route with its example, or with another body."""
    if route.method == "GET":
        return await edge.get(path_of(route), token, **headers)
    return await edge.post(path_of(route), body_of(route) if body is None else body, token, **headers)


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a whole problem."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == "zh-CN"
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert problem["status"] == status
    assert problem["type"] == f"/docs/problems/{code}"
    assert len(problem["trace_id"]) == 32
    for part in ("title", "detail", "hint"):
        assert problem[part]
    if problem["retryable"] and status != 408:
        assert int(answer.headers["retry-after"]) >= 1
    return problem


@every_closed_route
async def test_nobody_calls_without_a_login(edge: Edge, name: str) -> None:
    answer = await call(edge, ROUTES[name], "")

    assert_problem(answer, 401, "LOGIN_REQUIRED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="hrss"'
    assert not edge.echo.seen


@every_route
async def test_a_token_that_is_none_opens_nothing(edge: Edge, name: str) -> None:
    answer = await call(edge, ROUTES[name], "not.a.token")

    assert_problem(answer, 401, "TOKEN_INVALID")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@every_closed_route
async def test_a_role_that_is_not_named_may_not_call(edge: Edge, name: str) -> None:
    token = may_not_call(ROUTES[name], edge.provider)
    if not token:
        assert name == "GetMe"  # the one route for everybody who is logged in
        return

    answer = await call(edge, ROUTES[name], token)

    assert answer.status_code == 403
    assert_problem(answer, 403, answer.json()["code"])
    assert answer.json()["code"] in {"ROLE_NOT_ALLOWED", "SCOPE_MISSING"}
    assert not edge.echo.seen


@of_services
async def test_a_good_call_is_answered_as_the_contract_says(edge: Edge, name: str) -> None:
    route = ROUTES[name]

    answer = await call(edge, route, may_call(route, edge.provider), x_request_id="r-1")

    assert answer.status_code == route.success_status
    assert answer.json() == json.loads(json.dumps(reference(filled(route.response))))
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.headers["traceparent"].startswith("00-")
    assert answer.headers["cache-control"] == "private, no-store"
    assert "ratelimit-policy" in answer.headers
    assert ("etag" in answer.headers) == (route.method == "GET" and not route.is_list)


@every_change
async def test_a_change_needs_a_key(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)

    missing = await call(edge, route, token, idempotency_key="")
    short = await call(edge, route, token, idempotency_key="short")
    long = await call(edge, route, token, idempotency_key="k" * 256)

    assert_problem(missing, 400, "IDEMPOTENCY_KEY_REQUIRED")
    assert_problem(short, 400, "IDEMPOTENCY_KEY_INVALID")
    assert_problem(long, 400, "IDEMPOTENCY_KEY_INVALID")
    assert not edge.echo.seen


@pytest.mark.parametrize(
    "name", [name for name, route in ROUTES.items() if route.idempotent_by_key and name not in OF_CASES]
)
async def test_a_repeated_change_says_so(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)

    first = await call(edge, route, token, idempotency_key=f"key-of-{name}")
    second = await call(edge, route, token, idempotency_key=f"key-of-{name}")

    assert first.status_code == second.status_code == route.success_status
    assert first.json() == second.json()
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


@every_body
async def test_an_unknown_field_is_pointed_at(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)
    bound = ["request_id", *route.path_fields]

    for field in ("colour", *bound):
        problem = assert_problem(await call(edge, route, token, {**body_of(route), field: "x"}), 400, "UNKNOWN_FIELD")
        assert problem["errors"][0]["pointer"] == f"/{field}"
    assert not edge.echo.seen


@every_body
async def test_every_field_refuses_the_wrong_types(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)

    for path, field in _fields(route.request.DESCRIPTOR, {"request_id", *route.path_fields}):
        for wrong in _wrong_values(field):
            answer = await call(edge, route, token, _with(body_of(route), path, wrong))
            problem = answer.json()
            assert answer.status_code == 400, (path, wrong, answer.text)
            assert problem["errors"][0]["pointer"].startswith("/" + "/".join(path)), (path, wrong, problem)
    assert not edge.echo.seen


@every_body
async def test_a_body_is_plain_json_of_at_most_a_megabyte(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)

    assert_problem(await call(edge, route, token, b""), 400, "BODY_REQUIRED")
    assert_problem(await call(edge, route, token, b"[]"), 400, "BODY_NOT_OBJECT")
    assert_problem(await call(edge, route, token, b"{"), 400, "MALFORMED_JSON")
    assert_problem(await call(edge, route, token, content_type="text/plain"), 400, "CONTENT_TYPE_WRONG")
    assert_problem(
        await call(edge, route, token, content_type="application/json; charset=gbk"), 400, "CONTENT_TYPE_WRONG"
    )
    assert_problem(await call(edge, route, token, content_encoding="gzip"), 400, "CONTENT_ENCODING_UNSUPPORTED")
    assert_problem(await call(edge, route, token, b" " * (1024 * 1024 + 1)), 413, "BODY_TOO_LARGE")
    assert not edge.echo.seen


@every_route
async def test_an_unknown_parameter_of_the_query_is_pointed_at(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)
    path = f"{path_of(route)}?colour=red"

    answer = await edge.get(path, token) if route.method == "GET" else await edge.post(path, body_of(route), token)

    assert assert_problem(answer, 400, "UNKNOWN_FIELD")["errors"][0]["pointer"] == "/colour"


@of_services
async def test_every_declared_reason_becomes_its_problem(edge: Edge, name: str) -> None:
    route = ROUTES[name]
    token = may_call(route, edge.provider)
    kinds = {code.name: kind for code, kind in KINDS.items()}

    for reason in route.problems:
        known = load().problems[reason]
        edge.echo.refuse(name, kinds[known.grpc](reason, "internal words"))
        answer = await call(edge, route, token)
        problem = assert_problem(answer, known.status, reason)
        assert problem["retryable"] == known.retryable
        assert "internal words" not in answer.text


@of_services
async def test_a_bug_of_a_service_shows_nothing_but_the_trace(edge: Edge, name: str) -> None:
    edge.echo.refuse(name, Fault(grpc.StatusCode.INTERNAL, "INTERNAL", "SELECT secret", trace_id="0" * 32))

    answer = await call(edge, ROUTES[name], may_call(ROUTES[name], edge.provider))

    assert_problem(answer, 500, "INTERNAL")
    assert "secret" not in answer.text


async def test_staff_state_why_they_open_a_record(edge: Edge) -> None:
    for name, route in ROUTES.items():
        if route.rule.purpose_required and "CLERK" in route.rule.roles:
            answer = await call(edge, route, edge.provider.staff(), hrss_purpose=" ")
            assert_problem(answer, 400, "PURPOSE_REQUIRED")
            by_case = await call(edge, route, edge.provider.staff(), hrss_purpose=" ", hrss_case_no="320602-20251123")
            assert by_case.status_code == route.success_status, name


def _fields(descriptor: Any, skipped: set[str]) -> list[tuple[list[str], FieldDescriptor]]:
    found: list[tuple[list[str], FieldDescriptor]] = []
    for field in descriptor.fields:
        if field.name in skipped:
            continue
        found.append(([field.name], field))
        if field.message_type is not None and field.message_type.full_name not in SCALARS:
            place = [field.name, "0"] if field.is_repeated else [field.name]
            found += [([*place, *path], inner) for path, inner in _fields(field.message_type, set())]
    return found


def _wrong_values(field: FieldDescriptor) -> list[Any]:  # noqa: PLR0911 - one return for each type of field
    """Values that the field must refuse: each type gets what others would take."""
    if field.is_repeated:
        return [1, "text", True, {}, [[]]]
    if field.message_type is not None and field.message_type.full_name in SCALARS:
        return [1, 1.5, True, [], {}, "", "x", "1e3", "2026-02-30T", "NaN", "１２.００"]
    if field.message_type is not None:
        return [1, "text", True, []]
    if field.enum_type is not None:
        return [0, 1, 99, True, [], {}, "", "NO_SUCH_VALUE", field.enum_type.values[0].name]
    if field.type == FieldDescriptor.TYPE_BOOL:
        return [0, 1, "true", [], {}]
    if field.type == FieldDescriptor.TYPE_STRING:
        return [1, 1.5, True, [], {}, "a\u0000b", "a\u202eb", "a\nb", "x" * 4097]
    return ["1", 1.5, 1.0, True, [], {}, 2**40]


def _with(body: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(body))
    inner: Any = changed
    for part in path[:-1]:
        inner = inner[int(part)] if isinstance(inner, list) else inner[part]
    inner[path[-1]] = value
    return changed
