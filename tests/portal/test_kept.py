"""What must not be lost or kept alive: a form over a stronger login, drafts, and a session that nobody uses."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest

from hrss.gateway.v1 import cases_service_pb2
from services.gateway.portal import kept, multipart
from tests.portal import answers
from tests.portal.site import HIDDEN

if TYPE_CHECKING:
    from datetime import datetime

    from chassis.transaction import Transaction
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACCOUNT = "6222021234567890"


async def test_a_form_comes_back_after_a_stronger_login_and_to_nobody_else(site: Site) -> None:
    answers.program_cases(site.overlay)
    site.overlay.answers["POST", "/v1/cases"] = {
        "status": 401,
        "code": "INSUFFICIENT_ACR",
        "title": "stronger",
        "values": {"acr": "3"},
    }
    form = {
        "step": "submit",
        "form.pension.retirement_month": "2026-07",
        "form.pension.payee.name": answers.NAME,
        "form.pension.payee.account": ACCOUNT,
    }
    persona = await site.persona()
    async with site.browser(persona, acr=2) as visitor:
        asked = await visitor.post("/apply/BE01", form)
        cookie = next(one for one in asked.headers.get_list("set-cookie") if one.startswith("hrss-kept"))
        elsewhere = await visitor.get("/apply/TR01")
        await visitor.log_in(persona, acr=3, path="/login?acr=3&next=/apply/BE01")
        back = await visitor.get("/apply/BE01")
        again = await visitor.get("/apply/BE01")
        site.overlay.answers["POST", "/v1/cases"] = cases_service_pb2.CreateCaseResponse(case=answers.case())
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(back.text)}
        done = await visitor.http.post("/apply/BE01", data=hidden)

    assert asked.headers["location"].startswith("/login/stronger?")
    assert ACCOUNT not in cookie
    assert "HttpOnly" in cookie
    assert "still here" not in elsewhere.text
    assert "still here" in back.text
    assert hidden["form.pension.payee.account"] == ACCOUNT
    assert "still here" not in again.text  # shown once
    assert done.headers["location"] == f"/cases/{answers.CASE_NO}/done"


async def test_a_kept_form_opens_for_its_login_and_page_alone_and_holds_no_secret(site: Site) -> None:
    sealer = site.gateway.portal._sealer
    cookie = kept.seal(sealer, subject="a", path="/x", form={"form.card.pin": "385216", "again": "385216", "name": "n"})

    assert kept.unseal(sealer, cookie, subject="a", path="/x") == {"name": "n"}
    assert kept.unseal(sealer, cookie, subject="b", path="/x") is None
    assert kept.unseal(sealer, cookie, subject="a", path="/y") is None
    assert kept.unseal(sealer, cookie[:-8], subject="a", path="/x") is None
    noise = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(4000))
    assert kept.seal(sealer, subject="a", path="/x", form={"long": noise}) == ""


async def test_a_draft_is_kept_taken_up_again_and_handed_in(site: Site) -> None:
    draft = answers.case(cases_service_pb2.CASE_STATE_DRAFT)
    answers.program_cases(site.overlay, draft)
    handed_in = cases_service_pb2.SubmitCaseResponse(case=answers.case())
    site.overlay.answers["POST", rf"/v1/cases/{answers.CASE_NO}:submit"] = handed_in
    form = {
        "form.pension.retirement_month": "2026-07",
        "form.pension.payee.name": answers.NAME,
        "form.pension.payee.account": ACCOUNT,
    }
    async with site.browser(await site.persona(), acr=3) as visitor:
        check = await visitor.post("/apply/BE01", {"step": "check", **form})
        saved = await visitor.post("/apply/BE01", {"step": "draft", "key": "a-key-of-the-form", **form})
        page = await visitor.get(saved.headers["location"])
        path = f"/cases/{answers.CASE_NO}/correct"
        done = await visitor.post(path, {"step": "submit", "key": "another-key-of-it", **form})
        pin = await visitor.post(
            "/apply/CA06", {"step": "check", "form.card.pin": "385216", "form.card.consent": "true"}
        )

    assert "Keep it as a draft" in check.text
    assert saved.headers["location"] == f"/cases/{answers.CASE_NO}"
    assert "This draft is not handed in yet" in page.text
    assert done.headers["location"] == f"/cases/{answers.CASE_NO}/done"
    posts = [(path, body) for method, path, _, body in site.overlay.seen if method == "POST"]
    assert b'"submit":false' in posts[0][1]
    assert [path.rpartition(":")[2] for path, _ in posts[1:]] == ["correct", "submit"]
    assert "Keep it as a draft" not in pin.text  # a PIN waits nowhere


async def test_a_page_that_renews_itself_does_not_keep_the_session_alive(site: Site) -> None:
    async with site.browser(await site.persona()) as visitor:
        session_id = visitor.http.cookies["hrss-session"]
        sessions = site.gateway.portal._sessions
        before = await _use_time(site, session_id, minutes_ago=29)
        ticked = await visitor.get("/card/code?tick=1")
        between = await _use_time(site, session_id)
        used = await visitor.get("/card/code")
        after = await _use_time(site, session_id)
        await _use_time(site, session_id, minutes_ago=31)
        late = await visitor.get("/card/code?tick=1")

    assert ticked.status_code == used.status_code == 200
    assert between == before
    assert after > before
    assert late.headers["location"].startswith("/login?")
    assert "tick" not in late.headers["location"]
    assert await sessions.find(session_id) is None
    assert re.search(r'hx-get="/card/code\?tick=1"', used.text)


async def _use_time(site: Site, session_id: str, *, minutes_ago: int | None = None) -> datetime:
    """When a session was last used; moved into the past first where a test says so."""
    key = hashlib.sha256(session_id.encode()).digest()

    async def work(tx: Transaction) -> datetime:
        if minutes_ago is not None:
            moved = tx.now - timedelta(minutes=minutes_ago)
            await tx.execute("UPDATE portal_session SET use_time = $2 WHERE id_hash = $1", key, moved)
        row = await tx.fetchrow("SELECT use_time FROM portal_session WHERE id_hash = $1", key)
        assert row is not None
        found: datetime = row["use_time"]
        return found

    return await site.gateway.portal._sessions._run(work)


@pytest.mark.parametrize(
    "body",
    [b"", b"--x\r\n\r\nno name\r\n--x--\r\n", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end\r\n'],
)
async def test_a_broken_form_with_files_is_refused(body: bytes) -> None:
    with pytest.raises(multipart.MultipartWrong):
        multipart.parse("multipart/form-data; boundary=x", body)


async def test_files_keep_their_bytes() -> None:
    data = b"\xff\x00\r\n--y\r\nname,id_no\r\n"
    body = (
        b'--x\r\nContent-Disposition: form-data; name="mode"\r\n\r\nA\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xe8\xa1\xa8.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n" + data + b"\r\n--x--\r\n"
    )

    values, files = multipart.parse('multipart/form-data; boundary="x"', body)

    assert values == [("mode", "A")]
    assert files["file"].data == data
    assert "name" not in repr(files["file"])
