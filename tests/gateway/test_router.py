"""Finding routes."""

from __future__ import annotations

import pytest

from services.gateway.edge.contract import routes
from services.gateway.edge.router import Match, Router, WrongMethod

ROUTER = Router(routes())


def test_every_route_finds_itself() -> None:
    for route in routes():
        path = route.template.format(**dict.fromkeys(route.path_fields, "abc_123"))
        found = ROUTER.find(route.method, path)
        assert isinstance(found, Match)
        assert found.route.rpc == route.rpc
        assert found.variables == ("abc_123",) * len(route.path_fields)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/bills:assess", ("POST",)),
        ("DELETE", "/v1/bills", ("GET",)),
        ("PUT", "/v1/test-clock", ("GET", "POST")),
        ("GET", "/v1/enrollments/enr_1:end", ("POST",)),
        ("HEAD", "/v1/me", ("GET",)),
    ],
)
def test_a_path_with_another_method_says_which(method: str, path: str, allowed: tuple[str, ...]) -> None:
    assert ROUTER.find(method, path) == WrongMethod(allowed)


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v2/bills",
        "/v1/bill",
        "/v1/bills/",
        "/v1//bills",
        "/v1/bills/a/b/c",
        "/v1/bills:",
        "/v1/bills:nothing",
        "/v1/bills:assess:assess",
        "/v1/enrollments/enr_1:end/",
        "/v1/bills/bil%5f1",
        "/v1/bills/..",
        "/v1/bills/%2e%2e%2fme",
        "/v1/bills/bil 1",
        "/v1/bills/bil_1\n",
        "/v1/bills/" + "a" * 65,
        "/v1/bills/" + "a" * 10_000,
        "/v1/bills/张",
        "/V1/bills",
    ],
)
def test_there_is_no_such_path(path: str) -> None:
    assert ROUTER.find("GET", path) is None
