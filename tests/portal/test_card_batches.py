"""The room of cards by the batch by plain HTTP: the list, one batch with its reasons, the second person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import batches_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel.errors import Forbidden, Refused
from tests.portal.test_employer import CLERK, SUPERVISOR, pressed, uploaded
from tests.portal.test_register import text_of

if TYPE_CHECKING:
    from tests.plugins.databases import Templates  # noqa: F401 - for the fixtures of this folder
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBER = "cbt_01980f2e6c4b7d1aa3f0512233445566"
PAGE, DIGEST = f"/desk/card-batches/{NUMBER}", "1a2b3c4d" * 8


def batch(state: str, job: str = "DONE", issued_count: int = 0, open_count: int = 0) -> pb.CardBatch:
    """A batch of four rows of a list."""
    return pb.CardBatch(
        batch_id=NUMBER,
        source=pb.CARD_BATCH_SOURCE_FILE,
        state=pb.CardBatchState.Value(f"CARD_BATCH_STATE_{state}"),
        row_count=4,
        ready_count=2,
        unfit_count=1,
        there_count=1,
        digest=DIGEST,
        job=job_pb2.Job(
            job_id="job_" + "1" * 32, kind="card_batch_issue", state=job_pb2.JobState.Value(f"JOB_STATE_{job}")
        ),
        left_out=[pb.CardBatchLeftOut(reason="PHYSICAL_MISSING", person_count=7)],
        issued_count=issued_count,
        open_count=open_count,
    )


def program(site: Site, one: pb.CardBatch) -> None:
    """What the card service answers."""
    reject = job_pb2.JobReject(
        line=3, code="ID_NO_INVALID", text_zh="公民身份号码不正确", text_en="the number is not valid"
    )
    site.echo.answer("ListCardBatches", pb.ListCardBatchesResponse(batches=[one]))
    site.echo.answer("GetCardBatch", pb.GetCardBatchResponse(batch=one))
    site.echo.answer("ListCardBatchRejects", pb.ListCardBatchRejectsResponse(rejects=[reject]))
    site.echo.answer("CreateCardBatch", pb.CreateCardBatchResponse(batch=one))
    site.echo.answer("ApproveCardBatch", pb.ApproveCardBatchResponse(batch=one))


async def test_the_list_leads_to_a_batch_with_its_reasons_in_both_languages(site: Site) -> None:
    program(site, batch("PREPARED"))
    for language, words in (("en", ("to be approved", "the number is not valid", "no physical card")),
                            ("zh", ("待复核", "公民身份号码不正确", "没有实体卡"))):  # fmt: skip
        async with site.browser(CLERK, acr=3, language=language) as visitor:
            listed, one = await visitor.get("/desk/card-batches"), await visitor.get(PAGE)

        assert (listed.status_code, one.status_code) == (200, 200)
        assert f'href="{PAGE}"' in listed.text
        assert all(word in text_of(one.text) for word in words), text_of(one.text)
        assert "CARD_BATCH" not in text_of(listed.text) + text_of(one.text)
        assert 'value="approve"' not in one.text  # a clerk prepares, a supervisor approves


async def test_a_supervisor_approves_what_was_shown(site: Site) -> None:
    program(site, batch("PREPARED"))
    approved = await pressed(site, PAGE, who=SUPERVISOR, action="approve")
    (sent,) = [seen.request for seen in site.echo.seen if seen.method == "ApproveCardBatch"]
    site.echo.refuse("ApproveCardBatch", Forbidden("SAME_PERSON", "the maker"))
    same = await pressed(site, PAGE, who=SUPERVISOR, action="approve")
    site.echo.refuse("ApproveCardBatch", Refused("CARD_BATCH_CHANGED", "changed", digest="99" * 32))
    changed = await pressed(site, PAGE, who=SUPERVISOR, action="approve")

    assert (approved.status_code, sent.digest) == (303, DIGEST)
    assert (same.status_code, changed.status_code) == (403, 422)
    assert "1a2b3c4d" in text_of(changed.text)


async def test_a_list_is_handed_in_and_one_that_runs_is_held(site: Site) -> None:
    program(site, batch("RUNNING", "RUNNING", issued_count=1, open_count=1))
    made = await uploaded(site, "/desk/card-batches", "姓名,公民身份号码\n".encode(), action="file")
    async with site.browser(CLERK, acr=3, language="en") as visitor:
        running = await visitor.get(PAGE)
        program(site, batch("RUNNING", "PAUSED"))
        held = await visitor.get(PAGE)
        nothing = await visitor.get("/desk/card-batches/cbt_1")

    assert made.headers["location"].endswith(PAGE)
    assert ('value="pause"' in running.text, 'value="resume"' in running.text) == (True, False)
    assert ('value="pause"' in held.text, 'value="resume"' in held.text) == (False, True)
    assert nothing.status_code == 404
