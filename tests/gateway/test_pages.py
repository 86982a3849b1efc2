"""The pages beside `/v1`: they say what this is, in both languages, and ask nobody else for anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from services.gateway.edge.catalogue import FOLDER, load
from services.gateway.edge.contract import routes

if TYPE_CHECKING:
    from tests.gateway.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = ("/", "/docs", "/docs/problems", "/docs/problems/ID_NO_INVALID", "/no-such-page")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_page_asks_nobody_else_for_anything(edge: Edge, path: str, language: str) -> None:
    answer = await edge.http.get(f"{path}?lang={language}")

    assert answer.status_code == (404 if path == "/no-such-page" else 200)
    assert answer.headers["content-language"] == {"zh": "zh-CN", "en": "en"}[language]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', answer.text)
    assert all(one.startswith(("/", "data:")) for one in loaded), loaded
    assert "<style" not in answer.text
    assert not re.search(r"<script(?! src)", answer.text)
    assert not re.search(r'\son\w+="', answer.text)


async def test_the_reference_shows_every_route(edge: Edge) -> None:
    page = (await edge.http.get("/docs?lang=en")).text

    for route in routes():
        assert f'<details id="{route.descriptor.name}"' in page
        assert route.template in page
    assert "POST $BASE/v1/enrollments" in page
    assert "Idempotency-Key" in page


async def test_the_reference_speaks_chinese(edge: Edge) -> None:
    page = (await edge.http.get("/docs")).text

    assert "职工参保登记（增员）" in page
    assert "可能的问题" in page


async def test_every_route_has_its_chinese_line() -> None:
    words = yaml.safe_load((FOLDER / "routes.yaml").read_text("utf-8"))["routes"]

    assert words.keys() - {"UploadFile"} == {route.descriptor.name for route in routes()}


async def test_the_type_of_a_problem_leads_to_its_page(edge: Edge) -> None:
    problem = (await edge.get("/v1/bills")).json()

    page = await edge.http.get(f"{problem['type']}?lang=en")

    assert page.status_code == 200
    assert load().problems["LOGIN_REQUIRED"].texts["en"].hint in page.text


async def test_the_home_page_says_whether_it_is_ready(edge: Edge) -> None:
    good = (await edge.http.get("/developers?lang=en")).text
    edge.gateway.missing = {"database": "does not answer"}
    bad = (await edge.http.get("/developers?lang=en")).text
    readyz = await edge.http.get("/readyz")
    await edge.gateway.check()

    assert "up and running" in good
    assert "not ready" in bad
    assert (readyz.status_code, readyz.json()["missing"]) == (503, {"database": "does not answer"})


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/site.css", "text/css; charset=utf-8"),
        ("/static/docs.js", "text/javascript; charset=utf-8"),
        ("/openapi.json", "application/json"),
        ("/healthz", "application/json"),
        ("/.well-known/security.txt", "text/plain; charset=utf-8"),
    ],
)
async def test_the_rest_is_there(edge: Edge, path: str, kind: str) -> None:
    answer = await edge.http.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


@pytest.mark.parametrize("path", ["/static/shell.py", "/static/..%2fshell.py", "/static/", "/docs/problems/<script>"])
async def test_nothing_else_is(edge: Edge, path: str) -> None:
    answer = await edge.http.get(path)

    assert answer.status_code == 404
    assert "<script>" not in answer.text
