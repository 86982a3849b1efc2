"""The published description: valid, complete, and true of what the gateway answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema_rs import Draft202012Validator, Registry
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from services.gateway.edge import catalogue, contract
from services.gateway.pages import openapi
from services.gateway.pages.reasons import reasons_of
from tests.gateway.processes import Running, gateway_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.databases import Templates

ROUTES = contract.routes()
DESCRIPTION = openapi.describe(ROUTES, catalogue.load(), "http://127.0.0.1:8081")
OPERATIONS = {
    operation["operationId"]: operation for path in DESCRIPTION["paths"].values() for operation in path.values()
}
SCHEMAS = Registry([("urn:edge", {"components": DESCRIPTION["components"]})])  # read once, not for each example
every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.descriptor.name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    templates: Templates, keys_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A gateway whose services are the echo backend."""
    async with gateway_process(templates, keys_dir, tmp_path_factory.mktemp("openapi")) as process:
        yield process


@every_route
def test_every_route_is_described_with_all_its_reasons(route: contract.Route) -> None:
    operation = OPERATIONS[route.descriptor.name]

    named = {code for answer in operation["responses"].values() for code in answer.get("x-problems", ())}

    assert named == set(reasons_of(route))
    assert str(route.success_status) in operation["responses"]
    assert ("304" in operation["responses"]) == route.has_etag
    assert operation["description"]
    assert operation["security"]


def test_everything_has_words() -> None:
    for name, schema in DESCRIPTION["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, inner in schema.get("properties", {}).items():
            assert inner.get("description") or "$ref" in inner or name == "Problem", f"{name}.{field}"


@every_route
def test_the_examples_fit_their_schemas(route: contract.Route) -> None:
    operation = OPERATIONS[route.descriptor.name]
    contents = [operation["responses"][str(route.success_status)]["content"]]
    contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []

    for content in contents:
        media = content["application/json"]
        fitting = Draft202012Validator({"$ref": f"urn:edge{media['schema']['$ref']}"}, registry=SCHEMAS)
        assert [str(error) for error in fitting.iter_errors(media["example"])] == []


def test_no_field_that_only_the_edge_sets_is_offered() -> None:
    assert "request_id" not in str([op.get("requestBody", {}).get("content") for op in OPERATIONS.values()])
    for name, schema in DESCRIPTION["components"]["schemas"].items():
        if name.endswith("Request"):
            assert "request_id" not in schema["properties"], name
            assert schema["additionalProperties"] is False


CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)
FEW = settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_whatever_is_sent_is_answered_as_described(running: Running) -> None:
    logins = {role: await running.login(f"staff-{role.lower()}-1") for role in ("CLERK", "SUPERVISOR", "OPERATOR")}
    for client in ("tax-bureau", "bank"):
        secret = running.keys.password(f"idp-client-{client}")
        form = {"grant_type": "client_credentials"}
        answer = await running.http.post(f"{running.issuer}/token", data=form, auth=(client, secret))
        logins[client] = {"authorization": f"Bearer {answer.json()['access_token']}"}

    await asyncio.to_thread(_send_anything, f"{running.url}/openapi.json", logins)

    reached = {seen.method for seen in running.echo.seen}
    assert len(reached) > 30, sorted(reached)  # most services heard something valid


def _send_anything(url: str, logins: dict[str, dict[str, str]]) -> None:
    schema: Any = schemathesis.openapi.from_url(url)
    for result in schema.get_all_operations():
        operation = result.ok()
        roles = operation.definition.raw["x-roles"]
        by_scope = "bank" if "payments.write" in str(operation.definition.raw["security"]) else "tax-bureau"
        _send(operation, logins[next((role for role in logins if role in roles), by_scope)])


def _send(operation: Any, headers: dict[str, str]) -> None:
    @FEW
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        case.headers = {**case.headers, **headers}
        case.call_and_validate(checks=CHECKS, timeout=10)

    send()
