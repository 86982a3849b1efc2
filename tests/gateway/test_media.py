"""Signed lists as the bytes that their standards name: chosen by Accept, kept by caches, taken by the verifier kit."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import codes_service_pb2 as codes
from services.card.status import TTL_SECONDS
from services.gateway.edge.contract import Media, routes
from services.gateway.edge.media import chosen
from tools.verifier_kit.hrss_verifier import Verifier

if TYPE_CHECKING:
    from tests.gateway.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

CWT, JWT = "application/statuslist+cwt", "application/statuslist+jwt"
LIST = "/v1/card-status-lists/1"
VECTORS = Path(__file__).resolve().parents[2] / "tools" / "verifier_kit" / "vectors.json"
FORMS = (
    Media(CWT, "cwt", is_base64=True, is_compressible=False),
    Media(JWT, "jwt", is_base64=False, is_compressible=True),
)


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_a_status_list_comes_as_cwt_jwt_or_json_and_not_again_while_it_is_the_same(edge: Edge) -> None:
    raw, jwt = bytes(range(256)) * 3, "eyJ0eXAi." + "A" * 4000 + ".sig"
    edge.echo.answer("GetStatusList", codes.GetStatusListResponse(cwt=unpadded(raw), jwt=jwt, sequence=4))

    cwt = await edge.get(LIST, accept=CWT)
    assert (cwt.status_code, cwt.content, cwt.headers["content-type"]) == (200, raw, CWT)
    assert cwt.headers["cache-control"] == f"public, max-age={TTL_SECONDS}"
    assert cwt.headers["vary"] == "Accept, Accept-Encoding"
    assert "content-encoding" not in cwt.headers
    same = await edge.get(LIST, accept=CWT, if_none_match=cwt.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == cwt.headers["etag"]
    assert "content-type" not in same.headers

    packed = await edge.get(LIST, accept=JWT, accept_encoding="br;q=1, gzip;q=0.8")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == jwt  # the client unpacked it
    plain = await edge.get(LIST, accept=JWT, accept_encoding="identity, gzip;q=0")
    assert (plain.text, "content-encoding" in plain.headers) == (jwt, False)
    assert len({packed.headers["etag"], plain.headers["etag"], cwt.headers["etag"]}) == 3
    assert int(packed.headers["content-length"]) == len(gzip.compress(jwt.encode(), mtime=0)) < len(jwt)

    listed = await edge.get(LIST)
    assert listed.headers["content-type"] == "application/json"
    assert listed.headers["cache-control"] == "private, no-store"
    assert listed.json()["sequence"] == 4
    edge.echo.answer("GetStatusList", codes.GetStatusListResponse(cwt=unpadded(raw[1:]), jwt=jwt, sequence=5))
    changed = await edge.get(LIST, accept=CWT, if_none_match=cwt.headers["etag"])
    assert (changed.status_code, changed.content) == (200, raw[1:])
    missing = await edge.get("/v1/card-status-lists/one", accept=CWT)
    assert (missing.status_code, missing.headers["content-type"]) == (400, "application/problem+json")


async def test_the_verifier_kit_works_with_what_it_fetches(edge: Edge) -> None:
    for vector in json.loads(VECTORS.read_text("utf-8")):
        verifier = Verifier([(vector["root"]["alg"], bytes.fromhex(vector["root"]["point"]))])
        good = [one for one in vector["steps"] if one["expect"] == "ok"]
        end = next(number for number, one in enumerate(good) if one["what"] == "verify")
        last = {one["what"]: one for one in good[: end + 1]}  # what the first good code needs
        trust, status = (base64.b64decode(last[name]["data"]) for name in ("trust", "status"))
        edge.echo.answer("GetTrustList", codes.GetTrustListResponse(trust_list=unpadded(trust), sequence=5))
        edge.echo.answer("GetStatusList", codes.GetStatusListResponse(cwt=unpadded(status), jwt="x", sequence=1))

        keys = await edge.get("/v1/card-trust-list", accept="application/cose")
        cards = await edge.get(LIST, accept=f"{CWT}, application/json;q=0.5")
        verifier.load_trust_list(keys.content, int(last["trust"]["now"]))
        verifier.load_status_list(cards.content, int(last["status"]["now"]))

        assert keys.headers["content-type"] == "application/cose"
        again = await edge.get("/v1/card-trust-list", accept="application/cose", if_none_match=keys.headers["etag"])
        assert again.status_code == 304
        code = last["verify"]
        assert verifier.verify(code["text"], int(code["now"]), bytes.fromhex(code["audience"])).code == "ok"


async def test_pages_of_others_read_public_lists_and_nothing_else(edge: Edge) -> None:
    edge.echo.answer("GetStatusList", codes.GetStatusListResponse(cwt=unpadded(b"x" * 40), jwt="y", sequence=4))
    edge.echo.answer("GetTrustList", codes.GetTrustListResponse(trust_list=unpadded(b"z" * 40), sequence=5))
    origin = {"origin": "https://hospital.example", "access-control-request-method": "GET"}
    for path, kind in ((LIST, CWT), ("/v1/card-trust-list", "application/cose")):
        asked = await edge.http.options(path, headers=origin)
        assert (asked.status_code, asked.content) == (204, b"")
        assert asked.headers["access-control-allow-methods"] == "GET"
        assert asked.headers["access-control-allow-headers"] == "Accept, If-None-Match"
        found = await edge.get(path, accept=kind)
        for reply in (asked, found, await edge.get(path, accept=kind, if_none_match=found.headers["etag"])):
            assert reply.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in reply.headers
    for path in ("/v1/me", "/v1/card-tokens:verify", "/v1/nothing"):
        refused = await edge.http.options(path, headers=origin)
        assert refused.status_code in {404, 405}
        assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-origin" not in (await edge.get("/v1/me")).headers


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("*/*", None),
        ("text/html, application/xhtml+xml, */*;q=0.8", None),
        (CWT, CWT),
        (CWT.upper(), CWT),
        (f"{CWT};q=0.2, {JWT};q=0.9", JWT),
        (f"application/json;q=0.4, {JWT};q=0.5", JWT),
        (f"application/json, {JWT}", None),
        (f"{CWT};q=0", None),
        (f"{CWT};q=nan", None),
        (f"{CWT};q=1e9", None),
        (f"*/*;q=0.1, {CWT};q=0.10", None),
        ("x" * 4000 + "," + CWT, None),
    ],
)
async def test_accept_chooses(accept: str, expected: str | None) -> None:
    found = chosen(FORMS, accept)

    assert (found.kind if found else None) == expected


async def test_only_public_reads_have_other_forms() -> None:
    found = {route.rpc.rpartition("/")[2]: {one.kind for one in route.media} for route in routes() if route.media}

    assert found == {"GetStatusList": {CWT, JWT}, "GetTrustList": {"application/cose"}}
    assert {route.max_age_seconds for route in routes() if route.media} == {TTL_SECONDS}
