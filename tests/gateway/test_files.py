"""Uploading files."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from chassis.files import Files
from services.gateway.edge import files
from services.gateway.edge.limits import Gate
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from tests.gateway.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT = "身份号码,月份\n990000199003151234,2020-01\n".encode()


async def test_a_file_is_kept_sealed_under_its_digest(edge: Edge) -> None:
    answer = await edge.post("/v1/files", CONTENT, edge.provider.partner("history.import"), content_type="text/csv")

    assert answer.status_code == 201
    known = answer.json()
    assert known["digest"] == hashlib.sha256(CONTENT).hexdigest()
    assert known["size"] == len(CONTENT)
    settings = edge.gateway.settings
    assert await Files(settings.files_dir, settings.keys_dir).get(known["upload_id"], known["digest"]) == CONTENT
    stored = b"".join(path.read_bytes() for path in settings.files_dir.rglob("*") if path.is_file())
    assert b"990000199003151234" not in stored


async def test_the_same_file_again_has_the_same_digest(edge: Edge) -> None:
    token = edge.provider.staff()

    first = await edge.post("/v1/files", CONTENT, token, content_type="application/octet-stream")
    second = await edge.post("/v1/files", CONTENT, token, content_type="text/csv; charset=utf-8")

    assert first.json()["digest"] == second.json()["digest"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"", "text/csv", 400, "FILE_EMPTY"),
        (b"x", "application/json", 400, "CONTENT_TYPE_WRONG"),
        (b"x", "", 400, "CONTENT_TYPE_WRONG"),
        (b"x" * (20 * 1024 * 1024 + 1), "text/csv", 413, "FILE_TOO_LARGE"),
    ],
)
async def test_what_is_no_file_is_refused(edge: Edge, content: bytes, kind: str, status: int, code: str) -> None:
    answer = await edge.post("/v1/files", content, edge.provider.staff(), content_type=kind)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_only_those_who_import_may_upload(edge: Edge) -> None:
    nobody = await edge.post("/v1/files", CONTENT, content_type="text/csv")
    citizen = await edge.post("/v1/files", CONTENT, edge.provider.citizen(), content_type="text/csv")
    partner = await edge.post("/v1/files", CONTENT, edge.provider.partner("bills.read"), content_type="text/csv")
    bank = await edge.post("/v1/files", CONTENT, edge.provider.partner("payments.write"), content_type="text/csv")
    method = await edge.get("/v1/files", edge.provider.staff())

    assert (nobody.status_code, citizen.status_code, partner.status_code) == (401, 403, 403)
    assert (partner.json()["code"], bank.status_code) == ("SCOPE_MISSING", 201)
    assert (method.status_code, method.headers["allow"]) == (405, "POST")


async def test_an_upload_is_audited_with_digest_and_size(edge: Edge) -> None:
    token = edge.provider.staff(natural_person="p-uploader")
    known = (await edge.post("/v1/files", CONTENT, token, content_type="text/csv")).json()

    rows = await owner_fetch(edge.gateway.database, "SELECT * FROM audit WHERE acting_person = 'idp|p-uploader'")
    assert [(row["action"], json.loads(row["detail"])) for row in rows] == [
        ("file_uploaded", {**known, "size": str(known["size"])})
    ]


async def test_files_beyond_what_memory_holds_are_told_to_come_again(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Gate(at_once=0, wait_seconds=0.01)
    monkeypatch.setattr(edge.gateway._v1._extra["POST", files.PATH], "_gate", full)

    answer = await edge.post("/v1/files", CONTENT, edge.provider.staff(), content_type="text/csv")

    assert (answer.status_code, answer.json()["code"]) == (429, "SERVER_BUSY")
